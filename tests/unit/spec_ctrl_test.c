// SPDX-License-Identifier: GPL-2.0
/*
 * Speculation that a guest controls: which bits of SPEC_CTRL and PRED_CMD a CPU takes,
 * and what guests are offered, for hosts as the kernel describes them.
 */
#include <kunit/test.h>

#include <asm/cpufeature.h>

#include "cpuid/spec_ctrl.c"

#define MAX_FEATURES	12

struct host_case {
	const char *name;
	unsigned int has[MAX_FEATURES];		/* ends with 0 */
	u64 spec_ctrl, pred_cmd;
	unsigned int offered[MAX_FEATURES];
};

static const struct host_case host_cases[] = {
	{ "none: QEMU's TCG, K10" },
	{ "Bulldozer with microcode: IBPB only",
	  { X86_FEATURE_IBPB, X86_FEATURE_AMD_IBPB }, 0, PRED_CMD_IBPB,
	  { X86_FEATURE_AMD_IBPB } },
	/* SSBD by LS_CFG: the kernel's bit, and no MSR. */
	{ "Zen 1: IBPB, SSBD by LS_CFG",
	  { X86_FEATURE_IBPB, X86_FEATURE_AMD_IBPB, X86_FEATURE_LS_CFG_SSBD,
	    X86_FEATURE_SSBD }, 0, PRED_CMD_IBPB,
	  { X86_FEATURE_AMD_IBPB } },
	{ "Zen 2, Zen 3",
	  { X86_FEATURE_IBPB, X86_FEATURE_IBRS, X86_FEATURE_STIBP,
	    X86_FEATURE_SSBD, X86_FEATURE_AMD_IBPB, X86_FEATURE_AMD_IBRS,
	    X86_FEATURE_AMD_STIBP, X86_FEATURE_AMD_SSBD,
	    X86_FEATURE_AMD_STIBP_ALWAYS_ON },
	  SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD, PRED_CMD_IBPB,
	  { X86_FEATURE_AMD_IBPB, X86_FEATURE_AMD_IBRS, X86_FEATURE_AMD_STIBP,
	    X86_FEATURE_AMD_SSBD, X86_FEATURE_AMD_STIBP_ALWAYS_ON,
	    X86_FEATURE_SPEC_CTRL, X86_FEATURE_INTEL_STIBP,
	    X86_FEATURE_SPEC_CTRL_SSBD } },
	{ "a Zen with SRSO's microcode, no IBRS told",
	  { X86_FEATURE_IBPB, X86_FEATURE_AMD_IBPB, X86_FEATURE_IBPB_BRTYPE,
	    X86_FEATURE_SBPB }, 0, PRED_CMD_IBPB | PRED_CMD_SBPB,
	  { X86_FEATURE_AMD_IBPB, X86_FEATURE_IBPB_BRTYPE, X86_FEATURE_SBPB } },
	{ "Haswell with microcode",
	  { X86_FEATURE_IBPB, X86_FEATURE_IBRS, X86_FEATURE_STIBP,
	    X86_FEATURE_SSBD, X86_FEATURE_SPEC_CTRL, X86_FEATURE_INTEL_STIBP,
	    X86_FEATURE_SPEC_CTRL_SSBD },
	  SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD, PRED_CMD_IBPB,
	  { X86_FEATURE_AMD_IBPB, X86_FEATURE_AMD_IBRS, X86_FEATURE_AMD_STIBP,
	    X86_FEATURE_AMD_SSBD, X86_FEATURE_SPEC_CTRL,
	    X86_FEATURE_INTEL_STIBP, X86_FEATURE_SPEC_CTRL_SSBD } },
};

static void host_desc(const struct host_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(host, host_cases, host_desc);

static void set_words(u32 *words, const unsigned int *features)
{
	unsigned int i;

	for (i = 0; i < MAX_FEATURES && features[i]; i++)
		words[features[i] / 32] |= BIT(features[i] % 32);
}

static void spec_ctrl_host_test(struct kunit *test)
{
	const struct host_case *c = test->param_value;
	u32 host[NCAPINTS] = {}, got[NCAPINTS] = {}, want[NCAPINTS] = {};
	unsigned int i;

	set_words(host, c->has);
	set_words(want, c->offered);
	KUNIT_EXPECT_EQ(test, kvml_spec_ctrl_bits(host), c->spec_ctrl);
	KUNIT_EXPECT_EQ(test, kvml_pred_cmd_bits(host), c->pred_cmd);
	kvml_spec_ctrl_offer(host, got);
	for (i = 0; i < NCAPINTS; i++)
		KUNIT_EXPECT_EQ_MSG(test, got[i], want[i], "word %u", i);
	/* A guest that takes all of it has no bit that the host's CPU refuses. */
	KUNIT_EXPECT_EQ(test, kvml_spec_ctrl_bits(got) & ~c->spec_ctrl, 0);
	KUNIT_EXPECT_EQ(test, kvml_pred_cmd_bits(got), c->pred_cmd);
}

static struct kunit_case spec_ctrl_cases[] = {
	KUNIT_CASE_PARAM(spec_ctrl_host_test, host_gen_params),
	{ }
};

static struct kunit_suite spec_ctrl_suite = {
	.name = "kvmlite_spec_ctrl",
	.test_cases = spec_ctrl_cases,
};

kunit_test_suite(spec_ctrl_suite);

MODULE_DESCRIPTION("Tests of the speculation that guests control");
MODULE_LICENSE("GPL");
