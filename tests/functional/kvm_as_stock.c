// SPDX-License-Identifier: GPL-2.0
/*
 * What stock KVM does and VMMs rely on, though nothing but its code says so:
 * each expectation here was seen on stock KVM (KVM_DEVICE=/dev/kvm) first.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"

/* ---- what QEMU wants ---- */

/*
 * QEMU 10 and 11 do not start without these, whatever kernel-irqchip is.
 * KVM_CAP_SIGNAL_MSI is since 8.2 among them.
 */
static void test_qemu_caps(void)
{
	static const int needed[] = {
		KVM_CAP_USER_MEMORY, KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
		KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, KVM_CAP_INTERNAL_ERROR_DATA,
		KVM_CAP_IOEVENTFD, KVM_CAP_IOEVENTFD_ANY_LENGTH,
		KVM_CAP_SET_TSS_ADDR, KVM_CAP_EXT_CPUID, KVM_CAP_MP_STATE,
		KVM_CAP_SIGNAL_MSI, KVM_CAP_IRQ_ROUTING, KVM_CAP_DEBUGREGS,
		KVM_CAP_XSAVE, KVM_CAP_VCPU_EVENTS,
		KVM_CAP_X86_ROBUST_SINGLESTEP, KVM_CAP_MCE,
		KVM_CAP_ADJUST_CLOCK, KVM_CAP_SET_IDENTITY_MAP_ADDR,
	};
	struct machine m = machine_bare();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(needed); i++)
		if (has_cap(m.kvm, needed[i]) <= 0 || has_cap(m.vm, needed[i]) <= 0)
			tap_fail("capability %d is missing", needed[i]);
	CHECK_EQ(has_cap(m.kvm, KVM_CAP_SIGNAL_MSI), 1);
}

/* The call is there, and nobody to take the message. */
static void test_signal_msi(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };
	struct machine m = machine_bare();

	CHECK_ERRNO(ioctl(m.vm, KVM_SIGNAL_MSI, &msi), EINVAL);
	msi.flags = 0x80000000;
	CHECK_ERRNO(ioctl(m.vm, KVM_SIGNAL_MSI, &msi), EINVAL);
	CHECK_ERRNO(ioctl(m.vm, KVM_SIGNAL_MSI, NULL), EFAULT);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SIGNAL_MSI, &msi), EINVAL);
	CHECK_ERRNO(ioctl(m.kvm, KVM_SIGNAL_MSI, &msi), EINVAL);
}

/* ---- quirks ---- */

static void disable_quirk(const struct machine *m, u64 quirk)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DISABLE_QUIRKS2, .args[0] = quirk,
	};

	CHECK_EQ(has_cap(m->vm, KVM_CAP_DISABLE_QUIRKS2) & quirk, quirk);
	MUST(ioctl(m->vm, KVM_ENABLE_CAP, &cap));
}

/* The older capability takes any bits, the newer one those that it names. */
static void test_quirks(void)
{
	struct machine m = vm_make();
	int quirks = has_cap(m.kvm, KVM_CAP_DISABLE_QUIRKS2);
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DISABLE_QUIRKS, .args[0] = 1ULL << 40,
	};

	tap_note("quirks that can be switched off: %#x", quirks);
	/* What 6.1 has; later kernels have more. */
	CHECK_EQ(quirks & 0x7f, 0x7f);
	CHECK_EQ(has_cap(m.kvm, KVM_CAP_DISABLE_QUIRKS), 1);
	MUST(ioctl(m.vm, KVM_ENABLE_CAP, &cap));
	cap.cap = KVM_CAP_DISABLE_QUIRKS2;
	CHECK_ERRNO(ioctl(m.vm, KVM_ENABLE_CAP, &cap), EINVAL);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_ENABLE_CAP, &cap), EINVAL);
	cap.args[0] = quirks;
	MUST(ioctl(m.vm, KVM_ENABLE_CAP, &cap));
	cap.flags = 1;
	CHECK_ERRNO(ioctl(m.vm, KVM_ENABLE_CAP, &cap), EINVAL);
}

/* Two runs: the second time the OUT is a NOP of two bytes. */
GUEST(out_7e, "xor %ecx, %ecx\n\t"
	      "1: mov %edi, %eax\n\t"
	      ".globl out_7e\n\t"
	      "out_7e: out %al, $0x7e\n\t"
	      "inc %ecx\n\t"
	      "cmp $2, %ecx\n\t"
	      "jne 1b\n\t" GUEST_OUT)
GUEST_LABELS(out_7e[]);

static void run_to_7e(const struct machine *m, u64 rip)
{
	vm_run_until(m, KVM_EXIT_IO);
	CHECK_EQ(m->run->io.port, 0x7e);
	CHECK_EQ(*(u8 *)vcpu_io_data(m), 0x5a);
	CHECK_EQ(vcpu_regs(m).rip, rip);
}

static void test_out_7e(void)
{
	struct machine m = vm_make();
	u64 out = guest_label(out_7e);

	guest_start(&m, guest_out_7e, 0x5a, 0, 0);
	run_to_7e(&m, out + 2);
	/* As QEMU's kvmvapic. */
	memcpy(m.tool + out, "\x66\x90", 2);
	vm_run_to_out(&m);
	CHECK_EQ(vcpu_regs(&m).rcx, 2);
}

/* Another port, or the VMM does not want it. */
static void test_out_7e_off(void)
{
	struct machine m = vm_make();
	u64 out = guest_label(out_7e);

	disable_quirk(&m, KVM_X86_QUIRK_OUT_7E_INC_RIP);
	guest_start(&m, guest_out_7e, 0x5a, 0, 0);
	run_to_7e(&m, out);
	run_to_7e(&m, out);
	vm_run_to_out(&m);
	CHECK_EQ(vcpu_regs(&m).rcx, 2);
	CHECK_EQ(vcpu_regs(&m).rip, guest_label(out_7e) + 2 + 2 + 3 + 2);
}

#define HYPERCALL_NONE	(-1000ULL)	/* -KVM_ENOSYS */

GUEST(vmcall, "mov $0xfff, %eax\n\tvmcall\n\t" GUEST_OUT)
GUEST(vmmcall, "mov $0xfff, %eax\n\tvmmcall\n\t" GUEST_OUT)

/* The hypercall instruction of the other vendor. */
static void test_hypercall(void)
{
	program_t foreign = is_amd() ? guest_vmcall : guest_vmmcall;
	struct machine m = vm_make(), n = vm_make();

	vm_call(&m, foreign, 0, 0, 0);
	CHECK_EQ(vcpu_regs(&m).rax, HYPERCALL_NONE);
	disable_quirk(&n, KVM_X86_QUIRK_FIX_HYPERCALL_INSN);
	guest_start(&n, foreign, 0, 0, 0);
	CHECK_EQ(vm_run_to_trap(&n, UD_VECTOR).rip, guest_address(foreign) + 5);
	foreign = is_amd() ? guest_vmmcall : guest_vmcall;
	vm_call(&n, foreign, 0, 0, 0);
	CHECK_EQ(vcpu_regs(&n).rax, HYPERCALL_NONE);
}

#define CPUID_1_MWAIT	(1U << 3)

static void set_mwait(const struct machine *m, bool on)
{
	struct kvm_cpuid_entry2 *e;
	struct cpuid_list list;

	cpuid_get_supported(m->kvm, &list);
	e = cpuid_find(&list, 1, 0);
	e->ecx = on ? e->ecx | CPUID_1_MWAIT : e->ecx & ~CPUID_1_MWAIT;
	MUST(ioctl(m->vcpu, KVM_SET_CPUID2, &list));
}

GUEST(mwait, "xor %ecx, %ecx\n\txor %edx, %edx\n\tmov %rdi, %rax\n\t"
	     "monitor\n\tmwait\n\t" GUEST_OUT)

static void test_mwait(void)
{
	struct machine m = vm_make(), n, with;

	set_mwait(&m, false);
	vm_call(&m, guest_mwait, TOOL_DATA, 0, 0);
	n = vm_make();
	set_mwait(&n, false);
	disable_quirk(&n, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS);
	guest_start(&n, guest_mwait, TOOL_DATA, 0, 0);
	CHECK_EQ(vm_run_to_trap(&n, UD_VECTOR).rip, guest_address(guest_mwait) + 7);
	with = vm_make();
	set_mwait(&with, true);
	disable_quirk(&with, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS);
	vm_call(&with, guest_mwait, TOOL_DATA, 0, 0);
}

#define MSR_MISC_ENABLE		0x1a0
#define MISC_ENABLE_MWAIT	(1ULL << 18)

GUEST(cpuid_1, "mov $1, %eax\n\tcpuid\n\t" GUEST_OUT)

static bool guest_sees_mwait(const struct machine *m)
{
	vm_call(m, guest_cpuid_1, 0, 0, 0);
	return vcpu_regs(m).rcx & CPUID_1_MWAIT;
}

/* CPUID's bit follows IA32_MISC_ENABLE if the VMM wants it so. */
static void test_misc_enable(void)
{
	struct machine m = vm_make(), n = vm_make();
	u64 value = vcpu_msr(&m, MSR_MISC_ENABLE) | MISC_ENABLE_MWAIT;

	set_mwait(&m, false);
	vcpu_set_msr(&m, MSR_MISC_ENABLE, value);
	CHECK(!guest_sees_mwait(&m));
	disable_quirk(&n, KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT);
	set_mwait(&n, false);
	vcpu_set_msr(&n, MSR_MISC_ENABLE, value);
	CHECK(guest_sees_mwait(&n));
	vcpu_set_msr(&n, MSR_MISC_ENABLE, value & ~MISC_ENABLE_MWAIT);
	CHECK(!guest_sees_mwait(&n));
}

/* ---- MSRs ---- */

#define MSR_SMI_COUNT		0x34
#define MSR_ARCH_CAPABILITIES	0x10a
#define MSR_XSS			0xda0
#define MSR_SYSCALL_MASK	0xc0000084
#define MSR_HWCR		0xc0010015
#define MSR_CLK_CTL		0xc001001b
#define MSR_OSVW_ID_LENGTH	0xc0010140
#define MSR_OSVW_STATUS		0xc0010141
#define MSR_DE_CFG		0xc0011029

GUEST(rdmsr, "mov %edi, %ecx\n\trdmsr\n\tshl $32, %rdx\n\tor %rdx, %rax\n\t" GUEST_OUT)
GUEST(wrmsr, "mov %edi, %ecx\n\tmov %esi, %eax\n\tmov %rsi, %rdx\n\t"
	     "shr $32, %rdx\n\twrmsr\n\t" GUEST_OUT)

static u64 guest_rdmsr_value(const struct machine *m, u32 index)
{
	vm_call(m, guest_rdmsr, index, 0, 0);
	return vcpu_regs(m).rax;
}

static void guest_msr_faults(const struct machine *m, program_t program, u32 index,
			     u64 value)
{
	guest_start(m, program, index, value, 0);
	CHECK_EQ(vm_run_to_trap(m, GP_VECTOR).error, 0);
}

static int try_msr(int fd, unsigned long request, u32 index, u64 value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };

	return MUST(ioctl(fd, request, &msr));
}

static void refuses_msr(const struct machine *m, u32 index, u64 value)
{
	CHECK_EQ(try_msr(m->vcpu, KVM_SET_MSRS, index, value), 0);
}

static bool is_listed(int kvm, unsigned long request, u32 index)
{
	static struct {
		struct kvm_msr_list head;
		u32 indices[1024];
	} list;
	u32 i;

	list.head.nmsrs = ARRAY_SIZE(list.indices);
	MUST(ioctl(kvm, request, &list));
	for (i = 0; i < list.head.nmsrs; i++)
		if (list.indices[i] == index)
			return true;
	return false;
}

/* A feature bit of the guest's CPUID. */
static void set_feature(const struct machine *m, u32 function, u32 index, bool eax,
			u32 bit, bool on)
{
	struct kvm_cpuid_entry2 *e;
	struct cpuid_list list;
	u32 *reg;

	cpuid_get_supported(m->kvm, &list);
	e = cpuid_find(&list, function, index);
	if (!e) {
		e = &list.entries[list.head.nent++];
		*e = (struct kvm_cpuid_entry2){
			.function = function, .index = index,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		};
	}
	reg = eax ? &e->eax : &e->ecx;
	*reg = on ? *reg | bit : *reg & ~bit;
	MUST(ioctl(m->vcpu, KVM_SET_CPUID2, &list));
}

static void test_smi_count(void)
{
	struct machine m = vm_make();

	CHECK(is_listed(m.kvm, KVM_GET_MSR_INDEX_LIST, MSR_SMI_COUNT));
	CHECK_EQ(vcpu_msr(&m, MSR_SMI_COUNT), 0);
	vcpu_set_msr(&m, MSR_SMI_COUNT, 0x123456789);
	CHECK_EQ(vcpu_msr(&m, MSR_SMI_COUNT), 0x123456789);
	CHECK_EQ(guest_rdmsr_value(&m, MSR_SMI_COUNT), 0x123456789);
	guest_msr_faults(&m, guest_wrmsr, MSR_SMI_COUNT, 0);
}

static void test_clk_ctl(void)
{
	struct machine m = vm_make();

	CHECK(!is_listed(m.kvm, KVM_GET_MSR_INDEX_LIST, MSR_CLK_CTL));
	CHECK(is_listed(m.kvm, KVM_GET_MSR_INDEX_LIST, MSR_HWCR));
	vcpu_set_msr(&m, MSR_CLK_CTL, 5);
	vm_call(&m, guest_wrmsr, MSR_CLK_CTL, 5, 0);
	CHECK_EQ(vcpu_msr(&m, MSR_CLK_CTL), 0x20000000);
	CHECK_EQ(guest_rdmsr_value(&m, MSR_CLK_CTL), 0x20000000);
}

#define CPUID_OSVW	(1U << 9)	/* 0x80000001, ECX */

/* OS-visible workarounds. */
static void test_osvw(void)
{
	struct machine m = vm_make(), n;
	u64 length;

	set_feature(&m, 0x80000001, 0, false, CPUID_OSVW, false);
	CHECK(!is_listed(m.kvm, KVM_GET_MSR_INDEX_LIST, MSR_OSVW_STATUS));
	CHECK_EQ(try_msr(m.vcpu, KVM_GET_MSRS, MSR_OSVW_STATUS, 0), 0);
	refuses_msr(&m, MSR_OSVW_ID_LENGTH, 3);
	guest_msr_faults(&m, guest_rdmsr, MSR_OSVW_ID_LENGTH, 0);
	guest_msr_faults(&m, guest_wrmsr, MSR_OSVW_STATUS, 0);
	n = vm_make();
	set_feature(&n, 0x80000001, 0, false, CPUID_OSVW, true);
	length = vcpu_msr(&n, MSR_OSVW_ID_LENGTH);
	CHECK(is_amd() ? length >= 3 : length == 0);
	CHECK_EQ(guest_rdmsr_value(&n, MSR_OSVW_ID_LENGTH), length);
	/* HLT, IN and OUT of a guest are safe from errata 400 and 415. */
	CHECK_EQ(vcpu_msr(&n, MSR_OSVW_STATUS) & 6, 0);
	vcpu_set_msr(&n, MSR_OSVW_STATUS, 0x11);
	CHECK_EQ(guest_rdmsr_value(&n, MSR_OSVW_STATUS), 0x11);
	vm_call(&n, guest_wrmsr, MSR_OSVW_ID_LENGTH, 7, 0);
	CHECK_EQ(vcpu_msr(&n, MSR_OSVW_ID_LENGTH), 7);
}

#define CPUID_XSAVES	(1U << 3)	/* 0xd, 1, EAX */

static void test_xss(void)
{
	struct machine m = vm_make(), n;

	set_feature(&m, 0xd, 1, true, CPUID_XSAVES, false);
	CHECK(!is_listed(m.kvm, KVM_GET_MSR_INDEX_LIST, MSR_XSS));
	CHECK_EQ(vcpu_msr(&m, MSR_XSS), 0);
	vcpu_set_msr(&m, MSR_XSS, 0);
	refuses_msr(&m, MSR_XSS, 1ULL << 40);
	guest_msr_faults(&m, guest_rdmsr, MSR_XSS, 0);
	guest_msr_faults(&m, guest_wrmsr, MSR_XSS, 0);
	n = vm_make();
	set_feature(&n, 0xd, 1, true, CPUID_XSAVES, true);
	CHECK_EQ(guest_rdmsr_value(&n, MSR_XSS), 0);
	vm_call(&n, guest_wrmsr, MSR_XSS, 0, 0);
	guest_msr_faults(&n, guest_wrmsr, MSR_XSS, 1ULL << 40);
}

#define DE_CFG_LFENCE	2ULL

/* AMD's; of it there is one bit, where LFENCE serializes. */
static void test_de_cfg(void)
{
	struct machine m = vm_make();

	CHECK(!is_listed(m.kvm, KVM_GET_MSR_INDEX_LIST, MSR_DE_CFG));
	CHECK_EQ(is_listed(m.kvm, KVM_GET_MSR_FEATURE_INDEX_LIST, MSR_DE_CFG),
		 is_amd());
	if (!is_amd()) {
		CHECK_EQ(try_msr(m.vcpu, KVM_GET_MSRS, MSR_DE_CFG, 0), 0);
		guest_msr_faults(&m, guest_rdmsr, MSR_DE_CFG, 0);
		return;
	}
	CHECK_EQ(try_msr(m.kvm, KVM_GET_MSRS, MSR_DE_CFG, 0), 1);
	CHECK_EQ(vcpu_msr(&m, MSR_DE_CFG), 0);
	refuses_msr(&m, MSR_DE_CFG, 1);
	refuses_msr(&m, MSR_DE_CFG, DE_CFG_LFENCE | 1ULL << 40);
	vcpu_set_msr(&m, MSR_DE_CFG, DE_CFG_LFENCE);
	CHECK_EQ(guest_rdmsr_value(&m, MSR_DE_CFG), DE_CFG_LFENCE);
	guest_msr_faults(&m, guest_wrmsr, MSR_DE_CFG, 1);
	vm_call(&m, guest_wrmsr, MSR_DE_CFG, 0, 0);
	CHECK_EQ(vcpu_msr(&m, MSR_DE_CFG), 0);
	/* The VMM cannot change what the guest has seen. */
	refuses_msr(&m, MSR_DE_CFG, DE_CFG_LFENCE);
	vcpu_set_msr(&m, MSR_DE_CFG, 0);
}

/* Of Intel's features it is the same. */
static void test_arch_capabilities(void)
{
	struct machine m = vm_make();

	vcpu_set_msr(&m, MSR_ARCH_CAPABILITIES, 0);
	vcpu_set_msr(&m, MSR_ARCH_CAPABILITIES, 1);
	vm_call(&m, guest_cpuid_1, 0, 0, 0);
	CHECK_EQ(vcpu_msr(&m, MSR_ARCH_CAPABILITIES), 1);
	refuses_msr(&m, MSR_ARCH_CAPABILITIES, 0);
	vcpu_set_msr(&m, MSR_ARCH_CAPABILITIES, 1);
}

/* ---- memory ---- */

#define AREA		0x8000000UL
#define TABLES		256UL		/* second-stage tables, of 2 MiB each */

/* A page of each. */
GUEST(touch, "mov %rsi, %rcx\n\t1: movb $1, (%rdi)\n\tadd $0x200000, %rdi\n\t"
	     "dec %rcx\n\tjnz 1b\n\t" GUEST_OUT)

static long sec_page_tables(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "SecPageTables: %ld kB", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

/* Administrators see what second-stage tables take. CPUs tell now and then. */
static void test_sec_page_tables(void)
{
	struct machine m = vm_make();
	long before = sec_page_tables(), slack = 64 * 4;
	char *area = map_memory(TABLES * 2 * MIB);

	CHECK(before >= 0);
	MUST(madvise(area, TABLES * 2 * MIB, MADV_NOHUGEPAGE));
	set_slot(&m, 1, 0, AREA, area, TABLES * 2 * MIB);
	vm_call(&m, guest_touch, AREA, TABLES, 0);
	CHECK_SOON(sec_page_tables() >= before + (long)TABLES * 4 - slack);
	set_slot(&m, 1, 0, AREA, area, 0);
	CHECK_SOON(sec_page_tables() <= before + slack);
	machine_close(&m);
}

/* Intel's CPUs fault on the upper half of IA32_FMASK, AMD's do without it. */
static void test_fmask(void)
{
	struct machine m = vm_make();

	vcpu_set_msr(&m, MSR_SYSCALL_MASK, 0x47700);
	if (!is_amd())
		refuses_msr(&m, MSR_SYSCALL_MASK, 1ULL << 32);
	CHECK_EQ(vcpu_msr(&m, MSR_SYSCALL_MASK), 0x47700);
	machine_close(&m);
}

/* ---- segments ---- */

/* AMD's CPUs need no G bit: stock says what the limit says. */
static void test_granularity(void)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs;

	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	sregs.ds.limit = 0xffffffff;
	sregs.ds.g = 0;
	sregs.es.limit = 0xfffff;
	sregs.es.g = 1;
	MUST(ioctl(m.vcpu, KVM_SET_SREGS, &sregs));
	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	CHECK_EQ(sregs.ds.g, is_amd());
	CHECK_EQ(sregs.es.g, !is_amd());
	machine_close(&m);
}

/* ---- IN and INS where something ends ---- */

#define LAST_BYTE	(2 * MIB - 1)	/* of the guest's memory, and of all addresses */
#define PORT_DATA	0x11223344U

static u32 *port_data(const struct machine *m)
{
	return (u32 *)((char *)m->run + m->run->io.data_offset);
}

/* RIP is 0 then, which is no sign that the CPU did not tell it. (QEMU has none at -1.) */
static void test_in_last_byte(void)
{
	struct machine m = machine_make_size(2 * MIB);
	struct kvm_regs regs = { .rip = -2ull, .rflags = 2 };

	((u64 *)(m.tool + TOOL_PML4))[511] = TOOL_PDPT | 3;
	((u64 *)(m.tool + TOOL_PDPT))[511] = TOOL_PD | 3;
	((u64 *)(m.tool + TOOL_PD))[511] = 0x83;
	memcpy(m.tool + LAST_BYTE - 1, "\xe4\x10", 2);	/* IN AL, 0x10 */
	MUST(ioctl(m.vcpu, KVM_SET_REGS, &regs));
	vcpu_run_until(&m, KVM_EXIT_IO);
	*port_data(&m) = PORT_DATA;
	vcpu_complete(&m);
	regs = vcpu_regs(&m);
	CHECK_EQ(regs.rip, 0);
	CHECK_EQ(regs.rax, PORT_DATA & 0xff);
	machine_close(&m);
}

/* With addresses of 16 bits, DI at their end; the segment goes on. */
static void test_ins_last_element(void)
{
	struct machine m = machine_make();
	struct kvm_regs regs = { .rip = TOOL_CODE, .rflags = 2, .rdx = PORT,
				 .rdi = 0xfffe };
	struct kvm_sregs sregs;
	u32 value;

	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	sregs.cr0 = 0x33;
	sregs.efer = 0;
	sregs.cs.l = 0;
	sregs.cs.db = 1;
	sregs.es.base = 0x10;
	MUST(ioctl(m.vcpu, KVM_SET_SREGS, &sregs));
	memcpy(m.tool + TOOL_CODE, "\x67\x6d", 2);	/* INSD */
	MUST(ioctl(m.vcpu, KVM_SET_REGS, &regs));
	vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(m.run->io.count, 1);
	*port_data(&m) = PORT_DATA;
	vcpu_complete(&m);
	memcpy(&value, m.tool + 0x1000e, sizeof(value));
	CHECK_EQ(value, PORT_DATA);
	regs = vcpu_regs(&m);
	CHECK_EQ(regs.rip, TOOL_CODE + 2);
	CHECK_EQ(regs.rdi, 2);
	machine_close(&m);
}

static const struct tap_test tests[] = {
	{ "capabilities that QEMU 10 requires", test_qemu_caps },
	{ "KVM_SIGNAL_MSI without an interrupt controller", test_signal_msi },
	{ "quirks that a VMM switches off", test_quirks },
	{ "OUT to port 0x7e", test_out_7e },
	{ "OUT to port 0x7e without the quirk", test_out_7e_off },
	{ "the other vendor's hypercall", test_hypercall },
	{ "MONITOR and MWAIT", test_mwait },
	{ "CPUID's MWAIT and IA32_MISC_ENABLE", test_misc_enable },
	{ "SMI_COUNT", test_smi_count },
	{ "CLK_CTL of the K7, HWCR", test_clk_ctl },
	{ "OS-visible workarounds", test_osvw },
	{ "IA32_XSS", test_xss },
	{ "DE_CFG", test_de_cfg },
	{ "SecPageTables of /proc/meminfo", test_sec_page_tables },
	{ "FMASK", test_fmask },
	{ "the G bit of segments", test_granularity },
	{ "IN at the end of all addresses", test_in_last_byte },
	{ "INS where DI ends", test_ins_last_element },
	{ "ARCH_CAPABILITIES after the guest ran", test_arch_capabilities },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
