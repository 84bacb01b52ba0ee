// SPDX-License-Identifier: GPL-2.0
/*
 * The opcode maps of SDM volume 2, appendix A, as far as stock KVM has them in
 * software.
 */
#include "emul/decode_table.h"

enum {
	GROUP1, GROUP1A, GROUP2, GROUP3, GROUP4, GROUP5, GROUP6, GROUP7, GROUP8,
	GROUP9, GROUP11, GROUP15, ESCAPE_D9, ESCAPE_DB, ESCAPE_DD,
	SSE_10, SSE_11, SSE_28, SSE_29, SSE_2B, SSE_6E, SSE_6F, SSE_7E, SSE_7F,
	SSE_D6, SSE_E7, BIT_BC, BIT_BD, MOVBE, CLFLUSH,
};

#define GRP(g)	(GROUP##g | GROUP | MODRM)
#define SSE(g)	(SSE_##g | GROUP | PREFIX | MODRM)
#define ESC(g)	(ESCAPE_##g | GROUP | MODRM)
#define PFX(g)	((g) | GROUP | PREFIX | MODRM)

static const u64 one_byte[256] = {
	[0x00 ... 0x01] = OP(ADD) | W | MODRM | RMW,
	[0x02 ... 0x03] = OP(ADD) | W | MODRM | RD | TO_REG,
	[0x04 ... 0x05] = OP(ADD) | W | ACC | IMM | RD | WR,
	[0x06] = OP(PUSH_SREG) | D64 | UD64,
	[0x07] = OP(POP_SREG) | D64 | UD64,
	[0x08 ... 0x09] = OP(OR) | W | MODRM | RMW,
	[0x0a ... 0x0b] = OP(OR) | W | MODRM | RD | TO_REG,
	[0x0c ... 0x0d] = OP(OR) | W | ACC | IMM | RD | WR,
	[0x0e] = OP(PUSH_SREG) | D64 | UD64,
	[0x10 ... 0x11] = OP(ADC) | W | MODRM | RMW,
	[0x12 ... 0x13] = OP(ADC) | W | MODRM | RD | TO_REG,
	[0x14 ... 0x15] = OP(ADC) | W | ACC | IMM | RD | WR,
	[0x16] = OP(PUSH_SREG) | D64 | UD64,
	[0x17] = OP(POP_SREG) | D64 | UD64,
	[0x18 ... 0x19] = OP(SBB) | W | MODRM | RMW,
	[0x1a ... 0x1b] = OP(SBB) | W | MODRM | RD | TO_REG,
	[0x1c ... 0x1d] = OP(SBB) | W | ACC | IMM | RD | WR,
	[0x1e] = OP(PUSH_SREG) | D64 | UD64,
	[0x1f] = OP(POP_SREG) | D64 | UD64,
	[0x20 ... 0x21] = OP(AND) | W | MODRM | RMW,
	[0x22 ... 0x23] = OP(AND) | W | MODRM | RD | TO_REG,
	[0x24 ... 0x25] = OP(AND) | W | ACC | IMM | RD | WR,
	[0x28 ... 0x29] = OP(SUB) | W | MODRM | RMW,
	[0x2a ... 0x2b] = OP(SUB) | W | MODRM | RD | TO_REG,
	[0x2c ... 0x2d] = OP(SUB) | W | ACC | IMM | RD | WR,
	[0x30 ... 0x31] = OP(XOR) | W | MODRM | RMW,
	[0x32 ... 0x33] = OP(XOR) | W | MODRM | RD | TO_REG,
	[0x34 ... 0x35] = OP(XOR) | W | ACC | IMM | RD | WR,
	[0x38 ... 0x39] = OP(CMP) | W | MODRM | RD,
	[0x3a ... 0x3b] = OP(CMP) | W | MODRM | RD | TO_REG,
	[0x3c ... 0x3d] = OP(CMP) | W | ACC | IMM | RD,
	[0x40 ... 0x47] = OP(INC) | OPREG | RD | WR,
	[0x48 ... 0x4f] = OP(DEC) | OPREG | RD | WR,
	[0x50 ... 0x57] = OP(PUSH) | OPREG | RD | D64,
	[0x58 ... 0x5f] = OP(POP) | OPREG | WR | D64,
	[0x60] = OP(PUSHA) | UD64,
	[0x61] = OP(POPA) | UD64,
	[0x63] = OP(MOVSX) | MODRM | RD | TO_REG | MEM32 | ONLY64,
	[0x68] = OP(PUSH) | IMM | D64,
	[0x69] = OP(IMUL) | MODRM | RD | TO_REG | IMM,
	[0x6a] = OP(PUSH) | IMM8 | D64,
	[0x6b] = OP(IMUL) | MODRM | RD | TO_REG | IMM8,
	[0x6c ... 0x6d] = OP(INS) | W | STR | WR | MAX32,
	[0x6e ... 0x6f] = OP(OUTS) | W | STR | RD | MAX32,
	[0x70 ... 0x7f] = OP(JCC) | IMM8 | F64,
	[0x80] = GRP(1) | W | IMM,
	[0x81] = GRP(1) | IMM,
	[0x82] = GRP(1) | W | IMM | UD64,
	[0x83] = GRP(1) | IMM8,
	[0x84 ... 0x85] = OP(TEST) | W | MODRM | RD,
	[0x86 ... 0x87] = OP(XCHG) | W | MODRM | RMW,
	[0x88 ... 0x89] = OP(MOV) | W | MODRM | WR,
	[0x8a ... 0x8b] = OP(MOV) | W | MODRM | RD | TO_REG,
	[0x8c] = OP(STORE_SREG) | MODRM | WR | MEM16,
	[0x8d] = OP(LEA) | MODRM | MEMORY,
	[0x8e] = OP(LOAD_SREG) | MODRM | RD | MEM16,
	[0x8f] = GRP(1A) | D64,
	[0x90 ... 0x97] = OP(XCHG) | OPREG | RD | WR,
	[0x98 ... 0x99] = OP(CBW_CWD),
	[0x9a] = OP(CALL_FAR) | IMM | IMM16 | UD64,
	[0x9c] = OP(PUSHF) | D64,
	[0x9d] = OP(POPF) | D64,
	[0x9e ... 0x9f] = OP(FLAGS),
	[0xa0 ... 0xa1] = OP(MOV) | W | MOFFS | RD | TO_REG,
	[0xa2 ... 0xa3] = OP(MOV) | W | MOFFS | WR,
	[0xa4 ... 0xa5] = OP(MOVS) | W | STR | RD | TWO,
	[0xa6 ... 0xa7] = OP(CMPS) | W | STR | RD | TWO,
	[0xa8 ... 0xa9] = OP(TEST) | W | ACC | IMM | RD,
	[0xaa ... 0xab] = OP(STOS) | W | STR | WR,
	[0xac ... 0xad] = OP(LODS) | W | STR | RD,
	[0xae ... 0xaf] = OP(SCAS) | W | STR | RD,
	[0xb0 ... 0xb7] = OP(MOV) | BYTE | OPREG | WR | IMM,
	[0xb8 ... 0xbf] = OP(MOV) | OPREG | WR | IMM,
	[0xc0 ... 0xc1] = GRP(2) | W | RD | WR | IMM8,
	[0xc2] = OP(RET) | IMM16 | F64,
	[0xc3] = OP(RET) | F64,
	[0xc4 ... 0xc5] = OP(LOAD_FAR) | MODRM | MEMORY | RD | FAR | NOT64,
	[0xc6 ... 0xc7] = GRP(11) | W | IMM,
	[0xc8] = OP(ENTER) | IMM16 | IMM8 | D64,
	[0xc9] = OP(LEAVE) | D64,
	[0xca] = OP(RET_FAR) | IMM16,
	[0xcb] = OP(RET_FAR),
	[0xd0 ... 0xd1] = GRP(2) | W | RD | WR | ONE,
	[0xd2 ... 0xd3] = GRP(2) | W | RD | WR | CL,
	[0xd7] = OP(XLAT) | BYTE | RD | TO_REG,
	[0xd9] = ESC(D9),
	[0xdb] = ESC(DB),
	[0xdd] = ESC(DD),
	[0xe0 ... 0xe3] = OP(LOOP) | IMM8 | F64,
	[0xe4 ... 0xe5] = OP(IN) | W | IMM8 | MAX32,
	[0xe6 ... 0xe7] = OP(OUT) | W | IMM8 | MAX32,
	[0xe8] = OP(CALL) | IMM | F64,
	[0xe9] = OP(JMP) | IMM | F64,
	[0xea] = OP(JMP_FAR) | IMM | IMM16 | UD64,
	[0xeb] = OP(JMP) | IMM8 | F64,
	[0xec ... 0xed] = OP(IN) | W | MAX32,
	[0xee ... 0xef] = OP(OUT) | W | MAX32,
	[0xf4] = OP(HLT) | PRIV,
	[0xf5] = OP(FLAGS),
	[0xf6 ... 0xf7] = GRP(3) | W,
	[0xf8 ... 0xf9] = OP(FLAGS),
	[0xfa ... 0xfb] = OP(CLI_STI),
	[0xfc ... 0xfd] = OP(FLAGS),
	[0xfe] = GRP(4) | W,
	[0xff] = GRP(5),
};

static const u64 two_byte[256] = {
	[0x00] = GRP(6),
	[0x01] = GRP(7),
	[0x0d] = OP(NOP) | MODRM,
	[0x10] = SSE(10),
	[0x11] = SSE(11),
	[0x18 ... 0x1f] = OP(NOP) | MODRM,
	[0x28] = SSE(28),
	[0x29] = SSE(29),
	[0x2b] = SSE(2B),
	[0x40 ... 0x4f] = OP(CMOV) | MODRM | RD | TO_REG,
	[0x6e] = SSE(6E),
	[0x6f] = SSE(6F),
	[0x7e] = SSE(7E),
	[0x7f] = SSE(7F),
	[0x80 ... 0x8f] = OP(JCC) | IMM | F64,
	[0x90 ... 0x9f] = OP(SETCC) | BYTE | MODRM | WR,
	[0xa0] = OP(PUSH_SREG) | D64,
	[0xa1] = OP(POP_SREG) | D64,
	[0xa3] = OP(BT) | MODRM | RD,
	[0xa4] = OP(SHLD) | MODRM | RD | WR | IMM8,
	[0xa5] = OP(SHLD) | MODRM | RD | WR | CL,
	[0xa8] = OP(PUSH_SREG) | D64,
	[0xa9] = OP(POP_SREG) | D64,
	[0xab] = OP(BTS) | MODRM | RMW,
	[0xac] = OP(SHRD) | MODRM | RD | WR | IMM8,
	[0xad] = OP(SHRD) | MODRM | RD | WR | CL,
	[0xae] = GRP(15),
	[0xaf] = OP(IMUL) | MODRM | RD | TO_REG,
	[0xb0 ... 0xb1] = OP(CMPXCHG) | W | MODRM | RMW,
	[0xb2] = OP(LOAD_FAR) | MODRM | MEMORY | RD | FAR,
	[0xb3] = OP(BTR) | MODRM | RMW,
	[0xb4 ... 0xb5] = OP(LOAD_FAR) | MODRM | MEMORY | RD | FAR,
	[0xb6] = OP(MOV) | MODRM | RD | TO_REG | MEM8,
	[0xb7] = OP(MOV) | MODRM | RD | TO_REG | MEM16,
	[0xba] = GRP(8) | IMM8,
	[0xbb] = OP(BTC) | MODRM | RMW,
	[0xbc] = PFX(BIT_BC) | RD | TO_REG,
	[0xbd] = PFX(BIT_BD) | RD | TO_REG,
	[0xbe] = OP(MOVSX) | MODRM | RD | TO_REG | MEM8,
	[0xbf] = OP(MOVSX) | MODRM | RD | TO_REG | MEM16,
	[0xc0 ... 0xc1] = OP(XADD) | W | MODRM | RMW,
	[0xc3] = OP(MOV) | MODRM | MEMORY | WR | D32,	/* MOVNTI */
	[0xc7] = GRP(9),
	[0xc8 ... 0xcf] = OP(BSWAP) | OPREG | RD | WR,
	[0xd6] = SSE(D6),
	[0xe7] = SSE(E7),
};

#define V	(OP(MOV_SSE) | BYTES | KVML_INSN_XMM)
#define P	(OP(MOV_SSE) | BYTES | KVML_INSN_MMX)

static const u64 groups[][8] = {
	[GROUP1] = {
		OP(ADD) | RMW, OP(OR) | RMW, OP(ADC) | RMW, OP(SBB) | RMW,
		OP(AND) | RMW, OP(SUB) | RMW, OP(XOR) | RMW, OP(CMP) | RD,
	},
	[GROUP1A] = { OP(POP) | WR | TWO },
	[GROUP2] = { OP(ROL), OP(ROR), OP(RCL), OP(RCR), OP(SHL), OP(SHR), OP(SHL), OP(SAR) },
	[GROUP3] = {
		OP(TEST) | RD | IMM, OP(TEST) | RD | IMM, OP(NOT) | RMW,
		OP(NEG) | RMW, OP(MUL) | RD, OP(IMUL1) | RD, OP(DIV) | RD, OP(IDIV) | RD,
	},
	[GROUP4] = { OP(INC) | RMW, OP(DEC) | RMW },
	[GROUP5] = {
		OP(INC) | RMW, OP(DEC) | RMW, OP(CALL) | RD | TWO | F64,
		OP(CALL_FAR) | RD | TWO | FAR | MEMORY, OP(JMP) | RD | F64,
		OP(JMP_FAR) | RD | FAR | MEMORY, OP(PUSH) | RD | TWO | D64, OP(UD),
	},
	[GROUP6] = {
		[0 ... 1] = OP(STORE_SYSTEM) | WR | MEM16 | PROT,
		[2 ... 3] = OP(LOAD_SYSTEM) | RD | MEM16 | PROT | PRIV,
	},
	[GROUP7] = {
		[0 ... 1] = OP(STORE_TABLE) | WR | MEMORY | BYTES | F64,
		[2 ... 3] = OP(LOAD_TABLE) | RD | MEMORY | BYTES | F64 | PRIV,
		[4] = OP(SMSW) | WR | MEM16,
		[6] = OP(LMSW) | RD | MEM16 | PRIV,
		[7] = OP(INVLPG) | MEMORY | PRIV,
	},
	[GROUP8] = { [4] = OP(BT) | RD, OP(BTS) | RMW, OP(BTR) | RMW, OP(BTC) | RMW },
	[GROUP9] = { [1] = OP(CMPXCHG8B) | RMW | MEM64 | MEMORY | NO_REXW },
	[GROUP11] = { OP(MOV) | WR, [1 ... 7] = OP(UD) },
	[GROUP15] = { [7] = PFX(CLFLUSH) | MEMORY },
	[ESCAPE_D9] = { [7] = OP(X87) | WR | MEM16 | MEMORY },
	[ESCAPE_DB] = { [4] = OP(X87) | REG },
	[ESCAPE_DD] = { [7] = OP(X87) | WR | MEM16 | MEMORY },
	/* Without a prefix, with 66, F3, F2 */
	[SSE_10] = { V | RD | TO_REG, V | RD | TO_REG },
	[SSE_11] = { V | WR, V | WR },
	[SSE_28] = { V | RD | TO_REG | ALIGNED, V | RD | TO_REG | ALIGNED },
	[SSE_29] = { V | WR | ALIGNED, V | WR | ALIGNED },
	[SSE_2B] = { V | WR | ALIGNED | MEMORY, V | WR | ALIGNED | MEMORY },
	[SSE_6E] = { P | RD | TO_REG | MEMORY | PART, V | RD | TO_REG | MEMORY | PART },
	[SSE_6F] = { P | RD | TO_REG, V | RD | TO_REG | ALIGNED, V | RD | TO_REG },
	[SSE_7E] = { P | WR | MEMORY | PART, V | WR | MEMORY | PART,
		     V | RD | TO_REG | MEMORY | MEM64 },
	[SSE_7F] = { P | WR, V | WR | ALIGNED, V | WR },
	[SSE_D6] = { 0, V | WR | MEMORY | MEM64 },
	[SSE_E7] = { P | WR | MEMORY, V | WR | ALIGNED | MEMORY },
	[BIT_BC] = { OP(BSF), OP(BSF), OP(TZCNT), OP(BSF) },
	[BIT_BD] = { OP(BSR), OP(BSR), OP(LZCNT), OP(BSR) },
	[MOVBE] = { OP(MOVBE), OP(MOVBE) },
	/* CLFLUSHOPT */
	[CLFLUSH] = { OP(NOP) | BYTE | RD, OP(NOP) | BYTE | RD },
};

u64 kvml_opcode_row(enum kvml_opcode_map map, u8 opcode)
{
	if (map == KVML_MAP_1)
		return one_byte[opcode];
	if (map == KVML_MAP_0F)
		return two_byte[opcode];
	if (opcode == 0xf0)
		return PFX(MOVBE) | RD | TO_REG | MEMORY;
	return opcode == 0xf1 ? PFX(MOVBE) | WR | MEMORY : 0;
}

u64 kvml_group_row(u8 group, unsigned int member)
{
	return groups[group][member];
}
