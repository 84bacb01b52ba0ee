// SPDX-License-Identifier: GPL-2.0
/* See permission.h. */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/string.h>
#include <asm/msr-index.h>

#include "vmx/permission.h"

/* MSRs whose values a guest may read and write without an exit. */
unsigned long *kvml_vmx_msr_bitmap;

static const u32 passthrough_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

/* SDM volume 3, 25.6.9: low and high MSRs, reads then writes; 0 lets it by. */
static void msr_bitmap_allow(u32 msr)
{
	unsigned int bit = (msr & 0x1fff) + (msr >= 0xc0000000 ? 0x2000 : 0);

	__clear_bit(bit, kvml_vmx_msr_bitmap);
	__clear_bit(bit + 0x4000, kvml_vmx_msr_bitmap);
}

int __init kvml_vmx_permission_init(void)
{
	unsigned int i;

	kvml_vmx_msr_bitmap = (unsigned long *)__get_free_page(GFP_KERNEL);
	if (!kvml_vmx_msr_bitmap)
		return -ENOMEM;
	memset(kvml_vmx_msr_bitmap, 0xff, PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(passthrough_msrs); i++)
		msr_bitmap_allow(passthrough_msrs[i]);
	return 0;
}

void kvml_vmx_permission_exit(void)
{
	free_page((unsigned long)kvml_vmx_msr_bitmap);
}
