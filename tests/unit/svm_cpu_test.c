// SPDX-License-Identifier: GPL-2.0
/*
 * What depends on the CPU that AMD-V runs on, for each generation of them: where the
 * next instruction and its operands come from, what is missing on another CPU, which
 * pages may be a VMCB, what SPEC_CTRL holds, and what a failed VMRUN leaves.
 */
#include <kunit/test.h>

#include "svm/caps.c"
#include "svm/entry.h"
#include "svm/errata.h"
#include "svm/assist.h"
#include "svm/vmcb.h"

/* CPUID 8000_000A: EBX, and NPT, NRIPS, flush by ASID, decode assists of EDX. */
struct cpu {
	const char *name;
	u32 asids;
	u32 edx;
};

static const struct cpu cpus[] = {
	{ "K10, 65 nm (Barcelona)", 64, BIT(0) },
	{ "K10, 45 nm (Shanghai)", 64, BIT(0) | BIT(3) },
	{ "Bobcat", 8, BIT(0) | BIT(3) },
	{ "Bulldozer", 0x10000, BIT(0) | BIT(3) | BIT(6) | BIT(7) },
	{ "Zen", 0x8000, BIT(0) | BIT(3) | BIT(6) | BIT(7) },
	{ "Zen 5", 0x8000, BIT(0) | BIT(3) | BIT(6) | BIT(7) },
	{ "QEMU's TCG", 16, BIT(0) },
};

static void cpu_desc(const struct cpu *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(cpu, cpus, cpu_desc);

static struct kvml_svm_caps caps_of(const struct cpu *c)
{
	return (struct kvml_svm_caps){
		.asids = c->asids,
		.nrips = c->edx & BIT(3),
		.flush_by_asid = c->edx & BIT(6),
		.decode_assists = c->edx & BIT(7),
	};
}

/* IN and OUT tell on any CPU. */
static void svm_next_rip_test(struct kunit *test)
{
	const struct cpu *c = test->param_value;
	struct kvml_svm_caps caps = caps_of(c);
	struct vmcb_control_area control = {
		.exit_info_2 = 0x1111, .next_rip = 0x2222 };

	control.exit_code = SVM_EXIT_CPUID;
	KUNIT_EXPECT_EQ(test, svm_next_rip(&caps, &control),
			c->edx & BIT(3) ? 0x2222 : 0);
	control.exit_code = SVM_EXIT_IOIO;
	KUNIT_EXPECT_EQ(test, svm_next_rip(&caps, &control), 0x1111);
}

/* Decode assists: bits 3:0; of CR, those of MOV only. */
static void svm_operand_test(struct kunit *test)
{
	const struct cpu *c = test->param_value;
	struct kvml_svm_caps caps = caps_of(c);
	bool assists = c->edx & BIT(7);

	KUNIT_EXPECT_EQ(test, svm_mov_cr_reg(&caps, BIT_ULL(63) | 0xb),
			assists ? 0xb : -1);
	KUNIT_EXPECT_EQ(test, svm_mov_cr_reg(&caps, 0), -1);
	KUNIT_EXPECT_EQ(test, svm_mov_dr_reg(&caps, 3), assists ? 3 : -1);
}

/* Each CPU is enough for itself, and for those that can do no more than it. */
static void svm_missing_test(struct kunit *test)
{
	const struct cpu *first = test->param_value;
	struct kvml_svm_caps caps = caps_of(first);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cpus); i++) {
		bool enough = cpus[i].asids >= first->asids &&
			      !(first->edx & ~cpus[i].edx);
		const char *missing = kvml_svm_caps_missing(&caps, cpus[i].asids,
							    cpus[i].edx);

		KUNIT_EXPECT_EQ_MSG(test, !missing, enough, "%s: %s",
				    cpus[i].name, missing ?: "nothing");
	}
	KUNIT_EXPECT_NOT_NULL(test, kvml_svm_caps_missing(&caps, first->asids,
							  first->edx & ~1u));
}

/* APM volume 2, 15.5.1: after VMEXIT_INVALID nothing is known to be done. */
static void svm_failed_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vmcb_clean_after((u32)SVM_EXIT_ERR), 0);
	KUNIT_EXPECT_FALSE(test, vmcb_entered((u32)SVM_EXIT_ERR));
	KUNIT_EXPECT_TRUE(test, vmcb_entered(SVM_EXIT_NPF));
	KUNIT_EXPECT_TRUE(test, vmcb_entered(SVM_EXIT_SHUTDOWN));
	/* What each entry writes is never clean: int_ctl and CR2. */
	KUNIT_EXPECT_EQ(test, vmcb_clean_after(SVM_EXIT_NPF), 0x3ff & ~0x208);
}

/* 15.7.2; and a shutdown ends what was being delivered. */
static void svm_int_info_test(struct kunit *test)
{
	struct vmcb_control_area control = { .exit_code = SVM_EXIT_NPF };

	control.exit_int_info = SVM_EXITINTINFO_TYPE_EXEPT | 14;
	KUNIT_EXPECT_EQ(test, vmcb_int_info(&control), 0);
	control.exit_int_info |= SVM_EXITINTINFO_VALID;
	KUNIT_EXPECT_EQ(test, vmcb_int_info(&control), control.exit_int_info);
	control.exit_code = SVM_EXIT_SHUTDOWN;
	KUNIT_EXPECT_EQ(test, vmcb_int_info(&control), 0);
}

static const struct {
	const char *name;
	u64 guest, host, want;	/* 0: nothing is written */
} spec_ctrls[] = {
	{ "neither has set anything", 0, 0, 0 },
	{ "Zen: STIBP is always on in the host", 0, SPEC_CTRL_STIBP, 0 },
	{ "the guest wants what the host has", SPEC_CTRL_STIBP,
	  SPEC_CTRL_STIBP, 0 },
	{ "the guest wants SSBD", SPEC_CTRL_SSBD, 0, SPEC_CTRL_SSBD },
	{ "and the host keeps its own bits", SPEC_CTRL_SSBD, SPEC_CTRL_STIBP,
	  SPEC_CTRL_SSBD | SPEC_CTRL_STIBP },
};

static void svm_spec_ctrl_test(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(spec_ctrls); i++)
		KUNIT_EXPECT_EQ_MSG(test, svm_spec_ctrl(spec_ctrls[i].guest,
							spec_ctrls[i].host),
				    spec_ctrls[i].want, "%s",
				    spec_ctrls[i].name);
}

/* The status of the erratum's description, with and without bit 62 (overflow). */
static void svm_erratum_383_test(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, svm_is_erratum_383(0xb600000000010015));
	KUNIT_EXPECT_TRUE(test, svm_is_erratum_383(0xf600000000010015));
	/* Another error, none at all, and an entry that is not valid. */
	KUNIT_EXPECT_FALSE(test, svm_is_erratum_383(0xb600000000010016));
	KUNIT_EXPECT_FALSE(test, svm_is_erratum_383(0));
	KUNIT_EXPECT_FALSE(test, svm_is_erratum_383(0x3600000000010015));
}

/* Of any two pages in a row one is safe; at 2 MiB, and at each further one, none is. */
static void svm_page_test(struct kunit *test)
{
	unsigned long pfn;

	for (pfn = 0; pfn < 2048; pfn++) {
		KUNIT_EXPECT_EQ(test, svm_page_is_safe(pfn), !!(pfn & 511));
		KUNIT_EXPECT_TRUE(test, svm_page_is_safe(pfn) ||
				  svm_page_is_safe(pfn + 1));
	}
}

static struct kunit_case svm_cpu_cases[] = {
	KUNIT_CASE_PARAM(svm_next_rip_test, cpu_gen_params),
	KUNIT_CASE_PARAM(svm_operand_test, cpu_gen_params),
	KUNIT_CASE_PARAM(svm_missing_test, cpu_gen_params),
	KUNIT_CASE(svm_failed_test),
	KUNIT_CASE(svm_int_info_test),
	KUNIT_CASE(svm_spec_ctrl_test),
	KUNIT_CASE(svm_erratum_383_test),
	KUNIT_CASE(svm_page_test),
	{ }
};

static struct kunit_suite svm_cpu_suite = {
	.name = "kvmlite_svm_cpu",
	.test_cases = svm_cpu_cases,
};

kunit_test_suite(svm_cpu_suite);

MODULE_DESCRIPTION("Tests of what differs between CPUs with AMD-V");
MODULE_LICENSE("GPL");
