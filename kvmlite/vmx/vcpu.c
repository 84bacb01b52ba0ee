// SPDX-License-Identifier: GPL-2.0
/* Making, loading and unloading a vCPU. */
#include <linux/io.h>

#include "base/kick.h"
#include "vcpu/pv.h"
#include "vmx/ept.h"
#include "vmx/host.h"
#include "vmx/vmx.h"
#include "vmx/vpid.h"

/* ---- the VMCS of a new vCPU ---- */

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
	vmcs_write(MSR_BITMAP, virt_to_phys(kvml_vmx_msr_bitmap));
	vmcs_write(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	vmcs_write(VMCS_LINK_POINTER, ~0ull);
	vmcs_write(TSC_OFFSET, vmx->vcpu.tsc_offset);
	if (caps->pin & PIN_BASED_VMX_PREEMPTION_TIMER)
		vmcs_write(VMX_PREEMPTION_TIMER_VALUE, caps->preemption_timer);
	if (caps->cpu2 & SECONDARY_EXEC_ENCLS_EXITING)
		vmcs_write(ENCLS_EXITING_BITMAP, ~0ull);
	vmcs_write(CR0_GUEST_HOST_MASK, ~VMX_CR0_GUEST_OWNED);
	vmcs_write(CR4_GUEST_HOST_MASK, ~VMX_CR4_GUEST_OWNED);
	vmcs_write(EPT_POINTER, kvml_vmx_eptp(vmx->vcpu.vm));
}

/* 0, those of the guest at RESET; an exit gives the host null selectors. */
static const u16 zero_fields[] = {
	VM_EXIT_MSR_STORE_COUNT, VM_EXIT_MSR_LOAD_COUNT, VM_ENTRY_MSR_LOAD_COUNT,
	VM_ENTRY_INTR_INFO_FIELD, PAGE_FAULT_ERROR_CODE_MASK, PAGE_FAULT_ERROR_CODE_MATCH,
	CR3_TARGET_COUNT, GUEST_SYSENTER_CS, GUEST_SYSENTER_ESP, GUEST_SYSENTER_EIP,
	GUEST_IA32_DEBUGCTL, GUEST_INTERRUPTIBILITY_INFO, GUEST_PENDING_DBG_EXCEPTIONS,
	HOST_DS_SELECTOR, HOST_ES_SELECTOR, HOST_FS_SELECTOR, HOST_GS_SELECTOR,
};

/* What is beside kvml_vcpu_reset(). */
static void vmcs_init_guest(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(zero_fields); i++)
		vmcs_write(zero_fields[i], 0);
	vmcs_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	if (kvml_vmx_caps.entry & VM_ENTRY_LOAD_IA32_PAT)
		vmcs_write(GUEST_IA32_PAT, 0x0007040600070406ull);
}

/* ---- the vCPU ---- */

struct kvml_vcpu *kvml_vmx_vcpu_alloc(void)
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

void kvml_vmx_vcpu_init(struct kvml_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx->vpid = kvml_vmx_vpid_alloc();
	/*
	 * Legacy IBRS is on in the host's kernel only, and would slow the guest down.
	 * What else the host has there does no harm to a guest that does not use it,
	 * and writing the MSR twice an exit would.
	 */
	if (cpu_feature_enabled(X86_FEATURE_KERNEL_IBRS))
		vmx->load_spec_ctrl = &vmx->spec_ctrl;
	vmcs_init_controls(vmx);
	kvml_vmx_host_init(vmx);
	vmcs_init_guest();
}

void kvml_vmx_vcpu_free(struct kvml_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	preempt_disable();
	kvml_vmcs_clear(&vmx->vmcs);
	preempt_enable();
	kvml_vmx_vpid_free(vmx->vpid);
	kvml_vmcs_free(&vmx->vmcs);
	kfree(vmx);
}

void kvml_vmx_vcpu_load(struct kvml_vcpu *vcpu, int cpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx->flush_l1d = true;
	if (kvml_vmcs_load(&vmx->vmcs)) {
		kvml_vmx_host_set_cpu(cpu);
		vmx->host_cr3 = 0;
		vmx->host_cr4 = 0;
		kvml_pv_cpu_changed(vcpu);
		/* What this CPU remembers may be from long ago. */
		kvml_vcpu_request(vcpu, KVML_REQ_FLUSH_TLB);
	}
}
