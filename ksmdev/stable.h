/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of a domain: from the hash of a page's contents to the frames that
 * have them.  Two kinds of frames stand in it:
 *
 *   candidates  private frames of CLEAN slots: write-protected, so the hash is
 *               exact as long as they stand here
 *   stable      shared frames with room for more sharers
 *
 * It is a linear hash table: it grows and shrinks by one bucket at a time, so
 * no operation ever costs more than a short chain, however much memory there
 * is.  An entry takes no memory of its own: hash and chain link live in fields
 * of struct page that a page outside the page cache and off the LRU leaves
 * free:
 *
 *   page->private  the hash; of a private frame that is not a candidate, the
 *                  one of the last look, if any
 *   page->lru      the chain link (an hlist_node)
 *   folio index    private frame: offset in the area, in pages, as core mm
 *                  wants it; stable frame: the number of sharing slots
 *   page->mapping  private frame: that of its file; stable frame: NULL
 *
 * A bucket head takes 8 bytes for KSM_TABLE_LOAD entries.
 *
 * table->lock is the innermost lock of the module.
 */
#ifndef _KSMDEV_STABLE_H
#define _KSMDEV_STABLE_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/spinlock.h>

#include "frame.h"

/* Entries a bucket, on average, before a bucket is added. */
#define KSM_TABLE_LOAD 2
#define KSM_SEGMENT_BUCKETS (PAGE_SIZE / sizeof(struct hlist_head))

struct ksm_table {
	spinlock_t lock;		/* guards all below and each chain */
	struct hlist_head **segments;	/* each of one page */
	unsigned long nr_segments;	/* allocated */
	unsigned long max_segments;	/* room in the directory */
	unsigned long nr_buckets;	/* in use */
	unsigned long nr_entries;
	unsigned long nr_stable;	/* frames that are stable, full ones too */
	unsigned long nr_candidates;
};

int ksm_table_init(struct ksm_table *t);
void ksm_table_destroy(struct ksm_table *t);
void ksm_table_prepare(struct ksm_table *t, unsigned long more);
unsigned long ksm_table_bytes(const struct ksm_table *t);
struct hlist_head *ksm_table_bucket(struct ksm_table *t, u64 hash);
void ksm_table_add(struct ksm_table *t, struct page *page);
void ksm_table_del(struct ksm_table *t, struct page *page);

void ksm_candidate_del(struct ksm_table *t, struct page *page);

bool ksm_stable_get(struct ksm_table *t, struct page *page);
void ksm_stable_put(struct ksm_table *t, struct page *page);
void ksm_stable_make(struct ksm_table *t, struct page *page);

static inline struct hlist_node *page_node(struct page *page)
{
	BUILD_BUG_ON(sizeof(struct hlist_node) > sizeof(page->lru));
	return (struct hlist_node *)&page->lru;
}

static inline struct page *node_page(struct hlist_node *node)
{
	return container_of((struct list_head *)node, struct page, lru);
}

static inline bool page_stable(struct page *page)
{
	return !page->mapping;
}

static inline atomic_long_t *stable_sharers(struct page *page)
{
	BUILD_BUG_ON(sizeof(atomic_long_t) != sizeof(frame_folio(page)->index));
	return (atomic_long_t *)&frame_folio(page)->index;
}

#endif /* _KSMDEV_STABLE_H */
