/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's state: what VMRUN does not bring back, and TSC_AUX and DEBUGCTL, which
 * neither VMRUN nor VMLOAD and VMSAVE switch.
 */
#ifndef _KVMLITE_SVM_HOST_H
#define _KVMLITE_SVM_HOST_H

#include "svm/svm.h"

/*
 * Interrupts off, before an entry: what it changes, once while loaded.  Returns
 * where it is, for the way back after each exit; the rest is kvml_svm_vcpu_put().
 */
u64 kvml_svm_host_save(struct svm_vcpu *svm);

/* When AMD-V is switched on in this CPU: what to put back. */
void kvml_svm_host_read_msrs(void);

#endif /* _KVMLITE_SVM_HOST_H */
