// SPDX-License-Identifier: GPL-2.0
/* Jumps, calls and returns (SDM volume 2: JMP, Jcc, LOOP, CALL, RET). */
#include "cpuid/cpuid.h"
#include "emul/emul.h"

/* ---- near: within the code segment ---- */

/* Go on at @target, if that is an address of code with the segment @cs. */
static int set_next(struct kvml_vcpu *vcpu, const struct kvm_segment *cs, u64 target)
{
	if (kvml_long_mode(vcpu) && cs->l ? !kvml_canonical(target) : target > cs->limit)
		return kvml_queue_gp(vcpu);
	vcpu->emul->next = target;
	return 0;
}

static int jump(struct kvml_vcpu *vcpu, u64 target)
{
	struct kvm_segment cs;

	kvml_ops->get_segment(vcpu, KVML_CS, &cs);
	target &= U64_MAX >> (64 - 8 * vcpu->emul->insn.size);
	return set_next(vcpu, &cs, target);
}

/* To the operand; an immediate one is relative. */
int kvml_exec_jmp(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	bool relative = e->insn.flags & (KVML_INSN_IMM | KVML_INSN_IMM8);

	return jump(vcpu, relative ? e->next + e->value : e->value);
}

int kvml_exec_jcc(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	return kvml_exec_condition(vcpu) ? kvml_exec_jmp(vcpu, e) : 0;
}

/* E0 to E3: LOOPNE, LOOPE, LOOP, JCXZ. */
int kvml_exec_loop(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	bool zero = kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_ZF;
	u64 count = kvml_gpr_addr(vcpu, KVML_RCX);
	int r = 0;

	if (e->insn.opcode == 0xe3)
		return count ? r : kvml_exec_jmp(vcpu, e);
	if (count != 1 && (e->insn.opcode == 0xe2 || zero == (e->insn.opcode & 1)))
		r = kvml_exec_jmp(vcpu, e);
	if (!r)
		kvml_gpr_write(vcpu, KVML_RCX, e->insn.addr_size, true, count - 1);
	return r;
}

int kvml_exec_call(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	unsigned long back = e->next;

	return kvml_exec_jmp(vcpu, e) ?: kvml_stack_push(vcpu, back, e->insn.size);
}

int kvml_exec_ret(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	int r = kvml_stack_pop(vcpu, &e->value);

	kvml_stack_add(vcpu, e->insn.imm16);
	return r ?: jump(vcpu, e->value);
}

/* ---- far: to another code segment, of the same CPL ---- */

static int find_far(struct kvml_vcpu *vcpu, u16 selector, u64 target,
		    enum kvml_transfer why, struct kvm_segment *cs)
{
	return kvml_segment_find(vcpu, KVML_CS, selector, why, cs) ?: set_next(vcpu, cs, target);
}

/* By immediates, or by a pointer in memory. */
static int find_pointer(struct kvml_vcpu *vcpu, struct kvml_emul *e, struct kvm_segment *cs)
{
	const struct kvml_insn *insn = &e->insn;
	u64 target = insn->imm & (U64_MAX >> (64 - 8 * insn->size));
	u16 selector = insn->imm16;
	int r = 0;

	if (!(insn->flags & KVML_INSN_IMM))
		r = kvml_exec_pointer(vcpu, e, &target, &selector);
	return r ?: find_far(vcpu, selector, target, KVML_JUMP, cs);
}

int kvml_exec_jmp_far(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	struct kvm_segment cs;
	int r = find_pointer(vcpu, e, &cs);

	if (!r)
		kvml_ops->set_segment(vcpu, KVML_CS, &cs);
	return r;
}

int kvml_exec_call_far(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	unsigned long back = e->next;
	u16 selector = kvml_segment_selector(vcpu, KVML_CS);
	struct kvm_segment cs;
	int r = find_pointer(vcpu, e, &cs) ?: kvml_stack_push(vcpu, selector, e->insn.size) ?:
		kvml_stack_push(vcpu, back, e->insn.size);

	if (!r)
		kvml_ops->set_segment(vcpu, KVML_CS, &cs);
	return r;
}

int kvml_exec_ret_far(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	struct kvm_segment cs;
	u64 selector;
	int r = kvml_stack_pop(vcpu, &e->value) ?: kvml_stack_pop(vcpu, &selector) ?:
		find_far(vcpu, selector, e->value, KVML_RETURN, &cs);

	if (r)
		return r;
	kvml_stack_add(vcpu, e->insn.imm16);
	kvml_ops->set_segment(vcpu, KVML_CS, &cs);
	return r;
}
