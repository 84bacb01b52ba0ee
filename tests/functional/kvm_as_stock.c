// SPDX-License-Identifier: GPL-2.0
/*
 * What stock KVM does and VMMs rely on, though nothing but its code says so:
 * each expectation here was seen on stock KVM (KVM_DEVICE=/dev/kvm) first.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"

/* ---- what QEMU wants ---- */

/*
 * QEMU 10 and 11 do not start without these, whatever kernel-irqchip is.
 * KVM_CAP_SIGNAL_MSI is since 8.2 among them.
 */
static void test_qemu_caps(void)
{
	static const int needed[] = {
		KVM_CAP_USER_MEMORY, KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
		KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, KVM_CAP_INTERNAL_ERROR_DATA,
		KVM_CAP_IOEVENTFD, KVM_CAP_IOEVENTFD_ANY_LENGTH,
		KVM_CAP_SET_TSS_ADDR, KVM_CAP_EXT_CPUID, KVM_CAP_MP_STATE,
		KVM_CAP_SIGNAL_MSI, KVM_CAP_IRQ_ROUTING, KVM_CAP_DEBUGREGS,
		KVM_CAP_XSAVE, KVM_CAP_VCPU_EVENTS,
		KVM_CAP_X86_ROBUST_SINGLESTEP, KVM_CAP_MCE,
		KVM_CAP_ADJUST_CLOCK, KVM_CAP_SET_IDENTITY_MAP_ADDR,
	};
	struct machine m = machine_bare();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(needed); i++)
		if (has_cap(m.kvm, needed[i]) <= 0 || has_cap(m.vm, needed[i]) <= 0)
			tap_fail("capability %d is missing", needed[i]);
	CHECK_EQ(has_cap(m.kvm, KVM_CAP_SIGNAL_MSI), 1);
}

/* The call is there, and nobody to take the message. */
static void test_signal_msi(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };
	struct machine m = machine_bare();

	CHECK_ERRNO(ioctl(m.vm, KVM_SIGNAL_MSI, &msi), EINVAL);
	msi.flags = 0x80000000;
	CHECK_ERRNO(ioctl(m.vm, KVM_SIGNAL_MSI, &msi), EINVAL);
	CHECK_ERRNO(ioctl(m.vm, KVM_SIGNAL_MSI, NULL), EFAULT);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SIGNAL_MSI, &msi), EINVAL);
	CHECK_ERRNO(ioctl(m.kvm, KVM_SIGNAL_MSI, &msi), EINVAL);
}

static const struct tap_test tests[] = {
	{ "capabilities that QEMU 10 requires", test_qemu_caps },
	{ "KVM_SIGNAL_MSI without an interrupt controller", test_signal_msi },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
