// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID as the guest sees it: which entry answers, what is beyond the last one,
 * which control-register bits come with which feature.
 */
#include <kunit/test.h>

/* The tests come later than __init. */
#undef __init
#define __init
#undef __ro_after_init
#define __ro_after_init

#include "cpuid/cpuid.c"

static const struct kvml_ops vendor_ops = { .spec_ctrl = true };

const struct kvml_ops *kvml_ops = &vendor_ops;

/* spec_ctrl_test.c has these. */
static bool spec_ctrl_offered;

void kvml_spec_ctrl_offer(const u32 *host, u32 *words)
{
	spec_ctrl_offered = host == boot_cpu_data.x86_capability &&
			    words == supported;
}

static u64 host_xcr0;

u64 kvml_xcr0_supported(void)
{
	return host_xcr0;
}

u32 kvml_xstate_size(u64 xcr0, bool compacted)
{
	return 512 + 64 + (xcr0 & ~3ull) + compacted;
}

static struct kvml_vcpu *vcpu;
static struct kvml_vm *vm;

static int cpuid_test_init(struct kunit *test)
{
	vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	KUNIT_ASSERT_NOT_NULL(test, vm);
	vcpu->vm = vm;
	host_xcr0 = 7;
	kvml_cpuid_init();
	return 0;
}

static void cpuid_test_exit(struct kunit *test)
{
	if (vcpu)
		kvfree(vcpu->cpuid);
}

/* ---- answers ---- */

#define INDEXED	KVM_CPUID_FLAG_SIGNIFCANT_INDEX

#define ENTRY(f, i, fl, a, b, c, d)					\
	{ .function = (f), .index = (i), .flags = (fl), .eax = (a),	\
	  .ebx = (b), .ecx = (c), .edx = (d) }

/* "GenuineIntel", "AuthenticAMD" */
#define INTEL	0x756e6547, 0x6c65746e, 0x49656e69
#define AMD	0x68747541, 0x444d4163, 0x69746e65

#define LEAVES(vendor)							\
	ENTRY(0, 0, 0, 0xd, vendor),					\
	ENTRY(1, 0, 0, 0x10, 0x11, 0x12, 0x13),				\
	ENTRY(4, 0, INDEXED, 0x40, 1, 1, 1),				\
	ENTRY(4, 1, INDEXED, 0x41, 2, 2, 2),				\
	ENTRY(7, 0, INDEXED, 0x70, 3, 3, 3),				\
	ENTRY(0xb, 0, INDEXED, 0xb0, 4, 0x100, 0x77),			\
	ENTRY(0xb, 1, INDEXED, 0xb1, 5, 0x201, 0x77),			\
	ENTRY(0xd, 0, INDEXED, 0xd0, 6, 6, 6),				\
	ENTRY(0x40000000, 0, 0, 0x40000001, 7, 7, 7),			\
	ENTRY(0x40000001, 0, 0, 0x4001, 8, 8, 8),			\
	ENTRY(0x40000100, 0, 0, 0x40000101, 9, 9, 9),			\
	ENTRY(0x80000000, 0, 0, 0x80000008, 10, 10, 10),		\
	ENTRY(0x80000008, 0, 0, 0x3028, 11, 11, 11)

static const struct kvm_cpuid_entry2 intel[] = { LEAVES(INTEL) };
static const struct kvm_cpuid_entry2 amd[] = { LEAVES(AMD) };

static int install_entries(struct kunit *test,
			   const struct kvm_cpuid_entry2 *entries,
			   unsigned int n)
{
	struct kvml_cpuid *c = cpuid_alloc(n);

	KUNIT_ASSERT_FALSE(test, IS_ERR(c));
	memcpy(c->entry, entries, n * sizeof(*entries));
	return install(vcpu, c);
}

static const struct answer_case {
	const char *text;
	u32 function, index;
	u32 intel[4], amd[4];
} answer_cases[] = {
	{ "a leaf", 1, 0, { 0x10, 0x11 }, { 0x10, 0x11 } },
	{ "its index does not matter", 1, 99, { 0x10, 0x11 }, { 0x10, 0x11 } },
	{ "a subleaf", 4, 1, { 0x41, 2, 2, 2 }, { 0x41, 2, 2, 2 } },
	{ "a subleaf that is not there", 4, 2, { }, { } },
	{ "a hole in the basic range", 2, 0, { }, { } },
	{ "topology", 0xb, 1, { 0xb1, 5, 0x201, 0x77 },
	  { 0xb1, 5, 0x201, 0x77 } },
	{ "topology beyond its subleaves", 0xb, 0x105,
	  { 0, 0, 5, 0x77 }, { 0, 0, 5, 0x77 } },
	{ "beyond the basic range", 0xe, 0, { 0xd0, 6, 6, 6 }, { } },
	{ "far beyond it, with an index", 0x20000000, 0, { 0xd0, 6, 6, 6 }, { } },
	{ "with an index that the last leaf has not", 0xe, 5, { }, { } },
	{ "hypervisor", 0x40000001, 0, { 0x4001, 8, 8, 8 },
	  { 0x4001, 8, 8, 8 } },
	{ "beyond the hypervisor's", 0x40000002, 0, { 0xd0, 6, 6, 6 }, { } },
	{ "a second hypervisor's", 0x40000100, 0, { 0x40000101, 9, 9, 9 },
	  { 0x40000101, 9, 9, 9 } },
	{ "within its range", 0x40000101, 0, { }, { } },
	{ "beyond its range", 0x40000102, 0, { 0xd0, 6, 6, 6 }, { } },
	{ "extended", 0x80000008, 0, { 0x3028, 11, 11, 11 },
	  { 0x3028, 11, 11, 11 } },
	{ "a hole in the extended range", 0x80000002, 0, { }, { } },
	{ "beyond the extended range", 0x80000009, 0, { 0xd0, 6, 6, 6 }, { } },
	{ "Centaur's", 0xc0000000, 0, { 0xd0, 6, 6, 6 }, { } },
	{ "the same low bits as leaf 1", 0x21, 0, { 0xd0, 6, 6, 6 }, { } },
};

static void answer_desc(const struct answer_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->text);
}

KUNIT_ARRAY_PARAM(answer, answer_cases, answer_desc);

static void expect_answer(struct kunit *test, const struct answer_case *c,
			  const u32 *want)
{
	u32 eax = c->function, ebx = 0xbad, ecx = c->index, edx = 0xbad;

	kvml_cpuid(vcpu, &eax, &ebx, &ecx, &edx);
	KUNIT_EXPECT_EQ(test, eax, want[0]);
	/* OSXSAVE and APIC follow the guest's state, XSAVE's size XCR0. */
	if (c->function == 1 || want[0] == 0xd0)
		return;
	KUNIT_EXPECT_EQ(test, ebx, want[1]);
	KUNIT_EXPECT_EQ(test, ecx, want[2]);
	KUNIT_EXPECT_EQ(test, edx, want[3]);
}

static void cpuid_answer_test(struct kunit *test)
{
	const struct answer_case *c = test->param_value;

	KUNIT_ASSERT_EQ(test, install_entries(test, intel, ARRAY_SIZE(intel)), 0);
	expect_answer(test, c, c->intel);
	KUNIT_ASSERT_EQ(test, install_entries(test, amd, ARRAY_SIZE(amd)), 0);
	expect_answer(test, c, c->amd);
}

static void cpuid_none_test(struct kunit *test)
{
	static const struct answer_case any = { .function = 1 };

	expect_answer(test, &any, any.intel);
	KUNIT_EXPECT_FALSE(test, kvml_cpuid_has(vcpu, X86_FEATURE_FPU));
	KUNIT_EXPECT_EQ(test, kvml_cpuid_maxphyaddr(vcpu), 36);
	KUNIT_ASSERT_EQ(test, install_entries(test, NULL, 0), 0);
	expect_answer(test, &any, any.intel);
}

/* ---- what is derived ---- */

static void cpuid_maxphyaddr_test(struct kunit *test)
{
	static const struct {
		u32 last, sizes, want;
	} cases[] = {
		{ 0x80000008, 0x3028, 40 }, { 0x80000008, 0x3024, 36 },
		{ 0x80000008, 0x3034, 52 }, { 0x80000008, 0x30ff, 52 },
		/* The leaf is not there, whatever stands in its place. */
		{ 0x80000007, 0x3028, 36 },
	};
	struct kvm_cpuid_entry2 e[] = {
		ENTRY(0x80000000, 0, 0, 0, 0, 0, 0),
		ENTRY(0x80000008, 0, 0, 0, 0, 0, 0),
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		e[0].eax = cases[i].last;
		e[1].eax = cases[i].sizes;
		KUNIT_ASSERT_EQ(test, install_entries(test, e, 2), 0);
		KUNIT_EXPECT_EQ(test, kvml_cpuid_maxphyaddr(vcpu),
				cases[i].want);
	}
	KUNIT_ASSERT_EQ(test, install_entries(test, e + 1, 1), 0);
	KUNIT_EXPECT_EQ(test, kvml_cpuid_maxphyaddr(vcpu), 36);
}

/* Each bit of CR4 comes with its feature, of both the host and the guest. */
static void cpuid_cr4_test(struct kunit *test)
{
	u32 words[NCAPINTS] = { };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(cr4_bits); i++) {
		unsigned int feature = cr4_bits[i].feature;

		KUNIT_EXPECT_TRUE(test, cr4_reserved(words) & cr4_bits[i].bit);
		words[feature / 32] = BIT(feature % 32);
		for (j = 0; j < ARRAY_SIZE(cr4_bits); j++)
			KUNIT_EXPECT_EQ(test,
					!(cr4_reserved(words) & cr4_bits[j].bit),
					i == j);
		words[feature / 32] = 0;
	}
	KUNIT_EXPECT_EQ(test, cr4_reserved(words) & X86_CR4_PAE, 0);
	KUNIT_EXPECT_TRUE(test, cr4_reserved(words) & X86_CR4_VMXE);
	KUNIT_EXPECT_TRUE(test, cr4_reserved(words) & X86_CR4_LA57);
	KUNIT_EXPECT_EQ(test, cr4_reserved(words) >> 32, U32_MAX);
}

static void cpuid_efer_test(struct kunit *test)
{
	u32 words[NCAPINTS] = { };

	KUNIT_EXPECT_EQ(test, ~efer_reserved(words), EFER_SCE);
	words[CPUID_8000_0001_EDX] = F(NX);
	KUNIT_EXPECT_EQ(test, ~efer_reserved(words), EFER_SCE | EFER_NX);
	words[CPUID_8000_0001_EDX] = F(LM);
	KUNIT_EXPECT_EQ(test, ~efer_reserved(words),
			EFER_SCE | EFER_LME | EFER_LMA);
	words[CPUID_8000_0001_EDX] = F(FXSR_OPT);
	KUNIT_EXPECT_EQ(test, ~efer_reserved(words), EFER_SCE | EFER_FFXSR);
}

/* OSXSAVE, the APIC's bit and XSAVE's size follow the guest. */
static void cpuid_update_test(struct kunit *test)
{
	struct kvm_cpuid_entry2 *e;

	KUNIT_ASSERT_EQ(test, install_entries(test, intel, ARRAY_SIZE(intel)), 0);
	e = find(vcpu->cpuid, 1, 0);
	KUNIT_EXPECT_EQ(test, e->ecx & F(OSXSAVE), 0);
	KUNIT_EXPECT_EQ(test, e->edx & F(APIC), 0);
	vcpu->osxsave = true;
	vcpu->apic_base = MSR_IA32_APICBASE_ENABLE;
	vcpu->xcr0 = 7;
	kvml_cpuid_update(vcpu);
	KUNIT_EXPECT_TRUE(test, e->ecx & F(OSXSAVE));
	KUNIT_EXPECT_TRUE(test, e->edx & F(APIC));
	KUNIT_EXPECT_EQ(test, find(vcpu->cpuid, 0xd, 0)->ebx, 512 + 64 + 4);
}

/* ---- what is taken ---- */

static void cpuid_install_test(struct kunit *test)
{
	struct kvm_cpuid_entry2 sizes = ENTRY(0x80000008, 0, 0, 0x2828, 0, 0, 0);

	KUNIT_EXPECT_EQ(test, install_entries(test, &sizes, 1), -EINVAL);
	sizes.eax = 0x3928;
	KUNIT_EXPECT_EQ(test, install_entries(test, &sizes, 1), 0);
	sizes.eax = 0x0028;
	KUNIT_EXPECT_EQ(test, install_entries(test, &sizes, 1), 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(cpuid_alloc(KVML_MAX_CPUID + 1)), -E2BIG);

	/* The guest has run: it stays, but may be said again. */
	vcpu->stat.exits = 1;
	KUNIT_EXPECT_EQ(test, install_entries(test, &sizes, 1), 0);
	sizes.eax = 0x3028;
	KUNIT_EXPECT_EQ(test, install_entries(test, &sizes, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcpu->cpuid->entry[0].eax, 0x28);
}

/* ---- what is offered ---- */

static void cpuid_supported_test(struct kunit *test)
{
	struct list *l = kvzalloc(sizeof(*l), GFP_KERNEL);
	unsigned int i, j, twice = 0;

	KUNIT_ASSERT_NOT_NULL(test, l);
	add_all(l);
	KUNIT_EXPECT_LT(test, l->nent, KVML_MAX_CPUID - 1);
	KUNIT_EXPECT_LE(test, l->entry[0].eax, MAX_BASIC);
	for (i = 0; i < l->nent; i++)
		for (j = 0; j < i; j++)
			twice += l->entry[i].function == l->entry[j].function &&
				 l->entry[i].index == l->entry[j].index;
	KUNIT_EXPECT_EQ(test, twice, 0);
	for (i = 0; i < ARRAY_SIZE(feature_words); i++) {
		u32 ours = supported[feature_words[i].word] &
			   ~feature_words[i].mask;

		/* HYPERVISOR and TSC_ADJUST are whatever the host has. */
		if (feature_words[i].word == CPUID_1_ECX)
			ours &= ~F(HYPERVISOR);
		if (feature_words[i].word == CPUID_7_0_EBX)
			ours &= ~F(TSC_ADJUST);
		KUNIT_EXPECT_EQ(test, ours, 0);
	}
	KUNIT_EXPECT_EQ(test, install_entries(test, l->entry, l->nent), 0);
	KUNIT_EXPECT_TRUE(test, kvml_cpuid_has(vcpu, X86_FEATURE_HYPERVISOR));
	KUNIT_EXPECT_EQ(test, find(vcpu->cpuid, KVM_CPUID_SIGNATURE, 0)->eax,
			KVM_CPUID_FEATURES);
	kvfree(l);
}

static void cpuid_forbid_test(struct kunit *test)
{
	u32 before = supported[CPUID_1_EDX];

	KUNIT_EXPECT_TRUE(test, spec_ctrl_offered);
	KUNIT_EXPECT_PTR_EQ(test, kvml_cpuid_offered(), (const u32 *)supported);

	kvml_cpuid_forbid(X86_FEATURE_PGE);
	KUNIT_EXPECT_EQ(test, supported[CPUID_1_EDX], before & ~F(PGE));
	host_xcr0 = 0;
	kvml_cpuid_init();
	KUNIT_EXPECT_FALSE(test, kvml_feature_in(supported, X86_FEATURE_XSAVE));
}

static struct kunit_case cpuid_cases[] = {
	KUNIT_CASE_PARAM(cpuid_answer_test, answer_gen_params),
	KUNIT_CASE(cpuid_none_test),
	KUNIT_CASE(cpuid_maxphyaddr_test),
	KUNIT_CASE(cpuid_cr4_test),
	KUNIT_CASE(cpuid_efer_test),
	KUNIT_CASE(cpuid_update_test),
	KUNIT_CASE(cpuid_install_test),
	KUNIT_CASE(cpuid_supported_test),
	KUNIT_CASE(cpuid_forbid_test),
	{ }
};

static struct kunit_suite cpuid_suite = {
	.name = "kvmlite_cpuid",
	.init = cpuid_test_init,
	.exit = cpuid_test_exit,
	.test_cases = cpuid_cases,
};

kunit_test_suite(cpuid_suite);

MODULE_DESCRIPTION("Tests of kvmlite's CPUID");
MODULE_LICENSE("GPL");
