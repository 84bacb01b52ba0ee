// SPDX-License-Identifier: GPL-2.0
/* Privileged instructions of the guest. See priv.h. */
#include <asm/traps.h>

#include "base/quirk.h"
#include "vcpu/debug.h"
#include "vcpu/error.h"
#include "vcpu/fpu.h"
#include "vcpu/priv.h"
#include "vcpu/regs.h"

int kvml_priv_skip(struct kvml_vcpu *vcpu)
{
	kvml_ops->skip_insn(vcpu);
	return kvml_debug_step(vcpu);
}

int kvml_priv_gp(struct kvml_vcpu *vcpu)
{
	return kvml_queue_gp(vcpu);
}

int kvml_priv_ud(struct kvml_vcpu *vcpu)
{
	return kvml_queue_exception(vcpu, X86_TRAP_UD);
}

static int skip_or_gp(struct kvml_vcpu *vcpu, int fault)
{
	return fault ? kvml_priv_gp(vcpu) : kvml_priv_skip(vcpu);
}

int kvml_priv_hlt(struct kvml_vcpu *vcpu)
{
	return kvml_exit_hlt(vcpu, kvml_priv_skip(vcpu));
}

int kvml_priv_mwait(struct kvml_vcpu *vcpu)
{
	if (!kvml_has_quirk(vcpu, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) &&
	    !kvml_cpuid_has(vcpu, X86_FEATURE_MWAIT))
		return kvml_priv_ud(vcpu);
	return kvml_priv_skip(vcpu);
}

/* Its handler runs: this is no fault of its delivery. */
static bool hot_gp(struct kvml_vcpu *vcpu)
{
	vcpu->event.exception.injected = false;
	kvml_queue_gp(vcpu);
	return false;
}

bool kvml_priv_set_msr(struct kvml_vcpu *vcpu)
{
	u32 index = vcpu->reg[KVML_RCX];
	u64 data = (u32)vcpu->reg[KVML_RAX] | vcpu->reg[KVML_RDX] << 32;
	int fault = kvml_msr_set(vcpu, index, data, false);

	vcpu->stat.msr_exits++;
	trace_kvm_msr(true, index, data, fault);
	return !fault || hot_gp(vcpu);
}

int kvml_priv_wrmsr(struct kvml_vcpu *vcpu)
{
	return kvml_priv_set_msr(vcpu) ? kvml_priv_skip(vcpu) : 1;
}

int kvml_priv_xsetbv(struct kvml_vcpu *vcpu)
{
	u64 value = (u32)vcpu->reg[KVML_RAX] | vcpu->reg[KVML_RDX] << 32;
	int fault = kvml_ops->cpl(vcpu) || kvml_fpu_set_xcr0(vcpu, vcpu->reg[KVML_RCX], value);

	return skip_or_gp(vcpu, fault);
}

/* ---- control registers ---- */

static int mov_to_cr8(struct kvml_vcpu *vcpu, unsigned long value)
{
	unsigned long old = vcpu->cr8;
	int ret;

	if (kvml_cr8_write(vcpu, value))
		return kvml_priv_gp(vcpu);
	ret = kvml_priv_skip(vcpu);
	/* Userspace has the APIC: a lower priority may let something in. */
	if (ret <= 0 || vcpu->cr8 >= old)
		return ret;
	vcpu->run->exit_reason = KVM_EXIT_SET_TPR;
	return 0;
}

/* With EPT and NPT nobody asks for exits of MOV to and from CR3. */
int kvml_priv_mov_to_cr(struct kvml_vcpu *vcpu, int cr, unsigned long value)
{
	switch (cr) {
	case 0:
		return skip_or_gp(vcpu, kvml_cr0_write(vcpu, value));
	case 4:
		return skip_or_gp(vcpu, kvml_cr4_write(vcpu, value));
	case 8:
		return mov_to_cr8(vcpu, value);
	}
	return kvml_priv_ud(vcpu);
}

int kvml_priv_mov_from_cr(struct kvml_vcpu *vcpu, int cr, int reg)
{
	if (cr == 8)
		kvml_reg_set(vcpu, reg, vcpu->cr8);
	else
		kvml_priv_get_cr(vcpu, cr, reg);
	return kvml_priv_skip(vcpu);
}

void kvml_priv_get_cr(struct kvml_vcpu *vcpu, int cr, int reg)
{
	kvml_reg_set(vcpu, reg, kvml_reg(vcpu, cr ? KVML_CR4 : KVML_CR0));
}

/*
 * Paging goes on and off with EFER.LMA and with tables to be read, and XCR0 is
 * the guest's with OSXSAVE: it has been loaded for this entry.
 */
bool kvml_priv_cr_is_hot(struct kvml_vcpu *vcpu, int cr, unsigned long value)
{
	unsigned long old = kvml_reg(vcpu, cr ? KVML_CR4 : KVML_CR0);

	return kvml_long_mode(vcpu) && !((old ^ value) & (cr ? X86_CR4_OSXSAVE : X86_CR0_PG));
}

bool kvml_priv_set_cr(struct kvml_vcpu *vcpu, int cr, unsigned long value)
{
	vcpu->stat.cr_exits++;
	return !(cr ? kvml_cr4_write(vcpu, value) : kvml_cr0_write(vcpu, value)) ||
	       hot_gp(vcpu);
}

int kvml_priv_clts(struct kvml_vcpu *vcpu)
{
	return skip_or_gp(vcpu, kvml_cr0_write(vcpu, kvml_reg(vcpu, KVML_CR0) & ~X86_CR0_TS));
}

/* LMSW changes MP, EM and TS, and sets PE. */
int kvml_priv_lmsw(struct kvml_vcpu *vcpu, u16 msw)
{
	unsigned long cr0 = kvml_reg(vcpu, KVML_CR0);
	unsigned long bits = (msw & 0xf) | (cr0 & X86_CR0_PE);

	return skip_or_gp(vcpu, kvml_cr0_write(vcpu, (cr0 & ~0xful) | bits));
}

/* ---- debug registers ---- */

/* The access itself is what the guest asked to be told of. */
static int dr_detect(struct kvml_vcpu *vcpu)
{
	if (kvml_debug_owns_db(vcpu))
		return kvml_debug_exit(vcpu, X86_TRAP_DB, KVML_DR6_BD | DR6_RESERVED);
	return kvml_debug_queue_db(vcpu, KVML_DR6_BD);
}

int kvml_priv_mov_dr(struct kvml_vcpu *vcpu, int dr, int reg, bool read)
{
	if (dr == 4 || dr == 5) {
		if (kvml_reg(vcpu, KVML_CR4) & X86_CR4_DE)
			return kvml_priv_ud(vcpu);
		dr += 2;
	}
	if (kvml_ops->cpl(vcpu))
		return kvml_priv_gp(vcpu);
	if (kvml_debug_dr7(vcpu) & KVML_DR7_GD)
		return dr_detect(vcpu);
	if (read)
		kvml_reg_set(vcpu, reg, kvml_dr_read(vcpu, dr));
	else if (kvml_dr_write(vcpu, dr, kvml_reg(vcpu, reg)))
		return kvml_priv_gp(vcpu);
	kvml_debug_open(vcpu);
	return kvml_priv_skip(vcpu);
}
