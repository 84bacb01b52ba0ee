/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MSRs that only userspace uses, of SYSCALL and RDTSCP: the guest's stay in the CPU
 * until the task goes back to userspace.
 */
#ifndef _KVMLITE_VMX_USERMSR_H
#define _KVMLITE_VMX_USERMSR_H

#include "vmx/vmx.h"

/* Of enum vmx_user_msr; -1: another MSR. */
int kvml_vmx_usermsr_number(u32 index);
/* Interrupts off, before an entry. */
void kvml_vmx_usermsr_load(struct vmx_vcpu *vmx);
/* When VT-x is switched on in this CPU: what to put back. */
void kvml_vmx_usermsr_read_host(void);
/* On this CPU, by on_each_cpu(): the host's are back. */
void kvml_vmx_usermsr_drop(void *unused);

#endif /* _KVMLITE_VMX_USERMSR_H */
