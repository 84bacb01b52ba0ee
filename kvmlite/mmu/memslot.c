// SPDX-License-Identifier: GPL-2.0
/* Memory slots: changing the set, and looking up in it. */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <asm/processor.h>

#include "mmu/memslot.h"
#include "mmu/mmu.h"
#include "vm/vm.h"

/* As KVM: the dirty bitmap of a slot has an int's range. */
#define MAX_SLOT_PAGES	((1UL << 31) - 1)

/* Must hold vm->lock. */
static struct kvml_slots *current_slots(struct kvml_vm *vm)
{
	return rcu_dereference_protected(vm->slots, lockdep_is_held(&vm->lock));
}

static unsigned long slot_hva_end(const struct kvml_slot *slot)
{
	return slot->hva + (slot->npages << PAGE_SHIFT);
}

static bool slot_has(const struct kvml_slot *slot, kvml_gfn gfn)
{
	return gfn >= slot->base && gfn - slot->base < slot->npages;
}

static void slots_append(struct kvml_slots *slots, struct kvml_slot *slot)
{
	slots->slot[slots->nr++] = slot;
	slots->hva_min = min(slots->hva_min, slot->hva);
	slots->hva_max = max(slots->hva_max, slot_hva_end(slot));
}

/* A copy of @old without @gone and with @added; each may be NULL. */
static struct kvml_slots *slots_replace(const struct kvml_slots *old,
					const struct kvml_slot *gone,
					struct kvml_slot *added)
{
	struct kvml_slots *slots;
	unsigned int i;

	slots = kvzalloc(struct_size(slots, slot, old->nr + 1), GFP_KERNEL_ACCOUNT);
	if (!slots)
		return NULL;

	slots->hva_min = ULONG_MAX;
	for (i = 0; i < old->nr; i++) {
		if (old->slot[i] == gone)
			continue;
		if (added && added->base < old->slot[i]->base) {
			slots_append(slots, added);
			added = NULL;
		}
		slots_append(slots, old->slot[i]);
	}
	if (added)
		slots_append(slots, added);
	return slots;
}

/* Must hold vm->lock. */
static void slots_publish(struct kvml_vm *vm, struct kvml_slots *slots)
{
	struct kvml_slots *old = current_slots(vm);

	slots->generation = old->generation + 1;
	rcu_assign_pointer(vm->slots, slots);
	synchronize_srcu_expedited(&vm->srcu);
	kvfree_rcu(old, rcu);
}

static int slot_alloc_dirty(struct kvml_vm *vm, struct kvml_slot *slot)
{
	slot->dirty = kvcalloc(BITS_TO_LONGS(slot->npages), sizeof(long),
			       GFP_KERNEL_ACCOUNT);
	if (!slot->dirty)
		return -ENOMEM;
	if (vm->manual_dirty & KVM_DIRTY_LOG_INITIALLY_SET)
		bitmap_set(slot->dirty, 0, slot->npages);
	return 0;
}

/* The slot that @region asks for; takes over the bitmap of @old. */
static struct kvml_slot *slot_alloc(struct kvml_vm *vm,
				    const struct kvm_userspace_memory_region *region,
				    const struct kvml_slot *old)
{
	struct kvml_slot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);

	if (!slot)
		return ERR_PTR(-ENOMEM);

	slot->base = region->guest_phys_addr >> PAGE_SHIFT;
	slot->npages = region->memory_size >> PAGE_SHIFT;
	slot->hva = region->userspace_addr;
	slot->id = region->slot;
	slot->flags = region->flags;

	if (!(region->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return slot;
	if (old && old->dirty) {
		slot->dirty = old->dirty;
	} else if (slot_alloc_dirty(vm, slot)) {
		kfree(slot);
		return ERR_PTR(-ENOMEM);
	}
	return slot;
}

/* Frees @slot, but not the bitmap if @heir (or NULL) uses it. */
static void slot_free(struct kvml_slot *slot, const struct kvml_slot *heir)
{
	if (!slot)
		return;
	if (!heir || heir->dirty != slot->dirty)
		kvfree(slot->dirty);
	kfree(slot);
}

static int slot_create(struct kvml_vm *vm, struct kvml_slot *slot)
{
	struct kvml_slots *slots = slots_replace(current_slots(vm), NULL, slot);

	if (!slots)
		return -ENOMEM;
	slots_publish(vm, slots);
	return 0;
}

/* Deletes @old (@slot is NULL) or moves it. */
static int slot_remove(struct kvml_vm *vm, struct kvml_slot *old,
		       struct kvml_slot *slot)
{
	struct kvml_slots *without, *invalid;
	struct kvml_slot *copy;

	copy = kmemdup(old, sizeof(*old), GFP_KERNEL_ACCOUNT);
	if (!copy)
		return -ENOMEM;
	copy->flags |= KVML_SLOT_INVALID;
	invalid = slots_replace(current_slots(vm), old, copy);
	if (!invalid)
		goto err_free_copy;
	without = slots_replace(current_slots(vm), old, slot);
	if (!without)
		goto err_free_invalid;

	slots_publish(vm, invalid);
	kvml_mmu_zap_slot(vm, old);
	slots_publish(vm, without);
	kfree(copy);
	slot_free(old, slot);
	return 0;

err_free_invalid:
	kvfree(invalid);
err_free_copy:
	kfree(copy);
	return -ENOMEM;
}

/* Dirty logging begins or ends. */
static int slot_change_flags(struct kvml_vm *vm, struct kvml_slot *old,
			     struct kvml_slot *slot)
{
	struct kvml_slots *slots = slots_replace(current_slots(vm), old, slot);

	if (!slots)
		return -ENOMEM;
	slots_publish(vm, slots);
	/* Everything counts as dirty already: protected by CLEAR_DIRTY_LOG. */
	if (slot->dirty && !(vm->manual_dirty & KVM_DIRTY_LOG_INITIALLY_SET))
		kvml_mmu_protect_slot(vm, slot);
	/* 4 KiB leaves were for the log: 2 MiB may come back. */
	if (!slot->dirty)
		kvml_mmu_zap_slot(vm, slot);
	slot_free(old, slot);
	return 0;
}

/* What must hold whatever slots there are. */
static bool region_valid(const struct kvm_userspace_memory_region *region)
{
	u64 size = region->memory_size;

	if (region->flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return false;
	if (region->slot >= KVML_MAX_SLOTS)	/* one address space */
		return false;
	if (!PAGE_ALIGNED(size | region->guest_phys_addr | region->userspace_addr))
		return false;
	if (!access_ok((void __user *)region->userspace_addr, size))
		return false;
	if (region->guest_phys_addr + size < region->guest_phys_addr)
		return false;
	return size >> PAGE_SHIFT <= MAX_SLOT_PAGES;
}

static kvml_gfn max_gfn(void)
{
	return min(BIT_ULL(boot_cpu_data.x86_phys_bits - PAGE_SHIFT), KVML_MAX_GFN) - 1;
}

struct kvml_slot *kvml_slot_by_id(struct kvml_vm *vm, u32 id)
{
	const struct kvml_slots *slots = current_slots(vm);
	unsigned int i;

	for (i = 0; i < slots->nr; i++)
		if (slots->slot[i]->id == id)
			return slots->slot[i];
	return NULL;
}

/* Does @region overlap a slot but the one it is about? */
static bool region_overlaps(const struct kvml_slots *slots,
			    const struct kvm_userspace_memory_region *region)
{
	kvml_gfn start = region->guest_phys_addr >> PAGE_SHIFT;
	kvml_gfn end = start + (region->memory_size >> PAGE_SHIFT);
	unsigned int i;

	for (i = 0; i < slots->nr; i++) {
		const struct kvml_slot *slot = slots->slot[i];

		if (slot->id != region->slot && slot->base < end &&
		    start < slot->base + slot->npages)
			return true;
	}
	return false;
}

/* Address, size and KVM_MEM_READONLY of a slot stay as they are. */
static bool region_fits(const struct kvm_userspace_memory_region *region,
			const struct kvml_slot *old)
{
	return region->userspace_addr == old->hva &&
	       region->memory_size >> PAGE_SHIFT == old->npages &&
	       !((region->flags ^ old->flags) & KVM_MEM_READONLY);
}

/* Must hold vm->lock. */
static int set_locked(struct kvml_vm *vm,
		      const struct kvm_userspace_memory_region *region)
{
	struct kvml_slots *slots = current_slots(vm);
	struct kvml_slot *old = kvml_slot_by_id(vm, region->slot);
	kvml_gfn base = region->guest_phys_addr >> PAGE_SHIFT;
	bool moves = !old || old->base != base;
	struct kvml_slot *slot;
	int r;

	if (!region->memory_size)
		return old ? slot_remove(vm, old, NULL) : -EINVAL;
	if (old && !region_fits(region, old))
		return -EINVAL;
	if (!moves && old->flags == region->flags)
		return 0;
	if (moves && region_overlaps(slots, region))
		return -EEXIST;
	if (moves && base + (region->memory_size >> PAGE_SHIFT) - 1 > max_gfn())
		return -EINVAL;

	slot = slot_alloc(vm, region, old);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	if (!old)
		r = slot_create(vm, slot);
	else if (moves)
		r = slot_remove(vm, old, slot);
	else
		r = slot_change_flags(vm, old, slot);
	if (r)
		slot_free(slot, old);
	return r;
}

int kvml_slot_set(struct kvml_vm *vm,
		  const struct kvm_userspace_memory_region *region)
{
	int r;

	if (!region_valid(region))
		return -EINVAL;
	mutex_lock(&vm->lock);
	r = set_locked(vm, region);
	mutex_unlock(&vm->lock);
	return r;
}

int kvml_slots_init(struct kvml_vm *vm)
{
	struct kvml_slots *slots = kvzalloc(sizeof(*slots), GFP_KERNEL_ACCOUNT);

	if (!slots)
		return -ENOMEM;
	slots->hva_min = ULONG_MAX;
	RCU_INIT_POINTER(vm->slots, slots);
	return 0;
}

/* Nobody else knows @vm any more. */
void kvml_slots_free(struct kvml_vm *vm)
{
	struct kvml_slots *slots = rcu_dereference_protected(vm->slots, true);
	unsigned int i;

	if (!slots)
		return;
	for (i = 0; i < slots->nr; i++)
		slot_free(slots->slot[i], NULL);
	kvfree(slots);
}

static struct kvml_slots *read_slots(struct kvml_vm *vm)
{
	return srcu_dereference(vm->slots, &vm->srcu);
}

u32 kvml_slots_generation(struct kvml_vm *vm)
{
	return srcu_dereference_check(vm->slots, &vm->srcu,
				      irqs_disabled())->generation;
}

struct kvml_slot *kvml_slot_lookup(struct kvml_vm *vm, kvml_gfn gfn)
{
	struct kvml_slots *slots = read_slots(vm);
	unsigned int low = 0, high = slots->nr, hint = READ_ONCE(slots->last);

	if (hint < high && slot_has(slots->slot[hint], gfn))
		return slots->slot[hint];

	/* The first slot with a base above @gfn. */
	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (slots->slot[middle]->base > gfn)
			high = middle;
		else
			low = middle + 1;
	}
	if (!low || !slot_has(slots->slot[low - 1], gfn))
		return NULL;
	WRITE_ONCE(slots->last, low - 1);
	return slots->slot[low - 1];
}

struct kvml_slot *kvml_slot_find(struct kvml_vm *vm, kvml_gfn gfn)
{
	struct kvml_slot *slot = kvml_slot_lookup(vm, gfn);

	return slot && !(slot->flags & KVML_SLOT_INVALID) ? slot : NULL;
}

/*
 * Even a bit that is set is set again: the atomic operation orders it after
 * the write to the page, so that who fetches the bit finds the data.
 */
void kvml_slot_mark_dirty(struct kvml_slot *slot, kvml_gfn gfn)
{
	if (slot->dirty)
		set_bit(gfn - slot->base, slot->dirty);
}
