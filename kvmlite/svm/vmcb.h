/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMCB: the page in which AMD-V keeps a vCPU (APM volume 2, appendix B).
 * The kernel's <asm/svm.h> has its layout; here is what it lacks.
 *
 * Unlike a VMCS it is plain memory.  But the CPU may keep parts of it from one
 * VMRUN to the next: a bit of the "clean" field says that the part was not
 * changed (15.15.2).  Who writes to such a field says so with vmcb_dirty().
 *
 * FS, GS, TR, LDTR and the MSRs of SYSCALL and SYSENTER are not loaded and
 * saved by VMRUN and #VMEXIT but by VMLOAD and VMSAVE: entry.S.
 */
#ifndef _KVMLITE_SVM_VMCB_H
#define _KVMLITE_SVM_VMCB_H

#include "../../include/compat/vmcb.h"

/* VMCB clean bits, by their numbers (15.15.3). */
enum vmcb_part {
	VMCB_INTERCEPTS,	/* and TSC offset */
	VMCB_PERM_MAP,
	VMCB_ASID,
	VMCB_INTR,		/* int_ctl, int_vector */
	VMCB_NPT,		/* nested CR3, PAT */
	VMCB_CR,		/* CR0, CR3, CR4, EFER */
	VMCB_DR,
	VMCB_DT,		/* GDT, IDT */
	VMCB_SEG,		/* ES, CS, SS, DS, CPL */
	VMCB_CR2,
	VMCB_PARTS
};

/* Written before each entry. */
#define VMCB_NEVER_CLEAN	(BIT(VMCB_INTR) | BIT(VMCB_CR2))
#define VMCB_CLEAN	(GENMASK(VMCB_PARTS - 1, 0) & ~VMCB_NEVER_CLEAN)

static inline void vmcb_dirty(struct vmcb *vmcb, enum vmcb_part part)
{
	vmcb->control.clean &= ~BIT(part);
}

/*
 * A VMRUN that fails its checks gives VMEXIT_INVALID (15.5.1).  It has not flushed what
 * the VMCB asked for, and what it kept of the VMCB is not known.
 */
static inline bool vmcb_entered(u32 exit_code)
{
	return exit_code != (u32)SVM_EXIT_ERR;
}

static inline u32 vmcb_clean_after(u32 exit_code)
{
	return likely(vmcb_entered(exit_code)) ? VMCB_CLEAN : 0;
}

/*
 * The event whose delivery the exit cut short (15.7.2), 0 if there is none.  After a
 * shutdown there is nobody left to deliver it to.
 */
static inline u32 vmcb_int_info(const struct vmcb_control_area *control)
{
	u32 info = control->exit_int_info;

	if (likely(!(info & SVM_EXITINTINFO_VALID)) ||
	    (u32)control->exit_code == SVM_EXIT_SHUTDOWN)
		return 0;
	return info;
}

/* @bit: INTERCEPT_ of <asm/svm.h>. */
static inline bool vmcb_intercepts(const struct vmcb *vmcb, unsigned int bit)
{
	return vmcb->control.intercepts[bit / 32] & BIT(bit % 32);
}

static inline void vmcb_intercept(struct vmcb *vmcb, unsigned int bit, bool on)
{
	u32 *word = &vmcb->control.intercepts[bit / 32];
	u32 value = on ? *word | BIT(bit % 32) : *word & ~BIT(bit % 32);

	if (*word == value)
		return;
	*word = value;
	vmcb_dirty(vmcb, VMCB_INTERCEPTS);
}

#endif /* _KVMLITE_SVM_VMCB_H */
