// SPDX-License-Identifier: GPL-2.0
/*
 * How the scanner is paced: what share of the CPU a thread takes, how much it does
 * at a time, and when KSM_SCAN has done enough.
 */
#include <kunit/test.h>

#include "scand.c"

struct ksm_knobs ksm_knobs;
struct ksm_totals ksm_totals;
wait_queue_head_t ksm_pass_wait;

/* ---- in place of pass.c and scan.c: passes of so many chunks ---- */

static struct ksm_domain *domain;
static struct ksm_scanner scanner;
static unsigned int chunks_left, chunks_each, pages_each, begun;

void ksm_pass_begin(struct ksm_domain *d)
{
	if (d->in_pass)
		return;
	chunks_left = chunks_each;
	d->in_pass = chunks_left;
	begun += d->in_pass;
}

bool ksm_scan_step(struct ksm_scanner *s, struct ksm_domain *d)
{
	if (!chunks_left)
		return false;
	s->counts.scanned = pages_each;
	d->total.scanned += pages_each;
	if (!--chunks_left) {
		d->in_pass = false;
		d->passes_done++;
	}
	return true;
}

bool ksm_domain_idle(struct ksm_domain *d)
{
	return !d->in_pass && !chunks_each;
}

bool ksm_pass_pending(void)
{
	return false;
}

struct ksm_domain *ksm_pass_next_domain(void)
{
	return NULL;
}

struct ksm_scanner *ksm_scanner_new(void)
{
	return &scanner;
}

void ksm_scanner_free(struct ksm_scanner *s)
{
}

void ksm_scanner_rest(struct ksm_scanner *s)
{
}

void ksm_domain_put(struct ksm_domain *d)
{
}

unsigned long ksm_scan_join(struct ksm_domain *d, bool force,
			    struct ksm_scan_counts *before)
{
	*before = d->total;
	d->scans++;
	return d->passes_done + 1 + d->in_pass;
}

void ksm_scan_leave(struct ksm_domain *d, bool force)
{
	d->scans--;
}

static int ksm_governor_test_init(struct kunit *test)
{
	domain = kunit_kzalloc(test, sizeof(*domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, domain);
	spin_lock_init(&domain->queue_lock);
	init_waitqueue_head(&domain->pass_done);
	memset(&ksm_knobs, 0, sizeof(ksm_knobs));
	ksm_knobs.run = KSM_RUN_MERGE;
	memset(&scanner, 0, sizeof(scanner));
	chunks_left = 0;
	chunks_each = 5;
	pages_each = 10;
	begun = 0;
	return 0;
}

/* ---- cpu-budget: a share of the time that a thread takes ---- */

static const struct budget_case {
	unsigned int max_cpu, threads;
	u64 worked, pause;
} budget_cases[] = {
	{ 100, 1, 1000, 0 },
	{ 50, 1, 1000, 1000 },
	{ 20, 1, 1000, 4000 },
	{ 1, 1, 1000, 99000 },
	{ 75, 1, 3000, 1000 },
	/* The threads share it, if it is less than one percent for each, too. */
	{ 100, 2, 1000, 1000 },
	{ 50, 5, 1000, 9000 },
	{ 200, 2, 1000, 0 },
	{ 400, 2, 1000, 0 },
	{ 10, 64, 1000, 639000 },
	{ 1, 64, 1000, 6399000 },
	{ 6400, 64, 1000, 0 },
	{ 50, 1, 0, 0 },
	/* An hour of work does not overflow. */
	{ 1, 64, 3600ull * NSEC_PER_SEC, 6399 * 3600ull * NSEC_PER_SEC },
};

static void ksm_budget_test(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(budget_cases); i++) {
		const struct budget_case *c = &budget_cases[i];

		ksm_knobs.max_cpu = c->max_cpu;
		ksm_knobs.scan_threads = c->threads;
		KUNIT_EXPECT_EQ_MSG(test, budget_pause(c->worked), c->pause,
				    "%u %% for %u threads", c->max_cpu,
				    c->threads);
	}
}

/* ---- a batch ---- */

/* KSM's knobs: so many pages, then sleep. */
static void ksm_batch_pages_test(struct kunit *test)
{
	ksm_knobs.pages_to_scan = 25;
	ksm_knobs.sleep_millisecs = 20;
	KUNIT_EXPECT_EQ(test, scan_batch(&scanner, domain), 20 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, domain->total.scanned, 30);
	/* The same pass goes on. */
	KUNIT_EXPECT_EQ(test, scan_batch(&scanner, domain), 20 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, domain->total.scanned, 50);
	KUNIT_EXPECT_EQ(test, begun, 1);
}

/* With a budget, a chunk at a time, and the pause is of what it took. */
static void ksm_batch_budget_test(struct kunit *test)
{
	ksm_knobs.advisor = KSM_ADVISOR_CPU_BUDGET;
	ksm_knobs.max_cpu = 100;
	ksm_knobs.scan_threads = 1;
	KUNIT_EXPECT_EQ(test, scan_batch(&scanner, domain), 0);
	KUNIT_EXPECT_EQ(test, domain->total.scanned, 10);
	ksm_knobs.max_cpu = 1;
	KUNIT_EXPECT_GT(test, scan_batch(&scanner, domain), 0);
}

/* Who told the threads to stop does not wait for the pages that a batch had left. */
static void ksm_batch_stopped_test(struct kunit *test)
{
	ksm_knobs.pages_to_scan = UINT_MAX;
	ksm_knobs.run = KSM_RUN_UNMERGE;
	scan_batch(&scanner, domain);
	KUNIT_EXPECT_EQ(test, domain->total.scanned, 0);
}

/* Other threads have the last chunks: no spinning until they are done. */
static void ksm_batch_others_test(struct kunit *test)
{
	ksm_knobs.advisor = KSM_ADVISOR_CPU_BUDGET;
	domain->in_pass = true;
	KUNIT_EXPECT_EQ(test, scan_batch(&scanner, domain), MIN_SLEEP_NS);
	KUNIT_EXPECT_EQ(test, begun, 0);
}

/* ---- KSM_SCAN ---- */

static void ksm_scan_now_test(struct kunit *test)
{
	struct ksm_scan arg = { };

	KUNIT_EXPECT_EQ(test, ksm_scan_now(domain, &arg), 0);
	KUNIT_EXPECT_EQ(test, arg.pages_scanned, 50);
	KUNIT_EXPECT_EQ(test, arg.passes, 1);
	KUNIT_EXPECT_EQ(test, domain->scans, 0);
	/* The pass under way began too early: it and another one. */
	memset(&arg, 0, sizeof(arg));
	ksm_pass_begin(domain);
	KUNIT_EXPECT_EQ(test, ksm_scan_now(domain, &arg), 0);
	KUNIT_EXPECT_EQ(test, arg.pages_scanned, 100);
	KUNIT_EXPECT_EQ(test, arg.passes, 3);
	/* Nothing to do is done at once. */
	memset(&arg, 0, sizeof(arg));
	chunks_each = 0;
	KUNIT_EXPECT_EQ(test, ksm_scan_now(domain, &arg), 0);
	KUNIT_EXPECT_EQ(test, arg.pages_scanned, 0);
}

static struct kunit_case ksm_governor_cases[] = {
	KUNIT_CASE(ksm_budget_test),
	KUNIT_CASE(ksm_batch_pages_test),
	KUNIT_CASE(ksm_batch_budget_test),
	KUNIT_CASE(ksm_batch_stopped_test),
	KUNIT_CASE(ksm_batch_others_test),
	KUNIT_CASE(ksm_scan_now_test),
	{ }
};

static struct kunit_suite ksm_governor_suite = {
	.name = "ksmdev_governor",
	.init = ksm_governor_test_init,
	.test_cases = ksm_governor_cases,
};

kunit_test_suite(ksm_governor_suite);

MODULE_DESCRIPTION("Tests of ksmdev's pacing");
MODULE_LICENSE("GPL");
