// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder.  Expected operands are those of SDM volume 2; each
 * encoding is also cut short at every byte, and followed by other bytes.
 */
#include <kunit/test.h>

#include "emul/decode.c"
#include "emul/decode_table.c"

#define NONE	(-1)

struct decode_case {
	const char *text;
	u8 bits;
	u8 n;
	u8 code[KVML_INSN_MAX];
	struct kvml_insn want;
};

#define CODE(...)	.n = sizeof((const u8[]){ __VA_ARGS__ }),	\
			.code = { __VA_ARGS__ }
/* Of the operation, of the memory operand, of addresses. */
#define SIZES(s, m, a)	.want.size = (s), .want.mem_size = (m),		\
			.want.addr_size = (a)
#define MEM(sreg, b, i, shift, d)					\
			.want.seg = KVML_##sreg, .want.base = (b),	\
			.want.index = (i), .want.scale = (shift),	\
			.want.disp = (d)
#define NO_MEM		MEM(DS, NONE, NONE, 0, 0)
#define RIP(d)		.want.rip = true, MEM(DS, NONE, NONE, 0, d)
#define OPER(name, f)	.want.op = KVML_OP_##name, .want.flags = (f)
#define GPR(r)		.want.reg = (r)
#define RM(r)		.want.rm = (r)
#define IMMEDIATE(v)	.want.imm = (u64)(s64)(v)

#define LOAD	(RD | TO_REG)
#define RM_REG	KVML_INSN_RM_REG
#define XMM	(KVML_INSN_XMM | BYTES)
#define MMX	(KVML_INSN_MMX | BYTES)

enum {
	AX = KVML_RAX, CX = KVML_RCX, DX = KVML_RDX, BX = KVML_RBX,
	SP = KVML_RSP, BP = KVML_RBP, SI = KVML_RSI, DI = KVML_RDI,
	R8 = KVML_R8, R9, R10, R11, R12, R13, R14, R15
};

static const struct decode_case cases[] = {
	/* ---- ModRM and SIB with 64-bit addresses ---- */
	{ "mov [rdi], eax", 64, CODE(0x89, 0x07),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "mov ecx, [rbx]", 64, CODE(0x8b, 0x0b),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, BX, NONE, 0, 0), GPR(CX) },
	{ "mov [rbp - 8], rdx", 64, CODE(0x48, 0x89, 0x55, 0xf8),
	  OPER(MOV, WR), SIZES(8, 8, 8), MEM(SS, BP, NONE, 0, -8), GPR(DX),
	  .want.rex = true },
	{ "mov [rsi + 0x12345678], bx", 64,
	  CODE(0x66, 0x89, 0x9e, 0x78, 0x56, 0x34, 0x12),
	  OPER(MOV, WR), SIZES(2, 2, 8), MEM(DS, SI, NONE, 0, 0x12345678),
	  GPR(BX) },
	{ "mov [rsi - 0x80000000], ebx", 64,
	  CODE(0x89, 0x9e, 0x00, 0x00, 0x00, 0x80),
	  OPER(MOV, WR), SIZES(4, 4, 8),
	  MEM(DS, SI, NONE, 0, 0xffffffff80000000), GPR(BX) },
	{ "mov eax, [rip + 0x10]", 64, CODE(0x8b, 0x05, 0x10, 0x00, 0x00, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), RIP(0x10), GPR(AX) },
	{ "mov eax, [eip - 1]", 64,
	  CODE(0x67, 0x8b, 0x05, 0xff, 0xff, 0xff, 0xff),
	  OPER(MOV, LOAD), SIZES(4, 4, 4), RIP(-1), GPR(AX) },
	{ "mov eax, [0x1000] by SIB", 64,
	  CODE(0x8b, 0x04, 0x25, 0x00, 0x10, 0x00, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, NONE, NONE, 0, 0x1000),
	  GPR(AX) },
	{ "mov eax, [rsp]", 64, CODE(0x8b, 0x04, 0x24),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(SS, SP, NONE, 0, 0), GPR(AX) },
	{ "mov eax, [rsp + rcx * 8 + 4]", 64, CODE(0x8b, 0x44, 0xcc, 0x04),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(SS, SP, CX, 3, 4), GPR(AX) },
	{ "mov eax, [rdx + rbp * 2]", 64, CODE(0x8b, 0x04, 0x6a),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, DX, BP, 1, 0), GPR(AX) },
	{ "mov eax, [rbp + rdx]", 64, CODE(0x8b, 0x44, 0x15, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(SS, BP, DX, 0, 0), GPR(AX) },
	{ "mov eax, [rcx * 4 + 0x20]: no base", 64,
	  CODE(0x8b, 0x04, 0x8d, 0x20, 0x00, 0x00, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, NONE, CX, 2, 0x20),
	  GPR(AX) },
	{ "mov eax, [rax + 0x11223344] by SIB", 64,
	  CODE(0x8b, 0x84, 0x20, 0x44, 0x33, 0x22, 0x11),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, AX, NONE, 0, 0x11223344),
	  GPR(AX) },

	/* ---- REX ---- */
	{ "mov r15, [r8 + r9 * 4 + 1]", 64, CODE(0x4f, 0x8b, 0x7c, 0x88, 0x01),
	  OPER(MOV, LOAD), SIZES(8, 8, 8), MEM(DS, R8, R9, 2, 1), GPR(R15),
	  .want.rex = true },
	{ "mov eax, [r12]: r12 takes a SIB", 64, CODE(0x41, 0x8b, 0x04, 0x24),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, R12, NONE, 0, 0), GPR(AX),
	  .want.rex = true },
	{ "mov eax, [rax + r12]: r12 is an index", 64,
	  CODE(0x42, 0x8b, 0x04, 0x20),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, AX, R12, 0, 0), GPR(AX),
	  .want.rex = true },
	{ "mov eax, [r13 + 0]: its segment is DS", 64,
	  CODE(0x41, 0x8b, 0x45, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, R13, NONE, 0, 0), GPR(AX),
	  .want.rex = true },
	{ "REX.B does not make [rip] a base", 64,
	  CODE(0x41, 0x8b, 0x05, 0x01, 0x00, 0x00, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), RIP(1), GPR(AX), .want.rex = true },
	{ "REX.B and a SIB without base", 64,
	  CODE(0x41, 0x8b, 0x04, 0x25, 0x01, 0x00, 0x00, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, NONE, NONE, 0, 1), GPR(AX),
	  .want.rex = true },
	{ "mov [rdi], ah", 64, CODE(0x88, 0x27),
	  OPER(MOV, WR), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(SP) },
	{ "mov [rdi], spl", 64, CODE(0x40, 0x88, 0x27),
	  OPER(MOV, WR), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(SP),
	  .want.rex = true },
	{ "REX.W wins over 66", 64, CODE(0x66, 0x48, 0x89, 0x07),
	  OPER(MOV, WR), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX),
	  .want.rex = true },
	{ "a prefix after REX cancels it", 64, CODE(0x48, 0x66, 0x89, 0x07),
	  OPER(MOV, WR), SIZES(2, 2, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "of two REX the last counts", 64, CODE(0x4f, 0x41, 0x89, 0x07),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(DS, R15, NONE, 0, 0), GPR(AX),
	  .want.rex = true },

	/* ---- other prefixes ---- */
	{ "mov fs:[rax], eax", 64, CODE(0x64, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(FS, AX, NONE, 0, 0), GPR(AX) },
	{ "mov gs:[rsp], eax", 64, CODE(0x65, 0x89, 0x04, 0x24),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(GS, SP, NONE, 0, 0), GPR(AX) },
	{ "ES to DS mean nothing in 64-bit mode", 64,
	  CODE(0x26, 0x2e, 0x36, 0x3e, 0x89, 0x45, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(SS, BP, NONE, 0, 0), GPR(AX) },
	{ "... nor after FS", 64, CODE(0x64, 0x2e, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(FS, AX, NONE, 0, 0), GPR(AX) },
	{ "mov es:[eax], eax", 32, CODE(0x26, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(ES, AX, NONE, 0, 0), GPR(AX) },
	{ "mov cs:[ebp], eax", 32, CODE(0x2e, 0x89, 0x45, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(CS, BP, NONE, 0, 0), GPR(AX) },
	{ "mov ss:[eax], eax", 32, CODE(0x36, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(SS, AX, NONE, 0, 0), GPR(AX) },
	{ "mov ds:[ebp], eax: the last segment counts", 32,
	  CODE(0x65, 0x3e, 0x89, 0x45, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(DS, BP, NONE, 0, 0), GPR(AX) },
	{ "lock add [rdi], eax", 64, CODE(0xf0, 0x01, 0x07),
	  OPER(ADD, RMW), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "xacquire lock xchg [rdi], eax", 64, CODE(0xf2, 0xf0, 0x87, 0x07),
	  OPER(XCHG, RMW), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX),
	  .want.rep = 0xf2 },
	{ "mov [edi], eax by 67", 64, CODE(0x67, 0x89, 0x07),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "15 bytes", 64,
	  CODE(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x89, 0x84, 0x88,
	       0x04, 0x03, 0x02, 0x01),
	  OPER(MOV, WR), SIZES(2, 2, 8), MEM(DS, AX, CX, 2, 0x01020304),
	  GPR(AX) },

	/* ---- ModRM with 16-bit addresses ---- */
	{ "mov [bx + si], ax", 16, CODE(0x89, 0x00),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, BX, SI, 0, 0), GPR(AX) },
	{ "mov [bx + di], ax", 16, CODE(0x89, 0x01),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, BX, DI, 0, 0), GPR(AX) },
	{ "mov [bp + si], ax", 16, CODE(0x89, 0x02),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(SS, BP, SI, 0, 0), GPR(AX) },
	{ "mov [bp + di], ax", 16, CODE(0x89, 0x03),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(SS, BP, DI, 0, 0), GPR(AX) },
	{ "mov [si], ax", 16, CODE(0x89, 0x04),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, SI, NONE, 0, 0), GPR(AX) },
	{ "mov [di], ax", 16, CODE(0x89, 0x05),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "mov [0x1234], ax", 16, CODE(0x89, 0x06, 0x34, 0x12),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, NONE, NONE, 0, 0x1234),
	  GPR(AX) },
	{ "mov [bx], ax", 16, CODE(0x89, 0x07),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, BX, NONE, 0, 0), GPR(AX) },
	{ "mov [bp - 2], ax", 16, CODE(0x89, 0x46, 0xfe),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(SS, BP, NONE, 0, -2), GPR(AX) },
	{ "mov [bx + si + 0x1000], ax", 16, CODE(0x89, 0x80, 0x00, 0x10),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, BX, SI, 0, 0x1000), GPR(AX) },
	{ "mov [bx + si], eax by 66", 16, CODE(0x66, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 2), MEM(DS, BX, SI, 0, 0), GPR(AX) },
	{ "mov [eax + ecx * 2], ax by 67", 16, CODE(0x67, 0x89, 0x04, 0x48),
	  OPER(MOV, WR), SIZES(2, 2, 4), MEM(DS, AX, CX, 1, 0), GPR(AX) },
	{ "mov es:[eax], ax", 16, CODE(0x26, 0x67, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(2, 2, 4), MEM(ES, AX, NONE, 0, 0), GPR(AX) },

	/* ---- 32-bit mode ---- */
	{ "mov [0x12345678], eax", 32,
	  CODE(0x89, 0x05, 0x78, 0x56, 0x34, 0x12),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(DS, NONE, NONE, 0, 0x12345678),
	  GPR(AX) },
	{ "mov [esp + 4], ax", 32, CODE(0x66, 0x89, 0x44, 0x24, 0x04),
	  OPER(MOV, WR), SIZES(2, 2, 4), MEM(SS, SP, NONE, 0, 4), GPR(AX) },
	{ "mov [bx], eax by 67", 32, CODE(0x67, 0x89, 0x07),
	  OPER(MOV, WR), SIZES(4, 4, 2), MEM(DS, BX, NONE, 0, 0), GPR(AX) },

	/* ---- addresses in the instruction ---- */
	{ "mov al, [moffs64]", 64,
	  CODE(0xa0, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08),
	  OPER(MOV, LOAD), SIZES(1, 1, 8),
	  MEM(DS, NONE, NONE, 0, 0x0807060504030201) },
	{ "mov gs:[moffs64], rax", 64,
	  CODE(0x65, 0x48, 0xa3, 0, 0, 0, 0, 0, 0, 0, 0x80),
	  OPER(MOV, WR), SIZES(8, 8, 8),
	  MEM(GS, NONE, NONE, 0, 0x8000000000000000), .want.rex = true },
	{ "mov eax, [moffs32] by 67", 64, CODE(0x67, 0xa1, 1, 0, 0, 0),
	  OPER(MOV, LOAD), SIZES(4, 4, 4), MEM(DS, NONE, NONE, 0, 1) },
	{ "mov [moffs32], eax", 32, CODE(0xa3, 1, 0, 0, 0),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(DS, NONE, NONE, 0, 1) },
	{ "mov ax, [moffs16]", 16, CODE(0xa1, 0x34, 0x12),
	  OPER(MOV, LOAD), SIZES(2, 2, 2), MEM(DS, NONE, NONE, 0, 0x1234) },

	/* ---- immediates ---- */
	{ "mov byte [rdi], 0xff", 64, CODE(0xc6, 0x07, 0xff),
	  OPER(MOV, WR | IMM), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0),
	  IMMEDIATE(-1) },
	{ "mov word [rdi], 0x1234", 64, CODE(0x66, 0xc7, 0x07, 0x34, 0x12),
	  OPER(MOV, WR | IMM), SIZES(2, 2, 8), MEM(DS, DI, NONE, 0, 0),
	  IMMEDIATE(0x1234) },
	{ "mov dword [rip + 4], 0x12345678", 64,
	  CODE(0xc7, 0x05, 4, 0, 0, 0, 0x78, 0x56, 0x34, 0x12),
	  OPER(MOV, WR | IMM), SIZES(4, 4, 8), RIP(4), IMMEDIATE(0x12345678) },
	{ "mov qword [rdi], -2", 64,
	  CODE(0x48, 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff),
	  OPER(MOV, WR | IMM), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0),
	  IMMEDIATE(-2), .want.rex = true },
	{ "or dword [rdi], -16 by a byte", 64, CODE(0x83, 0x0f, 0xf0),
	  OPER(OR, RMW | IMM8), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(CX), IMMEDIATE(-16) },
	{ "and word [si], 0x7f00", 16, CODE(0x81, 0x24, 0x00, 0x7f),
	  OPER(AND, RMW | IMM), SIZES(2, 2, 2), MEM(DS, SI, NONE, 0, 0),
	  GPR(SP), IMMEDIATE(0x7f00) },
	{ "cmp byte [rdi], 0x80", 64, CODE(0x80, 0x3f, 0x80),
	  OPER(CMP, RD | IMM), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(DI), IMMEDIATE(-128) },
	{ "test dword [rdi], 1", 64, CODE(0xf7, 0x07, 1, 0, 0, 0),
	  OPER(TEST, RD | IMM), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0),
	  IMMEDIATE(1) },
	{ "test byte [rdi], 1 by the alias", 64, CODE(0xf6, 0x0f, 1),
	  OPER(TEST, RD | IMM), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(CX), IMMEDIATE(1) },
	{ "bt qword [rdi], 63", 64, CODE(0x48, 0x0f, 0xba, 0x27, 0x3f),
	  OPER(BT, RD | IMM8), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(SP), IMMEDIATE(63), .want.rex = true },
	{ "lock bts dword [rdi], 3", 64, CODE(0xf0, 0x0f, 0xba, 0x2f, 0x03),
	  OPER(BTS, RMW | IMM8), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(BP), IMMEDIATE(3) },

	/* ---- operations ---- */
	{ "adc al, [rdi]", 64, CODE(0x12, 0x07),
	  OPER(ADC, LOAD), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "sbb [rdi], r9", 64, CODE(0x4c, 0x19, 0x0f),
	  OPER(SBB, RMW), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0), GPR(R9),
	  .want.rex = true },
	{ "cmp eax, [rdi]", 64, CODE(0x3b, 0x07),
	  OPER(CMP, LOAD), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "test [rdi], al", 64, CODE(0x84, 0x07),
	  OPER(TEST, RD), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "not dword [rdi]", 64, CODE(0xf7, 0x17),
	  OPER(NOT, RMW), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), GPR(DX) },
	{ "neg byte [rdi]", 64, CODE(0xf6, 0x1f),
	  OPER(NEG, RMW), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(BX) },
	{ "inc byte [rdi]", 64, CODE(0xfe, 0x07),
	  OPER(INC, RMW), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "dec qword [rdi]", 64, CODE(0x48, 0xff, 0x0f),
	  OPER(DEC, RMW), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0), GPR(CX),
	  .want.rex = true },
	{ "movzx eax, byte [rdi]", 64, CODE(0x0f, 0xb6, 0x07),
	  OPER(MOV, LOAD), SIZES(4, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "movzx rax, word [rdi]", 64, CODE(0x48, 0x0f, 0xb7, 0x07),
	  OPER(MOV, LOAD), SIZES(8, 2, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX),
	  .want.rex = true },
	{ "movsx ax, byte [rdi]", 64, CODE(0x66, 0x0f, 0xbe, 0x07),
	  OPER(MOVSX, LOAD), SIZES(2, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "movsx eax, word [edi]", 32, CODE(0x0f, 0xbf, 0x07),
	  OPER(MOVSX, LOAD), SIZES(4, 2, 4), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "movsxd rax, dword [rdi]", 64, CODE(0x48, 0x63, 0x07),
	  OPER(MOVSX, LOAD), SIZES(8, 4, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX),
	  .want.rex = true },
	{ "movsxd without REX.W", 64, CODE(0x63, 0x07),
	  OPER(MOVSX, LOAD), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "movnti [rdi], eax", 64, CODE(0x0f, 0xc3, 0x07),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "movnti [di], eax", 16, CODE(0x0f, 0xc3, 0x05),
	  OPER(MOV, WR), SIZES(4, 4, 2), MEM(DS, DI, NONE, 0, 0), GPR(AX) },
	{ "xadd [rdi], cl", 64, CODE(0x0f, 0xc0, 0x0f),
	  OPER(XADD, RMW), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(CX) },
	{ "cmpxchg [rdi], rcx", 64, CODE(0x48, 0x0f, 0xb1, 0x0f),
	  OPER(CMPXCHG, RMW), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0), GPR(CX),
	  .want.rex = true },
	{ "btr [rdi], ecx", 64, CODE(0x0f, 0xb3, 0x0f),
	  OPER(BTR, RMW), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), GPR(CX) },
	{ "push qword [rdi]", 64, CODE(0xff, 0x37),
	  OPER(PUSH, RD | TWO), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(SI) },
	{ "push word [rdi]", 64, CODE(0x66, 0xff, 0x37),
	  OPER(PUSH, RD | TWO), SIZES(2, 2, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(SI) },
	{ "push dword [edi]", 32, CODE(0xff, 0x37),
	  OPER(PUSH, RD | TWO), SIZES(4, 4, 4), MEM(DS, DI, NONE, 0, 0),
	  GPR(SI) },
	{ "pop qword [rsp + 8]: of the new rsp", 64, CODE(0x8f, 0x44, 0x24, 0x08),
	  OPER(POP, WR | TWO), SIZES(8, 8, 8), MEM(SS, SP, NONE, 0, 16) },

	/* ---- registers by ModRM, by the opcode, implied ---- */
	{ "mov eax, ecx", 64, CODE(0x89, 0xc8),
	  OPER(MOV, WR | RM_REG), SIZES(4, 4, 8), NO_MEM, GPR(CX), RM(AX) },
	{ "movzx r9d, r12b", 64, CODE(0x45, 0x0f, 0xb6, 0xcc),
	  OPER(MOV, LOAD | RM_REG), SIZES(4, 1, 8), NO_MEM, GPR(R9), RM(R12),
	  .want.rex = true },
	{ "add rax, -1", 64, CODE(0x48, 0x05, 0xff, 0xff, 0xff, 0xff),
	  OPER(ADD, RD | WR | IMM | RM_REG), SIZES(8, 8, 8), NO_MEM,
	  IMMEDIATE(-1), .want.rex = true },
	{ "inc di", 16, CODE(0x47),
	  OPER(INC, RD | WR | RM_REG), SIZES(2, 2, 2), NO_MEM, RM(DI) },
	{ "push r12", 64, CODE(0x41, 0x54),
	  OPER(PUSH, RD | RM_REG), SIZES(8, 8, 8), NO_MEM, RM(R12),
	  .want.rex = true },
	{ "pop ax", 64, CODE(0x66, 0x58),
	  OPER(POP, WR | RM_REG), SIZES(2, 2, 8), NO_MEM },
	{ "xchg rax, r8", 64, CODE(0x49, 0x90),
	  OPER(XCHG, RD | WR | RM_REG), SIZES(8, 8, 8), NO_MEM, RM(R8),
	  .want.rex = true },
	{ "nop", 64, CODE(0x90),
	  OPER(NOP, 0), SIZES(4, 4, 8), NO_MEM },
	{ "mov r10, imm64", 64,
	  CODE(0x49, 0xba, 1, 2, 3, 4, 5, 6, 7, 0x80),
	  OPER(MOV, WR | IMM | RM_REG), SIZES(8, 8, 8), NO_MEM, RM(R10),
	  .want.imm = 0x8007060504030201, .want.rex = true },
	{ "mov bh, 0x12", 32, CODE(0xb7, 0x12),
	  OPER(MOV, WR | IMM | RM_REG), SIZES(1, 1, 4), NO_MEM, RM(DI),
	  IMMEDIATE(0x12) },
	{ "xlat of gs", 64, CODE(0x65, 0xd7),
	  OPER(XLAT, LOAD), SIZES(1, 1, 8), MEM(GS, BX, NONE, 0, 0) },

	/* ---- shifts, multiplication ---- */
	{ "shl dword [rdi], 1", 64, CODE(0xd1, 0x27),
	  OPER(SHL, RD | WR | IMM8), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(SP), IMMEDIATE(1) },
	{ "rcr byte [rdi], cl", 64, CODE(0xd2, 0x1f),
	  OPER(RCR, RD | WR | CL), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(BX) },
	{ "sal word [si], 3 by /6", 16, CODE(0xc1, 0x34, 0x03),
	  OPER(SHL, RD | WR | IMM8), SIZES(2, 2, 2), MEM(DS, SI, NONE, 0, 0),
	  GPR(SI), IMMEDIATE(3) },
	{ "shld [rdi], rdx, 7", 64, CODE(0x48, 0x0f, 0xa4, 0x17, 0x07),
	  OPER(SHLD, RD | WR | IMM8), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(DX), IMMEDIATE(7), .want.rex = true },
	{ "imul dx, [rdi], 0x1234", 64, CODE(0x66, 0x69, 0x17, 0x34, 0x12),
	  OPER(IMUL, LOAD | IMM), SIZES(2, 2, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(DX), IMMEDIATE(0x1234) },
	{ "idiv byte [rdi]", 64, CODE(0xf6, 0x3f),
	  OPER(IDIV, RD), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(DI) },
	{ "tzcnt eax, [rdi]", 64, CODE(0xf3, 0x0f, 0xbc, 0x07),
	  OPER(TZCNT, LOAD), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0),
	  .want.rep = 0xf3 },
	{ "bsf eax, [rdi], an F2 that means nothing", 64,
	  CODE(0xf2, 0x0f, 0xbc, 0x07),
	  OPER(BSF, LOAD), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0),
	  .want.rep = 0xf2 },

	/* ---- MMX, SSE, x87 ---- */
	{ "movups [rdi], xmm9", 64, CODE(0x44, 0x0f, 0x11, 0x0f),
	  OPER(MOV_SSE, WR | XMM), SIZES(16, 16, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(R9), .want.rex = true },
	{ "movapd xmm1, [rdi]", 64, CODE(0x66, 0x0f, 0x28, 0x0f),
	  OPER(MOV_SSE, LOAD | XMM | ALIGNED), SIZES(16, 16, 8),
	  MEM(DS, DI, NONE, 0, 0), GPR(CX) },
	{ "movq mm1, [rdi]", 64, CODE(0x0f, 0x6f, 0x0f),
	  OPER(MOV_SSE, LOAD | MMX), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(CX) },
	{ "movdqa xmm1, xmm2", 64, CODE(0x66, 0x0f, 0x6f, 0xca),
	  OPER(MOV_SSE, LOAD | XMM | ALIGNED | RM_REG), SIZES(16, 16, 8), NO_MEM,
	  GPR(CX), RM(DX) },
	{ "movdqu xmm1, [rdi]: F3 wins over 66", 64,
	  CODE(0x66, 0xf3, 0x0f, 0x6f, 0x0f),
	  OPER(MOV_SSE, LOAD | XMM), SIZES(16, 16, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(CX), .want.rep = 0xf3 },
	{ "movd [rdi], xmm1", 64, CODE(0x66, 0x0f, 0x7e, 0x0f),
	  OPER(MOV_SSE, WR | XMM), SIZES(16, 4, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(CX) },
	{ "movq [rdi], mm1 by REX.W", 64, CODE(0x48, 0x0f, 0x7e, 0x0f),
	  OPER(MOV_SSE, WR | MMX), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(CX), .want.rex = true },
	{ "fnstcw [rdi]", 64, CODE(0xd9, 0x3f),
	  OPER(X87, WR), SIZES(4, 2, 8), MEM(DS, DI, NONE, 0, 0), GPR(DI) },
	{ "fninit", 64, CODE(0xdb, 0xe3),
	  OPER(X87, RM_REG), SIZES(4, 4, 8), NO_MEM, GPR(SP), RM(BX) },

	/* ---- branches, far pointers ---- */
	{ "jnz -2", 64, CODE(0x75, 0xfe),
	  OPER(JCC, IMM8), SIZES(8, 8, 8), NO_MEM, IMMEDIATE(-2) },
	{ "jz 0x1234", 16, CODE(0x0f, 0x84, 0x34, 0x12),
	  OPER(JCC, IMM), SIZES(2, 2, 2), NO_MEM, IMMEDIATE(0x1234) },
	{ "call [rdi]: 64 bits whatever 66 says", 64, CODE(0x66, 0xff, 0x17),
	  OPER(CALL, RD | TWO), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(DX) },
	{ "jmp far 0x10:0x12345678", 32,
	  CODE(0xea, 0x78, 0x56, 0x34, 0x12, 0x10, 0x00),
	  OPER(JMP_FAR, IMM), SIZES(4, 4, 4), NO_MEM, IMMEDIATE(0x12345678),
	  .want.imm16 = 0x10 },
	{ "call far [rdi], 64 bits", 64, CODE(0x48, 0xff, 0x1f),
	  OPER(CALL_FAR, RD | TWO | BYTES), SIZES(8, 10, 8),
	  MEM(DS, DI, NONE, 0, 0), GPR(BX), .want.rex = true },
	{ "les ax, [si]", 16, CODE(0xc4, 0x04),
	  OPER(LOAD_FAR, RD | BYTES), SIZES(2, 4, 2), MEM(DS, SI, NONE, 0, 0) },
	{ "enter 0x1234, 5", 64, CODE(0xc8, 0x34, 0x12, 0x05),
	  OPER(ENTER, IMM8), SIZES(8, 8, 8), NO_MEM, IMMEDIATE(5),
	  .want.imm16 = 0x1234 },
	{ "ret 8", 32, CODE(0xc2, 0x08, 0x00),
	  OPER(RET, 0), SIZES(4, 4, 4), NO_MEM, .want.imm16 = 8 },

	/* ---- system ---- */
	{ "mov [rdi], ss", 64, CODE(0x8c, 0x17),
	  OPER(STORE_SREG, WR), SIZES(4, 2, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(DX) },
	{ "lldt [rdi]", 64, CODE(0x0f, 0x00, 0x17),
	  OPER(LOAD_SYSTEM, RD | PRIV | PROT), SIZES(4, 2, 8),
	  MEM(DS, DI, NONE, 0, 0), GPR(DX) },
	{ "lgdt [rdi]", 64, CODE(0x0f, 0x01, 0x17),
	  OPER(LOAD_TABLE, RD | PRIV | BYTES), SIZES(8, 8, 8),
	  MEM(DS, DI, NONE, 0, 0), GPR(DX) },
	{ "clflushopt [rdi]", 64, CODE(0x66, 0x0f, 0xae, 0x3f),
	  OPER(NOP, RD), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), GPR(DI) },
	{ "cmpxchg8b [rdi]", 64, CODE(0x0f, 0xc7, 0x0f),
	  OPER(CMPXCHG8B, RMW), SIZES(4, 8, 8), MEM(DS, DI, NONE, 0, 0),
	  GPR(CX) },
	{ "movbe [rdi], dx", 64, CODE(0x66, 0x0f, 0x38, 0xf1, 0x17),
	  OPER(MOVBE, WR), SIZES(2, 2, 8), MEM(DS, DI, NONE, 0, 0), GPR(DX) },
	{ "out 0x10, eax with REX.W", 64, CODE(0x48, 0xe7, 0x10),
	  OPER(OUT, IMM8), SIZES(4, 4, 8), NO_MEM, IMMEDIATE(0x10),
	  .want.rex = true },

	/* ---- strings ---- */
	{ "rep movsd", 64, CODE(0xf3, 0xa5),
	  OPER(MOVS, RD | STR | TWO), SIZES(4, 4, 8),
	  MEM(DS, NONE, NONE, 0, 0), .want.rep = 0xf3 },
	{ "rep movsq from gs", 64, CODE(0xf3, 0x65, 0x48, 0xa5),
	  OPER(MOVS, RD | STR | TWO), SIZES(8, 8, 8),
	  MEM(GS, NONE, NONE, 0, 0), .want.rep = 0xf3, .want.rex = true },
	{ "stosb", 64, CODE(0xaa),
	  OPER(STOS, WR | STR), SIZES(1, 1, 8), MEM(DS, NONE, NONE, 0, 0) },
	{ "lodsw, 32-bit addresses", 16, CODE(0x67, 0xad),
	  OPER(LODS, RD | STR), SIZES(2, 2, 4), MEM(DS, NONE, NONE, 0, 0) },
	{ "repne scasb", 32, CODE(0xf2, 0xae),
	  OPER(SCAS, RD | STR), SIZES(1, 1, 4), MEM(DS, NONE, NONE, 0, 0),
	  .want.rep = 0xf2 },
	{ "repe cmpsw", 32, CODE(0xf3, 0x66, 0xa7),
	  OPER(CMPS, RD | STR | TWO), SIZES(2, 2, 4),
	  MEM(DS, NONE, NONE, 0, 0), .want.rep = 0xf3 },
	{ "rep insb", 64, CODE(0xf3, 0x6c),
	  OPER(INS, WR | STR), SIZES(1, 1, 8), MEM(DS, NONE, NONE, 0, 0),
	  .want.rep = 0xf3 },
	{ "insd with REX.W: ports have 4 bytes", 64, CODE(0x48, 0x6d),
	  OPER(INS, WR | STR), SIZES(4, 4, 8), MEM(DS, NONE, NONE, 0, 0),
	  .want.rex = true },
	{ "rep outsd with 66 and REX.W", 64, CODE(0xf3, 0x66, 0x48, 0x6f),
	  OPER(OUTS, RD | STR), SIZES(4, 4, 8), MEM(DS, NONE, NONE, 0, 0),
	  .want.rep = 0xf3, .want.rex = true },
	{ "outsd from es", 32, CODE(0x26, 0x6f),
	  OPER(OUTS, RD | STR), SIZES(4, 4, 4), MEM(ES, NONE, NONE, 0, 0) },
};

/* The flags that decode.h names, and not those of the decoder's own tables. */
#define PUBLIC_FLAGS	GENMASK(23, 8)

static void expect_insn(struct kunit *test, const struct decode_case *c,
			const struct kvml_insn *got)
{
	const struct kvml_insn *want = &c->want;

	KUNIT_EXPECT_EQ_MSG(test, got->len, c->n, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->op, want->op, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->flags & PUBLIC_FLAGS, want->flags, "%s",
			    c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->size, want->size, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->mem_size, want->mem_size, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->addr_size, want->addr_size, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->seg, want->seg, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->rep, want->rep, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->reg, want->reg, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->rex, want->rex, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->rip, want->rip, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->base, want->base, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->index, want->index, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->scale, want->scale, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->disp, want->disp, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->imm, want->imm, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->imm16, want->imm16, "%s", c->text);
	KUNIT_EXPECT_EQ_MSG(test, got->rm, want->rm, "%s", c->text);
}

static void case_to_desc(const struct decode_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u-bit: %s", c->bits, c->text);
}

KUNIT_ARRAY_PARAM(decode, cases, case_to_desc);

/* The operands, whatever follows. */
static void decode_operands_test(struct kunit *test)
{
	static const u8 fillers[] = { 0x00, 0x90, 0xcc, 0xff };
	const struct decode_case *c = test->param_value;
	u8 bytes[KVML_INSN_MAX];
	struct kvml_insn insn;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, kvml_decode(&insn, c->code, c->n, c->bits), 0);
	expect_insn(test, c, &insn);
	for (i = 0; i < ARRAY_SIZE(fillers); i++) {
		memset(bytes, fillers[i], sizeof(bytes));
		memcpy(bytes, c->code, c->n);
		KUNIT_ASSERT_EQ(test, kvml_decode(&insn, bytes, sizeof(bytes),
						  c->bits), 0);
		expect_insn(test, c, &insn);
	}
}

/* Cut short at each byte, from memory of just that length. */
static void decode_short_test(struct kunit *test)
{
	const struct decode_case *c = test->param_value;
	struct kvml_insn insn;
	unsigned int n;
	u8 *bytes;

	for (n = 0; n < c->n; n++) {
		bytes = kunit_kmalloc(test, n ?: 1, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, bytes);
		memcpy(bytes, c->code, n);
		KUNIT_EXPECT_EQ_MSG(test, kvml_decode(&insn, bytes, n, c->bits),
				    KVML_DECODE_SHORT, "the first %u bytes", n);
		kunit_kfree(test, bytes);
	}
}

/* As many prefixes before it as make it one byte too long. */
static void decode_long_test(struct kunit *test)
{
	const struct decode_case *c = test->param_value;
	u8 bytes[KVML_INSN_MAX];
	unsigned int extra = sizeof(bytes) + 1 - c->n;
	struct kvml_insn insn;

	memset(bytes, 0x3e, sizeof(bytes));
	memcpy(bytes + extra, c->code, sizeof(bytes) - extra);
	KUNIT_EXPECT_EQ(test, kvml_decode(&insn, bytes, sizeof(bytes), c->bits),
			KVML_DECODE_SHORT);
}

static const struct {
	const char *text;
	u8 bits;
	u8 n;
	u8 code[5];
	u8 want;
} others[] = {
#define UNKNOWN	.want = KVML_DECODE_UNKNOWN
#define INVALID	.want = KVML_DECODE_INVALID
	{ "lock mov [rdi], eax", 64, CODE(0xf0, 0x89, 0x07), INVALID },
	{ "lock add eax, [rdi]", 64, CODE(0xf0, 0x03, 0x07), INVALID },
	{ "lock add eax, ecx", 64, CODE(0xf0, 0x01, 0xc8), INVALID },
	{ "lock cmp [rdi], eax", 64, CODE(0xf0, 0x39, 0x07), INVALID },
	{ "lock bt [rdi], eax", 64, CODE(0xf0, 0x0f, 0xa3, 0x07), INVALID },
	{ "lock test [rdi], eax", 64, CODE(0xf0, 0x85, 0x07), INVALID },
	{ "lock shl [rdi], 1", 64, CODE(0xf0, 0xd1, 0x27), INVALID },
	{ "lock movsb", 64, CODE(0xf0, 0xa4), INVALID },
	{ "group 5, reg 7", 64, CODE(0xff, 0x3f), INVALID },
	{ "group 11, reg 1", 64, CODE(0xc6, 0x0f), INVALID },
	{ "group 1 by 82", 64, CODE(0x82, 0x07), INVALID },
	{ "push es", 64, CODE(0x06), INVALID },
	{ "mov cs, [rdi]", 64, CODE(0x8e, 0x0f), INVALID },
	{ "mov [rdi], segment 6", 64, CODE(0x8c, 0x37), INVALID },
	{ "group 1A, reg 1 (XOP)", 64, CODE(0x8f, 0x0f), UNKNOWN },
	{ "group 4, reg 2", 64, CODE(0xfe, 0x17), UNKNOWN },
	{ "group 8, reg 3", 64, CODE(0x0f, 0xba, 0x1f), UNKNOWN },
	{ "cmpxchg16b", 64, CODE(0x48, 0x0f, 0xc7, 0x0f), UNKNOWN },
	{ "arpl [bx + si], ax", 32, CODE(0x63, 0x00), UNKNOWN },
	{ "movss xmm0, [rdi]", 64, CODE(0xf3, 0x0f, 0x10, 0x07), UNKNOWN },
	{ "movd xmm0, eax", 64, CODE(0x66, 0x0f, 0x6e, 0xc0), UNKNOWN },
	{ "crc32 eax, [rdi]", 64, CODE(0xf2, 0x0f, 0x38, 0xf0, 0x07), UNKNOWN },
	{ "0f 0f", 64, CODE(0x0f, 0x0f, 0x07), UNKNOWN },
	{ "fld [rdi]", 64, CODE(0xd9, 0x07), UNKNOWN },
	{ "fnclex", 64, CODE(0xdb, 0xe2), UNKNOWN },
	{ "fxsave [rdi]", 64, CODE(0x0f, 0xae, 0x07), UNKNOWN },
	{ "lea of a register", 64, CODE(0x8d, 0xc0), UNKNOWN },
	{ "VEX", 64, CODE(0xc5, 0xf8, 0x77), UNKNOWN },
	{ "VEX in 32-bit code", 32, CODE(0xc5, 0xf8, 0x77), UNKNOWN },
};

static void decode_others_test(struct kunit *test)
{
	struct kvml_insn insn;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		KUNIT_EXPECT_EQ_MSG(test, kvml_decode(&insn, others[i].code,
						      others[i].n,
						      others[i].bits),
				    others[i].want, "%s", others[i].text);
}

/* Fifteen prefixes, of each kind, are no instruction yet. */
static void decode_prefixes_only_test(struct kunit *test)
{
	static const u8 prefixes[] = {
		0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2,
		0xf3, 0x40, 0x4f,
	};
	u8 bytes[KVML_INSN_MAX];
	struct kvml_insn insn;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++) {
		memset(bytes, prefixes[i], sizeof(bytes));
		KUNIT_EXPECT_EQ_MSG(test, kvml_decode(&insn, bytes,
						      sizeof(bytes), 64),
				    KVML_DECODE_SHORT, "%#x", prefixes[i]);
	}
}

/* All but padding. */
static bool same(const struct kvml_insn *a, const struct kvml_insn *b)
{
	return a->flags == b->flags && a->op == b->op && a->len == b->len &&
	       a->size == b->size && a->mem_size == b->mem_size &&
	       a->addr_size == b->addr_size && a->seg == b->seg &&
	       a->rep == b->rep && a->reg == b->reg && a->rex == b->rex &&
	       a->rip == b->rip && a->base == b->base &&
	       a->index == b->index && a->scale == b->scale &&
	       a->disp == b->disp && a->imm == b->imm && a->rm == b->rm &&
	       a->imm16 == b->imm16 && a->lock == b->lock &&
	       a->opcode == b->opcode;
}

/*
 * Every opcode, ModRM and mode: never more than there is, and the same answer
 * from the bytes that it says it took.
 */
static void decode_all_opcodes_test(struct kunit *test)
{
	u8 bytes[KVML_INSN_MAX] = { };
	struct kvml_insn insn, again;
	unsigned int i, bits, at;

	for (i = 0; i < 3 * 256 * 256; i++) {
		at = 0;
		if (i >> 16)
			bytes[at++] = 0x0f;
		if (i >> 17)
			bytes[at++] = 0x38;
		bytes[at++] = i >> 8;
		bytes[at++] = i;
		for (bits = 16; bits <= 64; bits *= 2) {
			if (kvml_decode(&insn, bytes, sizeof(bytes), bits))
				continue;
			KUNIT_ASSERT_LE(test, insn.len, KVML_INSN_MAX);
			KUNIT_ASSERT_EQ(test, kvml_decode(&again, bytes,
							  insn.len, bits), 0);
			KUNIT_ASSERT_TRUE(test, same(&again, &insn));
			KUNIT_ASSERT_EQ(test,
					kvml_decode(&again, bytes,
						    insn.len - 1, bits),
					KVML_DECODE_SHORT);
		}
	}
}

static struct kunit_case decode_cases[] = {
	KUNIT_CASE_PARAM(decode_operands_test, decode_gen_params),
	KUNIT_CASE_PARAM(decode_short_test, decode_gen_params),
	KUNIT_CASE_PARAM(decode_long_test, decode_gen_params),
	KUNIT_CASE(decode_others_test),
	KUNIT_CASE(decode_prefixes_only_test),
	KUNIT_CASE(decode_all_opcodes_test),
	{ }
};

static struct kunit_suite decode_suite = {
	.name = "kvmlite_decode",
	.test_cases = decode_cases,
};

kunit_test_suite(decode_suite);

MODULE_DESCRIPTION("Tests of kvmlite's instruction decoder");
MODULE_LICENSE("GPL");
