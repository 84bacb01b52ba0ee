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

/*
 * ---- usermsr.c: MSRs that only userspace uses, of SYSCALL and RDTSCP ----
 * The guest's stay in the CPU until the task goes back to userspace.
 */
/* Of enum vmx_user_msr; -1: another MSR. */
int kvml_vmx_usermsr_number(u32 index);
/* Interrupts off, before an entry. */
void kvml_vmx_usermsr_load(struct vmx_vcpu *vmx);
/* When VT-x is switched on in this CPU: what to put back. */
void kvml_vmx_usermsr_read_host(void);
/* On this CPU, by on_each_cpu(): the host's are back. */
void kvml_vmx_usermsr_drop(void *unused);

/* The CPU has PEBS: these are called around entries, interrupts off. */
DECLARE_STATIC_KEY_FALSE(kvml_vmx_host_pebs);
void kvml_vmx_host_pebs_off(struct vmx_vcpu *vmx);
void kvml_vmx_host_pebs_on(struct vmx_vcpu *vmx);
/* When the module loads. */
void kvml_vmx_host_perf_init(void);

#endif /* _KVMLITE_VMX_HOST_H */
