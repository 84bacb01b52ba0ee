/* SPDX-License-Identifier: GPL-2.0 */
/* Are memslot.c, which is included before, and the model of the unit tests alike? */
#ifndef _FUZZ_SLOT_CHECK_H
#define _FUZZ_SLOT_CHECK_H

#include "slot_model.h"

/* ---- in place of backing.c ---- */

static unsigned int backed;	/* those that were added, and not removed */
static struct kvml_vcpu slot_vcpu;

struct kvml_backing *kvml_backing_alloc(struct kvml_vm *vm, kvml_gfn base,
					unsigned long npages, unsigned long hva)
{
	struct kvml_backing *b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);

	if (b)
		b->base = base;
	return b;
}

void kvml_backing_add(struct kvml_backings *set, struct kvml_backing *b)
{
	FUZZ_CHECK(!kvml_slot_find(&slot_vcpu, b->base),
		   "a fault could map what the notifier does not know");
	backed++;
}

static bool unhooked;

void kvml_backing_remove(struct kvml_backings *set, struct kvml_backing *b)
{
	FUZZ_CHECK(unhooked || !kvml_slot_find(&slot_vcpu, b->base),
		   "a fault could map what the notifier no longer knows");
	backed--;
	kfree(b);
}

void kvml_backings_settle(struct kvml_backings *set)
{
	FUZZ_CHECK(!backed, "%u backings are left", backed);
}

static unsigned int slots_there(const struct slot_model *m)
{
	unsigned int i, n = 0;

	for (i = 0; i < MODEL_SLOTS; i++)
		n += !!m->slot[i].memory_size;
	return n;
}

/* A VM that has nothing but slots. */
static void slots_begin(struct kvml_vm *vm)
{
	static struct kvml_notifier notifier;

	memset(&slot_vcpu, 0, sizeof(slot_vcpu));
	slot_vcpu.vm = vm;
	vm->notifier = &notifier;
	unhooked = false;
	kvml_slots_init(vm);
}

static void slots_end(struct kvml_vm *vm)
{
	unhooked = true;
	kvml_slots_unhook(vm);
	kvml_slots_free(vm);
}

/* ---- what must hold ---- */

static void check_slot(const struct kvml_slot *slot,
		       const struct kvm_userspace_memory_region *r)
{
	FUZZ_CHECK(slot->base << PAGE_SHIFT == r->guest_phys_addr, "base");
	FUZZ_CHECK(slot->npages << PAGE_SHIFT == r->memory_size, "size");
	FUZZ_CHECK(slot->hva == r->userspace_addr, "address");
	FUZZ_CHECK(slot->flags == r->flags, "flags %x", slot->flags);
	FUZZ_CHECK(slot->backing->base == slot->base, "another slot's backing");
	FUZZ_CHECK(!slot->dirty == !(r->flags & KVM_MEM_LOG_DIRTY_PAGES),
		   "bitmap");
}

static void check_gfn(struct kvml_vcpu *vcpu, const struct slot_model *m, u64 gfn)
{
	int owner = slot_model_owner(m, gfn);
	struct kvml_slot *slot = kvml_slot_find(vcpu, gfn);

	FUZZ_CHECK((slot ? (int)slot->id : -1) == owner, "gfn %llu is of %d",
		   gfn, owner);
	if (slot)
		check_slot(slot, &m->slot[owner]);
}

/* Up and down, as a look-up begins where the vCPU's last one ended. */
static void check_slots(struct kvml_vcpu *vcpu, const struct slot_model *m, u64 pages)
{
	struct kvml_slots *slots = &vcpu->vm->slots;
	u64 gfn;
	u32 id;

	for (gfn = 0; gfn < pages; gfn++)
		check_gfn(vcpu, m, gfn);
	while (gfn--) {
		check_gfn(vcpu, m, gfn);
		FUZZ_CHECK(slot_of(slots, 0, gfn) == slot_of(slots, 1, gfn),
			   "gfn %llu: the trees differ", gfn);
	}
	for (id = 0; id < MODEL_SLOTS; id++)
		FUZZ_CHECK(!kvml_slot_by_id(vcpu->vm, id) ==
			   !m->slot[id].memory_size, "slot %u", id);
	FUZZ_CHECK(backed == slots_there(m), "%u backings", backed);
}

#endif /* _FUZZ_SLOT_CHECK_H */
