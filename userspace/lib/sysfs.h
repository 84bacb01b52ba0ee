/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small files that hold one value, as in /sys.  All functions return 0 or a
 * negative errno.
 */
#ifndef KVMLITE_SYSFS_H
#define KVMLITE_SYSFS_H

#include <stddef.h>

/* The value of @folder/@name without its newline. */
int sysfs_read_string(const char *folder, const char *name, char *value,
		      size_t size);

/* The value as a number; -EINVAL when it is none. */
int sysfs_read_number(const char *folder, const char *name, long long *value);

int sysfs_write_string(const char *folder, const char *name,
		       const char *value);

#endif /* KVMLITE_SYSFS_H */
