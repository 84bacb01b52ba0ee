// SPDX-License-Identifier: GPL-2.0
/*
 * MMIO entries of nested page tables: each must fault on the CPU in question,
 * whatever the generation in it, or there must be none.
 */
#include <kunit/test.h>

#include "svm/npt.c"

#define GENERATION	GENMASK_ULL(43, 12)

struct npt_case {
	const char *name;
	unsigned int phys_bits;	/* the kernel's x86_phys_bits */
	unsigned int c_bit;
	u64 mmio;		/* beside NPT_TABLE; 0: none */
};

static const struct npt_case npt_cases[] = {
	{ "K10, Bulldozer: 48 bits", 48, NPT_NO_C_BIT, GENMASK_ULL(51, 48) },
	{ "Zen, Zen 2: 48 bits, encryption off", 48, NPT_NO_C_BIT,
	  GENMASK_ULL(51, 48) },
	{ "Zen, Zen 2: 43 of 48 bits, C-bit 47", 43, 47,
	  GENMASK_ULL(51, 44) & ~BIT_ULL(47) },
	{ "Zen 3: 48 bits, C-bit 51", 48, 51, GENMASK_ULL(50, 48) },
	{ "Zen 3: 43 of 48 bits, C-bit 51", 43, 51, GENMASK_ULL(50, 44) },
	{ "Zen 4, Zen 5: 52 bits, encryption off", 52, NPT_NO_C_BIT, 0 },
	{ "Zen 4, Zen 5: 46 of 52 bits, C-bit 51", 46, 51, GENMASK_ULL(50, 46) },
	{ "51 bits, no C-bit", 51, NPT_NO_C_BIT, BIT_ULL(51) },
	{ "51 bits, and the last one is the C-bit", 51, 51, 0 },
	{ "40 bits: QEMU's TCG", 40, NPT_NO_C_BIT, GENMASK_ULL(51, 44) },
};

static void npt_desc(const struct npt_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(npt, npt_cases, npt_desc);

static void svm_npt_mmio_test(struct kunit *test)
{
	const struct npt_case *c = test->param_value;
	u64 mmio = kvml_svm_npt_mmio(c->phys_bits, c->c_bit);
	u64 reserved = GENMASK_ULL(51, c->phys_bits < 52 ? c->phys_bits : 51);

	if (c->c_bit != NPT_NO_C_BIT)
		reserved &= ~BIT_ULL(c->c_bit);
	if (!c->mmio) {
		KUNIT_EXPECT_EQ(test, mmio, 0);
		return;
	}
	KUNIT_EXPECT_EQ(test, mmio, c->mmio | NPT_TABLE);
	/* It faults: present, and a bit is set that no address has. */
	KUNIT_EXPECT_NE(test, mmio & reserved, 0);
	KUNIT_EXPECT_EQ(test, mmio & GENERATION, 0);
	if (c->c_bit != NPT_NO_C_BIT)
		KUNIT_EXPECT_EQ(test, mmio & BIT_ULL(c->c_bit), 0);
}

static struct kunit_case svm_npt_test_cases[] = {
	KUNIT_CASE_PARAM(svm_npt_mmio_test, npt_gen_params),
	{ }
};

static struct kunit_suite svm_npt_suite = {
	.name = "kvmlite_svm_npt",
	.test_cases = svm_npt_test_cases,
};

kunit_test_suite(svm_npt_suite);

MODULE_DESCRIPTION("Tests of kvmlite's nested page tables' entries");
MODULE_LICENSE("GPL");
