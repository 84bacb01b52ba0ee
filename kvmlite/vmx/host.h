/* SPDX-License-Identifier: GPL-2.0 */
/* The host's state: what an exit loads, and what it leaves to us. */
#ifndef _KVMLITE_VMX_HOST_H
#define _KVMLITE_VMX_HOST_H

#include "vmx/vmx.h"

/* HOST_ fields that are the same on every CPU; and those that differ. */
void kvml_vmx_host_init(struct vmx_vcpu *vmx);
void kvml_vmx_host_set_cpu(int cpu);
/* Interrupts off, before an entry; the way back is kvml_vmx_vcpu_put(). */
void kvml_vmx_host_save(struct vmx_vcpu *vmx);

/* The CPU has PEBS: these are called around entries, interrupts off. */
DECLARE_STATIC_KEY_FALSE(kvml_vmx_host_pebs);
void kvml_vmx_host_pebs_off(struct vmx_vcpu *vmx);
void kvml_vmx_host_pebs_on(struct vmx_vcpu *vmx);
/* When the module loads. */
void kvml_vmx_host_perf_init(void);

#endif /* _KVMLITE_VMX_HOST_H */
