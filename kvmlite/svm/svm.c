// SPDX-License-Identifier: GPL-2.0
/* EFER.SVME, and a vCPU's life on AMD-V. See svm.h. */
#include <linux/io.h>
#include <linux/slab.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/tlbflush.h>

#include "cpuid/cpuid.h"
#include "svm/asid.h"
#include "svm/caps.h"
#include "svm/npt.h"
#include "svm/permission.h"
#include "svm/svm.h"
#include "vcpu/load.h"
#include "vcpu/pv.h"
#include "vm/vm.h"

/* Pages of a CPU. */
struct cpu_pages {
	struct page *hsave;	/* the CPU's own, for VMRUN (15.30.4) */
	struct page *host;	/* a VMCB, for what VMSAVE saves of the host */
};

static DEFINE_PER_CPU(struct cpu_pages, cpu_pages);

/* Preemption off: who ran here last. */
static DEFINE_PER_CPU(struct svm_vcpu *, last_vcpu);
static DEFINE_PER_CPU(u64, host_tsc_aux);

/* ---- the CPU ---- */

static int svm_hw_enable(void)
{
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	if (efer & EFER_SVME)
		return -EBUSY;
	wrmsrl(MSR_EFER, efer | EFER_SVME);
	wrmsrl(MSR_VM_HSAVE_PA, page_to_phys(this_cpu_read(cpu_pages.hsave)));
	kvml_svm_asid_init();
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		this_cpu_write(host_tsc_aux, __rdmsr(MSR_TSC_AUX));
	return 0;
}

static void svm_hw_disable(void)
{
	u64 efer;

	wrmsrl(MSR_VM_HSAVE_PA, 0);
	rdmsrl(MSR_EFER, efer);
	wrmsrl(MSR_EFER, efer & ~EFER_SVME);
}

/* ---- the VM ---- */

/* A fifth level above the four of mmu.c, where the host has five. */
static int svm_vm_init(struct kvml_vm *vm)
{
	vm->mmu.fmt = &kvml_svm_npt;
	if (!kvml_svm_caps.la57)
		return 0;
	vm->vendor = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vm->vendor ? 0 : -ENOMEM;
}

static void svm_vm_free(struct kvml_vm *vm)
{
	free_page((unsigned long)vm->vendor);
}

static u64 nested_cr3(struct kvml_vm *vm)
{
	u64 root = virt_to_phys(vm->mmu.root), *top = vm->vendor;

	if (!top)
		return root;
	*top = root | NPT_TABLE;
	return virt_to_phys(top);
}

static void svm_flush(struct kvml_vcpu *vcpu)
{
	kvml_svm_asid_flush(to_svm(vcpu));
}

/* ---- the VMCB of a new vCPU ---- */

/* Beside exceptions, CR0 and CR4: state.c. */
static const u8 intercepts[] = {
	INTERCEPT_CR8_WRITE,
	INTERCEPT_INTR, INTERCEPT_NMI, INTERCEPT_SMI, INTERCEPT_INIT,
	INTERCEPT_SELECTIVE_CR0, INTERCEPT_RDPMC, INTERCEPT_CPUID,
	INTERCEPT_RSM, INTERCEPT_INVD, INTERCEPT_HLT, INTERCEPT_INVLPGA,
	INTERCEPT_IOIO_PROT, INTERCEPT_MSR_PROT, INTERCEPT_SHUTDOWN,
	INTERCEPT_VMRUN, INTERCEPT_VMMCALL, INTERCEPT_VMLOAD,
	INTERCEPT_VMSAVE, INTERCEPT_STGI, INTERCEPT_CLGI, INTERCEPT_SKINIT,
	INTERCEPT_WBINVD, INTERCEPT_MONITOR, INTERCEPT_MWAIT,
	INTERCEPT_XSETBV, INTERCEPT_RDPRU,
};

static void vmcb_init_control(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(intercepts); i++)
		vmcb_intercept(svm->vmcb, intercepts[i], true);
	control->intercepts[INTERCEPT_DR] = U32_MAX;
	control->iopm_base_pa = kvml_svm_io_map;
	control->msrpm_base_pa = kvml_svm_msr_map;
	control->int_ctl = V_INTR_MASKING_MASK;
	control->tsc_offset = svm->vcpu.tsc_offset;
	control->nested_ctl = SVM_NESTED_CTL_NP_ENABLE;
	control->nested_cr3 = nested_cr3(svm->vcpu.vm);
}

/* APM volume 2, table 14-1: the CPU after RESET. */
static void vmcb_init_guest(struct svm_vcpu *svm)
{
	struct kvml_vcpu *vcpu = &svm->vcpu;
	struct kvm_segment seg = { .limit = 0xffff, .type = 3, .s = 1,
				   .present = 1 };
	struct kvm_dtable table = { .limit = 0xffff };
	enum kvml_seg i;

	for (i = KVML_ES; i <= KVML_GS; i++)
		kvml_svm_set_segment(vcpu, i, &seg);
	seg.selector = 0xf000;
	seg.base = 0xffff0000;
	seg.type = 0xb;
	kvml_svm_set_segment(vcpu, KVML_CS, &seg);
	seg = (struct kvm_segment){ .limit = 0xffff, .type = 0xb,
				    .present = 1 };
	kvml_svm_set_segment(vcpu, KVML_TR, &seg);
	seg.type = 2;
	kvml_svm_set_segment(vcpu, KVML_LDTR, &seg);
	kvml_svm_set_gdt(vcpu, &table);
	kvml_svm_set_idt(vcpu, &table);
	svm->vmcb->save.g_pat = 0x0007040600070406ull;
	svm->vmcb->save.dr6 = DR6_RESERVED;
	kvml_svm_set_efer(vcpu, 0);
	kvml_svm_set_cr4(vcpu, 0);
	kvml_svm_set_cr0(vcpu, X86_CR0_NW | X86_CR0_CD | X86_CR0_ET);
	kvml_reg_set(vcpu, KVML_CR3, 0);
	kvml_reg_set(vcpu, KVML_RFLAGS, X86_EFLAGS_FIXED);
	kvml_reg_set(vcpu, KVML_RIP, 0xfff0);
	kvml_reg_set(vcpu, KVML_RSP, 0);
	kvml_svm_update_debug(vcpu);
}

/* ---- the vCPU ---- */

static struct kvml_vcpu *svm_vcpu_alloc(void)
{
	struct svm_vcpu *svm = kzalloc(sizeof(*svm), GFP_KERNEL_ACCOUNT);

	if (!svm)
		return NULL;
	svm->vmcb = (struct vmcb *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!svm->vmcb) {
		kfree(svm);
		return NULL;
	}
	return &svm->vcpu;
}

static int svm_vcpu_init(struct kvml_vcpu *vcpu)
{
	kvml_vcpu_load(vcpu);
	vmcb_init_control(to_svm(vcpu));
	vmcb_init_guest(to_svm(vcpu));
	kvml_vcpu_put(vcpu);
	return 0;
}

static void svm_vcpu_free(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	int cpu;

	/* Another vCPU at the same address is another one. */
	for_each_possible_cpu(cpu)
		cmpxchg(&per_cpu(last_vcpu, cpu), svm, NULL);
	free_page((unsigned long)svm->vmcb);
	kfree(svm);
}

/* ---- the host's state ---- */

static void load_tsc_aux(u64 from, u64 to)
{
	if (from != to)
		wrmsrl(MSR_TSC_AUX, to);
}

/*
 * Interrupts off, before an entry: what it changes, once while loaded.  Returns
 * where it is, for the way back.
 */
u64 kvml_svm_save_host(struct svm_vcpu *svm)
{
	u64 host = page_to_phys(this_cpu_read(cpu_pages.host));

	if (svm->host_saved)
		return host;
	asm volatile("1: vmsave %0\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b) :: "a"(host) : "memory");
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		load_tsc_aux(this_cpu_read(host_tsc_aux), svm->tsc_aux);
	svm->host_saved = true;
	return host;
}

/* Preemption off.  The rest is back after each exit. */
void kvml_svm_restore_host(struct svm_vcpu *svm)
{
	if (!svm->host_saved)
		return;
	svm->host_saved = false;
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		load_tsc_aux(svm->tsc_aux, this_cpu_read(host_tsc_aux));
}

static void svm_vcpu_load(struct kvml_vcpu *vcpu, int cpu)
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
	/* Branches that another guest has trained are not for this one. */
	indirect_branch_prediction_barrier();
}

static void svm_vcpu_put(struct kvml_vcpu *vcpu)
{
	kvml_svm_restore_host(to_svm(vcpu));
}

/* ---- unloading ---- */

static void cpu_pages_free(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct cpu_pages *pages = per_cpu_ptr(&cpu_pages, cpu);

		if (pages->hsave)
			__free_page(pages->hsave);
		if (pages->host)
			__free_page(pages->host);
	}
}

static void svm_unload(void)
{
	cpu_pages_free();
	kvml_svm_permission_exit();
}

static void svm_nothing(void)
{
}

/* ---- the table ---- */

const struct kvml_ops kvml_svm_ops = {
	.name = "AMD-V",
	.ucode_rev = 0x01000065,
	.osvw = kvml_svm_caps.osvw,
	.forbid_cpuid = svm_nothing,
	.debugfs = svm_nothing,
	.unload = svm_unload,
	.hw_enable = svm_hw_enable,
	.hw_disable = svm_hw_disable,
	.vm_init = svm_vm_init,
	.vm_free = svm_vm_free,
	.vcpu_alloc = svm_vcpu_alloc,
	.vcpu_init = svm_vcpu_init,
	.vcpu_free = svm_vcpu_free,
	.vcpu_load = svm_vcpu_load,
	.vcpu_put = svm_vcpu_put,
	.enter = kvml_svm_run,
	.handle_exit = kvml_svm_handle_exit,
	.reg_fetch = kvml_svm_reg_fetch,
	.regs_fetch = kvml_svm_regs_fetch,
	.set_cr0 = kvml_svm_set_cr0,
	.set_cr4 = kvml_svm_set_cr4,
	.set_efer = kvml_svm_set_efer,
	.get_segment = kvml_svm_get_segment,
	.set_segment = kvml_svm_set_segment,
	.segment_base = kvml_svm_segment_base,
	.cpl = kvml_svm_cpl,
	.code_bits = kvml_svm_code_bits,
	.code_mode = kvml_svm_code_mode,
	.get_gdt = kvml_svm_get_gdt,
	.set_gdt = kvml_svm_set_gdt,
	.get_idt = kvml_svm_get_idt,
	.set_idt = kvml_svm_set_idt,
	.update_debug = kvml_svm_update_debug,
	.update_tsc = kvml_svm_update_tsc,
	.get_msr = kvml_svm_get_msr,
	.set_msr = kvml_svm_set_msr,
	.get_feature_msr = kvml_svm_get_feature_msr,
	.inject_exception = kvml_svm_inject_exception,
	.inject_intr = kvml_svm_inject_intr,
	.inject_nmi = kvml_svm_inject_nmi,
	.intr_allowed = kvml_svm_intr_allowed,
	.nmi_allowed = kvml_svm_nmi_allowed,
	.open_intr_window = kvml_svm_open_intr_window,
	.open_nmi_window = kvml_svm_open_nmi_window,
	.get_shadow = kvml_svm_get_shadow,
	.set_shadow = kvml_svm_set_shadow,
	.get_nmi_masked = kvml_svm_get_nmi_masked,
	.set_nmi_masked = kvml_svm_set_nmi_masked,
	.skip_insn = kvml_svm_skip_insn,
	.flush_tlb = svm_flush,
	.flush_guest = svm_flush,
	.dump = kvml_svm_dump,
};

/* ---- loading ---- */

static int __init cpu_pages_alloc(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct cpu_pages *pages = per_cpu_ptr(&cpu_pages, cpu);

		pages->hsave = alloc_page(GFP_KERNEL | __GFP_ZERO);
		pages->host = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!pages->hsave || !pages->host) {
			cpu_pages_free();
			return -ENOMEM;
		}
	}
	return 0;
}

int __init kvml_svm_probe(void)
{
	int err = kvml_svm_caps_init();

	if (err)
		return err;
	kvml_svm_npt_init();
	err = kvml_svm_permission_init();
	if (err)
		return err;
	err = cpu_pages_alloc();
	if (err)
		kvml_svm_permission_exit();
	return err;
}
