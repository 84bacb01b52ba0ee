// SPDX-License-Identifier: GPL-2.0
/* See npt.h. */
#include <linux/io.h>

#include "svm/npt.h"
#include "vm/vm.h"

/* Above the generation of the slots (mmu.c), and the last bit of an address. */
#define FIRST_MMIO_BIT	44
#define LAST_ADDRESS_BIT 51

/* CPUID: memory encryption (APM volume 3, appendix E). */
#define CPUID_ENCRYPTION 0x8000001f

struct kvml_pt_format kvml_svm_npt = {
	.table = NPT_TABLE,
	.leaf = NPT_PRESENT | NPT_USER,
	.write = NPT_WRITE,
	.accessed = NPT_ACCESSED,
	.dirty = NPT_DIRTY,
	.memtype_uc = NPT_UNCACHED,
	.present = NPT_PRESENT,
	.huge = true,
};

u64 kvml_svm_npt_mmio(unsigned int phys_bits, unsigned int c_bit)
{
	unsigned int first = max_t(unsigned int, phys_bits, FIRST_MMIO_BIT);
	u64 reserved;

	if (first > LAST_ADDRESS_BIT)
		return 0;
	reserved = GENMASK_ULL(LAST_ADDRESS_BIT, first);
	if (c_bit != NPT_NO_C_BIT)
		reserved &= ~BIT_ULL(c_bit);
	return reserved ? reserved | NPT_TABLE : 0;
}

u64 kvml_svm_npt_root(struct kvml_vm *vm)
{
	u64 root = virt_to_phys(vm->mmu.root), *top = vm->vendor;

	if (!top)
		return root;
	*top = root | NPT_TABLE;
	return virt_to_phys(top);
}

/* The C-bit, if the firmware has switched memory encryption on (15.34.1). */
static unsigned int __init c_bit(void)
{
	u64 syscfg;

	if (cpuid_eax(0x80000000) < CPUID_ENCRYPTION)
		return NPT_NO_C_BIT;
	if (rdmsrq_safe(MSR_AMD64_SYSCFG, &syscfg) || !(syscfg & MSR_AMD64_SYSCFG_MEM_ENCRYPT))
		return NPT_NO_C_BIT;
	return cpuid_ebx(CPUID_ENCRYPTION) & 0x3f;
}

void __init kvml_svm_npt_init(void)
{
	kvml_svm_npt.mmio = kvml_svm_npt_mmio(boot_cpu_data.x86_phys_bits, c_bit());
}
