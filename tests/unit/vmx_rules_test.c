// SPDX-License-Identifier: GPL-2.0
/*
 * What VT-x does on CPUs that no emulator has: when caches are flushed, where an
 * MMIO entry points to, whose #AC it is.  The expectations are stock KVM's
 * behaviour, and for #AC those of SDM volume 3, 6.15.
 */
#include <kunit/test.h>

#include "vmx/ept.h"
#include "vmx/exit.h"
#include "vmx/flush.h"

/* ---- L1TF: when L1D is flushed ---- */

struct l1d_case {
	const char *name;
	bool bug, skip;
	enum l1tf_mitigations mitigation;
	enum kvml_l1d mode;
	bool warns;		/* with SMT */
};

static const struct l1d_case l1d_cases[] = {
	{ "no bug", false, false, L1TF_MITIGATION_FULL_FORCE, L1D_NEVER, false },
	{ "a hypervisor flushes", true, true, L1TF_MITIGATION_FLUSH, L1D_NEVER, true },
	{ "l1tf=off", true, false, L1TF_MITIGATION_OFF, L1D_NEVER, false },
	{ "l1tf=flush,nowarn", true, false, L1TF_MITIGATION_FLUSH_NOWARN, L1D_COND, false },
	{ "l1tf=flush", true, false, L1TF_MITIGATION_FLUSH, L1D_COND, true },
	{ "l1tf=flush,nosmt", true, false, L1TF_MITIGATION_FLUSH_NOSMT, L1D_COND, true },
	{ "l1tf=full", true, false, L1TF_MITIGATION_FULL, L1D_ALWAYS, true },
	{ "l1tf=full,force", true, false, L1TF_MITIGATION_FULL_FORCE, L1D_ALWAYS, false },
};

static void l1d_desc(const struct l1d_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(l1d, l1d_cases, l1d_desc);

static void vmx_rules_l1d_test(struct kunit *test)
{
	const struct l1d_case *c = test->param_value;
	enum kvml_l1d mode = kvml_vmx_l1d_choose(c->bug, c->skip, c->mitigation);

	KUNIT_EXPECT_EQ(test, mode, c->mode);
	KUNIT_EXPECT_EQ(test, kvml_vmx_l1d_due(mode, true), c->mode != L1D_NEVER);
	KUNIT_EXPECT_EQ(test, kvml_vmx_l1d_due(mode, false), c->mode == L1D_ALWAYS);
	KUNIT_EXPECT_EQ(test, kvml_vmx_smt_warns(c->bug, true, c->mitigation),
			c->warns);
	KUNIT_EXPECT_FALSE(test, kvml_vmx_smt_warns(c->bug, false, c->mitigation));
}

/* ---- L1TF: the frame in an MMIO entry ---- */

struct frame_case {
	const char *name;
	bool l1tf;
	unsigned int cache_bits;	/* the kernel's x86_cache_bits */
	u64 memory;			/* what the kernel has at most: half of it */
};

static const struct frame_case frame_cases[] = {
	{ "client, 39 bits, 44 in L1", true, 44, BIT_ULL(43) },
	{ "server, 46 bits", true, 46, BIT_ULL(45) },
	{ "Atom, 36 bits", true, 36, BIT_ULL(35) },
	{ "no bug", false, 46, 0 },
};

static void frame_desc(const struct frame_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(frame, frame_cases, frame_desc);

/* Whatever generation the VMM reaches by changes of slots. */
static void vmx_rules_frame_test(struct kunit *test)
{
	static const u32 generations[] = { 0, 1, 0x12345, BIT(23), BIT(31), U32_MAX };
	const struct frame_case *c = test->param_value;
	u64 bits = kvml_vmx_ept_mmio_frame(c->l1tf, c->cache_bits);
	unsigned int i;

	if (!c->l1tf) {
		KUNIT_EXPECT_EQ(test, bits, 0);
		return;
	}
	KUNIT_EXPECT_EQ(test, bits & ~GENMASK_ULL(51, 12), 0);
	for (i = 0; i < ARRAY_SIZE(generations); i++) {
		u64 frame = bits | (u64)generations[i] << 12;

		/* L1 compares no more than these. */
		frame &= GENMASK_ULL(c->cache_bits - 1, 0);
		KUNIT_EXPECT_GE(test, frame, c->memory + c->memory / 2);
	}
}

/* ---- #AC ---- */

struct ac_case {
	const char *name;
	bool detection;
	int cpl;
	unsigned long cr0, rflags;
	bool guests;
};

static const struct ac_case ac_cases[] = {
	{ "no detection", false, 0, 0, 0, true },
	{ "a program that asked for it", true, 3, X86_CR0_AM, X86_EFLAGS_AC, true },
	{ "without CR0.AM", true, 3, 0, X86_EFLAGS_AC, false },
	{ "without RFLAGS.AC", true, 3, X86_CR0_AM, 0, false },
	{ "privilege level 0", true, 0, X86_CR0_AM, X86_EFLAGS_AC, false },
	{ "privilege level 2", true, 2, X86_CR0_AM, X86_EFLAGS_AC, false },
};

static void ac_desc(const struct ac_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ac, ac_cases, ac_desc);

static void vmx_rules_ac_test(struct kunit *test)
{
	const struct ac_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, kvml_vmx_ac_is_guests(c->detection, c->cpl, c->cr0,
						    c->rflags), c->guests);
}

static struct kunit_case vmx_rules_test_cases[] = {
	KUNIT_CASE_PARAM(vmx_rules_l1d_test, l1d_gen_params),
	KUNIT_CASE_PARAM(vmx_rules_frame_test, frame_gen_params),
	KUNIT_CASE_PARAM(vmx_rules_ac_test, ac_gen_params),
	{ }
};

static struct kunit_suite vmx_rules_suite = {
	.name = "kvmlite_vmx_rules",
	.test_cases = vmx_rules_test_cases,
};

kunit_test_suite(vmx_rules_suite);

MODULE_DESCRIPTION("Tests of what kvmlite's VT-x code decides");
MODULE_LICENSE("GPL");
