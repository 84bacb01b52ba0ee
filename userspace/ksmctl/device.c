// SPDX-License-Identifier: GPL-2.0
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

int device_open(void)
{
	int fd, version;

	fd = open(KSM_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		report_open_error(errno);
		return -1;
	}
	version = ioctl(fd, KSM_GET_API_VERSION, 0);
	if (version == KSM_API_VERSION)
		return fd;
	if (version < 0)
		report_failure("%s is not the device of ksmdev", KSM_DEVICE);
	else
		report_failure("the module speaks version %d of the API, ksmctl %d: install both from one source",
			       version, KSM_API_VERSION);
	close(fd);
	return -1;
}
