// SPDX-License-Identifier: GPL-2.0
/* See usermsr.h. */

#include "svm/usermsr.h"

static DEFINE_PER_CPU(u64, host_tsc_aux);

static void load_tsc_aux(u64 from, u64 to)
{
	if (from != to)
		wrmsrl(MSR_TSC_AUX, to);
}

/*
 * VMRUN leaves DEBUGCTL alone, and what is set there works in the guest as well: with
 * BTF its steps would be from branch to branch.  Only these tasks and CPUs have any
 * bit set.
 */
static void take_debugctl(struct svm_vcpu *svm)
{
	if (likely(!test_thread_flag(TIF_BLOCKSTEP) &&
		   !boot_cpu_has(X86_FEATURE_BUS_LOCK_DETECT)))
		return;
	svm->debugctl = get_debugctlmsr();
	if (svm->debugctl)
		update_debugctlmsr(0);
}

static void return_debugctl(struct svm_vcpu *svm)
{
	if (unlikely(svm->debugctl))
		update_debugctlmsr(svm->debugctl);
	svm->debugctl = 0;
}

void kvml_svm_usermsr_load(struct svm_vcpu *svm)
{
	take_debugctl(svm);
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		load_tsc_aux(this_cpu_read(host_tsc_aux), svm->tsc_aux);
}

void kvml_svm_usermsr_restore(struct svm_vcpu *svm)
{
	return_debugctl(svm);
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		load_tsc_aux(svm->tsc_aux, this_cpu_read(host_tsc_aux));
}

void kvml_svm_usermsr_read_host(void)
{
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		this_cpu_write(host_tsc_aux, __rdmsr(MSR_TSC_AUX));
}
