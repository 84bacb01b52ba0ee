/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which addresses of a process are memory of guests: the backing of each slot,
 * for the process's MMU notifier (notifier.c).
 *
 * All VMs of a process share one set, so what an invalidation costs grows with
 * the logarithm of the number of slots, however many VMs there are.  The set is
 * two interval trees.  Readers hold set->srcu and use the active tree, which
 * never changes.  A writer changes the other one, which nobody reads any more,
 * and makes it the active one.
 *
 * A backing is added while no invalidation is in progress.  So the end of an
 * invalidation finds it if the start did, and only then; and the guest gets no
 * page of it whose invalidation began before (locking.rst, "Invalidations and
 * new slots").  It is removed at any time: no page of it is mapped then.
 */
#ifndef _KVMLITE_BACKING_H
#define _KVMLITE_BACKING_H

#include <linux/interval_tree.h>

#include "mmu/memslot.h"

struct kvml_backing {
	struct kvml_vm *vm;		/* (i) */
	kvml_gfn base;			/* (i) the first one */
	/* mmu->lock: invalidations that met it and are in progress, their hull */
	unsigned long taken;
	unsigned long taken_start, taken_end;
	bool gone;			/* set->mutex; read without it */
	struct list_head link;		/* set->mutex: of set->unsettled */
	struct interval_tree_node node[2];	/* addresses (i); a tree each */
};

struct kvml_backings {
	struct srcu_struct srcu;	/* readers: callbacks of the notifier */
	struct mutex mutex;		/* writers */
	struct rb_root_cached tree[2];
	unsigned int active;		/* the tree that is read */
	struct list_head unsettled;	/* to enter a tree, or to leave one */
	/*
	 * Invalidations in progress are the sum of all: each CPU counts its own,
	 * but @exact has all use @in_progress.
	 */
	int __percpu *counts;
	bool exact;
	spinlock_t lock;		/* in_progress */
	long in_progress;
	wait_queue_head_t idle;		/* in_progress became 0 */
};

int kvml_backings_init(struct kvml_backings *set);
/* It is empty, and nobody reads it. */
void kvml_backings_destroy(struct kvml_backings *set);

/* To be added; until then kfree() ends it. */
struct kvml_backing *kvml_backing_alloc(struct kvml_vm *vm, kvml_gfn base,
					unsigned long npages, unsigned long hva);
/* Waits until no invalidation is in progress.  The process's mm is alive. */
void kvml_backing_add(struct kvml_backings *set, struct kvml_backing *b);
/*
 * No page of it is mapped, nor will be.  Callbacks may still be at work on it,
 * and on its VM; it is freed when they are not.
 */
void kvml_backing_remove(struct kvml_backings *set, struct kvml_backing *b);
/* What was removed is freed, and no callback knows it. */
void kvml_backings_settle(struct kvml_backings *set);

/*
 * Callbacks hold set->srcu.  @n invalidations more are in progress: before a
 * start looks at the tree, and after an end did.
 */
void kvml_backings_count_exact(struct kvml_backings *set, int n);

static inline void kvml_backings_count(struct kvml_backings *set, int n)
{
	if (likely(!READ_ONCE(set->exact)))
		this_cpu_add(*set->counts, n);
	else
		kvml_backings_count_exact(set, n);
}

/* To be looked at under set->srcu. */
static inline unsigned int kvml_backings_active(struct kvml_backings *set)
{
	/* Pairs with switch_tree(): the tree is whole. */
	return smp_load_acquire(&set->active);
}

/* Those with addresses in @start to @last, one after the other, or NULL. */
struct kvml_backing *kvml_backing_first(struct kvml_backings *set, unsigned int tree,
					unsigned long start, unsigned long last);
struct kvml_backing *kvml_backing_next(struct kvml_backing *b, unsigned int tree,
				       unsigned long start, unsigned long last);

/* The gfns of what of @b is at addresses @start to @end: first, behind the last. */
static inline void kvml_backing_gfns(const struct kvml_backing *b,
				     unsigned long start, unsigned long end,
				     kvml_gfn *first, kvml_gfn *behind)
{
	unsigned long hva = b->node[0].start;

	start = max(start, hva);
	end = min(end, b->node[0].last + 1);
	*first = b->base + ((start - hva) >> PAGE_SHIFT);
	*behind = b->base + (PAGE_ALIGN(end - hva) >> PAGE_SHIFT);
}

#endif /* _KVMLITE_BACKING_H */
