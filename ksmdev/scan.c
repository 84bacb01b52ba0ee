// SPDX-License-Identifier: GPL-2.0
/* Scanning a chunk. See scan.h. */
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "../include/compat/lru.h"
#include "area.h"
#include "domain.h"
#include "pass.h"
#include "pending.h"
#include "scan.h"
#include "trace.h"

/* So many neighbours are cheaper to unmap together than to protect singly. */
#define RUN_MIN 8
/* Tries to lock the chunk of a candidate before the page is left for later. */
#define OWNER_TRIES 8

struct ksm_scanner *ksm_scanner_new(void)
{
	return kvzalloc(sizeof(struct ksm_scanner), GFP_KERNEL);
}

void ksm_scanner_free(struct ksm_scanner *s)
{
	ksm_scanner_rest(s);
	kvfree(s);
}

/*
 * Remember the stable frame @page, or none.  A reference keeps it from being
 * used for anything else; whether it is still stable, the table tells.
 */
static void scanner_set_last(struct ksm_scanner *s, struct page *page)
{
	if (s->last == page)
		return;
	if (page)
		get_page(page);
	if (s->last)
		put_page(s->last);
	s->last = page;
}

/* Before a sleep or another domain: keep no frame alive, and no domain. */
void ksm_scanner_rest(struct ksm_scanner *s)
{
	scanner_set_last(s, NULL);
	if (s->domain)
		ksm_domain_put(s->domain);
	s->domain = NULL;
}

/* ---- 1. collect ---- */

/* The chunk is to be visited again after @ticks. */
static void look_again(struct ksm_scanner *s, unsigned int ticks)
{
	s->due = min(s->due, ticks);
}

/* The slot was written a short time ago, and is left for another visit. */
static bool slot_rests(struct ksm_scanner *s, ksm_slot_t slot)
{
	unsigned int level = slot_level(slot), left;

	if (level < s->domain->rest_from)
		return false;
	left = slot_rest_left(slot, s->now);
	if (!left)
		return false;
	look_again(s, left);
	return true;
}

/* The frame of slot @i is broken: who has it mapped finds out. */
static void slot_isolate(struct ksm_chunk *chunk, unsigned int i)
{
	unmap_mapping_pages(chunk->area->mapping, chunk->first + i, 1, false);
}

/* Slot @i is one to look at in this pass. */
static bool slot_wanted(struct ksm_scanner *s, struct ksm_chunk *chunk,
			unsigned int i)
{
	ksm_slot_t slot = chunk->slots[i];

	if (slot & (SLOT_CLEAN | SLOT_STABLE | SLOT_NOMERGE | SLOT_PENDING) ||
	    !slot_has_frame(slot) || READ_ONCE(chunk->area->nomerge))
		return false;
	if (unlikely(PageHWPoison(slot_page(slot)))) {
		slot_isolate(chunk, i);
		return false;
	}
	if (likely(!slot_rests(s, slot)))
		return true;
	if (slot_level(slot))
		s->counts.is_volatile++;
	return false;
}

/*
 * Slot @i has rested, but was written again and again before.  To protect it
 * only to see the next write costs the writer a fault, so look first whether its
 * contents changed since the last look.  KSM_SCAN does not: it has no next look.
 */
static bool slot_hot(struct ksm_scanner *s, struct ksm_chunk *chunk,
		     unsigned int i)
{
	unsigned int level = slot_level(chunk->slots[i]);
	struct page *page = slot_page(chunk->slots[i]);
	u64 hash;

	if (likely(!level) || s->domain->rest_from)
		return false;
	hash = ksm_content_hash(page_address(page), &s->domain->key);
	if (hash == page->private)
		return false;
	page->private = hash;
	level = min_t(unsigned int, level + 1, SLOT_LEVEL_MAX);
	ksm_slot_rest(chunk, i, level, s->now);
	s->counts.scanned++;
	s->counts.is_volatile++;
	look_again(s, slot_rest(level));
	return true;
}

/* The page was in use and left alone: look later if that happens often. */
static void slot_busy(struct ksm_scanner *s, struct ksm_chunk *chunk,
		      unsigned int i)
{
	unsigned int level = slot_level(chunk->slots[i]);

	if (level < SLOT_LEVEL_BUSY)
		level++;
	ksm_slot_rest(chunk, i, level, s->now);
	s->counts.skipped++;
	look_again(s, slot_rest(level));
}

/* The scanner needs a frame: who made the area pays. */
static struct page *frame_alloc_for(struct ksm_area *area)
{
	struct mem_cgroup *old = set_active_memcg(area->memcg);
	struct page *page = ksm_frame_alloc(&area->spares, false, GFP_NOWAIT | __GFP_NOWARN);

	set_active_memcg(old);
	return page;
}

/* A page that KSM_REGISTER had to leave to others becomes ours, if it can. */
static void slot_settle(struct ksm_scanner *s, struct ksm_chunk *chunk,
			unsigned int i)
{
	struct page *frame = NULL;

	if (slot_rests(s, chunk->slots[i]))
		return;
	if (ksm_pending_ready(chunk, i) && !PageHWPoison(slot_page(chunk->slots[i])))
		frame = frame_alloc_for(chunk->area);
	if (frame)
		ksm_slot_resolve(chunk, i, frame);
	else
		slot_busy(s, chunk, i);
}

static void collect(struct ksm_scanner *s, struct ksm_chunk *chunk)
{
	unsigned int i;

	s->nr = 0;
	for (i = 0; i < KSM_CHUNK_PAGES; i++) {
		if (unlikely(chunk->slots[i] & SLOT_PENDING))
			slot_settle(s, chunk, i);
		if (slot_wanted(s, chunk, i) && !slot_hot(s, chunk, i))
			s->index[s->nr++] = i;
	}
	s->counts.scanned += s->nr;
}

/* ---- 2. and 3. protect ---- */

/*
 * Nobody has the unmapped page of slot @i any more.  The kernel unlocks a page
 * that a fault mapped with no reference but that of the PTE, so the lock counts
 * as a user.  No fault can take it meanwhile, as that needs chunk->lock.
 */
static bool slot_unmapped_alone(struct ksm_chunk *chunk, unsigned int i)
{
	struct page *page = slot_page(chunk->slots[i]);

	/* It was locked in memory (mlock), and newer kernels leave it in a list of this CPU. */
	if (page_count(page) != 1 && folio_test_mlocked(frame_folio(page)))
		compat_lru_drain_this_cpu();
	if (page_count(page) != 1)
		return false;
	smp_rmb();	/* the lock was taken before the reference went */
	if (PageLocked(page))
		return false;
	ksm_slot_unmapped(chunk, i);
	return true;
}

static int page_mappings(struct page *page)
{
	smp_rmb();	/* in the order that page_only_mapped() tells */
	return atomic_read(&page->_mapcount) + 1;
}

/*
 * References before mappings: a mapping that goes gives its reference back after it
 * stopped to count, so that in the other order one of GUP could hide behind it.  And both
 * again: one that comes, by fork(), has its reference first, and one of GUP could hide
 * behind one that comes and one that goes.  At once: there is no time for more of them.
 */
static bool page_only_mapped(struct page *page)
{
	int references, mappings;
	bool only;

	preempt_disable();
	references = page_count(page);
	mappings = page_mappings(page);
	smp_rmb();	/* as said above */
	only = references == mappings + 1 && references == page_count(page) &&
	       mappings == page_mappings(page);
	preempt_enable();
	return only;
}

/* Write-protect the page of slot @i; false if somebody could still write. */
static bool protect_one(struct ksm_chunk *chunk, unsigned int i)
{
	struct page *page = slot_page(chunk->slots[i]);
	bool protected;

	if (!(chunk->slots[i] & SLOT_MAPPED))
		return page_count(page) == 1;
	if (!trylock_page(page))
		return false;
	folio_mkclean(page_folio(page));
	smp_mb();	/* PTE changes before the look at the count, as in GUP */
	protected = page_only_mapped(page);
	unlock_page(page);
	return protected;
}

/* The length of the run of neighbours that starts at s->index[n]. */
static unsigned int run_length(struct ksm_scanner *s, unsigned int n)
{
	unsigned int first = n;

	while (n + 1 < s->nr && s->index[n + 1] == s->index[n] + 1)
		n++;
	return n + 1 - first;
}

static bool run_mapped(struct ksm_scanner *s, struct ksm_chunk *chunk,
		       unsigned int n, unsigned int len)
{
	u64 mapped = 0;

	while (len--)
		mapped |= chunk->slots[s->index[n++]];
	return mapped & SLOT_MAPPED;
}

static void protect_run(struct ksm_scanner *s, struct ksm_chunk *chunk,
			unsigned int n, unsigned int len)
{
	if (!run_mapped(s, chunk, n, len))
		return;
	unmap_mapping_pages(chunk->area->mapping,
			    chunk->first + s->index[n], len, false);
}

/*
 * Protect all collected pages; those that cannot be are taken off the list.
 * After it no PTE and no pin lets anybody write to them.
 */
static void protect(struct ksm_scanner *s, struct ksm_chunk *chunk)
{
	unsigned int n, len, kept = 0, j;

	for (n = 0; n < s->nr; n += len) {
		len = run_length(s, n);
		if (len >= RUN_MIN) {
			protect_run(s, chunk, n, len);
			smp_mb();	/* as in protect_one() */
		}
		for (j = n; j < n + len; j++) {
			unsigned int i = s->index[j];
			bool ok = len >= RUN_MIN ?
				  slot_unmapped_alone(chunk, i) :
				  protect_one(chunk, i);

			if (ok)
				s->index[kept++] = i;
			else
				slot_busy(s, chunk, i);
		}
	}
	s->nr = kept;
}

/* ---- 4. merge ---- */

/*
 * Unmap the protected page of slot @i.  False if it has other users now, who
 * can only read.
 */
static bool slot_unmap(struct ksm_chunk *chunk, unsigned int i)
{
	if (!(chunk->slots[i] & SLOT_MAPPED))
		return true;
	unmap_mapping_pages(chunk->area->mapping, chunk->first + i, 1,
			    false);
	smp_mb();	/* as in protect_one() */
	return slot_unmapped_alone(chunk, i);
}

/*
 * Slot @i drops its frame for the stable frame @shared, of which it already
 * has a share and a reference, or for none (NULL: it holds zeroes).
 */
static void slot_merge(struct ksm_scanner *s, struct ksm_chunk *chunk,
		       unsigned int i, struct page *shared)
{
	struct ksm_area *area = chunk->area;
	struct page *old = ksm_slot_merge(chunk, i, shared);
	unsigned long merged = atomic_long_read(&area->counts.merged) +
			       atomic_long_read(&area->counts.zero);

	if (shared)
		s->counts.merged++;
	else
		s->counts.zero++;
	ksm_frame_free_clean(&area->spares, min_t(unsigned long, merged / 64, KSM_SPARE_MAX),
			     &s->freed, old, !shared);
}

static bool nodes_may_share(struct page *a, struct page *b)
{
	return READ_ONCE(ksm_knobs.merge_across_nodes) ||
	       page_to_nid(a) == page_to_nid(b);
}

/* Take a share of the frame that the last page merged into, if it has room. */
static bool last_get(struct ksm_scanner *s)
{
	struct ksm_table *t = &s->domain->table;
	bool got = false;

	spin_lock(&t->lock);
	if (!hlist_unhashed(page_node(s->last)))
		got = ksm_stable_get(&s->domain->table, s->last);
	spin_unlock(&t->lock);
	return got;
}

/* Popular content: a mismatch costs a few instructions, no hash is needed. */
static bool merge_with_last(struct ksm_scanner *s, struct ksm_chunk *chunk,
			    unsigned int i)
{
	struct page *page = slot_page(chunk->slots[i]);

	if (!s->last || PageHWPoison(s->last) || !nodes_may_share(page, s->last) ||
	    !ksm_content_equal(page_address(page), page_address(s->last)))
		return false;
	if (!last_get(s)) {
		scanner_set_last(s, NULL);
		return false;
	}
	if (slot_unmap(chunk, i)) {
		slot_merge(s, chunk, i, s->last);
	} else {
		ksm_stable_put(&s->domain->table, s->last);
		slot_busy(s, chunk, i);
	}
	return true;
}

/* What a look-up found: a stable frame, or a candidate with its chunk. */
struct match {
	struct page *page;		/* stable: with a share for the caller */
	struct ksm_chunk *owner;	/* candidate: locked unless ours */
	unsigned int tried;		/* equal hash, other content */
	bool busy;			/* the owner is locked by others */
};

/*
 * The chunk of the candidate @page, locked, its area referenced; @self if it is
 * that one; NULL if another thread has it locked.  Holds the table lock, which
 * keeps the candidate in its slot.
 */
static struct ksm_chunk *owner_trylock(struct ksm_chunk *self,
				       struct page *page)
{
	struct ksm_area *area = ksm_area_of_frame(page);
	struct ksm_chunk *owner = ksm_chunk_find(area, frame_folio(page)->index);

	if (owner == self)
		return self;
	if (!mutex_trylock(&owner->lock))
		return NULL;
	ksm_area_get(area);
	return owner;
}

static void owner_unlock(struct ksm_chunk *self, struct ksm_chunk *owner)
{
	struct ksm_area *area = owner->area;

	if (owner == self)
		return;
	mutex_unlock(&owner->lock);
	ksm_area_put(area);
}

/* Must hold the table lock. True if @m says what to do with @found. */
static bool match_take(struct ksm_scanner *s, struct ksm_chunk *self,
		       struct page *found, struct match *m)
{
	if (page_stable(found)) {
		if (!ksm_stable_get(&s->domain->table, found))
			return false;
		m->owner = NULL;
	} else {
		m->owner = owner_trylock(self, found);
		if (!m->owner) {
			m->busy = true;
			return true;
		}
	}
	m->page = found;
	return true;
}

/*
 * Look for another page with the hash of @page, past m->tried ones; without
 * any, @page itself becomes a candidate.
 */
static bool match_find(struct ksm_scanner *s, struct ksm_chunk *chunk,
		       struct page *page, struct match *m)
{
	struct ksm_table *t = &s->domain->table;
	unsigned int skip = m->tried;
	struct hlist_node *node;
	bool found = false;

	m->busy = false;
	spin_lock(&t->lock);
again:
	hlist_for_each(node, ksm_table_bucket(t, page->private)) {
		struct page *p = node_page(node);

		if (p->private != page->private || !nodes_may_share(p, page) || PageHWPoison(p))
			continue;
		if (skip) {
			skip--;
			continue;
		}
		found = match_take(s, chunk, p, m);
		if (found)
			break;
		/* A full frame has left the table, which may have moved the others. */
		skip = m->tried;
		goto again;
	}
	if (!found) {
		ksm_table_add(t, page);
		t->nr_candidates++;
	}
	spin_unlock(&t->lock);
	return found;
}

static void match_drop(struct ksm_scanner *s, struct ksm_chunk *chunk,
		       struct match *m)
{
	if (m->owner)
		owner_unlock(chunk, m->owner);
	else
		ksm_stable_put(&s->domain->table, m->page);
}

/*
 * The matched candidate becomes a stable frame, its slot's share is the first,
 * the caller's the second.  It is write-protected already: no PTE changes.
 * False if somebody has it pinned.
 */
static bool match_promote(struct ksm_scanner *s, struct match *m)
{
	struct ksm_chunk *owner = m->owner;
	unsigned int i = ksm_slot_index(frame_folio(m->page)->index);

	if (!page_only_mapped(m->page))
		return false;
	spin_lock(&s->domain->table.lock);
	ksm_stable_make(&s->domain->table, m->page);
	ksm_stable_get(&s->domain->table, m->page);
	spin_unlock(&s->domain->table.lock);

	ksm_slot_promote(owner, i);
	return true;
}

/* Merge slot @i with an equal page. False: not now, look at it again. */
static bool match_merge(struct ksm_scanner *s, struct ksm_chunk *chunk,
			unsigned int i, struct match *m)
{
	struct page *shared = m->page;

	if (!slot_unmap(chunk, i) || (m->owner && !match_promote(s, m))) {
		match_drop(s, chunk, m);
		return false;
	}
	if (m->owner)
		owner_unlock(chunk, m->owner);
	slot_merge(s, chunk, i, shared);
	scanner_set_last(s, shared);
	return true;
}

/* Hash the page of slot @i and merge it with an equal one, if there is any. */
static void merge_by_hash(struct ksm_scanner *s, struct ksm_chunk *chunk,
			  unsigned int i)
{
	struct page *page = slot_page(chunk->slots[i]);
	struct match m = { };
	int tries = OWNER_TRIES;

	page->private = ksm_content_hash(page_address(page), &s->domain->key);
	s->counts.hashed++;
	while (match_find(s, chunk, page, &m)) {
		if (m.busy) {
			if (!--tries) {
				s->contended = true;
				return;
			}
			cpu_relax();
			continue;
		}
		if (ksm_content_equal(page_address(page),
				      page_address(m.page))) {
			if (!match_merge(s, chunk, i, &m))
				slot_busy(s, chunk, i);
			return;
		}
		match_drop(s, chunk, &m);
		m.tried++;
	}
	ksm_slot_clean(chunk, i);
}

static void merge_one(struct ksm_scanner *s, struct ksm_chunk *chunk,
		      unsigned int i)
{
	struct page *page = slot_page(chunk->slots[i]);

	if (READ_ONCE(ksm_knobs.use_zero_pages) &&
	    ksm_content_zero(page_address(page))) {
		if (slot_unmap(chunk, i))
			slot_merge(s, chunk, i, NULL);
		else
			slot_busy(s, chunk, i);
		return;
	}
	if (!merge_with_last(s, chunk, i))
		merge_by_hash(s, chunk, i);
}

/* Visit a chunk of a pass. */
void ksm_scan_chunk(struct ksm_scanner *s, struct ksm_chunk *chunk)
{
	unsigned int n;

	memset(&s->counts, 0, sizeof(s->counts));
	s->due = UINT_MAX;
	s->contended = false;
	ksm_table_prepare(&s->domain->table, KSM_CHUNK_PAGES);

	mutex_lock(&chunk->lock);
	s->now = slot_now();
	collect(s, chunk);
	if (s->nr) {
		protect(s, chunk);
		for (n = 0; n < s->nr; n++)
			merge_one(s, chunk, s->index[n]);
		chunk->visited = s->now;
	}
	if (s->contended)
		ksm_requeue_chunk(chunk);
	else if (s->due != UINT_MAX)
		ksm_queue_chunk(chunk, s->due);
	mutex_unlock(&chunk->lock);
	ksm_frame_flush(&s->freed);
}

/* Visit one chunk of the pass of @d; false if none is left. */
bool ksm_scan_step(struct ksm_scanner *s, struct ksm_domain *d)
{
	struct ksm_chunk *chunk;

	if (s->domain != d) {
		ksm_scanner_rest(s);
		ksm_domain_get(d);
		s->domain = d;
	}
	chunk = ksm_pass_take(d);
	if (!chunk)
		return false;
	ksm_scan_chunk(s, chunk);
	ksm_pass_finish(d, chunk, &s->counts);
	return true;
}
