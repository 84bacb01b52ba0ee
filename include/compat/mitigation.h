/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel decided about weaknesses of CPUs: see compat.h.  Since 6.19
 * some of it is for the kernel's own KVM alone; then the answer is the cautious one.
 */
#ifndef _COMPAT_MITIGATION_H
#define _COMPAT_MITIGATION_H

#include <linux/cpu.h>
#include <linux/jump_label.h>
#include <linux/version.h>
#include <asm/cpu.h>
#include <asm/nospec-branch.h>
#include <asm/processor.h>

#if KERNEL_VERSION(6, 19, 0) > LINUX_VERSION_CODE
/* A split lock of the guest: true, it may go on; false, SIGBUS is on its way. */
static inline bool compat_guest_split_lock(unsigned long rip)
{
	return handle_guest_split_lock(rip);
}

/* By l1tf= and mitigations=. */
static inline enum l1tf_mitigations compat_l1tf_mitigation(void)
{
	return l1tf_mitigation;
}

/* MMIO stale data, and CPU buffers are not cleared at each entry anyway. */
static inline bool compat_clear_for_devices(void)
{
	return static_key_enabled(&mmio_stale_data_clear);
}
#else
static inline bool compat_guest_split_lock(unsigned long rip)
{
	return false;
}

static inline enum l1tf_mitigations compat_l1tf_mitigation(void)
{
	return cpu_mitigations_off() ? L1TF_MITIGATION_OFF :
				       L1TF_MITIGATION_FLUSH;
}

static inline bool compat_clear_for_devices(void)
{
	return boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF_VM_MMIO);
}
#endif

/* An IBPB where a CPU goes from one guest to another. */
static inline bool compat_branch_barrier(void)
{
#ifdef X86_FEATURE_USE_IBPB
	return cpu_feature_enabled(X86_FEATURE_USE_IBPB);
#else
	return cpu_feature_enabled(X86_FEATURE_IBPB) && !cpu_mitigations_off();
#endif
}

#endif /* _COMPAT_MITIGATION_H */
