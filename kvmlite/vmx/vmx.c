// SPDX-License-Identifier: GPL-2.0
/* VMXON, and a vCPU's life on VT-x. See vmx.h. */
#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/slab.h>
#include <asm/cpu_entry_area.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/io.h>
#include <asm/mmu_context.h>
#include <asm/msr.h>
#include <asm/tlbflush.h>

#include "cpuid/cpuid.h"
#include "vcpu/load.h"
#include "vcpu/msr.h"
#include "vcpu/pv.h"
#include "vm/vm.h"
#include "vmx/caps.h"
#include "vmx/count.h"
#include "vmx/entry.h"
#include "vmx/vmx.h"
#include "vmx/vpid.h"

/* MSRs whose values a guest may read and write without an exit. */
static unsigned long *msr_bitmap;

static const u32 passthrough_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

/* Memory of VMXON (SDM volume 3, 25.11.5), one a CPU. */
static DEFINE_PER_CPU(void *, vmxon_region);

/* ---- MSRs that only userspace uses ---- */

/*
 * The guest's MSRs of SYSCALL and RDTSCP stay in the CPU until the task goes
 * back to userspace: the kernel does not use them.
 */
struct user_msrs {
	struct user_return_notifier notifier;
	bool registered;
	struct vmx_vcpu *owner;		/* whose are in the CPU, or NULL */
	u64 host[VMX_USER_MSRS];
	u64 now[VMX_USER_MSRS];
};

static DEFINE_PER_CPU(struct user_msrs, user_msrs);

static const u32 user_msr_index[VMX_USER_MSRS] = {
	[VMX_STAR] = MSR_STAR,
	[VMX_LSTAR] = MSR_LSTAR,
	[VMX_FMASK] = MSR_SYSCALL_MASK,
	[VMX_TSC_AUX] = MSR_TSC_AUX,
};

/* Interrupts on or off: a CPU going down restores them as well. */
static void user_msrs_restore(struct user_return_notifier *notifier)
{
	struct user_msrs *m = container_of(notifier, struct user_msrs, notifier);
	unsigned long flags;
	unsigned int i;

	local_irq_save(flags);
	if (m->registered) {
		m->registered = false;
		user_return_notifier_unregister(notifier);
	}
	m->owner = NULL;
	local_irq_restore(flags);
	for (i = 0; i < VMX_USER_MSRS; i++) {
		if (m->now[i] == m->host[i])
			continue;
		wrmsrl(user_msr_index[i], m->host[i]);
		m->now[i] = m->host[i];
	}
}

static void user_msr_load(struct user_msrs *m, unsigned int i, u64 value)
{
	if (m->now[i] == value)
		return;
	wrmsrl(user_msr_index[i], value);
	m->now[i] = value;
	if (m->registered)
		return;
	m->notifier.on_user_return = user_msrs_restore;
	user_return_notifier_register(&m->notifier);
	m->registered = true;
}

/* Interrupts off.  A guest that has not switched SYSCALL on uses none. */
static void user_msrs_load(struct vmx_vcpu *vmx)
{
	struct user_msrs *m = this_cpu_ptr(&user_msrs);
	unsigned int i;

	m->owner = vmx;
	vmx->user_msrs_cpu = smp_processor_id();
	if (vmx->vcpu.efer & EFER_SCE)
		for (i = VMX_STAR; i <= VMX_FMASK; i++)
			user_msr_load(m, i, vmx->user_msr[i]);
	if (kvml_vmx_caps.cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP)
		user_msr_load(m, VMX_TSC_AUX, vmx->user_msr[VMX_TSC_AUX]);
}

static void user_msrs_read_host(void)
{
	struct user_msrs *m = this_cpu_ptr(&user_msrs);
	unsigned int i;

	if (m->registered)
		return;
	for (i = 0; i < VMX_USER_MSRS; i++) {
		if (i == VMX_TSC_AUX && !boot_cpu_has(X86_FEATURE_RDTSCP))
			continue;
		rdmsrl(user_msr_index[i], m->host[i]);
		m->now[i] = m->host[i];
	}
}

/* ---- the CPU ---- */

static bool vmx_hw_in_use(void)
{
	return __read_cr4() & X86_CR4_VMXE;
}

static int vmx_hw_enable(void)
{
	void *region = this_cpu_read(vmxon_region);

	if (vmx_hw_in_use())
		return -EBUSY;
	user_msrs_read_host();
	cr4_set_bits_irqsoff(X86_CR4_VMXE);
	if (vmx_on(virt_to_phys(region))) {
		cr4_clear_bits_irqsoff(X86_CR4_VMXE);
		return -EIO;
	}
	vmx_invept(INVEPT_ALL, 0);
	return 0;
}

static void vmx_hw_disable(void)
{
	kvml_vmcs_clear_all();
	vmx_off();
	cr4_clear_bits_irqsoff(X86_CR4_VMXE);
}

/* ---- the VM ---- */

static const struct kvml_pt_format ept_format = {
	.table = VMX_EPT_RWX_MASK,
	.leaf = VMX_EPT_READABLE_MASK | VMX_EPT_EXECUTABLE_MASK,
	.write = VMX_EPT_WRITABLE_MASK,
	.accessed = VMX_EPT_ACCESS_BIT,
	.dirty = VMX_EPT_DIRTY_BIT,
	.memtype_wb = VMX_EPTP_MT_WB << VMX_EPT_MT_EPTE_SHIFT |
		      VMX_EPT_IPAT_BIT,
	.memtype_uc = VMX_EPTP_MT_UC << VMX_EPT_MT_EPTE_SHIFT,
	.present = VMX_EPT_RWX_MASK,
	.mmio = VMX_EPT_MISCONFIG_WX_VALUE,
	.huge = true,
};

static struct kvml_pt_format ept_formats;

static int vmx_vm_init(struct kvml_vm *vm)
{
	vm->mmu.fmt = &ept_formats;
	return 0;
}

static void vmx_vm_free(struct kvml_vm *vm)
{
}

u64 kvml_vmx_eptp(struct kvml_vm *vm)
{
	return virt_to_phys(vm->mmu.root) | kvml_vmx_caps.eptp_bits;
}

static void vmx_flush_tlb(struct kvml_vcpu *vcpu)
{
	if (kvml_vmx_caps.invept_context)
		vmx_invept(INVEPT_CONTEXT, kvml_vmx_eptp(vcpu->vm));
	else
		vmx_invept(INVEPT_ALL, 0);
}

/*
 * What the CPU remembers of other vCPUs stays, if it can name one.  Without a
 * VPID the entry forgets.
 */
static void vmx_flush_guest(struct kvml_vcpu *vcpu)
{
	u16 vpid = to_vmx(vcpu)->vpid;

	if (!vpid)
		return;
	if (kvml_vmx_caps.invvpid_context)
		vmx_invvpid(INVVPID_CONTEXT, vpid);
	else
		vmx_flush_tlb(vcpu);
}

/* ---- the VMCS of a new vCPU ---- */

void kvml_vmx_set_cpu_control(struct vmx_vcpu *vmx, u32 bit, bool on)
{
	u32 controls = on ? vmx->cpu_controls | bit : vmx->cpu_controls & ~bit;

	if (controls == vmx->cpu_controls)
		return;
	vmx->cpu_controls = controls;
	vmcs_write(CPU_BASED_VM_EXEC_CONTROL, controls);
}

static void vmcs_init_controls(struct vmx_vcpu *vmx)
{
	const struct kvml_vmx_caps *caps = &kvml_vmx_caps;

	vmx->cpu_controls = caps->cpu;
	vmcs_write(PIN_BASED_VM_EXEC_CONTROL, caps->pin);
	vmcs_write(CPU_BASED_VM_EXEC_CONTROL, caps->cpu);
	/* With this control a VPID of 0 is not entered (27.2.1.1). */
	vmcs_write(SECONDARY_VM_EXEC_CONTROL,
		   vmx->vpid ? caps->cpu2 :
			       caps->cpu2 & ~SECONDARY_EXEC_ENABLE_VPID);
	vmcs_write(VM_EXIT_CONTROLS, caps->exit);
	vmcs_write(VM_ENTRY_CONTROLS, caps->entry);
	vmcs_write(VM_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmcs_write(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write(CR3_TARGET_COUNT, 0);
	vmcs_write(MSR_BITMAP, virt_to_phys(msr_bitmap));
	vmcs_write(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	vmcs_write(VMCS_LINK_POINTER, ~0ull);
	vmcs_write(TSC_OFFSET, vmx->vcpu.tsc_offset);
	if (caps->pin & PIN_BASED_VMX_PREEMPTION_TIMER)
		vmcs_write(VMX_PREEMPTION_TIMER_VALUE, caps->preemption_timer);
	vmcs_write(CR0_GUEST_HOST_MASK, ~VMX_CR0_GUEST_OWNED);
	vmcs_write(CR4_GUEST_HOST_MASK, ~VMX_CR4_GUEST_OWNED);
	vmcs_write(EPT_POINTER, kvml_vmx_eptp(vmx->vcpu.vm));
}

/* What is the same for every exit, on every CPU. */
static void vmcs_init_host(struct vmx_vcpu *vmx)
{
	struct desc_ptr idt;
	u64 value;

	store_idt(&idt);
	vmcs_write(HOST_IDTR_BASE, idt.address);
	vmcs_write(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmcs_write(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write(HOST_DS_SELECTOR, 0);
	vmcs_write(HOST_ES_SELECTOR, 0);
	vmcs_write(HOST_FS_SELECTOR, 0);
	vmcs_write(HOST_GS_SELECTOR, 0);
	vmcs_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmcs_write(HOST_RIP, (unsigned long)kvml_vmx_exit_point);
	rdmsrl(MSR_IA32_SYSENTER_CS, value);
	vmcs_write(HOST_IA32_SYSENTER_CS, value);
	rdmsrl(MSR_IA32_SYSENTER_EIP, value);
	vmcs_write(HOST_IA32_SYSENTER_EIP, value);
	rdmsrl(MSR_EFER, value);
	vmcs_write(HOST_IA32_EFER, value);
	if (kvml_vmx_caps.exit & VM_EXIT_LOAD_IA32_PAT) {
		rdmsrl(MSR_IA32_CR_PAT, value);
		vmcs_write(HOST_IA32_PAT, value);
	}
}

/* SDM volume 3, table 10-1: the CPU after RESET. */
static void vmcs_init_guest(struct vmx_vcpu *vmx)
{
	struct kvml_vcpu *vcpu = &vmx->vcpu;
	struct kvm_segment seg = { .limit = 0xffff, .type = 3, .s = 1,
				   .present = 1 };
	struct kvm_dtable table = { .limit = 0xffff };
	enum kvml_seg i;

	for (i = KVML_ES; i <= KVML_GS; i++)
		kvml_vmx_set_segment(vcpu, i, &seg);
	seg.selector = 0xf000;
	seg.base = 0xffff0000;
	seg.type = 0xb;
	kvml_vmx_set_segment(vcpu, KVML_CS, &seg);
	seg = (struct kvm_segment){ .limit = 0xffff, .type = 0xb,
				    .present = 1 };
	kvml_vmx_set_segment(vcpu, KVML_TR, &seg);
	seg.type = 2;
	kvml_vmx_set_segment(vcpu, KVML_LDTR, &seg);
	kvml_vmx_set_gdt(vcpu, &table);
	kvml_vmx_set_idt(vcpu, &table);
	vmcs_write(GUEST_SYSENTER_CS, 0);
	vmcs_write(GUEST_SYSENTER_ESP, 0);
	vmcs_write(GUEST_SYSENTER_EIP, 0);
	vmcs_write(GUEST_IA32_DEBUGCTL, 0);
	vmcs_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmcs_write(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	if (kvml_vmx_caps.entry & VM_ENTRY_LOAD_IA32_PAT)
		vmcs_write(GUEST_IA32_PAT, 0x0007040600070406ull);
	kvml_vmx_set_efer(vcpu, 0);
	kvml_vmx_set_cr4(vcpu, 0);
	kvml_vmx_set_cr0(vcpu, X86_CR0_NW | X86_CR0_CD | X86_CR0_ET);
	kvml_reg_set(vcpu, KVML_CR3, 0);
	kvml_reg_set(vcpu, KVML_RFLAGS, X86_EFLAGS_FIXED);
	kvml_reg_set(vcpu, KVML_RIP, 0xfff0);
	kvml_reg_set(vcpu, KVML_RSP, 0);
	kvml_vmx_update_debug(vcpu);
}

/* ---- the vCPU ---- */

static struct kvml_vcpu *vmx_vcpu_alloc(void)
{
	struct vmx_vcpu *vmx = kzalloc(sizeof(*vmx), GFP_KERNEL_ACCOUNT);

	if (!vmx)
		return NULL;
	if (kvml_vmcs_alloc(&vmx->vmcs, kvml_vmx_caps.revision)) {
		kfree(vmx);
		return NULL;
	}
	return &vmx->vcpu;
}

static int vmx_vcpu_init(struct kvml_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx->vpid = kvml_vmx_vpid_alloc();
	kvml_vcpu_load(vcpu);
	vmcs_init_controls(vmx);
	vmcs_init_host(vmx);
	vmcs_init_guest(vmx);
	kvml_vcpu_put(vcpu);
	return 0;
}

static void vmx_vcpu_free(struct kvml_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	preempt_disable();
	kvml_vmcs_clear(&vmx->vmcs);
	preempt_enable();
	kvml_vmx_vpid_free(vmx->vpid);
	kvml_vmcs_free(&vmx->vmcs);
	kfree(vmx);
}

/* ---- the host's state ---- */

/* Interrupts off, before an entry: what it changes, once while loaded. */
void kvml_vmx_save_host(struct vmx_vcpu *vmx)
{
	if (this_cpu_read(user_msrs.owner) != vmx ||
	    vmx->user_msrs_cpu != smp_processor_id())
		user_msrs_load(vmx);
	if (vmx->host_saved)
		return;
	current_save_fsgs();
	vmx->host_fs = current->thread.fsindex;
	vmx->host_gs = current->thread.gsindex;
	savesegment(ds, vmx->host_ds);
	savesegment(es, vmx->host_es);
	asm("sldt %0" : "=m"(vmx->host_ldt));
	vmcs_write(HOST_FS_BASE, current->thread.fsbase);
	/* Not by way of paravirtual operations: there is no VMX under any. */
	native_wrmsrl(MSR_KERNEL_GS_BASE, vmx->kernel_gs_base);
	vmx->host_debugctl = __rdmsr(MSR_IA32_DEBUGCTLMSR);
	vmx->host_saved = true;
}

/*
 * Preemption off.  An exit leaves null selectors, GDT and TSS limits that are
 * too large, and the guest's KERNEL_GS_BASE behind (SDM volume 3, 28.5.2).
 */
void kvml_vmx_restore_host(struct vmx_vcpu *vmx)
{
	if (!vmx->host_saved)
		return;
	vmx->host_saved = false;
	vmx->kernel_gs_base = __rdmsr(MSR_KERNEL_GS_BASE);
	if (unlikely(vmx->host_ldt))
		asm volatile("lldt %0" :: "m"(vmx->host_ldt));
	if (unlikely(vmx->host_gs))
		load_gs_index(vmx->host_gs);
	if (unlikely(vmx->host_fs))
		loadsegment(fs, vmx->host_fs);
	if (unlikely(vmx->host_ds | vmx->host_es)) {
		loadsegment(ds, vmx->host_ds);
		loadsegment(es, vmx->host_es);
	}
	native_wrmsrl(MSR_KERNEL_GS_BASE, current->thread.gsbase);
	invalidate_tss_limit();
	load_fixmap_gdt(smp_processor_id());
}

/* HOST_ fields that differ from CPU to CPU. */
static void vmcs_set_host_cpu(int cpu)
{
	u64 value;

	vmcs_write(HOST_TR_BASE,
		   (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_write(HOST_GDTR_BASE, (unsigned long)get_cpu_gdt_ro(cpu));
	rdmsrl(MSR_GS_BASE, value);
	vmcs_write(HOST_GS_BASE, value);
	rdmsrl(MSR_IA32_SYSENTER_ESP, value);
	vmcs_write(HOST_IA32_SYSENTER_ESP, value);
}

static void vmx_vcpu_load(struct kvml_vcpu *vcpu, int cpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx->flush_l1d = true;
	if (kvml_vmcs_load(&vmx->vmcs)) {
		vmcs_set_host_cpu(cpu);
		vmx->host_cr3 = 0;
		vmx->host_cr4 = 0;
		kvml_pv_cpu_changed(vcpu);
		/* What this CPU remembers may be from long ago. */
		kvml_vcpu_request(vcpu, KVML_REQ_FLUSH_TLB);
	}
}

static void vmx_vcpu_put(struct kvml_vcpu *vcpu)
{
	kvml_vmx_restore_host(to_vmx(vcpu));
}

/* Instructions that fault in a guest without their control. */
static void vmx_forbid_cpuid(void)
{
	if (!(kvml_vmx_caps.cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP)) {
		kvml_cpuid_forbid(X86_FEATURE_RDTSCP);
		kvml_cpuid_forbid(X86_FEATURE_RDPID);
	}
	if (!(kvml_vmx_caps.cpu2 & SECONDARY_EXEC_ENABLE_INVPCID))
		kvml_cpuid_forbid(X86_FEATURE_INVPCID);
}

static int vmx_get_feature_msr(u32 index, u64 *data)
{
	return 1;
}

/* ---- unloading ---- */

static void vmxon_regions_free(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_page((unsigned long)per_cpu(vmxon_region, cpu));
}

static void user_msrs_drop(void *unused)
{
	struct user_msrs *m = this_cpu_ptr(&user_msrs);

	if (m->registered)
		user_msrs_restore(&m->notifier);
}

static void vmx_unload(void)
{
	on_each_cpu(user_msrs_drop, NULL, true);
	vmxon_regions_free();
	free_page((unsigned long)msr_bitmap);
}

/* ---- the table ---- */

const struct kvml_ops kvml_vmx_ops = {
	.name = "VT-x",
	.ucode_rev = 0x100000000ull,
	.forbid_cpuid = vmx_forbid_cpuid,
	.debugfs = kvml_vmx_count_init,
	.unload = vmx_unload,
	.hw_enable = vmx_hw_enable,
	.hw_disable = vmx_hw_disable,
	.vm_init = vmx_vm_init,
	.vm_free = vmx_vm_free,
	.vcpu_alloc = vmx_vcpu_alloc,
	.vcpu_init = vmx_vcpu_init,
	.vcpu_free = vmx_vcpu_free,
	.vcpu_load = vmx_vcpu_load,
	.vcpu_put = vmx_vcpu_put,
	.enter = kvml_vmx_run,
	.handle_exit = kvml_vmx_handle_exit,
	.reg_fetch = kvml_vmx_reg_fetch,
	.regs_fetch = kvml_vmx_regs_fetch,
	.set_cr0 = kvml_vmx_set_cr0,
	.set_cr4 = kvml_vmx_set_cr4,
	.set_efer = kvml_vmx_set_efer,
	.get_segment = kvml_vmx_get_segment,
	.set_segment = kvml_vmx_set_segment,
	.segment_base = kvml_vmx_segment_base,
	.cpl = kvml_vmx_cpl,
	.code_bits = kvml_vmx_code_bits,
	.code_mode = kvml_vmx_code_mode,
	.get_gdt = kvml_vmx_get_gdt,
	.set_gdt = kvml_vmx_set_gdt,
	.get_idt = kvml_vmx_get_idt,
	.set_idt = kvml_vmx_set_idt,
	.update_debug = kvml_vmx_update_debug,
	.update_tsc = kvml_vmx_update_tsc,
	.get_msr = kvml_vmx_get_msr,
	.set_msr = kvml_vmx_set_msr,
	.get_feature_msr = vmx_get_feature_msr,
	.inject_exception = kvml_vmx_inject_exception,
	.inject_intr = kvml_vmx_inject_intr,
	.inject_nmi = kvml_vmx_inject_nmi,
	.intr_allowed = kvml_vmx_intr_allowed,
	.nmi_allowed = kvml_vmx_nmi_allowed,
	.open_intr_window = kvml_vmx_open_intr_window,
	.open_nmi_window = kvml_vmx_open_nmi_window,
	.get_shadow = kvml_vmx_get_shadow,
	.set_shadow = kvml_vmx_set_shadow,
	.get_nmi_masked = kvml_vmx_get_nmi_masked,
	.set_nmi_masked = kvml_vmx_set_nmi_masked,
	.skip_insn = kvml_vmx_skip_insn,
	.flush_tlb = vmx_flush_tlb,
	.flush_guest = vmx_flush_guest,
	.dump = kvml_vmx_dump,
};

/* ---- the module ---- */

/* SDM volume 3, 25.6.9: low and high MSRs, reads then writes; 0 lets it by. */
static void msr_bitmap_allow(u32 msr)
{
	unsigned int bit = (msr & 0x1fff) + (msr >= 0xc0000000 ? 0x2000 : 0);

	__clear_bit(bit, msr_bitmap);
	__clear_bit(bit + 0x4000, msr_bitmap);
}

static int __init msr_bitmap_init(void)
{
	unsigned int i;

	msr_bitmap = (unsigned long *)__get_free_page(GFP_KERNEL);
	if (!msr_bitmap)
		return -ENOMEM;
	memset(msr_bitmap, 0xff, PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(passthrough_msrs); i++)
		msr_bitmap_allow(passthrough_msrs[i]);
	return 0;
}

static int __init vmxon_regions_alloc(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		u32 *region = (u32 *)get_zeroed_page(GFP_KERNEL);

		if (!region) {
			vmxon_regions_free();
			return -ENOMEM;
		}
		*region = kvml_vmx_caps.revision;
		per_cpu(vmxon_region, cpu) = region;
	}
	return 0;
}

int __init kvml_vmx_probe(void)
{
	int err = kvml_vmx_caps_init();

	if (err)
		return err;
	ept_formats = ept_format;
	/* There the guest could stop the machine (CVE-2018-12207). */
	ept_formats.huge = kvml_vmx_caps.ept_2m &&
			   (!boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) ||
			    cpu_mitigations_off());
	if (!kvml_vmx_caps.ept_ad) {
		ept_formats.accessed = 0;
		ept_formats.dirty = 0;
	}
	err = msr_bitmap_init();
	if (err)
		return err;
	err = vmxon_regions_alloc();
	if (err) {
		free_page((unsigned long)msr_bitmap);
		return err;
	}
	kvml_vmcs_init();
	return 0;
}
