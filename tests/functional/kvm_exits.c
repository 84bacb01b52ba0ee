// SPDX-License-Identifier: GPL-2.0
/*
 * What makes a guest exit, in 16-bit, 32-bit and 64-bit mode: the instructions
 * do what they should, and what may not be is the right exception.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"

#define MSR_TSC		0x10
#define MSR_APIC_BASE	0x1b
#define MSR_TSC_ADJUST	0x3b
#define MSR_UCODE_REV	0x8b
#define MSR_MTRR_CAP	0xfe
#define MSR_SYSENTER_CS	0x174
#define MSR_PAT		0x277
#define MSR_EFER	0xc0000080
#define MSR_STAR	0xc0000081
#define MSR_LSTAR	0xc0000082
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX	0xc0000103
#define MSR_UNKNOWN	0x12345678

#define HC_POLL		1	/* answers 0 */
#define HC_UNKNOWN	0x7777
#define HC_ENOSYS	(-1000L)
#define HC_EPERM	(-1L)

GUEST_ALL(cpuid, "cpuid\n\t" GUEST_OUT);
GUEST_ALL(hlt, "hlt\n\t" GUEST_OUT);
GUEST_ALL(rdmsr, "rdmsr\n\t" GUEST_OUT);
GUEST_ALL(wrmsr, "wrmsr\n\t" GUEST_OUT);
GUEST_ALL(vmcall, "vmcall\n\t" GUEST_OUT);
GUEST_ALL(vmmcall, "vmmcall\n\t" GUEST_OUT);
GUEST_ALL(rdtsc, "rdtsc\n\t" GUEST_OUT);
GUEST_ALL(rdtscp, "rdtscp\n\t" GUEST_OUT);
GUEST_ALL(rdpmc, "rdpmc\n\t" GUEST_OUT);
GUEST_ALL(invd, "invd\n\t" GUEST_OUT);
GUEST_ALL(wbinvd, "wbinvd\n\t" GUEST_OUT);
GUEST_ALL(pause, "pause\n\t" GUEST_OUT);
GUEST_ALL(monitor, "monitor\n\t" GUEST_OUT);
GUEST_ALL(mwait, "mwait\n\t" GUEST_OUT);

/* Instructions of a hypervisor that the guest is not. */
#define GUEST_BYTES(name, ...) GUEST(name, ".byte " #__VA_ARGS__ "\n\t" GUEST_OUT)

GUEST_BYTES(vmxoff, 0x0f, 0x01, 0xc4);
GUEST_BYTES(vmlaunch, 0x0f, 0x01, 0xc2);
GUEST_BYTES(vmresume, 0x0f, 0x01, 0xc3);
GUEST_BYTES(vmxon, 0xf3, 0x0f, 0xc7, 0x37);
GUEST_BYTES(vmclear, 0x66, 0x0f, 0xc7, 0x37);
GUEST_BYTES(vmptrld, 0x0f, 0xc7, 0x37);
GUEST_BYTES(vmptrst, 0x0f, 0xc7, 0x3f);
GUEST_BYTES(vmread, 0x0f, 0x78, 0xc1);
GUEST_BYTES(vmwrite, 0x0f, 0x79, 0xc1);
GUEST_BYTES(invept, 0x66, 0x0f, 0x38, 0x80, 0x07);
GUEST_BYTES(invvpid, 0x66, 0x0f, 0x38, 0x81, 0x07);
GUEST_BYTES(vmfunc, 0x0f, 0x01, 0xd4);
GUEST_BYTES(vmrun, 0x0f, 0x01, 0xd8);
GUEST_BYTES(vmload, 0x0f, 0x01, 0xda);
GUEST_BYTES(vmsave, 0x0f, 0x01, 0xdb);
GUEST_BYTES(clgi, 0x0f, 0x01, 0xdd);

/* kvmclock on at rdi, and the TSC of a moment when it is. */
GUEST(clock, "mov $0x4b564d01, %ecx\n\t"
	"lea 1(%rdi), %eax\n\t"
	"xor %edx, %edx\n\t"
	"wrmsr\n\t"
	"cpuid\n\t"
	"rdtsc\n\t"
	GUEST_OUT);

/* ---- CPUID, HLT, hypercalls ---- */

static void test_cpuid(void)
{
	static const program_t program[] = ALL(cpuid);
	struct machine m = vm_make();
	struct cpuid_list list;
	const struct kvm_cpuid_entry2 *entry;
	struct kvm_regs regs;
	unsigned int mode;

	cpuid_get_supported(m.kvm, &list);
	entry = cpuid_find(&list, 0x80000001, 0);
	CHECK(entry);
	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		regs = exec_call(&m, program[mode], (struct kvm_regs){
			.rax = 0xabcd000080000001, .rbx = -1ULL,
			.rcx = 0xabcd000000000000, .rdx = -1ULL });
		CHECK_EQ(regs.rax, entry->eax);
		CHECK_EQ(regs.rbx, entry->ebx);
		CHECK_EQ(regs.rcx, entry->ecx);
		/* SYSCALL is there in 64-bit mode only, says Intel. */
		CHECK_EQ(regs.rdx & ~0x800UL, entry->edx & ~0x800UL);
	}
}

static void test_hlt(void)
{
	static const program_t program[] = ALL(hlt);
	struct machine m = vm_make();
	unsigned int mode, n;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		for (n = 0; n < 2; n++) {
			exec_start(&m, program[mode], (struct kvm_regs){ 0 });
			vm_run_until(&m, KVM_EXIT_HLT);
			CHECK_EQ(m.run->if_flag, 1);
			CHECK_EQ(vcpu_regs(&m).rip,
				 guest_address(program[mode]) + 1);
			vm_run_to_out(&m);
		}
	}
	vm_mode(&m, MODE_LONG);
	exec_user_mode(&m);
	exec_fault(&m, guest_hlt64, (struct kvm_regs){ 0 }, GP_VECTOR);
}

static void test_hypercalls(void)
{
	static const program_t intel[] = ALL(vmcall), amd[] = ALL(vmmcall);
	const program_t *program = is_amd() ? amd : intel;
	struct machine m = vm_make();
	struct kvm_regs regs;
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		u64 mask = mode == MODE_LONG ? -1ULL : -1U;

		vm_mode(&m, mode);
		regs = exec_call(&m, program[mode],
				 (struct kvm_regs){ .rax = HC_POLL, .rbx = 7 });
		CHECK_EQ(regs.rax, 0);
		CHECK_EQ(regs.rbx, 7);
		regs = exec_call(&m, program[mode],
				 (struct kvm_regs){ .rax = HC_UNKNOWN });
		CHECK_EQ(regs.rax, HC_ENOSYS & mask);
	}
	exec_user_mode(&m);
	regs = exec_call(&m, program[MODE_LONG],
			 (struct kvm_regs){ .rax = HC_POLL, .rflags = FLAGS_IOPL });
	CHECK_EQ(regs.rax, HC_EPERM);
}

/* A guest that came from a host of the other vendor. */
static void test_hypercalls_other(void)
{
	static const program_t intel[] = ALL(vmcall), amd[] = ALL(vmmcall);
	const program_t *program = is_amd() ? intel : amd;
	struct machine m = vm_make();
	struct kvm_regs regs;
	unsigned int mode;

	if (strcmp(kvm_device(), "/dev/kvmlite"))
		tap_skip("stock KVM writes the right one over it");
	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		regs = exec_call(&m, program[mode],
				 (struct kvm_regs){ .rax = HC_POLL, .rbx = 7 });
		CHECK_EQ(regs.rax, 0);
		CHECK_EQ(regs.rbx, 7);
	}
	vm_mode(&m, MODE_LONG);
	exec_user_mode(&m);
	regs = exec_call(&m, program[MODE_LONG],
			 (struct kvm_regs){ .rax = HC_POLL, .rflags = FLAGS_IOPL });
	CHECK_EQ(regs.rax, HC_EPERM);
}

/* ---- MSRs ---- */

static void test_rdmsr(void)
{
	static const program_t program[] = ALL(rdmsr);
	static const u32 index[] = {
		MSR_APIC_BASE, MSR_UCODE_REV, MSR_MTRR_CAP, MSR_EFER, MSR_STAR,
		MSR_SYSENTER_CS, MSR_KERNEL_GS_BASE,
	};
	struct machine m = vm_make();
	struct kvm_regs regs;
	/* QEMU looks at them where it looks for the intercept. */
	u64 upper = is_amd() ? 0 : 0xabcd00000000;
	unsigned int mode, i;

	vcpu_set_msr(&m, MSR_STAR, 0x0023001000001234);
	vcpu_set_msr(&m, MSR_SYSENTER_CS, 0x18);
	vcpu_set_msr(&m, MSR_KERNEL_GS_BASE, 0x123456789000);
	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		for (i = 0; i < ARRAY_SIZE(index); i++) {
			regs = exec_call(&m, program[mode], (struct kvm_regs){
				.rcx = upper | index[i],
				.rax = -1ULL, .rdx = -1ULL });
			CHECK_EQ(regs.rdx >> 32 | regs.rax >> 32, 0);
			CHECK_EQ(regs.rdx << 32 | regs.rax,
				 vcpu_msr(&m, index[i]));
		}
		exec_fault(&m, program[mode],
			   (struct kvm_regs){ .rcx = MSR_UNKNOWN, .rax = 7 },
		      GP_VECTOR);
		CHECK_EQ(vcpu_regs(&m).rax, 7);
	}
	exec_user_mode(&m);
	exec_fault(&m, guest_rdmsr64, (struct kvm_regs){ .rcx = MSR_APIC_BASE },
		   GP_VECTOR);
}

static void test_wrmsr(void)
{
	static const program_t program[] = ALL(wrmsr);
	static const struct {
		u32 index;
		u64 good, bad;	/* bad 0: every value is good */
	} msr[] = {
		{ MSR_SYSENTER_CS, 0x18, 0 },
		{ MSR_STAR, 0x0023001000005678, 0 },
		{ MSR_LSTAR, 0xffff800012345678, 0x8000000000000000 },
		{ MSR_KERNEL_GS_BASE, 0xffffff8000000000, 0x0000800000000000 },
		{ MSR_MTRR_CAP, 0, 1 },
		{ MSR_PAT, 0x0007010600070106, 0x0000000000000003 },
	};
	struct machine m = vm_make();
	unsigned int mode, i;

	exec_needs_checks();
	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		for (i = 0; i < ARRAY_SIZE(msr); i++) {
			struct kvm_regs regs = {
				.rcx = msr[i].index, .rax = (u32)msr[i].good,
				.rdx = msr[i].good >> 32,
			};

			if (msr[i].good) {
				exec_call(&m, program[mode], regs);
				CHECK_EQ(vcpu_msr(&m, msr[i].index),
					 msr[i].good);
			}
			regs.rax = (u32)msr[i].bad;
			regs.rdx = msr[i].bad >> 32;
			if (msr[i].bad)
				exec_fault(&m, program[mode], regs, GP_VECTOR);
		}
		exec_fault(&m, program[mode],
			   (struct kvm_regs){ .rcx = MSR_UNKNOWN }, GP_VECTOR);
	}
	exec_user_mode(&m);
	exec_fault(&m, guest_wrmsr64, (struct kvm_regs){ .rcx = MSR_STAR },
		   GP_VECTOR);
}

/* EFER: bits that may change, and those that may not. */
static void test_efer(void)
{
	struct machine m = vm_make();

	exec_needs_checks();
	exec_call(&m, guest_wrmsr64,
		  (struct kvm_regs){ .rcx = MSR_EFER, .rax = 0xd01 });
	CHECK_EQ(vcpu_sregs(&m).efer, 0xd01);
	/* LMA is the CPU's. */
	exec_call(&m, guest_wrmsr64,
		  (struct kvm_regs){ .rcx = MSR_EFER, .rax = 0x100 });
	CHECK_EQ(vcpu_sregs(&m).efer, 0x500);
	exec_fault(&m, guest_wrmsr64,
		   (struct kvm_regs){ .rcx = MSR_EFER, .rax = 0x2 }, GP_VECTOR);
	/* LME with paging on. */
	exec_fault(&m, guest_wrmsr64,
		   (struct kvm_regs){ .rcx = MSR_EFER, .rax = 0x400 }, GP_VECTOR);
	CHECK_EQ(vcpu_sregs(&m).efer, 0x500);
	vm_mode(&m, MODE_REAL);
	exec_call(&m, guest_wrmsr16,
		  (struct kvm_regs){ .rcx = MSR_EFER, .rax = 0x100 });
	CHECK_EQ(vcpu_sregs(&m).efer, 0x100);
}

/* ---- the time-stamp counter ---- */

static u64 host_tsc(void)
{
	u32 low, high;

	__asm__ volatile("mfence; lfence; rdtsc; lfence"
			 : "=a"(low), "=d"(high) : : "memory");
	return (u64)high << 32 | low;
}

/* Read in each mode: as far ahead of the host's as when it was set. */
static void check_tsc(const struct machine *m, u64 set, u64 before, u64 after)
{
	static const program_t tsc[] = ALL(rdtsc), tscp[] = ALL(rdtscp);
	struct kvm_regs regs;
	unsigned int mode;
	u64 low, high;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(m, mode);
		low = host_tsc();
		regs = exec_call(m, tsc[mode], (struct kvm_regs){ 0 });
		high = host_tsc();
		CHECK((regs.rdx << 32 | regs.rax) >= set + low - after);
		CHECK((regs.rdx << 32 | regs.rax) <= set + high - before);
		low = host_tsc();
		regs = exec_call(m, tscp[mode], (struct kvm_regs){ .rcx = -1ULL });
		high = host_tsc();
		CHECK((regs.rdx << 32 | regs.rax) >= set + low - after);
		CHECK((regs.rdx << 32 | regs.rax) <= set + high - before);
		CHECK_EQ(regs.rcx, 0x7654321);
	}
}

static void test_tsc(void)
{
	struct machine m = vm_make();
	u64 set = 1ULL << 50, before, after, adjust;

	vcpu_set_msr(&m, MSR_TSC_AUX, 0x7654321);
	before = host_tsc();
	vcpu_set_msr(&m, MSR_TSC, set);
	after = host_tsc();
	check_tsc(&m, set, before, after);
	/* By the guest. */
	vm_mode(&m, MODE_LONG);
	set = 1ULL << 45;
	before = host_tsc();
	exec_call(&m, guest_wrmsr64, (struct kvm_regs){
		.rcx = MSR_TSC, .rax = (u32)set, .rdx = set >> 32 });
	after = host_tsc();
	check_tsc(&m, set, before, after);
	/* Moved by the guest. */
	vm_mode(&m, MODE_LONG);
	adjust = vcpu_msr(&m, MSR_TSC_ADJUST) + (1ULL << 40);
	set += 1ULL << 40;
	exec_call(&m, guest_wrmsr64, (struct kvm_regs){
		.rcx = MSR_TSC_ADJUST, .rax = (u32)adjust,
		.rdx = adjust >> 32 });
	check_tsc(&m, set, before, after);
}

static void test_tsc_forbidden(void)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs;

	exec_user_mode(&m);
	exec_call(&m, guest_rdtsc64, (struct kvm_regs){ .rflags = FLAGS_IOPL });
	sregs = vcpu_sregs(&m);
	sregs.cr4 |= CR4_TSD;
	vcpu_set_sregs(&m, &sregs);
	exec_fault(&m, guest_rdtsc64, (struct kvm_regs){ 0 }, GP_VECTOR);
}

/* There is no such counter. */
static void test_rdpmc(void)
{
	static const program_t program[] = ALL(rdpmc);
	struct machine m = vm_make();
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		exec_fault(&m, program[mode], (struct kvm_regs){ .rcx = 0x3fff0000 },
			   GP_VECTOR);
	}
}

/* ---- instructions that change nothing ---- */

static void test_nothing(void)
{
	static const program_t program[][MODES] = {
		ALL(invd), ALL(wbinvd), ALL(pause), ALL(monitor), ALL(mwait),
	};
	struct machine m = vm_make();
	struct kvm_regs in = { .rax = TOOL_DATA, .rbx = 1, .rsi = 2, .rdi = 3,
			       .rbp = 4 }, out;
	unsigned int mode, i;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		for (i = 0; i < ARRAY_SIZE(program); i++) {
			out = exec_call(&m, program[i][mode], in);
			CHECK_EQ(out.rax, in.rax);
			CHECK_EQ(out.rbx, in.rbx);
			CHECK_EQ(out.rcx, in.rcx);
			CHECK_EQ(out.rdx, in.rdx);
			CHECK_EQ(out.rsi, in.rsi);
			CHECK_EQ(out.rdi, in.rdi);
			CHECK_EQ(out.rbp, in.rbp);
		}
	}
	exec_user_mode(&m);
	exec_fault(&m, guest_invd64, in, GP_VECTOR);
	exec_user_mode(&m);
	exec_fault(&m, guest_wbinvd64, in, GP_VECTOR);
}

static void test_hypervisor(void)
{
	static const program_t program[] = {
		guest_vmxoff, guest_vmlaunch, guest_vmresume, guest_vmxon,
		guest_vmclear, guest_vmptrld, guest_vmptrst, guest_vmread,
		guest_vmwrite, guest_invept, guest_invvpid, guest_vmfunc,
		guest_vmrun, guest_vmload, guest_vmsave, guest_clgi,
	};
	struct machine m = vm_make();
	struct kvm_regs regs = { .rdi = TOOL_DATA, .rax = TOOL_DATA };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(program); i++)
		exec_fault(&m, program[i], regs, UD_VECTOR);
}

/* ---- paravirtualization, registers in kvm_run ---- */

struct pvclock {
	u32 version, pad;
	u64 tsc, ns;
	u32 mul;
	signed char shift;
	u8 flags, pad2[2];
};

static u64 vm_clock(const struct machine *m)
{
	struct kvm_clock_data data;

	MUST(ioctl(m->vm, KVM_GET_CLOCK, &data));
	return data.clock;
}

/* The guest's time is the VM's. */
static void test_clock(void)
{
	struct machine m = vm_make();
	struct pvclock *clock = (struct pvclock *)(m.tool + VM_BUF);
	u64 before, after, delta, ns;
	struct kvm_regs regs;
	unsigned int n;

	for (n = 0; n < 5; n++) {
		before = vm_clock(&m);
		regs = exec_call(&m, guest_clock, (struct kvm_regs){ .rdi = VM_BUF });
		after = vm_clock(&m);
		CHECK(clock->version);
		CHECK_EQ(clock->version & 1, 0);
		delta = (regs.rdx << 32 | regs.rax) - clock->tsc;
		delta = clock->shift < 0 ? delta >> -clock->shift :
					   delta << clock->shift;
		ns = clock->ns + (u64)((__uint128_t)delta * clock->mul >> 32);
		if (ns < before || ns > after)
			tap_fail("kvmclock: expected %lu to %lu, got %lu",
				 before, after, ns);
	}
}

static void test_sync_regs(void)
{
	static const program_t program[] = ALL(cpuid);
	struct machine m = vm_make();
	struct kvm_sync_regs *sync = &m.run->s.regs;
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		vm_mode(&m, mode);
		m.run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS |
					KVM_SYNC_X86_EVENTS;
		exec_call(&m, program[mode], (struct kvm_regs){ .rsi = 0x4321 });
		CHECK_EQ(sync->regs.rsi, 0x4321);
		CHECK_EQ(sync->regs.rip, guest_address(program[mode]) + 2);
		CHECK_EQ(sync->sregs.cr0, vcpu_sregs(&m).cr0);
		CHECK_EQ(sync->events.exception.injected, 0);
		/* Back, by what is in kvm_run only. */
		vcpu_complete(&m);
		sync->regs.rip = guest_address(program[mode]);
		sync->regs.rax = 0x40000000;
		m.run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
		vm_run_to_out(&m);
		CHECK_EQ(m.run->kvm_dirty_regs, 0);
		CHECK_EQ(sync->regs.rbx, 0x4b4d564b);	/* KVMK */
		m.run->kvm_valid_regs = 0;
	}
}

static const struct tap_test tests[] = {
	{ "CPUID", test_cpuid },
	{ "HLT", test_hlt },
	{ "hypercalls", test_hypercalls },
	{ "hypercalls by the other vendor's instruction", test_hypercalls_other },
	{ "RDMSR", test_rdmsr },
	{ "WRMSR", test_wrmsr },
	{ "EFER", test_efer },
	{ "RDTSC and RDTSCP", test_tsc },
	{ "RDTSC forbidden by CR4.TSD", test_tsc_forbidden },
	{ "RDPMC", test_rdpmc },
	{ "INVD, WBINVD, PAUSE, MONITOR, MWAIT", test_nothing },
	{ "instructions of a hypervisor", test_hypervisor },
	{ "kvmclock is the VM's clock", test_clock },
	{ "registers in struct kvm_run", test_sync_regs },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
