/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instruction bytes to struct kvml_insn, by the opcode maps of SDM volume 2,
 * appendix A: only instructions with a memory operand that software can do
 * (emulate.h), and INS and OUTS.  Pure: bytes in, struct out.
 */
#ifndef _KVMLITE_DECODE_H
#define _KVMLITE_DECODE_H

#include <linux/bits.h>
#include <linux/types.h>

#define KVML_INSN_MAX	15	/* bytes; the CPU gives #GP for more */

/* ADD to CMP are numbered as in the opcodes, plus one. */
enum kvml_op {
	KVML_OP_NONE,
	KVML_OP_ADD, KVML_OP_OR, KVML_OP_ADC, KVML_OP_SBB,
	KVML_OP_AND, KVML_OP_SUB, KVML_OP_XOR, KVML_OP_CMP,
	KVML_OP_TEST, KVML_OP_NOT, KVML_OP_NEG, KVML_OP_INC, KVML_OP_DEC,
	KVML_OP_BT, KVML_OP_BTS, KVML_OP_BTR, KVML_OP_BTC,
	KVML_OP_MOV, KVML_OP_MOVSX,
	KVML_OP_XCHG, KVML_OP_XADD, KVML_OP_CMPXCHG,
	KVML_OP_PUSH, KVML_OP_POP,
	KVML_OP_MOVS, KVML_OP_CMPS, KVML_OP_STOS, KVML_OP_LODS, KVML_OP_SCAS,
	KVML_OP_INS, KVML_OP_OUTS,
};

/* Of an opcode; kvml_insn.flags. */
#define KVML_INSN_READ		BIT(8)	/* reads its memory operand */
#define KVML_INSN_WRITE		BIT(9)	/* writes it */
#define KVML_INSN_TO_REG	BIT(10)	/* the result goes to a register */
#define KVML_INSN_IMM		BIT(11)	/* immediate, of operand size */
#define KVML_INSN_IMM8		BIT(12)	/* immediate byte, sign-extended */
#define KVML_INSN_STRING	BIT(13)	/* rSI, rDI, REP */
#define KVML_INSN_TWO_MEM	BIT(14)	/* has two memory operands */
#define KVML_INSN_LOCK		BIT(15)	/* LOCK is allowed */

struct kvml_insn {
	u32 flags;
	u8 op;		/* enum kvml_op */
	u8 len;		/* of the instruction */
	u8 size;	/* of the operation: 1, 2, 4, 8 */
	u8 mem_size;	/* of the memory operand; MOVZX, MOVSX: less than size */
	u8 addr_size;	/* 2, 4, 8 */
	u8 seg;		/* enum kvml_seg of the memory operand */
	u8 rep;		/* 0, 0xf3, 0xf2 */
	u8 reg;		/* register operand */
	bool rex;	/* byte registers 4 to 7 are SPL to DIL, not AH to BH */
	bool rip;	/* the address is relative to the next instruction */
	s8 base;	/* registers of the address; -1: none */
	s8 index;
	u8 scale;	/* shift of the index */
	unsigned long disp;
	u64 imm;	/* sign-extended */
};

#define KVML_DECODE_SHORT	1	/* the instruction is longer than @n */
#define KVML_DECODE_UNKNOWN	2

/*
 * Decode @n bytes of code whose default size is @bits (16, 32, 64).  0, or one
 * of the above; @insn is of use only with 0.
 */
int kvml_decode(struct kvml_insn *insn, const u8 *bytes, unsigned int n,
		int bits);

#endif /* _KVMLITE_DECODE_H */
