// SPDX-License-Identifier: GPL-2.0
/*
 * From addresses of the VMM to pages of the guest: slots come and go, some at the same
 * addresses, and the host takes, ages and looks at each range there is.  It is about
 * the pages of the guest that lie in the range, each once, and no others.
 */
#include "orders.h"

#include "memslot.c"
#include "notifier.c"

const struct kvml_ops *kvml_ops;

#define SLOTS		3
#define PAGES		6		/* of the VMM, in which slots lie */
#define SLOT_GFNS	4		/* apart */
#define HVA		0x7f0000000000ul

static const struct kvml_pt_format fmt = { .accessed = BIT(8) };
static struct kvml_vm vm;

/* Where the slots are; no pages: nowhere. */
static struct {
	unsigned int first, npages;
} placed[SLOTS];

/* ---- in place of mmu.c ---- */

/* How often each page of the guest was meant. */
static u8 meant[SLOTS * SLOT_GFNS];
static bool flushed;

static void mean(kvml_gfn start, kvml_gfn end)
{
	FUZZ_CHECK(start < end && end <= ARRAY_SIZE(meant), "gfns %llu to %llu",
		   start, end);
	while (start < end)
		meant[start++]++;
}

void kvml_mmu_zap_range(struct kvml_vm *of, kvml_gfn start, kvml_gfn end,
			bool may_sleep)
{
	mean(start, end);
}

bool kvml_mmu_age_range(struct kvml_vm *of, kvml_gfn start, kvml_gfn end)
{
	mean(start, end);
	return true;
}

bool kvml_mmu_test_young(struct kvml_vm *of, kvml_gfn gfn)
{
	mean(gfn, gfn + 1);
	return true;
}

bool kvml_mmu_flush_due(struct kvml_vm *of)
{
	return true;
}

void kvml_mmu_flush(struct kvml_vm *of)
{
	flushed = true;
}

void kvml_mmu_zap_all(struct kvml_vm *of)
{
}

void kvml_mmu_zap_slot(struct kvml_vm *of, struct kvml_slot *slot)
{
}

void kvml_mmu_protect_slot(struct kvml_vm *of, struct kvml_slot *slot)
{
}

/* ---- what must hold ---- */

/* Page @first to @end of the VMM were meant; true: the guest has some of them. */
static bool check_meant(unsigned int first, unsigned int end)
{
	bool any = false;
	unsigned int i, k;

	for (i = 0; i < SLOTS; i++) {
		for (k = 0; k < SLOT_GFNS; k++) {
			unsigned int page = placed[i].first + k;
			bool want = k < placed[i].npages && page >= first &&
				    page < end;

			FUZZ_CHECK(meant[i * SLOT_GFNS + k] == want,
				   "pages %u to %u: gfn %u was meant %u times, not %u",
				   first, end, i * SLOT_GFNS + k,
				   meant[i * SLOT_GFNS + k], want);
			any |= want;
		}
	}
	memset(meant, 0, sizeof(meant));
	return any;
}

static void check_range(unsigned int first, unsigned int end)
{
	const struct mmu_notifier_ops *ops = vm.mmu.notifier.ops;
	struct mmu_notifier_range range = {
		HVA + first * PAGE_SIZE, HVA + end * PAGE_SIZE, true
	};
	bool young;

	flushed = false;
	ops->invalidate_range_start(&vm.mmu.notifier, &range);
	FUZZ_CHECK(check_meant(first, end) == flushed,
		   "pages %u to %u: CPUs have%s flushed", first, end,
		   flushed ? "" : " not");
	ops->invalidate_range_end(&vm.mmu.notifier, &range);
	young = ops->clear_young(&vm.mmu.notifier, NULL, range.start, range.end);
	FUZZ_CHECK(check_meant(first, end) == young, "pages %u to %u: young",
		   first, end);
	if (end != first + 1)
		return;
	young = ops->test_young(&vm.mmu.notifier, NULL, range.start);
	FUZZ_CHECK(check_meant(first, end) == young, "page %u: young", first);
}

static void check(void)
{
	unsigned int first, end;

	for (first = 0; first < PAGES; first++)
		for (end = first + 1; end <= PAGES; end++)
			check_range(first, end);
	FUZZ_CHECK(!vm.srcu.readers && !vm.mmu.notifier_count && !vm.mmu.lock.held,
		   "something is still held");
}

/* ---- the calls ---- */

static void set(int i, unsigned int first, unsigned int npages)
{
	struct kvm_userspace_memory_region r = {
		.slot = i, .guest_phys_addr = i * SLOT_GFNS * PAGE_SIZE,
		.memory_size = npages * PAGE_SIZE,
		.userspace_addr = HVA + first * PAGE_SIZE,
	};

	FUZZ_CHECK(!kvml_slot_set(&vm, &r), "slot %d", i);
	placed[i].first = first;
	placed[i].npages = npages;
}

static enum order place(int i, int where, unsigned int npages)
{
	if (placed[i].npages || where + npages > PAGES)
		return ORDER_NONE;
	set(i, where, npages);
	return ORDER_ON;
}

static enum order place_one(int i, int where)
{
	return place(i, where, 1);
}

static enum order place_three(int i, int where)
{
	return place(i, where, 3);
}

static enum order delete(int i, int unused)
{
	if (!placed[i].npages)
		return ORDER_NONE;
	set(i, 0, 0);
	return ORDER_ON;
}

static const struct orders_kind kinds[] = {
	{ "slot %d has a page of the VMM's, %d", place_one, SLOTS, PAGES },
	{ "slot %d has three pages of the VMM's, from %d on", place_three, SLOTS,
	  PAGES - 2 },
	{ "slot %d is deleted", delete, SLOTS, 0 },
};

static enum order call(u32 nr)
{
	int slot, where;
	const struct orders_kind *kind = orders_kind(kinds, nr, &slot, &where);

	return kind->fn(slot, where);
}

static void say(u32 nr, char *text, size_t size)
{
	orders_say_kind(kinds, nr, text, size);
}

static void begin(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(placed, 0, sizeof(placed));
	vm.mmu.fmt = &fmt;
	FUZZ_CHECK(!kvml_slots_init(&vm) && !kvml_notifier_register(&vm), "init");
}

static void end(void)
{
	kvml_notifier_unregister(&vm);
	kvml_slots_free(&vm);
}

int main(int argc, char **argv)
{
	const struct universe universe = {
		"ranges", .calls = orders_count(kinds, ARRAY_SIZE(kinds)),
		.length = 4, .deep = 5, .begin = begin, .call = call,
		.check = check, .end = end, .say = say,
	};

	return orders_main(argc, argv, &universe, 1);
}
