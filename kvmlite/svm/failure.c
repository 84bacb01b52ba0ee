// SPDX-License-Identifier: GPL-2.0
/*
 * Why an entry failed: the checks of APM volume 2, 15.5.1 ("Canonicalization
 * and Consistency Checks"), done again in software, one line in the log for
 * each that is broken.
 */

#include "svm/inject.h"
#include "vcpu/error.h"

/* Only exceptions 0 to 31, and not as a NMI; types 0, 2, 3, 4. */
static bool bad_event(const struct vmcb *vmcb)
{
	u32 info = vmcb->control.event_inj;

	if (!(info & SVM_EVTINJ_VALID))
		return false;
	switch (info & SVM_EVTINJ_TYPE_MASK) {
	case SVM_EVTINJ_TYPE_INTR:
	case SVM_EVTINJ_TYPE_NMI:
	case SVM_EVTINJ_TYPE_SOFT:
		return false;
	case SVM_EVTINJ_TYPE_EXEPT:
		return (info & SVM_EVTINJ_VEC_MASK) > 31 || (info & SVM_EVTINJ_VEC_MASK) == 2;
	}
	return true;
}

static bool explain(struct kvml_vcpu *vcpu)
{
	const struct vmcb *vmcb = to_svm(vcpu)->vmcb;
	const struct vmcb_save_area *save = &vmcb->save;
	bool lme_pg = save->efer & EFER_LME && save->cr0 & X86_CR0_PG;
	bool pae = save->cr4 & X86_CR4_PAE;
	u16 cs_both = BIT(9) | BIT(10);
	const struct kvml_entry_rule rules[] = {
		{ !(save->efer & EFER_SVME), "EFER.SVME is clear" },
		{ save->cr0 & X86_CR0_NW && !(save->cr0 & X86_CR0_CD), "CR0.NW without CR0.CD" },
		{ save->cr0 >> 32, "CR0[63:32] is not 0" },
		{ save->dr6 >> 32 || save->dr7 >> 32, "DR6[63:32] or DR7[63:32] is not 0" },
		{ lme_pg && !pae, "EFER.LME and CR0.PG without CR4.PAE" },
		{ lme_pg && !(save->cr0 & X86_CR0_PE), "EFER.LME and CR0.PG without CR0.PE" },
		{ lme_pg && pae && (save->cs.attrib & cs_both) == cs_both,
		  "long mode and both L and D of CS" },
		{ !vmcb->control.asid, "the ASID is 0" },
		{ bad_event(vmcb), "an event that cannot be injected" },
	};

	return kvml_entry_broken(vcpu, "APM volume 2, 15.5.1", rules, ARRAY_SIZE(rules));
}

int kvml_svm_entry_failed(struct svm_vcpu *svm)
{
	kvml_entry_failed(&svm->vcpu, SVM_EXIT_ERR, explain);
	/* Events stay injected, and are handed over with the next entry. */
	kvml_svm_take_back(svm);
	return 0;
}
