/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is to be delivered to the guest through its IDT: exceptions, NMIs,
 * interrupts.
 *
 * "pending": asked for, the guest does not know yet.  "injected": handed to
 * the CPU, or delivery began and an exit cut it short (IDT-vectoring): it has
 * to be handed over again before anything else.  Priorities are those of SDM
 * volume 3, table 6-2; a fault while delivering a fault becomes #DF, or a
 * triple fault (6.15, "Interrupt 8").
 */
#ifndef _KVMLITE_EVENT_H
#define _KVMLITE_EVENT_H

struct kvml_vcpu;
struct kvm_vcpu_events;

struct kvml_exception {
	bool pending;
	bool injected;
	bool has_error;
	u8 nr;
	u8 insn_len;		/* of INT3, INTO, INT1: RIP to push */
	u32 error;
};

/* (v) all of it */
struct kvml_events {
	struct kvml_exception exception;
	struct {
		bool injected;
		bool pending;	/* another event came before it */
		bool soft;
		u8 insn_len;	/* of INT n */
		u8 nr;
	} intr;			/* KVM_INTERRUPT sets injected */
	struct {
		u8 pending;	/* 0 to 2 */
		bool injected;
	} nmi;
};

/*
 * Raise an exception at the current instruction.  Merges into #DF.  All return 1,
 * which is what an exit handler returns then.
 */
int kvml_queue_exception(struct kvml_vcpu *vcpu, u8 nr);
int kvml_queue_exception_e(struct kvml_vcpu *vcpu, u8 nr, u32 error);
/* #PF: also sets CR2. */
int kvml_queue_pf(struct kvml_vcpu *vcpu, unsigned long address, u32 error);
static inline int kvml_queue_gp(struct kvml_vcpu *vcpu)
{
	return kvml_queue_exception_e(vcpu, 13, 0);
}

static inline bool kvml_events_any(const struct kvml_events *e)
{
	return e->exception.pending | e->exception.injected |
	       e->intr.injected | e->intr.pending | e->nmi.pending | e->nmi.injected;
}

/*
 * An event that an exit cut short is not delivered yet.  @info, @error and @insn_len
 * are as the CPU tells: both vendors number types alike (SDM volume 3, table 25-18;
 * APM volume 2, 15.7.2).  True: an NMI, whose delivery has not masked others yet.
 */
static inline bool kvml_event_requeue(struct kvml_events *event, u32 info,
				      u32 error, u8 insn_len)
{
	switch (info >> 8 & 7) {
	case 0:		/* an interrupt */
	case 4:		/* INT n */
		event->intr.injected = true;
		event->intr.nr = info;
		event->intr.soft = info & BIT(10);
		event->intr.insn_len = insn_len;
		break;
	case 2:
		event->nmi.injected = true;
		return true;
	case 3:		/* an exception */
	case 5:		/* INT1 */
	case 6:		/* INT3, INTO */
		event->exception = (struct kvml_exception){
			.injected = true,
			.nr = info,
			.has_error = info & BIT(11),
			.error = error,
			.insn_len = insn_len,
		};
		break;
	}
	return false;
}

/* After an exit: what was injected has arrived, but for what the exit cut short. */
static inline void kvml_event_arrived(struct kvml_events *event)
{
	event->exception.injected = false;
	event->intr.injected = false;
	event->nmi.injected = false;
}

/*
 * Before entry, interrupts off: hand over what can be; open windows for what
 * can not.
 */
void kvml_inject_events(struct kvml_vcpu *vcpu);

/* KVM_INTERRUPT, KVM_NMI, KVM_GET/SET_VCPU_EVENTS. */
int kvml_event_interrupt(struct kvml_vcpu *vcpu, u32 irq);
int kvml_event_nmi(struct kvml_vcpu *vcpu);
void kvml_event_get(struct kvml_vcpu *vcpu, struct kvm_vcpu_events *out);
int kvml_event_set(struct kvml_vcpu *vcpu, const struct kvm_vcpu_events *in);

#endif /* _KVMLITE_EVENT_H */
