/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vCPU's registers by ioctl, and the rules for control registers that
 * the ioctls and the exit handlers share (SDM volume 3, chapter 2.5).
 */
#ifndef _KVMLITE_REGS_H
#define _KVMLITE_REGS_H

#include <linux/kvm.h>

#include "vcpu/vcpu.h"

/* Bits 8 to 23 of the upper half of a descriptor, with 0 for the limit's. */
static inline u16 kvml_segment_pack(const struct kvm_segment *s)
{
	return (s->type & 0xf) | (s->s & 1) << 4 | (s->dpl & 3) << 5 | (s->present & 1) << 7 |
	       (s->avl & 1) << 12 | (s->l & 1) << 13 | (s->db & 1) << 14 | (s->g & 1) << 15;
}

/* What these say; all else is 0. */
static inline void kvml_segment_unpack(struct kvm_segment *out, u16 ar)
{
	*out = (struct kvm_segment){
		.type = ar & 0xf, .s = ar >> 4 & 1, .dpl = ar >> 5 & 3, .present = ar >> 7 & 1,
		.avl = ar >> 12 & 1, .l = ar >> 13 & 1, .db = ar >> 14 & 1, .g = ar >> 15,
	};
}

void kvml_regs_get(struct kvml_vcpu *vcpu, struct kvm_regs *out);
/* After kvml_regs_fetch(), to userspace; 0 or -EFAULT. */
int kvml_regs_put_user(struct kvml_vcpu *vcpu, struct kvm_regs __user *out);
void kvml_regs_set(struct kvml_vcpu *vcpu, const struct kvm_regs *in);
void kvml_sregs_get(struct kvml_vcpu *vcpu, struct kvm_sregs *out);
int kvml_sregs_set(struct kvml_vcpu *vcpu, const struct kvm_sregs *in);
void kvml_sregs2_get(struct kvml_vcpu *vcpu, struct kvm_sregs2 *out);
int kvml_sregs2_set(struct kvml_vcpu *vcpu, const struct kvm_sregs2 *in);
void kvml_debugregs_get(struct kvml_vcpu *vcpu, struct kvm_debugregs *out);
int kvml_debugregs_set(struct kvml_vcpu *vcpu, const struct kvm_debugregs *in);
/*
 * RESET: the state after it (SDM volume 3, table 10-1; APM volume 2, table 14-1),
 * but for what vcpu_init() of the vendor has set.  The vCPU is loaded.
 */
void kvml_vcpu_reset(struct kvml_vcpu *vcpu);
/* KVM_CAP_SYNC_REGS: kvm_run.s.regs, as kvm_valid_regs, kvm_dirty_regs say. */
int kvml_regs_sync_in(struct kvml_vcpu *vcpu);
void kvml_regs_sync_out(struct kvml_vcpu *vcpu);
#define KVML_SYNC_REGS	(KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | \
			 KVM_SYNC_X86_EVENTS)

/* The guest writes a control register.  0, or 1: #GP is due (not queued). */
int kvml_cr0_write(struct kvml_vcpu *vcpu, unsigned long cr0);
/* Of a task switch: not in long mode. */
int kvml_cr3_write(struct kvml_vcpu *vcpu, u32 cr3);
int kvml_cr4_write(struct kvml_vcpu *vcpu, unsigned long cr4);
int kvml_cr8_write(struct kvml_vcpu *vcpu, unsigned long cr8);
int kvml_efer_write(struct kvml_vcpu *vcpu, u64 efer, bool host);
/* MOV DR; 0, 1: #GP (or #UD: the caller checked CR4.DE). */
int kvml_dr_write(struct kvml_vcpu *vcpu, int dr, unsigned long value);
unsigned long kvml_dr_read(struct kvml_vcpu *vcpu, int dr);

#endif /* _KVMLITE_REGS_H */
