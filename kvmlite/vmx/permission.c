// SPDX-License-Identifier: GPL-2.0
/* MSRs that do not exit: see vmx.h. */

#include "vmx/vmx.h"

unsigned long *kvml_vmx_msr_bitmap;
unsigned long *kvml_vmx_msr_bitmap_spec_ctrl;

/* MSRs whose values a guest may read and write without an exit. */

static const u32 passthrough_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

/* SDM volume 3, 25.6.9: low and high MSRs, reads then writes; 0 lets it by. */
#define WRITES	0x4000

static unsigned int msr_bit(u32 msr)
{
	return (msr & 0x1fff) + (msr >= 0xc0000000 ? 0x2000 : 0);
}

static void msr_bitmap_allow(unsigned long *bitmap, u32 msr)
{
	__clear_bit(msr_bit(msr), bitmap);
	__clear_bit(msr_bit(msr) + WRITES, bitmap);
}

static unsigned long * __init msr_bitmap_alloc(void)
{
	unsigned long *bitmap = (unsigned long *)__get_free_page(GFP_KERNEL);
	unsigned int i;

	if (!bitmap)
		return NULL;
	memset(bitmap, 0xff, PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(passthrough_msrs); i++)
		msr_bitmap_allow(bitmap, passthrough_msrs[i]);
	return bitmap;
}

int __init kvml_vmx_permission_init(void)
{
	kvml_vmx_msr_bitmap = msr_bitmap_alloc();
	kvml_vmx_msr_bitmap_spec_ctrl = msr_bitmap_alloc();
	if (!kvml_vmx_msr_bitmap || !kvml_vmx_msr_bitmap_spec_ctrl)
		return -ENOMEM;
	msr_bitmap_allow(kvml_vmx_msr_bitmap_spec_ctrl, MSR_IA32_SPEC_CTRL);
	/* Who has the one has the other; it cannot be read. */
	if (boot_cpu_has(X86_FEATURE_IBPB))
		__clear_bit(msr_bit(MSR_IA32_PRED_CMD) + WRITES, kvml_vmx_msr_bitmap_spec_ctrl);
	return 0;
}

void kvml_vmx_permission_exit(void)
{
	free_page((unsigned long)kvml_vmx_msr_bitmap);
	free_page((unsigned long)kvml_vmx_msr_bitmap_spec_ctrl);
}
