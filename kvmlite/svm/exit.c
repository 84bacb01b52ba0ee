// SPDX-License-Identifier: GPL-2.0
/*
 * #VMEXITs, by a table of their codes (APM volume 2, appendix C).  Handlers
 * return as ops->handle_exit does; interrupts are on.
 */
#include <asm/irq_vectors.h>
#include <asm/traps.h>

#include "base/kick.h"
#include "emul/emulate.h"
#include "emul/task.h"
#include "io/io.h"
#include "svm/assist.h"
#include "svm/inject.h"
#include "svm/insn.h"
#include "vcpu/error.h"
#include "vcpu/event.h"
#include "vcpu/fpu.h"
#include "vcpu/priv.h"

/* ---- exceptions ---- */

/* The CPU has set DR6, and cleared GD of DR7 (15.12.2). */
static unsigned long take_dr6(struct svm_vcpu *svm)
{
	unsigned long bits = svm->vmcb->save.dr6 ^ DR6_RESERVED;

	svm->vmcb->save.dr6 = DR6_RESERVED;
	svm->vmcb->save.dr7 = kvml_debug_dr7(&svm->vcpu);
	vmcb_dirty(svm->vmcb, VMCB_DR);
	return bits & (DR_TRAP_BITS | KVML_DR6_BD | DR_STEP | DR_SWITCH);
}

static int handle_db(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	unsigned long bits = take_dr6(svm);
	bool stepped = svm->nmi_step;

	if (stepped) {
		kvml_svm_end_nmi_step(svm);
		kvml_vcpu_request(vcpu, KVML_REQ_EVENT);
		if (!svm->nmi_step_tf)
			bits &= ~DR_STEP;
	}
	if (stepped && !bits)
		return 1;
	if (vcpu->guest_debug.control & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP))
		return kvml_debug_exit(vcpu, DB_VECTOR, bits | DR6_RESERVED);
	return kvml_debug_queue_db(vcpu, bits);
}

static int handle_exception(struct kvml_vcpu *vcpu)
{
	vcpu->stat.exceptions++;
	switch (to_svm(vcpu)->exit.code - SVM_EXIT_EXCP_BASE) {
	case DB_VECTOR:
		return handle_db(vcpu);
	case BP_VECTOR:
		return kvml_debug_exit(vcpu, BP_VECTOR, 0);
	case UD_VECTOR:
		return kvml_emulate_ud(vcpu);
	case NM_VECTOR:
		/* If the guest has set TS itself, the instruction faults again. */
		if (vcpu->fpu_on)
			return kvml_queue_exception(vcpu, NM_VECTOR);
		kvml_fpu_use(vcpu);
		return 1;
	}
	/* #AC: an endless loop of them would keep the CPU (CVE-2015-5307). */
	return kvml_queue_exception_e(vcpu, AC_VECTOR, 0);
}

/* ---- interrupts ---- */

static int handle_vintr(struct kvml_vcpu *vcpu)
{
	vcpu->stat.irq_window_exits++;
	kvml_svm_close_intr_window(to_svm(vcpu));
	kvml_vcpu_request(vcpu, KVML_REQ_EVENT);
	return 1;
}

/* About to be carried out: NMIs come again with the instruction after it. */
static int handle_iret(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	vcpu->stat.nmi_window_exits++;
	vmcb_intercept(svm->vmcb, INTERCEPT_IRET, false);
	svm->nmi_iret = true;
	svm->nmi_iret_rip = kvml_rip(vcpu);
	kvml_vcpu_request(vcpu, KVML_REQ_EVENT);
	return 1;
}

/* ---- instructions ---- */

/* Where run.c cannot: the CPU does not tell the next RIP. */
static int handle_cpuid(struct kvml_vcpu *vcpu)
{
	kvml_priv_cpuid(vcpu);
	return kvml_priv_skip(vcpu);
}

static int handle_vmmcall(struct kvml_vcpu *vcpu)
{
	vcpu->stat.hypercalls++;
	kvml_hypercall(vcpu);
	return kvml_priv_skip(vcpu);
}

static int handle_msr(struct kvml_vcpu *vcpu)
{
	if (to_svm(vcpu)->exit.info_1)
		return kvml_priv_wrmsr(vcpu);
	return kvml_priv_rdmsr(vcpu) ? kvml_priv_skip(vcpu) : 1;
}

/* 15.10.2. */
static int handle_io(struct kvml_vcpu *vcpu)
{
	u32 info = to_svm(vcpu)->exit.info_1;
	unsigned int size = (info & SVM_IOIO_SIZE_MASK) >> SVM_IOIO_SIZE_SHIFT;
	u16 port = info >> 16;

	vcpu->stat.io_exits++;
	if (info & SVM_IOIO_STR_MASK)
		return kvml_emulate_string_io(vcpu);
	return info & SVM_IOIO_TYPE_MASK ? kvml_io_in(vcpu, port, size) :
					   kvml_io_out(vcpu, port, size);
}

/* ---- control and debug registers ---- */

static int handle_smsw(struct kvml_vcpu *vcpu, const struct svm_insn *insn)
{
	unsigned long value = kvml_reg(vcpu, KVML_CR0);
	int reg = svm_insn_rm(insn);

	if (insn->small)
		value = (kvml_reg(vcpu, reg) & ~0xfffful) | (value & 0xffff);
	kvml_reg_set(vcpu, reg, value);
	return kvml_priv_skip(vcpu);
}

/* CLTS, LMSW, SMSW. */
static int handle_msw(struct kvml_vcpu *vcpu, const struct svm_insn *insn)
{
	if (insn->opcode == 0x06)
		return kvml_priv_clts(vcpu);
	if (insn->opcode != 0x01)
		return kvml_priv_ud(vcpu);
	if (!svm_insn_is_reg(insn))
		return kvml_emulate(vcpu);
	if ((insn->modrm >> 3 & 7) == 6)
		return kvml_priv_lmsw(vcpu, kvml_reg(vcpu, svm_insn_rm(insn)));
	return handle_smsw(vcpu, insn);
}

static int handle_cr(struct kvml_vcpu *vcpu)
{
	const struct svm_exit *exit = &to_svm(vcpu)->exit;
	bool write = exit->code & 0x10;
	struct svm_insn insn;
	int cr = exit->code & 0xf, reg, r;

	vcpu->stat.cr_exits++;
	if (exit->code == SVM_EXIT_CR0_SEL_WRITE) {
		cr = 0;
		write = true;
	}
	reg = svm_mov_cr_reg(&kvml_svm_caps, exit->info_1);
	if (reg < 0) {
		r = kvml_svm_take_insn(to_svm(vcpu), &insn);
		if (r)
			return r;
		if (insn.opcode != 0x20 && insn.opcode != 0x22)
			return handle_msw(vcpu, &insn);
		reg = svm_insn_rm(&insn);
	}
	return write ? kvml_priv_mov_to_cr(vcpu, cr, kvml_reg(vcpu, reg)) :
		       kvml_priv_mov_from_cr(vcpu, cr, reg);
}

static int handle_dr(struct kvml_vcpu *vcpu)
{
	const struct svm_exit *exit = &to_svm(vcpu)->exit;
	struct svm_insn insn;
	int reg, r;

	reg = svm_mov_dr_reg(&kvml_svm_caps, exit->info_1);
	if (reg < 0) {
		r = kvml_svm_take_insn(to_svm(vcpu), &insn);
		if (r)
			return r;
		reg = svm_insn_rm(&insn);
	}
	return kvml_priv_mov_dr(vcpu, exit->code & 7, reg, !(exit->code & 0x10));
}

/* ---- tasks ---- */

/* 15.14.1.  What was on its way by a task gate is in EXITINTINFO. */
static int handle_task_switch(struct kvml_vcpu *vcpu)
{
	const struct svm_exit *exit = &to_svm(vcpu)->exit;
	u32 type = exit->int_info & SVM_EXITINTINFO_TYPE_MASK;
	u8 vector = exit->int_info & SVM_EXITINTINFO_VEC_MASK;
	struct kvml_task task = {
		.why = KVML_TASK_CALL, .selector = exit->info_1, .soft = -1,
	};

	if (exit->info_2 & BIT_ULL(SVM_EXITINFOSHIFT_TS_REASON_IRET))
		task.why = KVML_TASK_IRET;
	else if (exit->info_2 & BIT_ULL(SVM_EXITINFOSHIFT_TS_REASON_JMP))
		task.why = KVML_TASK_JMP;
	else if (exit->int_info)
		task.why = KVML_TASK_GATE;
	task.insn = task.why != KVML_TASK_GATE;
	if (task.insn)
		return kvml_task_switch(vcpu, &task);
	if (type == SVM_EXITINTINFO_TYPE_SOFT)
		task.soft = vector;
	task.insn = task.soft >= 0 || (type == SVM_EXITINTINFO_TYPE_EXEPT &&
				       (vector == BP_VECTOR || vector == OF_VECTOR));
	task.has_error = exit->info_2 &
			 BIT_ULL(SVM_EXITINFOSHIFT_TS_HAS_ERROR_CODE);
	task.error = exit->info_2;
	return kvml_task_switch(vcpu, &task);
}

/* ---- memory ---- */

/* Of EXITINFO1 (15.25.6). */
#define NPF_WRITE	BIT(1)
#define NPF_RESERVED	BIT(3)
#define NPF_FETCH	BIT(4)
#define NPF_WALK	BIT_ULL(33)	/* the CPU walked the guest's tables */

static u32 npf_access(u32 error)
{
	if (error & NPF_WRITE)
		return KVML_ACCESS_WRITE;
	return error & NPF_FETCH ? KVML_ACCESS_EXEC : KVML_ACCESS_READ;
}

static int handle_npf(struct kvml_vcpu *vcpu)
{
	const struct svm_exit *exit = &to_svm(vcpu)->exit;
	u64 gpa = exit->info_2;
	u64 error = exit->info_1;
	int ret = KVML_FAULT_MMIO;

	trace_kvm_page_fault(vcpu, gpa, error);
	if (!(error & NPF_RESERVED) || !kvml_mmu_is_mmio(vcpu, gpa))
		ret = kvml_mmu_fault(vcpu, gpa, npf_access(error));
	if (ret != KVML_FAULT_MMIO)
		return kvml_tell_signal(vcpu, ret);
	if (exit->int_info)
		return kvml_delivery_error(vcpu, exit->int_info, exit->code, error, gpa);
	return kvml_emulate_mmio(vcpu, gpa, 0, (error & NPF_WRITE ? KVML_MMIO_WRITE : 0) |
					       (error & NPF_WALK ? KVML_MMIO_WALK : 0));
}

static int (*const exit_handlers[])(struct kvml_vcpu *vcpu) = {
	[SVM_EXIT_READ_CR0] = handle_cr,
	[SVM_EXIT_READ_CR4] = handle_cr,
	[SVM_EXIT_WRITE_CR0] = handle_cr,
	[SVM_EXIT_WRITE_CR4] = handle_cr,
	[SVM_EXIT_WRITE_CR8] = handle_cr,
	[SVM_EXIT_READ_DR0 ... SVM_EXIT_READ_DR7] = handle_dr,
	[SVM_EXIT_WRITE_DR0 ... SVM_EXIT_WRITE_DR7] = handle_dr,
	[SVM_EXIT_EXCP_BASE + DB_VECTOR] = handle_exception,
	[SVM_EXIT_EXCP_BASE + BP_VECTOR] = handle_exception,
	[SVM_EXIT_EXCP_BASE + UD_VECTOR] = handle_exception,
	[SVM_EXIT_EXCP_BASE + NM_VECTOR] = handle_exception,
	[SVM_EXIT_EXCP_BASE + AC_VECTOR] = handle_exception,
	[SVM_EXIT_EXCP_BASE + MC_VECTOR] = kvml_exit_nothing,
	[SVM_EXIT_INTR] = kvml_exit_interrupt,
	[SVM_EXIT_NMI ... SVM_EXIT_INIT] = kvml_exit_nothing,
	[SVM_EXIT_VINTR] = handle_vintr,
	[SVM_EXIT_CR0_SEL_WRITE] = handle_cr,
	[SVM_EXIT_RDPMC] = kvml_priv_gp,
	[SVM_EXIT_CPUID] = handle_cpuid,
	[SVM_EXIT_RSM] = kvml_priv_ud,
	[SVM_EXIT_IRET] = handle_iret,
	[SVM_EXIT_INVD] = kvml_priv_skip,
	[SVM_EXIT_HLT] = kvml_priv_hlt,
	[SVM_EXIT_INVLPGA] = kvml_priv_ud,
	[SVM_EXIT_IOIO] = handle_io,
	[SVM_EXIT_MSR] = handle_msr,
	[SVM_EXIT_TASK_SWITCH] = handle_task_switch,
	[SVM_EXIT_SHUTDOWN] = kvml_exit_shutdown,
	[SVM_EXIT_VMRUN] = kvml_priv_ud,
	[SVM_EXIT_VMMCALL] = handle_vmmcall,
	[SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT] = kvml_priv_ud,
	[SVM_EXIT_WBINVD] = kvml_priv_skip,
	[SVM_EXIT_MONITOR ... SVM_EXIT_MWAIT] = kvml_priv_mwait,
	[SVM_EXIT_XSETBV] = kvml_priv_xsetbv,
	[SVM_EXIT_RDPRU] = kvml_priv_ud,
};

int kvml_svm_handle_exit(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u32 code = svm->exit.code;

	if (code == SVM_EXIT_NPF)
		return handle_npf(vcpu);
	if (unlikely(code == (u32)SVM_EXIT_ERR))
		return kvml_svm_entry_failed(svm);
	if (likely(code < ARRAY_SIZE(exit_handlers))) {
		code = array_index_nospec(code, ARRAY_SIZE(exit_handlers));
		if (likely(exit_handlers[code]))
			return exit_handlers[code](vcpu);
	}
	/* What no intercept of ours asks for. */
	return kvml_exit_unexpected(vcpu, svm->exit.code);
}
