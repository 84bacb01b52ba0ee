// SPDX-License-Identifier: GPL-2.0
/* See host.h. */
#include <linux/io.h>

#include "svm/host.h"
#include "svm/hw.h"
#include "svm/usermsr.h"

u64 kvml_svm_host_save(struct svm_vcpu *svm)
{
	u64 host = page_to_phys(this_cpu_read(kvml_svm_pages.host));

	if (svm->host_saved)
		return host;
	asm volatile("1: vmsave %0\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b) :: "a"(host) : "memory");
	kvml_svm_usermsr_load(svm);
	svm->host_saved = true;
	return host;
}

void kvml_svm_host_restore(struct svm_vcpu *svm)
{
	if (!svm->host_saved)
		return;
	svm->host_saved = false;
	kvml_svm_usermsr_restore(svm);
}
