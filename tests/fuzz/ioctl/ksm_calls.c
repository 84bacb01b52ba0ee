// SPDX-License-Identifier: GPL-2.0
/* Calls of /dev/ksm and of files of ksmfs: <linux/ksmdev.h>, and its files in sysfs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
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

static long run_info(const struct call *call)
{
	struct ksm_info info = { .reserved = { A(1) } };

	return child_ioctl(A(0), KSM_GET_INFO, &info, sizeof(info), A(2));
}

static long run_get_file(const struct call *call)
{
	return child_keep(A(1), ioctl(child_fd(A(0)), KSM_GET_FILE, A(2)));
}

static long run_create_domain(const struct call *call)
{
	return child_keep(A(1), ioctl(child_fd(A(0)), KSM_CREATE_DOMAIN, A(2)));
}

/* ---- names in a mount of ksmfs ---- */

/* Two directories, which are domains, with a directory in one; and the root. */
static const char *const names[] = { CALL_NAMES };

static const char *name_of(u64 number)
{
	return names[number % ARRAY_SIZE(names)];
}

static long run_name_open(const struct call *call)
{
	static const int flags[] = {
		O_RDWR | O_CREAT, O_RDWR, O_RDONLY, O_RDONLY | O_DIRECTORY,
		O_RDWR | O_TMPFILE, O_RDWR | O_TRUNC, O_RDWR | O_APPEND,
	};

	return child_keep(A(0), open(name_of(A(1)),
				     O_CLOEXEC | flags[A(2) % ARRAY_SIZE(flags)], 0666));
}

static long run_name(const struct call *call)
{
	const char *from = name_of(A(1)), *to = name_of(A(2));

	switch (A(0)) {
	case 0:
		return mkdir(from, 0777);
	case 1:
		return rmdir(from);
	case 2:
		return unlink(from);
	case 3:
		return link(from, to);
	case 4:
		return rename(from, to);
	case 5:
		return renameat2(AT_FDCWD, from, AT_FDCWD, to, A(3));
	case 6:
		return truncate(from, A(3));
	case 7:
		return chmod(from, A(3));
	default:
		return chown(from, A(3), -1);
	}
}

static long run_file_flags(const struct call *call)
{
	int flags = A(1);

	return ioctl(child_fd(A(0)), FS_IOC_SETFLAGS, &flags);
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
	{ "ksm_info", DEVICE_KSM, 1, false, run_info,
	  { FD_KSM("fd"), { "reserved", ARG_FLAGS, 0, 0 }, { "at", ARG_PLACE, 0, 0 } } },
	{ "ksm_get_file", DEVICE_KSM, 4, false, run_get_file,
	  { FD_KSM("fd"), { "to", ARG_FD, 1, 3 }, { "value", ARG_ENUM, 0, 0 } } },
	{ "ksm_create_domain", DEVICE_KSM, 2, false, run_create_domain,
	  { FD_KSM("fd"), { "to", ARG_FD, 4, 5 }, { "value", ARG_ENUM, 0, 0 } } },
	{ "name_open", DEVICE_KSM, 6, false, run_name_open,
	  { { "to", ARG_FD, 1, 3 }, { "name", ARG_ENUM, 0, ARRAY_SIZE(names) - 1 },
	    { "how", ARG_ENUM, 0, 6 } } },
	{ "name", DEVICE_KSM, 4, false, run_name,
	  { { "op", ARG_ENUM, 0, 8 }, { "name", ARG_ENUM, 0, ARRAY_SIZE(names) - 1 },
	    { "to", ARG_ENUM, 0, ARRAY_SIZE(names) - 1 }, { "value", ARG_VALUE, 0, 0 } } },
	{ "file_flags", DEVICE_KSM, 1, false, run_file_flags,
	  { FD_KSM("fd"), { "flags", ARG_FLAGS, FS_NOCOW_FL, FS_NOCOW_FL } } },
	{ "ksm_sysfs", DEVICE_KSM, 1, false, run_sysfs,
	  { { "file", ARG_ENUM, 0, ARRAY_SIZE(files) - 1 },
	    { "value", ARG_ENUM, 0, 300 } } },
	{ 0 }
};
