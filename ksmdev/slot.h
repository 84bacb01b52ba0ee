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
 *            registering, pinned, to be copied at the first use; pending.h
 *
 * Slots are guarded by the mutex of their chunk, and change in slot.c only:
 *
 *   from             by                          to
 *   empty            ksm_slot_lock()             private
 *   empty            ksm_slots_take_over()       pending
 *   stable, zero     ksm_slot_lock()             private, a copy
 *   private          ksm_slot_clean()            CLEAN
 *   CLEAN            ksm_slot_unclean()          private
 *   CLEAN            ksm_slot_promote()          stable, with its own frame
 *   private          ksm_slot_merge()            stable, zero
 *   pending          ksm_slots_undo()            empty
 *   pending          ksm_slot_resolve()          private, empty
 *   any              ksm_slots_drop()            empty
 *
 * A debug kernel (CONFIG_DEBUG_VM) asserts the states before and after.
 */
#ifndef _KSMDEV_SLOT_H
#define _KSMDEV_SLOT_H

#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/mm.h>

#include "knobs.h"

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
#define SLOT_LEVEL_MAX		6
/* KSM_SCAN looks at lower ones without a rest. */
#define SLOT_LEVEL_SCAN		2
/* A page that is in use, but not written, gets no higher than that. */
#define SLOT_LEVEL_BUSY		3
/* Tick at which it was written, or in use, modulo 256. */
#define SLOT_TICK_SHIFT		12
#define SLOT_TICK_MASK		GENMASK_ULL(19, 12)

#define SLOT_PFN_SHIFT	24
/* What belongs to the position and not to the frame. */
#define SLOT_STICKY	(SLOT_NOMERGE | SLOT_LEVEL_MASK | SLOT_TICK_MASK)

/*
 * Ticks are quarters of a second.  A slot rests for some after it was written
 * and before it is looked at: rest_millisecs at level 0, twice as many at each
 * level more, 32 s in the end.  A page that is written again within 16 times
 * its rest gains a level, any other loses all.
 */
#define SLOT_TICKS_PER_SECOND	4
#define SLOT_REST_MAX		(32 * SLOT_TICKS_PER_SECOND)
#define SLOT_SOON		16

static inline struct page *slot_page(ksm_slot_t slot)
{
	unsigned long pfn = slot >> SLOT_PFN_SHIFT;

	return pfn ? pfn_to_page(pfn) : NULL;
}

static inline bool slot_has_frame(ksm_slot_t slot)
{
	return slot >> SLOT_PFN_SHIFT;
}

/* It holds something, which may be zeroes. */
static inline bool slot_held(ksm_slot_t slot)
{
	return slot_has_frame(slot) || slot & SLOT_ZERO;
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

/* The tick that it is now. */
static inline unsigned long slot_now(void)
{
	return jiffies / (HZ / SLOT_TICKS_PER_SECOND);
}

/* Ticks that a slot rests. */
static inline unsigned int slot_rest(unsigned int level)
{
	unsigned int ticks = DIV_ROUND_UP(READ_ONCE(ksm_knobs.rest_millisecs),
					  1000 / SLOT_TICKS_PER_SECOND);

	return min_t(unsigned int, ticks << level, SLOT_REST_MAX);
}

/* Ticks that are left of that. */
static inline unsigned int slot_rest_left(ksm_slot_t slot, unsigned long now)
{
	u8 age = now - ((slot & SLOT_TICK_MASK) >> SLOT_TICK_SHIFT);
	unsigned int rest = slot_rest(slot_level(slot));

	return age < rest ? rest - age : 0;
}

/* The slot @slot has the level @level, and its rest begins at @now. */
static inline ksm_slot_t slot_set_rest(ksm_slot_t slot, unsigned int level,
				       unsigned long now)
{
	slot &= ~(SLOT_LEVEL_MASK | SLOT_TICK_MASK);
	return slot | ((u64)level << SLOT_LEVEL_SHIFT) |
	       ((u64)(u8)now << SLOT_TICK_SHIFT);
}

/* ---- changes of slots; all hold chunk->lock, but for those that lock it ---- */

struct ksm_chunk;

enum ksm_use {
	KSM_USE_LOOK,		/* at the contents, if there are any */
	KSM_USE_READ,		/* to map it for reading */
	KSM_USE_WRITE,
	KSM_USE_EXTEND,		/* the same, also behind the end of the file */
	KSM_USE_UNMERGE,
};

int ksm_slot_lock(struct ksm_chunk *chunk, unsigned int i, enum ksm_use use, bool user);
bool ksm_slot_lock_own(struct ksm_chunk *chunk, unsigned int i, struct page *page);
int ksm_slot_unmerge(struct ksm_chunk *chunk, unsigned int i);

struct page *ksm_slot_map(struct ksm_chunk *chunk, unsigned int i);
void ksm_slot_unmapped(struct ksm_chunk *chunk, unsigned int i);

void ksm_slot_clean(struct ksm_chunk *chunk, unsigned int i);
void ksm_slot_unclean(struct ksm_chunk *chunk, unsigned int i);
void ksm_slot_rest(struct ksm_chunk *chunk, unsigned int i, unsigned int level,
		   unsigned long now);
void ksm_slot_promote(struct ksm_chunk *chunk, unsigned int i);
struct page *ksm_slot_merge(struct ksm_chunk *chunk, unsigned int i, struct page *shared);
void ksm_slot_set_nomerge(struct ksm_chunk *chunk, unsigned int i, bool nomerge);

void ksm_slots_take_over(struct ksm_chunk *chunk, unsigned int i, unsigned int nr,
			 struct page **pages);
void ksm_slots_undo(struct ksm_chunk *chunk, unsigned int i, unsigned int nr);
void ksm_slot_resolve(struct ksm_chunk *chunk, unsigned int i, struct page *frame);

void ksm_slots_drop(struct ksm_chunk *chunk, unsigned int i, unsigned int nr, bool zap);

#endif /* _KSMDEV_SLOT_H */
