/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of memory that was handed over: sorted ranges that do not overlap.
 *
 * It is a belief, not the truth: libc's own calls (free() that unmaps, a heap
 * that shrinks) do not come by here.  So a range may be gone or be something
 * else by now.  Whoever acts on one must stand that: calls to the module are
 * answered with ENOMEM, and memory_sync() in memory.h puts the table right.
 *
 * All but ranges_touch() must hold the lock.
 */
#ifndef KSMRUN_RANGES_H
#define KSMRUN_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the program asked for the range. */
#define RANGE_UNMERGED		1u
#define RANGE_DONTFORK		2u
#define RANGE_WIPEONFORK	4u

/**
 * struct range - a part of the address space
 * @start:	first byte
 * @end:	first byte behind it
 * @flags:	RANGE_*
 * @area:	number of the area it belongs to, see area.h; 0: not handed over
 */
struct range {
	uintptr_t start;
	uintptr_t end;
	unsigned int flags;
	unsigned int area;
};

/*
 * Could a part of [start, end) be in the table?  Cheap, takes no lock: what
 * programs that never use MADV_MERGEABLE pay.
 */
bool ranges_touch(uintptr_t start, uintptr_t end);

bool ranges_empty(void);

/*
 * Room for one more change of the table.  To call before each ranges_set() and
 * before whatever cannot be undone; -ENOMEM.
 */
int ranges_reserve(void);

/* [start, end) gets these flags and area, whatever it was; area 0 removes. */
void ranges_set(uintptr_t start, uintptr_t end, unsigned int flags,
		unsigned int area);

static inline void ranges_remove(uintptr_t start, uintptr_t end)
{
	ranges_set(start, end, 0, 0);
}

/* The longest piece of [start, end) from @start on that is of one kind. */
struct range ranges_piece(uintptr_t start, uintptr_t end);

/* The first range that ends behind @addr, or area 0. */
struct range ranges_next(uintptr_t addr);

#endif /* KSMRUN_RANGES_H */
