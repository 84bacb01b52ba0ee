// SPDX-License-Identifier: GPL-2.0
/* Events for the guest. See event.h. */
#include <asm/traps.h>

#include "base/kick.h"
#include "base/trace.h"
#include "vcpu/event.h"
#include "vcpu/vcpu.h"

/* ---- exceptions ---- */

/* Classes of SDM volume 3, table 6-4; beside these and #PF exceptions are benign. */
#define CONTRIBUTORY	(BIT(X86_TRAP_DE) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) | \
			 BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP))

/* SDM volume 3, table 6-5: do @first and then @second make a double fault? */
static bool double_fault(u8 first, u8 second)
{
	bool contributory = CONTRIBUTORY >> second & 1;

	if (first == X86_TRAP_PF)
		return contributory || second == X86_TRAP_PF;
	return contributory && CONTRIBUTORY >> first & 1;
}

static int queue(struct kvml_vcpu *vcpu, u8 nr, bool has_error, u32 error)
{
	struct kvml_exception *e = &vcpu->event.exception;
	bool in_delivery = e->injected;

	if (in_delivery && e->nr == X86_TRAP_DF) {
		e->injected = false;
		e->pending = false;
		kvml_vcpu_request(vcpu, KVML_REQ_TRIPLE_FAULT);
		return 1;
	}
	if (in_delivery && double_fault(e->nr, nr)) {
		nr = X86_TRAP_DF;
		has_error = true;
		error = 0;
	}
	*e = (struct kvml_exception){
		.pending = true,
		.nr = nr,
		.has_error = has_error,
		.error = error,
	};
	return 1;
}

int kvml_queue_exception(struct kvml_vcpu *vcpu, u8 nr)
{
	return queue(vcpu, nr, false, 0);
}

int kvml_queue_exception_e(struct kvml_vcpu *vcpu, u8 nr, u32 error)
{
	return queue(vcpu, nr, true, error);
}

int kvml_queue_pf(struct kvml_vcpu *vcpu, unsigned long address, u32 error)
{
	vcpu->cr2 = address;
	return queue(vcpu, X86_TRAP_PF, true, error);
}

/* ---- into the guest ---- */

/* RF keeps the faulting instruction's breakpoint from firing again. */
static void set_rf(struct kvml_vcpu *vcpu, const struct kvml_exception *e)
{
	if (e->nr != X86_TRAP_DB && e->nr != X86_TRAP_BP &&
	    e->nr != X86_TRAP_OF && e->nr != X86_TRAP_DF)
		kvml_reg_set(vcpu, KVML_RFLAGS, kvml_reg(vcpu, KVML_RFLAGS) | X86_EFLAGS_RF);
}

static void inject_nmi(struct kvml_vcpu *vcpu)
{
	if (!kvml_ops->nmi_allowed(vcpu)) {
		kvml_ops->open_nmi_window(vcpu);
		return;
	}
	vcpu->event.nmi.pending--;
	vcpu->event.nmi.injected = true;
	vcpu->stat.nmi_injections++;
	kvml_ops->inject_nmi(vcpu);
	if (vcpu->event.nmi.pending)
		kvml_ops->open_nmi_window(vcpu);
}

/*
 * KVM_INTERRUPT has brought one, and then the end of the instruction that was in
 * userspace another event, which is first.  This one waits until the guest takes
 * interrupts again.
 */
static void postpone_intr(struct kvml_vcpu *vcpu)
{
	struct kvml_events *event = &vcpu->event;
	bool other = event->exception.pending || event->exception.injected ||
		     event->nmi.injected;

	if (other && event->intr.injected && !event->intr.soft) {
		event->intr.injected = false;
		event->intr.pending = true;
	}
	if (!event->intr.pending)
		return;
	if (other || !kvml_ops->intr_allowed(vcpu)) {
		kvml_ops->open_intr_window(vcpu);
		return;
	}
	event->intr.pending = false;
	event->intr.injected = true;
}

/* One event an entry: what was cut short first, then in order of priority. */
void kvml_inject_events(struct kvml_vcpu *vcpu)
{
	struct kvml_events *event = &vcpu->event;

	postpone_intr(vcpu);
	if (event->exception.injected) {
		kvml_ops->inject_exception(vcpu, &event->exception);
	} else if (event->exception.pending) {
		event->exception.pending = false;
		event->exception.injected = true;
		set_rf(vcpu, &event->exception);
		kvml_ops->inject_exception(vcpu, &event->exception);
	} else if (event->nmi.injected) {
		kvml_ops->inject_nmi(vcpu);
	} else if (event->intr.injected) {
		trace_kvm_inj_virq(event->intr.nr, event->intr.soft, false);
		vcpu->stat.irq_injections++;
		kvml_ops->inject_intr(vcpu, event->intr.nr, event->intr.soft);
	} else if (event->nmi.pending) {
		inject_nmi(vcpu);
		return;
	}
	if (event->nmi.pending)
		kvml_ops->open_nmi_window(vcpu);
}

/* ---- ioctls ---- */

/* KVM_INTERRUPT. */
int kvml_event_interrupt(struct kvml_vcpu *vcpu, u32 irq)
{
	if (irq > 255)
		return -EINVAL;
	vcpu->event.intr.injected = true;
	vcpu->event.intr.pending = false;
	vcpu->event.intr.soft = false;
	vcpu->event.intr.nr = irq;
	return 0;
}

/* KVM_NMI: one is delivered, one more may wait. */
int kvml_event_nmi(struct kvml_vcpu *vcpu)
{
	unsigned int limit = kvml_ops->get_nmi_masked(vcpu) || vcpu->event.nmi.injected ? 1 : 2;

	vcpu->event.nmi.pending = min(vcpu->event.nmi.pending + 1u, limit);
	return 0;
}

/* KVM_GET_VCPU_EVENTS. */
void kvml_event_get(struct kvml_vcpu *vcpu, struct kvm_vcpu_events *out)
{
	struct kvml_events *event = &vcpu->event;

	memset(out, 0, sizeof(*out));
	out->exception.injected = event->exception.injected || event->exception.pending;
	out->exception.nr = event->exception.nr;
	out->exception.has_error_code = event->exception.has_error;
	out->exception.error_code = event->exception.error;
	out->interrupt.injected = (event->intr.injected ||
				   event->intr.pending) && !event->intr.soft;
	out->interrupt.nr = event->intr.nr;
	out->interrupt.shadow = kvml_ops->get_shadow(vcpu);
	out->nmi.injected = event->nmi.injected;
	out->nmi.pending = event->nmi.pending;
	out->nmi.masked = kvml_ops->get_nmi_masked(vcpu);
	out->triple_fault.pending = 0;
	out->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
}

/* KVM_SET_VCPU_EVENTS; -EINVAL: unknown flags, a bad exception or SMM. */
int kvml_event_set(struct kvml_vcpu *vcpu, const struct kvm_vcpu_events *in)
{
	struct kvml_events *event = &vcpu->event;

	if (in->flags & ~(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
			  KVM_VCPUEVENT_VALID_SHADOW))
		return -EINVAL;
	if (in->exception.injected &&
	    (in->exception.nr > 31 || in->exception.nr == X86_TRAP_NMI))
		return -EINVAL;
	event->exception = (struct kvml_exception){
		.injected = in->exception.injected,
		.nr = in->exception.nr,
		.has_error = in->exception.has_error_code,
		.error = in->exception.error_code,
	};
	event->intr.injected = in->interrupt.injected;
	event->intr.pending = false;
	event->intr.nr = in->interrupt.nr;
	event->intr.soft = in->interrupt.soft;
	if (in->flags & KVM_VCPUEVENT_VALID_SHADOW)
		kvml_ops->set_shadow(vcpu, in->interrupt.shadow);
	event->nmi.injected = in->nmi.injected;
	if (in->flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		event->nmi.pending = min_t(u8, in->nmi.pending, 2);
	kvml_ops->set_nmi_masked(vcpu, in->nmi.masked);
	return 0;
}
