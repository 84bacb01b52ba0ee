/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Nested page tables: the format of their entries (APM volume 2, 15.25), which is
 * that of the host's own.
 *
 * An MMIO entry is one that is present and has a reserved bit set: the access
 * exits with the bit RSV of the error code.  Which bits are reserved depends on
 * the CPU: those from the width of a physical address up to bit 51.  Where the
 * firmware has switched memory encryption on, the width is smaller than CPUID
 * 0x80000008 tells (the kernel's x86_phys_bits knows), and one of the bits above
 * it, the C-bit, says that the page is encrypted: it is not reserved, whether
 * Linux makes use of it or not.
 */
#ifndef _KVMLITE_SVM_NPT_H
#define _KVMLITE_SVM_NPT_H

#include "mmu/mmu.h"

#define NPT_PRESENT	BIT_ULL(0)
#define NPT_WRITE	BIT_ULL(1)
#define NPT_USER	BIT_ULL(2)	/* all accesses are (15.25.5) */
#define NPT_UNCACHED	(BIT_ULL(3) | BIT_ULL(4))
#define NPT_ACCESSED	BIT_ULL(5)
#define NPT_DIRTY	BIT_ULL(6)
#define NPT_TABLE	(NPT_PRESENT | NPT_WRITE | NPT_USER)

/* kvml_svm_npt_mmio(): there is no C-bit. */
#define NPT_NO_C_BIT	0

extern struct kvml_pt_format kvml_svm_npt;

/*
 * An MMIO entry for a CPU with physical addresses of @phys_bits and the C-bit at
 * @c_bit: bits 12 to 43 are 0, for the generation of the slots.  0: no bit above
 * these is reserved, and there are no MMIO entries.
 */
u64 kvml_svm_npt_mmio(unsigned int phys_bits, unsigned int c_bit);

/*
 * The nested CR3 of the VM: the host's depth is the guest's (15.25.3), so there is a
 * fifth level above the four of common code where the host has five.
 */
u64 kvml_svm_npt_root(struct kvml_vm *vm);

/* When the module loads. */
void kvml_svm_npt_init(void);

#endif /* _KVMLITE_SVM_NPT_H */
