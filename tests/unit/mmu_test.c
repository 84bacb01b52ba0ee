// SPDX-License-Identifier: GPL-2.0
/*
 * Second-stage page tables, in the formats of EPT and of nested paging: what a
 * fault enters, and what taking rights away leaves.  The tables are real, frames
 * are numbers.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <asm/vmx.h>

#include "mmu/mmu.c"

/* ---- formats: SDM volume 3, tables 29-2 to 29-7; APM volume 2, 15.25 ---- */

#define EPT_FORMAT							\
	.table = 0x7, .leaf = 0x5, .write = 0x2,			\
	.memtype_wb = 6 << 3 | BIT(6), .memtype_uc = 0, .present = 0x7,	\
	.mmio = VMX_EPT_MISCONFIG_WX_VALUE, .huge = true

static const struct kvml_pt_format ept = {
	EPT_FORMAT, .accessed = BIT(8), .dirty = BIT(9),
};

static const struct kvml_pt_format ept_without_ad = { EPT_FORMAT };

static const struct kvml_pt_format npt = {
	.table = 0x67, .leaf = 0x5, .write = 0x2, .accessed = 0x20,
	.dirty = 0x40, .memtype_uc = 0x18, .present = 0x1, .huge = true,
};

static const struct format_case {
	const char *name;
	const struct kvml_pt_format *fmt;
} formats[] = {
	{ "EPT", &ept }, { "EPT without A and D", &ept_without_ad },
	{ "NPT", &npt },
};

static void format_desc(const struct format_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(format, formats, format_desc);

/* ---- the VM, and the host behind it ---- */

#define HVA	0x7f0000000000ul

static struct kvml_vm *vm;
static struct kvml_vcpu *vcpu;
static struct kvml_mmu *mmu;
static const struct kvml_pt_format *fmt;
static struct kvml_slot slot;
static struct kvml_backing backing;
static struct kvml_hostpage host;
static u32 generation;
static unsigned int requests, dirtied;

void kvml_vm_request(struct kvml_vm *v, unsigned int req, bool wait)
{
	requests++;
}

struct kvml_slot *kvml_slot_lookup(struct kvml_vcpu *v, kvml_gfn gfn)
{
	return gfn - slot.base < slot.npages ? &slot : NULL;
}

u32 kvml_slots_generation(struct kvml_vm *v)
{
	return generation;
}

void kvml_slot_mark_dirty(struct kvml_slot *s, kvml_gfn gfn)
{
	dirtied += !!s->dirty;
}

/* Frame numbers are those of the guest, and this. */
#define PFN_OF(gfn)	((gfn) + 0x40000)

int kvml_hostpage_find(struct kvml_vm *v, unsigned long hva, bool write,
		       struct kvml_hostpage *page)
{
	*page = host;
	page->seq = mmu->notifier_seq - host.seq;
	page->pfn = PFN_OF(slot.base + ((hva - slot.hva) >> PAGE_SHIFT));
	page->vetted = true;
	return 0;
}

static int mmu_test_init(struct kunit *test)
{
	const struct format_case *c = test->param_value;

	fmt = c ? c->fmt : &ept;
	vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);
	vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vm);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->vm = vm;
	mmu = &vm->mmu;
	mmu->fmt = fmt;
	slot = (struct kvml_slot){ .base = 0x10000, .npages = 0x1000,
				   .hva = HVA, .backing = &backing };
	backing = (struct kvml_backing){ .vm = vm, .base = slot.base };
	backing.node[0].start = HVA;
	backing.node[0].last = HVA + (slot.npages << PAGE_SHIFT) - 1;
	host = (struct kvml_hostpage){ .level = 1, .writable = true };
	generation = 5;
	requests = 0;
	dirtied = 0;
	KUNIT_ASSERT_EQ(test, kvml_mmu_init(vm), 0);
	return 0;
}

/* Everything goes back when all is zapped. */
static void mmu_test_exit(struct kunit *test)
{
	if (!vm || !mmu->root)
		return;
	kvml_mmu_zap(vm, 0, KVML_MAX_GFN);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_4k), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_2m), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.tables), 1);
	kvml_mmu_vcpu_free(vcpu);
	kvml_mmu_free(vm);
	vm = NULL;
}

/* The walk of a CPU: the last entry and its level; 0 if there is none. */
static u64 entry_of(kvml_gfn gfn, int *level)
{
	u64 *table = mmu->root, entry = 0;

	for (*level = 4; *level; --*level) {
		entry = table[gfn >> (9 * (*level - 1)) & 511];
		if (!(entry & fmt->present))
			return 0;
		if (*level == 1 || entry & BIT(7))
			return entry;
		table = __va(entry & GENMASK_ULL(51, 12));
	}
	return 0;
}

static int fault(kvml_gfn gfn, u32 access)
{
	return kvml_mmu_fault(vcpu, gfn << PAGE_SHIFT, access);
}

static void expect_leaf(struct kunit *test, kvml_gfn gfn, int level, u64 bits)
{
	kvml_gfn first = level == 2 ? gfn & ~511ull : gfn;
	int got;
	u64 entry = entry_of(gfn, &got);

	KUNIT_EXPECT_EQ(test, got, level);
	KUNIT_EXPECT_EQ(test, entry, PFN_OF(first) << PAGE_SHIFT | fmt->leaf |
			fmt->accessed | (level == 2 ? BIT(7) : 0) | bits);
}

static bool mapped(kvml_gfn gfn)
{
	int level;

	return entry_of(gfn, &level);
}

/* ---- faults ---- */

static void mmu_read_write_test(struct kunit *test)
{
	kvml_gfn gfn = slot.base + 3;

	host.writable = false;
	KUNIT_EXPECT_EQ(test, fault(gfn, KVML_ACCESS_READ), 1);
	expect_leaf(test, gfn, 1, fmt->memtype_wb);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_4k), 1);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.tables), 4);
	host.writable = true;
	KUNIT_EXPECT_EQ(test, fault(gfn, KVML_ACCESS_WRITE), 1);
	expect_leaf(test, gfn, 1, fmt->memtype_wb | fmt->write | fmt->dirty);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_4k), 1);
	/* A neighbour needs no table, one beyond 1 GiB two. */
	KUNIT_EXPECT_EQ(test, fault(gfn + 1, KVML_ACCESS_READ), 1);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.tables), 4);
	slot.npages = BIT(20);
	KUNIT_EXPECT_EQ(test, fault(gfn + BIT(18), KVML_ACCESS_READ), 1);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.tables), 6);
	/* Nothing was taken away, so nobody had to forget anything. */
	KUNIT_EXPECT_EQ(test, requests, 0);
}

static void mmu_device_test(struct kunit *test)
{
	host.device = true;
	KUNIT_EXPECT_EQ(test, fault(slot.base, KVML_ACCESS_WRITE), 1);
	expect_leaf(test, slot.base, 1,
		    fmt->memtype_uc | fmt->write | fmt->dirty);
}

/* Each vCPU has tables of its own to put in. */
static void mmu_spares_test(struct kunit *test)
{
	struct kvml_vcpu *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, other);
	other->vm = vm;
	KUNIT_EXPECT_EQ(test, fault(slot.base, KVML_ACCESS_READ), 1);
	KUNIT_EXPECT_EQ(test, vcpu->spares.nr, 0);
	KUNIT_EXPECT_EQ(test, kvml_mmu_fault(other, (slot.base + 1) << PAGE_SHIFT,
					     KVML_ACCESS_READ), 1);
	KUNIT_EXPECT_EQ(test, other->spares.nr, KVML_SPARE_TABLES);
	KUNIT_EXPECT_EQ(test, vcpu->spares.nr, 0);
	KUNIT_EXPECT_EQ(test, fault(slot.base + 512, KVML_ACCESS_READ), 1);
	KUNIT_EXPECT_EQ(test, vcpu->spares.nr, KVML_SPARE_TABLES - 1);
	kvml_mmu_vcpu_free(other);
	KUNIT_EXPECT_EQ(test, other->spares.nr, 0);
}

/* A frame in place of another one: the old translation must go. */
static void mmu_other_frame_test(struct kunit *test)
{
	int level;

	KUNIT_EXPECT_EQ(test, fault(slot.base, KVML_ACCESS_WRITE), 1);
	*find_entry(mmu, slot.base, 1, &level) ^= BIT(30);
	KUNIT_EXPECT_EQ(test, fault(slot.base, KVML_ACCESS_WRITE), 1);
	expect_leaf(test, slot.base, 1,
		    fmt->memtype_wb | fmt->write | fmt->dirty);
	KUNIT_EXPECT_EQ(test, requests, 1);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_4k), 1);
}

static void mmu_read_only_slot_test(struct kunit *test)
{
	slot.flags = KVM_MEM_READONLY;
	KUNIT_EXPECT_EQ(test, fault(slot.base, KVML_ACCESS_WRITE),
			KVML_FAULT_MMIO);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base));
	KUNIT_EXPECT_EQ(test, fault(slot.base, KVML_ACCESS_READ), 1);
	expect_leaf(test, slot.base, 1, fmt->memtype_wb);
}

/* The log sees the first write, and each page on its own. */
static void mmu_dirty_log_test(struct kunit *test)
{
	unsigned long bitmap[0x1000 / BITS_PER_LONG] = { };

	slot.dirty = bitmap;
	host.level = 2;
	KUNIT_EXPECT_EQ(test, fault(slot.base, KVML_ACCESS_READ), 1);
	expect_leaf(test, slot.base, 1, fmt->memtype_wb);
	KUNIT_EXPECT_EQ(test, dirtied, 0);
	KUNIT_EXPECT_EQ(test, fault(slot.base, KVML_ACCESS_WRITE), 1);
	expect_leaf(test, slot.base, 1,
		    fmt->memtype_wb | fmt->write | fmt->dirty);
	KUNIT_EXPECT_EQ(test, dirtied, 1);
}

static void mmu_invalid_slot_test(struct kunit *test)
{
	slot.flags = KVML_SLOT_INVALID;
	KUNIT_EXPECT_EQ(test, fault(slot.base, KVML_ACCESS_READ), 1);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base));
	KUNIT_EXPECT_EQ(test, vcpu->stat.pf_retried, 1);
}

/* The host took the page away since it told of it, or does right now. */
static void mmu_stale_test(struct kunit *test)
{
	mmu->notifier_seq = 7;
	host.seq = 1;
	KUNIT_EXPECT_EQ(test, fault(slot.base, KVML_ACCESS_READ), 1);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base));
	host.seq = 0;
	kvml_mmu_invalidate_start(&backing, HVA + PAGE_SIZE, HVA + 3 * PAGE_SIZE,
				  true);
	fault(slot.base + 1, KVML_ACCESS_READ);
	fault(slot.base + 2, KVML_ACCESS_READ);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base + 1));
	KUNIT_EXPECT_FALSE(test, mapped(slot.base + 2));
	KUNIT_EXPECT_EQ(test, vcpu->stat.pf_retried, 3);
	fault(slot.base, KVML_ACCESS_READ);
	fault(slot.base + 3, KVML_ACCESS_READ);
	KUNIT_EXPECT_TRUE(test, mapped(slot.base));
	KUNIT_EXPECT_TRUE(test, mapped(slot.base + 3));
	/* 2 MiB are in the way of that, too, wherever the access is. */
	host.level = 2;
	fault(slot.base + 100, KVML_ACCESS_READ);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base + 100));
	fault(slot.base + 512, KVML_ACCESS_READ);
	KUNIT_EXPECT_TRUE(test, mapped(slot.base + 512));
}

/* Several at a time: what lies between the first and the last one waits, too. */
static void mmu_invalidations_test(struct kunit *test)
{
	unsigned long seq = mmu->notifier_seq;
	unsigned int i;

	for (i = 0; i < 10; i++)
		fault(slot.base + i, KVML_ACCESS_READ);
	kvml_mmu_invalidate_start(&backing, HVA + 5 * PAGE_SIZE,
				  HVA + 6 * PAGE_SIZE, true);
	kvml_mmu_invalidate_start(&backing, HVA + 2 * PAGE_SIZE,
				  HVA + 3 * PAGE_SIZE, false);
	KUNIT_EXPECT_EQ(test, vm->mmu.stat.mmu_unmapped, 2);
	KUNIT_EXPECT_EQ(test, mmu->notifier_seq, seq);
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, mapped(slot.base + i), i != 2 && i != 5);
		kvml_mmu_zap(vm, slot.base + i, slot.base + i + 1);
		fault(slot.base + i, KVML_ACCESS_READ);
		KUNIT_EXPECT_EQ(test, mapped(slot.base + i), i < 2 || i > 5);
	}
	kvml_mmu_invalidate_end(&backing);
	KUNIT_EXPECT_EQ(test, mmu->notifier_seq, seq + 1);
	fault(slot.base + 5, KVML_ACCESS_READ);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base + 5));
	kvml_mmu_invalidate_end(&backing);
	fault(slot.base + 5, KVML_ACCESS_READ);
	KUNIT_EXPECT_TRUE(test, mapped(slot.base + 5));
	/* The next one has a range of its own. */
	kvml_mmu_invalidate_start(&backing, HVA + 8 * PAGE_SIZE,
				  HVA + 9 * PAGE_SIZE, true);
	fault(slot.base + 2, KVML_ACCESS_READ);
	KUNIT_EXPECT_TRUE(test, mapped(slot.base + 2));
	kvml_mmu_invalidate_end(&backing);
}

/* A range that is larger than the slot, and one that ends in it. */
static void mmu_invalidate_beyond_test(struct kunit *test)
{
	fault(slot.base, KVML_ACCESS_READ);
	fault(slot.base + slot.npages - 1, KVML_ACCESS_READ);
	kvml_mmu_invalidate_start(&backing, HVA - PMD_SIZE, HVA + PAGE_SIZE, true);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base));
	KUNIT_EXPECT_TRUE(test, mapped(slot.base + slot.npages - 1));
	kvml_mmu_invalidate_end(&backing);
	fault(slot.base, KVML_ACCESS_READ);
	kvml_mmu_invalidate_start(&backing, 0, ULONG_MAX, true);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base));
	KUNIT_EXPECT_FALSE(test, mapped(slot.base + slot.npages - 1));
	kvml_mmu_invalidate_end(&backing);
}

/* ---- 2 MiB ---- */

static const struct huge_case {
	const char *text;
	kvml_gfn base;
	unsigned long npages, hva;
	u32 flags;
	kvml_gfn gfn;
	bool want;
} huge_cases[] = {
	{ "the first piece", 0x10000, 0x400, HVA, 0, 0x10000, true },
	{ "inside it", 0x10000, 0x400, HVA, 0, 0x101ff, true },
	{ "the last piece", 0x10000, 0x400, HVA, 0, 0x103ff, true },
	{ "a piece that the slot's end cuts", 0x10000, 0x3ff, HVA, 0, 0x10200 },
	{ "a piece that its start cuts", 0x10001, 0x400, HVA + 0x1000, 0,
	  0x10001 },
	{ "the first whole piece after it", 0x10001, 0x400, HVA + 0x1000, 0,
	  0x10200, true },
	{ "aligned in the guest only", 0x10000, 0x400, HVA + 0x1000, 0,
	  0x10000 },
	{ "aligned in the host only", 0x10001, 0x600, HVA, 0, 0x10200 },
	{ "a read-only slot", 0x10000, 0x400, HVA, KVM_MEM_READONLY, 0x10000 },
};

static void huge_desc(const struct huge_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->text);
}

KUNIT_ARRAY_PARAM(huge, huge_cases, huge_desc);

static void mmu_may_be_huge_test(struct kunit *test)
{
	const struct huge_case *c = test->param_value;
	struct kvml_pt_format small = ept;
	struct fault f = { .vm = vm, .slot = &slot, .gfn = c->gfn };

	slot = (struct kvml_slot){ .base = c->base, .npages = c->npages,
				   .hva = c->hva, .flags = c->flags };
	mmu->fmt = &ept;
	KUNIT_EXPECT_EQ(test, may_be_huge(mmu, &f), c->want);
	slot.dirty = (unsigned long *)&slot;
	KUNIT_EXPECT_FALSE(test, may_be_huge(mmu, &f));
	slot.dirty = NULL;
	small.huge = false;
	mmu->fmt = &small;
	KUNIT_EXPECT_FALSE(test, may_be_huge(mmu, &f));
	mmu->fmt = &ept;
}

/* huge_gen_params and mmu_test_init have other parameters. */
static int mmu_huge_init(struct kunit *test)
{
	const void *param = test->param_value;
	int r;

	test->param_value = NULL;
	r = mmu_test_init(test);
	test->param_value = param;
	return r;
}

static void mmu_large_leaf_test(struct kunit *test)
{
	host.level = 2;
	KUNIT_EXPECT_EQ(test, fault(slot.base + 5, KVML_ACCESS_WRITE), 1);
	expect_leaf(test, slot.base + 5, 2,
		    fmt->memtype_wb | fmt->write | fmt->dirty);
	expect_leaf(test, slot.base + 511, 2,
		    fmt->memtype_wb | fmt->write | fmt->dirty);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base + 512));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_2m), 1);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.tables), 3);
}

/* The host put a huge page together: it takes the place of a table. */
static void mmu_collapse_test(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 512; i += 3)
		fault(slot.base + i, KVML_ACCESS_READ);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_4k), 171);
	host.level = 2;
	KUNIT_EXPECT_EQ(test, fault(slot.base + 1, KVML_ACCESS_READ), 1);
	expect_leaf(test, slot.base, 2,
		    fmt->memtype_wb | fmt->write | fmt->dirty);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_4k), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_2m), 1);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.tables), 3);
	KUNIT_EXPECT_EQ(test, requests, 1);
}

/* And took it apart again. */
static void mmu_split_test(struct kunit *test)
{
	host.level = 2;
	fault(slot.base, KVML_ACCESS_READ);
	host.level = 1;
	KUNIT_EXPECT_EQ(test, fault(slot.base + 7, KVML_ACCESS_READ), 1);
	expect_leaf(test, slot.base + 7, 1,
		    fmt->memtype_wb | fmt->write | fmt->dirty);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base + 6));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_2m), 0);
	KUNIT_EXPECT_EQ(test, requests, 1);
}

/* ---- MMIO ---- */

static void mmu_mmio_test(struct kunit *test)
{
	kvml_gfn gfn = 0xfee00;
	int level;

	mmu->fmt = &ept;
	fmt = &ept;
	KUNIT_EXPECT_FALSE(test, kvml_mmu_is_mmio(vcpu, gfn << PAGE_SHIFT));
	KUNIT_EXPECT_EQ(test, fault(gfn, KVML_ACCESS_WRITE), KVML_FAULT_MMIO);
	KUNIT_EXPECT_EQ(test, entry_of(gfn, &level),
			VMX_EPT_MISCONFIG_WX_VALUE | 5 << PAGE_SHIFT);
	KUNIT_EXPECT_TRUE(test, kvml_mmu_is_mmio(vcpu, gfn << PAGE_SHIFT | 0x30));
	KUNIT_EXPECT_FALSE(test, kvml_mmu_is_mmio(vcpu,
						  (gfn + 1) << PAGE_SHIFT));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_4k), 0);
	/* The slots have changed: it may be memory now. */
	generation++;
	KUNIT_EXPECT_FALSE(test, kvml_mmu_is_mmio(vcpu, gfn << PAGE_SHIFT));
	fault(gfn, KVML_ACCESS_READ);
	KUNIT_EXPECT_TRUE(test, kvml_mmu_is_mmio(vcpu, gfn << PAGE_SHIFT));
	generation = U32_MAX;
	fault(gfn, KVML_ACCESS_READ);
	KUNIT_EXPECT_TRUE(test, kvml_mmu_is_mmio(vcpu, gfn << PAGE_SHIFT));
	/* Memory takes its place. */
	slot.base = gfn;
	KUNIT_EXPECT_EQ(test, fault(gfn, KVML_ACCESS_READ), 1);
	expect_leaf(test, gfn, 1, fmt->memtype_wb | fmt->write | fmt->dirty);
	/* An access that looked before it came does not take it away. */
	map_mmio(vcpu, gfn, 6);
	expect_leaf(test, gfn, 1, fmt->memtype_wb | fmt->write | fmt->dirty);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.pages_4k), 1);
}

/* Accesses all over the address space cost a bounded number of tables. */
static void mmu_mmio_limit_test(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < MAX_MMIO_TABLES + 200; i++)
		fault(0x100000 + i * 512ul, KVML_ACCESS_READ);
	KUNIT_EXPECT_LE(test, atomic_long_read(&mmu->stat.tables),
			MAX_MMIO_TABLES + KVML_SPARE_TABLES + 1);
	/* Not in tables at all. */
	KUNIT_EXPECT_EQ(test, fault(KVML_MAX_GFN, KVML_ACCESS_READ),
			KVML_FAULT_MMIO);
}

/* ---- taking rights away ---- */

/* Pages from @first on, @n of them, are gone, and no other. */
static void expect_gone(struct kunit *test, unsigned int first, unsigned int n)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < 1536; i++)
		wrong += mapped(slot.base + i) == (i - first < n);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* All of an invalidation, of pages @first to @end of the slot. */
static void invalidate(unsigned long first, unsigned long end, bool may_sleep)
{
	kvml_mmu_invalidate_start(&backing, HVA + (first << PAGE_SHIFT),
				  HVA + (end << PAGE_SHIFT), may_sleep);
	kvml_mmu_invalidate_end(&backing);
}

static void mmu_zap_range_test(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 1536; i++)
		fault(slot.base + i, KVML_ACCESS_WRITE);
	invalidate(500, 1030, true);
	expect_gone(test, 500, 530);
	KUNIT_EXPECT_EQ(test, vm->mmu.stat.mmu_unmapped, 530);
	KUNIT_EXPECT_TRUE(test, kvml_mmu_flush_due(vm));
	KUNIT_EXPECT_EQ(test, requests, 0);
	kvml_mmu_flush(vm);
	KUNIT_EXPECT_FALSE(test, kvml_mmu_flush_due(vm));
	/* Where there is nothing, nothing is due. */
	invalidate(500, 1030, false);
	invalidate(1536, slot.npages, true);
	KUNIT_EXPECT_FALSE(test, kvml_mmu_flush_due(vm));
	expect_gone(test, 500, 530);
}

static void mmu_protect_test(struct kunit *test)
{
	u64 all = fmt->memtype_wb | fmt->write | fmt->dirty;
	unsigned long bits = BIT(0) | BIT(63);
	unsigned int i;

	for (i = 0; i < 130; i++)
		fault(slot.base + i, KVML_ACCESS_WRITE);
	KUNIT_EXPECT_TRUE(test, kvml_mmu_protect_bits(vm, &slot, 64, 64, &bits));
	for (i = 0; i < 130; i++)
		expect_leaf(test, slot.base + i, 1, i == 64 || i == 127 ?
			    all & ~fmt->write : all);
	kvml_mmu_flush(vm);
	KUNIT_EXPECT_FALSE(test, kvml_mmu_protect_bits(vm, &slot, 64, 64, &bits));
	requests = 0;
	kvml_mmu_protect_slot(vm, &slot);
	KUNIT_EXPECT_EQ(test, requests, 1);
	for (i = 0; i < 130; i++)
		expect_leaf(test, slot.base + i, 1, all & ~fmt->write);
	/* 2 MiB leaves go, so that each page can be told. */
	host.level = 2;
	fault(slot.base + 512, KVML_ACCESS_WRITE);
	kvml_mmu_protect_slot(vm, &slot);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base + 512));
}

/*
 * Bits of a part of a slot that begins and ends within tables: leaves in two
 * tables, where there is no table, and in place of one.
 */
static void mmu_protect_bits_test(struct kunit *test)
{
	u64 all = fmt->memtype_wb | fmt->write | fmt->dirty;
	DECLARE_BITMAP(bits, 1600);
	unsigned int i, wrong = 0;
	struct kvml_slot part = slot;
	u64 entry;
	int level;

	/* Page n of @part is page n + 3 of @slot. */
	part.base += 3;
	for (i = 0; i < 600; i++)
		fault(slot.base + i, KVML_ACCESS_WRITE);
	host.level = 2;
	fault(slot.base + 3 * 512, KVML_ACCESS_WRITE);
	bitmap_zero(bits, 1600);
	for (i = 0; i < 1600; i += 7)
		set_bit(i, bits);
	KUNIT_EXPECT_TRUE(test, kvml_mmu_protect_bits(vm, &part, 0, 1600, bits));
	for (i = 0; i < 600; i++) {
		entry = entry_of(slot.base + i, &level);
		wrong += (entry & fmt->write) ==
			 (i >= 3 && (i - 3) % 7 == 0 ? fmt->write : 0);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_FALSE(test, mapped(slot.base + 3 * 512));
	KUNIT_EXPECT_FALSE(test, mapped(slot.base + 2 * 512));
	expect_leaf(test, slot.base, 1, all);
	/* A bit beyond those that are asked for. */
	kvml_mmu_flush(vm);
	host.level = 1;
	fault(slot.base + 3, KVML_ACCESS_WRITE);
	bitmap_zero(bits, 1600);
	set_bit(0, bits);
	set_bit(5, bits);
	KUNIT_EXPECT_TRUE(test, kvml_mmu_protect_bits(vm, &part, 0, 5, bits));
	KUNIT_EXPECT_FALSE(test, entry_of(slot.base + 3, &level) & fmt->write);
	KUNIT_EXPECT_TRUE(test, entry_of(slot.base + 8, &level) & fmt->write);
}

static void mmu_age_test(struct kunit *test)
{
	kvml_gfn gfn = slot.base;

	KUNIT_EXPECT_FALSE(test, kvml_mmu_test_young(vm, gfn, gfn + 1));
	fault(gfn, KVML_ACCESS_READ);
	KUNIT_EXPECT_TRUE(test, kvml_mmu_test_young(vm, gfn, gfn + 1));
	KUNIT_EXPECT_TRUE(test, kvml_mmu_age_range(vm, gfn, gfn + 1));
	KUNIT_EXPECT_FALSE(test, kvml_mmu_test_young(vm, gfn, gfn + 1));
	KUNIT_EXPECT_FALSE(test, kvml_mmu_age_range(vm, gfn, gfn + 1));
	/* Without A bits, the next fault tells. */
	KUNIT_EXPECT_EQ(test, mapped(gfn), !!fmt->accessed);
}

/* Tables that are empty are freed, and no other. */
static void mmu_prune_test(struct kunit *test)
{
	struct kvml_slot part = slot;

	fault(slot.base, KVML_ACCESS_READ);
	fault(slot.base + 512, KVML_ACCESS_READ);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.tables), 5);
	part.npages = 512;
	kvml_mmu_zap_slot(vm, &part);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.tables), 4);
	KUNIT_EXPECT_TRUE(test, mapped(slot.base + 512));
	kvml_mmu_zap_slot(vm, &slot);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mmu->stat.tables), 1);
}

/* ---- against a table of what must be there ---- */

#define MODEL_GFNS	2048u

enum { NOTHING, READABLE, WRITABLE };

static void model_fault(u8 *model, u8 *large, unsigned int i)
{
	unsigned int piece = i / 512, first = i, n = 1;
	u8 want = host.writable ? WRITABLE : READABLE;
	bool huge = host.level == 2;

	/* Another size takes the place of all that was there. */
	if (large[piece] != huge)
		memset(model + piece * 512, NOTHING, 512);
	large[piece] = huge;
	if (huge) {
		first = piece * 512;
		n = 512;
	}
	if (model[first] != WRITABLE)
		memset(model + first, want, n);
}

static void model_zap(u8 *model, u8 *large, unsigned int i, unsigned int end)
{
	for (; i < end; i++) {
		if (large[i / 512])
			memset(model + (i & ~511u), NOTHING, 512);
		large[i / 512] = false;
		model[i] = NOTHING;
	}
}

static void expect_model(struct kunit *test, const u8 *model)
{
	unsigned int i, wrong = 0;
	int level;

	for (i = 0; i < MODEL_GFNS; i++) {
		u64 entry = entry_of(slot.base + i, &level);

		wrong += model[i] != (!entry ? NOTHING : entry & fmt->write ?
				      WRITABLE : READABLE);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void mmu_random_test(struct kunit *test)
{
	u8 *model = kunit_kzalloc(test, MODEL_GFNS, GFP_KERNEL);
	u8 large[MODEL_GFNS / 512] = { };
	unsigned int step, i, end;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, model);
	prandom_seed_state(&rnd, 6);
	for (step = 0; step < 3000; step++) {
		i = prandom_u32_state(&rnd) % MODEL_GFNS;
		if (prandom_u32_state(&rnd) % 16) {
			host.level = prandom_u32_state(&rnd) % 64 ? 1 : 2;
			host.writable = prandom_u32_state(&rnd) % 2;
			model_fault(model, large, i);
			fault(slot.base + i, KVML_ACCESS_READ);
		} else {
			end = min(i + prandom_u32_state(&rnd) % 700,
				  MODEL_GFNS);
			model_zap(model, large, i, end);
			invalidate(i, end, true);
		}
		if (step % 100 == 0)
			expect_model(test, model);
	}
	expect_model(test, model);
}

static struct kunit_case mmu_cases[] = {
	KUNIT_CASE_PARAM(mmu_read_write_test, format_gen_params),
	KUNIT_CASE_PARAM(mmu_device_test, format_gen_params),
	KUNIT_CASE(mmu_spares_test),
	KUNIT_CASE_PARAM(mmu_other_frame_test, format_gen_params),
	KUNIT_CASE_PARAM(mmu_read_only_slot_test, format_gen_params),
	KUNIT_CASE_PARAM(mmu_dirty_log_test, format_gen_params),
	KUNIT_CASE(mmu_invalid_slot_test),
	KUNIT_CASE(mmu_stale_test),
	KUNIT_CASE(mmu_invalidations_test),
	KUNIT_CASE(mmu_invalidate_beyond_test),
	KUNIT_CASE_PARAM(mmu_large_leaf_test, format_gen_params),
	KUNIT_CASE_PARAM(mmu_collapse_test, format_gen_params),
	KUNIT_CASE_PARAM(mmu_split_test, format_gen_params),
	KUNIT_CASE(mmu_mmio_test),
	KUNIT_CASE(mmu_mmio_limit_test),
	KUNIT_CASE_PARAM(mmu_zap_range_test, format_gen_params),
	KUNIT_CASE_PARAM(mmu_protect_test, format_gen_params),
	KUNIT_CASE_PARAM(mmu_protect_bits_test, format_gen_params),
	KUNIT_CASE_PARAM(mmu_age_test, format_gen_params),
	KUNIT_CASE(mmu_prune_test),
	KUNIT_CASE_PARAM(mmu_random_test, format_gen_params),
	{ }
};

static struct kunit_case mmu_huge_cases[] = {
	KUNIT_CASE_PARAM(mmu_may_be_huge_test, huge_gen_params),
	{ }
};

static struct kunit_suite mmu_suite = {
	.name = "kvmlite_mmu",
	.init = mmu_test_init,
	.exit = mmu_test_exit,
	.test_cases = mmu_cases,
};

static struct kunit_suite mmu_huge_suite = {
	.name = "kvmlite_mmu_huge",
	.init = mmu_huge_init,
	.exit = mmu_test_exit,
	.test_cases = mmu_huge_cases,
};

kunit_test_suites(&mmu_suite, &mmu_huge_suite);

MODULE_DESCRIPTION("Tests of kvmlite's second-stage page tables");
MODULE_LICENSE("GPL");
