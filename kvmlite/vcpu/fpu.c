// SPDX-License-Identifier: GPL-2.0
/* FPU state. See fpu.h. */
#include <linux/cpu.h>
#include <linux/module.h>

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
	if (!fpu_alloc_guest_fpstate(&vcpu->fpu))
		return -ENOMEM;
	vcpu->xcr0 = XFEATURE_MASK_FP;
	vcpu->xcr0_entry = kvml_host_xcr0;
	return 0;
}

void kvml_fpu_free(struct kvml_vcpu *vcpu)
{
	if (vcpu->fpu.fpstate)
		fpu_free_guest_fpstate(&vcpu->fpu);
}

static void load(struct kvml_vcpu *vcpu)
{
	fpu_swap_kvm_fpstate(&vcpu->fpu, true);
	vcpu->fpu_loaded = true;
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
	if (may_trap(vcpu) && !vcpu->fpu_eager)
		return;
	if (vcpu->fpu_eager)
		vcpu->fpu_eager--;
	load(vcpu);
}

void kvml_fpu_use(struct kvml_vcpu *vcpu)
{
	vcpu->fpu_eager = EAGER_RUNS;
	load(vcpu);
}

void kvml_fpu_end(struct kvml_vcpu *vcpu)
{
	if (!vcpu->fpu_loaded)
		return;
	vcpu->fpu_loaded = false;
	fpu_swap_kvm_fpstate(&vcpu->fpu, false);
}

/* The guest's registers stay on the CPU until fpregs_unlock(). */
static void lock_registers(struct kvml_vcpu *vcpu)
{
	if (!vcpu->fpu_loaded)
		kvml_fpu_use(vcpu);
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
}

void kvml_fpu_save_legacy(struct kvml_vcpu *vcpu, struct fxregs_state *fx)
{
	lock_registers(vcpu);
	asm volatile("fxsaveq %0" : "=m" (*fx));
	fpregs_unlock();
}

void kvml_fpu_load_legacy(struct kvml_vcpu *vcpu, const struct fxregs_state *fx)
{
	lock_registers(vcpu);
	asm volatile("fxrstorq %0" : : "m" (*fx));
	fpregs_unlock();
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
	return kvml_host_xcr0 ?
	       vcpu->fpu.fpstate->regs.xsave.header.xfeatures :
	       XFEATURE_MASK_FPSSE;
}

void kvml_fpu_get(struct kvml_vcpu *vcpu, struct kvm_fpu *out)
{
	const struct fxregs_state *fx = &vcpu->fpu.fpstate->regs.fxsave;
	u64 present = in_memory(vcpu);

	memset(out, 0, sizeof(*out));
	out->fcw = 0x37f;
	out->mxcsr = MXCSR_DEFAULT;
	if (present & XFEATURE_MASK_FP) {
		memcpy(out->fpr, fx->st_space, sizeof(out->fpr));
		out->fcw = fx->cwd;
		out->fsw = fx->swd;
		out->ftwx = fx->twd;
		out->last_opcode = fx->fop;
		out->last_ip = fx->rip;
		out->last_dp = fx->rdp;
	}
	if (present & XFEATURE_MASK_SSE) {
		memcpy(out->xmm, fx->xmm_space, sizeof(out->xmm));
		out->mxcsr = fx->mxcsr;
	}
}

/* MXCSR stays, as in KVM: VMMs leave the field 0. */
void kvml_fpu_set(struct kvml_vcpu *vcpu, const struct kvm_fpu *in)
{
	union fpregs_state *regs = &vcpu->fpu.fpstate->regs;
	struct fxregs_state *fx = &regs->fxsave;

	if (!(in_memory(vcpu) & XFEATURE_MASK_SSE))
		fx->mxcsr = MXCSR_DEFAULT;
	memcpy(fx->st_space, in->fpr, sizeof(in->fpr));
	fx->cwd = in->fcw;
	fx->swd = in->fsw;
	fx->twd = in->ftwx;
	fx->fop = in->last_opcode;
	fx->rip = in->last_ip;
	fx->rdp = in->last_dp;
	memcpy(fx->xmm_space, in->xmm, sizeof(in->xmm));
	if (kvml_host_xcr0)
		regs->xsave.header.xfeatures |= XFEATURE_MASK_FPSSE;
}

int kvml_fpu_get_xsave(struct kvml_vcpu *vcpu, void __user *arg)
{
	void *buf __free(kfree) = kzalloc(KVML_XSAVE_SIZE, GFP_KERNEL_ACCOUNT);

	if (!buf)
		return -ENOMEM;
	fpu_copy_guest_fpstate_to_uabi(&vcpu->fpu, buf, KVML_XSAVE_SIZE,
				       vcpu->xcr0_allowed | XFEATURE_MASK_FPSSE, 0);
	return copy_to_user(arg, buf, KVML_XSAVE_SIZE) ? -EFAULT : 0;
}

int kvml_fpu_set_xsave(struct kvml_vcpu *vcpu, const void __user *arg)
{
	void *buf __free(kfree) = memdup_user(arg, KVML_XSAVE_SIZE);
	u32 pkru = 0;

	if (IS_ERR(buf))
		return PTR_ERR(buf);
	return fpu_copy_uabi_to_guest_fpstate(&vcpu->fpu, buf, kvml_xcr0_supported(), &pkru);
}
