// SPDX-License-Identifier: GPL-2.0
/* See usermsr.h. */
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>

#include "svm/svm.h"
#include "svm/usermsr.h"

static DEFINE_PER_CPU(u64, host_tsc_aux);

static void load_tsc_aux(u64 from, u64 to)
{
	if (from != to)
		wrmsrl(MSR_TSC_AUX, to);
}

void kvml_svm_usermsr_load(struct svm_vcpu *svm)
{
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		load_tsc_aux(this_cpu_read(host_tsc_aux), svm->tsc_aux);
}

void kvml_svm_usermsr_restore(struct svm_vcpu *svm)
{
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		load_tsc_aux(svm->tsc_aux, this_cpu_read(host_tsc_aux));
}

void kvml_svm_usermsr_read_host(void)
{
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		this_cpu_write(host_tsc_aux, __rdmsr(MSR_TSC_AUX));
}
