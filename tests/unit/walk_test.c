// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's page tables, in every mode, on tables in a piece of memory: what
 * is translated to what, which accesses fault and with which error code (SDM
 * volume 3, 4.3 to 4.8), accessed and dirty bits.
 */
#include <kunit/test.h>
#include <linux/uaccess.h>

/* The guest's memory is the kernel's here. */
#undef get_user
#define get_user(x, ptr)						\
	({								\
		(x) = *(__force typeof(ptr))(ptr);			\
		0;							\
	})

#undef PF_W	/* of linux/elf.h */
#include "emul/walk.c"
#include "vm/vm.h"

#define PTE_P	_PAGE_PRESENT
#define PTE_W	_PAGE_RW
#define PTE_U	_PAGE_USER
#define PTE_A	_PAGE_ACCESSED
#define PTE_D	_PAGE_DIRTY
#define PTE_PS	_PAGE_PSE
#define PTE_NX	_PAGE_NX
#define PF_P	X86_PF_PROT
#define PF_W	X86_PF_WRITE
#define PF_U	X86_PF_USER
#define PF_RSVD	X86_PF_RSVD
#define PF_I	X86_PF_INSTR

const struct kvml_ops *kvml_ops;

/* ---- the guest: a table for each level, and what CPUID says ---- */

#define BASE_GFN	0x100
#define PAGES		8

static struct kvml_vm *vm;
static struct kvml_vcpu *vcpu;
static struct kvml_slot slot;
static unsigned int maxphyaddr;
static bool gbpages;
/* The next compare and exchange finds this there. */
static u64 race_value;
static bool race;

unsigned int kvml_cpuid_maxphyaddr(struct kvml_vcpu *v)
{
	return maxphyaddr;
}

bool kvml_cpuid_has(struct kvml_vcpu *v, unsigned int feature)
{
	return feature == X86_FEATURE_GBPAGES && gbpages;
}

struct kvml_slot *kvml_slot_find(struct kvml_vcpu *v, kvml_gfn gfn)
{
	return gfn - slot.base < slot.npages ? &slot : NULL;
}

u32 kvml_slots_generation(struct kvml_vm *v)
{
	return 7;
}

static void *memory(u64 gpa)
{
	return (void *)(slot.hva + gpa - (slot.base << PAGE_SHIFT));
}

int kvml_guest_read(struct kvml_vcpu *v, kvml_gpa gpa, void *data, size_t len)
{
	if (!kvml_slot_find(v, gpa >> PAGE_SHIFT))
		return -EFAULT;
	memcpy(data, memory(gpa), len);
	return 0;
}

int kvml_guest_cmpxchg(struct kvml_vcpu *v, kvml_gpa gpa, u64 *old, u64 new,
		       unsigned int size)
{
	u64 now = 0;

	if (slot.flags & KVM_MEM_READONLY)
		return -EFAULT;
	if (race)
		memcpy(memory(gpa), &race_value, size);
	race = false;
	memcpy(&now, memory(gpa), size);
	if (now != *old)
		return 1;
	memcpy(memory(gpa), &new, size);
	return 0;
}

static int walk_test_init(struct kunit *test)
{
	vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);
	vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vm);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->vm = vm;
	vcpu->reg_avail = ~0;
	slot.base = BASE_GFN;
	slot.npages = PAGES;
	slot.flags = 0;
	slot.hva = (unsigned long)kunit_kzalloc(test, PAGES * PAGE_SIZE,
						GFP_KERNEL);
	KUNIT_ASSERT_NE(test, slot.hva, 0);
	maxphyaddr = 40;
	gbpages = true;
	race = false;
	return 0;
}

/* ---- modes ---- */

struct mode {
	const char *name;
	unsigned int top;	/* level of the first table with access bits */
	unsigned int size;	/* of an entry */
	unsigned long cr4;
	u64 efer;
};

static const struct mode mode_32 = { "32-bit", 2, 4, 0, 0 };
static const struct mode mode_pse = { "32-bit, PSE", 2, 4, X86_CR4_PSE, 0 };

static const struct mode mode_pae = {
	"PAE", 2, 8, X86_CR4_PAE, EFER_NX
};

static const struct mode mode_4 = {
	"4 levels", 4, 8, X86_CR4_PAE, EFER_LMA | EFER_LME | EFER_NX
};

static const struct mode mode_5 = {
	"5 levels", 5, 8, X86_CR4_PAE | X86_CR4_LA57,
	EFER_LMA | EFER_LME | EFER_NX
};

/* PAE's four entries stand anywhere in their page, by 32 bytes. */
#define PDPT_OFFSET	0x60

static u64 table_gpa(unsigned int level)
{
	return (u64)(BASE_GFN + level) << PAGE_SHIFT;
}

static unsigned int index_of(const struct mode *m, unsigned int level,
			     unsigned long gva)
{
	unsigned int bits = m->size == 8 ? 9 : 10;

	return gva >> (PAGE_SHIFT + (level - 1) * bits) & (BIT(bits) - 1);
}

static void *entry_at(const struct mode *m, unsigned int level,
		      unsigned long gva)
{
	return memory(table_gpa(level)) + index_of(m, level, gva) * m->size;
}

static u64 entry_get(const struct mode *m, unsigned int level,
		     unsigned long gva)
{
	u64 value = 0;

	memcpy(&value, entry_at(m, level, gva), m->size);
	return value;
}

static void entry_set(const struct mode *m, unsigned int level,
		      unsigned long gva, u64 value)
{
	memcpy(entry_at(m, level, gva), &value, m->size);
}

static void enter_mode(const struct mode *m)
{
	memset(memory(table_gpa(0)), 0, PAGES * PAGE_SIZE);
	vcpu->reg[KVML_CR0] = X86_CR0_PE | X86_CR0_PG;
	vcpu->reg[KVML_CR4] = m->cr4;
	vcpu->reg[KVML_RFLAGS] = X86_EFLAGS_FIXED;
	vcpu->efer = m->efer;
	vcpu->reg[KVML_CR3] = table_gpa(m->top);
	if (m == &mode_pae)
		vcpu->reg[KVML_CR3] = table_gpa(3) + PDPT_OFFSET;
}

#define RWX	(PTE_P | PTE_W | PTE_U)

/* @gva to @frame, by an entry of level @leaf; everything is allowed. */
static void map(const struct mode *m, unsigned long gva, u64 frame,
		unsigned int leaf)
{
	unsigned int level;
	u64 pdpte = table_gpa(2) | PTE_P;

	if (m == &mode_pae)
		memcpy(memory(table_gpa(3)) + PDPT_OFFSET + (gva >> 30) * 8,
		       &pdpte, 8);
	for (level = m->top; level > leaf; level--)
		entry_set(m, level, gva, table_gpa(level - 1) | RWX);
	entry_set(m, leaf, gva, frame | RWX | (leaf > 1 ? PTE_PS : 0));
}

/* 0 and the address; or 1 and the error code. */
static int translate(unsigned long gva, u32 flags, u64 *gpa, u32 *error)
{
	*gpa = 0xbad;
	*error = 0xbad;
	return kvml_walk(vcpu, gva, flags, gpa, error);
}

/* ---- addresses ---- */

static const struct address_case {
	const char *text;
	const struct mode *mode;
	unsigned long gva;
	u64 frame;
	unsigned int leaf;
	u64 want;
} address_cases[] = {
	{ "4 KiB", &mode_32, 0x80001234, 0xfffff000, 1, 0xfffff234 },
	{ "4 KiB", &mode_pse, 0x00400fff, 0x12345000, 1, 0x12345fff },
	{ "4 MiB", &mode_pse, 0xffc12345, 0x80000000, 2, 0x80012345 },
	{ "4 MiB, PSE-36", &mode_pse, 0xffc12345, 0x801fe000, 2,
	  0xff80012345 },
	{ "bit 7 means nothing without PSE", &mode_32, 0x00001234, 0x5000, 1,
	  0x5234 },
	{ "4 KiB", &mode_pae, 0xc0201234, 0xff00005000, 1, 0xff00005234 },
	{ "2 MiB", &mode_pae, 0x7fe12345, 0xff00200000, 2, 0xff00212345 },
	{ "bits above 31 of the address do not count", &mode_pae,
	  0x1ffe01234, 0x5000, 1, 0x5234 },
	{ "4 KiB", &mode_4, 0x7f1234567abc, 0xfedcba9000, 1, 0xfedcba9abc },
	{ "4 KiB of the upper half", &mode_4, 0xffffffff80001fff, 0x3000, 1,
	  0x3fff },
	{ "2 MiB", &mode_4, 0x7f12345abcde, 0xff00200000, 2, 0xff003abcde },
	{ "2 MiB, PAT bit", &mode_4, 0x200001, 0x201000, 2, 0x200001 },
	{ "1 GiB", &mode_4, 0x7f123f5abcde, 0xc0000000, 3, 0xff5abcde },
	{ "4 KiB", &mode_5, 0x00ff1234567890ab, 0x7000, 1, 0x70ab },
	{ "2 MiB", &mode_5, 0xff01234567812345, 0x40200000, 2, 0x40212345 },
	{ "1 GiB", &mode_5, 0x00ff123450001234, 0x40000000, 3, 0x50001234 },
};

static void address_desc(const struct address_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %s", c->mode->name, c->text);
}

KUNIT_ARRAY_PARAM(address, address_cases, address_desc);

static void walk_address_test(struct kunit *test)
{
	const struct address_case *c = test->param_value;
	u64 gpa;
	u32 error;

	enter_mode(c->mode);
	map(c->mode, c->mode->size == 4 || c->mode == &mode_pae ?
	    (u32)c->gva : c->gva, c->frame, c->leaf);
	KUNIT_ASSERT_EQ(test, translate(c->gva, 0, &gpa, &error), 0);
	KUNIT_EXPECT_EQ(test, gpa, c->want);
}

static void walk_no_paging_test(struct kunit *test)
{
	u64 gpa;
	u32 error;

	enter_mode(&mode_32);
	vcpu->reg[KVML_CR0] = X86_CR0_PE;
	KUNIT_EXPECT_EQ(test, translate(0x112345678, KVML_WALK_WRITE |
					KVML_WALK_USER, &gpa, &error), 0);
	KUNIT_EXPECT_EQ(test, gpa, 0x12345678);
}

/* ---- entries that are not present, and tables that are no memory ---- */

static const struct mode * const modes[] = {
	&mode_32, &mode_pse, &mode_pae, &mode_4, &mode_5,
};

static void mode_desc(const struct mode * const *m, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", (*m)->name);
}

KUNIT_ARRAY_PARAM(mode, modes, mode_desc);

#define GVA	0x40201000ul

static void walk_not_present_test(struct kunit *test)
{
	const struct mode *m = *(const struct mode **)test->param_value;
	unsigned int level;
	u32 error;
	u64 gpa;

	for (level = 1; level <= m->top; level++) {
		enter_mode(m);
		map(m, GVA, 0x5000, 1);
		entry_set(m, level, GVA, entry_get(m, level, GVA) & ~PTE_P);
		KUNIT_EXPECT_EQ(test, translate(GVA, 0, &gpa, &error), 1);
		KUNIT_EXPECT_EQ(test, error, 0);
		KUNIT_EXPECT_EQ(test, translate(GVA, KVML_WALK_WRITE |
						KVML_WALK_USER, &gpa, &error), 1);
		KUNIT_EXPECT_EQ(test, error, PF_W | PF_U);
		/* Reserved bits of an entry that is not there are free. */
		entry_set(m, level, GVA, ~PTE_P);
		KUNIT_EXPECT_EQ(test, translate(GVA, 0, &gpa, &error), 1);
		KUNIT_EXPECT_EQ(test, error, 0);
	}
}

static void walk_no_memory_test(struct kunit *test)
{
	const struct mode *m = *(const struct mode **)test->param_value;
	unsigned int level;
	u32 error;
	u64 gpa;

	for (level = 2; level <= m->top; level++) {
		enter_mode(m);
		map(m, GVA, 0x5000, 1);
		entry_set(m, level, GVA, 0x1000 | RWX);
		KUNIT_EXPECT_EQ(test, translate(GVA, 0, &gpa, &error), 1);
		KUNIT_EXPECT_EQ(test, error, 0);
	}
	enter_mode(m);
	vcpu->reg[KVML_CR3] = 0x1000;
	KUNIT_EXPECT_EQ(test, translate(GVA, 0, &gpa, &error), 1);
	KUNIT_EXPECT_EQ(test, error, 0);
}

static void walk_pdpte_test(struct kunit *test)
{
	u32 error;
	u64 gpa;

	enter_mode(&mode_pae);
	map(&mode_pae, GVA, 0x5000, 1);
	KUNIT_EXPECT_EQ(test, translate(GVA, KVML_WALK_USER, &gpa, &error), 0);
	/* The same tables, by another entry that is not there. */
	KUNIT_EXPECT_EQ(test, translate(GVA + BIT(30), 0, &gpa, &error), 1);
	KUNIT_EXPECT_EQ(test, error, 0);
}

/* ---- reserved bits: SDM volume 3, tables 4-4 to 4-20 ---- */

static const struct reserved_case {
	const char *text;
	const struct mode *mode;
	unsigned int leaf, level;
	unsigned int maxphyaddr;
	u64 reserved;
	bool no_gbpages;
} reserved_cases[] = {
	{ "PTE", &mode_32, 1, 1, 40, 0 },
	{ "PDE", &mode_32, 1, 2, 40, 0 },
	{ "PDE", &mode_pse, 1, 2, 40, 0 },
	{ "PDE of 4 MiB", &mode_pse, 2, 2, 40, BIT(21) },
	{ "PDE of 4 MiB", &mode_pse, 2, 2, 52, BIT(21) },
	{ "PDE of 4 MiB", &mode_pse, 2, 2, 36, GENMASK(21, 17) },
	{ "PDE of 4 MiB", &mode_pse, 2, 2, 32, GENMASK(21, 13) },
	{ "PTE", &mode_pae, 1, 1, 36, GENMASK_ULL(62, 36) },
	{ "PDE", &mode_pae, 1, 2, 52, GENMASK_ULL(62, 52) },
	{ "PDE of 2 MiB", &mode_pae, 2, 2, 40,
	  GENMASK_ULL(62, 40) | GENMASK(20, 13) },
	{ "PTE", &mode_4, 1, 1, 40, GENMASK_ULL(51, 40) },
	{ "PTE", &mode_4, 1, 1, 52, 0 },
	{ "PDE", &mode_4, 1, 2, 46, GENMASK_ULL(51, 46) },
	{ "PDE of 2 MiB", &mode_4, 2, 2, 40,
	  GENMASK_ULL(51, 40) | GENMASK(20, 13) },
	{ "PDPTE", &mode_4, 1, 3, 40, GENMASK_ULL(51, 40) },
	{ "PDPTE of 1 GiB", &mode_4, 3, 3, 40,
	  GENMASK_ULL(51, 40) | GENMASK(29, 13) },
	{ "PDPTE, no 1 GiB pages", &mode_4, 1, 3, 40,
	  GENMASK_ULL(51, 40) | PTE_PS, .no_gbpages = true },
	{ "PML4E", &mode_4, 1, 4, 40, GENMASK_ULL(51, 40) | PTE_PS },
	{ "PML4E", &mode_5, 1, 4, 52, PTE_PS },
	{ "PML5E", &mode_5, 1, 5, 48, GENMASK_ULL(51, 48) | PTE_PS },
};

static void reserved_desc(const struct reserved_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %s, %u bits", c->mode->name,
		 c->text, c->maxphyaddr);
}

KUNIT_ARRAY_PARAM(reserved, reserved_cases, reserved_desc);

/* PS makes another kind of entry where it is not reserved. */
static bool is_plain(const struct reserved_case *c, unsigned int bit)
{
	return bit != 0 && (bit != 7 || c->reserved & PTE_PS || c->level == 1);
}

static bool faults_as_reserved(unsigned long gva)
{
	u32 error;
	u64 gpa;

	return translate(gva, 0, &gpa, &error) && error == (PF_P | PF_RSVD);
}

/* Each bit, in an entry that is right without it. */
static void walk_reserved_test(struct kunit *test)
{
	const struct reserved_case *c = test->param_value;
	const struct mode *m = c->mode;
	unsigned int bit;
	u64 entry;

	maxphyaddr = c->maxphyaddr;
	gbpages = !c->no_gbpages;
	enter_mode(m);
	map(m, GVA, 0, c->leaf);
	entry = entry_get(m, c->level, GVA);
	KUNIT_EXPECT_FALSE(test, faults_as_reserved(GVA));
	for (bit = 0; bit < 8 * m->size; bit++) {
		if (!is_plain(c, bit))
			continue;
		entry_set(m, c->level, GVA, entry | BIT_ULL(bit));
		KUNIT_EXPECT_EQ_MSG(test, faults_as_reserved(GVA),
				    !!(c->reserved & BIT_ULL(bit)),
				    "bit %u", bit);
	}
}

/* Without EFER.NXE bit 63 is reserved, at each level. */
static void walk_no_nx_test(struct kunit *test)
{
	const struct mode *m = *(const struct mode **)test->param_value;
	unsigned int level;

	if (m->size == 4)
		return;
	for (level = 1; level <= m->top; level++) {
		enter_mode(m);
		map(m, GVA, 0x5000, 1);
		entry_set(m, level, GVA, entry_get(m, level, GVA) | PTE_NX);
		KUNIT_EXPECT_FALSE(test, faults_as_reserved(GVA));
		vcpu->efer &= ~EFER_NX;
		KUNIT_EXPECT_TRUE(test, faults_as_reserved(GVA));
	}
}

/* ---- rights ---- */

#define W	KVML_WALK_WRITE
#define X	KVML_WALK_FETCH
#define U	KVML_WALK_USER
#define IMPLICIT KVML_WALK_IMPLICIT
#define WP	X86_CR0_WP
#define SMEP	X86_CR4_SMEP
#define SMAP	X86_CR4_SMAP
#define AC	X86_EFLAGS_AC
#define FINE	~0u

/* The entries of levels 4, 2 and 1 lack bits, or have NX. */
static const struct rights_case {
	const char *text;
	u64 lacks4, lacks2, lacks1, nx;
	u32 flags;
	unsigned long cr0, cr4, rflags;
	u32 want;		/* FINE or the error code */
} rights_cases[] = {
	{ "user reads", .flags = U, .want = FINE },
	{ "user writes", .flags = U | W, .want = FINE },
	{ "user fetches", .flags = U | X, .want = FINE },
	{ "user reads, read-only", .lacks1 = PTE_W, .flags = U, .want = FINE },
	{ "user writes, read-only", .lacks1 = PTE_W, .flags = U | W,
	  .want = PF_P | PF_W | PF_U },
	{ "user writes, read-only without WP", .lacks1 = PTE_W,
	  .flags = U | W, .want = PF_P | PF_W | PF_U },
	{ "user writes, read-only by the PDE", .lacks2 = PTE_W,
	  .flags = U | W, .want = PF_P | PF_W | PF_U },
	{ "user writes, read-only by the PML4E", .lacks4 = PTE_W,
	  .flags = U | W, .want = PF_P | PF_W | PF_U },
	{ "user reads, supervisor page", .lacks1 = PTE_U, .flags = U,
	  .want = PF_P | PF_U },
	{ "user reads, supervisor by the PML4E", .lacks4 = PTE_U, .flags = U,
	  .want = PF_P | PF_U },
	{ "user fetches, supervisor page", .lacks1 = PTE_U, .flags = U | X,
	  .want = PF_P | PF_U | PF_I },
	{ "user fetches, NX", .nx = PTE_NX, .flags = U | X,
	  .want = PF_P | PF_U | PF_I },
	{ "user reads, NX", .nx = PTE_NX, .flags = U, .want = FINE },
	{ "kernel reads a supervisor page", .lacks1 = PTE_U, .want = FINE },
	{ "kernel fetches, NX", .lacks1 = PTE_U, .nx = PTE_NX, .flags = X,
	  .want = PF_P | PF_I },
	{ "kernel writes, read-only, no WP", .lacks1 = PTE_W | PTE_U,
	  .flags = W, .want = FINE },
	{ "kernel writes, read-only, WP", .lacks1 = PTE_W | PTE_U, .flags = W,
	  .cr0 = WP, .want = PF_P | PF_W },
	{ "kernel writes, read-only by the PDE, WP", .lacks2 = PTE_W,
	  .flags = W, .cr0 = WP, .want = PF_P | PF_W },
	{ "kernel reads a user page", .want = FINE },
	{ "kernel fetches a user page", .flags = X, .want = FINE },
	{ "kernel fetches a user page, SMEP", .flags = X, .cr4 = SMEP,
	  .want = PF_P | PF_I },
	{ "kernel fetches a supervisor page, SMEP", .lacks2 = PTE_U,
	  .flags = X, .cr4 = SMEP, .want = FINE },
	{ "user fetches a user page, SMEP", .flags = U | X, .cr4 = SMEP,
	  .want = FINE },
	{ "kernel reads a user page, SMAP", .cr4 = SMAP, .want = PF_P },
	{ "kernel writes a user page, SMAP", .flags = W, .cr4 = SMAP,
	  .want = PF_P | PF_W },
	{ "kernel reads a user page, SMAP and AC", .cr4 = SMAP, .rflags = AC,
	  .want = FINE },
	{ "implicit read of a user page, SMAP and AC", .flags = IMPLICIT,
	  .cr4 = SMAP, .rflags = AC, .want = PF_P },
	{ "implicit read of a supervisor page, SMAP", .lacks1 = PTE_U,
	  .flags = IMPLICIT, .cr4 = SMAP, .want = FINE },
	{ "kernel reads a supervisor page, SMAP", .lacks4 = PTE_U,
	  .cr4 = SMAP, .want = FINE },
	{ "kernel fetches a user page, SMAP", .flags = X, .cr4 = SMAP,
	  .want = FINE },
	{ "user reads a user page, SMAP", .flags = U, .cr4 = SMAP,
	  .want = FINE },
	{ "kernel writes a read-only user page, SMAP, AC, WP",
	  .lacks1 = PTE_W, .flags = W, .cr0 = WP, .cr4 = SMAP, .rflags = AC,
	  .want = PF_P | PF_W },
	{ "a probe is not checked", .lacks1 = PTE_W | PTE_U, .nx = PTE_NX,
	  .flags = U | W | KVML_WALK_PROBE, .cr0 = WP, .want = FINE },
};

static void rights_desc(const struct rights_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->text);
}

KUNIT_ARRAY_PARAM(rights, rights_cases, rights_desc);

static void entry_change(unsigned int level, u64 clear, u64 set)
{
	entry_set(&mode_4, level, GVA,
		  (entry_get(&mode_4, level, GVA) & ~clear) | set);
}

static void walk_rights_test(struct kunit *test)
{
	const struct rights_case *c = test->param_value;
	u32 error;
	u64 gpa;

	enter_mode(&mode_4);
	map(&mode_4, GVA, 0x5000, 1);
	entry_change(4, c->lacks4, 0);
	entry_change(2, c->lacks2, c->nx);
	entry_change(1, c->lacks1, 0);
	vcpu->reg[KVML_CR0] |= c->cr0;
	vcpu->reg[KVML_CR4] |= c->cr4;
	vcpu->reg[KVML_RFLAGS] |= c->rflags;
	if (translate(GVA, c->flags, &gpa, &error)) {
		KUNIT_EXPECT_EQ(test, error, c->want);
		KUNIT_EXPECT_EQ(test, entry_get(&mode_4, 1, GVA) & PTE_A, 0);
	} else {
		KUNIT_EXPECT_EQ(test, c->want, FINE);
		KUNIT_EXPECT_EQ(test, gpa, 0x5000);
	}
}

/* Bit 4 of the error code: only where fetches can be told apart. */
static void walk_fetch_bit_test(struct kunit *test)
{
	u32 error;
	u64 gpa;

	enter_mode(&mode_32);
	KUNIT_EXPECT_EQ(test, translate(GVA, X, &gpa, &error), 1);
	KUNIT_EXPECT_EQ(test, error, 0);
	vcpu->efer = EFER_NX;
	KUNIT_EXPECT_EQ(test, translate(GVA, X, &gpa, &error), 1);
	KUNIT_EXPECT_EQ(test, error, 0);
	vcpu->reg[KVML_CR4] |= SMEP;
	KUNIT_EXPECT_EQ(test, translate(GVA, X, &gpa, &error), 1);
	KUNIT_EXPECT_EQ(test, error, PF_I);
	enter_mode(&mode_pae);
	KUNIT_EXPECT_EQ(test, translate(GVA, X, &gpa, &error), 1);
	KUNIT_EXPECT_EQ(test, error, PF_I);
}

/* ---- accessed and dirty ---- */

static void walk_accessed_test(struct kunit *test)
{
	const struct mode *m = *(const struct mode **)test->param_value;
	unsigned int level;
	u32 error;
	u64 gpa;

	enter_mode(m);
	map(m, GVA, 0x5000, 1);
	KUNIT_ASSERT_EQ(test, translate(GVA, KVML_WALK_PROBE, &gpa, &error), 0);
	KUNIT_EXPECT_EQ(test, entry_get(m, 1, GVA), 0x5000 | RWX);
	KUNIT_ASSERT_EQ(test, translate(GVA, 0, &gpa, &error), 0);
	KUNIT_EXPECT_EQ(test, entry_get(m, 1, GVA), 0x5000 | RWX | PTE_A);
	for (level = 2; level <= m->top; level++)
		KUNIT_EXPECT_EQ(test, entry_get(m, level, GVA),
				table_gpa(level - 1) | RWX | PTE_A);
	KUNIT_ASSERT_EQ(test, translate(GVA, W, &gpa, &error), 0);
	KUNIT_EXPECT_EQ(test, entry_get(m, 1, GVA),
			0x5000 | RWX | PTE_A | PTE_D);
	KUNIT_EXPECT_EQ(test, entry_get(m, 2, GVA) & PTE_D, 0);
}

/* Tables in memory that the guest cannot write translate all the same. */
static void walk_read_only_test(struct kunit *test)
{
	u32 error;
	u64 gpa;

	enter_mode(&mode_4);
	map(&mode_4, GVA, 0x5000, 1);
	slot.flags = KVM_MEM_READONLY;
	KUNIT_EXPECT_EQ(test, translate(GVA, W, &gpa, &error), 0);
	KUNIT_EXPECT_EQ(test, gpa, 0x5000);
	KUNIT_EXPECT_EQ(test, entry_get(&mode_4, 1, GVA), 0x5000 | RWX);
}

/* Another vCPU changes an entry in between: the walk begins again. */
static void walk_race_test(struct kunit *test)
{
	u32 error;
	u64 gpa;

	enter_mode(&mode_4);
	map(&mode_4, GVA, 0x5000, 1);
	entry_change(4, 0, PTE_A);
	entry_change(3, 0, PTE_A);
	entry_change(2, 0, PTE_A);
	race = true;
	race_value = 0x6000 | RWX;
	KUNIT_EXPECT_EQ(test, translate(GVA, W, &gpa, &error), 0);
	KUNIT_EXPECT_EQ(test, gpa, 0x6000);
	KUNIT_EXPECT_EQ(test, entry_get(&mode_4, 1, GVA),
			0x6000 | RWX | PTE_A | PTE_D);
	race = true;
	race_value = 0;
	entry_change(1, PTE_A, 0);
	KUNIT_EXPECT_EQ(test, translate(GVA, W, &gpa, &error), 1);
	KUNIT_EXPECT_EQ(test, error, PF_W);
}

/* ---- what is remembered of a walk ---- */

static void walk_path_test(struct kunit *test)
{
	struct kvml_path path = { };
	u32 error;
	u64 gpa;

	enter_mode(&mode_4);
	map(&mode_4, GVA, table_gpa(7), 1);
	vcpu->mode_changes = 3;
	KUNIT_ASSERT_EQ(test, kvml_walk_path(vcpu, GVA + 0x123, X, &gpa, &error,
					     &path), 0);
	KUNIT_EXPECT_EQ(test, path.n, 4);
	KUNIT_EXPECT_EQ(test, path.flags, X);
	KUNIT_EXPECT_EQ(test, path.mode, 3);
	KUNIT_EXPECT_EQ(test, path.generation, 7);
	KUNIT_EXPECT_EQ(test, path.cr3, table_gpa(4));
	KUNIT_EXPECT_EQ(test, path.page, GVA);
	KUNIT_EXPECT_PTR_EQ(test, (__force void *)path.memory,
			    memory(table_gpa(7)));
	KUNIT_EXPECT_PTR_EQ(test, (__force void *)path.entry[0],
			    entry_at(&mode_4, 4, GVA));
	KUNIT_EXPECT_PTR_EQ(test, (__force void *)path.entry[3],
			    entry_at(&mode_4, 1, GVA));

	/* A page that is no memory, and a mode that is not for it. */
	map(&mode_4, GVA, 0x5000, 1);
	KUNIT_ASSERT_EQ(test, kvml_walk_path(vcpu, GVA, X, &gpa, &error, &path),
			0);
	KUNIT_EXPECT_NULL(test, (__force void *)path.memory);
	enter_mode(&mode_pae);
	map(&mode_pae, GVA, table_gpa(7), 1);
	path.memory = (__force void __user *)memory(table_gpa(7));
	KUNIT_ASSERT_EQ(test, kvml_walk_path(vcpu, GVA, X, &gpa, &error, &path),
			0);
	KUNIT_EXPECT_NULL(test, (__force void *)path.memory);

	/* Without paging there are no entries. */
	vcpu->reg[KVML_CR0] = X86_CR0_PE;
	KUNIT_ASSERT_EQ(test, kvml_walk_path(vcpu, table_gpa(7) + 5, X, &gpa,
					     &error, &path), 0);
	KUNIT_EXPECT_EQ(test, path.n, 0);
	KUNIT_EXPECT_EQ(test, path.page, table_gpa(7));
	KUNIT_EXPECT_PTR_EQ(test, (__force void *)path.memory,
			    memory(table_gpa(7)));
}

static struct kunit_case walk_cases[] = {
	KUNIT_CASE_PARAM(walk_address_test, address_gen_params),
	KUNIT_CASE(walk_no_paging_test),
	KUNIT_CASE_PARAM(walk_not_present_test, mode_gen_params),
	KUNIT_CASE_PARAM(walk_no_memory_test, mode_gen_params),
	KUNIT_CASE(walk_pdpte_test),
	KUNIT_CASE_PARAM(walk_reserved_test, reserved_gen_params),
	KUNIT_CASE_PARAM(walk_no_nx_test, mode_gen_params),
	KUNIT_CASE_PARAM(walk_rights_test, rights_gen_params),
	KUNIT_CASE(walk_fetch_bit_test),
	KUNIT_CASE_PARAM(walk_accessed_test, mode_gen_params),
	KUNIT_CASE(walk_read_only_test),
	KUNIT_CASE(walk_race_test),
	KUNIT_CASE(walk_path_test),
	{ }
};

static struct kunit_suite walk_suite = {
	.name = "kvmlite_walk",
	.init = walk_test_init,
	.test_cases = walk_cases,
};

kunit_test_suite(walk_suite);

MODULE_DESCRIPTION("Tests of kvmlite's walk of the guest's page tables");
MODULE_LICENSE("GPL");
