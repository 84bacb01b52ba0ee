/* SPDX-License-Identifier: GPL-2.0 */
/* The nodes of our devices. */
#ifndef KVMLITECTL_DEVICE_H
#define KVMLITECTL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct device - a node
 * @present:	it is there, and is a device
 * @usable:	we may read and write it
 * @owner:	name or number
 * @group:	name or number
 * @mode:	"0660"
 */
struct device {
	bool present;
	bool usable;
	char owner[64];
	char group[64];
	char mode[8];
};

void device_look(const char *node, struct device *device);

/*
 * Opens /dev/kvmlite and checks that it speaks the KVM API; a descriptor, or
 * -1 after saying why not.
 */
int device_open(void);

/* Makes a VM and ends it: 0 or -errno. */
int device_try(int fd);

/* Why device_try() gave that, and what to do. */
void device_explain(int error, char *text, size_t size);

#endif /* KVMLITECTL_DEVICE_H */
