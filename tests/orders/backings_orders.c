// SPDX-License-Identifier: GPL-2.0
/*
 * Backings of slots that come and go while the host takes pages away: an invalidation is
 * told at its end of what it was told at its beginning, and of each backing that it
 * meets.  Who adds one waits, for readers and for invalidations; others begin and end
 * meanwhile, counted by one CPU or the other.
 */
#include "orders.h"

/* Where somebody waits, the next calls come. */
static void grace_period(unsigned int readers);
static void wait_for_host(void);
#undef synchronize_srcu_expedited
#define synchronize_srcu_expedited(srcu) grace_period((srcu)->readers)
#undef wait_event
#define wait_event(queue, condition)					\
	do {								\
		while (!(condition))					\
			wait_for_host();				\
	} while (0)

#include "backing.c"
#include "notifier.c"

const struct kvml_ops *kvml_ops;

#define BACKINGS	2
#define PAGES		3
#define HVA		0x7f0000000000ul

static const struct kvml_pt_format fmt;
static struct kvml_vm vm;

static struct {
	struct kvml_backing *b;		/* NULL: not there */
	int page;
} placed[BACKINGS];

static bool adding;	/* a writer is at work */

/* ---- the host ---- */

/* Ranges that it takes: a page, all of them. */
static const struct mmu_notifier_range ranges[] = {
	{ HVA + PAGE_SIZE, HVA + 2 * PAGE_SIZE, true },
	{ HVA, HVA + PAGES * PAGE_SIZE, true },
};

static enum { CLOSED, BEGINS, OPEN } range_state[ARRAY_SIZE(ranges)];

static bool in_range(unsigned int r, int page)
{
	unsigned long hva = HVA + page * PAGE_SIZE;

	return hva >= ranges[r].start && hva < ranges[r].end;
}

static enum order begin_taking(int r, int unused)
{
	struct mmu_notifier *mn = &vm.notifier->mn;

	if (range_state[r] != CLOSED)
		return ORDER_NONE;
	range_state[r] = BEGINS;
	mn->ops->invalidate_range_start(mn, &ranges[r]);
	range_state[r] = OPEN;
	return ORDER_ON;
}

static enum order end_taking(int r, int unused)
{
	struct mmu_notifier *mn = &vm.notifier->mn;

	if (range_state[r] != OPEN)
		return ORDER_NONE;
	mn->ops->invalidate_range_end(mn, &ranges[r]);
	range_state[r] = CLOSED;
	return ORDER_ON;
}

/* ---- in place of mmu.c ---- */

static bool pause_reader;

void kvml_mmu_invalidate_start(struct kvml_backing *b, unsigned long start,
			       unsigned long end, bool may_sleep)
{
	FUZZ_CHECK(b->vm == &vm, "another VM's");
	b->taken++;
	if (!pause_reader)
		return;
	pause_reader = false;
	orders_inner();
	FUZZ_CHECK(b->vm == &vm, "it was freed");
}

void kvml_mmu_invalidate_end(struct kvml_backing *b)
{
	FUZZ_CHECK(b->taken, "the end of what has not begun");
	b->taken--;
}

bool kvml_mmu_flush_due(struct kvml_vm *of)
{
	return false;
}

void kvml_mmu_flush(struct kvml_vm *of)
{
}

bool kvml_mmu_age_range(struct kvml_vm *of, kvml_gfn start, kvml_gfn end)
{
	return false;
}

bool kvml_mmu_test_young(struct kvml_vm *of, kvml_gfn start, kvml_gfn end)
{
	return false;
}

void kvml_mmu_zap(struct kvml_vm *of, kvml_gfn start, kvml_gfn end)
{
}

/* ---- what must hold ---- */

static void check(void)
{
	struct kvml_backings *set = &vm.notifier->backings;
	unsigned int tree = kvml_backings_active(set), i, r, n = 0;
	struct kvml_backing *b;

	for (i = 0; i < BACKINGS; i++) {
		unsigned long taken = 0;

		if (!placed[i].b)
			continue;
		n++;
		for (r = 0; r < ARRAY_SIZE(ranges); r++)
			taken += range_state[r] == OPEN &&
				 in_range(r, placed[i].page);
		FUZZ_CHECK(placed[i].b->taken == taken,
			   "backing %u is being taken by %lu, not %lu", i,
			   placed[i].b->taken, taken);
	}
	for (b = kvml_backing_first(set, tree, 0, ULONG_MAX); b;
	     b = kvml_backing_next(b, tree, 0, ULONG_MAX))
		n--;
	FUZZ_CHECK(!n, "there are others than those that were added");
}

/* ---- the calls ---- */

/* One writer at a time; it waits for readers. */
static bool may_write(void)
{
	return !adding && !vm.notifier->backings.srcu.readers;
}

static void grace_period(unsigned int readers)
{
	FUZZ_CHECK(!readers, "waits for itself");
	orders_inner();
}

static void wait_for_host(void)
{
	unsigned int before = shared->at, r;

	orders_inner();
	if (shared->at != before)
		return;
	/* Nothing comes any more: the host ends what it has begun. */
	for (r = 0; r < ARRAY_SIZE(ranges); r++)
		end_taking(r, 0);
}

static enum order add(int i, int page)
{
	struct kvml_backing *b;

	if (placed[i].b || !may_write())
		return ORDER_NONE;
	adding = true;
	b = kvml_backing_alloc(&vm, page, 1, HVA + page * PAGE_SIZE);
	kvml_backing_add(&vm.notifier->backings, b);
	placed[i].b = b;
	placed[i].page = page;
	adding = false;
	return ORDER_ON;
}

/* It does not wait. */
static enum order delete(int i, int unused)
{
	if (!placed[i].b || adding)
		return ORDER_NONE;
	kvml_backing_remove(&vm.notifier->backings, placed[i].b);
	placed[i].b = NULL;
	return ORDER_ON;
}

static enum order settle(int unused, int unused2)
{
	if (!may_write())
		return ORDER_NONE;
	adding = true;
	kvml_backings_settle(&vm.notifier->backings);
	adding = false;
	return ORDER_ON;
}

static enum order pause_next(int unused, int unused2)
{
	if (pause_reader)
		return ORDER_NONE;
	pause_reader = true;
	return ORDER_ON;
}

static const struct orders_kind kinds[] = {
	{ "backing %d is added, page %d", add, BACKINGS, PAGES },
	{ "backing %d is removed", delete, BACKINGS, 0 },
	{ "the host begins to take range %d", begin_taking, ARRAY_SIZE(ranges), 0 },
	{ "the host has taken range %d", end_taking, ARRAY_SIZE(ranges), 0 },
	{ "what was removed is freed", settle, 0, 0 },
	{ "(the next range that begins pauses at what it meets, for:)", pause_next, 0, 0 },
};

static enum order call(u32 nr)
{
	int thing, other;
	const struct orders_kind *kind = orders_kind(kinds, nr, &thing, &other);

	/* The tasks of the host are scheduled anywhere. */
	this_cpu = !this_cpu;
	return kind->fn(thing, other);
}

static void say(u32 nr, char *text, size_t size)
{
	orders_say_kind(kinds, nr, text, size);
}

static void begin(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(placed, 0, sizeof(placed));
	memset(range_state, 0, sizeof(range_state));
	adding = false;
	pause_reader = false;
	vm.mmu.fmt = &fmt;
	orders_cpus_init();
	vm.notifier = kvml_notifier_get();
	FUZZ_CHECK(!IS_ERR(vm.notifier), "init");
}

static void end(void)
{
	unsigned int i;

	for (i = 0; i < BACKINGS; i++)
		delete(i, 0);
	kvml_backings_settle(&vm.notifier->backings);
	FUZZ_CHECK(list_empty(&vm.notifier->backings.unsettled), "not all are freed");
	kvml_notifier_put(vm.notifier);
}

int main(int argc, char **argv)
{
	const struct universe universe = {
		"backings", .calls = orders_count(kinds, ARRAY_SIZE(kinds)),
		.length = 6, .deep = 8, .begin = begin, .call = call,
		.check = check, .end = end, .say = say,
	};

	return orders_main(argc, argv, &universe, 1);
}
