/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address space identifiers: tags of translations in the TLB (APM volume 2,
 * 15.16).  Each CPU hands its own out in order; when they are used up it
 * forgets all translations and begins a new generation.  A vCPU keeps its ASID
 * while it stays on the CPU and the generation lasts.
 *
 * Translations are those of the guest's and the nested tables together: to
 * forget either, a vCPU flushes its ASID, or takes a new one.
 *
 * The CPU flushes when VMRUN enters the guest.  A VMRUN that fails its checks
 * may not have got as far, so what was to be flushed still is: in the VMCB for
 * the vCPU's own ASID, in the CPU's "flush_owed" for a new generation.
 */
#ifndef _KVMLITE_SVM_ASID_H
#define _KVMLITE_SVM_ASID_H

#include "svm/svm.h"

/* This CPU begins; interrupts off. */
void kvml_svm_asid_init(void);
/* Before an entry, interrupts off: the VMCB gets an ASID that is valid here. */
void kvml_svm_asid_prepare(struct svm_vcpu *svm);
/* VMRUN has entered the guest: what the VMCB asked to be flushed is. */
void kvml_svm_asid_entered(struct svm_vcpu *svm);
/* The vCPU's translations on this CPU are not to be used any more. */
void kvml_svm_asid_flush(struct svm_vcpu *svm);

#endif /* _KVMLITE_SVM_ASID_H */
