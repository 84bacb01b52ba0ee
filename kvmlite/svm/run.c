// SPDX-License-Identifier: GPL-2.0
/*
 * Into the guest and back, and the exits that are dealt with on the spot:
 * CPUID, hypercalls, RDMSR.  They neither sleep nor need userspace, so
 * interrupts stay off and the next entry follows at once.
 */
#include <linux/context_tracking.h>
#include <linux/kvm_host.h>
#include <asm/nospec-branch.h>
#include <asm/processor.h>

#include "base/trace.h"
#include "svm/asid.h"
#include "svm/caps.h"
#include "svm/entry.h"
#include "svm/host.h"
#include "svm/inject.h"
#include "svm/insn.h"
#include "svm/run.h"
#include "svm/state.h"
#include "svm/svm.h"
#include "svm/vmcb.h"
#include "vcpu/debug.h"
#include "vcpu/fpu.h"
#include "vcpu/priv.h"
#include "vcpu/pv.h"
#include "vcpu/vcpu.h"
#include "vm/run.h"

/* Registers in reg[] that an exit leaves stale. */
#define VMCB_REGS (BIT(KVML_RSP) | BIT(KVML_RIP) | BIT(KVML_RFLAGS) |	\
		   BIT(KVML_CR0) | BIT(KVML_CR3))

/* ---- hot exits: true, go in again ---- */

static bool hot_skip(struct kvml_vcpu *vcpu)
{
	kvml_svm_skip_insn(vcpu);
	return !(kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_TF) &&
	       !kvml_debug_single_step(vcpu) && !to_svm(vcpu)->nmi_step;
}

/* To read the instruction may sleep, but mostly need not. */
static bool knows_next_rip(struct svm_vcpu *svm)
{
	struct svm_insn insn;

	if (likely(svm->next_rip))
		return true;
	if (!kvml_svm_insn_read_known(&svm->vcpu, &insn))
		return false;
	svm->next_rip = kvml_svm_insn_next(&svm->vcpu, &insn);
	return true;
}

static bool is_hot(const struct svm_vcpu *svm)
{
	switch (svm->exit_code) {
	case SVM_EXIT_CPUID:
	case SVM_EXIT_VMMCALL:
		return true;
	case SVM_EXIT_MSR:
		return !svm->vmcb->control.exit_info_1;	/* RDMSR */
	}
	return false;
}

/* Returns true if it is done; @again: and there is nothing else to do. */
static bool handle_hot(struct svm_vcpu *svm, bool *again)
{
	struct kvml_vcpu *vcpu = &svm->vcpu;

	if (!is_hot(svm) || !knows_next_rip(svm))
		return false;
	if (svm->exit_code == SVM_EXIT_MSR) {
		*again = kvml_priv_rdmsr(vcpu) && hot_skip(vcpu);
		return true;
	}
	if (svm->exit_code == SVM_EXIT_CPUID) {
		kvml_priv_cpuid(vcpu);
	} else {
		vcpu->stat.hypercalls++;
		kvml_hypercall(vcpu);
	}
	*again = hot_skip(vcpu);
	return true;
}

/* ---- entry and exit ---- */

static __always_inline void enter_guest(struct svm_vcpu *svm, u64 host)
{
	amd_clear_divider();
	svm->entry_failed = kvml_svm_enter(svm->vcpu.reg, __pa(svm->vmcb),
					   host);
}

/* RCU and lockdep hear of it: the guest is like userspace to them. */
static noinstr void enter_guest_first(struct svm_vcpu *svm, u64 host)
{
	guest_state_enter_irqoff();
	enter_guest(svm, host);
	guest_state_exit_irqoff();
}

/*
 * A hot exit's way back.  The host did nothing but look at the exit, so RCU
 * need not be told again, unless it counts on being told (NO_HZ_FULL).
 */
static noinstr void enter_guest_again(struct svm_vcpu *svm, u64 host)
{
	if (context_tracking_enabled_this_cpu()) {
		enter_guest_first(svm, host);
		return;
	}
	instrumentation_begin();
	enter_guest(svm, host);
	instrumentation_end();
}

static void before_entry(struct svm_vcpu *svm)
{
	struct kvml_vcpu *vcpu = &svm->vcpu;
	struct vmcb *vmcb = svm->vmcb;

	if (vcpu->reg_dirty & VMCB_REGS)
		kvml_svm_regs_flush(svm);
	vmcb->save.rax = vcpu->reg[KVML_RAX];
	vmcb->save.cr2 = vcpu->cr2;
	vmcb->control.int_ctl = (vmcb->control.int_ctl & ~V_TPR_MASK) |
				vcpu->cr8;
	trace_kvm_entry(vcpu);
}

/* EXITINFO2 of IN and OUT is the next RIP, whatever else the CPU tells. */
static u64 next_rip(const struct svm_vcpu *svm)
{
	const struct vmcb_control_area *control = &svm->vmcb->control;

	if (svm->exit_code == SVM_EXIT_IOIO)
		return control->exit_info_2;
	return kvml_svm_caps.nrips ? control->next_rip : 0;
}

/* What the CPU knows of the VMCB now, and whether it has flushed (15.5.1). */
static void after_vmrun(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;

	if (unlikely(svm->exit_code == (u32)SVM_EXIT_ERR)) {
		control->clean = 0;
		return;
	}
	control->clean = VMCB_CLEAN;
	if (unlikely(control->tlb_ctl))
		kvml_svm_asid_entered(svm);
}

static void after_exit(struct svm_vcpu *svm)
{
	struct kvml_vcpu *vcpu = &svm->vcpu;
	struct vmcb *vmcb = svm->vmcb;

	vcpu->reg_avail &= ~VMCB_REGS;
	vcpu->stat.exits++;
	vcpu->reg[KVML_RAX] = vmcb->save.rax;
	vcpu->cr2 = vmcb->save.cr2;
	if (unlikely(svm->entry_failed)) {
		svm->exit_code = SVM_EXIT_ERR;
		return;
	}
	svm->exit_code = vmcb->control.exit_code;
	svm->next_rip = next_rip(svm);
	after_vmrun(svm);
	trace_kvm_exit(vcpu, svm->exit_code);
}

/* Interrupts and NMIs of the host were taken when they came on. */
static void handle_machine_check(struct svm_vcpu *svm)
{
	if (unlikely(svm->exit_code == SVM_EXIT_EXCP_BASE + MC_VECTOR))
		asm volatile("int $18");
}

void kvml_svm_run(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	bool debug, done, again = false;
	u64 host = kvml_svm_host_save(svm);

	kvml_svm_asid_prepare(svm);
	if (unlikely(svm->fpu_trap == vcpu->fpu_loaded))
		kvml_svm_set_fpu_trap(svm, !vcpu->fpu_loaded);
	debug = kvml_debug_load(vcpu);
	kvml_fpu_enter_xcr0(vcpu);
	before_entry(svm);
	enter_guest_first(svm, host);
	after_exit(svm);
	while ((done = handle_hot(svm, &again)) && again &&
	       !kvml_vcpu_must_leave(vcpu)) {
		svm->vmcb->control.event_inj = 0;
		svm->soft_len = 0;
		before_entry(svm);
		enter_guest_again(svm, host);
		after_exit(svm);
	}
	/* VMSCAPE: the VMM shall not run on branches that the guest trained. */
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
	kvml_fpu_leave_xcr0(vcpu);
	kvml_debug_unload(debug);
	if (likely(svm->exit_code != SVM_EXIT_ERR))
		kvml_svm_settle_events(svm);
	handle_machine_check(svm);
	/* Dealt with: nothing is left for kvml_svm_handle_exit(). */
	if (done)
		svm->exit_code = KVML_SVM_EXIT_DONE;
}
