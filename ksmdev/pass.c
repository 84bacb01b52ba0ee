// SPDX-License-Identifier: GPL-2.0
/* Queues and passes of a domain. See pass.h and domain.h. */
#include <linux/ktime.h>
#include <linux/spinlock.h>

#include "area.h"
#include "domain.h"
#include "pass.h"
#include "stats.h"
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

static void domain_update_scannable(struct ksm_domain *d)
{
	lockdep_assert_held(&d->queue_lock);
	if (!list_empty(&d->next) || !list_empty(&d->todo)) {
		domain_set_scannable(d);
		return;
	}
	spin_lock(&scannable_lock);
	list_del_init(&d->scannable);
	spin_unlock(&scannable_lock);
}

/* The chunk has a page to look at. Must hold chunk->lock. */
void ksm_queue_chunk(struct ksm_chunk *chunk)
{
	struct ksm_domain *d = chunk->area->domain;

	if (!list_empty_careful(&chunk->queue))
		return;
	spin_lock(&d->queue_lock);
	if (list_empty(&chunk->queue)) {
		list_add_tail(&chunk->queue, &d->next);
		if (list_empty(&d->scannable))
			domain_set_scannable(d);
	}
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
	spin_unlock(&d->queue_lock);
}

static void pass_end(struct ksm_domain *d)
{
	d->in_pass = false;
	d->passes_done++;
	ksm_scan_counts_add(&d->total, &d->counts);
	d->next_start = ktime_add_ms(ktime_get(),
				     READ_ONCE(ksm_knobs.sleep_millisecs));
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
	pass_check_end(d);
	spin_unlock(&d->queue_lock);
}

/*
 * Begin a pass over what was written since the last one began.  Returns false
 * if there is nothing, or a pass is under way.
 */
bool ksm_pass_begin(struct ksm_domain *d)
{
	bool begun = false;

	spin_lock(&d->queue_lock);
	if (!d->in_pass && !list_empty(&d->next)) {
		list_splice_init(&d->next, &d->todo);
		memset(&d->counts, 0, sizeof(d->counts));
		d->in_pass = true;
		WRITE_ONCE(d->pass, d->pass + 1);
		begun = true;
		trace_ksm_pass_begin(d->id, d->pass);
	}
	spin_unlock(&d->queue_lock);
	return begun;
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
