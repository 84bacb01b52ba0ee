/* SPDX-License-Identifier: GPL-2.0 */
/* What exits mean. */
#ifndef _KVMLITE_VMX_EXIT_H
#define _KVMLITE_VMX_EXIT_H

#include "vmx/vmx.h"

/*
 * #AC: the guest's, or the host's split lock detection?  Only the guest's needs
 * privilege level 3, CR0.AM and RFLAGS.AC (SDM volume 3, 6.15).
 */
static inline bool kvml_vmx_ac_is_guests(bool detection, int cpl,
					 unsigned long cr0, unsigned long rflags)
{
	return !detection || (cpl == 3 && cr0 & X86_CR0_AM && rflags & X86_EFLAGS_AC);
}

#endif /* _KVMLITE_VMX_EXIT_H */
