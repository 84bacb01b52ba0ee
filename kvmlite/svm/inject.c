// SPDX-License-Identifier: GPL-2.0
/* Events into the guest (APM volume 2, 15.20 and 15.21). */
#include <asm/irq_vectors.h>
#include <asm/trapnr.h>
#include <trace/events/ipi.h>

#include "base/kick.h"
#include "svm/inject.h"
#include "svm/insn.h"
#include "vm/vm.h"

/* What is delivered would push our TF, and the guest see it: no step then. */
static void end_step(struct svm_vcpu *svm)
{
	if (unlikely(svm->nmi_step))
		kvml_svm_end_nmi_step(svm);
}

static void inject(struct svm_vcpu *svm, u32 info)
{
	svm->vmcb->control.event_inj = info | SVM_EVTINJ_VALID;
	end_step(svm);
}

/*
 * An instruction's event pushes the address of the next one: RIP is put there
 * for the entry, and back if an exit cuts the delivery short.
 */
static void skip_soft(struct svm_vcpu *svm, u32 event, u8 len)
{
	struct vmcb *vmcb = svm->vmcb;

	if (svm->vcpu.reg_dirty & BIT(KVML_RIP))
		vmcb->save.rip = svm->vcpu.reg[KVML_RIP];
	svm->vcpu.reg_dirty &= ~BIT(KVML_RIP);
	vmcb->save.rip += len;
	vmcb->control.next_rip = vmcb->save.rip;
	svm->soft = (struct svm_soft){
		.len = len,
		.event = event,
		.rip = vmcb->save.rip,
	};
}

void kvml_svm_inject_exception(struct kvml_vcpu *vcpu, const struct kvml_exception *e)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u32 info = e->nr | SVM_EVTINJ_TYPE_EXEPT;

	/* In real mode nothing is pushed. */
	if (e->has_error && kvml_protected_mode(vcpu)) {
		svm->vmcb->control.event_inj_err = e->error & 0xffff;
		info |= SVM_EVTINJ_VALID_ERR;
	}
	if (e->nr == BP_VECTOR || e->nr == OF_VECTOR)
		skip_soft(svm, info, e->insn_len ?: 1);
	vcpu->stat.exceptions++;
	inject(svm, info);
}

bool kvml_svm_intr_allowed(struct kvml_vcpu *vcpu)
{
	return kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_IF &&
	       !(to_svm(vcpu)->vmcb->control.int_state & SVM_INTERRUPT_SHADOW_MASK);
}

/* ---- virtual interrupts (15.21.4) ---- */

/* Of the highest priority, whatever TPR is. */
static void set_virq(struct vmcb *vmcb, u8 vector)
{
	vmcb->control.int_vector = vector;
	vmcb->control.int_ctl |= V_IRQ_INJECTION_BITS_MASK;
	vmcb_dirty(vmcb, VMCB_INTR);
}

static void clear_virq(struct vmcb *vmcb)
{
	vmcb->control.int_ctl &= ~V_IRQ_INJECTION_BITS_MASK;
	vmcb_dirty(vmcb, VMCB_INTR);
}

/* One that exits when it would be taken. */
void kvml_svm_open_intr_window(struct kvml_vcpu *vcpu)
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;

	set_virq(vmcb, 0);
	vmcb_intercept(vmcb, INTERCEPT_VINTR, true);
}

void kvml_svm_close_intr_window(struct svm_vcpu *svm)
{
	clear_virq(svm->vmcb);
	vmcb_intercept(svm->vmcb, INTERCEPT_VINTR, false);
}

/*
 * In an emulator, as a virtual interrupt where it is taken at once and none is
 * needed for the window: QEMU's CPU delivers a second time what EVENTINJ has, with
 * RFLAGS.IF as it may be, if its thread is called before the next exit.
 */
static bool wants_virq(struct svm_vcpu *svm)
{
	return kvml_svm_caps.emulated &&
	       !vmcb_intercepts(svm->vmcb, INTERCEPT_VINTR) &&
	       kvml_svm_intr_allowed(&svm->vcpu);
}

void kvml_svm_inject_intr(struct kvml_vcpu *vcpu, u8 vector, bool soft)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u32 info = vector | (soft ? SVM_EVTINJ_TYPE_SOFT : SVM_EVTINJ_TYPE_INTR);

	if (soft) {
		skip_soft(svm, info, vcpu->event.intr.insn_len);
	} else if (wants_virq(svm)) {
		set_virq(svm->vmcb, vector);
		svm->virq = true;
		end_step(svm);
		return;
	}
	inject(svm, info);
}

/*
 * If it is still there, it was not delivered: an interrupt of the host came
 * first.  Or its delivery was cut short, and this is QEMU's CPU, which leaves
 * it there and calls it an exception.
 */
static void settle_virq(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	struct kvml_events *event = &svm->vcpu.event;

	if (control->int_ctl & V_IRQ_MASK) {
		event->intr.injected = true;
		event->intr.soft = false;
		event->intr.nr = control->int_vector;
		if (svm->exit.int_info)
			svm->exit.int_info = control->int_vector |
					     SVM_EXITINTINFO_TYPE_INTR | SVM_EXITINTINFO_VALID;
	}
	svm->virq = false;
	clear_virq(svm->vmcb);
}

/* ---- NMIs: the CPU does not know that they are blocked ---- */

void kvml_svm_inject_nmi(struct kvml_vcpu *vcpu)
{
	inject(to_svm(vcpu), NMI_VECTOR | SVM_EVTINJ_TYPE_NMI);
	kvml_svm_set_nmi_masked(vcpu, true);
}

bool kvml_svm_nmi_allowed(struct kvml_vcpu *vcpu)
{
	return !to_svm(vcpu)->nmi_masked &&
	       !(to_svm(vcpu)->vmcb->control.int_state & SVM_INTERRUPT_SHADOW_MASK);
}

/*
 * This entry has an event for the guest: exit when it is delivered, before its
 * handler's first instruction.  An interrupt of the host does that.  In an emulator it
 * would keep a virtual interrupt from being taken at all, and have one by EVENTINJ
 * delivered twice (wants_virq()): then the next exit is soon enough.
 */
static void exit_after_delivery(struct svm_vcpu *svm)
{
	u32 type = svm->vmcb->control.event_inj & SVM_EVTINJ_TYPE_MASK;

	kvml_vcpu_request(&svm->vcpu, KVML_REQ_EVENT);
	if (!kvml_svm_caps.emulated || type != SVM_EVTINJ_TYPE_INTR)
		smp_send_reschedule(smp_processor_id());
}

/* IRET exits before it is carried out, and a shadow has no exit: step. */
void kvml_svm_open_nmi_window(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	unsigned long flags;

	if (svm->nmi_step || (svm->nmi_masked && !svm->nmi_iret))
		return;
	if (svm->virq || svm->vmcb->control.event_inj & SVM_EVTINJ_VALID) {
		exit_after_delivery(svm);
		return;
	}
	flags = kvml_reg(vcpu, KVML_RFLAGS);
	svm->nmi_step = true;
	kvml_reg_set(vcpu, KVML_RFLAGS, flags);
}

void kvml_svm_end_nmi_step(struct svm_vcpu *svm)
{
	unsigned long flags = kvml_reg(&svm->vcpu, KVML_RFLAGS);

	svm->nmi_step = false;
	kvml_reg_set(&svm->vcpu, KVML_RFLAGS, flags);
}

bool kvml_svm_get_nmi_masked(struct kvml_vcpu *vcpu)
{
	return to_svm(vcpu)->nmi_masked;
}

void kvml_svm_set_nmi_masked(struct kvml_vcpu *vcpu, bool masked)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->nmi_masked = masked;
	svm->nmi_iret = false;
	vmcb_intercept(svm->vmcb, INTERCEPT_IRET, masked);
}

/* ---- the shadow of STI and MOV SS ---- */

/* The CPU does not say whose it is. */
u32 kvml_svm_get_shadow(struct kvml_vcpu *vcpu)
{
	return to_svm(vcpu)->vmcb->control.int_state &
	       SVM_INTERRUPT_SHADOW_MASK ?
	       KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS : 0;
}

void kvml_svm_set_shadow(struct kvml_vcpu *vcpu, u32 shadow)
{
	struct vmcb_control_area *control = &to_svm(vcpu)->vmcb->control;

	if (shadow)
		control->int_state |= SVM_INTERRUPT_SHADOW_MASK;
	else
		control->int_state &= ~(u32)SVM_INTERRUPT_SHADOW_MASK;
}

int kvml_svm_take_insn(struct svm_vcpu *svm, struct svm_insn *insn)
{
	struct srcu_struct *srcu = &svm->vcpu.vm->srcu;
	/* The end of an IN or OUT comes here without. */
	int idx = srcu_read_lock(srcu), r = kvml_svm_insn_read(&svm->vcpu, insn);

	srcu_read_unlock(srcu, idx);
	if (!r)
		svm->exit.next_rip = insn->next;
	return r;
}

void kvml_svm_skip_insn(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_insn insn;
	int r;

	if (!svm->exit.next_rip) {
		r = kvml_svm_take_insn(svm, &insn);
		/* What it does is done: it cannot be run again. */
		if (r < 0)
			kvml_queue_exception(vcpu, X86_TRAP_UD);
		if (r)
			return;
	}
	kvml_reg_set(vcpu, KVML_RIP, svm->exit.next_rip);
	kvml_svm_set_shadow(vcpu, 0);
}

/* ---- after an exit ---- */

void kvml_svm_take_back(struct svm_vcpu *svm)
{
	svm->vmcb->control.event_inj = 0;
	if (svm->virq)
		clear_virq(svm->vmcb);
	svm->virq = false;
	if (svm->soft.len)
		kvml_reg_set(&svm->vcpu, KVML_RIP, kvml_rip(&svm->vcpu) - svm->soft.len);
	svm->soft.len = 0;
}

/* The guest's own INT n, INT3 or INTO is just done again: no @soft_len. */
static void requeue(struct svm_vcpu *svm, u8 soft_len)
{
	u32 info = svm->exit.int_info, type = info & SVM_EXITINTINFO_TYPE_MASK;
	u8 vector = info & SVM_EXITINTINFO_VEC_MASK;
	bool soft = type == SVM_EXITINTINFO_TYPE_SOFT ||
		    (type == SVM_EXITINTINFO_TYPE_EXEPT &&
		     (vector == BP_VECTOR || vector == OF_VECTOR));

	if (soft && !soft_len)
		return;
	if (kvml_event_requeue(&svm->vcpu.event, info, svm->exit.int_error, soft_len))
		kvml_svm_set_nmi_masked(&svm->vcpu, false);
}

/* The IRET is carried out: something else exited. */
static void end_nmi(struct svm_vcpu *svm)
{
	if (kvml_rip(&svm->vcpu) == svm->nmi_iret_rip)
		return;
	kvml_svm_set_nmi_masked(&svm->vcpu, false);
	kvml_vcpu_request(&svm->vcpu, KVML_REQ_EVENT);
}

void kvml_svm_settle_events(struct svm_vcpu *svm)
{
	u8 soft_len;

	kvml_event_arrived(&svm->vcpu.event);
	if (unlikely(svm->soft.len) &&
	    !svm_soft_cut_short(&svm->soft, svm->exit.int_info, kvml_rip(&svm->vcpu)))
		svm->soft.len = 0;
	soft_len = svm->soft.len;
	if (svm->virq)
		settle_virq(svm);
	kvml_svm_take_back(svm);
	if (unlikely(svm->exit.int_info))
		requeue(svm, soft_len);
	if (unlikely(svm->nmi_iret))
		end_nmi(svm);
}
