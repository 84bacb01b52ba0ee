// SPDX-License-Identifier: GPL-2.0
/* See run.h. */
#include <linux/kvm_host.h>

#include "../../include/compat/work.h"

#include "base/hardware.h"
#include "base/kick.h"
#include "vcpu/debug.h"
#include "vcpu/error.h"
#include "vcpu/fpu.h"
#include "vcpu/load.h"
#include "vcpu/pv.h"
#include "vcpu/regs.h"
#include "vm/run.h"
#include "vm/vm.h"

bool kvml_vcpu_must_leave(struct kvml_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) || vcpu->event.exception.pending ||
	       __xfer_to_guest_mode_work_pending();
}

/* 1: on into the guest; else as KVM_RUN. */
static int handle_requests(struct kvml_vcpu *vcpu)
{
	int idx;

	if (test_and_clear_bit(KVML_REQ_TRIPLE_FAULT, &vcpu->requests))
		return kvml_exit_shutdown(vcpu);
	if (test_and_clear_bit(KVML_REQ_CLOCKS, &vcpu->requests))
		kvml_vm_request(vcpu->vm, KVML_REQ_CLOCK, false);
	if (test_and_clear_bit(KVML_REQ_CLOCK, &vcpu->requests)) {
		idx = srcu_read_lock(&vcpu->vm->srcu);
		kvml_pv_update_clock(vcpu);
		srcu_read_unlock(&vcpu->vm->srcu, idx);
	}
	if (test_and_clear_bit(KVML_REQ_LOAD, &vcpu->requests))
		kvml_vcpu_reload(vcpu);
	if (test_and_clear_bit(KVML_REQ_FPU, &vcpu->requests) && !vcpu->fpu_on)
		kvml_fpu_use(vcpu);
	clear_bit(KVML_REQ_EVENT, &vcpu->requests);
	return 1;
}

/* Userspace has the interrupt controller: may it call KVM_INTERRUPT? */
static bool ready_for_interrupt(struct kvml_vcpu *vcpu)
{
	const struct kvml_events *event = &vcpu->event;

	/* One event an entry: a second one that is to be injected is lost. */
	return !event->intr.injected && !event->intr.pending &&
	       !event->nmi.injected &&
	       !event->exception.injected && !event->exception.pending &&
	       kvml_ops->intr_allowed(vcpu);
}

static int check_interrupt_window(struct kvml_vcpu *vcpu)
{
	if (ready_for_interrupt(vcpu)) {
		vcpu->stat.request_irq_exits++;
		vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
		return 0;
	}
	kvml_ops->open_intr_window(vcpu);
	return 1;
}

/* Interrupts off: this vCPU's TLB is as new as the page tables now. */
static void flush_if_asked(struct kvml_vcpu *vcpu)
{
	if (likely(!READ_ONCE(vcpu->requests)))
		return;
	if (test_and_clear_bit(KVML_REQ_FLUSH_TLB, &vcpu->requests)) {
		vcpu->stat.tlb_flush++;
		kvml_ops->flush_tlb(vcpu);
	}
	if (test_and_clear_bit(KVML_REQ_FLUSH_GUEST, &vcpu->requests))
		kvml_ops->flush_guest(vcpu);
}

static void account_guest_end(void)
{
	/* A tick that is due comes here, behind STI and one more, and counts for the guest. */
	local_irq_enable();
	asm volatile("nop");
	local_irq_disable();
	guest_timing_exit_irqoff();
}

/* @done: it was hot; as ops->handle_exit. */
static int handle_exit(struct kvml_vcpu *vcpu, bool done)
{
	if (kvml_hardware_lost())
		return -EIO;
	if (!done)
		return kvml_ops->handle_exit(vcpu);
	return vcpu->event.exception.pending ? 1 : kvml_debug_step(vcpu);
}

/* One stay in the guest; 1, or 0 and an errno as KVM_RUN. */
static int enter_guest(struct kvml_vcpu *vcpu)
{
	int ret, idx;
	bool done;

	if (READ_ONCE(vcpu->requests)) {
		ret = handle_requests(vcpu);
		if (ret <= 0)
			return ret;
	}
	if (vcpu->run->request_interrupt_window) {
		ret = check_interrupt_window(vcpu);
		if (ret <= 0)
			return ret;
	}
	preempt_disable();
	local_irq_disable();
	/* Pairs with the barrier in kvml_vm_request(). */
	smp_store_mb(vcpu->mode, KVML_IN_GUEST);
	flush_if_asked(vcpu);
	if (unlikely(READ_ONCE(vcpu->requests) || __xfer_to_guest_mode_work_pending())) {
		WRITE_ONCE(vcpu->mode, KVML_OUTSIDE);
		local_irq_enable();
		preempt_enable();
		return 1;
	}
	if (unlikely(kvml_events_any(&vcpu->event)))
		kvml_inject_events(vcpu);
	if (vcpu->fpu_on)
		kvml_fpu_load(vcpu);
	guest_timing_enter_irqoff();
	done = kvml_ops->run(vcpu);
	if (vcpu->fpu_on)
		kvml_fpu_save(vcpu);
	WRITE_ONCE(vcpu->mode, KVML_OUTSIDE);
	account_guest_end();
	local_irq_enable();
	preempt_enable();
	/* Not in the guest: who waits for readers shall not wait for that. */
	idx = srcu_read_lock(&vcpu->vm->srcu);
	ret = handle_exit(vcpu, done);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return ret;
}

static int run_loop(struct kvml_vcpu *vcpu)
{
	int ret;

	do {
		/* enter_guest() looks again, with interrupts off. */
		if (unlikely(__xfer_to_guest_mode_work_pending())) {
			ret = signal_pending(current) ? -EINTR : compat_handle_work();
			ret = kvml_tell_signal(vcpu, ret);
			if (ret)
				return ret;
		}
		ret = enter_guest(vcpu);
	} while (ret > 0);
	return ret;
}

/* What kvm_run tells with every exit. */
static void fill_run(struct kvml_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	/* So that KVM_GET_REGS need not load the vCPU. */
	kvml_regs_fetch(vcpu);
	vcpu->run_told = true;
	run->if_flag = !!(kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_IF);
	run->cr8 = vcpu->cr8;
	run->apic_base = vcpu->apic_base;
	run->flags = 0;
	run->ready_for_interrupt_injection = ready_for_interrupt(vcpu);
	if (run->kvm_valid_regs)
		kvml_regs_sync_out(vcpu);
}

static int run_loaded(struct kvml_vcpu *vcpu)
{
	int (*complete)(struct kvml_vcpu *vcpu) = vcpu->complete;
	struct kvm_run *run = vcpu->run;
	int ret = 1;

	if (run->kvm_dirty_regs) {
		int err = kvml_regs_sync_in(vcpu);

		if (err)
			return err;
	}
	if (kvml_cr8_write(vcpu, run->cr8))
		return -EINVAL;
	if (complete) {
		vcpu->complete = NULL;
		ret = complete(vcpu);
	}
	if (ret > 0 && compat_immediate_exit(run)) {
		vcpu->stat.signal_exits++;
		ret = -EINTR;
	}
	if (ret > 0)
		ret = run_loop(vcpu);
	vcpu->stat.userspace_exits++;
	fill_run(vcpu);
	return ret;
}

static int run_locked(struct kvml_vcpu *vcpu)
{
	int ret;

	kvml_vcpu_load(vcpu);
	kvml_fpu_begin(vcpu);
	ret = run_loaded(vcpu);
	kvml_vcpu_put(vcpu);
	return ret;
}

/*
 * KVM_RUN (api.rst 4.10): -EINTR a signal or immediate_exit, -EIO another mm
 * or no hardware, -EINVAL registers in kvm_run that make no sense, -EFAULT
 * the VMM's memory behind a slot is not there.
 */
int kvml_vcpu_run(struct kvml_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	sigset_t saved;
	int ret;

	/* Nothing to complete or to tell: it costs no more than it must. */
	if (compat_immediate_exit(run) && vcpu->run_told &&
	    !vcpu->complete && !run->kvm_dirty_regs && !run->kvm_valid_regs) {
		vcpu->stat.signal_exits++;
		return -EINTR;
	}
	if (run->kvm_valid_regs & ~KVML_SYNC_REGS || run->kvm_dirty_regs & ~KVML_SYNC_REGS)
		return -EINVAL;
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &saved);
	ret = run_locked(vcpu);
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &saved, NULL);
	return ret;
}
