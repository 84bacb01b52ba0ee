// SPDX-License-Identifier: GPL-2.0
/* Queues and passes of a domain. See pass.h and domain.h. */
#include <linux/jiffies.h>
#include <linux/spinlock.h>

#include "area.h"
#include "domain.h"
#include "knobs.h"
#include "pass.h"
#include "trace.h"

DECLARE_WAIT_QUEUE_HEAD(ksm_pass_wait);

/* Domains with queued chunks, in turn; inside a domain's queue_lock. */
static DEFINE_SPINLOCK(scannable_lock);
static LIST_HEAD(scannable);

static void domain_set_scannable(struct ksm_domain *d)
{
	bool wake = false;

	spin_lock(&scannable_lock);
	if (list_empty(&d->scannable)) {
		list_add_tail(&d->scannable, &scannable);
		wake = true;
	}
	spin_unlock(&scannable_lock);
	if (wake && wq_has_sleeper(&ksm_pass_wait))
		wake_up(&ksm_pass_wait);
}

static void domain_clear_scannable(struct ksm_domain *d)
{
	spin_lock(&scannable_lock);
	list_del_init(&d->scannable);
	spin_unlock(&scannable_lock);
}

/* Jiffies until scan threads may begin a pass. */
static unsigned long pass_wait(struct ksm_domain *d)
{
	unsigned long start = d->earliest * (HZ / SLOT_TICKS_PER_SECOND);
	unsigned long now = jiffies, gap;

	/* With a budget, passes do not begin one right after the other. */
	if (d->passes_done && READ_ONCE(ksm_knobs.advisor) == KSM_ADVISOR_CPU_BUDGET) {
		gap = msecs_to_jiffies(READ_ONCE(ksm_knobs.sleep_millisecs));
		if (time_before(start, d->last_end + gap))
			start = d->last_end + gap;
	}
	return time_after(start, now) ? start - now : 0;
}

/* Scan threads have something to do here: now, or when @wake runs, or not. */
static void domain_update_scannable(struct ksm_domain *d)
{
	unsigned long wait = 0;
	bool work;

	lockdep_assert_held(&d->queue_lock);
	if (d->in_pass) {
		work = !list_empty(&d->todo);
	} else {
		work = d->earliest != KSM_NEVER;
		wait = work ? pass_wait(d) : 0;
	}
	if (work && !wait)
		domain_set_scannable(d);
	else
		domain_clear_scannable(d);
	if (wait)
		mod_delayed_work(system_power_efficient_wq, &d->wake, wait);
}

/* The knobs say something else about when the next pass may begin. */
void ksm_pass_knobs_changed(struct ksm_domain *d)
{
	spin_lock(&d->queue_lock);
	domain_update_scannable(d);
	spin_unlock(&d->queue_lock);
}

static void domain_wake(struct work_struct *work)
{
	ksm_pass_knobs_changed(container_of(to_delayed_work(work), struct ksm_domain, wake));
}

void ksm_pass_init(struct ksm_domain *d)
{
	unsigned int i;

	for (i = 0; i < KSM_WHEEL; i++)
		INIT_LIST_HEAD(&d->wheel[i]);
	INIT_LIST_HEAD(&d->todo);
	INIT_LIST_HEAD(&d->scannable);
	d->earliest = KSM_NEVER;
	INIT_DELAYED_WORK(&d->wake, domain_wake);
	init_waitqueue_head(&d->pass_done);
}

/* Nothing queues chunks of @d any more. */
void ksm_pass_exit(struct ksm_domain *d)
{
	cancel_delayed_work_sync(&d->wake);
}

/* Put the chunk on the wheel. Must hold d->queue_lock. */
static void wheel_add(struct ksm_domain *d, struct ksm_chunk *chunk,
		      unsigned long due)
{
	if (d->earliest == KSM_NEVER)
		d->wheel_tick = slot_now() - 1;
	due = clamp(due, d->wheel_tick + 1, d->wheel_tick + KSM_WHEEL);
	chunk->due = due;
	list_move_tail(&chunk->queue, &d->wheel[due % KSM_WHEEL]);
	if (due < d->earliest) {
		d->earliest = due;
		domain_update_scannable(d);
	}
}

/* The tick for which the first chunk on the wheel is queued. */
static unsigned long wheel_earliest(struct ksm_domain *d)
{
	unsigned long tick = d->wheel_tick + 1;

	for (; tick <= d->wheel_tick + KSM_WHEEL; tick++)
		if (!list_empty(&d->wheel[tick % KSM_WHEEL]))
			return tick;
	return KSM_NEVER;
}

/* Exact, as a domain that may go away must not be scannable. */
static void wheel_left(struct ksm_domain *d, const struct ksm_chunk *chunk)
{
	if (chunk->due == d->earliest)
		d->earliest = wheel_earliest(d);
}

/* Move the chunks that are due, or all, to @todo. */
static void wheel_take(struct ksm_domain *d, bool all)
{
	unsigned long tick = d->wheel_tick + 1, now = slot_now();
	unsigned long end = d->wheel_tick + KSM_WHEEL;

	if (!all)
		end = min(end, now);
	for (; tick <= end; tick++)
		list_splice_tail_init(&d->wheel[tick % KSM_WHEEL], &d->todo);
	/* More may come for this tick. */
	d->wheel_tick = now - 1;
	d->earliest = wheel_earliest(d);
}

/*
 * Is the chunk in a queue from which it comes in time, if it is to be visited at @due?
 * One that a pass has taken from the wheel was due by then, but for passes of KSM_SCAN.
 */
static bool is_early_enough(const struct ksm_chunk *chunk, unsigned long due)
{
	return !list_empty_careful(&chunk->queue) && chunk->due <= due;
}

/*
 * The chunk has a page to look at after @ticks.  Must hold chunk->lock.  A chunk of the
 * pass under way stays with it: nobody else would end the pass.
 */
void ksm_queue_chunk(struct ksm_chunk *chunk, unsigned int ticks)
{
	struct ksm_domain *d = chunk->area->domain;

	if (is_early_enough(chunk, slot_now() + ticks))
		return;
	spin_lock(&d->queue_lock);
	/* With the time of now: a pass that began meanwhile took what was due. */
	if (list_empty(&chunk->queue) ||
	    (!is_early_enough(chunk, slot_now() + ticks) && !(d->in_pass && d->rest_from)))
		wheel_add(d, chunk, slot_now() + ticks);
	spin_unlock(&d->queue_lock);
}

/*
 * The chunk needs another visit in this pass: another thread had locked what
 * it needed.  Must hold chunk->lock; the pass is under way.
 */
void ksm_requeue_chunk(struct ksm_chunk *chunk)
{
	struct ksm_domain *d = chunk->area->domain;

	spin_lock(&d->queue_lock);
	list_move_tail(&chunk->queue, &d->todo);
	/* It may have been on the wheel, and is not any more. */
	wheel_left(d, chunk);
	chunk->due = slot_now();
	spin_unlock(&d->queue_lock);
}

static void pass_end(struct ksm_domain *d)
{
	d->in_pass = false;
	d->passes_done++;
	ksm_scan_counts_add(&d->total, &d->counts);
	d->last_end = jiffies;
	atomic64_inc(&ksm_totals.full_scans);
	trace_ksm_pass_end(d->id, d->pass, d->counts.scanned, d->counts.merged,
			   d->counts.zero);
	wake_up_all(&d->pass_done);
}

/* After a chunk left the queues. Must hold d->queue_lock. */
static void pass_check_end(struct ksm_domain *d)
{
	if (d->in_pass && !d->busy && list_empty(&d->todo))
		pass_end(d);
	domain_update_scannable(d);
}

/* The chunk is about to go away; nothing queues it any more. */
void ksm_unqueue_chunk(struct ksm_chunk *chunk)
{
	struct ksm_domain *d = chunk->area->domain;

	spin_lock(&d->queue_lock);
	list_del_init(&chunk->queue);
	wheel_left(d, chunk);
	pass_check_end(d);
	spin_unlock(&d->queue_lock);
}

/* The level from which slots rest in a pass that begins now. */
static unsigned int pass_rest_from(struct ksm_domain *d)
{
	if (d->forced)
		return SLOT_LEVEL_MAX + 1;
	return d->scans ? SLOT_LEVEL_SCAN : 0;
}

static void pass_start(struct ksm_domain *d)
{
	memset(&d->counts, 0, sizeof(d->counts));
	d->in_pass = true;
	d->rest_from = pass_rest_from(d);
	d->pass++;
	trace_ksm_pass_begin(d->id, d->pass);
}

/*
 * Begin a pass over what was written and has rested; over all that was written
 * if somebody waits for that.  Not if there is nothing or a pass is under way.
 */
void ksm_pass_begin(struct ksm_domain *d)
{
	spin_lock(&d->queue_lock);
	if (!d->in_pass) {
		wheel_take(d, d->scans);
		if (!list_empty(&d->todo))
			pass_start(d);
		domain_update_scannable(d);
	}
	spin_unlock(&d->queue_lock);
}

/*
 * A call of KSM_SCAN begins: passes take everything until ksm_scan_leave().
 * Returns the number of passes after which it ends: the one under way began
 * too early to see all that was written before.  @before is what they did.
 */
unsigned long ksm_scan_join(struct ksm_domain *d, bool force,
			    struct ksm_scan_counts *before)
{
	unsigned long wanted;

	spin_lock(&d->queue_lock);
	wanted = d->passes_done + 1 + d->in_pass;
	*before = d->total;
	d->scans++;
	d->forced += force;
	spin_unlock(&d->queue_lock);
	return wanted;
}

void ksm_scan_leave(struct ksm_domain *d, bool force)
{
	spin_lock(&d->queue_lock);
	d->scans--;
	d->forced -= force;
	spin_unlock(&d->queue_lock);
}

/* No pass is under way, and none has anything to do. */
bool ksm_domain_idle(struct ksm_domain *d)
{
	bool idle;

	spin_lock(&d->queue_lock);
	idle = !d->in_pass && d->earliest == KSM_NEVER;
	spin_unlock(&d->queue_lock);
	return idle;
}

/*
 * A chunk of the pass, with a reference to its area, for ksm_pass_finish();
 * NULL if none is left.
 */
struct ksm_chunk *ksm_pass_take(struct ksm_domain *d)
{
	struct ksm_chunk *chunk;

	spin_lock(&d->queue_lock);
	chunk = list_first_entry_or_null(&d->todo, struct ksm_chunk, queue);
	if (chunk) {
		list_del_init(&chunk->queue);
		ksm_area_get(chunk->area);
		d->busy++;
	}
	spin_unlock(&d->queue_lock);
	return chunk;
}

/* The chunk was visited; @counts is what that did. */
void ksm_pass_finish(struct ksm_domain *d, struct ksm_chunk *chunk,
		     const struct ksm_scan_counts *counts)
{
	spin_lock(&d->queue_lock);
	ksm_scan_counts_add(&d->counts, counts);
	d->busy--;
	pass_check_end(d);
	spin_unlock(&d->queue_lock);
	ksm_totals_add(counts);
	ksm_area_put(chunk->area);
}

/* Something is queued somewhere. */
bool ksm_pass_pending(void)
{
	return !list_empty_careful(&scannable);
}

/* The domain whose turn it is to be scanned, with a reference, or NULL. */
struct ksm_domain *ksm_pass_next_domain(void)
{
	struct ksm_domain *d;

	spin_lock(&scannable_lock);
	d = list_first_entry_or_null(&scannable, struct ksm_domain, scannable);
	if (d) {
		list_move_tail(&d->scannable, &scannable);
		ksm_domain_get(d);
	}
	spin_unlock(&scannable_lock);
	return d;
}
