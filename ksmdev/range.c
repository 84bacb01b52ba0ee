// SPDX-License-Identifier: GPL-2.0
/* Ranges of an area. See the uapi header for what the calls promise. */
#include <linux/file.h>
#include <linux/ksmdev.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "area.h"
#include "domain.h"
#include "fault.h"
#include "knobs.h"
#include "pass.h"
#include "pending.h"
#include "range.h"
#include "sweep.h"

/* -EINVAL unless the range is aligned, not empty and has only @flags. */
int ksm_range_check(const struct ksm_range *range, u64 flags)
{
	if (range->flags & ~flags)
		return -EINVAL;
	if (!range->len || (range->addr | range->len) & ~PAGE_MASK)
		return -EINVAL;
	if (range->addr + range->len < range->addr)
		return -EINVAL;
	return 0;
}

/* Pages from @first to before @end, in their chunk. */
static void chunk_drop(struct ksm_chunk *chunk, unsigned long first, unsigned long end)
{
	unsigned int i = max(first, chunk->first) - chunk->first;
	unsigned int nr = min(end, chunk->first + KSM_CHUNK_PAGES) - chunk->first - i;

	ksm_pending_lock_range(chunk, i, nr);
	ksm_slots_drop(chunk, i, nr, true);
	mutex_unlock(&chunk->lock);
}

/*
 * Forget the pages from @first to before @end, wherever there are chunks: who looks later
 * reads zeroes.  May wait for KSM_REGISTER, if that is at work there.
 */
void ksm_range_drop(struct ksm_area *area, unsigned long first, unsigned long end)
{
	unsigned long index = first >> KSM_CHUNK_SHIFT;
	struct ksm_chunk *chunk;

	if (first >= end)
		return;
	xa_for_each_range(&area->chunks, index, chunk,
			  first >> KSM_CHUNK_SHIFT, (end - 1) >> KSM_CHUNK_SHIFT) {
		chunk_drop(chunk, first, end);
		cond_resched();
	}
}

/* The last link, descriptor and mapping are gone: so are the contents. */
void ksm_area_release(struct ksm_area *area)
{
	struct ksm_chunk *chunk;
	unsigned long index;

	ksm_sweep_remove(area);
	/* Before it is emptied: nobody who goes through the domain's areas fills it again. */
	ksm_domain_remove(area->domain, area);
	xa_for_each(&area->chunks, index, chunk) {
		mutex_lock(&chunk->lock);
		ksm_slots_drop(chunk, 0, KSM_CHUNK_PAGES, false);
		mutex_unlock(&chunk->lock);
		ksm_unqueue_chunk(chunk);
		cond_resched();
	}
	ksm_spares_drop(&area->spares, ULONG_MAX);
	VM_WARN_ON_ONCE(atomic_long_read(&area->counts.held));
	ksm_area_leave_quota(area);
	atomic64_add(atomic64_read(&area->counts.cow_breaks),
		     &ksm_totals.cow_breaks);
	atomic_long_dec(&ksm_totals.areas);
}

/* -EINVAL if the page is behind the end of the file by now. */
static int slot_set_nomerge(struct ksm_chunk *chunk, unsigned int i, bool nomerge)
{
	int err = -EINVAL;

	ksm_pending_lock_range(chunk, i, 1);
	if (ksm_slot_in_file(chunk, i)) {
		ksm_slot_set_nomerge(chunk, i, nomerge);
		err = 0;
	}
	mutex_unlock(&chunk->lock);
	return err;
}

/* Change the flag of slots and, for UNMERGE, give them frames. 0 or -errno. */
static int chunk_set_nomerge(struct ksm_chunk *chunk, unsigned int i,
			     unsigned int nr)
{
	unsigned int end = i + nr;
	int err = 0;

	for (; i < end && !err; i++) {
		err = slot_set_nomerge(chunk, i, true);
		if (!err)
			err = ksm_slot_unmerge(chunk, i);
	}
	return err;
}

static int chunk_clear_nomerge(struct ksm_chunk *chunk, unsigned int i,
			       unsigned int nr)
{
	unsigned int end = i + nr;
	int err = 0;

	for (; i < end && !err; i++)
		err = slot_set_nomerge(chunk, i, false);
	mutex_lock(&chunk->lock);
	ksm_queue_chunk(chunk, 0);
	mutex_unlock(&chunk->lock);
	return err;
}

static int chunk_unmerge(struct ksm_chunk *chunk)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < KSM_CHUNK_PAGES && !err; i++)
		if (slot_merged(READ_ONCE(chunk->slots[i])))
			err = ksm_slot_unmerge(chunk, i);
	return err;
}

/*
 * All merged pages get frames of their own (run = 2); who made the area pays.  0, -ENOMEM,
 * or -EINTR if the task is being killed.  The caller keeps the inode.
 */
int ksm_area_unmerge(struct ksm_area *area)
{
	struct mem_cgroup *old = set_active_memcg(area->memcg);
	struct ksm_chunk *chunk;
	unsigned long index;
	int err = 0;

	xa_for_each(&area->chunks, index, chunk) {
		err = fatal_signal_pending(current) ? -EINTR : chunk_unmerge(chunk);
		if (err)
			break;
		cond_resched();
	}
	set_active_memcg(old);
	return err;
}

enum range_op { RANGE_DISCARD, RANGE_UNMERGE, RANGE_MERGE };

/* @nr pages within one chunk. */
static int range_apply_chunk(struct ksm_area *area, enum range_op op,
			     unsigned long pgoff, unsigned int nr)
{
	struct ksm_chunk *chunk = op == RANGE_UNMERGE ?
				  ksm_chunk_get(area, pgoff) :
				  ksm_chunk_find(area, pgoff);
	unsigned int i = ksm_slot_index(pgoff);

	if (IS_ERR_OR_NULL(chunk))
		return PTR_ERR_OR_ZERO(chunk);
	if (op == RANGE_UNMERGE)
		return chunk_set_nomerge(chunk, i, nr);
	if (op == RANGE_MERGE)
		return chunk_clear_nomerge(chunk, i, nr);
	chunk_drop(chunk, pgoff, pgoff + nr);
	return 0;
}

/* How many of @pages from @pgoff on come before the next chunk there is. */
static unsigned long range_hole(struct ksm_area *area, unsigned long pgoff,
				unsigned long pages)
{
	unsigned long index = pgoff >> KSM_CHUNK_SHIFT;
	unsigned long last = (pgoff + pages - 1) >> KSM_CHUNK_SHIFT;

	if (!xa_find(&area->chunks, &index, last, XA_PRESENT))
		return pages;
	if (index == pgoff >> KSM_CHUNK_SHIFT)
		return 0;
	return (index << KSM_CHUNK_SHIFT) - pgoff;
}

/* The cost is that of the chunks there are: only UNMERGE fills holes. */
static int range_apply_pages(struct ksm_area *area, enum range_op op,
			     unsigned long pgoff, unsigned long pages,
			     struct ksm_range *range)
{
	int err = 0;

	while (pages && !err) {
		unsigned long nr = 0;

		if (signal_pending(current))
			return -EINTR;
		if (op != RANGE_UNMERGE)
			nr = range_hole(area, pgoff, pages);
		if (!nr) {
			nr = min(pages, KSM_CHUNK_PAGES - ksm_slot_index(pgoff));
			err = range_apply_chunk(area, op, pgoff, nr);
		}
		if (!err)
			range->done += (u64)nr << PAGE_SHIFT;
		pgoff += nr;
		pages -= nr;
		cond_resched();
	}
	return err;
}

static bool target_has(const struct ksm_target *target, const struct ksm_area *area)
{
	return target->opener ? area->opener.id == target->opener :
				area == ksm_area_of_file(target->file);
}

/* Pages of a file that are mapped one behind another. */
struct range_part {
	struct file *file;		/* with a reference */
	unsigned long pgoff, pages;
	bool shared;			/* its writes reach the file */
};

/* What is mapped from @addr on, at most to @end, if it is one of @target. */
static bool range_lookup(const struct ksm_target *target, unsigned long addr,
			 unsigned long end, struct range_part *part)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;

	part->file = NULL;
	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr &&
	    (vma->vm_ops == &ksm_vm_ops || vma->vm_ops == &ksm_nomerge_vm_ops) &&
	    target_has(target, ksm_area_of_file(vma->vm_file))) {
		part->file = get_file(vma->vm_file);
		part->pgoff = linear_page_index(vma, addr);
		part->pages = (min(vma->vm_end, end) - addr) >> PAGE_SHIFT;
		part->shared = vma->vm_flags & VM_SHARED;
	}
	mmap_read_unlock(mm);
	return part->file;
}

/* New times, no set-user-id bits.  The caller holds no mmap_lock, which is inside. */
static int file_discarded(struct file *file)
{
	int err;

	inode_lock(file_inode(file));
	err = file_modified(file);
	inode_unlock(file_inode(file));
	return err;
}

/*
 * What the call may do there.  The mapping may reach behind the end of the file, or before its
 * memory; the call may not.  A private mapping may have copies, which would stay: as
 * MADV_REMOVE, KSM_DISCARD refuses it.
 */
static int part_check(const struct range_part *part, enum range_op op)
{
	struct ksm_area *area = ksm_area_of_file(part->file);
	unsigned long end = READ_ONCE(area->end);

	if (!(part->file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (op == RANGE_DISCARD && !part->shared)
		return -EACCES;
	if (part->pgoff < area->first || part->pgoff > end || part->pages > end - part->pgoff)
		return -EINVAL;
	return 0;
}

static int part_apply(const struct range_part *part, enum range_op op, struct ksm_range *range)
{
	int err = part_check(part, op);

	if (!err && op == RANGE_DISCARD)
		err = file_discarded(part->file);
	return err ?: range_apply_pages(ksm_area_of_file(part->file), op, part->pgoff,
					part->pages, range);
}

/* All parts of the range; without @range they are only checked. */
static int parts_walk(const struct ksm_target *target, enum range_op op, unsigned long addr,
		      unsigned long end, struct ksm_range *range)
{
	struct range_part part;
	int err = 0;

	for (; addr < end && !err; addr += part.pages << PAGE_SHIFT) {
		if (!range_lookup(target, addr, end, &part))
			return -ENOMEM;
		err = range ? part_apply(&part, op, range) : part_check(&part, op);
		fput(part.file);
	}
	return err;
}

static int range_apply(const struct ksm_target *target, enum range_op op,
		       struct ksm_range *range)
{
	int err = ksm_range_check(range, KSM_RANGE_OFFSET);
	unsigned long end = range->addr + range->len;

	if (err)
		return err;
	range->done = 0;
	/* What is refused is so before anything is done, if nobody changes the mappings. */
	if (!(range->flags & KSM_RANGE_OFFSET))
		return parts_walk(target, op, range->addr, end, NULL) ?:
		       parts_walk(target, op, range->addr, end, range);
	if (!target->file)
		return -EINVAL;
	return part_apply(&(struct range_part) { .file = target->file, .shared = true,
						 .pgoff = range->addr >> PAGE_SHIFT,
						 .pages = range->len >> PAGE_SHIFT },
			  op, range);
}

int ksm_range_discard(const struct ksm_target *target, struct ksm_range *range)
{
	return range_apply(target, RANGE_DISCARD, range);
}

int ksm_range_unmerge(const struct ksm_target *target, struct ksm_range *range)
{
	return range_apply(target, RANGE_UNMERGE, range);
}

int ksm_range_merge(const struct ksm_target *target, struct ksm_range *range)
{
	return range_apply(target, RANGE_MERGE, range);
}
