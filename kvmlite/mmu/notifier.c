// SPDX-License-Identifier: GPL-2.0
/* What the host takes away from a process. See notifier.h. */
#include <linux/hashtable.h>

#include "mmu/notifier.h"
#include "vm/vm.h"

static struct kvml_backings *notifier_backings(struct mmu_notifier *mn)
{
	return &container_of(mn, struct kvml_notifier, mn)->backings;
}

/* ---- invalidations ---- */

static void take_range(struct kvml_backings *set, unsigned long start,
		       unsigned long end, bool may_sleep)
{
	unsigned int tree = kvml_backings_active(set);
	struct kvml_backing *b;
	struct kvml_vm *vm = NULL;

	for (b = kvml_backing_first(set, tree, start, end - 1); b;
	     b = kvml_backing_next(b, tree, start, end - 1)) {
		/* Backings of one VM are mostly side by side: it flushes once. */
		if (vm && vm != b->vm)
			kvml_mmu_flush_if_due(vm);
		vm = b->vm;
		kvml_mmu_invalidate_start(b, start, end, may_sleep);
	}
	if (vm)
		kvml_mmu_flush_if_due(vm);
}

static int invalidate_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvml_backings *set = notifier_backings(mn);
	int srcu = srcu_read_lock(&set->srcu);

	kvml_backings_count(set, 1);
	take_range(set, range->start, range->end, mmu_notifier_range_blockable(range));
	srcu_read_unlock(&set->srcu, srcu);
	return 0;
}

static void invalidate_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvml_backings *set = notifier_backings(mn);
	int srcu = srcu_read_lock(&set->srcu);
	unsigned int tree = kvml_backings_active(set);
	struct kvml_backing *b;

	for (b = kvml_backing_first(set, tree, range->start, range->end - 1); b;
	     b = kvml_backing_next(b, tree, range->start, range->end - 1))
		kvml_mmu_invalidate_end(b);
	kvml_backings_count(set, -1);
	srcu_read_unlock(&set->srcu, srcu);
}

/* ---- the rest: nothing that an end follows ---- */

/* What is done with gfns @start to @end of @vm; the results are or-ed. */
typedef bool (*range_fn)(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end);

static bool do_range(struct mmu_notifier *mn, unsigned long start,
		     unsigned long end, range_fn fn)
{
	struct kvml_backings *set = notifier_backings(mn);
	int srcu = srcu_read_lock(&set->srcu);
	unsigned int tree = kvml_backings_active(set);
	struct kvml_backing *b;
	kvml_gfn first, last;
	bool result = false;

	for (b = kvml_backing_first(set, tree, start, end - 1); b;
	     b = kvml_backing_next(b, tree, start, end - 1)) {
		kvml_backing_gfns(b, start, end, &first, &last);
		result |= fn(b->vm, first, last);
	}
	srcu_read_unlock(&set->srcu, srcu);
	return result;
}

static bool age(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end)
{
	bool young = kvml_mmu_age_range(vm, start, end);

	/* Leaves without A bits were zapped. */
	if (young && !vm->mmu.fmt->accessed)
		kvml_mmu_flush(vm);
	return young;
}

/* May be under a page-table lock: nothing sleeps. */
static compat_young_t clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
				  unsigned long start, unsigned long end)
{
	return do_range(mn, start, end, age);
}

static compat_young_t test_young(struct mmu_notifier *mn, struct mm_struct *mm,
				 unsigned long address)
{
	return do_range(mn, address, address + PAGE_SIZE, kvml_mmu_test_young);
}

static bool zap(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end)
{
	kvml_mmu_zap(vm, start, end);
	return true;
}

/* The process's memory ends; none of its threads is left to run a vCPU. */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	do_range(mn, 0, ULONG_MAX, zap);
}

static const struct mmu_notifier_ops kvml_notifier_ops = {
	.release		= release,
	.invalidate_range_start	= invalidate_start,
	.invalidate_range_end	= invalidate_end,
	.clear_flush_young	= clear_young,
	.clear_young		= clear_young,
	.test_young		= test_young,
};

/* ---- one for a process ---- */

static DEFINE_MUTEX(notifiers_lock);
static DEFINE_HASHTABLE(notifiers, 8);	/* by mm */

/* That of @mm, with one user more; must hold notifiers_lock. */
static struct kvml_notifier *find_locked(struct mm_struct *mm)
{
	struct kvml_notifier *notifier;

	hash_for_each_possible(notifiers, notifier, link, (unsigned long)mm)
		if (notifier->mn.mm == mm) {
			refcount_inc(&notifier->users);
			return notifier;
		}
	return NULL;
}

static struct kvml_notifier *notifier_new(void)
{
	struct kvml_notifier *notifier = kzalloc(sizeof(*notifier), GFP_KERNEL_ACCOUNT);
	int err;

	if (!notifier)
		return ERR_PTR(-ENOMEM);
	notifier->mn.ops = &kvml_notifier_ops;
	refcount_set(&notifier->users, 1);
	err = kvml_backings_init(&notifier->backings);
	if (err)
		goto err_free;
	err = mmu_notifier_register(&notifier->mn, current->mm);
	if (err)
		goto err_destroy;
	return notifier;

err_destroy:
	kvml_backings_destroy(&notifier->backings);
err_free:
	kfree(notifier);
	return ERR_PTR(err);
}

static void notifier_free(struct kvml_notifier *notifier)
{
	mmu_notifier_unregister(&notifier->mn, notifier->mn.mm);
	kvml_backings_destroy(&notifier->backings);
	kfree(notifier);
}

struct kvml_notifier *kvml_notifier_get(void)
{
	struct kvml_notifier *notifier, *other;

	mutex_lock(&notifiers_lock);
	notifier = find_locked(current->mm);
	mutex_unlock(&notifiers_lock);
	if (notifier)
		return notifier;

	/* No lock of all processes is held while one waits for its own. */
	notifier = notifier_new();
	if (IS_ERR(notifier))
		return notifier;
	mutex_lock(&notifiers_lock);
	other = find_locked(current->mm);
	if (!other)
		hash_add(notifiers, &notifier->link, (unsigned long)current->mm);
	mutex_unlock(&notifiers_lock);
	if (!other)
		return notifier;
	notifier_free(notifier);
	return other;
}

void kvml_notifier_put(struct kvml_notifier *notifier)
{
	if (!notifier)
		return;
	if (refcount_dec_and_mutex_lock(&notifier->users, &notifiers_lock)) {
		hash_del(&notifier->link);
		mutex_unlock(&notifiers_lock);
		notifier_free(notifier);
	}
}
