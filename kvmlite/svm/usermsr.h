/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MSRs that only userspace uses, and that VMRUN, VMLOAD and VMSAVE leave alone: TSC_AUX,
 * DEBUGCTL.
 */
#ifndef _KVMLITE_SVM_USERMSR_H
#define _KVMLITE_SVM_USERMSR_H

#include "svm/svm.h"

/* The guest's, and the host's again; preemption off. */
void kvml_svm_usermsr_load(struct svm_vcpu *svm);
void kvml_svm_usermsr_restore(struct svm_vcpu *svm);
/* When AMD-V is switched on in this CPU: what to put back. */
void kvml_svm_usermsr_read_host(void);

#endif /* _KVMLITE_SVM_USERMSR_H */
