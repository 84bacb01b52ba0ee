// SPDX-License-Identifier: GPL-2.0
/* See asid.h. */

#include "svm/asid.h"

/* Interrupts off, on that CPU. */
struct asids {
	u64 generation;		/* 0 is no CPU's */
	u32 next;
	bool flush_owed;	/* of all ASIDs, by the next VMRUN that enters */
};

static DEFINE_PER_CPU(struct asids, asids);

/* What the CPU remembers from before is forgotten with the first ASID. */
void kvml_svm_asid_init(void)
{
	struct asids *a = this_cpu_ptr(&asids);

	a->generation++;
	a->next = kvml_svm_caps.asids;
}

static void asid_new(struct svm_vcpu *svm, struct asids *a)
{
	struct vmcb_control_area *control = &svm->vmcb->control;

	if (a->next >= kvml_svm_caps.asids) {
		a->generation++;
		a->next = 1;
		a->flush_owed = true;
	}
	svm->asid_generation = a->generation;
	control->asid = a->next++;
	/* All of it: the CPU may have been off since. */
	control->clean = 0;
}

void kvml_svm_asid_prepare(struct svm_vcpu *svm)
{
	struct asids *a = this_cpu_ptr(&asids);

	if (unlikely(svm->asid_generation != a->generation))
		asid_new(svm, a);
	if (unlikely(a->flush_owed))
		svm->vmcb->control.tlb_ctl = TLB_CONTROL_FLUSH_ALL_ASID;
}

void kvml_svm_asid_entered(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;

	if (control->tlb_ctl == TLB_CONTROL_FLUSH_ALL_ASID)
		this_cpu_write(asids.flush_owed, false);
	control->tlb_ctl = TLB_CONTROL_DO_NOTHING;
}

void kvml_svm_asid_flush(struct svm_vcpu *svm)
{
	if (kvml_svm_caps.flush_by_asid)
		svm->vmcb->control.tlb_ctl = TLB_CONTROL_FLUSH_ASID;
	else
		svm->asid_generation = 0;
}
