/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Privileged instructions of the guest that exit: what they do once the vendor
 * has decoded them.  All return as ops->handle_exit does; RIP is at the
 * instruction, and past it if they carried it out.
 */
#ifndef _KVMLITE_PRIV_H
#define _KVMLITE_PRIV_H

#include "base/trace.h"
#include "cpuid/cpuid.h"
#include "vcpu/msr.h"
#include "vcpu/pv.h"

/* Nothing to do; what CPUID does not offer; #GP. */
int kvml_priv_skip(struct kvml_vcpu *vcpu);
int kvml_priv_ud(struct kvml_vcpu *vcpu);
int kvml_priv_gp(struct kvml_vcpu *vcpu);

int kvml_priv_hlt(struct kvml_vcpu *vcpu);
/* MONITOR, too: for guests that use them unasked. */
int kvml_priv_mwait(struct kvml_vcpu *vcpu);
int kvml_priv_wrmsr(struct kvml_vcpu *vcpu);
/* WRMSR, RIP stays.  False: #GP is queued.  Hot if kvml_msr_write_is_hot(). */
bool kvml_priv_set_msr(struct kvml_vcpu *vcpu);
int kvml_priv_xsetbv(struct kvml_vcpu *vcpu);

/* @cr: 0, 3, 4 or 8; @reg: GPR. */
int kvml_priv_mov_to_cr(struct kvml_vcpu *vcpu, int cr, unsigned long value);
int kvml_priv_mov_from_cr(struct kvml_vcpu *vcpu, int cr, int reg);
/*
 * The same of CR0 and CR4 where RIP stays.  False: #GP is queued.  Hot are reads, and
 * writes if kvml_priv_cr_is_hot().
 */
void kvml_priv_get_cr(struct kvml_vcpu *vcpu, int cr, int reg);
bool kvml_priv_cr_is_hot(struct kvml_vcpu *vcpu, int cr, unsigned long value);
bool kvml_priv_set_cr(struct kvml_vcpu *vcpu, int cr, unsigned long value);
int kvml_priv_clts(struct kvml_vcpu *vcpu);
int kvml_priv_lmsw(struct kvml_vcpu *vcpu, u16 msw);
/* @dr: 0 to 7, @read: MOV from it. */
int kvml_priv_mov_dr(struct kvml_vcpu *vcpu, int dr, int reg, bool read);

/*
 * Of the hot exits, all but going past the instruction, which each vendor does
 * without an indirect call; interrupts are off.
 */
static inline void kvml_priv_cpuid(struct kvml_vcpu *vcpu)
{
	u32 eax = vcpu->reg[KVML_RAX], ecx = vcpu->reg[KVML_RCX], ebx, edx;
	u32 function = eax;

	kvml_cpuid(vcpu, &eax, &ebx, &ecx, &edx);
	trace_kvm_cpuid(function, (u32)vcpu->reg[KVML_RCX], eax, ebx, ecx, edx);
	vcpu->reg[KVML_RAX] = eax;
	vcpu->reg[KVML_RBX] = ebx;
	vcpu->reg[KVML_RCX] = ecx;
	vcpu->reg[KVML_RDX] = edx;
	vcpu->stat.cpuid_exits++;
}

/* False: #GP is queued. */
static inline bool kvml_priv_rdmsr(struct kvml_vcpu *vcpu)
{
	u32 index = vcpu->reg[KVML_RCX];
	u64 data;

	vcpu->stat.msr_exits++;
	if (kvml_msr_get(vcpu, index, &data, false)) {
		trace_kvm_msr(false, index, 0, true);
		/* Its handler runs: this is no fault of its delivery. */
		vcpu->event.exception.injected = false;
		kvml_queue_gp(vcpu);
		return false;
	}
	trace_kvm_msr(false, index, data, false);
	vcpu->reg[KVML_RAX] = (u32)data;
	vcpu->reg[KVML_RDX] = data >> 32;
	return true;
}

#endif /* _KVMLITE_PRIV_H */
