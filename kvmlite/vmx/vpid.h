/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual-processor identifiers: tags of the TLB (SDM volume 3, 29.1).  A vCPU has
 * one as long as it lives, the same on all CPUs.
 *
 * There are 65,535 for all VMs of all users.  A vCPU for which none is left runs
 * without: entries and exits forget its translations then (29.4.3.1).
 */
#ifndef _KVMLITE_VMX_VPID_H
#define _KVMLITE_VMX_VPID_H

#include "vmx/vmx.h"

/* 0: all are taken, or no memory. */
u16 kvml_vmx_vpid_alloc(void);
void kvml_vmx_vpid_free(u16 vpid);

#endif /* _KVMLITE_VMX_VPID_H */
