// SPDX-License-Identifier: GPL-2.0
/* See xstate.h. */
#include <linux/string.h>
#include <asm/fpu/api.h>
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

/* Bits of MXCSR that can be set. */
static u32 mxcsr_mask __ro_after_init = 0xffbf;

/* SDM volume 1, 11.6.6; 0 means the default. */
static void __init read_mxcsr_mask(void)
{
	struct fxregs_state fx __aligned(16) = { };

	kernel_fpu_begin();
	asm volatile("fxsaveq %0" : "+m" (fx));
	kernel_fpu_end();
	if (fx.mxcsr_mask)
		mxcsr_mask = fx.mxcsr_mask;
}

void __init kvml_xstate_init(void)
{
	u32 eax, ebx, ecx, edx;
	unsigned int i;

	read_mxcsr_mask();
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

void kvml_xstate_reset(struct xregs_state *state, u64 which)
{
	struct fxregs_state *fx = &state->i387;
	unsigned int i;

	if (which & XFEATURE_MASK_FP) {
		memset(fx, 0, offsetof(struct fxregs_state, mxcsr));
		memset(fx->st_space, 0, sizeof(fx->st_space));
		fx->cwd = 0x37f;
	}
	if (which & XFEATURE_MASK_SSE)
		memset(fx->xmm_space, 0, sizeof(fx->xmm_space));
	/* XRSTOR loads it with SSE or AVX, also when they are not there (13.8). */
	if (!(~which & (XFEATURE_MASK_SSE | XFEATURE_MASK_YMM)))
		fx->mxcsr = MXCSR_DEFAULT;
	fx->mxcsr_mask = mxcsr_mask;
	for (i = XFEATURE_YMM; i < ARRAY_SIZE(area); i++)
		if (which & BIT_ULL(i))
			memset((void *)state + area[i].offset, 0, area[i].size);
}

bool kvml_xstate_valid(const struct xregs_state *state)
{
	u64 components = state->header.xfeatures;
	u64 allowed = kvml_host_xcr0 ? kvml_xcr0_supported() : XFEATURE_MASK_FPSSE;
	/* XRSTOR checks it with these, FXRSTOR always. */
	bool with_mxcsr = !kvml_host_xcr0 ||
			  components & (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM);

	if (components & ~allowed || state->header.xcomp_bv ||
	    memchr_inv(state->header.reserved, 0, sizeof(state->header.reserved)))
		return false;
	return !with_mxcsr || !(state->i387.mxcsr & ~mxcsr_mask);
}
