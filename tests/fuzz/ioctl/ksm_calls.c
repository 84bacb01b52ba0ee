// SPDX-License-Identifier: GPL-2.0
/* Calls of /dev/ksm: <linux/ksmdev.h>, and its files in sysfs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/ksmdev.h>

#include "call.h"

static long run_open(const struct call *call)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY };

	return child_keep(A(0), open("/dev/ksm", O_CLOEXEC |
				     modes[A(1) % ARRAY_SIZE(modes)]));
}

static long run_version(const struct call *call)
{
	return ioctl(child_fd(A(0)), KSM_GET_API_VERSION, A(1));
}

static long range_call(const struct call *call, unsigned long request)
{
	struct ksm_range range = {
		.addr = A(1), .len = A(2), .flags = A(3), .done = A(4),
	};

	return child_ioctl(A(0), request, &range, sizeof(range), A(5));
}

static long run_register(const struct call *call)
{
	return range_call(call, KSM_REGISTER);
}

static long run_unmerge(const struct call *call)
{
	return range_call(call, KSM_UNMERGE);
}

static long run_merge(const struct call *call)
{
	return range_call(call, KSM_MERGE);
}

static long run_discard(const struct call *call)
{
	return range_call(call, KSM_DISCARD);
}

static long run_scan(const struct call *call)
{
	struct ksm_scan scan = { .flags = A(1), .reserved = { A(2) } };

	return child_ioctl(A(0), KSM_SCAN, &scan, sizeof(scan), A(3));
}

static long run_set_domain(const struct call *call)
{
	struct ksm_set_domain domain = {
		.flags = A(1),
		.fd = A(2) < CHILD_FDS ? child_fd(A(2)) : (int)A(2),
	};

	return child_ioctl(A(0), KSM_SET_DOMAIN, &domain, sizeof(domain), A(3));
}

static long run_stats(const struct call *call)
{
	struct ksm_stats stats = { .flags = A(1), .reserved = { A(2) } };

	return child_ioctl(A(0), KSM_GET_STATS, &stats, sizeof(stats), A(3));
}

/* Those of ksm_restore() in run.c. */
static const char *const files[] = {
	"run", "advisor_mode", "advisor_max_cpu", "pages_to_scan",
	"sleep_millisecs", "rest_millisecs", "scan_threads", "use_zero_pages",
	"merge_across_nodes", "max_page_sharing",
};

static long run_sysfs(const struct call *call)
{
	char path[96], text[32];
	int fd;
	long ret;

	snprintf(path, sizeof(path), "/sys/class/misc/ksm/%s",
		 files[A(0) % ARRAY_SIZE(files)]);
	snprintf(text, sizeof(text), "%lld", (long long)A(1));
	if (A(0) == 1)
		snprintf(text, sizeof(text), A(1) & 1 ? "cpu-budget" : "none");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = write(fd, text, strlen(text));
	close(fd);
	return ret;
}

#define RANGE_ARGS { FD_KSM("fd"), { "addr", ARG_ADDR, ARENA, 0 },	\
	  { "len", ARG_LEN, PAGE, 0 },					\
	  { "flags", ARG_FLAGS, 0, KSM_RANGE_OFFSET },			\
	  { "done", ARG_VALUE, 0, 0 }, { "at", ARG_PLACE, 0, 0 } }

const struct call_type ksm_calls[] = {
	{ "ksm_open", DEVICE_BOTH, 5, false, run_open,
	  { FD_KSM("to"), { "mode", ARG_ENUM, 0, 2 } } },
	{ "ksm_version", DEVICE_KSM, 1, false, run_version,
	  { FD_KSM("fd"), { "value", ARG_VALUE, 0, 0 } } },
	{ "ksm_register", DEVICE_KSM, 8, false, run_register, RANGE_ARGS },
	{ "ksm_unmerge", DEVICE_KSM, 6, false, run_unmerge, RANGE_ARGS },
	{ "ksm_merge", DEVICE_KSM, 5, false, run_merge, RANGE_ARGS },
	{ "ksm_discard", DEVICE_KSM, 6, false, run_discard, RANGE_ARGS },
	{ "ksm_scan", DEVICE_BOTH, 10, false, run_scan,
	  { FD_KSM("fd"), { "flags", ARG_FLAGS, 0, KSM_SCAN_FORCE },
	    { "reserved", ARG_FLAGS, 0, 0 }, { "at", ARG_PLACE, 0, 0 } } },
	{ "ksm_set_domain", DEVICE_KSM, 4, false, run_set_domain,
	  { FD_KSM("fd"),
	    { "flags", ARG_FLAGS, 0, KSM_DOMAIN_PRIVATE | KSM_DOMAIN_JOIN },
	    { "with", ARG_VALUE, ~0ULL, 0 }, { "at", ARG_PLACE, 0, 0 } } },
	{ "ksm_stats", DEVICE_KSM, 2, false, run_stats,
	  { FD_KSM("fd"), { "flags", ARG_FLAGS, 0, KSM_STATS_DOMAIN },
	    { "reserved", ARG_FLAGS, 0, 0 }, { "at", ARG_PLACE, 0, 0 } } },
	{ "ksm_sysfs", DEVICE_KSM, 1, false, run_sysfs,
	  { { "file", ARG_ENUM, 0, ARRAY_SIZE(files) - 1 },
	    { "value", ARG_ENUM, 0, 300 } } },
	{ 0 }
};
