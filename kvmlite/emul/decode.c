// SPDX-License-Identifier: GPL-2.0
/* The decoder: SDM volume 2, chapter 2. */
#include "emul/decode_table.h"
#include "vcpu/vcpu.h"

/* What the bytes before the opcode say, and how far decoding is. */
struct cursor {
	const u8 *bytes;
	u8 pos;
	u8 end;
	bool too_short;
	bool opsize;		/* 66 */
	bool addrsize;		/* 67 */
	bool lock;
	u8 rex;
	s8 seg;			/* override, or -1 */
	u8 bits;
};

#define REX_W	0x8
#define REX_R	0x4
#define REX_X	0x2
#define REX_B	0x1

static u8 next_byte(struct cursor *c)
{
	if (c->pos < c->end)
		return c->bytes[c->pos++];
	c->too_short = true;
	return 0;
}

/* @size bytes, sign-extended. */
static s64 next_value(struct cursor *c, unsigned int size)
{
	unsigned int unused = 64 - 8 * size;
	u64 value = 0;

	if (c->pos + size > c->end) {
		c->too_short = true;
		return 0;
	}
	memcpy(&value, c->bytes + c->pos, size);
	c->pos += size;
	return (s64)(value << unused) >> unused;
}

/* Prefixes in any order; REX counts only right before the opcode. */
static u8 decode_prefixes(struct cursor *c, struct kvml_insn *insn)
{
	u8 b;

	for (;; c->rex = 0) {
		b = next_byte(c);
		while (c->bits == 64 && (b & 0xf0) == 0x40) {
			c->rex = b;
			b = next_byte(c);
		}
		switch (b) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			if (c->bits != 64)
				c->seg = (b >> 3) & 3;
			break;
		case 0x64:
		case 0x65:
			c->seg = b - 0x64 + KVML_FS;
			break;
		case 0x66:
			c->opsize = true;
			break;
		case 0x67:
			c->addrsize = true;
			break;
		case 0xf0:
			c->lock = true;
			break;
		case 0xf2:
		case 0xf3:
			insn->rep = b;
			break;
		default:
			return b;
		}
	}
}

/* SDM volume 2, table 2-1. */
static void decode_mem16(struct cursor *c, struct kvml_insn *insn, u8 modrm)
{
	static const s8 regs[8][2] = {
		{ KVML_RBX, KVML_RSI }, { KVML_RBX, KVML_RDI },
		{ KVML_RBP, KVML_RSI }, { KVML_RBP, KVML_RDI },
		{ KVML_RSI, -1 }, { KVML_RDI, -1 },
		{ KVML_RBP, -1 }, { KVML_RBX, -1 },
	};
	u8 mod = modrm >> 6, rm = modrm & 7;

	insn->base = regs[rm][0];
	insn->index = regs[rm][1];
	if (mod == 0 && rm == 6) {
		insn->base = -1;
		insn->disp = next_value(c, 2);
	} else if (mod) {
		insn->disp = next_value(c, mod);
	}
}

/* SDM volume 2, tables 2-2 and 2-3, and 2.2.1 for 64-bit mode. */
static void decode_mem32(struct cursor *c, struct kvml_insn *insn, u8 modrm)
{
	u8 mod = modrm >> 6, base = modrm & 7, sib;
	bool has_sib = base == 4;

	if (has_sib) {
		sib = next_byte(c);
		base = sib & 7;
		insn->index = (sib >> 3 & 7) | (c->rex & REX_X ? 8 : 0);
		if (insn->index == 4)
			insn->index = -1;
		insn->scale = sib >> 6;
	}
	if (mod == 0 && base == 5) {
		insn->rip = !has_sib && c->bits == 64;
		insn->disp = next_value(c, 4);
		return;
	}
	insn->base = base | (c->rex & REX_B ? 8 : 0);
	if (mod)
		insn->disp = next_value(c, mod == 1 ? 1 : 4);
}

static void decode_mem(struct cursor *c, struct kvml_insn *insn, u8 modrm)
{
	if (insn->addr_size == 2)
		decode_mem16(c, insn, modrm);
	else
		decode_mem32(c, insn, modrm);
	if (insn->base == KVML_RBP || insn->base == KVML_RSP)
		insn->seg = KVML_SS;
}

static u8 operand_size(const struct cursor *c, u64 row)
{
	if (row & KVML_INSN_XMM)
		return 16;
	if (row & KVML_INSN_MMX)
		return 8;
	if (row & (W | BYTE))
		return 1;
	if (c->bits == 64 && row & F64)
		return 8;
	if (c->rex & REX_W)
		return row & MAX32 ? 4 : 8;
	if (c->bits == 64 && row & D64)
		return c->opsize ? 2 : 8;
	if (row & D32)
		return 4;
	return (c->bits == 16) == c->opsize ? 4 : 2;
}

static u8 memory_size(const struct cursor *c, u64 row, u8 size)
{
	if (row & MEM8)
		return 1;
	if (row & MEM16)
		return 2;
	if (row & MEM32)
		return min_t(u8, size, 4);
	if (row & PART)
		return c->rex & REX_W ? 8 : 4;
	if (row & MEM64)
		return 8;
	return row & SELECTOR ? size + 2 : size;
}

static void decode_imm(struct cursor *c, struct kvml_insn *insn, u64 row)
{
	bool all = insn->op == KVML_OP_MOV && row & OPREG;

	if (row & IMM)
		insn->imm = next_value(c, all ? insn->size : min_t(u8, insn->size, 4));
	if (row & IMM16)
		insn->imm16 = next_value(c, 2);
	if (row & IMM8)
		insn->imm = next_value(c, 1);
	if (row & ONE) {
		insn->imm = 1;
		insn->flags |= KVML_INSN_IMM8;
	}
}

/* The mandatory prefix, as groups have it: none, 66, F3, F2. */
static unsigned int mandatory_prefix(const struct cursor *c, const struct kvml_insn *insn)
{
	if (insn->rep)
		return insn->rep == 0xf3 ? 2 : 3;
	return c->opsize;
}

static u64 opcode_row(struct cursor *c, struct kvml_insn *insn)
{
	enum kvml_opcode_map map = KVML_MAP_1;
	u8 b = decode_prefixes(c, insn);

	if (b == 0x0f) {
		map = KVML_MAP_0F;
		b = next_byte(c);
		if (b == 0x38) {
			map = KVML_MAP_0F38;
			b = next_byte(c);
		}
	}
	insn->opcode = b;
	return kvml_opcode_row(map, b);
}

/* Is it this instruction, with this ModRM and in this mode? */
static bool row_applies(const struct cursor *c, u64 row, u8 modrm)
{
	bool reg = row & KVML_INSN_RM_REG;

	if (row & (c->bits == 64 ? NOT64 : ONLY64))
		return false;
	if (row & NO_REXW && c->rex & REX_W)
		return false;
	if ((row & 0xff) == OP(X87) && row & REG && modrm != 0xe3)
		return false;
	return !(row & (reg ? MEMORY : REG));
}

/* The row of the opcode tables, with the group's in it; 0: unknown. */
static u64 decode_opcode(struct cursor *c, struct kvml_insn *insn, u8 *modrm)
{
	u64 row = opcode_row(c, insn), member;

	if (insn->opcode & 1)
		row &= ~W;
	if (row & MODRM) {
		*modrm = next_byte(c);
		if (*modrm >> 6 == 3)
			row |= KVML_INSN_RM_REG;
	}
	while (row & GROUP) {
		member = kvml_group_row(row, row & PREFIX ?
					mandatory_prefix(c, insn) :
					*modrm >> 3 & 7);
		if (!member)
			return 0;
		row = (row & ~(0xff | GROUP | PREFIX)) | member;
	}
	return row_applies(c, row, *modrm) ? row : 0;
}

/* #UD, whatever the mode's other conditions are. */
static bool is_invalid(const struct cursor *c, u64 row, u8 modrm)
{
	u8 op = row, reg = modrm >> 3 & 7;

	if (op == OP(UD) || (row & UD64 && c->bits == 64))
		return true;
	if ((op == OP(LOAD_SREG) && reg == KVML_CS) ||
	    ((op == OP(LOAD_SREG) || op == OP(STORE_SREG)) && reg > KVML_GS))
		return true;
	return c->lock && (!(row & KVML_INSN_LOCK) || row & KVML_INSN_RM_REG);
}

/* Operands in the opcode itself take the place of one by ModRM. */
static void decode_implied(struct cursor *c, struct kvml_insn *insn, u64 row)
{
	if (row & MOFFS)
		insn->disp = next_value(c, insn->addr_size);
	if (row & (OPREG | ACC))
		insn->flags |= KVML_INSN_RM_REG;
	if (row & OPREG)
		insn->rm = (insn->opcode & 7) | (c->rex & REX_B ? 8 : 0);
	if (insn->op == KVML_OP_XCHG && !insn->rm) {
		insn->op = KVML_OP_NOP;		/* of rAX with itself */
		insn->flags = 0;
	}
	if (insn->op == KVML_OP_XLAT)
		insn->base = KVML_RBX;
}

static void decode_operands(struct cursor *c, struct kvml_insn *insn, u64 row, u8 modrm)
{
	insn->size = operand_size(c, row);
	insn->mem_size = memory_size(c, row, insn->size);
	if (!(row & MODRM)) {
		decode_implied(c, insn, row);
	} else {
		insn->reg = (modrm >> 3 & 7) | (c->rex & REX_R ? 8 : 0);
		if (row & KVML_INSN_RM_REG)
			insn->rm = (modrm & 7) | (c->rex & REX_B ? 8 : 0);
		else
			decode_mem(c, insn, modrm);
	}
	/* An address made with rSP is made with its new value. */
	if (insn->op == KVML_OP_POP && insn->base == KVML_RSP)
		insn->disp += insn->size;
	decode_imm(c, insn, row);
}

int kvml_decode(struct kvml_insn *insn, const u8 *bytes, unsigned int n, int bits)
{
	struct cursor c = { .bytes = bytes, .end = n, .seg = -1, .bits = bits };
	u8 modrm = 0;
	u64 row;

	*insn = (struct kvml_insn){ .base = -1, .index = -1, .seg = KVML_DS };
	row = decode_opcode(&c, insn, &modrm);
	if (c.too_short)
		return KVML_DECODE_SHORT;
	if (!row)
		return KVML_DECODE_UNKNOWN;
	if (is_invalid(&c, row, modrm))
		return KVML_DECODE_INVALID;

	insn->flags = (u32)row & ~0xffu;
	insn->op = row;
	insn->rex = c.rex;
	insn->lock = c.lock;
	insn->addr_size = bits == 64 ? 8 : bits == 32 ? 4 : 2;
	if (c.addrsize)
		insn->addr_size = bits == 32 ? 2 : 4;
	decode_operands(&c, insn, row, modrm);
	if (c.too_short)
		return KVML_DECODE_SHORT;
	if (c.seg >= 0)
		insn->seg = c.seg;
	insn->len = c.pos;
	return 0;
}
