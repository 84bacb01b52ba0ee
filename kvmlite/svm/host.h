/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's state: what VMRUN does not bring back, and TSC_AUX and DEBUGCTL, which
 * neither VMRUN nor VMLOAD and VMSAVE switch.
 */
#ifndef _KVMLITE_SVM_HOST_H
#define _KVMLITE_SVM_HOST_H

#include "svm/svm.h"

/* Pages of a CPU: hw.c. */
struct kvml_svm_pages {
	struct page *hsave;	/* the CPU's own, for VMRUN (15.30.4) */
	struct page *host;	/* a VMCB, for what VMSAVE saves of the host */
};

DECLARE_PER_CPU(struct kvml_svm_pages, kvml_svm_pages);

/* When the module loads (-ENOMEM), and when it goes. */
int kvml_svm_hw_init(void);
void kvml_svm_hw_exit(void);

/*
 * Interrupts off, before an entry: what it changes, once while loaded.  Returns
 * where it is, for the way back after each exit; the rest is kvml_svm_vcpu_put().
 */
u64 kvml_svm_host_save(struct svm_vcpu *svm);

/* Of all CPUs.  No control forbids XSAVES to a guest: it finds that this is 0. */
extern u64 kvml_svm_host_xss;
DECLARE_STATIC_KEY_FALSE(kvml_svm_has_xss);

static inline void kvml_svm_set_xss(u64 xss)
{
	if (static_branch_unlikely(&kvml_svm_has_xss))
		wrmsrq(MSR_IA32_XSS, xss);
}

/* When AMD-V is switched on in this CPU: what to put back. */
void kvml_svm_host_read_msrs(void);

#endif /* _KVMLITE_SVM_HOST_H */
