/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The truth about the address space: /proc/thread-self/maps, read without
 * malloc().  (/proc/self is the main thread's, and empty when that has ended.)
 */
#ifndef KSMRUN_MAPS_H
#define KSMRUN_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct vma - one line of it
 * @start:	first byte
 * @end:	first byte behind it
 * @prot:	PROT_*
 * @shared:	of MAP_SHARED
 * @stack:	the main thread's stack
 * @device:	of the file behind it
 */
struct vma {
	uintptr_t start;
	uintptr_t end;
	int prot;
	bool shared;
	bool stack;
	dev_t device;
};

/**
 * struct maps - the open file
 * @fd:		its descriptor
 * @error:	0, or why there was no next mapping: not all were seen
 * @used:	bytes of @buffer that were taken
 * @length:	bytes in it
 */
struct maps {
	int fd;
	int error;
	size_t used;
	size_t length;
	char buffer[1024];
};

/* 0 or a negative errno (/proc is not mounted, no free descriptor). */
int maps_open(struct maps *maps);

/* The next mapping that ends behind @addr; false when there is none (@error). */
bool maps_next(struct maps *maps, uintptr_t addr, struct vma *vma);

void maps_close(struct maps *maps);

/*
 * Is it a mapping of an unnamed file of an area?  Each has another inode, all
 * are on one device.
 */
bool maps_is_area(const struct vma *vma);
void maps_set_area(dev_t device);

#endif /* KSMRUN_MAPS_H */
