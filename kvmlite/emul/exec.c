// SPDX-License-Identifier: GPL-2.0
/*
 * What the instructions do.  All that can fault or go to userspace comes
 * first; registers are changed last.
 */
#include <asm/trapnr.h>

#include "emul/emul.h"

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

unsigned long kvml_exec_address(struct kvml_vcpu *vcpu, unsigned long more)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	unsigned long a = insn->disp + more;

	if (insn->rip)
		a += vcpu->emul->next;
	if (insn->base >= 0)
		a += kvml_gpr_read(vcpu, insn->base, 8, true);
	if (insn->index >= 0)
		a += kvml_gpr_read(vcpu, insn->index, 8, true) << insn->scale;
	return a & (U64_MAX >> (64 - 8 * insn->addr_size));
}

/* SDM volume 1, appendix B. */
bool kvml_exec_condition(struct kvml_vcpu *vcpu)
{
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);
	unsigned int cc = vcpu->emul->insn.opcode & 0xf;
	bool less = !(flags & X86_EFLAGS_SF) != !(flags & X86_EFLAGS_OF);
	const bool holds[] = {
		flags & X86_EFLAGS_OF, flags & X86_EFLAGS_CF,
		flags & X86_EFLAGS_ZF, flags & (X86_EFLAGS_CF | X86_EFLAGS_ZF),
		flags & X86_EFLAGS_SF, flags & X86_EFLAGS_PF,
		less, less || flags & X86_EFLAGS_ZF,
	};

	return holds[cc >> 1] != (cc & 1);
}

/* ---- executors of their own: with one operand, or those that are implied ---- */

static int exec_nop(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	return 0;
}

static int exec_lea(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	kvml_gpr_write(vcpu, e->insn.reg, e->insn.size, true, kvml_exec_address(vcpu, 0));
	return 0;
}

/* MUL, IMUL, DIV, IDIV: rDX and rAX; of bytes AX. */
static int exec_mul_div(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);
	u64 rax = vcpu->reg[KVML_RAX];
	u64 rdx = kvml_gpr_read(vcpu, KVML_RDX, e->insn.size, true);

	if (e->insn.op <= KVML_OP_IMUL1) {
		rax = kvml_alu(e->insn.op, e->insn.size, rax, &rdx, e->value, &flags);
	} else if (!kvml_alu_divide(e->insn.op == KVML_OP_IDIV, e->insn.size, &rax,
				    &rdx, e->value)) {
		return kvml_queue_exception(vcpu, X86_TRAP_DE);
	}
	set_flags(vcpu, flags);
	kvml_gpr_write(vcpu, KVML_RAX, max_t(u8, e->insn.size, 2), true, rax);
	if (e->insn.size > 1)
		kvml_gpr_write(vcpu, KVML_RDX, e->insn.size, true, rdx);
	return 0;
}

/* CBW and CWD, and so on: rAX, or rDX:rAX, from the lower half. */
static int exec_cbw_cwd(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	bool cwd = e->insn.opcode & 1;
	unsigned int from = cwd ? e->insn.size : e->insn.size / 2;
	s64 rax = sign_extend64(vcpu->reg[KVML_RAX], 8 * from - 1);

	kvml_gpr_write(vcpu, cwd ? KVML_RDX : KVML_RAX, e->insn.size, true,
		       cwd ? rax >> 63 : rax);
	return 0;
}

#define AH_FLAGS (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
		  X86_EFLAGS_ZF | X86_EFLAGS_SF)

/* SAHF, LAHF, CMC, CLC, STC, CLD, STD. */
static int exec_flags(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);
	unsigned long flag = e->insn.opcode < 0xfa ? X86_EFLAGS_CF :
						   X86_EFLAGS_DF;
	u8 ah = vcpu->reg[KVML_RAX] >> 8;

	if (e->insn.opcode == 0x9f)
		vcpu->reg[KVML_RAX] = (vcpu->reg[KVML_RAX] & ~0xff00ul) | (flags & 0xff) << 8;
	else if (e->insn.opcode == 0x9e)
		flags = (flags & ~(ulong)AH_FLAGS) | (ah & AH_FLAGS);
	else if (e->insn.opcode == 0xf5)
		flags ^= flag;
	else
		flags = e->insn.opcode & 1 ? flags | flag : flags & ~flag;
	set_flags(vcpu, flags);
	return 0;
}

/* ---- two operands: the one by ModRM, "mem", and another ---- */

/* An immediate, or a register. */
static u64 source(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;

	if (insn->flags & (KVML_INSN_IMM | KVML_INSN_IMM8))
		return insn->imm;
	return kvml_gpr_read(vcpu, insn->reg, insn->size, insn->rex);
}

/*
 * The operand that is not memory.  A bit number in a register is signed, and
 * counts from the operand on: @more is how far away the bit is, in bytes.
 */
static u64 other_operand(struct kvml_vcpu *vcpu, unsigned long *more)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	unsigned int bits = 8 * insn->size;
	u64 value;

	*more = insn->op == KVML_OP_XLAT ? (u8)vcpu->reg[KVML_RAX] : 0;
	if (insn->flags & KVML_INSN_CL)
		return (u8)vcpu->reg[KVML_RCX];
	value = source(vcpu);
	if (insn->op < KVML_OP_BT || insn->op > KVML_OP_BTC)
		return value;
	if (!(insn->flags & (KVML_INSN_IMM8 | KVML_INSN_RM_REG)))
		*more = (sign_extend64(value, bits - 1) >> ilog2(bits)) * insn->size;
	return value & (bits - 1);
}

static u64 swap_bytes(u64 value, unsigned int size)
{
	return swab64(value) >> (64 - 8 * size);
}

static u64 compute_alu(struct kvml_vcpu *vcpu, u64 mem, u64 other, unsigned long *flags)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	u64 reg = other;

	if (insn->flags & KVML_INSN_TO_REG)
		return kvml_alu(insn->op, insn->size, other, &mem, 0, flags);
	if (insn->op == KVML_OP_SHLD || insn->op == KVML_OP_SHRD)
		reg = kvml_gpr_read(vcpu, insn->reg, insn->size, insn->rex);
	return kvml_alu(insn->op, insn->size, mem, &reg, other, flags);
}

static u64 compute_cmpxchg8b(struct kvml_vcpu *vcpu, u64 mem, unsigned long *flags)
{
	const unsigned long *reg = vcpu->reg;

	*flags &= ~X86_EFLAGS_ZF;
	if (mem != ((u32)reg[KVML_RAX] | reg[KVML_RDX] << 32))
		return mem;
	*flags |= X86_EFLAGS_ZF;
	return (u32)reg[KVML_RBX] | reg[KVML_RCX] << 32;
}

/* The result for the destination; XCHG and its like have a second, @mem. */
static u64 compute(struct kvml_vcpu *vcpu, u64 mem, u64 other, unsigned long *flags)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	bool to_reg = insn->flags & KVML_INSN_TO_REG;

	switch (insn->op) {
	case KVML_OP_MOV:
		return to_reg ? mem : other;
	case KVML_OP_XLAT:
		return mem;
	case KVML_OP_MOVSX:
		return sign_extend64(mem, 8 * insn->mem_size - 1);
	case KVML_OP_MOVBE:
		return swap_bytes(to_reg ? mem : other, insn->size);
	case KVML_OP_BSWAP:
		return swap_bytes(mem, insn->size);
	case KVML_OP_XCHG:
		return other;
	case KVML_OP_SETCC:
		return kvml_exec_condition(vcpu);
	case KVML_OP_CMOV:
		return kvml_exec_condition(vcpu) ? mem : other;
	case KVML_OP_CMPXCHG:
		kvml_alu(KVML_OP_CMP, insn->size, vcpu->reg[KVML_RAX], &mem, 0, flags);
		return *flags & X86_EFLAGS_ZF ? other : mem;
	case KVML_OP_CMPXCHG8B:
		return compute_cmpxchg8b(vcpu, mem, flags);
	default:
		return compute_alu(vcpu, mem, other, flags);
	}
}

/* Registers other than that by ModRM.rm. */
static void write_back(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	bool zero = vcpu->emul->flags & X86_EFLAGS_ZF;
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
		if (!zero)
			kvml_gpr_write(vcpu, KVML_RAX, insn->size, true, mem);
		break;
	case KVML_OP_CMPXCHG8B:
		if (!zero) {
			kvml_gpr_write(vcpu, KVML_RAX, 4, true, mem);
			kvml_gpr_write(vcpu, KVML_RDX, 4, true, mem >> 32);
		}
		break;
	case KVML_OP_BSF:
	case KVML_OP_BSR:
		if (zero)
			break;
		fallthrough;
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
	const struct kvml_insn *insn = &e->insn;
	bool locked = insn->lock || insn->op == KVML_OP_XCHG;
	int r;

	e->flags = kvml_reg(vcpu, KVML_RFLAGS);
	e->result = compute(vcpu, e->mem, other, &e->flags);
	if (!(insn->flags & KVML_INSN_WRITE) || insn->flags & KVML_INSN_RM_REG) {
		write_back(vcpu);
		if (insn->flags & KVML_INSN_WRITE)
			kvml_gpr_write(vcpu, insn->rm, insn->size, insn->rex, e->result);
		return 0;
	}
	set_stage(e, KVML_EMUL_STORED);
	r = locked ? kvml_operand_exchange(vcpu, &e->operand, e->mem, e->result) :
		     kvml_operand_write(vcpu, &e->operand, e->result);
	if (!r)
		write_back(vcpu);
	return r;
}

/* Loads and stores are most of what drivers do to devices; no flags in it. */
static int exec_mov(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;
	const struct kvml_insn *insn = &e->insn;
	bool load = insn->flags & KVML_INSN_TO_REG;
	int r;

	r = kvml_exec_find(vcpu, insn->mem_size, load ? 0 : KVML_WALK_WRITE);
	if (r)
		return r;
	set_stage(e, load ? KVML_EMUL_LOADED : KVML_EMUL_STORED);
	if (!load)
		return kvml_operand_write(vcpu, &e->operand, source(vcpu));
	r = kvml_operand_read(vcpu, &e->operand, &e->mem);
	if (!r)
		kvml_gpr_write(vcpu, insn->reg, insn->size, insn->rex, e->mem);
	return r;
}

static int exec_operands(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;
	const struct kvml_insn *insn = &e->insn;
	u32 access = insn->flags & KVML_INSN_WRITE ? KVML_WALK_WRITE : 0;
	unsigned long more;
	u64 other = other_operand(vcpu, &more);
	int r;

	if (insn->flags & KVML_INSN_RM_REG) {
		e->mem = kvml_gpr_read(vcpu, insn->rm, insn->mem_size, insn->rex);
		return exec_loaded(vcpu, other);
	}
	r = kvml_operand_find(vcpu, insn->seg, kvml_exec_address(vcpu, more),
			      insn->mem_size, access, &e->operand);
	if (!r && insn->flags & KVML_INSN_READ) {
		set_stage(e, KVML_EMUL_LOADED);
		r = kvml_operand_read(vcpu, &e->operand, &e->mem);
	}
	return r ?: exec_loaded(vcpu, other);
}

int kvml_exec_rest(struct kvml_vcpu *vcpu, u64 data)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	bool stored = vcpu->emul->stage == KVML_EMUL_STORED;
	unsigned long more;

	if (insn->op != KVML_OP_MOV && !stored) {
		vcpu->emul->mem = data;
		return exec_loaded(vcpu, other_operand(vcpu, &more));
	}
	if (insn->op != KVML_OP_MOV)
		write_back(vcpu);
	else if (!stored)
		kvml_gpr_write(vcpu, insn->reg, insn->size, insn->rex, data);
	return 0;
}

/* ---- the table ---- */

/* Those that are not there: exec_operands(). */
static kvml_executor *const executors[KVML_OPS] = {
	[KVML_OP_MUL ... KVML_OP_IDIV] = exec_mul_div,
	[KVML_OP_LEA] = exec_lea,
	[KVML_OP_NOP] = exec_nop,
	[KVML_OP_CBW_CWD] = exec_cbw_cwd,
	[KVML_OP_FLAGS] = exec_flags,
	[KVML_OP_IN ... KVML_OP_OUT] = kvml_exec_io,
	/* In their order there. */
	[KVML_OP_JMP] = kvml_exec_jmp, kvml_exec_jcc, kvml_exec_loop, kvml_exec_jmp_far,
	[KVML_OP_PUSH] = kvml_exec_push, kvml_exec_pop, kvml_exec_pusha, kvml_exec_popa,
	[KVML_OP_PUSHF] = kvml_exec_pushf, kvml_exec_popf,
	[KVML_OP_PUSH_SREG] = kvml_exec_push_sreg, kvml_exec_pop_sreg,
	[KVML_OP_ENTER] = kvml_exec_enter, kvml_exec_leave,
	[KVML_OP_CALL] = kvml_exec_call, kvml_exec_ret, kvml_exec_call_far, kvml_exec_ret_far,
	[KVML_OP_LOAD_SREG] = kvml_exec_load_sreg, kvml_exec_store_sreg, kvml_exec_load_far,
	[KVML_OP_LOAD_SYSTEM] = kvml_exec_load_system, kvml_exec_store_system,
	[KVML_OP_LOAD_TABLE] = kvml_exec_load_table, kvml_exec_store_table,
	[KVML_OP_SMSW] = kvml_exec_smsw, kvml_exec_lmsw, kvml_exec_invlpg,
	[KVML_OP_CLI_STI] = kvml_exec_cli_sti, kvml_exec_hlt,
	[KVML_OP_MOV_SSE] = kvml_exec_mov_sse, kvml_exec_x87,
};

/* 1: an exception is queued. */
static int check_rights(struct kvml_vcpu *vcpu, u32 flags)
{
	if (flags & KVML_INSN_PROTECTED && kvml_segment_is_real(vcpu))
		return kvml_queue_exception(vcpu, X86_TRAP_UD);
	if (flags & KVML_INSN_PRIV && kvml_ops->cpl(vcpu))
		return kvml_queue_gp(vcpu);
	return 0;
}

/* e->value from the operand by ModRM, or to it. */
static int access_value(struct kvml_vcpu *vcpu, bool write)
{
	struct kvml_emul *e = vcpu->emul;
	const struct kvml_insn *insn = &e->insn;
	int r;

	if (insn->flags & KVML_INSN_RM_REG) {
		if (write)
			kvml_gpr_write(vcpu, insn->rm, insn->size, insn->rex, e->value);
		else
			e->value = kvml_gpr_read(vcpu, insn->rm, insn->mem_size, insn->rex);
		return 0;
	}
	r = kvml_exec_find(vcpu, insn->mem_size, write ? KVML_WALK_WRITE : 0);
	return r ?: write ? kvml_operand_write(vcpu, &e->operand, e->value) :
			    kvml_operand_read(vcpu, &e->operand, &e->value);
}

/* Around an executor of its own: its operand, and the stack pointer. */
static int exec_own(struct kvml_vcpu *vcpu, const struct kvml_insn *insn)
{
	bool stack = insn->op >= KVML_OP_PUSH && insn->op <= KVML_OP_RET_FAR;
	u32 access = insn->flags & KVML_INSN_BYTES ? 0 : insn->flags;
	int r = check_rights(vcpu, insn->flags);

	if (r)
		return r;
	vcpu->emul->value = insn->imm;
	if (stack)
		kvml_stack_begin(vcpu);
	if (access & KVML_INSN_READ)
		r = access_value(vcpu, false);
	r = r ?: executors[insn->op](vcpu, vcpu->emul);
	if (!r && access & KVML_INSN_WRITE)
		r = access_value(vcpu, true);
	if (!r && stack)
		kvml_stack_end(vcpu);
	return r;
}

int kvml_exec(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;

	vcpu->emul->more = false;
	if (likely(insn->op == KVML_OP_MOV && !(insn->flags & KVML_INSN_RM_REG)))
		return exec_mov(vcpu);
	if (insn->flags & KVML_INSN_STRING)
		return kvml_exec_string(vcpu);
	return executors[insn->op] ? exec_own(vcpu, insn) : exec_operands(vcpu);
}
