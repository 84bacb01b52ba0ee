/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The process's area of /dev/ksm: opened when it is first needed, kept at a
 * high descriptor number, and not passed on by exec.
 *
 * Programs close descriptors they do not know (daemons close all).  Mapped
 * memory stands that, calls to the module do not: then a new area takes what is
 * handed over from then on, and calls on older memory do without the module.
 * So areas are numbered, and each range knows the number of its own.
 *
 * DOMAIN.  An area starts in the domain of the user id.  With
 * KSMRUN_DOMAIN_FD=N in the environment (ksmctl run --private-domain) it joins
 * the domain of descriptor N instead; should that be closed, it gets a private
 * domain of its own, so that the memory is never merged with anybody else's.
 *
 * All but area_init() must hold the lock.
 */
#ifndef KSMRUN_AREA_H
#define KSMRUN_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct area - an open area
 * @number:	1, 2, ...; 0: not open
 * @fd:		descriptor, if it still is one of ours
 * @next:	offset behind all that area_map() mapped
 * @device:	file system of /dev/ksm
 * @inode:	inode of /dev/ksm
 * @rdev:	device number of /dev/ksm
 */
struct area {
	unsigned int number;
	int fd;
	uint64_t next;
	dev_t device;
	ino_t inode;
	dev_t rdev;
};

/* @domain_fd: value of KSMRUN_DOMAIN_FD or NULL. */
void area_init(const char *domain_fd);

/* Memory must not be merged with that of others. */
bool area_is_private(void);

bool area_is_open(void);

/* The area for new memory, opened if need be; NULL and *@error (negative). */
struct area *area_get(int *error);

/* The area of that number if it can still be called, else NULL. */
struct area *area_find(unsigned int number);

/*
 * KSM_REGISTER, KSM_MERGE, ... on a range; 0 or a negative errno.  *@done, if
 * not NULL, gets the bytes done in either case.
 */
long area_call(const struct area *area, unsigned long request,
	       uintptr_t addr, size_t len, size_t *done);

/*
 * Maps memory of the area that reads as zeroes.  @fixed: 0, MAP_FIXED or
 * MAP_FIXED_NOREPLACE.  Returns the address or a negative errno.
 */
long area_map(struct area *area, uintptr_t addr, size_t len, int prot,
	      int fixed);

/*
 * For fork(): another area in the same domain; 0 or a negative errno.  The
 * parent closes it, the child makes it its own.
 */
int area_clone(struct area *clone);
void area_close(struct area *area);
void area_adopt(struct area *clone);

#endif /* KSMRUN_AREA_H */
