/* SPDX-License-Identifier: GPL-2.0 */
/* The guest's registers in the VMCB; as base/ops.h says, if not said otherwise. */
#ifndef _KVMLITE_SVM_STATE_H
#define _KVMLITE_SVM_STATE_H

#include "svm/svm.h"

void kvml_svm_reg_fetch(struct kvml_vcpu *vcpu, unsigned int reg);
void kvml_svm_regs_fetch(struct kvml_vcpu *vcpu);
void kvml_svm_regs_flush(struct svm_vcpu *svm);
void kvml_svm_set_cr0(struct kvml_vcpu *vcpu, unsigned long cr0);
void kvml_svm_set_fpu_trap(struct svm_vcpu *svm, bool on);
void kvml_svm_set_cr4(struct kvml_vcpu *vcpu, unsigned long cr4);
void kvml_svm_set_efer(struct kvml_vcpu *vcpu, u64 efer);
void kvml_svm_get_segment(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			  struct kvm_segment *out);
void kvml_svm_set_segment(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			  const struct kvm_segment *in);
unsigned long kvml_svm_segment_base(struct kvml_vcpu *vcpu, enum kvml_seg seg);
int kvml_svm_cpl(struct kvml_vcpu *vcpu);
int kvml_svm_code_bits(struct kvml_vcpu *vcpu);
void kvml_svm_code_mode(struct kvml_vcpu *vcpu, int *bits, int *cpl);
void kvml_svm_get_gdt(struct kvml_vcpu *vcpu, struct kvm_dtable *out);
void kvml_svm_set_gdt(struct kvml_vcpu *vcpu, const struct kvm_dtable *in);
void kvml_svm_get_idt(struct kvml_vcpu *vcpu, struct kvm_dtable *out);
void kvml_svm_set_idt(struct kvml_vcpu *vcpu, const struct kvm_dtable *in);
int kvml_svm_get_msr(struct kvml_vcpu *vcpu, u32 index, u64 *data);
int kvml_svm_set_msr(struct kvml_vcpu *vcpu, u32 index, u64 data);
int kvml_svm_get_feature_msr(u32 index, u64 *data);
void kvml_svm_update_debug(struct kvml_vcpu *vcpu);
void kvml_svm_fetch_debug(struct kvml_vcpu *vcpu);
void kvml_svm_update_tsc(struct kvml_vcpu *vcpu);
void kvml_svm_dump(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_SVM_STATE_H */
