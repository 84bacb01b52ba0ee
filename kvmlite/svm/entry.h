/* SPDX-License-Identifier: GPL-2.0 */
/* What entry.S gives. */
#ifndef _KVMLITE_SVM_ENTRY_H
#define _KVMLITE_SVM_ENTRY_H

/*
 * VMRUN with @regs[0..15] in the CPU (RAX and RSP are the VMCB's); comes back
 * at the #VMEXIT with the guest's in @regs.  @guest: physical address of the
 * VMCB; @host: of the page that VMSAVE filled with the host's state.  @spec_ctrl is
 * in that MSR while the guest runs; 0: what the host has.  True: the CPU is not in SVM
 * mode any more, the guest did not run.
 */
bool kvml_svm_enter(unsigned long *regs, u64 guest, u64 host, u64 spec_ctrl);

/*
 * @spec_ctrl for a guest that has set @guest on a host with @host: bits of both are set,
 * as a CPU with V_SPEC_CTRL does it by itself.
 */
static __always_inline u64 svm_spec_ctrl(u64 guest, u64 host)
{
	return guest & ~host ? guest | host : 0;
}

#endif /* _KVMLITE_SVM_ENTRY_H */
