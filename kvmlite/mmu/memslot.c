// SPDX-License-Identifier: GPL-2.0
/* Memory slots: changing the set, and looking up in it. */
#include "mmu/backing.h"
#include "mmu/memslot.h"
#include "mmu/notifier.h"
#include "vcpu/vcpu.h"
#include "vm/vm.h"

/* As KVM: the dirty bitmap of a slot has an int's range. */
#define MAX_SLOT_PAGES	((1UL << 31) - 1)

static struct kvml_backings *backings(struct kvml_vm *vm)
{
	return &vm->notifier->backings;
}

/* ---- the trees ---- */

static struct kvml_slot *node_slot(struct rb_node *node, unsigned int tree)
{
	return node ? rb_entry(node, struct kvml_slot, node[tree]) : NULL;
}

static struct kvml_slot *child(const struct kvml_slot *slot, unsigned int tree, bool left)
{
	const struct rb_node *node = &slot->node[tree];

	return node_slot(left ? node->rb_left : node->rb_right, tree);
}

static bool slot_has(const struct kvml_slot *slot, kvml_gfn gfn)
{
	return gfn >= slot->base && gfn - slot->base < slot->npages;
}

static void tree_insert(struct rb_root *root, unsigned int tree, struct kvml_slot *slot)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = slot->base < node_slot(parent, tree)->base ?
		       &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&slot->node[tree], parent, link);
	rb_insert_color(&slot->node[tree], root);
}

/* @old out of the tree, @new into it; each may be NULL. */
static void tree_replace(struct kvml_slots *slots, unsigned int tree,
			 struct kvml_slot *old, struct kvml_slot *new)
{
	struct rb_root *root = &slots->tree[tree];

	if (old && new && old->base == new->base) {
		rb_replace_node(&old->node[tree], &new->node[tree], root);
		return;
	}
	if (old)
		rb_erase(&old->node[tree], root);
	if (new)
		tree_insert(root, tree, new);
}

/*
 * A set without @old and with @new, each may be NULL.  Nobody has @old any more
 * when it returns.  Must hold vm->lock.
 */
static void slots_publish(struct kvml_vm *vm, struct kvml_slot *old, struct kvml_slot *new)
{
	struct kvml_slots *slots = &vm->slots;
	u64 generation = slots->generation + 1;

	tree_replace(slots, generation & 1, old, new);
	/* Pairs with current_generation(). */
	smp_store_release(&slots->generation, generation);
	synchronize_srcu_expedited(&vm->srcu);
	tree_replace(slots, !(generation & 1), old, new);
}

/* ---- one slot ---- */

static int slot_alloc_dirty(struct kvml_vm *vm, struct kvml_slot *slot)
{
	slot->dirty = kvcalloc(BITS_TO_LONGS(slot->npages), sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!slot->dirty)
		return -ENOMEM;
	if (vm->manual_dirty & KVM_DIRTY_LOG_INITIALLY_SET)
		bitmap_set(slot->dirty, 0, slot->npages);
	return 0;
}

/* The backing of @slot: that of @old, unless it moves. */
static int slot_alloc_backing(struct kvml_vm *vm, struct kvml_slot *slot,
			      const struct kvml_slot *old)
{
	slot->backing = old && old->base == slot->base ? old->backing :
			kvml_backing_alloc(vm, slot->base, slot->npages, slot->hva);
	return slot->backing ? 0 : -ENOMEM;
}

/* Frees @slot, but not what @heir (or NULL) uses of it. */
static void slot_free(struct kvml_slot *slot, const struct kvml_slot *heir)
{
	if (!slot)
		return;
	if (!heir || heir->dirty != slot->dirty)
		kvfree(slot->dirty);
	kfree(slot);
}

/* The same of one that nobody got to know. */
static void slot_undo(struct kvml_slot *slot, const struct kvml_slot *old)
{
	if (!old || old->backing != slot->backing)
		kfree(slot->backing);
	slot_free(slot, old);
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

	if (old && region->flags & KVM_MEM_LOG_DIRTY_PAGES)
		slot->dirty = old->dirty;
	if (slot_alloc_backing(vm, slot, old))
		goto err;
	if (region->flags & KVM_MEM_LOG_DIRTY_PAGES && !slot->dirty &&
	    slot_alloc_dirty(vm, slot))
		goto err;
	return slot;

err:
	slot_undo(slot, old);
	return ERR_PTR(-ENOMEM);
}

static int slot_create(struct kvml_vm *vm, struct kvml_slot *slot)
{
	int r = xa_insert(&vm->slots.by_id, slot->id, slot, GFP_KERNEL_ACCOUNT);

	if (r)
		return r;
	/* Before a fault can map any of it. */
	kvml_backing_add(backings(vm), slot->backing);
	slots_publish(vm, NULL, slot);
	return 0;
}

/* Deletes @old (@slot is NULL) or moves it. */
static int slot_remove(struct kvml_vm *vm, struct kvml_slot *old, struct kvml_slot *slot)
{
	struct kvml_slot *invalid = kmemdup(old, sizeof(*old), GFP_KERNEL_ACCOUNT);

	if (!invalid)
		return -ENOMEM;
	invalid->flags |= KVML_SLOT_INVALID;
	invalid->backing = NULL;
	slots_publish(vm, old, invalid);
	kvml_mmu_zap_slot(vm, old);
	kvml_backing_remove(backings(vm), old->backing);
	if (slot)
		kvml_backing_add(backings(vm), slot->backing);
	slots_publish(vm, invalid, slot);
	/* There is an entry for the number already: this needs no memory. */
	xa_store(&vm->slots.by_id, old->id, slot, GFP_KERNEL_ACCOUNT);
	kfree(invalid);
	slot_free(old, slot);
	return 0;
}

/* Dirty logging begins or ends. */
static void slot_change_flags(struct kvml_vm *vm, struct kvml_slot *old, struct kvml_slot *slot)
{
	slots_publish(vm, old, slot);
	xa_store(&vm->slots.by_id, old->id, slot, GFP_KERNEL_ACCOUNT);	/* as above */
	/* Everything counts as dirty already: protected by CLEAR_DIRTY_LOG. */
	if (slot->dirty && !(vm->manual_dirty & KVM_DIRTY_LOG_INITIALLY_SET))
		kvml_mmu_protect_slot(vm, slot);
	/* 4 KiB leaves were for the log: 2 MiB may come back. */
	if (!slot->dirty)
		kvml_mmu_zap_slot(vm, slot);
	slot_free(old, slot);
}

/* ---- KVM_SET_USER_MEMORY_REGION ---- */

/* What must hold whatever slots there are. */
static bool region_valid(const struct kvm_userspace_memory_region *region)
{
	u64 size = region->memory_size;

	return !(region->flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)) &&
	       region->slot < KVML_MAX_SLOTS &&		/* one address space */
	       PAGE_ALIGNED(size | region->guest_phys_addr | region->userspace_addr) &&
	       access_ok((void __user *)region->userspace_addr, size) &&
	       region->guest_phys_addr + size >= region->guest_phys_addr &&
	       size >> PAGE_SHIFT <= MAX_SLOT_PAGES;
}

struct kvml_slot *kvml_slot_by_id(struct kvml_vm *vm, u32 id)
{
	return xa_load(&vm->slots.by_id, id);
}

/* The first slot that ends behind @gfn; must hold vm->lock. */
static struct kvml_slot *slot_from(struct kvml_slots *slots, kvml_gfn gfn)
{
	unsigned int tree = slots->generation & 1;
	struct kvml_slot *slot = node_slot(slots->tree[tree].rb_node, tree);
	struct kvml_slot *found = NULL;

	while (slot) {
		bool behind = slot->base + slot->npages > gfn;

		if (behind)
			found = slot;
		slot = child(slot, tree, behind);
	}
	return found;
}

/* Does @region overlap a slot but the one it is about? */
static bool region_overlaps(struct kvml_slots *slots,
			    const struct kvm_userspace_memory_region *region)
{
	kvml_gfn start = region->guest_phys_addr >> PAGE_SHIFT;
	kvml_gfn end = start + (region->memory_size >> PAGE_SHIFT);
	struct kvml_slot *slot = slot_from(slots, start);

	/* The next one is another slot. */
	if (slot && slot->id == region->slot)
		slot = slot_from(slots, slot->base + slot->npages);
	return slot && slot->base < end;
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
static int set_locked(struct kvml_vm *vm, const struct kvm_userspace_memory_region *region)
{
	struct kvml_slot *old = kvml_slot_by_id(vm, region->slot);
	kvml_gfn base = region->guest_phys_addr >> PAGE_SHIFT;
	bool moves = !old || old->base != base;
	struct kvml_slot *slot;
	int r = 0;

	if (!region->memory_size)
		return old ? slot_remove(vm, old, NULL) : -EINVAL;
	if (old && !region_fits(region, old))
		return -EINVAL;
	if (!moves && old->flags == region->flags)
		return 0;
	if (moves && region_overlaps(&vm->slots, region))
		return -EEXIST;
	if (moves && base + (region->memory_size >> PAGE_SHIFT) >
	    min(BIT_ULL(boot_cpu_data.x86_phys_bits - PAGE_SHIFT), KVML_MAX_GFN))
		return -EINVAL;

	slot = slot_alloc(vm, region, old);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	if (!old)
		r = slot_create(vm, slot);
	else if (moves)
		r = slot_remove(vm, old, slot);
	else
		slot_change_flags(vm, old, slot);
	if (r)
		slot_undo(slot, old);
	return r;
}

int kvml_slot_set(struct kvml_vm *vm, const struct kvm_userspace_memory_region *region)
{
	int r;

	if (!region_valid(region))
		return -EINVAL;
	mutex_lock(&vm->lock);
	r = set_locked(vm, region);
	mutex_unlock(&vm->lock);
	return r;
}

/* ---- a VM's ---- */

void kvml_slots_init(struct kvml_vm *vm)
{
	vm->slots.tree[0] = RB_ROOT;
	vm->slots.tree[1] = RB_ROOT;
	xa_init_flags(&vm->slots.by_id, XA_FLAGS_ACCOUNT);
}

/* There is no descriptor of the VM any more. */
void kvml_slots_unhook(struct kvml_vm *vm)
{
	struct kvml_slot *slot;
	unsigned long id;

	xa_for_each(&vm->slots.by_id, id, slot)
		kvml_backing_remove(backings(vm), slot->backing);
	kvml_backings_settle(backings(vm));
}

/* Nobody else knows @vm any more. */
void kvml_slots_free(struct kvml_vm *vm)
{
	struct kvml_slot *slot;
	unsigned long id;

	xa_for_each(&vm->slots.by_id, id, slot)
		slot_free(slot, NULL);
	xa_destroy(&vm->slots.by_id);
}

/* ---- readers ---- */

static u64 current_generation(struct kvml_vm *vm)
{
	/* Its set is there, too; pairs with slots_publish(). */
	return smp_load_acquire(&vm->slots.generation);
}

u32 kvml_slots_generation(struct kvml_vm *vm)
{
	return current_generation(vm);
}

static struct kvml_slot *slot_of(struct kvml_slots *slots, u64 generation, kvml_gfn gfn)
{
	unsigned int tree = generation & 1;
	struct kvml_slot *slot = node_slot(slots->tree[tree].rb_node, tree);

	while (slot && !slot_has(slot, gfn))
		slot = child(slot, tree, gfn < slot->base);
	return slot;
}

struct kvml_slot *kvml_slot_lookup(struct kvml_vcpu *vcpu, kvml_gfn gfn)
{
	struct kvml_slot_hint *hint = &vcpu->slot_hint;
	struct kvml_vm *vm = vcpu->vm;
	u64 generation = current_generation(vm);
	struct kvml_slot *slot = hint->slot;

	RCU_LOCKDEP_WARN(!srcu_read_lock_held(&vm->srcu), "slots without vm->srcu");
	if (hint->generation == generation && slot && slot_has(slot, gfn))
		return slot;

	slot = slot_of(&vm->slots, generation, gfn);
	if (slot) {
		hint->slot = slot;
		hint->generation = generation;
	}
	return slot;
}

struct kvml_slot *kvml_slot_find(struct kvml_vcpu *vcpu, kvml_gfn gfn)
{
	struct kvml_slot *slot = kvml_slot_lookup(vcpu, gfn);

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
