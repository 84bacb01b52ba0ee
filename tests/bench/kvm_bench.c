// SPDX-License-Identifier: GPL-2.0
/*
 * kvmlite against the kernel's own KVM, in the same boot.
 *
 * Each side's module is loaded alone, measured in every case, and unloaded:
 * neither sees the other.  Both run the same raw guest in 64-bit mode, without
 * an interrupt controller in the kernel.  Prints one line for each figure:
 * BENCH,case,metric,unit,ours,peer.
 *
 * The unit is ticks of the time-stamp counter, read by the host.  Under Bochs,
 * and under QEMU with icount, a tick is an instruction: --unit names it.  Each
 * figure is a minimum over rounds that are mostly shorter than a tick of the
 * host's timer, so that no interrupt is in it, and the difference between a
 * round and a shorter or an already mapped one, so that neither the way in nor
 * the loop is.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <linux/kvm.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bench.h"

enum which { OURS, PEER, SIDES };

#define HUGE_PAGE	(2UL << 20)

/* Guest physical memory: what the guest needs, then what it shall touch. */
#define TOOL_PAGES	16UL
#define TOOL_PML4	0x1000UL
#define TOOL_PDPT	0x2000UL
#define TOOL_PD		0x3000UL
#define TOOL_CODE	0x4000UL
#define TOOL_STACK	0x8000UL
#define AREA_BASE	(64UL << 20)
#define AREA_SIZE	(16UL << 20)
#define MMIO_BASE	0x30000000UL
#define PORT		0x10

#define LOOP		32	/* exits in a round */
#define ROUNDS		60
#define CHUNK		16	/* pages that one KVM_RUN touches */
#define FILL_PAGES	512	/* an EPT page table's worth */
#define FILL_ROUNDS	10

/* ---- the guest ---- */

/*
 * Loops of the guest: rdi is where, rdx how far apart, rsi how often.  Each
 * ends in an OUT to userspace.
 */
#define GUEST(name, code)						\
__attribute__((naked, used, section("guest_code")))			\
static void guest_##name(void)						\
{									\
	__asm__ volatile("1:\n\t" code);				\
}

#define END_LOOP	"dec %rsi\n\tjnz 1b\n\t"
#define END		END_LOOP "2: out %al, $0x10\n\tjmp 2b"

GUEST(cpuid, "xor %eax, %eax\n\tcpuid\n\t" END)
GUEST(vmcall, "mov $1, %eax\n\tvmcall\n\t" END)	/* KVM_HC_VAPIC_POLL_IRQ */
GUEST(vmmcall, "mov $1, %eax\n\tvmmcall\n\t" END)
GUEST(rdmsr, "mov $0x1b, %ecx\n\trdmsr\n\t" END)	/* IA32_APIC_BASE */
GUEST(touch, "movb $1, (%rdi)\n\tadd %rdx, %rdi\n\t" END)
GUEST(out, "out %al, $0x10\n\tjmp 1b")
GUEST(in, "in $0x10, %al\n\tjmp 1b")
/* Of the same bytes in 32-bit code. */
GUEST(write, "mov %eax, (%rdi)\n\tjmp 1b")
GUEST(read, "mov (%rdi), %eax\n\tjmp 1b")
#define WRMSR		"xor %edx, %edx\n\twrmsr\n\t" END
GUEST(tsc_adjust, "mov $0x3b, %ecx\n\tmov $4096, %eax\n\t" WRMSR)
GUEST(misc_enable, "mov $0x1a0, %ecx\n\tmov $0x1801, %eax\n\t" WRMSR)
/* CD goes on and off, which no CPU leaves to the guest; so do PSE and DR7. */
GUEST(mov_cr0, "mov %cr0, %rax\n\tbtc $30, %rax\n\tmov %rax, %cr0\n\t" END)
GUEST(mov_cr4, "mov %cr4, %rax\n\tbtc $4, %rax\n\tmov %rax, %cr4\n\t" END)
GUEST(mov_dr, "mov %rsi, %dr0\n\t" END)
/* The same again and again: a priority that falls is for userspace, which has the APIC. */
GUEST(mov_cr8, "mov $5, %eax\n\tmov %rax, %cr8\n\t" END)
GUEST(wbinvd, "wbinvd\n\t" END)

extern const char __start_guest_code[], __stop_guest_code[];

static int kvm_fd, vm_fd, vcpu_fd;
static struct kvm_run *run;
static char *tool, *area;

#define do_ioctl(fd, request, arg) \
	checked_ioctl(fd, request, #request, (unsigned long)(arg))

static int checked_ioctl(int fd, unsigned long request, const char *name,
			 unsigned long arg)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		die("%s: %s", name, strerror(errno));
	return ret;
}

static void *map_memory(size_t size)
{
	char *mem = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	return (void *)(((uintptr_t)mem + HUGE_PAGE - 1) & -HUGE_PAGE);
}

static void set_slot(unsigned int slot, __u64 address, void *mem, size_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = address,
		.memory_size = size, .userspace_addr = (uintptr_t)mem,
	};

	do_ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
}

/* The first GiB, one to one, in pages of 2 MiB. */
static void make_page_tables(void)
{
	__u64 *pd = (__u64 *)(tool + TOOL_PD), i;

	*(__u64 *)(tool + TOOL_PML4) = TOOL_PDPT | 3;
	*(__u64 *)(tool + TOOL_PDPT) = TOOL_PD | 3;
	for (i = 0; i < 512; i++)
		pd[i] = i * HUGE_PAGE | 0x83;
}

static struct kvm_segment flat_segment(__u8 type)
{
	bool code = type == 11;

	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = code ? 8 : 16, .type = type,
		.present = 1, .db = !code, .s = 1, .l = code, .g = 1,
	};
}

static void set_long_mode(void)
{
	struct kvm_sregs sregs;

	do_ioctl(vcpu_fd, KVM_GET_SREGS, &sregs);
	sregs.cr0 = 0x80010033;	/* PG WP NE ET MP PE */
	sregs.cr3 = TOOL_PML4;
	sregs.cr4 = 0x20;	/* PAE */
	sregs.efer = 0x500;	/* LMA LME */
	sregs.cs = flat_segment(11);
	sregs.ds = flat_segment(3);
	sregs.es = sregs.ds;
	sregs.fs = sregs.ds;
	sregs.gs = sregs.ds;
	sregs.ss = sregs.ds;
	do_ioctl(vcpu_fd, KVM_SET_SREGS, &sregs);
}

static void set_cpuid(void)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid;

	cpuid.head.nent = ARRAY_SIZE(cpuid.entries);
	do_ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, &cpuid);
	do_ioctl(vcpu_fd, KVM_SET_CPUID2, &cpuid);
}

static void machine_make(void)
{
	vm_fd = do_ioctl(kvm_fd, KVM_CREATE_VM, 0);
	tool = map_memory(TOOL_PAGES * BENCH_PAGE);
	area = map_memory(AREA_SIZE);
	make_page_tables();
	memcpy(tool + TOOL_CODE, __start_guest_code,
	       __stop_guest_code - __start_guest_code);
	set_slot(0, 0, tool, TOOL_PAGES * BENCH_PAGE);
	set_slot(1, AREA_BASE, area, AREA_SIZE);
	vcpu_fd = do_ioctl(vm_fd, KVM_CREATE_VCPU, 0);
	run = mmap(NULL, do_ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0),
		   PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd, 0);
	if (run == MAP_FAILED)
		die("mmap of the vCPU: %s", strerror(errno));
	set_cpuid();
	set_long_mode();
}

static void machine_end(void)
{
	munmap(area, AREA_SIZE);
	munmap(tool, TOOL_PAGES * BENCH_PAGE);
	munmap(run, do_ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0));
	close(vcpu_fd);
	close(vm_fd);
}

static inline __u64 ticks(void)
{
	__u32 low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (__u64)high << 32 | low;
}

static inline int run_once(void)
{
	return syscall(SYS_ioctl, vcpu_fd, KVM_RUN, 0);
}

static void run_until(__u32 reason)
{
	if (run_once())
		die("KVM_RUN: %s", strerror(errno));
	if (run->exit_reason != reason)
		die("exit reason %u instead of %u", run->exit_reason, reason);
}

/* Where the next KVM_RUN starts; what the last exit left open is completed. */
static void set_program(void (*program)(void), __u64 rdi, __u64 rsi, __u64 rdx)
{
	struct kvm_regs regs = {
		.rip = TOOL_CODE + ((char *)program - __start_guest_code),
		.rflags = 2, .rsp = TOOL_STACK, .rdi = rdi, .rsi = rsi, .rdx = rdx,
	};

	run->immediate_exit = 1;
	if (!run_once() || errno != EINTR)
		die("KVM_RUN with immediate_exit does not give EINTR");
	run->immediate_exit = 0;
	do_ioctl(vcpu_fd, KVM_SET_REGS, &regs);
}

static __u64 least(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

/* ---- the cases ---- */

/* Ticks of the shortest round that executes an instruction so many times. */
static __u64 time_loop(void (*program)(void), __u64 count)
{
	__u64 best = ~0ULL, start;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		set_program(program, 0, count, 0);
		start = ticks();
		run_until(KVM_EXIT_IO);
		best = least(best, ticks() - start);
	}
	return best;
}

static double measure_loop(void (*program)(void))
{
	time_loop(program, 1);
	return (double)(time_loop(program, 2 * LOOP) - time_loop(program, LOOP)) /
		LOOP;
}

static double measure_cpuid(void)
{
	return measure_loop(guest_cpuid);
}

static bool cpu_is_amd(void)
{
	static char text[1 << 16];

	return read_file("/proc/cpuinfo", text, sizeof(text)) > 0 &&
		strstr(text, " svm ");
}

static double measure_hypercall(void)
{
	return measure_loop(cpu_is_amd() ? guest_vmmcall : guest_vmcall);
}

static double measure_rdmsr(void)
{
	return measure_loop(guest_rdmsr);
}

/* Exits to userspace and back, back to back. */
static double measure_exits(void (*program)(void), __u32 reason)
{
	__u64 best = ~0ULL, start;
	unsigned int i, n;

	set_program(program, MMIO_BASE, 0, 0);
	run_until(reason);
	for (i = 0; i < ROUNDS; i++) {
		start = ticks();
		for (n = 0; n < LOOP; n++)
			run_until(reason);
		best = least(best, ticks() - start);
	}
	return (double)best / LOOP;
}

static double measure_pio_out(void)
{
	return measure_exits(guest_out, KVM_EXIT_IO);
}

static double measure_pio_in(void)
{
	return measure_exits(guest_in, KVM_EXIT_IO);
}

static double measure_mmio_write(void)
{
	return measure_exits(guest_write, KVM_EXIT_MMIO);
}

static double measure_mmio_read(void)
{
	return measure_exits(guest_read, KVM_EXIT_MMIO);
}

/* 32-bit code, flat, without paging: a guest before it has set up its tables. */
static void set_protected_mode(void)
{
	struct kvm_sregs sregs;

	do_ioctl(vcpu_fd, KVM_GET_SREGS, &sregs);
	sregs.cr0 = 0x33;	/* NE ET MP PE */
	sregs.cr4 = 0;
	sregs.efer = 0;
	sregs.cs.db = 1;
	sregs.cs.l = 0;
	do_ioctl(vcpu_fd, KVM_SET_SREGS, &sregs);
}

static double measure_exits32(void (*program)(void))
{
	double result;

	/* An exit that is not completed yet belongs to the mode before. */
	set_program(program, 0, 0, 0);
	set_protected_mode();
	result = measure_exits(program, KVM_EXIT_MMIO);
	set_program(program, 0, 0, 0);
	set_long_mode();
	return result;
}

static double measure_mmio32_write(void)
{
	return measure_exits32(guest_write);
}

static double measure_mmio32_read(void)
{
	return measure_exits32(guest_read);
}

/* ---- instructions that exit and are done in the kernel ---- */

static double measure_tsc_adjust(void)
{
	return measure_loop(guest_tsc_adjust);
}

static double measure_misc_enable(void)
{
	return measure_loop(guest_misc_enable);
}

static double measure_mov_cr0(void)
{
	double result = measure_loop(guest_mov_cr0);

	set_long_mode();
	return result;
}

static double measure_mov_cr4(void)
{
	double result = measure_loop(guest_mov_cr4);

	set_long_mode();
	return result;
}

static double measure_mov_dr(void)
{
	return measure_loop(guest_mov_dr);
}

static double measure_mov_cr8(void)
{
	return measure_loop(guest_mov_cr8);
}

static double measure_wbinvd(void)
{
	return measure_loop(guest_wbinvd);
}

static double measure_call(unsigned long request, void *arg)
{
	__u64 best = ~0ULL, start;
	unsigned int i, n;

	for (i = 0; i < ROUNDS; i++) {
		start = ticks();
		for (n = 0; n < LOOP; n++)
			syscall(SYS_ioctl, vcpu_fd, request, arg);
		best = least(best, ticks() - start);
	}
	return (double)best / LOOP;
}

static double measure_get_regs(void)
{
	struct kvm_regs regs;

	set_program(guest_out, 0, 0, 0);
	run_until(KVM_EXIT_IO);
	do_ioctl(vcpu_fd, KVM_GET_REGS, &regs);
	return measure_call(KVM_GET_REGS, &regs);
}

static double measure_immediate_exit(void)
{
	double result;

	set_program(guest_out, 0, 0, 0);
	run_until(KVM_EXIT_IO);
	run->immediate_exit = 1;
	result = measure_call(KVM_RUN, NULL);
	run->immediate_exit = 0;
	return result;
}

static __u64 time_touch(__u64 address, unsigned int count, __u64 step)
{
	__u64 start;

	set_program(guest_touch, address, count, step);
	start = ticks();
	run_until(KVM_EXIT_IO);
	return ticks() - start;
}

/**
 * struct touching - a guest that touches pages for the first time
 * @step:	bytes from one to the next
 * @pages:	their number
 * @chunk:	of them in one KVM_RUN
 * @advice:	to madvise() about the memory
 * @resident:	the host has the memory before the guest touches it
 */
struct touching {
	unsigned long step;
	unsigned int pages;
	unsigned int chunk;
	int advice;
	bool resident;
};

static void advise(int advice)
{
	if (madvise(area, AREA_SIZE, advice))
		die("madvise %d: %s", advice, strerror(errno));
}

/* As after boot: nothing of the area is mapped in the guest. */
static void forget_area(const struct touching *t)
{
	set_slot(1, AREA_BASE, area, 0);
	advise(MADV_DONTNEED);
	if (t->resident)
		memset(area, 1, t->pages * t->step);
	set_slot(1, AREA_BASE, area, AREA_SIZE);
	/* What the slots' change took away of code and page tables. */
	time_touch(TOOL_STACK, 1, 0);
}

static void check_huge(const struct touching *t)
{
	static char text[1 << 16];
	unsigned long kib;
	char start[32], *line;

	if (t->advice != MADV_HUGEPAGE)
		return;
	snprintf(start, sizeof(start), "%lx-", (unsigned long)area);
	if (read_file("/proc/self/smaps", text, sizeof(text)) < 0)
		die("/proc/self/smaps: %s", strerror(errno));
	line = strstr(text, start);
	line = line ? strstr(line, "AnonHugePages:") : NULL;
	if (!line || sscanf(line, "AnonHugePages: %lu", &kib) != 1 ||
	    kib * 1024 < t->pages * t->step)
		die("the host has no huge pages for the area");
}

/*
 * Chunk by chunk, the shortest of all rounds; the same touch again, when the
 * page is mapped, is what the loop and the way in cost.
 */
static double measure_touch(const struct touching *t)
{
	static __u64 first[FILL_PAGES], again[FILL_PAGES];
	unsigned int chunks = t->pages / t->chunk, i, n;
	__u64 sum = 0;

	memset(first, 0xff, sizeof(first));
	memset(again, 0xff, sizeof(again));
	/* The whole mapping is area and slack: one advice for all of it. */
	advise(t->advice);
	for (n = 0; n < FILL_ROUNDS; n++) {
		forget_area(t);
		for (i = 0; i < chunks; i++) {
			__u64 at = AREA_BASE + i * t->chunk * t->step;

			first[i] = least(first[i],
					 time_touch(at, t->chunk, t->step));
			again[i] = least(again[i],
					 time_touch(at, t->chunk, t->step));
		}
		check_huge(t);
	}
	for (i = 0; i < chunks; i++)
		sum += first[i] - again[i];
	return (double)sum / t->pages;
}

static double measure_fill_4k(void)
{
	static const struct touching t = {
		BENCH_PAGE, FILL_PAGES, CHUNK, MADV_NOHUGEPAGE, true,
	};

	return measure_touch(&t);
}

static double measure_fresh_4k(void)
{
	static const struct touching t = {
		BENCH_PAGE, FILL_PAGES, CHUNK, MADV_NOHUGEPAGE, false,
	};

	return measure_touch(&t);
}

static double measure_fresh_thp(void)
{
	static const struct touching t = {
		BENCH_PAGE, FILL_PAGES, CHUNK, MADV_HUGEPAGE, false,
	};

	return measure_touch(&t);
}

static double measure_fill_2m(void)
{
	static const struct touching t = {
		HUGE_PAGE, AREA_SIZE / HUGE_PAGE, 1, MADV_HUGEPAGE, true,
	};

	return measure_touch(&t);
}

/* ---- a VM that has company ---- */

#define LIFE_ROUNDS	20
#define MANY_VMAS	10000

/* A further VM of the process: it is made, and closed. */
static double measure_vm_again(void)
{
	__u64 best = ~0ULL, start;
	unsigned int i;

	for (i = 0; i < LIFE_ROUNDS; i++) {
		start = ticks();
		close(do_ioctl(kvm_fd, KVM_CREATE_VM, 0));
		best = least(best, ticks() - start);
	}
	return best;
}

/* The same in a process whose memory is in many pieces. */
static double measure_vm_again_10k(void)
{
	size_t size = MANY_VMAS * BENCH_PAGE;
	char *mem = map_memory(size);
	unsigned int i;
	double result;

	/* Neighbours that differ in their rights do not become one. */
	for (i = 0; i < MANY_VMAS; i += 2)
		if (mprotect(mem + i * BENCH_PAGE, BENCH_PAGE, PROT_READ))
			die("mprotect: %s", strerror(errno));
	result = measure_vm_again();
	munmap(mem, size);
	return result;
}

/* ---- many slots ---- */

#define FEW_SLOTS	10
#define MANY_SLOTS	6000
#define SLOTS_BASE	(1UL << 32)

/* So many slots of a page each, with other pages between; numbers from 2 on. */
static char *make_slots(unsigned int n)
{
	char *mem = map_memory(2 * n * BENCH_PAGE);
	unsigned int i;

	for (i = 0; i < n; i++)
		set_slot(2 + i, SLOTS_BASE + 2 * i * BENCH_PAGE,
			 mem + 2 * i * BENCH_PAGE, BENCH_PAGE);
	return mem;
}

/* A call that takes a slot away, or sets it again: the mean of both. */
static double measure_slots_set(unsigned int n)
{
	unsigned long at = 2 * (n / 2) * BENCH_PAGE;
	__u64 best = ~0ULL, start;
	char *mem = make_slots(n);
	unsigned int i;

	for (i = 0; i < LIFE_ROUNDS; i++) {
		start = ticks();
		set_slot(2 + n / 2, SLOTS_BASE + at, mem + at, 0);
		set_slot(2 + n / 2, SLOTS_BASE + at, mem + at, BENCH_PAGE);
		best = least(best, ticks() - start);
	}
	munmap(mem, 2 * n * BENCH_PAGE);
	return best / 2.0;
}

/* A page is written and given back, @shift pages behind the start of a slot. */
static double measure_discard(unsigned int n, unsigned int shift)
{
	char *mem = make_slots(n), *page;
	__u64 best = ~0ULL, start;
	unsigned int i;

	page = mem + (2 * (n / 2) + shift) * BENCH_PAGE;
	for (i = 0; i < LIFE_ROUNDS; i++) {
		start = ticks();
		*(volatile char *)page = 1;
		if (madvise(page, BENCH_PAGE, MADV_DONTNEED))
			die("madvise: %s", strerror(errno));
		best = least(best, ticks() - start);
	}
	munmap(mem, 2 * n * BENCH_PAGE);
	return best;
}

static double measure_slots_set_10(void)
{
	return measure_slots_set(FEW_SLOTS);
}

static double measure_slots_set_6000(void)
{
	return measure_slots_set(MANY_SLOTS);
}

static double measure_invalidate_10(void)
{
	return measure_discard(FEW_SLOTS, 0);
}

static double measure_invalidate_6000(void)
{
	return measure_discard(MANY_SLOTS, 0);
}

/* Memory of the VMM's own, between the slots. */
static double measure_invalidate_own(void)
{
	return measure_discard(MANY_SLOTS, 1);
}

static const struct bench_case {
	const char *name;
	double (*measure)(void);
} cases[] = {
	{ "cpuid", measure_cpuid },
	{ "hypercall", measure_hypercall },
	{ "rdmsr", measure_rdmsr },
	{ "pio_out", measure_pio_out },
	{ "pio_in", measure_pio_in },
	{ "mmio_write", measure_mmio_write },
	{ "mmio_read", measure_mmio_read },
	{ "mmio32_write", measure_mmio32_write },
	{ "mmio32_read", measure_mmio32_read },
	{ "wrmsr_tsc_adjust", measure_tsc_adjust },
	{ "wrmsr_misc_enable", measure_misc_enable },
	{ "mov_cr0", measure_mov_cr0 },
	{ "mov_cr4", measure_mov_cr4 },
	{ "mov_dr", measure_mov_dr },
	{ "mov_cr8", measure_mov_cr8 },
	{ "wbinvd", measure_wbinvd },
	{ "get_regs", measure_get_regs },
	{ "immediate_exit", measure_immediate_exit },
	{ "ept_fill_4k", measure_fill_4k },
	{ "ept_fresh_4k", measure_fresh_4k },
	{ "ept_fresh_thp", measure_fresh_thp },
	{ "ept_fill_2m", measure_fill_2m },
	{ "vm_again", measure_vm_again },
	{ "vm_again_10k", measure_vm_again_10k },
	{ "slots_set_10", measure_slots_set_10 },
	{ "slots_set", measure_slots_set_6000 },
	{ "slots_invalidate_10", measure_invalidate_10 },
	{ "slots_invalidate", measure_invalidate_6000 },
	{ "slots_invalidate_own", measure_invalidate_own },
};

/* Names of those to measure, up to a NULL; none: all. */
static char **chosen;

static bool is_chosen(const struct bench_case *c)
{
	char **name;

	/* On VT-x stock KVM goes to userspace with it, or there is no exit at all. */
	if (c->measure == measure_mov_cr8 && !cpu_is_amd())
		return false;
	for (name = chosen; *name; name++)
		if (!strcmp(*name, c->name))
			return true;
	return !*chosen;
}

/* ---- both sides ---- */

/**
 * struct side - a module and its device
 * @module:	as modprobe knows it
 * @device:	path of its device
 */
struct side {
	char module[32];
	char device[64];
};

static struct side sides[SIDES] = {
	[OURS] = { "kvmlite", "/dev/kvmlite" },
	[PEER] = { "kvm-intel", "/dev/kvm" },
};

static double figures[SIDES][ARRAY_SIZE(cases)];

static void load_module(const char *option, const char *module)
{
	const char *const argv[] = { "modprobe", option, module, NULL };
	int status = 0;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ) ||
	    waitpid(pid, &status, 0) != pid || status)
		die("%s %s %s failed", argv[0], option, module);
}

static double measure_case(const struct side *side, const struct bench_case *c)
{
	double result;

	kvm_fd = open(side->device, O_RDWR | O_CLOEXEC);
	if (kvm_fd < 0)
		die("%s: %s", side->device, strerror(errno));
	machine_make();
	result = c->measure();
	machine_end();
	close(kvm_fd);
	return result;
}

static void measure_cases(enum which which, double *result)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (is_chosen(&cases[i]))
			result[i] = measure_case(&sides[which], &cases[i]);
}

#define VMCS_ACCESSES "/sys/kernel/debug/kvmlite/vmcs_accesses"

/*
 * VMREADs and VMWRITEs by exit reason, in another run: counting takes ticks.
 * A line of the file is "reason exits vmreads vmwrites"; there is none with
 * AMD-V.
 */
static void print_vmcs_accesses(void)
{
	static char text[1 << 16];
	double unused[ARRAY_SIZE(cases)];
	FILE *file = fopen(VMCS_ACCESSES, "w");
	unsigned long exits, reads, writes;
	char *line, *rest = text, reason[64];

	if (!file)
		return;
	if (fputs("1", file) < 0 || fclose(file))
		die("%s: %s", VMCS_ACCESSES, strerror(errno));
	measure_cases(OURS, unused);
	if (read_file(VMCS_ACCESSES, text, sizeof(text)) < 0)
		die("%s: %s", VMCS_ACCESSES, strerror(errno));
	while ((line = strsep(&rest, "\n")) != NULL)
		if (sscanf(line, "%63s %lu %lu %lu", reason, &exits, &reads,
			   &writes) == 4 && exits)
			printf("BENCH,%s,vmcs_accesses,per_exit,%.2f,\n", reason,
			       (double)(reads + writes) / exits);
}

static void measure_side(enum which which)
{
	const struct side *side = &sides[which];

	load_module("-q", side->module);
	measure_cases(which, figures[which]);
	if (which == OURS)
		print_vmcs_accesses();
	load_module("-r", side->module);
}

/* What any system call costs at least. */
static double measure_getppid(void)
{
	__u64 best = ~0ULL, start;
	unsigned int i, n;

	for (i = 0; i < ROUNDS; i++) {
		start = ticks();
		for (n = 0; n < LOOP; n++)
			syscall(SYS_getppid);
		best = least(best, ticks() - start);
	}
	return (double)best / LOOP;
}

/* What a tick is called. */
static const char *unit = "ticks";

static noreturn void print_usage(void)
{
	fprintf(stderr,
		"usage: kvm_bench [--ours MODULE,DEVICE] [--peer MODULE,DEVICE] [--unit NAME] [CASE...]\n");
	exit(2);
}

static void parse_side(enum which which, const char *text)
{
	if (sscanf(text, "%31[^,],%63s", sides[which].module,
		   sides[which].device) != 2)
		print_usage();
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ours", required_argument, NULL, 'o' },
		{ "peer", required_argument, NULL, 'p' },
		{ "unit", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			print_usage();
		if (c == 'u')
			unit = optarg;
		else
			parse_side(c == 'o' ? OURS : PEER, optarg);
	}
	chosen = argv + optind;
}

int main(int argc, char **argv)
{
	bool found = false;
	unsigned int i;

	if (cpu_is_amd())
		parse_side(PEER, "kvm-amd,/dev/kvm");
	parse_options(argc, argv);
	measure_side(PEER);
	measure_side(OURS);
	bench_note("getppid takes %.0f ticks", measure_getppid());
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!is_chosen(&cases[i]))
			continue;
		printf("BENCH,%s,%s,%s,%.0f,%.0f\n", cases[i].name, unit, unit,
		       figures[OURS][i], figures[PEER][i]);
		found = true;
	}
	if (!found)
		print_usage();
	return 0;
}
