// SPDX-License-Identifier: GPL-2.0
/*
 * Time-stamp counters: which writes follow the VM's last one, and which frequencies
 * are the host's.
 */
#include <kunit/test.h>

#include "base/tsc.c"
#include "vcpu/tsc.c"

/* ---- in place of the vendor and pv.c ---- */

static u64 host_ns;

u64 kvml_pv_host_ns(void)
{
	return host_ns;
}

static unsigned int changes;

void kvml_pv_tsc_changed(struct kvml_vcpu *v)
{
	changes++;
}

static u64 vendor_offset;

static void update_tsc_fn(struct kvml_vcpu *v)
{
	vendor_offset = v->tsc_offset;
}

static const struct kvml_ops vendor_ops = {
	.update_tsc = update_tsc_fn,
};

const struct kvml_ops *kvml_ops = &vendor_ops;

static struct kvml_vm *vm;
static struct kvml_vcpu *vcpu;

static int tsc_test_init(struct kunit *test)
{
	vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);
	vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vm);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->vm = vm;
	changes = 0;
	kvml_tsc_vm_init(vm);
	kvml_tsc_vcpu_init(vcpu);
	return 0;
}

/* ---- following ---- */

#define KHZ	2000000u
#define SECOND	2000000000ull
#define LATER	(SECOND * 1000)

static const struct follow_case {
	const char *text;
	struct kvml_tsc_sync last;
	u64 value, elapsed;
	u32 khz;
	bool follows;
} follow_cases[] = {
	{ "no write yet", {}, 0, 0, KHZ, false },
	{ "0, behind vCPUs that were made", { .khz = KHZ }, 0, 5, KHZ, true },
	{ "0, of another frequency", { .khz = KHZ }, 0, 5, KHZ - 1, false },
	{ "near, but userspace wrote none", { .khz = KHZ }, 1, 0, KHZ, false },
	{ "the same", { .khz = KHZ, .by_user = true, .value = LATER }, LATER, 0,
	  KHZ, true },
	{ "the same, of another frequency",
	  { .khz = KHZ, .by_user = true, .value = LATER }, LATER, 0, KHZ + 1,
	  false },
	{ "the same after half a second",
	  { .khz = KHZ, .by_user = true, .value = LATER }, LATER,
	  NSEC_PER_SEC / 2, KHZ, true },
	{ "the same after a second",
	  { .khz = KHZ, .by_user = true, .value = LATER }, LATER,
	  NSEC_PER_SEC, KHZ, false },
	{ "a second more, less one",
	  { .khz = KHZ, .by_user = true, .value = LATER }, LATER + SECOND - 1,
	  0, KHZ, true },
	{ "a second more",
	  { .khz = KHZ, .by_user = true, .value = LATER }, LATER + SECOND, 0,
	  KHZ, false },
	{ "a second less, less one",
	  { .khz = KHZ, .by_user = true, .value = LATER }, LATER - SECOND + 1,
	  0, KHZ, true },
	{ "a second less",
	  { .khz = KHZ, .by_user = true, .value = LATER }, LATER - SECOND, 0,
	  KHZ, false },
	{ "as much more as time went by, after a year",
	  { .khz = KHZ, .by_user = true, .value = LATER },
	  LATER + 31536000 * SECOND, 31536000 * NSEC_PER_SEC, KHZ, true },
	{ "0 after a year", { .khz = KHZ, .by_user = true, .value = LATER }, 0,
	  31536000 * NSEC_PER_SEC, KHZ, true },
};

static void follow_desc(const struct follow_case *c, char *desc)
{
	strscpy(desc, c->text, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(follow, follow_cases, follow_desc);

static void tsc_follow_test(struct kunit *test)
{
	const struct follow_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, follows(&c->last, c->value, c->elapsed, c->khz),
			c->follows);
}

/* A write that does not follow begins anew, one that does gets its offset. */
static void tsc_write_test(struct kunit *test)
{
	u64 first = vm->tsc.offset, second;

	KUNIT_EXPECT_EQ(test, vcpu->tsc_offset, first);
	kvml_tsc_write(vcpu, LATER);
	second = vcpu->tsc_offset;
	KUNIT_EXPECT_NE(test, second, first);
	KUNIT_EXPECT_EQ(test, vm->tsc.offset, second);
	KUNIT_EXPECT_EQ(test, vendor_offset, second);
	KUNIT_EXPECT_EQ(test, changes, 1);
	KUNIT_EXPECT_TRUE(test, vm->tsc.by_user);
	/* The guest moves its own; the VM's last write is what it was. */
	kvml_tsc_move(vcpu, 1000);
	KUNIT_EXPECT_EQ(test, vcpu->tsc_offset, second + 1000);
	KUNIT_EXPECT_EQ(test, vendor_offset, second + 1000);
	KUNIT_EXPECT_EQ(test, vm->tsc.offset, second);
	if (check_tsc_unstable())
		return;
	host_ns += NSEC_PER_SEC / 2;
	kvml_tsc_write(vcpu, LATER);
	KUNIT_EXPECT_EQ(test, vcpu->tsc_offset, second);
	KUNIT_EXPECT_EQ(test, vm->tsc.ns, host_ns);
}

/* ---- sleep ---- */

static void tsc_gone_back_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, gone_back(1000, 1000), 0);
	KUNIT_EXPECT_EQ(test, gone_back(1000, 5000), 0);
	KUNIT_EXPECT_EQ(test, gone_back(1000, 10), 990);
	KUNIT_EXPECT_EQ(test, gone_back(~0ull, 0), ~0ull);
	KUNIT_EXPECT_EQ(test, gone_back(0, ~0ull), 0);
}

/*
 * The host's TSC begins anew: those of guests go on, also of vCPUs that are made
 * later or set to 0, and a second sleep adds up.
 */
static void tsc_sleep_test(struct kunit *test)
{
	const u64 back = 1ull << 40;
	u64 offset = vcpu->tsc_offset, lost = kvml_tsc_lost;
	struct kvml_vcpu *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, other);
	other->vm = vm;
	kvml_tsc_suspend();
	/* As if it had been that much more. */
	before_sleep += back;
	kvml_tsc_resume();
	KUNIT_EXPECT_GT(test, kvml_tsc_lost - lost, back - SECOND * 60);
	KUNIT_EXPECT_LE(test, kvml_tsc_lost - lost, back);
	kvml_tsc_catch_up(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->tsc_offset, offset + kvml_tsc_lost - lost);
	KUNIT_EXPECT_EQ(test, vendor_offset, vcpu->tsc_offset);
	KUNIT_EXPECT_EQ(test, vcpu->tsc_lost, kvml_tsc_lost);
	KUNIT_EXPECT_EQ(test, changes, 1);
	kvml_tsc_vcpu_init(other);
	KUNIT_EXPECT_EQ(test, other->tsc_lost, kvml_tsc_lost);
	if (!check_tsc_unstable())
		KUNIT_EXPECT_EQ(test, other->tsc_offset, vcpu->tsc_offset);

	kvml_tsc_suspend();
	before_sleep += back;
	kvml_tsc_resume();
	KUNIT_EXPECT_GT(test, kvml_tsc_lost - lost, 2 * back - SECOND * 60);
	kvml_tsc_catch_up(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->tsc_offset, offset + kvml_tsc_lost - lost);

	/* It went on: nothing to do. */
	lost = kvml_tsc_lost;
	kvml_tsc_suspend();
	kvml_tsc_resume();
	KUNIT_EXPECT_EQ(test, kvml_tsc_lost, lost);
}

/* ---- frequencies ---- */

static void tsc_khz_test(struct kunit *test)
{
	u32 low = (u64)tsc_khz * 999750 / 1000000;
	u32 high = (u64)tsc_khz * 1000250 / 1000000;
	const struct {
		unsigned long wanted;
		u32 khz;	/* 0: -EINVAL */
	} cases[] = {
		{ 0, tsc_khz }, { tsc_khz, tsc_khz }, { low, low },
		{ high, high }, { low - 1, 0 }, { high + 1, 0 }, { 1, 0 },
		{ U32_MAX, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u32 khz = 7, want = cases[i].khz;
		int err = 0;

		/* It stays as it was. */
		if (!want) {
			want = khz;
			err = -EINVAL;
		}
		KUNIT_EXPECT_EQ_MSG(test, kvml_tsc_set_khz(&khz, cases[i].wanted),
				    err, "%lu", cases[i].wanted);
		KUNIT_EXPECT_EQ_MSG(test, khz, want, "%lu", cases[i].wanted);
	}
}

static struct kunit_case tsc_cases[] = {
	KUNIT_CASE_PARAM(tsc_follow_test, follow_gen_params),
	KUNIT_CASE(tsc_write_test),
	KUNIT_CASE(tsc_gone_back_test),
	KUNIT_CASE(tsc_sleep_test),
	KUNIT_CASE(tsc_khz_test),
	{}
};

static struct kunit_suite tsc_suite = {
	.name = "kvmlite_tsc",
	.init = tsc_test_init,
	.test_cases = tsc_cases,
};

kunit_test_suite(tsc_suite);

MODULE_DESCRIPTION("Tests of kvmlite's time-stamp counters");
MODULE_LICENSE("GPL");
