// SPDX-License-Identifier: GPL-2.0
/*
 * A guest writes its TSC again and again, which is handled with interrupts off, and
 * meanwhile another vCPU gets the first kvmclock of the VM: from then on such a write
 * takes IPIs, for which interrupts must be on.  The kernel "debug" (lockdep) says if
 * they were not.  Wants two CPUs.
 */
#define _GNU_SOURCE
#include "kvm_guest.h"

#define MSR_IA32_TSC	0x10
#define MSR_KVM_CLOCK	0x4b564d01
#define ROUNDS		60

GUEST(write_tsc, "mov $0x10, %ecx\n\t"
		 "xor %edx, %edx\n\t"
		 "1: mov $1000, %eax\n\t"
		 "wrmsr\n\t"
		 "incq (%rdi)\n\t"
		 "jmp 1b");

/* False: the clock came before the guest had written. */
static bool one_round(unsigned int delay)
{
	struct machine m = machine_make(), other = machine_sibling(&m, 1);
	volatile u64 *writes = (u64 *)(m.tool + TOOL_DATA);
	struct runner r;
	u64 before;

	guest_start(&m, guest_write_tsc, TOOL_DATA, 0, 0);
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, *writes > 100);
	before = *writes;
	while (delay--)
		__asm__ volatile("");
	vcpu_set_msr(&other, MSR_KVM_CLOCK, (TOOL_DATA + 64) | 1);
	CHECK_RUNNER_SOON(&r, *writes > before + 100);
	runner_stop(&r);
	CHECK(vcpu_msr(&m, MSR_IA32_TSC) > 0);
	close(other.vcpu);
	munmap(other.run, 3 * PAGE);
	machine_close(&m);
	munmap(m.run, 3 * PAGE);
	munmap(m.tool, TOOL_PAGES * PAGE);
	return before > 0;
}

static void test_clock(void)
{
	unsigned int n, hits = 0;

	for (n = 0; n < ROUNDS; n++)
		hits += one_round(n * 37);
	CHECK_EQ(hits, ROUNDS);
}

static const struct tap_test tests[] = {
	{ "kvmclock begins while a guest writes its TSC", test_clock },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
