// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"

static int open_value(const char *folder, const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysfs_read_string(const char *folder, const char *name, char *value,
		      size_t size)
{
	ssize_t length;
	int fd, err = 0;

	fd = open_value(folder, name, O_RDONLY);
	if (fd < 0)
		return fd;
	length = read(fd, value, size - 1);
	if (length < 0)
		err = -errno;
	close(fd);
	if (err)
		return err;
	value[length] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return 0;
}

int sysfs_read_number(const char *folder, const char *name, long long *value)
{
	char text[64], *end;
	int err;

	err = sysfs_read_string(folder, name, text, sizeof(text));
	if (err)
		return err;
	errno = 0;
	*value = strtoll(text, &end, 10);
	return errno || end == text || *end ? -EINVAL : 0;
}

int sysfs_write_string(const char *folder, const char *name, const char *value)
{
	size_t length = strlen(value);
	int fd, err = 0;

	fd = open_value(folder, name, O_WRONLY);
	if (fd < 0)
		return fd;
	if (write(fd, value, length) != (ssize_t)length)
		err = -errno;
	close(fd);
	return err;
}
