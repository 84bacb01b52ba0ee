// SPDX-License-Identifier: GPL-2.0
/* See host.h. */
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/mmu_context.h>

#include "vcpu/load.h"
#include "vmx/entry.h"
#include "vmx/host.h"

/* What is the same for every exit, on every CPU. */
void kvml_vmx_host_init(struct vmx_vcpu *vmx)
{
	struct desc_ptr idt;

	store_idt(&idt);
	vmcs_write(HOST_IDTR_BASE, idt.address);
	vmcs_write(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmcs_write(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmcs_write(HOST_RIP, (unsigned long)kvml_vmx_exit_point);
	vmcs_write(HOST_IA32_SYSENTER_CS, __rdmsr(MSR_IA32_SYSENTER_CS));
	vmcs_write(HOST_IA32_SYSENTER_EIP, __rdmsr(MSR_IA32_SYSENTER_EIP));
	vmcs_write(HOST_IA32_EFER, __rdmsr(MSR_EFER));
	if (kvml_vmx_caps.exit & VM_EXIT_LOAD_IA32_PAT)
		vmcs_write(HOST_IA32_PAT, __rdmsr(MSR_IA32_CR_PAT));
}

/* HOST_ fields that differ from CPU to CPU. */
void kvml_vmx_host_set_cpu(int cpu)
{
	vmcs_write(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_write(HOST_GDTR_BASE, (unsigned long)get_cpu_gdt_ro(cpu));
	vmcs_write(HOST_GS_BASE, __rdmsr(MSR_GS_BASE));
	vmcs_write(HOST_IA32_SYSENTER_ESP, __rdmsr(MSR_IA32_SYSENTER_ESP));
}

/* Interrupts off, before an entry: what it changes, once while loaded. */
void kvml_vmx_host_save(struct vmx_vcpu *vmx)
{
	kvml_vmx_usermsr_load(vmx);
	if (vmx->host_saved)
		return;
	savesegment(fs, vmx->host_fs);
	savesegment(gs, vmx->host_gs);
	savesegment(ds, vmx->host_ds);
	savesegment(es, vmx->host_es);
	vmcs_write(HOST_FS_BASE, cpu_feature_enabled(X86_FEATURE_FSGSBASE) ?
		   rdfsbase() : __rdmsr(MSR_FS_BASE));
	vmx->host_kernel_gs_base = __rdmsr(MSR_KERNEL_GS_BASE);
	/* Not by way of paravirtual operations: there is no VMX under any. */
	native_wrmsrq(MSR_KERNEL_GS_BASE, vmx->kernel_gs_base);
	vmx->host_saved = true;
}

/* ---- perf ---- */

DEFINE_STATIC_KEY_FALSE(kvml_vmx_host_pebs);

void __init kvml_vmx_host_perf_init(void)
{
	u64 value;

	if (boot_cpu_has(X86_FEATURE_PEBS) && !rdmsrq_safe(MSR_IA32_PEBS_ENABLE, &value))
		static_branch_enable(&kvml_vmx_host_pebs);
}

/*
 * PEBS writes records to an address that is translated as the CPU's next access is:
 * in a guest, to the guest's memory (SDM volume 3, 20.6.2.4).  The counters stop as
 * well, as one that runs over would write at once when PEBS is on again.
 */
void kvml_vmx_host_pebs_off(struct vmx_vcpu *vmx)
{
	vmx->host_pebs = __rdmsr(MSR_IA32_PEBS_ENABLE);
	if (likely(!vmx->host_pebs))
		return;
	vmx->host_counters = __rdmsr(MSR_CORE_PERF_GLOBAL_CTRL);
	native_wrmsrq(MSR_CORE_PERF_GLOBAL_CTRL, vmx->host_counters & ~vmx->host_pebs);
	native_wrmsrq(MSR_IA32_PEBS_ENABLE, 0);
}

void kvml_vmx_host_pebs_on(struct vmx_vcpu *vmx)
{
	if (likely(!vmx->host_pebs))
		return;
	native_wrmsrq(MSR_IA32_PEBS_ENABLE, vmx->host_pebs);
	native_wrmsrq(MSR_CORE_PERF_GLOBAL_CTRL, vmx->host_counters);
}

/*
 * Preemption off.  An exit leaves null selectors, GDT and TSS limits that are
 * too large, and the guest's KERNEL_GS_BASE behind (SDM volume 3, 28.5.2).
 */
void kvml_vmx_vcpu_put(struct kvml_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (!vmx->host_saved)
		return;
	vmx->host_saved = false;
	vmx->kernel_gs_base = __rdmsr(MSR_KERNEL_GS_BASE);
	kvml_load_ldt();
	if (unlikely(vmx->host_gs))
		load_gs_index(vmx->host_gs);
	if (unlikely(vmx->host_fs))
		loadsegment(fs, vmx->host_fs);
	if (unlikely(vmx->host_ds | vmx->host_es)) {
		loadsegment(ds, vmx->host_ds);
		loadsegment(es, vmx->host_es);
	}
	native_wrmsrq(MSR_KERNEL_GS_BASE, vmx->host_kernel_gs_base);
	invalidate_tss_limit();
	load_fixmap_gdt(smp_processor_id());
}
