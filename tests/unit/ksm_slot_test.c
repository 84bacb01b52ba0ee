// SPDX-License-Identifier: GPL-2.0
/* The word of a slot: states, what stays when a frame changes, and rests. */
#include <kunit/test.h>

#include "slot.h"

struct ksm_knobs ksm_knobs;

/* Only its number is looked at. */
#define FRAME	pfn_to_page(0x1234)
#define OTHER	pfn_to_page(0x4321)

static void ksm_slot_states_test(struct kunit *test)
{
	ksm_slot_t slot = 0;

	KUNIT_EXPECT_FALSE(test, slot_has_frame(slot));
	KUNIT_EXPECT_NULL(test, slot_page(slot));
	KUNIT_EXPECT_FALSE(test, slot_merged(slot));

	slot = slot_make(slot, FRAME, SLOT_MAPPED);
	KUNIT_EXPECT_TRUE(test, slot_has_frame(slot));
	KUNIT_EXPECT_PTR_EQ(test, slot_page(slot), FRAME);
	KUNIT_EXPECT_FALSE(test, slot_merged(slot));

	slot |= SLOT_CLEAN;
	slot = slot_make(slot, OTHER, SLOT_STABLE);
	KUNIT_EXPECT_PTR_EQ(test, slot_page(slot), OTHER);
	KUNIT_EXPECT_TRUE(test, slot_merged(slot));
	KUNIT_EXPECT_EQ(test, slot & (SLOT_CLEAN | SLOT_MAPPED), 0);

	slot = slot_make(slot, NULL, SLOT_ZERO);
	KUNIT_EXPECT_FALSE(test, slot_has_frame(slot));
	KUNIT_EXPECT_TRUE(test, slot_merged(slot));

	slot = slot_make(slot, FRAME, SLOT_PENDING);
	KUNIT_EXPECT_PTR_EQ(test, slot_page(slot), FRAME);
	KUNIT_EXPECT_FALSE(test, slot_merged(slot));
}

/* KSM_UNMERGE, level and tick are of the place and outlive its frames. */
static void ksm_slot_sticky_test(struct kunit *test)
{
	ksm_slot_t slot;
	unsigned int level;

	for (level = 0; level <= SLOT_LEVEL_MAX; level++) {
		slot = slot_set_rest(SLOT_NOMERGE, level, 0xab);
		slot = slot_make(slot | ~(u64)(SLOT_STICKY), FRAME,
				 SLOT_STABLE | SLOT_MAPPED);
		KUNIT_EXPECT_PTR_EQ(test, slot_page(slot), FRAME);
		KUNIT_EXPECT_EQ(test, slot_level(slot), level);
		KUNIT_EXPECT_EQ(test, slot & SLOT_TICK_MASK,
				0xabull << SLOT_TICK_SHIFT);
		KUNIT_EXPECT_EQ(test, slot & (BIT_ULL(SLOT_LEVEL_SHIFT) - 1),
				SLOT_STABLE | SLOT_MAPPED | SLOT_NOMERGE);
	}
}

/* No two parts of the word overlap. */
static void ksm_slot_layout_test(struct kunit *test)
{
	static const u64 parts[] = {
		SLOT_CLEAN, SLOT_STABLE, SLOT_ZERO, SLOT_PENDING, SLOT_MAPPED,
		SLOT_NOMERGE, SLOT_LEVEL_MASK, SLOT_TICK_MASK,
		~0ull << SLOT_PFN_SHIFT,
	};
	unsigned int i;
	u64 seen = 0;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		KUNIT_EXPECT_EQ(test, seen & parts[i], 0);
		seen |= parts[i];
	}
	KUNIT_EXPECT_LE(test, SLOT_LEVEL_MAX,
			SLOT_LEVEL_MASK >> SLOT_LEVEL_SHIFT);
	/* Of the ages that a tick's byte tells apart, rests take half. */
	KUNIT_EXPECT_LE(test, SLOT_REST_MAX, 128);
}

/* Frames as high as x86 has physical addresses. */
static void ksm_slot_high_frame_test(struct kunit *test)
{
	struct page *page = pfn_to_page(BIT(40) - 1);
	ksm_slot_t slot = slot_make(~0ull, page, SLOT_CLEAN);

	KUNIT_EXPECT_PTR_EQ(test, slot_page(slot), page);
	KUNIT_EXPECT_EQ(test, slot_level(slot), 7);
}

static const struct rest_case {
	unsigned int millisecs;
	unsigned int level;
	unsigned int ticks;
} rest_cases[] = {
	{ 0, 0, 0 }, { 0, 6, 0 },
	{ 1, 0, 1 }, { 250, 0, 1 }, { 251, 0, 2 }, { 1000, 0, 4 },
	{ 1000, 1, 8 }, { 1000, 4, 64 }, { 1000, 5, 128 }, { 1000, 6, 128 },
	{ 250, 6, 64 },
	{ KSM_REST_MS_MAX, 0, 120 }, { KSM_REST_MS_MAX, 1, 128 },
	{ KSM_REST_MS_MAX, 6, 128 },
};

static void ksm_slot_rest_test(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rest_cases); i++) {
		const struct rest_case *c = &rest_cases[i];

		ksm_knobs.rest_millisecs = c->millisecs;
		KUNIT_EXPECT_EQ_MSG(test, slot_rest(c->level), c->ticks,
				    "%u ms at level %u", c->millisecs,
				    c->level);
	}
}

/* From each tick on, also where its byte wraps. */
static void ksm_slot_rest_left_test(struct kunit *test)
{
	unsigned long written, age;
	ksm_slot_t slot;

	ksm_knobs.rest_millisecs = 1000;
	for (written = 0x1f0; written < 0x310; written += 7) {
		slot = slot_set_rest(0, 2, written);
		for (age = 0; age < 16; age++)
			KUNIT_EXPECT_EQ_MSG(test,
					    slot_rest_left(slot, written + age),
					    16 - age, "written %lx age %lu",
					    written, age);
		for (; age < 256; age += 15)
			KUNIT_EXPECT_EQ_MSG(test,
					    slot_rest_left(slot, written + age),
					    0, "written %lx age %lu", written,
					    age);
	}
}

static void ksm_slot_set_rest_test(struct kunit *test)
{
	ksm_slot_t slot = slot_make(0, FRAME, SLOT_MAPPED);

	slot = slot_set_rest(slot, 6, 0xff);
	slot = slot_set_rest(slot, 1, 0x100);
	KUNIT_EXPECT_EQ(test, slot_level(slot), 1);
	KUNIT_EXPECT_EQ(test, slot & SLOT_TICK_MASK, 0);
	KUNIT_EXPECT_PTR_EQ(test, slot_page(slot), FRAME);
	KUNIT_EXPECT_TRUE(test, slot & SLOT_MAPPED);
}

static struct kunit_case ksm_slot_cases[] = {
	KUNIT_CASE(ksm_slot_states_test),
	KUNIT_CASE(ksm_slot_sticky_test),
	KUNIT_CASE(ksm_slot_layout_test),
	KUNIT_CASE(ksm_slot_high_frame_test),
	KUNIT_CASE(ksm_slot_rest_test),
	KUNIT_CASE(ksm_slot_rest_left_test),
	KUNIT_CASE(ksm_slot_set_rest_test),
	{ }
};

static struct kunit_suite ksm_slot_suite = {
	.name = "ksmdev_slot",
	.test_cases = ksm_slot_cases,
};

kunit_test_suite(ksm_slot_suite);

MODULE_DESCRIPTION("Tests of ksmdev's slots");
MODULE_LICENSE("GPL");
