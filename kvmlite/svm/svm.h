/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vCPU on AMD-V (APM volume 2, chapter 15).
 *
 *   caps.c        what the CPU can do
 *   permission.c  MSRs and ports that do not exit
 *   svm.c         EFER.SVME; making, loading and unloading a vCPU
 *   asid.c        tags of the TLB, and flushing
 *   npt.c         the format of nested page tables
 *   state.c       the guest's registers in the VMCB
 *   run.c         entry and the way back; hot exits
 *   entry.S       VMLOAD, VMRUN, VMSAVE
 *   exit.c        the other exits, a table by exit code
 *   insn.c        the instruction that exited, where the CPU does not tell
 *   inject.c      events into the guest
 *   failure.c     why an entry failed
 */
#ifndef _KVMLITE_SVM_SVM_H
#define _KVMLITE_SVM_SVM_H

#include "svm/vmcb.h"
#include "vcpu/regs.h"
#include "vcpu/vcpu.h"

/* svm->exit_code: run.c has handled it (not a code of the APM). */
#define KVML_SVM_EXIT_DONE 0xfffffff0

struct svm_vcpu {
	struct kvml_vcpu vcpu;
	struct vmcb *vmcb;		/* (i) a page */
	u64 asid_generation;		/* asid.c */

	/* (v) of the last exit */
	u32 exit_code;
	u32 exit_int_info;	/* 0, or what was being delivered */
	u64 next_rip;		/* 0: the CPU does not tell */
	bool entry_failed;	/* VMRUN did nothing */

	/* (v) as the guest sees them; the VMCB's differ in some bits */
	unsigned long cr0, cr4;
	bool cr0_hidden;	/* the guest's is not the VMCB's: it exits */
	bool fpu_trap;		/* CR0.TS is ours: see fpu.h */

	/* (v) inject.c */
	u8 soft_len;		/* RIP is that far past an injected INT n */
	bool virq;		/* the entry's event is a virtual interrupt */
	bool nmi_masked;	/* an NMI was delivered, its IRET is to come */
	bool nmi_iret;		/* it is at IRET */
	unsigned long nmi_iret_rip;
	bool nmi_step;		/* TF is ours: exit after one instruction */
	bool nmi_step_tf;	/* and the guest's is that */

	/* (v) the host's, to be put back by kvml_svm_restore_host() */
	bool host_saved;
	u64 tsc_aux;		/* the guest's */
	u64 de_cfg;		/* (v) the guest's, of no effect */
};

static inline struct svm_vcpu *to_svm(struct kvml_vcpu *vcpu)
{
	return container_of(vcpu, struct svm_vcpu, vcpu);
}

/* svm.c */
u64 kvml_svm_save_host(struct svm_vcpu *svm);
void kvml_svm_restore_host(struct svm_vcpu *svm);

/* state.c */
void kvml_svm_reg_fetch(struct kvml_vcpu *vcpu, unsigned int reg);
void kvml_svm_regs_fetch(struct kvml_vcpu *vcpu);
void kvml_svm_regs_flush(struct svm_vcpu *svm);
void kvml_svm_set_cr0(struct kvml_vcpu *vcpu, unsigned long cr0);
void kvml_svm_set_fpu_trap(struct svm_vcpu *svm, bool on);
void kvml_svm_set_cr4(struct kvml_vcpu *vcpu, unsigned long cr4);
void kvml_svm_set_efer(struct kvml_vcpu *vcpu, u64 efer);
void kvml_svm_get_segment(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			  struct kvm_segment *out);
void kvml_svm_set_segment(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			  const struct kvm_segment *in);
unsigned long kvml_svm_segment_base(struct kvml_vcpu *vcpu, enum kvml_seg seg);
int kvml_svm_cpl(struct kvml_vcpu *vcpu);
int kvml_svm_code_bits(struct kvml_vcpu *vcpu);
void kvml_svm_code_mode(struct kvml_vcpu *vcpu, int *bits, int *cpl);
void kvml_svm_get_gdt(struct kvml_vcpu *vcpu, struct kvm_dtable *out);
void kvml_svm_set_gdt(struct kvml_vcpu *vcpu, const struct kvm_dtable *in);
void kvml_svm_get_idt(struct kvml_vcpu *vcpu, struct kvm_dtable *out);
void kvml_svm_set_idt(struct kvml_vcpu *vcpu, const struct kvm_dtable *in);
int kvml_svm_get_msr(struct kvml_vcpu *vcpu, u32 index, u64 *data);
int kvml_svm_set_msr(struct kvml_vcpu *vcpu, u32 index, u64 data);
int kvml_svm_get_feature_msr(u32 index, u64 *data);
void kvml_svm_update_debug(struct kvml_vcpu *vcpu);
void kvml_svm_update_tsc(struct kvml_vcpu *vcpu);
void kvml_svm_dump(struct kvml_vcpu *vcpu);

/* inject.c */
void kvml_svm_inject_exception(struct kvml_vcpu *vcpu,
			       const struct kvml_exception *e);
void kvml_svm_inject_intr(struct kvml_vcpu *vcpu, u8 vector, bool soft);
void kvml_svm_inject_nmi(struct kvml_vcpu *vcpu);
bool kvml_svm_intr_allowed(struct kvml_vcpu *vcpu);
bool kvml_svm_nmi_allowed(struct kvml_vcpu *vcpu);
void kvml_svm_open_intr_window(struct kvml_vcpu *vcpu);
void kvml_svm_close_intr_window(struct svm_vcpu *svm);
void kvml_svm_open_nmi_window(struct kvml_vcpu *vcpu);
/* TF is not ours any more. */
void kvml_svm_end_nmi_step(struct svm_vcpu *svm);
u32 kvml_svm_get_shadow(struct kvml_vcpu *vcpu);
void kvml_svm_set_shadow(struct kvml_vcpu *vcpu, u32 shadow);
bool kvml_svm_get_nmi_masked(struct kvml_vcpu *vcpu);
void kvml_svm_set_nmi_masked(struct kvml_vcpu *vcpu, bool masked);
void kvml_svm_skip_insn(struct kvml_vcpu *vcpu);
/* The entry's event, if it was not delivered. */
void kvml_svm_take_back(struct svm_vcpu *svm);
/* After an exit: what was injected has arrived, but for what it cut short. */
void kvml_svm_settle_events(struct svm_vcpu *svm);

/* run.c */
void kvml_svm_run(struct kvml_vcpu *vcpu);

/* exit.c */
int kvml_svm_handle_exit(struct kvml_vcpu *vcpu);

/* failure.c: lines in the log; fills KVM_EXIT_FAIL_ENTRY; returns 0. */
int kvml_svm_entry_failed(struct svm_vcpu *svm);

#endif /* _KVMLITE_SVM_SVM_H */
