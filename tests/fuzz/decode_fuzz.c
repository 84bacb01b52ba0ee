// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder against Zydis, an independent one.  What it decodes
 * Zydis must understand in the same way; what it does not know must not be one of
 * the instructions that it is there for.
 *
 * Input: a byte for the mode, then code.
 */
#include "kernel.h"

#include <Zydis/Zydis.h>

#include "emul/decode.c"
#include "emul/decode_table.c"

const struct kvml_ops *kvml_ops;

struct theirs {
	ZyanStatus status;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

static void zydis_decode(struct theirs *z, const u8 *bytes, size_t n, int bits)
{
	ZydisDecoder decoder;

	if (bits == 64)
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
				 ZYDIS_STACK_WIDTH_64);
	else if (bits == 32)
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32,
				 ZYDIS_STACK_WIDTH_32);
	else
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16,
				 ZYDIS_STACK_WIDTH_16);
	z->status = ZydisDecoderDecodeFull(&decoder, bytes, n, &z->insn,
					   z->operand);
}

static const struct {
	ZydisMnemonic theirs;
	enum kvml_op ours;
} mnemonics[] = {
	{ ZYDIS_MNEMONIC_ADD, KVML_OP_ADD }, { ZYDIS_MNEMONIC_OR, KVML_OP_OR },
	{ ZYDIS_MNEMONIC_ADC, KVML_OP_ADC }, { ZYDIS_MNEMONIC_SBB, KVML_OP_SBB },
	{ ZYDIS_MNEMONIC_AND, KVML_OP_AND }, { ZYDIS_MNEMONIC_SUB, KVML_OP_SUB },
	{ ZYDIS_MNEMONIC_XOR, KVML_OP_XOR }, { ZYDIS_MNEMONIC_CMP, KVML_OP_CMP },
	{ ZYDIS_MNEMONIC_TEST, KVML_OP_TEST }, { ZYDIS_MNEMONIC_NOT, KVML_OP_NOT },
	{ ZYDIS_MNEMONIC_NEG, KVML_OP_NEG }, { ZYDIS_MNEMONIC_INC, KVML_OP_INC },
	{ ZYDIS_MNEMONIC_DEC, KVML_OP_DEC }, { ZYDIS_MNEMONIC_BT, KVML_OP_BT },
	{ ZYDIS_MNEMONIC_BTS, KVML_OP_BTS }, { ZYDIS_MNEMONIC_BTR, KVML_OP_BTR },
	{ ZYDIS_MNEMONIC_BTC, KVML_OP_BTC }, { ZYDIS_MNEMONIC_MOV, KVML_OP_MOV },
	{ ZYDIS_MNEMONIC_MOVZX, KVML_OP_MOV }, { ZYDIS_MNEMONIC_MOVNTI, KVML_OP_MOV },
	{ ZYDIS_MNEMONIC_MOVSX, KVML_OP_MOVSX }, { ZYDIS_MNEMONIC_MOVSXD, KVML_OP_MOVSX },
	{ ZYDIS_MNEMONIC_MOVBE, KVML_OP_MOVBE }, { ZYDIS_MNEMONIC_BSWAP, KVML_OP_BSWAP },
	{ ZYDIS_MNEMONIC_XCHG, KVML_OP_XCHG }, { ZYDIS_MNEMONIC_XADD, KVML_OP_XADD },
	{ ZYDIS_MNEMONIC_CMPXCHG, KVML_OP_CMPXCHG },
	{ ZYDIS_MNEMONIC_CMPXCHG8B, KVML_OP_CMPXCHG8B },
	{ ZYDIS_MNEMONIC_ROL, KVML_OP_ROL }, { ZYDIS_MNEMONIC_ROR, KVML_OP_ROR },
	{ ZYDIS_MNEMONIC_RCL, KVML_OP_RCL }, { ZYDIS_MNEMONIC_RCR, KVML_OP_RCR },
	{ ZYDIS_MNEMONIC_SHL, KVML_OP_SHL }, { ZYDIS_MNEMONIC_SHR, KVML_OP_SHR },
	{ ZYDIS_MNEMONIC_SAR, KVML_OP_SAR },
	{ ZYDIS_MNEMONIC_SHLD, KVML_OP_SHLD }, { ZYDIS_MNEMONIC_SHRD, KVML_OP_SHRD },
	{ ZYDIS_MNEMONIC_BSF, KVML_OP_BSF }, { ZYDIS_MNEMONIC_BSR, KVML_OP_BSR },
	{ ZYDIS_MNEMONIC_TZCNT, KVML_OP_TZCNT }, { ZYDIS_MNEMONIC_LZCNT, KVML_OP_LZCNT },
	{ ZYDIS_MNEMONIC_MUL, KVML_OP_MUL }, { ZYDIS_MNEMONIC_IMUL, KVML_OP_IMUL },
	{ ZYDIS_MNEMONIC_DIV, KVML_OP_DIV }, { ZYDIS_MNEMONIC_IDIV, KVML_OP_IDIV },
	{ ZYDIS_MNEMONIC_XLAT, KVML_OP_XLAT }, { ZYDIS_MNEMONIC_LEA, KVML_OP_LEA },
	{ ZYDIS_MNEMONIC_NOP, KVML_OP_NOP }, { ZYDIS_MNEMONIC_PAUSE, KVML_OP_NOP },
	{ ZYDIS_MNEMONIC_PREFETCH, KVML_OP_NOP }, { ZYDIS_MNEMONIC_PREFETCHW, KVML_OP_NOP },
	{ ZYDIS_MNEMONIC_PREFETCHNTA, KVML_OP_NOP }, { ZYDIS_MNEMONIC_PREFETCHT0, KVML_OP_NOP },
	{ ZYDIS_MNEMONIC_PREFETCHT1, KVML_OP_NOP }, { ZYDIS_MNEMONIC_PREFETCHT2, KVML_OP_NOP },
	{ ZYDIS_MNEMONIC_PREFETCHWT1, KVML_OP_NOP },
	{ ZYDIS_MNEMONIC_CLFLUSH, KVML_OP_NOP }, { ZYDIS_MNEMONIC_CLFLUSHOPT, KVML_OP_NOP },
	{ ZYDIS_MNEMONIC_CBW, KVML_OP_CBW_CWD }, { ZYDIS_MNEMONIC_CWDE, KVML_OP_CBW_CWD },
	{ ZYDIS_MNEMONIC_CDQE, KVML_OP_CBW_CWD }, { ZYDIS_MNEMONIC_CWD, KVML_OP_CBW_CWD },
	{ ZYDIS_MNEMONIC_CDQ, KVML_OP_CBW_CWD }, { ZYDIS_MNEMONIC_CQO, KVML_OP_CBW_CWD },
	{ ZYDIS_MNEMONIC_SAHF, KVML_OP_FLAGS }, { ZYDIS_MNEMONIC_LAHF, KVML_OP_FLAGS },
	{ ZYDIS_MNEMONIC_CMC, KVML_OP_FLAGS }, { ZYDIS_MNEMONIC_CLC, KVML_OP_FLAGS },
	{ ZYDIS_MNEMONIC_STC, KVML_OP_FLAGS }, { ZYDIS_MNEMONIC_CLD, KVML_OP_FLAGS },
	{ ZYDIS_MNEMONIC_STD, KVML_OP_FLAGS },
	{ ZYDIS_MNEMONIC_MOVSB, KVML_OP_MOVS }, { ZYDIS_MNEMONIC_MOVSW, KVML_OP_MOVS },
	{ ZYDIS_MNEMONIC_MOVSD, KVML_OP_MOVS }, { ZYDIS_MNEMONIC_MOVSQ, KVML_OP_MOVS },
	{ ZYDIS_MNEMONIC_CMPSB, KVML_OP_CMPS }, { ZYDIS_MNEMONIC_CMPSW, KVML_OP_CMPS },
	{ ZYDIS_MNEMONIC_CMPSD, KVML_OP_CMPS }, { ZYDIS_MNEMONIC_CMPSQ, KVML_OP_CMPS },
	{ ZYDIS_MNEMONIC_STOSB, KVML_OP_STOS }, { ZYDIS_MNEMONIC_STOSW, KVML_OP_STOS },
	{ ZYDIS_MNEMONIC_STOSD, KVML_OP_STOS }, { ZYDIS_MNEMONIC_STOSQ, KVML_OP_STOS },
	{ ZYDIS_MNEMONIC_LODSB, KVML_OP_LODS }, { ZYDIS_MNEMONIC_LODSW, KVML_OP_LODS },
	{ ZYDIS_MNEMONIC_LODSD, KVML_OP_LODS }, { ZYDIS_MNEMONIC_LODSQ, KVML_OP_LODS },
	{ ZYDIS_MNEMONIC_SCASB, KVML_OP_SCAS }, { ZYDIS_MNEMONIC_SCASW, KVML_OP_SCAS },
	{ ZYDIS_MNEMONIC_SCASD, KVML_OP_SCAS }, { ZYDIS_MNEMONIC_SCASQ, KVML_OP_SCAS },
	{ ZYDIS_MNEMONIC_INSB, KVML_OP_INS }, { ZYDIS_MNEMONIC_INSW, KVML_OP_INS },
	{ ZYDIS_MNEMONIC_INSD, KVML_OP_INS }, { ZYDIS_MNEMONIC_OUTSB, KVML_OP_OUTS },
	{ ZYDIS_MNEMONIC_OUTSW, KVML_OP_OUTS }, { ZYDIS_MNEMONIC_OUTSD, KVML_OP_OUTS },
	{ ZYDIS_MNEMONIC_IN, KVML_OP_IN }, { ZYDIS_MNEMONIC_OUT, KVML_OP_OUT },
	{ ZYDIS_MNEMONIC_JMP, KVML_OP_JMP }, { ZYDIS_MNEMONIC_CALL, KVML_OP_CALL },
	{ ZYDIS_MNEMONIC_RET, KVML_OP_RET }, { ZYDIS_MNEMONIC_LOOP, KVML_OP_LOOP },
	{ ZYDIS_MNEMONIC_LOOPE, KVML_OP_LOOP }, { ZYDIS_MNEMONIC_LOOPNE, KVML_OP_LOOP },
	{ ZYDIS_MNEMONIC_JCXZ, KVML_OP_LOOP }, { ZYDIS_MNEMONIC_JECXZ, KVML_OP_LOOP },
	{ ZYDIS_MNEMONIC_JRCXZ, KVML_OP_LOOP },
	{ ZYDIS_MNEMONIC_PUSH, KVML_OP_PUSH }, { ZYDIS_MNEMONIC_POP, KVML_OP_POP },
	{ ZYDIS_MNEMONIC_PUSHA, KVML_OP_PUSHA }, { ZYDIS_MNEMONIC_PUSHAD, KVML_OP_PUSHA },
	{ ZYDIS_MNEMONIC_POPA, KVML_OP_POPA }, { ZYDIS_MNEMONIC_POPAD, KVML_OP_POPA },
	{ ZYDIS_MNEMONIC_PUSHF, KVML_OP_PUSHF }, { ZYDIS_MNEMONIC_PUSHFD, KVML_OP_PUSHF },
	{ ZYDIS_MNEMONIC_PUSHFQ, KVML_OP_PUSHF }, { ZYDIS_MNEMONIC_POPF, KVML_OP_POPF },
	{ ZYDIS_MNEMONIC_POPFD, KVML_OP_POPF }, { ZYDIS_MNEMONIC_POPFQ, KVML_OP_POPF },
	{ ZYDIS_MNEMONIC_ENTER, KVML_OP_ENTER }, { ZYDIS_MNEMONIC_LEAVE, KVML_OP_LEAVE },
	{ ZYDIS_MNEMONIC_LES, KVML_OP_LOAD_FAR }, { ZYDIS_MNEMONIC_LDS, KVML_OP_LOAD_FAR },
	{ ZYDIS_MNEMONIC_LSS, KVML_OP_LOAD_FAR }, { ZYDIS_MNEMONIC_LFS, KVML_OP_LOAD_FAR },
	{ ZYDIS_MNEMONIC_LGS, KVML_OP_LOAD_FAR },
	{ ZYDIS_MNEMONIC_SLDT, KVML_OP_STORE_SYSTEM }, { ZYDIS_MNEMONIC_STR, KVML_OP_STORE_SYSTEM },
	{ ZYDIS_MNEMONIC_LLDT, KVML_OP_LOAD_SYSTEM }, { ZYDIS_MNEMONIC_LTR, KVML_OP_LOAD_SYSTEM },
	{ ZYDIS_MNEMONIC_SGDT, KVML_OP_STORE_TABLE }, { ZYDIS_MNEMONIC_SIDT, KVML_OP_STORE_TABLE },
	{ ZYDIS_MNEMONIC_LGDT, KVML_OP_LOAD_TABLE }, { ZYDIS_MNEMONIC_LIDT, KVML_OP_LOAD_TABLE },
	{ ZYDIS_MNEMONIC_SMSW, KVML_OP_SMSW }, { ZYDIS_MNEMONIC_LMSW, KVML_OP_LMSW },
	{ ZYDIS_MNEMONIC_INVLPG, KVML_OP_INVLPG }, { ZYDIS_MNEMONIC_HLT, KVML_OP_HLT },
	{ ZYDIS_MNEMONIC_CLI, KVML_OP_CLI_STI }, { ZYDIS_MNEMONIC_STI, KVML_OP_CLI_STI },
	{ ZYDIS_MNEMONIC_MOVUPS, KVML_OP_MOV_SSE }, { ZYDIS_MNEMONIC_MOVUPD, KVML_OP_MOV_SSE },
	{ ZYDIS_MNEMONIC_MOVAPS, KVML_OP_MOV_SSE }, { ZYDIS_MNEMONIC_MOVAPD, KVML_OP_MOV_SSE },
	{ ZYDIS_MNEMONIC_MOVNTPS, KVML_OP_MOV_SSE }, { ZYDIS_MNEMONIC_MOVNTPD, KVML_OP_MOV_SSE },
	{ ZYDIS_MNEMONIC_MOVDQA, KVML_OP_MOV_SSE }, { ZYDIS_MNEMONIC_MOVDQU, KVML_OP_MOV_SSE },
	{ ZYDIS_MNEMONIC_MOVNTDQ, KVML_OP_MOV_SSE }, { ZYDIS_MNEMONIC_MOVNTQ, KVML_OP_MOV_SSE },
	{ ZYDIS_MNEMONIC_MOVD, KVML_OP_MOV_SSE }, { ZYDIS_MNEMONIC_MOVQ, KVML_OP_MOV_SSE },
	{ ZYDIS_MNEMONIC_FNSTCW, KVML_OP_X87 }, { ZYDIS_MNEMONIC_FNSTSW, KVML_OP_X87 },
	{ ZYDIS_MNEMONIC_FNINIT, KVML_OP_X87 },
};

/* By opcode, as there are sixteen mnemonics of each. */
static enum kvml_op conditional_op(const ZydisDecodedInstruction *insn)
{
	if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
		return insn->opcode >> 4 == 7 ? KVML_OP_JCC : KVML_OP_NONE;
	if (insn->opcode_map != ZYDIS_OPCODE_MAP_0F)
		return KVML_OP_NONE;
	switch (insn->opcode >> 4) {
	case 4:
		return KVML_OP_CMOV;
	case 8:
		return KVML_OP_JCC;
	case 9:
		return KVML_OP_SETCC;
	}
	return KVML_OP_NONE;
}

static enum kvml_op far_op(enum kvml_op op)
{
	return op == KVML_OP_JMP ? KVML_OP_JMP_FAR :
	       op == KVML_OP_CALL ? KVML_OP_CALL_FAR : KVML_OP_RET_FAR;
}

static bool has_register(const struct theirs *z, ZydisRegisterClass class)
{
	unsigned int i;

	for (i = 0; i < z->insn.operand_count_visible; i++)
		if (z->operand[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ZydisRegisterGetClass(z->operand[i].reg.value) == class)
			return true;
	return false;
}

static enum kvml_op op_of(const struct theirs *z)
{
	enum kvml_op op = conditional_op(&z->insn);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mnemonics); i++)
		if (mnemonics[i].theirs == z->insn.mnemonic)
			op = mnemonics[i].ours;
	if (z->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR &&
	    (op == KVML_OP_JMP || op == KVML_OP_CALL || op == KVML_OP_RET))
		return far_op(op);
	if (op == KVML_OP_IMUL && z->insn.operand_count_visible == 1)
		return KVML_OP_IMUL1;
	if (!has_register(z, ZYDIS_REGCLASS_SEGMENT))
		return op;
	if (op == KVML_OP_PUSH || op == KVML_OP_POP)
		return op == KVML_OP_PUSH ? KVML_OP_PUSH_SREG : KVML_OP_POP_SREG;
	return z->insn.opcode == 0x8c ? KVML_OP_STORE_SREG : KVML_OP_LOAD_SREG;
}

/* The first operand of a type; explicit ones only, or any. */
static const ZydisDecodedOperand *operand_of(const struct theirs *z,
					     ZydisOperandType type, bool hidden)
{
	unsigned int i;

	for (i = 0; i < z->insn.operand_count; i++)
		if (z->operand[i].type == type &&
		    (hidden || z->operand[i].visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT))
			return &z->operand[i];
	return NULL;
}

static bool is_gpr(const ZydisDecodedOperand *o)
{
	ZydisRegisterClass class = ZydisRegisterGetClass(o->reg.value);

	return class >= ZYDIS_REGCLASS_GPR8 && class <= ZYDIS_REGCLASS_GPR64;
}

static u64 low_bytes(u64 value, unsigned int n)
{
	return value & (U64_MAX >> (64 - 8 * n));
}

/* Their number of a byte register counts SPL to DIL apart from AH to BH. */
static int number_of(const struct kvml_insn *insn, unsigned int reg,
		     unsigned int size)
{
	return size == 1 && reg >= 4 && insn->rex ? reg + 4 : reg;
}

static ZydisRegister segment_of(const struct kvml_insn *insn)
{
	return ZYDIS_REGISTER_ES + insn->seg;
}

static void check_address(const struct kvml_insn *insn,
			  const ZydisDecodedOperand *o)
{
	const ZydisDecodedOperandMem *m = &o->mem;
	bool rip = m->base == ZYDIS_REGISTER_RIP || m->base == ZYDIS_REGISTER_EIP;

	FUZZ_CHECK(insn->rip == rip, "RIP-relative %u", insn->rip);
	if (!rip)
		FUZZ_CHECK(insn->base == (m->base ? ZydisRegisterGetId(m->base) : -1),
			   "base %d", insn->base);
	FUZZ_CHECK(insn->index == (m->index ? ZydisRegisterGetId(m->index) : -1),
		   "index %d", insn->index);
	if (m->index)
		FUZZ_CHECK(1 << insn->scale == m->scale, "scale %u", insn->scale);
	FUZZ_CHECK(low_bytes(insn->disp ^ m->disp.value, insn->addr_size) == 0,
		   "displacement %lx", insn->disp);
}

static void check_memory(const struct kvml_insn *insn, const struct theirs *z,
			 const ZydisDecodedOperand *o)
{
	bool write = o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	bool read = o->actions & ZYDIS_OPERAND_ACTION_MASK_READ;

	FUZZ_CHECK(!(insn->flags & KVML_INSN_RM_REG), "memory");
	if (insn->op != KVML_OP_POP || insn->base != KVML_RSP)
		check_address(insn, o);
	/* LEA and INVLPG make an address; prefetches are NOPs. */
	if (!(insn->flags & (KVML_INSN_READ | KVML_INSN_WRITE)))
		return;
	/* A prefix for DS is also one for branches, which takes the place of others. */
	if (!(z->insn.attributes & ZYDIS_ATTRIB_HAS_NOTRACK))
		FUZZ_CHECK(o->mem.segment == segment_of(insn), "segment %u",
			   insn->seg);
	/* MOVSXD of 16 bits: SDM volume 2 reads as many, Zydis twice that. */
	if (insn->op != KVML_OP_LOAD_TABLE && insn->op != KVML_OP_STORE_TABLE &&
	    insn->op != KVML_OP_NOP &&
	    (z->insn.mnemonic != ZYDIS_MNEMONIC_MOVSXD || insn->size != 2))
		FUZZ_CHECK(o->size == 8 * insn->mem_size, "%u bytes of memory",
			   insn->mem_size);
	if (insn->op != KVML_OP_NOP)
		FUZZ_CHECK(!!(insn->flags & KVML_INSN_READ) == read, "reads %u",
			   read);
	FUZZ_CHECK(!!(insn->flags & KVML_INSN_WRITE) == write, "writes %u", write);
}

static void check_register(const struct kvml_insn *insn,
			   const ZydisDecodedOperand *o)
{
	bool rm = o->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM ||
		  o->encoding == ZYDIS_OPERAND_ENCODING_OPCODE;
	unsigned int reg = rm ? insn->rm : insn->reg, size = insn->size;
	ZydisRegisterClass class = ZydisRegisterGetClass(o->reg.value);

	if (!rm && o->encoding != ZYDIS_OPERAND_ENCODING_MODRM_REG)
		return;
	FUZZ_CHECK(!rm || insn->flags & KVML_INSN_RM_REG, "a register");
	if (rm && !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
		size = insn->mem_size;
	if (class == ZYDIS_REGCLASS_MMX || class == ZYDIS_REGCLASS_SEGMENT)
		reg &= 7;
	FUZZ_CHECK(!(insn->flags & KVML_INSN_XMM) == (class != ZYDIS_REGCLASS_XMM),
		   "XMM");
	FUZZ_CHECK(!(insn->flags & KVML_INSN_MMX) == (class != ZYDIS_REGCLASS_MMX),
		   "MMX");
	if (is_gpr(o))
		reg = number_of(insn, reg, size);
	FUZZ_CHECK(ZydisRegisterGetId(o->reg.value) == (int)reg, "register %u", reg);
	if (is_gpr(o) && insn->op != KVML_OP_LOAD_SREG &&
	    insn->op != KVML_OP_LOAD_SYSTEM && insn->op != KVML_OP_NOP)
		FUZZ_CHECK(o->size == 8 * size, "%u bytes of register", size);
}

static void check_immediate(const struct kvml_insn *insn,
			    const ZydisDecodedOperand *o, bool second)
{
	/* Counts, bit numbers, ports are bytes, whatever the operand is. */
	unsigned int size = o->imm.is_signed ? insn->size : 1;

	if (o->encoding == ZYDIS_OPERAND_ENCODING_UIMM16) {
		FUZZ_CHECK(!second && insn->imm16 == o->imm.value.u,
			   "immediate %x", insn->imm16);
		return;
	}
	FUZZ_CHECK(insn->flags & (KVML_INSN_IMM | KVML_INSN_IMM8), "immediate");
	if (!o->imm.is_signed && o->size > 8)
		size = insn->size;
	FUZZ_CHECK(low_bytes(insn->imm ^ o->imm.value.u, size) == 0,
		   "immediate %llx", insn->imm);
}

static void check_operands(const struct kvml_insn *insn, const struct theirs *z)
{
	unsigned int i, immediates = 0;
	bool memory = false;

	for (i = 0; i < z->insn.operand_count; i++) {
		const ZydisDecodedOperand *o = &z->operand[i];

		if (o->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT &&
		    insn->op != KVML_OP_XLAT)
			continue;
		switch (o->type) {
		case ZYDIS_OPERAND_TYPE_MEMORY:
			/* The index of XLAT is AL, which is no address register. */
			memory = true;
			if (insn->op != KVML_OP_XLAT)
				check_memory(insn, z, o);
			break;
		case ZYDIS_OPERAND_TYPE_REGISTER:
			check_register(insn, o);
			break;
		case ZYDIS_OPERAND_TYPE_IMMEDIATE:
			check_immediate(insn, o, immediates++);
			break;
		default:
			FUZZ_CHECK(insn->imm16 == o->ptr.segment &&
				   !low_bytes(insn->imm ^ o->ptr.offset, insn->size),
				   "pointer %x:%llx", insn->imm16, insn->imm);
		}
	}
	if (!memory && insn->op != KVML_OP_NOP)
		FUZZ_CHECK(insn->flags & KVML_INSN_RM_REG ||
			   !(insn->flags & (KVML_INSN_READ | KVML_INSN_WRITE)),
			   "no memory operand");
}

/* The operand at rSI, whose segment a prefix may change. */
static void check_string(const struct kvml_insn *insn, const struct theirs *z)
{
	unsigned int i;

	for (i = 0; i < z->insn.operand_count; i++) {
		const ZydisDecodedOperand *o = &z->operand[i];

		if (o->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		FUZZ_CHECK(o->size == 8 * insn->size, "%u bytes", insn->size);
		if (ZydisRegisterGetId(o->mem.base) == KVML_RSI)
			FUZZ_CHECK(o->mem.segment == segment_of(insn),
				   "segment %u", insn->seg);
	}
}

/* The last byte of the opcode, of those of two bytes. */
static int opcode_0f(const struct kvml_insn *insn, const u8 *bytes)
{
	unsigned int i;

	for (i = 0; i + 1 < insn->len; i++)
		if (bytes[i] == 0x0f)
			return bytes[i + 1];
	return -1;
}

/*
 * MOVNTI with prefixes is not defined, and done all the same, and of the NOPs with
 * operands some are.
 */
static bool is_done_all_the_same(const struct kvml_insn *insn, const u8 *bytes)
{
	int opcode = opcode_0f(insn, bytes);

	return opcode == 0xc3 || insn->op == KVML_OP_NOP;
}

static void check_same(const struct kvml_insn *insn, const struct theirs *z,
		       const u8 *bytes)
{
	if (insn->op == KVML_OP_NOP && opcode_0f(insn, bytes) >= 0x0d &&
	    opcode_0f(insn, bytes) <= 0x1f)
		return;
	if (!ZYAN_SUCCESS(z->status)) {
		FUZZ_CHECK(is_done_all_the_same(insn, bytes),
			   "it is no instruction: %x", z->status);
		return;
	}
	FUZZ_CHECK(insn->len == z->insn.length, "%u bytes, not %u", insn->len,
		   z->insn.length);
	/* XCHG of r8, to others than Zydis. */
	if (z->insn.mnemonic == ZYDIS_MNEMONIC_PAUSE)
		return;
	FUZZ_CHECK(insn->op == op_of(z), "%s, not operation %u",
		   ZydisMnemonicGetString(z->insn.mnemonic), insn->op);
	FUZZ_CHECK(8 * insn->addr_size == z->insn.address_width,
		   "addresses of %u bytes", insn->addr_size);
	if (insn->flags & KVML_INSN_STRING)
		check_string(insn, z);
	else
		check_operands(insn, z);
}

/* Is it one that is done in software? */
static bool is_ours(const struct theirs *z)
{
	bool has_modrm = z->insn.attributes & ZYDIS_ATTRIB_HAS_MODRM;
	bool reg = has_modrm && z->insn.raw.modrm.mod == 3;
	ZydisMnemonic name = z->insn.mnemonic;

	if (!ZYAN_SUCCESS(z->status) || !op_of(z) ||
	    z->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return false;
	/* These are done with memory only. */
	if (reg && (name == ZYDIS_MNEMONIC_MOVD || name == ZYDIS_MNEMONIC_MOVQ ||
		    name == ZYDIS_MNEMONIC_FNSTSW))
		return z->insn.opcode == 0x6f || z->insn.opcode == 0x7f;
	/* MOV of control registers; MOVSD of SSE. */
	if (has_register(z, ZYDIS_REGCLASS_CONTROL) ||
	    has_register(z, ZYDIS_REGCLASS_DEBUG))
		return false;
	return op_of(z) == KVML_OP_MOV_SSE || !has_register(z, ZYDIS_REGCLASS_XMM);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	int bits = size ? 16 << data[0] % 3 : 0, r;
	struct kvml_insn insn, shorter;
	struct theirs z;
	size_t n;

	if (size < 2)
		return 0;
	data++;
	n = min_t(size_t, size - 1, KVML_INSN_MAX);
	r = kvml_decode(&insn, data, n, bits);
	zydis_decode(&z, data, n, bits);
	if (r == KVML_DECODE_SHORT) {
		FUZZ_CHECK(!is_ours(&z), "%u bytes are enough", z.insn.length);
		return 0;
	}
	if (r == KVML_DECODE_INVALID) {
		FUZZ_CHECK(!is_ours(&z), "%s is valid",
			   ZydisMnemonicGetString(z.insn.mnemonic));
		return 0;
	}
	if (r == KVML_DECODE_UNKNOWN) {
		FUZZ_CHECK(!is_ours(&z), "%s is not known",
			   ZydisMnemonicGetString(z.insn.mnemonic));
		return 0;
	}
	FUZZ_CHECK(r == 0, "result %d", r);
	check_same(&insn, &z, data);
	FUZZ_CHECK(kvml_decode(&shorter, data, insn.len, bits) == 0, "again");
	FUZZ_CHECK(kvml_decode(&shorter, data, insn.len - 1, bits) ==
		   KVML_DECODE_SHORT, "a byte less");
	return 0;
}

/* ---- every opcode and ModRM after these prefixes, in each mode ---- */

static const u8 sweep_prefixes[][4] = {
	{ 0 }, { 1, 0x66 }, { 1, 0x67 }, { 1, 0xf0 }, { 1, 0xf2 }, { 1, 0xf3 },
	{ 1, 0x40 }, { 1, 0x48 }, { 1, 0x4f }, { 1, 0x2e }, { 1, 0x65 },
	{ 2, 0x66, 0x48 }, { 2, 0x48, 0x66 }, { 2, 0x64, 0x3e },
	{ 3, 0xf3, 0x66, 0x67 }, { 2, 0x4f, 0x40 }, { 2, 0xf2, 0xf0 },
};

/* All index registers with one base, all bases with one index. */
static void sweep_sib(u8 *bytes, unsigned int at, size_t size)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		bytes[at] = i << 3 | 5;
		LLVMFuzzerTestOneInput(bytes, size);
		bytes[at] = 0x80 | 4 << 3 | i;
		LLVMFuzzerTestOneInput(bytes, size);
	}
}

static void sweep_opcode(const u8 *prefix, unsigned int mode, unsigned int op)
{
	u8 bytes[1 + KVML_INSN_MAX];
	unsigned int n = 1, modrm, i;

	bytes[0] = mode;
	for (i = 1; i <= prefix[0]; i++)
		bytes[n++] = prefix[i];
	if (op & 0x300)
		bytes[n++] = 0x0f;
	if (op & 0x200)
		bytes[n++] = 0x38;
	bytes[n++] = op;
	for (i = n; i < sizeof(bytes); i++)
		bytes[i] = 0x80 + i;
	for (modrm = 0; modrm < 0x100; modrm++) {
		bytes[n] = modrm;
		if (modrm >> 6 < 3 && (modrm & 7) == 4)
			sweep_sib(bytes, n + 1, sizeof(bytes));
		else
			LLVMFuzzerTestOneInput(bytes, sizeof(bytes));
	}
}

void fuzz_sweep(void)
{
	unsigned int i, mode, op;

	for (i = 0; i < ARRAY_SIZE(sweep_prefixes); i++)
		for (mode = 0; mode < 3; mode++)
			for (op = 0; op < 0x300; op++)
				sweep_opcode(sweep_prefixes[i], mode, op);
}
