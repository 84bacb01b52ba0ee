// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts, NMIs and exceptions that the VMM injects: when they arrive, what
 * holds them back, and what the VMM is told of that.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"
#include "kvm_stats.h"

#define IRQ		0x31

/* OUT to this port: a stop on the way. */
#define STOP_PORT	0x11

GUEST_ALL(out, GUEST_OUT);
GUEST_ALL(ud2, "ud2\n\t" GUEST_OUT);
GUEST_ALL(hlt, "hlt\n\t" GUEST_OUT);
GUEST_ALL(sti, "sti\n\tnop\n\tnop\n\t" GUEST_OUT);
GUEST_ALL(sti_out, "sti\n\tout %al, $0x11\n\tnop\n\tnop\n\t" GUEST_OUT);
GUEST_ALL(ss_out, "mov %ax, %ss\n\tout %al, $0x11\n\tnop\n\tnop\n\t" GUEST_OUT);
GUEST_ALL(sti_hlt, "sti\n\thlt\n\t" GUEST_OUT);
GUEST(spin, "1: jmp 1b");
GUEST(int3, "int3\n\t" GUEST_OUT);
GUEST(divide, "xor %edx, %edx\n\t"
	"xor %ecx, %ecx\n"
	"divide_at: div %ecx\n\t"
	GUEST_OUT);
GUEST(count, "1: incq (%rdi)\n\tjmp 1b");

/* A handler that counts at TOOL_DATA + 8, and one that waits. */
GUEST(count_irq, "incq 0x8008\n\tiretq");
GUEST(halt_nmi, "hlt\n\tiretq");

/* To iret_to by IRET, which ends the blocking of NMIs. */
GUEST(iret, "mov %rsp, %r8\n\t"
	"mov %ss, %eax\n\t"
	"push %rax\n\t"
	"push %r8\n\t"
	"pushfq\n\t"
	"mov %cs, %eax\n\t"
	"push %rax\n\t"
	"lea iret_to(%rip), %rax\n\t"
	"push %rax\n\t"
	"out %al, $0x11\n\t"
	"iretq\n"
	"iret_to: nop\n\t"
	GUEST_OUT);

GUEST_LABELS(iret_to[], divide_at[]);

static void interrupt(const struct machine *m, u32 vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	MUST(ioctl(m->vcpu, KVM_INTERRUPT, &irq));
}

static void nmi(const struct machine *m)
{
	MUST(ioctl(m->vcpu, KVM_NMI));
}

static struct kvm_vcpu_events events(const struct machine *m)
{
	struct kvm_vcpu_events e;

	MUST(ioctl(m->vcpu, KVM_GET_VCPU_EVENTS, &e));
	return e;
}

static void set_events(const struct machine *m, struct kvm_vcpu_events e)
{
	MUST(ioctl(m->vcpu, KVM_SET_VCPU_EVENTS, &e));
}

/* With interrupts off. */
static void start_masked(const struct machine *m, program_t program, u64 rax)
{
	struct kvm_regs regs;

	exec_start(m, program, (struct kvm_regs){ .rax = rax });
	regs = vcpu_regs(m);
	regs.rflags &= ~(u64)FLAG_IF;
	vcpu_set_regs(m, &regs);
}

static void run_to_stop(const struct machine *m)
{
	vm_run_until(m, KVM_EXIT_IO);
	CHECK_EQ(m->run->io.port, STOP_PORT);
}

static u64 stub(unsigned int vector)
{
	return guest_address(vm_stubs64) + vector * VM_STUB_SIZE;
}

/* Of the vCPU, for whom they matter. */
static struct stats stats;

static u64 host_interrupts(void)
{
	return stats_get(&stats, "irq_exits");
}

/*
 * Whether what has run since must run once more: a host's interrupt in between leaves
 * the shadow of STI or MOV SS, if there was one, with which QEMU does not enter.
 */
static bool shadow_lost(u64 interrupts)
{
	return is_tcg() && host_interrupts() != interrupts;
}

/* ---- KVM_INTERRUPT ---- */

static void test_interrupt(void)
{
	static const program_t program[] = ALL(out);
	struct machine m = vm_make();
	unsigned int mode, vector;
	struct vm_event e;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		for (vector = 32; vector < VM_VECTORS; vector++) {
			exec_start(&m, program[mode], (struct kvm_regs){ 0 });
			interrupt(&m, vector);
			CHECK_EQ(events(&m).interrupt.injected, 1);
			CHECK_EQ(events(&m).interrupt.nr, vector);
			e = vm_run_to_trap(&m, vector);
			CHECK_EQ(e.rip, guest_address(program[mode]));
			CHECK_EQ(e.rflags & FLAG_IF, FLAG_IF);
			CHECK_EQ(m.run->if_flag, 0);
			CHECK_EQ(m.run->ready_for_interrupt_injection, 0);
			CHECK_EQ(events(&m).interrupt.injected, 0);
			vm_run_to_out(&m);
			CHECK_EQ(m.run->if_flag, 1);
			CHECK_EQ(m.run->ready_for_interrupt_injection, 1);
		}
	}
}

static void test_interrupt_errors(void)
{
	struct machine m = vm_make();
	struct kvm_interrupt irq = { .irq = 256 };

	CHECK_ERRNO(ioctl(m.vcpu, KVM_INTERRUPT, &irq), EINVAL);
	irq.irq = -1U;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_INTERRUPT, &irq), EINVAL);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_INTERRUPT, NULL), EFAULT);
	CHECK_EQ(events(&m).interrupt.injected, 0);
	exec_call(&m, guest_out64, (struct kvm_regs){ 0 });
}

/* The CPU does not take it, which is why there is a window to ask for. */
static void test_interrupt_masked(void)
{
	struct machine m = vm_make();

	if (is_amd())
		tap_skip("AMD-V injects regardless of RFLAGS.IF");
	start_masked(&m, guest_out64, 0);
	interrupt(&m, IRQ);
	vm_run_until(&m, KVM_EXIT_FAIL_ENTRY);
	CHECK_EQ(m.run->fail_entry.hardware_entry_failure_reason, 0x80000021);
}

/* The entry has failed with it: it is the VMM's to give up, or to try again. */
static void test_interrupt_failed(void)
{
	struct machine m = vm_make();
	struct kvm_vcpu_events e;
	struct kvm_regs regs;

	if (is_amd())
		tap_skip("AMD-V injects regardless of RFLAGS.IF");
	start_masked(&m, guest_out64, 0);
	interrupt(&m, IRQ);
	vm_run_until(&m, KVM_EXIT_FAIL_ENTRY);
	e = events(&m);
	CHECK_EQ(e.interrupt.injected, 1);
	CHECK_EQ(e.interrupt.nr, IRQ);
	regs = vcpu_regs(&m);
	regs.rflags |= FLAG_IF;
	MUST(ioctl(m.vcpu, KVM_SET_REGS, &regs));
	vm_run_to_trap(&m, IRQ);
	start_masked(&m, guest_out64, 0);
	interrupt(&m, IRQ);
	vm_run_until(&m, KVM_EXIT_FAIL_ENTRY);
	e.interrupt.injected = 0;
	MUST(ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &e));
	regs = vcpu_regs(&m);
	regs.rflags |= FLAG_IF;
	MUST(ioctl(m.vcpu, KVM_SET_REGS, &regs));
	vm_run_to_out(&m);
}

static void test_interrupt_sregs(void)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs;

	exec_start(&m, guest_out64, (struct kvm_regs){ 0 });
	sregs = vcpu_sregs(&m);
	CHECK_EQ(sregs.interrupt_bitmap[0], 0);
	sregs.interrupt_bitmap[0] = 1ULL << IRQ;
	vcpu_set_sregs(&m, &sregs);
	CHECK_EQ(vcpu_sregs(&m).interrupt_bitmap[0], 1ULL << IRQ);
	vm_run_to_trap(&m, IRQ);
	CHECK_EQ(vcpu_sregs(&m).interrupt_bitmap[0], 0);
	vm_run_to_out(&m);
}

/* ---- the window ---- */

static void test_window(void)
{
	static const program_t program[] = ALL(sti);
	struct machine m = vm_make();
	unsigned int mode;
	u64 rip, before;

	stats_read(&stats, m.vcpu);
	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		do {
			before = host_interrupts();
			start_masked(&m, program[mode], 0);
			m.run->request_interrupt_window = 1;
			vm_run_until(&m, KVM_EXIT_IRQ_WINDOW_OPEN);
		} while (shadow_lost(before));
		CHECK_EQ(m.run->if_flag, 1);
		CHECK_EQ(m.run->ready_for_interrupt_injection, 1);
		/* After the instruction that follows STI. */
		rip = vcpu_regs(&m).rip;
		CHECK_EQ(rip, guest_address(program[mode]) + 2);
		interrupt(&m, IRQ);
		m.run->request_interrupt_window = 0;
		CHECK_EQ(vm_run_to_trap(&m, IRQ).rip, rip);
		vm_run_to_out(&m);
	}
}

/* It is open already. */
static void test_window_open(void)
{
	struct machine m = vm_make();
	unsigned int n;

	exec_start(&m, guest_spin, (struct kvm_regs){ 0 });
	m.run->request_interrupt_window = 1;
	for (n = 0; n < 3; n++) {
		vm_run_until(&m, KVM_EXIT_IRQ_WINDOW_OPEN);
		CHECK_EQ(vcpu_regs(&m).rip, guest_address(guest_spin));
		interrupt(&m, IRQ + n);
		/* The handler runs with interrupts off. */
		vm_run_to_trap(&m, IRQ + n);
		CHECK_EQ(m.run->ready_for_interrupt_injection, 0);
	}
}

/* Until the exit in the shadow. */
static void run_to_shadow(const struct machine *m, program_t program,
			  unsigned int length, u64 rax)
{
	u64 before;

	do {
		before = host_interrupts();
		exec_start(m, program, (struct kvm_regs){ .rax = rax });
		/* STI shadows only what was masked before. */
		if (length == 1)
			start_masked(m, program, rax);
		run_to_stop(m);
	} while (shadow_lost(before));
}

/* An exit in the shadow of STI or MOV SS: not yet. */
static void check_shadow(const struct machine *m, program_t program,
			 unsigned int length, u64 rax)
{
	u64 after = guest_address(program) + length + 2;

	run_to_shadow(m, program, length, rax);
	CHECK_EQ(m->run->if_flag, 1);
	CHECK_EQ(m->run->ready_for_interrupt_injection, 0);
	CHECK(events(m).interrupt.shadow);
	m->run->request_interrupt_window = 1;
	vm_run_until(m, KVM_EXIT_IRQ_WINDOW_OPEN);
	CHECK_EQ(vcpu_regs(m).rip, after);
	CHECK_EQ(events(m).interrupt.shadow, 0);
	m->run->request_interrupt_window = 0;
	interrupt(m, IRQ);
	CHECK_EQ(vm_run_to_trap(m, IRQ).rip, after);
	vm_run_to_out(m);
}

static void test_shadow(void)
{
	static const program_t sti[] = ALL(sti_out), ss[] = ALL(ss_out);
	struct machine m = vm_make();
	unsigned int mode;

	stats_read(&stats, m.vcpu);
	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		check_shadow(&m, sti[mode], 1, 0);
		check_shadow(&m, ss[mode], 2,
			     mode == MODE_REAL ? 0 : SEL_DATA);
	}
}

/* The VMM sets and clears the shadow. */
static void test_shadow_set(void)
{
	struct machine m = vm_make();
	struct kvm_vcpu_events e;
	u64 start = guest_address(guest_sti64);

	if (is_tcg())
		tap_skip("QEMU enters without the shadow of the VMCB");
	exec_start(&m, guest_sti64, (struct kvm_regs){ 0 });
	e = events(&m);
	e.flags = KVM_VCPUEVENT_VALID_SHADOW;
	e.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	set_events(&m, e);
	CHECK(events(&m).interrupt.shadow & KVM_X86_SHADOW_INT_STI);
	m.run->request_interrupt_window = 1;
	vm_run_until(&m, KVM_EXIT_IRQ_WINDOW_OPEN);
	CHECK_EQ(vcpu_regs(&m).rip, start + 1);
}

/* ---- HLT ---- */

static void test_hlt(void)
{
	static const program_t program[] = ALL(hlt), sti[] = ALL(sti_hlt);
	struct machine m = vm_make();
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		exec_start(&m, program[mode], (struct kvm_regs){ 0 });
		vm_run_until(&m, KVM_EXIT_HLT);
		CHECK_EQ(m.run->ready_for_interrupt_injection, 1);
		interrupt(&m, IRQ);
		CHECK_EQ(vm_run_to_trap(&m, IRQ).rip,
			 guest_address(program[mode]) + 1);
		vm_run_to_out(&m);
		/* In the shadow of STI, which HLT ends. */
		start_masked(&m, sti[mode], 0);
		vm_run_until(&m, KVM_EXIT_HLT);
		CHECK_EQ(m.run->ready_for_interrupt_injection, 1);
		interrupt(&m, IRQ);
		CHECK_EQ(vm_run_to_trap(&m, IRQ).rip,
			 guest_address(sti[mode]) + 2);
		vm_run_to_out(&m);
		/* An NMI wakes it even with interrupts off. */
		start_masked(&m, program[mode], 0);
		vm_run_until(&m, KVM_EXIT_HLT);
		CHECK_EQ(m.run->ready_for_interrupt_injection, 0);
		nmi(&m);
		CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip,
			 guest_address(program[mode]) + 1);
		vm_run_to_out(&m);
	}
}

/* In the handler of an NMI, the next one does not wake it. */
static void test_hlt_nmi(void)
{
	struct machine m = vm_make();

	vm_set_gate(&m, NMI_VECTOR, guest_address(guest_halt_nmi));
	exec_start(&m, guest_out64, (struct kvm_regs){ 0 });
	nmi(&m);
	nmi(&m);
	vm_run_until(&m, KVM_EXIT_HLT);
	CHECK_EQ(events(&m).nmi.pending, 1);
	CHECK_EQ(events(&m).nmi.masked, 1);
	vm_run_until(&m, KVM_EXIT_HLT);
	CHECK_EQ(events(&m).nmi.pending, 0);
	vm_run_to_out(&m);
}

/* ---- NMIs ---- */

static void test_nmi(void)
{
	static const program_t program[] = ALL(out);
	struct machine m = vm_make();
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		u64 rip = guest_address(program[mode]);

		vm_mode(&m, mode);
		start_masked(&m, program[mode], 0);
		CHECK_EQ(events(&m).nmi.masked, 0);
		nmi(&m);
		CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip, rip);
		CHECK_EQ(events(&m).nmi.masked, 1);
		CHECK_EQ(events(&m).nmi.pending, 0);
		/* One more waits for IRET, and no more than one. */
		nmi(&m);
		nmi(&m);
		nmi(&m);
		CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip, rip);
		vm_run_to_out(&m);
		CHECK_EQ(events(&m).nmi.masked, 0);
	}
}

static void test_nmi_queue(void)
{
	struct machine m = vm_make();
	u64 rip = guest_address(guest_out64);
	unsigned int n;

	/* Two are kept: one is delivered, one waits. */
	exec_start(&m, guest_out64, (struct kvm_regs){ 0 });
	for (n = 0; n < 5; n++)
		nmi(&m);
	CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip, rip);
	CHECK_EQ(events(&m).nmi.pending, 1);
	CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip, rip);
	vm_run_to_out(&m);
}

static void test_nmi_iret(void)
{
	struct machine m = vm_make();
	struct kvm_vcpu_events e;
	unsigned int n;

	for (n = 0; n < 2; n++) {
		exec_start(&m, guest_iret, (struct kvm_regs){ 0 });
		e = events(&m);
		e.nmi.masked = 1;
		set_events(&m, e);
		nmi(&m);
		run_to_stop(&m);
		CHECK_EQ(events(&m).nmi.masked, 1);
		CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip,
			 guest_label(iret_to));
		vm_run_to_out(&m);
	}
}

/* An NMI waits for the end of the shadow of MOV SS. */
static void test_nmi_shadow(void)
{
	static const program_t program[] = ALL(ss_out);
	struct machine m = vm_make();
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		exec_start(&m, program[mode], (struct kvm_regs){
			.rax = mode == MODE_REAL ? 0 : SEL_DATA });
		run_to_stop(&m);
		nmi(&m);
		CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip,
			 guest_address(program[mode]) + 4);
		vm_run_to_out(&m);
	}
}

/* An NMI half delivered comes first, whatever the VMM waits for. */
static void test_nmi_injected(void)
{
	struct machine m = vm_make();
	u64 rip = guest_address(guest_spin);
	struct kvm_vcpu_events e;

	exec_start(&m, guest_spin, (struct kvm_regs){ 0 });
	e = events(&m);
	e.nmi.injected = 1;
	set_events(&m, e);
	m.run->request_interrupt_window = 1;
	CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip, rip);
	vm_run_until(&m, KVM_EXIT_IRQ_WINDOW_OPEN);
	CHECK_EQ(vcpu_regs(&m).rip, rip);
}

/* ---- exceptions ---- */

static void test_exceptions(void)
{
	static const struct {
		u8 vector;
		bool has_error;
		u16 error;
	} exception[] = {
		{ DE_VECTOR, false, 0 },
		{ UD_VECTOR, false, 0 },
		{ NM_VECTOR, false, 0 },
		{ DF_VECTOR, true, 0 },
		{ TS_VECTOR, true, 0x28 },
		{ GP_VECTOR, true, 0xfff8 },
		{ PF_VECTOR, true, 0x3 },
		{ MF_VECTOR, false, 0 },
		{ AC_VECTOR, true, 0 },
	};
	static const program_t program[] = ALL(out);
	struct machine m = vm_make();
	struct kvm_vcpu_events in;
	struct vm_event e;
	unsigned int mode, i;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		for (i = 0; i < ARRAY_SIZE(exception); i++) {
			start_masked(&m, program[mode], 0);
			in = events(&m);
			in.exception.injected = 1;
			in.exception.nr = exception[i].vector;
			in.exception.has_error_code =
				mode != MODE_REAL && exception[i].has_error;
			in.exception.error_code = exception[i].error;
			set_events(&m, in);
			CHECK_EQ(events(&m).exception.injected, 1);
			CHECK_EQ(events(&m).exception.nr, exception[i].vector);
			e = vm_run_to_trap(&m, exception[i].vector);
			CHECK_EQ(e.rip, guest_address(program[mode]));
			CHECK_EQ(e.error,
				 mode == MODE_REAL ? 0 : exception[i].error);
			CHECK_EQ(events(&m).exception.injected, 0);
			vm_run_to_out(&m);
		}
	}
}

/*
 * An INT3 that the VMM injects arrives; then the delivery of a fault in its handler
 * is cut short, as its stack was never touched before.  That fault is not the INT3.
 */
static void test_exception_after_soft(void)
{
	struct machine m = vm_make_size(1 << 20);
	struct kvm_vcpu_events e;
	u64 stack;

	vm_set_gate(&m, BP_VECTOR, guest_address(guest_divide));
	((u64 *)(m.tool + VM_IDT))[0] |= 1ULL << 32;	/* #DE: the first IST */
	for (stack = 0x21000; stack <= 0x60000; stack += 0x1000) {
		memcpy(m.tool + VM_TSS + 36, &stack, sizeof(stack));
		exec_start(&m, guest_int3, (struct kvm_regs){ 0 });
		e = events(&m);
		e.exception.injected = 1;
		e.exception.nr = BP_VECTOR;
		set_events(&m, e);
		CHECK_EQ(vm_run_to_trap(&m, DE_VECTOR).rip,
			 guest_label(divide_at));
	}
}

/* ---- which comes first ---- */

/* An interrupt that is due comes before the instruction that faults. */
static void test_priority_fault(void)
{
	static const program_t program[] = ALL(ud2);
	struct machine m = vm_make();
	unsigned int mode;
	u64 rip;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		rip = guest_address(program[mode]);
		exec_start(&m, program[mode], (struct kvm_regs){ 0 });
		interrupt(&m, IRQ);
		CHECK_EQ(vm_run_to_trap(&m, IRQ).rip, rip);
		CHECK_EQ(vm_run_to_trap(&m, UD_VECTOR).rip, rip);
		vm_return_to(&m, rip + 2);
		vm_run_to_out(&m);
		nmi(&m);
		exec_start(&m, program[mode], (struct kvm_regs){ 0 });
		CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip, rip);
		CHECK_EQ(vm_run_to_trap(&m, UD_VECTOR).rip, rip);
	}
}

/* KVM_INTERRUPT counts as begun, so the NMI is taken in its handler. */
static void test_priority_nmi(void)
{
	struct machine m = vm_make();
	struct vm_event e;

	exec_start(&m, guest_out64, (struct kvm_regs){ 0 });
	nmi(&m);
	interrupt(&m, IRQ);
	CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip, stub(IRQ));
	e = vm_run_to_trap(&m, IRQ);
	CHECK_EQ(e.rip, guest_address(guest_out64));
	/* No step of the host's is seen. */
	CHECK_EQ(e.rflags & FLAG_TF, 0);
	vm_run_to_out(&m);
}

static void test_priority_exception(void)
{
	struct machine m = vm_make();
	struct kvm_vcpu_events e;
	struct vm_event ud;

	exec_start(&m, guest_out64, (struct kvm_regs){ 0 });
	e = events(&m);
	e.exception.injected = 1;
	e.exception.nr = UD_VECTOR;
	set_events(&m, e);
	nmi(&m);
	CHECK_EQ(vm_run_to_trap(&m, NMI_VECTOR).rip, stub(UD_VECTOR));
	ud = vm_run_to_trap(&m, UD_VECTOR);
	CHECK_EQ(ud.rip, guest_address(guest_out64));
	CHECK_EQ(ud.rflags & FLAG_TF, 0);
	vm_run_to_out(&m);
}

/* ---- while the guest runs ---- */

static void test_running(void)
{
	struct machine m = vm_make();
	volatile u64 *data = (u64 *)(m.tool + TOOL_DATA);
	struct runner r;
	unsigned int n;
	u64 before;

	vm_set_gate(&m, IRQ, guest_address(guest_count_irq));
	vm_set_gate(&m, NMI_VECTOR, guest_address(guest_count_irq));
	exec_start(&m, guest_count, (struct kvm_regs){ .rdi = TOOL_DATA });
	for (n = 0; n < 40; n++) {
		runner_start(&r, &m);
		before = data[0];
		CHECK_RUNNER_SOON(&r, data[0] != before);
		runner_stop(&r);
		runner_check(&r);
		/* A signal may find it in the handler of the last one. */
		if (n % 2)
			nmi(&m);
		else if (m.run->ready_for_interrupt_injection)
			interrupt(&m, IRQ);
		else
			n--;
		runner_start(&r, &m);
		CHECK_RUNNER_SOON(&r, data[1] == n + 1);
		runner_stop(&r);
		runner_check(&r);
	}
	CHECK_EQ(data[1], 40);
}

static const struct tap_test tests[] = {
	{ "KVM_INTERRUPT", test_interrupt },
	{ "KVM_INTERRUPT: errors", test_interrupt_errors },
	{ "KVM_INTERRUPT with interrupts off", test_interrupt_masked },
	{ "an interrupt whose entry failed", test_interrupt_failed },
	{ "an interrupt by KVM_SET_SREGS", test_interrupt_sregs },
	{ "the interrupt window opens", test_window },
	{ "the interrupt window is open", test_window_open },
	{ "shadows of STI and MOV SS", test_shadow },
	{ "a shadow by KVM_SET_VCPU_EVENTS", test_shadow_set },
	{ "HLT ends", test_hlt },
	{ "HLT in the handler of an NMI", test_hlt_nmi },
	{ "NMIs are blocked until IRET", test_nmi },
	{ "how many NMIs are kept", test_nmi_queue },
	{ "NMIs blocked by KVM_SET_VCPU_EVENTS", test_nmi_iret },
	{ "an NMI in the shadow of MOV SS", test_nmi_shadow },
	{ "an NMI half delivered", test_nmi_injected },
	{ "exceptions by KVM_SET_VCPU_EVENTS", test_exceptions },
	{ "a fault after an injected INT3", test_exception_after_soft },
	{ "priority of an instruction's fault", test_priority_fault },
	{ "priority of NMI and interrupt", test_priority_nmi },
	{ "priority of NMI and exception", test_priority_exception },
	{ "interrupts and NMIs for a guest that runs", test_running },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
