// SPDX-License-Identifier: GPL-2.0
/*
 * What the host keeps while guests run: the registers of the VMM's thread, its
 * segments and debug registers, and the MSRs and tables of the CPU.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/io.h>
#include <sys/syscall.h>

#include "kvm_guest.h"

typedef uint16_t u16;

#define RUNS		20

/*
 * Change whatever there is, then tell the VMM: vector and x87 registers, DRs,
 * segments, MSRs.  rdi: MSRs, index and value, up to an index of 0; rsi: DR7.
 */
GUEST_FUNCTION
static void guest_clobber(void)
{
	__asm__ volatile("1: mov (%rdi), %rcx\n\t"
			 "test %rcx, %rcx\n\t"
			 "jz 2f\n\t"
			 "mov 8(%rdi), %eax\n\t"
			 "mov 12(%rdi), %edx\n\t"
			 "wrmsr\n\t"
			 "add $16, %rdi\n\t"
			 "jmp 1b\n\t"
			 "2: .irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
			 "vpcmpeqd %ymm\\i, %ymm\\i, %ymm\\i\n\t"
			 ".endr\n\t"
			 "movl $0x5f80, -8(%rsp)\n\t"
			 "ldmxcsr -8(%rsp)\n\t"
			 "fninit\n\t"
			 "movw $0xb7f, -8(%rsp)\n\t"
			 "fldcw -8(%rsp)\n\t"
			 "fldpi\n\t"
			 "fldl2e\n\t"
			 "xor %eax, %eax\n\t"
			 "mov %eax, %ds\n\t"
			 "mov %eax, %es\n\t"
			 "mov %eax, %fs\n\t"
			 "mov %eax, %gs\n\t"
			 "lldt %ax\n\t"
			 "mov $0x123000, %eax\n\t"
			 "mov %rax, %cr2\n\t"
			 /* Breakpoints on what it does not touch. */
			 "mov $0x20000, %eax\n\t"
			 "mov %rax, %dr0\n\t"
			 "mov %rax, %dr1\n\t"
			 "mov %rax, %dr2\n\t"
			 "mov %rax, %dr3\n\t"
			 "mov %rsi, %dr7\n\t"
			 "3: out %al, $0x10\n\t"
			 "jmp 3b");
}

/* A byte to (rdi), again and again. */
GUEST_FUNCTION
static void guest_write(void)
{
	__asm__ volatile("1: incb (%rdi)\n\t"
			 "out %al, $0x10\n\t"
			 "jmp 1b");
}

#define CR4_OSXSAVE	0x40000
#define EFER_SCE	1

/* MSRs that the guest sets; the same ones are read on the host. */
static const struct {
	u64 index, value;
} guest_msrs[] = {
	{ 0x174, 0x18 },			/* SYSENTER_CS */
	{ 0x175, 0xffff800000001000 },		/* SYSENTER_ESP */
	{ 0x176, 0xffff800000002000 },		/* SYSENTER_EIP */
	{ 0xc0000081, 0x0013000800000000 },	/* STAR */
	{ 0xc0000082, 0xffff800000003000 },	/* LSTAR */
	{ 0xc0000084, 0x700 },			/* FMASK */
	{ 0xc0000100, 0x111000 },		/* FS_BASE */
	{ 0xc0000101, 0x222000 },		/* GS_BASE */
	{ 0xc0000102, 0x333000 },		/* KERNEL_GS_BASE */
	{ 0xc0000103, 0x99 },			/* TSC_AUX */
	{ 0x277, 0x0606060606060606 },		/* PAT */
};

/* Of the host as well, though the guest has none of them. */
static const u32 more_msrs[] = {
	0x1d9,					/* DEBUGCTL */
	0xc0000080,				/* EFER */
	0xc0000083,				/* CSTAR */
};

static struct machine clobber_make(void)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = 7 };
	struct machine m = machine_make();
	struct kvm_sregs sregs;
	struct cpuid_list list;

	cpuid_get_supported(m.kvm, &list);
	if (!(cpuid_find(&list, 1, 0)->ecx & 1 << 28))
		tap_skip("no AVX for guests");
	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	sregs.cr4 |= CR4_OSXSAVE;
	sregs.efer |= EFER_SCE;
	MUST(ioctl(m.vcpu, KVM_SET_SREGS, &sregs));
	MUST(ioctl(m.vcpu, KVM_SET_XCRS, &xcrs));
	memcpy(m.tool + TOOL_DATA, guest_msrs, sizeof(guest_msrs));
	/* QEMU's emulation of AMD-V itself dies of a guest's breakpoints. */
	guest_start(&m, guest_clobber, TOOL_DATA, is_amd() ? 0x400 : 0xdd0007ff,
		    0);
	return m;
}

static void clobber_run(const struct machine *m)
{
	vcpu_run_until(m, KVM_EXIT_IO);
}

/* ---- registers ---- */

struct vectors {
	u8 ymm[16][32];
	u32 mxcsr;
	u16 fcw;
	u16 fsw;
};

/* KVM_RUN with these registers; what is in them then. */
static long run_with(const struct machine *m, const struct vectors *in,
		     struct vectors *out)
{
	register const struct vectors *from __asm__("r12") = in;
	register struct vectors *to __asm__("r13") = out;
	long ret = SYS_ioctl;

	__asm__ volatile(".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
			 "vmovups \\i*32(%%r12), %%ymm\\i\n\t"
			 ".endr\n\t"
			 "ldmxcsr 512(%%r12)\n\t"
			 "fninit\n\t"
			 "fldcw 516(%%r12)\n\t"
			 "fld1\n\t"
			 "syscall\n\t"
			 ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
			 "vmovups %%ymm\\i, \\i*32(%%r13)\n\t"
			 ".endr\n\t"
			 "stmxcsr 512(%%r13)\n\t"
			 "fnstcw 516(%%r13)\n\t"
			 "fnstsw 518(%%r13)\n\t"
			 "fninit\n\t"
			 "vzeroupper"
			 : "+a"(ret)
			 : "D"((long)m->vcpu), "S"((long)KVM_RUN), "d"(0L),
			   "r"(from), "r"(to)
			 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2",
			   "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			   "xmm15");
	return ret;
}

static void test_fpu(void)
{
	struct machine m = clobber_make();
	struct vectors in, out;
	u32 mxcsr = 0x1f80;
	unsigned int n, i;

	for (n = 0; n < RUNS; n++) {
		for (i = 0; i < sizeof(in.ymm); i++)
			in.ymm[i / 32][i % 32] = i * 3 + n;
		in.mxcsr = n % 2 ? 0x3f80 : 0x7f80;
		in.fcw = n % 2 ? 0x77f : 0xf7f;
		memset(&out, 0xcc, sizeof(out));
		CHECK_EQ(run_with(&m, &in, &out), 0);
		__asm__ volatile("ldmxcsr %0" :: "m"(mxcsr));
		CHECK(!memcmp(in.ymm, out.ymm, sizeof(in.ymm)));
		CHECK_EQ(out.mxcsr, in.mxcsr);
		CHECK_EQ(out.fcw, in.fcw);
		/* One value on the stack: FLD1. */
		CHECK_EQ(out.fsw >> 11 & 7, 7);
	}
}

/* ---- segments ---- */

struct selectors {
	u16 ds, es, fs, gs, ldt, tr;
};

static struct selectors selectors(void)
{
	struct selectors s;

	__asm__ volatile("mov %%ds, %0" : "=m"(s.ds));
	__asm__ volatile("mov %%es, %0" : "=m"(s.es));
	__asm__ volatile("mov %%fs, %0" : "=m"(s.fs));
	__asm__ volatile("mov %%gs, %0" : "=m"(s.gs));
	__asm__ volatile("sldt %0" : "=m"(s.ldt));
	__asm__ volatile("str %0" : "=m"(s.tr));
	return s;
}

static unsigned long base_of(int which)
{
	unsigned long base;

	MUST(syscall(SYS_arch_prctl, which, &base));
	return base;
}

/* The thread's own bases; FS is that of the C library. */
static void test_bases(void)
{
	struct machine m = clobber_make();
	unsigned long fs = base_of(ARCH_GET_FS);
	u64 words[2] = { 0x1234567, 0x89abcde }, value;
	unsigned int n;

	for (n = 0; n < RUNS; n++) {
		MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, &words[n % 2]));
		clobber_run(&m);
		__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
		CHECK_EQ(value, words[n % 2]);
		CHECK_EQ(base_of(ARCH_GET_GS), (unsigned long)&words[n % 2]);
		CHECK_EQ(base_of(ARCH_GET_FS), fs);
	}
}

static void set_ldt_entry(unsigned int entry, const void *base)
{
	struct user_desc desc = {
		.entry_number = entry, .base_addr = (unsigned long)base,
		.limit = 0xfff, .seg_32bit = 1,
	};

	MUST(syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)));
}

static u32 *low_page(void)
{
	return (u32 *)MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
}

/* Selectors that are not 0, and a local descriptor table. */
static void test_selectors(void)
{
	struct machine m = clobber_make();
	struct selectors before, after;
	u32 *page = low_page(), value;
	u16 data = 0x2b, local = 0x7;
	unsigned int n;

	*page = 0x5ca1ab1e;
	set_ldt_entry(0, page);
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" :: "r"((u32)data));
	__asm__ volatile("mov %0, %%gs" :: "r"((u32)local));
	before = selectors();
	for (n = 0; n < RUNS; n++) {
		clobber_run(&m);
		after = selectors();
		CHECK_EQ(after.ds, data);
		CHECK_EQ(after.es, data);
		CHECK_EQ(after.gs, local);
		CHECK_EQ(after.fs, before.fs);
		CHECK_EQ(after.ldt, before.ldt);
		CHECK_EQ(after.tr, before.tr);
		__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
		CHECK_EQ(value, 0x5ca1ab1e);
	}
}

/* Until the flag at RDI is set. */
GUEST(wait, "1: pause\n\t"
	"cmpl $0, (%rdi)\n\t"
	"je 1b\n\t"
	GUEST_OUT)

static u32 limit_of(u16 selector)
{
	u32 limit = 0;

	__asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"((u32)selector) : "cc");
	return limit;
}

/* While the guest runs, another thread of the process sets another table. */
static void *set_ldt_run(void *arg)
{
	const struct machine *m = arg;
	struct user_desc desc = { .limit = 0x222, .seg_32bit = 1 };

	sleep_ms(50);
	MUST(syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)));
	sleep_ms(20);
	WRITE_ONCE(*(u32 *)(m->tool + TOOL_DATA), 1);
	return NULL;
}

static void check_ldt_of_other(struct machine *m)
{
	pthread_t thread;

	WRITE_ONCE(*(u32 *)(m->tool + TOOL_DATA), 0);
	CHECK_EQ(pthread_create(&thread, NULL, set_ldt_run, m), 0);
	guest_call(m, guest_wait, TOOL_DATA, 0, 0);
	CHECK_EQ(limit_of(7), 0x222);
	pthread_join(thread, NULL);
}

static void test_ldt_of_other(void)
{
	struct machine m = machine_make();

	if (strcmp(kvm_device(), "/dev/kvmlite"))
		tap_skip("of kvmlite only");
	/* The first table of the process, and one in place of another. */
	check_ldt_of_other(&m);
	set_ldt_entry(0, NULL);
	check_ldt_of_other(&m);
}

struct table {
	u16 limit;
	u64 base;
} __attribute__((packed));

/* Limits that a VM exit sets to 64 KiB. */
static void test_tables(void)
{
	struct table gdt[2], idt[2];
	struct machine m = clobber_make();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	MUST(sched_setaffinity(0, sizeof(set), &set));
	__asm__ volatile("sgdt %0" : "=m"(gdt[0]));
	__asm__ volatile("sidt %0" : "=m"(idt[0]));
	clobber_run(&m);
	__asm__ volatile("sgdt %0" : "=m"(gdt[1]));
	__asm__ volatile("sidt %0" : "=m"(idt[1]));
	CHECK_EQ(gdt[1].limit, gdt[0].limit);
	CHECK_EQ(gdt[1].base, gdt[0].base);
	CHECK_EQ(idt[1].limit, idt[0].limit);
	CHECK_EQ(idt[1].base, idt[0].base);
}

static void out_forbidden(void *arg)
{
	(void)arg;
	outb(0, 0x81);
}

/* The TSS and its I/O bitmap: what is allowed still is, and no more. */
static void test_ioperm(void)
{
	struct machine m = clobber_make();
	unsigned int n;

	MUST(ioperm(0x80, 1, 1));
	for (n = 0; n < RUNS; n++) {
		clobber_run(&m);
		outb(n, 0x80);
	}
	tap_check_signal(out_forbidden, NULL, SIGSEGV);
	clobber_run(&m);
	tap_check_signal(out_forbidden, NULL, SIGSEGV);
	MUST(ioperm(0x80, 1, 0));
	clobber_run(&m);
}

/* ---- breakpoints ---- */

static volatile u8 watched[PAGE] __attribute__((aligned(PAGE)));

static int watch(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT, .size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W, .bp_addr = (unsigned long)watched,
		.bp_len = HW_BREAKPOINT_LEN_1, .exclude_kernel = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	if (fd < 0)
		tap_skip("no hardware breakpoints: %s", strerrorname_np(errno));
	return fd;
}

static u64 hits(int fd)
{
	u64 count;

	CHECK_EQ(read(fd, &count, sizeof(count)), sizeof(count));
	return count;
}

/* The host's breakpoints count the host's writes, whatever the guest sets. */
static void test_breakpoint(void)
{
	struct machine m = clobber_make();
	int fd = watch();
	unsigned int n;

	watched[0] = 1;
	CHECK_EQ(hits(fd), 1);
	for (n = 0; n < RUNS; n++) {
		clobber_run(&m);
		CHECK_EQ(hits(fd), n + 1);
		watched[0] = n;
		CHECK_EQ(hits(fd), n + 2);
	}
}

/* The guest does not meet them: here its address is the host's. */
static void test_breakpoint_guest(void)
{
	struct machine m = machine_make();
	unsigned long address = (unsigned long)watched;
	int fd = watch();
	unsigned int n;

	CHECK(address < 1UL << 30);
	set_slot(&m, 1, 0, address, (void *)watched, PAGE);
	guest_start(&m, guest_write, address, 0, 0);
	for (n = 1; n <= RUNS; n++) {
		vcpu_run_until(&m, KVM_EXIT_IO);
		CHECK_EQ(watched[0], n);
		CHECK_EQ(hits(fd), 0);
	}
}

/* ---- MSRs ---- */

static u64 host_msr(int fd, u32 index)
{
	u64 value;

	if (pread(fd, &value, sizeof(value), index) != sizeof(value))
		tap_skip("MSR %x cannot be read: %s", index,
			 strerrorname_np(errno));
	return value;
}

#define ALL_MSRS (ARRAY_SIZE(guest_msrs) + ARRAY_SIZE(more_msrs))

static u32 msr_index(unsigned int i)
{
	return i < ARRAY_SIZE(guest_msrs) ? guest_msrs[i].index :
	       more_msrs[i - ARRAY_SIZE(guest_msrs)];
}

/* As the thread on the CPU where the guest ran sees them after KVM_RUN. */
static void test_msrs(void)
{
	struct machine m = clobber_make();
	u64 before[ALL_MSRS];
	unsigned int i, n;
	cpu_set_t set;
	int fd;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	MUST(sched_setaffinity(0, sizeof(set), &set));
	MUST(system("modprobe -q msr"));
	fd = open("/dev/cpu/0/msr", O_RDONLY);
	if (fd < 0)
		tap_skip("/dev/cpu/0/msr: %s", strerrorname_np(errno));
	for (i = 0; i < ALL_MSRS; i++)
		before[i] = host_msr(fd, msr_index(i));
	for (n = 0; n < RUNS; n++) {
		clobber_run(&m);
		for (i = 0; i < ALL_MSRS; i++)
			if (host_msr(fd, msr_index(i)) != before[i])
				tap_fail("MSR %x of the host: expected %llx, got %llx",
					 msr_index(i),
					 (unsigned long long)before[i],
					 (unsigned long long)host_msr(fd, msr_index(i)));
	}
}

/* RDTSCP and RDPID tell the CPU's number to all of userspace. */
static void test_tsc_aux(void)
{
	struct machine m = clobber_make();
	unsigned int cpu, aux, n, known;
	cpu_set_t set;

	for (n = 0; n < RUNS; n++) {
		cpu = n % MUST(sysconf(_SC_NPROCESSORS_ONLN));
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		MUST(sched_setaffinity(0, sizeof(set), &set));
		clobber_run(&m);
		__asm__ volatile("rdtscp" : "=c"(aux) :: "rax", "rdx");
		CHECK_EQ(aux & 0xfff, cpu);
		MUST(syscall(SYS_getcpu, &known, NULL, NULL));
		CHECK_EQ(known, cpu);
	}
}

/* Another process on the same CPU, at work while the guest runs. */
static void test_other_process(void)
{
	struct machine m = clobber_make();
	cpu_set_t set;
	pid_t child;
	unsigned int n;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	MUST(sched_setaffinity(0, sizeof(set), &set));
	child = tap_fork();
	if (!child) {
		double sum = 0, last = 0;
		u64 word = 77, value;

		MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, &word));
		for (n = 1; n <= 3000; n++) {
			sum = 0;
			for (unsigned int i = 1; i < 100; i++)
				sum += 1.0 / i;
			CHECK(n == 1 || !memcmp(&sum, &last, sizeof(sum)));
			last = sum;
			__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
			CHECK_EQ(value, word);
			if (n % 10 == 0)
				sched_yield();
		}
		_exit(0);
	}
	for (n = 0; n < 300; n++) {
		clobber_run(&m);
		sched_yield();
	}
	tap_join(child);
}

static const struct tap_test tests[] = {
	{ "vector and x87 registers", test_fpu },
	{ "bases of FS and GS", test_bases },
	{ "selectors and the LDT", test_selectors },
	{ "an LDT that another thread sets", test_ldt_of_other },
	{ "limits of GDT and IDT", test_tables },
	{ "the TSS and its I/O bitmap", test_ioperm },
	{ "a breakpoint of the host", test_breakpoint },
	{ "a breakpoint that the guest must not meet", test_breakpoint_guest },
	{ "MSRs", test_msrs },
	{ "TSC_AUX", test_tsc_aux },
	{ "another process on the same CPU", test_other_process },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
