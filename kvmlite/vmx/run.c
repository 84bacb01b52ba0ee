// SPDX-License-Identifier: GPL-2.0
/*
 * Into the guest and back, and the exits that are dealt with on the spot:
 * CPUID, hypercalls, MOV CR, MSRs, WBINVD.  They neither sleep nor need userspace,
 * so interrupts stay off and the next entry follows at once.
 */
#include <linux/kvm_host.h>
#include <asm/mmu_context.h>
#include <asm/tlbflush.h>

#include "base/hardware.h"
#include "vcpu/fpu.h"
#include "vcpu/priv.h"
#include "vcpu/regs.h"
#include "vm/run.h"
#include "vmx/entry.h"
#include "vmx/flush.h"
#include "vmx/host.h"
#include "vmx/vmx.h"

/* Registers in reg[] that an exit leaves stale. */
#define VMCS_REGS (BIT(KVML_RSP) | BIT(KVML_RIP) | BIT(KVML_RFLAGS) |	\
		   BIT(KVML_CR0) | BIT(KVML_CR3) | BIT(KVML_CR4))

/* ---- what the CPU reports of an exit ---- */

enum {
	NEED_LEN = BIT(0),	/* of the instruction, to skip it */
	NEED_QUAL = BIT(1),
	/* Exits that can come while an event is delivered (SDM 28.2.4). */
	NEED_IDT = BIT(2),
	NEED_GPA = BIT(3),	/* these can, too */
};

static const u8 exit_needs[] = {
	[EXIT_REASON_EXCEPTION_NMI] = NEED_IDT,
	[EXIT_REASON_TASK_SWITCH] = NEED_LEN | NEED_QUAL | NEED_IDT,
	[EXIT_REASON_HLT] = NEED_LEN,
	[EXIT_REASON_INVD] = NEED_LEN,
	[EXIT_REASON_CR_ACCESS] = NEED_LEN | NEED_QUAL,
	[EXIT_REASON_DR_ACCESS] = NEED_LEN | NEED_QUAL,
	[EXIT_REASON_IO_INSTRUCTION] = NEED_LEN | NEED_QUAL,
	[EXIT_REASON_MSR_WRITE] = NEED_LEN,
	[EXIT_REASON_MWAIT_INSTRUCTION] = NEED_LEN,
	[EXIT_REASON_MONITOR_INSTRUCTION] = NEED_LEN,
	[EXIT_REASON_PAUSE_INSTRUCTION] = NEED_LEN,
	[EXIT_REASON_EPT_VIOLATION] = NEED_QUAL | NEED_GPA | NEED_IDT,
	[EXIT_REASON_EPT_MISCONFIG] = NEED_GPA | NEED_IDT,
	[EXIT_REASON_XSETBV] = NEED_LEN,
};

/* INT1 is to be skipped; #DB says what it is of. */
static void read_exception(struct vmx_exit *exit)
{
	u32 info = exit->intr_info;

	if ((info & INTR_INFO_VECTOR_MASK) == MC_VECTOR)
		kvml_machine_check();
	if (info & INTR_INFO_DELIVER_CODE_MASK)
		exit->intr_error = vmcs_read(VM_EXIT_INTR_ERROR_CODE);
	if ((info & INTR_INFO_VECTOR_MASK) == DB_VECTOR)
		exit->qualification = vmcs_read(EXIT_QUALIFICATION);
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_PRIV_SW_EXCEPTION)
		exit->insn_len = vmcs_read(VM_EXIT_INSTRUCTION_LEN);
}

/*
 * The linear address (SDM volume 3, table 28-7), if there is one, if its own
 * translation faulted and not a walk to it, and if the page can be read: then
 * it may be a write to a slot that is read-only.
 */
static void read_gla(struct vmx_exit *exit)
{
	const unsigned long bits = BIT(8) | BIT(7) | BIT(3);

	exit->gla_valid = (exit->qualification & bits) == bits;
	if (exit->gla_valid)
		exit->gla = vmcs_read(GUEST_LINEAR_ADDRESS);
}

/* The event will be delivered again, with all that belongs to it. */
static void read_vectoring(struct vmx_exit *exit)
{
	exit->idt_error = 0;
	if (exit->idt_vectoring & VECTORING_INFO_DELIVER_CODE_MASK)
		exit->idt_error = vmcs_read(IDT_VECTORING_ERROR_CODE);
	exit->insn_len = vmcs_read(VM_EXIT_INSTRUCTION_LEN);
	/* For the VMM, if it cannot be. */
	exit->qualification = vmcs_read(EXIT_QUALIFICATION);
}

static void read_failed_entry(struct vmx_vcpu *vmx)
{
	if (vmx->entry_failed)
		vmx->exit.insn_error = vmcs_read(VM_INSTRUCTION_ERROR);
	else
		vmx->exit.qualification = vmcs_read(EXIT_QUALIFICATION);
	if ((u16)vmx->exit.reason == EXIT_REASON_MCE_DURING_VMENTRY)
		kvml_machine_check();
}

/*
 * Of an exit that is not hot.  The reason is there, and for an exception or NMI its
 * information.  A machine check is the host's.
 */
static void read_exit(struct vmx_vcpu *vmx)
{
	struct vmx_exit *exit = &vmx->exit;
	u8 needs = exit->reason < ARRAY_SIZE(exit_needs) ? exit_needs[exit->reason] : 0;

	if (unlikely(exit->reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
		read_failed_entry(vmx);
		return;
	}
	if (needs & NEED_LEN)
		exit->insn_len = vmcs_read(VM_EXIT_INSTRUCTION_LEN);
	if (needs & NEED_QUAL)
		exit->qualification = vmcs_read(EXIT_QUALIFICATION);
	if (!(needs & NEED_IDT))
		return;
	if (needs & NEED_GPA)
		exit->gpa = vmcs_read(GUEST_PHYSICAL_ADDRESS);
	if (exit->reason == EXIT_REASON_EPT_VIOLATION)
		read_gla(exit);
	if (exit->reason == EXIT_REASON_EXCEPTION_NMI)
		read_exception(exit);
	exit->idt_vectoring = vmcs_read(IDT_VECTORING_INFO_FIELD);
	if (unlikely(exit->idt_vectoring & VECTORING_INFO_VALID_MASK))
		read_vectoring(exit);
}

/* ---- hot exits: true, go in again ---- */

static bool hot_skip(struct vmx_vcpu *vmx)
{
	struct kvml_vcpu *vcpu = &vmx->vcpu;

	vmx->exit.insn_len = vmcs_read(VM_EXIT_INSTRUCTION_LEN);
	kvml_vmx_skip_insn(vcpu);
	return !(vmx_rflags(vcpu) & X86_EFLAGS_TF) && !kvml_debug_single_step(vcpu);
}

/* MOV to CR0 or CR4 only, of which table 28-3 of the SDM has these bits clear. */
static bool hot_mov_cr(struct vmx_vcpu *vmx, bool *again)
{
	unsigned long qual = vmcs_read(EXIT_QUALIFICATION);
	struct kvml_vcpu *vcpu = &vmx->vcpu;
	int cr = qual & 0xf, reg = qual >> 8 & 0xf;

	if (qual & 0x3b || !kvml_priv_cr_is_hot(vcpu, cr, kvml_reg(vcpu, reg)))
		return false;
	*again = kvml_priv_set_cr(vcpu, cr, kvml_reg(vcpu, reg)) && hot_skip(vmx);
	return true;
}

/* Returns true if it is done; @again: and there is nothing else to do. */
static bool handle_hot(struct vmx_vcpu *vmx, bool *again)
{
	struct kvml_vcpu *vcpu = &vmx->vcpu;

	switch (vmx->exit.reason) {
	case EXIT_REASON_CPUID:
		kvml_priv_cpuid(vcpu);
		*again = hot_skip(vmx);
		return true;
	case EXIT_REASON_VMCALL:
		vcpu->stat.hypercalls++;
		kvml_hypercall(vcpu);
		*again = hot_skip(vmx);
		return true;
	case EXIT_REASON_MSR_READ:
		*again = kvml_priv_rdmsr(vcpu) && hot_skip(vmx);
		return true;
	case EXIT_REASON_MSR_WRITE:
		if (!kvml_msr_write_is_hot(vcpu, vcpu->reg[KVML_RCX]))
			break;
		*again = kvml_priv_set_msr(vcpu) && hot_skip(vmx);
		return true;
	case EXIT_REASON_CR_ACCESS:
		if (!hot_mov_cr(vmx, again))
			break;
		return true;
	case EXIT_REASON_WBINVD:
		*again = hot_skip(vmx);
		return true;
	}
	read_exit(vmx);
	return false;
}

/* ---- entry and exit ---- */

/* The host's page table and CR4 as they are now. */
static void sync_host(struct vmx_vcpu *vmx)
{
	unsigned long cr3 = __native_read_cr3();
	unsigned long cr4 = native_read_cr4();

	if (unlikely(cr3 != vmx->host_cr3)) {
		vmcs_write(HOST_CR3, cr3);
		vmx->host_cr3 = cr3;
	}
	if (unlikely(cr4 != vmx->host_cr4)) {
		vmcs_write(HOST_CR4, cr4);
		vmx->host_cr4 = cr4;
	}
}

/*
 * The exit has blocked NMIs, which the IRET of the host's handler ends: it runs
 * before anything that could be traced or make a page fault, whose IRET would
 * end it too early.  INT 2 comes to it by its IST stack, as an NMI does, and
 * needs none of the entries that kernels have for KVM's use.
 */
static __always_inline void take_nmi(struct vmx_exit *exit)
{
	exit->intr_info = vmcs_read(VM_EXIT_INTR_INFO);
	if ((exit->intr_info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		asm volatile("int $2");
}

static __always_inline void enter_guest(struct vmx_vcpu *vmx)
{
	struct kvml_vcpu *vcpu = &vmx->vcpu;

	if (static_branch_unlikely(&kvml_vmx_flushing))
		kvml_vmx_flush(vmx);
	if (vcpu->cr2 != native_read_cr2())
		native_write_cr2(vcpu->cr2);
	vmx->entry_failed = kvml_vmx_enter(vcpu->reg, vmx->vmcs.launched,
					   &vmx->vmcs.host_rsp,
					   vmx->load_spec_ctrl);
	vcpu->cr2 = native_read_cr2();
	if (unlikely(vmx->entry_failed)) {
		vmx->exit.reason = VMX_EXIT_REASONS_FAILED_VMENTRY;
		return;
	}
	vmx->exit.reason = vmcs_read(VM_EXIT_REASON);
	if (unlikely(vmx->exit.reason == EXIT_REASON_EXCEPTION_NMI))
		take_nmi(&vmx->exit);
}

/* RCU and lockdep hear of it: the guest is like userspace to them. */
static noinstr void enter_guest_first(struct vmx_vcpu *vmx)
{
	guest_state_enter_irqoff();
	enter_guest(vmx);
	guest_state_exit_irqoff();
}

/*
 * A hot exit's way back.  The host did nothing but look at the exit, so RCU
 * need not be told again, unless it counts on being told (NO_HZ_FULL).
 */
static noinstr void enter_guest_again(struct vmx_vcpu *vmx)
{
	if (context_tracking_enabled_this_cpu()) {
		enter_guest_first(vmx);
		return;
	}
	instrumentation_begin();
	enter_guest(vmx);
	instrumentation_end();
}

static __always_inline void after_exit(struct vmx_vcpu *vmx)
{
	struct kvml_vcpu *vcpu = &vmx->vcpu;
	u32 reason = vmx->exit.reason;

	vcpu->reg_avail &= ~VMCS_REGS;
	vcpu->stat.exits++;
	/* A guest state that is not entered does not make it launched. */
	if (likely(!(reason & VMX_EXIT_REASONS_FAILED_VMENTRY)))
		vmx->vmcs.launched = true;
	if (static_branch_unlikely(&kvml_vmcs_counting))
		kvml_vmx_count(reason);
	trace_kvm_exit(vcpu, reason);
}

static void settle_events(struct vmx_vcpu *vmx)
{
	/* The next entry tries again. */
	if (unlikely(vmx->exit.reason & VMX_EXIT_REASONS_FAILED_VMENTRY))
		return;
	kvml_event_arrived(&vmx->vcpu.event);
	if (unlikely(vmx->exit.idt_vectoring & VECTORING_INFO_VALID_MASK))
		kvml_vmx_requeue(vmx);
}

bool kvml_vmx_run(struct kvml_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	bool done, again = false;
	u64 debugctl;

	/* So it stays with exits that cannot come while an event is delivered. */
	vmx->exit.idt_vectoring = 0;
	kvml_vmx_host_save(vmx);
	/* An exit clears it (SDM volume 3, 28.5.1). */
	debugctl = __rdmsr(MSR_IA32_DEBUGCTLMSR);
	if (static_branch_unlikely(&kvml_vmx_host_pebs))
		kvml_vmx_host_pebs_off(vmx);
	sync_host(vmx);
	if (unlikely(vmx->fpu_trap == vcpu->fpu_on))
		kvml_vmx_set_fpu_trap(vmx, !vcpu->fpu_on);
	if (vcpu->reg_dirty & VMCS_REGS)
		kvml_vmx_regs_flush(vmx);
	/* A step ends the shadow of STI; entry insists on it (SDM 27.3.1.5). */
	if (unlikely(kvml_debug_stepping(vcpu)))
		kvml_vmx_set_shadow(vcpu, 0);
	kvml_debug_enter(vcpu);
	kvml_fpu_enter_xcr0(vcpu);
	trace_kvm_entry(vcpu);
	enter_guest_first(vmx);
	after_exit(vmx);
	while ((done = handle_hot(vmx, &again)) && again && !kvml_vcpu_must_leave(vcpu)) {
		if (vcpu->reg_dirty & VMCS_REGS)
			kvml_vmx_regs_flush(vmx);
		trace_kvm_entry(vcpu);
		enter_guest_again(vmx);
		after_exit(vmx);
	}
	/* VMSCAPE: the VMM shall not run on branches that the guest trained. */
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
	kvml_fpu_leave_xcr0(vcpu);
	kvml_debug_leave(vcpu);
	if (unlikely(debugctl))
		update_debugctlmsr(debugctl);
	if (static_branch_unlikely(&kvml_vmx_host_pebs))
		kvml_vmx_host_pebs_on(vmx);
	settle_events(vmx);
	return done;
}
