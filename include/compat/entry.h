/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between the supported kernels for assembly: see compat.h. */
#ifndef _COMPAT_ENTRY_H
#define _COMPAT_ENTRY_H

#include <asm/cpufeatures.h>

/* The name since 6.17. */
#ifndef X86_FEATURE_CLEAR_BHB_VMEXIT
#define X86_FEATURE_CLEAR_BHB_VMEXIT	X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#endif

#endif /* _COMPAT_ENTRY_H */
