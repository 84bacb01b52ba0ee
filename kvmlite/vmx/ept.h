/* SPDX-License-Identifier: GPL-2.0 */
/* Extended page tables (SDM volume 3, 29.3): the format of their entries, flushing. */
#ifndef _KVMLITE_VMX_EPT_H
#define _KVMLITE_VMX_EPT_H

#include "mmu/mmu.h"

extern struct kvml_pt_format kvml_vmx_ept;

u64 kvml_vmx_eptp(struct kvml_vm *vm);
/* Forget translations of this VM on this CPU; interrupts off. */
void kvml_vmx_ept_flush(struct kvml_vcpu *vcpu);

/* When the module loads, after kvml_vmx_caps_init(). */
void kvml_vmx_ept_init(void);

#endif /* _KVMLITE_VMX_EPT_H */
