/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory slots (api.rst, KVM_SET_USER_MEMORY_REGION): guest-physical ranges
 * and the addresses of the VMM that back them; dirty bitmaps.
 *
 * What readers see never changes: the slots are in two trees, of which they
 * look at one.  A change is made in the other one, which is published then;
 * when nobody reads the first one any more, it is changed alike.  Readers hold
 * srcu_read_lock(&vm->srcu), as exit handlers do.  The number of a set, its
 * generation, says which tree is its own; hot exits, which have interrupts off
 * and do not hold vm->srcu, look at that number alone.
 *
 * A slot that goes away or moves is first published as invalid
 * (KVML_SLOT_INVALID), then its mappings are zapped, then it goes: no fault
 * can bring a mapping back in between.
 *
 * struct kvml_slot itself is in both trees.  Who takes one out of them frees it
 * after a grace period.
 */
#ifndef _KVMLITE_MEMSLOT_H
#define _KVMLITE_MEMSLOT_H

#include <linux/kvm.h>
#include <linux/nospec.h>

struct kvml_vm;
struct kvml_vcpu;

typedef u64 kvml_gfn;
typedef u64 kvml_gpa;

#define KVML_MAX_SLOTS		32764	/* as KVM_CAP_NR_MEMSLOTS of KVM */
#define KVML_SLOT_INVALID	BIT(16)	/* beside KVM_MEM_ flags */

struct kvml_slot {
	kvml_gfn base;			/* (i) */
	unsigned long npages;		/* (i) */
	unsigned long hva;		/* (i) */
	u32 id;				/* (i) */
	u32 flags;			/* (i) KVM_MEM_, KVML_SLOT_INVALID */
	struct kvml_backing *backing;	/* (i) not of an invalid one */
	unsigned long *dirty;		/* bitmap, set bits atomically; NULL */
	struct rb_node node[2];		/* of each tree */
};

struct kvml_slots {
	struct rb_root tree[2];		/* by ->base; no two overlap */
	u64 generation;			/* of the set; bit 0: its tree */
	struct xarray by_id;		/* vm->lock */
};

/* Where a vCPU's last look-up ended; not to be used in another generation. */
struct kvml_slot_hint {
	struct kvml_slot *slot;
	u64 generation;
};

/* KVM_SET_USER_MEMORY_REGION; dirty.c: KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG. */
int kvml_slot_set(struct kvml_vm *vm, const struct kvm_userspace_memory_region *region);
int kvml_slot_get_dirty(struct kvml_vm *vm, struct kvm_dirty_log *log);
int kvml_slot_clear_dirty(struct kvml_vm *vm, struct kvm_clear_dirty_log *log);
void kvml_slots_init(struct kvml_vm *vm);
/* The end of the VM: no callback of the MMU notifier knows it when it returns. */
void kvml_slots_unhook(struct kvml_vm *vm);
void kvml_slots_free(struct kvml_vm *vm);

/* Must hold vm->lock. */
struct kvml_slot *kvml_slot_by_id(struct kvml_vm *vm, u32 id);
/*
 * Must hold vm->srcu.  NULL: no slot; @slot->flags may have KVML_SLOT_INVALID.
 * The vCPU remembers the slot for the next time.
 */
struct kvml_slot *kvml_slot_lookup(struct kvml_vcpu *vcpu, kvml_gfn gfn);
/* The same; NULL for an invalid slot, too. */
struct kvml_slot *kvml_slot_find(struct kvml_vcpu *vcpu, kvml_gfn gfn);
/* And for a read-only one (guestmem.c). */
struct kvml_slot *kvml_slot_writable(struct kvml_vcpu *vcpu, kvml_gpa gpa);
/* Its lower half, for what may be wrong once in 2^32 changes. */
u32 kvml_slots_generation(struct kvml_vm *vm);
/* After the write that it tells of.  Must hold vm->srcu. */
void kvml_slot_mark_dirty(struct kvml_slot *slot, kvml_gfn gfn);

/*
 * @gfn is in @slot.  A guest chooses it, and may have the CPU guess so where it is
 * not: no load outside of the slot shall come of that (spectre.rst of the kernel,
 * variant 1).
 */
static inline unsigned long kvml_slot_hva(const struct kvml_slot *slot, kvml_gfn gfn)
{
	unsigned long page = array_index_nospec(gfn - slot->base, slot->npages);

	return slot->hva + (page << PAGE_SHIFT);
}

/*
 * guestmem.c: guest memory through the VMM's mapping; may sleep; must hold vm->srcu and be
 * the VMM's mm.  May cross pages and slots.  0, or -EFAULT: no slot (or a
 * read-only one, when writing), or the VMM's memory is not there.
 */
int kvml_guest_read(struct kvml_vcpu *vcpu, kvml_gpa gpa, void *data, size_t len);
int kvml_guest_write(struct kvml_vcpu *vcpu, kvml_gpa gpa, const void *data, size_t len);
/*
 * Compare and exchange @size (1, 2, 4, 8; aligned) bytes at @gpa.  0 done, 1
 * it held something else, which is in @old now, -EFAULT.
 */
int kvml_guest_cmpxchg(struct kvml_vcpu *vcpu, kvml_gpa gpa, u64 *old, u64 new,
		       unsigned int size);

#endif /* _KVMLITE_MEMSLOT_H */
