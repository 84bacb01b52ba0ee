// SPDX-License-Identifier: GPL-2.0
/*
 * What the instructions do.  All that can fault or go to userspace comes
 * first; registers are changed last.
 */
#include <linux/bitops.h>
#include <linux/log2.h>
#include <linux/string.h>

#include "base/ops.h"
#include "emul/decode.h"
#include "emul/emul.h"
#include "emul/walk.h"
#include "vcpu/vcpu.h"

void kvml_gpr_write(struct kvml_vcpu *vcpu, unsigned int reg,
		    unsigned int size, bool rex, u64 value)
{
	unsigned long old;

	if (size == 1 && !rex && reg >= 4 && reg <= 7) {
		old = vcpu->reg[reg - 4] & ~0xff00ul;
		vcpu->reg[reg - 4] = old | (value & 0xff) << 8;
		return;
	}
	old = reg == KVML_RSP ? kvml_reg(vcpu, reg) : vcpu->reg[reg];
	if (size == 1)
		value = (old & ~0xfful) | (u8)value;
	else if (size == 2)
		value = (old & ~0xfffful) | (u16)value;
	else if (size == 4)
		value = (u32)value;
	if (reg == KVML_RSP)
		kvml_reg_set(vcpu, reg, value);
	else
		vcpu->reg[reg] = value;
}

static void set_flags(struct kvml_vcpu *vcpu, unsigned long flags)
{
	if (flags != kvml_reg(vcpu, KVML_RFLAGS))
		kvml_reg_set(vcpu, KVML_RFLAGS, flags);
}

/* The offset in the segment, plus @more. */
static unsigned long address(struct kvml_vcpu *vcpu, unsigned long more)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	unsigned long a = insn->disp + more;

	if (insn->rip)
		a += vcpu->emul->rip + insn->len;
	if (insn->base >= 0)
		a += kvml_gpr_read(vcpu, insn->base, 8, true);
	if (insn->index >= 0)
		a += kvml_gpr_read(vcpu, insn->index, 8, true) << insn->scale;
	return a & (U64_MAX >> (64 - 8 * insn->addr_size));
}

static bool is_bit_op(const struct kvml_insn *insn)
{
	return insn->op >= KVML_OP_BT && insn->op <= KVML_OP_BTC;
}

/*
 * The operand that is not memory.  A bit number in a register is signed, and
 * counts from the operand on: @more is how far away the bit is, in bytes.
 */
static u64 other_operand(struct kvml_vcpu *vcpu, unsigned long *more)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	unsigned int bits = 8 * insn->size;
	bool imm = insn->flags & (KVML_INSN_IMM | KVML_INSN_IMM8);
	u64 value = imm ? insn->imm :
			  kvml_gpr_read(vcpu, insn->reg, insn->size, insn->rex);

	*more = 0;
	if (!is_bit_op(insn))
		return value;
	if (!imm)
		*more = (sign_extend64(value, bits - 1) >> ilog2(bits)) *
			insn->size;
	return value & (bits - 1);
}

/* The result for the destination; XCHG and its like have a second, @mem. */
static u64 compute(struct kvml_vcpu *vcpu, u64 mem, u64 other,
		   unsigned long *flags)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	bool to_reg = insn->flags & KVML_INSN_TO_REG;
	u64 rax;

	switch (insn->op) {
	case KVML_OP_MOVSX:
		return sign_extend64(mem, 8 * insn->mem_size - 1);
	case KVML_OP_XCHG:
		return other;
	case KVML_OP_CMPXCHG:
		rax = kvml_gpr_read(vcpu, KVML_RAX, insn->size, true);
		kvml_alu(KVML_OP_CMP, insn->size, rax, mem, flags);
		return *flags & X86_EFLAGS_ZF ? other : mem;
	default:
		return to_reg ? kvml_alu(insn->op, insn->size, other, mem, flags) :
				kvml_alu(insn->op, insn->size, mem, other, flags);
	}
}

static void write_back(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	u64 mem = vcpu->emul->mem;

	set_flags(vcpu, vcpu->emul->flags);
	switch (insn->op) {
	case KVML_OP_CMP:
		break;
	case KVML_OP_XCHG:
	case KVML_OP_XADD:
		kvml_gpr_write(vcpu, insn->reg, insn->size, insn->rex, mem);
		break;
	case KVML_OP_CMPXCHG:
		if (!(vcpu->emul->flags & X86_EFLAGS_ZF))
			kvml_gpr_write(vcpu, KVML_RAX, insn->size, true, mem);
		break;
	default:
		if (insn->flags & KVML_INSN_TO_REG)
			kvml_gpr_write(vcpu, insn->reg, insn->size, insn->rex,
				       vcpu->emul->result);
	}
}

/* From here on if userspace had to be asked for the operand, or told it. */
static void set_stage(struct kvml_emul *e, enum kvml_emul_stage stage)
{
	e->stage = e->operand.pieces == 1 ? stage : KVML_EMUL_AGAIN;
}

static int exec_loaded(struct kvml_vcpu *vcpu, u64 other)
{
	struct kvml_emul *e = vcpu->emul;
	int r;

	e->flags = kvml_reg(vcpu, KVML_RFLAGS);
	e->result = compute(vcpu, e->mem, other, &e->flags);
	if (e->insn.flags & KVML_INSN_WRITE) {
		set_stage(e, KVML_EMUL_STORED);
		r = kvml_operand_write(vcpu, &e->operand, e->result);
		if (r != KVML_EMUL_GO)
			return r;
	}
	write_back(vcpu);
	return KVML_EMUL_GO;
}

/* Loads and stores are most of what drivers do to devices; no flags in it. */
static int exec_mov(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;
	const struct kvml_insn *insn = &e->insn;
	bool load = insn->flags & KVML_INSN_TO_REG;
	unsigned long more;
	int r;

	r = kvml_operand_find(vcpu, insn->seg, address(vcpu, 0), insn->mem_size,
			      load ? 0 : KVML_WALK_WRITE, &e->operand);
	if (r != KVML_EMUL_GO)
		return r;
	set_stage(e, load ? KVML_EMUL_LOADED : KVML_EMUL_STORED);
	if (!load)
		return kvml_operand_write(vcpu, &e->operand,
					  other_operand(vcpu, &more));
	r = kvml_operand_read(vcpu, &e->operand, &e->mem);
	if (r == KVML_EMUL_GO)
		kvml_gpr_write(vcpu, insn->reg, insn->size, insn->rex, e->mem);
	return r;
}

/* One memory operand, and a register or an immediate. */
static int exec_memory(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;
	u32 access = e->insn.flags & KVML_INSN_WRITE ? KVML_WALK_WRITE : 0;
	unsigned long more;
	u64 other = other_operand(vcpu, &more);
	int r;

	r = kvml_operand_find(vcpu, e->insn.seg, address(vcpu, more),
			      e->insn.mem_size, access, &e->operand);
	if (r == KVML_EMUL_GO && e->insn.flags & KVML_INSN_READ) {
		set_stage(e, KVML_EMUL_LOADED);
		r = kvml_operand_read(vcpu, &e->operand, &e->mem);
	}
	return r == KVML_EMUL_GO ? exec_loaded(vcpu, other) : r;
}

int kvml_exec_rest(struct kvml_vcpu *vcpu, u64 data)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	bool stored = vcpu->emul->stage == KVML_EMUL_STORED;
	unsigned long more;

	if (insn->op == KVML_OP_MOV) {
		if (!stored)
			kvml_gpr_write(vcpu, insn->reg, insn->size, insn->rex,
				       data);
		return KVML_EMUL_GO;
	}
	if (stored) {
		write_back(vcpu);
		return KVML_EMUL_GO;
	}
	vcpu->emul->mem = data;
	return exec_loaded(vcpu, other_operand(vcpu, &more));
}

/* Bytes of the stack pointer: SDM volume 1, 6.2.3. */
static unsigned int stack_size(struct kvml_vcpu *vcpu)
{
	struct kvm_segment ss;

	if (vcpu->emul->bits == 64)
		return 8;
	kvml_ops->get_segment(vcpu, KVML_SS, &ss);
	return ss.db ? 4 : 2;
}

/* From one operand to the other, of @size bytes. */
static int copy(struct kvml_vcpu *vcpu, enum kvml_seg from_seg,
		unsigned long from, enum kvml_seg to_seg, unsigned long to)
{
	unsigned int size = vcpu->emul->insn.size;
	struct kvml_operand src, dst;
	u64 value;
	int r;

	r = kvml_operand_find(vcpu, from_seg, from, size, 0, &src);
	if (r == KVML_EMUL_GO)
		r = kvml_operand_find(vcpu, to_seg, to, size, KVML_WALK_WRITE,
				      &dst);
	if (r == KVML_EMUL_GO)
		r = kvml_operand_read(vcpu, &src, &value);
	if (r == KVML_EMUL_GO)
		r = kvml_operand_write(vcpu, &dst, value);
	return r;
}

static int exec_push(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	unsigned int width = stack_size(vcpu);
	u64 sp = kvml_gpr_read(vcpu, KVML_RSP, width, true) - insn->size;
	int r;

	sp &= U64_MAX >> (64 - 8 * width);
	r = copy(vcpu, insn->seg, address(vcpu, 0), KVML_SS, sp);
	if (r == KVML_EMUL_GO)
		kvml_gpr_write(vcpu, KVML_RSP, width, true, sp);
	return r;
}

/* An address made with rSP is made with its new value. */
static int exec_pop(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	unsigned int width = stack_size(vcpu);
	u64 sp = kvml_gpr_read(vcpu, KVML_RSP, width, true);
	unsigned long to;
	int r;

	to = address(vcpu, insn->base == KVML_RSP ? insn->size : 0);
	r = copy(vcpu, KVML_SS, sp, insn->seg, to);
	if (r == KVML_EMUL_GO)
		kvml_gpr_write(vcpu, KVML_RSP, width, true, sp + insn->size);
	return r;
}

u64 kvml_string_count(struct kvml_vcpu *vcpu)
{
	return vcpu->emul->insn.rep ? kvml_gpr_addr(vcpu, KVML_RCX) : 1;
}

void kvml_string_advance(struct kvml_vcpu *vcpu, unsigned int reg,
			 unsigned int n)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	u64 bytes = n * insn->size;

	if (kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_DF)
		bytes = -bytes;
	kvml_gpr_write(vcpu, reg, insn->addr_size, true,
		       kvml_gpr_addr(vcpu, reg) + bytes);
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
	if ((insn->op == KVML_OP_CMPS || insn->op == KVML_OP_SCAS) &&
	    zf == repne)
		vcpu->emul->more = false;
}

/* STOS, LODS, SCAS: rAX and one element at @reg. */
static int string_rax(struct kvml_vcpu *vcpu, enum kvml_seg seg,
		      unsigned int reg)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	u64 rax = kvml_gpr_read(vcpu, KVML_RAX, insn->size, true), mem;
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);
	bool store = insn->op == KVML_OP_STOS;
	struct kvml_operand o;
	int r;

	r = kvml_operand_find(vcpu, seg, kvml_gpr_addr(vcpu, reg), insn->size,
			      store ? KVML_WALK_WRITE : 0, &o);
	if (r != KVML_EMUL_GO)
		return r;
	r = store ? kvml_operand_write(vcpu, &o, rax) :
		    kvml_operand_read(vcpu, &o, &mem);
	if (r != KVML_EMUL_GO)
		return r;
	if (insn->op == KVML_OP_LODS) {
		kvml_gpr_write(vcpu, KVML_RAX, insn->size, true, mem);
	} else if (!store) {
		kvml_alu(KVML_OP_CMP, insn->size, rax, mem, &flags);
		set_flags(vcpu, flags);
	}
	kvml_string_advance(vcpu, reg, 1);
	return r;
}

static int exec_cmps(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);
	struct kvml_operand src, dst;
	u64 a, b;
	int r;

	r = kvml_operand_find(vcpu, insn->seg, kvml_gpr_addr(vcpu, KVML_RSI),
			      insn->size, 0, &src);
	if (r == KVML_EMUL_GO)
		r = kvml_operand_find(vcpu, KVML_ES,
				      kvml_gpr_addr(vcpu, KVML_RDI),
				      insn->size, 0, &dst);
	if (r == KVML_EMUL_GO)
		r = kvml_operand_read(vcpu, &src, &a);
	if (r == KVML_EMUL_GO)
		r = kvml_operand_read(vcpu, &dst, &b);
	if (r != KVML_EMUL_GO)
		return r;
	kvml_alu(KVML_OP_CMP, insn->size, a, b, &flags);
	set_flags(vcpu, flags);
	kvml_string_advance(vcpu, KVML_RSI, 1);
	kvml_string_advance(vcpu, KVML_RDI, 1);
	return r;
}

static int exec_movs(struct kvml_vcpu *vcpu)
{
	int r = copy(vcpu, vcpu->emul->insn.seg,
		     kvml_gpr_addr(vcpu, KVML_RSI), KVML_ES,
		     kvml_gpr_addr(vcpu, KVML_RDI));

	if (r == KVML_EMUL_GO) {
		kvml_string_advance(vcpu, KVML_RSI, 1);
		kvml_string_advance(vcpu, KVML_RDI, 1);
	}
	return r;
}

static int exec_string(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	int r;

	if (!kvml_string_count(vcpu))
		return KVML_EMUL_GO;
	switch (insn->op) {
	case KVML_OP_INS:
	case KVML_OP_OUTS:
		return kvml_exec_string_io(vcpu);
	case KVML_OP_MOVS:
		r = exec_movs(vcpu);
		break;
	case KVML_OP_CMPS:
		r = exec_cmps(vcpu);
		break;
	case KVML_OP_LODS:
		r = string_rax(vcpu, insn->seg, KVML_RSI);
		break;
	default:	/* STOS, SCAS */
		r = string_rax(vcpu, KVML_ES, KVML_RDI);
	}
	if (r == KVML_EMUL_GO)
		kvml_string_done(vcpu, 1);
	return r;
}

int kvml_exec(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;

	vcpu->emul->more = false;
	if (insn->flags & KVML_INSN_STRING)
		return exec_string(vcpu);
	switch (insn->op) {
	case KVML_OP_MOV:
		return exec_mov(vcpu);
	case KVML_OP_PUSH:
		return exec_push(vcpu);
	case KVML_OP_POP:
		return exec_pop(vcpu);
	default:
		return exec_memory(vcpu);
	}
}
