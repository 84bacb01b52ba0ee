// SPDX-License-Identifier: GPL-2.0
/*
 * MSRs of a vCPU, and the clocks of vCPU and VM: what is set is what comes back,
 * and what the guest sees.
 */
#define _GNU_SOURCE
#include "kvm_guest.h"

#define MSR_TSC			0x10
#define MSR_FEAT_CTL		0x3a
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_MCG_CAP		0x179
#define MSR_PAT			0x277
#define MSR_MC0_CTL		0x400
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_FMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_WALL_CLOCK_NEW	0x4b564d00
#define MSR_SYSTEM_TIME_NEW	0x4b564d01

/* Each stores at rdi what it sees. */

GUEST_FUNCTION
static void guest_rdmsr(void)
{
	__asm__ volatile("mov %esi, %ecx\n\t"
			 "rdmsr\n\t"
			 "mov %eax, (%rdi)\n\t"
			 "mov %edx, 4(%rdi)\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_wrmsr(void)
{
	__asm__ volatile("mov %esi, %ecx\n\t"
			 "mov %edx, %eax\n\t"
			 "shr $32, %rdx\n\t"
			 "wrmsr\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_rdtsc(void)
{
	__asm__ volatile("rdtsc\n\t"
			 "mov %eax, (%rdi)\n\t"
			 "mov %edx, 4(%rdi)\n\t"
			 GUEST_OUT);
}

static void *data_of(const struct machine *m)
{
	return m->tool + TOOL_DATA;
}

/* ---- MSRs ---- */

struct msr_one {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

static bool msr_try(const struct machine *m, unsigned long request, u32 index,
		    u64 *value)
{
	struct msr_one msr = {
		.head.nmsrs = 1, .entry = { .index = index, .data = *value },
	};
	bool done = MUST(ioctl(m->vcpu, request, &msr)) == 1;

	*value = msr.entry.data;
	return done;
}

static u64 msr_get(const struct machine *m, u32 index)
{
	u64 value = 0;

	if (!msr_try(m, KVM_GET_MSRS, index, &value))
		tap_fail("MSR %x cannot be read", index);
	return value;
}

static void msr_set(const struct machine *m, u32 index, u64 value)
{
	if (!msr_try(m, KVM_SET_MSRS, index, &value))
		tap_fail("MSR %x cannot be set to %llx", index,
			 (unsigned long long)value);
}

static bool is_async_pf_msr(u32 index)
{
	return index == 0x4b564d02 || index == 0x4b564d06 || index == 0x4b564d07;
}

/* Whatever the index list names can be saved and restored. */
static void test_msr_list(void)
{
	static struct {
		struct kvm_msr_list head;
		u32 indices[1024];
	} list = { .head.nmsrs = 1024 };
	struct machine m = machine_make();
	u64 value = 0, locked = 1;	/* IA32_FEAT_CTL, where there is one */
	bool has_feat_ctl = msr_try(&m, KVM_SET_MSRS, MSR_FEAT_CTL, &locked);
	unsigned int unreadable = 0, i;

	MUST(ioctl(m.kvm, KVM_GET_MSR_INDEX_LIST, &list));
	for (i = 0; i < list.head.nmsrs; i++) {
		value = 0;
		if (!msr_try(&m, KVM_GET_MSRS, list.indices[i], &value)) {
			unreadable++;
			tap_note("MSR %x cannot be read", list.indices[i]);
			continue;
		}
		/* Asynchronous page faults need an APIC in the kernel. */
		if (!msr_try(&m, KVM_SET_MSRS, list.indices[i], &value) &&
		    !is_async_pf_msr(list.indices[i]))
			tap_fail("MSR %x cannot be set to its value %llx",
				 list.indices[i], (unsigned long long)value);
	}
	tap_note("%u MSRs", list.head.nmsrs);
	CHECK_EQ(unreadable, 0);
	/* None of them was another one's. */
	if (has_feat_ctl && msr_try(&m, KVM_GET_MSRS, MSR_FEAT_CTL, &value))
		CHECK_EQ(value, locked);
	guest_call(&m, guest_rdtsc, TOOL_DATA, 0, 0);
}

static void test_msrs(void)
{
	static const struct {
		u32 index;
		u64 value;
	} table[] = {
		{ MSR_SYSENTER_CS, 0x10 },
		{ MSR_SYSENTER_ESP, 0x1000 },
		{ MSR_SYSENTER_EIP, 0x2000 },
		{ MSR_PAT, 0x0007040600070406 },
		{ MSR_STAR, 0x0023001000000000 },
		{ MSR_LSTAR, 0xffff800000003000 },
		{ MSR_CSTAR, 0xffff800000004000 },
		{ MSR_FMASK, 0x47700 },
		{ MSR_KERNEL_GS_BASE, 0xffff800000005000 },
		{ MSR_FS_BASE, 0xffff800000006000 },
		{ MSR_GS_BASE, 0xffff800000007000 },
	};
	struct machine m = machine_make();
	u64 *seen = data_of(&m), other;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		msr_set(&m, table[i].index, table[i].value);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		CHECK_EQ(msr_get(&m, table[i].index), table[i].value);
		guest_call(&m, guest_rdmsr, TOOL_DATA, table[i].index, 0);
		CHECK_EQ(*seen, table[i].value);
	}
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		other = table[i].index == MSR_PAT ? 0x0606060606060606 :
			table[i].value + 0x100;
		guest_call(&m, guest_wrmsr, 0, table[i].index, other);
		CHECK_EQ(msr_get(&m, table[i].index), other);
	}
}

/* It stops at the first that cannot be read, and says how many it did. */
static void test_msrs_partial(void)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[3];
	} msrs = {
		.head.nmsrs = 3,
		.entry = { { .index = MSR_LSTAR }, { .index = 0xdeadbeef },
			   { .index = MSR_STAR } },
	};
	struct machine m = machine_make();

	CHECK_EQ(MUST(ioctl(m.vcpu, KVM_GET_MSRS, &msrs)), 1);
	CHECK_EQ(MUST(ioctl(m.vcpu, KVM_SET_MSRS, &msrs)), 1);
	msrs.head.nmsrs = 0;
	CHECK_EQ(MUST(ioctl(m.vcpu, KVM_GET_MSRS, &msrs)), 0);
}

static void test_tsc(void)
{
	struct machine m = machine_make();
	u64 *seen = data_of(&m), last;
	long khz = MUST(ioctl(m.vcpu, KVM_GET_TSC_KHZ, 0)), vm_khz;
	unsigned int i;

	CHECK(khz > 0);
	MUST(ioctl(m.vcpu, KVM_SET_TSC_KHZ, khz));
	CHECK_EQ(MUST(ioctl(m.vcpu, KVM_GET_TSC_KHZ, 0)), khz);
	/* 0 means the host's frequency. */
	MUST(ioctl(m.vcpu, KVM_SET_TSC_KHZ, 0));
	CHECK_EQ(MUST(ioctl(m.vcpu, KVM_GET_TSC_KHZ, 0)), khz);
	/* Stock KVM has it without the capability. */
	vm_khz = ioctl(m.vm, KVM_GET_TSC_KHZ, 0);
	if (vm_khz >= 0)
		CHECK_EQ(vm_khz, khz);
	last = 1ULL << 50;
	msr_set(&m, MSR_TSC, last);
	for (i = 0; i < 3; i++) {
		CHECK(msr_get(&m, MSR_TSC) >= last);
		guest_call(&m, guest_rdtsc, TOOL_DATA, 0, 0);
		CHECK(*seen >= last);
		/* Within a second of what it was set to. */
		CHECK(*seen < last + (u64)khz * 100000);
		last = *seen;
	}
}

static void test_mce(void)
{
	struct machine m = machine_make();
	u64 supported, cap;

	if (!has_cap(m.kvm, KVM_CAP_MCE))
		tap_skip("no MCE");
	CHECK(has_cap(m.kvm, KVM_CAP_MCE) > 0);
	MUST(ioctl(m.kvm, KVM_X86_GET_MCE_CAP_SUPPORTED, &supported));
	cap = (supported & 1 << 8) | 10;	/* MCG_CTL_P */
	MUST(ioctl(m.vcpu, KVM_X86_SETUP_MCE, &cap));
	CHECK_EQ(msr_get(&m, MSR_MCG_CAP), cap);
	CHECK_EQ(msr_get(&m, MSR_MC0_CTL), -1);
	CHECK_EQ(msr_get(&m, MSR_MC0_CTL + 9 * 4), -1);
	msr_set(&m, MSR_MC0_CTL, 0);
	CHECK_EQ(msr_get(&m, MSR_MC0_CTL), 0);
	msr_set(&m, MSR_MC0_CTL + 1, 0x1234);	/* STATUS */
	CHECK_EQ(msr_get(&m, MSR_MC0_CTL + 1), 0x1234);
	cap = 5;				/* neither all nor none */
	CHECK(!msr_try(&m, KVM_SET_MSRS, MSR_MC0_CTL, &cap));
	cap = 0;				/* no bank */
	CHECK_ERRNO(ioctl(m.vcpu, KVM_X86_SETUP_MCE, &cap), EINVAL);
	cap = 33;				/* too many */
	CHECK_ERRNO(ioctl(m.vcpu, KVM_X86_SETUP_MCE, &cap), EINVAL);
	cap = 1ULL << 40 | 10;			/* unknown bit */
	CHECK_ERRNO(ioctl(m.vcpu, KVM_X86_SETUP_MCE, &cap), EINVAL);
}

/* ---- the paravirtual clock ---- */

struct pvclock {
	u32 version;
	u32 pad;
	u64 tsc;
	u64 system_time;
	u32 mul;
	signed char shift;
	u8 flags;
	u8 pad2[2];
};

#define PVCLOCK_GUEST_STOPPED	2

struct pvclock_wall {
	u32 version;
	u32 sec;
	u32 nsec;
};

static u64 pvclock_ns(const struct pvclock *clock, u64 tsc)
{
	u64 delta = tsc - clock->tsc;

	if (clock->shift >= 0)
		delta <<= clock->shift;
	else
		delta >>= -clock->shift;
	return clock->system_time +
		(u64)((__uint128_t)delta * clock->mul >> 32);
}

static void test_kvmclock(void)
{
	struct machine m = machine_make();
	const struct pvclock *clock = (void *)(m.tool + 0xa000);
	const struct pvclock_wall *wall = (void *)(m.tool + 0xa100);
	struct kvm_cpuid_entry2 *e;
	struct cpuid_list list;
	u64 *seen = data_of(&m), last = 0, now;
	unsigned int i;

	cpuid_get_supported(m.kvm, &list);
	e = cpuid_find(&list, 0x40000001, 0);
	if (!e || !(e->eax & 1 << 3))
		tap_skip("no kvmclock");
	guest_call(&m, guest_wrmsr, 0, MSR_WALL_CLOCK_NEW, 0xa100);
	CHECK_EQ(wall->version & 1, 0);
	CHECK(wall->version);
	guest_call(&m, guest_wrmsr, 0, MSR_SYSTEM_TIME_NEW, 0xa000 | 1);
	CHECK_EQ(msr_get(&m, MSR_SYSTEM_TIME_NEW), 0xa000 | 1);
	for (i = 0; i < 20; i++) {
		guest_call(&m, guest_rdtsc, TOOL_DATA, 0, 0);
		CHECK_EQ(clock->version & 1, 0);
		CHECK(clock->version);
		CHECK(clock->mul);
		CHECK(*seen >= clock->tsc);
		now = pvclock_ns(clock, *seen);
		CHECK(now >= last);
		/* It counts from the VM's creation. */
		CHECK(now < 600 * 1000000000ULL);
		last = now;
	}
	/* The wall clock is the time at which the other one was 0. */
	now = time(NULL) - (wall->sec + last / 1000000000);
	tap_note("%lld ns after creation, wall clock off by %lld s",
		 (long long)last, (long long)now);
	CHECK((s64)now >= -2 && (s64)now <= 2);
	/* Switched off. */
	guest_call(&m, guest_wrmsr, 0, MSR_SYSTEM_TIME_NEW, 0);
	CHECK_EQ(msr_get(&m, MSR_SYSTEM_TIME_NEW), 0);
}

/* The guest is told that it was stopped, so that it expects time to have gone. */
static void test_kvmclock_stopped(void)
{
	struct machine m = machine_make();
	struct pvclock *clock = (void *)(m.tool + 0xa000);

	if (!has_cap(m.kvm, KVM_CAP_KVMCLOCK_CTRL))
		tap_skip("no KVMCLOCK_CTRL");
	CHECK_ERRNO(ioctl(m.vcpu, KVM_KVMCLOCK_CTRL), EINVAL);
	guest_call(&m, guest_wrmsr, 0, MSR_SYSTEM_TIME_NEW, 0xa000 | 1);
	CHECK_EQ(clock->flags & PVCLOCK_GUEST_STOPPED, 0);
	MUST(ioctl(m.vcpu, KVM_KVMCLOCK_CTRL));
	guest_call(&m, guest_rdtsc, TOOL_DATA, 0, 0);
	CHECK_EQ(clock->flags & PVCLOCK_GUEST_STOPPED, PVCLOCK_GUEST_STOPPED);
	/* Until it takes note. */
	clock->flags &= ~PVCLOCK_GUEST_STOPPED;
	guest_call(&m, guest_wrmsr, 0, MSR_SYSTEM_TIME_NEW, 0xa000 | 1);
	CHECK_EQ(clock->flags & PVCLOCK_GUEST_STOPPED, 0);
}

static u64 real_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void test_vm_clock(void)
{
	struct machine m = machine_make();
	struct kvm_clock_data clock = { .flags = 0 }, later;

	if (!has_cap(m.kvm, KVM_CAP_ADJUST_CLOCK))
		tap_skip("no ADJUST_CLOCK");
	MUST(ioctl(m.vm, KVM_GET_CLOCK, &clock));
	MUST(ioctl(m.vm, KVM_GET_CLOCK, &later));
	CHECK(later.clock >= clock.clock);
	clock = (struct kvm_clock_data){ .clock = 1000000000000000 };
	MUST(ioctl(m.vm, KVM_SET_CLOCK, &clock));
	MUST(ioctl(m.vm, KVM_GET_CLOCK, &later));
	CHECK(later.clock >= clock.clock);
	CHECK(later.clock < clock.clock + 100000000000);
	clock.flags = 1U << 30;
	CHECK_ERRNO(ioctl(m.vm, KVM_SET_CLOCK, &clock), EINVAL);
	if (!(has_cap(m.kvm, KVM_CAP_ADJUST_CLOCK) & KVM_CLOCK_REALTIME))
		return;
	/* It was read 5 s ago, and goes on from there. */
	clock.flags = KVM_CLOCK_REALTIME;
	clock.realtime = real_ns() - 5000000000;
	MUST(ioctl(m.vm, KVM_SET_CLOCK, &clock));
	MUST(ioctl(m.vm, KVM_GET_CLOCK, &later));
	CHECK(later.clock >= clock.clock + 5000000000);
	CHECK(later.clock < clock.clock + 100000000000);
}

#define MSR_SPEC_CTRL		0x48
#define CPUID_SPEC_CTRL		(1U << 26)

static void check_spec_ctrl(const struct machine *m, u64 expected)
{
	u64 value = ~0ULL;

	guest_call(m, guest_rdmsr, TOOL_DATA, MSR_SPEC_CTRL, 0);
	CHECK_EQ(*(u64 *)data_of(m), expected);
	CHECK(msr_try(m, KVM_GET_MSRS, MSR_SPEC_CTRL, &value));
	CHECK_EQ(value, expected);
}

/*
 * Each vCPU has its own, whoever ran last: from the first value on that is not 0 a
 * guest may write it without an exit.
 */
static void test_spec_ctrl(void)
{
	struct machine m = machine_make(), second = machine_sibling(&m, 1);
	struct cpuid_list list;
	unsigned int n;
	u64 zero = 0;

	cpuid_get_supported(m.kvm, &list);
	if (!(cpuid_find(&list, 7, 0)->edx & CPUID_SPEC_CTRL))
		tap_skip("the CPU has no SPEC_CTRL");
	check_spec_ctrl(&m, 0);
	for (n = 0; n < 4; n++) {
		guest_call(&m, guest_wrmsr, 0, MSR_SPEC_CTRL, n % 2);
		check_spec_ctrl(&second, n > 2);
		check_spec_ctrl(&m, n % 2);
		guest_call(&second, guest_wrmsr, 0, MSR_SPEC_CTRL, n > 1);
		check_spec_ctrl(&m, n % 2);
		check_spec_ctrl(&second, n > 1);
	}
	CHECK(msr_try(&m, KVM_SET_MSRS, MSR_SPEC_CTRL, &zero));
	check_spec_ctrl(&m, 0);
	check_spec_ctrl(&second, 1);
}

static const struct tap_test tests[] = {
	{ "SPEC_CTRL", test_spec_ctrl },
	{ "each MSR of the index list", test_msr_list },
	{ "MSRs that the guest uses", test_msrs },
	{ "MSRs up to the first bad one", test_msrs_partial },
	{ "the time-stamp counter and its frequency", test_tsc },
	{ "machine check banks", test_mce },
	{ "kvmclock", test_kvmclock },
	{ "kvmclock of a guest that was stopped", test_kvmclock_stopped },
	{ "the VM's clock", test_vm_clock },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
