// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devkvm.h"
#include "report.h"
#include "sysfs.h"

#define KVM	"/dev/kvm"

/* ---- the namespace ---- */

static int write_map(const char *name, unsigned int id)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u 1", id, id);
	return sysfs_write_string("/proc/self", name, text);
}

/* Who is not root gets the right to mount in a user namespace, as himself. */
static int enter_as_user(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -errno;
	if (sysfs_write_string("/proc/self", "setgroups", "deny") ||
	    write_map("uid_map", uid) || write_map("gid_map", gid))
		return -EPERM;
	return 0;
}

static int enter_namespace(void)
{
	int err = unshare(CLONE_NEWNS) ? -errno : 0;

	if (err == -EPERM)
		err = enter_as_user();
	/* What others mount is seen here, but not the other way round. */
	if (!err && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		err = -errno;
	if (err)
		return report_failure("cannot make a mount namespace: %s; where users may not make namespaces, run it by sudo",
				      strerror(-err));
	return 0;
}

/* ---- the device ---- */

static int report_mount_error(const char *path, int error)
{
	return report_failure("cannot mount on %s in the program's namespace: %s",
			      path, strerror(error));
}

/* A copy of one entry of the old /dev.  What is gone by now may be. */
static int copy_entry(int old, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX], target[PATH_MAX];
	unsigned long flags = MS_BIND;
	ssize_t length;
	struct stat st;
	int fd;

	if (fstatat(old, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", old, name);
	snprintf(to, sizeof(to), "/dev/%s", name);
	if (S_ISLNK(st.st_mode)) {
		length = readlinkat(old, name, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		return length <= 0 || symlink(target, to) ? -errno : 0;
	}
	if (S_ISDIR(st.st_mode)) {
		flags |= MS_REC;
		if (mkdir(to, 0755))
			return -errno;
	} else {
		fd = open(to, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	return mount(from, to, NULL, flags, NULL) && errno != ENOENT ?
	       -errno : 0;
}

static int copy_entries(DIR *old)
{
	struct dirent *entry;
	int err = 0;

	while (!err && (entry = readdir(old)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    strcmp(entry->d_name, "kvm"))
			err = copy_entry(dirfd(old), entry->d_name);
	return err;
}

/*
 * There is no /dev/kvm to mount on, and making one would be seen by all: a
 * /dev of our own then, with everything that the old one has.
 */
static int make_dev(void)
{
	DIR *old = opendir("/dev");
	int err, fd;

	if (!old)
		return report_mount_error("/dev", errno);
	if (mount("devkvm", "/dev", "tmpfs", MS_NOSUID, "mode=0755"))
		err = -errno;
	else
		err = copy_entries(old);
	closedir(old);
	fd = err ? -1 : open(KVM, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (!err && fd < 0)
		err = -errno;
	if (err)
		return report_mount_error("/dev", -err);
	close(fd);
	return 0;
}

int devkvm_replace(const char *device)
{
	struct stat st;
	int status = enter_namespace();

	if (!status && stat(KVM, &st))
		status = make_dev();
	if (!status && mount(device, KVM, NULL, MS_BIND, NULL))
		status = report_mount_error(KVM, errno);
	return status;
}
