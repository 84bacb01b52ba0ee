// SPDX-License-Identifier: GPL-2.0
/*
 * Task switches of guests in protected mode: JMP, CALL and IRET, task gates in the IDT,
 * TSSs of 32 and of 16 bits.  A guest's CPU does none of them by itself, but for the
 * checks that come first; QEMU's does all of it, and the new task faults at once where
 * the tests are skipped.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"

#define SEL_TASK	0x50
#define SEL_TASK16	0x58	/* two of 16 bits */
#define SEL_OLD16	0x60
#define SEL_LDT		0x68
#define SEL_NONE	0x78

#define TASK		(VM_BUF + 0x100)
#define TASK16		(VM_BUF + 0x200)
#define OLD16		(VM_BUF + 0x300)
#define TASK_STACK	(VM_BUF + 0x2000)
#define OLD_CR3		(VM_BUF + 0x3000)	/* page directories, of 4 MiB each */
#define NEW_CR3		(VM_BUF + 0x4000)

#define FLAG_NT		0x4000UL

/* Types of descriptors. */
#define TSS16		1
#define LDT		2
#define TSS32		9
#define BUSY		2

struct tss32 {
	u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	u32 reg[8];		/* EAX ECX EDX EBX ESP EBP ESI EDI */
	u32 es, cs, ss, ds, fs, gs, ldt;
	u16 trap, io_map;
};

struct tss16 {
	u16 link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags;
	u16 reg[8];
	u16 es, cs, ss, ds, ldt;
};

GUEST32(jmp, "ljmp $0x50, $0\n"
	"jmp_next: " GUEST_OUT);
GUEST32(call_task, "lcall $0x50, $0\n"
	"call_next: mov $0x77, %ebx\n\t"
	GUEST_OUT);
GUEST32(int, "int $0x31\n"
	"int_next: mov $0x77, %ebx\n\t"
	GUEST_OUT);
GUEST32(fault, "mov %eax, %es\n\t" GUEST_OUT);
GUEST32(spin, "spin: jmp spin");
GUEST32(busy, "ljmp $0x30, $0\n\t" GUEST_OUT);
GUEST32(jmp16, "ljmp $0x58, $0\n"
	"jmp16_next: " GUEST_OUT);

/* The new tasks. */
GUEST32(new, "out %al, $0x10\n\t"
	"iretl\n"
	"new_next: " GUEST_OUT);
GUEST32(new_error, "pop %eax\n\t" GUEST_OUT);
GUEST16(new16, GUEST_OUT);

GUEST_LABELS(jmp_next[], call_next[], int_next[], jmp16_next[], new_next[]);

static struct tss32 *old_tss(const struct machine *m)
{
	return (struct tss32 *)(m->tool + VM_TSS);
}

static struct tss32 *new_tss(const struct machine *m)
{
	return (struct tss32 *)(m->tool + TASK);
}

static void set_descriptor(const struct machine *m, unsigned int selector,
			   u64 base, u64 limit, u64 type)
{
	((u64 *)(m->tool + VM_GDT))[selector / 8] =
		limit | base << 16 | (0x80 | type) << 40;
}

static unsigned int type_of(const struct machine *m, unsigned int selector)
{
	return ((u64 *)(m->tool + VM_GDT))[selector / 8] >> 40 & 0xf;
}

static void set_task_gate(const struct machine *m, unsigned int vector)
{
	((u64 *)(m->tool + VM_IDT32))[vector] = SEL_TASK << 16 | 0x85ULL << 40;
}

/* In 32-bit mode with paging, each task has tables of its own. */
static void task_mode(const struct machine *m)
{
	struct kvm_sregs sregs = vcpu_sregs(m);

	vm_mode_sregs(MODE_PROTECTED, &sregs);
	*(u32 *)(m->tool + OLD_CR3) = 0x83;
	*(u32 *)(m->tool + NEW_CR3) = 0x83;
	sregs.cr3 = OLD_CR3;
	sregs.cr4 |= 0x10;	/* PSE */
	sregs.cr0 |= CR0_PG;
	vcpu_set_sregs(m, &sregs);
}

/* With a task that begins at @program. */
static struct machine task_machine(program_t program)
{
	struct machine m = vm_make();
	unsigned int i;

	task_mode(&m);
	*old_tss(&m) = (struct tss32){ .cr3 = OLD_CR3 };
	*new_tss(&m) = (struct tss32){
		.cr3 = NEW_CR3, .eip = guest_address(program), .eflags = 0x202,
		.es = SEL_DATA, .cs = SEL_CODE32, .ss = SEL_DATA,
		.ds = SEL_DATA, .fs = SEL_DATA, .gs = 0,
		.ldt = SEL_LDT,
	};
	for (i = 0; i < 8; i++)
		new_tss(&m)->reg[i] = 0x11000000 + i;
	new_tss(&m)->reg[4] = TASK_STACK;
	set_descriptor(&m, SEL_TASK, TASK, sizeof(struct tss32) - 1, TSS32);
	set_descriptor(&m, SEL_LDT, VM_BUF, 0x1f, LDT);
	return m;
}

/* For what QEMU's emulation of AMD-V does not hand over. */
static struct machine exiting_machine(program_t program)
{
	if (is_tcg())
		tap_skip("QEMU's CPU switches tasks by itself, whatever is intercepted");
	return task_machine(program);
}

static const struct kvm_regs old_regs = {
	.rax = 0xa0a0a0a0, .rcx = 0xa1a1a1a1, .rdx = 0xa2a2a2a2,
	.rbx = 0xa3a3a3a3, .rbp = 0xa5a5a5a5, .rsi = 0xa6a6a6a6,
	.rdi = 0xa7a7a7a7,
};

/* The new task has what its TSS says. */
static void check_new(const struct machine *m)
{
	const struct tss32 *tss = new_tss(m);
	struct kvm_sregs sregs = vcpu_sregs(m);
	struct kvm_regs regs = vcpu_regs(m);

	CHECK_EQ(regs.rax, tss->reg[0]);
	CHECK_EQ(regs.rcx, tss->reg[1]);
	CHECK_EQ(regs.rdx, tss->reg[2]);
	CHECK_EQ(regs.rbx, tss->reg[3]);
	CHECK_EQ(regs.rsp, tss->reg[4]);
	CHECK_EQ(regs.rbp, tss->reg[5]);
	CHECK_EQ(regs.rsi, tss->reg[6]);
	CHECK_EQ(regs.rdi, tss->reg[7]);
	CHECK_EQ(sregs.cr3, tss->cr3);
	CHECK_EQ(sregs.cr0 & CR0_TS, CR0_TS);
	CHECK_EQ(sregs.tr.selector, SEL_TASK);
	CHECK_EQ(sregs.tr.base, TASK);
	CHECK_EQ(sregs.tr.type, TSS32 | BUSY);
	CHECK_EQ(sregs.ldt.selector, SEL_LDT);
	CHECK_EQ(sregs.cs.selector, SEL_CODE32);
	CHECK_EQ(sregs.fs.selector, SEL_DATA);
	CHECK_EQ(sregs.gs.selector, 0);
	CHECK(sregs.gs.unusable || !sregs.gs.present);
	CHECK_EQ(type_of(m, SEL_TASK), TSS32 | BUSY);
}

/* The TSS of the old one has what it had. */
static void check_old(const struct machine *m, u64 eip)
{
	const struct tss32 *tss = old_tss(m);

	CHECK_EQ(tss->eip, eip);
	CHECK_EQ(tss->eflags & (FLAG_IF | FLAG_NT), FLAG_IF);
	CHECK_EQ(tss->reg[0], old_regs.rax);
	CHECK_EQ(tss->reg[1], old_regs.rcx);
	CHECK_EQ(tss->reg[2], old_regs.rdx);
	CHECK_EQ(tss->reg[3], old_regs.rbx);
	CHECK_EQ(tss->reg[4], TOOL_STACK);
	CHECK_EQ(tss->reg[5], old_regs.rbp);
	CHECK_EQ(tss->reg[6], old_regs.rsi);
	CHECK_EQ(tss->reg[7], old_regs.rdi);
	CHECK_EQ(tss->cs, SEL_CODE32);
	CHECK_EQ(tss->gs, SEL_DATA);
}

static void test_jmp(void)
{
	struct machine m = exiting_machine(guest_new);
	struct kvm_debugregs regs = { .dr6 = 0xffff0ff0, .dr7 = 0x703 };

	/* Breakpoints of a task go, those of all stay: here of address 0. */
	MUST(ioctl(m.vcpu, KVM_SET_DEBUGREGS, &regs));
	exec_start(&m, guest_jmp, old_regs);
	vm_run_to_out(&m);
	check_new(&m);
	CHECK_EQ(vcpu_sregs(&m).ldt.base, VM_BUF);
	check_old(&m, guest_label(jmp_next));
	CHECK_EQ(vcpu_regs(&m).rflags & FLAG_NT, 0);
	CHECK_EQ(type_of(&m, SEL_TSS), TSS32);
	MUST(ioctl(m.vcpu, KVM_GET_DEBUGREGS, &regs));
	CHECK_EQ(regs.dr7, 0x602);
}

/* Into the nested task, and back by its IRET. */
static void check_nested(const struct machine *m, u64 next)
{
	vm_run_to_out(m);
	check_new(m);
	check_old(m, next);
	CHECK_EQ(vcpu_regs(m).rflags & FLAG_NT, FLAG_NT);
	CHECK_EQ(new_tss(m)->link, SEL_TSS);
	CHECK_EQ(type_of(m, SEL_TSS), TSS32 | BUSY);
	vm_run_to_out(m);
	CHECK_EQ(vcpu_sregs(m).cr3, OLD_CR3);
	CHECK_EQ(vcpu_regs(m).rbx, 0x77);
	CHECK_EQ(vcpu_regs(m).rsi, old_regs.rsi);
	CHECK_EQ(vcpu_regs(m).rsp, TOOL_STACK);
	CHECK_EQ(vcpu_regs(m).rflags & FLAG_NT, 0);
	CHECK_EQ(vcpu_sregs(m).tr.selector, SEL_TSS);
	CHECK_EQ(new_tss(m)->eip, guest_label(new_next));
	CHECK_EQ(new_tss(m)->eflags & FLAG_NT, 0);
	CHECK_EQ(type_of(m, SEL_TASK), TSS32);
	CHECK_EQ(type_of(m, SEL_TSS), TSS32 | BUSY);
}

static void test_call(void)
{
	struct machine m = exiting_machine(guest_new);
	unsigned int n;

	for (n = 0; n < 2; n++) {
		new_tss(&m)->eip = guest_address(guest_new);
		exec_start(&m, guest_call_task, old_regs);
		check_nested(&m, guest_label(call_next));
	}
}

static void test_int(void)
{
	struct machine m = task_machine(guest_new);

	set_task_gate(&m, 0x31);
	exec_start(&m, guest_int, old_regs);
	check_nested(&m, guest_label(int_next));
}

static void test_interrupt(void)
{
	struct machine m = exiting_machine(guest_new);
	struct kvm_interrupt irq = { .irq = 0x31 };

	set_task_gate(&m, 0x31);
	exec_start(&m, guest_spin, old_regs);
	MUST(ioctl(m.vcpu, KVM_INTERRUPT, &irq));
	vm_run_to_out(&m);
	check_new(&m);
	check_old(&m, guest_address(guest_spin));
	CHECK_EQ(new_tss(&m)->link, SEL_TSS);
}

/* Its error code is on the new task's stack. */
static void test_exception(void)
{
	struct machine m = exiting_machine(guest_new_error);
	struct kvm_regs regs = old_regs;

	set_task_gate(&m, GP_VECTOR);
	regs.rax = SEL_NONE;
	exec_start(&m, guest_fault, regs);
	vm_run_to_out(&m);
	CHECK_EQ(vcpu_regs(&m).rax, SEL_NONE);
	CHECK_EQ(vcpu_regs(&m).rsp, TASK_STACK);
	CHECK_EQ(old_tss(&m)->eip, guest_address(guest_fault));
	CHECK_EQ(new_tss(&m)->link, SEL_TSS);
}

/* From one to another: stock KVM takes the old TSS to be as wide as the new one. */
static void test_16(void)
{
	struct machine m = task_machine(guest_new);
	struct kvm_sregs sregs = vcpu_sregs(&m);
	struct tss16 *new = (void *)(m.tool + TASK16);
	const struct tss16 *old = (void *)(m.tool + OLD16);

	set_descriptor(&m, SEL_TASK16, TASK16, sizeof(*new) - 1, TSS16);
	set_descriptor(&m, SEL_OLD16, OLD16, sizeof(*old) - 1, TSS16 | BUSY);
	*new = (struct tss16){
		.ip = guest_address(guest_new16), .flags = 0x202,
		.reg = { 0x1110, 0x1111, 0x1112, 0x1113, 0x8000, 0x1115 },
		.es = SEL_DATA16, .cs = SEL_CODE16, .ss = SEL_DATA16,
		.ds = SEL_DATA16, .ldt = SEL_LDT,
	};
	sregs.tr.selector = SEL_OLD16;
	sregs.tr.base = OLD16;
	sregs.tr.limit = sizeof(*old) - 1;
	sregs.tr.type = TSS16 | BUSY;
	vcpu_set_sregs(&m, &sregs);
	exec_start(&m, guest_jmp16, old_regs);
	vm_run_to_out(&m);
	CHECK_EQ((u16)vcpu_regs(&m).rax, 0x1110);
	CHECK_EQ((u16)vcpu_regs(&m).rsp, 0x8000);
	CHECK_EQ((u16)vcpu_regs(&m).rbp, 0x1115);
	CHECK_EQ(vcpu_sregs(&m).cs.selector, SEL_CODE16);
	CHECK_EQ(vcpu_sregs(&m).ldt.selector, SEL_LDT);
	CHECK_EQ(vcpu_sregs(&m).tr.type, TSS16 | BUSY);
	CHECK_EQ(type_of(&m, SEL_TASK16), TSS16 | BUSY);
	CHECK_EQ(type_of(&m, SEL_OLD16), TSS16);
	CHECK_EQ(old->ip, guest_label(jmp16_next));
	CHECK_EQ(old->reg[0], 0xa0a0);
	CHECK_EQ(old->reg[7], 0xa7a7);
	CHECK_EQ(old->ds, SEL_DATA);
}

/* ---- what is refused ---- */

static void check_refused(const struct machine *m, program_t program,
			  unsigned int vector, u64 error, u64 rip)
{
	struct vm_event e;

	exec_start(m, program, old_regs);
	e = vm_run_to_trap(m, vector);
	CHECK_EQ(e.error, error);
	CHECK_EQ(e.rip, rip);
}

static void test_busy(void)
{
	struct machine m = task_machine(guest_new);

	check_refused(&m, guest_busy, GP_VECTOR, SEL_TSS,
		      guest_address(guest_busy));
	CHECK_EQ(vcpu_sregs(&m).tr.selector, SEL_TSS);
}

static void test_limit(void)
{
	struct machine m = task_machine(guest_new);

	if (strcmp(kvm_device(), "/dev/kvmlite") && !is_tcg())
		tap_skip("stock KVM forgets what a task switch faults for");
	set_descriptor(&m, SEL_TASK, TASK, sizeof(struct tss32) - 2, TSS32);
	check_refused(&m, guest_jmp, TS_VECTOR, SEL_TASK,
		      guest_address(guest_jmp));
	CHECK_EQ(type_of(&m, SEL_TSS), TSS32 | BUSY);
	CHECK_EQ(type_of(&m, SEL_TASK), TSS32);
	CHECK_EQ(vcpu_regs(&m).rsi, old_regs.rsi);
}

/* The new task has to do with the segments that it has not. */
static void test_segments(void)
{
	struct machine m = exiting_machine(guest_new);

	if (strcmp(kvm_device(), "/dev/kvmlite") && !is_tcg())
		tap_skip("stock KVM forgets what a task switch faults for");
	new_tss(&m)->ds = SEL_NONE;
	check_refused(&m, guest_jmp, TS_VECTOR, SEL_NONE,
		      guest_address(guest_new));
	CHECK_EQ(vcpu_regs(&m).rsi, new_tss(&m)->reg[6]);
	CHECK_EQ(vcpu_sregs(&m).tr.selector, SEL_TASK);
}

/* From the first segment on it has the CPL of its CS. */
static void test_user_stack(void)
{
	struct machine m = exiting_machine(guest_new);

	if (strcmp(kvm_device(), "/dev/kvmlite") && !is_tcg())
		tap_skip("stock KVM forgets what a task switch faults for");
	*(u32 *)(m.tool + NEW_CR3) = 0x87;
	new_tss(&m)->es = SEL_USER_DATA;
	new_tss(&m)->cs = SEL_USER_CODE;
	new_tss(&m)->ss = SEL_NONE;
	new_tss(&m)->ss0 = SEL_DATA;
	new_tss(&m)->esp0 = TASK_STACK;
	check_refused(&m, guest_jmp, TS_VECTOR, SEL_NONE,
		      guest_address(guest_new));
	CHECK_EQ(vcpu_sregs(&m).tr.selector, SEL_TASK);
}

/* Userspace cannot answer for a push that is no instruction's. */
static void test_error_nowhere(void)
{
	struct machine m = exiting_machine(guest_new_error);
	struct kvm_regs regs = old_regs;

	set_task_gate(&m, GP_VECTOR);
	new_tss(&m)->reg[4] = 0x300000;
	regs.rax = SEL_NONE;
	exec_start(&m, guest_fault, regs);
	CHECK_EQ(vcpu_run(&m), 0);
	CHECK_EQ(m.run->exit_reason, KVM_EXIT_INTERNAL_ERROR);
	CHECK_EQ(m.run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
}

static const struct tap_test tests[] = {
	{ "JMP to a task", test_jmp },
	{ "CALL of a task, and IRET", test_call },
	{ "INT by a task gate, and IRET", test_int },
	{ "an interrupt by a task gate", test_interrupt },
	{ "an exception with an error code by a task gate", test_exception },
	{ "a TSS of 16 bits", test_16 },
	{ "a TSS that is busy", test_busy },
	{ "a TSS that is too small", test_limit },
	{ "a task with a segment that is none", test_segments },
	{ "a task of CPL 3 whose stack is none", test_user_stack },
	{ "an error code for a stack that is no memory", test_error_nowhere },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
