// SPDX-License-Identifier: GPL-2.0
/*
 * Queues and passes of a domain: a chunk comes when it is due, neither before
 * nor much later, and once; passes begin and end.  The time is the test's.
 */
#include <kunit/test.h>
#include <linux/prandom.h>

#include "area.h"
#include "domain.h"
#include "pass.h"

/* No tracepoints here. */
#define _KSMDEV_TRACE_H
#define trace_ksm_pass_begin(...)	do { } while (0)
#define trace_ksm_pass_end(...)		do { } while (0)

static unsigned long now_tick;

#define slot_now()	now_tick

#include "knobs.c"
#include "pass.c"

static unsigned int released;

void ksm_area_put(struct ksm_area *area)
{
	released += kref_read(&area->ref) == 1;
	refcount_dec(&area->ref.refcount);
}

#define CHUNKS	64

static struct ksm_domain *d;
static struct ksm_area *area;
static struct ksm_chunk *chunks;

static int ksm_pass_test_init(struct kunit *test)
{
	unsigned int i;

	d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	area = kunit_kzalloc(test, sizeof(*area), GFP_KERNEL);
	chunks = kunit_kcalloc(test, CHUNKS, sizeof(*chunks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_ASSERT_NOT_NULL(test, chunks);
	memset(&ksm_knobs, 0, sizeof(ksm_knobs));
	now_tick = jiffies / (HZ / SLOT_TICKS_PER_SECOND);
	released = 0;
	kref_init(&d->ref);
	spin_lock_init(&d->queue_lock);
	ksm_pass_init(d);
	kref_init(&area->ref);
	area->domain = d;
	for (i = 0; i < CHUNKS; i++) {
		INIT_LIST_HEAD(&chunks[i].queue);
		chunks[i].area = area;
		chunks[i].first = i * KSM_CHUNK_PAGES;
	}
	return 0;
}

static void ksm_pass_test_exit(struct kunit *test)
{
	unsigned int i;

	if (!d || !chunks)
		return;
	for (i = 0; i < CHUNKS; i++)
		ksm_unqueue_chunk(&chunks[i]);
	ksm_pass_exit(d);
	KUNIT_EXPECT_FALSE(test, ksm_pass_pending());
	KUNIT_EXPECT_EQ(test, released, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&area->ref), 1);
	d = NULL;
}

/* Visits all chunks of the pass; returns how many, and which in @seen. */
static unsigned int visit_all(unsigned long *seen)
{
	static const struct ksm_scan_counts counts = { .scanned = 10, .merged = 1 };
	struct ksm_chunk *chunk;
	unsigned int n = 0;

	*seen = 0;
	while ((chunk = ksm_pass_take(d))) {
		*seen |= BIT(chunk - chunks);
		n++;
		ksm_pass_finish(d, chunk, &counts);
	}
	return n;
}

/* A pass of what is due now. */
static unsigned long pass(void)
{
	unsigned long seen;

	ksm_pass_begin(d);
	visit_all(&seen);
	return seen;
}

static void ksm_pass_due_test(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, ksm_domain_idle(d));
	ksm_queue_chunk(&chunks[0], 0);
	ksm_queue_chunk(&chunks[1], 1);
	ksm_queue_chunk(&chunks[2], 5);
	KUNIT_EXPECT_FALSE(test, ksm_domain_idle(d));
	KUNIT_EXPECT_EQ(test, pass(), BIT(0));
	KUNIT_EXPECT_EQ(test, pass(), 0);
	now_tick++;
	KUNIT_EXPECT_EQ(test, pass(), BIT(1));
	now_tick += 3;
	KUNIT_EXPECT_EQ(test, pass(), 0);
	now_tick++;
	KUNIT_EXPECT_EQ(test, pass(), BIT(2));
	KUNIT_EXPECT_TRUE(test, ksm_domain_idle(d));
}

/* The first one to be due counts; a later wish does not put it off. */
static void ksm_pass_sooner_test(struct kunit *test)
{
	ksm_queue_chunk(&chunks[0], 10);
	ksm_queue_chunk(&chunks[0], 20);
	KUNIT_EXPECT_EQ(test, d->earliest, now_tick + 10);
	ksm_queue_chunk(&chunks[0], 2);
	KUNIT_EXPECT_EQ(test, d->earliest, now_tick + 2);
	now_tick += 2;
	KUNIT_EXPECT_EQ(test, pass(), BIT(0));
	now_tick += 30;
	KUNIT_EXPECT_EQ(test, pass(), 0);
}

/* Beyond the wheel: looked at when it has gone round, and queued again. */
static void ksm_pass_far_test(struct kunit *test)
{
	ksm_queue_chunk(&chunks[0], 128);
	now_tick += KSM_WHEEL - 2;
	KUNIT_EXPECT_EQ(test, pass(), 0);
	now_tick++;
	KUNIT_EXPECT_EQ(test, pass(), BIT(0));
}

/* Nobody scanned for longer than the wheel is: nothing is lost. */
static void ksm_pass_late_test(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < CHUNKS; i++)
		ksm_queue_chunk(&chunks[i], i);
	now_tick += 1000;
	KUNIT_EXPECT_EQ(test, pass(), ~0ul);
	KUNIT_EXPECT_TRUE(test, ksm_domain_idle(d));
	ksm_queue_chunk(&chunks[3], 2);
	KUNIT_EXPECT_EQ(test, pass(), 0);
	now_tick += 2;
	KUNIT_EXPECT_EQ(test, pass(), BIT(3));
}

/* Against a list of when each is due. */
static void ksm_pass_random_test(struct kunit *test)
{
	unsigned long due[CHUNKS], seen, want;
	struct rnd_state rnd;
	unsigned int step, i;

	memset(due, 0xff, sizeof(due));
	prandom_seed_state(&rnd, 5);
	for (step = 0; step < 3000; step++) {
		unsigned int ticks = prandom_u32_state(&rnd) % 60;

		i = prandom_u32_state(&rnd) % CHUNKS;
		ksm_queue_chunk(&chunks[i], ticks);
		due[i] = min(due[i], now_tick + ticks);
		if (prandom_u32_state(&rnd) % 4)
			continue;
		now_tick += prandom_u32_state(&rnd) % 8;
		want = 0;
		for (i = 0; i < CHUNKS; i++) {
			if (due[i] > now_tick)
				continue;
			want |= BIT(i);
			due[i] = ~0ul;
		}
		seen = pass();
		KUNIT_ASSERT_EQ_MSG(test, seen, want, "step %u", step);
		want = KSM_NEVER;
		for (i = 0; i < CHUNKS; i++)
			want = min(want, due[i]);
		KUNIT_ASSERT_EQ_MSG(test, d->earliest, want, "step %u", step);
	}
}

/* ---- passes ---- */

static void ksm_pass_counts_test(struct kunit *test)
{
	unsigned long seen;

	ksm_queue_chunk(&chunks[0], 0);
	ksm_queue_chunk(&chunks[1], 0);
	KUNIT_EXPECT_FALSE(test, d->in_pass);
	ksm_pass_begin(d);
	KUNIT_EXPECT_TRUE(test, d->in_pass);
	KUNIT_EXPECT_EQ(test, d->pass, 1);
	/* What comes now is for the next one. */
	ksm_queue_chunk(&chunks[2], 0);
	KUNIT_EXPECT_EQ(test, visit_all(&seen), 2);
	KUNIT_EXPECT_EQ(test, seen, BIT(0) | BIT(1));
	KUNIT_EXPECT_FALSE(test, d->in_pass);
	KUNIT_EXPECT_EQ(test, d->passes_done, 1);
	KUNIT_EXPECT_EQ(test, d->counts.scanned, 20);
	KUNIT_EXPECT_EQ(test, d->total.merged, 2);
	KUNIT_EXPECT_EQ(test, pass(), BIT(2));
	KUNIT_EXPECT_EQ(test, d->counts.scanned, 10);
	KUNIT_EXPECT_EQ(test, d->total.scanned, 30);
	/* Nothing to do is no pass. */
	ksm_pass_begin(d);
	KUNIT_EXPECT_FALSE(test, d->in_pass);
	KUNIT_EXPECT_EQ(test, d->passes_done, 2);
}

/* It ends with the last chunk that is being visited, not the last taken. */
static void ksm_pass_threads_test(struct kunit *test)
{
	static const struct ksm_scan_counts none;
	struct ksm_chunk *first, *second;

	ksm_queue_chunk(&chunks[0], 0);
	ksm_queue_chunk(&chunks[1], 0);
	ksm_pass_begin(d);
	first = ksm_pass_take(d);
	second = ksm_pass_take(d);
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_ASSERT_NOT_NULL(test, second);
	KUNIT_EXPECT_NULL(test, ksm_pass_take(d));
	KUNIT_EXPECT_EQ(test, kref_read(&area->ref), 3);
	ksm_pass_finish(d, second, &none);
	KUNIT_EXPECT_TRUE(test, d->in_pass);
	/* The first one needs another visit in this pass. */
	ksm_requeue_chunk(first);
	ksm_pass_finish(d, first, &none);
	KUNIT_EXPECT_TRUE(test, d->in_pass);
	KUNIT_EXPECT_PTR_EQ(test, ksm_pass_take(d), first);
	ksm_pass_finish(d, first, &none);
	KUNIT_EXPECT_FALSE(test, d->in_pass);
}

/* The last chunk of a pass goes away: the pass ends. */
static void ksm_pass_unqueue_test(struct kunit *test)
{
	ksm_queue_chunk(&chunks[0], 0);
	ksm_queue_chunk(&chunks[1], 7);
	ksm_pass_begin(d);
	ksm_unqueue_chunk(&chunks[0]);
	KUNIT_EXPECT_FALSE(test, d->in_pass);
	KUNIT_EXPECT_EQ(test, d->passes_done, 1);
	KUNIT_EXPECT_EQ(test, d->earliest, now_tick + 7);
	ksm_unqueue_chunk(&chunks[1]);
	KUNIT_EXPECT_TRUE(test, ksm_domain_idle(d));
	KUNIT_EXPECT_FALSE(test, ksm_pass_pending());
}

/* KSM_SCAN: everything, whether it has rested or not. */
static void ksm_pass_scan_test(struct kunit *test)
{
	struct ksm_scan_counts before;

	ksm_queue_chunk(&chunks[0], 3);
	ksm_queue_chunk(&chunks[1], 60);
	KUNIT_EXPECT_EQ(test, ksm_scan_join(d, false, &before), 1);
	KUNIT_EXPECT_EQ(test, pass(), BIT(0) | BIT(1));
	KUNIT_EXPECT_EQ(test, d->rest_from, SLOT_LEVEL_SCAN);
	ksm_scan_leave(d, false);
	ksm_queue_chunk(&chunks[0], 3);
	KUNIT_EXPECT_EQ(test, pass(), 0);

	KUNIT_EXPECT_EQ(test, ksm_scan_join(d, true, &before), 2);
	KUNIT_EXPECT_EQ(test, before.scanned, 20);
	KUNIT_EXPECT_EQ(test, pass(), BIT(0));
	KUNIT_EXPECT_EQ(test, d->rest_from, SLOT_LEVEL_MAX + 1);
	ksm_scan_leave(d, true);
	KUNIT_EXPECT_EQ(test, d->scans | d->forced, 0);
}

/* The pass under way began too early to see all: two have to end. */
static void ksm_pass_join_late_test(struct kunit *test)
{
	struct ksm_scan_counts before;
	unsigned long seen;

	ksm_queue_chunk(&chunks[0], 0);
	ksm_pass_begin(d);
	KUNIT_EXPECT_EQ(test, ksm_scan_join(d, false, &before), 2);
	visit_all(&seen);
	ksm_scan_leave(d, false);
}

/*
 * In such a pass a chunk on its way, taken before it was due, is not put back on
 * the wheel by the next write to it.
 */
static void ksm_pass_keeps_todo_test(struct kunit *test)
{
	struct ksm_scan_counts before;
	unsigned long seen;

	ksm_queue_chunk(&chunks[0], 50);
	ksm_queue_chunk(&chunks[1], 50);
	ksm_scan_join(d, false, &before);
	ksm_pass_begin(d);
	ksm_queue_chunk(&chunks[0], 4);
	KUNIT_EXPECT_EQ(test, visit_all(&seen), 2);
	ksm_scan_leave(d, false);
}

/* ---- who is scanned next ---- */

static void ksm_pass_scannable_test(struct kunit *test)
{
	unsigned long seen;

	KUNIT_EXPECT_FALSE(test, ksm_pass_pending());
	KUNIT_EXPECT_NULL(test, ksm_pass_next_domain());
	ksm_queue_chunk(&chunks[0], 0);
	KUNIT_EXPECT_TRUE(test, ksm_pass_pending());
	KUNIT_EXPECT_PTR_EQ(test, ksm_pass_next_domain(), d);
	KUNIT_EXPECT_EQ(test, kref_read(&d->ref), 2);
	refcount_dec(&d->ref.refcount);
	ksm_pass_begin(d);
	visit_all(&seen);
	KUNIT_EXPECT_FALSE(test, ksm_pass_pending());
}

/* With a budget, the next pass does not begin at once. */
static void ksm_pass_budget_test(struct kunit *test)
{
	unsigned long seen;

	ksm_knobs.advisor = KSM_ADVISOR_CPU_BUDGET;
	ksm_knobs.sleep_millisecs = 60000;
	ksm_queue_chunk(&chunks[0], 0);
	ksm_pass_begin(d);
	visit_all(&seen);
	ksm_queue_chunk(&chunks[0], 0);
	KUNIT_EXPECT_FALSE(test, ksm_pass_pending());
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&d->wake));
	/* A shorter time holds for the wait that has begun, too. */
	ksm_knobs.sleep_millisecs = 0;
	ksm_pass_knobs_changed(d);
	KUNIT_EXPECT_TRUE(test, ksm_pass_pending());
}

static struct kunit_case ksm_pass_cases[] = {
	KUNIT_CASE(ksm_pass_due_test),
	KUNIT_CASE(ksm_pass_sooner_test),
	KUNIT_CASE(ksm_pass_far_test),
	KUNIT_CASE(ksm_pass_late_test),
	KUNIT_CASE(ksm_pass_random_test),
	KUNIT_CASE(ksm_pass_counts_test),
	KUNIT_CASE(ksm_pass_threads_test),
	KUNIT_CASE(ksm_pass_unqueue_test),
	KUNIT_CASE(ksm_pass_scan_test),
	KUNIT_CASE(ksm_pass_join_late_test),
	KUNIT_CASE(ksm_pass_keeps_todo_test),
	KUNIT_CASE(ksm_pass_scannable_test),
	KUNIT_CASE(ksm_pass_budget_test),
	{ }
};

static struct kunit_suite ksm_pass_suite = {
	.name = "ksmdev_pass",
	.init = ksm_pass_test_init,
	.exit = ksm_pass_test_exit,
	.test_cases = ksm_pass_cases,
};

kunit_test_suite(ksm_pass_suite);

MODULE_DESCRIPTION("Tests of ksmdev's queues and passes");
MODULE_LICENSE("GPL");
