/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls that programs are made of, and what they share in the child that
 * runs a program.
 *
 * All memory that programs name lies at fixed addresses, so that texts are
 * readable and mean the same each time:
 *
 *   ARENA	mapped and unmapped by the program itself
 *   EDGE_PAGE	a page with nothing behind it: a structure may lie half in it
 *   FIXED_PAGE	a page that can only be read
 *   RUN_BASE	struct kvm_run of the vCPU in descriptor N at RUN_BASE + N * RUN_SIZE
 *
 * Descriptors have numbers from 0 to CHILD_FDS - 1, whatever is behind them.
 */
#ifndef CALL_H
#define CALL_H

#include "program.h"

#define PAGE		4096UL

#define RUN_BASE	0xe0000000UL
#define RUN_SIZE	0x4000UL
#define EDGE_PAGE	0xf0000000UL
#define FIXED_PAGE	0xf0010000UL
#define ARENA		0x100000000UL
#define ARENA_SIZE	(64UL << 20)

#define CHILD_FDS	16

/* A mount of ksmfs, and the names in it that programs use: run.c takes them away. */
#define CALL_MOUNT	"/tmp/ioctl_fuzz.ksmfs"
#define CALL_NAMES							\
	CALL_MOUNT "/f", CALL_MOUNT "/g", CALL_MOUNT "/a", CALL_MOUNT "/b",	\
	CALL_MOUNT "/a/f", CALL_MOUNT "/a/g", CALL_MOUNT "/b/f", CALL_MOUNT "/a/d",	\
	CALL_MOUNT "/a/d/f", CALL_MOUNT

/* Which descriptors are usually what. */
#define FD_KSM(name)	{ name, ARG_FD, 0, 3 }
#define FD_ANY(name)	{ name, ARG_FD, 0, CHILD_FDS - 1 }
#define FD_KVM(name)	{ name, ARG_FD, 8, 8 }
#define FD_VM(name)	{ name, ARG_FD, 9, 9 }
#define FD_VCPU(name)	{ name, ARG_FD, 10, 11 }
#define FD_EVENT(name)	{ name, ARG_FD, 12, 13 }
#define FD_PIPE(name)	{ name, ARG_FD, 14, 15 }

/* Arguments by position, for the functions that run calls. */
#define A(n)		(call->arg[n])

extern const struct call_type mem_calls[], ksm_calls[], kvm_calls[];

/* NULL if there is none. */
const struct call_type *call_find(const char *name);

/* The calls of a device in one table; returns their number. */
unsigned int call_list(unsigned int device, const struct call_type **list,
		       unsigned int max);

/* ---- in the child ---- */

/* The descriptor behind a number, or -1. */
int child_fd(u64 number);

/* Keep @fd under a number, and close what was there; returns @fd. */
long child_keep(u64 number, int fd);

bool in_arena(u64 addr, u64 len);

/*
 * An ioctl whose structure lies at @place; if that is 0, where it should.  What
 * cannot be copied there is left out.
 */
long child_ioctl(u64 number, unsigned long request, void *data, size_t size,
		 u64 place);

/* Run calls @from to the end, or @count of them. */
void child_run_calls(const struct program *program, unsigned int from,
		     unsigned int count);

#endif /* CALL_H */
