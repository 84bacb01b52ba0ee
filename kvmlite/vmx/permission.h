/* SPDX-License-Identifier: GPL-2.0 */
/* MSRs that do not exit: the bitmap of all vCPUs (SDM volume 3, 25.6.9). */
#ifndef _KVMLITE_VMX_PERMISSION_H
#define _KVMLITE_VMX_PERMISSION_H

extern unsigned long *kvml_vmx_msr_bitmap;

/* When the module loads (-ENOMEM), and when it goes. */
int kvml_vmx_permission_init(void);
void kvml_vmx_permission_exit(void);

#endif /* _KVMLITE_VMX_PERMISSION_H */
