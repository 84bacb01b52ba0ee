/* SPDX-License-Identifier: GPL-2.0 */
/* VMXON and VMXOFF (SDM volume 3, 24.7). */
#ifndef _KVMLITE_VMX_HW_H
#define _KVMLITE_VMX_HW_H

/* In a crash: base/ops.h. */
void kvml_vmx_hw_emergency(void);

/* When the module loads (-ENOMEM), and when it goes. */
int kvml_vmx_hw_init(void);
void kvml_vmx_hw_exit(void);

#endif /* _KVMLITE_VMX_HW_H */
