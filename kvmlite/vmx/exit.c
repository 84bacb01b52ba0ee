// SPDX-License-Identifier: GPL-2.0
/*
 * VM exits, by a table of their reasons (SDM volume 3, appendix C).  Handlers
 * return as ops->handle_exit does; interrupts are on.
 */

#include "../../include/compat/mitigation.h"

#include "base/kick.h"
#include "emul/emulate.h"
#include "emul/task.h"
#include "io/io.h"
#include "mmu/mmu.h"
#include "vcpu/error.h"
#include "vcpu/event.h"
#include "vcpu/fpu.h"
#include "vcpu/priv.h"
#include "vmx/exit.h"
#include "vmx/vmx.h"

/* ---- exceptions ---- */

static int handle_db(struct kvml_vcpu *vcpu, u32 type)
{
	unsigned long bits = to_vmx(vcpu)->exit.qualification;

	if (vcpu->guest_debug.control & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP))
		return kvml_debug_exit(vcpu, DB_VECTOR, bits | DR6_RESERVED);
	/* INT1 is done; injected as hardware's, #DB returns to where RIP is. */
	if (type == INTR_TYPE_PRIV_SW_EXCEPTION)
		kvml_vmx_skip_insn(vcpu);
	return kvml_debug_queue_db(vcpu, bits);
}

/*
 * Alignment is checked for the guest's programs if it says so; else it is the
 * host, to which a locked access to two cache lines is an error (split lock).
 * That either warns the host and lets the VMM go on, or the VMM has to end.
 */
static int handle_ac(struct kvml_vcpu *vcpu, u32 error)
{
	if (kvml_vmx_ac_is_guests(boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT),
				  kvml_vmx_cpl(vcpu), kvml_reg(vcpu, KVML_CR0),
				  kvml_reg(vcpu, KVML_RFLAGS))) {
		return kvml_queue_exception_e(vcpu, AC_VECTOR, error);
	}
	if (compat_guest_split_lock(kvml_rip(vcpu)))
		return 1;
	vcpu->run->exit_reason = KVM_EXIT_EXCEPTION;
	vcpu->run->ex.exception = AC_VECTOR;
	vcpu->run->ex.error_code = error;
	return 0;
}

static int handle_exception(struct kvml_vcpu *vcpu)
{
	const struct vmx_exit *exit = &to_vmx(vcpu)->exit;
	u32 info = exit->intr_info;
	u8 vector = info & INTR_INFO_VECTOR_MASK;

	/* The host's: run.c has handled them. */
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR || vector == MC_VECTOR)
		return 1;
	vcpu->stat.exceptions++;
	/* An IRET that faulted has unblocked NMIs already (SDM 28.2.3). */
	if (info & INTR_INFO_UNBLOCK_NMI && vector != DF_VECTOR &&
	    !(exit->idt_vectoring & VECTORING_INFO_VALID_MASK))
		kvml_vmx_set_nmi_masked(vcpu, true);
	if (vector == DB_VECTOR)
		return handle_db(vcpu, info & INTR_INFO_INTR_TYPE_MASK);
	if (vector == UD_VECTOR) {
		to_vmx(vcpu)->flush_l1d = true;
		return kvml_emulate_ud(vcpu);
	}
	/* If the guest has set TS itself, the instruction faults again. */
	if (vector == NM_VECTOR && !vcpu->fpu_on) {
		kvml_fpu_use(vcpu);
		return 1;
	}
	if (vector == BP_VECTOR)
		return kvml_debug_exit(vcpu, BP_VECTOR, 0);
	if (vector == AC_VECTOR)
		return handle_ac(vcpu, exit->intr_error);
	if (info & INTR_INFO_DELIVER_CODE_MASK)
		return kvml_queue_exception_e(vcpu, vector, exit->intr_error);
	return kvml_queue_exception(vcpu, vector);
}

/* ---- interrupts ---- */

static int handle_interrupt_window(struct kvml_vcpu *vcpu)
{
	vcpu->stat.irq_window_exits++;
	kvml_vmx_set_cpu_control(to_vmx(vcpu), CPU_BASED_INTR_WINDOW_EXITING, false);
	kvml_vcpu_request(vcpu, KVML_REQ_EVENT);
	return 1;
}

static int handle_nmi_window(struct kvml_vcpu *vcpu)
{
	vcpu->stat.nmi_window_exits++;
	kvml_vmx_set_cpu_control(to_vmx(vcpu), CPU_BASED_NMI_WINDOW_EXITING, false);
	kvml_vcpu_request(vcpu, KVML_REQ_EVENT);
	return 1;
}

/* ---- instructions ---- */

/* SDM volume 3, table 28-5. */
static int handle_io(struct kvml_vcpu *vcpu)
{
	unsigned long qual = to_vmx(vcpu)->exit.qualification;
	unsigned int size = (qual & 7) + 1;
	u16 port = qual >> 16;

	vcpu->stat.io_exits++;
	vmx_rip(vcpu);
	if (qual & BIT(4)) {
		to_vmx(vcpu)->flush_l1d = true;
		return kvml_emulate_string_io(vcpu);
	}
	return qual & BIT(3) ? kvml_io_in(vcpu, port, size) :
			       kvml_io_out(vcpu, port, size);
}

/* ---- control and debug registers ---- */

/* SDM volume 3, table 28-3. */
static int handle_cr(struct kvml_vcpu *vcpu)
{
	unsigned long qual = to_vmx(vcpu)->exit.qualification;
	int cr = qual & 0xf, reg = qual >> 8 & 0xf;

	vcpu->stat.cr_exits++;
	switch (qual >> 4 & 3) {
	case 0:
		return kvml_priv_mov_to_cr(vcpu, cr, kvml_reg(vcpu, reg));
	case 1:
		return kvml_priv_mov_from_cr(vcpu, cr, reg);
	case 2:
		return kvml_priv_clts(vcpu);
	}
	return kvml_priv_lmsw(vcpu, qual >> 16);
}

/* SDM volume 3, table 28-4. */
static int handle_dr(struct kvml_vcpu *vcpu)
{
	unsigned long qual = to_vmx(vcpu)->exit.qualification;

	return kvml_priv_mov_dr(vcpu, qual & 7, qual >> 8 & 0xf, qual & BIT(4));
}

/* ---- tasks ---- */

/* SDM volume 3, table 28-2; reasons are numbered as there. */
static int handle_task_switch(struct kvml_vcpu *vcpu)
{
	const struct vmx_exit *exit = &to_vmx(vcpu)->exit;
	u32 type = exit->idt_vectoring & INTR_INFO_INTR_TYPE_MASK;
	struct kvml_task task = {
		.why = exit->qualification >> 30 & 3,
		.selector = exit->qualification, .soft = -1, .insn = true,
	};

	to_vmx(vcpu)->flush_l1d = true;
	if (!(exit->idt_vectoring & VECTORING_INFO_VALID_MASK))
		return kvml_task_switch(vcpu, &task);
	if (type == INTR_TYPE_SOFT_INTR)
		task.soft = exit->idt_vectoring & INTR_INFO_VECTOR_MASK;
	task.insn = type != INTR_TYPE_EXT_INTR && type != INTR_TYPE_NMI_INTR &&
		    type != INTR_TYPE_HARD_EXCEPTION;
	task.has_error = exit->idt_vectoring & VECTORING_INFO_DELIVER_CODE_MASK;
	task.error = exit->idt_error;
	return kvml_task_switch(vcpu, &task);
}

/* ---- memory ---- */

static int mmio(struct kvml_vcpu *vcpu, u64 gpa, unsigned long gva, u32 flags)
{
	const struct vmx_exit *exit = &to_vmx(vcpu)->exit;

	if (exit->idt_vectoring & VECTORING_INFO_VALID_MASK)
		return kvml_delivery_error(vcpu, exit->idt_vectoring, exit->reason,
					   exit->qualification, gpa);
	to_vmx(vcpu)->flush_l1d = true;
	return kvml_emulate_mmio(vcpu, gpa, gva, flags);
}

static int handle_ept_violation(struct kvml_vcpu *vcpu)
{
	const struct vmx_exit *exit = &to_vmx(vcpu)->exit;
	unsigned long qual = exit->qualification;
	int ret;

	if (unlikely(qual & INTR_INFO_UNBLOCK_NMI) &&
	    !(exit->idt_vectoring & VECTORING_INFO_VALID_MASK))
		kvml_vmx_set_nmi_masked(vcpu, true);
	trace_kvm_page_fault(vcpu, exit->gpa, qual);
	ret = kvml_mmu_fault(vcpu, exit->gpa, qual & 7);
	if (ret != KVML_FAULT_MMIO)
		return kvml_tell_signal(vcpu, ret);
	if (!exit->gla_valid)
		return mmio(vcpu, exit->gpa, 0, KVML_MMIO_WALK);
	return mmio(vcpu, exit->gpa, exit->gla, KVML_MMIO_GVA |
		    (qual & KVML_ACCESS_WRITE ? KVML_MMIO_WRITE : 0));
}

static int handle_ept_misconfig(struct kvml_vcpu *vcpu)
{
	u64 gpa = to_vmx(vcpu)->exit.gpa;
	int ret = KVML_FAULT_MMIO;

	if (!kvml_mmu_is_mmio(vcpu, gpa))
		ret = kvml_mmu_fault(vcpu, gpa, KVML_ACCESS_READ);
	if (ret != KVML_FAULT_MMIO)
		return kvml_tell_signal(vcpu, ret);
	return mmio(vcpu, gpa, 0, KVML_MMIO_EITHER);
}

static int (*const exit_handlers[])(struct kvml_vcpu *vcpu) = {
	[EXIT_REASON_EXCEPTION_NMI] = handle_exception,
	[EXIT_REASON_EXTERNAL_INTERRUPT] = kvml_exit_interrupt,
	[EXIT_REASON_TRIPLE_FAULT] = kvml_exit_shutdown,
	[EXIT_REASON_INTERRUPT_WINDOW] = handle_interrupt_window,
	[EXIT_REASON_NMI_WINDOW] = handle_nmi_window,
	[EXIT_REASON_TASK_SWITCH] = handle_task_switch,
	[EXIT_REASON_HLT] = kvml_priv_hlt,
	[EXIT_REASON_INVD] = kvml_priv_skip,
	[EXIT_REASON_RDPMC] = kvml_priv_gp,
	[EXIT_REASON_VMCLEAR ... EXIT_REASON_VMON] = kvml_priv_ud,
	[EXIT_REASON_CR_ACCESS] = handle_cr,
	[EXIT_REASON_DR_ACCESS] = handle_dr,
	[EXIT_REASON_IO_INSTRUCTION] = handle_io,
	[EXIT_REASON_MSR_WRITE] = kvml_priv_wrmsr,
	[EXIT_REASON_MWAIT_INSTRUCTION] = kvml_priv_mwait,
	[EXIT_REASON_MONITOR_INSTRUCTION] = kvml_priv_mwait,
	[EXIT_REASON_PAUSE_INSTRUCTION] = kvml_priv_skip,
	[EXIT_REASON_EPT_VIOLATION] = handle_ept_violation,
	[EXIT_REASON_EPT_MISCONFIG] = handle_ept_misconfig,
	[EXIT_REASON_INVEPT] = kvml_priv_ud,
	[EXIT_REASON_PREEMPTION_TIMER] = kvml_exit_nothing,
	[EXIT_REASON_INVVPID] = kvml_priv_ud,
	[EXIT_REASON_XSETBV] = kvml_priv_xsetbv,
	[EXIT_REASON_INVPCID] = kvml_priv_ud,
	/* A guest has no SGX; the CPU's may be there all the same. */
	[EXIT_REASON_ENCLS] = kvml_priv_ud,
	/* SEAMCALL and TDCALL, of TDX: they exit whatever the controls say. */
	[76 ... 77] = kvml_priv_ud,
};

int kvml_vmx_handle_exit(struct kvml_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 reason = vmx->exit.reason;

	if (unlikely(reason & VMX_EXIT_REASONS_FAILED_VMENTRY))
		return kvml_vmx_entry_failed(vmx);
	if (likely(reason < ARRAY_SIZE(exit_handlers))) {
		reason = array_index_nospec(reason, ARRAY_SIZE(exit_handlers));
		if (likely(exit_handlers[reason]))
			return exit_handlers[reason](vcpu);
	}
	/* What no control of ours asks for. */
	return kvml_exit_unexpected(vcpu, vmx->exit.reason);
}
