// SPDX-License-Identifier: GPL-2.0
/*
 * The stack (SDM volume 1, chapter 6).  The guest gets the new stack pointer
 * when the instruction is done.
 */
#include "emul/emul.h"

/* Bytes of the stack pointer: SDM volume 1, 6.2.3. */
void kvml_stack_begin(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;
	struct kvm_segment ss;

	e->sp_size = 8;
	if (e->bits != 64) {
		kvml_ops->get_segment(vcpu, KVML_SS, &ss);
		e->sp_size = ss.db ? 4 : 2;
	}
	e->sp = kvml_gpr_read(vcpu, KVML_RSP, e->sp_size, true);
}

void kvml_stack_end(struct kvml_vcpu *vcpu)
{
	kvml_gpr_write(vcpu, KVML_RSP, vcpu->emul->sp_size, true, vcpu->emul->sp);
}

void kvml_stack_add(struct kvml_vcpu *vcpu, long n)
{
	struct kvml_emul *e = vcpu->emul;

	e->sp = (e->sp + n) & (U64_MAX >> (64 - 8 * e->sp_size));
}

int kvml_stack_push(struct kvml_vcpu *vcpu, u64 value, unsigned int size)
{
	struct kvml_operand o;

	kvml_stack_add(vcpu, -(long)size);
	return kvml_operand_find(vcpu, KVML_SS, vcpu->emul->sp, size, KVML_WALK_WRITE, &o) ?:
	       kvml_operand_write(vcpu, &o, value);
}

static int pop_part(struct kvml_vcpu *vcpu, u64 *value, unsigned int size, unsigned int len)
{
	struct kvml_operand o;
	int r;

	r = kvml_operand_find(vcpu, KVML_SS, vcpu->emul->sp, len, 0, &o);
	kvml_stack_add(vcpu, size);
	return r ?: kvml_operand_read(vcpu, &o, value);
}

int kvml_stack_pop(struct kvml_vcpu *vcpu, u64 *value)
{
	unsigned int size = vcpu->emul->insn.size;

	return pop_part(vcpu, value, size, size);
}

/* ---- PUSH, POP ---- */

int kvml_exec_push(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	return kvml_stack_push(vcpu, e->value, e->insn.size);
}

int kvml_exec_pop(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	int r = kvml_stack_pop(vcpu, &e->value);

	/* POP of rSP: what is popped counts. */
	if (!r && e->insn.flags & KVML_INSN_RM_REG && e->insn.rm == KVML_RSP) {
		kvml_stack_end(vcpu);
		kvml_gpr_write(vcpu, KVML_RSP, e->insn.size, true, e->value);
		kvml_stack_begin(vcpu);
	}
	return r;
}

/* rAX to rDI, with rSP as it is before. */
int kvml_exec_pusha(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	int reg, r = 0;

	for (reg = KVML_RAX; reg <= KVML_RDI && !r; reg++)
		r = kvml_stack_push(vcpu, kvml_gpr_read(vcpu, reg, e->insn.size, true),
				    e->insn.size);
	return r;
}

/* rDI to rAX, but for rSP. */
int kvml_exec_popa(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	int reg, r = 0;
	u64 values[8];

	for (reg = KVML_RDI; reg >= KVML_RAX && !r; reg--)
		r = kvml_stack_pop(vcpu, &values[reg]);
	for (reg = KVML_RAX; reg <= KVML_RDI && !r; reg++)
		if (reg != KVML_RSP)
			kvml_gpr_write(vcpu, reg, e->insn.size, true, values[reg]);
	return r;
}

/* ---- segment registers: ES to GS by bits 3 to 5 of the opcode ---- */

/* Of 32 bits only the lower half is written. */
int kvml_exec_push_sreg(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	unsigned int unused = e->insn.size == 4 ? 2 : 0;
	u16 selector = kvml_segment_selector(vcpu, e->insn.opcode >> 3 & 7);

	kvml_stack_add(vcpu, -(long)unused);
	return kvml_stack_push(vcpu, selector, e->insn.size - unused);
}

int kvml_exec_pop_sreg(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	enum kvml_seg seg = e->insn.opcode >> 3 & 7;
	int r = pop_part(vcpu, &e->value, e->insn.size, 2) ?:
		kvml_segment_load(vcpu, seg, e->value, KVML_LOAD);

	if (r || seg != KVML_SS)
		return r;
	kvml_stack_end(vcpu);
	return kvml_emul_finish(vcpu, KVM_X86_SHADOW_INT_MOV_SS) ?: KVML_EMUL_USER;
}

/* ---- flags ---- */

/* In virtual-8086 mode they are the monitor's, unless IOPL is 3. */
static int check_vm86(struct kvml_vcpu *vcpu, unsigned long flags)
{
	bool denied = flags & X86_EFLAGS_VM && (flags & X86_EFLAGS_IOPL) != X86_EFLAGS_IOPL;

	return denied ? kvml_queue_gp(vcpu) : 0;
}

int kvml_exec_pushf(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);

	return check_vm86(vcpu, flags) ?:
	       kvml_stack_push(vcpu, flags & ~(X86_EFLAGS_VM | X86_EFLAGS_RF), e->insn.size);
}

int kvml_exec_popf(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);
	unsigned long change = X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF |
			       X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF |
			       X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_NT |
			       X86_EFLAGS_AC | X86_EFLAGS_ID;
	int cpl = kvml_ops->cpl(vcpu);
	int r = check_vm86(vcpu, flags) ?: kvml_stack_pop(vcpu, &e->value);

	if (r)
		return r;
	if (cpl == 0)
		change |= X86_EFLAGS_IOPL;
	if (cpl <= (flags & X86_EFLAGS_IOPL) >> X86_EFLAGS_IOPL_BIT)
		change |= X86_EFLAGS_IF;
	if (e->insn.size == 2)
		change = (u16)change;
	kvml_reg_set(vcpu, KVML_RFLAGS, (flags & ~change) | (e->value & change));
	return r;
}

/* ---- frames ---- */

/* As in stock KVM, without nesting. */
int kvml_exec_enter(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	int r;

	if (e->insn.imm & 0x1f)
		return kvml_emul_failed(vcpu);
	r = kvml_stack_push(vcpu, vcpu->reg[KVML_RBP], e->insn.size);
	if (r)
		return r;
	kvml_gpr_write(vcpu, KVML_RBP, e->sp_size, true, e->sp);
	kvml_stack_add(vcpu, -(long)e->insn.imm16);
	return r;
}

int kvml_exec_leave(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	int r;

	e->sp = kvml_gpr_read(vcpu, KVML_RBP, e->sp_size, true);
	r = kvml_stack_pop(vcpu, &e->value);
	if (!r)
		kvml_gpr_write(vcpu, KVML_RBP, e->insn.size, true, e->value);
	return r;
}
