// SPDX-License-Identifier: GPL-2.0
/*
 * The queues and passes of a domain of ksmdev: two chunks that are written, visited by scan
 * threads, put back to the pass or queued again, and closed, beside KSM_SCAN and the clock.
 * Between the look of ksm_queue_chunk() without the lock and the one with it, others come.
 *
 * What must hold after each call: a pass that nobody works on has a chunk left; a chunk
 * that was written is queued, or taken and not yet visited; the wheel knows the first tick
 * at which it has one; scan threads are told exactly if there is something to do, now or
 * by the timer; and when no chunk is left, the domain is in no list.
 */
#include "orders.h"

/* ---- linux/list.h, linux/wait.h, linux/workqueue.h, linux/kref.h ---- */

#define list_empty_careful(head)	list_empty(head)
#define list_first_entry_or_null(head, type, member)			\
	(list_empty(head) ? NULL : list_entry((head)->next, type, member))

static void list_move_tail(struct list_head *entry, struct list_head *head)
{
	list_del_init(entry);
	list_add_tail(entry, head);
}

static void list_splice_tail_init(struct list_head *from, struct list_head *to)
{
	while (!list_empty(from))
		list_move_tail(from->next, to);
}

#define DECLARE_WAIT_QUEUE_HEAD(name)	wait_queue_head_t name
#define wq_has_sleeper(w)		((void)(w), false)
#define wake_up_all(w)			((void)(w))

struct work_struct { bool armed; unsigned long at; };
struct delayed_work { struct work_struct work; };
#define to_delayed_work(w)		container_of(w, struct delayed_work, work)
#define INIT_DELAYED_WORK(w, fn)	((w)->work.armed = false)
#define cancel_delayed_work_sync(w)	((w)->work.armed = false)
#define mod_delayed_work(q, w, wait)	((w)->work = (struct work_struct){ true, jiffies + (wait) })

struct kref { int count; };
typedef struct { int val; } kuid_t;
#define kref_get(ref)			((ref)->count++)

#define HZ	4	/* a tick */
static unsigned long jiffies;
#define msecs_to_jiffies(ms)		((ms) * HZ / 1000)
#define time_before(a, b)		((long)((a) - (b)) < 0)
#define time_after(a, b)		time_before(b, a)
#define DEFINE_SPINLOCK(name)		spinlock_t name
#define lockdep_assert_held(lock)	FUZZ_CHECK((lock)->held, "queue_lock is not held")

#define pfn_to_page(pfn)		((void)(pfn), (struct page *)NULL)
#define page_to_pfn(page)		((unsigned long)(page))

/* ---- area.h, content.h, knobs.h, stable.h, trace.h: what the queues use of them ---- */

#define _KSMDEV_AREA_H
#define _KSMDEV_CONTENT_H
#define _KSMDEV_STABLE_H
#define _KSMDEV_TRACE_H

#define atomic64_inc(a)			((a)->counter++)

struct ksm_key { int unused; };
struct ksm_table { int unused; };
struct ksm_domain;

struct ksm_area {
	struct ksm_domain *domain;
	int references;
};

struct ksm_chunk {
	struct ksm_area *area;
	struct list_head queue;
	unsigned long due;
};

#define ksm_area_get(area)		((area)->references++)
#define ksm_area_put(area)		((area)->references--)
#define trace_ksm_pass_begin(...)	((void)0)
#define trace_ksm_pass_end(...)		((void)0)

#include "knobs.h"

struct ksm_knobs ksm_knobs;
struct ksm_totals ksm_totals;

void ksm_scan_counts_add(struct ksm_scan_counts *to, const struct ksm_scan_counts *counts)
{
}

void ksm_totals_add(const struct ksm_scan_counts *counts)
{
}

/* Others come before the lock is taken. */
static bool look_is_done;

static void queue_lock(spinlock_t *lock)
{
	bool inner = look_is_done;

	look_is_done = false;
	if (inner) {
		/* The clock, and what it makes due. */
		orders_inner();
		orders_inner();
	}
	spin_lock(lock);
}

#define spin_lock(lock)	queue_lock(lock)
#include "slot.h"
#include "pass.c"
#undef spin_lock

/* ---- what there is ---- */

#define CHUNKS	2
#define RESTS	3	/* 0, 1 and 2 ticks */

static struct ksm_domain domain;
static struct ksm_area area;

static struct {
	struct ksm_chunk chunk;
	bool locked;
	bool written;		/* and not looked at since */
	bool taken;		/* by a scan thread, which has not visited it yet */
	unsigned int visited;	/* by so many, which are about to end that */
	bool closed;
} chunks[CHUNKS];

static void check_wheel(void)
{
	unsigned long first = KSM_NEVER;
	struct ksm_chunk *chunk;
	unsigned int i;

	for (i = 0; i < KSM_WHEEL; i++) {
		list_for_each_entry(chunk, &domain.wheel[i], queue) {
			first = min(first, chunk->due);
			FUZZ_CHECK(chunk->due % KSM_WHEEL == i,
				   "due at %lu is in list %u", chunk->due, i);
			FUZZ_CHECK(chunk->due > domain.wheel_tick &&
				   chunk->due <= domain.wheel_tick + KSM_WHEEL,
				   "due at %lu is not on the wheel", chunk->due);
		}
	}
	FUZZ_CHECK(domain.earliest == first, "the wheel's first tick is %ld, not %ld",
		   domain.earliest, first);
}

static void check_scannable(void)
{
	bool listed = !list_empty(&domain.scannable);
	bool work = domain.in_pass ? !list_empty(&domain.todo) :
				     domain.earliest != KSM_NEVER;

	/* The end of a visit looks again. */
	if (domain.busy)
		return;
	FUZZ_CHECK(!listed || work, "the domain is in the list, and there is nothing to do");
	FUZZ_CHECK(!work || listed || domain.wake.work.armed,
		   "nobody is told that there is something to do");
}

static void check(void)
{
	int i;

	FUZZ_CHECK(!domain.in_pass || domain.busy || !list_empty(&domain.todo),
		   "nobody ends the pass");
	for (i = 0; i < CHUNKS; i++)
		FUZZ_CHECK(!chunks[i].written || chunks[i].taken ||
			   !list_empty(&chunks[i].chunk.queue),
			   "chunk %d was written and is in no queue", i);
	check_wheel();
	check_scannable();
}

/* ---- the calls ---- */

static void queue(int i, unsigned int ticks, bool slow)
{
	chunks[i].locked = true;
	look_is_done = slow;
	ksm_queue_chunk(&chunks[i].chunk, ticks);
	look_is_done = false;
	chunks[i].locked = false;
}

static enum order fault(int i, int rest)
{
	if (chunks[i].locked || chunks[i].closed)
		return ORDER_NONE;
	chunks[i].written = true;
	queue(i, rest, false);
	return ORDER_ON;
}

static enum order slow_fault(int i, int rest)
{
	if (chunks[i].locked || chunks[i].closed)
		return ORDER_NONE;
	chunks[i].written = true;
	queue(i, rest, true);
	return ORDER_ON;
}

static enum order begin_pass(int unused, int other)
{
	if (domain.in_pass)
		return ORDER_SAME;
	ksm_pass_begin(&domain);
	return ORDER_ON;
}

static enum order take(int unused, int other)
{
	struct ksm_chunk *chunk = ksm_pass_take(&domain);
	int i;

	for (i = 0; i < CHUNKS; i++)
		if (chunk == &chunks[i].chunk)
			chunks[i].taken = true;
	return chunk ? ORDER_ON : ORDER_NONE;
}

/* The chunk's lock is taken now. */
static bool visit(int i)
{
	if (!chunks[i].taken || chunks[i].locked)
		return false;
	chunks[i].taken = false;
	chunks[i].visited++;
	return true;
}

static enum order visit_all(int i, int other)
{
	if (!visit(i))
		return ORDER_NONE;
	chunks[i].written = false;
	return ORDER_ON;
}

static enum order visit_contended(int i, int other)
{
	if (!chunks[i].written || !visit(i))
		return ORDER_NONE;
	ksm_requeue_chunk(&chunks[i].chunk);
	return ORDER_ON;
}

static enum order visit_resting(int i, int rest)
{
	if (!chunks[i].written || !visit(i))
		return ORDER_NONE;
	queue(i, rest, false);
	return ORDER_ON;
}

static enum order finish(int i, int other)
{
	static const struct ksm_scan_counts counts;

	if (!chunks[i].visited)
		return ORDER_NONE;
	chunks[i].visited--;
	ksm_pass_finish(&domain, &chunks[i].chunk, &counts);
	return ORDER_ON;
}

/* A scan thread that has taken it finds it empty. */
static enum order close_chunk(int i, int other)
{
	if (chunks[i].closed || chunks[i].locked)
		return ORDER_NONE;
	chunks[i].closed = true;
	chunks[i].written = false;
	ksm_unqueue_chunk(&chunks[i].chunk);
	return ORDER_ON;
}

static enum order tick(int unused, int other)
{
	struct work_struct *work = &domain.wake.work;

	jiffies++;
	if (work->armed && !time_before(jiffies, work->at)) {
		work->armed = false;
		domain_wake(work);
	}
	return ORDER_ON;
}

static enum order scan_begin(int unused, int other)
{
	struct ksm_scan_counts before;

	if (domain.scans)
		return ORDER_NONE;
	ksm_scan_join(&domain, false, &before);
	return ORDER_ON;
}

static enum order scan_end(int unused, int other)
{
	if (!domain.scans)
		return ORDER_NONE;
	ksm_scan_leave(&domain, false);
	return ORDER_ON;
}

#define KINDS(chunks) {							\
	{ "chunk %d is written, and rests for %d ticks", fault, chunks, RESTS },	\
	{ "chunk %d is written, to rest for %d ticks, and meanwhile",	\
	  slow_fault, chunks, RESTS },					\
	{ "a pass begins", begin_pass, 0, 0 },				\
	{ "a scan thread takes a chunk", take, 0, 0 },			\
	{ "chunk %d is visited", visit_all, chunks, 0 },		\
	{ "chunk %d is visited, and needs what others hold",		\
	  visit_contended, chunks, 0 },					\
	{ "chunk %d is visited, and a page rests for %d ticks",		\
	  visit_resting, chunks, RESTS },				\
	{ "the visit of chunk %d ends", finish, chunks, 0 },		\
	{ "chunk %d is closed", close_chunk, chunks, 0 },		\
	{ "a tick goes by", tick, 0, 0 },				\
	{ "KSM_SCAN begins", scan_begin, 0, 0 },			\
	{ "KSM_SCAN ends", scan_end, 0, 0 },				\
}

static const struct orders_kind one[] = KINDS(1), two[] = KINDS(CHUNKS);

/* Chunks that have come. */
static unsigned int used;

static u32 number(u32 nr)
{
	return universe->random ? nr % orders_count(two, ARRAY_SIZE(two)) : nr;
}

static enum order call(u32 nr)
{
	int thing, other;
	const struct orders_kind *kind = orders_kind(universe->arg, number(nr), &thing, &other);

	if (kind->things && !orders_first(&used, thing))
		return ORDER_NONE;
	return kind->fn(thing, other);
}

static void say(u32 nr, char *text, size_t size)
{
	orders_say_kind(universe->arg, number(nr), text, size);
}

static void begin(void)
{
	int i;

	memset(&domain, 0, sizeof(domain));
	memset(chunks, 0, sizeof(chunks));
	jiffies = 1000;
	used = 0;
	area = (struct ksm_area){ .domain = &domain, .references = 1 };
	INIT_LIST_HEAD(&scannable);
	ksm_pass_init(&domain);
	for (i = 0; i < CHUNKS; i++) {
		chunks[i].chunk.area = &area;
		INIT_LIST_HEAD(&chunks[i].chunk.queue);
	}
}

/* All chunks go, and then the domain. */
static void end(void)
{
	int i;

	for (i = 0; i < CHUNKS; i++) {
		visit_all(i, 0);
		close_chunk(i, 0);
		while (finish(i, 0) == ORDER_ON)
			;
	}
	check();
	FUZZ_CHECK(list_empty(&domain.scannable), "a domain that is freed is in the list");
	FUZZ_CHECK(area.references == 1, "%d references to the area", area.references);
}

#define CALLS	.begin = begin, .call = call, .check = check, .end = end, .say = say

int main(int argc, char **argv)
{
	const struct universe universes[] = {
		{ "one chunk", one, orders_count(one, ARRAY_SIZE(one)), 7, 8, CALLS },
		{ "two chunks", two, orders_count(two, ARRAY_SIZE(two)), 6, 7, CALLS },
		{ "many calls", two, 0, 200, 200, 20000, 200000, CALLS },
	};

	return orders_main(argc, argv, universes, ARRAY_SIZE(universes));
}
