// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual-processor identifiers: no two vCPUs have the same one, and who comes
 * when all are in use has none.
 */
#include <kunit/test.h>

#include "vmx/vpid.c"

struct kvml_vmx_caps kvml_vmx_caps;

/* Nothing is flushed here. */
void kvml_vmx_flush_tlb(struct kvml_vcpu *vcpu)
{
}

static void vmx_vpid_test_exit(struct kunit *test)
{
	ida_destroy(&vpids);
}

static void vmx_vpid_exhausted_test(struct kunit *test)
{
	unsigned int i, wrong = 0;

	for (i = 1; i < VPIDS; i++)
		wrong += kvml_vmx_vpid_alloc() != i;
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, kvml_vmx_vpid_alloc(), 0);
	/* Such a vCPU goes: nothing of others' goes with it. */
	kvml_vmx_vpid_free(0);
	KUNIT_EXPECT_EQ(test, kvml_vmx_vpid_alloc(), 0);
	kvml_vmx_vpid_free(40000);
	KUNIT_EXPECT_EQ(test, kvml_vmx_vpid_alloc(), 40000);
	KUNIT_EXPECT_EQ(test, kvml_vmx_vpid_alloc(), 0);
}

static struct kunit_case vmx_vpid_cases[] = {
	KUNIT_CASE(vmx_vpid_exhausted_test),
	{}
};

static struct kunit_suite vmx_vpid_suite = {
	.name = "kvmlite_vmx_vpid",
	.exit = vmx_vpid_test_exit,
	.test_cases = vmx_vpid_cases,
};

kunit_test_suite(vmx_vpid_suite);

MODULE_DESCRIPTION("Tests of kvmlite's virtual-processor identifiers");
MODULE_LICENSE("GPL");
