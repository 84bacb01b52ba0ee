/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What common code asks of the vendor: VT-x (vmx/) or AMD-V (svm/).  One table,
 * chosen when the module loads; nothing outside the vendor's folder knows
 * which one it is.
 *
 * Functions that take a vCPU are called with vcpu->mutex held and the vCPU
 * loaded on this CPU (kvml_vcpu_load()), unless said otherwise.
 */
#ifndef _KVMLITE_OPS_H
#define _KVMLITE_OPS_H

#include <linux/kvm.h>

struct kvml_vcpu;
struct kvml_vm;
struct kvml_exception;

/* Segment registers, numbered as in instructions. */
enum kvml_seg {
	KVML_ES, KVML_CS, KVML_SS, KVML_DS, KVML_FS, KVML_GS,
	KVML_LDTR, KVML_TR, KVML_SEGS
};

struct kvml_ops {
	const char *name;
	/* IA32_BIOS_SIGN_ID of a new vCPU. */
	u64 ucode_rev;
	/* OSVW_ID_LENGTH and OSVW_STATUS of a new vCPU; NULL: 0. */
	const u64 *osvw;
	/* Guests have SPEC_CTRL, and get_msr() and set_msr() know it. */
	bool spec_ctrl;
	/* When the module loads: what guests cannot have, kvml_cpuid_forbid(). */
	void (*forbid_cpuid)(void);
	/* Files in debugfs, kvmlite/. */
	void (*debugfs)(void);
	/* When the module goes, what the probe made. */
	void (*unload)(void);

	/* ---- the CPU; interrupts off ---- */
	int (*hw_enable)(void);
	void (*hw_disable)(void);
	/* The same, in an NMI, and whatever was done to the CPU by then; or NULL. */
	void (*hw_emergency)(void);

	/* ---- the VM; vm->vendor is a page of the vendor's, or NULL ---- */
	int (*vm_init)(struct kvml_vm *vm);

	/* ---- the vCPU ---- */
	/* Allocates the vendor's structure around a zeroed kvml_vcpu. */
	struct kvml_vcpu *(*vcpu_alloc)(void);
	/* Controls, and of the state after RESET what common code does not set. */
	void (*vcpu_init)(struct kvml_vcpu *vcpu);
	void (*vcpu_free)(struct kvml_vcpu *vcpu);
	/* Preemption off. */
	void (*vcpu_load)(struct kvml_vcpu *vcpu, int cpu);
	void (*vcpu_put)(struct kvml_vcpu *vcpu);

	/*
	 * Enters the guest and comes back; interrupts off.  May handle hot
	 * exits and go in again while kvml_vcpu_must_leave() says no.
	 * Returns as kvml_vcpu_run() documents.
	 */
	void (*enter)(struct kvml_vcpu *vcpu);
	/*
	 * Handles the exit; interrupts on.  1: go on in the guest, 0: to
	 * userspace, vcpu->run is filled in; negative: an errno of KVM_RUN.
	 */
	int (*handle_exit)(struct kvml_vcpu *vcpu);

	/* ---- registers ---- */
	/* Fills vcpu->reg[@reg]: RSP, RIP, RFLAGS, CR0, CR3, CR4. */
	void (*reg_fetch)(struct kvml_vcpu *vcpu, unsigned int reg);
	/* KVML_EXIT_REGS, if they are not there. */
	void (*regs_fetch)(struct kvml_vcpu *vcpu);
	/* Values were checked by the caller (regs.c, exit handlers). */
	void (*set_cr0)(struct kvml_vcpu *vcpu, unsigned long cr0);
	void (*set_cr4)(struct kvml_vcpu *vcpu, unsigned long cr4);
	/* The four top entries of PAE paging; NULL: the CPU reads them when it walks. */
	void (*set_pdptes)(struct kvml_vcpu *vcpu, const u64 *pdptes);
	void (*set_efer)(struct kvml_vcpu *vcpu, u64 efer);
	void (*get_segment)(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			    struct kvm_segment *out);
	void (*set_segment)(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			    const struct kvm_segment *in);
	unsigned long (*segment_base)(struct kvml_vcpu *vcpu,
				      enum kvml_seg seg);
	int (*cpl)(struct kvml_vcpu *vcpu);
	/* Default operand and address size of CS: 16, 32 or 64 bits. */
	int (*code_bits)(struct kvml_vcpu *vcpu);
	/* Both. */
	void (*code_mode)(struct kvml_vcpu *vcpu, int *bits, int *cpl);
	void (*get_gdt)(struct kvml_vcpu *vcpu, struct kvm_dtable *out);
	void (*set_gdt)(struct kvml_vcpu *vcpu, const struct kvm_dtable *in);
	void (*get_idt)(struct kvml_vcpu *vcpu, struct kvm_dtable *out);
	void (*set_idt)(struct kvml_vcpu *vcpu, const struct kvm_dtable *in);
	/* kvml_debug_update(), or the TF of single step changed. */
	void (*update_debug)(struct kvml_vcpu *vcpu);
	/* DR6 and DR7 as the guest has left them, with vcpu->dr_open. */
	void (*fetch_debug)(struct kvml_vcpu *vcpu);
	/* vcpu->tsc_offset changed. */
	void (*update_tsc)(struct kvml_vcpu *vcpu);

	/*
	 * MSRs that live in the vendor's structures.  0, or 1 if the MSR is
	 * none of these (or the value is refused): msr.c goes on.
	 */
	int (*get_msr)(struct kvml_vcpu *vcpu, u32 index, u64 *data);
	int (*set_msr)(struct kvml_vcpu *vcpu, u32 index, u64 data);
	/* What guests may have of an MSR that only the vendor knows; or 1. */
	int (*get_feature_msr)(u32 index, u64 *data);

	/* ---- events ---- */
	void (*inject_exception)(struct kvml_vcpu *vcpu,
				 const struct kvml_exception *e);
	void (*inject_intr)(struct kvml_vcpu *vcpu, u8 vector, bool soft);
	void (*inject_nmi)(struct kvml_vcpu *vcpu);
	/* Does the guest's state let an interrupt, an NMI in? */
	bool (*intr_allowed)(struct kvml_vcpu *vcpu);
	bool (*nmi_allowed)(struct kvml_vcpu *vcpu);
	/* Exit as soon as it does. */
	void (*open_intr_window)(struct kvml_vcpu *vcpu);
	void (*open_nmi_window)(struct kvml_vcpu *vcpu);
	/* KVM_X86_SHADOW_INT_MOV_SS | KVM_X86_SHADOW_INT_STI */
	u32 (*get_shadow)(struct kvml_vcpu *vcpu);
	void (*set_shadow)(struct kvml_vcpu *vcpu, u32 shadow);
	bool (*get_nmi_masked)(struct kvml_vcpu *vcpu);
	void (*set_nmi_masked)(struct kvml_vcpu *vcpu, bool masked);
	/* RIP past the instruction that exited; ends an interrupt shadow. */
	void (*skip_insn)(struct kvml_vcpu *vcpu);

	/* ---- second-stage page tables ---- */
	/* Forget translations of this VM on this CPU; interrupts off. */
	void (*flush_tlb)(struct kvml_vcpu *vcpu);
	/* And what this vCPU has of its own page tables. */
	void (*flush_guest)(struct kvml_vcpu *vcpu);

	/* A line or more in the log about the guest's state. */
	void (*dump)(struct kvml_vcpu *vcpu);
};

extern const struct kvml_ops *kvml_ops;
extern const struct kvml_ops kvml_vmx_ops;
extern const struct kvml_ops kvml_svm_ops;

/*
 * When the module loads.  -ENODEV: the CPU is not of this kind; or another
 * errno after one line in the log that says why.
 */
int kvml_vmx_probe(void);
int kvml_svm_probe(void);

#endif /* _KVMLITE_OPS_H */
