/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests for tests of execution: the small VMM of kvm_guest.h with segments,
 * interrupt tables and all three modes.  All end the test on failure; see
 * tap.h.
 *
 * vm_make() gives a VM with memory at 0 and a vCPU in 64-bit mode; vm_mode()
 * changes the mode: MODE_REAL (segments at 0), MODE_PROTECTED (32-bit, flat, no
 * paging), MODE_LONG (the first GiB one to one).  Programs of the other modes
 * are GUEST16() and GUEST32(); their code lies below 64 KiB, so that a linear
 * address is also an offset.
 *
 * A program of the guest ends with GUEST_OUT; results are in registers or at
 * TOOL_DATA.  Exceptions and interrupts of vectors 0 to 63 go to a handler that
 * notes them and tells the VMM by an OUT to TRAP_PORT; run again, and it
 * returns.  vm_run_to_out() expects the former, vm_run_to_trap() the latter.
 */
#ifndef KVM_VM_H
#define KVM_VM_H

#include "kvm_guest.h"

typedef uint16_t u16;

/* Guest physical, below TOOL_PAGES. */
#define VM_TRAP		0x0800UL	/* struct vm_trap */
#define VM_GDT		0x10000UL
#define VM_TSS		0x10800UL
#define VM_IDT		0x11000UL	/* of 64-bit mode */
#define VM_IDT32	0x12000UL
#define VM_STACK0	0x14000UL	/* after a change from CPL 3 */
#define VM_BUF		0x14000UL	/* for tests, to the end */
#define VM_BUF_SIZE	0xc000UL

#define VM_VECTORS	64
#define TRAP_PORT	0xe0

#define SEL_CODE64	0x08
#define SEL_DATA	0x10
#define SEL_CODE32	0x18
#define SEL_CODE16	0x20
#define SEL_DATA16	0x28
#define SEL_TSS		0x30	/* and 0x38 */
#define SEL_USER_CODE	0x43
#define SEL_USER_DATA	0x4b

#define DE_VECTOR	0
#define DB_VECTOR	1
#define NMI_VECTOR	2
#define BP_VECTOR	3
#define UD_VECTOR	6
#define NM_VECTOR	7
#define DF_VECTOR	8
#define TS_VECTOR	10
#define GP_VECTOR	13
#define PF_VECTOR	14
#define MF_VECTOR	16
#define AC_VECTOR	17

#define FLAG_CF		0x001
#define FLAG_ZF		0x040
#define FLAG_TF		0x100
#define FLAG_IF		0x200
#define FLAG_DF		0x400
#define FLAGS_STATUS	0x8d5	/* OF SF ZF AF PF CF */

enum vm_mode { MODE_REAL, MODE_PROTECTED, MODE_LONG };

#define GUEST16(name, code)	GUEST(name, ".code16\n\t" code "\n\t.code64")
#define GUEST32(name, code)	GUEST(name, ".code32\n\t" code "\n\t.code64")

/* Where a label in a program is: for use in the code of a program. */
#define GUEST_LABEL(label)	"(" label " - __start_guest_code + 0x4000)"

/* ---- exceptions and interrupts ---- */

/**
 * struct vm_trap - what the handler notes; the addresses are in its code
 * @frame:	guest address of the vector, the error code and the CPU's frame
 * @cr2:	the register
 * @bits:	of the mode: 16 (no error code in the frame), 32 or 64
 */
struct vm_trap {
	u64 frame;
	u64 cr2;
	u64 bits;
};

struct vm_frame64 {
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

struct vm_frame32 {
	u32 vector, error, eip, cs, eflags;
};

struct vm_frame16 {
	u16 vector, ip, cs, flags;
};

#define VM_STUB_SIZE	16

/* Push an error code if the CPU did not, then the vector. */
#define VM_STUBS(common)						\
	".set i, 0\n\t"							\
	".rept 64\n\t"							\
	".balign 16, 0x90\n\t"						\
	".if i != 8 && i != 17 && (i < 10 || i > 14)\n\t"		\
	".byte 0x6a, 0\n\t"						\
	".endif\n\t"							\
	".byte 0x6a, i\n\t"						\
	"jmp " common "\n\t"						\
	".set i, i + 1\n\t"						\
	".endr\n\t"

GUEST_FUNCTION __attribute__((aligned(16)))
static void vm_stubs64(void)
{
	__asm__ volatile(VM_STUBS("vm_trap64")
			 "vm_trap64: push %rax\n\t"
			 "mov %cr2, %rax\n\t"
			 "mov %rax, 0x808\n\t"
			 "lea 8(%rsp), %rax\n\t"
			 "mov %rax, 0x800\n\t"
			 "movq $64, 0x810\n\t"
			 "pop %rax\n\t"
			 "out %al, $0xe0\n\t"
			 "add $16, %rsp\n\t"
			 "iretq");
}

GUEST_FUNCTION __attribute__((aligned(16)))
static void vm_stubs32(void)
{
	__asm__ volatile(".code32\n\t"
			 VM_STUBS("vm_trap32")
			 "vm_trap32: push %eax\n\t"
			 "mov %cr2, %eax\n\t"
			 "mov %eax, 0x808\n\t"
			 "lea 4(%esp), %eax\n\t"
			 "mov %eax, 0x800\n\t"
			 "movl $32, 0x810\n\t"
			 "pop %eax\n\t"
			 "out %al, $0xe0\n\t"
			 "add $8, %esp\n\t"
			 "iretl\n\t"
			 ".code64");
}

GUEST_FUNCTION __attribute__((aligned(16)))
static void vm_stubs16(void)
{
	__asm__ volatile(".code16\n\t"
			 ".set i, 0\n\t"
			 ".rept 64\n\t"
			 ".balign 16, 0x90\n\t"
			 ".byte 0x6a, i\n\t"
			 "jmp vm_trap16\n\t"
			 ".set i, i + 1\n\t"
			 ".endr\n"
			 "vm_trap16: movw %sp, %cs:0x800\n\t"
			 "movw $16, %cs:0x810\n\t"
			 "out %al, $0xe0\n\t"
			 "add $2, %sp\n\t"
			 "iretw\n\t"
			 ".code64");
}

static inline void vm_set_gate(const struct machine *m, unsigned int vector,
			       u64 address)
{
	u64 *gate = (u64 *)(m->tool + VM_IDT) + vector * 2;

	gate[0] = (address & 0xffff) | SEL_CODE64 << 16 | 0x8eULL << 40 |
		  (address >> 16 & 0xffff) << 48;
	gate[1] = address >> 32;
}

static inline void vm_set_gate32(const struct machine *m, unsigned int vector,
				 u32 address)
{
	u64 *gate = (u64 *)(m->tool + VM_IDT32) + vector;

	*gate = (address & 0xffff) | SEL_CODE32 << 16 | 0x8eULL << 40 |
		(u64)(address >> 16) << 48;
}

static inline void vm_set_gate16(const struct machine *m, unsigned int vector,
				 u16 address)
{
	((u32 *)m->tool)[vector] = address;
}

static inline void vm_make_tables(const struct machine *m)
{
	u64 *gdt = (u64 *)(m->tool + VM_GDT);
	unsigned int i;

	gdt[SEL_CODE64 / 8] = 0x00af9b000000ffff;
	gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
	gdt[SEL_CODE32 / 8] = 0x00cf9b000000ffff;
	gdt[SEL_CODE16 / 8] = 0x00009b000000ffff;
	gdt[SEL_DATA16 / 8] = 0x000093000000ffff;
	gdt[SEL_TSS / 8] = 0x00008b0000000067 | VM_TSS << 16;
	gdt[SEL_USER_CODE / 8] = 0x00affb000000ffff;
	gdt[SEL_USER_DATA / 8] = 0x00cff3000000ffff;
	/* RSP0 of a 64-bit TSS. */
	*(u64 *)(m->tool + VM_TSS + 4) = VM_STACK0;
	for (i = 0; i < VM_VECTORS; i++) {
		vm_set_gate(m, i, guest_address(vm_stubs64) + i * VM_STUB_SIZE);
		vm_set_gate32(m, i, guest_address(vm_stubs32) + i * VM_STUB_SIZE);
		vm_set_gate16(m, i, guest_address(vm_stubs16) + i * VM_STUB_SIZE);
	}
}

/* ---- modes ---- */

static inline struct kvm_segment vm_segment(enum vm_mode mode, bool code)
{
	struct kvm_segment segment = flat_segment(code);

	if (mode == MODE_LONG)
		return segment;
	segment.l = 0;
	segment.db = mode == MODE_PROTECTED;
	segment.selector = code ? SEL_CODE32 : SEL_DATA;
	if (mode == MODE_REAL) {
		segment.type = code ? 11 : 3;
		segment.limit = 0xffff;
		segment.g = 0;
		segment.selector = 0;
	}
	return segment;
}

static inline void vm_mode_sregs(enum vm_mode mode, struct kvm_sregs *sregs)
{
	long_mode_sregs(sregs);
	sregs->cs = vm_segment(mode, true);
	sregs->ds = vm_segment(mode, false);
	sregs->es = sregs->ds;
	sregs->fs = sregs->ds;
	sregs->gs = sregs->ds;
	sregs->ss = sregs->ds;
	sregs->gdt = (struct kvm_dtable){ .base = VM_GDT, .limit = 0x7f };
	sregs->idt = (struct kvm_dtable){ .base = VM_IDT,
					  .limit = VM_VECTORS * 16 - 1 };
	sregs->tr = (struct kvm_segment){
		.base = VM_TSS, .limit = 0x67, .selector = SEL_TSS, .type = 11,
		.present = 1,
	};
	if (mode == MODE_LONG)
		return;
	sregs->efer = 0;
	sregs->cr4 = 0x600;	/* OSXMMEXCPT OSFXSR */
	sregs->cr0 = 0x33;	/* NE ET MP PE */
	sregs->idt = (struct kvm_dtable){ .base = VM_IDT32,
					  .limit = VM_VECTORS * 8 - 1 };
	if (mode == MODE_PROTECTED)
		return;
	sregs->cr0 = 0x32;
	sregs->idt = (struct kvm_dtable){ .base = 0, .limit = 0x3ff };
}

static inline struct kvm_sregs vcpu_sregs(const struct machine *m)
{
	struct kvm_sregs sregs;

	MUST(ioctl(m->vcpu, KVM_GET_SREGS, &sregs));
	return sregs;
}

static inline void vcpu_set_sregs(const struct machine *m,
				  const struct kvm_sregs *sregs)
{
	MUST(ioctl(m->vcpu, KVM_SET_SREGS, sregs));
}

static inline void vcpu_set_regs(const struct machine *m,
				 const struct kvm_regs *regs)
{
	MUST(ioctl(m->vcpu, KVM_SET_REGS, regs));
}

static inline void vm_mode(const struct machine *m, enum vm_mode mode)
{
	struct kvm_sregs sregs = vcpu_sregs(m);

	vm_mode_sregs(mode, &sregs);
	vcpu_set_sregs(m, &sregs);
}

static inline struct machine vm_make_size(u64 size)
{
	struct machine m = machine_make_size(size);

	vm_make_tables(&m);
	vm_mode(&m, MODE_LONG);
	return m;
}

static inline struct machine vm_make(void)
{
	return vm_make_size(TOOL_PAGES * PAGE);
}

/* Another vCPU with its own stack below the first one's. */
static inline struct machine vm_sibling(const struct machine *m, u32 id)
{
	struct machine sibling = machine_sibling(m, id);

	vm_mode(&sibling, MODE_LONG);
	return sibling;
}

/* ---- running ---- */

static inline const struct vm_trap *vm_trap(const struct machine *m)
{
	return (struct vm_trap *)(m->tool + VM_TRAP);
}

static inline void *vm_frame(const struct machine *m)
{
	const struct vm_trap *trap = vm_trap(m);

	return m->tool + (trap->bits == 16 ? (u16)trap->frame : trap->frame);
}

/* The same for all modes. */
struct vm_event {
	u64 vector, error, rip, rflags, cr2;
};

static inline struct vm_event vm_event(const struct machine *m)
{
	const struct vm_frame64 *f64 = vm_frame(m);
	const struct vm_frame32 *f32 = vm_frame(m);
	const struct vm_frame16 *f16 = vm_frame(m);
	u64 cr2 = vm_trap(m)->cr2;

	switch (vm_trap(m)->bits) {
	case 16:
		return (struct vm_event){ f16->vector, 0, f16->ip, f16->flags, 0 };
	case 32:
		return (struct vm_event){ f32->vector, f32->error, f32->eip,
					  f32->eflags, cr2 };
	default:
		return (struct vm_event){ f64->vector, f64->error, f64->rip,
					  f64->rflags, cr2 };
	}
}

/* Where the handler returns to, when it runs on. */
static inline void vm_return_to(const struct machine *m, u64 rip)
{
	switch (vm_trap(m)->bits) {
	case 16:
		((struct vm_frame16 *)vm_frame(m))->ip = rip;
		return;
	case 32:
		((struct vm_frame32 *)vm_frame(m))->eip = rip;
		return;
	default:
		((struct vm_frame64 *)vm_frame(m))->rip = rip;
	}
}

static inline bool vm_trapped(const struct machine *m)
{
	return m->run->exit_reason == KVM_EXIT_IO &&
	       m->run->io.direction == KVM_EXIT_IO_OUT &&
	       m->run->io.port == TRAP_PORT;
}

static inline void vm_check_exit(const struct machine *m, u32 reason,
				 const char *name, const char *file, int line)
{
	struct vm_event e;

	if (vm_trapped(m)) {
		e = vm_event(m);
		tap_fail("%s:%d: KVM_RUN: expected %s, got vector %llu in the guest at %llx (error code %llx, CR2 %llx)",
			 file, line, name, (unsigned long long)e.vector,
			 (unsigned long long)e.rip, (unsigned long long)e.error,
			 (unsigned long long)e.cr2);
	}
	if (m->run->exit_reason == KVM_EXIT_MMIO && reason != KVM_EXIT_MMIO)
		tap_fail("%s:%d: KVM_RUN: expected %s, got MMIO at %llx", file,
			 line, name,
			 (unsigned long long)m->run->mmio.phys_addr);
	if (m->run->exit_reason != reason)
		tap_fail("%s:%d: KVM_RUN: expected %s, got exit reason %u (suberror %u) at %llx",
			 file, line, name, m->run->exit_reason,
			 m->run->internal.suberror,
			 (unsigned long long)vcpu_regs(m).rip);
}

static inline void vm_run_until_at(const struct machine *m, u32 reason,
				   const char *name, const char *file, int line)
{
	if (vcpu_run(m))
		tap_fail("%s:%d: KVM_RUN: expected %s, got %s", file, line, name,
			 strerrorname_np(errno));
	vm_check_exit(m, reason, name, file, line);
}

/* As vcpu_run_until(), but a trap is never what is expected. */
#define vm_run_until(m, reason) \
	vm_run_until_at(m, reason, #reason, __FILE_NAME__, __LINE__)

static inline void vm_run_to_out_at(const struct machine *m, const char *file,
				    int line)
{
	vm_run_until_at(m, KVM_EXIT_IO, "an OUT", file, line);
	if (m->run->io.port != PORT)
		tap_fail("%s:%d: KVM_RUN: expected port %x, got %x", file, line,
			 PORT, m->run->io.port);
}

/* Until the program ends. */
#define vm_run_to_out(m)	vm_run_to_out_at(m, __FILE_NAME__, __LINE__)

static inline struct vm_event
vm_run_to_trap_at(const struct machine *m, unsigned int vector, const char *file,
		  int line)
{
	struct vm_event event;

	if (vcpu_run(m))
		tap_fail("%s:%d: KVM_RUN: expected vector %u, got %s", file, line,
			 vector, strerrorname_np(errno));
	if (!vm_trapped(m))
		tap_fail("%s:%d: KVM_RUN: expected vector %u, got exit reason %u (suberror %u) at %llx",
			 file, line, vector, m->run->exit_reason,
			 m->run->internal.suberror,
			 (unsigned long long)vcpu_regs(m).rip);
	event = vm_event(m);
	if (event.vector != vector)
		tap_fail("%s:%d: KVM_RUN: expected vector %u, got %llu at %llx",
			 file, line, vector, (unsigned long long)event.vector,
			 (unsigned long long)event.rip);
	return event;
}

/* Until the handler has noted this exception or interrupt. */
#define vm_run_to_trap(m, vector) \
	vm_run_to_trap_at(m, vector, __FILE_NAME__, __LINE__)

/* Run a program to its end. */
#define vm_call(m, program, rdi, rsi, rdx) do {				\
	const struct machine *__vm = (m);				\
									\
	guest_start(__vm, program, rdi, rsi, rdx);			\
	vm_run_to_out(__vm);						\
} while (0)

/* The address of a label that is visible in C. */
static inline u64 guest_label(const char *label)
{
	return TOOL_CODE + (label - __start_guest_code);
}

/* Data that the VMM gives for, or gets from, an exit for PIO. */
static inline void *vcpu_io_data(const struct machine *m)
{
	return (char *)m->run + m->run->io.data_offset;
}

#endif /* KVM_VM_H */
