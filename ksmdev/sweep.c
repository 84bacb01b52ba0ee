// SPDX-License-Identifier: GPL-2.0
/* Registered memory that was unmapped since. See sweep.h. */
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/workqueue.h>

#include "area.h"
#include "pending.h"
#include "slot.h"
#include "sweep.h"

#define SWEEP_INTERVAL (2 * HZ)

static DEFINE_MUTEX(sweep_lock);	/* guards the list; an area in it is not released */
static LIST_HEAD(swept);

static void sweep_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(sweep, sweep_work);

static unsigned long vma_pgoff_after(struct vm_area_struct *vma)
{
	return vma->vm_pgoff + vma_pages(vma);
}

/* Which of the pages from @first on mappings cover. */
static void pages_covered(struct address_space *mapping, unsigned long first,
			  unsigned long *covered)
{
	unsigned long end = first + KSM_CHUNK_PAGES;
	struct vm_area_struct *vma;
	struct rb_node *node;

	bitmap_zero(covered, KSM_CHUNK_PAGES);
	i_mmap_lock_read(mapping);
	for (node = rb_first_cached(&mapping->i_mmap); node; node = rb_next(node)) {
		unsigned long from, to;

		vma = rb_entry(node, struct vm_area_struct, shared.rb);
		if (vma->vm_pgoff >= end)
			break;
		from = max(vma->vm_pgoff, first);
		to = min(vma_pgoff_after(vma), end);
		if (from < to)
			bitmap_set(covered, from - first, to - from);
	}
	i_mmap_unlock_read(mapping);
}

/* Forget what no mapping covers of a chunk.  A fault that comes waits for the lock. */
static void chunk_sweep(struct ksm_chunk *chunk)
{
	DECLARE_BITMAP(covered, KSM_CHUNK_PAGES);
	unsigned int from, to;

	ksm_pending_lock_range(chunk, 0, KSM_CHUNK_PAGES);
	pages_covered(chunk->area->mapping, chunk->first, covered);
	for_each_clear_bitrange(from, to, covered, KSM_CHUNK_PAGES)
		ksm_slots_drop(chunk, from, to - from, false);
	mutex_unlock(&chunk->lock);
}

/* Mappings cover all of the area, as they nearly always do. */
static bool area_covered(struct ksm_area *area)
{
	unsigned long covered = area->first;
	struct rb_node *node;

	i_mmap_lock_read(area->mapping);
	for (node = rb_first_cached(&area->mapping->i_mmap); node; node = rb_next(node)) {
		struct vm_area_struct *vma = rb_entry(node, struct vm_area_struct, shared.rb);

		if (vma->vm_pgoff > covered)
			break;
		covered = max(covered, vma_pgoff_after(vma));
	}
	i_mmap_unlock_read(area->mapping);
	return covered >= READ_ONCE(area->end);
}

static void area_sweep(struct ksm_area *area)
{
	struct ksm_chunk *chunk;
	unsigned long index;

	if (!atomic_long_read(&area->counts.held) || area_covered(area))
		return;
	xa_for_each(&area->chunks, index, chunk) {
		chunk_sweep(chunk);
		cond_resched();
	}
}

static void sweep_work(struct work_struct *work)
{
	struct ksm_area *area;

	mutex_lock(&sweep_lock);
	list_for_each_entry(area, &swept, registered)
		area_sweep(area);
	if (!list_empty(&swept))
		schedule_delayed_work(&sweep, SWEEP_INTERVAL);
	mutex_unlock(&sweep_lock);
}

/* KSM_REGISTER has filled the area. */
void ksm_sweep_add(struct ksm_area *area)
{
	mutex_lock(&sweep_lock);
	list_add_tail(&area->registered, &swept);
	mutex_unlock(&sweep_lock);
	schedule_delayed_work(&sweep, SWEEP_INTERVAL);
}

/* It is about to be released. */
void ksm_sweep_remove(struct ksm_area *area)
{
	if (list_empty_careful(&area->registered))
		return;
	mutex_lock(&sweep_lock);
	list_del_init(&area->registered);
	mutex_unlock(&sweep_lock);
}

/* There are no areas any more. */
void ksm_sweep_stop(void)
{
	cancel_delayed_work_sync(&sweep);
}
