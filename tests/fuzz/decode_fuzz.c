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
	{ ZYDIS_MNEMONIC_XCHG, KVML_OP_XCHG }, { ZYDIS_MNEMONIC_XADD, KVML_OP_XADD },
	{ ZYDIS_MNEMONIC_CMPXCHG, KVML_OP_CMPXCHG },
	{ ZYDIS_MNEMONIC_PUSH, KVML_OP_PUSH }, { ZYDIS_MNEMONIC_POP, KVML_OP_POP },
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
};

static enum kvml_op op_of(ZydisMnemonic mnemonic)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mnemonics); i++)
		if (mnemonics[i].theirs == mnemonic)
			return mnemonics[i].ours;
	return KVML_OP_NONE;
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
static int number_of(const struct kvml_insn *insn)
{
	if (insn->size > 1 || insn->reg < 4)
		return insn->reg;
	return insn->rex ? insn->reg + 4 : insn->reg;
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

static void check_memory(const struct kvml_insn *insn, const struct theirs *z)
{
	const ZydisDecodedOperand *o = operand_of(z, ZYDIS_OPERAND_TYPE_MEMORY,
						  false);
	bool write;

	FUZZ_CHECK(o, "no memory operand");
	write = o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	check_address(insn, o);
	FUZZ_CHECK(o->mem.segment == segment_of(insn), "segment %u", insn->seg);
	/* MOVSXD of 16 bits: SDM volume 2 reads as many, Zydis twice that. */
	if (z->insn.mnemonic != ZYDIS_MNEMONIC_MOVSXD || insn->size != 2)
		FUZZ_CHECK(o->size == 8 * insn->mem_size, "%u bytes of memory",
			   insn->mem_size);
	FUZZ_CHECK(!!(insn->flags & KVML_INSN_WRITE) == write, "writes %u", write);
	FUZZ_CHECK(!!(insn->flags & KVML_INSN_READ) ==
		   !!(o->actions & ZYDIS_OPERAND_ACTION_MASK_READ), "reads");
}

static void check_register(const struct kvml_insn *insn, const struct theirs *z)
{
	const ZydisDecodedOperand *o = operand_of(z, ZYDIS_OPERAND_TYPE_REGISTER,
						  false);

	if (!o)
		return;
	FUZZ_CHECK(is_gpr(o), "another kind of register");
	FUZZ_CHECK(ZydisRegisterGetId(o->reg.value) == number_of(insn),
		   "register %u", insn->reg);
	FUZZ_CHECK(o->size == 8 * insn->size, "%u bytes of register", insn->size);
}

static void check_immediate(const struct kvml_insn *insn, const struct theirs *z)
{
	const ZydisDecodedOperand *o = operand_of(z, ZYDIS_OPERAND_TYPE_IMMEDIATE,
						  false);
	bool ours = insn->flags & (KVML_INSN_IMM | KVML_INSN_IMM8);
	/* The number of a bit is a byte, whatever the operand is. */
	bool bit_op = insn->op >= KVML_OP_BT && insn->op <= KVML_OP_BTC;

	FUZZ_CHECK(ours == !!o, "immediate");
	if (o)
		FUZZ_CHECK(low_bytes(insn->imm ^ o->imm.value.u,
				     bit_op ? 1 : insn->size) == 0,
			   "immediate %llx", insn->imm);
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

/* MOVNTI is not defined with these, and done all the same. */
static bool is_movnti_with_prefix(const struct kvml_insn *insn,
				  const u8 *bytes)
{
	unsigned int i;

	for (i = 0; i + 1 < insn->len; i++)
		if (bytes[i] == 0x0f)
			return bytes[i + 1] == 0xc3;
	return false;
}

static void check_same(const struct kvml_insn *insn, const struct theirs *z,
		       const u8 *bytes)
{
	if (!ZYAN_SUCCESS(z->status)) {
		FUZZ_CHECK(is_movnti_with_prefix(insn, bytes),
			   "it is no instruction: %x", z->status);
		return;
	}
	FUZZ_CHECK(insn->len == z->insn.length, "%u bytes, not %u", insn->len,
		   z->insn.length);
	FUZZ_CHECK(insn->op == op_of(z->insn.mnemonic), "%s, not operation %u",
		   ZydisMnemonicGetString(z->insn.mnemonic), insn->op);
	FUZZ_CHECK(8 * insn->addr_size == z->insn.address_width,
		   "addresses of %u bytes", insn->addr_size);
	if (insn->flags & KVML_INSN_STRING) {
		check_string(insn, z);
		return;
	}
	check_memory(insn, z);
	check_register(insn, z);
	check_immediate(insn, z);
}

/* Is it one that drivers use on memory, and so on MMIO? */
static bool is_ours(const struct theirs *z)
{
	const ZydisDecodedOperand *reg;

	if (!ZYAN_SUCCESS(z->status) || !op_of(z->insn.mnemonic) ||
	    z->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
	    !operand_of(z, ZYDIS_OPERAND_TYPE_MEMORY,
			z->insn.operand_count_visible == 0))
		return false;
	/* MOV of segment registers, MOVSD of SSE; the second opcode of group 1. */
	reg = operand_of(z, ZYDIS_OPERAND_TYPE_REGISTER, false);
	if (reg && !is_gpr(reg))
		return false;
	return z->insn.opcode_map != ZYDIS_OPCODE_MAP_DEFAULT ||
	       z->insn.opcode != 0x82;
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
	if (op & 0x100)
		bytes[n++] = 0x0f;
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
			for (op = 0; op < 0x200; op++)
				sweep_opcode(sweep_prefixes[i], mode, op);
}
