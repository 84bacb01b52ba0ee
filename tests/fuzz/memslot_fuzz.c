// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots: any sequence of requests, each of which may run out of memory,
 * against the model of the unit tests.  What a request refuses changes nothing.
 *
 * Input: 8 bytes a request; the last of them says whether an allocation fails.
 */
#include "kernel.h"

#include "mmu/memslot.c"
#include "slot_check.h"

const struct kvml_ops *kvml_ops;
unsigned int fuzz_fail_alloc;

#define PAGES	(MODEL_PAGES + 16)

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

/* Bitmaps have room for each page of their slots. */
static void write_all(struct kvml_vm *vm)
{
	struct kvml_slot *slot;
	u64 gfn;

	for (gfn = 0; gfn < PAGES; gfn++) {
		slot = kvml_slot_find(vm, gfn);
		if (slot)
			kvml_slot_mark_dirty(slot, gfn);
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
		check_slots(&vm, &m, PAGES);
		write_all(&vm);
	}
	kvml_slots_free(&vm);
	return 0;
}
