// SPDX-License-Identifier: GPL-2.0
/* Frames: allocation, spares, freeing. See frame.h. */
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/swap.h>

#include "area.h"
#include "domain.h"
#include "frame.h"

struct address_space *ksm_stable_mapping;

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
 * A frame charged to the owner of @area, with one reference; @zero: cleared.
 * NULL without memory or at the limit of the memory cgroup.
 */
struct page *ksm_frame_alloc(struct ksm_area *area, bool zero, gfp_t gfp)
{
	struct mem_cgroup *old;
	struct page *page;

	page = spares_take(&area->spares, zero);
	if (page)
		return page;
	old = set_active_memcg(area->memcg);
	page = alloc_page(gfp | __GFP_ACCOUNT | (zero ? __GFP_ZERO : 0));
	set_active_memcg(old);
	return page;
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
 * Free a frame that nobody but the caller has a reference to: as a spare of
 * its area or in a batch.  @zeroed: it holds zeroes.
 */
void ksm_frame_free_clean(struct ksm_area *area, struct ksm_frame_batch *batch,
			  struct page *page, bool zeroed)
{
	unsigned long merged = atomic_long_read(&area->counts.merged) +
			       atomic_long_read(&area->counts.zero);
	unsigned int max = min_t(unsigned long, merged / 64, KSM_SPARE_MAX);

	page->mapping = NULL;
	if (!folio_test_mlocked(page_folio(page)) && spares_give(&area->spares, page, zeroed, max))
		return;
	batch->pages[batch->nr++] = page;
	if (batch->nr == ARRAY_SIZE(batch->pages))
		ksm_frame_flush(batch);
}

static void domain_count_spares(struct ksm_domain *d, void *arg)
{
	unsigned long *count = arg;
	unsigned long nr = 0;
	struct ksm_area *area;

	if (!mutex_trylock(&d->areas_lock))
		return;
	list_for_each_entry(area, &d->areas, in_domain)
		nr += ksm_spares_count(&area->spares);
	mutex_unlock(&d->areas_lock);
	*count += nr;
}

static unsigned long spares_shrink_count(struct shrinker *s,
					 struct shrink_control *sc)
{
	unsigned long count = 0;

	ksm_domain_try_each(domain_count_spares, &count);
	return count ?: SHRINK_EMPTY;
}

static void domain_drop_spares(struct ksm_domain *d, void *arg)
{
	struct shrink_control *sc = arg;
	struct ksm_area *area;

	if (!mutex_trylock(&d->areas_lock))
		return;
	list_for_each_entry(area, &d->areas, in_domain)
		if (sc->nr_scanned < sc->nr_to_scan)
			sc->nr_scanned += ksm_spares_drop(&area->spares,
					sc->nr_to_scan - sc->nr_scanned);
	mutex_unlock(&d->areas_lock);
}

static unsigned long spares_shrink_scan(struct shrinker *s,
					struct shrink_control *sc)
{
	sc->nr_scanned = 0;
	ksm_domain_try_each(domain_drop_spares, sc);
	return sc->nr_scanned ?: SHRINK_STOP;
}

static struct shrinker *spares_shrinker;

int ksm_frame_init(void)
{
	spares_shrinker = compat_shrinker_register("ksmdev-spares",
						   spares_shrink_count,
						   spares_shrink_scan);
	return spares_shrinker ? 0 : -ENOMEM;
}

void ksm_frame_exit(void)
{
	compat_shrinker_unregister(spares_shrinker);
}
