/* SPDX-License-Identifier: GPL-2.0 */
/* The processes that have a device open or mapped, as far as we may look. */
#ifndef KVMLITECTL_USERS_H
#define KVMLITECTL_USERS_H

#include <stddef.h>
#include <sys/types.h>

/* The name of a process; "?" when it is gone. */
void users_command(pid_t pid, char *text, size_t size);

/*
 * "qemu-system-x86 (1234), sh (99)", with "and 3 more" behind some; empty if
 * there is none that we can see.
 */
void users_of_device(dev_t device, char *text, size_t size);

/* The same for a node, which may be absent. */
void users_of_node(const char *node, char *text, size_t size);

#endif /* KVMLITECTL_USERS_H */
