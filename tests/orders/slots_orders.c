// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots, beside the model of the unit tests, and beside vCPUs that access
 * whatever they can at any time: what they have mapped when a request returns is
 * what the slots say then, and each write to a slot with a dirty log is in it.
 *
 * Each request is first made once for each allocation of it that can fail: that
 * changes nothing.  A set of slots is looked at as long as readers may.
 */
#include "orders.h"

/* memslot.c waits for readers of a set. */
static void readers_end(void);
#undef synchronize_srcu_expedited
#define synchronize_srcu_expedited(srcu) readers_end()

#include "memslot.c"
#include "slot_check.h"

const struct kvml_ops *kvml_ops;

#define PAGES	(MODEL_PAGES + 16)

static struct kvml_vm vm;
static struct slot_model model;
static u64 gfns;		/* that are looked at */

/* ---- the guest: what it has mapped, and when it could not write unseen ---- */

static struct {
	bool there, writable;
	unsigned long hva;
} mapped[PAGES];

/* A write if that is allowed, by a vCPU that found @slot. */
static void fault(struct kvml_slot *slot, kvml_gfn gfn)
{
	if (slot->flags & KVML_SLOT_INVALID ||
	    (mapped[gfn].there && mapped[gfn].writable))
		return;
	mapped[gfn].there = true;
	mapped[gfn].writable = !(slot->flags & KVM_MEM_READONLY);
	mapped[gfn].hva = kvml_slot_hva(slot, gfn);
	if (mapped[gfn].writable)
		kvml_slot_mark_dirty(slot, gfn);
}

/* By a vCPU that is in the set of @generation. */
static void fault_all(u64 generation)
{
	struct kvml_slot *slot;
	kvml_gfn gfn;

	for (gfn = 0; gfn < gfns; gfn++) {
		slot = slot_of(&vm.slots, generation, gfn);
		if (slot)
			fault(slot, gfn);
	}
}

static void check_mapped(void)
{
	kvml_gfn gfn;

	for (gfn = 0; gfn < gfns; gfn++) {
		struct kvml_slot *slot = kvml_slot_find(&slot_vcpu, gfn);

		if (!mapped[gfn].there)
			continue;
		FUZZ_CHECK(slot, "gfn %llu is mapped and in no slot", gfn);
		FUZZ_CHECK(kvml_slot_hva(slot, gfn) == mapped[gfn].hva,
			   "gfn %llu is mapped to %lx", gfn, mapped[gfn].hva);
		if (!mapped[gfn].writable)
			continue;
		FUZZ_CHECK(!(slot->flags & KVM_MEM_READONLY),
			   "gfn %llu is writable", gfn);
		FUZZ_CHECK(!slot->dirty || test_bit(gfn - slot->base, slot->dirty),
			   "gfn %llu is written to unseen", gfn);
	}
}

/* ---- readers, one after the other, and what they hold ---- */

/* The set that a vCPU found when it came out of the guest, and what was in it. */
static u64 held;
static struct kvml_slot *held_slots[PAGES];

static void hold(u64 generation)
{
	kvml_gfn gfn;

	held = generation;
	for (gfn = 0; gfn < gfns; gfn++)
		held_slots[gfn] = slot_of(&vm.slots, held, gfn);
}

/* The fault of who found that set comes last. */
static void readers_end(void)
{
	kvml_gfn gfn;

	for (gfn = 0; gfn < gfns; gfn++)
		FUZZ_CHECK(held_slots[gfn] == slot_of(&vm.slots, held, gfn),
			   "gfn %llu: a set changes while it is read", gfn);
	fault_all(held);
	hold(vm.slots.generation);
	fault_all(held);
}

/* ---- in place of mmu.c ---- */

void kvml_mmu_zap_slot(struct kvml_vm *of, struct kvml_slot *slot)
{
	kvml_gfn gfn;

	for (gfn = 0; gfn < gfns; gfn++)
		if (slot_has(slot, gfn))
			mapped[gfn].there = false;
	fault_all(of->slots.generation);
}

void kvml_mmu_protect_slot(struct kvml_vm *of, struct kvml_slot *slot)
{
	kvml_gfn gfn;

	for (gfn = 0; gfn < gfns; gfn++)
		if (slot_has(slot, gfn))
			mapped[gfn].writable = false;
	fault_all(of->slots.generation);
}

/* ---- requests ---- */

/* With each allocation that can fail, then as it should be. */
static int set_with_failures(const struct kvm_userspace_memory_region *r)
{
	unsigned int n;

	for (n = 1; ; n++) {
		u64 before = vm.slots.generation;
		int got;

		fuzz_fail_alloc = n;
		got = kvml_slot_set(&vm, r);
		if (fuzz_fail_alloc)
			return got;
		FUZZ_CHECK(got == -ENOMEM && vm.slots.generation == before,
			   "allocation %u failed: %d", n, got);
	}
}

static enum order request(struct kvm_userspace_memory_region r)
{
	u64 generation = vm.slots.generation;
	struct slot_model after = model;
	int want = slot_model_set(&after, &r), got;
	bool changes = !want && memcmp(&after, &model, sizeof(model));

	got = set_with_failures(&r);
	FUZZ_CHECK(got == want, "%d, not %d", got, want);
	FUZZ_CHECK((vm.slots.generation != generation) == changes,
		   "generation %llu", vm.slots.generation);
	if (changes)
		model = after;
	FUZZ_CHECK(held == vm.slots.generation,
		   "readers of the last set have not ended");
	fault_all(held);
	return changes ? ORDER_ON : ORDER_SAME;
}

static void check(void)
{
	check_slots(&slot_vcpu, &model, gfns);
	check_mapped();
}

static void begin(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(&model, 0, sizeof(model));
	memset(mapped, 0, sizeof(mapped));
	vm.manual_dirty = *(const u64 *)universe->arg;
	slots_begin(&vm);
	hold(0);
}

static void end(void)
{
	slots_end(&vm);
}

static void say_request(const struct kvm_userspace_memory_region *r, char *text,
			size_t size)
{
	if (!r->memory_size)
		snprintf(text, size, "slot %u: deleted", r->slot);
	else
		snprintf(text, size, "slot %u: gfn %llu, %llu pages, at %llx%s%s",
			 r->slot, model_first(r), model_pages(r),
			 r->userspace_addr,
			 r->flags & KVM_MEM_LOG_DIRTY_PAGES ? ", dirty log" : "",
			 r->flags & KVM_MEM_READONLY ? ", read-only" : "");
}

/* ---- two slots of one or two pages within four gfns ---- */

#define SLOTS		2
#define BASES		3
#define SIZES		2
#define KINDS		4	/* flags, and another address in the VMM */
#define REQUESTS	(BASES * SIZES * KINDS + 1)

static struct kvm_userspace_memory_region small_request(u32 nr)
{
	static const u32 flags[KINDS] = {
		0, KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, 0
	};
	struct kvm_userspace_memory_region r = {
		.slot = nr % SLOTS,
		.userspace_addr = (nr % SLOTS + 1) * 0x100000,
	};

	nr /= SLOTS;
	if (nr == REQUESTS - 1)
		return r;
	r.guest_phys_addr = nr % BASES * PAGE_SIZE;
	r.memory_size = (nr / BASES % SIZES + 1) * PAGE_SIZE;
	r.flags = flags[nr / BASES / SIZES];
	if (nr / BASES / SIZES == KINDS - 1)
		r.userspace_addr += PAGE_SIZE;
	return r;
}

static unsigned int slots_used;

static void small_begin(void)
{
	gfns = BASES + SIZES;
	slots_used = 0;
	begin();
}

static enum order small_call(u32 nr)
{
	if (!orders_first(&slots_used, nr % SLOTS))
		return ORDER_NONE;
	return request(small_request(nr));
}

static void small_say(u32 nr, char *text, size_t size)
{
	struct kvm_userspace_memory_region r = small_request(nr);

	say_request(&r, text, size);
}

/* ---- any requests ---- */

static struct kvm_userspace_memory_region random_request(u32 nr)
{
	u64 seed = nr, bytes = orders_random(&seed);

	return slot_model_request((const u8 *)&bytes);
}

static void random_begin(void)
{
	gfns = PAGES;
	begin();
}

static enum order random_call(u32 nr)
{
	return request(random_request(nr));
}

static void random_say(u32 nr, char *text, size_t size)
{
	struct kvm_userspace_memory_region r = random_request(nr);

	say_request(&r, text, size);
}

static const u64 set_by_writes, set_at_once = KVM_DIRTY_LOG_INITIALLY_SET;

#define SMALL	.calls = SLOTS * REQUESTS, .length = 4, .deep = 5,	\
		.begin = small_begin, .call = small_call, .check = check, \
		.end = end, .say = small_say

#define RANDOM	.length = 200, .random = 100, .random_deep = 5000,	\
		.begin = random_begin, .call = random_call, .check = check, \
		.end = end, .say = random_say

static const struct universe universes[] = {
	{ "slots", &set_by_writes, SMALL },
	{ "slots, all pages dirty at first", &set_at_once, SMALL },
	{ "many slots", &set_by_writes, RANDOM },
	{ "many slots, all pages dirty at first", &set_at_once, RANDOM },
};

int main(int argc, char **argv)
{
	return orders_main(argc, argv, universes, ARRAY_SIZE(universes));
}
