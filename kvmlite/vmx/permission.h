/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MSRs that do not exit: bitmaps (SDM volume 3, 25.6.9) of all vCPUs, and of those
 * that have once written something else than 0 to SPEC_CTRL.  They will do it often,
 * and PRED_CMD with it; for others each exit is cheaper if it need not be saved.
 */
#ifndef _KVMLITE_VMX_PERMISSION_H
#define _KVMLITE_VMX_PERMISSION_H

extern unsigned long *kvml_vmx_msr_bitmap;
extern unsigned long *kvml_vmx_msr_bitmap_spec_ctrl;

/* When the module loads (-ENOMEM), and when it goes. */
int kvml_vmx_permission_init(void);
void kvml_vmx_permission_exit(void);

#endif /* _KVMLITE_VMX_PERMISSION_H */
