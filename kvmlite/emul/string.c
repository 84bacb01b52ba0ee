// SPDX-License-Identifier: GPL-2.0
/* MOVS, CMPS, STOS, LODS, SCAS: one element. */
#include "emul/emul.h"

u64 kvml_string_count(struct kvml_vcpu *vcpu)
{
	return vcpu->emul->insn.rep ? kvml_gpr_addr(vcpu, KVML_RCX) : 1;
}

void kvml_string_advance(struct kvml_vcpu *vcpu, unsigned int reg, unsigned int n)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	u64 bytes = n * insn->size;

	if (kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_DF)
		bytes = -bytes;
	kvml_gpr_write(vcpu, reg, insn->addr_size, true, kvml_gpr_addr(vcpu, reg) + bytes);
}

void kvml_string_done(struct kvml_vcpu *vcpu, unsigned int n)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	bool repne, zf = kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_ZF;
	u64 left;

	if (!insn->rep)
		return;
	repne = insn->rep == 0xf2;
	left = kvml_gpr_addr(vcpu, KVML_RCX) - n;
	kvml_gpr_write(vcpu, KVML_RCX, insn->addr_size, true, left);
	vcpu->emul->more = left;
	/* REPE goes on while equal, REPNE while not. */
	if ((insn->op == KVML_OP_CMPS || insn->op == KVML_OP_SCAS) && zf == repne)
		vcpu->emul->more = false;
}

static void compare(struct kvml_vcpu *vcpu, u64 a, u64 b)
{
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);

	kvml_alu(KVML_OP_CMP, vcpu->emul->insn.size, a, &b, 0, &flags);
	kvml_reg_set(vcpu, KVML_RFLAGS, flags);
}

/* STOS, LODS, SCAS: rAX and one element at @reg. */
static int string_rax(struct kvml_vcpu *vcpu, enum kvml_seg seg, unsigned int reg)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	u64 rax = kvml_gpr_read(vcpu, KVML_RAX, insn->size, true), mem;
	bool store = insn->op == KVML_OP_STOS;
	struct kvml_operand o;
	int r;

	r = kvml_operand_find(vcpu, seg, kvml_gpr_addr(vcpu, reg), insn->size,
			      store ? KVML_WALK_WRITE : 0, &o);
	r = r ?: store ? kvml_operand_write(vcpu, &o, rax) : kvml_operand_read(vcpu, &o, &mem);
	if (r)
		return r;
	if (insn->op == KVML_OP_LODS)
		kvml_gpr_write(vcpu, KVML_RAX, insn->size, true, mem);
	else if (!store)
		compare(vcpu, rax, mem);
	kvml_string_advance(vcpu, reg, 1);
	return r;
}

/* MOVS and CMPS: two elements in memory. */
static int string_memory(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	bool move = insn->op == KVML_OP_MOVS;
	struct kvml_operand src, dst;
	u64 a, b;
	int r;

	r = kvml_operand_find(vcpu, insn->seg, kvml_gpr_addr(vcpu, KVML_RSI),
			      insn->size, 0, &src);
	r = r ?: kvml_operand_find(vcpu, KVML_ES, kvml_gpr_addr(vcpu, KVML_RDI), insn->size,
				   move ? KVML_WALK_WRITE : 0, &dst);
	r = r ?: kvml_operand_read(vcpu, &src, &a);
	r = r ?: move ? kvml_operand_write(vcpu, &dst, a) : kvml_operand_read(vcpu, &dst, &b);
	if (r)
		return r;
	if (!move)
		compare(vcpu, a, b);
	kvml_string_advance(vcpu, KVML_RSI, 1);
	kvml_string_advance(vcpu, KVML_RDI, 1);
	return r;
}

int kvml_exec_string(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	int r;

	if (!kvml_string_count(vcpu))
		return 0;
	switch (insn->op) {
	case KVML_OP_INS:
		return kvml_exec_ins(vcpu);
	case KVML_OP_OUTS:
		return kvml_exec_outs(vcpu);
	case KVML_OP_MOVS:
	case KVML_OP_CMPS:
		r = string_memory(vcpu);
		break;
	case KVML_OP_LODS:
		r = string_rax(vcpu, insn->seg, KVML_RSI);
		break;
	default:	/* STOS, SCAS */
		r = string_rax(vcpu, KVML_ES, KVML_RDI);
	}
	if (!r)
		kvml_string_done(vcpu, 1);
	return r;
}
