// SPDX-License-Identifier: GPL-2.0
/* See caps.h. */
#include <asm/tlbflush.h>

#include "svm/caps.h"
#include "svm/vmcb.h"

struct kvml_svm_caps kvml_svm_caps __ro_after_init;

/*
 * OS-visible workarounds: the host's, as far as it says which errata its CPU has.
 * Errata 400 and 415 (bits 1 and 2) are none of a guest, whose HLT, IN and OUT are
 * intercepted; of 298 (bit 0) a family 10h CPU that says nothing may have it.
 */
static void __init osvw_init(u64 *osvw)
{
	u64 length = 0, status = 0;

	if (boot_cpu_has(X86_FEATURE_OSVW) &&
	    (rdmsrq_safe(MSR_AMD64_OSVW_ID_LENGTH, &length) ||
	     rdmsrq_safe(MSR_AMD64_OSVW_STATUS, &status)))
		length = 0;
	if (length < 64)
		status &= BIT_ULL(length) - 1;
	if (!length && boot_cpu_data.x86 == 0x10)
		status |= BIT(0);
	osvw[0] = max(length, 3ull);
	osvw[1] = status & ~6ull;
}

/* Of CPUID 8000_000A EDX. */
#define EDX_NPT		BIT(0)
#define EDX_NRIPS	BIT(3)
#define EDX_FLUSH	BIT(6)
#define EDX_DECODE	BIT(7)

const char *kvml_svm_caps_missing(const struct kvml_svm_caps *caps, u32 ebx, u32 edx)
{
	if (ebx < caps->asids)
		return "address space identifiers";
	if (!(edx & EDX_NPT))
		return "nested paging";
	if (caps->nrips && !(edx & EDX_NRIPS))
		return "the next RIP (NRIPS)";
	if (caps->flush_by_asid && !(edx & EDX_FLUSH))
		return "flushing by ASID";
	if (caps->decode_assists && !(edx & EDX_DECODE))
		return "decode assists";
	return NULL;
}

int __init kvml_svm_caps_init(void)
{
	struct kvml_svm_caps *caps = &kvml_svm_caps;
	u64 vm_cr;

	if (!boot_cpu_has(X86_FEATURE_SVM))
		return -ENODEV;
	/* APM volume 2, 15.30.1. */
	if (!rdmsrq_safe(MSR_VM_CR, &vm_cr) && vm_cr & SVM_VM_CR_SVM_DIS_MASK) {
		pr_err("kvmlite: the firmware has switched AMD-V off: switch it on in the BIOS setup (SVM mode)\n");
		return -EOPNOTSUPP;
	}
	if (!boot_cpu_has(X86_FEATURE_NPT)) {
		pr_err("kvmlite: this CPU lacks nested paging (NPT), which is needed\n");
		return -EOPNOTSUPP;
	}
	/* Addresses in the VMCB and in nested tables would need its bit. */
	if (cc_platform_has(CC_ATTR_HOST_MEM_ENCRYPT)) {
		pr_err("kvmlite: memory encryption (SME) is on: boot with mem_encrypt=off\n");
		return -EOPNOTSUPP;
	}
	caps->asids = cpuid_ebx(SVM_CPUID_FUNC);
	if (caps->asids < 2) {
		pr_err("kvmlite: this CPU has no ASID for a guest\n");
		return -EOPNOTSUPP;
	}
	caps->nrips = boot_cpu_has(X86_FEATURE_NRIPS);
	caps->decode_assists = boot_cpu_has(X86_FEATURE_DECODEASSISTS);
	caps->flush_by_asid = boot_cpu_has(X86_FEATURE_FLUSHBYASID);
	osvw_init(caps->osvw);
	caps->emulated = boot_cpu_has(X86_FEATURE_HYPERVISOR);
	caps->la57 = native_read_cr4() & X86_CR4_LA57;
	return 0;
}
