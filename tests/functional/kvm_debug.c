// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger of the guest: KVM_SET_GUEST_DEBUG and KVM_EXIT_DEBUG.  And the
 * guest that debugs itself.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"
#include "kvm_stats.h"

#define FLAG_RF		0x10000UL

#define DR6_FIXED	0xffff0ff0
#define DR6_BS		0x4000
#define DR7_FIXED	0x400

#define STEP		(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP)
#define SW_BP		(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP)
#define HW_BP		(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP)

/* Kinds of access, and a length. */
#define BP_EXEC		0
#define BP_WRITE	1
#define BP_ACCESS	3
#define BP_LEN4		3

#define MSR_EFER	0xc0000080
#define MSR_STAR	0xc0000081
#define MSR_LSTAR	0xc0000082
#define MSR_FMASK	0xc0000084

/*
 * Steps are labels, in the order of the file: jumps, a call, instructions that
 * exit, IN and MMIO (at rdi) that the VMM answers.
 */
GUEST(step, "mov $2, %ebp\n"
	"step_loop: dec %ebp\n"
	"step_jump: jnz step_loop\n"
	"step_call: call step_callee\n"
	"step_cpuid: cpuid\n"
	"step_cr: mov %cr0, %rax\n"
	"step_cr_write: mov %rax, %cr0\n"
	"step_in: in $0x11, %al\n"
	"step_out: out %al, $0x12\n"
	"step_load: mov (%rdi), %eax\n"
	"step_store: mov %eax, (%rdi)\n"
	"step_end: " GUEST_OUT "\n"
	"step_callee: ret");

GUEST_LABELS(step_loop[], step_jump[], step_call[], step_callee[],
	     step_cpuid[], step_cr[], step_cr_write[], step_in[], step_out[],
	     step_load[], step_store[], step_end[]);

GUEST_ALL(nops, "nop\n\tnop\n\tnop\n\t" GUEST_OUT);
GUEST_ALL(cpuid, "cpuid\n\tnop\n\t" GUEST_OUT);
GUEST_ALL(int3, "int3\n\tnop\n\t" GUEST_OUT);
GUEST_ALL(sti, "sti\n\tnop\n\tnop\n\t" GUEST_OUT);
GUEST_ALL(mov_ss, "mov %ax, %ss\n\tnop\n\tnop\n\t" GUEST_OUT);
GUEST(rep, "rep stosb\n\tnop\n\t" GUEST_OUT);
GUEST(touch, "mov (%rdi), %eax\n\tmov %eax, (%rdi)\n\t" GUEST_OUT);
GUEST(access, "mov %eax, (%rdi)\n"
	"access_stored: mov (%rdi), %ebx\n"
	"access_loaded: nop\n\t"
	GUEST_OUT);

GUEST_LABELS(access_stored[], access_loaded[]);

GUEST(syscall, "syscall\n"
	"syscall_done: nop\n\t"
	GUEST_OUT);
GUEST(syscall_entry, "nop\n"
	"syscall_return: sysretq");

GUEST_LABELS(syscall_done[], syscall_return[]);

GUEST(read_dr7, "mov %db7, %rax\n\t" GUEST_OUT);

/* The guest steps itself, over the same. */
GUEST(self_step, "pushfq\n\t"
	"orl $0x100, (%rsp)\n\t"
	"popfq\n\t"
	"nop\n"
	"self_cpuid: cpuid\n"
	"self_cr: mov %cr3, %rax\n"
	"self_cr_write: mov %rax, %cr3\n"
	"self_in: in $0x11, %al\n"
	"self_load: mov (%rdi), %eax\n"
	"self_store: mov %eax, (%rdi)\n"
	"self_sti: sti\n"
	"self_nop: nop\n"
	"self_pushf: pushfq\n"
	"self_and: andl $~0x100, (%rsp)\n"
	"self_popf: popfq\n"
	"self_end: nop\n\t"
	GUEST_OUT);

GUEST_LABELS(self_cpuid[], self_cr[], self_cr_write[], self_in[], self_load[],
	     self_store[], self_sti[], self_nop[], self_pushf[], self_and[],
	     self_popf[], self_end[]);

/* The guest's own breakpoints: DR0 at rsi, DR7 is rdx. */
GUEST(self_break, "mov %rsi, %db0\n\t"
	"mov %rdx, %db7\n\t"
	"nop\n"
	"self_break_at: mov %eax, (%rdi)\n"
	"self_break_after: nop\n\t"
	"xor %eax, %eax\n\t"
	"mov %rax, %db7\n\t"
	GUEST_OUT);

GUEST_LABELS(self_break_at[], self_break_after[]);

GUEST(dr_loop, "1: mov %rsi, %db0\n\t"
	"mov %db0, %rax\n\t"
	"dec %rdi\n\t"
	"jnz 1b\n\t"
	GUEST_OUT);

/* All of them, from rsi on; DR6 is rdx, DR7 rcx. */
GUEST(dr_write, "mov %rsi, %db0\n\t"
	"lea 1(%rsi), %rax\n\t"
	"mov %rax, %db1\n\t"
	"lea 2(%rsi), %rax\n\t"
	"mov %rax, %db2\n\t"
	"lea 3(%rsi), %rax\n\t"
	"mov %rax, %db3\n\t"
	"mov %rdx, %db6\n\t"
	"mov %rcx, %db7\n\t"
	GUEST_OUT);

/* In the order of struct kvm_debugregs, to RDI. */
GUEST(dr_read, "mov %db0, %rax\n\tmov %rax, (%rdi)\n\t"
	"mov %db1, %rax\n\tmov %rax, 8(%rdi)\n\t"
	"mov %db2, %rax\n\tmov %rax, 16(%rdi)\n\t"
	"mov %db3, %rax\n\tmov %rax, 24(%rdi)\n\t"
	"mov %db6, %rax\n\tmov %rax, 32(%rdi)\n\t"
	"mov %db7, %rax\n\tmov %rax, 40(%rdi)\n\t"
	GUEST_OUT);

/* ---- helpers ---- */

/* Breakpoint @n of DR7: SDM volume 3, 18.2.4. */
static u64 dr7_bp(unsigned int n, u64 kind, u64 length)
{
	return DR7_FIXED | 2UL << 2 * n | (kind | length << 2) << (16 + 4 * n);
}

static void debug(const struct machine *m, u32 control)
{
	struct kvm_guest_debug arg = { .control = control };

	MUST(ioctl(m->vcpu, KVM_SET_GUEST_DEBUG, &arg));
}

static void breakpoint(const struct machine *m, unsigned int n, u64 address,
		       unsigned int kind, unsigned int length)
{
	struct kvm_guest_debug arg = { .control = HW_BP };

	arg.arch.debugreg[n] = address;
	arg.arch.debugreg[7] = dr7_bp(n, kind, length);
	MUST(ioctl(m->vcpu, KVM_SET_GUEST_DEBUG, &arg));
}

/*
 * The guest has used its pages: Bochs takes a first fetch, which exits, for a
 * step that is done.
 */
static struct machine debug_machine(void)
{
	struct machine m = vm_make();
	unsigned int page;

	for (page = 0; page < TOOL_PAGES; page++)
		exec_call(&m, guest_touch,
			  (struct kvm_regs){ .rdi = page * PAGE });
	return m;
}

static struct kvm_debugregs debugregs(const struct machine *m)
{
	struct kvm_debugregs regs;

	MUST(ioctl(m->vcpu, KVM_GET_DEBUGREGS, &regs));
	return regs;
}

#define check_stopped(m, vector, at, dr6) \
	check_stopped_at(m, vector, at, dr6, __LINE__)

/* It was KVM_EXIT_DEBUG, and what it tells. */
static void check_stopped_at(const struct machine *m, u32 vector, u64 pc,
			     u64 dr6, int line)
{
	const struct kvm_debug_exit_arch *arch = &m->run->debug.arch;

	vm_check_exit(m, KVM_EXIT_DEBUG, "KVM_EXIT_DEBUG", __FILE_NAME__, line);
	tap_check_eq(arch->pc, pc, "pc", __FILE_NAME__, line);
	tap_check_eq(arch->exception, vector, "exception", __FILE_NAME__, line);
	if (vector == DB_VECTOR)
		tap_check_eq(arch->dr6, dr6, "dr6", __FILE_NAME__, line);
	tap_check_eq(vcpu_regs(m).rflags & FLAG_TF, 0, "TF", __FILE_NAME__,
		     line);
}

#define check_stop(m, vector, at, dr6) \
	check_stop_at(m, vector, at, dr6, __LINE__)

/* The same is next. */
static void check_stop_at(const struct machine *m, u32 vector, u64 pc, u64 dr6,
			  int line)
{
	MUST(vcpu_run(m));
	check_stopped_at(m, vector, pc, dr6, line);
}

#define check_step(m, at) \
	check_stop(m, DB_VECTOR, at, DR6_FIXED | DR6_BS)

/*
 * A step, from behind an instruction that exited perhaps: Bochs counts that
 * twice and stops once more where the guest is.
 */
static void step_on(const struct machine *m)
{
	u64 rip = vcpu_regs(m).rip;

	MUST(vcpu_run(m));
	if (m->run->exit_reason == KVM_EXIT_DEBUG &&
	    m->run->debug.arch.pc == rip)
		MUST(vcpu_run(m));
}

static void step_to(const struct machine *m, const char *label)
{
	step_on(m);
	check_stopped(m, DB_VECTOR, guest_label(label), DR6_FIXED | DR6_BS);
}

static void step_to_exit(const struct machine *m, u32 reason)
{
	step_on(m);
	CHECK_EQ(m->run->exit_reason, reason);
}

/* ---- single step ---- */

static void test_step(void)
{
	static const program_t program[] = ALL(nops);
	struct machine m = debug_machine();
	unsigned int mode, n;

	for (mode = 0; mode < MODES; mode++) {
		u64 rip = guest_address(program[mode]);

		vm_mode(&m, mode);
		exec_start(&m, program[mode], (struct kvm_regs){ 0 });
		debug(&m, STEP);
		for (n = 1; n <= 3; n++) {
			check_step(&m, rip + n);
			CHECK_EQ(vcpu_regs(&m).rip, rip + n);
		}
		debug(&m, 0);
		vm_run_to_out(&m);
	}
}

/* In real mode, with another base of CS than the programs are made for. */
static void start_based(const struct machine *m, program_t program, u64 base)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	vm_mode(m, MODE_REAL);
	sregs = vcpu_sregs(m);
	sregs.cs.base = base;
	sregs.cs.selector = base >> 4;
	vcpu_set_sregs(m, &sregs);
	exec_start(m, program, (struct kvm_regs){ 0 });
	regs = vcpu_regs(m);
	regs.rip -= base;
	vcpu_set_regs(m, &regs);
}

/* An instruction that exits: the step is done in software. */
static void test_step_exit(void)
{
	static const program_t program[] = ALL(cpuid);
	struct machine m = debug_machine();
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		u64 rip = guest_address(program[mode]);

		vm_mode(&m, mode);
		exec_start(&m, program[mode], (struct kvm_regs){ 0 });
		debug(&m, STEP);
		check_step(&m, rip + 2);
		step_on(&m);
		check_stopped(&m, DB_VECTOR, rip + 3, DR6_FIXED | DR6_BS);
		debug(&m, 0);
		vm_run_to_out(&m);
	}
}

/* The address is a linear one. */
static void test_step_base(void)
{
	struct machine m = debug_machine();
	u64 linear = guest_address(guest_nops16);

	start_based(&m, guest_nops16, 0x1000);
	debug(&m, STEP);
	check_step(&m, linear + 1);
	CHECK_EQ(vcpu_regs(&m).rip, linear + 1 - 0x1000);
	debug(&m, 0);
	start_based(&m, guest_cpuid16, 0x1000);
	debug(&m, STEP);
	check_step(&m, guest_address(guest_cpuid16) + 2);
}

static void test_step_all(void)
{
	struct machine m = debug_machine();
	unsigned int n;

	exec_start(&m, guest_step, (struct kvm_regs){ .rdi = MMIO_BASE });
	debug(&m, STEP);
	for (n = 0; n < 2; n++) {
		step_to(&m, step_loop);
		step_to(&m, step_jump);
	}
	step_to(&m, step_call);
	step_to(&m, step_callee);
	step_to(&m, step_cpuid);
	step_to(&m, step_cr);
	step_to(&m, step_cr_write);
	step_to(&m, step_in);
	step_to_exit(&m, KVM_EXIT_IO);
	step_to(&m, step_out);
	step_to_exit(&m, KVM_EXIT_IO);
	step_to(&m, step_load);
	step_to_exit(&m, KVM_EXIT_MMIO);
	step_to(&m, step_store);
	step_to_exit(&m, KVM_EXIT_MMIO);
	/* The step of a write to MMIO is one that stock KVM forgets. */
	if (!strcmp(kvm_device(), "/dev/kvmlite"))
		step_to(&m, step_end);
	step_to_exit(&m, KVM_EXIT_IO);
	CHECK_EQ(m.run->io.port, PORT);
}

/* A step of REP is one element. */
static void test_step_rep(void)
{
	struct machine m = debug_machine();
	u64 start = guest_address(guest_rep);
	unsigned int n;

	exec_start(&m, guest_rep,
		   (struct kvm_regs){ .rdi = TOOL_DATA, .rcx = 4, .rax = 7 });
	debug(&m, STEP);
	for (n = 3; n; n--) {
		check_step(&m, start);
		CHECK_EQ(vcpu_regs(&m).rcx, n);
	}
	check_step(&m, start + 2);
	check_step(&m, start + 3);
	CHECK_EQ(*(u32 *)(m.tool + TOOL_DATA), 0x07070707);
}

/* STI does not hold a step up, MOV SS does. */
static void test_step_shadow(void)
{
	static const program_t sti[] = ALL(sti), ss[] = ALL(mov_ss);
	struct machine m = debug_machine();
	struct kvm_regs regs;
	unsigned int mode, n;

	if (is_tcg())
		tap_skip("QEMU steps over the instruction after STI");
	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		exec_start(&m, sti[mode], (struct kvm_regs){ 0 });
		regs = vcpu_regs(&m);
		regs.rflags &= ~(u64)FLAG_IF;
		vcpu_set_regs(&m, &regs);
		debug(&m, STEP);
		for (n = 1; n <= 3; n++)
			check_step(&m, guest_address(sti[mode]) + n);
		debug(&m, 0);
		vm_run_to_out(&m);
		exec_start(&m, ss[mode], (struct kvm_regs){
			.rax = mode == MODE_REAL ? 0 : SEL_DATA });
		debug(&m, STEP);
		for (n = 3; n <= 4; n++)
			check_step(&m, guest_address(ss[mode]) + n);
		debug(&m, 0);
		vm_run_to_out(&m);
	}
}

static void test_step_syscall(void)
{
	struct machine m = debug_machine();

	vcpu_set_msr(&m, MSR_EFER, 0x501);
	/* SYSRET takes CS and SS from 16 and 8 above. */
	vcpu_set_msr(&m, MSR_STAR, (u64)(SEL_USER_CODE - 16) << 48 |
				(u64)SEL_CODE64 << 32);
	vcpu_set_msr(&m, MSR_LSTAR, guest_address(guest_syscall_entry));
	vcpu_set_msr(&m, MSR_FMASK, 0);
	exec_user_mode(&m);
	exec_start(&m, guest_syscall, (struct kvm_regs){ .rflags = FLAGS_IOPL });
	debug(&m, STEP);
	check_step(&m, guest_address(guest_syscall_entry));
	CHECK_EQ(vcpu_sregs(&m).cs.selector, SEL_CODE64);
	check_step(&m, guest_label(syscall_return));
	check_step(&m, guest_label(syscall_done));
	CHECK_EQ(vcpu_sregs(&m).cs.selector & 3, 3);
	debug(&m, 0);
	vm_run_to_out(&m);
}

/* An interrupt meanwhile: its handler is not stepped. */
static void test_step_interrupt(void)
{
	struct machine m = debug_machine();
	struct kvm_interrupt irq = { .irq = 0x31 };
	u64 rip = guest_address(guest_nops64);

	exec_start(&m, guest_nops64, (struct kvm_regs){ 0 });
	debug(&m, STEP);
	check_step(&m, rip + 1);
	MUST(ioctl(m.vcpu, KVM_INTERRUPT, &irq));
	CHECK_EQ(vm_run_to_trap(&m, 0x31).rip, rip + 1);
	check_step(&m, rip + 2);
	check_step(&m, rip + 3);
	debug(&m, 0);
	vm_run_to_out(&m);
}

/* ---- breakpoints in the code ---- */

static void test_sw_break(void)
{
	static const program_t program[] = ALL(nops);
	struct machine m = debug_machine();
	unsigned int mode, n;

	if (is_tcg())
		tap_skip("QEMU does not intercept INT3");
	for (mode = 0; mode < MODES; mode++) {
		u64 at = guest_address(program[mode]) + 1;

		vm_mode(&m, mode);
		for (n = 0; n < 2; n++) {
			exec_start(&m, program[mode], (struct kvm_regs){ 0 });
			debug(&m, SW_BP);
			m.tool[at] = 0xcc;
			check_stop(&m, BP_VECTOR, at, 0);
			CHECK_EQ(vcpu_regs(&m).rip, at);
			m.tool[at] = 0x90;
			vm_run_to_out(&m);
		}
	}
	debug(&m, 0);
}

/* INT3 of the guest's own, with and without a debugger that looks at them. */
static void test_sw_break_guest(void)
{
	static const u32 control[] = { 0, KVM_GUESTDBG_ENABLE, HW_BP };
	static const program_t program[] = ALL(int3);
	struct machine m = debug_machine();
	unsigned int mode, i;

	if (is_tcg())
		tap_skip("QEMU does not intercept INT3");
	for (mode = 0; mode < MODES; mode++) {
		u64 at = guest_address(program[mode]);

		vm_mode(&m, mode);
		for (i = 0; i < ARRAY_SIZE(control); i++) {
			exec_start(&m, program[mode], (struct kvm_regs){ 0 });
			debug(&m, control[i]);
			CHECK_EQ(vm_run_to_trap(&m, BP_VECTOR).rip, at + 1);
			vm_run_to_out(&m);
		}
		/* The debugger finds that it is not one of his. */
		exec_start(&m, program[mode], (struct kvm_regs){ 0 });
		debug(&m, SW_BP);
		check_stop(&m, BP_VECTOR, at, 0);
		debug(&m, SW_BP | KVM_GUESTDBG_INJECT_BP);
		CHECK_EQ(vm_run_to_trap(&m, BP_VECTOR).rip, at + 1);
		debug(&m, 0);
		vm_run_to_out(&m);
	}
}

static void test_inject(void)
{
	struct kvm_guest_debug arg = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB,
	};
	struct machine m = debug_machine();

	exec_start(&m, guest_nops64, (struct kvm_regs){ 0 });
	debug(&m, arg.control);
	/* One is pending. */
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_GUEST_DEBUG, &arg), EBUSY);
	CHECK_EQ(vm_run_to_trap(&m, DB_VECTOR).rip,
		 guest_address(guest_nops64));
	debug(&m, 0);
	vm_run_to_out(&m);
}

/* ---- breakpoints in the CPU ---- */

static void test_hw_exec(void)
{
	static const program_t program[] = ALL(nops);
	struct machine m = debug_machine();
	struct kvm_regs regs;
	unsigned int mode, n;

	if (is_tcg())
		tap_skip("QEMU enters without the breakpoints of the VMCB");
	for (mode = 0; mode < MODES; mode++) {
		u64 at = guest_address(program[mode]) + 1;

		vm_mode(&m, mode);
		for (n = 0; n < 4; n++) {
			exec_start(&m, program[mode], (struct kvm_regs){ 0 });
			breakpoint(&m, n, at, BP_EXEC, 0);
			check_stop(&m, DB_VECTOR, at, DR6_FIXED | 1 << n);
			CHECK_EQ(m.run->debug.arch.dr7,
				 dr7_bp(n, BP_EXEC, 0));
			CHECK_EQ(vcpu_regs(&m).rip, at);
			/* It comes before the instruction: again, or not. */
			check_stop(&m, DB_VECTOR, at, DR6_FIXED | 1 << n);
			regs = vcpu_regs(&m);
			regs.rflags |= FLAG_RF;
			vcpu_set_regs(&m, &regs);
			vm_run_to_out(&m);
		}
	}
}

static void test_hw_data(void)
{
	struct machine m = debug_machine();
	struct kvm_regs regs = { .rdi = TOOL_DATA };
	unsigned int n;

	if (is_tcg())
		tap_skip("QEMU enters without the breakpoints of the VMCB");
	for (n = 0; n < 4; n++) {
		exec_start(&m, guest_access, regs);
		breakpoint(&m, n, TOOL_DATA, BP_WRITE, BP_LEN4);
		check_stop(&m, DB_VECTOR, guest_label(access_stored),
			   DR6_FIXED | 1 << n);
		vm_run_to_out(&m);
		exec_start(&m, guest_access, regs);
		breakpoint(&m, n, TOOL_DATA, BP_ACCESS, BP_LEN4);
		check_stop(&m, DB_VECTOR, guest_label(access_stored),
			   DR6_FIXED | 1 << n);
		check_stop(&m, DB_VECTOR, guest_label(access_loaded),
			   DR6_FIXED | 1 << n);
		vm_run_to_out(&m);
		/* Next to it, and switched off. */
		exec_start(&m, guest_access, regs);
		breakpoint(&m, n, TOOL_DATA + 4, BP_ACCESS, BP_LEN4);
		vm_run_to_out(&m);
		exec_start(&m, guest_access, regs);
		breakpoint(&m, n, TOOL_DATA, BP_ACCESS, BP_LEN4);
		debug(&m, 0);
		vm_run_to_out(&m);
	}
}

static void test_hw_and_step(void)
{
	struct kvm_guest_debug arg = {
		.control = HW_BP | KVM_GUESTDBG_SINGLESTEP,
		.arch.debugreg = {
			[0] = TOOL_DATA,
			[7] = dr7_bp(0, BP_WRITE, BP_LEN4),
		},
	};
	struct machine m = debug_machine();

	if (is_tcg())
		tap_skip("QEMU enters without the breakpoints of the VMCB");
	exec_start(&m, guest_access, (struct kvm_regs){ .rdi = TOOL_DATA });
	MUST(ioctl(m.vcpu, KVM_SET_GUEST_DEBUG, &arg));
	check_stop(&m, DB_VECTOR, guest_label(access_stored),
		   DR6_FIXED | DR6_BS | 1);
	check_step(&m, guest_label(access_loaded));
}

/* The guest does not see the debugger's, nor do its own fire meanwhile. */
static void test_hw_hidden(void)
{
	struct machine m = debug_machine();
	struct kvm_regs regs;

	exec_start(&m, guest_read_dr7, (struct kvm_regs){ 0 });
	breakpoint(&m, 0, TOOL_DATA, BP_WRITE, BP_LEN4);
	vm_run_to_out(&m);
	CHECK_EQ(vcpu_regs(&m).rax, DR7_FIXED);
	CHECK_EQ(debugregs(&m).dr7, DR7_FIXED);
	regs = (struct kvm_regs){
		.rdi = TOOL_DATA + 8, .rsi = TOOL_DATA + 8,
		.rdx = dr7_bp(0, BP_WRITE, BP_LEN4),
	};
	exec_start(&m, guest_self_break, regs);
	vm_run_to_out(&m);
	CHECK_EQ(debugregs(&m).db[0], TOOL_DATA + 8);
}

/* ---- the guest debugs itself ---- */

static void check_self(const struct machine *m, const char *label)
{
	CHECK_EQ(vm_run_to_trap(m, DB_VECTOR).rip, guest_label(label));
	CHECK_EQ(debugregs(m).dr6 & DR6_BS, DR6_BS);
}

static void test_self_step(void)
{
	struct machine m = debug_machine();

	if (is_tcg())
		tap_skip("QEMU steps over the instruction after STI");
	exec_start(&m, guest_self_step, (struct kvm_regs){ .rdi = MMIO_BASE });
	check_self(&m, self_cpuid);
	check_self(&m, self_cr);
	check_self(&m, self_cr_write);
	check_self(&m, self_in);
	vm_run_until(&m, KVM_EXIT_IO);
	check_self(&m, self_load);
	vm_run_until(&m, KVM_EXIT_MMIO);
	check_self(&m, self_store);
	vm_run_until(&m, KVM_EXIT_MMIO);
	check_self(&m, self_sti);
	check_self(&m, self_nop);
	check_self(&m, self_pushf);
	check_self(&m, self_and);
	check_self(&m, self_popf);
	check_self(&m, self_end);
	vm_run_to_out(&m);
}

/* STI with interrupts off, so that it casts a shadow. */
static void test_self_step_sti(void)
{
	static const program_t program[] = ALL(sti);
	struct machine m = debug_machine();
	struct kvm_regs regs;
	unsigned int mode, n;

	if (is_tcg())
		tap_skip("QEMU steps over the instruction after STI");
	for (mode = 0; mode < MODES; mode++) {
		u64 rip = guest_address(program[mode]);

		vm_mode(&m, mode);
		exec_start(&m, program[mode], (struct kvm_regs){ 0 });
		regs = vcpu_regs(&m);
		regs.rflags = (regs.rflags | FLAG_TF) & ~(u64)FLAG_IF;
		vcpu_set_regs(&m, &regs);
		for (n = 1; n <= 3; n++)
			CHECK_EQ(vm_run_to_trap(&m, DB_VECTOR).rip, rip + n);
	}
}

static void test_self_break(void)
{
	struct machine m = debug_machine();
	struct kvm_debugregs regs;

	if (is_tcg())
		tap_skip("QEMU enters without the breakpoints of the VMCB");
	/* Of execution: before, until it is switched off. */
	exec_start(&m, guest_self_break, (struct kvm_regs){
		.rdi = TOOL_DATA, .rsi = guest_label(self_break_at),
		.rdx = dr7_bp(0, BP_EXEC, 0) });
	CHECK_EQ(vm_run_to_trap(&m, DB_VECTOR).rip, guest_label(self_break_at));
	CHECK_EQ(debugregs(&m).dr6 & 0xf, 1);
	regs = debugregs(&m);
	regs.dr7 = DR7_FIXED;
	MUST(ioctl(m.vcpu, KVM_SET_DEBUGREGS, &regs));
	vm_run_to_out(&m);
	/* Of a write: after. */
	exec_start(&m, guest_self_break, (struct kvm_regs){
		.rdi = TOOL_DATA, .rsi = TOOL_DATA,
		.rdx = dr7_bp(0, BP_WRITE, BP_LEN4) });
	CHECK_EQ(vm_run_to_trap(&m, DB_VECTOR).rip,
		 guest_label(self_break_after));
	CHECK_EQ(debugregs(&m).dr6 & 0xf, 1);
	vm_run_to_out(&m);
}

/* ---- the guest has the registers to itself ---- */

#define DR_LOOPS	1000

/* Accesses of DR_LOOPS loops that exited. */
static u64 dr_exits(const struct machine *m, const struct stats *s)
{
	u64 before = stats_get(s, "exits");

	CHECK_EQ(exec_call(m, guest_dr_loop, (struct kvm_regs){
			   .rsi = 0x1234, .rdi = DR_LOOPS }).rax, 0x1234);
	CHECK_EQ(debugregs(m).db[0], 0x1234);
	return stats_get(s, "exits") - before;
}

/* Only the first access exits; with a debugger, who needs them, all do. */
static void test_dr_exits(void)
{
	struct machine m = debug_machine();
	static struct stats s;

	stats_read(&s, m.vcpu);
	CHECK(dr_exits(&m, &s) < DR_LOOPS / 4);
	breakpoint(&m, 0, TOOL_DATA, BP_WRITE, BP_LEN4);
	CHECK(dr_exits(&m, &s) >= 2 * DR_LOOPS);
	debug(&m, 0);
	CHECK(dr_exits(&m, &s) < DR_LOOPS / 4);
}

/* What it has written is there after the exit, and what the VMM sets at the entry. */
static void test_dr_values(void)
{
	struct machine m = debug_machine();
	struct kvm_debugregs regs;
	unsigned int n, i;

	for (n = 0; n < 100; n++) {
		exec_call(&m, guest_dr_write, (struct kvm_regs){
			.rsi = 0x1000 * n, .rdx = DR6_FIXED | (n & 1 ? DR6_BS : 0),
			.rcx = DR7_FIXED | (n & 2 ? 0x100 : 0) });
		regs = debugregs(&m);
		for (i = 0; i < 4; i++)
			CHECK_EQ(regs.db[i], 0x1000 * n + i);
		CHECK_EQ(regs.dr6, DR6_FIXED | (n & 1 ? DR6_BS : 0));
		CHECK_EQ(regs.dr7, DR7_FIXED | (n & 2 ? 0x100 : 0));
		for (i = 0; i < 4; i++)
			regs.db[i] += 4;
		regs.dr6 ^= DR6_BS;
		MUST(ioctl(m.vcpu, KVM_SET_DEBUGREGS, &regs));
		if (n % 10 == 0)
			sleep_ms(1);
		exec_call(&m, guest_dr_read,
			  (struct kvm_regs){ .rdi = TOOL_DATA });
		CHECK(!memcmp(m.tool + TOOL_DATA, &regs, 6 * sizeof(u64)));
	}
}

/* ---- flags ---- */

/*
 * kvmlite refuses what it does not know, and KVM_CAP_SET_GUEST_DEBUG2 names
 * the rest; stock KVM ignores it.
 */
static void test_flags(void)
{
	struct kvm_guest_debug arg = { .control = KVM_GUESTDBG_ENABLE };
	struct machine m = debug_machine();
	unsigned int bit;
	int known;

	known = MUST(ioctl(m.vm, KVM_CHECK_EXTENSION,
			   KVM_CAP_SET_GUEST_DEBUG2));
	CHECK_EQ(known & (STEP | SW_BP | HW_BP), STEP | SW_BP | HW_BP);
	exec_start(&m, guest_nops64, (struct kvm_regs){ 0 });
	for (bit = 0; bit < 32; bit++) {
		if ((u32)known >> bit & 1)
			continue;
		arg.control = KVM_GUESTDBG_ENABLE | 1U << bit;
		if (ioctl(m.vcpu, KVM_SET_GUEST_DEBUG, &arg))
			CHECK_EQ(errno, EINVAL);
		else
			CHECK(strcmp(kvm_device(), "/dev/kvmlite"));
	}
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_GUEST_DEBUG, NULL), EFAULT);
	vm_run_to_out(&m);
	/* Without ENABLE there is nothing. */
	exec_start(&m, guest_nops64, (struct kvm_regs){ 0 });
	debug(&m, KVM_GUESTDBG_SINGLESTEP);
	vm_run_to_out(&m);
}

static const struct tap_test tests[] = {
	{ "single step in each mode", test_step },
	{ "single step of an instruction that exits, in each mode", test_step_exit },
	{ "single step with a base of CS", test_step_base },
	{ "single step over jumps, exits, IN, OUT and MMIO", test_step_all },
	{ "single step of REP", test_step_rep },
	{ "single step over STI and MOV SS", test_step_shadow },
	{ "single step over SYSCALL and SYSRET", test_step_syscall },
	{ "single step and an interrupt", test_step_interrupt },
	{ "software breakpoints", test_sw_break },
	{ "INT3 of the guest", test_sw_break_guest },
	{ "injecting #DB", test_inject },
	{ "hardware breakpoints: execution", test_hw_exec },
	{ "hardware breakpoints: data", test_hw_data },
	{ "a hardware breakpoint and a step at once", test_hw_and_step },
	{ "hardware breakpoints are hidden from the guest", test_hw_hidden },
	{ "the guest steps itself", test_self_step },
	{ "the guest steps itself over STI", test_self_step_sti },
	{ "the guest's own breakpoints", test_self_break },
	{ "debug registers exit once", test_dr_exits },
	{ "debug registers written and read without exits", test_dr_values },
	{ "flags", test_flags },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
