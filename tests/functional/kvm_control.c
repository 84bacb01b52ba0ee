// SPDX-License-Identifier: GPL-2.0
/*
 * Control, debug and table registers, XCR0, and changes of mode, by the guest:
 * what it writes is what both sides see, and what may not be is an exception.
 */
#define _GNU_SOURCE
#include <stddef.h>

#include "kvm_exec.h"

GUEST_ALL(xsetbv, "xsetbv\n\t" GUEST_OUT);
GUEST_ALL(clts, "clts\n\t" GUEST_OUT);
GUEST_ALL(lmsw, "lmsw %ax\n\t" GUEST_OUT);
GUEST_ALL(smsw, "smsw %ax\n\t" GUEST_OUT);
GUEST(lmsw_memory, "lmsw (%rdi)\n\t" GUEST_OUT);
GUEST(smsw_memory, "smsw (%rdi)\n\t" GUEST_OUT);

#define GUEST_CR(n)							\
static void guest_to_cr##n(void);					\
GUEST(to_cr##n, "mov %rax, %cr" #n "\n\t" GUEST_OUT)			\
GUEST(from_cr##n, "mov %cr" #n ", %rax\n\t" GUEST_OUT)			\
GUEST16(to_cr##n##_16, "mov %eax, %cr" #n "\n\t" GUEST_OUT)		\
GUEST16(from_cr##n##_16, "mov %cr" #n ", %eax\n\t" GUEST_OUT)		\
GUEST32(to_cr##n##_32, "mov %eax, %cr" #n "\n\t" GUEST_OUT)		\
GUEST32(from_cr##n##_32, "mov %cr" #n ", %eax\n\t" GUEST_OUT)

#define TO_CR(n)	{ guest_to_cr##n##_16, guest_to_cr##n##_32, guest_to_cr##n }
#define FROM_CR(n)	{ guest_from_cr##n##_16, guest_from_cr##n##_32, guest_from_cr##n }

GUEST_CR(0);
GUEST_CR(2);
GUEST_CR(3);
GUEST_CR(4);
GUEST(to_cr8, "mov %rax, %cr8\n\t" GUEST_OUT);
GUEST(from_cr8, "mov %cr8, %rax\n\t" GUEST_OUT);
GUEST(from_cr1, ".byte 0x0f, 0x20, 0xc8\n\t" GUEST_OUT);
GUEST(from_cr5, ".byte 0x0f, 0x20, 0xe8\n\t" GUEST_OUT);
/* Through RSP, which lives elsewhere than the other registers. */
GUEST(cr_rsp, "mov %cr3, %rsp\n\t"
	"mov %rsp, %cr3\n\t"
	"mov %rsp, %rax\n\t"
	GUEST_OUT);

#define GUEST_DR(n)							\
static void guest_to_dr##n(void);					\
GUEST(to_dr##n, "mov %rax, %db" #n "\n\t" GUEST_OUT)			\
GUEST(from_dr##n, "mov %db" #n ", %rax\n\t" GUEST_OUT)

GUEST_DR(0);
GUEST_DR(4);
GUEST_DR(5);
GUEST_DR(6);
GUEST_DR(7);
GUEST16(to_dr7_16, "mov %eax, %db7\n\t" GUEST_OUT);
GUEST32(to_dr7_32, "mov %eax, %db7\n\t" GUEST_OUT);

/* Tables and task registers, at rdi; see test_tables(). */
GUEST(tables, "sgdt (%rdi)\n\t"
	"sidt 16(%rdi)\n\t"
	"str 32(%rdi)\n\t"
	"sldt 34(%rdi)\n\t"
	"lgdt 48(%rdi)\n\t"
	"lidt 64(%rdi)\n\t"
	"mov $0x30, %eax\n\t"
	"ltr %ax\n\t"
	"mov $0x50, %eax\n\t"
	"lldt %ax\n\t"
	GUEST_OUT);

/* What is read at rdi before and after [rdx] was changed to rsi. */
#define GUEST_REMAP(flush)						\
	"mov (%rdi), %r8\n\t"						\
	"mov %rsi, (%rdx)\n\t"						\
	flush								\
	"mov (%rdi), %r9\n\t"						\
	GUEST_OUT

GUEST(remap_invlpg, GUEST_REMAP("invlpg (%rdi)\n\t"));
GUEST(remap_cr3, GUEST_REMAP("mov %cr3, %rax\n\tmov %rax, %cr3\n\t"));
GUEST(remap_cr4, GUEST_REMAP("mov %cr4, %rax\n\t"
	"xor $0x80, %rax\n\t"
	"mov %rax, %cr4\n\t"));
GUEST32(load_edi, "mov (%edi), %eax\n\t" GUEST_OUT)
/* From real to 64-bit mode and back, by far pointers at TOOL_DATA. */
GUEST16(tour, "lgdtl 0x8000\n\t"
	"mov %cr0, %eax\n\t"
	"or $1, %al\n\t"
	"mov %eax, %cr0\n\t"
	"ljmpl *0x8010\n\t"
	".code32\n"
	"tour_protected: mov $0x10, %eax\n\t"
	"mov %eax, %ds\n\t"
	"mov %eax, %ss\n\t"
	"out %al, $0x11\n\t"
	"mov %cr4, %eax\n\t"
	"or $0x20, %eax\n\t"
	"mov %eax, %cr4\n\t"
	"mov $0x1000, %eax\n\t"
	"mov %eax, %cr3\n\t"
	"mov $0xc0000080, %ecx\n\t"
	"rdmsr\n\t"
	"or $0x100, %eax\n\t"
	"wrmsr\n\t"
	"mov %cr0, %eax\n\t"
	"or $0x80000000, %eax\n\t"
	"mov %eax, %cr0\n\t"
	"out %al, $0x12\n\t"
	"ljmpl *0x8018\n\t"
	".code64\n"
	"tour_long: movabs $0x123456789abcdef0, %rbx\n\t"
	"out %al, $0x13\n\t"
	"ljmpl *0x8020\n\t"
	".code32\n"
	"tour_back32: mov %cr0, %eax\n\t"
	"and $0x7fffffff, %eax\n\t"
	"mov %eax, %cr0\n\t"
	"mov $0xc0000080, %ecx\n\t"
	"rdmsr\n\t"
	"and $~0x100, %eax\n\t"
	"wrmsr\n\t"
	"out %al, $0x14\n\t"
	"mov $0x28, %eax\n\t"
	"mov %eax, %ds\n\t"
	"mov %eax, %ss\n\t"
	"ljmpl *0x8028\n\t"
	".code16\n"
	"tour_back16: out %al, $0x15\n\t"
	"mov %cr0, %eax\n\t"
	"and $0xfe, %al\n\t"
	"mov %eax, %cr0\n\t"
	"ljmpw *0x8030\n"
	"tour_real: xor %ax, %ax\n\t"
	"mov %ax, %ds\n\t"
	"mov %ax, %ss\n\t"
	GUEST_OUT);

GUEST_LABELS(tour_protected[], tour_long[], tour_back32[], tour_back16[],
	     tour_real[]);

/* ---- control registers ---- */

static void test_cr_read(void)
{
	static const program_t cr0[] = FROM_CR(0), cr2[] = FROM_CR(2),
			       cr3[] = FROM_CR(3), cr4[] = FROM_CR(4);
	struct machine m = vm_make();
	struct kvm_sregs sregs;
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		sregs = vcpu_sregs(&m);
		sregs.cr2 = 0x1234567;
		sregs.cr0 |= CR0_CD | CR0_TS;
		vcpu_set_sregs(&m, &sregs);
		sregs = vcpu_sregs(&m);
		CHECK_EQ(exec_call(&m, cr0[mode], (struct kvm_regs){ 0 }).rax,
			 sregs.cr0);
		CHECK_EQ(exec_call(&m, cr2[mode], (struct kvm_regs){ 0 }).rax,
			 0x1234567);
		CHECK_EQ(exec_call(&m, cr3[mode], (struct kvm_regs){ 0 }).rax,
			 TOOL_PML4);
		CHECK_EQ(exec_call(&m, cr4[mode], (struct kvm_regs){ 0 }).rax,
			 sregs.cr4);
	}
	exec_fault(&m, guest_from_cr1, (struct kvm_regs){ 0 }, UD_VECTOR);
	exec_fault(&m, guest_from_cr5, (struct kvm_regs){ 0 }, UD_VECTOR);
	CHECK_EQ(exec_call(&m, guest_cr_rsp, (struct kvm_regs){ 0 }).rax, TOOL_PML4);
	exec_user_mode(&m);
	exec_fault(&m, guest_from_cr3, (struct kvm_regs){ 0 }, GP_VECTOR);
	exec_user_mode(&m);
	exec_fault(&m, guest_to_cr4, (struct kvm_regs){ .rax = 0x620 },
		   GP_VECTOR);
}

static u64 sregs_field(const struct machine *m, size_t offset)
{
	struct kvm_sregs sregs = vcpu_sregs(m);
	u64 value;

	memcpy(&value, (char *)&sregs + offset, sizeof(value));
	return value;
}

/* @value can be written, and is then what both sides see. */
static void cr_good(const struct machine *m, program_t to, program_t from,
		    size_t offset, u64 value)
{
	exec_call(m, to, (struct kvm_regs){ .rax = value });
	CHECK_EQ(sregs_field(m, offset), value);
	CHECK_EQ(exec_call(m, from, (struct kvm_regs){ 0 }).rax, value);
}

static void cr_bad(const struct machine *m, program_t to, size_t offset,
		   u64 value)
{
	u64 old = sregs_field(m, offset);

	exec_fault(m, to, (struct kvm_regs){ .rax = value }, GP_VECTOR);
	CHECK_EQ(sregs_field(m, offset), old);
}

static void test_cr0(void)
{
	static const u64 flip[] = { CR0_TS, CR0_CD, CR0_CD | CR0_NW, 1 << 16,
				    1 << 18, 1 << 5, 1 << 1 };
	static const program_t to[] = TO_CR(0), from[] = FROM_CR(0);
	size_t cr0 = offsetof(struct kvm_sregs, cr0);
	struct machine m = vm_make();
	unsigned int mode, i;
	u64 old;

	exec_needs_checks();
	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		old = vcpu_sregs(&m).cr0;
		for (i = 0; i < ARRAY_SIZE(flip); i++) {
			cr_good(&m, to[mode], from[mode], cr0, old ^ flip[i]);
			cr_good(&m, to[mode], from[mode], cr0, old);
		}
		cr_bad(&m, to[mode], cr0, (old | CR0_NW) & ~CR0_CD);
		cr_bad(&m, to[mode], cr0, (old | CR0_PG) & ~CR0_PE);
		/* Reserved bits below 32 are not kept. */
		exec_call(&m, to[mode], (struct kvm_regs){ .rax = old | 1 << 10 });
		CHECK_EQ(vcpu_sregs(&m).cr0, old);
	}
	cr_bad(&m, guest_to_cr0, cr0, old | 1ULL << 32);
	cr_bad(&m, guest_to_cr0, cr0, old & ~CR0_PG);
}

static void test_cr0_parts(void)
{
	static const program_t clts[] = ALL(clts), lmsw[] = ALL(lmsw),
			       smsw[] = ALL(smsw), to[] = TO_CR(0);
	struct machine m = vm_make();
	struct kvm_regs regs;
	unsigned int mode;
	u64 cr0;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		cr0 = vcpu_sregs(&m).cr0;
		exec_call(&m, to[mode], (struct kvm_regs){ .rax = cr0 | CR0_TS });
		exec_call(&m, clts[mode], (struct kvm_regs){ 0 });
		CHECK_EQ(vcpu_sregs(&m).cr0, cr0);
		/* MP, EM and TS, and nothing above; PE stays. */
		exec_call(&m, lmsw[mode],
			  (struct kvm_regs){ .rax = 0xfffc | (cr0 & CR0_PE) });
		CHECK_EQ(vcpu_sregs(&m).cr0, (cr0 & ~0xeUL) | 0xc);
		regs = exec_call(&m, smsw[mode], (struct kvm_regs){ .rax = -1U });
		CHECK_EQ(regs.rax & 0xffff, ((cr0 & ~0xeUL) | 0xc) & 0xffff);
		exec_call(&m, lmsw[mode], (struct kvm_regs){ .rax = 2 });
		CHECK_EQ(vcpu_sregs(&m).cr0, cr0);
	}
}

static void test_msw_memory(void)
{
	struct kvm_regs regs = { .rdi = TOOL_DATA };
	struct machine m = vm_make();
	struct kvm_sregs sregs = vcpu_sregs(&m);
	u16 *word = (u16 *)(m.tool + TOOL_DATA);
	u64 cr0 = sregs.cr0;

	word[0] = cr0 | CR0_TS;
	word[1] = 0x5a5a;
	exec_call(&m, guest_lmsw_memory, regs);
	CHECK_EQ(vcpu_sregs(&m).cr0, cr0 | CR0_TS);
	word[0] = 0;
	exec_call(&m, guest_smsw_memory, regs);
	CHECK_EQ(word[0], (cr0 | CR0_TS) & 0xffff);
	word[0] = cr0;
	exec_call(&m, guest_lmsw_memory, regs);
	CHECK_EQ(vcpu_sregs(&m).cr0, cr0);
	/* What the CPU has is not what the guest has. */
	sregs.cr0 |= CR0_CD;
	vcpu_set_sregs(&m, &sregs);
	word[0] = 0;
	exec_call(&m, guest_smsw_memory, regs);
	CHECK_EQ(word[0], sregs.cr0 & 0xffff);
	CHECK_EQ(word[1], 0x5a5a);
}

static void test_cr3(void)
{
	size_t cr3 = offsetof(struct kvm_sregs, cr3);
	struct machine m = vm_make();

	exec_needs_checks();
	/* The same tables elsewhere. */
	memcpy(m.tool + VM_BUF, m.tool + TOOL_PML4, PAGE);
	cr_good(&m, guest_to_cr3, guest_from_cr3, cr3, VM_BUF);
	cr_good(&m, guest_to_cr3, guest_from_cr3, cr3, VM_BUF | 0x18);
	cr_bad(&m, guest_to_cr3, cr3, 1ULL << 60 | VM_BUF);
	cr_bad(&m, guest_to_cr3, cr3, 1ULL << 63 | VM_BUF);
	vm_mode(&m, MODE_REAL);
	cr_good(&m, guest_to_cr3_16, guest_from_cr3_16, cr3, 0xfffff000);
}

static void test_cr4(void)
{
	static const u64 flip[] = { CR4_TSD, CR4_DE, CR4_PGE, 1 << 0, 1 << 4,
				    1 << 6, 1 << 8, 1 << 9, 1 << 10 };
	static const program_t to[] = TO_CR(4), from[] = FROM_CR(4);
	size_t cr4 = offsetof(struct kvm_sregs, cr4);
	struct machine m = vm_make();
	unsigned int mode, i;
	u64 old;

	exec_needs_checks();
	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		old = vcpu_sregs(&m).cr4;
		for (i = 0; i < ARRAY_SIZE(flip); i++) {
			cr_good(&m, to[mode], from[mode], cr4, old ^ flip[i]);
			cr_good(&m, to[mode], from[mode], cr4, old);
		}
		cr_bad(&m, to[mode], cr4, old | 1UL << 31);
		cr_bad(&m, to[mode], cr4, old | 1UL << 15);
	}
	cr_bad(&m, guest_to_cr4, cr4, old | 1ULL << 40);
	/* PAE in 64-bit mode. */
	cr_bad(&m, guest_to_cr4, cr4, old & ~0x20UL);
}

#define MSR_EFER	0xc0000080

/* The VMM takes EFER.LME away, and LMA with it: whatever the guest makes of that. */
static void test_lma_alone(void)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs = vcpu_sregs(&m);

	sregs.cr0 |= CR0_CD;
	vcpu_set_sregs(&m, &sregs);
	vcpu_set_msr(&m, MSR_EFER, 0);
	CHECK_EQ(vcpu_msr(&m, MSR_EFER), 0);
	exec_start(&m, guest_to_cr0, (struct kvm_regs){ .rax = sregs.cr0 | CR0_NW });
	vcpu_run(&m);
	/* It is usable again with registers that make sense. */
	vcpu_set_sregs(&m, &sregs);
	exec_call(&m, guest_to_cr0, (struct kvm_regs){ .rax = sregs.cr0 });
	CHECK_EQ(vcpu_sregs(&m).cr0, sregs.cr0);
}

/* ---- PAE paging: CR3 points to four entries that the CPU loads at once ---- */

#define PAE_PDPT	VM_BUF
#define PAE_PD		(VM_BUF + 0x1000)
#define PAE_GIB1	0x40000000UL
#define CR4_PAE		(1UL << 5)

/* Protected mode without paging, and tables for PAE paging. Returns the entries. */
static u64 *pae_prepare(const struct machine *m)
{
	u64 *pdpt = (u64 *)(m->tool + PAE_PDPT), *pd = (u64 *)(m->tool + PAE_PD);
	struct kvm_sregs sregs;

	vm_mode(m, MODE_PROTECTED);
	sregs = vcpu_sregs(m);
	sregs.cr3 = PAE_PDPT;
	sregs.cr4 |= CR4_PAE;
	vcpu_set_sregs(m, &sregs);
	pd[0] = 0x83;
	pdpt[0] = PAE_PD | 1;
	*(u32 *)(m->tool + TOOL_DATA) = 0x4711;
	return pdpt;
}

static void check_mapped(const struct machine *m, u64 linear)
{
	CHECK_EQ(exec_call(m, guest_load_edi,
			   (struct kvm_regs){ .rdi = linear + TOOL_DATA }).rax,
		 0x4711);
}

static void test_pae(void)
{
	struct machine m = vm_make();
	u64 *pdpt = pae_prepare(&m);
	struct kvm_sregs sregs = vcpu_sregs(&m);

	/* Reserved bits matter in entries that are present only. */
	pdpt[2] = ~1ULL;
	exec_call(&m, guest_to_cr0_32,
		  (struct kvm_regs){ .rax = sregs.cr0 | CR0_PG });
	CHECK_EQ(vcpu_sregs(&m).cr0, sregs.cr0 | CR0_PG);
	check_mapped(&m, 0);
	/*
	 * Some bits of CR4 load the entries when they change.  QEMU has marked
	 * those in use as accessed, with a bit that is reserved here.
	 */
	pdpt[1] = PAE_PD | 1;
	if (!is_amd())
		exec_call(&m, guest_to_cr4_32,
			  (struct kvm_regs){ .rax = sregs.cr4 ^ CR4_PGE });
	check_mapped(&m, PAE_GIB1);
	/* And so does CR3, by itself. */
	pdpt[3] = PAE_PD | 1;
	exec_call(&m, guest_to_cr3_32, (struct kvm_regs){ .rax = PAE_PDPT });
	check_mapped(&m, 3 * PAE_GIB1);
	exec_call(&m, guest_to_cr0_32, (struct kvm_regs){ .rax = sregs.cr0 });
	CHECK_EQ(vcpu_sregs(&m).cr0, sregs.cr0);
}

static void test_pae_bad(void)
{
	static const u64 bad[] = { PAE_PD | 3, PAE_PD | 0x21, 1ULL << 62 | 1 };
	size_t cr0 = offsetof(struct kvm_sregs, cr0);
	size_t cr3 = offsetof(struct kvm_sregs, cr3);
	size_t cr4 = offsetof(struct kvm_sregs, cr4);
	struct machine m = vm_make();
	u64 *pdpt = pae_prepare(&m);
	struct kvm_sregs sregs = vcpu_sregs(&m);
	unsigned int i;

	exec_needs_checks();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		pdpt[3] = bad[i];
		cr_bad(&m, guest_to_cr0_32, cr0, sregs.cr0 | CR0_PG);
		pdpt[3] = 0;
		exec_call(&m, guest_to_cr0_32,
			  (struct kvm_regs){ .rax = sregs.cr0 | CR0_PG });
		pdpt[3] = bad[i];
		cr_bad(&m, guest_to_cr4_32, cr4, sregs.cr4 ^ CR4_PGE);
		cr_bad(&m, guest_to_cr0_32, cr0,
		       sregs.cr0 | CR0_PG | CR0_CD);
		cr_bad(&m, guest_to_cr3_32, cr3, PAE_PDPT);
		/* What was loaded before still holds, and other bits load nothing. */
		check_mapped(&m, 0);
		exec_call(&m, guest_to_cr0_32,
			  (struct kvm_regs){ .rax = sregs.cr0 | CR0_PG | CR0_EM });
		check_mapped(&m, 0);
		exec_call(&m, guest_to_cr0_32,
			  (struct kvm_regs){ .rax = sregs.cr0 });
	}
	/* The entries where no memory is. */
	exec_call(&m, guest_to_cr3_32, (struct kvm_regs){ .rax = 0xc0000000 });
	cr_bad(&m, guest_to_cr0_32, cr0, sregs.cr0 | CR0_PG);
}

/* Userspace has the APIC: it hears of a priority that goes down. */
static void test_cr8(void)
{
	size_t cr8 = offsetof(struct kvm_sregs, cr8);
	struct machine m = vm_make();

	cr_good(&m, guest_to_cr8, guest_from_cr8, cr8, 5);
	CHECK_EQ(m.run->cr8, 5);
	cr_good(&m, guest_to_cr8, guest_from_cr8, cr8, 15);
	cr_bad(&m, guest_to_cr8, cr8, 16);
	exec_start(&m, guest_to_cr8, (struct kvm_regs){ .rax = 3 });
	vm_run_until(&m, KVM_EXIT_SET_TPR);
	CHECK_EQ(m.run->cr8, 3);
	CHECK_EQ(vcpu_regs(&m).rip, guest_address(guest_to_cr8) + 4);
	vm_run_to_out(&m);
	CHECK_EQ(vcpu_sregs(&m).cr8, 3);
	/* And what userspace leaves in kvm_run is what the guest reads. */
	m.run->cr8 = 9;
	CHECK_EQ(exec_call(&m, guest_from_cr8, (struct kvm_regs){ 0 }).rax, 9);
}

/* ---- debug registers ---- */

static struct kvm_debugregs debugregs(const struct machine *m)
{
	struct kvm_debugregs regs;

	MUST(ioctl(m->vcpu, KVM_GET_DEBUGREGS, &regs));
	return regs;
}

static void test_dr(void)
{
	struct machine m = vm_make();

	exec_call(&m, guest_to_dr0, (struct kvm_regs){ .rax = 0x123456789a });
	CHECK_EQ(debugregs(&m).db[0], 0x123456789a);
	CHECK_EQ(exec_call(&m, guest_from_dr0, (struct kvm_regs){ 0 }).rax,
		 0x123456789a);
	/* DR4 and DR5 are DR6 and DR7. */
	exec_call(&m, guest_to_dr4, (struct kvm_regs){ .rax = 0xffff4ff3 });
	CHECK_EQ(exec_call(&m, guest_from_dr6, (struct kvm_regs){ 0 }).rax,
		 0xffff4ff3);
	exec_call(&m, guest_to_dr5, (struct kvm_regs){ .rax = 0x500 });
	CHECK_EQ(exec_call(&m, guest_from_dr7, (struct kvm_regs){ 0 }).rax, 0x500);
	CHECK_EQ(exec_call(&m, guest_from_dr5, (struct kvm_regs){ 0 }).rax, 0x500);
	CHECK_EQ(debugregs(&m).dr7, 0x500);
	/* Bits that are fixed. */
	exec_call(&m, guest_to_dr7, (struct kvm_regs){ .rax = 0x100 });
	CHECK_EQ(exec_call(&m, guest_from_dr7, (struct kvm_regs){ 0 }).rax, 0x500);
	exec_call(&m, guest_to_dr6, (struct kvm_regs){ .rax = 0xffff0ff0 });
	CHECK_EQ(debugregs(&m).dr6, 0xffff0ff0);
	vm_mode(&m, MODE_REAL);
	exec_call(&m, guest_to_dr7_16, (struct kvm_regs){ .rax = 0x700 });
	CHECK_EQ(debugregs(&m).dr7, 0x700);
	vm_mode(&m, MODE_PROTECTED);
	exec_call(&m, guest_to_dr7_32, (struct kvm_regs){ .rax = 0x400 });
	CHECK_EQ(debugregs(&m).dr7, 0x400);
}

static void test_dr_bad(void)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs = vcpu_sregs(&m);

	exec_needs_checks();
	exec_fault(&m, guest_to_dr7, (struct kvm_regs){ .rax = 1ULL << 32 },
		   GP_VECTOR);
	exec_fault(&m, guest_to_dr6, (struct kvm_regs){ .rax = 1ULL << 32 },
		   GP_VECTOR);
	sregs.cr4 |= CR4_DE;
	vcpu_set_sregs(&m, &sregs);
	exec_fault(&m, guest_to_dr4, (struct kvm_regs){ 0 }, UD_VECTOR);
	exec_fault(&m, guest_from_dr5, (struct kvm_regs){ 0 }, UD_VECTOR);
	exec_user_mode(&m);
	exec_fault(&m, guest_from_dr7, (struct kvm_regs){ 0 }, GP_VECTOR);
	exec_user_mode(&m);
	exec_fault(&m, guest_to_dr0, (struct kvm_regs){ 0 }, GP_VECTOR);
}

/* DR7.GD: an access is a #DB, and its handler may access them. */
static void test_dr_detect(void)
{
	struct machine m = vm_make();

	exec_needs_checks();
	exec_call(&m, guest_to_dr7, (struct kvm_regs){ .rax = 0x2400 });
	exec_fault(&m, guest_from_dr0, (struct kvm_regs){ 0 }, DB_VECTOR);
	CHECK_EQ(debugregs(&m).dr6 & 0x2000, 0x2000);
	CHECK_EQ(debugregs(&m).dr7, 0x400);
	exec_call(&m, guest_from_dr0, (struct kvm_regs){ 0 });
}

/* ---- XCR0 ---- */

static void set_osxsave(const struct machine *m)
{
	struct kvm_sregs sregs = vcpu_sregs(m);

	sregs.cr4 |= CR4_OSXSAVE;
	if (ioctl(m->vcpu, KVM_SET_SREGS, &sregs))
		tap_skip("no XSAVE");
}

static void test_xsetbv(void)
{
	static const program_t program[] = ALL(xsetbv);
	struct machine m = vm_make();
	struct kvm_xcrs xcrs;
	unsigned int mode;

	exec_needs_checks();
	exec_fault(&m, guest_xsetbv64, (struct kvm_regs){ .rax = 3 }, UD_VECTOR);
	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		set_osxsave(&m);
		exec_call(&m, program[mode], (struct kvm_regs){ .rax = 3 });
		MUST(ioctl(m.vcpu, KVM_GET_XCRS, &xcrs));
		CHECK_EQ(xcrs.xcrs[0].value, 3);
		/* x87 is always there; AVX needs SSE; XCR1 is not writable. */
		exec_fault(&m, program[mode], (struct kvm_regs){ 0 }, GP_VECTOR);
		exec_fault(&m, program[mode], (struct kvm_regs){ .rax = 5 },
			   GP_VECTOR);
		exec_fault(&m, program[mode],
			   (struct kvm_regs){ .rax = 3, .rdx = 1 << 30 }, GP_VECTOR);
		exec_fault(&m, program[mode],
			   (struct kvm_regs){ .rax = 3, .rcx = 1 }, GP_VECTOR);
		exec_call(&m, program[mode], (struct kvm_regs){ .rax = 1 });
		MUST(ioctl(m.vcpu, KVM_GET_XCRS, &xcrs));
		CHECK_EQ(xcrs.xcrs[0].value, 1);
	}
	exec_user_mode(&m);
	exec_fault(&m, guest_xsetbv64, (struct kvm_regs){ .rax = 3 }, GP_VECTOR);
}

/* ---- tables and translations ---- */

static void put_table(void *at, u16 limit, u64 base)
{
	memcpy(at, &limit, sizeof(limit));
	memcpy(at + sizeof(limit), &base, sizeof(base));
}

static void check_table(const void *at, u16 limit, u64 base)
{
	u8 want[10];

	put_table(want, limit, base);
	CHECK_EQ(memcmp(at, want, sizeof(want)), 0);
}

static void test_tables(void)
{
	struct machine m = vm_make();
	u64 *gdt = (u64 *)(m.tool + VM_GDT);
	char *data = m.tool + TOOL_DATA;
	struct kvm_sregs sregs;

	gdt[SEL_TSS / 8] &= ~(2ULL << 40);	/* not busy */
	gdt[10] = 0x0000820000000fff | 0x5000ULL << 16;
	put_table(data + 48, 0x7f, VM_GDT);
	put_table(data + 64, 0x1ff, VM_IDT);
	exec_call(&m, guest_tables, (struct kvm_regs){ .rdi = TOOL_DATA });
	check_table(data, 0x7f, VM_GDT);
	check_table(data + 16, VM_VECTORS * 16 - 1, VM_IDT);
	CHECK_EQ(*(u16 *)(data + 32), SEL_TSS);
	CHECK_EQ(*(u16 *)(data + 34), 0);
	sregs = vcpu_sregs(&m);
	CHECK_EQ(sregs.gdt.limit, 0x7f);
	CHECK_EQ(sregs.idt.limit, 0x1ff);
	CHECK_EQ(sregs.tr.type, 11);
	CHECK_EQ(gdt[SEL_TSS / 8] >> 40 & 0xf, 11);
	CHECK_EQ(sregs.ldt.selector, 0x50);
	CHECK_EQ(sregs.ldt.base, 0x5000);
	CHECK_EQ(sregs.ldt.limit, 0xfff);
}

#define REMAP_PDE	256
#define REMAP_LINEAR	((u64)REMAP_PDE << 21)

static void test_remap(void)
{
	static const program_t program[] = {
		guest_remap_invlpg, guest_remap_cr3, guest_remap_cr4,
	};
	struct machine m = vm_make();
	u64 *pd = (u64 *)(m.tool + TOOL_PD);
	u64 *mem = map_memory(2 * MIB);
	struct kvm_regs regs;
	unsigned int i;

	set_slot(&m, 1, 0, 2 * MIB, mem, 2 * MIB);
	*(u64 *)(m.tool + TOOL_DATA) = 0x1111;
	mem[TOOL_DATA / 8] = 0x2222;
	for (i = 0; i < ARRAY_SIZE(program); i++) {
		pd[REMAP_PDE] = 0x83;
		exec_call(&m, guest_to_cr3, (struct kvm_regs){ .rax = TOOL_PML4 });
		regs = exec_call(&m, program[i], (struct kvm_regs){
			.rdi = REMAP_LINEAR + TOOL_DATA, .rsi = 2 * MIB | 0x83,
			.rdx = TOOL_PD + REMAP_PDE * 8 });
		CHECK_EQ(regs.r8, 0x1111);
		CHECK_EQ(regs.r9, 0x2222);
	}
}

/* ---- the guest changes its mode ---- */

static void put_pointer(const struct machine *m, u64 at, const char *label,
			u16 selector, unsigned int bits)
{
	u32 offset = guest_label(label);

	memcpy(m->tool + at, &offset, bits / 8);
	memcpy(m->tool + at + bits / 8, &selector, sizeof(selector));
}

static struct kvm_sregs run_to_port(const struct machine *m, u16 port)
{
	vm_run_until(m, KVM_EXIT_IO);
	CHECK_EQ(m->run->io.port, port);
	return vcpu_sregs(m);
}

static void tour_checks(const struct machine *m)
{
	struct kvm_sregs sregs;

	sregs = run_to_port(m, 0x11);
	CHECK_EQ(sregs.cr0 & (CR0_PE | CR0_PG), CR0_PE);
	CHECK_EQ(sregs.cs.db, 1);
	sregs = run_to_port(m, 0x12);
	CHECK_EQ(sregs.cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	CHECK_EQ(sregs.efer & 0x500, 0x500);
	CHECK_EQ(sregs.cs.l, 0);
	sregs = run_to_port(m, 0x13);
	CHECK_EQ(sregs.cs.l, 1);
	CHECK_EQ(vcpu_regs(m).rbx, 0x123456789abcdef0);
	sregs = run_to_port(m, 0x14);
	CHECK_EQ(sregs.efer & 0x500, 0);
	CHECK_EQ(sregs.cr0 & (CR0_PE | CR0_PG), CR0_PE);
	sregs = run_to_port(m, 0x15);
	CHECK_EQ(sregs.cs.db, 0);
	sregs = run_to_port(m, PORT);
	CHECK_EQ(sregs.cr0 & (CR0_PE | CR0_PG), 0);
	CHECK_EQ(sregs.cs.selector, 0);
	CHECK_EQ(sregs.cs.base, 0);
}

static void test_tour(void)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs;
	unsigned int n;

	put_table(m.tool + TOOL_DATA, 0x7f, VM_GDT);
	put_pointer(&m, 0x8010, tour_protected, SEL_CODE32, 32);
	put_pointer(&m, 0x8018, tour_long, SEL_CODE64, 32);
	put_pointer(&m, 0x8020, tour_back32, SEL_CODE32, 32);
	put_pointer(&m, 0x8028, tour_back16, SEL_CODE16, 32);
	put_pointer(&m, 0x8030, tour_real, 0, 16);
	vm_mode(&m, MODE_REAL);
	sregs = vcpu_sregs(&m);
	sregs.gdt = (struct kvm_dtable){ 0 };
	vcpu_set_sregs(&m, &sregs);
	for (n = 0; n < 3; n++) {
		exec_start(&m, guest_tour, (struct kvm_regs){ 0 });
		tour_checks(&m);
	}
}

static const struct tap_test tests[] = {
	{ "MOV from control registers", test_cr_read },
	{ "MOV to CR0", test_cr0 },
	{ "CLTS, LMSW, SMSW", test_cr0_parts },
	{ "LMSW and SMSW of memory", test_msw_memory },
	{ "MOV to CR3", test_cr3 },
	{ "MOV to CR4", test_cr4 },
	{ "EFER.LME and LMA taken away", test_lma_alone },
	{ "PAE paging", test_pae },
	{ "PAE paging with entries that are not valid", test_pae_bad },
	{ "MOV to CR8", test_cr8 },
	{ "MOV to and from debug registers", test_dr },
	{ "debug registers that may not be accessed", test_dr_bad },
	{ "debug registers guarded by DR7.GD", test_dr_detect },
	{ "XSETBV", test_xsetbv },
	{ "LGDT, LIDT, LTR, LLDT and back", test_tables },
	{ "a changed translation is used after a flush", test_remap },
	{ "from real to 64-bit mode and back", test_tour },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
