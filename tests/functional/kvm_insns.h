/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rows of kvm_insns.c, which includes them twice: ON_MMIO(bits of the code, the
 * instruction, members of struct row).
 *
 * rDI is the device, rAX 5, rCX 2, rBX 0x30, rDX 0, rBP 0x20080, status flags 0.
 * XMM0 is X1:X0, MM0 M0; XMM1 and MM1 are 0.
 */
/* arithmetic that has more results than one */
ON_MMIO(64, "mull (%rdi)", ACCESS(R(0, 4, 0x80000001)),
	AFTER(V(RAX, 0x80000005), V(RDX, 2), V(FLAGS, CF | OF)),
	.undefined = MUL_FLAGS)
ON_MMIO(64, "imulb (%rdi)", ACCESS(R(0, 1, 0x80)),
	AFTER(V(RAX, 0xfd80), V(FLAGS, CF | OF)), .undefined = MUL_FLAGS)
ON_MMIO(64, "divl (%rdi)", ACCESS(R(0, 4, 0x10)), BEFORE(V(RDX, 1)),
	AFTER(V(RAX, 0x10000000), V(RDX, 5)), .undefined = DIV_FLAGS)
ON_MMIO(64, "divb (%rdi)", ACCESS(R(0, 1, 0x10)), BEFORE(V(RAX, 0x123)),
	AFTER(V(RAX, 0x312)), .undefined = DIV_FLAGS)
ON_MMIO(64, "idivq (%rdi)", ACCESS(R(0, 8, 2)),
	BEFORE(V(RAX, -7), V(RDX, -1)),
	AFTER(V(RAX, -3), V(RDX, -1)), .undefined = DIV_FLAGS)
ON_MMIO(64, "divl (%rdi)", ACCESS(R(0, 4, 0)), TRAP(DE_VECTOR))
ON_MMIO(64, "divq (%rdi)", ACCESS(R(0, 8, 1)), BEFORE(V(RDX, 1)),
	TRAP(DE_VECTOR))
ON_MMIO(64, "idivb (%rdi)", ACCESS(R(0, 1, 0xff)),
	BEFORE(V(RAX, 0xff80)), TRAP(DE_VECTOR))
ON_MMIO(32, "idivl (%edi)", ACCESS(R(0, 4, -1)),
	BEFORE(V(RAX, 0x80000000), V(RDX, 0xffffffff)),
	TRAP(DE_VECTOR))
ON_MMIO(16, "divw (%di)", ACCESS(R(0, 2, 0)), TRAP(DE_VECTOR))
ON_MMIO(64, "cmpxchg8b (%rdi)",
	ACCESS(R(0, 8, 0x700000005), W(0, 8, 0x200000030)),
	BEFORE(V(RDX, 7)), AFTER(V(FLAGS, ZF)))
ON_MMIO(64, "lock cmpxchg8b (%rdi)",
	ACCESS(R(0, 8, 0x8fedcba9), W(0, 8, 0x8fedcba9)),
	AFTER(V(RAX, 0x8fedcba9)))
ON_MMIO(64, "lock cmpxchgl %ecx, (%rdi)",
	ACCESS(R(0, 4, 5), W(0, 4, 2)), AFTER(V(FLAGS, ZF | PF)))
ON_MMIO(64, "btsl %eax, 0x100(%rdi)",
	ACCESS(R(0xf0, 4, 0), W(0xf0, 4, 1 << 28)),
	BEFORE(V(RAX, -100)), .undefined = 0x894)
ON_MMIO(64, "shll %cl, (%rdi)", ACCESS(R(0, 4, 7), W(0, 4, 7)),
	BEFORE(V(RCX, 0x20)))
ON_MMIO(64, "tzcntl (%rdi), %ebx", ACCESS(R(0, 4, 0)),
	AFTER(V(RBX, 32), V(FLAGS, CF)), .undefined = 0x894, ALSO(OURS))
ON_MMIO(64, "bsfl (%rdi), %ebx", ACCESS(R(0, 4, 0)),
	AFTER(V(FLAGS, ZF)), .undefined = 0x895)
ON_MMIO(64, "xlat", ACCESS(R(5, 1, 0x33)), BEFORE(V(RBX, DEVICE)),
	AFTER(V(RAX, 0x33)))
ON_MMIO(16, "xlat", ACCESS(R(0x35, 1, 0x33)), AFTER(V(RAX, 0x33)))
ON_MMIO(16, "movbe (%di), %ebx", ACCESS(R(0, 4, 0x12345678)),
	AFTER(V(RBX, 0x78563412)))
ON_MMIO(16, "movbe %cx, (%di)", ACCESS(W(0, 2, 0x200)))
ON_MMIO(64, "setne (%rdi)", ACCESS(W(0, 1, 1)))
/* MMX and SSE */
ON_MMIO(64, "movups %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1)))
ON_MMIO(64, "movupd 3(%rdi), %xmm1", ACCESS(R(3, 8, 1), R(11, 8, 2)),
	.vector = { 1, 2 })
ON_MMIO(64, "movdqu %xmm0, 0xffb(%rdi)",
	ACCESS(W(0xffb, 5, X0 & 0xffffffffff),
	       W(0x1000, 8, X1 << 24 | X0 >> 40), W(0x1008, 3, X1 >> 40)))
ON_MMIO(64, "movdqu 0xff9(%rdi), %xmm1",
	ACCESS(R(0xff9, 7, 0x07060504030201), R(0x1000, 8, 0x0f0e0d0c0b0a0908),
	       R(0x1008, 1, 0x10)),
	.vector = { 0x0807060504030201, 0x100f0e0d0c0b0a09 })
ON_MMIO(64, "movaps (%rdi), %xmm1", ACCESS(R(0, 8, 1), R(8, 8, 2)),
	.vector = { 1, 2 })
ON_MMIO(64, "movapd %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1)))
ON_MMIO(64, "movdqa %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1)))
ON_MMIO(64, "movntps %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1)))
ON_MMIO(64, "movntpd %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1)))
ON_MMIO(64, "movntdq %xmm0, (%rdi)", ACCESS(W(0, 8, X0), W(8, 8, X1)))
ON_MMIO(64, "movaps %xmm0, 8(%rdi)", TRAP(GP_VECTOR))
ON_MMIO(64, "movntdq %xmm0, 8(%rdi)", TRAP(GP_VECTOR))
ON_MMIO(64, "movq %mm0, (%rdi)", ACCESS(W(0, 8, M0)))
ON_MMIO(64, "movq (%rdi), %mm1", ACCESS(R(0, 8, 3)), .vector = { 3 })
ON_MMIO(64, "movd %xmm0, (%rdi)", ACCESS(W(0, 4, (u32)X0)), ALSO(OURS))
ON_MMIO(64, "movd (%rdi), %xmm1", ACCESS(R(0, 4, 7)), .vector = { 7 },
	ALSO(OURS))
ON_MMIO(64, "movq (%rdi), %xmm1", ACCESS(R(0, 8, 9)), .vector = { 9 },
	ALSO(OURS))
ON_MMIO(64, "movq %xmm0, (%rdi)", ACCESS(W(0, 8, X0)), ALSO(OURS))
ON_MMIO(64, "movd %mm0, (%rdi)", ACCESS(W(0, 4, (u32)M0)), ALSO(OURS))
ON_MMIO(64, "movntq %mm0, (%rdi)", ACCESS(W(0, 8, M0)), ALSO(OURS))
ON_MMIO(32, "movups %xmm0, (%edi)", ACCESS(W(0, 8, X0), W(8, 8, X1)))
ON_MMIO(32, "movdqa (%edi), %xmm1", ACCESS(R(0, 8, 1), R(8, 8, 2)),
	.vector = { 1, 2 })
ON_MMIO(16, "movups (%di), %xmm1", ACCESS(R(0, 8, 1), R(8, 8, 2)),
	.vector = { 1, 2 })
ON_MMIO(64, "fnstcw (%rdi)", ACCESS(W(0, 2, 0x37f)))
ON_MMIO(64, "clflush (%rdi)", ACCESS(R(0, 1, 0)), ALSO(ANY))
/* branches */
ON_MMIO(64, "jmp *(%rdi)", ACCESS(R(0, 8, TARGET)), AFTER(V(RIP, TARGET)))
ON_MMIO(64, "jmp *(%rdi)", ACCESS(R(0, 8, NOT_CANONICAL)),
	TRAP(GP_VECTOR))
ON_MMIO(64, "call *(%rdi)", ACCESS(R(0, 8, TARGET)),
	AFTER(V(RIP, TARGET), V(RSP, -8)), .top = INSN_CODE + 2)
ON_MMIO(64, "call *(%rdi)", ACCESS(R(0, 8, NOT_CANONICAL)),
	TRAP(GP_VECTOR))
ON_MMIO(64, "lcall *(%rdi)", ACCESS(R(0, 6, (u64)SEL_CODE64 << 32 | TARGET)),
	AFTER(V(RIP, TARGET), V(RSP, -8)),
	.top = (u64)SEL_CODE64 << 32 | (INSN_CODE + 2))
ON_MMIO(64, "ljmp *(%rdi)", ACCESS(R(0, 6, (u64)SEL_CODE64 << 32 | TARGET)),
	AFTER(V(RIP, TARGET)))
ON_MMIO(64, "ljmp *(%rdi)", ACCESS(R(0, 6, (u64)SEL_DATA << 32 | TARGET)),
	TRAP(GP_VECTOR), .error = SEL_DATA)
ON_MMIO(32, "call *(%edi)", ACCESS(R(0, 4, TARGET)),
	AFTER(V(RIP, TARGET), V(RSP, -4)))
ON_MMIO(32, "ljmp *(%edi)", ACCESS(R(0, 6, (u64)SEL_CODE32 << 32 | TARGET)),
	AFTER(V(RIP, TARGET)))
ON_MMIO(16, "jmp *(%di)", ACCESS(R(0, 2, TARGET)), AFTER(V(RIP, TARGET)))
ON_MMIO(16, "lcall *(%di)", ACCESS(R(0, 4, (u64)TARGET)),
	AFTER(V(RIP, TARGET), V(RSP, -4)))
/* the stack */
ON_MMIO(64, "push %rax", ACCESS(W(0x38, 8, 5)), AFTER(V(RSP, -8)), ALSO(DEV_SS))
ON_MMIO(64, "push $-2", ACCESS(W(0x38, 8, -2)), AFTER(V(RSP, -8)), ALSO(DEV_SS))
ON_MMIO(64, "pushw $3", ACCESS(W(0x3e, 2, 3)), AFTER(V(RSP, -2)), ALSO(DEV_SS))
ON_MMIO(64, "push (%rdi)", ACCESS(R(0, 8, 9), W(0x38, 8, 9)),
	AFTER(V(RSP, -8)), ALSO(DEV_SS))
ON_MMIO(64, "pop %rbx", ACCESS(R(0x40, 8, 7)), AFTER(V(RBX, 7), V(RSP, 8)),
	ALSO(DEV_SS))
ON_MMIO(64, "pop %rsp", ACCESS(R(0x40, 8, DEVICE)), AFTER(V(RSP, -0x40)),
	ALSO(DEV_SS))
ON_MMIO(64, "pop 8(%rsp)", ACCESS(R(0x40, 8, 7), W(0x50, 8, 7)),
	AFTER(V(RSP, 8)), ALSO(DEV_SS))
ON_MMIO(64, "pushf", ACCESS(W(0x38, 8, RFLAGS)), AFTER(V(RSP, -8)), ALSO(DEV_SS))
ON_MMIO(64, "popf", ACCESS(R(0x40, 8, RFLAGS | CF)),
	AFTER(V(RSP, 8), V(FLAGS, CF)), ALSO(DEV_SS))
ON_MMIO(64, "call .+5", ACCESS(W(0x38, 8, INSN_CODE + 5)),
	AFTER(V(RSP, -8)), ALSO(DEV_SS))
ON_MMIO(64, "ret", ACCESS(R(0x40, 8, TARGET)),
	AFTER(V(RSP, 8), V(RIP, TARGET)), ALSO(DEV_SS))
ON_MMIO(64, "ret $16", ACCESS(R(0x40, 8, TARGET)),
	AFTER(V(RSP, 24), V(RIP, TARGET)), ALSO(DEV_SS))
ON_MMIO(64, "lretq", ACCESS(R(0x40, 8, TARGET), R(0x48, 8, SEL_CODE64)),
	AFTER(V(RSP, 16), V(RIP, TARGET)), ALSO(DEV_SS | OURS))
ON_MMIO(64, "enter $16, $0", ACCESS(W(0x38, 8, DEVICE + 0x80)),
	AFTER(V(RSP, -24), V(RBP, DEVICE + 0x38)), ALSO(DEV_SS))
ON_MMIO(64, "leave", ACCESS(R(0x80, 8, 1)), AFTER(V(RSP, 0x48), V(RBP, 1)),
	ALSO(DEV_SS))
ON_MMIO(64, "push %fs", ACCESS(W(0x38, 8, SEL_DATA)), AFTER(V(RSP, -8)),
	ALSO(DEV_SS))
ON_MMIO(64, "pop %fs", ACCESS(R(0x40, 2, SEL_DATA)), AFTER(V(RSP, 8)),
	ALSO(DEV_SS))
ON_MMIO(32, "pusha",
	ACCESS(W(0x3c, 4, 5), W(0x38, 4, 2), W(0x34, 4, 0), W(0x30, 4, 0x30),
	       W(0x2c, 4, DEVICE + 0x40), W(0x28, 4, DEVICE + 0x80),
	       W(0x24, 4, 0), W(0x20, 4, DEVICE)),
	AFTER(V(RSP, -32)), ALSO(DEV_SS | OURS))
ON_MMIO(32, "popa",
	ACCESS(R(0x40, 4, 1), R(0x44, 4, 2), R(0x48, 4, 3), R(0x4c, 4, 4),
	       R(0x50, 4, 5), R(0x54, 4, 6), R(0x58, 4, 7), R(0x5c, 4, 8)),
	AFTER(V(RDI, 1), V(RSI, 2), V(RBP, 3), V(RAX, 8), V(RSP, 32)),
	BEFORE(V(RBX, 5), V(RDX, 6), V(RCX, 7)), ALSO(DEV_SS | OURS))
ON_MMIO(32, "push %es", ACCESS(W(0x3c, 2, SEL_DATA)), AFTER(V(RSP, -4)),
	ALSO(DEV_SS))
ON_MMIO(16, "push %ax", ACCESS(W(0x3e, 2, 5)), AFTER(V(RSP, -2)), ALSO(DEV_SS))
ON_MMIO(16, "call .+3", ACCESS(W(0x3e, 2, INSN_CODE + 3)),
	AFTER(V(RSP, -2)), ALSO(DEV_SS))
ON_MMIO(16, "pop %bx", ACCESS(R(0x40, 2, 7)), AFTER(V(RBX, 7), V(RSP, 2)),
	ALSO(DEV_SS))
/* segment and other system registers */
ON_MMIO(64, "movw %ds, (%rdi)", ACCESS(W(0, 2, SEL_DATA)))
ON_MMIO(64, "movw (%rdi), %es", ACCESS(R(0, 2, SEL_DATA)))
ON_MMIO(64, "movw (%rdi), %ss", ACCESS(R(0, 2, SEL_DATA)))
ON_MMIO(64, "movw (%rdi), %fs", ACCESS(R(0, 2, 0)))
ON_MMIO(64, "movw (%rdi), %es", ACCESS(R(0, 2, 0x1000)),
	TRAP(GP_VECTOR), .error = 0x1000)
ON_MMIO(64, "movw (%rdi), %ss", ACCESS(R(0, 2, SEL_CODE64)),
	TRAP(GP_VECTOR), .error = SEL_CODE64)
ON_MMIO(32, "movw (%edi), %ss", ACCESS(R(0, 2, 0)), TRAP(GP_VECTOR))
ON_MMIO(64, ".byte 0x0f, 0xb2, 0x1f # lss (%rdi), %ebx",
	ACCESS(R(0, 6, (u64)SEL_DATA << 32 | 0x12345678)),
	AFTER(V(RBX, 0x12345678)))
ON_MMIO(64, ".byte 0x48, 0x0f, 0xb4, 0x1f # lfs (%rdi), %rbx",
	ACCESS(R(0, 8, 0x1122334455667788), R(8, 2, SEL_DATA)),
	AFTER(V(RBX, 0x1122334455667788)))
ON_MMIO(32, "les (%edi), %ebx", ACCESS(R(0, 6, (u64)SEL_DATA << 32 | 9)),
	AFTER(V(RBX, 9)))
ON_MMIO(16, "lds (%di), %bx", ACCESS(R(0, 4, 0x20000009)), AFTER(V(RBX, 9)))
ON_MMIO(64, "sldt (%rdi)", ACCESS(W(0, 2, 0)), ALSO(OURS))
ON_MMIO(64, "str (%rdi)", ACCESS(W(0, 2, SEL_TSS)), ALSO(OURS))
ON_MMIO(64, "lldt (%rdi)", ACCESS(R(0, 2, 0)))
ON_MMIO(64, "ltr (%rdi)", ACCESS(R(0, 2, SEL_TSS)),
	TRAP(GP_VECTOR), .error = SEL_TSS)
ON_MMIO(64, "sgdt (%rdi)", ACCESS(W(0, 8, VM_GDT << 16 | 0x7f), W(8, 2, 0)),
	ALSO(OURS))
ON_MMIO(64, "lidt (%rdi)",
	ACCESS(R(0, 8, VM_IDT << 16 | 0x3ff), R(8, 2, 0)), ALSO(OURS))
ON_MMIO(64, "lgdt (%rdi)", ACCESS(R(0, 8, 0x7f), R(8, 2, 0x8000)),
	TRAP(GP_VECTOR), ALSO(OURS))
ON_MMIO(32, "sidt (%edi)", ACCESS(W(0, 6, VM_IDT32 << 16 | 0x1ff)),
	ALSO(OURS))
ON_MMIO(64, "lmsw (%rdi)", ACCESS(R(0, 2, 0x33)))
