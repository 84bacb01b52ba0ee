/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the CPU tells of the instruction that exited: decode assists and NRIPS (APM
 * volume 2, 15.8 and 15.7.1).  Where it does not tell, insn.c reads the bytes.
 */
#ifndef _KVMLITE_SVM_ASSIST_H
#define _KVMLITE_SVM_ASSIST_H

#include "svm/caps.h"
#include "svm/vmcb.h"

/*
 * Where the next instruction is, as the CPU tells; 0: it does not.  For IN and OUT it
 * is in EXITINFO2, on any CPU (15.10.2); else NRIPS is needed, which the first K10
 * have not.
 */
static inline u64 svm_next_rip(const struct kvml_svm_caps *caps,
			       const struct vmcb_control_area *control)
{
	if ((u32)control->exit_code == SVM_EXIT_IOIO)
		return control->exit_info_2;
	return caps->nrips ? control->next_rip : 0;
}

/* EXITINFO1 of accesses to CR (15.8.1): set for MOV, clear for CLTS, LMSW, SMSW. */
#define SVM_INFO_MOV_CR	BIT_ULL(63)

/* The general register of MOV CR and MOV DR; -1: to be read from the instruction. */
static inline int svm_mov_cr_reg(const struct kvml_svm_caps *caps, u64 info_1)
{
	if (!caps->decode_assists || !(info_1 & SVM_INFO_MOV_CR))
		return -1;
	return info_1 & 0xf;
}

static inline int svm_mov_dr_reg(const struct kvml_svm_caps *caps, u64 info_1)
{
	return caps->decode_assists ? info_1 & 0xf : -1;
}

#endif /* _KVMLITE_SVM_ASSIST_H */
