// SPDX-License-Identifier: GPL-2.0
/* What is made of an XSAVE area before XRSTOR sees it: SDM volume 1, 13.6 and 13.8.1. */
#include <kunit/test.h>

/* The tests come later than __init. */
#undef __init
#define __init
#undef __ro_after_init
#define __ro_after_init

#include "cpuid/xstate.c"

#define AVX_OFFSET	576
#define AVX_SIZE	256
#define WITH_AVX	(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM)

static struct xregs_state *state;

static int xstate_test_init(struct kunit *test)
{
	kvml_host_xcr0 = WITH_AVX;
	memset(area, 0, sizeof(area));
	area[XFEATURE_YMM].offset = AVX_OFFSET;
	area[XFEATURE_YMM].size = AVX_SIZE;
	mxcsr_mask = 0xffff;
	state = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	return state ? 0 : -ENOMEM;
}

static const u8 *bytes(void)
{
	return (u8 *)state;
}

/* FNINIT's control word, MXCSR after RESET, and zeroes. */
static void test_reset_all(struct kunit *test)
{
	memset(state, 0xa5, PAGE_SIZE);
	memset(&state->header, 0, sizeof(state->header));
	kvml_xstate_reset(state, ~0ull);
	KUNIT_EXPECT_EQ(test, state->i387.cwd, 0x37f);
	KUNIT_EXPECT_EQ(test, state->i387.swd, 0);
	KUNIT_EXPECT_EQ(test, state->i387.twd, 0);
	KUNIT_EXPECT_EQ(test, state->i387.mxcsr, 0x1f80u);
	KUNIT_EXPECT_NULL(test, memchr_inv(state->i387.st_space, 0, 128));
	KUNIT_EXPECT_NULL(test, memchr_inv(state->i387.xmm_space, 0, 256));
	KUNIT_EXPECT_NULL(test, memchr_inv(bytes() + AVX_OFFSET, 0, AVX_SIZE));
	KUNIT_EXPECT_EQ(test, bytes()[AVX_OFFSET + AVX_SIZE], 0xa5);
	KUNIT_EXPECT_TRUE(test, kvml_xstate_valid(state));
}

static void test_reset_one(struct kunit *test)
{
	memset(state, 0xa5, PAGE_SIZE);
	kvml_xstate_reset(state, XFEATURE_MASK_SSE);
	KUNIT_EXPECT_EQ(test, state->i387.cwd, 0xa5a5);
	/* It belongs to AVX, too. */
	KUNIT_EXPECT_EQ(test, state->i387.mxcsr, 0xa5a5a5a5u);
	KUNIT_EXPECT_NULL(test, memchr_inv(state->i387.xmm_space, 0, 256));
	KUNIT_EXPECT_EQ(test, bytes()[AVX_OFFSET], 0xa5);
	kvml_xstate_reset(state, XFEATURE_MASK_YMM);
	KUNIT_EXPECT_EQ(test, state->i387.mxcsr, 0xa5a5a5a5u);
	KUNIT_EXPECT_NULL(test, memchr_inv(bytes() + AVX_OFFSET, 0, AVX_SIZE));
	kvml_xstate_reset(state, XFEATURE_MASK_SSE | XFEATURE_MASK_YMM);
	KUNIT_EXPECT_EQ(test, state->i387.mxcsr, 0x1f80u);
}

static const struct valid_case {
	const char *name;
	u64 host, components, compacted, reserved;
	u32 mxcsr;
	bool valid;
} valid_cases[] = {
	{ "nothing", WITH_AVX, 0, 0, 0, 0, true },
	{ "all that is offered", WITH_AVX, WITH_AVX, 0, 0, 0x1f80, true },
	{ "every bit of MXCSR that there is", WITH_AVX, 2, 0, 0, 0xffff, true },
	{ "a reserved bit of MXCSR, with SSE", WITH_AVX, 2, 0, 0, 0x10000, false },
	{ "a reserved bit of MXCSR, with AVX", WITH_AVX, 4, 0, 0, 0x10000, false },
	{ "a reserved bit of MXCSR, with nothing", WITH_AVX, 0, 0, 0, 0x10000, true },
	{ "a component that is not offered", WITH_AVX, BIT_ULL(9), 0, 0, 0x1f80, false },
	{ "the compacted format", WITH_AVX, 3, BIT_ULL(63), 0, 0x1f80, false },
	{ "XCOMP_BV without it", WITH_AVX, 3, 3, 0, 0x1f80, false },
	{ "reserved bytes of the header", WITH_AVX, 3, 0, 1, 0x1f80, false },
	{ "no XSAVE: x87 and SSE", 0, 3, 0, 0, 0x1f80, true },
	{ "no XSAVE: AVX", 0, 7, 0, 0, 0x1f80, false },
	/* FXRSTOR loads MXCSR whatever the header says. */
	{ "no XSAVE: a reserved bit of MXCSR", 0, 0, 0, 0, 0x10000, false },
};

static void valid_desc(const struct valid_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(valid, valid_cases, valid_desc);

static void test_valid(struct kunit *test)
{
	const struct valid_case *c = test->param_value;

	kvml_host_xcr0 = c->host;
	state->header.xfeatures = c->components;
	state->header.xcomp_bv = c->compacted;
	state->header.reserved[5] = c->reserved;
	state->i387.mxcsr = c->mxcsr;
	KUNIT_EXPECT_EQ(test, kvml_xstate_valid(state), c->valid);
}

/* What is refused never reaches XRSTOR, and what was reset can be loaded. */
static void test_loads(struct kunit *test)
{
	kvml_xstate_init();
	kvml_xstate_reset(state, ~0ull);
	KUNIT_ASSERT_TRUE(test, kvml_xstate_valid(state));
	if (!kvml_host_xcr0)
		return;
	kernel_fpu_begin();
	asm volatile("xrstor64 %0" : : "m" (*state), "a" ((u32)kvml_xcr0_supported()),
		     "d" ((u32)(kvml_xcr0_supported() >> 32)) : "memory");
	asm volatile("xsave64 %0" : "+m" (*state) : "a" ((u32)kvml_xcr0_supported()),
		     "d" ((u32)(kvml_xcr0_supported() >> 32)) : "memory");
	kernel_fpu_end();
	KUNIT_EXPECT_EQ(test, state->i387.mxcsr, 0x1f80u);
	KUNIT_EXPECT_EQ(test, state->i387.mxcsr_mask, mxcsr_mask);
	KUNIT_EXPECT_EQ(test, state->i387.cwd, 0x37f);
}

static struct kunit_case xstate_cases[] = {
	KUNIT_CASE(test_reset_all),
	KUNIT_CASE(test_reset_one),
	KUNIT_CASE_PARAM(test_valid, valid_gen_params),
	KUNIT_CASE(test_loads),
	{}
};

static struct kunit_suite xstate_suite = {
	.name = "kvmlite_xstate",
	.init = xstate_test_init,
	.test_cases = xstate_cases,
};

kunit_test_suite(xstate_suite);

MODULE_DESCRIPTION("Tests of XSAVE areas that come from elsewhere");
MODULE_LICENSE("GPL");
