/* SPDX-License-Identifier: GPL-2.0 */
/* A vCPU on VT-x. */
#ifndef _KVMLITE_VMX_VMX_H
#define _KVMLITE_VMX_VMX_H

#include <linux/user-return-notifier.h>

#include "vcpu/debug.h"
#include "vmx/caps.h"
#include "vmx/vmcs.h"

/* CR0 bits that say when FPU instructions give #NM. */
#define VMX_CR0_FPU (X86_CR0_TS | X86_CR0_MP)

/* CR0 and CR4 bits that the guest may change without an exit. */
#define VMX_CR0_GUEST_OWNED (X86_CR0_TS | X86_CR0_WP | X86_CR0_MP | X86_CR0_AM)
#define VMX_CR4_GUEST_OWNED (X86_CR4_PVI | X86_CR4_DE | X86_CR4_PCE |	\
			     X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT |	\
			     X86_CR4_PGE | X86_CR4_TSD)

/* MSRs of SYSCALL and RDTSCP: the host's come back before userspace runs. */
enum vmx_user_msr { VMX_STAR, VMX_LSTAR, VMX_FMASK, VMX_TSC_AUX, VMX_USER_MSRS };

/*
 * What the CPU reports of an exit in read-only fields (SDM volume 3, 25.9).
 * run.c fills in what the handler of this reason needs, right after the exit;
 * other members are those of an earlier exit.
 */
struct vmx_exit {
	u32 reason;
	u32 idt_vectoring;	/* 0, or what was being delivered */
	u32 idt_error;
	u32 intr_info;
	u32 intr_error;
	u32 insn_len;
	unsigned long qualification;
	u64 gpa;
	unsigned long gla;
	bool gla_valid;		/* it is what faulted at gpa */
	u32 insn_error;		/* if entry_failed */
};

struct vmx_vcpu {
	struct kvml_vcpu vcpu;
	struct kvml_vmcs vmcs;
	u16 vpid;		/* (i) 0: none was left */

	struct vmx_exit exit;	/* (v) the last one */
	bool entry_failed;	/* (v) VMLAUNCH or VMRESUME did nothing */

	/* (v) as written to the VMCS */
	u32 cpu_controls;
	u32 exception_bitmap;
	bool fpu_trap;		/* CR0.TS is ours: see fpu.h */
	unsigned long host_cr3, host_cr4;

	/* (v) the guest's: loaded while host_saved */
	u64 kernel_gs_base;
	u64 user_msr[VMX_USER_MSRS];
	int user_msrs_cpu;	/* that has them, if any has; -1: none */
	u64 cstar;
	u32 spec_ctrl;		/* as of the last exit */
	u32 *load_spec_ctrl;	/* NULL: the guest runs with the host's */

	/* (v) the host's, to be put back by vmx_restore_host() */
	bool host_saved;
	u16 host_fs, host_gs, host_ds, host_es;
	u64 host_kernel_gs_base;
	u64 host_pebs, host_counters;	/* before this entry, if PEBS was on */
	bool flush_l1d;		/* before the next entry: see flush.c */
};

static inline struct vmx_vcpu *to_vmx(struct kvml_vcpu *vcpu)
{
	return container_of(vcpu, struct vmx_vcpu, vcpu);
}

/* The two registers that most exits look at. */
static __always_inline unsigned long vmx_rip(struct kvml_vcpu *vcpu)
{
	if (!(vcpu->reg_avail & BIT(KVML_RIP))) {
		vcpu->reg[KVML_RIP] = vmcs_read(GUEST_RIP);
		vcpu->reg_avail |= BIT(KVML_RIP);
	}
	return vcpu->reg[KVML_RIP];
}

static __always_inline unsigned long vmx_rflags(struct kvml_vcpu *vcpu)
{
	if (!(vcpu->reg_avail & BIT(KVML_RFLAGS))) {
		unsigned long value = vmcs_read(GUEST_RFLAGS);

		/* TF is ours then. */
		if (kvml_debug_single_step(vcpu)) {
			vcpu->debug_tf = value & X86_EFLAGS_TF;
			value &= ~X86_EFLAGS_TF;
		}
		vcpu->reg[KVML_RFLAGS] = value;
		vcpu->reg_avail |= BIT(KVML_RFLAGS);
	}
	return vcpu->reg[KVML_RFLAGS];
}

/*
 * ---- permission.c ----
 * MSRs that do not exit: bitmaps (SDM volume 3, 25.6.9) of all vCPUs, and of those
 * that have once written something else than 0 to SPEC_CTRL.  They will do it often,
 * and PRED_CMD with it; for others each exit is cheaper if it need not be saved.
 */
extern unsigned long *kvml_vmx_msr_bitmap;
extern unsigned long *kvml_vmx_msr_bitmap_spec_ctrl;

/* When the module loads (-ENOMEM), and when it goes; those of hw.c, too. */
int kvml_vmx_permission_init(void);
void kvml_vmx_permission_exit(void);

/* ---- hw.c ---- */
void kvml_vmx_hw_emergency(void);
int kvml_vmx_hw_init(void);
void kvml_vmx_hw_exit(void);

/* ---- state.c ---- */
/* A bit of the primary processor-based controls. */
void kvml_vmx_set_cpu_control(struct vmx_vcpu *vmx, u32 bit, bool on);
/* To the VMCS, before an entry. */
void kvml_vmx_regs_flush(struct vmx_vcpu *vmx);
void kvml_vmx_set_fpu_trap(struct vmx_vcpu *vmx, bool on);

/* ---- inject.c: what the exit interrupted is queued again ---- */
void kvml_vmx_requeue(struct vmx_vcpu *vmx);

/* ---- failure.c: lines in the log; fills KVM_EXIT_FAIL_ENTRY; returns 0 ---- */
int kvml_vmx_entry_failed(struct vmx_vcpu *vmx);

#endif /* _KVMLITE_VMX_VMX_H */
