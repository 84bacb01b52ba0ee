// SPDX-License-Identifier: GPL-2.0
/* The decoder: SDM volume 2, chapter 2 (format) and appendix A (opcodes). */
#include <linux/kernel.h>
#include <linux/string.h>

#include "base/ops.h"
#include "emul/decode.h"
#include "vcpu/vcpu.h"

/* Of the decoder only. */
#define W	BIT(16)		/* opcode bit 0 is clear: 8-bit operands */
#define MODRM	BIT(17)
#define MOFFS	BIT(18)		/* the address is in the instruction */
#define MEM8	BIT(19)		/* memory operand of this size */
#define MEM16	BIT(20)
#define MEM32	BIT(21)
#define D64	BIT(22)		/* 64-bit operands without REX.W */
#define ONLY64	BIT(23)		/* means something else outside 64-bit mode */
#define GROUP	BIT(24)		/* ModRM.reg chooses: bits 0-7 are which group */
#define D32	BIT(25)		/* 32-bit operands without REX.W */
#define MAX32	BIT(26)		/* and with it */

#define RD	KVML_INSN_READ
#define WR	KVML_INSN_WRITE
#define RMW	(RD | WR | KVML_INSN_LOCK)
#define TO_REG	KVML_INSN_TO_REG
#define IMM	KVML_INSN_IMM
#define IMM8	KVML_INSN_IMM8
#define STR	KVML_INSN_STRING
#define TWO	KVML_INSN_TWO_MEM
#define OP(op)	KVML_OP_##op

enum { GROUP1, GROUP1A, GROUP3, GROUP4, GROUP5, GROUP8, GROUP11 };

static const u32 one_byte[256] = {
	[0x00 ... 0x01] = OP(ADD) | W | MODRM | RMW,
	[0x02 ... 0x03] = OP(ADD) | W | MODRM | RD | TO_REG,
	[0x08 ... 0x09] = OP(OR) | W | MODRM | RMW,
	[0x0a ... 0x0b] = OP(OR) | W | MODRM | RD | TO_REG,
	[0x10 ... 0x11] = OP(ADC) | W | MODRM | RMW,
	[0x12 ... 0x13] = OP(ADC) | W | MODRM | RD | TO_REG,
	[0x18 ... 0x19] = OP(SBB) | W | MODRM | RMW,
	[0x1a ... 0x1b] = OP(SBB) | W | MODRM | RD | TO_REG,
	[0x20 ... 0x21] = OP(AND) | W | MODRM | RMW,
	[0x22 ... 0x23] = OP(AND) | W | MODRM | RD | TO_REG,
	[0x28 ... 0x29] = OP(SUB) | W | MODRM | RMW,
	[0x2a ... 0x2b] = OP(SUB) | W | MODRM | RD | TO_REG,
	[0x30 ... 0x31] = OP(XOR) | W | MODRM | RMW,
	[0x32 ... 0x33] = OP(XOR) | W | MODRM | RD | TO_REG,
	[0x38 ... 0x39] = OP(CMP) | W | MODRM | RD,
	[0x3a ... 0x3b] = OP(CMP) | W | MODRM | RD | TO_REG,
	[0x63] = OP(MOVSX) | MODRM | RD | TO_REG | MEM32 | ONLY64,
	[0x6c ... 0x6d] = OP(INS) | W | STR | WR | MAX32,
	[0x6e ... 0x6f] = OP(OUTS) | W | STR | RD | MAX32,
	[0x80] = GROUP1 | GROUP | W | MODRM | IMM,
	[0x81] = GROUP1 | GROUP | MODRM | IMM,
	[0x83] = GROUP1 | GROUP | MODRM | IMM8,
	[0x84 ... 0x85] = OP(TEST) | W | MODRM | RD,
	[0x86 ... 0x87] = OP(XCHG) | W | MODRM | RMW,
	[0x88 ... 0x89] = OP(MOV) | W | MODRM | WR,
	[0x8a ... 0x8b] = OP(MOV) | W | MODRM | RD | TO_REG,
	[0x8f] = GROUP1A | GROUP | MODRM | D64,
	[0xa0 ... 0xa1] = OP(MOV) | W | MOFFS | RD | TO_REG,
	[0xa2 ... 0xa3] = OP(MOV) | W | MOFFS | WR,
	[0xa4 ... 0xa5] = OP(MOVS) | W | STR | RD | TWO,
	[0xa6 ... 0xa7] = OP(CMPS) | W | STR | RD | TWO,
	[0xaa ... 0xab] = OP(STOS) | W | STR | WR,
	[0xac ... 0xad] = OP(LODS) | W | STR | RD,
	[0xae ... 0xaf] = OP(SCAS) | W | STR | RD,
	[0xc6 ... 0xc7] = GROUP11 | W | GROUP | MODRM | IMM,
	[0xf6 ... 0xf7] = GROUP3 | W | GROUP | MODRM,
	[0xfe] = GROUP4 | GROUP | W | MODRM,
	[0xff] = GROUP5 | GROUP | MODRM,
};

static const u32 two_byte[256] = {
	[0xa3] = OP(BT) | MODRM | RD,
	[0xab] = OP(BTS) | MODRM | RMW,
	[0xb3] = OP(BTR) | MODRM | RMW,
	[0xbb] = OP(BTC) | MODRM | RMW,
	[0xb0 ... 0xb1] = OP(CMPXCHG) | W | MODRM | RMW,
	[0xb6] = OP(MOV) | MODRM | RD | TO_REG | MEM8,
	[0xb7] = OP(MOV) | MODRM | RD | TO_REG | MEM16,
	[0xba] = GROUP8 | GROUP | MODRM | IMM8,
	[0xbe] = OP(MOVSX) | MODRM | RD | TO_REG | MEM8,
	[0xbf] = OP(MOVSX) | MODRM | RD | TO_REG | MEM16,
	[0xc0 ... 0xc1] = OP(XADD) | W | MODRM | RMW,
	[0xc3] = OP(MOV) | MODRM | WR | D32,	/* MOVNTI */
};

static const u32 groups[][8] = {
	[GROUP1] = {
		OP(ADD) | RMW, OP(OR) | RMW, OP(ADC) | RMW, OP(SBB) | RMW,
		OP(AND) | RMW, OP(SUB) | RMW, OP(XOR) | RMW, OP(CMP) | RD,
	},
	[GROUP1A] = { OP(POP) | WR | TWO },
	[GROUP3] = {
		OP(TEST) | RD | IMM, OP(TEST) | RD | IMM,
		OP(NOT) | RMW, OP(NEG) | RMW,
	},
	[GROUP4] = { OP(INC) | RMW, OP(DEC) | RMW },
	[GROUP5] = {
		OP(INC) | RMW, OP(DEC) | RMW, [6] = OP(PUSH) | RD | TWO | D64,
	},
	[GROUP8] = {
		[4] = OP(BT) | RD, OP(BTS) | RMW, OP(BTR) | RMW, OP(BTC) | RMW,
	},
	[GROUP11] = { OP(MOV) | WR },
};

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

static void decode_sizes(struct cursor *c, struct kvml_insn *insn, u32 flags)
{
	if (flags & W)
		insn->size = 1;
	else if (c->rex & REX_W)
		insn->size = flags & MAX32 ? 4 : 8;
	else if (c->bits == 64 && flags & D64)
		insn->size = c->opsize ? 2 : 8;
	else if (flags & D32)
		insn->size = 4;
	else
		insn->size = (c->bits == 16) == c->opsize ? 4 : 2;

	if (flags & MEM8)
		insn->mem_size = 1;
	else if (flags & MEM16)
		insn->mem_size = 2;
	else if (flags & MEM32)
		insn->mem_size = min_t(u8, insn->size, 4);
	else
		insn->mem_size = insn->size;
}

static void decode_imm(struct cursor *c, struct kvml_insn *insn, u32 flags)
{
	if (flags & IMM8)
		insn->imm = next_value(c, 1);
	else if (flags & IMM)
		insn->imm = next_value(c, min_t(u8, insn->size, 4));
}

/* The entry of the opcode tables, with the group's in it. */
static u32 decode_opcode(struct cursor *c, struct kvml_insn *insn, u8 *modrm)
{
	u8 b = decode_prefixes(c, insn);
	u32 flags;

	if (b == 0x0f)
		flags = two_byte[b = next_byte(c)];
	else
		flags = one_byte[b];
	if (b & 1)
		flags &= ~W;
	if (flags & MODRM) {
		*modrm = next_byte(c);
		if (*modrm >> 6 == 3)
			return 0;
	}
	if (flags & GROUP) {
		u32 member = groups[flags & 0xff][*modrm >> 3 & 7];

		flags = member ? (flags & ~0xffu) | member : 0;
	}
	if (flags & ONLY64 && c->bits != 64)
		return 0;
	return flags;
}

int kvml_decode(struct kvml_insn *insn, const u8 *bytes, unsigned int n,
		int bits)
{
	struct cursor c = { .bytes = bytes, .end = n, .seg = -1, .bits = bits };
	u8 modrm = 0;
	u32 flags;

	*insn = (struct kvml_insn){ .base = -1, .index = -1, .seg = KVML_DS };
	flags = decode_opcode(&c, insn, &modrm);
	if (c.too_short)
		return KVML_DECODE_SHORT;
	if (!(flags & 0xff) || (c.lock && !(flags & KVML_INSN_LOCK)))
		return KVML_DECODE_UNKNOWN;

	insn->flags = flags;
	insn->op = flags;
	insn->rex = c.rex;
	insn->addr_size = bits == 64 ? 8 : bits == 32 ? 4 : 2;
	if (c.addrsize)
		insn->addr_size = bits == 32 ? 2 : 4;
	decode_sizes(&c, insn, flags);
	if (flags & MODRM) {
		insn->reg = (modrm >> 3 & 7) | (c.rex & REX_R ? 8 : 0);
		decode_mem(&c, insn, modrm);
	} else if (flags & MOFFS) {
		insn->disp = next_value(&c, insn->addr_size);
	}
	decode_imm(&c, insn, flags);
	if (c.too_short)
		return KVML_DECODE_SHORT;
	if (c.seg >= 0)
		insn->seg = c.seg;
	insn->len = c.pos;
	return 0;
}
