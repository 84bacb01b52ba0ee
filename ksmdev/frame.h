/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames: where pages come from and where they go.
 *
 * A frame is an order-0 page charged to the memory cgroup of who needed it
 * first.  Its owner holds one reference: the slot of a private frame,
 * each slot of a stable one.  A private frame has the mapping and the index of
 * its file, as core mm wants it for its rmap and for futexes; stable frames and those
 * of zeroes have no mapping: they are nobody's.
 *
 * An area keeps some frames that merging freed as spares for its next copies:
 * memory that merges and breaks all the time then does not go through the
 * allocator, which would clear each frame before it is overwritten.  Spares
 * stay charged, are at most KSM_SPARE_MAX an area, count as metadata, and go
 * back when the kernel runs short.  Machines with several NUMA nodes have none:
 * there a copy's frame is from the node that its writer wants.
 */
#ifndef _KSMDEV_FRAME_H
#define _KSMDEV_FRAME_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/spinlock.h>

#define KSM_SPARE_MAX 512

struct ksm_spares {
	spinlock_t lock;		/* guards the lists, innermost */
	struct list_head zeroed;	/* known to hold zeroes, by page->lru */
	struct list_head dirty;		/* with any content */
	unsigned int nr_zeroed;
	unsigned int nr_dirty;
};

/* Frames to be freed together. */
struct ksm_frame_batch {
	unsigned int nr;
	struct page *pages[64];
};

struct page *ksm_frame_alloc(struct ksm_spares *s, bool zero, gfp_t gfp);
void ksm_frame_free(struct page *page);
void ksm_frame_free_clean(struct ksm_spares *s, unsigned int max,
			  struct ksm_frame_batch *batch, struct page *page, bool zeroed);
void ksm_frame_flush(struct ksm_frame_batch *batch);

void ksm_spares_init(struct ksm_spares *s);
unsigned long ksm_spares_drop(struct ksm_spares *s, unsigned long max);
static inline unsigned int ksm_spares_count(const struct ksm_spares *s)
{
	return READ_ONCE(s->nr_zeroed) + READ_ONCE(s->nr_dirty);
}

/* A frame is a folio of its own.  That has an index on all kernels; struct page has not. */
static inline struct folio *frame_folio(struct page *frame)
{
	return container_of(frame, struct folio, page);
}

#endif /* _KSMDEV_FRAME_H */
