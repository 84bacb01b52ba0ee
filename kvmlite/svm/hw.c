// SPDX-License-Identifier: GPL-2.0
/* EFER.SVME (APM volume 2, 15.4). */
#include <linux/io.h>

#include "svm/asid.h"
#include "svm/errata.h"
#include "svm/host.h"

DEFINE_PER_CPU(struct kvml_svm_pages, kvml_svm_pages);

int kvml_svm_hw_enable(void)
{
	const char *missing = kvml_svm_caps_missing(&kvml_svm_caps,
						    cpuid_ebx(SVM_CPUID_FUNC),
						    cpuid_edx(SVM_CPUID_FUNC));
	u64 efer;

	rdmsrq(MSR_EFER, efer);
	if (efer & EFER_SVME)
		return -EBUSY;
	if (missing) {
		pr_err("kvmlite: CPU %u lacks %s, which the first CPU has\n",
		       smp_processor_id(), missing);
		return -EIO;
	}
	/* The firmware may have switched it off in this one. */
	if (wrmsrq_safe(MSR_EFER, efer | EFER_SVME))
		return -EIO;
	wrmsrq(MSR_VM_HSAVE_PA, page_to_phys(this_cpu_read(kvml_svm_pages.hsave)));
	kvml_svm_errata_enable();
	kvml_svm_asid_init();
	kvml_svm_host_read_msrs();
	return 0;
}

void kvml_svm_hw_disable(void)
{
	u64 efer;

	kvml_svm_errata_disable();
	wrmsrq(MSR_VM_HSAVE_PA, 0);
	rdmsrq(MSR_EFER, efer);
	wrmsrq(MSR_EFER, efer & ~EFER_SVME);
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

		pages->hsave = kvml_svm_page_alloc(GFP_KERNEL);
		pages->host = kvml_svm_page_alloc(GFP_KERNEL);
		if (!pages->hsave || !pages->host)
			return -ENOMEM;
	}
	return 0;
}
