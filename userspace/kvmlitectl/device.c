// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "device.h"
#include "holder.h"
#include "kvmlitectl.h"

void device_look(const char *node, struct device *device)
{
	const struct passwd *user;
	const struct group *group;
	struct stat st;

	memset(device, 0, sizeof(*device));
	if (stat(node, &st) || !S_ISCHR(st.st_mode))
		return;
	device->present = true;
	device->usable = !access(node, R_OK | W_OK);
	user = getpwuid(st.st_uid);
	group = getgrgid(st.st_gid);
	if (user)
		snprintf(device->owner, sizeof(device->owner), "%s",
			 user->pw_name);
	else
		snprintf(device->owner, sizeof(device->owner), "%u",
			 st.st_uid);
	if (group)
		snprintf(device->group, sizeof(device->group), "%s",
			 group->gr_name);
	else
		snprintf(device->group, sizeof(device->group), "%u",
			 st.st_gid);
	snprintf(device->mode, sizeof(device->mode), "%04o",
		 st.st_mode & 07777);
}

static void report_open_error(int error)
{
	struct device device;

	switch (error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		report_failure("the module is not loaded (no %s): kvmlitectl load kvmlite (as root)",
			       KVMLITE_DEVICE);
		break;
	case EACCES:
	case EPERM:
		device_look(KVMLITE_DEVICE, &device);
		report_failure("no permission to open %s: it is %s:%s's with mode %s, so be one of the group, or use sudo",
			       KVMLITE_DEVICE, device.owner, device.group,
			       device.mode);
		break;
	default:
		report_failure("cannot open %s: %s", KVMLITE_DEVICE,
			       strerror(error));
	}
}

int device_open(void)
{
	int fd = open(KVMLITE_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		report_open_error(errno);
		return -1;
	}
	if (ioctl(fd, KVM_GET_API_VERSION, 0) == KVM_API_VERSION)
		return fd;
	report_failure("%s is not the device of kvmlite: remove it, and load the module again",
		       KVMLITE_DEVICE);
	close(fd);
	return -1;
}

int device_try(int fd)
{
	int vm = ioctl(fd, KVM_CREATE_VM, 0);

	if (vm < 0)
		return -errno;
	close(vm);
	return 0;
}

void device_explain(int error, char *text, size_t size)
{
	struct holder holder;

	switch (error) {
	case EBUSY:
		holder_find(&holder);
		if (holder.blocks)
			snprintf(text, size, "virtualization is %s",
				 holder.text);
		else
			snprintf(text, size,
				 "another hypervisor holds virtualization: end its VMs or unload it");
		break;
	case ESHUTDOWN:
		snprintf(text, size, "the machine is going down");
		break;
	default:
		snprintf(text, size, "no VM can be made: %s (dmesg says more)",
			 strerror(error));
	}
}
