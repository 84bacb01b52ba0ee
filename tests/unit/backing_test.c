// SPDX-License-Identifier: GPL-2.0
/*
 * Which addresses are memory of guests: what a reader of the set finds, and that
 * a backing comes only while no invalidation is in progress.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/prandom.h>

#include "mmu/backing.c"

#define BASE	0x7f0000000000ul

static struct kvml_backings *set;

static int backing_init(struct kunit *test)
{
	set = kunit_kzalloc(test, sizeof(*set), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, set);
	KUNIT_ASSERT_EQ(test, kvml_backings_init(set), 0);
	return 0;
}

/* Whatever a test leaves there. */
static void backing_exit(struct kunit *test)
{
	unsigned int tree = kvml_backings_active(set);
	struct kvml_backing *b;

	while ((b = kvml_backing_first(set, tree, 0, ULONG_MAX)) != NULL)
		kvml_backing_remove(set, b);
	kvml_backings_settle(set);
	KUNIT_EXPECT_TRUE(test, list_empty(&set->unsettled));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&set->tree[0].rb_root));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&set->tree[1].rb_root));
	kvml_backings_destroy(set);
}

/* Of a slot with pages @first to @first + @n of the process; its gfn is @id. */
static struct kvml_backing *new(struct kunit *test, unsigned int id,
				unsigned long first, unsigned long n)
{
	struct kvml_backing *b = kvml_backing_alloc(NULL, id, n,
						    BASE + (first << PAGE_SHIFT));

	KUNIT_ASSERT_NOT_NULL(test, b);
	return b;
}

static struct kvml_backing *add(struct kunit *test, unsigned int id,
				unsigned long first, unsigned long n)
{
	struct kvml_backing *b = new(test, id, first, n);

	kvml_backing_add(set, b);
	return b;
}

/* Gfns of those that have pages @first to @end, or-ed as bits; each once. */
static u64 found(struct kunit *test, unsigned long first, unsigned long end)
{
	unsigned long start = BASE + (first << PAGE_SHIFT);
	unsigned long last = BASE + (end << PAGE_SHIFT) - 1;
	int srcu = srcu_read_lock(&set->srcu);
	unsigned int tree = kvml_backings_active(set);
	struct kvml_backing *b;
	u64 bits = 0;

	for (b = kvml_backing_first(set, tree, start, last); b;
	     b = kvml_backing_next(b, tree, start, last)) {
		KUNIT_EXPECT_FALSE(test, bits & BIT_ULL(b->base));
		bits |= BIT_ULL(b->base);
	}
	srcu_read_unlock(&set->srcu, srcu);
	return bits;
}

static void backing_find_test(struct kunit *test)
{
	struct kvml_backing *b;

	KUNIT_EXPECT_EQ(test, found(test, 0, 100), 0);
	add(test, 0, 10, 4);
	b = add(test, 1, 14, 1);
	add(test, 2, 20, 10);
	/* The same pages once more, and pages around them all. */
	add(test, 3, 14, 1);
	add(test, 4, 5, 50);
	KUNIT_EXPECT_EQ(test, found(test, 0, 5), 0);
	KUNIT_EXPECT_EQ(test, found(test, 4, 6), BIT(4));
	KUNIT_EXPECT_EQ(test, found(test, 9, 10), BIT(4));
	KUNIT_EXPECT_EQ(test, found(test, 13, 14), BIT(0) | BIT(4));
	KUNIT_EXPECT_EQ(test, found(test, 14, 15), BIT(1) | BIT(3) | BIT(4));
	KUNIT_EXPECT_EQ(test, found(test, 0, 100), GENMASK(4, 0));
	kvml_backing_remove(set, b);
	KUNIT_EXPECT_EQ(test, found(test, 14, 15), BIT(3) | BIT(4));
	/* Whoever looked already has it still. */
	KUNIT_EXPECT_TRUE(test, b->gone);
	kvml_backings_settle(set);
	KUNIT_EXPECT_EQ(test, found(test, 14, 15), BIT(3) | BIT(4));
	KUNIT_EXPECT_EQ(test, found(test, 55, 100), 0);
}

static const struct gfns_case {
	const char *text;
	unsigned long start, end;	/* addresses behind BASE */
	kvml_gfn first, behind;
} gfns_cases[] = {
	{ "a page", 0x11000, 0x12000, 0x101, 0x102 },
	{ "all of it", 0x10000, 0x14000, 0x100, 0x104 },
	{ "more than it", 0, 0x100000, 0x100, 0x104 },
	{ "its start", 0, 0x11000, 0x100, 0x101 },
	{ "its end", 0x13000, 0x20000, 0x103, 0x104 },
	{ "parts of pages", 0x10800, 0x11001, 0x100, 0x102 },
};

static void backing_gfns_test(struct kunit *test)
{
	struct kvml_backing *b = add(test, 0x100, 0x10, 4);
	kvml_gfn first, behind;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gfns_cases); i++) {
		const struct gfns_case *c = &gfns_cases[i];

		kvml_backing_gfns(b, BASE + c->start, BASE + c->end, &first, &behind);
		KUNIT_EXPECT_EQ_MSG(test, first, c->first, "%s", c->text);
		KUNIT_EXPECT_EQ_MSG(test, behind, c->behind, "%s", c->text);
	}
	kvml_backing_gfns(b, 0, ULONG_MAX, &first, &behind);
	KUNIT_EXPECT_EQ(test, behind, 0x104);
}

/* ---- against a table ---- */

#define MODEL	40

struct model {
	struct kvml_backing *b;
	unsigned long first, n;
};

static void expect_model(struct kunit *test, const struct model *m,
			 unsigned long first, unsigned long end)
{
	u64 want = 0;
	unsigned int i;

	for (i = 0; i < MODEL; i++)
		if (m[i].b && m[i].first < end && first < m[i].first + m[i].n)
			want |= BIT_ULL(i);
	KUNIT_EXPECT_EQ(test, found(test, first, end), want);
}

static void backing_random_test(struct kunit *test)
{
	struct model *m = kunit_kcalloc(test, MODEL, sizeof(*m), GFP_KERNEL);
	unsigned int step, i;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&rnd, 8);
	for (step = 0; step < 600; step++) {
		i = prandom_u32_state(&rnd) % MODEL;
		if (m[i].b) {
			kvml_backing_remove(set, m[i].b);
			m[i].b = NULL;
		} else {
			m[i].first = prandom_u32_state(&rnd) % 200;
			m[i].n = 1 + prandom_u32_state(&rnd) % 20;
			m[i].b = add(test, i, m[i].first, m[i].n);
		}
		if (prandom_u32_state(&rnd) % 32 == 0)
			kvml_backings_settle(set);
		expect_model(test, m, 0, 300);
		i = prandom_u32_state(&rnd) % 200;
		expect_model(test, m, i, i + 1 + prandom_u32_state(&rnd) % 8);
	}
}

/* ---- invalidations in progress ---- */

static void count(int n)
{
	int srcu = srcu_read_lock(&set->srcu);

	kvml_backings_count(set, n);
	srcu_read_unlock(&set->srcu, srcu);
}

struct adder {
	struct kvml_backing *b;
	struct completion done;
};

static int add_one(void *arg)
{
	struct adder *a = arg;

	kvml_backing_add(set, a->b);
	complete(&a->done);
	return 0;
}

/* It waits for those that began before it, and for those that began since. */
static void backing_waits_test(struct kunit *test)
{
	struct adder a = { .b = new(test, 7, 10, 1) };
	struct task_struct *thread;

	init_completion(&a.done);
	count(1);
	thread = kthread_run(add_one, &a, "backing_test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	while (!READ_ONCE(set->exact))
		usleep_range(100, 200);
	/* More than a grace period takes. */
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&a.done, HZ / 10), 0);
	KUNIT_EXPECT_EQ(test, found(test, 10, 11), 0);
	count(1);
	count(-1);
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&a.done, HZ / 10), 0);
	KUNIT_EXPECT_EQ(test, found(test, 10, 11), 0);
	count(1);
	count(-1);
	count(-1);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&a.done, 10 * HZ), 0);
	KUNIT_EXPECT_EQ(test, found(test, 10, 11), BIT(7));
	KUNIT_EXPECT_FALSE(test, set->exact);
}

/* The end of one may be counted elsewhere than its start. */
static void backing_counts_test(struct kunit *test)
{
	/* Both in this CPU's, then both in the one. */
	count(1);
	count(-1);
	set->exact = true;
	count(1);
	count(-1);
	KUNIT_EXPECT_EQ(test, set->in_progress, 0);
	/* From one to the other. */
	count(1);
	set->exact = false;
	count(-1);
	add(test, 0, 0, 1);
	KUNIT_EXPECT_EQ(test, set->in_progress, 0);
	count(1);
	set->exact = true;
	count(-1);
	KUNIT_EXPECT_EQ(test, set->in_progress, -1);
	add(test, 1, 1, 1);
	KUNIT_EXPECT_EQ(test, set->in_progress, 0);
	KUNIT_EXPECT_EQ(test, found(test, 0, 2), BIT(0) | BIT(1));
}

static struct kunit_case backing_cases[] = {
	KUNIT_CASE(backing_find_test),
	KUNIT_CASE(backing_gfns_test),
	KUNIT_CASE(backing_random_test),
	KUNIT_CASE(backing_waits_test),
	KUNIT_CASE(backing_counts_test),
	{ }
};

static struct kunit_suite backing_suite = {
	.name = "kvmlite_backing",
	.init = backing_init,
	.exit = backing_exit,
	.test_cases = backing_cases,
};

kunit_test_suite(backing_suite);

MODULE_DESCRIPTION("Tests of kvmlite's backings of slots");
MODULE_LICENSE("GPL");
