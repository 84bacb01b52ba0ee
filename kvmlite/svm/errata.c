// SPDX-License-Identifier: GPL-2.0
/* See errata.h. */
#include <asm/mce.h>
#include <asm/perf_event.h>

#include "svm/errata.h"

/* Of DC_CFG: two entries that match are a machine check, not chaos. */
#define DC_CFG_383	BIT_ULL(47)

static bool erratum_383;

/* Returns true if it was clear. */
static bool set_bit_of(u32 msr, u64 bit)
{
	u64 value;

	if (rdmsrq_safe(msr, &value) || value & bit)
		return false;
	return !wrmsrq_safe(msr, value | bit);
}

/* SRSO on Zen 5: branches of a guest do not train the host's (16 KiB of code more). */
static DEFINE_PER_CPU(bool, bp_spec_reduced);

static void restore_speculation(void)
{
	u64 value;

	if (!this_cpu_read(bp_spec_reduced))
		return;
	this_cpu_write(bp_spec_reduced, false);
	if (!rdmsrq_safe(MSR_ZEN4_BP_CFG, &value))
		wrmsrq_safe(MSR_ZEN4_BP_CFG, value & ~COMPAT_BP_SPEC_REDUCE);
}

void kvml_svm_errata_enable(void)
{
	/* Somebody else may have left another ratio there: 1, and no fraction. */
	if (boot_cpu_has(X86_FEATURE_TSCRATEMSR))
		wrmsr(MSR_AMD64_TSC_RATIO, 0, 1);
	if (boot_cpu_has_bug(X86_BUG_AMD_TLB_MMATCH)) {
		set_bit_of(MSR_AMD64_DC_CFG, DC_CFG_383);
		WRITE_ONCE(erratum_383, true);
	}
	if (COMPAT_BP_SPEC_REDUCE)
		this_cpu_write(bp_spec_reduced,
			       set_bit_of(MSR_ZEN4_BP_CFG, COMPAT_BP_SPEC_REDUCE));
	compat_amd_pmu_virt(true);
}

void kvml_svm_errata_disable(void)
{
	compat_amd_pmu_virt(false);
	restore_speculation();
}

/* Those CPUs have no PCID: without CR4.PGE for a moment, the TLB is empty. */
static void flush_host_tlb(void)
{
	unsigned long cr4 = __read_cr4();

	asm volatile("mov %0, %%cr4" :: "r" (cr4 & ~X86_CR4_PGE) : "memory");
	asm volatile("mov %0, %%cr4" :: "r" (cr4) : "memory");
}

bool kvml_svm_erratum_383(void)
{
	unsigned int bank;
	u64 status;

	if (likely(!READ_ONCE(erratum_383)) ||
	    rdmsrq_safe(MSR_IA32_MC0_STATUS, &status) || !svm_is_erratum_383(status))
		return false;
	for (bank = 0; bank < 6; bank++)
		wrmsrq_safe(MSR_IA32_MC0_STATUS + 4 * bank, 0);
	if (!rdmsrq_safe(MSR_IA32_MCG_STATUS, &status))
		wrmsrq_safe(MSR_IA32_MCG_STATUS, status & ~MCG_STATUS_MCIP);
	flush_host_tlb();
	return true;
}

/* Of two pages, one is not where 2 MiB begin. */
struct page *kvml_svm_page_alloc(gfp_t gfp)
{
	struct page *page;

	if (!compat_snp_host())
		return alloc_page(gfp | __GFP_ZERO);
	page = alloc_pages(gfp | __GFP_ZERO, 1);
	if (!page)
		return NULL;
	split_page(page, 1);
	if (svm_page_is_safe(page_to_pfn(page))) {
		__free_page(page + 1);
		return page;
	}
	__free_page(page);
	return page + 1;
}
