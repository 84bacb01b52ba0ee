// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifier (Documentation/mm/mmu_notifier.rst of the kernel): what the host
 * takes away from the VMM, guests lose before it is gone.
 *
 * Between start and end of an invalidation no fault maps anything in its range
 * (mmu->notifier_count), and a fault that looked before the end does not map
 * what it saw (mmu->notifier_seq).
 */
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/srcu.h>

#include "mmu/memslot.h"
#include "mmu/mmu.h"
#include "vm/vm.h"

static struct kvml_vm *notifier_vm(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct kvml_vm, mmu.notifier);
}

typedef bool (*range_fn)(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end);

static bool zap_atomic(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end)
{
	kvml_mmu_zap_range(vm, start, end, false);
	return true;
}

static bool zap_sleeping(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end)
{
	kvml_mmu_zap_range(vm, start, end, true);
	return true;
}

static bool test_young_range(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end)
{
	return kvml_mmu_test_young(vm, start);
}

/* @fn for the gfns of addresses @start to @end, slot by slot. */
static bool do_gfn_ranges(struct kvml_vm *vm, unsigned long start,
			  unsigned long end, range_fn fn)
{
	struct kvml_slots *slots;
	bool result = false;
	unsigned int i;
	int srcu;

	srcu = srcu_read_lock(&vm->srcu);
	slots = srcu_dereference(vm->slots, &vm->srcu);
	start = max(start, slots->hva_min);
	end = min(end, slots->hva_max);
	for (i = 0; start < end && i < slots->nr; i++) {
		const struct kvml_slot *slot = slots->slot[i];
		unsigned long slot_end = slot->hva + (slot->npages << PAGE_SHIFT);
		unsigned long first = max(start, slot->hva);
		unsigned long last = min(end, slot_end);

		if (first >= last)
			continue;
		first = (first - slot->hva) >> PAGE_SHIFT;
		last = PAGE_ALIGN(last - slot->hva) >> PAGE_SHIFT;
		result |= fn(vm, slot->base + first, slot->base + last);
	}
	srcu_read_unlock(&vm->srcu, srcu);
	return result;
}

static int invalidate_start(struct mmu_notifier *notifier,
			    const struct mmu_notifier_range *range)
{
	struct kvml_vm *vm = notifier_vm(notifier);
	struct kvml_mmu *mmu = &vm->mmu;

	spin_lock(&mmu->lock);
	if (!mmu->notifier_count++) {
		mmu->notifier_start = range->start;
		mmu->notifier_end = range->end;
	} else {
		mmu->notifier_start = min(mmu->notifier_start, range->start);
		mmu->notifier_end = max(mmu->notifier_end, range->end);
	}
	spin_unlock(&mmu->lock);

	if (do_gfn_ranges(vm, range->start, range->end,
			  mmu_notifier_range_blockable(range) ?
			  zap_sleeping : zap_atomic) &&
	    kvml_mmu_flush_due(vm))
		kvml_mmu_flush(vm);
	return 0;
}

static void invalidate_end(struct mmu_notifier *notifier,
			   const struct mmu_notifier_range *range)
{
	struct kvml_mmu *mmu = &notifier_vm(notifier)->mmu;

	spin_lock(&mmu->lock);
	WRITE_ONCE(mmu->notifier_seq, mmu->notifier_seq + 1);
	mmu->notifier_count--;
	spin_unlock(&mmu->lock);
}

/* May be under a page-table lock: nothing sleeps. */
static int clear_young(struct mmu_notifier *notifier, struct mm_struct *mm,
		       unsigned long start, unsigned long end)
{
	struct kvml_vm *vm = notifier_vm(notifier);
	bool young = do_gfn_ranges(vm, start, end, kvml_mmu_age_range);

	/* Leaves without A bits were zapped. */
	if (young && !vm->mmu.fmt->accessed)
		kvml_mmu_flush(vm);
	return young;
}

static int test_young(struct mmu_notifier *notifier, struct mm_struct *mm,
		      unsigned long address)
{
	return do_gfn_ranges(notifier_vm(notifier), address,
			     address + PAGE_SIZE, test_young_range);
}

/* The VMM's memory ends; none of its threads is left to run a vCPU. */
static void release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	kvml_mmu_zap_all(notifier_vm(notifier));
}

static const struct mmu_notifier_ops kvml_notifier_ops = {
	.release		= release,
	.invalidate_range_start	= invalidate_start,
	.invalidate_range_end	= invalidate_end,
	.clear_flush_young	= clear_young,
	.clear_young		= clear_young,
	.test_young		= test_young,
};

int kvml_notifier_register(struct kvml_vm *vm)
{
	vm->mmu.notifier.ops = &kvml_notifier_ops;
	return mmu_notifier_register(&vm->mmu.notifier, vm->mm);
}

void kvml_notifier_unregister(struct kvml_vm *vm)
{
	mmu_notifier_unregister(&vm->mmu.notifier, vm->mm);
}
