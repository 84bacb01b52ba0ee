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
 * where it is, for the way back.
 */
u64 kvml_svm_host_save(struct svm_vcpu *svm);
/* Preemption off.  The rest is back after each exit. */
void kvml_svm_host_restore(struct kvml_vcpu *vcpu);

/* When AMD-V is switched on in this CPU: what to put back. */
void kvml_svm_host_read_msrs(void);

#endif /* _KVMLITE_SVM_HOST_H */
