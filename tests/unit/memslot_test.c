// SPDX-License-Identifier: GPL-2.0
/* Memory slots: which requests are taken, and what look-ups find then. */
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/prandom.h>

#include "mmu/memslot.c"
#include "slot_model.h"

/* ---- in place of mmu.c ---- */

static struct kvml_vm *vm;
static struct kvml_vcpu *vcpu;
static unsigned int zapped, protected;
static bool unhooked;

/* While mappings go, faults must find the slot, and must not use it. */
void kvml_mmu_zap_slot(struct kvml_vm *of, struct kvml_slot *slot)
{
	struct kunit *test = kunit_get_current_test();
	struct kvml_slot *there;
	int idx;

	zapped++;
	/* As a fault does it: the lock of who changes slots is not its own. */
	idx = srcu_read_lock(&of->srcu);
	there = kvml_slot_lookup(vcpu, slot->base);
	KUNIT_EXPECT_NOT_NULL(test, there);
	/* Dirty logging that ends leaves the slot in place. */
	if (there && !(there->flags & KVML_SLOT_INVALID))
		KUNIT_EXPECT_NULL(test, there->dirty);
	else
		KUNIT_EXPECT_NULL(test, kvml_slot_find(vcpu, slot->base));
	srcu_read_unlock(&of->srcu, idx);
}

void kvml_mmu_protect_slot(struct kvml_vm *of, struct kvml_slot *slot)
{
	protected++;
}

/* ---- in place of backing.c ---- */

static unsigned int backed;	/* backings that were added, and not removed */

struct kvml_backing *kvml_backing_alloc(struct kvml_vm *of, kvml_gfn base,
					unsigned long npages, unsigned long hva)
{
	struct kvml_backing *b = kzalloc(sizeof(*b), GFP_KERNEL);

	if (b)
		b->base = base;
	return b;
}

/* May a fault map the page that is the first of @b? */
static bool mappable(const struct kvml_backing *b)
{
	int idx = srcu_read_lock(&vm->srcu);
	bool found = kvml_slot_find(vcpu, b->base);

	srcu_read_unlock(&vm->srcu, idx);
	return found;
}

/* The notifier knows of a page before a fault can map it. */
void kvml_backing_add(struct kvml_backings *set, struct kvml_backing *b)
{
	KUNIT_EXPECT_PTR_EQ(kunit_get_current_test(), set, &vm->notifier->backings);
	KUNIT_EXPECT_FALSE(kunit_get_current_test(), mappable(b));
	backed++;
}

/* And as long as one can. */
void kvml_backing_remove(struct kvml_backings *set, struct kvml_backing *b)
{
	KUNIT_EXPECT_FALSE(kunit_get_current_test(), unhooked ? false : mappable(b));
	backed--;
	kfree(b);
}

void kvml_backings_settle(struct kvml_backings *set)
{
}

/* ---- a VM that has nothing but slots ---- */

static int memslot_init(struct kunit *test)
{
	vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vm);
	mutex_init(&vm->lock);
	KUNIT_ASSERT_EQ(test, init_srcu_struct(&vm->srcu), 0);
	vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->vm = vm;
	vm->notifier = kunit_kzalloc(test, sizeof(*vm->notifier), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vm->notifier);
	kvml_slots_init(vm);
	zapped = 0;
	protected = 0;
	backed = 0;
	unhooked = false;
	return 0;
}

static void memslot_exit(struct kunit *test)
{
	if (!vm)
		return;
	unhooked = true;
	kvml_slots_unhook(vm);
	KUNIT_EXPECT_EQ(test, backed, 0);
	kvml_slots_free(vm);
	cleanup_srcu_struct(&vm->srcu);
	vm = NULL;
}

#define HVA	0x7f0000000000ul

static int set(u32 id, u32 flags, u64 gfn, u64 pages, unsigned long hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = id,
		.flags = flags,
		.guest_phys_addr = gfn << PAGE_SHIFT,
		.memory_size = pages << PAGE_SHIFT,
		.userspace_addr = hva,
	};

	return kvml_slot_set(vm, &region);
}

/* The number of the slot that a fault at @gfn would use, or -1. */
static int owner(kvml_gfn gfn)
{
	int idx = srcu_read_lock(&vm->srcu), id = -1;
	struct kvml_slot *slot = kvml_slot_find(vcpu, gfn);

	if (slot)
		id = slot->id;
	srcu_read_unlock(&vm->srcu, idx);
	return id;
}

static u32 generation(void)
{
	int idx = srcu_read_lock(&vm->srcu);
	u32 n = kvml_slots_generation(vm);

	srcu_read_unlock(&vm->srcu, idx);
	return n;
}

static struct kvml_slot *slot_by_id(u32 id)
{
	struct kvml_slot *slot;

	mutex_lock(&vm->lock);
	slot = kvml_slot_by_id(vm, id);
	mutex_unlock(&vm->lock);
	return slot;
}

/* ---- what is valid, whatever slots there are ---- */

static const struct valid_case {
	const char *text;
	bool valid;
	struct kvm_userspace_memory_region region;
} valid_cases[] = {
	{ "a page", true, { .memory_size = PAGE_SIZE } },
	{ "nothing", true, { } },
	{ "both flags", true, { .flags = KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY,
				.memory_size = PAGE_SIZE } },
	{ "an unknown flag", false, { .flags = BIT(2), .memory_size = PAGE_SIZE } },
	{ "our own flag", false, { .flags = KVML_SLOT_INVALID,
				   .memory_size = PAGE_SIZE } },
	{ "the last number", true, { .slot = KVML_MAX_SLOTS - 1 } },
	{ "one number too many", false, { .slot = KVML_MAX_SLOTS } },
	{ "another address space", false, { .slot = 1 << 16 } },
	{ "half a page", false, { .memory_size = PAGE_SIZE / 2 } },
	{ "a guest address within a page", false,
	  { .guest_phys_addr = 1, .memory_size = PAGE_SIZE } },
	{ "an address within a page", false,
	  { .memory_size = PAGE_SIZE, .userspace_addr = PAGE_SIZE - 1 } },
	{ "the end of userspace", true,
	  { .memory_size = PAGE_SIZE, .userspace_addr = 0x7fffffffe000 } },
	{ "the kernel's memory", false,
	  { .memory_size = PAGE_SIZE, .userspace_addr = 0xffff888000000000 } },
	{ "the last address", false,
	  { .memory_size = PAGE_SIZE, .userspace_addr = -PAGE_SIZE } },
	{ "wraps in userspace", false,
	  { .memory_size = -PAGE_SIZE, .userspace_addr = 2 * PAGE_SIZE } },
	{ "wraps in the guest", false,
	  { .guest_phys_addr = -PAGE_SIZE, .memory_size = 2 * PAGE_SIZE } },
	{ "wraps to zero in the guest", false,
	  { .guest_phys_addr = -PAGE_SIZE, .memory_size = PAGE_SIZE } },
	{ "an int's range of pages", true,
	  { .memory_size = MAX_SLOT_PAGES << PAGE_SHIFT } },
	{ "a page more", false,
	  { .memory_size = (MAX_SLOT_PAGES + 1) << PAGE_SHIFT } },
};

static void memslot_valid_test(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(valid_cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, region_valid(&valid_cases[i].region),
				    valid_cases[i].valid, "%s",
				    valid_cases[i].text);
}

/* ---- overlap ---- */

static const struct overlap_case {
	const char *text;
	u64 gfn, pages;
	int want;
} overlap_cases[] = {
	{ "ends where it begins", 8, 8, 0 },
	{ "ends in its first page", 8, 9, -EEXIST },
	{ "begins in its last page", 31, 2, -EEXIST },
	{ "begins where it ends", 32, 8, 0 },
	{ "is the same", 16, 16, -EEXIST },
	{ "is inside", 20, 1, -EEXIST },
	{ "is around it", 0, 64, -EEXIST },
	{ "is far away", 1ul << 24, 1, 0 },
};

static void memslot_overlap_test(struct kunit *test)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, set(0, 0, 16, 16, HVA), 0);
	for (i = 0; i < ARRAY_SIZE(overlap_cases); i++) {
		const struct overlap_case *c = &overlap_cases[i];

		KUNIT_EXPECT_EQ_MSG(test, set(1, 0, c->gfn, c->pages, HVA),
				    c->want, "%s", c->text);
		if (!c->want)
			KUNIT_EXPECT_EQ_MSG(test, set(1, 0, 0, 0, 0), 0, "%s",
					    c->text);
		KUNIT_EXPECT_EQ_MSG(test, owner(16), 0, "%s", c->text);
		KUNIT_EXPECT_EQ_MSG(test, owner(31), 0, "%s", c->text);
	}
}

/* A slot may be moved over where it was, and not onto another one. */
static void memslot_move_test(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, set(0, 0, 16, 16, HVA), 0);
	KUNIT_ASSERT_EQ(test, set(1, 0, 64, 4, HVA), 0);
	KUNIT_EXPECT_EQ(test, set(0, 0, 20, 16, HVA), 0);
	KUNIT_EXPECT_EQ(test, owner(19), -1);
	KUNIT_EXPECT_EQ(test, owner(20), 0);
	KUNIT_EXPECT_EQ(test, owner(35), 0);
	KUNIT_EXPECT_EQ(test, owner(36), -1);
	KUNIT_EXPECT_EQ(test, zapped, 1);
	KUNIT_EXPECT_EQ(test, set(0, 0, 50, 16, HVA), -EEXIST);
	KUNIT_EXPECT_EQ(test, owner(35), 0);
	KUNIT_EXPECT_EQ(test, zapped, 1);
}

/* Address, size and KVM_MEM_READONLY stay. */
static void memslot_change_test(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, set(0, 0, 16, 16, HVA), 0);
	KUNIT_EXPECT_EQ(test, set(0, 0, 16, 15, HVA), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(0, 0, 16, 16, HVA + PAGE_SIZE), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(0, KVM_MEM_READONLY, 16, 16, HVA), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(0, KVM_MEM_READONLY, 32, 16, HVA), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(0, 0, 16, 16, HVA), 0);
	KUNIT_EXPECT_EQ(test, zapped, 0);
	KUNIT_EXPECT_EQ(test, set(1, 0, 16, 0, HVA), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(0, 0, 16, 0, HVA), 0);
	KUNIT_EXPECT_EQ(test, owner(16), -1);
	KUNIT_EXPECT_EQ(test, set(0, 0, 16, 0, HVA), -EINVAL);
}

/* Guest-physical addresses end where the host's, or four levels, do. */
static kvml_gfn max_gfn(void)
{
	return min(BIT_ULL(boot_cpu_data.x86_phys_bits - PAGE_SHIFT), KVML_MAX_GFN) - 1;
}

static void memslot_last_gfn_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, set(0, 0, max_gfn(), 1, HVA), 0);
	KUNIT_EXPECT_EQ(test, owner(max_gfn()), 0);
	KUNIT_EXPECT_EQ(test, owner(max_gfn() + 1), -1);
	KUNIT_EXPECT_EQ(test, set(1, 0, max_gfn() + 1, 1, HVA), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(0, 0, max_gfn() + 1, 1, HVA), -EINVAL);
	KUNIT_EXPECT_EQ(test, owner(max_gfn()), 0);
	KUNIT_EXPECT_LE(test, max_gfn(), KVML_MAX_GFN - 1);
}

/* ---- look-ups ---- */

/* Slots of 3 pages, 2 apart, set in no order; each page, with any hint. */
static void memslot_lookup_test(struct kunit *test)
{
	const unsigned int n = 33;
	unsigned int i, gfn;
	int want;

	for (i = 0; i < n; i++) {
		unsigned int at = i * 7 % n;

		KUNIT_ASSERT_EQ(test, set(at, 0, 10 + 5 * at, 3, HVA), 0);
	}
	for (i = 0; i < 3; i++)
		for (gfn = 0; gfn < 10 + 5 * n; gfn++) {
			unsigned int page = i == 2 ? gfn * 31 % (10 + 5 * n) :
					    i == 1 ? 9 + 5 * n - gfn : gfn;

			want = page >= 10 && (page - 10) % 5 < 3 ?
			       (int)(page - 10) / 5 : -1;
			KUNIT_EXPECT_EQ_MSG(test, owner(page), want, "gfn %u",
					    page);
		}
}

/* Each vCPU remembers a slot of its own, until slots change. */
static void memslot_hint_test(struct kunit *test)
{
	struct kvml_vcpu *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	struct kvml_slot *first, *second;
	int idx;

	KUNIT_ASSERT_NOT_NULL(test, other);
	other->vm = vm;
	KUNIT_ASSERT_EQ(test, set(0, 0, 10, 4, HVA), 0);
	KUNIT_ASSERT_EQ(test, set(1, 0, 20, 4, HVA), 0);
	first = slot_by_id(0);
	second = slot_by_id(1);
	idx = srcu_read_lock(&vm->srcu);
	KUNIT_EXPECT_PTR_EQ(test, kvml_slot_lookup(vcpu, 11), first);
	KUNIT_EXPECT_PTR_EQ(test, kvml_slot_lookup(other, 21), second);
	KUNIT_EXPECT_PTR_EQ(test, vcpu->slot_hint.slot, first);
	KUNIT_EXPECT_PTR_EQ(test, other->slot_hint.slot, second);
	KUNIT_EXPECT_NULL(test, kvml_slot_lookup(vcpu, 14));
	KUNIT_EXPECT_PTR_EQ(test, vcpu->slot_hint.slot, first);
	/* A guess that is right is not looked up. */
	vcpu->slot_hint.slot = second;
	KUNIT_EXPECT_PTR_EQ(test, kvml_slot_lookup(vcpu, 23), second);
	srcu_read_unlock(&vm->srcu, idx);
	/* It is gone, and another one in its place. */
	KUNIT_ASSERT_EQ(test, set(1, 0, 20, 0, HVA), 0);
	KUNIT_EXPECT_EQ(test, owner(23), -1);
	KUNIT_ASSERT_EQ(test, set(2, 0, 22, 4, HVA), 0);
	KUNIT_EXPECT_EQ(test, owner(23), 2);
	KUNIT_EXPECT_EQ(test, owner(21), -1);
}

/* A slot keeps its backing until it moves or goes. */
static void memslot_backing_test(struct kunit *test)
{
	struct kvml_backing *b;

	KUNIT_ASSERT_EQ(test, set(0, 0, 0, 4, HVA + 0x100000), 0);
	KUNIT_ASSERT_EQ(test, set(1, 0, 8, 4, HVA + 0x100000), 0);
	KUNIT_EXPECT_EQ(test, backed, 2);
	b = slot_by_id(0)->backing;
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_PTR_NE(test, slot_by_id(1)->backing, b);
	KUNIT_ASSERT_EQ(test, set(0, KVM_MEM_LOG_DIRTY_PAGES, 0, 4, HVA + 0x100000), 0);
	KUNIT_EXPECT_PTR_EQ(test, slot_by_id(0)->backing, b);
	KUNIT_EXPECT_EQ(test, set(0, 0, 8, 4, HVA + 0x100000), -EEXIST);
	KUNIT_EXPECT_PTR_EQ(test, slot_by_id(0)->backing, b);
	KUNIT_ASSERT_EQ(test, set(0, KVM_MEM_LOG_DIRTY_PAGES, 16, 4, HVA + 0x100000), 0);
	KUNIT_EXPECT_EQ(test, slot_by_id(0)->backing->base, 16);
	KUNIT_EXPECT_EQ(test, backed, 2);
	KUNIT_ASSERT_EQ(test, set(0, 0, 16, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, backed, 1);
	KUNIT_EXPECT_EQ(test, kvml_slot_hva(slot_by_id(1), 9), HVA + 0x101000);
}

/*
 * What the CPU would compute if it guessed that a gfn is in a slot: an address
 * within the slot, whatever the gfn.
 */
static void memslot_guess_test(struct kunit *test)
{
	static const kvml_gfn outside[] = { 0, 9, 14, 15, 1ULL << 36, ~0ULL };
	struct kvml_slot *slot;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, set(0, 0, 10, 4, HVA), 0);
	slot = slot_by_id(0);
	for (i = 10; i < 14; i++)
		KUNIT_EXPECT_EQ(test, kvml_slot_hva(slot, i),
				HVA + (i - 10) * PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(outside); i++)
		KUNIT_EXPECT_EQ_MSG(test, kvml_slot_hva(slot, outside[i]), HVA,
				    "gfn %llx", outside[i]);
}

/* What was remembered of an address is void after each change. */
static void memslot_generation_test(struct kunit *test)
{
	u32 before = generation();

	KUNIT_ASSERT_EQ(test, set(0, 0, 0, 4, HVA), 0);
	KUNIT_EXPECT_NE(test, generation(), before);
	before = generation();
	KUNIT_ASSERT_EQ(test, set(1, 0, 2, 4, HVA), -EEXIST);
	KUNIT_EXPECT_EQ(test, generation(), before);
	KUNIT_ASSERT_EQ(test, set(0, 0, 0, 0, 0), 0);
	/* Twice: invalid first, then gone. */
	KUNIT_EXPECT_EQ(test, generation(), before + 2);
}

/* ---- dirty logging ---- */

static void memslot_dirty_test(struct kunit *test)
{
	struct kvml_slot *slot;
	unsigned long *bitmap;

	KUNIT_ASSERT_EQ(test, set(0, 0, 16, 100, HVA), 0);
	slot = slot_by_id(0);
	KUNIT_EXPECT_NULL(test, slot->dirty);
	kvml_slot_mark_dirty(slot, 16);

	KUNIT_ASSERT_EQ(test, set(0, KVM_MEM_LOG_DIRTY_PAGES, 16, 100, HVA), 0);
	KUNIT_EXPECT_EQ(test, protected, 1);
	slot = slot_by_id(0);
	KUNIT_ASSERT_NOT_NULL(test, slot->dirty);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(slot->dirty, 128));
	kvml_slot_mark_dirty(slot, 16);
	kvml_slot_mark_dirty(slot, 16 + 99);
	KUNIT_EXPECT_EQ(test, slot->dirty[0], BIT(0));
	KUNIT_EXPECT_EQ(test, slot->dirty[1], BIT(99 - 64));

	/* It is the slot's, wherever that is. */
	bitmap = slot->dirty;
	KUNIT_ASSERT_EQ(test, set(0, KVM_MEM_LOG_DIRTY_PAGES, 500, 100, HVA), 0);
	KUNIT_EXPECT_PTR_EQ(test, slot_by_id(0)->dirty, bitmap);
	KUNIT_EXPECT_EQ(test, bitmap[0], BIT(0));

	zapped = 0;
	KUNIT_ASSERT_EQ(test, set(0, 0, 500, 100, HVA), 0);
	KUNIT_EXPECT_NULL(test, slot_by_id(0)->dirty);
	KUNIT_EXPECT_EQ(test, zapped, 1);
}

/* KVM_DIRTY_LOG_INITIALLY_SET: all of the slot, and no bit beyond. */
static void memslot_dirty_set_test(struct kunit *test)
{
	unsigned long *dirty;

	vm->manual_dirty = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
			   KVM_DIRTY_LOG_INITIALLY_SET;
	KUNIT_ASSERT_EQ(test, set(0, 0, 0, 70, HVA), 0);
	KUNIT_ASSERT_EQ(test, set(0, KVM_MEM_LOG_DIRTY_PAGES, 0, 70, HVA), 0);
	dirty = slot_by_id(0)->dirty;
	KUNIT_EXPECT_EQ(test, dirty[0], ~0ul);
	KUNIT_EXPECT_EQ(test, dirty[1], GENMASK(5, 0));
	KUNIT_EXPECT_EQ(test, protected, 0);
}

/* ---- against the model ---- */

static void memslot_model_test(struct kunit *test)
{
	struct slot_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i, gfn, done = 0;
	struct rnd_state rnd;
	u8 bytes[8];

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&rnd, 42);
	for (i = 0; i < 500; i++) {
		struct kvm_userspace_memory_region r;
		int want;

		prandom_bytes_state(&rnd, bytes, sizeof(bytes));
		r = slot_model_request(bytes);
		want = slot_model_set(m, &r);
		done += !want;
		KUNIT_ASSERT_EQ_MSG(test, kvml_slot_set(vm, &r), want,
				    "request %u: %*ph", i, 8, bytes);
		for (gfn = 0; gfn < MODEL_PAGES + 16; gfn++)
			KUNIT_ASSERT_EQ_MSG(test, owner(gfn),
					    slot_model_owner(m, gfn),
					    "gfn %u after request %u", gfn, i);
	}
	/* The requests were not just refused. */
	KUNIT_EXPECT_GT(test, done, 100);
}

static struct kunit_case memslot_cases[] = {
	KUNIT_CASE(memslot_valid_test),
	KUNIT_CASE(memslot_overlap_test),
	KUNIT_CASE(memslot_move_test),
	KUNIT_CASE(memslot_change_test),
	KUNIT_CASE(memslot_last_gfn_test),
	KUNIT_CASE(memslot_lookup_test),
	KUNIT_CASE(memslot_hint_test),
	KUNIT_CASE(memslot_backing_test),
	KUNIT_CASE(memslot_guess_test),
	KUNIT_CASE(memslot_generation_test),
	KUNIT_CASE(memslot_dirty_test),
	KUNIT_CASE(memslot_dirty_set_test),
	KUNIT_CASE(memslot_model_test),
	{ }
};

static struct kunit_suite memslot_suite = {
	.name = "kvmlite_memslot",
	.init = memslot_init,
	.exit = memslot_exit,
	.test_cases = memslot_cases,
};

kunit_test_suite(memslot_suite);

MODULE_DESCRIPTION("Tests of kvmlite's memory slots");
MODULE_LICENSE("GPL");
