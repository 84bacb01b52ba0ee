// SPDX-License-Identifier: GPL-2.0
/* See host.h. */
#include <linux/io.h>

#include "svm/host.h"
#include "vcpu/load.h"

static DEFINE_PER_CPU(u64, host_tsc_aux);
u64 kvml_svm_host_xss;
DEFINE_STATIC_KEY_FALSE(kvml_svm_has_xss);

static void load_tsc_aux(u64 from, u64 to)
{
	if (boot_cpu_has(X86_FEATURE_RDTSCP) && from != to)
		wrmsrq(MSR_TSC_AUX, to);
}

/*
 * VMRUN leaves DEBUGCTL alone, and what is set there works in the guest as well: with
 * BTF its steps would be from branch to branch.  Only these tasks and CPUs have any
 * bit set.  Inline, it would cost each entry a register.
 */
static noinline void load_msrs(struct svm_vcpu *svm)
{
	if (unlikely(test_thread_flag(TIF_BLOCKSTEP) ||
		     boot_cpu_has(X86_FEATURE_BUS_LOCK_DETECT)))
		svm->debugctl = get_debugctlmsr();
	if (svm->debugctl)
		update_debugctlmsr(0);
	load_tsc_aux(this_cpu_read(host_tsc_aux), svm->tsc_aux);
}

void kvml_svm_host_read_msrs(void)
{
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		this_cpu_write(host_tsc_aux, __rdmsr(MSR_TSC_AUX));
}

u64 kvml_svm_host_save(struct svm_vcpu *svm)
{
	u64 host = page_to_phys(this_cpu_read(kvml_svm_pages.host));

	if (svm->host_saved)
		return host;
	asm volatile("1: vmsave %0\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b) :: "a"(host) : "memory");
	load_msrs(svm);
	svm->host_saved = true;
	return host;
}

void kvml_svm_vcpu_put(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (!svm->host_saved)
		return;
	svm->host_saved = false;
	kvml_load_ldt();
	if (unlikely(svm->debugctl))
		update_debugctlmsr(svm->debugctl);
	svm->debugctl = 0;
	load_tsc_aux(svm->tsc_aux, this_cpu_read(host_tsc_aux));
}
