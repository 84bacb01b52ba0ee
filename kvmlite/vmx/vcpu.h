/* SPDX-License-Identifier: GPL-2.0 */
/* Making, loading and unloading a vCPU; as base/ops.h says. */
#ifndef _KVMLITE_VMX_VCPU_H
#define _KVMLITE_VMX_VCPU_H

#include "vmx/vmx.h"

struct kvml_vcpu *kvml_vmx_vcpu_alloc(void);
void kvml_vmx_vcpu_init(struct kvml_vcpu *vcpu);
void kvml_vmx_vcpu_free(struct kvml_vcpu *vcpu);
void kvml_vmx_vcpu_load(struct kvml_vcpu *vcpu, int cpu);

#endif /* _KVMLITE_VMX_VCPU_H */
