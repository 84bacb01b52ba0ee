/* SPDX-License-Identifier: GPL-2.0 */
/* What entry.S gives. */
#ifndef _KVMLITE_VMX_ENTRY_H
#define _KVMLITE_VMX_ENTRY_H

/*
 * VMLAUNCH, or VMRESUME if @launched, with @regs[0..15] (RSP is the VMCS's) in
 * the CPU; comes back at the VM exit with the guest's in @regs.  @host_rsp is
 * what HOST_RSP holds.  @spec_ctrl: the guest's value of that MSR, from before and
 * to after; NULL: it runs with the host's.  True: the instruction failed, the guest
 * did not run.
 */
bool kvml_vmx_enter(unsigned long *regs, bool launched,
		    unsigned long *host_rsp, u32 *spec_ctrl);
/* HOST_RIP; no function. */
void kvml_vmx_exit_point(void);

#endif /* _KVMLITE_VMX_ENTRY_H */
