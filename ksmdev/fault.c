// SPDX-License-Identifier: GPL-2.0
/* Faults on an area. See fault.h. */
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>

#include "area.h"
#include "domain.h"
#include "fault.h"
#include "pass.h"
#include "register.h"
#include "trace.h"

/*
 * Slot @i was written and rests before it is looked at: @again if it had been
 * hashed or merged, and longer if that was not long ago.
 */
static void slot_written(struct ksm_chunk *chunk, unsigned int i, bool again)
{
	unsigned long now = slot_now();
	ksm_slot_t slot = chunk->slots[i];
	unsigned int level = slot_level(slot);

	if (again && now - chunk->visited <= SLOT_SOON * slot_rest(level))
		level = min_t(unsigned int, level + 1, SLOT_LEVEL_MAX);
	else
		level = 0;
	chunk->slots[i] = slot_set_rest(slot, level, now);
	if (!(slot & SLOT_NOMERGE))
		ksm_queue_chunk(chunk, slot_rest(level));
}

/* The frame of slot @i, if it is clean, leaves the table. Holds chunk->lock. */
void ksm_slot_forget(struct ksm_chunk *chunk, unsigned int i)
{
	struct ksm_table *table = &chunk->area->domain->table;
	struct page *page = slot_page(chunk->slots[i]);

	if (!(chunk->slots[i] & SLOT_CLEAN))
		return;
	spin_lock(&table->lock);
	ksm_table_del(table, page);
	table->nr_candidates--;
	spin_unlock(&table->lock);
	chunk->slots[i] &= ~SLOT_CLEAN;
}

/* The private slot @i is about to be written. Must hold chunk->lock. */
void ksm_slot_unclean(struct ksm_chunk *chunk, unsigned int i)
{
	if (!(chunk->slots[i] & SLOT_CLEAN))
		return;
	ksm_slot_forget(chunk, i);
	slot_written(chunk, i, true);
}

/*
 * Wait until nobody is about to map @page, which slot @i had, or the zero frame (NULL).
 * Must hold chunk->lock; the slot is another one by now.
 */
void ksm_slot_wait_mapped(struct ksm_chunk *chunk, unsigned int i, struct page *page)
{
	if (!page)
		page = ksm_domain_zero_frame(chunk->area->domain, chunk->nid,
					     chunk->first + i);
	if (!page)
		return;
	lock_page(page);
	unlock_page(page);
}

static void slot_count_given(struct ksm_area *area, ksm_slot_t old)
{
	atomic_long_inc(&area->counts.private);
	if (old & SLOT_STABLE)
		atomic_long_dec(&area->counts.merged);
	else if (old & SLOT_ZERO)
		atomic_long_dec(&area->counts.zero);
	if (slot_merged(old))
		atomic64_inc(&area->counts.cow_breaks);
}

/*
 * Slot @i, stable or without a frame, gets the frame @frame for its own, with
 * the same contents (a frame for a slot without one holds zeroes already).
 * Must hold chunk->lock.
 */
void ksm_slot_give(struct ksm_chunk *chunk, unsigned int i, struct page *frame)
{
	struct ksm_area *area = chunk->area;
	ksm_slot_t old = chunk->slots[i];
	struct page *shared = slot_page(old);

	if (shared)
		copy_page(page_address(frame), page_address(shared));
	frame->mapping = ksm_area_mapping(area);
	frame->index = chunk->first + i;
	chunk->slots[i] = slot_make(old, frame, 0);
	slot_written(chunk, i, slot_merged(old));
	if (old & SLOT_MAPPED) {
		ksm_slot_wait_mapped(chunk, i, shared);
		unmap_mapping_pages(ksm_area_mapping(area), chunk->first + i, 1, false);
	}
	slot_count_given(area, old);
	if (slot_merged(old))
		trace_ksm_break(area->id, chunk->first + i, shared, frame);
	if (shared)
		ksm_stable_put(area->domain, shared);
}

enum use { USE_READ, USE_WRITE, USE_UNMERGE };
enum need { NEED_NOTHING, NEED_ZEROES, NEED_FRAME };

static enum need slot_need(struct ksm_chunk *chunk, unsigned int i, enum use use)
{
	ksm_slot_t slot = chunk->slots[i];
	bool write = use != USE_READ;

	/* Of what is merged no more, another user took care, or it is empty. */
	if (use == USE_UNMERGE && !slot_merged(slot))
		return NEED_NOTHING;
	if (slot & SLOT_PENDING)
		return NEED_FRAME;
	if (slot & SLOT_STABLE)
		return write ? NEED_FRAME : NEED_NOTHING;
	if (slot_has_frame(slot))
		return NEED_NOTHING;
	if (!write && ksm_domain_zero_frame(chunk->area->domain, chunk->nid,
					    chunk->first + i))
		return NEED_NOTHING;
	return NEED_ZEROES;
}

static void slot_satisfy(struct ksm_chunk *chunk, unsigned int i,
			 struct page *frame)
{
	if (chunk->slots[i] & SLOT_PENDING)
		ksm_pending_resolve(chunk, i, frame);
	else
		ksm_slot_give(chunk, i, frame);
}

/*
 * Lock the chunk, with slot @i ready to be mapped for reading or writing.
 * Frames are allocated without waiting while the lock is held; if that fails,
 * it is dropped, so that reclaim and the OOM killer never run under it.
 *
 * Return: 0 with chunk->lock held; -ENOMEM, -EINTR (fatal signal), -EAGAIN
 * (ksm_pending_wait() first, with the same @user) without.
 */
static int chunk_lock_ready(struct ksm_chunk *chunk, unsigned int i, enum use use,
			    bool user)
{
	struct page *frame = NULL;
	int err = 0;

	for (;;) {
		enum need need;

		err = ksm_chunk_lock_registered(chunk, i, user);
		if (err)
			break;
		need = slot_need(chunk, i, use);
		if (need == NEED_NOTHING)
			break;
		if (!frame)
			frame = ksm_frame_alloc(chunk->area,
						need == NEED_ZEROES,
						GFP_NOWAIT | __GFP_NOWARN);
		if (frame) {
			slot_satisfy(chunk, i, frame);
			frame = NULL;
			/* Of zeroes, a pending page leaves an empty slot. */
			if (slot_has_frame(chunk->slots[i]) ||
			    slot_need(chunk, i, use) == NEED_NOTHING)
				break;
		}
		mutex_unlock(&chunk->lock);
		frame = ksm_frame_alloc(chunk->area, true, GFP_KERNEL);
		if (!frame)
			return -ENOMEM;
	}
	if (frame)
		ksm_frame_free(frame);
	return err;
}

/* Give slot @i a frame of its own if it is merged. 0, -ENOMEM or -EINTR. */
int ksm_slot_unmerge(struct ksm_chunk *chunk, unsigned int i)
{
	int err = chunk_lock_ready(chunk, i, USE_UNMERGE, true);

	if (!err)
		mutex_unlock(&chunk->lock);
	/* A pending page is nobody else's already. */
	return err == -EAGAIN ? 0 : err;
}

/*
 * A task that is being killed gets an error: with another answer the kernel
 * might try the same access again and again on its behalf.
 */
static vm_fault_t fault_error(int err)
{
	return err == -EINTR ? VM_FAULT_SIGBUS : VM_FAULT_OOM;
}

static bool fault_by_user(struct vm_fault *vmf)
{
	return vmf->flags & FAULT_FLAG_USER;
}

/*
 * Wait for the pending slot @i, without the lock of the mapping where that is
 * possible: who uses the page may need it to get done.
 */
static vm_fault_t fault_wait(struct vm_fault *vmf, struct ksm_chunk *chunk,
			     unsigned int i)
{
	struct file *file = vmf->vma->vm_file;
	bool user = fault_by_user(vmf);

	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY))
		return ksm_pending_wait(chunk, i, user) ? VM_FAULT_SIGBUS :
							  VM_FAULT_NOPAGE;
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	get_file(file);		/* keeps the chunk */
	release_fault_lock(vmf);
	ksm_pending_wait(chunk, i, user);
	fput(file);
	return VM_FAULT_RETRY;
}

/* A mapping that grew by mremap() takes what it grew by from the limit. */
static bool fault_in_bounds(struct ksm_area *area, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;

	if (likely(vmf->pgoff < READ_ONCE(area->mapped)))
		return true;
	if (vmf->pgoff < KSM_REGION_FIRST)
		return vma->vm_pgoff + vma_pages(vma) <= KSM_REGION_FIRST &&
		       !ksm_area_reserve(area, vma->vm_pgoff + vma_pages(vma));
	return ksm_region_covers(area, vma->vm_pgoff, vmf->pgoff);
}

static vm_fault_t ksm_fault(struct vm_fault *vmf)
{
	struct ksm_area *area = ksm_area_of_file(vmf->vma->vm_file);
	unsigned int i = ksm_slot_index(vmf->pgoff);
	struct ksm_chunk *chunk;
	struct page *page;
	int err;

	if (!fault_in_bounds(area, vmf))
		return VM_FAULT_SIGBUS;
	chunk = ksm_chunk_get(area, vmf->pgoff);
	if (!chunk)
		return VM_FAULT_OOM;
	err = chunk_lock_ready(chunk, i, vmf->flags & FAULT_FLAG_WRITE ? USE_WRITE : USE_READ,
			       fault_by_user(vmf));
	if (err == -EAGAIN)
		return fault_wait(vmf, chunk, i);
	if (err)
		return fault_error(err);

	page = slot_page(chunk->slots[i]) ?:
	       ksm_domain_zero_frame(area->domain, chunk->nid, vmf->pgoff);
	chunk->slots[i] |= SLOT_MAPPED;
	get_page(page);
	lock_page(page);
	mutex_unlock(&chunk->lock);
	vmf->page = page;
	return VM_FAULT_LOCKED;
}

static vm_fault_t ksm_page_mkwrite(struct vm_fault *vmf)
{
	struct ksm_area *area = ksm_area_of_file(vmf->vma->vm_file);
	unsigned int i = ksm_slot_index(vmf->pgoff);
	vm_fault_t ret = VM_FAULT_NOPAGE;
	struct ksm_chunk *chunk;
	int err;

	chunk = ksm_chunk_find(area, vmf->pgoff);
	if (WARN_ON_ONCE(!chunk))
		return VM_FAULT_SIGBUS;
	err = chunk_lock_ready(chunk, i, USE_WRITE, fault_by_user(vmf));
	if (err == -EAGAIN)
		return VM_FAULT_NOPAGE;
	if (err)
		return fault_error(err);

	/* Otherwise the PTE is gone or going: the access faults again. */
	if (slot_page(chunk->slots[i]) == vmf->page) {
		ksm_slot_unclean(chunk, i);
		lock_page(vmf->page);
		ret = VM_FAULT_LOCKED;
	}
	mutex_unlock(&chunk->lock);
	return ret;
}

/*
 * Without ->map_pages 6.12 would not run faults under the lock of the VMA
 * alone; there is nothing to map around, though.
 */
static vm_fault_t ksm_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	return 0;
}

const struct vm_operations_struct ksm_vm_ops = {
	.fault = ksm_fault,
	.page_mkwrite = ksm_page_mkwrite,
	.map_pages = ksm_map_pages,
};
