// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions in 16-bit, 32-bit and 64-bit mode: vector, error code, address,
 * and where the guest goes on.  Deliveries that an exit cuts short, and those
 * that fail.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"

#define BR_VECTOR	5
#define OF_VECTOR	4
#define NP_VECTOR	11
#define SS_VECTOR	12
#define XM_VECTOR	19
#define INT_VECTOR	0x30

#define BAD_SEL		0x50		/* a segment that is not present */
#define NOT_CANONICAL	0x8000000000000000ULL

#define FLAG_OF		0x800
#define FLAG_AC		0x40000
#define CR0_AM		(1UL << 18)

/* The faulting instruction comes first; see struct trap_case. */
GUEST_ALL(div, "div %cl\n\t" GUEST_OUT);
GUEST_ALL(int1, ".byte 0xf1\n\t" GUEST_OUT);
GUEST_ALL(int3, "int3\n\t" GUEST_OUT);
GUEST_ALL(int30, "int $0x30\n\t" GUEST_OUT);
GUEST_ALL(int50, "int $0x50\n\t" GUEST_OUT);
GUEST_ALL(ud2, "ud2\n\t" GUEST_OUT);
GUEST_ALL(fld, "fld1\n\t" GUEST_OUT);
GUEST_ALL(out, GUEST_OUT);
GUEST16(into16, "into\n\t" GUEST_OUT);
GUEST32(into32, "into\n\t" GUEST_OUT);
GUEST16(bound16, "bound %ax, (%si)\n\t" GUEST_OUT);
GUEST32(bound32, "bound %eax, (%esi)\n\t" GUEST_OUT);
GUEST16(limit16, "mov (%esi), %al\n\t" GUEST_OUT);
GUEST32(load_ds32, "mov %eax, %ds\n\t" GUEST_OUT);
GUEST32(load_ss32, "mov %eax, %ss\n\t" GUEST_OUT);
GUEST(load_ds64, "mov %eax, %ds\n\t" GUEST_OUT);
GUEST(load_ss64, "mov %eax, %ss\n\t" GUEST_OUT);
GUEST(load_rdi, "mov (%rdi), %eax\n\t" GUEST_OUT);
GUEST(load_rbp, "mov (%rbp), %eax\n\t" GUEST_OUT);
GUEST(store_rdi, "mov %eax, (%rdi)\n\t" GUEST_OUT);
GUEST(jump_rdi, "jmp *%rdi");
GUEST32(load_edi32, "mov (%edi), %eax\n\t" GUEST_OUT);
GUEST32(store_edi32, "mov %eax, (%edi)\n\t" GUEST_OUT);
GUEST32(jump_edi32, "jmp *%edi");

/* The exception comes at a later instruction: 1 / 0. */
GUEST(mf, "fninit\n\t"
	"pushq $0x37b\n\t"
	"fldcw (%rsp)\n\t"
	"fldz\n\t"
	"fld1\n\t"
	"fdiv %st(1), %st\n"
	"mf_at: fwait\n\t"
	GUEST_OUT);
GUEST(xm, "pushq $0x1d80\n\t"
	"ldmxcsr (%rsp)\n\t"
	"xorps %xmm1, %xmm1\n\t"
	"mov $1, %eax\n\t"
	"cvtsi2sd %eax, %xmm0\n"
	"xm_at: divsd %xmm1, %xmm0\n\t"
	GUEST_OUT);

GUEST_LABELS(mf_at[], xm_at[]);

/**
 * struct trap_case - a program whose first instruction raises an exception
 * @program:	for each mode; NULL: not in this one
 * @vector:	of the exception
 * @length:	how far behind the start the guest goes on: 0 for faults
 * @error:	error code
 * @regs:	to start with
 * @cr0:	bits to set in CR0
 * @not_in_qemu: it has no INT1, checks no limits, and for addresses that
 *		are not canonical knows #GP only, and at the target of a jump
 */
struct trap_case {
	program_t program[MODES];
	u8 vector;
	u8 length;
	u32 error;
	struct kvm_regs regs;
	u64 cr0;
	bool not_in_qemu;
};

static const struct trap_case trap_cases[] = {
	{ ALL(div), .vector = DE_VECTOR },
	{ ALL(int1), .vector = DB_VECTOR, .length = 1, .not_in_qemu = true },
	{ ALL(int3), .vector = BP_VECTOR, .length = 1 },
	{ ALL(int30), .vector = INT_VECTOR, .length = 2 },
	{ ALL(ud2), .vector = UD_VECTOR },
	{ ALL(fld), .vector = NM_VECTOR, .cr0 = CR0_TS },
	{ { guest_into16, guest_into32 }, .vector = OF_VECTOR,
	  .length = 1, .regs.rflags = FLAG_OF },
	{ { guest_bound16, guest_bound32 }, .vector = BR_VECTOR,
	  .regs = { .rax = 1, .rsi = TOOL_DATA } },
	{ { guest_limit16 }, .vector = GP_VECTOR, .regs.rsi = 0x10000,
	  .not_in_qemu = true },
	{ { NULL, guest_int5032, guest_int5064 }, .vector = GP_VECTOR,
	  .error = 0x50 * 8 + 2 },
	{ { NULL, guest_load_ds32, guest_load_ds64 },
	  .vector = NP_VECTOR, .error = BAD_SEL, .regs.rax = BAD_SEL },
	{ { NULL, guest_load_ss32, guest_load_ss64 },
	  .vector = SS_VECTOR, .error = BAD_SEL, .regs.rax = BAD_SEL },
	{ { NULL, NULL, guest_load_rdi }, .vector = GP_VECTOR,
	  .regs.rdi = NOT_CANONICAL },
	{ { NULL, NULL, guest_load_rbp }, .vector = SS_VECTOR,
	  .regs.rbp = NOT_CANONICAL, .not_in_qemu = true },
	{ { NULL, NULL, guest_jump_rdi }, .vector = GP_VECTOR,
	  .regs.rdi = NOT_CANONICAL, .not_in_qemu = true },
};

/* Where it is about the IDT: QEMU has the offset of a gate, not its number. */
static u32 idt_error(unsigned int mode, u32 error)
{
	if (!is_tcg() || mode != MODE_LONG || !(error & 2))
		return error;
	return (error & ~2U) * 2 + 2;
}

static bool emulated(const struct trap_case *c)
{
	return !is_tcg() || !c->not_in_qemu;
}

static void mode_with_cr0(const struct machine *m, unsigned int mode, u64 cr0)
{
	struct kvm_sregs sregs;

	vm_mode(m, mode);
	sregs = vcpu_sregs(m);
	sregs.cr0 |= cr0;
	vcpu_set_sregs(m, &sregs);
}

static void run_case(const struct machine *m, const struct trap_case *c,
		     unsigned int mode)
{
	program_t program = c->program[mode];
	struct vm_event e;

	if (!program || !emulated(c))
		return;
	mode_with_cr0(m, mode, c->cr0);
	exec_start(m, program, c->regs);
	e = vm_run_to_trap(m, c->vector);
	CHECK_EQ(e.rip, guest_address(program) + c->length);
	CHECK_EQ(e.error, mode == MODE_REAL ? 0 : idt_error(mode, c->error));
	/* On to the end, and the stack is what it was. */
	vm_return_to(m, guest_address(guest_out64));
	vm_run_to_out(m);
	CHECK_EQ((u16)vcpu_regs(m).rsp, (u16)TOOL_STACK);
}

static void test_exceptions(void)
{
	struct machine m = vm_make();
	unsigned int mode, i;

	((u64 *)(m.tool + VM_GDT))[BAD_SEL / 8] = 0x00cf13000000ffff;
	for (mode = 0; mode < MODES; mode++)
		for (i = 0; i < ARRAY_SIZE(trap_cases); i++)
			run_case(&m, &trap_cases[i], mode);
}

static void test_numeric(void)
{
	struct machine m = vm_make();

	if (is_tcg())
		tap_skip("QEMU emulates no SSE exceptions");
	exec_start(&m, guest_mf, (struct kvm_regs){ 0 });
	CHECK_EQ(vm_run_to_trap(&m, MF_VECTOR).rip, guest_label(mf_at));
	exec_start(&m, guest_xm, (struct kvm_regs){ 0 });
	CHECK_EQ(vm_run_to_trap(&m, XM_VECTOR).rip, guest_label(xm_at));
}

static void test_alignment(void)
{
	struct machine m = vm_make();
	struct vm_event e;

	if (is_tcg())
		tap_skip("QEMU checks no alignment");
	mode_with_cr0(&m, MODE_LONG, CR0_AM);
	exec_user_mode(&m);
	exec_call(&m, guest_load_rdi, (struct kvm_regs){
		.rdi = TOOL_DATA + 4, .rflags = FLAG_AC | FLAGS_IOPL });
	exec_start(&m, guest_load_rdi, (struct kvm_regs){
		.rdi = TOOL_DATA + 1, .rflags = FLAG_AC | FLAGS_IOPL });
	e = vm_run_to_trap(&m, AC_VECTOR);
	CHECK_EQ(e.rip, guest_address(guest_load_rdi));
	CHECK_EQ(e.error, 0);
}

/* ---- page faults ---- */

#define NX		(1ULL << 63)

/* Pages of 2 MiB, by number. */
enum bad_pde {
	PDE_ABSENT = 256, PDE_READ_ONLY, PDE_RESERVED, PDE_NX, PDE_USER,
	PDE_USER_READ_ONLY
};

#define LINEAR(pde)	((u64)(pde) << 21 | TOOL_DATA)

struct fault_case {
	program_t program;
	u64 linear;
	u32 error;
};

static void check_faults(const struct machine *m, const struct fault_case *c,
			 unsigned int count, bool user)
{
	struct vm_event e;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (user)
			exec_user_mode(m);
		exec_start(m, c[i].program,
			   (struct kvm_regs){ .rdi = c[i].linear });
		e = vm_run_to_trap(m, PF_VECTOR);
		CHECK_EQ(e.cr2, c[i].linear);
		/* QEMU says "not present" where a reserved bit is set. */
		CHECK_EQ(e.error, is_tcg() && c[i].error & 8 ?
			 c[i].error & ~1U : c[i].error);
		CHECK_EQ(vcpu_sregs(m).cr2, c[i].linear);
		/* A fetch faults where it went. */
		CHECK_EQ(e.rip, c[i].error & 16 ? c[i].linear :
			 guest_address(c[i].program));
	}
}

static void make_bad_pages(const struct machine *m)
{
	struct kvm_sregs sregs = vcpu_sregs(m);
	u64 *pd = (u64 *)(m->tool + TOOL_PD);

	pd[PDE_ABSENT] = 0;
	pd[PDE_READ_ONLY] = 0x81;
	pd[PDE_RESERVED] = 0x83 | 1 << 13;
	pd[PDE_NX] = 0x83 | NX;
	pd[PDE_USER] = 0x87;
	pd[PDE_USER_READ_ONLY] = 0x85;
	sregs.efer |= 0x800;
	vcpu_set_sregs(m, &sregs);
}

static void test_page_faults(void)
{
	static const struct fault_case faults[] = {
		{ guest_load_rdi, LINEAR(PDE_ABSENT), 0 },
		{ guest_store_rdi, LINEAR(PDE_ABSENT), 2 },
		{ guest_jump_rdi, LINEAR(PDE_ABSENT), 0x10 },
		{ guest_store_rdi, LINEAR(PDE_READ_ONLY), 3 },
		{ guest_load_rdi, LINEAR(PDE_RESERVED), 9 },
		{ guest_store_rdi, LINEAR(PDE_RESERVED), 0xb },
		{ guest_jump_rdi, LINEAR(PDE_NX), 0x11 },
	};
	struct machine m = vm_make();

	make_bad_pages(&m);
	check_faults(&m, faults, ARRAY_SIZE(faults), false);
	exec_call(&m, guest_load_rdi,
		  (struct kvm_regs){ .rdi = LINEAR(PDE_READ_ONLY) });
	exec_call(&m, guest_store_rdi,
		  (struct kvm_regs){ .rdi = LINEAR(PDE_NX) });
}

static void test_page_faults_user(void)
{
	static const struct fault_case faults[] = {
		{ guest_load_rdi, LINEAR(PDE_ABSENT), 4 },
		{ guest_store_rdi, LINEAR(PDE_ABSENT), 6 },
		{ guest_load_rdi, LINEAR(PDE_NX), 5 },
		{ guest_store_rdi, LINEAR(PDE_NX), 7 },
		{ guest_store_rdi, LINEAR(PDE_USER_READ_ONLY), 7 },
		{ guest_jump_rdi, LINEAR(PDE_ABSENT), 0x14 },
		{ guest_jump_rdi, LINEAR(PDE_NX), 0x15 },
	};
	struct machine m = vm_make();

	make_bad_pages(&m);
	check_faults(&m, faults, ARRAY_SIZE(faults), true);
	exec_user_mode(&m);
	exec_call(&m, guest_store_rdi, (struct kvm_regs){
		.rdi = LINEAR(PDE_USER), .rflags = FLAGS_IOPL });
}

#define PD32		(VM_BUF + 0x1000)
#define PT32		(VM_BUF + 0x2000)
#define PDPT_PAE	(VM_BUF + 0x3000)
#define PD_PAE		(VM_BUF + 0x4000)

static void paging32(const struct machine *m, u64 cr3, u64 cr4, u64 efer)
{
	struct kvm_sregs sregs;

	vm_mode(m, MODE_PROTECTED);
	sregs = vcpu_sregs(m);
	sregs.cr3 = cr3;
	sregs.cr4 |= cr4;
	sregs.cr0 |= CR0_PG | 1 << 16;
	sregs.efer = efer;
	vcpu_set_sregs(m, &sregs);
}

static void test_page_faults32(void)
{
	static const struct fault_case faults[] = {
		{ guest_load_edi32, 0x400000, 0 },
		{ guest_store_edi32, 0x400010, 2 },
		{ guest_store_edi32, 0x808000, 3 },
		{ guest_load_edi32, 0xc00000, 0 },
		{ guest_store_edi32, 0xc02004, 3 },
	};
	struct machine m = vm_make();
	u32 *pd = (u32 *)(m.tool + PD32), *pt = (u32 *)(m.tool + PT32);

	pd[0] = 0x83;
	pd[2] = 0x81;
	pd[3] = PT32 | 3;
	pt[1] = TOOL_DATA | 3;
	pt[2] = TOOL_DATA | 1;
	paging32(&m, PD32, 0x10, 0);
	check_faults(&m, faults, ARRAY_SIZE(faults), false);
	*(u32 *)(m.tool + TOOL_DATA) = 0x4711;
	CHECK_EQ(exec_call(&m, guest_load_edi32,
			   (struct kvm_regs){ .rdi = 0xc01000 }).rax, 0x4711);
}

static void test_page_faults_pae(void)
{
	static const struct fault_case faults[] = {
		{ guest_load_edi32, 0x200000, 0 },
		{ guest_store_edi32, 0x200010, 2 },
		{ guest_jump_edi32, 0x408000, 0x11 },
		{ guest_store_edi32, 0x608000, 3 },
		{ guest_load_edi32, 0x40000000, 0 },
	};
	struct machine m = vm_make();
	u64 *pdpt = (u64 *)(m.tool + PDPT_PAE), *pd = (u64 *)(m.tool + PD_PAE);

	pdpt[0] = PD_PAE | 1;
	pd[0] = 0x83;
	pd[2] = 0x83 | NX;
	pd[3] = 0x81;
	paging32(&m, PDPT_PAE, 0x20, 0x800);
	check_faults(&m, faults, ARRAY_SIZE(faults), false);
	*(u32 *)(m.tool + TOOL_DATA) = 0x4711;
	CHECK_EQ(exec_call(&m, guest_load_edi32,
			   (struct kvm_regs){ .rdi = 0x408000 }).rax, 0x4711);
}

/* ---- deliveries that an exit cuts short ---- */

enum { FORGET_MAPPINGS, FORGET_WRITABLE, FORGET_NOTHING };

/* What the host knows of the guest's memory: first uses and writes exit. */
static void forget(const struct machine *m, unsigned int how)
{
	u64 bitmap[TOOL_PAGES / 64 + 1];
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = bitmap };
	u64 size = TOOL_PAGES * PAGE;

	switch (how) {
	case FORGET_MAPPINGS:
		MUST(mprotect(m->tool, size, PROT_NONE));
		MUST(mprotect(m->tool, size, PROT_READ | PROT_WRITE));
		break;
	case FORGET_WRITABLE:
		MUST(ioctl(m->vm, KVM_GET_DIRTY_LOG, &log));
		break;
	}
}

static struct machine delivery_machine(void)
{
	struct machine m = vm_make();

	set_slot(&m, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, m.tool, TOOL_PAGES * PAGE);
	return m;
}

/* A stack whose page nothing else uses. */
#define LONELY_STACK	0xd000UL

static void check_delivery(const struct machine *m, unsigned int vector,
			   u64 rip, u32 error)
{
	struct vm_event e = vm_run_to_trap(m, vector);

	CHECK_EQ(e.rip, rip);
	CHECK_EQ(e.error, error);
	/* Once, and then never again. */
	vm_return_to(m, guest_address(guest_out64));
	vm_run_to_out(m);
	CHECK_EQ(vcpu_regs(m).rsp, LONELY_STACK);
}

static void test_delivery(void)
{
	struct machine m = delivery_machine();
	unsigned int mode, i, how;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		/* The first five raise what they are about. */
		for (i = 0; i < 5; i++) {
			const struct trap_case *c = &trap_cases[i];
			program_t program = c->program[mode];

			for (how = 0; how < FORGET_NOTHING; how++) {
				if (!emulated(c))
					continue;
				exec_start(&m, program, (struct kvm_regs){
					.rsp = LONELY_STACK });
				forget(&m, how);
				check_delivery(&m, c->vector,
					       guest_address(program) +
					       c->length, 0);
			}
		}
	}
}

static void queue_interrupt(const struct machine *m)
{
	struct kvm_interrupt irq = { .irq = 0x31 };

	MUST(ioctl(m->vcpu, KVM_INTERRUPT, &irq));
}

static void queue_gp(const struct machine *m)
{
	struct kvm_vcpu_events events;

	MUST(ioctl(m->vcpu, KVM_GET_VCPU_EVENTS, &events));
	events.exception.injected = 1;
	events.exception.nr = GP_VECTOR;
	events.exception.has_error_code = 1;
	events.exception.error_code = 0x1234;
	MUST(ioctl(m->vcpu, KVM_SET_VCPU_EVENTS, &events));
}

static void queue_nmi(const struct machine *m)
{
	MUST(ioctl(m->vcpu, KVM_NMI));
}

static void test_delivery_injected(void)
{
	static const struct {
		void (*queue)(const struct machine *m);
		u8 vector;
		u32 error;
	} event[] = {
		{ queue_interrupt, 0x31, 0 },
		{ queue_nmi, NMI_VECTOR, 0 },
		{ queue_gp, GP_VECTOR, 0x1234 },
	};
	static const program_t program[] = ALL(out);
	struct machine m = delivery_machine();
	unsigned int mode, i, how;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		for (i = 0; i < ARRAY_SIZE(event); i++) {
			for (how = 0; how <= FORGET_NOTHING; how++) {
				exec_start(&m, program[mode],
					   (struct kvm_regs){
						.rsp = LONELY_STACK });
				event[i].queue(&m);
				forget(&m, how);
				check_delivery(&m, event[i].vector,
					       guest_address(program[mode]),
					       mode == MODE_REAL ? 0 :
					       event[i].error);
			}
		}
	}
}

/* A page fault whose delivery faults in the host: CR2 is the guest's. */
static void test_delivery_page_fault(void)
{
	struct machine m = delivery_machine();
	unsigned int how;

	make_bad_pages(&m);
	for (how = 0; how < FORGET_NOTHING; how++) {
		exec_start(&m, guest_store_rdi, (struct kvm_regs){
			.rdi = LINEAR(PDE_ABSENT), .rsp = LONELY_STACK });
		forget(&m, how);
		check_delivery(&m, PF_VECTOR, guest_address(guest_store_rdi), 2);
		CHECK_EQ(vm_trap(&m)->cr2, LINEAR(PDE_ABSENT));
	}
}

/* The stack of a change from privilege level 3. */
static void test_delivery_user(void)
{
	struct machine m = delivery_machine();
	unsigned int how;

	for (how = 0; how < FORGET_NOTHING; how++) {
		exec_user_mode(&m);
		exec_start(&m, guest_ud264, (struct kvm_regs){
			.rsp = LONELY_STACK, .rflags = FLAGS_IOPL });
		forget(&m, how);
		CHECK_EQ(vm_run_to_trap(&m, UD_VECTOR).rip,
			 guest_address(guest_ud264));
		CHECK_EQ(vm_trap(&m)->frame, VM_STACK0 - 56);
		vm_return_to(&m, guest_address(guest_out64));
		vm_run_to_out(&m);
		CHECK_EQ(vcpu_regs(&m).rsp, LONELY_STACK);
	}
}

/* What cannot be delivered to MMIO is the VMM's to see. */
static void test_delivery_mmio(void)
{
	struct machine m = vm_make();
	unsigned int n;

	if (strcmp(kvm_device(), "/dev/kvmlite"))
		tap_skip("stock KVM emulates something else instead");
	for (n = 0; n < 3; n++) {
		exec_start(&m, guest_ud264,
			   (struct kvm_regs){ .rsp = MMIO_BASE + PAGE });
		vm_run_until(&m, KVM_EXIT_INTERNAL_ERROR);
		CHECK_EQ(m.run->internal.suberror,
			 KVM_INTERNAL_ERROR_DELIVERY_EV);
	}
}

/* ---- deliveries that fail in the guest ---- */

static void absent_gate(const struct machine *m, unsigned int vector)
{
	((u64 *)(m->tool + VM_IDT))[vector * 2] &= ~(1ULL << 47);
	((u64 *)(m->tool + VM_IDT32))[vector] &= ~(1ULL << 47);
}

static void test_double_fault(void)
{
	static const program_t ud2[] = ALL(ud2), int50[] = ALL(int50);
	struct machine m = vm_make();
	struct vm_event e;
	unsigned int mode;

	absent_gate(&m, UD_VECTOR);
	absent_gate(&m, GP_VECTOR);
	for (mode = MODE_PROTECTED; mode < MODES; mode++) {
		vm_mode(&m, mode);
		/* Not present is a fault of its own, */
		exec_start(&m, ud2[mode], (struct kvm_regs){ 0 });
		e = vm_run_to_trap(&m, NP_VECTOR);
		CHECK_EQ(e.error & ~1ULL,
			 idt_error(mode, UD_VECTOR * 8 + 2));
		/* ... and a double one after #GP. */
		exec_start(&m, int50[mode], (struct kvm_regs){ 0 });
		e = vm_run_to_trap(&m, DF_VECTOR);
		CHECK_EQ(e.error, 0);
	}
	/* The same after #PF. */
	vm_mode(&m, MODE_LONG);
	make_bad_pages(&m);
	absent_gate(&m, PF_VECTOR);
	exec_start(&m, guest_load_rdi,
		   (struct kvm_regs){ .rdi = LINEAR(PDE_ABSENT) });
	e = vm_run_to_trap(&m, DF_VECTOR);
	CHECK_EQ(e.error, 0);
	CHECK_EQ(e.cr2, LINEAR(PDE_ABSENT));
}

static void test_triple_fault(void)
{
	static const program_t program[] = ALL(ud2), out[] = ALL(out);
	struct kvm_sregs sregs;
	unsigned int mode, n;

	for (mode = 0; mode < MODES; mode++) {
		struct machine m = vm_make();

		for (n = 0; n < 2; n++) {
			vm_mode(&m, mode);
			sregs = vcpu_sregs(&m);
			sregs.idt.limit = 0;
			vcpu_set_sregs(&m, &sregs);
			exec_start(&m, program[mode], (struct kvm_regs){ 0 });
			vm_run_until(&m, KVM_EXIT_SHUTDOWN);
			/* A reset brings it back. */
			vm_mode(&m, mode);
			exec_call(&m, out[mode], (struct kvm_regs){ 0 });
		}
		machine_close(&m);
	}
}

/* An exception that is injected and cannot be delivered. */
static void test_triple_fault_injected(void)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs = vcpu_sregs(&m);

	sregs.idt.limit = 0;
	vcpu_set_sregs(&m, &sregs);
	exec_start(&m, guest_out64, (struct kvm_regs){ 0 });
	queue_gp(&m);
	vm_run_until(&m, KVM_EXIT_SHUTDOWN);
}

/* ---- states that cannot be ---- */

/* What the CPU does not enter; then a state that it does. */
static void test_bad_state(void)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs;
	unsigned int n;

	if (is_amd())
		tap_skip("AMD-V checks next to nothing");
	for (n = 0; n < 3; n++) {
		sregs = vcpu_sregs(&m);
		switch (n) {
		case 0:
			sregs.cs.db = 1;	/* and L */
			break;
		case 1:
			sregs.tr.type = 2;	/* an LDT */
			break;
		case 2:
			sregs.ss.type = 11;	/* code */
			break;
		}
		vcpu_set_sregs(&m, &sregs);
		exec_start(&m, guest_out64, (struct kvm_regs){ 0 });
		vm_run_until(&m, KVM_EXIT_FAIL_ENTRY);
		CHECK_EQ(m.run->fail_entry.hardware_entry_failure_reason,
			 0x80000021);
		vm_mode(&m, MODE_LONG);
		exec_call(&m, guest_out64, (struct kvm_regs){ 0 });
	}
}

static const struct tap_test tests[] = {
	{ "exceptions in each mode", test_exceptions },
	{ "numeric exceptions", test_numeric },
	{ "alignment check", test_alignment },
	{ "page faults", test_page_faults },
	{ "page faults of privilege level 3", test_page_faults_user },
	{ "page faults with 32-bit paging", test_page_faults32 },
	{ "page faults with PAE paging", test_page_faults_pae },
	{ "delivery faults in the host", test_delivery },
	{ "delivery of injected events faults in the host",
	  test_delivery_injected },
	{ "delivery of a page fault faults in the host",
	  test_delivery_page_fault },
	{ "delivery from privilege level 3 faults in the host",
	  test_delivery_user },
	{ "delivery to MMIO", test_delivery_mmio },
	{ "double faults", test_double_fault },
	{ "triple faults", test_triple_fault },
	{ "a triple fault by an injected exception",
	  test_triple_fault_injected },
	{ "states that the CPU does not enter", test_bad_state },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
