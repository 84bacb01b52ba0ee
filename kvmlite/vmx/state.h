/* SPDX-License-Identifier: GPL-2.0 */
/* The guest's registers in the VMCS; as base/ops.h says, if not said otherwise. */
#ifndef _KVMLITE_VMX_STATE_H
#define _KVMLITE_VMX_STATE_H

#include "vmx/vmx.h"

/* A bit of the primary processor-based controls. */
void kvml_vmx_set_cpu_control(struct vmx_vcpu *vmx, u32 bit, bool on);
void kvml_vmx_reg_fetch(struct kvml_vcpu *vcpu, unsigned int reg);
void kvml_vmx_regs_fetch(struct kvml_vcpu *vcpu);
void kvml_vmx_regs_flush(struct vmx_vcpu *vmx);
void kvml_vmx_set_cr0(struct kvml_vcpu *vcpu, unsigned long cr0);
void kvml_vmx_set_fpu_trap(struct vmx_vcpu *vmx, bool on);
void kvml_vmx_set_cr4(struct kvml_vcpu *vcpu, unsigned long cr4);
void kvml_vmx_set_pdptes(struct kvml_vcpu *vcpu, const u64 *pdptes);
void kvml_vmx_set_efer(struct kvml_vcpu *vcpu, u64 efer);
void kvml_vmx_get_segment(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			  struct kvm_segment *out);
void kvml_vmx_set_segment(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			  const struct kvm_segment *in);
unsigned long kvml_vmx_segment_base(struct kvml_vcpu *vcpu, enum kvml_seg seg);
int kvml_vmx_cpl(struct kvml_vcpu *vcpu);
int kvml_vmx_code_bits(struct kvml_vcpu *vcpu);
void kvml_vmx_code_mode(struct kvml_vcpu *vcpu, int *bits, int *cpl);
void kvml_vmx_get_gdt(struct kvml_vcpu *vcpu, struct kvm_dtable *out);
void kvml_vmx_set_gdt(struct kvml_vcpu *vcpu, const struct kvm_dtable *in);
void kvml_vmx_get_idt(struct kvml_vcpu *vcpu, struct kvm_dtable *out);
void kvml_vmx_set_idt(struct kvml_vcpu *vcpu, const struct kvm_dtable *in);
int kvml_vmx_get_msr(struct kvml_vcpu *vcpu, u32 index, u64 *data);
int kvml_vmx_set_msr(struct kvml_vcpu *vcpu, u32 index, u64 data);
void kvml_vmx_update_debug(struct kvml_vcpu *vcpu);
void kvml_vmx_fetch_debug(struct kvml_vcpu *vcpu);
void kvml_vmx_update_tsc(struct kvml_vcpu *vcpu);
void kvml_vmx_dump(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_VMX_STATE_H */
