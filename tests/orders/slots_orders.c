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

/* memslot.c waits for readers of a set; who only looks with interrupts off may stay. */
struct kvml_slots;
static void readers_end(void);
static void free_later(struct kvml_slots *slots);
#undef synchronize_srcu_expedited
#define synchronize_srcu_expedited(srcu) readers_end()
#undef kvfree_rcu
#define kvfree_rcu(p, member) free_later(p)

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

static void fault_all(const struct kvml_slots *slots)
{
	unsigned int i;
	kvml_gfn gfn;

	for (i = 0; i < slots->nr; i++)
		for (gfn = 0; gfn < gfns; gfn++)
			if (slot_has(slots->slot[i], gfn))
				fault(slots->slot[i], gfn);
}

static void check_mapped(void)
{
	kvml_gfn gfn;

	for (gfn = 0; gfn < gfns; gfn++) {
		struct kvml_slot *slot = kvml_slot_find(&vm, gfn);

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

/* The set that a vCPU found when it came out of the guest. */
static struct kvml_slots *held;
/* Sets that were current since the last grace period, and what it lets go. */
static struct kvml_slots *hot[2], *freed[2];
static unsigned int nr_hot, nr_freed;

/* The fault of who found that set comes last. */
static void readers_end(void)
{
	FUZZ_CHECK(nr_hot < ARRAY_SIZE(hot), "more sets than a request makes");
	hot[nr_hot++] = held;
	fault_all(held);
	held = vm.slots;
	fault_all(held);
}

static void free_later(struct kvml_slots *slots)
{
	FUZZ_CHECK(nr_freed < ARRAY_SIZE(freed), "more than were there");
	freed[nr_freed++] = slots;
}

/* Hot exits end, which have looked at a set's generation with interrupts off. */
static void grace_period_ends(void)
{
	while (nr_hot)
		FUZZ_CHECK(hot[--nr_hot]->generation != vm.slots->generation,
			   "two sets of generation %u", vm.slots->generation);
	while (nr_freed)
		free(freed[--nr_freed]);
}

/* ---- in place of mmu.c ---- */

void kvml_mmu_zap_slot(struct kvml_vm *of, struct kvml_slot *slot)
{
	kvml_gfn gfn;

	for (gfn = 0; gfn < gfns; gfn++)
		if (slot_has(slot, gfn))
			mapped[gfn].there = false;
	fault_all(of->slots);
}

void kvml_mmu_protect_slot(struct kvml_vm *of, struct kvml_slot *slot)
{
	kvml_gfn gfn;

	for (gfn = 0; gfn < gfns; gfn++)
		if (slot_has(slot, gfn))
			mapped[gfn].writable = false;
	fault_all(of->slots);
}

/* ---- requests ---- */

/* With each allocation that can fail, then as it should be. */
static int set_with_failures(const struct kvm_userspace_memory_region *r)
{
	unsigned int n;

	for (n = 1; ; n++) {
		const struct kvml_slots *before = vm.slots;
		int got;

		fuzz_fail_alloc = n;
		got = kvml_slot_set(&vm, r);
		if (fuzz_fail_alloc)
			return got;
		FUZZ_CHECK(got == -ENOMEM && vm.slots == before,
			   "allocation %u failed: %d", n, got);
	}
}

static enum order request(struct kvm_userspace_memory_region r)
{
	u32 generation = vm.slots->generation;
	struct slot_model after = model;
	int want = slot_model_set(&after, &r), got;
	bool changes = !want && memcmp(&after, &model, sizeof(model));

	got = set_with_failures(&r);
	FUZZ_CHECK(got == want, "%d, not %d", got, want);
	FUZZ_CHECK((vm.slots->generation != generation) == changes,
		   "generation %u", vm.slots->generation);
	if (changes)
		model = after;
	FUZZ_CHECK(held == vm.slots, "readers of the last set have not ended");
	grace_period_ends();
	fault_all(vm.slots);
	return changes ? ORDER_ON : ORDER_SAME;
}

static void check(void)
{
	check_slots(&vm, &model, gfns);
	check_mapped();
}

static void begin(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(&model, 0, sizeof(model));
	memset(mapped, 0, sizeof(mapped));
	vm.manual_dirty = *(const u64 *)universe->arg;
	FUZZ_CHECK(!kvml_slots_init(&vm), "init");
	held = vm.slots;
}

static void end(void)
{
	kvml_slots_free(&vm);
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
