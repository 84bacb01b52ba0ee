// SPDX-License-Identifier: GPL-2.0
/* Into the guest and back, and hot exits: vmx/run.c says which and why. */
#include <linux/kvm_host.h>

#include "base/hardware.h"
#include "base/kick.h"
#include "svm/asid.h"
#include "svm/assist.h"
#include "svm/entry.h"
#include "svm/errata.h"
#include "svm/host.h"
#include "svm/inject.h"
#include "svm/insn.h"
#include "svm/svm.h"
#include "vcpu/fpu.h"
#include "vcpu/priv.h"
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

	if (likely(svm->exit.next_rip))
		return true;
	if (!kvml_svm_insn_read_known(&svm->vcpu, &insn))
		return false;
	svm->exit.next_rip = insn.next;
	return true;
}

static bool is_hot(struct svm_vcpu *svm)
{
	struct kvml_vcpu *vcpu = &svm->vcpu;

	switch (svm->exit.code) {
	case SVM_EXIT_READ_CR0:
	case SVM_EXIT_READ_CR4:
	case SVM_EXIT_WRITE_CR0:
	case SVM_EXIT_WRITE_CR4:
	case SVM_EXIT_CPUID:
	case SVM_EXIT_VMMCALL:
		return true;
	case SVM_EXIT_MSR:
		return !svm->exit.info_1 ||	/* RDMSR */
		       kvml_msr_write_is_hot(vcpu, vcpu->reg[KVML_RCX]);
	}
	return false;
}

static bool hot_mov_cr(struct svm_vcpu *svm, bool *again)
{
	struct kvml_vcpu *vcpu = &svm->vcpu;
	int cr = svm->exit.code & 0xf;
	int reg = svm_mov_cr_reg(&kvml_svm_caps, svm->exit.info_1);
	struct svm_insn insn;

	if (reg < 0 || !svm->exit.next_rip) {
		/* CLTS, LMSW, SMSW are not. */
		if (!kvml_svm_insn_read_known(vcpu, &insn) || (insn.opcode & ~2) != 0x20)
			return false;
		svm->exit.next_rip = insn.next;
		reg = svm_insn_rm(&insn);
	}
	if (!(svm->exit.code & 0x10)) {
		kvml_priv_get_cr(vcpu, cr, reg);
		*again = hot_skip(vcpu);
		return true;
	}
	if (!kvml_priv_cr_is_hot(vcpu, cr, kvml_reg(vcpu, reg)))
		return false;
	*again = kvml_priv_set_cr(vcpu, cr, kvml_reg(vcpu, reg)) &&
		 hot_skip(vcpu);
	return true;
}

/* Returns true if it is done; @again: and there is nothing else to do. */
static bool handle_hot(struct svm_vcpu *svm, bool *again)
{
	struct kvml_vcpu *vcpu = &svm->vcpu;

	if (!is_hot(svm))
		return false;
	if (svm->exit.code < SVM_EXIT_CPUID)
		return hot_mov_cr(svm, again);
	if (!knows_next_rip(svm))
		return false;
	if (svm->exit.code == SVM_EXIT_MSR) {
		*again = (svm->exit.info_1 ? kvml_priv_set_msr(vcpu) :
					     kvml_priv_rdmsr(vcpu)) && hot_skip(vcpu);
		return true;
	}
	if (svm->exit.code == SVM_EXIT_CPUID) {
		kvml_priv_cpuid(vcpu);
	} else {
		vcpu->stat.hypercalls++;
		kvml_hypercall(vcpu);
	}
	*again = hot_skip(vcpu);
	return true;
}

/* ---- entry and exit ---- */

/* For kvml_svm_enter(), which ignores it where it is not ours to switch. */
static __always_inline u64 spec_ctrl(const struct svm_vcpu *svm)
{
	if (!cpu_feature_enabled(X86_FEATURE_MSR_SPEC_CTRL) ||
	    cpu_feature_enabled(X86_FEATURE_V_SPEC_CTRL))
		return 0;
	return svm_spec_ctrl(svm->spec_ctrl, this_cpu_read(x86_spec_ctrl_current));
}

/* True: VMRUN did nothing. */
static __always_inline bool enter_guest(struct svm_vcpu *svm, u64 host)
{
	amd_clear_divider();
	return kvml_svm_enter(svm->vcpu.reg, __pa(svm->vmcb), host, spec_ctrl(svm));
}

/* RCU and lockdep hear of it: the guest is like userspace to them. */
static noinstr bool enter_guest_first(struct svm_vcpu *svm, u64 host)
{
	bool failed;

	guest_state_enter_irqoff();
	failed = enter_guest(svm, host);
	guest_state_exit_irqoff();
	return failed;
}

/* A hot exit's way back: as in vmx/run.c. */
static noinstr bool enter_guest_again(struct svm_vcpu *svm, u64 host)
{
	bool failed;

	if (context_tracking_enabled_this_cpu())
		return enter_guest_first(svm, host);
	instrumentation_begin();
	failed = enter_guest(svm, host);
	instrumentation_end();
	return failed;
}

static void before_entry(struct svm_vcpu *svm)
{
	struct kvml_vcpu *vcpu = &svm->vcpu;
	struct vmcb *vmcb = svm->vmcb;

	if (vcpu->reg_dirty & VMCB_REGS)
		kvml_svm_regs_flush(svm);
	vmcb->save.rax = vcpu->reg[KVML_RAX];
	vmcb->save.cr2 = vcpu->cr2;
	vmcb->control.int_ctl = (vmcb->control.int_ctl & ~V_TPR_MASK) | vcpu->cr8;
	trace_kvm_entry(vcpu);
}

/* What the CPU knows of the VMCB now, and whether it has flushed. */
static void after_vmrun(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;

	control->clean = vmcb_clean_after(svm->exit.code);
	if (likely(!control->tlb_ctl))
		return;
	if (vmcb_entered(svm->exit.code))
		kvml_svm_asid_entered(svm);
}

/* Enough to see whether it is a hot one. */
static void take_exit(struct svm_vcpu *svm)
{
	const struct vmcb_control_area *control = &svm->vmcb->control;

	svm->exit.code = control->exit_code;
	svm->exit.info_1 = control->exit_info_1;
	svm->exit.next_rip = svm_next_rip(&kvml_svm_caps, control);
}

/* And what else there is. */
static void take_details(struct svm_vcpu *svm)
{
	const struct vmcb_control_area *control = &svm->vmcb->control;

	svm->exit.info_2 = control->exit_info_2;
	svm->exit.int_info = vmcb_int_info(control);
	if (unlikely(svm->exit.int_info))
		svm->exit.int_error = control->exit_int_info_err;
}

static void after_exit(struct svm_vcpu *svm, bool failed)
{
	struct kvml_vcpu *vcpu = &svm->vcpu;
	struct vmcb *vmcb = svm->vmcb;

	vcpu->reg_avail &= ~VMCB_REGS;
	vcpu->stat.exits++;
	vcpu->reg[KVML_RAX] = vmcb->save.rax;
	vcpu->cr2 = vmcb->save.cr2;
	if (unlikely(failed)) {
		svm->exit.code = (u32)SVM_EXIT_ERR;
		return;
	}
	take_exit(svm);
	after_vmrun(svm);
	trace_kvm_exit(vcpu, svm->exit.code);
}

/* Interrupts and NMIs of the host were taken when they came on. */
static void handle_machine_check(struct svm_vcpu *svm)
{
	u32 vector = svm->exit.code - SVM_EXIT_EXCP_BASE;

	if (likely(vector > 31))
		return;
	/* An intercepted #DB has set DR6, which the host's next one would take for its own. */
	if (vector == DB_VECTOR)
		set_debugreg(DR6_RESERVED, 6);
	if (vector != MC_VECTOR)
		return;
	if (!kvml_svm_erratum_383()) {
		kvml_machine_check();
		return;
	}
	pr_err_ratelimited("kvmlite: vCPU %u is shut down: erratum 383, entries of the TLB that both match\n",
			   svm->vcpu.id);
	kvml_vcpu_request(&svm->vcpu, KVML_REQ_TRIPLE_FAULT);
}

bool kvml_svm_run(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	bool done, again = false;
	u64 host = kvml_svm_host_save(svm);

	kvml_svm_asid_prepare(svm);
	if (unlikely(svm->fpu_trap == vcpu->fpu_on))
		kvml_svm_set_fpu_trap(svm, !vcpu->fpu_on);
	kvml_debug_enter(vcpu);
	kvml_fpu_enter_xcr0(vcpu);
	kvml_svm_set_xss(0);
	before_entry(svm);
	after_exit(svm, enter_guest_first(svm, host));
	while ((done = handle_hot(svm, &again)) && again && !kvml_vcpu_must_leave(vcpu)) {
		svm->vmcb->control.event_inj = 0;
		svm->soft.len = 0;
		before_entry(svm);
		after_exit(svm, enter_guest_again(svm, host));
	}
	/* VMSCAPE: the VMM shall not run on branches that the guest trained. */
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
	kvml_svm_set_xss(kvml_svm_host_xss);
	kvml_fpu_leave_xcr0(vcpu);
	kvml_debug_leave(vcpu);
	handle_machine_check(svm);
	take_details(svm);
	if (likely(svm->exit.code != (u32)SVM_EXIT_ERR))
		kvml_svm_settle_events(svm);
	return done;
}
