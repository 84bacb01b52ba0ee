// SPDX-License-Identifier: GPL-2.0
/* See cap.h. */
#include <linux/kvm.h>

#include "base/quirk.h"
#include "cpuid/xstate.h"
#include "vcpu/debug.h"
#include "vcpu/pv.h"
#include "vcpu/regs.h"
#include "vm/cap.h"
#include "vm/vm.h"

/* Capabilities with a value that never changes. */
static const struct {
	unsigned int cap;
	int value;
} capabilities[] = {
	{ KVM_CAP_HLT, 1 },
	{ KVM_CAP_USER_MEMORY, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_READONLY_MEM, 1 },
	{ KVM_CAP_SYNC_MMU, 1 },
	{ KVM_CAP_NR_MEMSLOTS, KVML_MAX_SLOTS },
	{ KVM_CAP_NR_VCPUS, KVML_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPUS, KVML_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID, KVML_MAX_VCPUS },
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },
	{ KVM_CAP_EXT_CPUID, 1 },
	{ KVM_CAP_MP_STATE, 1 },
	/* Routes can be set once there is an interrupt controller. */
	{ KVM_CAP_IRQ_ROUTING, 4096 },
	/* Required by QEMU since 8.2, and as above. */
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_MCE, 32 },
	{ KVM_CAP_NOP_IO_DELAY, 1 },
	{ KVM_CAP_CLOCKSOURCE, 1 },
	{ KVM_CAP_ADJUST_CLOCK, KVML_CLOCK_FLAGS },
	{ KVM_CAP_KVMCLOCK_CTRL, 1 },
	{ KVM_CAP_GET_TSC_KHZ, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_USER_NMI, 1 },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_DEBUGREGS, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG2, KVML_GUESTDBG },
	{ KVM_CAP_X86_ROBUST_SINGLESTEP, 1 },
	{ KVM_CAP_XSAVE, 1 },
	{ KVM_CAP_SREGS2, 1 },
	{ KVM_CAP_SYNC_REGS, KVML_SYNC_REGS },
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
	{ KVM_CAP_IOEVENTFD, 1 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
	{ KVM_CAP_GET_MSR_FEATURES, 1 },
	{ KVM_CAP_ENABLE_CAP_VM, 1 },
	{ KVM_CAP_DISABLE_QUIRKS, 1 },
	{ KVM_CAP_DISABLE_QUIRKS2, KVML_QUIRKS },
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
					     KVM_DIRTY_LOG_INITIALLY_SET },
	{ KVM_CAP_BINARY_STATS_FD, 1 },
};

int kvml_check_extension(unsigned long cap)
{
	unsigned int i;

	if (cap == KVM_CAP_XCRS)
		return boot_cpu_has(X86_FEATURE_XSAVE);
	if (cap == KVM_CAP_XSAVE2)
		return kvml_xsave_size();
	for (i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (capabilities[i].cap == cap)
			return capabilities[i].value;
	return 0;
}
