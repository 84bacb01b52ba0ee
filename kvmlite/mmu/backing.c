// SPDX-License-Identifier: GPL-2.0
/* Which addresses of a process are memory of guests. See backing.h. */
#include "mmu/backing.h"

/* ---- invalidations in progress ---- */

void kvml_backings_count_exact(struct kvml_backings *set, int n)
{
	spin_lock(&set->lock);
	set->in_progress += n;
	if (!set->in_progress)
		wake_up(&set->idle);
	spin_unlock(&set->lock);
}

/*
 * Counts of CPUs go into the one.  Must hold set->lock; set->exact has been true
 * for a grace period, so they do not change.
 */
static void gather_counts(struct kvml_backings *set)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		set->in_progress += *per_cpu_ptr(set->counts, cpu);
		*per_cpu_ptr(set->counts, cpu) = 0;
	}
}

/* ---- the trees; all of these must hold set->mutex ---- */

/* The tree @i, which nobody reads, becomes what it shall be. */
static void update_tree(struct kvml_backings *set, unsigned int i)
{
	struct kvml_backing *b, *next;

	list_for_each_entry_safe(b, next, &set->unsettled, link) {
		if (b->gone == RB_EMPTY_NODE(&b->node[i].rb)) {
			/* It is as it shall be. */
		} else if (b->gone) {
			interval_tree_remove(&b->node[i], &set->tree[i]);
			RB_CLEAR_NODE(&b->node[i].rb);
		} else {
			interval_tree_insert(&b->node[i], &set->tree[i]);
		}
		if (b->gone != RB_EMPTY_NODE(&b->node[!i].rb))
			continue;
		list_del_init(&b->link);
		/* Not in the active tree since that became active: not known. */
		if (b->gone)
			kfree(b);
	}
}

/* Makes the other tree the active one. */
static void switch_tree(struct kvml_backings *set)
{
	/* Pairs with kvml_backings_active(). */
	smp_store_release(&set->active, !set->active);
}

/* As KVM's kvm_swap_active_memslots(): see locking.rst. */
static void switch_tree_idle(struct kvml_backings *set)
{
	spin_lock(&set->lock);
	gather_counts(set);
	while (set->in_progress) {
		spin_unlock(&set->lock);
		wait_event(set->idle, !READ_ONCE(set->in_progress));
		spin_lock(&set->lock);
	}
	switch_tree(set);
	WRITE_ONCE(set->exact, false);
	spin_unlock(&set->lock);
}

void kvml_backing_add(struct kvml_backings *set, struct kvml_backing *b)
{
	mutex_lock(&set->mutex);
	list_add_tail(&b->link, &set->unsettled);
	WRITE_ONCE(set->exact, true);
	/* All see that; and nobody is left in the tree that was active before. */
	synchronize_srcu_expedited(&set->srcu);
	update_tree(set, !set->active);
	switch_tree_idle(set);
	mutex_unlock(&set->mutex);
}

void kvml_backing_remove(struct kvml_backings *set, struct kvml_backing *b)
{
	mutex_lock(&set->mutex);
	WRITE_ONCE(b->gone, true);
	if (list_empty(&b->link))
		list_add_tail(&b->link, &set->unsettled);
	mutex_unlock(&set->mutex);
}

void kvml_backings_settle(struct kvml_backings *set)
{
	unsigned int n;

	mutex_lock(&set->mutex);
	for (n = 0; n < 2 && !list_empty(&set->unsettled); n++) {
		synchronize_srcu_expedited(&set->srcu);
		update_tree(set, !set->active);
		switch_tree(set);
	}
	mutex_unlock(&set->mutex);
}

/* ---- readers ---- */

static struct kvml_backing *node_backing(struct interval_tree_node *node, unsigned int tree)
{
	return node ? container_of(node, struct kvml_backing, node[tree]) : NULL;
}

struct kvml_backing *kvml_backing_first(struct kvml_backings *set, unsigned int tree,
					unsigned long start, unsigned long last)
{
	struct kvml_backing *b =
		node_backing(interval_tree_iter_first(&set->tree[tree], start, last), tree);

	return b && READ_ONCE(b->gone) ? kvml_backing_next(b, tree, start, last) : b;
}

struct kvml_backing *kvml_backing_next(struct kvml_backing *b, unsigned int tree,
				       unsigned long start, unsigned long last)
{
	do {
		b = node_backing(interval_tree_iter_next(&b->node[tree], start, last), tree);
	} while (b && READ_ONCE(b->gone));
	return b;
}

/* ---- making ---- */

struct kvml_backing *kvml_backing_alloc(struct kvml_vm *vm, kvml_gfn base,
					unsigned long npages, unsigned long hva)
{
	struct kvml_backing *b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!b)
		return NULL;
	b->vm = vm;
	b->base = base;
	INIT_LIST_HEAD(&b->link);
	for (i = 0; i < 2; i++) {
		b->node[i].start = hva;
		b->node[i].last = hva + (npages << PAGE_SHIFT) - 1;
		RB_CLEAR_NODE(&b->node[i].rb);
	}
	return b;
}

int kvml_backings_init(struct kvml_backings *set)
{
	int err;

	set->counts = alloc_percpu_gfp(int, GFP_KERNEL_ACCOUNT);
	if (!set->counts)
		return -ENOMEM;
	err = init_srcu_struct(&set->srcu);
	if (err) {
		free_percpu(set->counts);
		return err;
	}
	mutex_init(&set->mutex);
	set->tree[0] = RB_ROOT_CACHED;
	set->tree[1] = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&set->unsettled);
	spin_lock_init(&set->lock);
	init_waitqueue_head(&set->idle);
	return 0;
}

void kvml_backings_destroy(struct kvml_backings *set)
{
	cleanup_srcu_struct(&set->srcu);
	free_percpu(set->counts);
}
