// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions on MMIO, one by one: which accesses the VMM sees, in what order and
 * length, and what is in the registers afterwards.  kvm_mmio has them by the
 * hundred, and compares with memory; here is what cannot be compared like that:
 * branches, the stack, segment and other system registers, MMX and SSE registers,
 * exceptions, rights.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "kvm_exec.h"
#include "kvm_insn.h"

/* Two pages without memory; outside 64-bit mode at offset 0 of DS and ES. */
#define DEVICE		0x20000UL
#define REAL_STACK	0xf000UL
#define TARGET		(INSN_CODE + 0x80)
#define NOT_CANONICAL	0x8000000000000000ULL

#define X0		0x1111222233334444ULL
#define X1		0x5555666677778888ULL
#define M0		0x99aabbccddeeff01ULL

#define CF		0x001
#define PF		0x004
#define ZF		0x040
#define OF		0x800
#define DIV_FLAGS	FLAGS_STATUS
#define MUL_FLAGS	0xd4

struct access {
	char kind;		/* 'r', 'w' */
	u8 len;
	u16 at;			/* from DEVICE on */
	u64 data;		/* answer, or what is expected */
};

/* In the order of struct kvm_regs. */
enum reg {
	RAX, RBX, RCX, RDX, RSI, RDI, RSP, RBP, RIP = 16, FLAGS, REGS
};

struct value {
	u64 value;
	u8 reg;			/* enum reg */
};

/* Beside the registers, of row.also */
#define OURS	0x01	/* stock KVM does it wrong, or not at all */
#define ANY	0x02	/* accesses may be missing: the CPU need not make them */
#define DEV_SS	0x04	/* the stack is the device; RSP is 0x40 behind it */

struct row {
	const char *text;
	struct access access[10];
	struct value before[4];
	struct value after[5];
	u64 top;		/* of the stack in memory; 0: not looked at */
	u64 vector[2];		/* XMM1 or MM1 afterwards; 0, 0: as before */
	int trap;		/* vector of an exception + 1; 0: none */
	u32 error;
	u16 undefined;		/* flags */
	u8 also;
};

#define R(at, len, data)	{ 'r', len, at, data }
#define W(at, len, data)	{ 'w', len, at, data }
#define ACCESS(...)		.access = { __VA_ARGS__ }
#define BEFORE(...)		.before = { __VA_ARGS__ }
#define AFTER(...)		.after = { __VA_ARGS__ }
#define V(reg, value)		{ value, reg }
#define TRAP(nr)		.trap = (nr) + 1
#define ALSO(x)			.also = x

/*
 * rDI is the device, rAX 5, rCX 2, rBX 0x30, rDX 0, rBP 0x20080, status flags 0.
 * XMM0 is X1:X0, MM0 M0; XMM1 and MM1 are 0.
 */
#define ROWS(ROW)							\
	/* arithmetic that has more results than one */			\
	ROW(64, "mull (%rdi)", ACCESS(R(0, 4, 0x80000001)),		\
	    AFTER(V(RAX, 0x80000005), V(RDX, 2), V(FLAGS, CF | OF)),	\
	    .undefined = MUL_FLAGS)					\
	ROW(64, "imulb (%rdi)", ACCESS(R(0, 1, 0x80)),			\
	    AFTER(V(RAX, 0xfd80), V(FLAGS, CF | OF)), .undefined = MUL_FLAGS) \
	ROW(64, "divl (%rdi)", ACCESS(R(0, 4, 0x10)), BEFORE(V(RDX, 1)), \
	    AFTER(V(RAX, 0x10000000), V(RDX, 5)), .undefined = DIV_FLAGS) \
	ROW(64, "divb (%rdi)", ACCESS(R(0, 1, 0x10)), BEFORE(V(RAX, 0x123)), \
	    AFTER(V(RAX, 0x312)), .undefined = DIV_FLAGS)		\
	ROW(64, "idivq (%rdi)", ACCESS(R(0, 8, 2)),			\
	    BEFORE(V(RAX, -7), V(RDX, -1)),				\
	    AFTER(V(RAX, -3), V(RDX, -1)), .undefined = DIV_FLAGS)	\
	ROW(64, "divl (%rdi)", ACCESS(R(0, 4, 0)), TRAP(DE_VECTOR))	\
	ROW(64, "divq (%rdi)", ACCESS(R(0, 8, 1)), BEFORE(V(RDX, 1)),	\
	    TRAP(DE_VECTOR))					\
	ROW(64, "idivb (%rdi)", ACCESS(R(0, 1, 0xff)),			\
	    BEFORE(V(RAX, 0xff80)), TRAP(DE_VECTOR))		\
	ROW(32, "idivl (%edi)", ACCESS(R(0, 4, -1)),			\
	    BEFORE(V(RAX, 0x80000000), V(RDX, 0xffffffff)),		\
	    TRAP(DE_VECTOR))					\
	ROW(16, "divw (%di)", ACCESS(R(0, 2, 0)), TRAP(DE_VECTOR))	\
	ROW(64, "cmpxchg8b (%rdi)",					\
	    ACCESS(R(0, 8, 0x700000005), W(0, 8, 0x200000030)),		\
	    BEFORE(V(RDX, 7)), AFTER(V(FLAGS, ZF)))			\
	ROW(64, "lock cmpxchg8b (%rdi)",				\
	    ACCESS(R(0, 8, 0x8fedcba9), W(0, 8, 0x8fedcba9)),		\
	    AFTER(V(RAX, 0x8fedcba9)))					\
	ROW(64, "lock cmpxchgl %ecx, (%rdi)",				\
	    ACCESS(R(0, 4, 5), W(0, 4, 2)), AFTER(V(FLAGS, ZF | PF)))	\
	ROW(64, "btsl %eax, 0x100(%rdi)",				\
	    ACCESS(R(0xf0, 4, 0), W(0xf0, 4, 1 << 28)),			\
	    BEFORE(V(RAX, -100)), .undefined = 0x894)			\
	ROW(64, "shll %cl, (%rdi)", ACCESS(R(0, 4, 7), W(0, 4, 7)),	\
	    BEFORE(V(RCX, 0x20)))					\
	ROW(64, "tzcntl (%rdi), %ebx", ACCESS(R(0, 4, 0)),		\
	    AFTER(V(RBX, 32), V(FLAGS, CF)), .undefined = 0x894, ALSO(OURS)) \
	ROW(64, "bsfl (%rdi), %ebx", ACCESS(R(0, 4, 0)),		\
	    AFTER(V(FLAGS, ZF)), .undefined = 0x895)			\
	ROW(64, "xlat", ACCESS(R(5, 1, 0x33)), BEFORE(V(RBX, DEVICE)),	\
	    AFTER(V(RAX, 0x33)))					\
	ROW(16, "xlat", ACCESS(R(0x35, 1, 0x33)), AFTER(V(RAX, 0x33)))	\
	ROW(16, "movbe (%di), %ebx", ACCESS(R(0, 4, 0x12345678)),	\
	    AFTER(V(RBX, 0x78563412)))					\
	ROW(16, "movbe %cx, (%di)", ACCESS(W(0, 2, 0x200)))		\
	ROW(64, "setne (%rdi)", ACCESS(W(0, 1, 1)))			\
	/* MMX and SSE */						\
	ROW(64, "movups %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1))) \
	ROW(64, "movupd 3(%rdi), %xmm1", ACCESS(R(3, 8, 1), R(11, 8, 2)), \
	    .vector = { 1, 2 })						\
	ROW(64, "movdqu %xmm0, 0xffb(%rdi)",				\
	    ACCESS(W(0xffb, 5, X0 & 0xffffffffff),			\
		   W(0x1000, 8, X1 << 24 | X0 >> 40), W(0x1008, 3, X1 >> 40))) \
	ROW(64, "movdqu 0xff9(%rdi), %xmm1",				\
	    ACCESS(R(0xff9, 7, 0x07060504030201), R(0x1000, 8, 0x0f0e0d0c0b0a0908), \
		   R(0x1008, 1, 0x10)),					\
	    .vector = { 0x0807060504030201, 0x100f0e0d0c0b0a09 })	\
	ROW(64, "movaps (%rdi), %xmm1", ACCESS(R(0, 8, 1), R(8, 8, 2)),	\
	    .vector = { 1, 2 })						\
	ROW(64, "movapd %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1))) \
	ROW(64, "movdqa %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1))) \
	ROW(64, "movntps %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1))) \
	ROW(64, "movntpd %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1))) \
	ROW(64, "movntdq %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1))) \
	ROW(64, "movaps %xmm0, 8(%rdi)", TRAP(GP_VECTOR))		\
	ROW(64, "movntdq %xmm0, 8(%rdi)", TRAP(GP_VECTOR))		\
	ROW(64, "movq %mm0, (%rdi)", ACCESS(W(0, 8, M0)))		\
	ROW(64, "movq (%rdi), %mm1", ACCESS(R(0, 8, 3)), .vector = { 3 }) \
	ROW(64, "movd %xmm0, (%rdi)", ACCESS(W(0, 4, (u32)X0)), ALSO(OURS)) \
	ROW(64, "movd (%rdi), %xmm1", ACCESS(R(0, 4, 7)), .vector = { 7 }, \
	    ALSO(OURS))							\
	ROW(64, "movq (%rdi), %xmm1", ACCESS(R(0, 8, 9)), .vector = { 9 }, \
	    ALSO(OURS))							\
	ROW(64, "movq %xmm0, (%rdi)", ACCESS(W(0, 8, X0)), ALSO(OURS))	\
	ROW(64, "movd %mm0, (%rdi)", ACCESS(W(0, 4, (u32)M0)), ALSO(OURS)) \
	ROW(64, "movntq %mm0, (%rdi)", ACCESS(W(0, 8, M0)), ALSO(OURS))	\
	ROW(32, "movups %xmm0, (%edi)", ACCESS(W(0, 8, X0), W(8, 8, X1))) \
	ROW(32, "movdqa (%edi), %xmm1", ACCESS(R(0, 8, 1), R(8, 8, 2)),	\
	    .vector = { 1, 2 })						\
	ROW(16, "movups (%di), %xmm1", ACCESS(R(0, 8, 1), R(8, 8, 2)),	\
	    .vector = { 1, 2 })						\
	ROW(64, "fnstcw (%rdi)", ACCESS(W(0, 2, 0x37f)))		\
	ROW(64, "clflush (%rdi)", ACCESS(R(0, 1, 0)), ALSO(ANY))	\
	/* branches */							\
	ROW(64, "jmp *(%rdi)", ACCESS(R(0, 8, TARGET)), AFTER(V(RIP, TARGET))) \
	ROW(64, "jmp *(%rdi)", ACCESS(R(0, 8, NOT_CANONICAL)),		\
	    TRAP(GP_VECTOR))					\
	ROW(64, "call *(%rdi)", ACCESS(R(0, 8, TARGET)),		\
	    AFTER(V(RIP, TARGET), V(RSP, -8)), .top = INSN_CODE + 2)	\
	ROW(64, "call *(%rdi)", ACCESS(R(0, 8, NOT_CANONICAL)),		\
	    TRAP(GP_VECTOR))					\
	ROW(64, "lcall *(%rdi)", ACCESS(R(0, 6, (u64)SEL_CODE64 << 32 | TARGET)), \
	    AFTER(V(RIP, TARGET), V(RSP, -8)),				\
	    .top = (u64)SEL_CODE64 << 32 | (INSN_CODE + 2))		\
	ROW(64, "ljmp *(%rdi)", ACCESS(R(0, 6, (u64)SEL_CODE64 << 32 | TARGET)), \
	    AFTER(V(RIP, TARGET)))					\
	ROW(64, "ljmp *(%rdi)", ACCESS(R(0, 6, (u64)SEL_DATA << 32 | TARGET)), \
	    TRAP(GP_VECTOR), .error = SEL_DATA)			\
	ROW(32, "call *(%edi)", ACCESS(R(0, 4, TARGET)),		\
	    AFTER(V(RIP, TARGET), V(RSP, -4)))				\
	ROW(32, "ljmp *(%edi)", ACCESS(R(0, 6, (u64)SEL_CODE32 << 32 | TARGET)), \
	    AFTER(V(RIP, TARGET)))					\
	ROW(16, "jmp *(%di)", ACCESS(R(0, 2, TARGET)), AFTER(V(RIP, TARGET))) \
	ROW(16, "lcall *(%di)", ACCESS(R(0, 4, (u64)TARGET)),		\
	    AFTER(V(RIP, TARGET), V(RSP, -4)))				\
	/* the stack */							\
	ROW(64, "push %rax", ACCESS(W(0x38, 8, 5)), AFTER(V(RSP, -8)), ALSO(DEV_SS)) \
	ROW(64, "push $-2", ACCESS(W(0x38, 8, -2)), AFTER(V(RSP, -8)), ALSO(DEV_SS)) \
	ROW(64, "pushw $3", ACCESS(W(0x3e, 2, 3)), AFTER(V(RSP, -2)), ALSO(DEV_SS)) \
	ROW(64, "push (%rdi)", ACCESS(R(0, 8, 9), W(0x38, 8, 9)),	\
	    AFTER(V(RSP, -8)), ALSO(DEV_SS))				\
	ROW(64, "pop %rbx", ACCESS(R(0x40, 8, 7)), AFTER(V(RBX, 7), V(RSP, 8)), \
	    ALSO(DEV_SS))						\
	ROW(64, "pop %rsp", ACCESS(R(0x40, 8, DEVICE)), AFTER(V(RSP, -0x40)), \
	    ALSO(DEV_SS))						\
	ROW(64, "pop 8(%rsp)", ACCESS(R(0x40, 8, 7), W(0x50, 8, 7)),	\
	    AFTER(V(RSP, 8)), ALSO(DEV_SS))				\
	ROW(64, "pushf", ACCESS(W(0x38, 8, RFLAGS)), AFTER(V(RSP, -8)), ALSO(DEV_SS)) \
	ROW(64, "popf", ACCESS(R(0x40, 8, RFLAGS | CF)),		\
	    AFTER(V(RSP, 8), V(FLAGS, CF)), ALSO(DEV_SS))		\
	ROW(64, "call .+5", ACCESS(W(0x38, 8, INSN_CODE + 5)),		\
	    AFTER(V(RSP, -8)), ALSO(DEV_SS))				\
	ROW(64, "ret", ACCESS(R(0x40, 8, TARGET)),			\
	    AFTER(V(RSP, 8), V(RIP, TARGET)), ALSO(DEV_SS))		\
	ROW(64, "ret $16", ACCESS(R(0x40, 8, TARGET)),			\
	    AFTER(V(RSP, 24), V(RIP, TARGET)), ALSO(DEV_SS))		\
	ROW(64, "lretq", ACCESS(R(0x40, 8, TARGET), R(0x48, 8, SEL_CODE64)), \
	    AFTER(V(RSP, 16), V(RIP, TARGET)), ALSO(DEV_SS | OURS))	\
	ROW(64, "enter $16, $0", ACCESS(W(0x38, 8, DEVICE + 0x80)),	\
	    AFTER(V(RSP, -24), V(RBP, DEVICE + 0x38)), ALSO(DEV_SS))	\
	ROW(64, "leave", ACCESS(R(0x80, 8, 1)), AFTER(V(RSP, 0x48), V(RBP, 1)), \
	    ALSO(DEV_SS))						\
	ROW(64, "push %fs", ACCESS(W(0x38, 8, SEL_DATA)), AFTER(V(RSP, -8)), \
	    ALSO(DEV_SS))						\
	ROW(64, "pop %fs", ACCESS(R(0x40, 2, SEL_DATA)), AFTER(V(RSP, 8)), \
	    ALSO(DEV_SS))						\
	ROW(32, "pusha",						\
	    ACCESS(W(0x3c, 4, 5), W(0x38, 4, 2), W(0x34, 4, 0), W(0x30, 4, 0x30), \
		   W(0x2c, 4, DEVICE + 0x40), W(0x28, 4, DEVICE + 0x80), \
		   W(0x24, 4, 0), W(0x20, 4, DEVICE)),			\
	    AFTER(V(RSP, -32)), ALSO(DEV_SS | OURS))			\
	ROW(32, "popa",							\
	    ACCESS(R(0x40, 4, 1), R(0x44, 4, 2), R(0x48, 4, 3), R(0x4c, 4, 4), \
		   R(0x50, 4, 5), R(0x54, 4, 6), R(0x58, 4, 7), R(0x5c, 4, 8)), \
	    AFTER(V(RDI, 1), V(RSI, 2), V(RBP, 3), V(RAX, 8), V(RSP, 32)), \
	    BEFORE(V(RBX, 5), V(RDX, 6), V(RCX, 7)), ALSO(DEV_SS | OURS)) \
	ROW(32, "push %es", ACCESS(W(0x3c, 2, SEL_DATA)), AFTER(V(RSP, -4)), \
	    ALSO(DEV_SS))						\
	ROW(16, "push %ax", ACCESS(W(0x3e, 2, 5)), AFTER(V(RSP, -2)), ALSO(DEV_SS)) \
	ROW(16, "call .+3", ACCESS(W(0x3e, 2, INSN_CODE + 3)),		\
	    AFTER(V(RSP, -2)), ALSO(DEV_SS))				\
	ROW(16, "pop %bx", ACCESS(R(0x40, 2, 7)), AFTER(V(RBX, 7), V(RSP, 2)), \
	    ALSO(DEV_SS))						\
	/* segment and other system registers */			\
	ROW(64, "movw %ds, (%rdi)", ACCESS(W(0, 2, SEL_DATA)))		\
	ROW(64, "movw (%rdi), %es", ACCESS(R(0, 2, SEL_DATA)))		\
	ROW(64, "movw (%rdi), %ss", ACCESS(R(0, 2, SEL_DATA)))		\
	ROW(64, "movw (%rdi), %fs", ACCESS(R(0, 2, 0)))			\
	ROW(64, "movw (%rdi), %es", ACCESS(R(0, 2, 0x1000)),		\
	    TRAP(GP_VECTOR), .error = 0x1000)			\
	ROW(64, "movw (%rdi), %ss", ACCESS(R(0, 2, SEL_CODE64)),	\
	    TRAP(GP_VECTOR), .error = SEL_CODE64)			\
	ROW(32, "movw (%edi), %ss", ACCESS(R(0, 2, 0)), TRAP(GP_VECTOR)) \
	ROW(64, ".byte 0x0f, 0xb2, 0x1f # lss (%rdi), %ebx",		\
	    ACCESS(R(0, 6, (u64)SEL_DATA << 32 | 0x12345678)),		\
	    AFTER(V(RBX, 0x12345678)))					\
	ROW(64, ".byte 0x48, 0x0f, 0xb4, 0x1f # lfs (%rdi), %rbx",	\
	    ACCESS(R(0, 8, 0x1122334455667788), R(8, 2, SEL_DATA)),	\
	    AFTER(V(RBX, 0x1122334455667788)))				\
	ROW(32, "les (%edi), %ebx", ACCESS(R(0, 6, (u64)SEL_DATA << 32 | 9)), \
	    AFTER(V(RBX, 9)))						\
	ROW(16, "lds (%di), %bx", ACCESS(R(0, 4, 0x20000009)), AFTER(V(RBX, 9))) \
	ROW(64, "sldt (%rdi)", ACCESS(W(0, 2, 0)), ALSO(OURS))		\
	ROW(64, "str (%rdi)", ACCESS(W(0, 2, SEL_TSS)), ALSO(OURS))	\
	ROW(64, "lldt (%rdi)", ACCESS(R(0, 2, 0)))			\
	ROW(64, "ltr (%rdi)", ACCESS(R(0, 2, SEL_TSS)),			\
	    TRAP(GP_VECTOR), .error = SEL_TSS)			\
	ROW(64, "sgdt (%rdi)", ACCESS(W(0, 8, VM_GDT << 16 | 0x7f), W(8, 2, 0)), \
	    ALSO(OURS))							\
	ROW(64, "lidt (%rdi)",						\
	    ACCESS(R(0, 8, VM_IDT << 16 | 0x3ff), R(8, 2, 0)), ALSO(OURS)) \
	ROW(64, "lgdt (%rdi)", ACCESS(R(0, 8, 0x7f), R(8, 2, 0x8000)),	\
	    TRAP(GP_VECTOR), ALSO(OURS))				\
	ROW(32, "sidt (%edi)", ACCESS(W(0, 6, VM_IDT32 << 16 | 0x1ff)), \
	    ALSO(OURS))							\
	ROW(64, "lmsw (%rdi)", ACCESS(R(0, 2, 0x33)))

#define AS_ASM(bits, text, ...)		"insn " #bits ", 0, " text "\n"
#define AS_ROW(bits, text, ...)		{ text, __VA_ARGS__ },

__asm__(INSN_MACROS ROWS(AS_ASM));

/* In the order of the instructions between __start_insns and __stop_insns. */
static const struct row rows[] = { ROWS(AS_ROW) };

static bool is_ours(void)
{
	return !strcmp(kvm_device(), "/dev/kvmlite");
}

/* ---- the machine ---- */

struct bench {
	struct machine m;
	enum vm_mode mode;
	u64 base;		/* of DS and ES */
	u64 before[REGS];
};

static struct bench bench_make(enum vm_mode mode)
{
	struct bench b = { .m = vm_make(), .mode = mode };
	struct kvm_sregs sregs;

	vm_mode(&b.m, mode);
	if (mode != MODE_REAL)
		return b;
	b.base = DEVICE;
	sregs = vcpu_sregs(&b.m);
	sregs.ds.base = DEVICE;
	sregs.ds.selector = DEVICE >> 4;
	sregs.es = sregs.ds;
	vcpu_set_sregs(&b.m, &sregs);
	return b;
}

static void set_stack(struct bench *b, bool device)
{
	struct kvm_sregs sregs;

	b->before[RSP] = device ? DEVICE - b->base + 0x40 :
			 b->mode == MODE_REAL ? REAL_STACK : TOOL_STACK;
	if (b->mode != MODE_REAL)
		return;
	sregs = vcpu_sregs(&b->m);
	sregs.ss.base = device ? DEVICE : 0;
	sregs.ss.selector = sregs.ss.base >> 4;
	vcpu_set_sregs(&b->m, &sregs);
}

/* XMM0, MM0: KVM_SET_FPU does not say in stock KVM that they are in use. */
static void set_vectors(const struct machine *m)
{
	struct kvm_xsave x;
	u8 *area = (u8 *)x.region;

	MUST(ioctl(m->vcpu, KVM_GET_XSAVE, &x));
	memset(area, 0, 416);
	*(u16 *)area = 0x37f;
	area[4] = 0xff;			/* no register is empty */
	*(u32 *)(area + 24) = 0x1f80;
	*(u64 *)(area + 32) = M0;
	*(u16 *)(area + 40) = 0xffff;
	*(u64 *)(area + 160) = X0;
	*(u64 *)(area + 168) = X1;
	*(u64 *)(area + 512) |= 3;
	MUST(ioctl(m->vcpu, KVM_SET_XSAVE, &x));
}

static void start(struct bench *b, const struct insn *insn,
		  const struct row *row)
{
	static const u8 end[] = { 0xe6, PORT, 0xeb, 0xfc };
	unsigned int i;

	vcpu_complete(&b->m);
	insn_place(&b->m, insn, INSN_CODE, 0);
	memcpy(b->m.tool + TARGET, end, sizeof(end));
	memset(b->before, 0, sizeof(b->before));
	b->before[RAX] = 5;
	b->before[RBX] = 0x30;
	b->before[RCX] = 2;
	b->before[RDI] = DEVICE - b->base;
	b->before[RBP] = DEVICE + 0x80;
	b->before[RIP] = INSN_CODE;
	b->before[FLAGS] = RFLAGS;
	set_stack(b, row->also & DEV_SS);
	set_vectors(&b->m);
	for (i = 0; i < ARRAY_SIZE(row->before); i++)
		if (row->before[i].value)
			b->before[row->before[i].reg] = row->before[i].value;
	vcpu_set_regs(&b->m, (struct kvm_regs *)b->before);
}

/* ---- what came, and what should have ---- */

static char text[200];

static const char *access_error(const struct kvm_run *run,
				const struct access *a)
{
	u64 data = 0;

	memcpy(&data, run->mmio.data, run->mmio.len <= 8 ? run->mmio.len : 8);
	if (run->mmio.is_write == (a->kind == 'w') && run->mmio.len == a->len &&
	    run->mmio.phys_addr == DEVICE + a->at &&
	    (a->kind == 'r' || data == a->data))
		return NULL;
	snprintf(text, sizeof(text),
		 "expected %c of %u bytes at %x (%llx), got %c of %u at %llx (%llx)",
		 a->kind ?: '-', a->len, a->at, (unsigned long long)a->data,
		 run->mmio.is_write ? 'w' : 'r', run->mmio.len,
		 (unsigned long long)run->mmio.phys_addr - DEVICE,
		 (unsigned long long)data);
	return text;
}

/* To the OUT or the exception; NULL, or what is wrong on the way. */
static const char *run(struct bench *b, const struct row *row)
{
	struct kvm_run *run = b->m.run;
	const struct access *a = row->access;
	const char *error;

	for (;; a++) {
		if (vcpu_run(&b->m))
			return strerrorname_np(errno);
		if (run->exit_reason != KVM_EXIT_MMIO)
			break;
		error = access_error(run, a);
		if (error)
			return error;
		if (a->kind == 'r')
			memcpy(run->mmio.data, &a->data, 8);
	}
	if (a->kind && !(row->also & ANY)) {
		snprintf(text, sizeof(text), "expected %c at %x, got %s", a->kind,
			 a->at, vm_exit_text(&b->m));
		return text;
	}
	return NULL;
}

static const char *trap_error(struct bench *b, const struct row *row)
{
	struct vm_event e;

	if (vm_trapped(&b->m)) {
		e = vm_event(&b->m);
		if ((int)e.vector == row->trap - 1 && e.rip == INSN_CODE &&
		    e.error == row->error)
			return NULL;
	}
	snprintf(text, sizeof(text), "expected vector %d (error code %x), got %s",
		 row->trap - 1, row->error, vm_exit_text(&b->m));
	return text;
}

static const char *register_error(struct bench *b, const struct insn *insn,
				  const struct row *row)
{
	struct kvm_regs regs = vcpu_regs(&b->m);
	u64 *got = (u64 *)&regs, want[REGS];
	unsigned int i, reg;

	memcpy(want, b->before, sizeof(want));
	want[RIP] += insn->len;
	for (i = 0; i < ARRAY_SIZE(row->after); i++) {
		reg = row->after[i].reg;
		if (reg == RSP || reg == FLAGS)
			want[reg] += row->after[i].value;
		else if (row->after[i].value)
			want[reg] = row->after[i].value;
	}
	want[FLAGS] &= ~(u64)row->undefined;
	got[FLAGS] &= ~(u64)row->undefined;
	for (i = 0; i < REGS; i++)
		if (got[i] != want[i]) {
			snprintf(text, sizeof(text),
				 "register %u: expected %llx, got %llx", i,
				 (unsigned long long)want[i],
				 (unsigned long long)got[i]);
			return text;
		}
	return NULL;
}

static const char *vector_error(struct bench *b, const struct row *row)
{
	bool mmx = strstr(row->text, "%mm");
	struct kvm_xsave x;
	u64 *got;

	MUST(ioctl(b->m.vcpu, KVM_GET_XSAVE, &x));
	got = (u64 *)((u8 *)x.region + (mmx ? 48 : 176));
	if (got[0] == row->vector[0] && (mmx || got[1] == row->vector[1]))
		return NULL;
	snprintf(text, sizeof(text), "expected %llx:%llx, got %llx:%llx",
		 (unsigned long long)row->vector[1],
		 (unsigned long long)row->vector[0], (unsigned long long)got[1],
		 (unsigned long long)got[0]);
	return text;
}

static const char *result_error(struct bench *b, const struct insn *insn,
				const struct row *row)
{
	const char *error;
	u64 top;

	if (row->trap)
		return trap_error(b, row);
	if (b->m.run->exit_reason != KVM_EXIT_IO || b->m.run->io.port != PORT)
		return vm_exit_text(&b->m);
	error = register_error(b, insn, row);
	if (error)
		return error;
	memcpy(&top, b->m.tool + (vcpu_regs(&b->m).rsp & 0x1ffff), sizeof(top));
	if (row->top && top != row->top)
		return "the stack is not as expected";
	return vector_error(b, row);
}

static void check_mode(enum vm_mode mode)
{
	unsigned int i, count = 0, failed = 0, left = 0;
	const char *error;
	struct bench b;

	CHECK_EQ(__stop_insns - __start_insns, (long)ARRAY_SIZE(rows));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct insn *insn = &__start_insns[i];

		if (insn->bits != mode_bits(mode))
			continue;
		if (rows[i].also & OURS && !is_ours()) {
			left++;
			continue;
		}
		b = bench_make(mode);
		start(&b, insn, &rows[i]);
		error = run(&b, &rows[i]) ?: result_error(&b, insn, &rows[i]);
		machine_close(&b.m);
		count++;
		failed += !!error;
		if (error)
			tap_note("%u-bit '%s': %s", insn->bits, insn->text, error);
	}
	if (left)
		tap_note("%u instructions left out: stock KVM does them wrong or not at all",
			 left);
	CHECK(count > 5);
	if (failed)
		tap_fail("%u of %u instructions", failed, count);
}

static void test_64(void)
{
	check_mode(MODE_LONG);
}

static void test_32(void)
{
	check_mode(MODE_PROTECTED);
}

static void test_16(void)
{
	check_mode(MODE_REAL);
}

/* ---- what a program may do, and not the one it became meanwhile ---- */

GUEST(flip, "1: mov (%rdi), %eax\n\t"
	    "jmp 1b")

static u8 *flip;
static bool flip_end;

/* The load is a store every other time. */
static void *flipper(void *arg)
{
	while (!__atomic_load_n(&flip_end, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(flip, 0x89, __ATOMIC_SEQ_CST);
		__atomic_store_n(flip, 0x8b, __ATOMIC_SEQ_CST);
	}
	return arg;
}

static void test_read_only(void)
{
	struct machine m = vm_make();
	u64 *pd = (u64 *)(m.tool + TOOL_PD);
	unsigned int i, reads = 0, faults = 0;
	pthread_t thread;

	if (!is_ours())
		tap_skip("stock KVM trusts the exit's address");
	guest_start(&m, guest_flip, MMIO_BASE, 0, 0);
	exec_user_mode(&m);
	pd[MMIO_BASE >> 21] = MMIO_BASE | 0xe5;	/* large, D, A, U, P: not W */
	flip = (u8 *)m.tool + guest_address(guest_flip);
	CHECK_EQ(*flip, 0x8b);
	CHECK_EQ(pthread_create(&thread, NULL, flipper, NULL), 0);
	for (i = 0; i < 3000; i++) {
		MUST(vcpu_run(&m));
		if (vm_trapped(&m)) {
			CHECK_EQ(vm_event(&m).vector, PF_VECTOR);
			CHECK_EQ(vm_event(&m).error, 7);
			faults++;
			continue;
		}
		CHECK_EQ(m.run->exit_reason, KVM_EXIT_MMIO);
		CHECK_EQ(m.run->mmio.is_write, 0);
		reads++;
	}
	__atomic_store_n(&flip_end, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	CHECK_EQ(reads + faults, i);
}

/*
 * ---- all instructions: with page tables in read-only memory (kvm_rom) the CPU
 * comes to none by itself ----
 */

#define ROM		(64UL << 20)

GUEST(registers, "mov $3, %ebx\n\t"
		 "imul $7, %ebx, %ebx\n\t"
		 "shl $4, %ebx\n\t"
		 "movzbl %bl, %ecx\n\t"
		 "lea 1(%rbx,%rcx,2), %edx\n\t"
		 "xchg %rdx, %rbx\n\t"
		 "movabs $0x1234567890, %rax\n\t"
		 "nop\n\t"
		 "shr $36, %rax\n\t"		/* 1 */
		 "bswap %edx\n\t"
		 "sete %dl\n\t"
		 "movzbl %dl, %edx\n\t"
		 "add %edx, %eax\n\t"
		 "cmp $1, %eax\n\t"
		 "cmove %rbx, %rcx\n\t"
		 "mov %ecx, %ebx\n\t"
		 "mov $10, %ecx\n\t"
		 "1: inc %ebx\n\t"
		 "loop 1b\n\t"
		 GUEST_OUT)
GUEST(stack, "mov $7, %ebx\n\t"
	     "push %rbx\n\t"
	     "call 1f\n\t"
	     "pop %rcx\n\t"
	     "add %rcx, %rbx\n\t"
	     "stc\n\t"
	     "pushf\n\t"
	     "clc\n\t"
	     "popf\n\t"
	     "adc $0, %ebx\n\t"
	     GUEST_OUT "\n\t"
	     "1: enter $32, $0\n\t"
	     "lea 1(%rbx), %rbx\n\t"
	     "leave\n\t"
	     "ret")
GUEST(memory, "mov $0x8100, %esi\n\t"
	      "mov $0x8210, %edi\n\t"
	      "mov $8, %ecx\n\t"
	      "cld\n\t"
	      "rep movsb\n\t"
	      "mov 0x8210, %rbx\n\t"
	      "lock xadd %rbx, 0x8100\n\t"
	      "movups 0x8100, %xmm3\n\t"
	      "movaps %xmm3, %xmm2\n\t"
	      "movups %xmm2, 0x8310\n\t"
	      "mov 0x8310, %rbx\n\t"
	      GUEST_OUT)
GUEST(flags, "mov $0x80, %eax\n\t"
	     "cbw\n\t"			/* ff80 */
	     "cwde\n\t"
	     "cltd\n\t"			/* edx -1 */
	     "add $2, %edx\n\t"		/* 1, CF */
	     "lahf\n\t"
	     "cmc\n\t"
	     "sahf\n\t"
	     "adc %edx, %edx\n\t"		/* 3 */
	     "cli\n\t"
	     "sti\n\t"
	     "in $0x10, %al\n\t"
	     "movzbl %al, %ebx\n\t"
	     "add %edx, %ebx\n\t"
	     GUEST_OUT)

static u64 run_on_rom(void (*program)(void))
{
	struct machine m = vm_make();
	u64 *rom = map_memory(3 * PAGE), i;
	struct kvm_sregs sregs;

	*(u64 *)(m.tool + 0x8100) = 100;
	rom[0] = (ROM + PAGE) | 0x27;		/* A, U, W, P */
	rom[512] = (ROM + 2 * PAGE) | 0x27;
	for (i = 0; i < 512; i++)
		rom[1024 + i] = i << 21 | 0xe7;	/* and large, D */
	set_slot(&m, 1, KVM_MEM_READONLY, ROM, rom, 3 * PAGE);
	sregs = vcpu_sregs(&m);
	sregs.cr3 = ROM;
	vcpu_set_sregs(&m, &sregs);
	guest_start(&m, program, 0, 0, 0);
	vm_run_until(&m, KVM_EXIT_IO);
	while (m.run->io.direction == KVM_EXIT_IO_IN) {
		CHECK_EQ(m.run->io.port, PORT);
		CHECK_EQ(m.run->io.size, 1);
		*(u8 *)vcpu_io_data(&m) = 0x40;
		vm_run_until(&m, KVM_EXIT_IO);
	}
	CHECK_EQ(m.run->io.port, PORT);
	return vcpu_regs(&m).rbx;
}

static void test_all(void)
{
	CHECK_EQ(run_on_rom(guest_registers), 3 * 7 * 16 + 0x50 * 2 + 11);
	CHECK_EQ(run_on_rom(guest_stack), 16);
	CHECK_EQ(run_on_rom(guest_memory), 200);
	CHECK_EQ(run_on_rom(guest_flags), 0x43);
}

/* ---- an interrupt and an exception ---- */

GUEST(divide, "divl (%rdi)\n\t" GUEST_OUT)
GUEST(done, GUEST_OUT)

/* The VMM brings an interrupt with the answer, which is 0. */
static void test_interrupt(void)
{
	struct machine m = vm_make();
	struct kvm_interrupt irq = { 0x30 };

	if (!is_ours())
		tap_skip("stock KVM loses the interrupt");
	guest_start(&m, guest_divide, MMIO_BASE, 0, 0);
	vm_run_until(&m, KVM_EXIT_MMIO);
	CHECK_EQ(m.run->mmio.is_write, 0);
	CHECK_EQ(m.run->ready_for_interrupt_injection, 1);
	memset(m.run->mmio.data, 0, 8);
	MUST(ioctl(m.vcpu, KVM_INTERRUPT, &irq));
	CHECK_EQ(vm_run_to_trap(&m, DE_VECTOR).rip, guest_address(guest_divide));
	CHECK_EQ(m.run->ready_for_interrupt_injection, 0);
	vm_return_to(&m, guest_address(guest_done));
	CHECK_EQ(vm_run_to_trap(&m, 0x30).rip, guest_address(guest_done));
	vm_run_to_out(&m);
}

static const struct tap_test tests[] = {
	{ "accesses and results in 64-bit mode", test_64 },
	{ "accesses and results in protected mode", test_32 },
	{ "accesses and results in real mode", test_16 },
	{ "MMIO that a program may only read", test_read_only },
	{ "instructions without a device", test_all },
	{ "an interrupt and an exception at the end of MMIO", test_interrupt },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
