// SPDX-License-Identifier: GPL-2.0
/* Scan threads and KSM_SCAN. See scand.h. */
#include <linux/freezer.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/ksmdev.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "area.h"
#include "domain.h"
#include "knobs.h"
#include "pass.h"
#include "scan.h"
#include "scand.h"

/* Shorter sleeps are saved up. */
#define MIN_SLEEP_NS (NSEC_PER_MSEC)

static DEFINE_MUTEX(threads_lock);	/* guards threads, nr_threads, gone_ns */
static struct {
	struct task_struct *task;
	struct ksm_scanner *scanner;
} threads[KSM_MAX_THREADS];
static unsigned int nr_threads;
static u64 gone_ns;			/* CPU time of threads that ended */

/* Held for reading during each step: who has it for writing knows that nobody merges. */
static DECLARE_RWSEM(steps_lock);

/* Wait until no step is under way, and let none begin: to be called for a short time. */
void ksm_scand_pause(void)
{
	down_write(&steps_lock);
}

void ksm_scand_resume(void)
{
	up_write(&steps_lock);
}

static unsigned int wakeups;		/* threads_lock; threads read it without */

/* Pauses that were reckoned with the knobs of before end. */
void ksm_scand_wake(void)
{
	unsigned int i;

	mutex_lock(&threads_lock);
	WRITE_ONCE(wakeups, wakeups + 1);
	for (i = 0; i < nr_threads; i++)
		wake_up_process(threads[i].task);
	mutex_unlock(&threads_lock);
}

/* @seen is what @wakeups was before @ns was reckoned. */
static void sleep_ns(u64 ns, unsigned int seen)
{
	ktime_t t = ns_to_ktime(ns);

	set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
	if (kthread_should_stop() || READ_ONCE(wakeups) != seen)
		__set_current_state(TASK_RUNNING);
	else
		schedule_hrtimeout_range(&t, ns >> 4, HRTIMER_MODE_REL);
}

/*
 * cpu-budget: how long to pause after @worked ns, to keep to a thread's share, which is
 * max_cpu / threads percent and may be less than one.
 */
static u64 budget_pause(u64 worked)
{
	unsigned int max_cpu = READ_ONCE(ksm_knobs.max_cpu);
	unsigned int all = 100 * READ_ONCE(ksm_knobs.scan_threads);

	return all > max_cpu ? div_u64(worked * (all - max_cpu), max_cpu) : 0;
}

/* Begin a pass unless one is under way. */
static void join_pass(struct ksm_domain *d)
{
	if (READ_ONCE(d->in_pass))
		return;
	ksm_pass_begin(d);
}

/* A step of a scan thread: none if it was told to stop. */
static bool thread_step(struct ksm_scanner *s, struct ksm_domain *d)
{
	bool more = false;

	down_read(&steps_lock);
	if (READ_ONCE(ksm_knobs.run) == KSM_RUN_MERGE && !kthread_should_stop())
		more = ksm_scan_step(s, d);
	up_read(&steps_lock);
	return more;
}

/* Visit pages until @max; returns how many. */
static unsigned long scan_pages(struct ksm_scanner *s, struct ksm_domain *d,
				unsigned long max)
{
	unsigned long pages = 0;

	while (pages < max && thread_step(s, d)) {
		pages += s->counts.scanned;
		cond_resched();
	}
	return pages;
}

/* A batch of work on @d; returns how long to pause after it, in ns. */
static u64 scan_batch(struct ksm_scanner *s, struct ksm_domain *d)
{
	bool budget = READ_ONCE(ksm_knobs.advisor) == KSM_ADVISOR_CPU_BUDGET;
	u64 start = ktime_get_ns();
	unsigned long pages;

	join_pass(d);
	pages = scan_pages(s, d, budget ? 1 :
			   READ_ONCE(ksm_knobs.pages_to_scan));
	if (!pages && READ_ONCE(d->in_pass))
		return MIN_SLEEP_NS;	/* others do the last chunks */
	if (budget)
		return budget_pause(ktime_get_ns() - start);
	return (u64)READ_ONCE(ksm_knobs.sleep_millisecs) * NSEC_PER_MSEC;
}

static bool work_to_do(void)
{
	return READ_ONCE(ksm_knobs.run) == KSM_RUN_MERGE && ksm_pass_pending();
}

static int scand(void *arg)
{
	struct ksm_scanner *s = arg;
	struct ksm_domain *d;
	unsigned int seen;
	u64 pause = 0;

	set_freezable();
	set_user_nice(current, 5);
	while (!kthread_should_stop()) {
		if (!work_to_do()) {
			ksm_scanner_rest(s);
			wait_event_freezable(ksm_pass_wait, work_to_do() ||
					     kthread_should_stop());
			continue;
		}
		try_to_freeze();
		d = ksm_pass_next_domain();
		if (!d)
			continue;
		seen = READ_ONCE(wakeups);
		pause += scan_batch(s, d);
		ksm_domain_put(d);
		if (pause < MIN_SLEEP_NS)
			continue;
		ksm_scanner_rest(s);
		sleep_ns(pause, seen);
		pause = 0;
	}
	return 0;
}

static int thread_start(unsigned int i)
{
	struct ksm_scanner *s = ksm_scanner_new();
	struct task_struct *t;

	if (!s)
		return -ENOMEM;
	t = kthread_create(scand, s, "ksmdev/%u", i);
	if (IS_ERR(t)) {
		ksm_scanner_free(s);
		return PTR_ERR(t);
	}
	threads[i].task = get_task_struct(t);
	threads[i].scanner = s;
	wake_up_process(t);
	return 0;
}

/* A thread that is stopped before it first runs never enters scand(). */
static void thread_stop(unsigned int i)
{
	kthread_stop(threads[i].task);
	ksm_scanner_free(threads[i].scanner);
	gone_ns += threads[i].task->se.sum_exec_runtime;
	put_task_struct(threads[i].task);
	threads[i].task = NULL;
}

/* Have @nr scan threads. Those that could be started stay: -ENOMEM. */
int ksm_scand_set_threads(unsigned int nr)
{
	int err = 0;

	mutex_lock(&threads_lock);
	while (nr_threads > nr)
		thread_stop(--nr_threads);
	while (nr_threads < nr && !err) {
		err = thread_start(nr_threads);
		if (!err)
			nr_threads++;
	}
	mutex_unlock(&threads_lock);
	return err;
}

/* CPU time of all scan threads, exact while they sleep, and of KSM_SCAN. */
u64 ksm_scand_cpu_ns(void)
{
	u64 ns;
	unsigned int i;

	mutex_lock(&threads_lock);
	ns = gone_ns + atomic64_read(&ksm_totals.scan_cpu_ns);
	for (i = 0; i < nr_threads; i++)
		ns += READ_ONCE(threads[i].task->se.sum_exec_runtime);
	mutex_unlock(&threads_lock);
	return ns;
}

/* ---- KSM_SCAN ---- */

static bool call_step(struct ksm_scanner *s, struct ksm_domain *d)
{
	bool more;

	down_read(&steps_lock);
	more = ksm_scan_step(s, d);
	up_read(&steps_lock);
	return more;
}

/* Visit what is left of the pass; the time that takes counts as CPU time. */
static int scan_all(struct ksm_scanner *s, struct ksm_domain *d)
{
	u64 start = ktime_get_ns();

	while (!signal_pending(current) && call_step(s, d))
		cond_resched();
	atomic64_add(ktime_get_ns() - start, &ksm_totals.scan_cpu_ns);
	return signal_pending(current) ? -EINTR : 0;
}

static bool pass_ended(struct ksm_domain *d, unsigned long done)
{
	return !READ_ONCE(d->in_pass) || READ_ONCE(d->passes_done) != done;
}

/*
 * Take part in passes until @wanted have ended: the one under way began too
 * early to see everything that was written before the call.
 */
static int scan_until(struct ksm_scanner *s, struct ksm_domain *d,
		      unsigned long wanted)
{
	unsigned long done;

	while ((done = READ_ONCE(d->passes_done)) < wanted) {
		ksm_pass_begin(d);
		if (scan_all(s, d))
			return -EINTR;
		if (ksm_domain_idle(d))
			return 0;
		if (wait_event_interruptible(d->pass_done,
					     pass_ended(d, done)))
			return -EINTR;
	}
	return 0;
}

static void scan_report(struct ksm_domain *d, struct ksm_scan *arg,
			const struct ksm_scan_counts *before)
{
	spin_lock(&d->queue_lock);
	arg->pages_scanned = d->total.scanned - before->scanned;
	arg->pages_hashed = d->total.hashed - before->hashed;
	arg->pages_merged = d->total.merged - before->merged;
	arg->pages_zero = d->total.zero - before->zero;
	arg->pages_skipped = d->total.skipped - before->skipped;
	arg->pages_volatile = d->total.is_volatile - before->is_volatile;
	arg->passes = d->passes_done;
	spin_unlock(&d->queue_lock);
}

/*
 * KSM_SCAN: a full pass over the domain @d.  arg->flags are valid.  -ENOMEM, -EINTR.
 */
int ksm_scan_now(struct ksm_domain *d, struct ksm_scan *arg)
{
	bool force = arg->flags & KSM_SCAN_FORCE;
	struct ksm_scanner *s = ksm_scanner_new();
	struct ksm_scan_counts before;
	unsigned long wanted;
	int err;

	if (!s)
		return -ENOMEM;
	wanted = ksm_scan_join(d, force, &before);
	err = scan_until(s, d, wanted);
	ksm_scan_leave(d, force);
	scan_report(d, arg, &before);
	ksm_scanner_free(s);
	return err;
}
