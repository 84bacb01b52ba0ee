// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that do what no guest should: the VMM sees an exit or can stop them,
 * always, and the vCPU is as good as before.
 */
#define _GNU_SOURCE
#include <sys/time.h>

#include "kvm_insn.h"

#define NOWHERE		0x40000000UL	/* no slot, no device */
#define GATE_TRAP	(1ULL << 40)	/* leaves IF alone */

/* What may become of a guest. */
#define SHUTDOWN	0x1
#define ERROR		0x2	/* KVM_EXIT_INTERNAL_ERROR */
#define GOES_ON		0x4	/* until it is stopped */
#define DEVICE		0x8	/* exits for MMIO, for ever */
#define HALTED		0x10
#define ANY		0x1f

/**
 * struct bad - such a guest
 * @name:	for messages
 * @mode:	to start with
 * @program:	where it starts
 * @prepare:	what makes it bad
 * @ends:	as it may
 */
struct bad {
	const char *name;
	enum vm_mode mode;
	void (*program)(void);
	void (*prepare)(const struct machine *m, struct kvm_sregs *sregs,
			struct kvm_regs *regs);
	unsigned int ends;
};

/* ---- running one ---- */

static const char *const end_names[] = {
	"shutdown", "internal error", "running", "MMIO", "halted",
};

/* Until it ends or makes many exits, or for a while. */
static unsigned int run_for_a_while(const struct machine *m)
{
	struct runner r;
	int i;

	runner_start(&r, m);
	for (i = 0; i < 50; i++) {
		if (READ_ONCE(r.error) || READ_ONCE(r.reason) ||
		    READ_ONCE(r.io) + READ_ONCE(r.mmio) > 200)
			break;
		sleep_ms(2);
	}
	runner_stop(&r);
	if (r.error)
		tap_fail("KVM_RUN: expected an exit, got %s",
			 strerrorname_np(r.error));
	switch (r.reason) {
	case 0:
		return r.mmio ? DEVICE : GOES_ON;
	case KVM_EXIT_SHUTDOWN:
		return SHUTDOWN;
	case KVM_EXIT_INTERNAL_ERROR:
		return ERROR;
	case KVM_EXIT_HLT:
		return HALTED;
	default:
		tap_fail("expected another exit, got exit reason %u", r.reason);
	}
}

/* What is left of the last instruction, of one that exits again and again too. */
static void complete(const struct machine *m)
{
	int i;

	m->run->immediate_exit = 1;
	for (i = 0; i < 100 && !vcpu_run(m); i++)
		;
	m->run->immediate_exit = 0;
	CHECK(i < 100);
}

GUEST(good, "lea 1(%rdi), %rax\n\t"
	    GUEST_OUT)

/* Memory and registers as new: a good program runs. */
static void check_still_good(const struct machine *m)
{
	struct kvm_vcpu_events events = { 0 };
	struct kvm_mp_state runs = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_debugregs debug = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };

	complete(m);
	MUST(ioctl(m->vcpu, KVM_SET_VCPU_EVENTS, &events));
	MUST(ioctl(m->vcpu, KVM_SET_MP_STATE, &runs));
	MUST(ioctl(m->vcpu, KVM_SET_DEBUGREGS, &debug));
	memset(m->tool, 0, TOOL_PAGES * PAGE);
	make_page_tables(m->tool);
	memcpy(m->tool + TOOL_CODE, __start_guest_code,
	       __stop_guest_code - __start_guest_code);
	vm_make_tables(m);
	vm_mode(m, MODE_LONG);
	vm_call(m, guest_good, 41, 0, 0);
	CHECK_EQ(vcpu_regs(m).rax, 42);
}

static struct machine start_bad(const struct bad *bad)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	vm_mode(&m, bad->mode);
	guest_start(&m, bad->program, TOOL_DATA, MMIO_BASE, 0);
	sregs = vcpu_sregs(&m);
	regs = vcpu_regs(&m);
	if (bad->mode == MODE_REAL)
		regs.rsp = 0x8000;
	if (bad->prepare)
		bad->prepare(&m, &sregs, &regs);
	vcpu_set_sregs(&m, &sregs);
	vcpu_set_regs(&m, &regs);
	return m;
}

/* Nothing but the end of the process stops it; that does. */
static void check_killable(const struct bad *bad)
{
	struct machine m;
	int ready[2], status;
	pid_t pid;
	char c;

	MUST(pipe(ready));
	pid = tap_fork();
	if (!pid) {
		m = start_bad(bad);
		MUST(write(ready[1], "", 1));
		for (;;)
			vcpu_run(&m);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	sleep_ms(5);
	MUST(kill(pid, SIGKILL));
	status = tap_wait(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(ready[0]);
	close(ready[1]);
}

static void check_bad(const struct bad *bad)
{
	struct machine m = start_bad(bad);
	unsigned int end = run_for_a_while(&m);

	if (!(end & bad->ends))
		tap_fail("%s: expected another end, got: %s (%s)", bad->name,
			 end_names[__builtin_ctz(end)], vm_exit_text(&m));
	check_still_good(&m);
	machine_close(&m);
	if (end == GOES_ON)
		check_killable(bad);
}

static void check_all(const struct bad *bad, unsigned int n)
{
	while (n--)
		check_bad(bad++);
}

/* ---- programs ---- */

GUEST(ud, "ud2")
GUEST16(ud16, "ud2")
GUEST32(ud32, "ud2")
GUEST(load, "1: mov (%rdi), %rax\n\t"
	    "jmp 1b")
GUEST(spin, "1: jmp 1b")
GUEST32(spin32, "1: jmp 1b")
GUEST(push, "1: push %rbx\n\t"
	    "pop %rbx\n\t"
	    "jmp 1b")
GUEST(near_call, "call 1f\n\t"
	    "1: ud2")
GUEST(breakpoint, "int3")
GUEST(segment, "1: mov %eax, %ds\n\t"
	       "jmp 1b")
GUEST(task, "ltr %ax\n\t"
	    "1: jmp 1b")
GUEST(wipe, "xor %edi, %edi\n\t"
	    "mov $-1, %rcx\n\t"
	    "rep stosb")
GUEST16(wipe16, "xor %edi, %edi\n\t"
		"1: stosb\n\t"
		"jmp 1b")
GUEST(halt, "cli\n\t"
	    "1: hlt\n\t"
	    "jmp 1b")

/* Handlers: the same fault again, with a new stack; the fault itself; return. */
GUEST(again, "mov $0x10000, %esp\n\t"
	     "ud2")
GUEST(retry, "add $8, %rsp\n\t"
	     "iretq")
GUEST(retry_ud, "iretq")

/* ---- page tables ---- */

static void no_tables(const struct machine *m, struct kvm_sregs *sregs,
		      struct kvm_regs *regs)
{
	(void)sregs;
	(void)regs;
	memset(m->tool + TOOL_PML4, 0, PAGE);
}

static void tables_nowhere(const struct machine *m, struct kvm_sregs *sregs,
			   struct kvm_regs *regs)
{
	(void)m;
	(void)regs;
	sregs->cr3 = NOWHERE;
}

static void tables_beyond(const struct machine *m, struct kvm_sregs *sregs,
			  struct kvm_regs *regs)
{
	(void)m;
	(void)regs;
	sregs->cr3 = 0x7ffffff000;
}

static void directory_nowhere(const struct machine *m, struct kvm_sregs *sregs,
			      struct kvm_regs *regs)
{
	(void)sregs;
	(void)regs;
	*(u64 *)(m->tool + TOOL_PDPT) = NOWHERE | 7;
}

static void loop(const struct machine *m, struct kvm_sregs *sregs,
		 struct kvm_regs *regs)
{
	(void)sregs;
	(void)regs;
	*(u64 *)(m->tool + TOOL_PML4) = TOOL_PML4 | 7;
}

static void loop_at_code(const struct machine *m, struct kvm_sregs *sregs,
			 struct kvm_regs *regs)
{
	loop(m, sregs, regs);
	regs->rip = 0;
}

static void reserved(const struct machine *m, struct kvm_sregs *sregs,
		     struct kvm_regs *regs)
{
	(void)sregs;
	(void)regs;
	*(u64 *)(m->tool + TOOL_PDPT) |= 1ULL << 51;
}

static void memory_nowhere(const struct machine *m, struct kvm_sregs *sregs,
			   struct kvm_regs *regs)
{
	(void)sregs;
	(void)regs;
	*(u64 *)(m->tool + TOOL_PD) = NOWHERE | 0x83;
}

static void pae(const struct machine *m, struct kvm_sregs *sregs, u64 entry)
{
	u64 *pdpt = (u64 *)(m->tool + TOOL_PDPT);

	pdpt[0] = entry;
	sregs->cr3 = TOOL_PDPT;
	sregs->cr4 |= 0x20;
	sregs->cr0 |= 0x80000000;
}

static void pae_nowhere(const struct machine *m, struct kvm_sregs *sregs,
			struct kvm_regs *regs)
{
	(void)regs;
	pae(m, sregs, NOWHERE | 1);
}

static void pae_missing(const struct machine *m, struct kvm_sregs *sregs,
			struct kvm_regs *regs)
{
	(void)regs;
	pae(m, sregs, 0);
}

static void legacy_nowhere(const struct machine *m, struct kvm_sregs *sregs,
			   struct kvm_regs *regs)
{
	(void)m;
	(void)regs;
	sregs->cr3 = NOWHERE;
	sregs->cr0 |= 0x80000000;
}

static void legacy_loop(const struct machine *m, struct kvm_sregs *sregs,
			struct kvm_regs *regs)
{
	(void)regs;
	*(u32 *)(m->tool + TOOL_PML4) = TOOL_PML4 | 7;
	sregs->cr3 = TOOL_PML4;
	sregs->cr0 |= 0x80000000;
}

static const struct bad bad_tables[] = {
	{ "no page tables", MODE_LONG, guest_spin, no_tables, SHUTDOWN },
	{ "page tables where no memory is", MODE_LONG, guest_spin,
	  tables_nowhere, ANY },
	{ "page tables at the end of addresses", MODE_LONG, guest_spin,
	  tables_beyond, ANY },
	{ "a directory where no memory is", MODE_LONG, guest_spin,
	  directory_nowhere, ANY },
	{ "page tables in a loop", MODE_LONG, guest_spin, loop, SHUTDOWN },
	{ "page tables as code", MODE_LONG, guest_spin, loop_at_code, ANY },
	{ "a reserved bit", MODE_LONG, guest_spin, reserved, SHUTDOWN },
	{ "code where no memory is", MODE_LONG, guest_spin, memory_nowhere,
	  SHUTDOWN | ERROR },
	{ "PAE: a directory where no memory is", MODE_PROTECTED, guest_spin32,
	  pae_nowhere, ANY },
	{ "PAE: nothing present", MODE_PROTECTED, guest_spin32, pae_missing,
	  SHUTDOWN },
	{ "32-bit page tables where no memory is", MODE_PROTECTED, guest_spin32,
	  legacy_nowhere, ANY },
	{ "32-bit page tables in a loop", MODE_PROTECTED, guest_spin32,
	  legacy_loop, SHUTDOWN },
};

static void test_tables(void)
{
	check_all(bad_tables, ARRAY_SIZE(bad_tables));
}

/* ---- MMIO everywhere ---- */

static void code_in_mmio(const struct machine *m, struct kvm_sregs *sregs,
			 struct kvm_regs *regs)
{
	(void)m;
	(void)sregs;
	regs->rip = MMIO_BASE;
}

static void stack_in_mmio(const struct machine *m, struct kvm_sregs *sregs,
			  struct kvm_regs *regs)
{
	(void)m;
	(void)sregs;
	regs->rsp = MMIO_BASE + 0x800;
}

static void idt_in_mmio(const struct machine *m, struct kvm_sregs *sregs,
			struct kvm_regs *regs)
{
	(void)m;
	(void)regs;
	sregs->idt.base = MMIO_BASE;
}

static void gdt_in_mmio(const struct machine *m, struct kvm_sregs *sregs,
			struct kvm_regs *regs)
{
	(void)m;
	regs->rax = SEL_DATA;
	sregs->gdt.base = MMIO_BASE;
}

static void handler_in_mmio(const struct machine *m, struct kvm_sregs *sregs,
			    struct kvm_regs *regs)
{
	(void)sregs;
	(void)regs;
	vm_set_gate(m, UD_VECTOR, MMIO_BASE);
}

/* The entry of the operand's page, in a table that is no memory. */
static void operand_table_in_mmio(const struct machine *m,
				  struct kvm_sregs *sregs,
				  struct kvm_regs *regs)
{
	(void)sregs;
	((u64 *)(m->tool + TOOL_PD))[8] = MMIO_BASE | 3;
	regs->rdi = (8UL << 21) + 0x123;
}

static const struct bad bad_mmio[] = {
	{ "code in MMIO", MODE_LONG, guest_spin, code_in_mmio, ERROR },
	{ "code in MMIO, protected mode", MODE_PROTECTED, guest_spin32,
	  code_in_mmio, ERROR },
	{ "PUSH to MMIO", MODE_LONG, guest_push, stack_in_mmio, ERROR | DEVICE },
	{ "CALL with the stack in MMIO", MODE_LONG, guest_near_call, stack_in_mmio,
	  ERROR | SHUTDOWN },
	{ "an exception with the stack in MMIO", MODE_LONG, guest_ud,
	  stack_in_mmio, ERROR | SHUTDOWN },
	{ "the IDT in MMIO", MODE_LONG, guest_ud, idt_in_mmio, ERROR | SHUTDOWN },
	{ "INT3 with the IDT in MMIO", MODE_LONG, guest_breakpoint, idt_in_mmio,
	  ERROR | SHUTDOWN },
	{ "the GDT in MMIO", MODE_LONG, guest_segment, gdt_in_mmio,
	  ERROR | DEVICE | SHUTDOWN | GOES_ON },
	{ "LTR with the GDT in MMIO", MODE_LONG, guest_task, gdt_in_mmio, ANY },
	{ "an exception with the GDT in MMIO", MODE_LONG, guest_ud, gdt_in_mmio,
	  ERROR | SHUTDOWN },
	{ "a handler in MMIO", MODE_LONG, guest_ud, handler_in_mmio, ERROR },
	{ "the operand's page table in MMIO", MODE_LONG, guest_load,
	  operand_table_in_mmio, ANY },
};

static void test_mmio(void)
{
	check_all(bad_mmio, ARRAY_SIZE(bad_mmio));
}

/* ---- faults for ever ---- */

static void no_idt(const struct machine *m, struct kvm_sregs *sregs,
		   struct kvm_regs *regs)
{
	(void)m;
	(void)regs;
	sregs->idt.limit = 0;
}

static void set_trap_gate(const struct machine *m, unsigned int vector,
			  void (*handler)(void))
{
	vm_set_gate(m, vector, guest_address(handler));
	((u64 *)(m->tool + VM_IDT))[vector * 2] |= GATE_TRAP;
}

static void ud_again(const struct machine *m, struct kvm_sregs *sregs,
		     struct kvm_regs *regs)
{
	(void)sregs;
	(void)regs;
	set_trap_gate(m, UD_VECTOR, guest_again);
}

/* The stack goes down through everything. */
static void ud_deeper(const struct machine *m, struct kvm_sregs *sregs,
		      struct kvm_regs *regs)
{
	(void)sregs;
	(void)regs;
	set_trap_gate(m, UD_VECTOR, guest_ud);
}

static void ud_retry(const struct machine *m, struct kvm_sregs *sregs,
		     struct kvm_regs *regs)
{
	(void)sregs;
	(void)regs;
	set_trap_gate(m, UD_VECTOR, guest_retry_ud);
}

static void pf_storm(const struct machine *m, struct kvm_sregs *sregs,
		     struct kvm_regs *regs)
{
	(void)sregs;
	set_trap_gate(m, PF_VECTOR, guest_retry);
	regs->rdi = 1UL << 40;
}

static void pf_storm_reserved(const struct machine *m, struct kvm_sregs *sregs,
			      struct kvm_regs *regs)
{
	(void)sregs;
	set_trap_gate(m, PF_VECTOR, guest_retry);
	((u64 *)(m->tool + TOOL_PD))[8] |= 1ULL << 51;
	regs->rdi = 8UL << 21;
}

/* #DB while #DB is delivered: a watchpoint on the stack. */
static void db_on_stack(const struct machine *m, struct kvm_sregs *sregs,
			struct kvm_regs *regs)
{
	struct kvm_debugregs debug = {
		.db[0] = TOOL_STACK - 8, .dr6 = 0xffff0ff0, .dr7 = 0xd0402,
	};

	(void)sregs;
	(void)regs;
	MUST(ioctl(m->vcpu, KVM_SET_DEBUGREGS, &debug));
	set_trap_gate(m, DB_VECTOR, guest_retry_ud);
}

/* #AC while #AC is delivered: 32-bit, CPL 3 throughout, an odd stack. */
static void ac_on_stack(const struct machine *m, struct kvm_sregs *sregs,
			struct kvm_regs *regs)
{
	u64 *gdt = (u64 *)(m->tool + VM_GDT);

	gdt[SEL_USER_CODE / 8] = 0x00cffb000000ffff;
	vm_set_gate32(m, AC_VECTOR, guest_address(guest_spin32));
	*((u64 *)(m->tool + VM_IDT32) + AC_VECTOR) += 0x600000000000 |
		(u64)(SEL_USER_CODE - SEL_CODE32) << 16;
	sregs->cs.dpl = 3;
	sregs->cs.selector = SEL_USER_CODE;
	sregs->ss.dpl = 3;
	sregs->ss.selector = SEL_USER_DATA;
	sregs->ds = sregs->ss;
	sregs->es = sregs->ss;
	sregs->cr0 |= 0x40000;	/* AM */
	regs->rflags |= 0x40000;
	regs->rsp = TOOL_STACK - 3;
}

GUEST32(odd_load, "1: mov 1(%edi), %eax\n\t"
		  "jmp 1b")

static const struct bad bad_faults[] = {
	{ "no IDT", MODE_LONG, guest_ud, no_idt, SHUTDOWN },
	{ "no IDT, protected mode", MODE_PROTECTED, guest_ud32, no_idt,
	  SHUTDOWN },
	{ "no IDT, real mode", MODE_REAL, guest_ud16, no_idt, SHUTDOWN },
	{ "an exception in its handler", MODE_LONG, guest_ud, ud_again, GOES_ON },
	{ "ever deeper", MODE_LONG, guest_ud, ud_deeper, ANY },
	{ "the same exception again", MODE_LONG, guest_ud, ud_retry, GOES_ON },
	{ "page faults", MODE_LONG, guest_load, pf_storm, GOES_ON },
	{ "page faults by a reserved bit", MODE_LONG, guest_load,
	  pf_storm_reserved, GOES_ON },
	{ "a watchpoint on the stack of #DB", MODE_LONG, guest_push, db_on_stack,
	  GOES_ON },
	{ "a loop", MODE_LONG, guest_spin, NULL, GOES_ON },
	{ "memory wiped", MODE_LONG, guest_wipe, NULL, ANY },
	{ "memory wiped, real mode", MODE_REAL, guest_wipe16, NULL, ANY },
	{ "halted for ever", MODE_LONG, guest_halt, NULL, HALTED },
};

static void test_faults(void)
{
	check_all(bad_faults, ARRAY_SIZE(bad_faults));
}

static const struct bad bad_alignment = {
	"an odd stack of #AC", MODE_PROTECTED, guest_odd_load, ac_on_stack, ANY,
};

/* QEMU's own emulation of AMD-V knows no alignment checks. */
static void test_alignment(void)
{
	if (is_tcg())
		tap_skip("not in QEMU's emulation of AMD-V");
	check_bad(&bad_alignment);
}

/* ---- interrupts off ---- */

static void interrupts_off(const struct machine *m, struct kvm_sregs *sregs,
			   struct kvm_regs *regs)
{
	(void)m;
	(void)sregs;
	regs->rflags &= ~(u64)FLAG_IF;
}

static void ud_again_off(const struct machine *m, struct kvm_sregs *sregs,
			 struct kvm_regs *regs)
{
	interrupts_off(m, sregs, regs);
	ud_again(m, sregs, regs);
}

static const struct bad bad_off[] = {
	{ "a loop", MODE_LONG, guest_spin, interrupts_off, GOES_ON },
	{ "an exception in its handler", MODE_LONG, guest_ud, ud_again_off,
	  GOES_ON },
};

static bool stock_on_bochs(void)
{
	return !is_amd() && !strcmp(kvm_device(), "/dev/kvm");
}

static void test_interrupts_off(void)
{
	if (stock_on_bochs())
		tap_skip("Bochs does not preempt such guests of stock KVM");
	check_all(bad_off, ARRAY_SIZE(bad_off));
}

/* ---- every MSR, every port ---- */

/* #GP of a WRMSR or RDMSR: go on behind it. */
GUEST(skip_msr, "add $8, %rsp\n\t"
		"addq $2, (%rsp)\n\t"
		"iretq")

/* MSRs rdi to rsi, with rdx in both halves. */
GUEST(all_msrs, "mov %rdx, %rbx\n\t"
		"1: mov %edi, %ecx\n\t"
		"rdmsr\n\t"
		"mov %ebx, %eax\n\t"
		"mov %ebx, %edx\n\t"
		"wrmsr\n\t"
		"inc %edi\n\t"
		"cmp %esi, %edi\n\t"
		"jne 1b\n\t"
		GUEST_OUT)

static void test_msrs(void)
{
	static const u32 ranges[][2] = {
		{ 0, 0x1000 }, { 0x40000000, 0x40000200 },
		{ 0x4b564d00, 0x4b564d10 }, { 0xc0000000, 0xc0001200 },
		{ 0xc0010000, 0xc0010400 },
	};
	static const u32 values[] = { 0, 0xffffffff, 1, 0x55555555 };
	unsigned int r, v;

	for (v = 0; v < ARRAY_SIZE(values); v++) {
		struct machine m = vm_make();

		for (r = 0; r < ARRAY_SIZE(ranges); r++) {
			vm_set_gate(&m, GP_VECTOR, guest_address(guest_skip_msr));
			vm_call(&m, guest_all_msrs, ranges[r][0], ranges[r][1],
				values[v]);
		}
		check_still_good(&m);
		machine_close(&m);
	}
}

/* Ports from 0 on, then HLT. */
GUEST(all_ports, "xor %edx, %edx\n\t"
		 "1: mov %edx, %eax\n\t"
		 "out %al, (%dx)\n\t"
		 "test $15, %dl\n\t"
		 "jnz 2f\n\t"
		 "out %eax, (%dx)\n\t"
		 "in (%dx), %ax\n\t"
		 "2: inc %dx\n\t"
		 "jnz 1b\n\t"
		 "hlt")

static void test_ports(void)
{
	struct machine m = vm_make();
	u64 count[3] = { 0 };

	guest_start(&m, guest_all_ports, 0, 0, 0);
	for (;;) {
		MUST(vcpu_run(&m));
		if (m.run->exit_reason != KVM_EXIT_IO)
			break;
		if (m.run->io.direction == KVM_EXIT_IO_IN)
			count[2]++;
		else
			count[m.run->io.size == 4]++;
	}
	CHECK_EQ(m.run->exit_reason, KVM_EXIT_HLT);
	CHECK_EQ(count[0], 0x10000);
	CHECK_EQ(count[1], 0x1000);
	CHECK_EQ(count[2], 0x1000);
	check_still_good(&m);
}

/* ---- code that changes ---- */

/* Adds 0 to 999 by an immediate that it writes. */
GUEST(self_modifying, "xor %eax, %eax\n\t"
		      "xor %ecx, %ecx\n\t"
		      "1: mov %ecx, 2f+1(%rip)\n\t"
		      "jmp 2f\n\t"
		      "2: add $0x12345678, %eax\n\t"
		      "inc %ecx\n\t"
		      "cmp $1000, %ecx\n\t"
		      "jne 1b\n\t"
		      GUEST_OUT)

static void test_self_modifying(void)
{
	struct machine m = vm_make();

	vm_call(&m, guest_self_modifying, 0, 0, 0);
	CHECK_EQ(vcpu_regs(&m).rax, 499500);
}

/* The same with an instruction that is emulated: 89 is MOV, 01 is ADD. */
GUEST(changing_mmio, "mov $100, %ecx\n\t"
		     "mov $3, %ebx\n\t"
		     "1: xorb $0x88, 2f(%rip)\n\t"
		     "2: mov %ebx, (%rsi)\n\t"
		     "dec %ecx\n\t"
		     "jnz 1b\n\t"
		     GUEST_OUT)

static void test_changing_mmio(void)
{
	struct machine m = vm_make();
	unsigned int i;

	guest_start(&m, guest_changing_mmio, 0, MMIO_BASE, 0);
	for (i = 0; i < 100; i++) {
		vm_run_until(&m, KVM_EXIT_MMIO);
		if (!(i & 1)) {		/* ADD reads */
			CHECK_EQ(m.run->mmio.is_write, 0);
			*(u32 *)m.run->mmio.data = i;
			vm_run_until(&m, KVM_EXIT_MMIO);
		}
		CHECK_EQ(m.run->mmio.is_write, 1);
		CHECK_EQ(*(u32 *)m.run->mmio.data, i & 1 ? 3 : 3 + i);
	}
	vm_run_to_out(&m);
}

/* ---- random bytes ---- */

static u64 random_next(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void run_random(const struct machine *m, enum vm_mode mode, u64 seed)
{
	struct itimerval soon = { .it_value.tv_usec = 5000 };
	struct itimerval never = { 0 };
	struct kvm_regs regs = { .rflags = RFLAGS, .rip = VM_BUF + 0x1000,
				 .rsp = TOOL_STACK };
	u64 state = seed * 0x9e3779b97f4a7c15 + 1, i;

	for (i = 0; i < PAGE; i += 8)
		*(u64 *)(m->tool + VM_BUF + 0x1000 + i) = random_next(&state);
	if (mode == MODE_REAL) {
		regs.rip = TOOL_DATA;
		regs.rsp = 0xf000;
		memcpy(m->tool + TOOL_DATA, m->tool + VM_BUF + 0x1000, PAGE);
	}
	for (i = 0; i < 8; i++)
		(&regs.rax)[i] = i == 6 ? regs.rsp : random_next(&state) >> 40;
	vm_mode(m, mode);
	vcpu_set_regs(m, &regs);
	for (i = 0; i < 50; i++) {
		MUST(setitimer(ITIMER_REAL, &soon, NULL));
		if (vcpu_run(m))
			break;
		if (m->run->exit_reason != KVM_EXIT_IO &&
		    m->run->exit_reason != KVM_EXIT_MMIO)
			break;
	}
	MUST(setitimer(ITIMER_REAL, &never, NULL));
}

static void test_random(void)
{
	static const enum vm_mode modes[] = { MODE_LONG, MODE_PROTECTED, MODE_REAL };
	struct sigaction action = { .sa_handler = on_alarm };
	unsigned int i;

	if (stock_on_bochs())
		tap_skip("Bochs does not preempt such guests of stock KVM");
	MUST(sigaction(SIGALRM, &action, NULL));
	for (i = 0; i < 150; i++) {
		struct machine m = vm_make();

		run_random(&m, modes[i % 3], i);
		check_still_good(&m);
		munmap(m.tool, TOOL_PAGES * PAGE);
		machine_close(&m);
	}
}

static const struct tap_test tests[] = {
	{ "bad page tables", test_tables },
	{ "MMIO everywhere", test_mmio },
	{ "faults without end", test_faults },
	{ "alignment faults without end", test_alignment },
	{ "interrupts off", test_interrupts_off },
	{ "every MSR", test_msrs },
	{ "every port", test_ports },
	{ "self-modifying code", test_self_modifying },
	{ "an emulated instruction changes", test_changing_mmio },
	{ "random bytes", test_random },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
