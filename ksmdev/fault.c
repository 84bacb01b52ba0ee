// SPDX-License-Identifier: GPL-2.0
/* Faults on a mapping of a file. See fault.h. */
#include <linux/file.h>
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>

#include "area.h"
#include "fault.h"
#include "pending.h"
#include "slot.h"

/*
 * A task that is being killed gets an error: with another answer the kernel
 * might try the same access again and again on its behalf.
 */
static vm_fault_t fault_error(int err)
{
	switch (err) {
	case -ENOMEM:
		return VM_FAULT_OOM;
	case -EHWPOISON:
		return VM_FAULT_HWPOISON;
	default:
		return VM_FAULT_SIGBUS;
	}
}

static bool fault_by_user(struct vm_fault *vmf)
{
	return vmf->flags & FAULT_FLAG_USER;
}

static enum ksm_use fault_use(struct vm_fault *vmf)
{
	return vmf->flags & FAULT_FLAG_WRITE && vmf->vma->vm_flags & VM_SHARED ?
	       KSM_USE_WRITE : KSM_USE_READ;
}

/*
 * Whose memory it is pays, also if another task looks into it.  Kernel threads, which may use
 * the memory of a process for their own, would pay nothing.
 */
static __always_inline vm_fault_t fault_charged(struct vm_fault *vmf,
						vm_fault_t (*handle)(struct vm_fault *vmf))
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	struct mem_cgroup *memcg, *old;
	vm_fault_t ret;

	if (likely(mm == current->mm && !(current->flags & PF_KTHREAD)))
		return handle(vmf);
	memcg = get_mem_cgroup_from_mm(mm);
	old = set_active_memcg(memcg);
	ret = handle(vmf);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	return ret;
}

/*
 * Wait for the pending slot @i, without the lock of the mapping where that is
 * possible: who uses the page may need it to get done.  A step of KSM_REGISTER needs it to
 * replace a mapping: who cannot give it up, access_process_vm() for instance, does not wait.
 */
static vm_fault_t fault_wait(struct vm_fault *vmf, struct ksm_chunk *chunk)
{
	unsigned int i = ksm_slot_index(vmf->pgoff);
	struct file *file = vmf->vma->vm_file;
	bool user = fault_by_user(vmf);

	/* After mlockall(MCL_FUTURE), vm_mmap() faults for KSM_REGISTER: that waits for itself. */
	if (READ_ONCE(chunk->area->registrar) == current)
		return VM_FAULT_SIGBUS;
	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY))
		return ksm_pending_wait_locked(chunk, i, user) ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	get_file(file);		/* keeps the chunk */
	release_fault_lock(vmf);
	ksm_pending_wait(chunk, i, user);
	fput(file);
	return VM_FAULT_RETRY;
}

/*
 * The chunk of the page, as ksm_chunk_get().  The mapping remembers the last one: chunks go
 * with the area only, which the mapping keeps.  Faults may run beside one another here.
 */
static struct ksm_chunk *fault_chunk(struct vm_fault *vmf)
{
	struct ksm_area *area = ksm_area_of_file(vmf->vma->vm_file);
	struct ksm_chunk *chunk = READ_ONCE(vmf->vma->vm_private_data);

	if (likely(chunk && chunk->first == round_down(vmf->pgoff, KSM_CHUNK_PAGES)))
		return chunk;
	chunk = ksm_chunk_get(area, vmf->pgoff);
	if (!IS_ERR(chunk))
		WRITE_ONCE(vmf->vma->vm_private_data, chunk);
	return chunk;
}

static vm_fault_t fault_map(struct vm_fault *vmf)
{
	struct ksm_chunk *chunk;
	int err;

	/* No chunks behind the end; that counts which ksm_slot_lock() compares with. */
	if (!ksm_area_has(ksm_area_of_file(vmf->vma->vm_file), vmf->pgoff))
		return VM_FAULT_SIGBUS;
	chunk = fault_chunk(vmf);
	if (IS_ERR(chunk))
		return fault_error(PTR_ERR(chunk));
	err = ksm_slot_lock(chunk, ksm_slot_index(vmf->pgoff), fault_use(vmf), fault_by_user(vmf));
	if (err == -EAGAIN)
		return fault_wait(vmf, chunk);
	if (err)
		return fault_error(err);
	vmf->page = ksm_slot_map(chunk, ksm_slot_index(vmf->pgoff));
	mutex_unlock(&chunk->lock);
	/* If it broke just now, the access faults again, and sees that. */
	return vmf->page ? VM_FAULT_LOCKED : VM_FAULT_NOPAGE;
}

static vm_fault_t ksm_fault(struct vm_fault *vmf)
{
	return fault_charged(vmf, fault_map);
}

static vm_fault_t fault_mkwrite(struct vm_fault *vmf)
{
	struct ksm_area *area = ksm_area_of_file(vmf->vma->vm_file);
	unsigned int i = ksm_slot_index(vmf->pgoff);
	vm_fault_t ret = VM_FAULT_NOPAGE;
	struct ksm_chunk *chunk;
	int err;

	chunk = fault_chunk(vmf);
	if (IS_ERR(chunk))
		return fault_error(PTR_ERR(chunk));
	/* Core mm does so only where there is no page_mkwrite. */
	if (area->kind == KSM_AREA_NAMED)
		file_update_time(vmf->vma->vm_file);
	if (!ksm_slot_lock_own(chunk, i, vmf->page)) {
		err = ksm_slot_lock(chunk, i, KSM_USE_WRITE, fault_by_user(vmf));
		if (err == -EAGAIN)
			return VM_FAULT_NOPAGE;
		if (err)
			return fault_error(err);
	}

	/* Otherwise the PTE is gone or going: the access faults again. */
	if (slot_page(chunk->slots[i]) == vmf->page) {
		ksm_slot_unclean(chunk, i);
		lock_page(vmf->page);
		ret = VM_FAULT_LOCKED;
	}
	mutex_unlock(&chunk->lock);
	return ret;
}

static vm_fault_t ksm_page_mkwrite(struct vm_fault *vmf)
{
	return fault_charged(vmf, fault_mkwrite);
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

const struct vm_operations_struct ksm_nomerge_vm_ops = {
	.fault = ksm_fault,
	.map_pages = ksm_map_pages,
};
