// SPDX-License-Identifier: GPL-2.0
/*
 * Why an entry failed: the checks of APM volume 2, 15.5.1 ("Canonicalization
 * and Consistency Checks"), done again in software, one line in the log for
 * each that is broken.
 */
#include <linux/printk.h>
#include <linux/ratelimit.h>

#include "svm/failure.h"
#include "svm/inject.h"
#include "svm/state.h"
#include "svm/svm.h"
#include "vcpu/vcpu.h"

struct check {
	bool (*broken)(const struct vmcb *vmcb);
	const char *rule;
};

static bool svme(const struct vmcb *vmcb)
{
	return !(vmcb->save.efer & EFER_SVME);
}

static bool cr0_cache(const struct vmcb *vmcb)
{
	return vmcb->save.cr0 & X86_CR0_NW && !(vmcb->save.cr0 & X86_CR0_CD);
}

static bool cr0_upper(const struct vmcb *vmcb)
{
	return vmcb->save.cr0 >> 32;
}

static bool dr_upper(const struct vmcb *vmcb)
{
	return vmcb->save.dr6 >> 32 || vmcb->save.dr7 >> 32;
}

/* Paging with EFER.LME. */
static bool long_paging(const struct vmcb *vmcb)
{
	return vmcb->save.efer & EFER_LME && vmcb->save.cr0 & X86_CR0_PG;
}

static bool long_without_pae(const struct vmcb *vmcb)
{
	return long_paging(vmcb) && !(vmcb->save.cr4 & X86_CR4_PAE);
}

static bool long_without_pe(const struct vmcb *vmcb)
{
	return long_paging(vmcb) && !(vmcb->save.cr0 & X86_CR0_PE);
}

static bool long_cs(const struct vmcb *vmcb)
{
	u16 both = BIT(9) | BIT(10);

	return long_paging(vmcb) && vmcb->save.cr4 & X86_CR4_PAE &&
	       (vmcb->save.cs.attrib & both) == both;
}

static bool asid_zero(const struct vmcb *vmcb)
{
	return !vmcb->control.asid;
}

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
		return (info & SVM_EVTINJ_VEC_MASK) > 31 ||
		       (info & SVM_EVTINJ_VEC_MASK) == 2;
	}
	return true;
}

static const struct check checks[] = {
	{ svme, "EFER.SVME is clear" },
	{ cr0_cache, "CR0.NW without CR0.CD" },
	{ cr0_upper, "CR0[63:32] is not 0" },
	{ dr_upper, "DR6[63:32] or DR7[63:32] is not 0" },
	{ long_without_pae, "EFER.LME and CR0.PG without CR4.PAE" },
	{ long_without_pe, "EFER.LME and CR0.PG without CR0.PE" },
	{ long_cs, "long mode and both L and D of CS" },
	{ asid_zero, "the ASID is 0" },
	{ bad_event, "an event that cannot be injected" },
};

static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 5);

static void explain(struct svm_vcpu *svm)
{
	struct kvml_vcpu *vcpu = &svm->vcpu;
	bool found = false;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		if (!checks[i].broken(svm->vmcb))
			continue;
		pr_err("kvmlite: vCPU %u cannot be entered: %s (APM volume 2, 15.5.1)\n",
		       vcpu->id, checks[i].rule);
		found = true;
	}
	if (!found)
		pr_err("kvmlite: vCPU %u cannot be entered: invalid guest state (APM volume 2, 15.5.1)\n",
		       vcpu->id);
	kvml_svm_dump(vcpu);
}

int kvml_svm_entry_failed(struct svm_vcpu *svm)
{
	struct kvm_run *run = svm->vcpu.run;

	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = SVM_EXIT_ERR;
	run->fail_entry.cpu = svm->vcpu.cpu;
	if (__ratelimit(&limit))
		explain(svm);
	/* Events stay injected, and are handed over with the next entry. */
	kvml_svm_take_back(svm);
	return 0;
}
