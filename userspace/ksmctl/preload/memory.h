/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What programs do to memory that was handed over, made to look as if it still
 * were private anonymous memory.
 *
 * All must hold the lock and return 0 (or an address) or a negative errno, the
 * one that the kernel would give.  Addresses are aligned to pages.
 */
#ifndef KSMRUN_MEMORY_H
#define KSMRUN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An advice for which handed-over memory needs more than the kernel's call. */
bool memory_knows_advice(int advice);

/* madvise() with such an advice; parts not handed over get the kernel's. */
long memory_advise(uintptr_t start, uintptr_t end, int advice);

/*
 * Maps fresh memory that reads as zeroes, and hands it over if possible.
 * @fixed: 0, MAP_FIXED or MAP_FIXED_NOREPLACE.
 */
long memory_map(uintptr_t addr, size_t len, int prot, int fixed);

/*
 * libc's realloc() calls mremap() without us.  A mapping that grows so has no
 * memory behind the end of its file, or has what belongs elsewhere.  The kernel
 * refuses to make several mappings grow at once, and libc copies then: so the
 * last page before @end becomes another mapping, by an advice that means
 * nothing for this memory.
 */
void memory_fence(uintptr_t end);

/* Gives a new mapping, if it is of the area, the flags of an older one. */
void memory_restore_flags(uintptr_t start, uintptr_t end, unsigned int flags);

long memory_unmap(uintptr_t start, uintptr_t end);

/*
 * mremap() of memory of which at least a part was handed over; in remap.c.
 *
 * The kernel's own would let a mapping grow beyond the end of its file, where
 * it gives SIGBUS, and refuses to move what are several mappings by now, while
 * the program still sees one.
 */
long memory_remap(uintptr_t old, size_t old_len, size_t new_len, int flags,
		  uintptr_t target);

/*
 * Removes from the table what in [start, end) is not mapped to /dev/ksm any
 * more; returns how much, or a negative errno if that cannot be told.
 */
long memory_sync(uintptr_t start, uintptr_t end);

#endif /* KSMRUN_MEMORY_H */
