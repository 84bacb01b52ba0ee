// SPDX-License-Identifier: GPL-2.0
/* See xstate.h. */
#include <asm/fpu/xcr.h>

#include "cpuid/xstate.h"

#define OFFERED_XCR0 (XFEATURE_MASK_FP | XFEATURE_MASK_SSE |	\
		      XFEATURE_MASK_YMM | XFEATURE_MASK_AVX512)

u64 kvml_host_xcr0 __ro_after_init;

/* CPUID leaf 0xd of the components that are offered. */
static struct {
	u32 size;
	u32 offset;
	bool aligned;	/* to 64 bytes in the compacted format */
} area[XFEATURE_Hi16_ZMM + 1] __ro_after_init;

/* SDM volume 1, 13.4: what FXSAVE writes, and the header. */
#define LEGACY_SIZE	(512 + 64)

void __init kvml_xstate_init(void)
{
	u32 eax, ebx, ecx, edx;
	unsigned int i;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return;
	kvml_host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	for (i = XFEATURE_YMM; i < ARRAY_SIZE(area); i++) {
		if (!(kvml_xcr0_supported() & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		area[i].size = eax;
		area[i].offset = ebx;
		area[i].aligned = ecx & BIT(1);
	}
}

u64 kvml_xcr0_supported(void)
{
	return kvml_host_xcr0 & OFFERED_XCR0;
}

u32 kvml_xstate_size(u64 xcr0, bool compacted)
{
	u32 start, size = LEGACY_SIZE;
	unsigned int i;

	for (i = XFEATURE_YMM; i < ARRAY_SIZE(area); i++) {
		if (!(xcr0 & BIT_ULL(i)))
			continue;
		start = area[i].offset;
		if (compacted)
			start = area[i].aligned ? ALIGN(size, 64) : size;
		size = max(size, start + area[i].size);
	}
	return size;
}
