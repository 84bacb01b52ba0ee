/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between the supported kernels for assembly: see compat.h. */
#ifndef _COMPAT_ENTRY_H
#define _COMPAT_ENTRY_H

/* After <asm/nospec-branch.h>. Older kernels have one for all entries. */
#ifdef UNTRAIN_RET_VM
#define COMPAT_UNTRAIN_RET_VM	UNTRAIN_RET_VM
#else
.macro COMPAT_UNTRAIN_RET_VM
	UNTRAIN_RET
	ALTERNATIVE "", "call entry_ibpb", X86_FEATURE_IBPB_ON_VMEXIT
.endm
#endif

#endif /* _COMPAT_ENTRY_H */
