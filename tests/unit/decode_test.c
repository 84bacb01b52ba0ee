// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder.  Expected operands are those of SDM volume 2; each
 * encoding is also cut short at every byte, and followed by other bytes.
 */
#include <kunit/test.h>

#include "emul/decode.c"

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
#define RIP(d)		.want.rip = true, MEM(DS, NONE, NONE, 0, d)
#define OPER(name, f)	.want.op = KVML_OP_##name, .want.flags = (f)
#define REG(r)		.want.reg = (r)
#define IMMEDIATE(v)	.want.imm = (u64)(s64)(v)

#define LOAD	(RD | TO_REG)

enum {
	AX = KVML_RAX, CX = KVML_RCX, DX = KVML_RDX, BX = KVML_RBX,
	SP = KVML_RSP, BP = KVML_RBP, SI = KVML_RSI, DI = KVML_RDI,
	R8 = KVML_R8, R9, R10, R11, R12, R13, R14, R15
};

static const struct decode_case cases[] = {
	/* ---- ModRM and SIB with 64-bit addresses ---- */
	{ "mov [rdi], eax", 64, CODE(0x89, 0x07),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "mov ecx, [rbx]", 64, CODE(0x8b, 0x0b),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, BX, NONE, 0, 0), REG(CX) },
	{ "mov [rbp - 8], rdx", 64, CODE(0x48, 0x89, 0x55, 0xf8),
	  OPER(MOV, WR), SIZES(8, 8, 8), MEM(SS, BP, NONE, 0, -8), REG(DX),
	  .want.rex = true },
	{ "mov [rsi + 0x12345678], bx", 64,
	  CODE(0x66, 0x89, 0x9e, 0x78, 0x56, 0x34, 0x12),
	  OPER(MOV, WR), SIZES(2, 2, 8), MEM(DS, SI, NONE, 0, 0x12345678),
	  REG(BX) },
	{ "mov [rsi - 0x80000000], ebx", 64,
	  CODE(0x89, 0x9e, 0x00, 0x00, 0x00, 0x80),
	  OPER(MOV, WR), SIZES(4, 4, 8),
	  MEM(DS, SI, NONE, 0, 0xffffffff80000000), REG(BX) },
	{ "mov eax, [rip + 0x10]", 64, CODE(0x8b, 0x05, 0x10, 0x00, 0x00, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), RIP(0x10), REG(AX) },
	{ "mov eax, [eip - 1]", 64,
	  CODE(0x67, 0x8b, 0x05, 0xff, 0xff, 0xff, 0xff),
	  OPER(MOV, LOAD), SIZES(4, 4, 4), RIP(-1), REG(AX) },
	{ "mov eax, [0x1000] by SIB", 64,
	  CODE(0x8b, 0x04, 0x25, 0x00, 0x10, 0x00, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, NONE, NONE, 0, 0x1000),
	  REG(AX) },
	{ "mov eax, [rsp]", 64, CODE(0x8b, 0x04, 0x24),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(SS, SP, NONE, 0, 0), REG(AX) },
	{ "mov eax, [rsp + rcx * 8 + 4]", 64, CODE(0x8b, 0x44, 0xcc, 0x04),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(SS, SP, CX, 3, 4), REG(AX) },
	{ "mov eax, [rdx + rbp * 2]", 64, CODE(0x8b, 0x04, 0x6a),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, DX, BP, 1, 0), REG(AX) },
	{ "mov eax, [rbp + rdx]", 64, CODE(0x8b, 0x44, 0x15, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(SS, BP, DX, 0, 0), REG(AX) },
	{ "mov eax, [rcx * 4 + 0x20]: no base", 64,
	  CODE(0x8b, 0x04, 0x8d, 0x20, 0x00, 0x00, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, NONE, CX, 2, 0x20),
	  REG(AX) },
	{ "mov eax, [rax + 0x11223344] by SIB", 64,
	  CODE(0x8b, 0x84, 0x20, 0x44, 0x33, 0x22, 0x11),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, AX, NONE, 0, 0x11223344),
	  REG(AX) },

	/* ---- REX ---- */
	{ "mov r15, [r8 + r9 * 4 + 1]", 64, CODE(0x4f, 0x8b, 0x7c, 0x88, 0x01),
	  OPER(MOV, LOAD), SIZES(8, 8, 8), MEM(DS, R8, R9, 2, 1), REG(R15),
	  .want.rex = true },
	{ "mov eax, [r12]: r12 takes a SIB", 64, CODE(0x41, 0x8b, 0x04, 0x24),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, R12, NONE, 0, 0), REG(AX),
	  .want.rex = true },
	{ "mov eax, [rax + r12]: r12 is an index", 64,
	  CODE(0x42, 0x8b, 0x04, 0x20),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, AX, R12, 0, 0), REG(AX),
	  .want.rex = true },
	{ "mov eax, [r13 + 0]: its segment is DS", 64,
	  CODE(0x41, 0x8b, 0x45, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, R13, NONE, 0, 0), REG(AX),
	  .want.rex = true },
	{ "REX.B does not make [rip] a base", 64,
	  CODE(0x41, 0x8b, 0x05, 0x01, 0x00, 0x00, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), RIP(1), REG(AX), .want.rex = true },
	{ "REX.B and a SIB without base", 64,
	  CODE(0x41, 0x8b, 0x04, 0x25, 0x01, 0x00, 0x00, 0x00),
	  OPER(MOV, LOAD), SIZES(4, 4, 8), MEM(DS, NONE, NONE, 0, 1), REG(AX),
	  .want.rex = true },
	{ "mov [rdi], ah", 64, CODE(0x88, 0x27),
	  OPER(MOV, WR), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), REG(SP) },
	{ "mov [rdi], spl", 64, CODE(0x40, 0x88, 0x27),
	  OPER(MOV, WR), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), REG(SP),
	  .want.rex = true },
	{ "REX.W wins over 66", 64, CODE(0x66, 0x48, 0x89, 0x07),
	  OPER(MOV, WR), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0), REG(AX),
	  .want.rex = true },
	{ "a prefix after REX cancels it", 64, CODE(0x48, 0x66, 0x89, 0x07),
	  OPER(MOV, WR), SIZES(2, 2, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "of two REX the last counts", 64, CODE(0x4f, 0x41, 0x89, 0x07),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(DS, R15, NONE, 0, 0), REG(AX),
	  .want.rex = true },

	/* ---- other prefixes ---- */
	{ "mov fs:[rax], eax", 64, CODE(0x64, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(FS, AX, NONE, 0, 0), REG(AX) },
	{ "mov gs:[rsp], eax", 64, CODE(0x65, 0x89, 0x04, 0x24),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(GS, SP, NONE, 0, 0), REG(AX) },
	{ "ES to DS mean nothing in 64-bit mode", 64,
	  CODE(0x26, 0x2e, 0x36, 0x3e, 0x89, 0x45, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(SS, BP, NONE, 0, 0), REG(AX) },
	{ "... nor after FS", 64, CODE(0x64, 0x2e, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(FS, AX, NONE, 0, 0), REG(AX) },
	{ "mov es:[eax], eax", 32, CODE(0x26, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(ES, AX, NONE, 0, 0), REG(AX) },
	{ "mov cs:[ebp], eax", 32, CODE(0x2e, 0x89, 0x45, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(CS, BP, NONE, 0, 0), REG(AX) },
	{ "mov ss:[eax], eax", 32, CODE(0x36, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(SS, AX, NONE, 0, 0), REG(AX) },
	{ "mov ds:[ebp], eax: the last segment counts", 32,
	  CODE(0x65, 0x3e, 0x89, 0x45, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(DS, BP, NONE, 0, 0), REG(AX) },
	{ "lock add [rdi], eax", 64, CODE(0xf0, 0x01, 0x07),
	  OPER(ADD, RMW), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "xacquire lock xchg [rdi], eax", 64, CODE(0xf2, 0xf0, 0x87, 0x07),
	  OPER(XCHG, RMW), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), REG(AX),
	  .want.rep = 0xf2 },
	{ "mov [edi], eax by 67", 64, CODE(0x67, 0x89, 0x07),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "15 bytes", 64,
	  CODE(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x89, 0x84, 0x88,
	       0x04, 0x03, 0x02, 0x01),
	  OPER(MOV, WR), SIZES(2, 2, 8), MEM(DS, AX, CX, 2, 0x01020304),
	  REG(AX) },

	/* ---- ModRM with 16-bit addresses ---- */
	{ "mov [bx + si], ax", 16, CODE(0x89, 0x00),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, BX, SI, 0, 0), REG(AX) },
	{ "mov [bx + di], ax", 16, CODE(0x89, 0x01),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, BX, DI, 0, 0), REG(AX) },
	{ "mov [bp + si], ax", 16, CODE(0x89, 0x02),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(SS, BP, SI, 0, 0), REG(AX) },
	{ "mov [bp + di], ax", 16, CODE(0x89, 0x03),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(SS, BP, DI, 0, 0), REG(AX) },
	{ "mov [si], ax", 16, CODE(0x89, 0x04),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, SI, NONE, 0, 0), REG(AX) },
	{ "mov [di], ax", 16, CODE(0x89, 0x05),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "mov [0x1234], ax", 16, CODE(0x89, 0x06, 0x34, 0x12),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, NONE, NONE, 0, 0x1234),
	  REG(AX) },
	{ "mov [bx], ax", 16, CODE(0x89, 0x07),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, BX, NONE, 0, 0), REG(AX) },
	{ "mov [bp - 2], ax", 16, CODE(0x89, 0x46, 0xfe),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(SS, BP, NONE, 0, -2), REG(AX) },
	{ "mov [bx + si + 0x1000], ax", 16, CODE(0x89, 0x80, 0x00, 0x10),
	  OPER(MOV, WR), SIZES(2, 2, 2), MEM(DS, BX, SI, 0, 0x1000), REG(AX) },
	{ "mov [bx + si], eax by 66", 16, CODE(0x66, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(4, 4, 2), MEM(DS, BX, SI, 0, 0), REG(AX) },
	{ "mov [eax + ecx * 2], ax by 67", 16, CODE(0x67, 0x89, 0x04, 0x48),
	  OPER(MOV, WR), SIZES(2, 2, 4), MEM(DS, AX, CX, 1, 0), REG(AX) },
	{ "mov es:[eax], ax", 16, CODE(0x26, 0x67, 0x89, 0x00),
	  OPER(MOV, WR), SIZES(2, 2, 4), MEM(ES, AX, NONE, 0, 0), REG(AX) },

	/* ---- 32-bit mode ---- */
	{ "mov [0x12345678], eax", 32,
	  CODE(0x89, 0x05, 0x78, 0x56, 0x34, 0x12),
	  OPER(MOV, WR), SIZES(4, 4, 4), MEM(DS, NONE, NONE, 0, 0x12345678),
	  REG(AX) },
	{ "mov [esp + 4], ax", 32, CODE(0x66, 0x89, 0x44, 0x24, 0x04),
	  OPER(MOV, WR), SIZES(2, 2, 4), MEM(SS, SP, NONE, 0, 4), REG(AX) },
	{ "mov [bx], eax by 67", 32, CODE(0x67, 0x89, 0x07),
	  OPER(MOV, WR), SIZES(4, 4, 2), MEM(DS, BX, NONE, 0, 0), REG(AX) },

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
	  REG(CX), IMMEDIATE(-16) },
	{ "and word [si], 0x7f00", 16, CODE(0x81, 0x24, 0x00, 0x7f),
	  OPER(AND, RMW | IMM), SIZES(2, 2, 2), MEM(DS, SI, NONE, 0, 0),
	  REG(SP), IMMEDIATE(0x7f00) },
	{ "cmp byte [rdi], 0x80", 64, CODE(0x80, 0x3f, 0x80),
	  OPER(CMP, RD | IMM), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0),
	  REG(DI), IMMEDIATE(-128) },
	{ "test dword [rdi], 1", 64, CODE(0xf7, 0x07, 1, 0, 0, 0),
	  OPER(TEST, RD | IMM), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0),
	  IMMEDIATE(1) },
	{ "test byte [rdi], 1 by the alias", 64, CODE(0xf6, 0x0f, 1),
	  OPER(TEST, RD | IMM), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0),
	  REG(CX), IMMEDIATE(1) },
	{ "bt qword [rdi], 63", 64, CODE(0x48, 0x0f, 0xba, 0x27, 0x3f),
	  OPER(BT, RD | IMM8), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0),
	  REG(SP), IMMEDIATE(63), .want.rex = true },
	{ "lock bts dword [rdi], 3", 64, CODE(0xf0, 0x0f, 0xba, 0x2f, 0x03),
	  OPER(BTS, RMW | IMM8), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0),
	  REG(BP), IMMEDIATE(3) },

	/* ---- operations ---- */
	{ "adc al, [rdi]", 64, CODE(0x12, 0x07),
	  OPER(ADC, LOAD), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "sbb [rdi], r9", 64, CODE(0x4c, 0x19, 0x0f),
	  OPER(SBB, RMW), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0), REG(R9),
	  .want.rex = true },
	{ "cmp eax, [rdi]", 64, CODE(0x3b, 0x07),
	  OPER(CMP, LOAD), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "test [rdi], al", 64, CODE(0x84, 0x07),
	  OPER(TEST, RD), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "not dword [rdi]", 64, CODE(0xf7, 0x17),
	  OPER(NOT, RMW), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), REG(DX) },
	{ "neg byte [rdi]", 64, CODE(0xf6, 0x1f),
	  OPER(NEG, RMW), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), REG(BX) },
	{ "inc byte [rdi]", 64, CODE(0xfe, 0x07),
	  OPER(INC, RMW), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "dec qword [rdi]", 64, CODE(0x48, 0xff, 0x0f),
	  OPER(DEC, RMW), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0), REG(CX),
	  .want.rex = true },
	{ "movzx eax, byte [rdi]", 64, CODE(0x0f, 0xb6, 0x07),
	  OPER(MOV, LOAD), SIZES(4, 1, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "movzx rax, word [rdi]", 64, CODE(0x48, 0x0f, 0xb7, 0x07),
	  OPER(MOV, LOAD), SIZES(8, 2, 8), MEM(DS, DI, NONE, 0, 0), REG(AX),
	  .want.rex = true },
	{ "movsx ax, byte [rdi]", 64, CODE(0x66, 0x0f, 0xbe, 0x07),
	  OPER(MOVSX, LOAD), SIZES(2, 1, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "movsx eax, word [edi]", 32, CODE(0x0f, 0xbf, 0x07),
	  OPER(MOVSX, LOAD), SIZES(4, 2, 4), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "movsxd rax, dword [rdi]", 64, CODE(0x48, 0x63, 0x07),
	  OPER(MOVSX, LOAD), SIZES(8, 4, 8), MEM(DS, DI, NONE, 0, 0), REG(AX),
	  .want.rex = true },
	{ "movsxd without REX.W", 64, CODE(0x63, 0x07),
	  OPER(MOVSX, LOAD), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "movnti [rdi], eax", 64, CODE(0x0f, 0xc3, 0x07),
	  OPER(MOV, WR), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "movnti [di], eax", 16, CODE(0x0f, 0xc3, 0x05),
	  OPER(MOV, WR), SIZES(4, 4, 2), MEM(DS, DI, NONE, 0, 0), REG(AX) },
	{ "xadd [rdi], cl", 64, CODE(0x0f, 0xc0, 0x0f),
	  OPER(XADD, RMW), SIZES(1, 1, 8), MEM(DS, DI, NONE, 0, 0), REG(CX) },
	{ "cmpxchg [rdi], rcx", 64, CODE(0x48, 0x0f, 0xb1, 0x0f),
	  OPER(CMPXCHG, RMW), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0), REG(CX),
	  .want.rex = true },
	{ "btr [rdi], ecx", 64, CODE(0x0f, 0xb3, 0x0f),
	  OPER(BTR, RMW), SIZES(4, 4, 8), MEM(DS, DI, NONE, 0, 0), REG(CX) },
	{ "push qword [rdi]", 64, CODE(0xff, 0x37),
	  OPER(PUSH, RD | TWO), SIZES(8, 8, 8), MEM(DS, DI, NONE, 0, 0),
	  REG(SI) },
	{ "push word [rdi]", 64, CODE(0x66, 0xff, 0x37),
	  OPER(PUSH, RD | TWO), SIZES(2, 2, 8), MEM(DS, DI, NONE, 0, 0),
	  REG(SI) },
	{ "push dword [edi]", 32, CODE(0xff, 0x37),
	  OPER(PUSH, RD | TWO), SIZES(4, 4, 4), MEM(DS, DI, NONE, 0, 0),
	  REG(SI) },
	{ "pop qword [rsp + 8]", 64, CODE(0x8f, 0x44, 0x24, 0x08),
	  OPER(POP, WR | TWO), SIZES(8, 8, 8), MEM(SS, SP, NONE, 0, 8) },

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
#define PUBLIC_FLAGS	GENMASK(15, 8)

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
	u8 code[4];
} unknown[] = {
	{ "mov eax, ecx: registers only", 64, CODE(0x89, 0xc8) },
	{ "add eax, imm: no memory", 64, CODE(0x05, 0x00) },
	{ "nop", 64, CODE(0x90) },
	{ "lock mov [rdi], eax", 64, CODE(0xf0, 0x89, 0x07) },
	{ "lock add eax, [rdi]", 64, CODE(0xf0, 0x03, 0x07) },
	{ "lock cmp [rdi], eax", 64, CODE(0xf0, 0x39, 0x07) },
	{ "lock bt [rdi], eax", 64, CODE(0xf0, 0x0f, 0xa3, 0x07) },
	{ "lock test [rdi], eax", 64, CODE(0xf0, 0x85, 0x07) },
	{ "lock movsb", 64, CODE(0xf0, 0xa4) },
	{ "mul [rdi]", 64, CODE(0xf7, 0x27) },
	{ "call [rdi]", 64, CODE(0xff, 0x17) },
	{ "jmp [rdi]", 64, CODE(0xff, 0x27) },
	{ "group 1A, reg 1 (XOP)", 64, CODE(0x8f, 0x0f) },
	{ "group 4, reg 2", 64, CODE(0xfe, 0x17) },
	{ "group 5, reg 7", 64, CODE(0xff, 0x3f) },
	{ "group 8, reg 3", 64, CODE(0x0f, 0xba, 0x1f) },
	{ "group 11, reg 1", 64, CODE(0xc6, 0x0f) },
	{ "arpl [bx + si], ax", 32, CODE(0x63, 0x00) },
	{ "inc eax, no REX", 32, CODE(0x48, 0x89, 0x07) },
	{ "group 1 by 82", 64, CODE(0x82, 0x07) },
	{ "movaps", 64, CODE(0x0f, 0x29, 0x07) },
	{ "0f 0f", 64, CODE(0x0f, 0x0f, 0x07) },
	{ "fld [rdi]", 64, CODE(0xd9, 0x07) },
	{ "VEX", 64, CODE(0xc5, 0xf8, 0x77) },
};

static void decode_unknown_test(struct kunit *test)
{
	struct kvml_insn insn;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++)
		KUNIT_EXPECT_EQ_MSG(test, kvml_decode(&insn, unknown[i].code,
						      unknown[i].n,
						      unknown[i].bits),
				    KVML_DECODE_UNKNOWN, "%s", unknown[i].text);
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
	       a->disp == b->disp && a->imm == b->imm;
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

	for (i = 0; i < 2 * 256 * 256; i++) {
		at = 0;
		if (i & BIT(16))
			bytes[at++] = 0x0f;
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
	KUNIT_CASE(decode_unknown_test),
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
