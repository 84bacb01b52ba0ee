// SPDX-License-Identifier: GPL-2.0
/*
 * TSCs of several vCPUs: which writes stock KVM takes for attempts to make them the
 * same, and which frequencies it takes for the host's.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"

#define MSR_TSC		0x10
#define MSR_TSC_ADJUST	0x3b
#define START		(1ULL << 45)

GUEST(wrmsr, "mov %esi, %ecx\n\tmov %edx, %eax\n\tshr $32, %rdx\n\twrmsr\n\t" GUEST_OUT)

static u64 khz_of(const struct machine *m)
{
	return MUST(ioctl(m->vcpu, KVM_GET_TSC_KHZ, 0));
}

static u64 ms(const struct machine *m, u64 n)
{
	return n * khz_of(m);
}

static u64 tsc(const struct machine *m)
{
	return vcpu_msr(m, MSR_TSC);
}

static void set_tsc(const struct machine *m, u64 value)
{
	vcpu_set_msr(m, MSR_TSC, value);
}

/* What one shows lies between what the other shows before and after. */
static void check_same(const struct machine *m, const struct machine *n)
{
	u64 before = tsc(m), between = tsc(n), after = tsc(m);

	if (between < before || between > after)
		tap_fail("expected the same TSC, got one that is %lld cycles ahead",
			 (long long)(between - before));
}

/* It was set to @value, and less than @limit ms have gone since. */
static void check_near(const struct machine *m, u64 value, u64 limit)
{
	u64 now = tsc(m);

	if (now < value || now - value > ms(m, limit))
		tap_fail("expected a TSC of %llu and some ms, got %llu",
			 (unsigned long long)value, (unsigned long long)now);
}

/* ---- writes of the VMM ---- */

static void test_any_order(void)
{
	struct machine m = vm_make(), n = vm_sibling(&m, 1);

	check_same(&m, &n);
	set_tsc(&n, START);
	sleep_ms(200);
	set_tsc(&m, START);
	check_same(&m, &n);
	/* As of the first: what went by is not lost. */
	CHECK(tsc(&m) >= START + ms(&m, 200));
}

static void test_far_away(void)
{
	struct machine m = vm_make(), n = vm_sibling(&m, 1);

	set_tsc(&m, START);
	set_tsc(&n, START + ms(&m, 100000));
	check_near(&n, START + ms(&m, 100000), 900);
	check_near(&m, START, 90000);
	set_tsc(&m, START + ms(&m, 100000));
	check_same(&m, &n);
}

/* Before userspace has set one there is nothing that another could be meant to be. */
static void test_first_write(void)
{
	struct machine m = vm_make(), n = vm_sibling(&m, 1);

	sleep_ms(600);
	set_tsc(&m, 1000);
	check_near(&m, 1000, 550);
	set_tsc(&n, 1000);
	check_same(&m, &n);
}

static void test_zero(void)
{
	struct machine m = vm_make(), n = vm_sibling(&m, 1);

	set_tsc(&m, START);
	set_tsc(&n, 0);
	check_same(&m, &n);
	/* That was the last write, so 1 is near to it, and the old value is not. */
	set_tsc(&n, 1);
	check_same(&m, &n);
	set_tsc(&n, 2 * START);
	check_near(&n, 2 * START, 30000);
}

/* The last write counts, not where the TSC that it gave is. */
static void test_last_write(void)
{
	struct machine m = vm_make(), n = vm_sibling(&m, 1), o = vm_sibling(&m, 2);

	set_tsc(&m, START);
	set_tsc(&n, START + ms(&m, 700));
	check_same(&m, &n);
	set_tsc(&o, START + ms(&m, 1400));
	check_same(&m, &o);
}

static void test_new_vcpu(void)
{
	struct machine m = vm_make(), n;

	set_tsc(&m, START);
	sleep_ms(50);
	n = vm_sibling(&m, 1);
	check_same(&m, &n);
}

/* ---- writes of the guest ---- */

static void test_guest(void)
{
	struct machine m = vm_make(), n = vm_sibling(&m, 1);
	u64 moved;

	set_tsc(&m, START);
	vm_call(&m, guest_wrmsr, 0, MSR_TSC, 2 * START);
	check_near(&m, 2 * START, 30000);
	moved = vcpu_msr(&m, MSR_TSC_ADJUST);
	CHECK(moved > START - ms(&m, 30000) && moved <= START);
	/* Nobody else's, and no attempt to be like others'. */
	set_tsc(&n, START);
	check_near(&n, START, 30000);
	vm_call(&m, guest_wrmsr, 0, MSR_TSC_ADJUST, 0);
	check_same(&m, &n);
	/* What the VMM brings along with a TSC that it has set moves nothing. */
	vcpu_set_msr(&m, MSR_TSC_ADJUST, moved);
	CHECK_EQ(vcpu_msr(&m, MSR_TSC_ADJUST), moved);
	check_same(&m, &n);
}

/* ---- the frequency ---- */

static int set_khz(int fd, u64 khz)
{
	return ioctl(fd, KVM_SET_TSC_KHZ, khz);
}

static void test_tolerance(void)
{
	struct machine m = vm_make();
	u64 host = khz_of(&m), low = host * 999750 / 1000000;
	u64 high = host * 1000250 / 1000000;
	static const s64 near[] = { -1, 0, 1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(near); i++) {
		MUST(set_khz(m.vcpu, host + near[i]));
		CHECK_EQ(khz_of(&m), host + near[i]);
	}
	MUST(set_khz(m.vcpu, low));
	MUST(set_khz(m.vcpu, high));
	CHECK_EQ(khz_of(&m), high);
	MUST(set_khz(m.vcpu, 0));
	CHECK_EQ(khz_of(&m), host);
	if (has_cap(m.kvm, KVM_CAP_TSC_CONTROL))
		return;
	CHECK_ERRNO(set_khz(m.vcpu, low - 1), EINVAL);
	CHECK_ERRNO(set_khz(m.vcpu, 1), EINVAL);
}

/* The VM's is that of vCPUs to come. */
static void test_vm_khz(void)
{
	struct machine m = vm_make(), n;
	u64 host = khz_of(&m);

	MUST(set_khz(m.vm, host - 1));
	CHECK_EQ(khz_of(&m), host);
	n = vm_sibling(&m, 1);
	CHECK_EQ(khz_of(&n), host - 1);
	CHECK_EQ(MUST(ioctl(m.vm, KVM_GET_TSC_KHZ, 0)), host - 1);
	/* Of another frequency, it cannot be like the first one. */
	check_near(&n, 0, 30000);
	MUST(set_khz(m.vm, 0));
	CHECK_EQ(MUST(ioctl(m.vm, KVM_GET_TSC_KHZ, 0)), host);
}

static void test_other_khz(void)
{
	struct machine m = vm_make(), n = vm_sibling(&m, 1);

	set_tsc(&m, START);
	MUST(set_khz(n.vcpu, khz_of(&m) - 1));
	set_tsc(&n, 0);
	check_near(&n, 0, 30000);
	MUST(set_khz(n.vcpu, 0));
	set_tsc(&n, START);
	check_near(&n, START, 30000);
	set_tsc(&m, 0);
	check_same(&m, &n);
}

static const struct tap_test tests[] = {
	{ "TSCs set in any order are the same", test_any_order },
	{ "a value far from the last one is meant", test_far_away },
	{ "the first value is meant", test_first_write },
	{ "0 is like the others", test_zero },
	{ "each value counts for the next one", test_last_write },
	{ "a new vCPU's is like the others", test_new_vcpu },
	{ "what the guest writes is its vCPU's", test_guest },
	{ "frequencies within 250 ppm", test_tolerance },
	{ "the frequency of new vCPUs", test_vm_khz },
	{ "TSCs of different frequencies", test_other_khz },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
