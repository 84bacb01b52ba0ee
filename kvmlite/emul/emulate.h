/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instructions done in software, for MMIO and string I/O: the table of
 * decode.c says which.
 *
 * One instruction: fetched at CS:RIP (walk.c), decoded by table, its memory
 * operand read, computed, and written.  An operand that is no memory becomes
 * KVM_EXIT_MMIO or KVM_EXIT_IO, in pieces of 8 bytes at most; the instruction
 * goes on from where it was when userspace has answered.  RIP, RFLAGS and
 * registers change only when all of it is done (string instructions: after
 * each element).
 */
#ifndef _KVMLITE_EMULATE_H
#define _KVMLITE_EMULATE_H

struct kvml_vcpu;

/* What an exit says of the access that it is for. */
#define KVML_MMIO_GVA		BIT(0)	/* its linear address */
#define KVML_MMIO_WRITE		BIT(1)	/* it is a write */
#define KVML_MMIO_EITHER	BIT(2)	/* not whether it is */
#define KVML_MMIO_WALK		BIT(3)	/* of the guest's page tables, by the CPU */

/*
 * The instruction at RIP touched @gpa (a page without memory, or read-only).
 * @gva: the linear address, if @flags says so (KVML_MMIO_).  1: go on in the
 * guest (done, or an exception is queued), 0: to userspace, negative: an errno.
 */
int kvml_emulate_mmio(struct kvml_vcpu *vcpu, u64 gpa, unsigned long gva, u32 flags);
/* The instruction at RIP exited by itself; the same results. */
int kvml_emulate(struct kvml_vcpu *vcpu);
/* It is INS or OUTS. */
int kvml_emulate_string_io(struct kvml_vcpu *vcpu);

/*
 * The instruction at RIP gave #UD: is it the hypercall of the other vendor,
 * which guests use as well?  The same results.
 */
int kvml_emulate_ud(struct kvml_vcpu *vcpu);

int kvml_emulate_alloc(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_EMULATE_H */
