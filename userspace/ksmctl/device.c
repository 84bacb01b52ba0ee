// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/ksmdev.h>

#include "ksmctl.h"

static void report_open_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		report_failure("the module is not loaded (no %s): modprobe ksmdev",
			       KSM_DEVICE);
		break;
	case EACCES:
	case EPERM:
		report_failure("no permission to open %s: its owner, group and mode say who may (ls -l %s)",
			       KSM_DEVICE, KSM_DEVICE);
		break;
	default:
		report_failure("cannot open %s: %s", KSM_DEVICE,
			       strerror(error));
	}
}

/* @fd, of @path, if it speaks our version of the API; -1, and it is closed, if not. */
static int api_check(int fd, const char *path)
{
	int version = ioctl(fd, KSM_GET_API_VERSION, 0);

	if (version == KSM_API_VERSION)
		return fd;
	if (version < 0)
		report_failure("%s does not know the API of ksmdev", path);
	else
		report_failure("the module speaks version %d of the API, ksmctl %d: install both from one source",
			       version, KSM_API_VERSION);
	close(fd);
	return -1;
}

int device_open(void)
{
	int fd = open(KSM_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return api_check(fd, KSM_DEVICE);
	report_open_error(errno);
	return -1;
}

/* In a directory a file without a name stands for those that have one. */
static int found_open(int found, bool is_dir)
{
	char name[64];

	if (is_dir)
		return openat(found, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", found);
	return open(name, O_RDWR | O_CLOEXEC);
}

/* @found was opened with O_PATH. */
static int found_check_open(int found, const char *path)
{
	struct statfs fs;
	struct stat st;
	int fd;

	if (fstatfs(found, &fs) || fstat(found, &st)) {
		report_failure("cannot look at %s: %s", path, strerror(errno));
		return -1;
	}
	if (fs.f_type != KSMFS_MAGIC) {
		report_failure("%s is not a file or directory of ksmfs", path);
		return -1;
	}
	fd = found_open(found, S_ISDIR(st.st_mode));
	if (fd >= 0)
		return api_check(fd, path);
	report_failure("cannot open %s for writing: %s", path, strerror(errno));
	return -1;
}

/* Opening a device has effects of its own, so look first whether it is of ksmfs. */
int path_open(const char *path)
{
	int found = open(path, O_PATH | O_CLOEXEC), fd;

	if (found < 0) {
		report_failure("cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	fd = found_check_open(found, path);
	close(found);
	return fd;
}
