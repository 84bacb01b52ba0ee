// SPDX-License-Identifier: GPL-2.0
/* See cap.h. */

#include "base/quirk.h"
#include "cpuid/xstate.h"
#include "vcpu/debug.h"
#include "vcpu/pv.h"
#include "vcpu/regs.h"
#include "vm/cap.h"

/* Those that are there; SIGNAL_MSI is required by QEMU since 8.2. */
static const u16 present[] = {
	KVM_CAP_HLT, KVM_CAP_USER_MEMORY, KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
	KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, KVM_CAP_READONLY_MEM,
	KVM_CAP_SYNC_MMU, KVM_CAP_SET_TSS_ADDR, KVM_CAP_SET_IDENTITY_MAP_ADDR,
	KVM_CAP_EXT_CPUID, KVM_CAP_MP_STATE, KVM_CAP_SIGNAL_MSI,
	KVM_CAP_NOP_IO_DELAY, KVM_CAP_CLOCKSOURCE, KVM_CAP_KVMCLOCK_CTRL,
	KVM_CAP_GET_TSC_KHZ, KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_USER_NMI,
	KVM_CAP_VCPU_EVENTS, KVM_CAP_DEBUGREGS, KVM_CAP_SET_GUEST_DEBUG,
	KVM_CAP_X86_ROBUST_SINGLESTEP, KVM_CAP_XSAVE, KVM_CAP_SREGS2,
	KVM_CAP_INTERNAL_ERROR_DATA, KVM_CAP_IOEVENTFD,
	KVM_CAP_IOEVENTFD_NO_LENGTH, KVM_CAP_IOEVENTFD_ANY_LENGTH,
	KVM_CAP_GET_MSR_FEATURES, KVM_CAP_ENABLE_CAP_VM, KVM_CAP_DISABLE_QUIRKS,
	KVM_CAP_CHECK_EXTENSION_VM, KVM_CAP_BINARY_STATS_FD,
};

/* Those that have a number. */
static const struct {
	unsigned int cap;
	int value;
} capabilities[] = {
	{ KVM_CAP_NR_MEMSLOTS, KVML_MAX_SLOTS },
	{ KVM_CAP_NR_VCPUS, KVML_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPUS, KVML_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID, KVML_MAX_VCPUS },
	/* Routes can be set once there is an interrupt controller. */
	{ KVM_CAP_IRQ_ROUTING, 4096 },
	{ KVM_CAP_MCE, 32 },
	{ KVM_CAP_ADJUST_CLOCK, KVML_CLOCK_FLAGS },
	{ KVM_CAP_SET_GUEST_DEBUG2, KVML_GUESTDBG },
	{ KVM_CAP_SYNC_REGS, KVML_SYNC_REGS },
	{ KVM_CAP_DISABLE_QUIRKS2, KVML_QUIRKS },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
					     KVM_DIRTY_LOG_INITIALLY_SET },
};

int kvml_check_extension(unsigned long cap)
{
	unsigned int i;

	if (cap == KVM_CAP_XCRS)
		return boot_cpu_has(X86_FEATURE_XSAVE);
	if (cap == KVM_CAP_XSAVE2)
		return KVML_XSAVE_SIZE;
	for (i = 0; i < ARRAY_SIZE(present); i++)
		if (present[i] == cap)
			return 1;
	for (i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (capabilities[i].cap == cap)
			return capabilities[i].value;
	return 0;
}
