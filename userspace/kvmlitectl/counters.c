// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "counters.h"
#include "sysfs.h"

static const struct {
	const char *name;
	const char *help;
	bool gauge;
} known[] = {
	{ "exits", "VM exits.", false },
	{ "userspace_exits", "Returns of KVM_RUN.", false },
	{ "io_exits", "IN, OUT, INS, OUTS.", false },
	{ "mmio_exits", "Accesses to MMIO.", false },
	{ "signal_exits", "KVM_RUN ended by a signal.", false },
	{ "irq_exits", "Host interrupts while in the guest.", false },
	{ "irq_window_exits", "The guest became ready for an interrupt.", false },
	{ "nmi_window_exits", "The guest became ready for an NMI.", false },
	{ "request_irq_exits", "Exits for request_interrupt_window.", false },
	{ "halt_exits", "HLT.", false },
	{ "cpuid_exits", "CPUID.", false },
	{ "msr_exits", "RDMSR, WRMSR.", false },
	{ "cr_exits", "Accesses to control registers.", false },
	{ "hypercalls", "VMCALL, VMMCALL.", false },
	{ "exceptions", "Exceptions taken from the guest, and injected.", false },
	{ "pf_taken", "Second-stage faults.", false },
	{ "pf_fixed", "Second-stage faults that mapped a page.", false },
	{ "pf_retried", "Second-stage faults that were in vain.", false },
	{ "insn_emulation", "Instructions emulated.", false },
	{ "insn_emulation_fail", "Instructions that could not be emulated.", false },
	{ "irq_injections", "Interrupts injected.", false },
	{ "nmi_injections", "NMIs injected.", false },
	{ "tlb_flush", "Second-stage TLB flushes.", false },
	{ "fpu_reload", "Entries with the guest's FPU registers.", false },
	{ "remote_tlb_flush", "Flushes asked of all vCPUs.", false },
	{ "mmu_unmapped", "Pages unmapped by MMU notifiers.", false },
	{ "pages_4k", "Pages of 4 KiB mapped now.", true },
	{ "pages_2m", "Pages of 2 MiB mapped now.", true },
	{ "tables", "Pages of second-stage tables now.", true },
};

/* Where the name is, or where it belongs. */
static size_t find(const struct counters *counters, const char *name)
{
	size_t i = 0;

	while (i < counters->count && strcmp(counters->list[i].name, name) < 0)
		i++;
	return i;
}

static bool has(const struct counters *counters, size_t i, const char *name)
{
	return i < counters->count && !strcmp(counters->list[i].name, name);
}

static void add(struct counters *counters, const char *name, long long value)
{
	size_t i = find(counters, name);
	struct counter *counter = &counters->list[i];

	if (!has(counters, i, name)) {
		if (counters->count == COUNTERS_MAX)
			return;
		memmove(counter + 1, counter,
			(counters->count++ - i) * sizeof(*counter));
		counter->value = 0;
		snprintf(counter->name, sizeof(counter->name), "%s", name);
	}
	counter->value += value;
}

/* Folders, and files of more than a number, are something else. */
int counters_add(struct counters *counters, const char *folder)
{
	struct dirent *entry;
	long long value;
	DIR *dir;

	dir = opendir(folder);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_REG &&
		    strlen(entry->d_name) < sizeof(counters->list[0].name) &&
		    !sysfs_read_number(folder, entry->d_name, &value))
			add(counters, entry->d_name, value);
	closedir(dir);
	return 0;
}

void counters_sum(struct counters *counters, const struct counters *other)
{
	size_t i;

	for (i = 0; i < other->count; i++)
		add(counters, other->list[i].name, other->list[i].value);
}

long long counters_get(const struct counters *counters, const char *name)
{
	size_t i = find(counters, name);

	return has(counters, i, name) ? counters->list[i].value : 0;
}

bool counters_is_gauge(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(known[i].name, name))
			return known[i].gauge;
	return false;
}

const char *counters_help(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(known[i].name, name))
			return known[i].help;
	return "Not known to this version of kvmlitectl.";
}
