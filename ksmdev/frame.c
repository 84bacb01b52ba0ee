// SPDX-License-Identifier: GPL-2.0
/* Frames: allocation, spares, freeing. See frame.h. */
#include <linux/pagemap.h>
#include <linux/swap.h>

#include "frame.h"

static struct page *spares_pop(struct list_head *list, unsigned int *nr)
{
	struct page *page = list_first_entry_or_null(list, struct page, lru);

	if (page) {
		list_del(&page->lru);
		--*nr;
	}
	return page;
}

/* A spare frame; @zero: only one that holds zeroes. */
static struct page *spares_take(struct ksm_spares *s, bool zero)
{
	struct page *page = NULL;

	if (!ksm_spares_count(s))
		return NULL;
	spin_lock(&s->lock);
	if (!zero)
		page = spares_pop(&s->dirty, &s->nr_dirty);
	if (!page)
		page = spares_pop(&s->zeroed, &s->nr_zeroed);
	spin_unlock(&s->lock);
	return page;
}

static bool spares_give(struct ksm_spares *s, struct page *page, bool zeroed,
			unsigned int max)
{
	if (ksm_spares_count(s) >= max || num_online_nodes() > 1)
		return false;
	spin_lock(&s->lock);
	if (zeroed) {
		list_add(&page->lru, &s->zeroed);
		s->nr_zeroed++;
	} else {
		list_add(&page->lru, &s->dirty);
		s->nr_dirty++;
	}
	spin_unlock(&s->lock);
	return true;
}

void ksm_spares_init(struct ksm_spares *s)
{
	spin_lock_init(&s->lock);
	INIT_LIST_HEAD(&s->zeroed);
	INIT_LIST_HEAD(&s->dirty);
}

/* Give at most @max spares back; returns how many it were. */
unsigned long ksm_spares_drop(struct ksm_spares *s, unsigned long max)
{
	unsigned long nr = 0;
	struct page *page;

	while (nr < max && (page = spares_take(s, false))) {
		put_page(page);
		nr++;
	}
	return nr;
}

/*
 * A frame, one of @s if there is any, with one reference; @zero: cleared.  It is charged to
 * the caller's memory cgroup.  NULL without memory or at the limit of that.
 */
struct page *ksm_frame_alloc(struct ksm_spares *s, bool zero, gfp_t gfp)
{
	struct page *page = spares_take(s, zero);

	if (page && unlikely(PageHWPoison(page))) {
		put_page(page);
		page = NULL;
	}
	return page ?: alloc_page(gfp | __GFP_ACCOUNT | (zero ? __GFP_ZERO : 0));
}

/* Drop the owner's reference; others (pins) may keep the page for a while. */
void ksm_frame_free(struct page *page)
{
	lock_page(page);
	page->mapping = NULL;
	unlock_page(page);
	put_page(page);
}

void ksm_frame_flush(struct ksm_frame_batch *batch)
{
	if (batch->nr)
		release_pages(batch->pages, batch->nr);
	batch->nr = 0;
}

/*
 * Free a frame that nobody but the caller has a reference to: as a spare, if there are
 * fewer than @max, or in a batch.  @zeroed: it holds zeroes.
 */
void ksm_frame_free_clean(struct ksm_spares *s, unsigned int max,
			  struct ksm_frame_batch *batch, struct page *page, bool zeroed)
{
	page->mapping = NULL;
	if (!folio_test_mlocked(page_folio(page)) && !PageHWPoison(page) &&
	    spares_give(s, page, zeroed, max))
		return;
	batch->pages[batch->nr++] = page;
	if (batch->nr == ARRAY_SIZE(batch->pages))
		ksm_frame_flush(batch);
}
