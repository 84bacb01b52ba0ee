// SPDX-License-Identifier: GPL-2.0
/*
 * Into the guest and back, and the exits that are dealt with on the spot:
 * CPUID, hypercalls, RDMSR.  They neither sleep nor need userspace, so
 * interrupts stay off and the next entry follows at once.
 */
#include <linux/context_tracking.h>
#include <linux/kvm_host.h>
#include <asm/mmu_context.h>
#include <asm/nospec-branch.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>

#include "base/trace.h"
#include "vcpu/debug.h"
#include "vcpu/event.h"
#include "vcpu/fpu.h"
#include "vcpu/priv.h"
#include "vcpu/pv.h"
#include "vcpu/vcpu.h"
#include "vm/run.h"
#include "vmx/count.h"
#include "vmx/entry.h"
#include "vmx/host.h"
#include "vmx/inject.h"
#include "vmx/run.h"
#include "vmx/state.h"
#include "vmx/vmcs.h"
#include "vmx/vmx.h"

/* Registers in reg[] that an exit leaves stale. */
#define VMCS_REGS (BIT(KVML_RSP) | BIT(KVML_RIP) | BIT(KVML_RFLAGS) |	\
		   BIT(KVML_CR0) | BIT(KVML_CR3) | BIT(KVML_CR4))

/* ---- hot exits: true, go in again ---- */

static bool hot_skip(struct kvml_vcpu *vcpu)
{
	kvml_vmx_skip_insn(vcpu);
	return !(vmx_rflags(vcpu) & X86_EFLAGS_TF) &&
	       !kvml_debug_single_step(vcpu);
}

/* Returns true if it is done; @again: and there is nothing else to do. */
static bool handle_hot(struct vmx_vcpu *vmx, bool *again)
{
	struct kvml_vcpu *vcpu = &vmx->vcpu;

	switch (vmx->exit_reason) {
	case EXIT_REASON_CPUID:
		kvml_priv_cpuid(vcpu);
		*again = hot_skip(vcpu);
		return true;
	case EXIT_REASON_VMCALL:
		vcpu->stat.hypercalls++;
		kvml_hypercall(vcpu);
		*again = hot_skip(vcpu);
		return true;
	case EXIT_REASON_MSR_READ:
		*again = kvml_priv_rdmsr(vcpu) && hot_skip(vcpu);
		return true;
	}
	return false;
}

/* ---- entry and exit ---- */

/* The host's page table and CR4 as they are now. */
static void sync_host(struct vmx_vcpu *vmx)
{
	unsigned long cr3 = __get_current_cr3_fast();
	unsigned long cr4 = cr4_read_shadow();

	if (unlikely(cr3 != vmx->host_cr3)) {
		vmcs_write(HOST_CR3, cr3);
		vmx->host_cr3 = cr3;
	}
	if (unlikely(cr4 != vmx->host_cr4)) {
		vmcs_write(HOST_CR4, cr4);
		vmx->host_cr4 = cr4;
	}
}

/* L1TF: what the host left in the L1 cache (SDM: IA32_FLUSH_CMD). */
static void flush_l1d(struct vmx_vcpu *vmx)
{
	if (!static_cpu_has_bug(X86_BUG_L1TF) || cpu_mitigations_off() ||
	    !static_cpu_has(X86_FEATURE_FLUSH_L1D))
		return;
	if (vmx->flush_l1d)
		native_wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	vmx->flush_l1d = false;
}

static __always_inline void enter_guest(struct vmx_vcpu *vmx)
{
	struct kvml_vcpu *vcpu = &vmx->vcpu;

	if (vcpu->cr2 != native_read_cr2())
		native_write_cr2(vcpu->cr2);
	vmx->entry_failed = kvml_vmx_enter(vcpu->reg, vmx->vmcs.launched,
					   &vmx->vmcs.host_rsp);
	vcpu->cr2 = native_read_cr2();
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

/* Exits that are the host's: while interrupts are off. */
static void handle_host_event(struct vmx_vcpu *vmx)
{
	u32 info;

	if (unlikely((u16)vmx->exit_reason == EXIT_REASON_MCE_DURING_VMENTRY))
		asm volatile("int $18");
	if (vmx->exit_reason != EXIT_REASON_EXCEPTION_NMI)
		return;
	info = vmcs_read(VM_EXIT_INTR_INFO);
	/* NMIs are blocked until an IRET: the handler's. */
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		asm volatile("int $2");
	else if ((info & INTR_INFO_VECTOR_MASK) == MC_VECTOR)
		asm volatile("int $18");
}

static void after_exit(struct vmx_vcpu *vmx)
{
	struct kvml_vcpu *vcpu = &vmx->vcpu;

	vcpu->reg_avail &= ~VMCS_REGS;
	vcpu->stat.exits++;
	if (unlikely(vmx->entry_failed)) {
		vmx->exit_reason = VMX_EXIT_REASONS_FAILED_VMENTRY;
		vmx->idt_vectoring = 0;
		return;
	}
	vmx->exit_reason = vmcs_read(VM_EXIT_REASON);
	/* A guest state that is not entered leaves the VMCS as it was. */
	if (likely(!(vmx->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY)))
		vmx->vmcs.launched = true;
	kvml_vmx_count_exit(vmx->exit_reason);
	trace_kvm_exit(vcpu, vmx->exit_reason);
}

/* What was injected has arrived, but for what the exit cut short. */
static void settle_events(struct vmx_vcpu *vmx)
{
	struct kvml_events *event = &vmx->vcpu.event;

	event->exception.injected = false;
	event->intr.injected = false;
	event->nmi.injected = false;
	if (unlikely(vmx->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY))
		return;
	vmx->idt_vectoring = vmcs_read(IDT_VECTORING_INFO_FIELD);
	if (unlikely(vmx->idt_vectoring & VECTORING_INFO_VALID_MASK))
		kvml_vmx_requeue(vmx);
}

void kvml_vmx_run(struct kvml_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	bool debug, done, again = false;

	kvml_vmx_host_save(vmx);
	sync_host(vmx);
	flush_l1d(vmx);
	if (unlikely(vmx->fpu_trap == vcpu->fpu_loaded))
		kvml_vmx_set_fpu_trap(vmx, !vcpu->fpu_loaded);
	if (vcpu->reg_dirty & VMCS_REGS)
		kvml_vmx_regs_flush(vmx);
	/* A step ends the shadow of STI; entry insists on it (SDM 27.3.1.5). */
	if (unlikely(kvml_debug_stepping(vcpu)))
		kvml_vmx_set_shadow(vcpu, 0);
	debug = kvml_debug_load(vcpu);
	kvml_fpu_enter_xcr0(vcpu);
	trace_kvm_entry(vcpu);
	enter_guest_first(vmx);
	after_exit(vmx);
	while ((done = handle_hot(vmx, &again)) && again &&
	       !kvml_vcpu_must_leave(vcpu)) {
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
	kvml_debug_unload(debug);
	if (unlikely(vmx->host_debugctl))
		update_debugctlmsr(vmx->host_debugctl);
	settle_events(vmx);
	handle_host_event(vmx);
	/* Dealt with: nothing is left for kvml_vmx_handle_exit(). */
	if (done)
		vmx->exit_reason = KVML_VMX_EXIT_DONE;
}
