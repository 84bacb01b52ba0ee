/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The process's area: a descriptor of /dev/ksm, opened when it is first needed,
 * kept at a high number, and not passed on by exec.  Each range that is handed
 * over becomes an unnamed file of it.  A child of fork() shares it.
 *
 * Programs close descriptors they do not know (daemons close all).  Mapped
 * memory stands that, calls to the module do not: then a new area takes what is
 * handed over from then on, and calls on older memory do without the module.
 * So areas are numbered, and each range knows the number of its own.
 *
 * DOMAIN.  An area is in the domain of the user id.  With KSMRUN_DOMAIN_FD=N in
 * the environment (ksmctl run --private-domain) it joins the domain whose
 * directory descriptor N is; should that be closed, or belong to another user,
 * it gets a private domain of its own, so that the memory is never merged with
 * that of others.
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
 * @device:	file system of /dev/ksm
 * @inode:	inode of /dev/ksm
 * @rdev:	device number of /dev/ksm
 */
struct area {
	unsigned int number;
	int fd;
	dev_t device;
	ino_t inode;
	dev_t rdev;
};

/* @domain_fd: value of KSMRUN_DOMAIN_FD or NULL. */
void area_init(const char *domain_fd);

/* Memory must not be merged with that of others. */
bool area_is_private(void);

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

#endif /* KSMRUN_AREA_H */
