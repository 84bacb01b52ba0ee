/* SPDX-License-Identifier: GPL-2.0 */
/* Extended page tables (SDM volume 3, 29.3): the format of their entries, flushing. */
#ifndef _KVMLITE_VMX_EPT_H
#define _KVMLITE_VMX_EPT_H

#include "mmu/mmu.h"

extern struct kvml_pt_format kvml_vmx_ept;

/*
 * The CPU may speculate on what is cached at the frame in an MMIO entry (L1TF), and
 * the generation in it can be chosen by the VMM.  With the two highest bits that L1
 * compares set, it is above any memory: the kernel's own way needs memory to end at
 * half of that.  They may lie in the generation, of which they hide two bits then.
 */
static inline u64 kvml_vmx_ept_mmio_frame(bool l1tf, unsigned int cache_bits)
{
	return l1tf ? BIT_ULL(cache_bits - 1) | BIT_ULL(cache_bits - 2) : 0;
}

u64 kvml_vmx_eptp(struct kvml_vm *vm);

/* When the module loads, after kvml_vmx_caps_init(). */
void kvml_vmx_ept_init(void);

#endif /* _KVMLITE_VMX_EPT_H */
