/* SPDX-License-Identifier: GPL-2.0 */
/* Why an entry failed. */
#ifndef _KVMLITE_VMX_FAILURE_H
#define _KVMLITE_VMX_FAILURE_H

#include "vmx/vmx.h"

/* Lines in the log; fills KVM_EXIT_FAIL_ENTRY; returns 0. */
int kvml_vmx_entry_failed(struct vmx_vcpu *vmx);

#endif /* _KVMLITE_VMX_FAILURE_H */
