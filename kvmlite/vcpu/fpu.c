// SPDX-License-Identifier: GPL-2.0
/* FPU state. See fpu.h. */
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/module.h>

#include <asm/fpu/api.h>

#include "base/kick.h"
#include "cpuid/cpuid.h"
#include "vcpu/fpu.h"

static int lazy_fpu = -1;
module_param(lazy_fpu, int, 0444);
MODULE_PARM_DESC(lazy_fpu,
		 "load a guest's FPU state when it is used: 0 no, 1 yes, -1 if the host runs with mitigations=off (default; see CVE-2018-3665)");

/* Times that KVM_RUN loads it at once after a guest has used it. */
#define EAGER_RUNS	64

void __init kvml_fpu_init(void)
{
	if (lazy_fpu != 0 && lazy_fpu != 1)
		lazy_fpu = cpu_mitigations_off();
}

int kvml_fpu_alloc(struct kvml_vcpu *vcpu)
{
	BUILD_BUG_ON(KVML_XSAVE_SIZE > PAGE_SIZE);
	vcpu->fpu = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->fpu)
		return -ENOMEM;
	kvml_xstate_reset(vcpu->fpu, ~0ull);
	vcpu->xcr0 = XFEATURE_MASK_FP;
	vcpu->xcr0_entry = kvml_host_xcr0;
	return 0;
}

void kvml_fpu_free(struct kvml_vcpu *vcpu)
{
	free_page((unsigned long)vcpu->fpu);
}

void kvml_fpu_load(struct kvml_vcpu *vcpu)
{
	u64 mask = kvml_xcr0_supported();

	vcpu->stat.fpu_reload++;
	kernel_fpu_begin_mask(0);
	/*
	 * AMD CPUs before Zen load the addresses of the last x87 instruction only with an
	 * exception that is pending: the guest would read those of who was there before
	 * (CVE-2006-1056).
	 */
	if (boot_cpu_has_bug(X86_BUG_FXSAVE_LEAK))
		asm volatile("fninit");
	if (kvml_host_xcr0)
		asm volatile("xrstor64 %0" : : "m" (*vcpu->fpu), "a" ((u32)mask),
			     "d" ((u32)(mask >> 32)) : "memory");
	else
		asm volatile("fxrstorq %0" : : "m" (vcpu->fpu->i387));
}

/*
 * XSAVE: by what the others leave out they rely on what the CPU remembers of the last
 * XRSTOR, with a guest in between.
 */
void kvml_fpu_save(struct kvml_vcpu *vcpu)
{
	u64 mask = kvml_xcr0_supported();

	if (kvml_host_xcr0)
		asm volatile("xsave64 %0" : "+m" (*vcpu->fpu) : "a" ((u32)mask),
			     "d" ((u32)(mask >> 32)) : "memory");
	else
		asm volatile("fxsaveq %0" : "+m" (vcpu->fpu->i387));
	kernel_fpu_end();
}

/*
 * The guest may run without its FPU state until it gives #NM.  QEMU's XSAVE and
 * XRSTOR do not: under an emulator only a guest that cannot use them may.
 */
static bool may_trap(struct kvml_vcpu *vcpu)
{
	return lazy_fpu && !(vcpu->osxsave && boot_cpu_has(X86_FEATURE_HYPERVISOR));
}

void kvml_fpu_begin(struct kvml_vcpu *vcpu)
{
	vcpu->fpu_on = !may_trap(vcpu) || vcpu->fpu_eager;
	if (vcpu->fpu_eager)
		vcpu->fpu_eager--;
}

void kvml_fpu_use(struct kvml_vcpu *vcpu)
{
	vcpu->fpu_eager = EAGER_RUNS;
	vcpu->fpu_on = true;
}

/* ---- XCR0 ---- */

static void update_entry(struct kvml_vcpu *vcpu)
{
	vcpu->xcr0_entry = vcpu->osxsave ? vcpu->xcr0 : kvml_host_xcr0;
}

/* SDM volume 1, 13.3: what depends on what. */
static bool xcr0_valid(struct kvml_vcpu *vcpu, u64 xcr0)
{
	u64 avx512 = xcr0 & XFEATURE_MASK_AVX512;

	if (!(xcr0 & XFEATURE_MASK_FP) || xcr0 & ~(vcpu->xcr0_allowed | XFEATURE_MASK_FP))
		return false;
	if (xcr0 & XFEATURE_MASK_YMM && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	return !avx512 || (avx512 == XFEATURE_MASK_AVX512 && xcr0 & XFEATURE_MASK_YMM);
}

int kvml_fpu_set_xcr0(struct kvml_vcpu *vcpu, u32 index, u64 xcr0)
{
	if (index != XCR_XFEATURE_ENABLED_MASK || !xcr0_valid(vcpu, xcr0))
		return 1;
	vcpu->xcr0 = xcr0;
	update_entry(vcpu);
	kvml_cpuid_update(vcpu);
	return 0;
}

void kvml_fpu_set_osxsave(struct kvml_vcpu *vcpu, bool on)
{
	if (vcpu->osxsave == on)
		return;
	vcpu->osxsave = on;
	if (!may_trap(vcpu))
		kvml_vcpu_request(vcpu, KVML_REQ_FPU);
	update_entry(vcpu);
	kvml_cpuid_update(vcpu);
}

void kvml_fpu_get_xcrs(struct kvml_vcpu *vcpu, struct kvm_xcrs *out)
{
	memset(out, 0, sizeof(*out));
	if (!kvml_host_xcr0)
		return;
	out->nr_xcrs = 1;
	out->xcrs[0].xcr = XCR_XFEATURE_ENABLED_MASK;
	out->xcrs[0].value = vcpu->xcr0;
}

int kvml_fpu_set_xcrs(struct kvml_vcpu *vcpu, const struct kvm_xcrs *in)
{
	unsigned int i;

	if (!kvml_host_xcr0 || in->nr_xcrs > KVM_MAX_XCRS || in->flags)
		return -EINVAL;
	for (i = 0; i < in->nr_xcrs; i++)
		if (in->xcrs[i].xcr == XCR_XFEATURE_ENABLED_MASK)
			return kvml_fpu_set_xcr0(vcpu, XCR_XFEATURE_ENABLED_MASK,
						 in->xcrs[i].value) ? -EINVAL : 0;
	return 0;
}

/* ---- registers ---- */

/* A component in its initial state is not in memory: XSTATE_BV says so. */
static u64 in_memory(struct kvml_vcpu *vcpu)
{
	return kvml_host_xcr0 ? vcpu->fpu->header.xfeatures : XFEATURE_MASK_FPSSE;
}

/* All of it is in memory. */
static void *whole(struct kvml_vcpu *vcpu)
{
	kvml_xstate_reset(vcpu->fpu, ~in_memory(vcpu));
	return &vcpu->fpu->i387;
}

/* What was written counts. */
static void changed(struct kvml_vcpu *vcpu)
{
	if (kvml_host_xcr0)
		vcpu->fpu->header.xfeatures |= XFEATURE_MASK_FPSSE;
}

void kvml_fpu_get_legacy(struct kvml_vcpu *vcpu, struct fxregs_state *fx)
{
	memcpy(fx, whole(vcpu), sizeof(*fx));
}

void kvml_fpu_set_legacy(struct kvml_vcpu *vcpu, const struct fxregs_state *fx)
{
	memcpy(whole(vcpu), fx, sizeof(*fx));
	changed(vcpu);
}

void kvml_fpu_get(struct kvml_vcpu *vcpu, struct kvm_fpu *out)
{
	const struct fxregs_state *fx = whole(vcpu);

	memset(out, 0, sizeof(*out));
	memcpy(out->fpr, fx->st_space, sizeof(out->fpr));
	out->fcw = fx->cwd;
	out->fsw = fx->swd;
	out->ftwx = fx->twd;
	out->last_opcode = fx->fop;
	out->last_ip = fx->rip;
	out->last_dp = fx->rdp;
	memcpy(out->xmm, fx->xmm_space, sizeof(out->xmm));
	out->mxcsr = fx->mxcsr;
}

/* MXCSR stays, as in KVM: VMMs leave the field 0. */
void kvml_fpu_set(struct kvml_vcpu *vcpu, const struct kvm_fpu *in)
{
	struct fxregs_state *fx = whole(vcpu);

	memcpy(fx->st_space, in->fpr, sizeof(in->fpr));
	fx->cwd = in->fcw;
	fx->swd = in->fsw;
	fx->twd = in->ftwx;
	fx->fop = in->last_opcode;
	fx->rip = in->last_ip;
	fx->rdp = in->last_dp;
	memcpy(fx->xmm_space, in->xmm, sizeof(in->xmm));
	changed(vcpu);
}

int kvml_fpu_get_xsave(struct kvml_vcpu *vcpu, void __user *arg)
{
	u64 told = in_memory(vcpu) & (vcpu->xcr0_allowed | XFEATURE_MASK_FPSSE);
	struct xregs_state *buf __free(kfree) = NULL;

	whole(vcpu);
	buf = kmemdup(vcpu->fpu, KVML_XSAVE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	kvml_xstate_reset(buf, ~told);
	buf->header.xfeatures = told;
	return copy_to_user(arg, buf, KVML_XSAVE_SIZE) ? -EFAULT : 0;
}

int kvml_fpu_set_xsave(struct kvml_vcpu *vcpu, const void __user *arg)
{
	struct xregs_state *buf __free(kfree) = memdup_user(arg, KVML_XSAVE_SIZE);

	if (IS_ERR(buf))
		return PTR_ERR(buf);
	if (!kvml_xstate_valid(buf))
		return -EINVAL;
	memcpy(vcpu->fpu, buf, KVML_XSAVE_SIZE);
	whole(vcpu);
	return 0;
}
