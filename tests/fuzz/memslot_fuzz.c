// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots: any sequence of requests, each of which may run out of memory,
 * against the model of the unit tests.  What a request refuses changes nothing.
 *
 * Input: 8 bytes a request; the last of them says whether an allocation fails.
 */
#include "kernel.h"

#include "mmu/memslot.c"
#include "slot_model.h"

const struct kvml_ops *kvml_ops;
unsigned int fuzz_fail_alloc;

/* ---- in place of mmu.c ---- */

void kvml_mmu_zap_slot(struct kvml_vm *vm, struct kvml_slot *slot)
{
	struct kvml_slot *there = kvml_slot_lookup(vm, slot->base);

	FUZZ_CHECK(there, "no slot while its mappings go");
	FUZZ_CHECK(there->flags & KVML_SLOT_INVALID || !there->dirty,
		   "a fault could map what is being zapped");
}

void kvml_mmu_protect_slot(struct kvml_vm *vm, struct kvml_slot *slot)
{
	FUZZ_CHECK(kvml_slot_find(vm, slot->base) == slot,
		   "protected before it is there");
}

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

static void check_all(struct kvml_vm *vm, const struct slot_model *m)
{
	const struct kvml_slots *slots = vm->slots;
	unsigned int i;
	u64 gfn;

	for (gfn = 0; gfn < MODEL_PAGES + 16; gfn++) {
		int owner = slot_model_owner(m, gfn);
		struct kvml_slot *slot = kvml_slot_find(vm, gfn);

		FUZZ_CHECK((slot ? (int)slot->id : -1) == owner,
			   "gfn %llu is of %d", gfn, owner);
		if (!slot)
			continue;
		check_slot(slot, &m->slot[owner]);
		/* The bitmap has room for each page of it. */
		kvml_slot_mark_dirty(slot, gfn);
	}
	for (i = 0; i < slots->nr; i++) {
		FUZZ_CHECK(slots->slot[i]->hva >= slots->hva_min &&
			   slot_hva_end(slots->slot[i]) <= slots->hva_max,
			   "outside the range that the notifier looks at");
		FUZZ_CHECK(!i || slots->slot[i - 1]->base < slots->slot[i]->base,
			   "not in order");
	}
}

static void request(struct kvml_vm *vm, struct slot_model *m, const u8 *bytes)
{
	struct kvm_userspace_memory_region r = slot_model_request(bytes);
	struct slot_model after = *m;
	int want = slot_model_set(&after, &r), got;

	fuzz_fail_alloc = bytes[7] >= 0xc0 ? 1 + bytes[7] % 8 : 0;
	got = kvml_slot_set(vm, &r);
	if (got == -ENOMEM) {
		FUZZ_CHECK(bytes[7] >= 0xc0 && !fuzz_fail_alloc,
			   "nothing failed");
	} else {
		FUZZ_CHECK(got == want, "%d, not %d", got, want);
		if (!want)
			*m = after;
	}
	fuzz_fail_alloc = 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct kvml_vm vm = { .users = { 1 } };
	struct slot_model m = { };

	if (!size)
		return 0;
	vm.manual_dirty = data[0] & 1 ? KVM_DIRTY_LOG_INITIALLY_SET : 0;
	data++;
	size--;
	if (kvml_slots_init(&vm))
		abort();
	for (; size >= 8; data += 8, size -= 8) {
		request(&vm, &m, data);
		check_all(&vm, &m);
	}
	kvml_slots_free(&vm);
	return 0;
}
