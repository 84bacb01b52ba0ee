/* SPDX-License-Identifier: GPL-2.0 */
/* What some CPUs need while AMD-V is on, and what the kernel wants of all. */
#ifndef _KVMLITE_SVM_ERRATA_H
#define _KVMLITE_SVM_ERRATA_H

/* On this CPU, interrupts off, when AMD-V is switched on, and off. */
void kvml_svm_errata_enable(void);
void kvml_svm_errata_disable(void);

/*
 * Erratum 383 (K10): a guest that changes the size of a page without a flush makes two
 * entries of the TLB match, which is a machine check with this status, whatever bit 62
 * is.  Nothing is broken but that guest.
 */
static inline bool svm_is_erratum_383(u64 mc0_status)
{
	return (mc0_status & ~BIT_ULL(62)) == 0xb600000000010015ull;
}

/* Interrupts off, right after the exit: true, it was one, and the CPU is fine. */
bool kvml_svm_erratum_383(void);

/*
 * SNP hosts: the CPU locks the VMCB while it runs, and takes the lock for one of 2 MiB
 * if the page is where such a page may begin.
 */
static inline bool svm_page_is_safe(unsigned long pfn)
{
	return !IS_ALIGNED(pfn, PTRS_PER_PMD);
}

/* Zeroed, for a VMCB or a save area; may sleep.  NULL: no memory. */
struct page *kvml_svm_page_alloc(gfp_t gfp);

#endif /* _KVMLITE_SVM_ERRATA_H */
