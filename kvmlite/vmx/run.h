/* SPDX-License-Identifier: GPL-2.0 */
/* Into the guest and back. */
#ifndef _KVMLITE_VMX_RUN_H
#define _KVMLITE_VMX_RUN_H

#include "vmx/vmx.h"

void kvml_vmx_run(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_VMX_RUN_H */
