/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lists in which a CPU collects pages on their way to another LRU list.  Each has a
 * reference.  A kernel of today takes the mark of the LRU from such a page.  6.1 leaves it to
 * a page that becomes active, so only an empty list tells that reference from a user's.
 */
#ifndef _COMPAT_LRU_H
#define _COMPAT_LRU_H

#ifdef __has_include	/* which sparse has not */
#if __has_include("linux/folio_batch.h")
#define COMPAT_FOLIO_BATCH
#endif
#endif

#ifdef COMPAT_FOLIO_BATCH
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

#if KERNEL_VERSION(6, 5, 0) > LINUX_VERSION_CODE
#include <linux/cpu.h>
#include <linux/workqueue.h>

/* Empty those of this CPU.  lru_add_drain() is not exported, and this begins so. */
static inline void compat_lru_drain_this_cpu(void)
{
	struct pagevec none;

	pagevec_init(&none);
	__pagevec_release(&none);
}

static inline void compat_lru_drain_this(struct work_struct *work)
{
	compat_lru_drain_this_cpu();
}

/* Empty them on all CPUs, if there is memory for it.  Sleeps, and takes the lock of hotplug. */
static inline void compat_lru_drain(void)
{
	struct work_struct *works = kcalloc(nr_cpu_ids, sizeof(*works), GFP_KERNEL);
	int cpu;

	if (!works)
		return;
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		INIT_WORK(&works[cpu], compat_lru_drain_this);
		queue_work_on(cpu, system_wq, &works[cpu]);
	}
	for_each_online_cpu(cpu)
		flush_work(&works[cpu]);
	cpus_read_unlock();
	kfree(works);
}
#else
static inline void compat_lru_drain_this_cpu(void)
{
	struct folio_batch none;

	folio_batch_init(&none);
	__folio_batch_release(&none);
}

static inline void compat_lru_drain(void)
{
}
#endif

#endif /* _COMPAT_LRU_H */
