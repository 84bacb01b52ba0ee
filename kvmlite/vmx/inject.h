/* SPDX-License-Identifier: GPL-2.0 */
/* Events into the guest; as base/ops.h says, if not said otherwise. */
#ifndef _KVMLITE_VMX_INJECT_H
#define _KVMLITE_VMX_INJECT_H

#include "vmx/vmx.h"

void kvml_vmx_inject_exception(struct kvml_vcpu *vcpu,
			       const struct kvml_exception *e);
void kvml_vmx_inject_intr(struct kvml_vcpu *vcpu, u8 vector, bool soft);
void kvml_vmx_inject_nmi(struct kvml_vcpu *vcpu);
bool kvml_vmx_intr_allowed(struct kvml_vcpu *vcpu);
bool kvml_vmx_nmi_allowed(struct kvml_vcpu *vcpu);
void kvml_vmx_open_intr_window(struct kvml_vcpu *vcpu);
void kvml_vmx_open_nmi_window(struct kvml_vcpu *vcpu);
u32 kvml_vmx_get_shadow(struct kvml_vcpu *vcpu);
void kvml_vmx_set_shadow(struct kvml_vcpu *vcpu, u32 shadow);
bool kvml_vmx_get_nmi_masked(struct kvml_vcpu *vcpu);
void kvml_vmx_set_nmi_masked(struct kvml_vcpu *vcpu, bool masked);
void kvml_vmx_skip_insn(struct kvml_vcpu *vcpu);
/* What the exit interrupted: queued again. */
void kvml_vmx_requeue(struct vmx_vcpu *vmx);

#endif /* _KVMLITE_VMX_INJECT_H */
