/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A row of the opcode tables (decode_table.c): an operation (enum kvml_op) or,
 * with GROUP, the number of a group in bits 0 to 7; KVML_INSN_ above; and what
 * only the decoder needs to know in bits 32 and up.
 */
#ifndef _KVMLITE_DECODE_TABLE_H
#define _KVMLITE_DECODE_TABLE_H

#include "emul/decode.h"

/* Operands. */
#define MODRM	BIT_ULL(32)
#define MEMORY	BIT_ULL(33)	/* with a register it is another instruction */
#define REG	BIT_ULL(34)	/* with memory it is */
#define OPREG	BIT_ULL(35)	/* the opcode's low bits are the register */
#define ACC	BIT_ULL(36)	/* rAX is */
#define MOFFS	BIT_ULL(37)	/* the address is in the instruction */
#define IMM16	BIT_ULL(38)	/* 16 bits: behind IMM, before IMM8 */
#define ONE	BIT_ULL(39)	/* an immediate 1 that has no byte */

/* Sizes. */
#define W	BIT_ULL(40)	/* opcode bit 0 is clear: 8-bit operands */
#define BYTE	BIT_ULL(41)	/* 8-bit operands */
#define MEM8	BIT_ULL(42)	/* memory operand of this size */
#define MEM16	BIT_ULL(43)
#define MEM32	BIT_ULL(44)
#define MEM64	BIT_ULL(45)
#define PART	BIT_ULL(57)	/* 32 bits of memory, 64 with REX.W */
#define SELECTOR BIT_ULL(46)	/* 16 bits behind one of operand size */
#define D32	BIT_ULL(47)	/* 32-bit operands without REX.W */
#define MAX32	BIT_ULL(48)	/* and with it */
#define D64	BIT_ULL(49)	/* 64-bit operands without REX.W */
#define F64	BIT_ULL(50)	/* and with 66 */

/* Which instruction it is. */
#define GROUP	BIT_ULL(51)	/* ModRM.reg chooses */
#define PREFIX	BIT_ULL(52)	/* of a group: none, 66, F3 or F2 chooses */
#define ONLY64	BIT_ULL(53)	/* means something else outside 64-bit mode */
#define NOT64	BIT_ULL(54)	/* means something else in 64-bit mode */
#define UD64	BIT_ULL(55)	/* #UD in 64-bit mode */
#define NO_REXW	BIT_ULL(56)	/* with REX.W it is another instruction */

#define RD	KVML_INSN_READ
#define WR	KVML_INSN_WRITE
#define RMW	(RD | WR | KVML_INSN_LOCK)
#define TO_REG	KVML_INSN_TO_REG
#define IMM	KVML_INSN_IMM
#define IMM8	KVML_INSN_IMM8
#define STR	KVML_INSN_STRING
#define TWO	KVML_INSN_TWO_MEM
#define CL	KVML_INSN_CL
#define ALIGNED	KVML_INSN_ALIGN
#define PRIV	KVML_INSN_PRIV
#define PROT	KVML_INSN_PROTECTED
#define BYTES	KVML_INSN_BYTES
#define FAR	(SELECTOR | BYTES)
#define OP(op)	KVML_OP_##op

enum kvml_opcode_map { KVML_MAP_1, KVML_MAP_0F, KVML_MAP_0F38 };

u64 kvml_opcode_row(enum kvml_opcode_map map, u8 opcode);
/* @member: ModRM.reg, or 0 to 3 as PREFIX says. */
u64 kvml_group_row(u8 group, unsigned int member);

#endif /* _KVMLITE_DECODE_TABLE_H */
