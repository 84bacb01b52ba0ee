// SPDX-License-Identifier: GPL-2.0
/* Instructions done in software: fetch, run, finish. */
#include <linux/ratelimit.h>
#include <asm/trapnr.h>

#include "base/quirk.h"
#include "emul/emul.h"
#include "emul/emulate.h"
#include "vcpu/debug.h"
#include "vcpu/error.h"
#include "vcpu/pv.h"
#include "vm/vm.h"

/* Elements of one REP, before the run loop may look around. */
#define MAX_ELEMENTS	1024

int kvml_emulate_alloc(struct kvml_vcpu *vcpu)
{
	vcpu->emul = kzalloc(sizeof(*vcpu->emul), GFP_KERNEL_ACCOUNT);
	return vcpu->emul ? 0 : -ENOMEM;
}

/*
 * As stock KVM: #UD for the guest; and an exit to userspace, if it is not
 * just a program of the guest.  The layout is kvm_run.emulation_failure.
 */
int kvml_emul_failed(struct kvml_vcpu *vcpu)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 5);
	struct kvml_emul *e = vcpu->emul;
	unsigned int size = min_t(unsigned int, e->nbytes, KVML_INSN_MAX);
	u64 data[3] = { 0 };
	u8 *bytes = (u8 *)&data[1];

	vcpu->stat.insn_emulation_fail++;
	kvml_queue_exception(vcpu, 6);
	if (kvml_ops->cpl(vcpu))
		return 1;
	if (__ratelimit(&limit)) {
		pr_warn("kvmlite: vCPU %u: instruction not emulated at %lx: %*ph\n",
			vcpu->id, e->rip, size, e->bytes);
		kvml_ops->dump(vcpu);
	}
	if (size) {
		data[0] = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		memset(bytes, 0x90, 16);
		bytes[0] = size;
		memcpy(bytes + 1, e->bytes, size);
	}
	kvml_internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION, size ? 3 : 1, data);
	return KVML_EMUL_USER;
}

/* These bytes were decoded last: loops come back to the same instruction. */
static bool decoded_before(const struct kvml_emul *e)
{
	return e->nbytes == sizeof(e->bytes) && e->bits == e->decoded_bits &&
	       e->words[0] == e->decoded_words[0] && e->words[1] == e->decoded_words[1];
}

/* Where the instruction is, and how to read it. */
static void locate(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;
	int bits, cpl;

	kvml_ops->code_mode(vcpu, &bits, &cpl);
	e->rip = kvml_rip(vcpu);
	e->bits = bits;
	e->user = cpl == 3;
	e->nbytes = 0;
}

static unsigned long linear_rip(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;

	return e->bits == 64 ? e->rip :
			       e->rip + kvml_ops->segment_base(vcpu, KVML_CS);
}

int kvml_emulate_fetch(struct kvml_vcpu *vcpu, unsigned int n)
{
	if (!n)
		locate(vcpu);
	return kvml_fetch(vcpu, linear_rip(vcpu));
}

bool kvml_emulate_fetch_known(struct kvml_vcpu *vcpu)
{
	locate(vcpu);
	return kvml_fetch_known(vcpu, linear_rip(vcpu));
}

/* The next page is looked at only if the instruction goes on there. */
static int fetch_and_decode(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;
	unsigned long linear = linear_rip(vcpu);
	unsigned int n;
	int r;

	do {
		r = kvml_fetch(vcpu, linear);
		if (r == KVML_FETCH_NO_MEMORY)
			return kvml_emul_failed(vcpu);
		if (r)
			return r;
		if (decoded_before(e))
			return 0;
		e->decoded_bits = 0;
		n = min_t(unsigned int, e->nbytes, KVML_INSN_MAX);
		r = kvml_decode(&e->insn, e->bytes, n, e->bits);
	} while (r == KVML_DECODE_SHORT && n < KVML_INSN_MAX);
	if (!r) {
		e->decoded_bits = e->nbytes == sizeof(e->bytes) ? e->bits : 0;
		memcpy(e->decoded_bytes, e->bytes, sizeof(e->bytes));
		return 0;
	}
	if (r == KVML_DECODE_UNKNOWN)
		return kvml_emul_failed(vcpu);
	return r == KVML_DECODE_INVALID ? kvml_queue_exception(vcpu, X86_TRAP_UD) :
					  kvml_queue_gp(vcpu);
}

static int prepare(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;

	vcpu->stat.insn_emulation++;
	locate(vcpu);
	e->mmio_done = 0;
	e->pio_done = 0;
	return fetch_and_decode(vcpu);
}

int kvml_emul_finish(struct kvml_vcpu *vcpu, u32 shadow)
{
	struct kvml_emul *e = vcpu->emul;
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);

	kvml_reg_set(vcpu, KVML_RIP, e->bits == 64 ? e->next : (u32)e->next);
	if (flags & X86_EFLAGS_RF)
		kvml_reg_set(vcpu, KVML_RFLAGS, flags & ~X86_EFLAGS_RF);
	kvml_ops->set_shadow(vcpu, shadow);
	return kvml_insn_done(vcpu);
}

/* Between elements of a REP: anything that cannot wait for the end? */
static bool interrupted(struct kvml_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) || signal_pending(current) ||
	       compat_immediate_exit(vcpu->run) || need_resched() ||
	       READ_ONCE(vcpu->run->request_interrupt_window);
}

static int run(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;
	unsigned int n;
	int r;

	e->stage = KVML_EMUL_AGAIN;
	e->next = e->rip + e->insn.len;
	for (n = 0; n < MAX_ELEMENTS; n++) {
		e->mmio_pos = 0;
		r = kvml_exec(vcpu);
		if (r)
			return kvml_emul_result(r);
		if (!e->more)
			return kvml_emul_finish(vcpu, 0);
		e->mmio_done = 0;
		e->gpa_known = 0;
		if (kvml_debug_step_due(vcpu))
			return kvml_debug_step(vcpu);
		if (interrupted(vcpu))
			break;
	}
	return 1;
}

static int resume(struct kvml_vcpu *vcpu, u64 data)
{
	int r;

	/* The VMM went elsewhere: a reset, say. */
	if (kvml_rip(vcpu) != vcpu->emul->rip)
		return 1;
	if (vcpu->emul->stage == KVML_EMUL_AGAIN)
		return run(vcpu);
	r = kvml_exec_rest(vcpu, data);
	return r ? kvml_emul_result(r) : kvml_emul_finish(vcpu, 0);
}

int kvml_emul_resume(struct kvml_vcpu *vcpu, u64 data)
{
	int idx = srcu_read_lock(&vcpu->vm->srcu), r = resume(vcpu, data);

	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return r;
}

static bool is_string_io(const struct kvml_insn *insn)
{
	return insn->op == KVML_OP_INS || insn->op == KVML_OP_OUTS;
}

/*
 * What the CPU has checked the guest's page tables for: 0 nothing that is sure,
 * 1 reading @gpa, 2 writing it.  A program of the guest may have had the
 * instruction changed meanwhile: it must not reach by one what its page tables
 * allow another.  Its kernel does not do that to itself, so there the offset in
 * the page has to do, for an exit that does not tell the linear address.
 */
static u8 checked_access(const struct kvml_emul *e, u32 flags)
{
	if (flags & KVML_MMIO_WALK || (e->user && !(flags & KVML_MMIO_GVA)))
		return 0;
	return flags & (KVML_MMIO_WRITE | KVML_MMIO_EITHER) ? 2 : 1;
}

int kvml_emulate_mmio(struct kvml_vcpu *vcpu, u64 gpa, unsigned long gva, u32 flags)
{
	struct kvml_emul *e = vcpu->emul;
	int r = prepare(vcpu);

	if (r)
		return kvml_emul_result(r);
	/* These exit before they access memory, or the code was changed. */
	if (is_string_io(&e->insn))
		return flags & KVML_MMIO_WALK ? kvml_emulate_string_io(vcpu) : 1;
	e->gpa_known = checked_access(e, flags);
	e->gva_known = flags & KVML_MMIO_GVA;
	e->gpa = gpa;
	e->gva = gva;
	return run(vcpu);
}

int kvml_emulate(struct kvml_vcpu *vcpu)
{
	return kvml_emulate_mmio(vcpu, 0, 0, KVML_MMIO_WALK);
}

int kvml_emulate_ud(struct kvml_vcpu *vcpu)
{
	/* VMCALL, VMMCALL: 0f 01 and one of these. */
	static const u8 calls[] = { 0xc1, 0xd9 };
	struct kvml_emul *e = vcpu->emul;
	int r = kvml_emulate_fetch(vcpu, 0);

	if (!r && e->nbytes < 3)
		r = kvml_emulate_fetch(vcpu, e->nbytes);
	if (r == 1 || r < 0)
		return r;	/* the page went away meanwhile */
	if (!kvml_has_quirk(vcpu, KVM_X86_QUIRK_FIX_HYPERCALL_INSN) ||
	    r || e->bytes[0] != 0x0f || e->bytes[1] != 0x01 ||
	    !memchr(calls, e->bytes[2], sizeof(calls)))
		return kvml_queue_exception(vcpu, 6);
	vcpu->stat.hypercalls++;
	kvml_hypercall(vcpu);
	e->next = e->rip + 3;
	return kvml_emul_finish(vcpu, 0);
}

int kvml_emulate_string_io(struct kvml_vcpu *vcpu)
{
	int r = prepare(vcpu);

	if (r)
		return kvml_emul_result(r);
	if (!is_string_io(&vcpu->emul->insn))
		return 1;	/* as above */
	if (!kvml_io_allowed(vcpu))
		return kvml_queue_gp(vcpu);
	vcpu->emul->gpa_known = 0;
	return run(vcpu);
}
