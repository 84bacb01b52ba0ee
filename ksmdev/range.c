// SPDX-License-Identifier: GPL-2.0
/* The calls on ranges of an area. See the uapi header for what they promise. */
#include <linux/ksmdev.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "area.h"
#include "domain.h"
#include "fault.h"
#include "pass.h"
#include "range.h"
#include "register.h"

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

/* What a slot had before it was dropped: give it back. */
static void slot_release(struct ksm_area *area, ksm_slot_t slot)
{
	struct page *page = slot_page(slot);

	if (slot & SLOT_PENDING) {
		unpin_user_page(page);
		atomic_long_dec(&area->counts.pending);
	} else if (slot & SLOT_STABLE) {
		ksm_stable_put(area->domain, page);
		atomic_long_dec(&area->counts.merged);
	} else if (page) {
		ksm_frame_free(page);
		atomic_long_dec(&area->counts.private);
	} else if (slot & SLOT_ZERO) {
		atomic_long_dec(&area->counts.zero);
	}
}

/* Empty a slot; returns what it had.  A private frame leaves the table. */
static ksm_slot_t slot_take(struct ksm_chunk *chunk, unsigned int i)
{
	ksm_slot_t slot;

	ksm_slot_forget(chunk, i);
	slot = chunk->slots[i];
	chunk->slots[i] = slot & SLOT_NOMERGE;
	return slot;
}

#define DROP_BATCH 32

/* Must hold chunk->lock. The slots are emptied first: new faults see zeroes. */
static void chunk_drop(struct ksm_chunk *chunk, unsigned int i, unsigned int nr,
		       bool zap)
{
	struct address_space *mapping = ksm_area_mapping(chunk->area);
	ksm_slot_t old[DROP_BATCH];
	bool mapped = false;
	unsigned int j;

	for (j = 0; j < nr; j++) {
		old[j] = slot_take(chunk, i + j);
		mapped |= old[j] & SLOT_MAPPED;
	}
	if (zap && mapped) {
		for (j = 0; j < nr; j++)
			if (old[j] & SLOT_MAPPED && !(old[j] & SLOT_PENDING))
				ksm_slot_wait_mapped(chunk, i + j, slot_page(old[j]));
		unmap_mapping_pages(mapping, chunk->first + i, nr, false);
	}
	for (j = 0; j < nr; j++)
		slot_release(chunk->area, old[j]);
}

/* Forget @nr pages from slot @i on. @zap: they may be mapped. */
void ksm_range_drop(struct ksm_chunk *chunk, unsigned int i, unsigned int nr,
		    bool zap)
{
	unsigned int end = i + nr;

	while (i < end) {
		nr = min_t(unsigned int, end - i, DROP_BATCH);
		mutex_lock(&chunk->lock);
		chunk_drop(chunk, i, nr, zap);
		mutex_unlock(&chunk->lock);
		i += nr;
	}
}

/* Forget the pages from @first to before @end, wherever there are chunks. */
void ksm_range_drop_pages(struct ksm_area *area, unsigned long first,
			  unsigned long end)
{
	unsigned long index = first >> KSM_CHUNK_SHIFT;
	struct ksm_chunk *chunk;

	xa_for_each_range(&area->chunks, index, chunk,
			  first >> KSM_CHUNK_SHIFT, (end - 1) >> KSM_CHUNK_SHIFT) {
		unsigned long from = max(first, chunk->first);
		unsigned long to = min(end, chunk->first + KSM_CHUNK_PAGES);

		ksm_range_drop(chunk, from - chunk->first, to - from, true);
		cond_resched();
	}
}

/* Change the flag of slots and, for UNMERGE, give them frames. 0 or -errno. */
static int chunk_set_nomerge(struct ksm_chunk *chunk, unsigned int i,
			     unsigned int nr)
{
	unsigned int end = i + nr;
	int err = 0;

	for (; i < end && !err; i++) {
		mutex_lock(&chunk->lock);
		chunk->slots[i] |= SLOT_NOMERGE;
		if (!(chunk->slots[i] & (SLOT_STABLE | SLOT_ZERO)))
			ksm_slot_forget(chunk, i);
		mutex_unlock(&chunk->lock);
		err = ksm_slot_unmerge(chunk, i);
	}
	return err;
}

static void chunk_clear_nomerge(struct ksm_chunk *chunk, unsigned int i,
				unsigned int nr)
{
	unsigned int end = i + nr;

	mutex_lock(&chunk->lock);
	for (; i < end; i++)
		chunk->slots[i] &= ~SLOT_NOMERGE;
	ksm_queue_chunk(chunk, 0);
	mutex_unlock(&chunk->lock);
}

/* All merged slots get frames of their own (run = 2). 0 or -errno. */
int ksm_chunk_unmerge(struct ksm_chunk *chunk)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < KSM_CHUNK_PAGES && !err; i++)
		if (slot_merged(READ_ONCE(chunk->slots[i])))
			err = ksm_slot_unmerge(chunk, i);
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

	if (!chunk)
		return op == RANGE_UNMERGE ? -ENOMEM : 0;
	if (op == RANGE_UNMERGE)
		return chunk_set_nomerge(chunk, i, nr);
	if (op == RANGE_MERGE)
		chunk_clear_nomerge(chunk, i, nr);
	else
		ksm_range_drop(chunk, i, nr, true);
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

/*
 * Where @addr lies in the area, and how many pages from there on, at most to
 * @end, belong together.  0 if it is not a mapping of the area.
 */
static unsigned long range_lookup(struct ksm_area *area, unsigned long addr,
				  unsigned long end, unsigned long *pgoff)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long pages = 0;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr && vma->vm_ops == &ksm_vm_ops &&
	    ksm_area_of_file(vma->vm_file) == area) {
		*pgoff = linear_page_index(vma, addr);
		pages = (min(vma->vm_end, end) - addr) >> PAGE_SHIFT;
	}
	mmap_read_unlock(mm);
	return pages;
}

static int range_apply_addresses(struct ksm_area *area, enum range_op op,
				 struct ksm_range *range)
{
	unsigned long end = range->addr + range->len;
	unsigned long addr, pages, pgoff;
	int err;

	for (addr = range->addr; addr < end; addr += pages << PAGE_SHIFT) {
		pages = range_lookup(area, addr, end, &pgoff);
		if (!pages)
			return -ENOMEM;
	}
	for (addr = range->addr; addr < end; addr += pages << PAGE_SHIFT) {
		pages = range_lookup(area, addr, end, &pgoff);
		if (!pages)
			return -ENOMEM;
		err = range_apply_pages(area, op, pgoff, pages, range);
		if (err)
			return err;
	}
	return 0;
}

static int range_apply(struct ksm_area *area, enum range_op op,
		       struct ksm_range *range)
{
	int err = ksm_range_check(range, KSM_RANGE_OFFSET);

	if (err)
		return err;
	range->done = 0;
	if (!(range->flags & KSM_RANGE_OFFSET))
		return range_apply_addresses(area, op, range);
	if (range->addr + range->len > KSM_AREA_SIZE)
		return -EINVAL;
	return range_apply_pages(area, op, range->addr >> PAGE_SHIFT,
				 range->len >> PAGE_SHIFT, range);
}

int ksm_range_discard(struct ksm_area *area, struct ksm_range *range)
{
	return range_apply(area, RANGE_DISCARD, range);
}

int ksm_range_unmerge(struct ksm_area *area, struct ksm_range *range)
{
	return range_apply(area, RANGE_UNMERGE, range);
}

int ksm_range_merge(struct ksm_area *area, struct ksm_range *range)
{
	return range_apply(area, RANGE_MERGE, range);
}
