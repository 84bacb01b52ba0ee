/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between the supported kernels for assembly: see compat.h. */
#ifndef _COMPAT_ENTRY_H
#define _COMPAT_ENTRY_H

/* After <asm/nospec-branch.h>. Older kernels have one for all entries. */
#ifdef UNTRAIN_RET_VM
#define COMPAT_UNTRAIN_RET_VM	UNTRAIN_RET_VM
#else
#define COMPAT_UNTRAIN_RET_VM	UNTRAIN_RET
#endif

#endif /* _COMPAT_ENTRY_H */
