// SPDX-License-Identifier: GPL-2.0
/* What does not exit: see svm.h. */
#include <linux/io.h>

#include "svm/svm.h"

#define MSR_MAP_SIZE	(2 * PAGE_SIZE)
#define IO_MAP_SIZE	(3 * PAGE_SIZE)

u64 kvml_svm_msr_map __ro_after_init;
u64 kvml_svm_io_map __ro_after_init;
static void *msr __ro_after_init, *io __ro_after_init;

/* Those that VMLOAD and VMSAVE switch. */
static const u32 passthrough_msrs[] __initconst = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

/* Ranges from 0 and from c000_0000, two bits an MSR: read, write; 0 allows. */
static void __init msr_allow(unsigned long *map, u32 msr)
{
	unsigned int bit = 2 * (msr & 0x1fff) + (msr >> 30 ? 0x4000 : 0);

	__clear_bit(bit, map);
	__clear_bit(bit + 1, map);
}

int __init kvml_svm_permission_init(void)
{
	unsigned int i;

	msr = alloc_pages_exact(MSR_MAP_SIZE, GFP_KERNEL);
	io = alloc_pages_exact(IO_MAP_SIZE, GFP_KERNEL);
	if (!msr || !io)
		return -ENOMEM;
	memset(msr, 0xff, MSR_MAP_SIZE);
	memset(io, 0xff, IO_MAP_SIZE);
	for (i = 0; i < ARRAY_SIZE(passthrough_msrs); i++)
		msr_allow(msr, passthrough_msrs[i]);
	if (boot_cpu_has(X86_FEATURE_V_SPEC_CTRL))
		msr_allow(msr, MSR_IA32_SPEC_CTRL);
	kvml_svm_msr_map = virt_to_phys(msr);
	kvml_svm_io_map = virt_to_phys(io);
	return 0;
}

void kvml_svm_permission_exit(void)
{
	if (msr)
		free_pages_exact(msr, MSR_MAP_SIZE);
	if (io)
		free_pages_exact(io, IO_MAP_SIZE);
}
