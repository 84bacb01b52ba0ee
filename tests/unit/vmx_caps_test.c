// SPDX-License-Identifier: GPL-2.0
/*
 * Negotiation of VMX controls (SDM volume 3, appendix A) with CPUs that are just
 * MSRs: what must be on is on, what cannot be is not, and who lacks something is
 * refused.
 */
#include <kunit/test.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/vmx.h>

/* ---- a CPU ---- */

static struct {
	bool vmx;
	u64 feature, basic, pin, cpu, cpu2, exit, entry, ept, misc;
} msrs;

static int fake_rdmsr(u32 msr, u64 *value)
{
	switch (msr) {
	case MSR_IA32_FEAT_CTL:
		*value = msrs.feature;
		return 0;
	case MSR_IA32_VMX_BASIC:
		*value = msrs.basic;
		return 0;
	case MSR_IA32_VMX_TRUE_PINBASED_CTLS:
		*value = msrs.pin;
		return 0;
	case MSR_IA32_VMX_TRUE_PROCBASED_CTLS:
		*value = msrs.cpu;
		return 0;
	case MSR_IA32_VMX_PROCBASED_CTLS2:
		*value = msrs.cpu2;
		return 0;
	case MSR_IA32_VMX_TRUE_EXIT_CTLS:
		*value = msrs.exit;
		return 0;
	case MSR_IA32_VMX_TRUE_ENTRY_CTLS:
		*value = msrs.entry;
		return 0;
	case MSR_IA32_VMX_EPT_VPID_CAP:
		*value = msrs.ept;
		return 0;
	case MSR_IA32_VMX_MISC:
		*value = msrs.misc;
		return 0;
	case MSR_IA32_VMX_CR0_FIXED0:
	case MSR_IA32_VMX_CR0_FIXED1:
	case MSR_IA32_VMX_CR4_FIXED0:
	case MSR_IA32_VMX_CR4_FIXED1:
		*value = msr;
		return 0;
	}
	return -EIO;
}

#undef rdmsrq
#define rdmsrq(msr, value)	((void)fake_rdmsr(msr, &(value)))
#undef rdmsrq_safe
#define rdmsrq_safe		fake_rdmsr
#undef boot_cpu_has
#define boot_cpu_has(feature)	msrs.vmx
/* The tests come later than __init. */
#undef __init
#define __init
#undef __initconst
#define __initconst
#undef __ro_after_init
#define __ro_after_init

#include "vmx/caps.c"

/* Controls that may be anything, but that the bits @must are always 1. */
#define FREE(must)	(~0ull << 32 | (must))

static int vmx_caps_test_init(struct kunit *test)
{
	memset(&kvml_vmx_caps, 0, sizeof(kvml_vmx_caps));
	msrs.vmx = true;
	msrs.feature = FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
	msrs.basic = BIT_ULL(55) | 0x12;
	msrs.pin = FREE(0x16);
	msrs.cpu = FREE(0x04006172);
	msrs.cpu2 = FREE(0);
	msrs.exit = FREE(0x36dfb);
	msrs.entry = FREE(0x11fb);
	msrs.ept = VMX_EPT_PAGE_WALK_4_BIT | VMX_EPTP_WB_BIT |
		   VMX_EPT_INVEPT_BIT;
	msrs.misc = 5;
	return 0;
}

static void vmx_caps_all_test(struct kunit *test)
{
	const struct kvml_vmx_caps *caps = &kvml_vmx_caps;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, kvml_vmx_caps_init(), 0);
	KUNIT_EXPECT_EQ(test, caps->revision, 0x12);
	for (i = 0; i < ARRAY_SIZE(controls); i++) {
		u64 allowed;
		u32 got = *controls[i].result;

		fake_rdmsr(controls[i].msr, &allowed);
		KUNIT_EXPECT_EQ_MSG(test, controls[i].required & ~got, 0, "%s",
				    controls[i].name);
		KUNIT_EXPECT_EQ_MSG(test, controls[i].optional & ~got, 0, "%s",
				    controls[i].name);
		KUNIT_EXPECT_EQ_MSG(test, got & ~(controls[i].required |
						  controls[i].optional |
						  (u32)allowed), 0, "%s",
				    controls[i].name);
	}
	KUNIT_EXPECT_EQ(test, caps->cr0_fixed0, MSR_IA32_VMX_CR0_FIXED0);
	KUNIT_EXPECT_EQ(test, caps->cr4_fixed1, MSR_IA32_VMX_CR4_FIXED1);
}

/* Whatever optional control the CPU lacks is off; nothing else changes. */
static void vmx_caps_optional_test(struct kunit *test)
{
	msrs.pin &= ~((u64)PIN_BASED_VMX_PREEMPTION_TIMER << 32);
	msrs.cpu2 &= ~((u64)SECONDARY_EXEC_ENABLE_INVPCID << 32);
	msrs.exit &= ~((u64)VM_EXIT_LOAD_IA32_PAT << 32);
	KUNIT_ASSERT_EQ(test, kvml_vmx_caps_init(), 0);
	KUNIT_EXPECT_FALSE(test, kvml_vmx_caps.pin &
			   PIN_BASED_VMX_PREEMPTION_TIMER);
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps.preemption_timer, 0);
	KUNIT_EXPECT_FALSE(test, kvml_vmx_caps.cpu2 &
			   SECONDARY_EXEC_ENABLE_INVPCID);
	KUNIT_EXPECT_TRUE(test, kvml_vmx_caps.cpu2 &
			  SECONDARY_EXEC_ENABLE_RDTSCP);
	KUNIT_EXPECT_FALSE(test, kvml_vmx_caps.exit & VM_EXIT_LOAD_IA32_PAT);
	KUNIT_EXPECT_TRUE(test, kvml_vmx_caps.exit & VM_EXIT_SAVE_IA32_PAT);
}

/* Each required control in turn is what the CPU lacks. */
static void vmx_caps_required_test(struct kunit *test)
{
	u64 * const values[] = {
		&msrs.pin, &msrs.cpu, &msrs.cpu2, &msrs.exit, &msrs.entry,
	};
	unsigned int i, bit;

	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(values), ARRAY_SIZE(controls));
	for (i = 0; i < ARRAY_SIZE(controls); i++)
		for (bit = 0; bit < 32; bit++) {
			u64 old = *values[i];

			if (!(controls[i].required & BIT(bit)))
				continue;
			*values[i] &= ~(BIT_ULL(bit + 32) | BIT_ULL(bit));
			KUNIT_EXPECT_EQ_MSG(test, kvml_vmx_caps_init(),
					    -EOPNOTSUPP, "%s, bit %u",
					    controls[i].name, bit);
			*values[i] = old;
		}
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_init(), 0);
}

static void vmx_caps_refused_test(struct kunit *test)
{
	msrs.vmx = false;
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_init(), -ENODEV);
	vmx_caps_test_init(test);
	msrs.feature = FEAT_CTL_LOCKED;
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_init(), -EOPNOTSUPP);
	msrs.feature = FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_init(), -EOPNOTSUPP);
	vmx_caps_test_init(test);
	msrs.basic &= ~BIT_ULL(55);
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_init(), -EOPNOTSUPP);
	vmx_caps_test_init(test);
	msrs.ept &= ~VMX_EPTP_WB_BIT;
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_init(), -EOPNOTSUPP);
	vmx_caps_test_init(test);
	msrs.ept &= ~VMX_EPT_PAGE_WALK_4_BIT;
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_init(), -EOPNOTSUPP);
	vmx_caps_test_init(test);
	msrs.ept &= ~VMX_EPT_INVEPT_BIT;
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_init(), -EOPNOTSUPP);
}

/* Accesses to CR3 and INVLPG need no exit, and the CPU can do without. */
static void vmx_caps_no_exits_test(struct kunit *test)
{
	u32 exits = CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING |
		    CPU_BASED_INVLPG_EXITING;

	msrs.cpu |= (u64)exits << 32;
	msrs.cpu &= ~(u64)exits;
	KUNIT_ASSERT_EQ(test, kvml_vmx_caps_init(), 0);
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps.cpu & exits, 0);
}

static void vmx_caps_ept_test(struct kunit *test)
{
	const struct kvml_vmx_caps *caps = &kvml_vmx_caps;

	KUNIT_ASSERT_EQ(test, kvml_vmx_caps_init(), 0);
	KUNIT_EXPECT_FALSE(test, caps->ept_ad || caps->ept_2m ||
			   caps->invept_context || caps->invvpid_context);
	/* Write-back, a walk of 4 levels. */
	KUNIT_EXPECT_EQ(test, caps->eptp_bits, 6 | 3 << 3);
	msrs.ept |= VMX_EPT_AD_BIT | VMX_EPT_2MB_PAGE_BIT |
		    VMX_EPT_EXTENT_CONTEXT_BIT | BIT_ULL(32) | BIT_ULL(41);
	KUNIT_ASSERT_EQ(test, kvml_vmx_caps_init(), 0);
	KUNIT_EXPECT_TRUE(test, caps->ept_ad && caps->ept_2m &&
			  caps->invept_context && caps->invvpid_context);
	KUNIT_EXPECT_EQ(test, caps->eptp_bits, 6 | 3 << 3 | BIT(6));
}

/* The timer counts TSC ticks by a power of two: 10 ms, but never 0. */
static void vmx_caps_timer_test(struct kunit *test)
{
	msrs.misc = 0;
	KUNIT_ASSERT_EQ(test, kvml_vmx_caps_init(), 0);
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps.preemption_timer, tsc_khz * 10);
	msrs.misc = 5;
	KUNIT_ASSERT_EQ(test, kvml_vmx_caps_init(), 0);
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps.preemption_timer, tsc_khz * 10 / 32);
	msrs.misc = 31;
	KUNIT_ASSERT_EQ(test, kvml_vmx_caps_init(), 0);
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps.preemption_timer, 1);
}

/* Another CPU may have more, and must not lack what is used. */
static void vmx_caps_check_test(struct kunit *test)
{
	u64 * const values[] = {
		&msrs.pin, &msrs.cpu, &msrs.cpu2, &msrs.exit, &msrs.entry,
	};
	unsigned int i;

	msrs.ept |= VMX_EPT_AD_BIT | BIT_ULL(32) | BIT_ULL(41);
	/* Of the first CPU: optional, and not there. */
	msrs.cpu2 &= ~((u64)SECONDARY_EXEC_ENABLE_INVPCID << 32);
	KUNIT_ASSERT_EQ(test, kvml_vmx_caps_init(), 0);
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_check(), 0);
	msrs.cpu2 |= (u64)SECONDARY_EXEC_ENABLE_INVPCID << 32;
	msrs.ept |= VMX_EPT_2MB_PAGE_BIT | VMX_EPT_EXTENT_CONTEXT_BIT;
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_check(), 0);
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		u64 old = *values[i], chosen = *controls[i].result;

		/* One that is on cannot be, one that is off must be on. */
		*values[i] = old & ~((chosen & -chosen) << 32);
		KUNIT_EXPECT_EQ_MSG(test, kvml_vmx_caps_check(), -EIO, "%s: lacks",
				    controls[i].name);
		*values[i] = old | BIT(ffz(chosen));
		KUNIT_EXPECT_EQ_MSG(test, kvml_vmx_caps_check(), -EIO, "%s: insists",
				    controls[i].name);
		*values[i] = old;
	}
	msrs.ept &= ~VMX_EPT_AD_BIT;
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_check(), -EIO);
	msrs.ept |= VMX_EPT_AD_BIT;
	msrs.ept &= ~BIT_ULL(41);
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_check(), -EIO);
	msrs.ept |= BIT_ULL(41);
	msrs.basic++;
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_check(), -EIO);
	msrs.basic--;
	KUNIT_EXPECT_EQ(test, kvml_vmx_caps_check(), 0);
}

static struct kunit_case vmx_caps_cases[] = {
	KUNIT_CASE(vmx_caps_check_test),
	KUNIT_CASE(vmx_caps_all_test),
	KUNIT_CASE(vmx_caps_optional_test),
	KUNIT_CASE(vmx_caps_required_test),
	KUNIT_CASE(vmx_caps_refused_test),
	KUNIT_CASE(vmx_caps_no_exits_test),
	KUNIT_CASE(vmx_caps_ept_test),
	KUNIT_CASE(vmx_caps_timer_test),
	{ }
};

static struct kunit_suite vmx_caps_suite = {
	.name = "kvmlite_vmx_caps",
	.init = vmx_caps_test_init,
	.test_cases = vmx_caps_cases,
};

kunit_test_suite(vmx_caps_suite);

MODULE_DESCRIPTION("Tests of kvmlite's choice of VMX controls");
MODULE_LICENSE("GPL");
