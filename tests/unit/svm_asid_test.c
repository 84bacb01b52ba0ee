// SPDX-License-Identifier: GPL-2.0
/*
 * Address space identifiers on one CPU: no two vCPUs have the same one in a
 * generation, and no translation outlives whoever it was of.
 */
#include <kunit/test.h>

#include "svm/asid.c"

struct kvml_svm_caps kvml_svm_caps;

#define VCPUS	8

static struct svm_vcpu *vcpus;
static struct vmcb *vmcbs;

static int svm_asid_test_init(struct kunit *test)
{
	unsigned int i;

	vcpus = kunit_kcalloc(test, VCPUS, sizeof(*vcpus), GFP_KERNEL);
	vmcbs = kunit_kcalloc(test, VCPUS, sizeof(*vmcbs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vcpus);
	KUNIT_ASSERT_NOT_NULL(test, vmcbs);
	for (i = 0; i < VCPUS; i++)
		vcpus[i].vmcb = &vmcbs[i];
	kvml_svm_caps = (struct kvml_svm_caps){ .asids = 4 };
	return 0;
}

/* A test runs on one CPU, which has just been switched on. */
static void on_one_cpu(struct kunit *test, void (*fn)(struct kunit *test))
{
	migrate_disable();
	kvml_svm_asid_init();
	fn(test);
	migrate_enable();
}

/* A VMRUN of vCPU @i that fails its checks: what it told the CPU to flush. */
static u8 fail_to_enter(unsigned int i)
{
	kvml_svm_asid_prepare(&vcpus[i]);
	return vmcbs[i].control.tlb_ctl;
}

/* An entry of vCPU @i: its ASID; *@flush is what the CPU was told. */
static u32 enter(unsigned int i, u8 *flush)
{
	vmcbs[i].control.clean = ~0;
	*flush = fail_to_enter(i);
	kvml_svm_asid_entered(&vcpus[i]);
	return vmcbs[i].control.asid;
}

static void asids_order(struct kunit *test)
{
	u8 flush;

	/* What the CPU remembers from before must go. */
	KUNIT_EXPECT_EQ(test, enter(0, &flush), 1);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_FLUSH_ALL_ASID);
	KUNIT_EXPECT_EQ(test, vmcbs[0].control.clean, 0);
	KUNIT_EXPECT_EQ(test, enter(1, &flush), 2);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_DO_NOTHING);
	KUNIT_EXPECT_EQ(test, enter(2, &flush), 3);
	/* Who has one keeps it, and what the VMCB's caches know. */
	KUNIT_EXPECT_EQ(test, enter(0, &flush), 1);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_DO_NOTHING);
	KUNIT_EXPECT_EQ(test, vmcbs[0].control.clean, ~0u);
	/* The last was 3: ASID 0 is the host's, and 4 is none. */
	KUNIT_EXPECT_EQ(test, enter(3, &flush), 1);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_FLUSH_ALL_ASID);
	/* A generation later the others need new ones. */
	KUNIT_EXPECT_EQ(test, enter(0, &flush), 2);
	KUNIT_EXPECT_EQ(test, enter(3, &flush), 1);
}

/* In any order: within a generation all are different, and none is 0. */
static void asids_unique(struct kunit *test)
{
	unsigned int step, i;
	u8 flush;

	for (step = 0; step < 500; step++) {
		u32 asid = enter(step * 7 % VCPUS, &flush);

		KUNIT_EXPECT_GE(test, asid, 1);
		KUNIT_EXPECT_LT(test, asid, kvml_svm_caps.asids);
		for (i = 0; i < VCPUS; i++)
			if (i != step * 7 % VCPUS &&
			    vcpus[i].asid_generation ==
			    vcpus[step * 7 % VCPUS].asid_generation)
				KUNIT_EXPECT_NE(test, vmcbs[i].control.asid,
						asid);
	}
}

static void asids_flush(struct kunit *test)
{
	u32 asid;
	u8 flush;

	kvml_svm_caps.asids = 100;
	asid = enter(0, &flush);
	enter(1, &flush);
	kvml_svm_asid_flush(&vcpus[0]);
	/* Another one, which nothing is remembered of. */
	KUNIT_EXPECT_NE(test, enter(0, &flush), asid);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_DO_NOTHING);

	kvml_svm_caps.flush_by_asid = true;
	asid = enter(0, &flush);
	kvml_svm_asid_flush(&vcpus[0]);
	KUNIT_EXPECT_EQ(test, vmcbs[0].control.tlb_ctl, TLB_CONTROL_FLUSH_ASID);
	kvml_svm_asid_prepare(&vcpus[0]);
	KUNIT_EXPECT_EQ(test, vmcbs[0].control.asid, asid);
	KUNIT_EXPECT_EQ(test, vmcbs[0].control.tlb_ctl, TLB_CONTROL_FLUSH_ASID);
}

/* The CPU was off and on again. */
static void asids_init(struct kunit *test)
{
	u8 flush;

	enter(0, &flush);
	kvml_svm_asid_init();
	enter(0, &flush);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_FLUSH_ALL_ASID);
}

/* What a VMRUN that failed was to flush, the next one flushes. */
static void asids_failed(struct kunit *test)
{
	u8 flush;

	KUNIT_EXPECT_EQ(test, fail_to_enter(0), TLB_CONTROL_FLUSH_ALL_ASID);
	KUNIT_EXPECT_EQ(test, fail_to_enter(1), TLB_CONTROL_FLUSH_ALL_ASID);
	/* Of another vCPU, which has its ASID of this generation already. */
	enter(2, &flush);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_FLUSH_ALL_ASID);
	enter(0, &flush);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_FLUSH_ALL_ASID);
	enter(0, &flush);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_DO_NOTHING);

	kvml_svm_caps.flush_by_asid = true;
	kvml_svm_asid_flush(&vcpus[0]);
	KUNIT_EXPECT_EQ(test, fail_to_enter(0), TLB_CONTROL_FLUSH_ASID);
	enter(0, &flush);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_FLUSH_ASID);
	enter(0, &flush);
	KUNIT_EXPECT_EQ(test, flush, TLB_CONTROL_DO_NOTHING);
	/* The vCPU's own does not take the place of the CPU's. */
	kvml_svm_asid_init();
	fail_to_enter(0);
	kvml_svm_asid_flush(&vcpus[0]);
	KUNIT_EXPECT_EQ(test, fail_to_enter(0), TLB_CONTROL_FLUSH_ALL_ASID);
}

static void svm_asid_failed_test(struct kunit *test)
{
	on_one_cpu(test, asids_failed);
}

static void svm_asid_order_test(struct kunit *test)
{
	on_one_cpu(test, asids_order);
}

static void svm_asid_unique_test(struct kunit *test)
{
	on_one_cpu(test, asids_unique);
}

static void svm_asid_flush_test(struct kunit *test)
{
	on_one_cpu(test, asids_flush);
}

static void svm_asid_init_test(struct kunit *test)
{
	on_one_cpu(test, asids_init);
}

static struct kunit_case svm_asid_cases[] = {
	KUNIT_CASE(svm_asid_order_test),
	KUNIT_CASE(svm_asid_unique_test),
	KUNIT_CASE(svm_asid_flush_test),
	KUNIT_CASE(svm_asid_init_test),
	KUNIT_CASE(svm_asid_failed_test),
	{ }
};

static struct kunit_suite svm_asid_suite = {
	.name = "kvmlite_svm_asid",
	.init = svm_asid_test_init,
	.test_cases = svm_asid_cases,
};

kunit_test_suite(svm_asid_suite);

MODULE_DESCRIPTION("Tests of kvmlite's address space identifiers");
MODULE_LICENSE("GPL");
