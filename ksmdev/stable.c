// SPDX-License-Identifier: GPL-2.0
/* The table of a domain, and the life of a stable frame. See stable.h. */
#include <linux/log2.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "frame.h"
#include "knobs.h"
#include "stable.h"

int ksm_table_init(struct ksm_table *t)
{
	spin_lock_init(&t->lock);
	t->segments = kvcalloc(8, sizeof(*t->segments), GFP_KERNEL_ACCOUNT);
	if (!t->segments)
		return -ENOMEM;
	t->segments[0] = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!t->segments[0]) {
		kvfree(t->segments);
		t->segments = NULL;
		return -ENOMEM;
	}
	t->max_segments = 8;
	t->nr_segments = 1;
	t->nr_buckets = KSM_SEGMENT_BUCKETS;
	return 0;
}

void ksm_table_destroy(struct ksm_table *t)
{
	WARN_ON_ONCE(t->nr_entries || t->nr_stable || t->nr_candidates);
	while (t->nr_segments)
		free_page((unsigned long)t->segments[--t->nr_segments]);
	kvfree(t->segments);
}

unsigned long ksm_table_bytes(const struct ksm_table *t)
{
	return t->nr_segments * PAGE_SIZE +
	       t->max_segments * sizeof(*t->segments);
}

static bool table_wants_segment(struct ksm_table *t, unsigned long more)
{
	return t->nr_entries + more >
	       t->nr_segments * KSM_SEGMENT_BUCKETS * KSM_TABLE_LOAD;
}

/* A directory of twice the size; the old one is returned for freeing. */
static struct hlist_head **table_set_directory(struct ksm_table *t,
					       struct hlist_head **dir,
					       unsigned long max)
{
	struct hlist_head **old = t->segments;

	if (max <= t->max_segments)
		return dir;
	memcpy(dir, old, t->nr_segments * sizeof(*dir));
	t->segments = dir;
	t->max_segments = max;
	return old;
}

/*
 * Make room for @more entries before the lock is taken.  Without memory the
 * chains get longer, nothing else.
 */
void ksm_table_prepare(struct ksm_table *t, unsigned long more)
{
	while (table_wants_segment(t, more)) {
		unsigned long max = READ_ONCE(t->max_segments);
		struct hlist_head **dir = NULL;
		unsigned long segment;

		if (READ_ONCE(t->nr_segments) == max) {
			max *= 2;
			dir = kvcalloc(max, sizeof(*dir), GFP_KERNEL_ACCOUNT);
			if (!dir)
				return;
		}
		segment = get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!segment) {
			kvfree(dir);
			return;
		}
		spin_lock(&t->lock);
		if (dir)
			dir = table_set_directory(t, dir, max);
		if (t->nr_segments < t->max_segments) {
			t->segments[t->nr_segments++] = (void *)segment;
			segment = 0;
		}
		spin_unlock(&t->lock);
		free_page(segment);
		kvfree(dir);
	}
}

static struct hlist_head *table_bucket_nr(struct ksm_table *t, unsigned long nr)
{
	return &t->segments[nr / KSM_SEGMENT_BUCKETS][nr % KSM_SEGMENT_BUCKETS];
}

static unsigned long table_index(struct ksm_table *t, u64 hash)
{
	unsigned long mask = roundup_pow_of_two(t->nr_buckets) - 1;
	unsigned long nr = hash & mask;

	return nr < t->nr_buckets ? nr : nr & (mask >> 1);
}

/* Must hold t->lock. */
struct hlist_head *ksm_table_bucket(struct ksm_table *t, u64 hash)
{
	return table_bucket_nr(t, table_index(t, hash));
}

/* The bucket whose entries the bucket @nr takes over when it is added. */
static unsigned long table_buddy(unsigned long nr)
{
	return nr - rounddown_pow_of_two(nr);
}

static void table_grow(struct ksm_table *t)
{
	unsigned long nr = t->nr_buckets;
	struct hlist_head *from, *to;
	struct hlist_node *node, *next;

	if (nr >= t->nr_segments * KSM_SEGMENT_BUCKETS)
		return;
	t->nr_buckets++;
	from = table_bucket_nr(t, table_buddy(nr));
	to = table_bucket_nr(t, nr);
	for (node = from->first; node; node = next) {
		next = node->next;
		if (table_index(t, node_page(node)->private) != nr)
			continue;
		hlist_del(node);
		hlist_add_head(node, to);
	}
}

static void table_shrink(struct ksm_table *t)
{
	unsigned long nr = t->nr_buckets - 1;
	struct hlist_head *from, *to;
	struct hlist_node *node, *next;

	from = table_bucket_nr(t, nr);
	to = table_bucket_nr(t, table_buddy(nr));
	for (node = from->first; node; node = next) {
		next = node->next;
		hlist_del(node);
		hlist_add_head(node, to);
	}
	t->nr_buckets = nr;
	if (nr + KSM_SEGMENT_BUCKETS <= t->nr_segments * KSM_SEGMENT_BUCKETS)
		free_page((unsigned long)t->segments[--t->nr_segments]);
}

/* Must hold t->lock; page->private is the hash. */
void ksm_table_add(struct ksm_table *t, struct page *page)
{
	hlist_add_head(page_node(page), ksm_table_bucket(t, page->private));
	t->nr_entries++;
	if (t->nr_entries > t->nr_buckets * KSM_TABLE_LOAD)
		table_grow(t);
}

/* Must hold t->lock. */
void ksm_table_del(struct ksm_table *t, struct page *page)
{
	hlist_del_init(page_node(page));
	t->nr_entries--;
	if (t->nr_entries < t->nr_buckets && t->nr_buckets > KSM_SEGMENT_BUCKETS)
		table_shrink(t);
}

/*
 * One more slot wants to share the stable frame @page.  Returns false if it
 * has as many as it may have; it then leaves the table, until half of them are
 * gone.  Must hold t->lock.
 */
bool ksm_stable_get(struct ksm_table *t, struct page *page)
{
	unsigned long max = READ_ONCE(ksm_knobs.max_page_sharing);
	long sharers = atomic_long_read(stable_sharers(page));

	if (sharers >= max) {
		ksm_table_del(t, page);
		return false;
	}
	/* In this order: shares are given back without the lock, each with a reference. */
	get_page(page);
	atomic_long_inc(stable_sharers(page));
	return true;
}

/* The private frame @page was a candidate, and is about to change. */
void ksm_candidate_del(struct ksm_table *t, struct page *page)
{
	spin_lock(&t->lock);
	ksm_table_del(t, page);
	t->nr_candidates--;
	spin_unlock(&t->lock);
}

/* A candidate becomes a stable frame with one sharer. Holds t->lock. */
void ksm_stable_make(struct ksm_table *t, struct page *page)
{
	page->mapping = NULL;
	atomic_long_set(stable_sharers(page), 1);
	t->nr_candidates--;
	t->nr_stable++;
}

/* Fewer sharers than half of the limit: others may join again. */
static void stable_rehash(struct ksm_table *t, struct page *page)
{
	spin_lock(&t->lock);
	if (hlist_unhashed(page_node(page)))
		ksm_table_add(t, page);
	spin_unlock(&t->lock);
}

static bool stable_drop_last(struct ksm_table *t, struct page *page)
{
	bool last;

	spin_lock(&t->lock);
	last = atomic_long_dec_and_test(stable_sharers(page));
	if (last) {
		if (!hlist_unhashed(page_node(page)))
			ksm_table_del(t, page);
		t->nr_stable--;
	}
	spin_unlock(&t->lock);
	return last;
}

/* A slot stops sharing the stable frame @page, and gives its reference back. */
void ksm_stable_put(struct ksm_table *t, struct page *page)
{
	long half = READ_ONCE(ksm_knobs.max_page_sharing) / 2;

	if (atomic_long_read(stable_sharers(page)) <= half + 1 &&
	    hlist_unhashed(page_node(page)))
		stable_rehash(t, page);

	if (atomic_long_add_unless(stable_sharers(page), -1, 1)) {
		put_page(page);
		return;
	}
	if (stable_drop_last(t, page))
		ksm_frame_free(page);
	else
		put_page(page);
}
