/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Short programs for the guests of kvm_vm.h: a few instructions, run with
 * registers that the VMM chooses, which end with an OUT or fault.
 *
 * For the vtx host, with kvmlite or stock KVM.  Under QEMU's AMD-V, stock KVM
 * fails some of these tests: the emulation has no INT1, alignment checks,
 * breakpoints of guests and #BP exits, and checks little of what guests write.
 */
#ifndef KVM_EXEC_H
#define KVM_EXEC_H

#include "kvm_vm.h"

#define MODES		3

/* The same program for each mode; it begins with the instruction in question. */
#define GUEST_ALL(name, ...)						\
static void guest_##name##16(void);					\
GUEST16(name##16, __VA_ARGS__)						\
GUEST32(name##32, __VA_ARGS__)						\
GUEST(name##64, __VA_ARGS__)

#define ALL(name)	{ guest_##name##16, guest_##name##32, guest_##name##64 }

/* Labels in programs, for guest_label(). */
#define GUEST_LABELS(...)	extern const char __VA_ARGS__

#define CR0_PE		(1UL << 0)
#define CR0_EM		(1UL << 2)
#define CR0_TS		(1UL << 3)
#define CR0_NW		(1UL << 29)
#define CR0_CD		(1UL << 30)
#define CR0_PG		(1UL << 31)
#define CR4_TSD		(1UL << 2)
#define CR4_DE		(1UL << 3)
#define CR4_PGE		(1UL << 7)
#define CR4_OSXSAVE	(1UL << 18)

#define FLAGS_IOPL	0x3000

typedef void (*program_t)(void);

/* For tests of what the CPU or the hypervisor refuses. */
static inline void exec_needs_checks(void)
{
	if (is_amd())
		tap_skip("QEMU's AMD-V emulation checks little of what guests write");
}

/* Registers that are 0 get what every program needs. */
static inline void exec_start(const struct machine *m, program_t program,
			      struct kvm_regs regs)
{
	regs.rip = guest_address(program);
	regs.rflags |= RFLAGS;
	regs.rsp = regs.rsp ?: TOOL_STACK;
	vcpu_complete(m);
	vcpu_set_regs(m, &regs);
}

static inline struct kvm_regs exec_call(const struct machine *m, program_t program,
					struct kvm_regs regs)
{
	exec_start(m, program, regs);
	vm_run_to_out(m);
	return vcpu_regs(m);
}

/* The program's first instruction faults. */
static inline struct vm_event exec_fault(const struct machine *m, program_t program,
					 struct kvm_regs regs, unsigned int vector)
{
	struct vm_event e;

	exec_start(m, program, regs);
	e = vm_run_to_trap(m, vector);
	CHECK_EQ(e.rip, guest_address(program));
	CHECK_EQ(e.error, 0);
	return e;
}

/*
 * To privilege level 3, until the next exception; the lower half of the GiB is
 * for everybody then, and with FLAGS_IOPL so is OUT.
 */
static inline void exec_user_mode(const struct machine *m)
{
	struct kvm_sregs sregs = vcpu_sregs(m);
	u64 *pd = (u64 *)(m->tool + TOOL_PD);
	unsigned int i;

	*(u64 *)(m->tool + TOOL_PML4) |= 4;
	*(u64 *)(m->tool + TOOL_PDPT) |= 4;
	for (i = 0; i < 256; i++)
		pd[i] |= 4;
	sregs.cs.selector = SEL_USER_CODE;
	sregs.cs.dpl = 3;
	sregs.ss.selector = SEL_USER_DATA;
	sregs.ss.dpl = 3;
	sregs.ds = sregs.ss;
	sregs.es = sregs.ss;
	vcpu_set_sregs(m, &sregs);
}

#endif /* KVM_EXEC_H */
