/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instruction bytes to struct kvml_insn, by the opcode maps of SDM volume 2,
 * appendix A: the instructions that software can do (decode_table.c).  Pure:
 * bytes in, struct out.
 */
#ifndef _KVMLITE_DECODE_H
#define _KVMLITE_DECODE_H

#define KVML_INSN_MAX	15	/* bytes; the CPU gives #GP for more */

/* ADD to CMP are numbered as in the opcodes, plus one. */
enum kvml_op {
	KVML_OP_NONE,
	KVML_OP_ADD, KVML_OP_OR, KVML_OP_ADC, KVML_OP_SBB,
	KVML_OP_AND, KVML_OP_SUB, KVML_OP_XOR, KVML_OP_CMP,
	KVML_OP_TEST, KVML_OP_NOT, KVML_OP_NEG, KVML_OP_INC, KVML_OP_DEC,
	KVML_OP_BT, KVML_OP_BTS, KVML_OP_BTR, KVML_OP_BTC,
	KVML_OP_ROL, KVML_OP_ROR, KVML_OP_RCL, KVML_OP_RCR,
	KVML_OP_SHL, KVML_OP_SHR, KVML_OP_SAR, KVML_OP_SHLD, KVML_OP_SHRD,
	KVML_OP_BSF, KVML_OP_BSR, KVML_OP_TZCNT, KVML_OP_LZCNT,
	KVML_OP_IMUL,	/* with two and three operands */
	KVML_OP_MUL, KVML_OP_IMUL1, KVML_OP_DIV, KVML_OP_IDIV,
	KVML_OP_MOV, KVML_OP_MOVSX, KVML_OP_MOVBE, KVML_OP_BSWAP,
	KVML_OP_XCHG, KVML_OP_XADD, KVML_OP_CMPXCHG, KVML_OP_CMPXCHG8B,
	KVML_OP_SETCC, KVML_OP_CMOV, KVML_OP_XLAT, KVML_OP_LEA, KVML_OP_NOP,
	KVML_OP_CBW_CWD, KVML_OP_FLAGS,
	KVML_OP_MOVS, KVML_OP_CMPS, KVML_OP_STOS, KVML_OP_LODS, KVML_OP_SCAS,
	KVML_OP_INS, KVML_OP_OUTS, KVML_OP_IN, KVML_OP_OUT,
	KVML_OP_JMP, KVML_OP_JCC, KVML_OP_LOOP, KVML_OP_JMP_FAR,
	/* From here to RET_FAR they change the stack pointer. */
	KVML_OP_PUSH, KVML_OP_POP, KVML_OP_PUSHA, KVML_OP_POPA,
	KVML_OP_PUSHF, KVML_OP_POPF, KVML_OP_PUSH_SREG, KVML_OP_POP_SREG,
	KVML_OP_ENTER, KVML_OP_LEAVE,
	KVML_OP_CALL, KVML_OP_RET, KVML_OP_CALL_FAR, KVML_OP_RET_FAR,
	KVML_OP_LOAD_SREG, KVML_OP_STORE_SREG, KVML_OP_LOAD_FAR,
	KVML_OP_LOAD_SYSTEM, KVML_OP_STORE_SYSTEM,
	KVML_OP_LOAD_TABLE, KVML_OP_STORE_TABLE, KVML_OP_SMSW, KVML_OP_LMSW,
	KVML_OP_INVLPG, KVML_OP_CLI_STI, KVML_OP_HLT,
	KVML_OP_MOV_SSE, KVML_OP_X87,
	KVML_OP_UD,	/* #UD by definition */
	KVML_OPS
};

/* Of an opcode; kvml_insn.flags.  "Memory" may be a register by ModRM. */
#define KVML_INSN_READ		BIT(8)	/* reads its memory operand */
#define KVML_INSN_WRITE		BIT(9)	/* writes it */
#define KVML_INSN_TO_REG	BIT(10)	/* the result goes to a register */
#define KVML_INSN_IMM		BIT(11)	/* immediate, of operand size */
#define KVML_INSN_IMM8		BIT(12)	/* immediate byte, sign-extended */
#define KVML_INSN_STRING	BIT(13)	/* rSI, rDI, REP */
#define KVML_INSN_TWO_MEM	BIT(14)	/* has two memory operands */
#define KVML_INSN_LOCK		BIT(15)	/* LOCK is allowed */
#define KVML_INSN_RM_REG	BIT(16)	/* no memory: kvml_insn.rm instead */
#define KVML_INSN_CL		BIT(17)	/* counts in CL */
#define KVML_INSN_XMM		BIT(18)	/* the registers are XMM */
#define KVML_INSN_MMX		BIT(19)	/* they are MMX */
#define KVML_INSN_ALIGN		BIT(20)	/* memory aligned to 16 bytes, or #GP */
#define KVML_INSN_PRIV		BIT(21)	/* at CPL 0, or #GP */
#define KVML_INSN_PROTECTED	BIT(22)	/* in protected mode, or #UD */
#define KVML_INSN_BYTES		BIT(23)	/* not a number of up to 8 bytes */

struct kvml_insn {
	u32 flags;
	u8 op;		/* enum kvml_op */
	u8 opcode;	/* last byte: conditions, segment registers */
	u8 len;		/* of the instruction */
	u8 size;	/* of the operation: 1, 2, 4, 8; SSE: 16 */
	u8 mem_size;	/* of the memory operand, if it is another */
	u8 addr_size;	/* 2, 4, 8 */
	u8 seg;		/* enum kvml_seg of the memory operand */
	u8 rep;		/* 0, 0xf3, 0xf2 */
	u8 reg;		/* register operand, or member of a group */
	u8 rm;		/* register in the place of the memory operand */
	bool rex;	/* byte registers 4 to 7 are SPL to DIL, not AH to BH */
	bool lock;
	bool rip;	/* the address is relative to the next instruction */
	s8 base;	/* registers of the address; -1: none */
	s8 index;
	u8 scale;	/* shift of the index */
	u16 imm16;	/* second immediate: ENTER, RET, selectors */
	unsigned long disp;
	u64 imm;	/* sign-extended */
};

#define KVML_DECODE_SHORT	1	/* the instruction is longer than @n */
#define KVML_DECODE_UNKNOWN	2
#define KVML_DECODE_INVALID	3	/* the CPU gives #UD for it */

/*
 * Decode @n bytes of code whose default size is @bits (16, 32, 64).  0, or one
 * of the above; @insn is of use only with 0.
 */
int kvml_decode(struct kvml_insn *insn, const u8 *bytes, unsigned int n, int bits);

#endif /* _KVMLITE_DECODE_H */
