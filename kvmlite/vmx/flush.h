/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is flushed before an entry, so that a guest finds nothing of the host's there:
 * the L1 data cache (L1TF, CVE-2018-3646), and the CPU's buffers if a device's memory
 * is mapped (MMIO stale data).  The VERW of entry.S is for MDS and the like.
 */
#ifndef _KVMLITE_VMX_FLUSH_H
#define _KVMLITE_VMX_FLUSH_H

#include "vmx/vmx.h"

enum kvml_l1d { L1D_NEVER, L1D_COND, L1D_ALWAYS };

/* On CPUs that need neither, an entry has a no-op instruction here. */
DECLARE_STATIC_KEY_FALSE(kvml_vmx_flushing);

/*
 * As KVM decides.  @bug: the CPU has L1TF; @skip: it runs under a hypervisor that
 * flushes for it (IA32_ARCH_CAPABILITIES bit 3).
 */
static inline enum kvml_l1d kvml_vmx_l1d_choose(bool bug, bool skip,
						enum l1tf_mitigations mitigation)
{
	if (!bug || skip)
		return L1D_NEVER;
	switch (mitigation) {
	case L1TF_MITIGATION_FULL:
	case L1TF_MITIGATION_FULL_FORCE:
		return L1D_ALWAYS;
	case L1TF_MITIGATION_FLUSH_NOWARN:
	case L1TF_MITIGATION_FLUSH:
	case L1TF_MITIGATION_FLUSH_NOSMT:
		return L1D_COND;
	default:
		return L1D_NEVER;
	}
}

/* @touched: the host has done more than look at the exit. */
static __always_inline bool kvml_vmx_l1d_due(enum kvml_l1d mode, bool touched)
{
	return mode == L1D_ALWAYS || (mode == L1D_COND && touched);
}

/* SMT: another guest, or the host, shares the cache while this guest runs. */
static inline bool kvml_vmx_smt_warns(bool bug, bool smt, enum l1tf_mitigations mitigation)
{
	return bug && smt && (mitigation == L1TF_MITIGATION_FLUSH ||
			      mitigation == L1TF_MITIGATION_FLUSH_NOSMT ||
			      mitigation == L1TF_MITIGATION_FULL);
}

/* Interrupts off, right before an entry. */
void kvml_vmx_flush(struct vmx_vcpu *vmx);
/* A VM comes into being: one warning if SMT makes all this incomplete. */
void kvml_vmx_flush_warn(void);

/* When the module loads and goes; -ENOMEM. */
int kvml_vmx_flush_init(void);
void kvml_vmx_flush_exit(void);

#endif /* _KVMLITE_VMX_FLUSH_H */
