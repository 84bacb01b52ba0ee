// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger of the guest: KVM_SET_GUEST_DEBUG (api.rst 4.87), KVM_EXIT_DEBUG.
 *
 * Single step is RFLAGS.TF, set in the CPU behind the guest's back; hardware
 * breakpoints take the place of the guest's own; software breakpoints are
 * INT3 that the debugger wrote, and #BP exits.
 */
#include <linux/hw_breakpoint.h>
#include <linux/kvm_host.h>
#include <asm/traps.h>

#include "base/kick.h"
#include "vcpu/debug.h"

static int inject(struct kvml_vcpu *vcpu, u32 control)
{
	if (!(control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)))
		return 0;
	if (vcpu->event.exception.pending || test_bit(KVML_REQ_TRIPLE_FAULT, &vcpu->requests))
		return -EBUSY;
	kvml_queue_exception(vcpu, control & KVM_GUESTDBG_INJECT_DB ?
			     X86_TRAP_DB : X86_TRAP_BP);
	return 0;
}

int kvml_debug_set(struct kvml_vcpu *vcpu, const struct kvm_guest_debug *in)
{
	unsigned long rflags;
	unsigned int i;
	int err;

	if (in->control & ~KVML_GUESTDBG)
		return -EINVAL;
	err = inject(vcpu, in->control);
	if (err)
		return err;
	/* While it is known whose TF it is. */
	rflags = kvml_reg(vcpu, KVML_RFLAGS);
	vcpu->guest_debug = *in;
	if (!(in->control & KVM_GUESTDBG_ENABLE))
		vcpu->guest_debug.control = 0;
	for (i = 0; i < ARRAY_SIZE(vcpu->debug_db); i++)
		vcpu->debug_db[i] = in->arch.debugreg[i];
	/* The upper half is no debugger's: with it the guest cannot be entered. */
	vcpu->guest_debug.arch.debugreg[7] &= U32_MAX;
	vcpu->debug_tf = kvml_debug_single_step(vcpu);
	kvml_reg_set(vcpu, KVML_RFLAGS, rflags);
	vcpu->dr_open = false;
	kvml_debug_update(vcpu);
	return 0;
}

static unsigned long linear_rip(struct kvml_vcpu *vcpu)
{
	unsigned long rip = kvml_rip(vcpu);

	if (kvml_ops->code_bits(vcpu) == 64)
		return rip;
	return (u32)(kvml_ops->segment_base(vcpu, KVML_CS) + rip);
}

int kvml_debug_exit(struct kvml_vcpu *vcpu, u32 vector, u64 dr6)
{
	struct kvm_debug_exit_arch *arch = &vcpu->run->debug.arch;

	vcpu->run->exit_reason = KVM_EXIT_DEBUG;
	arch->exception = vector;
	arch->pad = 0;
	arch->pc = linear_rip(vcpu);
	arch->dr6 = dr6;
	arch->dr7 = kvml_debug_dr7(vcpu);
	return 0;
}

/* ---- around entries ---- */

void kvml_debug_update(struct kvml_vcpu *vcpu)
{
	vcpu->debug_load = vcpu->dr_open || kvml_debug_dr7(vcpu) & KVML_DR7_ENABLE;
	kvml_ops->update_debug(vcpu);
	/* TF comes or goes with the flags. */
	kvml_reg_set(vcpu, KVML_RFLAGS, kvml_reg(vcpu, KVML_RFLAGS));
}

void kvml_debug_open(struct kvml_vcpu *vcpu)
{
	if (vcpu->guest_debug.control || vcpu->dr7 & KVML_DR7_GD)
		return;
	vcpu->dr_open = true;
	kvml_debug_update(vcpu);
}

/* The host's breakpoints, if there are any, while the CPU has others. */
static DEFINE_PER_CPU(unsigned long [4], host_db);

static void read_db(unsigned long *db)
{
	get_debugreg(db[0], 0);
	get_debugreg(db[1], 1);
	get_debugreg(db[2], 2);
	get_debugreg(db[3], 3);
}

static void write_db(const unsigned long *db)
{
	set_debugreg(db[0], 0);
	set_debugreg(db[1], 1);
	set_debugreg(db[2], 2);
	set_debugreg(db[3], 3);
}

/* What the guest has written to them. */
static void close_registers(struct kvml_vcpu *vcpu)
{
	read_db(vcpu->db);
	kvml_ops->fetch_debug(vcpu);
	vcpu->dr_open = false;
	kvml_debug_update(vcpu);
}

void kvml_debug_load(struct kvml_vcpu *vcpu)
{
	set_debugreg(0, 7);
	if (hw_breakpoint_active())
		read_db(this_cpu_ptr(host_db));
	/* The debugger's or the guest's */
	write_db(kvml_debug_owns_db(vcpu) ? vcpu->debug_db : vcpu->db);
	/* AMD-V loads it with the others of the VMCB, VT-x leaves it alone. */
	if (vcpu->dr_open)
		set_debugreg(vcpu->dr6, 6);
}

/* The kernel's hw_breakpoint_restore() is for its own KVM alone since 6.19. */
void kvml_debug_unload(struct kvml_vcpu *vcpu)
{
	bool loaded = vcpu->debug_load;

	set_debugreg(0, 7);
	if (vcpu->dr_open)
		close_registers(vcpu);
	/* DR6 has nothing of the guest's. */
	set_debugreg(DR6_RESERVED, 6);
	if (!hw_breakpoint_active())
		return;
	if (loaded)
		write_db(this_cpu_ptr(host_db));
	set_debugreg(this_cpu_read(cpu_dr7), 7);
}

/* ---- #DB ---- */

/* SDM volume 3, 18.2.3 and 18.2.4. */
int kvml_debug_queue_db(struct kvml_vcpu *vcpu, unsigned long bits)
{
	vcpu->dr6 = (vcpu->dr6 & ~(unsigned long)DR_TRAP_BITS) | bits;
	vcpu->dr7 &= ~KVML_DR7_GD;
	kvml_debug_update(vcpu);
	return kvml_queue_exception(vcpu, X86_TRAP_DB);
}

int kvml_debug_step(struct kvml_vcpu *vcpu)
{
	if (unlikely(kvml_debug_stepping(vcpu)))
		return kvml_debug_exit(vcpu, X86_TRAP_DB, DR_STEP | DR6_RESERVED);
	if (unlikely(kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_TF))
		return kvml_debug_queue_db(vcpu, DR_STEP);
	return 1;
}

int kvml_insn_done(struct kvml_vcpu *vcpu)
{
	return unlikely(kvml_debug_step_due(vcpu)) ? kvml_debug_step(vcpu) : 1;
}
