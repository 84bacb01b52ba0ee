/* SPDX-License-Identifier: GPL-2.0 */
/* A vCPU on AMD-V (APM volume 2, chapter 15). */
#ifndef _KVMLITE_SVM_SVM_H
#define _KVMLITE_SVM_SVM_H

#include "svm/caps.h"
#include "svm/vmcb.h"
#include "vcpu/debug.h"

/*
 * What the CPU told with the last exit.  run.c takes it from the VMCB at once; who
 * handles the exit reads this, and never a control field of the VMCB.  Of a hot exit
 * that run.c handles, only the first three are there.
 */
struct svm_exit {
	u32 code;
	u64 info_1;
	u64 next_rip;		/* 0: not known, the CPU does not tell */
	u64 info_2;
	u32 int_info;		/* 0, or what was being delivered */
	u32 int_error;		/* and its error code */
};

/* An event of the last entry that pushes the address behind its instruction. */
struct svm_soft {
	u8 len;			/* RIP was moved that far; 0: there is none */
	u32 event;		/* type and vector, as in EVENTINJ */
	unsigned long rip;	/* of the entry: moved */
};

struct svm_vcpu {
	struct kvml_vcpu vcpu;
	struct vmcb *vmcb;		/* (i) a page */
	u64 asid_generation;		/* asid.c */

	struct svm_exit exit;		/* (v) */

	/* (v) the guest's, where the CPU does not virtualize it */
	u64 spec_ctrl;

	unsigned long cr0;	/* (v) as the guest sees it */
	bool cr0_hidden;	/* the guest's is not the VMCB's: it exits */
	bool fpu_trap;		/* CR0.TS is ours: see fpu.h */

	/* (v) inject.c */
	struct svm_soft soft;
	bool virq;		/* the entry's event is a virtual interrupt */
	bool nmi_masked;	/* an NMI was delivered, its IRET is to come */
	bool nmi_iret;		/* it is at IRET */
	unsigned long nmi_iret_rip;
	bool nmi_step;		/* TF is ours: exit after one instruction */
	bool nmi_step_tf;	/* and the guest's is that */

	/* (v) the host's, to be put back by kvml_svm_vcpu_put() */
	bool host_saved;
	u64 tsc_aux;		/* the guest's */
	u64 de_cfg;		/* (v) the guest's, of no effect */
	u64 debugctl;		/* what was taken away for the guest */
};

static inline struct svm_vcpu *to_svm(struct kvml_vcpu *vcpu)
{
	return container_of(vcpu, struct svm_vcpu, vcpu);
}

/*
 * ---- permission.c ----
 * Which MSRs and I/O ports a guest may access without an exit: two bitmaps, the same for
 * all guests (APM volume 2, 15.10 and 15.11), by their physical addresses for the VMCB.
 */
extern u64 kvml_svm_msr_map, kvml_svm_io_map;

int kvml_svm_permission_init(void);
void kvml_svm_permission_exit(void);

/* ---- state.c ---- */
/* To the VMCB, before an entry. */
void kvml_svm_regs_flush(struct svm_vcpu *svm);
void kvml_svm_set_fpu_trap(struct svm_vcpu *svm, bool on);

/* ---- failure.c: lines in the log; fills KVM_EXIT_FAIL_ENTRY; returns 0 ---- */
int kvml_svm_entry_failed(struct svm_vcpu *svm);

#endif /* _KVMLITE_SVM_SVM_H */
