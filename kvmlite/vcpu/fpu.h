/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FPU, SSE and AVX state: vcpu->fpu, a page, as XSAVE writes it in its standard format,
 * which is that of KVM_GET_XSAVE.  It is in the CPU from right before an entry to right
 * after the exit, in a section of kernel_fpu_begin(): what the kernel has for a guest's
 * FPU state is for its own KVM alone since 6.19.  The first entry after a return to
 * userspace saves the VMM's registers, the next return loads them.
 *
 * Lazily: KVM_RUN may begin without it (vcpu->fpu_on is false).  Then the vendor runs
 * the guest with CR0.TS set, so that the first instruction that needs it gives #NM, and
 * that exit calls kvml_fpu_use().  Until then the CPU has the VMM's registers, which some
 * CPUs let the guest read by speculation (CVE-2018-3665): only for hosts without
 * mitigations, unless asked for.
 *
 * XCR0 is not part of it.  A guest with CR4.OSXSAVE runs on its own: the
 * vendor switches it right around the entry, with interrupts off, as registers are
 * saved and loaded with the host's.
 */
#ifndef _KVMLITE_FPU_H
#define _KVMLITE_FPU_H

#include <linux/kvm.h>
#include <asm/fpu/xcr.h>

#include "cpuid/xstate.h"
#include "vcpu/vcpu.h"

/* When the module loads. */
void kvml_fpu_init(void);

int kvml_fpu_alloc(struct kvml_vcpu *vcpu);
void kvml_fpu_free(struct kvml_vcpu *vcpu);
/* KVM_RUN begins, and the guest needs it. */
void kvml_fpu_begin(struct kvml_vcpu *vcpu);
void kvml_fpu_use(struct kvml_vcpu *vcpu);
/* The x87, MMX and XMM registers, in the format of FXSAVE with REX.W. */
void kvml_fpu_get_legacy(struct kvml_vcpu *vcpu, struct fxregs_state *fx);
void kvml_fpu_set_legacy(struct kvml_vcpu *vcpu, const struct fxregs_state *fx);
/*
 * Interrupts off, until the second one: the CPU has the guest's registers, the VMM's are
 * in memory.  What the CPU has beyond them stays as it is.
 */
void kvml_fpu_load(struct kvml_vcpu *vcpu);
void kvml_fpu_save(struct kvml_vcpu *vcpu);

/* Interrupts off. */
static inline void kvml_fpu_enter_xcr0(struct kvml_vcpu *vcpu)
{
	if (unlikely(vcpu->xcr0_entry != kvml_host_xcr0))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->xcr0_entry);
}

static inline void kvml_fpu_leave_xcr0(struct kvml_vcpu *vcpu)
{
	if (unlikely(vcpu->xcr0_entry != kvml_host_xcr0))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, kvml_host_xcr0);
}

/* XSETBV by guest or ioctl; 0, or 1: #GP. */
int kvml_fpu_set_xcr0(struct kvml_vcpu *vcpu, u32 index, u64 xcr0);
/* CR4 was set. */
void kvml_fpu_set_osxsave(struct kvml_vcpu *vcpu, bool on);
void kvml_fpu_get(struct kvml_vcpu *vcpu, struct kvm_fpu *out);
void kvml_fpu_set(struct kvml_vcpu *vcpu, const struct kvm_fpu *in);
/* KVML_XSAVE_SIZE bytes. */
int kvml_fpu_get_xsave(struct kvml_vcpu *vcpu, void __user *arg);
int kvml_fpu_set_xsave(struct kvml_vcpu *vcpu, const void __user *arg);
void kvml_fpu_get_xcrs(struct kvml_vcpu *vcpu, struct kvm_xcrs *out);
int kvml_fpu_set_xcrs(struct kvml_vcpu *vcpu, const struct kvm_xcrs *in);

#endif /* _KVMLITE_FPU_H */
