/* SPDX-License-Identifier: GPL-2.0 */
/* Are memslot.c, which is included before, and the model of the unit tests alike? */
#ifndef _FUZZ_SLOT_CHECK_H
#define _FUZZ_SLOT_CHECK_H

#include "slot_model.h"

static void check_slot(const struct kvml_slot *slot,
		       const struct kvm_userspace_memory_region *r)
{
	FUZZ_CHECK(slot->base << PAGE_SHIFT == r->guest_phys_addr, "base");
	FUZZ_CHECK(slot->npages << PAGE_SHIFT == r->memory_size, "size");
	FUZZ_CHECK(slot->hva == r->userspace_addr, "address");
	FUZZ_CHECK(slot->flags == r->flags, "flags %x", slot->flags);
	FUZZ_CHECK(!slot->dirty == !(r->flags & KVM_MEM_LOG_DIRTY_PAGES),
		   "bitmap");
}

static void check_gfn(struct kvml_vm *vm, const struct slot_model *m, u64 gfn)
{
	int owner = slot_model_owner(m, gfn);
	struct kvml_slot *slot = kvml_slot_find(vm, gfn);

	FUZZ_CHECK((slot ? (int)slot->id : -1) == owner, "gfn %llu is of %d",
		   gfn, owner);
	if (slot)
		check_slot(slot, &m->slot[owner]);
}

/* Up and down, as a look-up begins where the last one ended. */
static void check_slots(struct kvml_vm *vm, const struct slot_model *m, u64 pages)
{
	const struct kvml_slots *slots = vm->slots;
	unsigned int i;
	u64 gfn;

	for (gfn = 0; gfn < pages; gfn++)
		check_gfn(vm, m, gfn);
	while (gfn--)
		check_gfn(vm, m, gfn);
	for (i = 0; i < slots->nr; i++) {
		FUZZ_CHECK(slots->slot[i]->hva >= slots->hva_min &&
			   slot_hva_end(slots->slot[i]) <= slots->hva_max,
			   "outside the range that the notifier looks at");
		FUZZ_CHECK(!i || slots->slot[i - 1]->base < slots->slot[i]->base,
			   "not in order");
	}
}

#endif /* _FUZZ_SLOT_CHECK_H */
