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
	u16 bits;		/* of the code */
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

#define ON_MMIO(bits, text, ...)	"insn " #bits ", 0, " text "\n"

__asm__(INSN_MACROS
#include "kvm_insns.h"
);

#undef ON_MMIO
#define ON_MMIO(bits, text, ...)	{ text, bits, __VA_ARGS__ },

/* In the order of the instructions between __start_insns and __stop_insns. */
static const struct row rows[] = {
#include "kvm_insns.h"
};

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

		if (rows[i].bits != mode_bits(mode))
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
