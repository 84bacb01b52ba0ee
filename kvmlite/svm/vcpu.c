// SPDX-License-Identifier: GPL-2.0
/* Making, loading and unloading a vCPU. */

#include "base/barrier.h"
#include "svm/errata.h"
#include "svm/host.h"
#include "svm/npt.h"
#include "svm/svm.h"
#include "vcpu/pv.h"

/* Preemption off: who ran here last. */
static DEFINE_PER_CPU(struct svm_vcpu *, last_vcpu);

/* ---- the VMCB of a new vCPU ---- */

/* Beside exceptions, CR0 and CR4: state.c. */
static const u8 intercepts[] = {
	INTERCEPT_CR8_WRITE, INTERCEPT_INTR, INTERCEPT_NMI, INTERCEPT_SMI, INTERCEPT_INIT,
	INTERCEPT_SELECTIVE_CR0, INTERCEPT_RDPMC, INTERCEPT_CPUID, INTERCEPT_RSM, INTERCEPT_INVD,
	INTERCEPT_HLT, INTERCEPT_INVLPGA, INTERCEPT_IOIO_PROT, INTERCEPT_MSR_PROT,
	INTERCEPT_TASK_SWITCH, INTERCEPT_SHUTDOWN, INTERCEPT_VMRUN, INTERCEPT_VMMCALL,
	INTERCEPT_VMLOAD, INTERCEPT_VMSAVE, INTERCEPT_STGI, INTERCEPT_CLGI, INTERCEPT_SKINIT,
	INTERCEPT_WBINVD, INTERCEPT_MONITOR, INTERCEPT_MWAIT, INTERCEPT_XSETBV, INTERCEPT_RDPRU,
};

static void vmcb_init_control(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(intercepts); i++)
		vmcb_intercept(svm->vmcb, intercepts[i], true);
	control->iopm_base_pa = kvml_svm_io_map;
	control->msrpm_base_pa = kvml_svm_msr_map;
	control->int_ctl = V_INTR_MASKING_MASK;
	control->tsc_offset = svm->vcpu.tsc_offset;
	control->misc_ctl = SVM_MISC_ENABLE_NP;
	control->nested_cr3 = kvml_svm_npt_root(svm->vcpu.vm);
}

/* ---- the vCPU ---- */

struct kvml_vcpu *kvml_svm_vcpu_alloc(void)
{
	struct svm_vcpu *svm = kzalloc(sizeof(*svm), GFP_KERNEL_ACCOUNT);
	struct page *page;

	if (!svm)
		return NULL;
	page = kvml_svm_page_alloc(GFP_KERNEL_ACCOUNT);
	if (!page) {
		kfree(svm);
		return NULL;
	}
	svm->vmcb = page_address(page);
	return &svm->vcpu;
}

void kvml_svm_vcpu_init(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	vmcb_init_control(svm);
	/* What is beside kvml_vcpu_reset(). */
	svm->vmcb->save.g_pat = 0x0007040600070406ull;
	svm->vmcb->save.dr6 = DR6_RESERVED;
}

void kvml_svm_vcpu_free(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	int cpu;

	/* Another vCPU at the same address is another one. */
	for_each_possible_cpu(cpu)
		cmpxchg(&per_cpu(last_vcpu, cpu), svm, NULL);
	free_page((unsigned long)svm->vmcb);
	kfree(svm);
}

void kvml_svm_vcpu_load(struct kvml_vcpu *vcpu, int cpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (vcpu->cpu != cpu) {
		/* What this CPU remembers may be from long ago. */
		svm->asid_generation = 0;
		svm->vmcb->control.clean = 0;
		kvml_pv_cpu_changed(vcpu);
	}
	if (this_cpu_read(last_vcpu) == svm)
		return;
	this_cpu_write(last_vcpu, svm);
	if (!cpu_feature_enabled(X86_FEATURE_IBPB_ON_VMEXIT))
		kvml_branch_barrier();
}
