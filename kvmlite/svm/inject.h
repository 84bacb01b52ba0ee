/* SPDX-License-Identifier: GPL-2.0 */
/* Events into the guest, beside those of base/ops_list.h. */
#ifndef _KVMLITE_SVM_INJECT_H
#define _KVMLITE_SVM_INJECT_H

#include "svm/insn.h"
#include "svm/svm.h"

void kvml_svm_close_intr_window(struct svm_vcpu *svm);
/* TF is not ours any more. */
void kvml_svm_end_nmi_step(struct svm_vcpu *svm);
/* The instruction that exited, for exit.next_rip, too; as kvml_svm_insn_read(). */
int kvml_svm_take_insn(struct svm_vcpu *svm, struct svm_insn *insn);
/*
 * Was it the entry's event whose delivery the exit cut short (@int_info), and not one
 * of the guest's own, later?  Then RIP is still that of the entry.
 */
static inline bool svm_soft_cut_short(const struct svm_soft *soft, u32 int_info,
				      unsigned long rip)
{
	u32 what = SVM_EXITINTINFO_TYPE_MASK | SVM_EXITINTINFO_VEC_MASK;

	return int_info & SVM_EXITINTINFO_VALID && rip == soft->rip &&
	       (int_info & what) == (soft->event & what);
}

/* The entry's event, if it was not delivered. */
void kvml_svm_take_back(struct svm_vcpu *svm);
/* After an exit: what was injected has arrived, but for what it cut short. */
void kvml_svm_settle_events(struct svm_vcpu *svm);

#endif /* _KVMLITE_SVM_INJECT_H */
