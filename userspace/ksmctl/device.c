// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
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
		report_failure("%s is not of ksmdev", path);
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
int path_open(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == EISDIR)
		fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return api_check(fd, path);
	report_failure("cannot open %s for writing: %s", path, strerror(errno));
	return -1;
}
