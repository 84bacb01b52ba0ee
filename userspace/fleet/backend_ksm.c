// SPDX-License-Identifier: GPL-2.0
/* The kernel's own KSM: VMMs mark RAM by MADV_MERGEABLE, ksmd merges it. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "fleet.h"
#include "procfs.h"
#include "settings.h"
#include "sysfs.h"

#define SYSFS	"/sys/kernel/mm/ksm"

/* For a pass over what others left; with much memory of others it takes longer. */
#define PASS_TENTHS	100

static pid_t ksmd;

static int check(void)
{
	if (access(SYSFS, F_OK))
		return report_failure("this kernel has no KSM (no %s): --backend ksmdev or none",
				      SYSFS);
	if (access(SYSFS "/run", W_OK))
		return report_failure("only root may start the kernel's KSM (%s/run)", SYSFS);
	ksmd = procfs_find("ksmd");
	return 0;
}

/* Its advisor would set pages_to_scan as it likes. */
static int stop_advisor(void)
{
	return access(SYSFS "/advisor_mode", F_OK) ? 0 :
	       settings_set(SYSFS, "advisor_mode", "none");
}

static long long ksm_value(const char *name)
{
	long long value;

	return sysfs_read_number(SYSFS, name, &value) ? 0 : value;
}

/*
 * Pages of processes that have ended, of a fleet that was killed, say, count as
 * shared until ksmd comes by.  Figures that begin with them would get too small.
 */
static void await_pass(void)
{
	const struct timespec tenth = { .tv_nsec = 100000000 };
	long long scans = ksm_value("full_scans");
	int i;

	if (!ksm_value("pages_shared"))
		return;
	for (i = 0; i < PASS_TENTHS && ksm_value("full_scans") == scans; i++)
		if (nanosleep(&tenth, NULL))
			break;
}

static int start(const struct description *d)
{
	bool flat_out = d->scan == SCAN_FLAT_OUT;
	long long pages = flat_out ? UINT_MAX : d->pages_to_scan;
	long long sleep = flat_out ? 0 : d->sleep_millisecs;

	if (pages != UNSET &&
	    (stop_advisor() || settings_set_number(SYSFS, "pages_to_scan", pages)))
		return STATUS_FAILURE;
	if (sleep != UNSET && settings_set_number(SYSFS, "sleep_millisecs", sleep))
		return STATUS_FAILURE;
	if (settings_set_number(SYSFS, "run", 1))
		return STATUS_FAILURE;
	await_pass();
	return 0;
}

static int hold(void)
{
	return settings_set_number(SYSFS, "run", 0);
}

static int go(void)
{
	return settings_set_number(SYSFS, "run", 1);
}

/* What is not merged of its RAM is what is mapped beside that. */
static void read_mapped(struct vm_sample *v, const struct vm *vm)
{
	struct ram_map map;

	if (procfs_ram(vm->pid, 0, &map))
		v->private_pages = map.rss / sysconf(_SC_PAGESIZE) - v->merged_pages;
}

static void read_vm(struct vm_sample *v, const struct vm *vm, enum sample_depth depth)
{
	long long merged, zero;

	v->cow_breaks = UNKNOWN;
	if (depth < SAMPLE_MAPPED)
		v->private_pages = UNKNOWN;
	if (!vm_runs(vm))
		return;
	merged = procfs_value(vm->pid, "ksm_merging_pages", "");
	zero = procfs_value(vm->pid, "ksm_stat", "ksm_zero_pages");
	v->merged_pages = merged > 0 ? merged : 0;
	/* Kernels before 6.6 do not count them. */
	v->zero_pages = zero > 0 ? zero : 0;
	if (depth >= SAMPLE_MAPPED)
		read_mapped(v, vm);
}

static int read_sample(struct sample *s, const struct vm *vms, int count)
{
	long long cow = procfs_value(0, "vmstat", "cow_ksm");
	int i;

	for (i = 0; i < count; i++)
		read_vm(&s->vms[i], &vms[i], s->depth);
	if (sysfs_read_number(SYSFS, "pages_shared", &s->pages_shared) ||
	    sysfs_read_number(SYSFS, "pages_sharing", &s->pages_sharing))
		return report_failure("cannot read %s", SYSFS);
	s->cow_breaks = cow < 0 ? UNKNOWN : cow;
	s->scanner_ns = ksmd ? procfs_cpu_ns(ksmd) : UNKNOWN;
	return 0;
}

const struct backend backend_ksm = {
	.check = check,
	.start = start,
	.hold = hold,
	.go = go,
	.read = read_sample,
};
