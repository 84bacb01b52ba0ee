/* SPDX-License-Identifier: GPL-2.0 */
/* The VMCB by the kernel's names for it: see compat.h. */
#ifndef _COMPAT_VMCB_H
#define _COMPAT_VMCB_H

#include <asm/svm.h>

#ifdef SVM_NESTED_CTL_NP_ENABLE
#define misc_ctl		nested_ctl
#define SVM_MISC_ENABLE_NP	SVM_NESTED_CTL_NP_ENABLE
#endif

#endif /* _COMPAT_VMCB_H */
