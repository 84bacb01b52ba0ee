/* SPDX-License-Identifier: GPL-2.0 */
/* The guest's debug registers, and a debugger of the guest. */
#ifndef _KVMLITE_DEBUG_H
#define _KVMLITE_DEBUG_H

#include <linux/kvm.h>
#include <asm/debugreg.h>
#include <asm/trapnr.h>

#include "vcpu/vcpu.h"

/* Accesses to debug registers give #DB: asked for in DR7, told in DR6. */
#define KVML_DR7_GD	BIT(13)
#define KVML_DR6_BD	BIT(13)
/* Breakpoints that are on. */
#define KVML_DR7_ENABLE	(DR_LOCAL_ENABLE_MASK | DR_GLOBAL_ENABLE_MASK)

/*
 * KVM_SET_GUEST_DEBUG.  -EINVAL: unknown flags, -EBUSY: an exception is pending
 * where one is to be injected.
 */
#define KVML_GUESTDBG	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |	\
			 KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP |	\
			 KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)
int kvml_debug_set(struct kvml_vcpu *vcpu, const struct kvm_guest_debug *in);
/* Fills kvm_run for KVM_EXIT_DEBUG at RIP; returns 0. */
int kvml_debug_exit(struct kvml_vcpu *vcpu, u32 vector, u64 dr6);
/* #DB for the guest: DR6 and DR7 as the CPU leaves them. @bits: of DR6; returns 1. */
int kvml_debug_queue_db(struct kvml_vcpu *vcpu, unsigned long bits);

/* vcpu->dr6, dr7, guest_debug or dr_open changed. */
void kvml_debug_update(struct kvml_vcpu *vcpu);
/*
 * The guest has used a debug register, so it will use more of them: unless there is
 * a debugger, all are its own from the next entry on, until an exit that is not hot.
 */
void kvml_debug_open(struct kvml_vcpu *vcpu);

/*
 * Around entries, interrupts off: DR0 to DR3 of the guest, or of who debugs it,
 * if any is in use; and the host's again.  DR7 is the vendor's.
 */
void kvml_debug_load(struct kvml_vcpu *vcpu);
void kvml_debug_unload(struct kvml_vcpu *vcpu);

/* RFLAGS.TF is the debugger's, vcpu->debug_tf, and hidden from everybody. */
static inline bool kvml_debug_single_step(struct kvml_vcpu *vcpu)
{
	return vcpu->guest_debug.control & KVM_GUESTDBG_SINGLESTEP;
}

/* An event clears TF, so the guest's handlers are not stepped. */
static inline bool kvml_debug_stepping(struct kvml_vcpu *vcpu)
{
	if (likely(!kvml_debug_single_step(vcpu)))
		return false;
	kvml_reg(vcpu, KVML_RFLAGS);
	return vcpu->debug_tf;
}

static inline bool kvml_debug_owns_db(struct kvml_vcpu *vcpu)
{
	return vcpu->guest_debug.control & KVM_GUESTDBG_USE_HW_BP;
}

/* DR7 to run on: the debugger's or the guest's. */
static inline unsigned long kvml_debug_dr7(struct kvml_vcpu *vcpu)
{
	return unlikely(kvml_debug_owns_db(vcpu)) ?
	       vcpu->guest_debug.arch.debugreg[7] : vcpu->dr7;
}

static inline void kvml_debug_enter(struct kvml_vcpu *vcpu)
{
	if (unlikely(vcpu->debug_load))
		kvml_debug_load(vcpu);
}

static inline void kvml_debug_leave(struct kvml_vcpu *vcpu)
{
	if (unlikely(vcpu->debug_load || hw_breakpoint_active()))
		kvml_debug_unload(vcpu);
}

/* Exceptions that exit; @fpu_trap: CR0.TS is ours (fpu.h). */
static inline u32 kvml_exceptions(const struct kvml_vcpu *vcpu, bool fpu_trap)
{
	u32 control = vcpu->guest_debug.control;
	bool breakpoints = control & KVM_GUESTDBG_ENABLE && control & KVM_GUESTDBG_USE_SW_BP;

	return BIT(X86_TRAP_DB) | BIT(X86_TRAP_UD) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC) |
	       (breakpoints ? BIT(X86_TRAP_BP) : 0) | (fpu_trap ? BIT(X86_TRAP_NM) : 0);
}

/* Behind an instruction: a step is due, the guest's or the debugger's. */
static inline bool kvml_debug_step_due(struct kvml_vcpu *vcpu)
{
	return kvml_debug_single_step(vcpu) || kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_TF;
}

/* RIP is past an instruction: 1, or what single step makes of it. */
int kvml_insn_done(struct kvml_vcpu *vcpu);
/* RFLAGS.TF or KVM_GUESTDBG_SINGLESTEP: #DB is queued (1) or KVM_EXIT_DEBUG. */
int kvml_debug_step(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_DEBUG_H */
