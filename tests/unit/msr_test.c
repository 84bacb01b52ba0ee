// SPDX-License-Identifier: GPL-2.0
/*
 * MSRs: the table finds what it has, and each value is taken or refused as the
 * manuals say, from the guest and from the VMM.
 */
#include <kunit/test.h>

static u32 written_msr;
static u64 written;

#undef wrmsrq
#define wrmsrq(msr, value)	(written_msr = (msr), written = (value))

#include "vcpu/apic_base.c"
#include "base/tsc.c"
#include "vcpu/msr.c"
#include "vcpu/tsc.c"

/* ---- in place of the vendor, cpuid.c, regs.c and pv.c ---- */

static u64 vendor_value;
static u32 vendor_index;

static int get_msr_fn(struct kvml_vcpu *v, u32 index, u64 *data)
{
	vendor_index = index;
	*data = vendor_value;
	return index == MSR_IA32_CR_PAT;
}

static int set_msr_fn(struct kvml_vcpu *v, u32 index, u64 data)
{
	vendor_index = index;
	vendor_value = data;
	return index == MSR_IA32_CR_PAT;
}

static void update_tsc_fn(struct kvml_vcpu *v)
{
}

static const u64 osvw[] = { 5, 0x11 };

/* No feature of this vendor. */
static int get_feature_msr_fn(u32 index, u64 *data)
{
	return 1;
}

static const struct kvml_ops vendor_ops = {
	.ucode_rev = 0x100000000ull,
	.get_msr = get_msr_fn,
	.set_msr = set_msr_fn,
	.update_tsc = update_tsc_fn,
	.get_feature_msr = get_feature_msr_fn,
	.osvw = osvw,
};

const struct kvml_ops *kvml_ops = &vendor_ops;

static unsigned int feature_on, maxphyaddr;

bool kvml_cpuid_has(struct kvml_vcpu *v, unsigned int feature)
{
	return feature == feature_on;
}

/* Of the host's CPU, and what the guest's CPUID says. */
static u64 host_bits, guest_bits;

static u64 bits_of(const u32 *words)
{
	return words == boot_cpu_data.x86_capability ? host_bits : guest_bits;
}

u64 kvml_spec_ctrl_bits(const u32 *words)
{
	return bits_of(words);
}

u64 kvml_pred_cmd_bits(const u32 *words)
{
	return bits_of(words);
}

const u32 *kvml_cpuid_offered(void)
{
	return boot_cpu_data.x86_capability;
}

unsigned int kvml_cpuid_maxphyaddr(struct kvml_vcpu *v)
{
	return maxphyaddr;
}

void kvml_cpuid_update(struct kvml_vcpu *v)
{
}

void kvml_cpuid_reset(struct kvml_vcpu *v)
{
}

int kvml_efer_write(struct kvml_vcpu *v, u64 efer, bool host)
{
	return !host;
}

void kvml_pv_set_system_time(struct kvml_vcpu *v, u64 data)
{
}

void kvml_pv_set_wall_clock(struct kvml_vcpu *v, u64 data)
{
}

void kvml_pv_tsc_changed(struct kvml_vcpu *v)
{
}

u64 kvml_pv_host_ns(void)
{
	return 0;
}

static struct kvml_vcpu *vcpu;
static struct kvml_vm *vm;

static int msr_test_init(struct kunit *test)
{
	vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);
	vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vm);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	xa_init(&vm->vcpus);
	kvml_tsc_vm_init(vm);
	vcpu->vm = vm;
	feature_on = ~0;
	maxphyaddr = 40;
	KUNIT_ASSERT_EQ(test, kvml_msrs_alloc(vcpu), 0);
	return 0;
}

static void msr_test_exit(struct kunit *test)
{
	if (vcpu && vcpu->msrs)
		kvfree(vcpu->msrs);
}

/* ---- the table ---- */

/* Bisection needs it. */
static void msr_table_order_test(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		KUNIT_EXPECT_GE_MSG(test, msrs[i].last, msrs[i].first,
				    "entry %u", i);
		if (i)
			KUNIT_EXPECT_GT_MSG(test, msrs[i].first,
					    msrs[i - 1].last, "entry %u", i);
	}
}

static const struct msr_def *find_slowly(u32 index)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		if (index >= msrs[i].first && index <= msrs[i].last)
			return &msrs[i];
	return NULL;
}

static void msr_find_test(struct kunit *test)
{
	static const u32 bases[] = { 0, 0x4b564d00, 0xc0000000, 0xc0010000,
				     0xfffff000 };
	unsigned int i, n, wrong = 0;

	for (i = 0; i < ARRAY_SIZE(bases); i++)
		for (n = 0; n < 0x1000; n++)
			wrong += find(bases[i] + n) != find_slowly(bases[i] + n);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* What is memory lies in struct kvml_msrs. */
static void msr_offsets_test(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		const struct msr_def *m = &msrs[i];

		if (m->get == get_mem || m->get == get_mce || m->get == get_pat)
			KUNIT_EXPECT_LE_MSG(test, m->offset +
					    (m->last - m->first + 1) * 8,
					    sizeof(struct kvml_msrs),
					    "MSR %x", m->first);
	}
}

/* Unknown ones are the vendor's, with what it says of them. */
static void msr_vendor_test(struct kunit *test)
{
	u64 data;

	vendor_value = 0x1234;
	KUNIT_EXPECT_EQ(test, kvml_msr_get(vcpu, 0x12345678, &data, false), 0);
	KUNIT_EXPECT_EQ(test, data, 0x1234);
	KUNIT_EXPECT_EQ(test, vendor_index, 0x12345678);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, MSR_STAR, 7, false), 0);
	KUNIT_EXPECT_EQ(test, vendor_value, 7);
}

/* ---- values ---- */

#define CANONICAL	0x00007fffffffffffull
#define UPPER		0xffff800000000000ull
#define BETWEEN		0x0000800000000000ull

static const struct value_case {
	const char *text;
	u32 index;
	u64 data;
	int guest, host;	/* 0: taken, 1: #GP */
} value_cases[] = {
	{ "PAT: as after RESET", MSR_IA32_CR_PAT, 0x0007040600070406, 0, 0 },
	{ "PAT: all types", MSR_IA32_CR_PAT, 0x0706050401000706, 0, 0 },
	{ "PAT: type 2", MSR_IA32_CR_PAT, 0x02, 1, 1 },
	{ "PAT: type 3", MSR_IA32_CR_PAT, 0x0300000000000000, 1, 1 },
	{ "PAT: type 8", MSR_IA32_CR_PAT, 0x0800, 1, 1 },
	{ "MTRRdefType", MSR_MTRRdefType, 0xc06, 0, 0 },
	{ "MTRRdefType: type 2", MSR_MTRRdefType, 0xc02, 1, 1 },
	{ "MTRRdefType: a reserved bit", MSR_MTRRdefType, 0x1006, 1, 1 },
	{ "fixed MTRR", MSR_MTRRfix64K_00000, 0x0605040100060606, 0, 0 },
	{ "fixed MTRR: type 7", MSR_MTRRfix4K_F8000, 0x0006060606060706, 1, 1 },
	{ "variable MTRR: base", MTRRphysBase_MSR(0), 0xff80000006, 0, 0 },
	{ "variable MTRR: beyond the addresses", MTRRphysBase_MSR(7),
	  1ull << 40 | 6, 1, 1 },
	{ "variable MTRR: reserved bits of the base", MTRRphysBase_MSR(0),
	  0x106, 1, 1 },
	{ "variable MTRR: type 3", MTRRphysBase_MSR(0), 3, 1, 1 },
	{ "variable MTRR: mask", MTRRphysMask_MSR(7), 0xffc0000800, 0, 0 },
	{ "variable MTRR: reserved bits of the mask", MTRRphysMask_MSR(0),
	  0x400, 1, 1 },
	{ "MTRRcap is read-only", MSR_MTRRcap, 0x508, 1, 1 },
	{ "LSTAR", MSR_LSTAR, CANONICAL, 0, 0 },
	{ "LSTAR: upper half", MSR_LSTAR, UPPER, 0, 0 },
	{ "LSTAR: not canonical", MSR_LSTAR, BETWEEN, 1, 1 },
	{ "GS base: not canonical", MSR_KERNEL_GS_BASE, BETWEEN, 1, 1 },
	{ "SYSENTER_EIP: made canonical", MSR_IA32_SYSENTER_EIP, BETWEEN, 0, 0 },
	{ "TSC_AUX without RDTSCP", MSR_TSC_AUX, 1, 1, 0 },
	{ "TSC_AUX: 33 bits", MSR_TSC_AUX, 1ull << 32, 1, 1 },
	{ "microcode: as the guest likes", MSR_IA32_UCODE_REV, 5, 0, 0 },
	{ "ARCH_CAPABILITIES", MSR_IA32_ARCH_CAPABILITIES, 1, 1, 0 },
	{ "SMI_COUNT", MSR_SMI_COUNT, 5, 1, 0 },
	{ "XSS without XSAVES", MSR_IA32_XSS, 0, 1, 0 },
	{ "XSS: a component", MSR_IA32_XSS, 1, 1, 1 },
	{ "OSVW that CPUID does not offer", MSR_AMD64_OSVW_STATUS, 1, 1, 1 },
	{ "CLK_CTL of the K7", MSR_K7_CLK_CTL, 1, 0, 0 },
	{ "PLATFORM_INFO", MSR_PLATFORM_INFO, 0, 1, 0 },
	{ "PLATFORM_INFO: a value", MSR_PLATFORM_INFO, 1, 1, 1 },
	{ "FEAT_CTL: lock", MSR_IA32_FEAT_CTL, FEAT_CTL_LOCKED, 0, 0 },
	{ "FEAT_CTL: VMX", MSR_IA32_FEAT_CTL, 5, 1, 1 },
	{ "DEBUGCTL: LBR", MSR_IA32_DEBUGCTLMSR, DEBUGCTLMSR_LBR, 0, 0 },
	{ "DEBUGCTL: BTS", MSR_IA32_DEBUGCTLMSR, DEBUGCTLMSR_BTS, 1, 1 },
	{ "HWCR: errata bits", MSR_K7_HWCR, 0x148, 0, 0 },
	{ "HWCR: McStatusWrEn", MSR_K7_HWCR, BIT(18), 0, 0 },
	{ "HWCR: another bit", MSR_K7_HWCR, BIT(0), 1, 1 },
	{ "misc features", MSR_MISC_FEATURES_ENABLES, 1, 1, 1 },
	{ "EFER is asked of others", MSR_EFER, 0, 1, 0 },
	{ "MISC_ENABLE: BTS available", MSR_IA32_MISC_ENABLE, 0, 1, 0 },
	{ "MISC_ENABLE: fast strings", MSR_IA32_MISC_ENABLE,
	  MISC_ENABLE_RO | 1, 0, 0 },
	{ "APIC base", MSR_IA32_APICBASE, 0xfee00900, 0, 0 },
	{ "APIC base: off", MSR_IA32_APICBASE, 0xfee00100, 0, 0 },
	{ "APIC base: a reserved bit", MSR_IA32_APICBASE, 0xfee00901, 1, 1 },
	{ "APIC base: beyond the addresses", MSR_IA32_APICBASE,
	  1ull << 40 | 0x900, 1, 1 },
	{ "APIC base: x2APIC that is not there", MSR_IA32_APICBASE, 0xfee00d00,
	  1, 1 },
	{ "MC0_CTL without banks", MSR_IA32_MC0_CTL, 0, 1, 1 },
	{ "MCG_CTL that is not there", MSR_IA32_MCG_CTL, 0, 1, 0 },
	{ "MCG_CAP is read-only", MSR_IA32_MCG_CAP, 0, 1, 1 },
};

static void value_desc(const struct value_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->text);
}

KUNIT_ARRAY_PARAM(value, value_cases, value_desc);

static void msr_value_test(struct kunit *test)
{
	const struct value_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, c->index, c->data, false),
			c->guest);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, c->index, c->data, true),
			c->host);
}

/* What is memory reads as it was written, and each register is another one. */
static void msr_memory_test(struct kunit *test)
{
	static const struct {
		u32 index;
		u64 data;
	} values[] = {
		{ MTRRphysBase_MSR(0), 0x1006 },
		{ MTRRphysMask_MSR(0), 0x2800 },
		{ MTRRphysBase_MSR(7), 0x3001 },
		{ MTRRphysMask_MSR(7), 0x4800 },
		{ MSR_MTRRfix64K_00000, 0x0606060606060606 },
		{ MSR_MTRRfix16K_80000, 0x0505 },
		{ MSR_MTRRfix16K_A0000, 0x0404 },
		{ MSR_MTRRfix4K_C0000, 0x0101 },
		{ MSR_MTRRfix4K_F8000, 0x0006 },
		{ MSR_MTRRdefType, 0x806 },
		{ MSR_IA32_CR_PAT, 0x0107 },
		{ MSR_IA32_MCG_STATUS, 5 },
		{ MSR_IA32_POWER_CTL, 0x1234 },
		{ MSR_K7_HWCR, BIT(24) },
	};
	unsigned int i;
	u64 data;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		KUNIT_EXPECT_EQ_MSG(test, kvml_msr_set(vcpu, values[i].index,
						       values[i].data, false),
				    0, "MSR %x", values[i].index);
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		KUNIT_EXPECT_EQ(test, kvml_msr_get(vcpu, values[i].index, &data,
						   false), 0);
		KUNIT_EXPECT_EQ_MSG(test, data, values[i].data, "MSR %x",
				    values[i].index);
	}
}

/* ---- rules that depend on what was before ---- */

static void msr_feat_ctl_lock_test(struct kunit *test)
{
	u32 index = MSR_IA32_FEAT_CTL;

	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, index, FEAT_CTL_LOCKED, false), 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, index, FEAT_CTL_LOCKED, false), 1);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, index, 0, false), 1);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, index, 0, true), 0);
}

/* As the vendor begins them. */
static void msr_osvw_test(struct kunit *test)
{
	u64 data;

	feature_on = X86_FEATURE_OSVW;
	KUNIT_EXPECT_EQ(test, kvml_msr_get(vcpu, MSR_AMD64_OSVW_ID_LENGTH, &data,
					   false), 0);
	KUNIT_EXPECT_EQ(test, data, osvw[0]);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, MSR_AMD64_OSVW_ID_LENGTH, 9, true),
			0);
	KUNIT_EXPECT_EQ(test, kvml_msr_get(vcpu, MSR_AMD64_OSVW_STATUS, &data,
					   false), 0);
	KUNIT_EXPECT_EQ(test, data, osvw[1]);
}

/* SDM volume 3, figure 11-27. */
static void msr_x2apic_test(struct kunit *test)
{
	const u64 off = 0, xapic = MSR_IA32_APICBASE_ENABLE;
	const u64 x2apic = xapic | X2APIC_ENABLE;
	const u64 states[] = { off, xapic, x2apic };
	unsigned int from, to;

	feature_on = X86_FEATURE_X2APIC;
	for (from = 0; from < 3; from++)
		for (to = 0; to < 3; to++) {
			bool bad = (from == 0 && to == 2) ||
				   (from == 2 && to == 1);

			vcpu->apic_base = states[from];
			KUNIT_EXPECT_EQ_MSG(test,
					    kvml_apic_base_set(vcpu, states[to],
							       false),
					    bad, "from %u to %u", from, to);
			vcpu->apic_base = states[from];
			KUNIT_EXPECT_EQ(test,
					kvml_apic_base_set(vcpu, states[to],
							   true), 0);
			KUNIT_EXPECT_EQ(test, vcpu->apic_base, states[to]);
		}
	KUNIT_EXPECT_EQ(test, kvml_apic_base_set(vcpu, X2APIC_ENABLE, true), 1);
}

static void msr_mce_test(struct kunit *test)
{
	u32 ctl = MSR_IA32_MC0_CTL, status = MSR_IA32_MC0_STATUS;
	u64 data;

	KUNIT_EXPECT_EQ(test, kvml_msr_setup_mce(vcpu, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, kvml_msr_setup_mce(vcpu, KVML_MCE_BANKS + 1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, kvml_msr_setup_mce(vcpu, 2 | MCG_CMCI_P), -EINVAL);
	KUNIT_ASSERT_EQ(test, kvml_msr_setup_mce(vcpu, 2 | MCG_CTL_P), 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_get(vcpu, ctl + 4, &data, false), 0);
	KUNIT_EXPECT_EQ(test, data, ~0ull);
	/* Two banks, of four registers each. */
	KUNIT_EXPECT_EQ(test, kvml_msr_get(vcpu, ctl + 7, &data, false), 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_get(vcpu, ctl + 8, &data, false), 1);
	KUNIT_EXPECT_EQ(test, data, 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, ctl + 8, 0, true), 1);
	/* CTL: all or none. */
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, ctl, 0, false), 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, ctl, ~0ull, false), 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, ctl, ~BIT_ULL(10), false), 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, ctl, BIT_ULL(5), false), 1);
	/* STATUS: the VMM writes it, the guest clears it. */
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, status, 9, false), 1);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, status, 9, true), 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_get(vcpu, status, &data, false), 0);
	KUNIT_EXPECT_EQ(test, data, 9);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, status, 0, false), 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, MSR_IA32_MCG_CTL, 1, false), 1);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, MSR_IA32_MCG_CTL, 0, false), 0);
}

/* The guest moves its TSC by either of the two, and the other follows. */
static void msr_tsc_adjust_test(struct kunit *test)
{
	u64 offset = vcpu->tsc_offset, data;

	/* CPUID does not offer it: ignored. */
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, MSR_IA32_TSC_ADJUST, 7, false), 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_get(vcpu, MSR_IA32_TSC_ADJUST, &data, false),
			0);
	KUNIT_EXPECT_EQ(test, data, 0);
	KUNIT_EXPECT_EQ(test, vcpu->tsc_offset, offset);
	feature_on = X86_FEATURE_TSC_ADJUST;
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, MSR_IA32_TSC_ADJUST, 1000, false),
			0);
	KUNIT_EXPECT_EQ(test, vcpu->tsc_offset, offset + 1000);
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, MSR_IA32_TSC_ADJUST, 400, false),
			0);
	KUNIT_EXPECT_EQ(test, vcpu->tsc_offset, offset + 400);
	/* The VMM brings it along with a TSC that it has set already. */
	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, MSR_IA32_TSC_ADJUST, 9, true), 0);
	KUNIT_EXPECT_EQ(test, vcpu->tsc_offset, offset + 400);

	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, MSR_IA32_TSC, 0, false), 0);
	KUNIT_EXPECT_EQ(test, kvml_msr_get(vcpu, MSR_IA32_TSC_ADJUST, &data, false),
			0);
	KUNIT_EXPECT_EQ(test, data - 9, vcpu->tsc_offset - (offset + 400));
}

/* The bit of MONITOR is the VMM's. */
static void msr_misc_enable_test(struct kunit *test)
{
	u64 mwait = MSR_IA32_MISC_ENABLE_EMON, data;

	KUNIT_EXPECT_EQ(test, kvml_msr_set(vcpu, MSR_IA32_MISC_ENABLE,
					   MISC_ENABLE_RO | mwait, false), 0);
	kvml_msr_get(vcpu, MSR_IA32_MISC_ENABLE, &data, false);
	KUNIT_EXPECT_EQ(test, data & mwait, 0);
}

/* ---- speculation ---- */

struct speculation_case {
	const char *name;
	u64 host, guest, data;
	int by_host, by_guest;	/* 1: refused */
};

/* A value that the CPU refuses would be #GP in the host. */
static const struct speculation_case spec_ctrl_cases[] = {
	{ "the guest has no such MSR", 7, 0, 0, 0, 1 },
	{ "0", 7, 7, 0, 0, 0 },
	{ "all bits of the host", 7, 1, 7, 0, 0 },
	{ "a bit that the host lacks", 3, 7, 4, 1, 1 },
	{ "the host has none", 0, 7, 1, 1, 1 },
};

/* Commands that the guest's CPUID does not have are not for it. */
static const struct speculation_case pred_cmd_cases[] = {
	{ "the guest has no such MSR", 0x81, 0, 0, 0, 1 },
	{ "IBPB", 0x81, 1, 1, 0, 0 },
	{ "SBPB without its bit of CPUID", 0x81, 1, 0x80, 0, 1 },
	{ "SBPB", 0x81, 0x81, 0x80, 0, 0 },
	{ "SBPB, which the host lacks", 1, 0x81, 0x80, 1, 1 },
	{ "an unknown command", 0x81, 0x81, 2, 1, 1 },
};

static void check_speculation(struct kunit *test, u32 index,
			      const struct speculation_case *c)
{
	host_bits = c->host;
	guest_bits = c->guest;
	KUNIT_EXPECT_EQ_MSG(test, c->by_host,
			    kvml_msr_set(vcpu, index, c->data, true),
			    "%s, by the VMM", c->name);
	written_msr = 0;
	vendor_value = 0;
	KUNIT_EXPECT_EQ_MSG(test, c->by_guest,
			    kvml_msr_set(vcpu, index, c->data, false),
			    "%s, by the guest", c->name);
}

static void msr_speculation_test(struct kunit *test)
{
	unsigned int i;
	u64 data;

	vcpu->cpuid = kunit_kzalloc(test, sizeof(*vcpu->cpuid), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vcpu->cpuid);
	for (i = 0; i < ARRAY_SIZE(spec_ctrl_cases); i++) {
		const struct speculation_case *c = &spec_ctrl_cases[i];

		check_speculation(test, MSR_IA32_SPEC_CTRL, c);
		KUNIT_EXPECT_EQ(test, vendor_value, c->by_guest ? 0 : c->data);
		KUNIT_EXPECT_EQ(test, !c->guest,
				kvml_msr_get(vcpu, MSR_IA32_SPEC_CTRL, &data,
					     false));
	}
	for (i = 0; i < ARRAY_SIZE(pred_cmd_cases); i++) {
		const struct speculation_case *c = &pred_cmd_cases[i];
		bool does = !c->by_guest && c->data;

		check_speculation(test, MSR_IA32_PRED_CMD, c);
		KUNIT_EXPECT_EQ(test, written_msr,
				does ? MSR_IA32_PRED_CMD : 0);
		if (does)
			KUNIT_EXPECT_EQ(test, written, c->data);
	}
	KUNIT_EXPECT_EQ(test, 1, kvml_msr_get(vcpu, MSR_IA32_PRED_CMD, &data,
					      true));
}

static struct kunit_case msr_cases[] = {
	KUNIT_CASE(msr_table_order_test),
	KUNIT_CASE(msr_find_test),
	KUNIT_CASE(msr_offsets_test),
	KUNIT_CASE(msr_vendor_test),
	KUNIT_CASE_PARAM(msr_value_test, value_gen_params),
	KUNIT_CASE(msr_memory_test),
	KUNIT_CASE(msr_feat_ctl_lock_test),
	KUNIT_CASE(msr_osvw_test),
	KUNIT_CASE(msr_x2apic_test),
	KUNIT_CASE(msr_mce_test),
	KUNIT_CASE(msr_tsc_adjust_test),
	KUNIT_CASE(msr_misc_enable_test),
	KUNIT_CASE(msr_speculation_test),
	{ }
};

static struct kunit_suite msr_suite = {
	.name = "kvmlite_msr",
	.init = msr_test_init,
	.exit = msr_test_exit,
	.test_cases = msr_cases,
};

kunit_test_suite(msr_suite);

MODULE_DESCRIPTION("Tests of kvmlite's MSRs");
MODULE_LICENSE("GPL");
