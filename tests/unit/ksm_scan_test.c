// SPDX-License-Identifier: GPL-2.0
/*
 * Scanning a chunk, on slots that nothing maps: which are looked at, what is
 * merged with what, also where every hash collides, and who is left for later.
 */
#include <kunit/test.h>

#include "area.h"
#include "domain.h"
#include "pass.h"
#include "pending.h"
#include "scan.h"

/* No tracepoints here. */
#define _KSMDEV_TRACE_H
#define trace_ksm_merge(...)	do { } while (0)
#define trace_ksm_break(...)	do { } while (0)

/* Pending pages are not pinned here. */
#define unpin_user_page(page)	put_page(page)

/* The hash with fewer bits, so that contents collide. */
static u64 real_content_hash(const void *page, const struct ksm_key *key);
#define ksm_content_hash real_content_hash
#include "content.c"
#undef ksm_content_hash

static u64 hash_mask;

u64 ksm_content_hash(const void *page, const struct ksm_key *key)
{
	return real_content_hash(page, key) & hash_mask;
}

#include "frame.c"
#include "knobs.c"
#include "stable.c"
#include "slot.c"
#include "scan.c"

/* ---- an area of two chunks, and what surrounds it ---- */

#define CHUNKS	2

static struct ksm_domain *d;
static struct ksm_area *area;
static struct ksm_scanner *s;
static struct address_space *mapping;
static struct ksm_chunk *chunks;
static unsigned int queued_ticks, requeued;
static bool pending_ready;

struct ksm_chunk *ksm_chunk_find(struct ksm_area *of, unsigned long pgoff)
{
	return &chunks[pgoff / KSM_CHUNK_PAGES];
}

void ksm_area_put(struct ksm_area *of)
{
	refcount_dec(&of->ref.refcount);
}

void ksm_domain_put(struct ksm_domain *of)
{
	refcount_dec(&of->ref.refcount);
}

void ksm_queue_chunk(struct ksm_chunk *chunk, unsigned int ticks)
{
	queued_ticks = ticks;
}

void ksm_requeue_chunk(struct ksm_chunk *chunk)
{
	requeued++;
}

struct ksm_chunk *ksm_pass_take(struct ksm_domain *of)
{
	return NULL;
}

void ksm_pass_finish(struct ksm_domain *of, struct ksm_chunk *chunk,
		     const struct ksm_scan_counts *counts)
{
}

bool ksm_pending_ready(struct ksm_chunk *chunk, unsigned int i)
{
	return pending_ready;
}

int ksm_pending_lock(struct ksm_chunk *chunk, unsigned int i, bool user)
{
	return -EINTR;
}

struct page *ksm_domain_zero_frame(struct ksm_domain *of, int nid, unsigned long index)
{
	return NULL;
}

int ksm_area_hold(struct ksm_area *of)
{
	atomic_long_inc(&of->counts.held);
	return 0;
}

void ksm_area_give_back(struct ksm_area *of, unsigned long pages)
{
	atomic_long_sub(pages, &of->counts.held);
}

static int ksm_scan_test_init(struct kunit *test)
{
	unsigned int i;

	d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	area = kunit_kzalloc(test, sizeof(*area), GFP_KERNEL);
	s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	mapping = kunit_kzalloc(test, sizeof(*mapping), GFP_KERNEL);
	chunks = kunit_kcalloc(test, CHUNKS, sizeof(*chunks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_ASSERT_NOT_NULL(test, mapping);
	KUNIT_ASSERT_NOT_NULL(test, chunks);
	mapping->host = kunit_kzalloc(test, sizeof(*mapping->host), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mapping->host);
	mapping->host->i_private = area;
	KUNIT_ASSERT_EQ(test, ksm_key_init(&d->key), 0);
	KUNIT_ASSERT_EQ(test, ksm_table_init(&d->table), 0);
	kref_init(&d->ref);
	kref_init(&area->ref);
	area->domain = d;
	area->mapping = mapping;
	ksm_spares_init(&area->spares);
	s->domain = d;
	for (i = 0; i < CHUNKS; i++) {
		mutex_init(&chunks[i].lock);
		chunks[i].area = area;
		chunks[i].first = i * KSM_CHUNK_PAGES;
		chunks[i].slots = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, chunks[i].slots);
	}
	memset(&ksm_knobs, 0, sizeof(ksm_knobs));
	ksm_knobs.max_page_sharing = 256;
	ksm_knobs.use_zero_pages = true;
	ksm_knobs.merge_across_nodes = true;
	hash_mask = ~0ull;
	requeued = 0;
	queued_ticks = UINT_MAX;
	pending_ready = false;
	return 0;
}

static void drop_all(struct ksm_chunk *chunk)
{
	mutex_lock(&chunk->lock);
	ksm_slots_drop(chunk, 0, KSM_CHUNK_PAGES, false);
	mutex_unlock(&chunk->lock);
}

static void ksm_scan_test_exit(struct kunit *test)
{
	unsigned int i;

	if (!chunks || !d || !d->table.segments)
		return;
	scanner_set_last(s, NULL);
	for (i = 0; i < CHUNKS; i++)
		if (chunks[i].slots)
			drop_all(&chunks[i]);
	ksm_spares_drop(&area->spares, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, d->table.nr_entries, 0);
	KUNIT_EXPECT_EQ(test, d->table.nr_stable, 0);
	KUNIT_EXPECT_EQ(test, d->table.nr_candidates, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&area->ref), 1);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.held), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.private), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.merged), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.zero), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.pending), 0);
	ksm_table_destroy(&d->table);
	ksm_key_destroy(&d->key);
	chunks = NULL;
}

/* Slot @i gets a page of its own, with the contents number @content. */
static struct page *fill(struct kunit *test, struct ksm_chunk *chunk,
			 unsigned int i, unsigned int content)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	u32 *word;

	KUNIT_ASSERT_NOT_NULL(test, page);
	word = page_address(page);
	/* Different from each other in the middle of the page only. */
	word[300] = content;
	page->mapping = mapping;
	frame_folio(page)->index = chunk->first + i;
	page->private = 0;
	INIT_HLIST_NODE(page_node(page));
	chunk->slots[i] = slot_make(chunk->slots[i], page, 0);
	atomic_long_inc(&area->counts.private);
	atomic_long_inc(&area->counts.held);
	return page;
}

static u32 content_of(struct ksm_chunk *chunk, unsigned int i)
{
	struct page *page = slot_page(chunk->slots[i]);

	return page ? ((u32 *)page_address(page))[300] : 0;
}

/* All slots of the chunk, with @n contents from 1 on, in turn. */
static void fill_all(struct kunit *test, struct ksm_chunk *chunk, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < KSM_CHUNK_PAGES; i++)
		fill(test, chunk, i, 1 + i % n);
}

/* Everybody still has what he wrote. */
static void expect_contents(struct kunit *test, struct ksm_chunk *chunk,
			    unsigned int n)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < KSM_CHUNK_PAGES; i++)
		wrong += content_of(chunk, i) != 1 + i % n;
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* ---- merging ---- */

static const struct merge_case {
	const char *text;
	unsigned int contents;
	u64 mask;
} merge_cases[] = {
	{ "one content", 1, ~0ull },
	{ "eight contents", 8, ~0ull },
	{ "eight contents, all hashes collide", 8, 0 },
	{ "32 contents, all hashes collide", 32, 0 },
	{ "64 contents, a bit of hash", 64, 1 },
};

static void merge_desc(const struct merge_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->text);
}

KUNIT_ARRAY_PARAM(merge, merge_cases, merge_desc);

static void ksm_scan_merge_test(struct kunit *test)
{
	const struct merge_case *c = test->param_value;
	unsigned int i, sharers = KSM_CHUNK_PAGES / c->contents;

	ksm_knobs.max_page_sharing = 1000;
	hash_mask = c->mask;
	fill_all(test, &chunks[0], c->contents);
	ksm_scan_chunk(s, &chunks[0]);
	expect_contents(test, &chunks[0], c->contents);
	KUNIT_EXPECT_EQ(test, s->counts.scanned, KSM_CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, s->counts.merged, KSM_CHUNK_PAGES - c->contents);
	KUNIT_EXPECT_EQ(test, s->counts.skipped, 0);
	KUNIT_EXPECT_EQ(test, d->table.nr_stable, c->contents);
	KUNIT_EXPECT_EQ(test, d->table.nr_entries, c->contents);
	KUNIT_EXPECT_EQ(test, d->table.nr_candidates, 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.merged),
			KSM_CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.private), 0);
	for (i = 0; i < c->contents; i++) {
		struct page *page = slot_page(chunks[0].slots[i]);

		KUNIT_EXPECT_EQ(test, atomic_long_read(stable_sharers(page)),
				sharers);
		KUNIT_EXPECT_TRUE(test, chunks[0].slots[i] & SLOT_STABLE);
	}
	/* There is nothing left to look at. */
	ksm_scan_chunk(s, &chunks[0]);
	KUNIT_EXPECT_EQ(test, s->counts.scanned, 0);
}

/* No two alike, though their hashes are: nobody shares, all are candidates. */
static void ksm_scan_unique_test(struct kunit *test)
{
	unsigned int i;

	hash_mask = 3;
	fill_all(test, &chunks[0], KSM_CHUNK_PAGES);
	ksm_scan_chunk(s, &chunks[0]);
	expect_contents(test, &chunks[0], KSM_CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, s->counts.merged, 0);
	KUNIT_EXPECT_EQ(test, d->table.nr_candidates, KSM_CHUNK_PAGES);
	for (i = 0; i < KSM_CHUNK_PAGES; i++)
		KUNIT_EXPECT_TRUE(test, chunks[0].slots[i] & SLOT_CLEAN);
}

/* Candidates of one chunk, duplicates in another. */
static void ksm_scan_two_chunks_test(struct kunit *test)
{
	unsigned int i, other = 0;

	hash_mask = 7;
	fill_all(test, &chunks[0], KSM_CHUNK_PAGES);
	fill_all(test, &chunks[1], KSM_CHUNK_PAGES);
	ksm_scan_chunk(s, &chunks[0]);
	ksm_scan_chunk(s, &chunks[1]);
	expect_contents(test, &chunks[0], KSM_CHUNK_PAGES);
	expect_contents(test, &chunks[1], KSM_CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, s->counts.merged, KSM_CHUNK_PAGES);
	for (i = 0; i < KSM_CHUNK_PAGES; i++)
		other += slot_page(chunks[0].slots[i]) !=
			 slot_page(chunks[1].slots[i]);
	KUNIT_EXPECT_EQ(test, other, 0);
}

/* The owner of the candidate is locked: the chunk comes again in this pass. */
static void ksm_scan_contended_test(struct kunit *test)
{
	fill(test, &chunks[0], 3, 77);
	ksm_scan_chunk(s, &chunks[0]);
	fill(test, &chunks[1], 5, 77);
	mutex_lock(&chunks[0].lock);
	/* As a thread of its own would: two of one class. */
	lockdep_off();
	ksm_scan_chunk(s, &chunks[1]);
	lockdep_on();
	KUNIT_EXPECT_EQ(test, requeued, 1);
	KUNIT_EXPECT_EQ(test, s->counts.merged, 0);
	KUNIT_EXPECT_FALSE(test, chunks[1].slots[5] & SLOT_CLEAN);
	mutex_unlock(&chunks[0].lock);
	ksm_scan_chunk(s, &chunks[1]);
	KUNIT_EXPECT_EQ(test, requeued, 1);
	KUNIT_EXPECT_EQ(test, s->counts.merged, 1);
}

static void ksm_scan_limit_test(struct kunit *test)
{
	unsigned int i;

	ksm_knobs.max_page_sharing = 10;
	fill_all(test, &chunks[0], 1);
	ksm_scan_chunk(s, &chunks[0]);
	expect_contents(test, &chunks[0], 1);
	/* 51 full frames, and one with the last two. */
	KUNIT_EXPECT_EQ(test, d->table.nr_stable, 52);
	for (i = 0; i < KSM_CHUNK_PAGES; i++)
		KUNIT_EXPECT_LE(test,
				atomic_long_read(stable_sharers(slot_page(chunks[0].slots[i]))),
				10);
}

static void ksm_scan_zero_test(struct kunit *test)
{
	fill(test, &chunks[0], 0, 0);
	fill(test, &chunks[0], 1, 0);
	fill(test, &chunks[0], 2, 9);
	ksm_scan_chunk(s, &chunks[0]);
	KUNIT_EXPECT_EQ(test, s->counts.zero, 2);
	KUNIT_EXPECT_TRUE(test, chunks[0].slots[0] & SLOT_ZERO);
	KUNIT_EXPECT_FALSE(test, slot_has_frame(chunks[0].slots[1]));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.zero), 2);

	/* Without that they merge as any other content does. */
	ksm_knobs.use_zero_pages = false;
	fill(test, &chunks[1], 0, 0);
	fill(test, &chunks[1], 1, 0);
	ksm_scan_chunk(s, &chunks[1]);
	KUNIT_EXPECT_EQ(test, s->counts.zero, 0);
	KUNIT_EXPECT_EQ(test, s->counts.merged, 1);
}

/* A page that somebody has a reference to is neither merged nor shared. */
static void ksm_scan_pinned_test(struct kunit *test)
{
	struct page *first = fill(test, &chunks[0], 0, 8);
	struct page *second;

	get_page(first);
	ksm_scan_chunk(s, &chunks[0]);
	KUNIT_EXPECT_EQ(test, s->counts.skipped, 1);
	KUNIT_EXPECT_EQ(test, slot_level(chunks[0].slots[0]), 1);
	KUNIT_EXPECT_FALSE(test, chunks[0].slots[0] & SLOT_CLEAN);
	put_page(first);

	/* Pinned when it is a candidate already, after two more looks. */
	ksm_scan_chunk(s, &chunks[0]);
	ksm_scan_chunk(s, &chunks[0]);
	KUNIT_EXPECT_TRUE(test, chunks[0].slots[0] & SLOT_CLEAN);
	get_page(first);
	second = fill(test, &chunks[1], 0, 8);
	ksm_scan_chunk(s, &chunks[1]);
	KUNIT_EXPECT_EQ(test, s->counts.merged, 0);
	KUNIT_EXPECT_EQ(test, s->counts.skipped, 1);
	KUNIT_EXPECT_PTR_EQ(test, slot_page(chunks[0].slots[0]), first);
	KUNIT_EXPECT_PTR_EQ(test, slot_page(chunks[1].slots[0]), second);
	put_page(first);
}

/* ---- which slots ---- */

static const struct wanted_case {
	const char *text;
	u64 flags;
	bool frame, want;
	unsigned int level, age, rest_from;
} wanted_cases[] = {
	{ "empty", 0 },
	{ "private", 0, true, true, .age = 4 },
	{ "private and mapped", SLOT_MAPPED, true, true, .age = 4 },
	{ "clean", SLOT_CLEAN, true, .age = 4 },
	{ "stable", SLOT_STABLE, true, .age = 4 },
	{ "zero", SLOT_ZERO, .age = 4 },
	{ "pending", SLOT_PENDING, true, .age = 4 },
	{ "unmerged", SLOT_NOMERGE, true, .age = 4 },
	{ "written just now", 0, true, .age = 0 },
	{ "a tick before its time", 0, true, .age = 3 },
	{ "a level higher rests longer", 0, true, .level = 1, .age = 4 },
	{ "and has rested then", 0, true, true, .level = 1, .age = 8 },
	{ "KSM_SCAN does not wait", 0, true, true,
	  .rest_from = SLOT_LEVEL_SCAN },
	{ "nor at a low level", 0, true, true, .level = 1,
	  .rest_from = SLOT_LEVEL_SCAN },
	{ "but for those written often", 0, true, .level = 2,
	  .rest_from = SLOT_LEVEL_SCAN },
	{ "unless forced to", 0, true, true, .level = SLOT_LEVEL_MAX,
	  .rest_from = SLOT_LEVEL_MAX + 1 },
};

static void wanted_desc(const struct wanted_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->text);
}

KUNIT_ARRAY_PARAM(wanted, wanted_cases, wanted_desc);

static void ksm_scan_wanted_test(struct kunit *test)
{
	const struct wanted_case *c = test->param_value;
	ksm_slot_t slot = slot_make(0, c->frame ? pfn_to_page(1000) : NULL,
				    c->flags);

	ksm_knobs.rest_millisecs = 1000;
	d->rest_from = c->rest_from;
	s->now = 300;
	s->due = UINT_MAX;
	chunks[0].slots[9] = slot_set_rest(slot, c->level, s->now - c->age);
	KUNIT_EXPECT_EQ(test, slot_wanted(s, &chunks[0], 9), c->want);
	/* Who rests is looked at as soon as that is over. */
	if (c->frame && !c->flags && !c->want)
		KUNIT_EXPECT_EQ(test, s->due, (4 << c->level) - c->age);
	else
		KUNIT_EXPECT_EQ(test, s->due, UINT_MAX);
	chunks[0].slots[9] = 0;
}

/* Written again and again: contents must be the same at two looks. */
static void ksm_scan_hot_test(struct kunit *test)
{
	struct page *page = fill(test, &chunks[0], 0, 1);
	unsigned int level;

	chunks[0].slots[0] = slot_set_rest(chunks[0].slots[0], 1, 0);
	for (level = 2; level <= SLOT_LEVEL_MAX + 1; level++) {
		unsigned int want = min_t(unsigned int, level, SLOT_LEVEL_MAX);

		((u32 *)page_address(page))[300] = level;
		ksm_scan_chunk(s, &chunks[0]);
		KUNIT_EXPECT_EQ(test, s->counts.is_volatile, 1);
		KUNIT_EXPECT_FALSE(test, chunks[0].slots[0] & SLOT_CLEAN);
		KUNIT_EXPECT_EQ(test, slot_level(chunks[0].slots[0]), want);
		KUNIT_EXPECT_EQ(test, queued_ticks, 0);
	}
	ksm_scan_chunk(s, &chunks[0]);
	KUNIT_EXPECT_EQ(test, s->counts.is_volatile, 0);
	KUNIT_EXPECT_TRUE(test, chunks[0].slots[0] & SLOT_CLEAN);
}

/* A page in use gains levels, but not all; one that has more keeps them. */
static void ksm_scan_busy_test(struct kunit *test)
{
	static const u8 next[] = { 1, 2, 3, 3, 4, 5, 6 };
	unsigned int level;

	ksm_knobs.rest_millisecs = 250;
	for (level = 0; level < ARRAY_SIZE(next); level++) {
		s->due = UINT_MAX;
		s->now = 1000;
		chunks[0].slots[0] = slot_set_rest(0, level, 0);
		mutex_lock(&chunks[0].lock);
		slot_busy(s, &chunks[0], 0);
		mutex_unlock(&chunks[0].lock);
		KUNIT_EXPECT_EQ(test, slot_level(chunks[0].slots[0]),
				next[level]);
		KUNIT_EXPECT_EQ(test, slot_rest_left(chunks[0].slots[0], 1000),
				1 << next[level]);
		KUNIT_EXPECT_EQ(test, s->due, 1 << next[level]);
	}
	chunks[0].slots[0] = 0;
}

/* The chunk is due with its first slot. */
static void ksm_scan_due_test(struct kunit *test)
{
	unsigned long now = slot_now();

	ksm_knobs.rest_millisecs = 20000;
	fill(test, &chunks[0], 1, 1);
	fill(test, &chunks[0], 2, 2);
	chunks[0].slots[1] = slot_set_rest(chunks[0].slots[1], 0, now - 20);
	chunks[0].slots[2] = slot_set_rest(chunks[0].slots[2], 0, now - 10);
	ksm_scan_chunk(s, &chunks[0]);
	KUNIT_EXPECT_EQ(test, s->counts.scanned, 0);
	KUNIT_EXPECT_LE(test, queued_ticks, 60);
	KUNIT_EXPECT_GT(test, queued_ticks, 30);
}

/* What KSM_REGISTER left is copied when nobody else uses it, and looked at from then on. */
static void ksm_scan_pending_test(struct kunit *test)
{
	struct page *pages[2] = { alloc_page(GFP_KERNEL | __GFP_ZERO),
				  alloc_page(GFP_KERNEL | __GFP_ZERO) };

	KUNIT_ASSERT_NOT_NULL(test, pages[0]);
	KUNIT_ASSERT_NOT_NULL(test, pages[1]);
	((u32 *)page_address(pages[0]))[300] = 12;
	mutex_lock(&chunks[0].lock);
	ksm_slots_take_over(&chunks[0], 4, 2, pages);
	mutex_unlock(&chunks[0].lock);
	ksm_scan_chunk(s, &chunks[0]);
	KUNIT_EXPECT_PTR_EQ(test, slot_page(chunks[0].slots[4]), pages[0]);
	KUNIT_EXPECT_TRUE(test, chunks[0].slots[4] & SLOT_PENDING);
	KUNIT_EXPECT_EQ(test, slot_level(chunks[0].slots[4]), 1);
	KUNIT_EXPECT_EQ(test, s->counts.skipped, 2);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.pending), 2);

	chunks[0].reg_first = 0;
	chunks[0].reg_end = 0;
	pending_ready = true;
	ksm_scan_chunk(s, &chunks[0]);
	KUNIT_EXPECT_TRUE(test, slot_private(chunks[0].slots[4]));
	KUNIT_EXPECT_EQ(test, content_of(&chunks[0], 4), 12);
	KUNIT_EXPECT_FALSE(test, slot_held(chunks[0].slots[5]));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.pending), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.held), 1);
}

/* chattr +C: nobody looks at such a file. */
static void ksm_scan_nomerge_test(struct kunit *test)
{
	area->nomerge = true;
	fill(test, &chunks[0], 0, 5);
	fill(test, &chunks[0], 1, 5);
	fill(test, &chunks[0], 2, 0);
	ksm_scan_chunk(s, &chunks[0]);
	KUNIT_EXPECT_EQ(test, s->counts.scanned, 0);
	KUNIT_EXPECT_EQ(test, d->table.nr_entries, 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.private), 3);
}

/* ---- runs of neighbours, which are unmapped together ---- */

static void ksm_scan_runs_test(struct kunit *test)
{
	static const u16 index[] = { 0, 1, 2, 5, 7, 8, 100, 510, 511 };
	static const u8 length[] = { 3, 2, 1, 1, 2, 1, 1, 2, 1 };
	unsigned int n;

	memcpy(s->index, index, sizeof(index));
	s->nr = ARRAY_SIZE(index);
	for (n = 0; n < s->nr; n++)
		KUNIT_EXPECT_EQ_MSG(test, run_length(s, n), length[n],
				    "from %u", index[n]);
	for (n = 0; n < KSM_CHUNK_PAGES; n++)
		s->index[n] = n;
	s->nr = KSM_CHUNK_PAGES;
	KUNIT_EXPECT_EQ(test, run_length(s, 0), KSM_CHUNK_PAGES);
	KUNIT_EXPECT_FALSE(test, run_mapped(s, &chunks[0], 0, KSM_CHUNK_PAGES));
	chunks[0].slots[511] = SLOT_MAPPED;
	KUNIT_EXPECT_TRUE(test, run_mapped(s, &chunks[0], 0, KSM_CHUNK_PAGES));
	KUNIT_EXPECT_FALSE(test, run_mapped(s, &chunks[0], 0,
					    KSM_CHUNK_PAGES - 1));
	chunks[0].slots[511] = 0;
}

static struct kunit_case ksm_scan_cases[] = {
	KUNIT_CASE_PARAM(ksm_scan_merge_test, merge_gen_params),
	KUNIT_CASE(ksm_scan_unique_test),
	KUNIT_CASE(ksm_scan_two_chunks_test),
	KUNIT_CASE(ksm_scan_contended_test),
	KUNIT_CASE(ksm_scan_limit_test),
	KUNIT_CASE(ksm_scan_zero_test),
	KUNIT_CASE(ksm_scan_pinned_test),
	KUNIT_CASE_PARAM(ksm_scan_wanted_test, wanted_gen_params),
	KUNIT_CASE(ksm_scan_hot_test),
	KUNIT_CASE(ksm_scan_busy_test),
	KUNIT_CASE(ksm_scan_due_test),
	KUNIT_CASE(ksm_scan_pending_test),
	KUNIT_CASE(ksm_scan_nomerge_test),
	KUNIT_CASE(ksm_scan_runs_test),
	{ }
};

static struct kunit_suite ksm_scan_suite = {
	.name = "ksmdev_scan",
	.init = ksm_scan_test_init,
	.exit = ksm_scan_test_exit,
	.test_cases = ksm_scan_cases,
};

kunit_test_suite(ksm_scan_suite);

MODULE_DESCRIPTION("Tests of ksmdev's scanner");
MODULE_LICENSE("GPL");
