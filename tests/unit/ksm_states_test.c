// SPDX-License-Identifier: GPL-2.0
/*
 * Every change of a slot: from each state by each call to the state that slot.h says, with
 * its frame, its flags, the counters of the area, the quota of the mount, the table of the
 * domain, and who was unmapped.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "area.h"
#include "domain.h"
#include "pass.h"
#include "pending.h"

/* No tracepoints here. */
#define _KSMDEV_TRACE_H
#define trace_ksm_merge(...)	do { } while (0)
#define trace_ksm_break(...)	do { } while (0)

static unsigned long now_tick;
static unsigned int zaps, zapped_first, zapped_pages, unpins;

#define slot_now()	now_tick

/* Nobody maps anything: who would be unmapped is written down. */
static void note_zap(unsigned long first, unsigned long nr)
{
	zaps++;
	zapped_first = first;
	zapped_pages += nr;
}

#define unmap_mapping_pages(mapping, first, nr, even)	note_zap(first, nr)

/* Pending pages are not pinned here. */
static void note_unpin(struct page *page)
{
	unpins++;
	put_page(page);
}

#define unpin_user_page(page)	note_unpin(page)

/* The name of ksmdev's own may be there already. */
#undef KMEM_CACHE
#define KMEM_CACHE(name, flags)						\
	kmem_cache_create("ksm_test_" #name, sizeof(struct name), 0, flags, NULL)

#include "content.c"
#include "frame.c"
#include "knobs.c"
#include "stable.c"
#include "area.c"
#include "slot.c"

/* ---- what surrounds it: a file of a mount for ten pages, one chunk of it ---- */

#define SLOT	77
#define FIRST	(3 * KSM_CHUNK_PAGES)
#define QUOTA	10

static struct ksm_domain *d;
static struct ksm_area *area;
static struct ksm_chunk *chunk;
static struct inode *inode;
static struct ksm_quota quota;
static struct page *zero_frame;
static int pending_error;
static unsigned int queued, queued_ticks;

void ksm_queue_chunk(struct ksm_chunk *of, unsigned int ticks)
{
	queued++;
	queued_ticks = ticks;
}

int ksm_pending_lock(struct ksm_chunk *of, unsigned int i, bool user)
{
	if (!pending_error)
		mutex_lock(&of->lock);
	return pending_error;
}

struct page *ksm_domain_zero_frame(struct ksm_domain *of, int nid, unsigned long index)
{
	return zero_frame;
}

static int ksm_states_suite_init(struct kunit_suite *suite)
{
	return ksm_area_init();
}

static void ksm_states_suite_exit(struct kunit_suite *suite)
{
	ksm_area_exit();
}

static int ksm_states_test_init(struct kunit *test)
{
	area = NULL;
	chunk = NULL;
	zaps = 0;
	zapped_pages = 0;
	unpins = 0;
	queued = 0;
	pending_error = 0;
	now_tick = 1000;
	memset(&ksm_knobs, 0, sizeof(ksm_knobs));
	ksm_knobs.max_page_sharing = 256;
	ksm_knobs.rest_millisecs = 500;
	quota = (struct ksm_quota){ .max = QUOTA };
	d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	inode = kunit_kzalloc(test, sizeof(*inode), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_ASSERT_NOT_NULL(test, inode);
	KUNIT_ASSERT_EQ(test, ksm_table_init(&d->table), 0);
	zero_frame = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, zero_frame);
	inode->i_data.host = inode;
	area = ksm_area_new(&inode->i_data, d, &quota, KSM_AREA_NAMED, NULL);
	KUNIT_ASSERT_NOT_NULL(test, area);
	area->end = FIRST + KSM_CHUNK_PAGES;
	chunk = ksm_chunk_get(area, FIRST + SLOT);
	KUNIT_ASSERT_FALSE(test, IS_ERR(chunk));
	chunk->visited = now_tick;
	return 0;
}

static void drop_all(bool zap)
{
	mutex_lock(&chunk->lock);
	ksm_slots_drop(chunk, 0, KSM_CHUNK_PAGES, zap);
	mutex_unlock(&chunk->lock);
}

/* Whatever a test left, nothing is there when it is dropped. */
static void ksm_states_test_exit(struct kunit *test)
{
	if (!IS_ERR_OR_NULL(chunk)) {
		drop_all(false);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.held), 0);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&quota.used), 1);
		KUNIT_EXPECT_EQ(test, d->table.nr_entries, 0);
		KUNIT_EXPECT_FALSE(test, mutex_is_locked(&chunk->lock));
	}
	if (area) {
		ksm_spares_drop(&area->spares, ULONG_MAX);
		ksm_area_leave_quota(area);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&quota.used), 0);
		ksm_area_put(area);
	}
	if (zero_frame)
		put_page(zero_frame);
	zero_frame = NULL;
	ksm_table_destroy(&d->table);
}

/* ---- states ---- */

enum state { EMPTY, PRIVATE, CLEAN, STABLE, ZERO, PENDING, STATES };

static const char * const state_names[] = {
	"empty", "private", "clean", "stable", "zero", "pending"
};

static enum state state_of(ksm_slot_t slot)
{
	if (slot & SLOT_PENDING)
		return PENDING;
	if (slot & SLOT_ZERO)
		return ZERO;
	if (slot & SLOT_STABLE)
		return STABLE;
	if (slot & SLOT_CLEAN)
		return CLEAN;
	return slot_has_frame(slot) ? PRIVATE : EMPTY;
}

static u32 *words(void)
{
	struct page *page = slot_page(chunk->slots[SLOT]);

	return page ? page_address(page) : NULL;
}

/* As the scanner puts a page into the table (match_find()). */
static void candidate(void)
{
	struct page *page = slot_page(chunk->slots[SLOT]);

	ksm_table_prepare(&d->table, 1);
	page->private = 99;
	spin_lock(&d->table.lock);
	ksm_table_add(&d->table, page);
	d->table.nr_candidates++;
	spin_unlock(&d->table.lock);
	ksm_slot_clean(chunk, SLOT);
}

/* As the scanner promotes it (match_promote()). */
static void promote(void)
{
	spin_lock(&d->table.lock);
	ksm_stable_make(&d->table, slot_page(chunk->slots[SLOT]));
	spin_unlock(&d->table.lock);
	ksm_slot_promote(chunk, SLOT);
}

static void take_over(struct kunit *test, u32 content)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	KUNIT_ASSERT_NOT_NULL(test, page);
	((u32 *)page_address(page))[5] = content;
	/* Such files are on a mount without a limit, so nobody else counts it. */
	atomic_long_inc(&quota.used);
	ksm_slots_take_over(chunk, SLOT, 1, &page);
	chunk->reg_first = 0;
	chunk->reg_end = 0;
}

/* The slot, which is empty, comes to the state @state with @content; leaves the lock held. */
static void bring(struct kunit *test, enum state state, u32 content)
{
	if (state == EMPTY || state == PENDING) {
		mutex_lock(&chunk->lock);
		if (state == PENDING)
			take_over(test, content);
		return;
	}
	KUNIT_ASSERT_EQ(test, ksm_slot_lock(chunk, SLOT, KSM_USE_WRITE, true), 0);
	words()[5] = state == ZERO ? 0 : content;
	if (state == ZERO)
		ksm_frame_free(ksm_slot_merge(chunk, SLOT, NULL));
	if (state == CLEAN || state == STABLE)
		candidate();
	if (state == STABLE)
		promote();
}

static void map(void)
{
	struct page *page = ksm_slot_map(chunk, SLOT);

	unlock_page(page);
	put_page(page);
}

/* The slot is in the state @state, and the only one that is not empty. */
static void expect_state(struct kunit *test, enum state state, const char *text)
{
	ksm_slot_t slot = chunk->slots[SLOT];
	struct page *page = slot_page(slot);

	KUNIT_EXPECT_STREQ_MSG(test, state_names[state_of(slot)], state_names[state], "%s", text);
	KUNIT_EXPECT_TRUE_MSG(test, slot_valid(slot), "%s: %llx", text, slot);
	KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&area->counts.held), state != EMPTY, "%s", text);
	KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&area->counts.private),
			    state == PRIVATE || state == CLEAN, "%s", text);
	KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&area->counts.merged), state == STABLE, "%s",
			    text);
	KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&area->counts.zero), state == ZERO, "%s", text);
	KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&area->counts.pending), state == PENDING, "%s",
			    text);
	/* The chunk is a page of the mount, too. */
	KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&quota.used), 1 + (state != EMPTY), "%s", text);
	KUNIT_EXPECT_EQ_MSG(test, d->table.nr_candidates, state == CLEAN, "%s", text);
	KUNIT_EXPECT_EQ_MSG(test, d->table.nr_entries, state == CLEAN || state == STABLE, "%s",
			    text);
	KUNIT_EXPECT_EQ_MSG(test, d->table.nr_stable, state == STABLE, "%s", text);
	if (state == PRIVATE || state == CLEAN) {
		KUNIT_EXPECT_PTR_EQ_MSG(test, page->mapping, area->mapping, "%s", text);
		KUNIT_EXPECT_EQ_MSG(test, frame_folio(page)->index, FIRST + SLOT, "%s", text);
	}
	if (state == STABLE)
		KUNIT_EXPECT_TRUE_MSG(test, page_stable(page), "%s", text);
}

/* ---- slot_valid() ---- */

static void ksm_states_valid_test(struct kunit *test)
{
	static const u64 flags[] = {
		SLOT_CLEAN, SLOT_STABLE, SLOT_ZERO, SLOT_PENDING, SLOT_MAPPED
	};
	/* By numbers of flags as above, without a frame and with one: all others are wrong. */
	static const u8 without[] = { 0x00, 0x10, 0x04, 0x14 };
	static const u8 with[] = { 0x00, 0x10, 0x01, 0x11, 0x02, 0x12, 0x08 };
	unsigned int frame, n, i;

	for (frame = 0; frame < 2; frame++) {
		for (n = 0; n < BIT(ARRAY_SIZE(flags)); n++) {
			ksm_slot_t slot = slot_set_rest(SLOT_NOMERGE, 5, n);
			bool want = memchr(frame ? with : without, n,
					   frame ? sizeof(with) : sizeof(without));

			for (i = 0; i < ARRAY_SIZE(flags); i++)
				slot |= n & BIT(i) ? flags[i] : 0;
			if (frame)
				slot |= 1ull << SLOT_PFN_SHIFT;
			KUNIT_EXPECT_EQ_MSG(test, slot_valid(slot), want, "%llx", slot);
		}
	}
}

/* ---- ksm_slot_lock(): each use of each state ---- */

static const struct use_case {
	const char *text;
	enum ksm_use use;
	enum state to[STATES];		/* from each state */
} use_cases[] = {
	{ "look", KSM_USE_LOOK, { EMPTY, PRIVATE, CLEAN, STABLE, ZERO, PRIVATE } },
	{ "read", KSM_USE_READ, { EMPTY, PRIVATE, CLEAN, STABLE, ZERO, PRIVATE } },
	{ "write", KSM_USE_WRITE, { PRIVATE, PRIVATE, CLEAN, PRIVATE, PRIVATE, PRIVATE } },
	{ "extend", KSM_USE_EXTEND, { PRIVATE, PRIVATE, CLEAN, PRIVATE, PRIVATE, PRIVATE } },
	{ "unmerge", KSM_USE_UNMERGE, { EMPTY, PRIVATE, CLEAN, PRIVATE, PRIVATE, PENDING } },
};

static void use_desc(const struct use_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->text);
}

KUNIT_ARRAY_PARAM(use, use_cases, use_desc);

/* From @from; the contents stay, and who had something else mapped loses it. */
static void use_from(struct kunit *test, const struct use_case *c, enum state from, bool mapped)
{
	bool merged = from == STABLE || from == ZERO;
	bool given = from != PENDING && c->to[from] != from;
	s64 breaks = atomic64_read(&area->counts.cow_breaks);
	char text[64];

	snprintf(text, sizeof(text), "%s%s", state_names[from], mapped ? " mapped" : "");
	bring(test, from, 1234);
	if (mapped)
		map();
	mutex_unlock(&chunk->lock);
	zaps = 0;
	unpins = 0;
	queued = 0;
	KUNIT_ASSERT_EQ_MSG(test, ksm_slot_lock(chunk, SLOT, c->use, true), 0, "%s", text);
	KUNIT_EXPECT_TRUE(test, mutex_is_locked(&chunk->lock));
	expect_state(test, c->to[from], text);
	KUNIT_EXPECT_EQ_MSG(test, zaps, mapped && given, "%s", text);
	if (zaps)
		KUNIT_EXPECT_EQ(test, zapped_first, FIRST + SLOT);
	KUNIT_EXPECT_EQ_MSG(test, !!(chunk->slots[SLOT] & SLOT_MAPPED), mapped && !given, "%s",
			    text);
	KUNIT_EXPECT_EQ_MSG(test, atomic64_read(&area->counts.cow_breaks) - breaks,
			    merged && given && c->use != KSM_USE_UNMERGE, "%s", text);
	KUNIT_EXPECT_EQ_MSG(test, unpins, from == PENDING && c->to[from] != PENDING, "%s", text);
	/* What was written is looked at later. */
	KUNIT_EXPECT_EQ_MSG(test, queued, c->to[from] == PRIVATE && from != PRIVATE, "%s", text);
	if (words())
		KUNIT_EXPECT_EQ_MSG(test, words()[5], from == EMPTY || from == ZERO ? 0 : 1234,
				    "%s", text);
	mutex_unlock(&chunk->lock);
	drop_all(false);
	expect_state(test, EMPTY, text);
}

static void ksm_states_use_test(struct kunit *test)
{
	enum state from;

	for (from = EMPTY; from < STATES; from++) {
		use_from(test, test->param_value, from, false);
		if (from != PENDING)
			use_from(test, test->param_value, from, true);
	}
}

/* A pending page of zeroes leaves an empty slot, and takes nothing of the mount. */
static void ksm_states_use_zeroes_test(struct kunit *test)
{
	const struct use_case *c = test->param_value;
	bool write = c->use == KSM_USE_WRITE || c->use == KSM_USE_EXTEND;

	if (c->use == KSM_USE_UNMERGE)
		kunit_skip(test, "it leaves pending pages alone");
	bring(test, PENDING, 0);
	mutex_unlock(&chunk->lock);
	KUNIT_ASSERT_EQ(test, ksm_slot_lock(chunk, SLOT, c->use, true), 0);
	expect_state(test, write ? PRIVATE : EMPTY, c->text);
	mutex_unlock(&chunk->lock);
	KUNIT_EXPECT_EQ(test, unpins, 1);
}

/* Behind the end of the file only who makes it longer gets anything. */
static void ksm_states_end_test(struct kunit *test)
{
	const struct use_case *c = test->param_value;
	enum state from;

	for (from = EMPTY; from < STATES; from++) {
		int want = c->use == KSM_USE_EXTEND ? 0 : -ENXIO, err;

		area->end = FIRST + SLOT + 1;
		bring(test, from, 1234);
		area->end = FIRST + SLOT;
		mutex_unlock(&chunk->lock);
		err = ksm_slot_lock(chunk, SLOT, c->use, true);
		KUNIT_EXPECT_EQ_MSG(test, err, want, "%s", state_names[from]);
		expect_state(test, err ? from : c->to[from], state_names[from]);
		if (!err)
			mutex_unlock(&chunk->lock);
		KUNIT_EXPECT_FALSE(test, mutex_is_locked(&chunk->lock));
		drop_all(false);
	}
}

/* A mount that is full: what has its page already may have a frame for it. */
static void ksm_states_quota_test(struct kunit *test)
{
	enum state from;

	for (from = EMPTY; from < STATES; from++) {
		int err, want = from == EMPTY ? -ENOSPC : 0;

		bring(test, from, 1234);
		mutex_unlock(&chunk->lock);
		quota.max = atomic_long_read(&quota.used);
		err = ksm_slot_lock(chunk, SLOT, KSM_USE_WRITE, true);
		KUNIT_EXPECT_EQ_MSG(test, err, want, "%s", state_names[from]);
		expect_state(test, err ? from : from == CLEAN ? CLEAN : PRIVATE, state_names[from]);
		if (!err)
			mutex_unlock(&chunk->lock);
		quota.max = QUOTA;
		drop_all(false);
	}
}

static void ksm_states_pending_error_test(struct kunit *test)
{
	pending_error = -EAGAIN;
	KUNIT_EXPECT_EQ(test, ksm_slot_lock(chunk, SLOT, KSM_USE_WRITE, true), -EAGAIN);
	pending_error = -EINTR;
	KUNIT_EXPECT_EQ(test, ksm_slot_lock(chunk, SLOT, KSM_USE_READ, true), -EINTR);
	KUNIT_EXPECT_EQ(test, ksm_slot_unmerge(chunk, SLOT), -EINTR);
	pending_error = 0;
	expect_state(test, EMPTY, "not used");
}

/* Broken memory: the error, who maps it is unmapped, and the state stays. */
static void ksm_states_poison_test(struct kunit *test)
{
	enum state from;

	for (from = PRIVATE; from <= STABLE; from++) {
		struct page *page;

		bring(test, from, 1234);
		map();
		page = slot_page(chunk->slots[SLOT]);
		SetPageHWPoison(page);
		/* Broken since it was looked at: not mapped, and nothing is held. */
		KUNIT_EXPECT_NULL(test, ksm_slot_map(chunk, SLOT));
		KUNIT_EXPECT_FALSE(test, PageLocked(page));
		KUNIT_EXPECT_EQ(test, page_count(page), 1);
		mutex_unlock(&chunk->lock);
		zaps = 0;
		KUNIT_EXPECT_EQ(test, ksm_slot_lock(chunk, SLOT, KSM_USE_READ, true), -EHWPOISON);
		KUNIT_EXPECT_EQ(test, ksm_slot_lock(chunk, SLOT, KSM_USE_WRITE, true), -EHWPOISON);
		KUNIT_EXPECT_EQ_MSG(test, zaps, 2, "%s", state_names[from]);
		KUNIT_EXPECT_EQ(test, ksm_slot_unmerge(chunk, SLOT), 0);
		expect_state(test, from, state_names[from]);
		ClearPageHWPoison(page);
		drop_all(false);
	}
}

/* No frame of zeroes, or a broken one, or a file that never merges: readers get frames. */
static void ksm_states_reader_test(struct kunit *test)
{
	static const enum state from[] = { EMPTY, ZERO };
	struct page *page = zero_frame;
	unsigned int i, why;

	for (i = 0; i < ARRAY_SIZE(from); i++) {
		for (why = 0; why < 3; why++) {
			char text[32];

			snprintf(text, sizeof(text), "%s %u", state_names[from[i]], why);
			bring(test, from[i], 0);
			mutex_unlock(&chunk->lock);
			zero_frame = why == 0 ? NULL : page;
			if (why == 1)
				SetPageHWPoison(page);
			area->nomerge = why == 2;
			KUNIT_EXPECT_EQ(test, ksm_slot_lock(chunk, SLOT, KSM_USE_LOOK, true), 0);
			expect_state(test, from[i], text);
			mutex_unlock(&chunk->lock);
			KUNIT_EXPECT_EQ(test, ksm_slot_lock(chunk, SLOT, KSM_USE_READ, true), 0);
			expect_state(test, PRIVATE, text);
			mutex_unlock(&chunk->lock);
			zero_frame = page;
			ClearPageHWPoison(page);
			area->nomerge = false;
			drop_all(false);
		}
	}
}

static void ksm_states_unmerge_test(struct kunit *test)
{
	enum state from;

	for (from = EMPTY; from < STATES; from++) {
		enum state to = from == STABLE || from == ZERO ? PRIVATE : from;

		bring(test, from, 1234);
		mutex_unlock(&chunk->lock);
		KUNIT_EXPECT_EQ(test, ksm_slot_unmerge(chunk, SLOT), 0);
		KUNIT_EXPECT_FALSE(test, mutex_is_locked(&chunk->lock));
		expect_state(test, to, state_names[from]);
		drop_all(false);
	}
	bring(test, STABLE, 1234);
	mutex_unlock(&chunk->lock);
	area->end = FIRST;
	KUNIT_EXPECT_EQ(test, ksm_slot_unmerge(chunk, SLOT), 0);
	expect_state(test, STABLE, "behind the end");
}

/* ---- hashed, written, merged ---- */

static void ksm_states_clean_test(struct kunit *test)
{
	bring(test, CLEAN, 1234);
	map();
	expect_state(test, CLEAN, "clean");
	ksm_slot_unclean(chunk, SLOT);
	expect_state(test, PRIVATE, "written");
	KUNIT_EXPECT_TRUE(test, chunk->slots[SLOT] & SLOT_MAPPED);
	KUNIT_EXPECT_EQ(test, zaps, 0);
	queued = 0;
	ksm_slot_unclean(chunk, SLOT);
	expect_state(test, PRIVATE, "written again");
	KUNIT_EXPECT_EQ(test, queued, 0);
	mutex_unlock(&chunk->lock);
}

/* Written soon after it was hashed, it gains a level; later, it loses all. */
static void ksm_states_level_test(struct kunit *test)
{
	unsigned int level;

	bring(test, PRIVATE, 1234);
	for (level = 0; level <= SLOT_LEVEL_MAX + 1; level++) {
		unsigned int had = min_t(unsigned int, level, SLOT_LEVEL_MAX);
		unsigned int next = min_t(unsigned int, had + 1, SLOT_LEVEL_MAX);

		KUNIT_EXPECT_EQ(test, slot_level(chunk->slots[SLOT]), had);
		candidate();
		chunk->visited = now_tick;
		now_tick += SLOT_SOON * slot_rest(had);
		ksm_slot_unclean(chunk, SLOT);
		KUNIT_EXPECT_EQ(test, slot_level(chunk->slots[SLOT]), next);
		KUNIT_EXPECT_EQ(test, queued_ticks, slot_rest(next));
		KUNIT_EXPECT_EQ(test, slot_rest_left(chunk->slots[SLOT], now_tick),
				slot_rest(next));
	}
	candidate();
	chunk->visited = now_tick;
	now_tick += SLOT_SOON * slot_rest(SLOT_LEVEL_MAX) + 1;
	ksm_slot_unclean(chunk, SLOT);
	KUNIT_EXPECT_EQ(test, slot_level(chunk->slots[SLOT]), 0);
	ksm_slot_rest(chunk, SLOT, 4, now_tick - 1);
	KUNIT_EXPECT_EQ(test, slot_level(chunk->slots[SLOT]), 4);
	KUNIT_EXPECT_EQ(test, slot_rest_left(chunk->slots[SLOT], now_tick), slot_rest(4) - 1);
	mutex_unlock(&chunk->lock);
}

static void ksm_states_promote_test(struct kunit *test)
{
	struct page *page;

	bring(test, CLEAN, 1234);
	map();
	page = slot_page(chunk->slots[SLOT]);
	promote();
	expect_state(test, STABLE, "promoted");
	KUNIT_EXPECT_PTR_EQ(test, slot_page(chunk->slots[SLOT]), page);
	KUNIT_EXPECT_TRUE(test, chunk->slots[SLOT] & SLOT_MAPPED);
	KUNIT_EXPECT_EQ(test, zaps, 0);
	mutex_unlock(&chunk->lock);
}

/* With the frame of another slot, and with none. */
static void ksm_states_merge_test(struct kunit *test)
{
	struct page *shared, *old;

	bring(test, STABLE, 1234);
	shared = slot_page(chunk->slots[SLOT]);
	mutex_unlock(&chunk->lock);
	KUNIT_ASSERT_EQ(test, ksm_slot_lock(chunk, 9, KSM_USE_WRITE, true), 0);
	spin_lock(&d->table.lock);
	KUNIT_EXPECT_TRUE(test, ksm_stable_get(&d->table, shared));
	spin_unlock(&d->table.lock);
	old = slot_page(chunk->slots[9]);
	KUNIT_EXPECT_PTR_EQ(test, ksm_slot_merge(chunk, 9, shared), old);
	ksm_frame_free(old);
	KUNIT_EXPECT_PTR_EQ(test, slot_page(chunk->slots[9]), shared);
	KUNIT_EXPECT_EQ(test, state_of(chunk->slots[9]), STABLE);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.merged), 2);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.private), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.held), 2);
	mutex_unlock(&chunk->lock);
	/* One of them is written: the other one keeps the frame. */
	KUNIT_ASSERT_EQ(test, ksm_slot_lock(chunk, 9, KSM_USE_WRITE, true), 0);
	KUNIT_EXPECT_PTR_NE(test, slot_page(chunk->slots[9]), shared);
	KUNIT_EXPECT_EQ(test, page_count(shared), 1);
	ksm_slots_drop(chunk, 9, 1, false);
	expect_state(test, STABLE, "of two");
	ksm_slots_drop(chunk, SLOT, 1, false);
	mutex_unlock(&chunk->lock);

	bring(test, ZERO, 0);
	expect_state(test, ZERO, "zeroes");
	mutex_unlock(&chunk->lock);
}

/* ---- taken over ---- */

static void ksm_states_take_over_test(struct kunit *test)
{
	struct page *pages[3] = { alloc_page(GFP_KERNEL), NULL, alloc_page(GFP_KERNEL) };

	KUNIT_ASSERT_NOT_NULL(test, pages[0]);
	KUNIT_ASSERT_NOT_NULL(test, pages[2]);
	mutex_lock(&chunk->lock);
	atomic_long_add(2, &quota.used);
	ksm_slots_take_over(chunk, 20, 3, pages);
	KUNIT_EXPECT_EQ(test, chunk->reg_first, 20);
	KUNIT_EXPECT_EQ(test, chunk->reg_end, 23);
	KUNIT_EXPECT_EQ(test, state_of(chunk->slots[20]), PENDING);
	KUNIT_EXPECT_EQ(test, state_of(chunk->slots[21]), EMPTY);
	KUNIT_EXPECT_PTR_EQ(test, slot_page(chunk->slots[22]), pages[2]);
	KUNIT_EXPECT_EQ(test, slot_rest_left(chunk->slots[22], now_tick), slot_rest(0));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.pending), 2);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.held), 2);
	ksm_slots_undo(chunk, 20, 3);
	atomic_long_sub(2, &quota.used);
	KUNIT_EXPECT_EQ(test, chunk->reg_first | chunk->reg_end, 0);
	KUNIT_EXPECT_EQ(test, chunk->slots[20] | chunk->slots[21] | chunk->slots[22], 0);
	expect_state(test, EMPTY, "undone");
	/* The pins are the caller's. */
	KUNIT_EXPECT_EQ(test, unpins, 0);
	put_page(pages[0]);
	put_page(pages[2]);
	mutex_unlock(&chunk->lock);
}

static void ksm_states_resolve_test(struct kunit *test)
{
	struct page *frame = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, frame);
	bring(test, PENDING, 1234);
	ksm_slot_resolve(chunk, SLOT, frame);
	expect_state(test, PRIVATE, "with contents");
	KUNIT_EXPECT_PTR_EQ(test, slot_page(chunk->slots[SLOT]), frame);
	KUNIT_EXPECT_EQ(test, words()[5], 1234);
	KUNIT_EXPECT_EQ(test, unpins, 1);
	KUNIT_EXPECT_EQ(test, queued, 1);
	ksm_slots_drop(chunk, SLOT, 1, false);
	mutex_unlock(&chunk->lock);

	frame = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, frame);
	bring(test, PENDING, 0);
	ksm_slot_resolve(chunk, SLOT, frame);
	expect_state(test, EMPTY, "of zeroes");
	KUNIT_EXPECT_EQ(test, unpins, 2);
	KUNIT_EXPECT_EQ(test, queued, 1);
	mutex_unlock(&chunk->lock);
}

/* ---- mapped, dropped, told not to merge ---- */

static void ksm_states_map_test(struct kunit *test)
{
	enum state from;

	for (from = EMPTY; from < PENDING; from++) {
		struct page *page;

		bring(test, from, 1234);
		page = ksm_slot_map(chunk, SLOT);
		KUNIT_EXPECT_PTR_EQ(test, page, slot_page(chunk->slots[SLOT]) ?: zero_frame);
		KUNIT_EXPECT_TRUE(test, PageLocked(page));
		KUNIT_EXPECT_EQ(test, page_count(page), 2);
		unlock_page(page);
		put_page(page);
		KUNIT_EXPECT_TRUE(test, chunk->slots[SLOT] & SLOT_MAPPED);
		expect_state(test, from, "mapped");
		ksm_slot_unmapped(chunk, SLOT);
		KUNIT_EXPECT_FALSE(test, chunk->slots[SLOT] & SLOT_MAPPED);
		expect_state(test, from, "unmapped");
		ksm_slots_drop(chunk, SLOT, 1, false);
		mutex_unlock(&chunk->lock);
	}
}

static void drop_from(struct kunit *test, enum state from, bool mapped, bool zap)
{
	bring(test, from, 1234);
	ksm_slot_rest(chunk, SLOT, 3, now_tick);
	if (from != CLEAN)
		ksm_slot_set_nomerge(chunk, SLOT, true);
	if (mapped)
		map();
	zaps = 0;
	unpins = 0;
	ksm_slots_drop(chunk, SLOT, 1, zap);
	expect_state(test, EMPTY, state_names[from]);
	/* Of the place's own, KSM_UNMERGE stays. */
	KUNIT_EXPECT_EQ_MSG(test, chunk->slots[SLOT], from == CLEAN ? 0 : SLOT_NOMERGE, "%s",
			    state_names[from]);
	KUNIT_EXPECT_EQ_MSG(test, zaps, mapped && zap, "%s", state_names[from]);
	KUNIT_EXPECT_EQ_MSG(test, unpins, from == PENDING, "%s", state_names[from]);
	ksm_slot_set_nomerge(chunk, SLOT, false);
	KUNIT_EXPECT_EQ(test, chunk->slots[SLOT], 0);
	mutex_unlock(&chunk->lock);
}

static void ksm_states_drop_test(struct kunit *test)
{
	enum state from;

	for (from = EMPTY; from < STATES; from++) {
		drop_from(test, from, false, false);
		drop_from(test, from, false, true);
		if (from == PENDING)
			continue;
		drop_from(test, from, true, false);
		drop_from(test, from, true, true);
	}
}

/* A range goes in batches, each of which is unmapped in one go, if it has to be. */
static void ksm_states_drop_range_test(struct kunit *test)
{
	unsigned int i;

	quota.max = KSM_CHUNK_PAGES + 1;
	for (i = 0; i < KSM_CHUNK_PAGES; i++) {
		KUNIT_ASSERT_EQ(test, ksm_slot_lock(chunk, i, KSM_USE_WRITE, true), 0);
		if (i == DROP_BATCH + 7) {
			struct page *page = ksm_slot_map(chunk, i);

			unlock_page(page);
			put_page(page);
		}
		mutex_unlock(&chunk->lock);
	}
	KUNIT_EXPECT_EQ(test, atomic_long_read(&quota.used), KSM_CHUNK_PAGES + 1);
	mutex_lock(&chunk->lock);
	ksm_slots_drop(chunk, 5, 3 * DROP_BATCH, true);
	mutex_unlock(&chunk->lock);
	KUNIT_EXPECT_EQ(test, zaps, 1);
	KUNIT_EXPECT_EQ(test, zapped_first, FIRST + 5 + DROP_BATCH);
	KUNIT_EXPECT_EQ(test, zapped_pages, DROP_BATCH);
	KUNIT_EXPECT_TRUE(test, slot_held(chunk->slots[4]));
	KUNIT_EXPECT_FALSE(test, slot_held(chunk->slots[5]));
	KUNIT_EXPECT_FALSE(test, slot_held(chunk->slots[4 + 3 * DROP_BATCH]));
	KUNIT_EXPECT_TRUE(test, slot_held(chunk->slots[5 + 3 * DROP_BATCH]));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&area->counts.private),
			KSM_CHUNK_PAGES - 3 * DROP_BATCH);
}

/* KSM_UNMERGE: a candidate leaves the table, and nobody queues the chunk for such a page. */
static void ksm_states_nomerge_test(struct kunit *test)
{
	bring(test, CLEAN, 1234);
	ksm_slot_set_nomerge(chunk, SLOT, true);
	expect_state(test, PRIVATE, "told not to merge");
	KUNIT_EXPECT_TRUE(test, chunk->slots[SLOT] & SLOT_NOMERGE);
	ksm_slots_drop(chunk, SLOT, 1, false);
	mutex_unlock(&chunk->lock);
	queued = 0;
	KUNIT_ASSERT_EQ(test, ksm_slot_lock(chunk, SLOT, KSM_USE_WRITE, true), 0);
	KUNIT_EXPECT_TRUE(test, chunk->slots[SLOT] & SLOT_NOMERGE);
	KUNIT_EXPECT_EQ(test, queued, 0);
	ksm_slots_drop(chunk, SLOT, 1, false);
	ksm_slot_set_nomerge(chunk, SLOT, false);
	mutex_unlock(&chunk->lock);
	/* The same for all of a file. */
	area->nomerge = true;
	KUNIT_ASSERT_EQ(test, ksm_slot_lock(chunk, SLOT, KSM_USE_WRITE, true), 0);
	KUNIT_EXPECT_EQ(test, queued, 0);
	mutex_unlock(&chunk->lock);
}

static struct kunit_case ksm_states_cases[] = {
	KUNIT_CASE(ksm_states_valid_test),
	KUNIT_CASE_PARAM(ksm_states_use_test, use_gen_params),
	KUNIT_CASE_PARAM(ksm_states_use_zeroes_test, use_gen_params),
	KUNIT_CASE_PARAM(ksm_states_end_test, use_gen_params),
	KUNIT_CASE(ksm_states_quota_test),
	KUNIT_CASE(ksm_states_pending_error_test),
	KUNIT_CASE(ksm_states_poison_test),
	KUNIT_CASE(ksm_states_reader_test),
	KUNIT_CASE(ksm_states_unmerge_test),
	KUNIT_CASE(ksm_states_clean_test),
	KUNIT_CASE(ksm_states_level_test),
	KUNIT_CASE(ksm_states_promote_test),
	KUNIT_CASE(ksm_states_merge_test),
	KUNIT_CASE(ksm_states_take_over_test),
	KUNIT_CASE(ksm_states_resolve_test),
	KUNIT_CASE(ksm_states_map_test),
	KUNIT_CASE(ksm_states_drop_test),
	KUNIT_CASE(ksm_states_drop_range_test),
	KUNIT_CASE(ksm_states_nomerge_test),
	{ }
};

static struct kunit_suite ksm_states_suite = {
	.name = "ksmdev_states",
	.suite_init = ksm_states_suite_init,
	.suite_exit = ksm_states_suite_exit,
	.init = ksm_states_test_init,
	.exit = ksm_states_test_exit,
	.test_cases = ksm_states_cases,
};

kunit_test_suite(ksm_states_suite);

MODULE_DESCRIPTION("Tests of the changes of ksmdev's slots");
MODULE_LICENSE("GPL");
