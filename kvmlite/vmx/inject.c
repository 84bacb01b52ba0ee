// SPDX-License-Identifier: GPL-2.0
/* Events into the guest (SDM volume 3, 27.6, 28.2.4). */
#include <asm/irq_vectors.h>

#include "vmx/vmx.h"

#define SHADOW_BITS (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

static void inject(u32 info)
{
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, info | INTR_INFO_VALID_MASK);
}

/*
 * With RFLAGS.TF in a shadow, entry insists on a step that is pending (SDM
 * 27.3.1.5): that is the #DB, which makes the CPU forget it (27.7.3).
 */
static void allow_db_in_shadow(struct kvml_vcpu *vcpu)
{
	if (kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_TF && kvml_vmx_get_shadow(vcpu))
		vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS,
			   vmcs_read(GUEST_PENDING_DBG_EXCEPTIONS) | DR_STEP);
}

void kvml_vmx_inject_exception(struct kvml_vcpu *vcpu, const struct kvml_exception *e)
{
	u32 info = e->nr | INTR_TYPE_HARD_EXCEPTION;

	/* In real mode nothing is pushed. */
	if (e->has_error && kvml_protected_mode(vcpu)) {
		vmcs_write(VM_ENTRY_EXCEPTION_ERROR_CODE, e->error & 0xffff);
		info |= INTR_INFO_DELIVER_CODE_MASK;
	}
	if (e->nr == BP_VECTOR || e->nr == OF_VECTOR) {
		vmcs_write(VM_ENTRY_INSTRUCTION_LEN, e->insn_len ?: 1);
		info = (info & ~INTR_INFO_INTR_TYPE_MASK) | INTR_TYPE_SOFT_EXCEPTION;
	}
	if (e->nr == DB_VECTOR)
		allow_db_in_shadow(vcpu);
	vcpu->stat.exceptions++;
	inject(info);
}

void kvml_vmx_inject_intr(struct kvml_vcpu *vcpu, u8 vector, bool soft)
{
	u32 type = INTR_TYPE_EXT_INTR;

	if (soft) {
		type = INTR_TYPE_SOFT_INTR;
		vmcs_write(VM_ENTRY_INSTRUCTION_LEN, vcpu->event.intr.insn_len);
	}
	inject(vector | type);
}

void kvml_vmx_inject_nmi(struct kvml_vcpu *vcpu)
{
	inject(NMI_VECTOR | INTR_TYPE_NMI_INTR);
}

bool kvml_vmx_intr_allowed(struct kvml_vcpu *vcpu)
{
	return vmx_rflags(vcpu) & X86_EFLAGS_IF &&
	       !(vmcs_read(GUEST_INTERRUPTIBILITY_INFO) & SHADOW_BITS);
}

bool kvml_vmx_nmi_allowed(struct kvml_vcpu *vcpu)
{
	return !(vmcs_read(GUEST_INTERRUPTIBILITY_INFO) & (SHADOW_BITS | GUEST_INTR_STATE_NMI));
}

void kvml_vmx_open_intr_window(struct kvml_vcpu *vcpu)
{
	kvml_vmx_set_cpu_control(to_vmx(vcpu), CPU_BASED_INTR_WINDOW_EXITING, true);
}

void kvml_vmx_open_nmi_window(struct kvml_vcpu *vcpu)
{
	/* Not in a STI shadow (SDM 27.3.1.5): it ends with the next step. */
	kvml_vmx_set_cpu_control(to_vmx(vcpu),
				 vmcs_read(GUEST_INTERRUPTIBILITY_INFO) &
				 GUEST_INTR_STATE_STI ?
				 CPU_BASED_INTR_WINDOW_EXITING :
				 CPU_BASED_NMI_WINDOW_EXITING, true);
}

u32 kvml_vmx_get_shadow(struct kvml_vcpu *vcpu)
{
	u32 state = vmcs_read(GUEST_INTERRUPTIBILITY_INFO), shadow = 0;

	if (state & GUEST_INTR_STATE_STI)
		shadow |= KVM_X86_SHADOW_INT_STI;
	if (state & GUEST_INTR_STATE_MOV_SS)
		shadow |= KVM_X86_SHADOW_INT_MOV_SS;
	return shadow;
}

void kvml_vmx_set_shadow(struct kvml_vcpu *vcpu, u32 shadow)
{
	u32 old = vmcs_read(GUEST_INTERRUPTIBILITY_INFO);
	u32 state = old & ~SHADOW_BITS;

	/* Only one at a time may be set (SDM 27.3.1.5). */
	if (shadow & KVM_X86_SHADOW_INT_MOV_SS)
		state |= GUEST_INTR_STATE_MOV_SS;
	else if (shadow & KVM_X86_SHADOW_INT_STI)
		state |= GUEST_INTR_STATE_STI;
	if (state != old)
		vmcs_write(GUEST_INTERRUPTIBILITY_INFO, state);
}

bool kvml_vmx_get_nmi_masked(struct kvml_vcpu *vcpu)
{
	return vmcs_read(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_NMI;
}

void kvml_vmx_set_nmi_masked(struct kvml_vcpu *vcpu, bool masked)
{
	u32 state = vmcs_read(GUEST_INTERRUPTIBILITY_INFO) & ~GUEST_INTR_STATE_NMI;

	vmcs_write(GUEST_INTERRUPTIBILITY_INFO, masked ? state | GUEST_INTR_STATE_NMI : state);
}

void kvml_vmx_skip_insn(struct kvml_vcpu *vcpu)
{
	unsigned long old = vmx_rip(vcpu);
	unsigned long rip = old + to_vmx(vcpu)->exit.insn_len;
	u32 state = vmcs_read(GUEST_INTERRUPTIBILITY_INFO);

	/* Only 64-bit code goes on beyond 4 GiB. */
	if (unlikely((old ^ rip) >> 32) && kvml_vmx_code_bits(vcpu) != 64)
		rip = (u32)rip;
	kvml_reg_set(vcpu, KVML_RIP, rip);
	if (unlikely(state & SHADOW_BITS))
		vmcs_write(GUEST_INTERRUPTIBILITY_INFO, state & ~SHADOW_BITS);
}

/* The exit came while the CPU delivered an event (SDM 28.2.4). */
void kvml_vmx_requeue(struct vmx_vcpu *vmx)
{
	const struct vmx_exit *exit = &vmx->exit;

	if (kvml_event_requeue(&vmx->vcpu.event, exit->idt_vectoring,
			       exit->idt_error, exit->insn_len))
		kvml_vmx_set_nmi_masked(&vmx->vcpu, false);
}
