/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quirks: old behaviour of KVM that is not a CPU's, and that a VMM may switch off
 * (api.rst 7.31).  LINT0_REENABLED and LAPIC_MMIO_HOLE are about a local APIC,
 * and there is none.
 */
#ifndef _KVMLITE_QUIRK_H
#define _KVMLITE_QUIRK_H

#include <linux/kvm.h>

#include "vcpu/vcpu.h"
#include "vm/vm.h"

#define KVML_QUIRKS	(KVM_X86_QUIRK_LINT0_REENABLED |		\
			 KVM_X86_QUIRK_CD_NW_CLEARED |			\
			 KVM_X86_QUIRK_LAPIC_MMIO_HOLE |		\
			 KVM_X86_QUIRK_OUT_7E_INC_RIP |			\
			 KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT |		\
			 KVM_X86_QUIRK_FIX_HYPERCALL_INSN |		\
			 KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)

static inline bool kvml_has_quirk(const struct kvml_vcpu *vcpu, u64 quirk)
{
	return !(READ_ONCE(vcpu->vm->disabled_quirks) & quirk);
}

#endif /* _KVMLITE_QUIRK_H */
