/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A slot: the state of one 4 KiB page of an area in one word.
 *
 *   63            24 23        0
 *   | frame number  | flags     |
 *
 * Frame number 0 means that the slot has no frame. States:
 *
 *   empty    no frame, nothing was written: reads as zeroes
 *   private  a frame of its own; CLEAN if it was write-protected and hashed
 *            and not written since: it then stands in the table of its domain
 *   stable   STABLE: the frame is shared, read-only for everybody
 *   zero     ZERO: no frame, because the scanner found zeroes
 *   pending  PENDING: the frame is an anonymous page of the process that is
 *            registering, pinned, to be copied at the first use; register.h
 *
 * Slots are guarded by the mutex of their chunk.
 */
#ifndef _KSMDEV_SLOT_H
#define _KSMDEV_SLOT_H

#include <linux/bits.h>
#include <linux/mm.h>

typedef u64 ksm_slot_t;

#define SLOT_CLEAN	BIT_ULL(0)
#define SLOT_STABLE	BIT_ULL(1)
#define SLOT_ZERO	BIT_ULL(2)
#define SLOT_PENDING	BIT_ULL(3)
/* A PTE may map this slot's frame (or a zero frame, if it has none). */
#define SLOT_MAPPED	BIT_ULL(4)
/* KSM_UNMERGE was called for it. */
#define SLOT_NOMERGE	BIT_ULL(5)

/* How often in a row it was written soon after it was hashed. */
#define SLOT_LEVEL_SHIFT	8
#define SLOT_LEVEL_MASK		GENMASK_ULL(10, 8)
#define SLOT_LEVEL_MAX		5
/* Passes that still skip it. */
#define SLOT_SKIP_SHIFT		12
#define SLOT_SKIP_MASK		GENMASK_ULL(15, 12)

#define SLOT_PFN_SHIFT	24
/* What belongs to the position and not to the frame. */
#define SLOT_STICKY	(SLOT_NOMERGE | SLOT_LEVEL_MASK | SLOT_SKIP_MASK)

static inline struct page *slot_page(ksm_slot_t slot)
{
	unsigned long pfn = slot >> SLOT_PFN_SHIFT;

	return pfn ? pfn_to_page(pfn) : NULL;
}

static inline bool slot_has_frame(ksm_slot_t slot)
{
	return slot >> SLOT_PFN_SHIFT;
}

/* The slot @old with the frame @page (or none) and the state @flags. */
static inline ksm_slot_t slot_make(ksm_slot_t old, struct page *page, u64 flags)
{
	u64 pfn = page ? page_to_pfn(page) : 0;

	return (pfn << SLOT_PFN_SHIFT) | (old & SLOT_STICKY) | flags;
}

static inline bool slot_merged(ksm_slot_t slot)
{
	return slot & (SLOT_STABLE | SLOT_ZERO);
}

static inline unsigned int slot_level(ksm_slot_t slot)
{
	return (slot & SLOT_LEVEL_MASK) >> SLOT_LEVEL_SHIFT;
}

static inline unsigned int slot_skip(ksm_slot_t slot)
{
	return (slot & SLOT_SKIP_MASK) >> SLOT_SKIP_SHIFT;
}

/*
 * The slot was written.  @soon: not long after it was hashed.  The first time
 * costs nothing, from the second time on 1, 2, 4, 8 passes skip it.
 */
static inline ksm_slot_t slot_age(ksm_slot_t slot, bool soon)
{
	unsigned int level = slot_level(slot);
	u64 skip = 0;

	level = soon ? min_t(unsigned int, level + 1, SLOT_LEVEL_MAX) : 0;
	if (level >= 2)
		skip = 1u << (level - 2);
	slot &= ~(SLOT_LEVEL_MASK | SLOT_SKIP_MASK);
	return slot | ((u64)level << SLOT_LEVEL_SHIFT) |
	       (skip << SLOT_SKIP_SHIFT);
}

/* One pass less to skip. */
static inline ksm_slot_t slot_skip_dec(ksm_slot_t slot)
{
	return slot - (1ULL << SLOT_SKIP_SHIFT);
}

#endif /* _KSMDEV_SLOT_H */
