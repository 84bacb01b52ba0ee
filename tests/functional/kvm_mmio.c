// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions with memory operands where there is no memory: each one, in each
 * mode, must do to registers, flags and a device what it does to registers,
 * flags and memory when the processor runs it.
 */
#define _GNU_SOURCE
#include "kvm_insn.h"

#define LOGIC	"0x10"		/* AF */
#define BITS	"0x894"		/* OF SF AF PF */
#define SHIFT	"0x810"		/* OF AF */
#define SCAN	"0x895"		/* all but ZF */
#define PRODUCT	"0xd4"		/* all but CF and OF */

/* In front of each list: what all modes have. */
#define COMMON								\
	".macro arith bits, di, undefined, op, s, reg, imm\n"		\
	"insn \\bits, \\undefined, \\op\\s %\\reg, (\\di)\n"		\
	"insn \\bits, \\undefined, \\op\\s (\\di), %\\reg\n"		\
	"insn \\bits, \\undefined, \\op\\s $-0x13, (\\di)\n"		\
	"insn \\bits, \\undefined, \\op\\s $\\imm, (\\di)\n"		\
	".ifnc \\op, cmp\n"						\
	"insn \\bits, \\undefined, lock \\op\\s %\\reg, (\\di)\n"	\
	"insn \\bits, \\undefined, lock \\op\\s $\\imm, (\\di)\n"	\
	".endif\n"							\
	".endm\n"							\
	".macro unary bits, insn:vararg\n"				\
	"insn \\bits, 0, \\insn\n"					\
	"insn \\bits, 0, lock \\insn\n"					\
	".endm\n"							\
	".macro string bits, insn\n"					\
	"insn \\bits, 0, \\insn\n"					\
	"insn \\bits, 0, rep \\insn\n"					\
	".endm\n"							\
	".macro shift bits, di, s, op\n"				\
	"insn \\bits, " SHIFT ", \\op\\s $1, (\\di)\n"			\
	"insn \\bits, " SHIFT ", \\op\\s $5, (\\di)\n"			\
	"insn \\bits, " SHIFT ", \\op\\s %cl, (\\di)\n"			\
	".endm\n"							\
	".macro double_shift bits, di, s, b, op\n"			\
	"insn \\bits, " SHIFT ", \\op\\s $7, %\\b, (\\di)\n"		\
	"insn \\bits, " SHIFT ", \\op\\s %cl, %\\b, (\\di)\n"		\
	".endm\n"							\
	/* what has no form of one byte */				\
	".macro wide bits, di, s, b, d, imm\n"				\
	"double_shift \\bits, \\di, \\s, \\b, shld\n"			\
	"double_shift \\bits, \\di, \\s, \\b, shrd\n"			\
	"insn \\bits, " SCAN ", bsf\\s (\\di), %\\b\n"			\
	"insn \\bits, " SCAN ", bsr\\s (\\di), %\\b\n"			\
	"insn \\bits, " PRODUCT ", imul\\s (\\di), %\\d\n"		\
	"insn \\bits, " PRODUCT ", imul\\s $-3, (\\di), %\\d\n"		\
	"insn \\bits, " PRODUCT ", imul\\s $\\imm, (\\di), %\\b\n"		\
	"insn \\bits, 0, cmovb\\s (\\di), %\\d\n"				\
	"insn \\bits, 0, cmovae\\s (\\di), %\\d\n"				\
	".endm\n"							\
	".macro condition bits, di, cc\n"				\
	"insn \\bits, 0, set\\cc (\\di)\n"				\
	"insn \\bits, 0, cmov\\cc\\()l (\\di), %ebx\n"			\
	".endm\n"							\
	".macro sized bits, di, s, a, b, c, d, imm\n"			\
	"shift \\bits, \\di, \\s, rol\n"				\
	"shift \\bits, \\di, \\s, ror\n"				\
	"shift \\bits, \\di, \\s, rcl\n"				\
	"shift \\bits, \\di, \\s, rcr\n"				\
	"shift \\bits, \\di, \\s, shl\n"				\
	"shift \\bits, \\di, \\s, shr\n"				\
	"shift \\bits, \\di, \\s, sar\n"				\
	"insn \\bits, " PRODUCT ", mul\\s (\\di)\n"			\
	"insn \\bits, " PRODUCT ", imul\\s (\\di)\n"			\
	"arith \\bits, \\di, 0, add, \\s, \\b, \\imm\n"			\
	"arith \\bits, \\di, 0, adc, \\s, \\b, \\imm\n"			\
	"arith \\bits, \\di, 0, sub, \\s, \\b, \\imm\n"			\
	"arith \\bits, \\di, 0, sbb, \\s, \\b, \\imm\n"			\
	"arith \\bits, \\di, 0, cmp, \\s, \\b, \\imm\n"			\
	"arith \\bits, \\di, " LOGIC ", and, \\s, \\b, \\imm\n"		\
	"arith \\bits, \\di, " LOGIC ", or, \\s, \\b, \\imm\n"		\
	"arith \\bits, \\di, " LOGIC ", xor, \\s, \\b, \\imm\n"		\
	"insn \\bits, " LOGIC ", test\\s %\\b, (\\di)\n"		\
	"insn \\bits, " LOGIC ", test\\s $\\imm, (\\di)\n"		\
	"unary \\bits, not\\s (\\di)\n"					\
	"unary \\bits, neg\\s (\\di)\n"					\
	"unary \\bits, inc\\s (\\di)\n"					\
	"unary \\bits, dec\\s (\\di)\n"					\
	"insn \\bits, 0, mov\\s %\\b, (\\di)\n"				\
	"insn \\bits, 0, mov\\s (\\di), %\\d\n"				\
	"insn \\bits, 0, mov\\s $\\imm, (\\di)\n"			\
	"unary \\bits, xchg\\s %\\b, (\\di)\n"				\
	"unary \\bits, xadd\\s %\\b, (\\di)\n"				\
	"unary \\bits, xadd\\s %\\a, (\\di)\n"				\
	"unary \\bits, cmpxchg\\s %\\b, (\\di)\n"			\
	"string \\bits, movs\\s\n"					\
	"string \\bits, stos\\s\n"					\
	"string \\bits, lods\\s\n"					\
	"string \\bits, scas\\s\n"					\
	"string \\bits, cmps\\s\n"					\
	"insn \\bits, 0, repne scas\\s\n"				\
	"insn \\bits, 0, repne cmps\\s\n"				\
	".endm\n"							\
	".macro bit bits, op, di, s, c, d\n"				\
	"insn \\bits, " BITS ", \\op\\s %\\c, (\\di)\n"			\
	"insn \\bits, " BITS ", \\op\\s %\\d, (\\di)\n"			\
	"insn \\bits, " BITS ", \\op\\s $5, (\\di)\n"			\
	"insn \\bits, " BITS ", \\op\\s $0x7f, (\\di)\n"		\
	".ifnc \\op, bt\n"						\
	"insn \\bits, " BITS ", lock \\op\\s %\\c, (\\di)\n"		\
	"insn \\bits, " BITS ", lock \\op\\s $0x47, (\\di)\n"		\
	".endif\n"							\
	".endm\n"							\
	".macro bit_ops bits, di, s, c, d\n"				\
	"bit \\bits, bt, \\di, \\s, \\c, \\d\n"				\
	"bit \\bits, bts, \\di, \\s, \\c, \\d\n"			\
	"bit \\bits, btr, \\di, \\s, \\c, \\d\n"			\
	"bit \\bits, btc, \\di, \\s, \\c, \\d\n"			\
	".endm\n"							\
	".macro common bits, di, bp, other\n"				\
	"sized \\bits, \\di, b, al, bl, cl, dl, 0x5a\n"			\
	"sized \\bits, \\di, w, ax, bx, cx, dx, 0x7531\n"		\
	"sized \\bits, \\di, l, eax, ebx, ecx, edx, 0x87654321\n"	\
	"wide \\bits, \\di, w, bx, dx, 0x7531\n"			\
	"wide \\bits, \\di, l, ebx, edx, 0x87654321\n"			\
	".irp cc, o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g\n" \
	"condition \\bits, \\di, \\cc\n"				\
	".endr\n"							\
	"unary \\bits, cmpxchg8b (\\di)\n"				\
	"insn \\bits, 0, movw %ds, (\\di)\n"				\
	"insn \\bits, 0, smsw (\\di)\n"				\
	"insn \\bits, 0, fnstcw (\\di)\n"				\
	"insn \\bits, 0, fnstsw (\\di)\n"				\
	"bit_ops \\bits, \\di, w, cx, dx\n"				\
	"bit_ops \\bits, \\di, l, ecx, edx\n"				\
	".irp op, movzbw, movsbw\n"					\
	"insn \\bits, 0, \\op (\\di), %dx\n"				\
	".endr\n"							\
	".irp op, movzbl, movsbl, movzwl, movswl\n"			\
	"insn \\bits, 0, \\op (\\di), %ebx\n"				\
	".endr\n"							\
	"insn \\bits, 0, movnti %ebx, (\\di)\n"				\
	/* the second byte of a register */				\
	"insn \\bits, 0, movb %bh, (\\di)\n"				\
	"insn \\bits, 0, movb (\\di), %ch\n"				\
	"insn \\bits, 0, addb %ah, (\\di)\n"				\
	"insn \\bits, 0, subb (\\di), %dh\n"				\
	"insn \\bits, 0, xchgb %bh, (\\di)\n"				\
	"insn \\bits, 0, cmpxchgb %bh, (\\di)\n"			\
	"insn \\bits, 0, xaddb %ah, (\\di)\n"				\
	/* addresses */							\
	"insn \\bits, 0, movl %ebx, %fs:0x20\n"				\
	"insn \\bits, 0, movl %gs:0x40, %ebx\n"				\
	"insn \\bits, 0, addw $0x1234, %fs:0x20\n"			\
	"insn \\bits, 0, movl %ebx, (\\bp)\n"				\
	"insn \\bits, 0, movl %ebx, (\\other)\n"			\
	"insn \\bits, 0, stosl %eax, %es:(\\other)\n"			\
	"insn \\bits, 0, rep stosw %ax, %es:(\\other)\n"		\
	"insn \\bits, 0, pushw (\\di)\n"				\
	"insn \\bits, 0, popw (\\di)\n"					\
	".endm\n"

#define ONLY64								\
	"sized 64, %rdi, q, rax, rbx, rcx, rdx, 0x76543210\n"		\
	"wide 64, %rdi, q, rbx, rdx, 0x76543210\n"			\
	"insn 64, 0, movbe (%rdi), %bx\n"				\
	"insn 64, 0, movbe (%rdi), %r11\n"				\
	"insn 64, 0, movbe %ebx, (%rdi)\n"				\
	"insn 64, 0, movbe %rbx, (%rdi)\n"				\
	"bit_ops 64, %rdi, q, rcx, rdx\n"				\
	".irp op, movzbq, movsbq, movzwq, movswq, movslq\n"		\
	"insn 64, 0, \\op (%rdi), %rbx\n"				\
	"insn 64, 0, \\op (%rdi), %r11\n"				\
	".endr\n"							\
	"insn 64, 0, movntiq %rbx, (%rdi)\n"				\
	/* REX */							\
	"insn 64, 0, movb %spl, (%rdi)\n"				\
	"insn 64, 0, movb (%rdi), %spl\n"				\
	"insn 64, 0, addb %spl, (%rdi)\n"				\
	"insn 64, 0, movb (%rdi), %r9b\n"				\
	"insn 64, 0, movb %r15b, (%rdi)\n"				\
	"insn 64, 0, movw (%rdi), %r11w\n"				\
	"insn 64, 0, addl %r8d, (%rdi)\n"				\
	"insn 64, 0, movq %r15, (%rdi)\n"				\
	"insn 64, 0, xchgq %r9, (%rdi)\n"				\
	"insn 64, 0, movl (%rdi), %esp\n"				\
	/* 66 before and after REX.W: REX.W wins */			\
	"insn 64, 0, .byte 0x66, 0x48, 0x89, 0x1f\n"			\
	/* segments that 64-bit mode ignores */				\
	"insn 64, 0, .byte 0x2e, 0x89, 0x1f\n"				\
	/* offsets in the instruction */				\
	".irp r, al, ax, eax, rax\n"					\
	"insn 64, 0, movabs %\\r, %fs:0x20\n"				\
	"insn 64, 0, movabs %gs:0x40, %\\r\n"				\
	".endr\n"							\
	"insn 64, 0, .byte 0x67, 0x64, 0xa1, 0x20, 0, 0, 0\n"		\
	/* all forms of an address */					\
	"insn 64, 0, movl %ebx, 0x11223344(%rip)\n"			\
	"insn 64, 0, movl $0x55aa55aa, 0x11223344(%rip)\n"		\
	"insn 64, 0, addb $0x55, 0x11223344(%rip)\n"			\
	"insn 64, 0, movl 0x11223344(%eip), %ebx\n"			\
	"insn 64, 0, movl %ebx, -3(%rdi,%rcx)\n"			\
	"insn 64, 0, movl %ebx, -6(%rdi,%rcx,2)\n"			\
	"insn 64, 0, movl %ebx, -12(%rdi,%rcx,4)\n"			\
	"insn 64, 0, movl -0x100018(%r10,%rcx,8), %ebx\n"		\
	"insn 64, 0, movl %ebx, (%r12)\n"				\
	"insn 64, 0, movl %ebx, (%r13)\n"				\
	"insn 64, 0, movl %ebx, -0x10(%rdi,%r8)\n"			\
	"insn 64, 0, movl %ebx, -0x10(%r8,%r12)\n"			\
	"insn 64, 0, movl %ebx, -0x10(%r13,%r8)\n"			\
	"insn 64, 0, movl %ebx, -0x20(,%r8,2)\n"			\
	"insn 64, 0, addl $-1, %fs:0x10(%r8)\n"				\
	"insn 64, 0, addl %ebx, %gs:0x3d(%rcx)\n"			\
	"insn 64, 0, movl %ebx, (%r14d)\n"				\
	"insn 64, 0, movl %ebx, -0x13(%r14d,%ecx,1)\n"			\
	"insn 64, 0, pushq (%rdi)\n"					\
	"insn 64, 0, popq (%rdi)\n"					\
	"insn 64, 0, .byte 0x67, 0xf3, 0xa4\n"

/* QEMU 7.2 has the sizes of MOVBE wrong in 16-bit code. */
#define ONLY32								\
	"insn 32, 0, movbe (%edi), %ebx\n"				\
	"insn 32, 0, movbe %bx, (%edi)\n"				\
	".irp r, al, ax, eax\n"						\
	"insn 32, 0, mov %\\r, %fs:0x20\n"				\
	"insn 32, 0, mov %gs:0x40, %\\r\n"				\
	".endr\n"							\
	"insn 32, 0, .byte 0x67, 0x64, 0xa1, 0x20, 0\n"			\
	"insn 32, 0, movl %ebx, -3(%edi,%ecx)\n"			\
	"insn 32, 0, movl %ebx, -0xc(%edi,%ecx,4)\n"			\
	"insn 32, 0, movl %ebx, -0x100018+0x100000(%edi,%ecx,8)\n"	\
	"insn 32, 0, movl %ebx, %ds:(%edi)\n"				\
	"insn 32, 0, movl %ebx, %es:(%edi)\n"				\
	"insn 32, 0, movl -3(%ebp,%ecx), %ebx\n"			\
	"insn 32, 0, movl %ebx, %gs:0x3d(%ecx)\n"			\
	"insn 32, 0, pushl (%edi)\n"					\
	"insn 32, 0, popl (%edi)\n"					\
	"insn 32, 0, .byte 0x67, 0xf3, 0xa4\n"

#define ONLY16								\
	".irp r, al, ax, eax\n"						\
	"insn 16, 0, mov %\\r, %fs:0x20\n"				\
	"insn 16, 0, mov %gs:0x40, %\\r\n"				\
	".endr\n"							\
	"insn 16, 0, .byte 0x67, 0x64, 0xa1, 0x20, 0, 0, 0\n"		\
	"insn 16, 0, movl %ebx, %ds:(%di)\n"				\
	"insn 16, 0, movl %ebx, %es:(%di)\n"				\
	"insn 16, 0, movw (%bp), %dx\n"					\
	"insn 16, 0, movw %dx, 0x7f(%di)\n"				\
	"insn 16, 0, movl -3(%edi,%ecx), %ebx\n"			\
	"insn 16, 0, movw %dx, -0xc(%edi,%ecx,4)\n"			\
	"insn 16, 0, pushl (%di)\n"					\
	"insn 16, 0, .byte 0x67, 0xf3, 0xa4\n"

__asm__(INSN_MACROS COMMON
	"common 64, %rdi, %rbp, %edi\n" ONLY64
	"common 32, %edi, %ebp, %di\n" ONLY32
	"common 16, %di, %bp, %edi\n" ONLY16);

/* ---- memory and a device ---- */

#define AREA		0x1f000UL	/* memory, device, device, memory, memory */
#define AREA_SIZE	0x5000UL
#define DEVICE		0x20000UL
#define DEVICE_END	0x22000UL
#define SS_BASE		0x18000UL	/* outside 64-bit mode */
#define WINDOW		64		/* bytes before an operand, and behind */

/**
 * struct where - the operands
 * @di:		guest physical, what rDI points to
 * @si:		the same of rSI
 * @patterns:	how many of the table to try
 * @name:	for messages
 */
struct where {
	u64 di;
	u64 si;
	unsigned int patterns;
	const char *name;
};

static const struct where memory = { 0x22100, 0x22200, 0, "memory" };

static const struct where places[] = {
	{ 0x20100, 0x22200, 5, "(rDI) in the device" },
	{ 0x22100, 0x20200, 2, "(rSI) in the device" },
	{ 0x20200, 0x21300, 2, "both in the device" },
	{ 0x20fff, 0x22200, 2, "(rDI) across a page" },
	{ 0x21ffe, 0x22200, 2, "(rDI) from the device to memory" },
	{ 0x1ffff, 0x22200, 2, "(rDI) from memory to the device" },
	{ 0x20100, 0x20ffd, 2, "(rSI) across a page" },
	{ 0x22100, 0x1fffd, 2, "(rSI) from memory to the device" },
};

struct pattern {
	u64 di;
	u64 si;
	u64 rax;
	u64 rbx;
	u64 flags;
};

static const struct pattern patterns[] = {
	{ 0x0123456789abcdef, 0x1122334455667788, 0x1122334455667788,
	  0xfedcba9876543210, 0 },
	{ 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff,
	  0x0000000000000001, FLAGS_STATUS },
	{ 0x8080808080808080, 0x8080808080808081, 0x7f7f7f7f7f7f7f7f,
	  0x8080808080808080, FLAG_DF },
	{ 0, 0x0f0f0f0f0f0f0f0f, 0x8000000080008080, 0, FLAG_CF },
	{ 0x7f7f7f7f7f7f7f7f, 0x7f7f7f7f7f7f7f7f, 0x7f7f7f7f7f7f7f7f,
	  0x0101010101010101, FLAGS_STATUS | FLAG_DF },
};

/* What an instruction did. */
struct outcome {
	struct kvm_regs regs;
	u8 di[2 * WINDOW];
	u8 si[2 * WINDOW];
	u8 stack[16];
};

struct bench {
	struct machine m;
	enum vm_mode mode;
	u64 base;		/* of DS and ES */
	u64 fs;			/* what FS points at now */
	char *high;		/* memory from DEVICE_END on */
	u8 device[AREA_SIZE];
	u8 read[AREA_SIZE];	/* accesses to the device, by the byte */
	u8 written[AREA_SIZE];
};

static u8 *byte_at(struct bench *b, u64 address)
{
	if (address < DEVICE)
		return (u8 *)b->m.tool + address;
	if (address < DEVICE_END)
		return b->device + address - AREA;
	return (u8 *)b->high + address - DEVICE_END;
}

static void copy_window(struct bench *b, u64 address, u8 *to)
{
	unsigned int i;

	for (i = 0; i < 2 * WINDOW; i++)
		to[i] = *byte_at(b, address - WINDOW + i);
}

static void fill_window(struct bench *b, u64 address, u64 value)
{
	unsigned int i;

	for (i = 0; i < 2 * WINDOW; i++)
		*byte_at(b, address - WINDOW + i) = value >> i % 8 * 8;
}

static struct bench *bench_make(enum vm_mode mode)
{
	struct bench *b = map_memory(sizeof(*b));
	struct kvm_sregs sregs;

	b->m = vm_make();
	b->mode = mode;
	b->high = map_memory(2 * PAGE);
	set_slot(&b->m, 1, 0, DEVICE_END, b->high, 2 * PAGE);
	vm_mode(&b->m, mode);
	if (mode == MODE_LONG)
		return b;
	b->base = AREA;
	sregs = vcpu_sregs(&b->m);
	sregs.ds.base = AREA;
	sregs.es.base = AREA;
	sregs.ss.base = SS_BASE;
	if (mode == MODE_REAL) {
		sregs.ds.selector = AREA >> 4;
		sregs.es.selector = AREA >> 4;
		sregs.ss.selector = SS_BASE >> 4;
	}
	vcpu_set_sregs(&b->m, &sregs);
	return b;
}

static u64 stack_pointer(const struct bench *b)
{
	return b->mode == MODE_LONG ? 0x19000 : 0x1000;
}

static u8 *stack_memory(const struct bench *b)
{
	return (u8 *)b->m.tool + 0x19000;
}

/* FS and GS point below the operand. */
static void set_bases(struct bench *b, u64 address)
{
	struct kvm_sregs sregs;

	if (b->fs == address)
		return;
	b->fs = address;
	sregs = vcpu_sregs(&b->m);
	sregs.fs.base = address - 0x20;
	sregs.gs.base = address - 0x40;
	vcpu_set_sregs(&b->m, &sregs);
}

static void set_regs(struct bench *b, const struct where *w,
		     const struct pattern *p)
{
	struct kvm_regs regs = {
		.rip = INSN_CODE, .rflags = RFLAGS | p->flags,
		.rsp = stack_pointer(b), .rax = p->rax, .rbx = p->rbx,
		.rcx = 3, .rdx = -5, .rdi = w->di - b->base,
		.rsi = w->si - b->base, .rbp = w->di,
		.r8 = 0x10, .r9 = 0x9999888877776666, .r10 = w->di + 0x100000,
		.r11 = -1, .r12 = w->di, .r13 = w->di,
		.r14 = w->di | 0x4100000000000000, .r15 = 0x123456789abcdef0,
	};

	if (b->mode == MODE_LONG) {
		vcpu_set_regs(&b->m, &regs);
		return;
	}
	regs.rax = (u32)regs.rax;
	regs.rbx = (u32)regs.rbx;
	regs.rdx = (u32)regs.rdx;
	regs.rbp -= SS_BASE;
	vcpu_set_regs(&b->m, &regs);
}

/* The device answers; NULL, or what is wrong with the access. */
static const char *device_access(struct bench *b)
{
	struct kvm_run *run = b->m.run;
	unsigned int i, len = run->mmio.len;
	u64 address = run->mmio.phys_addr;

	if (address < DEVICE || address + len > DEVICE_END || !len || len > 8)
		return "an access outside the device";
	for (i = 0; i < len; i++) {
		u64 at = address + i - AREA;
		u8 *count = run->mmio.is_write ? b->written : b->read;

		if (count[at]++)
			return "a byte of the device accessed twice";
		if (run->mmio.is_write)
			b->device[at] = run->mmio.data[i];
		else
			run->mmio.data[i] = b->device[at];
	}
	return NULL;
}

/* To the OUT; NULL, or what came instead. */
static const char *run_insn(struct bench *b)
{
	const char *error;
	int i;

	for (i = 0; i < 100; i++) {
		if (vcpu_run(&b->m))
			return strerrorname_np(errno);
		if (b->m.run->exit_reason == KVM_EXIT_IO &&
		    b->m.run->io.port == PORT)
			return NULL;
		if (b->m.run->exit_reason != KVM_EXIT_MMIO)
			return vm_exit_text(&b->m);
		error = device_access(b);
		if (error)
			return error;
	}
	return "no end of accesses to the device";
}

static const char *try_insn(struct bench *b, const struct insn *insn,
			    const struct where *w, const struct pattern *p,
			    struct outcome *o)
{
	const char *error;

	memset(o, 0, sizeof(*o));
	memset(b->read, 0, sizeof(b->read));
	memset(b->written, 0, sizeof(b->written));
	insn_place(&b->m, insn, INSN_CODE, w->di);
	fill_window(b, w->di, p->di);
	fill_window(b, w->si, p->si);
	memset(stack_memory(b) - 8, 0x5c, 16);
	set_bases(b, w->di);
	set_regs(b, w, p);
	error = run_insn(b);
	o->regs = vcpu_regs(&b->m);
	copy_window(b, w->di, o->di);
	copy_window(b, w->si, o->si);
	memcpy(o->stack, stack_memory(b) - 8, 16);
	/* Registers with addresses, as distances. */
	o->regs.rdi -= w->di - b->base;
	o->regs.rsi -= w->si - b->base;
	o->regs.rbp -= w->di;
	o->regs.r10 = o->regs.r10 == w->di + 0x100000 ? 0 : o->regs.r10;
	o->regs.r12 -= w->di;
	o->regs.r13 -= w->di;
	o->regs.r14 -= w->di;
	o->regs.rflags &= ~(u64)insn->undefined;
	return error;
}

/* What differs, or NULL. */
static const char *compare(const struct outcome *got, const struct outcome *want)
{
	static char text[160];
	const u64 *a = (u64 *)&got->regs, *b = (u64 *)&want->regs;
	static const char *const names[] = {
		"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8",
		"r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (a[i] != b[i]) {
			snprintf(text, sizeof(text), "%s: expected %llx, got %llx",
				 names[i], (unsigned long long)b[i],
				 (unsigned long long)a[i]);
			return text;
		}
	for (i = 0; i < 2 * WINDOW; i++)
		if (got->di[i] != want->di[i] || got->si[i] != want->si[i]) {
			snprintf(text, sizeof(text),
				 "byte %d: expected %02x (%02x), got %02x (%02x) at (rDI) and (rSI)",
				 (int)i - WINDOW, want->di[i], want->si[i],
				 got->di[i], got->si[i]);
			return text;
		}
	if (memcmp(got->stack, want->stack, sizeof(got->stack)))
		return "the stack is not as expected";
	return NULL;
}

/* In all places with all patterns; false after the first difference. */
static bool check_insn(struct bench *b, const struct insn *insn)
{
	struct outcome want[ARRAY_SIZE(patterns)], got;
	const char *error = NULL;
	unsigned int p, w;

	for (p = 0; p < ARRAY_SIZE(patterns) && !error; p++)
		error = try_insn(b, insn, &memory, &patterns[p], &want[p]);
	if (error) {
		tap_note("%u-bit '%s' in memory: expected its end, got %s",
			 insn->bits, insn->text, error);
		return false;
	}
	for (w = 0; w < ARRAY_SIZE(places); w++)
		for (p = 0; p < places[w].patterns; p++) {
			error = try_insn(b, insn, &places[w], &patterns[p],
					 &got) ?: compare(&got, &want[p]);
			if (!error)
				continue;
			tap_note("%u-bit '%s', %s, pattern %u: %s", insn->bits,
				 insn->text, places[w].name, p, error);
			return false;
		}
	return true;
}

static void check_mode(enum vm_mode mode)
{
	struct bench *b = bench_make(mode);
	const struct insn *insn;
	unsigned int count = 0, failed = 0;

	for (insn = __start_insns; insn < __stop_insns; insn++) {
		if (insn->bits != mode_bits(mode))
			continue;
		count++;
		if (check_insn(b, insn))
			continue;
		failed++;
		machine_close(&b->m);
		b = bench_make(mode);
	}
	CHECK(count > 100);
	if (failed)
		tap_fail("%u of %u instructions: expected the same as in memory",
			 failed, count);
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

/* ---- what cannot be done in software ---- */

GUEST(load_real, "fldl (%rdi)\n\t" GUEST_OUT)
GUEST(load_control, "fnstenv (%rdi)\n\t" GUEST_OUT)

static void check_unknown(void (*program)(void), const u8 *bytes, u32 len)
{
	struct machine m = vm_make();
	struct kvm_regs regs;

	guest_start(&m, program, MMIO_BASE, 0, 0);
	vm_run_until(&m, KVM_EXIT_INTERNAL_ERROR);
	CHECK_EQ(m.run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
	CHECK(m.run->emulation_failure.ndata >= 3);
	CHECK(m.run->emulation_failure.flags &
	      KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES);
	CHECK(m.run->emulation_failure.insn_size >= len);
	CHECK(m.run->emulation_failure.insn_size <= 15);
	CHECK(!memcmp(m.run->emulation_failure.insn_bytes, bytes, len));
	CHECK_EQ(vcpu_regs(&m).rip, guest_address(program));
	/* The VMM did it, say. */
	vcpu_clear_events(&m);
	regs = vcpu_regs(&m);
	regs.rip += len;
	vcpu_set_regs(&m, &regs);
	vm_run_to_out(&m);
}

static void test_unknown(void)
{
	static const u8 real[] = { 0xdd, 0x07 }, control[] = { 0xd9, 0x37 };

	check_unknown(guest_load_real, real, sizeof(real));
	check_unknown(guest_load_control, control, sizeof(control));
}

/* At CPL 3 it is the guest's affair. */
static void test_unknown_user(void)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs = vcpu_sregs(&m);
	unsigned int i;

	*(u64 *)(m.tool + TOOL_PML4) |= 4;
	*(u64 *)(m.tool + TOOL_PDPT) |= 4;
	for (i = 0; i < 512; i++)
		((u64 *)(m.tool + TOOL_PD))[i] |= 4;
	sregs.cs.dpl = 3;
	sregs.cs.selector = SEL_USER_CODE;
	sregs.ss.dpl = 3;
	sregs.ss.selector = SEL_USER_DATA;
	sregs.ds = sregs.ss;
	vcpu_set_sregs(&m, &sregs);
	guest_start(&m, guest_load_real, MMIO_BASE, 0, 0);
	CHECK_EQ(vm_run_to_trap(&m, UD_VECTOR).rip,
		 guest_address(guest_load_real));
}

/* ---- from MMIO to where nothing can be ---- */

GUEST(copy, "movsl\n\t" GUEST_OUT)
GUEST32(copy_32, "movsl\n\t" GUEST_OUT)

/* The CPU has not come to the other operand when the first one exits. */
static void check_copy_fault(const struct machine *m, void (*program)(void), u64 to)
{
	struct vm_event e;

	guest_start(m, program, to, MMIO_BASE, 0);
	MUST(vcpu_run(m));
	while (m->run->exit_reason == KVM_EXIT_MMIO) {
		CHECK_EQ(m->run->mmio.is_write, 0);
		MUST(vcpu_run(m));
	}
	CHECK(vm_trapped(m));
	e = vm_event(m);
	CHECK_EQ(e.vector, GP_VECTOR);
	CHECK_EQ(e.error, 0);
	CHECK_EQ(e.rip, guest_address(program));
}

static void test_copy_fault(void)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs;

	check_copy_fault(&m, guest_copy, 1ULL << 47);
	vm_mode(&m, MODE_PROTECTED);
	sregs = vcpu_sregs(&m);
	sregs.es.limit = 0xffff;
	sregs.es.g = 0;
	vcpu_set_sregs(&m, &sregs);
	check_copy_fault(&m, guest_copy_32, 0x10000);
	check_copy_fault(&m, guest_copy_32, 0xfffd);
}

/* ---- read-only memory ---- */

GUEST(add, "addl %esi, (%rdi)\n\t" GUEST_OUT)
GUEST(exchange, "xchg %rsi, (%rdi)\n\t" GUEST_OUT)
GUEST(fill, "mov $4, %ecx\n\t"
	    "mov %esi, %eax\n\t"
	    "rep stosl\n\t"
	    GUEST_OUT)

static void expect_write(const struct machine *m, u64 address, u64 value,
			 u32 len)
{
	vm_run_until(m, KVM_EXIT_MMIO);
	CHECK_EQ(m->run->mmio.is_write, 1);
	CHECK_EQ(m->run->mmio.phys_addr, address);
	CHECK_EQ(m->run->mmio.len, len);
	CHECK(!memcmp(m->run->mmio.data, &value, len));
}

/* It is read as memory, and written as a device. */
static void test_read_only(void)
{
	struct machine m = vm_make();
	u64 *memory = map_memory(PAGE), address = 0x4000000;
	unsigned int i;

	if (!MUST(ioctl(m.kvm, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM)))
		tap_skip("no READONLY_MEM");
	memory[1] = 0x1111111122222222;
	set_slot(&m, 1, KVM_MEM_READONLY, address, memory, PAGE);
	guest_start(&m, guest_add, address + 8, 5, 0);
	expect_write(&m, address + 8, 0x22222227, 4);
	vm_run_to_out(&m);
	guest_start(&m, guest_exchange, address + 8, 6, 0);
	expect_write(&m, address + 8, 6, 8);
	vm_run_to_out(&m);
	CHECK_EQ(vcpu_regs(&m).rsi, 0x1111111122222222);
	guest_start(&m, guest_fill, address + 16, 7, 0);
	for (i = 0; i < 4; i++)
		expect_write(&m, address + 16 + 4 * i, 7, 4);
	vm_run_to_out(&m);
	CHECK_EQ(memory[1], 0x1111111122222222);
	CHECK_EQ(memory[2], 0);
}

static const struct tap_test tests[] = {
	{ "instructions of 64-bit mode", test_64 },
	{ "instructions of protected mode", test_32 },
	{ "instructions of real mode", test_16 },
	{ "instructions that are not known", test_unknown },
	{ "the same at CPL 3", test_unknown_user },
	{ "from MMIO to addresses that are not valid", test_copy_fault },
	{ "writes to read-only memory", test_read_only },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
