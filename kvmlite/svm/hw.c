// SPDX-License-Identifier: GPL-2.0
/* See hw.h. */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/percpu.h>
#include <asm/msr.h>

#include "svm/asid.h"
#include "svm/hw.h"
#include "svm/usermsr.h"

DEFINE_PER_CPU(struct kvml_svm_pages, kvml_svm_pages);

int kvml_svm_hw_enable(void)
{
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	if (efer & EFER_SVME)
		return -EBUSY;
	wrmsrl(MSR_EFER, efer | EFER_SVME);
	wrmsrl(MSR_VM_HSAVE_PA, page_to_phys(this_cpu_read(kvml_svm_pages.hsave)));
	kvml_svm_asid_init();
	kvml_svm_usermsr_read_host();
	return 0;
}

void kvml_svm_hw_disable(void)
{
	u64 efer;

	wrmsrl(MSR_VM_HSAVE_PA, 0);
	rdmsrl(MSR_EFER, efer);
	wrmsrl(MSR_EFER, efer & ~EFER_SVME);
}

void kvml_svm_hw_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct kvml_svm_pages *pages = per_cpu_ptr(&kvml_svm_pages, cpu);

		if (pages->hsave)
			__free_page(pages->hsave);
		if (pages->host)
			__free_page(pages->host);
	}
}

int __init kvml_svm_hw_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct kvml_svm_pages *pages = per_cpu_ptr(&kvml_svm_pages, cpu);

		pages->hsave = alloc_page(GFP_KERNEL | __GFP_ZERO);
		pages->host = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!pages->hsave || !pages->host) {
			kvml_svm_hw_exit();
			return -ENOMEM;
		}
	}
	return 0;
}
