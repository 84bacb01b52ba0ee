// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a vCPU: what is set is what comes back, and what the guest
 * sees; what the guest changes is what is read.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/syscall.h>

#include "kvm_guest.h"

/* Each stores at rdi what it sees, and some change it afterwards. */

GUEST_FUNCTION
static void guest_regs(void)
{
	__asm__ volatile("mov %rax, (%rdi)\n\t"
			 "mov %rbx, 8(%rdi)\n\t"
			 "mov %rcx, 16(%rdi)\n\t"
			 "mov %rdx, 24(%rdi)\n\t"
			 "mov %rsi, 32(%rdi)\n\t"
			 "mov %rbp, 40(%rdi)\n\t"
			 "mov %rsp, 48(%rdi)\n\t"
			 "mov %r8, 56(%rdi)\n\t"
			 "mov %r9, 64(%rdi)\n\t"
			 "mov %r10, 72(%rdi)\n\t"
			 "mov %r11, 80(%rdi)\n\t"
			 "mov %r12, 88(%rdi)\n\t"
			 "mov %r13, 96(%rdi)\n\t"
			 "mov %r14, 104(%rdi)\n\t"
			 "mov %r15, 112(%rdi)\n\t"
			 "pushfq\n\t"
			 "popq 120(%rdi)\n\t"
			 "not %rax\n\t"
			 "not %rbx\n\t"
			 "not %rcx\n\t"
			 "not %rdx\n\t"
			 "not %rsi\n\t"
			 "not %rbp\n\t"
			 "not %r8\n\t"
			 "not %r9\n\t"
			 "not %r10\n\t"
			 "not %r11\n\t"
			 "not %r12\n\t"
			 "not %r13\n\t"
			 "not %r14\n\t"
			 "not %r15\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_sregs(void)
{
	__asm__ volatile("mov %fs:0, %rax\n\t"
			 "mov %rax, (%rdi)\n\t"
			 "mov %gs:0, %rax\n\t"
			 "mov %rax, 8(%rdi)\n\t"
			 "sgdt 16(%rdi)\n\t"
			 "sidt 32(%rdi)\n\t"
			 "str 48(%rdi)\n\t"
			 "sldt 50(%rdi)\n\t"
			 "mov %cr2, %rax\n\t"
			 "mov %rax, 56(%rdi)\n\t"
			 "mov %cr3, %rax\n\t"
			 "mov %rax, 64(%rdi)\n\t"
			 "mov %cr4, %rax\n\t"
			 "mov %rax, 72(%rdi)\n\t"
			 "mov %cr8, %rax\n\t"
			 "mov %rax, 80(%rdi)\n\t"
			 "mov %cr0, %rax\n\t"
			 "mov %rax, 88(%rdi)\n\t"
			 "mov $0x123456789a, %rax\n\t"
			 "mov %rax, %cr2\n\t"
			 "mov $3, %eax\n\t"
			 "mov %rax, %cr8\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_fpu(void)
{
	__asm__ volatile("movups %xmm0, (%rdi)\n\t"
			 "movups %xmm15, 16(%rdi)\n\t"
			 "fnstcw 32(%rdi)\n\t"
			 "stmxcsr 36(%rdi)\n\t"
			 "fstpl 40(%rdi)\n\t"
			 "pcmpeqd %xmm1, %xmm1\n\t"
			 "fninit\n\t"
			 "fld1\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_ymm(void)
{
	__asm__ volatile("vmovups %ymm3, (%rdi)\n\t"
			 "vmovups 32(%rdi), %ymm5\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_xrstor(void)
{
	__asm__ volatile("mov $3, %eax\n\t"
			 "xor %edx, %edx\n\t"
			 "xrstor (%rdi)\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_xsave(void)
{
	__asm__ volatile("mov $3, %eax\n\t"
			 "xor %edx, %edx\n\t"
			 "xsave (%rdi)\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_xgetbv(void)
{
	__asm__ volatile("xor %ecx, %ecx\n\t"
			 "xgetbv\n\t"
			 "mov %eax, (%rdi)\n\t"
			 "mov %edx, 4(%rdi)\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_debugregs(void)
{
	__asm__ volatile("mov %dr0, %rax\n\t"
			 "mov %rax, (%rdi)\n\t"
			 "mov %dr3, %rax\n\t"
			 "mov %rax, 8(%rdi)\n\t"
			 "mov %dr6, %rax\n\t"
			 "mov %rax, 16(%rdi)\n\t"
			 "mov %dr7, %rax\n\t"
			 "mov %rax, 24(%rdi)\n\t"
			 "mov %rsi, %dr1\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_cpuid(void)
{
	__asm__ volatile("mov %esi, %eax\n\t"
			 "mov %edx, %ecx\n\t"
			 "cpuid\n\t"
			 "mov %eax, (%rdi)\n\t"
			 "mov %ebx, 4(%rdi)\n\t"
			 "mov %ecx, 8(%rdi)\n\t"
			 "mov %edx, 12(%rdi)\n\t"
			 GUEST_OUT);
}

GUEST_FUNCTION
static void guest_show(void)
{
	__asm__ volatile("1: mov %r8, (%rdi)\n\t"
			 "incq 8(%rdi)\n\t"
			 "out %al, $0x10\n\t"
			 "jmp 1b");
}

GUEST_FUNCTION
static void guest_spin(void)
{
	__asm__ volatile("1: incq (%rdi)\n\t"
			 "jmp 1b");
}

static void *data_of(const struct machine *m)
{
	return m->tool + TOOL_DATA;
}

/* ---- registers ---- */

static void test_regs(void)
{
	struct machine m = machine_make();
	struct kvm_regs regs, want;
	u64 *seen = data_of(&m), *reg = (u64 *)&regs;
	unsigned int i;

	/* In the order of the struct: rax rbx rcx rdx rsi rdi rsp rbp r8... */
	for (i = 0; i < 16; i++)
		reg[i] = 0x8877665544332200 + i * 0x0101010101010101;
	regs.rdi = TOOL_DATA;
	regs.rsp = TOOL_STACK;
	regs.rip = guest_address(guest_regs);
	regs.rflags = 0xad7;
	want = regs;
	MUST(ioctl(m.vcpu, KVM_SET_REGS, &regs));
	regs = vcpu_regs(&m);
	CHECK(!memcmp(&regs, &want, sizeof(regs)));
	vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(seen[0], want.rax);
	CHECK_EQ(seen[1], want.rbx);
	CHECK_EQ(seen[2], want.rcx);
	CHECK_EQ(seen[3], want.rdx);
	CHECK_EQ(seen[4], want.rsi);
	CHECK_EQ(seen[5], want.rbp);
	CHECK_EQ(seen[6], want.rsp);
	for (i = 0; i < 8; i++)
		CHECK_EQ(seen[7 + i], (&want.r8)[i]);
	CHECK_EQ(seen[15], want.rflags);
	regs = vcpu_regs(&m);
	CHECK_EQ(regs.rax, ~want.rax);
	CHECK_EQ(regs.rbx, ~want.rbx);
	CHECK_EQ(regs.rcx, ~want.rcx);
	CHECK_EQ(regs.rdx, ~want.rdx);
	CHECK_EQ(regs.rsi, ~want.rsi);
	CHECK_EQ(regs.rbp, ~want.rbp);
	CHECK_EQ(regs.rdi, want.rdi);
	CHECK_EQ(regs.rsp, want.rsp);
	for (i = 0; i < 8; i++)
		CHECK_EQ((&regs.r8)[i], ~(&want.r8)[i]);
	/* Bit 1 of the flags is always set. */
	regs.rflags = 0;
	MUST(ioctl(m.vcpu, KVM_SET_REGS, &regs));
	CHECK_EQ(vcpu_regs(&m).rflags, 2);
}

struct descriptor_table {
	uint16_t limit;
	u64 base;
} __attribute__((packed));

struct seen_sregs {
	u64 fs;
	u64 gs;
	struct descriptor_table gdt;
	u8 pad0[6];
	struct descriptor_table idt;
	u8 pad1[6];
	uint16_t tr;
	uint16_t ldt;
	u8 pad2[4];
	u64 cr2, cr3, cr4, cr8, cr0;
};

static void make_special(const struct machine *m, struct kvm_sregs *sregs)
{
	*(u64 *)(m->tool + 0xa000) = 0xf5f5f5f5;
	*(u64 *)(m->tool + 0xa100) = 0xa5a5a5a5;
	sregs->fs.base = 0xa000;
	sregs->gs.base = 0xa100;
	sregs->gdt = (struct kvm_dtable){ .base = 0xb000, .limit = 0x7f };
	sregs->idt = (struct kvm_dtable){ .base = 0xc000, .limit = 0xfff };
	sregs->tr = (struct kvm_segment){
		.base = 0xd000, .limit = 0x67, .selector = 0x40, .type = 11,
		.present = 1,
	};
	sregs->ldt = (struct kvm_segment){
		.base = 0xe000, .limit = 0x37, .selector = 0x50, .type = 2,
		.present = 1,
	};
	sregs->cr2 = 0xfedcba9876;
	sregs->cr4 |= 0x80;	/* PGE */
	sregs->cr8 = 7;
}

static void check_special(const struct machine *m, const struct kvm_sregs *want)
{
	const struct seen_sregs *seen = data_of(m);

	CHECK_EQ(seen->fs, 0xf5f5f5f5);
	CHECK_EQ(seen->gs, 0xa5a5a5a5);
	CHECK_EQ(seen->gdt.base, want->gdt.base);
	CHECK_EQ(seen->gdt.limit, want->gdt.limit);
	CHECK_EQ(seen->idt.base, want->idt.base);
	CHECK_EQ(seen->idt.limit, want->idt.limit);
	CHECK_EQ(seen->tr, want->tr.selector);
	CHECK_EQ(seen->ldt, want->ldt.selector);
	CHECK_EQ(seen->cr0, want->cr0);
	CHECK_EQ(seen->cr2, want->cr2);
	CHECK_EQ(seen->cr3, want->cr3);
	CHECK_EQ(seen->cr4, want->cr4);
	CHECK_EQ(seen->cr8, want->cr8);
}

static void check_same_segment(const struct kvm_segment *got,
			       const struct kvm_segment *want, const char *name)
{
	if (memcmp(got, want, sizeof(*got)))
		tap_fail("%s differs: base %llx limit %x selector %x type %u present %u dpl %u db %u s %u l %u g %u unusable %u",
			 name, got->base, got->limit, got->selector, got->type,
			 got->present, got->dpl, got->db, got->s, got->l, got->g,
			 got->unusable);
}

/* All but what stands behind the segments of a struct kvm_sregs2. */
static void check_same_sregs(const struct kvm_sregs *got,
			     const struct kvm_sregs *want)
{
	check_same_segment(&got->cs, &want->cs, "CS");
	check_same_segment(&got->ds, &want->ds, "DS");
	check_same_segment(&got->es, &want->es, "ES");
	check_same_segment(&got->fs, &want->fs, "FS");
	check_same_segment(&got->gs, &want->gs, "GS");
	check_same_segment(&got->ss, &want->ss, "SS");
	check_same_segment(&got->tr, &want->tr, "TR");
	check_same_segment(&got->ldt, &want->ldt, "LDTR");
	CHECK(!memcmp(&got->gdt, &want->gdt, sizeof(got->gdt)));
	CHECK(!memcmp(&got->idt, &want->idt, sizeof(got->idt)));
	CHECK_EQ(got->cr0, want->cr0);
	CHECK_EQ(got->cr2, want->cr2);
	CHECK_EQ(got->cr3, want->cr3);
	CHECK_EQ(got->cr4, want->cr4);
	CHECK_EQ(got->cr8, want->cr8);
	CHECK_EQ(got->efer, want->efer);
	CHECK_EQ(got->apic_base, want->apic_base);
}

static void test_sregs(void)
{
	struct machine m = machine_make();
	struct kvm_sregs sregs, want;

	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	make_special(&m, &sregs);
	want = sregs;
	MUST(ioctl(m.vcpu, KVM_SET_SREGS, &sregs));
	memset(&sregs, 0, sizeof(sregs));
	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	check_same_sregs(&sregs, &want);
	CHECK(!memcmp(sregs.interrupt_bitmap, want.interrupt_bitmap,
		      sizeof(want.interrupt_bitmap)));
	m.run->cr8 = want.cr8;
	guest_start(&m, guest_sregs, TOOL_DATA, 0, 0);
	/* A priority that the guest lowers is news for the VMM's APIC. */
	vcpu_run_until(&m, KVM_EXIT_SET_TPR);
	vcpu_run_until(&m, KVM_EXIT_IO);
	check_special(&m, &want);
	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	CHECK_EQ(sregs.cr2, 0x123456789a);
	CHECK_EQ(sregs.cr8, 3);
	CHECK_EQ(m.run->cr8, 3);
	CHECK_EQ(m.run->apic_base, sregs.apic_base);
}

/* After reset, as the SDM has it (volume 3, table 10-1). */
static void test_reset(void)
{
	struct machine m = machine_bare();
	struct kvm_sregs sregs;
	struct kvm_regs regs = vcpu_regs(&m);

	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	CHECK_EQ(regs.rip, 0xfff0);
	CHECK_EQ(regs.rflags, 2);
	CHECK_EQ(sregs.cr0, 0x60000010);
	CHECK_EQ(sregs.cr3, 0);
	CHECK_EQ(sregs.cr4, 0);
	CHECK_EQ(sregs.efer, 0);
	CHECK_EQ(sregs.cs.base, 0xffff0000);
	CHECK_EQ(sregs.cs.selector, 0xf000);
	CHECK_EQ(sregs.cs.limit, 0xffff);
	CHECK_EQ(sregs.ds.base, 0);
	CHECK_EQ(sregs.ds.limit, 0xffff);
	CHECK_EQ(sregs.idt.limit, 0xffff);
	CHECK_EQ(sregs.gdt.limit, 0xffff);
	CHECK_EQ(sregs.apic_base & 0xfffff000, 0xfee00000);
}

static void test_sregs2(void)
{
	struct machine m = machine_make();
	struct kvm_sregs2 sregs2;
	struct kvm_sregs sregs;

	if (!has_cap(m.kvm, KVM_CAP_SREGS2))
		tap_skip("no SREGS2");
	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	MUST(ioctl(m.vcpu, KVM_GET_SREGS2, &sregs2));
	CHECK_EQ(sregs2.flags, 0);
	CHECK(!memcmp(&sregs2, &sregs, offsetof(struct kvm_sregs2, flags)));
	make_special(&m, &sregs);
	memcpy(&sregs2, &sregs, offsetof(struct kvm_sregs2, flags));
	MUST(ioctl(m.vcpu, KVM_SET_SREGS2, &sregs2));
	m.run->cr8 = sregs2.cr8;
	guest_start(&m, guest_sregs, TOOL_DATA, 0, 0);
	/* A priority that the guest lowers is news for the VMM's APIC. */
	vcpu_run_until(&m, KVM_EXIT_SET_TPR);
	vcpu_run_until(&m, KVM_EXIT_IO);
	check_special(&m, &sregs);
}

/* ---- FPU ---- */

static void test_fpu(void)
{
	static const u8 two[10] = { [7] = 0x80, [9] = 0x40 };
	static const u8 one[10] = { [7] = 0x80, 0xff, 0x3f };
	struct machine m = machine_make();
	u8 *seen = data_of(&m);
	struct kvm_fpu fpu, want;
	double number;

	MUST(ioctl(m.vcpu, KVM_GET_FPU, &fpu));
	CHECK_EQ(fpu.fcw, 0x37f);
	/* Stock KVM loses what is set before the guest has used its FPU. */
	guest_call(&m, guest_fpu, TOOL_DATA, 0, 0);
	MUST(ioctl(m.vcpu, KVM_GET_FPU, &fpu));
	memset(fpu.xmm, 0x5a, sizeof(fpu.xmm));
	memset(fpu.xmm[15], 0xa5, 16);
	memcpy(fpu.fpr[0], two, sizeof(two));
	fpu.fsw = 0;	/* the top of the stack is register 0 */
	fpu.ftwx = 1;	/* which is in use */
	fpu.fcw = 0x27f;
	want = fpu;
	MUST(ioctl(m.vcpu, KVM_SET_FPU, &fpu));
	memset(&fpu, 0, sizeof(fpu));
	MUST(ioctl(m.vcpu, KVM_GET_FPU, &fpu));
	CHECK(!memcmp(fpu.xmm, want.xmm, sizeof(fpu.xmm)));
	CHECK(!memcmp(fpu.fpr[0], two, sizeof(two)));
	CHECK_EQ(fpu.fcw, want.fcw);
	CHECK_EQ(fpu.ftwx, want.ftwx);
	guest_call(&m, guest_fpu, TOOL_DATA, 0, 0);
	CHECK(!memcmp(seen, want.xmm[0], 16));
	CHECK(!memcmp(seen + 16, want.xmm[15], 16));
	CHECK_EQ(*(uint16_t *)(seen + 32), want.fcw);
	/* Stock KVM takes MXCSR from nobody here. */
	CHECK_EQ(*(u32 *)(seen + 36), 0x1f80);
	memcpy(&number, seen + 40, sizeof(number));
	CHECK(number == 2.0);
	MUST(ioctl(m.vcpu, KVM_GET_FPU, &fpu));
	CHECK_EQ(*(u64 *)fpu.xmm[1], ~0ULL);
	CHECK_EQ(fpu.fcw, 0x37f);
	CHECK(!memcmp(fpu.fpr[0], one, sizeof(one)));
}

/* The vCPU may use SSE and AVX; false if there is no AVX. */
static bool enable_avx(const struct machine *m)
{
	struct kvm_xcrs xcrs = {
		.nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = 7 },
	};
	struct kvm_cpuid_entry2 *e;
	struct kvm_sregs sregs;
	struct cpuid_list list;

	cpuid_get_supported(m->kvm, &list);
	e = cpuid_find(&list, 1, 0);
	if (!e || !(e->ecx & 1 << 28))
		return false;
	MUST(ioctl(m->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cr4 |= 1 << 18;	/* OSXSAVE */
	MUST(ioctl(m->vcpu, KVM_SET_SREGS, &sregs));
	MUST(ioctl(m->vcpu, KVM_SET_XCRS, &xcrs));
	return true;
}

/* Offsets of the standard format of XSAVE. */
#define XSAVE_XMM	160
#define XSAVE_XSTATE_BV	512
#define XSAVE_YMM	576

static void xsave_round_trip(const struct machine *m, unsigned long get,
			     u8 *area, size_t size)
{
	u8 *seen = data_of(m), *want = malloc(size);
	unsigned int i;

	MUST(ioctl(m->vcpu, get, area));
	for (i = 0; i < 16; i++) {
		area[XSAVE_XMM + 3 * 16 + i] = i;
		area[XSAVE_YMM + 3 * 16 + i] = 16 + i;
		seen[32 + i] = 0x40 + i;
		seen[48 + i] = 0x50 + i;
	}
	*(u64 *)(area + XSAVE_XSTATE_BV) |= 7;
	memcpy(want, area, size);
	MUST(ioctl(m->vcpu, KVM_SET_XSAVE, area));
	memset(area, 0xff, size);
	MUST(ioctl(m->vcpu, get, area));
	CHECK_EQ(*(u64 *)(area + XSAVE_XSTATE_BV) & 7, 7);
	CHECK(!memcmp(area + XSAVE_XMM, want + XSAVE_XMM, 256));
	CHECK(!memcmp(area + XSAVE_YMM, want + XSAVE_YMM, 256));
	guest_call(m, guest_ymm, TOOL_DATA, 0, 0);
	for (i = 0; i < 32; i++)
		CHECK_EQ(seen[i], i);
	MUST(ioctl(m->vcpu, get, area));
	CHECK(!memcmp(area + XSAVE_XMM + 5 * 16, seen + 32, 16));
	CHECK(!memcmp(area + XSAVE_YMM + 5 * 16, seen + 48, 16));
	free(want);
}

static void test_xsave(void)
{
	struct machine m = machine_make();
	long size = MUST(ioctl(m.vm, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2));
	struct kvm_xsave xsave[4];

	if (!has_cap(m.kvm, KVM_CAP_XSAVE))
		tap_skip("no XSAVE");
	if (size > (long)sizeof(xsave[0]))
		tap_skip("the state does not fit KVM_GET_XSAVE");
	if (!enable_avx(&m))
		tap_skip("no AVX");
	xsave_round_trip(&m, KVM_GET_XSAVE, (u8 *)xsave, sizeof(xsave[0]));
}

static void test_xsave2(void)
{
	struct machine m = machine_make();
	long size = MUST(ioctl(m.vm, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2));
	u8 *area;

	if (!size)
		tap_skip("no XSAVE2");
	tap_note("the state takes %ld bytes", size);
	CHECK(size >= (long)sizeof(struct kvm_xsave));
	if (!enable_avx(&m))
		tap_skip("no AVX");
	area = aligned_alloc(64, (size + 63) & ~63L);
	xsave_round_trip(&m, KVM_GET_XSAVE2, area, size);
}

/* KVM_RUN with @value in an SSE register; returns what is there afterwards. */
static u64 run_with_xmm15(const struct machine *m, u64 value)
{
	long ret;

	__asm__ volatile("movq %[value], %%xmm15\n\t"
			 "syscall\n\t"
			 "movq %%xmm15, %[value]"
			 : "=a"(ret), [value] "+r"(value)
			 : "0"((long)SYS_ioctl), "D"((long)m->vcpu),
			   "S"((long)KVM_RUN), "d"(0L)
			 : "rcx", "r11", "xmm15", "memory");
	CHECK_EQ(ret, 0);
	CHECK_EQ(m->run->exit_reason, KVM_EXIT_IO);
	return value;
}

/* The first instruction of a stay in the guest loads or saves all of it. */
static void test_fpu_apart(void)
{
	struct machine m = machine_make();
	u8 *area = data_of(&m);
	u64 *xmm15 = (u64 *)(area + XSAVE_XMM + 15 * 16);

	if (!enable_avx(&m))
		tap_skip("no AVX");
	*(uint16_t *)area = 0x37f;		/* FCW */
	*(u32 *)(area + 24) = 0x1f80;		/* MXCSR */
	*(u64 *)(area + XSAVE_XSTATE_BV) = 3;
	*xmm15 = 0x1234;
	guest_start(&m, guest_xrstor, TOOL_DATA, 0, 0);
	CHECK_EQ(run_with_xmm15(&m, 0x5678), 0x5678);
	*xmm15 = 0;
	guest_start(&m, guest_xsave, TOOL_DATA, 0, 0);
	CHECK_EQ(run_with_xmm15(&m, 0x9abc), 0x9abc);
	CHECK_EQ(*xmm15, 0x1234);
}

static void test_xcrs(void)
{
	struct machine m = machine_make();
	struct kvm_xcrs xcrs;

	if (!has_cap(m.kvm, KVM_CAP_XCRS))
		tap_skip("no XCRS");
	MUST(ioctl(m.vcpu, KVM_GET_XCRS, &xcrs));
	CHECK_EQ(xcrs.nr_xcrs, 1);
	CHECK_EQ(xcrs.flags, 0);
	CHECK_EQ(xcrs.xcrs[0].xcr, 0);
	CHECK_EQ(xcrs.xcrs[0].value, 1);
	if (!enable_avx(&m))
		tap_skip("no AVX");
	MUST(ioctl(m.vcpu, KVM_GET_XCRS, &xcrs));
	CHECK_EQ(xcrs.xcrs[0].value, 7);
	guest_call(&m, guest_xgetbv, TOOL_DATA, 0, 0);
	CHECK_EQ(*(u64 *)data_of(&m), 7);
	xcrs.xcrs[0].value = 3;
	MUST(ioctl(m.vcpu, KVM_SET_XCRS, &xcrs));
	guest_call(&m, guest_xgetbv, TOOL_DATA, 0, 0);
	CHECK_EQ(*(u64 *)data_of(&m), 3);
}

/* ---- debug registers, events ---- */

static void test_debugregs(void)
{
	struct machine m = machine_make();
	u64 *seen = data_of(&m);
	struct kvm_debugregs regs, want = {
		.db = { 0x111000, 0x222000, 0x333000, 0x444000 },
		.dr6 = 0xffff0ff0, .dr7 = 0x400,
	};

	MUST(ioctl(m.vcpu, KVM_GET_DEBUGREGS, &regs));
	CHECK_EQ(regs.dr6, 0xffff0ff0);
	CHECK_EQ(regs.dr7, 0x400);
	MUST(ioctl(m.vcpu, KVM_SET_DEBUGREGS, &want));
	MUST(ioctl(m.vcpu, KVM_GET_DEBUGREGS, &regs));
	CHECK(!memcmp(&regs, &want, sizeof(regs)));
	guest_call(&m, guest_debugregs, TOOL_DATA, 0x555000, 0);
	CHECK_EQ(seen[0], want.db[0]);
	CHECK_EQ(seen[1], want.db[3]);
	CHECK_EQ(seen[2], want.dr6);
	CHECK_EQ(seen[3], want.dr7);
	MUST(ioctl(m.vcpu, KVM_GET_DEBUGREGS, &regs));
	CHECK_EQ(regs.db[1], 0x555000);
	CHECK_EQ(regs.db[2], want.db[2]);
}

static void test_events(void)
{
	struct machine m = machine_make();
	struct kvm_vcpu_events events, got;

	MUST(ioctl(m.vcpu, KVM_GET_VCPU_EVENTS, &events));
	CHECK_EQ(events.exception.injected, 0);
	CHECK_EQ(events.nmi.pending, 0);
	CHECK_EQ(events.interrupt.injected, 0);
	MUST(ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &events));
	events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
		KVM_VCPUEVENT_VALID_SHADOW;
	events.exception.injected = 1;
	events.exception.nr = 14;
	events.exception.has_error_code = 1;
	events.exception.error_code = 6;
	events.nmi.masked = 1;
	events.nmi.pending = 1;
	events.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	MUST(ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &events));
	MUST(ioctl(m.vcpu, KVM_GET_VCPU_EVENTS, &got));
	CHECK_EQ(got.exception.injected, 1);
	CHECK_EQ(got.exception.nr, 14);
	CHECK_EQ(got.exception.has_error_code, 1);
	CHECK_EQ(got.exception.error_code, 6);
	CHECK_EQ(got.nmi.masked, 1);
	CHECK_EQ(got.nmi.pending, 1);
	CHECK(got.interrupt.shadow != 0);
	/* And taken back. */
	memset(&events, 0, sizeof(events));
	events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
		KVM_VCPUEVENT_VALID_SHADOW;
	MUST(ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &events));
	MUST(ioctl(m.vcpu, KVM_GET_VCPU_EVENTS, &got));
	CHECK_EQ(got.exception.injected, 0);
	CHECK_EQ(got.nmi.masked, 0);
	CHECK_EQ(got.nmi.pending, 0);
	CHECK_EQ(got.interrupt.shadow, 0);
	guest_call(&m, guest_cpuid, TOOL_DATA, 0, 0);
}

static void test_mp_state(void)
{
	struct machine m = machine_make();
	struct kvm_mp_state state = { .mp_state = 99 };

	MUST(ioctl(m.vcpu, KVM_GET_MP_STATE, &state));
	CHECK_EQ(state.mp_state, KVM_MP_STATE_RUNNABLE);
	MUST(ioctl(m.vcpu, KVM_SET_MP_STATE, &state));
	/* The others are states of an interrupt controller in the kernel. */
	state.mp_state = KVM_MP_STATE_UNINITIALIZED;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_MP_STATE, &state), EINVAL);
	state.mp_state = KVM_MP_STATE_HALTED;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_MP_STATE, &state), EINVAL);
	state.mp_state = KVM_MP_STATE_STOPPED;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_MP_STATE, &state), EINVAL);
	state.mp_state = 99;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_MP_STATE, &state), EINVAL);
	MUST(ioctl(m.vcpu, KVM_GET_MP_STATE, &state));
	CHECK_EQ(state.mp_state, KVM_MP_STATE_RUNNABLE);
}

/* ---- CPUID ---- */

static void test_cpuid(void)
{
	struct machine m = machine_bare();
	struct cpuid_list list;
	struct kvm_cpuid_entry2 *e;
	u32 *seen;

	/* The name of the processor is the VMM's to choose. */
	m = machine_make();
	seen = data_of(&m);
	cpuid_get_supported(m.kvm, &list);
	e = cpuid_find(&list, 0x80000002, 0);
	CHECK(e);
	e->eax = 0x61626364;
	e->ebx = 0x65666768;
	e->ecx = 0x696a6b6c;
	e->edx = 0x6d6e6f70;
	MUST(ioctl(m.vcpu, KVM_SET_CPUID2, &list));
	guest_call(&m, guest_cpuid, TOOL_DATA, 0x80000002, 0);
	CHECK_EQ(seen[0], 0x61626364);
	CHECK_EQ(seen[1], 0x65666768);
	CHECK_EQ(seen[2], 0x696a6b6c);
	CHECK_EQ(seen[3], 0x6d6e6f70);
	guest_call(&m, guest_cpuid, TOOL_DATA, 0x40000000, 0);
	CHECK(!memcmp(&seen[1], "KVMKVMKVM\0\0\0", 12));
	/* After the vCPU has run, only the same again is taken. */
	MUST(ioctl(m.vcpu, KVM_SET_CPUID2, &list));
	e->eax++;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_CPUID2, &list), EINVAL);
}

/* OSXSAVE of leaf 1 follows CR4. */
static void test_cpuid_dynamic(void)
{
	struct machine m = machine_make();
	u32 *seen = data_of(&m);

	guest_call(&m, guest_cpuid, TOOL_DATA, 1, 0);
	CHECK_EQ(seen[2] & 1 << 27, 0);
	if (!enable_avx(&m))
		tap_skip("no AVX");
	guest_call(&m, guest_cpuid, TOOL_DATA, 1, 0);
	CHECK_EQ(seen[2] & 1 << 27, 1 << 27);
	guest_call(&m, guest_cpuid, TOOL_DATA, 0xd, 0);
	CHECK_EQ(seen[1], 832);	/* bytes of x87, SSE and AVX state */
}

/* ---- signals ---- */

struct mask {
	struct kvm_signal_mask head;
	u64 set;
} __attribute__((packed));

static void mask_set(const struct machine *m, u64 set)
{
	struct mask mask = { .head.len = sizeof(set), .set = set };

	MUST(ioctl(m->vcpu, KVM_SET_SIGNAL_MASK, &mask));
}

static void test_signal_mask(void)
{
	struct machine m = machine_make();
	struct mask mask = { .head.len = 4 };
	sigset_t blocked, pending;

	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, &mask), EINVAL);
	signal(SIGUSR1, runner_kick_handler);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	MUST(sigprocmask(SIG_BLOCK, &blocked, NULL));
	MUST(kill(getpid(), SIGUSR1));
	/* Blocked for the guest, too: it does not matter. */
	mask_set(&m, 1UL << (SIGUSR1 - 1));
	guest_call(&m, guest_cpuid, TOOL_DATA, 0, 0);
	/* Not blocked for the guest: it ends KVM_RUN, and stays pending. */
	mask_set(&m, 0);
	CHECK_ERRNO(vcpu_run(&m), EINTR);
	CHECK_EQ(m.run->exit_reason, KVM_EXIT_INTR);
	CHECK_ERRNO(vcpu_run(&m), EINTR);
	MUST(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1));
	/* No mask of its own. */
	MUST(ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, NULL));
	vcpu_run_until(&m, KVM_EXIT_IO);
}

/* ---- translation ---- */

static void check_translation(const struct machine *m, u64 linear, u64 physical)
{
	struct kvm_translation t = { .linear_address = linear };

	MUST(ioctl(m->vcpu, KVM_TRANSLATE, &t));
	if (!t.valid)
		tap_fail("%llx is not mapped", (unsigned long long)linear);
	CHECK_EQ(t.physical_address, physical);
}

static void check_unmapped(const struct machine *m, u64 linear)
{
	struct kvm_translation t = { .linear_address = linear };

	MUST(ioctl(m->vcpu, KVM_TRANSLATE, &t));
	if (t.valid)
		tap_fail("%llx is mapped to %llx", (unsigned long long)linear,
			 t.physical_address);
}

static void set_protected(const struct machine *m, u64 cr0, u64 cr3, u64 cr4)
{
	struct kvm_sregs sregs;

	MUST(ioctl(m->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs = flat_segment(true);
	sregs.cs.l = 0;
	sregs.cs.db = 1;
	sregs.cr0 = cr0;
	sregs.cr3 = cr3;
	sregs.cr4 = cr4;
	sregs.efer = 0;
	MUST(ioctl(m->vcpu, KVM_SET_SREGS, &sregs));
}

static void test_translate(void)
{
	struct machine m = machine_make();
	u64 *pdpt = (u64 *)(m.tool + 0xa000), *pd = (u64 *)(m.tool + 0xb000);
	u32 *pde = (u32 *)(m.tool + 0xc000), *pte = (u32 *)(m.tool + 0xd000);

	/* Long mode, 2 MiB pages. */
	check_translation(&m, 0x1234567, 0x1234567);
	check_unmapped(&m, 1UL << 30);
	check_unmapped(&m, 1UL << 46);
	/* No paging. */
	set_protected(&m, 0x11, 0, 0);
	check_translation(&m, 0x12345678, 0x12345678);
	/* 32-bit paging with a page of 4 MiB and one of 4 KiB. */
	pde[1] = 0x00800083;
	pde[2] = 0xd003;
	pte[3] = 0x00005003;
	set_protected(&m, 0x80000011, 0xc000, 0x10);
	check_translation(&m, 0x00412345, 0x00812345);
	check_translation(&m, 0x00803abc, 0x00005abc);
	check_unmapped(&m, 0x00804000);
	check_unmapped(&m, 0x00c00000);
	/* PAE paging. */
	pdpt[1] = 0xb001;
	pd[2] = 0x00600083;
	set_protected(&m, 0x80000011, 0xa000, 0x20);
	check_translation(&m, 0x40412345, 0x00612345);
	check_unmapped(&m, 0x40012345);
	check_unmapped(&m, 0x00012345);
}

/* With PAE paging the four top entries belong to the state. */
static void test_sregs2_pae(void)
{
	struct machine m = machine_make();
	u64 *pdpt = (u64 *)(m.tool + 0xa000), *pd = (u64 *)(m.tool + 0xb000);
	struct kvm_sregs2 sregs2, now;

	if (!has_cap(m.kvm, KVM_CAP_SREGS2))
		tap_skip("no SREGS2");
	pdpt[1] = 0xb001;
	pd[2] = 0x00600083;
	set_protected(&m, 0x80000011, 0xa000, 0x20);
	MUST(ioctl(m.vcpu, KVM_GET_SREGS2, &sregs2));
	CHECK_EQ(sregs2.flags, KVM_SREGS2_FLAGS_PDPTRS_VALID);
	CHECK_EQ(sregs2.pdptrs[0], 0);
	CHECK_EQ(sregs2.pdptrs[1], 0xb001);
	/* To a vCPU that has seen nothing of it. */
	set_protected(&m, 0x11, 0, 0);
	MUST(ioctl(m.vcpu, KVM_SET_SREGS2, &sregs2));
	MUST(ioctl(m.vcpu, KVM_GET_SREGS2, &now));
	CHECK(!memcmp(&now, &sregs2, sizeof(now)));
	check_translation(&m, 0x40412345, 0x00612345);
	/* They are part of that mode only. */
	sregs2.cr0 = 0x11;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_SREGS2, &sregs2), EINVAL);
	sregs2.flags = 1 << 5;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_SREGS2, &sregs2), EINVAL);
}

/* ---- while the guest runs ---- */

/* Calls of another thread wait for the vCPU, and get their turn. */
static void test_set_running(void)
{
	struct machine m = machine_make();
	volatile u64 *seen = data_of(&m);
	struct kvm_regs regs;
	struct runner r;
	u64 n;

	guest_start(&m, guest_show, TOOL_DATA, 0, 0);
	runner_start(&r, &m);
	for (n = 1; n <= 20; n++) {
		MUST(ioctl(m.vcpu, KVM_GET_REGS, &regs));
		regs.r8 = n;
		/* It may have come further since, and shall not go back. */
		MUST(ioctl(m.vcpu, KVM_SET_REGS, &regs));
		CHECK_RUNNER_SOON(&r, seen[0] == n);
	}
	runner_stop(&r);
	runner_check(&r);
	CHECK(seen[1] > 0);
}

/* One that never exits to userspace by itself is stopped by a signal. */
static void test_signal_running(void)
{
	struct machine m = machine_make();
	volatile u64 *count = data_of(&m);
	struct runner r;
	u64 before;

	guest_start(&m, guest_spin, TOOL_DATA, 0, 0);
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, *count > 1000);
	runner_stop(&r);
	runner_check(&r);
	before = *count;
	CHECK(before > 1000);
	CHECK_EQ(vcpu_regs(&m).rdi, TOOL_DATA);
	sleep_ms(20);
	CHECK_EQ(*count, before);
}

static void check_sync_sregs(const struct machine *m)
{
	struct kvm_sync_regs *regs = &m->run->s.regs;
	u64 *seen = data_of(m), cr4 = regs->sregs.cr4;

	regs->sregs.cr2 = 0x5555;
	m->run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	guest_start(m, guest_sregs, TOOL_DATA, 0, 0);
	vcpu_run_until(m, KVM_EXIT_IO);
	CHECK_EQ(seen[7], 0x5555);
	CHECK_EQ(regs->sregs.cr2, 0x123456789a);
	regs->sregs.cr4 = ~0ULL;
	m->run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	CHECK_ERRNO(vcpu_run(m), EINVAL);
	regs->sregs.cr4 = cr4;
}

static void check_sync_events(const struct machine *m)
{
	struct kvm_vcpu_events *events = &m->run->s.regs.events, now;

	events->nmi.masked = 1;
	events->flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
	m->run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	guest_call(m, guest_regs, TOOL_DATA, 0, 0);
	CHECK_EQ(events->nmi.masked, 1);
	MUST(ioctl(m->vcpu, KVM_GET_VCPU_EVENTS, &now));
	CHECK_EQ(now.nmi.masked, 1);
	events->flags = ~0U;
	m->run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	CHECK_ERRNO(vcpu_run(m), EINVAL);
	m->run->kvm_dirty_regs = 0;
}

static void test_sync_regs(void)
{
	struct machine m = machine_make();
	u64 *seen = data_of(&m);
	int fields = MUST(ioctl(m.kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS));

	if (!fields)
		tap_skip("no SYNC_REGS");
	CHECK_EQ(fields & ~7, 0);
	CHECK(fields & KVM_SYNC_X86_REGS);
	m.run->kvm_valid_regs = fields;
	guest_call(&m, guest_regs, TOOL_DATA, 0x111, 0x222);
	CHECK_EQ(m.run->s.regs.regs.rsi, ~0x111ULL);
	CHECK_EQ(m.run->s.regs.regs.rdx, ~0x222ULL);
	m.run->s.regs.regs.rip = guest_address(guest_regs);
	m.run->s.regs.regs.rsi = 0x333;
	m.run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(seen[4], 0x333);
	CHECK_EQ(m.run->kvm_dirty_regs, 0);
	if (fields & KVM_SYNC_X86_SREGS)
		check_sync_sregs(&m);
	if (fields & KVM_SYNC_X86_EVENTS)
		check_sync_events(&m);
	m.run->kvm_valid_regs = 1 << 30;
	CHECK_ERRNO(vcpu_run(&m), EINVAL);
	m.run->kvm_valid_regs = 0;
	m.run->kvm_dirty_regs = 1 << 30;
	CHECK_ERRNO(vcpu_run(&m), EINVAL);
}

static const struct tap_test tests[] = {
	{ "general registers", test_regs },
	{ "state after reset", test_reset },
	{ "special registers", test_sregs },
	{ "special registers by SREGS2", test_sregs2 },
	{ "PAE entries by SREGS2", test_sregs2_pae },
	{ "x87 and SSE state", test_fpu },
	{ "XSAVE state", test_xsave },
	{ "XSAVE state by XSAVE2", test_xsave2 },
	{ "the FPU registers of guest and VMM stay apart", test_fpu_apart },
	{ "XCR0", test_xcrs },
	{ "debug registers", test_debugregs },
	{ "pending events", test_events },
	{ "multiprocessing state", test_mp_state },
	{ "CPUID that the VMM chose", test_cpuid },
	{ "CPUID that follows the vCPU's state", test_cpuid_dynamic },
	{ "the signal mask of KVM_RUN", test_signal_mask },
	{ "translation in each paging mode", test_translate },
	{ "state set by another thread", test_set_running },
	{ "a signal stops a guest that spins", test_signal_running },
	{ "registers in struct kvm_run", test_sync_regs },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
