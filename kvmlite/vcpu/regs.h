/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vCPU's registers by ioctl, and the rules for control registers that
 * the ioctls and the exit handlers share (SDM volume 3, chapter 2.5).
 */
#ifndef _KVMLITE_REGS_H
#define _KVMLITE_REGS_H

#include <linux/kvm.h>
#include <linux/types.h>
#include <asm/debugreg.h>

#include "vcpu/vcpu.h"

/* Accesses to debug registers give #DB: asked for in DR7, told in DR6. */
#define KVML_DR7_GD	BIT(13)
#define KVML_DR6_BD	BIT(13)

void kvml_regs_get(struct kvml_vcpu *vcpu, struct kvm_regs *out);
/* After kvml_ops->regs_fetch(), to userspace; 0 or -EFAULT. */
int kvml_regs_put_user(struct kvml_vcpu *vcpu, struct kvm_regs __user *out);
void kvml_regs_set(struct kvml_vcpu *vcpu, const struct kvm_regs *in);
void kvml_sregs_get(struct kvml_vcpu *vcpu, struct kvm_sregs *out);
int kvml_sregs_set(struct kvml_vcpu *vcpu, const struct kvm_sregs *in);
int kvml_sregs2_get(struct kvml_vcpu *vcpu, struct kvm_sregs2 *out);
int kvml_sregs2_set(struct kvml_vcpu *vcpu, const struct kvm_sregs2 *in);
void kvml_debugregs_get(struct kvml_vcpu *vcpu, struct kvm_debugregs *out);
int kvml_debugregs_set(struct kvml_vcpu *vcpu, const struct kvm_debugregs *in);
/* KVM_CAP_SYNC_REGS: kvm_run.s.regs, as kvm_valid_regs, kvm_dirty_regs say. */
int kvml_regs_sync_in(struct kvml_vcpu *vcpu);
void kvml_regs_sync_out(struct kvml_vcpu *vcpu);
#define KVML_SYNC_REGS	(KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | \
			 KVM_SYNC_X86_EVENTS)

/* The guest writes a control register.  0, or 1: #GP is due (not queued). */
int kvml_cr0_write(struct kvml_vcpu *vcpu, unsigned long cr0);
int kvml_cr4_write(struct kvml_vcpu *vcpu, unsigned long cr4);
int kvml_cr8_write(struct kvml_vcpu *vcpu, unsigned long cr8);
int kvml_efer_write(struct kvml_vcpu *vcpu, u64 efer, bool host);
/* MOV DR; 0, 1: #GP (or #UD: the caller checked CR4.DE). */
int kvml_dr_write(struct kvml_vcpu *vcpu, int dr, unsigned long value);
unsigned long kvml_dr_read(struct kvml_vcpu *vcpu, int dr);

/*
 * KVM_SET_GUEST_DEBUG (debug.c).  -EINVAL: unknown flags, -EBUSY: an exception
 * is pending where one is to be injected.
 */
#define KVML_GUESTDBG	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |	\
			 KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP |	\
			 KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)
int kvml_debug_set(struct kvml_vcpu *vcpu, const struct kvm_guest_debug *in);
/* Fills kvm_run for KVM_EXIT_DEBUG; returns 0. */
int kvml_debug_exit(struct kvml_vcpu *vcpu, u32 vector, unsigned long pc,
		    u64 dr6);
/* #DB for the guest: DR6 and DR7 as the CPU leaves them. @bits: of DR6. */
void kvml_debug_queue_db(struct kvml_vcpu *vcpu, unsigned long bits);

/*
 * Around entries, interrupts off: DR0 to DR3 of the guest, or of who debugs it,
 * if any is in use (true); and the host's again.  DR7 is the vendor's.
 */
bool kvml_debug_load(struct kvml_vcpu *vcpu);
void kvml_debug_restore_host(void);

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

/* DR7 and DR0 to DR3 to run on: the debugger's or the guest's. */
static inline unsigned long kvml_debug_dr7(struct kvml_vcpu *vcpu)
{
	return unlikely(kvml_debug_owns_db(vcpu)) ?
	       vcpu->guest_debug.arch.debugreg[7] : vcpu->dr7;
}

static inline const unsigned long *kvml_debug_db(struct kvml_vcpu *vcpu)
{
	return kvml_debug_owns_db(vcpu) ? vcpu->debug_db : vcpu->db;
}

static inline void kvml_debug_unload(bool loaded)
{
	if (unlikely(loaded || hw_breakpoint_active()))
		kvml_debug_restore_host();
}

#endif /* _KVMLITE_REGS_H */
