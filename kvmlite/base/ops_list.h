/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions of struct kvml_ops that both vendors have, by KVML_OP(type, name,
 * arguments): base/ops.h makes the table's members and declarations of them, the
 * vendors' ops.c fill their table in.
 *
 * Those that take a vCPU are called with vcpu->mutex held and the vCPU loaded on
 * this CPU (kvml_vcpu_load()), unless said otherwise.
 */

/* When the module goes, what the probe made. */
KVML_OP(void, unload, void)

/* ---- the CPU; interrupts off ---- */
/*
 * -EBUSY: somebody else has it; -EIO: it is switched off, or the CPU cannot do what the
 * first one can.
 */
KVML_OP(int, hw_enable, void)
KVML_OP(void, hw_disable, void)

/* ---- the VM; vm->vendor is a page of the vendor's, or NULL ---- */
KVML_OP(int, vm_init, struct kvml_vm *vm)

/* ---- the vCPU ---- */
/* Allocates the vendor's structure around a zeroed kvml_vcpu. */
KVML_OP(struct kvml_vcpu *, vcpu_alloc, void)
/* Controls, and of the state after RESET what common code does not set. */
KVML_OP(void, vcpu_init, struct kvml_vcpu *vcpu)
KVML_OP(void, vcpu_free, struct kvml_vcpu *vcpu)
/* Preemption off. */
KVML_OP(void, vcpu_load, struct kvml_vcpu *vcpu, int cpu)
KVML_OP(void, vcpu_put, struct kvml_vcpu *vcpu)

/*
 * Enters the guest and comes back; interrupts off.  May handle hot
 * exits and go in again while kvml_vcpu_must_leave() says no.  True: the last
 * exit was hot, and nothing of it is left for handle_exit().
 */
KVML_OP(bool, run, struct kvml_vcpu *vcpu)
/*
 * Handles the exit; interrupts on.  1: go on in the guest, 0: to
 * userspace, vcpu->run is filled in; negative: an errno of KVM_RUN.
 */
KVML_OP(int, handle_exit, struct kvml_vcpu *vcpu)

/* ---- registers ---- */
/* Fills vcpu->reg[@reg]: RSP, RIP, RFLAGS, CR0, CR3, CR4. */
KVML_OP(void, reg_fetch, struct kvml_vcpu *vcpu, unsigned int reg)
/* KVML_EXIT_REGS, if they are not there. */
KVML_OP(void, regs_fetch, struct kvml_vcpu *vcpu)
/* Values were checked by the caller (regs.c, exit handlers). */
KVML_OP(void, set_cr0, struct kvml_vcpu *vcpu, unsigned long cr0)
KVML_OP(void, set_cr4, struct kvml_vcpu *vcpu, unsigned long cr4)
/* The four top entries of PAE paging; AMD-V's CPUs read them when they walk. */
KVML_OP(void, set_pdptes, struct kvml_vcpu *vcpu, const u64 *pdptes)
KVML_OP(void, set_efer, struct kvml_vcpu *vcpu, u64 efer)
KVML_OP(void, get_segment, struct kvml_vcpu *vcpu, enum kvml_seg seg, struct kvm_segment *out)
KVML_OP(void, set_segment, struct kvml_vcpu *vcpu, enum kvml_seg seg,
	const struct kvm_segment *in)
KVML_OP(unsigned long, segment_base, struct kvml_vcpu *vcpu, enum kvml_seg seg)
KVML_OP(int, cpl, struct kvml_vcpu *vcpu)
/* Default operand and address size of CS: 16, 32 or 64 bits. */
KVML_OP(int, code_bits, struct kvml_vcpu *vcpu)
/* Both. */
KVML_OP(void, code_mode, struct kvml_vcpu *vcpu, int *bits, int *cpl)
KVML_OP(void, get_table, struct kvml_vcpu *vcpu, enum kvml_table table, struct kvm_dtable *out)
KVML_OP(void, set_table, struct kvml_vcpu *vcpu, enum kvml_table table,
	const struct kvm_dtable *in)
/* kvml_debug_update(), or the TF of single step changed. */
KVML_OP(void, update_debug, struct kvml_vcpu *vcpu)
/* DR6 and DR7 as the guest has left them, with vcpu->dr_open. */
KVML_OP(void, fetch_debug, struct kvml_vcpu *vcpu)
/* vcpu->tsc_offset changed. */
KVML_OP(void, update_tsc, struct kvml_vcpu *vcpu)

/*
 * MSRs that live in the vendor's structures.  0, or 1 if the MSR is
 * none of these (or the value is refused): msr.c goes on.
 */
KVML_OP(int, get_msr, struct kvml_vcpu *vcpu, u32 index, u64 *data)
KVML_OP(int, set_msr, struct kvml_vcpu *vcpu, u32 index, u64 data)
/* What guests may have of an MSR that only the vendor knows; or 1. */
KVML_OP(int, get_feature_msr, u32 index, u64 *data)

/* ---- events ---- */
KVML_OP(void, inject_exception, struct kvml_vcpu *vcpu, const struct kvml_exception *e)
KVML_OP(void, inject_intr, struct kvml_vcpu *vcpu, u8 vector, bool soft)
KVML_OP(void, inject_nmi, struct kvml_vcpu *vcpu)
/* Does the guest's state let an interrupt, an NMI in? */
KVML_OP(bool, intr_allowed, struct kvml_vcpu *vcpu)
KVML_OP(bool, nmi_allowed, struct kvml_vcpu *vcpu)
/* Exit as soon as it does. */
KVML_OP(void, open_intr_window, struct kvml_vcpu *vcpu)
KVML_OP(void, open_nmi_window, struct kvml_vcpu *vcpu)
/* KVM_X86_SHADOW_INT_MOV_SS | KVM_X86_SHADOW_INT_STI */
KVML_OP(u32, get_shadow, struct kvml_vcpu *vcpu)
KVML_OP(void, set_shadow, struct kvml_vcpu *vcpu, u32 shadow)
KVML_OP(bool, get_nmi_masked, struct kvml_vcpu *vcpu)
KVML_OP(void, set_nmi_masked, struct kvml_vcpu *vcpu, bool masked)
/* RIP past the instruction that exited; ends an interrupt shadow. */
KVML_OP(void, skip_insn, struct kvml_vcpu *vcpu)

/* ---- second-stage page tables ---- */
/* Forget translations of this VM on this CPU; interrupts off. */
KVML_OP(void, flush_tlb, struct kvml_vcpu *vcpu)
/* And what this vCPU has of its own page tables. */
KVML_OP(void, flush_guest, struct kvml_vcpu *vcpu)

/* A line or more in the log about the guest's state. */
KVML_OP(void, dump, struct kvml_vcpu *vcpu)

#undef KVML_OP
