// SPDX-License-Identifier: GPL-2.0
/*
 * A guest of /dev/kvmlite, or of $KVM_DEVICE, whose memory is an area of
 * /dev/ksm: two vCPUs write and check their halves of it while the host merges
 * at full speed.
 *
 * Guest physical memory: the area at 0, and a second slot of ordinary memory
 * with what the test itself needs (page tables, code, stacks, progress), so
 * that trouble with the area cannot hide itself.  The code of the guest is the
 * function guest_main() below, copied there: it must not refer to anything
 * outside of itself.
 */
#define _GNU_SOURCE
#include <linux/kvm.h>
#include <pthread.h>

#include "ksm_test.h"

#define VCPUS		2
#define RAM_PAGES	(64UL << 20 >> 12)
#define PAGES_PER_VCPU	(RAM_PAGES / VCPUS)
#define WINDOWS		4	/* of observation */
#define WINDOW_ROUNDS	2	/* that each vCPU must do in each */
#define WINDOW_SECONDS	100	/* only a hang takes that long */

#define TOOL_BASE	0x10000000UL	/* guest physical, second slot */
#define TOOL_PAGES	64
#define TOOL_PML4	(TOOL_BASE + 0x0000)
#define TOOL_PDPT	(TOOL_BASE + 0x1000)
#define TOOL_PD		(TOOL_BASE + 0x2000)
#define TOOL_IDT	(TOOL_BASE + 0x3000)
#define TOOL_CODE	(TOOL_BASE + 0x4000)
#define TOOL_STATUS	(TOOL_BASE + 0x8000)
#define TOOL_TRAP	(TOOL_BASE + 0x8800)
#define TOOL_GDT	(TOOL_BASE + 0x9000)
#define TOOL_TSS	(TOOL_BASE + 0xa000)	/* a page for each vCPU */
#define TOOL_STACK	(TOOL_BASE + 0x10000)
#define STACK_SIZE	0x4000
#define CODE_MAX	0x4000
#define VECTORS		32

/**
 * struct guest_status - what a vCPU is to do, and how far it is
 * @base:	guest physical address of its pages
 * @pages:	their number
 * @rounds:	rounds done
 * @pages_done:	pages written and checked, the sign of life
 * @bad_address: where it found a wrong word, if @bad
 * @bad_word:	what was there
 */
struct guest_status {
	u64 base;
	u64 pages;
	volatile u64 rounds;
	volatile u64 pages_done;
	volatile u64 bad;
	volatile u64 bad_address;
	volatile u64 bad_word;
	u64 reserved[9];
};

/* For the guest: no registers but the general ones, no call to anything. */
#define GUEST_CODE \
	__attribute__((always_inline, target("general-regs-only")))

/*
 * What a page holds after a number of rounds.  In each round a quarter of the
 * pages is written; one in 64 gets content of its own, one in 8 zeroes, the
 * others share few contents.
 */
GUEST_CODE
static inline u64 page_content(u64 page, u64 rounds)
{
	u64 last = rounds - ((rounds - page) & 3);

	if (page % 64 == 5)
		return page * 0x10001 + last * 0x1000000007;
	if (page % 8 == 3)
		return 0;
	return 1 + last % 8 + page % 3 * 0x100000000;
}

extern const char __start_guest_code[], __stop_guest_code[];

__attribute__((section("guest_code"), noreturn, used, noinline,
	       target("general-regs-only"),
	       optimize("no-tree-loop-distribute-patterns")))
static void guest_main(struct guest_status *s)
{
	u64 page, word;

	__asm__ volatile("int3");
	for (;;) {
		u64 round = s->rounds + 1;

		for (page = 0; page < s->pages; page++) {
			volatile u64 *words = (u64 *)(s->base + page * PAGE);
			u64 was = page_content(page, round - 1);
			u64 want = page_content(page, round);

			for (word = 0; word < PAGE_WORDS; word++) {
				if (words[word] != was) {
					s->bad_word = words[word];
					s->bad_address = (u64)&words[word];
					s->bad++;
				}
				if ((page & 3) == (round & 3))
					words[word] = want;
			}
			s->pages_done++;
		}
		s->rounds = round;
		__asm__ volatile("outb %%al, $0x10" : : "a"(0) : "memory");
	}
}

/**
 * struct guest_trap - exceptions
 * @count:	of both vCPUs; each causes one itself, to see that this works
 * @vector:	of the last, and what came with it
 */
struct guest_trap {
	u64 count;
	u64 vector, error, cr2, rip;
};

/*
 * The guest's tables are in memory that nobody merges: an exception is the
 * emulator's doing.  It is noted, and the instruction done again.
 */
__attribute__((naked, section("guest_code"), used, aligned(16)))
static void guest_traps(void)
{
	__asm__ volatile(".set i, 0\n\t"
			 ".rept 32\n\t"
			 ".balign 16, 0x90\n\t"
			 ".if i != 8 && i != 17 && (i < 10 || i > 14)\n\t"
			 "push $0\n\t"
			 ".endif\n\t"
			 "push $i\n\t"
			 "jmp 1f\n\t"
			 ".set i, i + 1\n\t"
			 ".endr\n\t"
			 "1: push %%rax\n\t"
			 "push %%rdi\n\t"
			 "mov %[trap], %%edi\n\t"
			 "mov 16(%%rsp), %%rax\n\t"
			 "mov %%rax, 8(%%rdi)\n\t"
			 "mov 24(%%rsp), %%rax\n\t"
			 "mov %%rax, 16(%%rdi)\n\t"
			 "mov %%cr2, %%rax\n\t"
			 "mov %%rax, 24(%%rdi)\n\t"
			 "mov 32(%%rsp), %%rax\n\t"
			 "mov %%rax, 32(%%rdi)\n\t"
			 "lock incq (%%rdi)\n\t"
			 "pop %%rdi\n\t"
			 "pop %%rax\n\t"
			 "add $16, %%rsp\n\t"
			 "iretq" : : [trap]"i"(TOOL_TRAP));
}

/* ---- the machine ---- */

struct vcpu {
	pthread_t thread;
	int fd;
	struct kvm_run *run;
	struct guest_status *status;
	const char *trouble;	/* why it stopped, if it should not have */
};

static int ksm_fd, vm_fd;
static char *ram, *tool;
static struct vcpu vcpus[VCPUS];
static bool stop;

static void *tool_at(u64 address)
{
	return tool + (address - TOOL_BASE);
}

static void add_slot(unsigned int slot, u64 address, void *mem, u64 pages)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = address,
		.memory_size = pages * PAGE, .userspace_addr = (u64)mem,
	};

	MUST(ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region));
}

/* The first GiB, one to one, in pages of 2 MiB. */
static void make_page_tables(void)
{
	u64 *pml4 = tool_at(TOOL_PML4), *pdpt = tool_at(TOOL_PDPT);
	u64 *pd = tool_at(TOOL_PD), i;

	pml4[0] = TOOL_PDPT | 3;
	pdpt[0] = TOOL_PD | 3;
	for (i = 0; i < 512; i++)
		pd[i] = i << 21 | 0x83;
}

/* Gates to the stubs, with the first stack of the TSS's interrupt stacks. */
static void make_traps(void)
{
	u64 *idt = tool_at(TOOL_IDT), *gdt = tool_at(TOOL_GDT);
	unsigned int i;

	gdt[1] = 0x00af9b000000ffff;	/* 64-bit code */
	gdt[2] = 0x00cf93000000ffff;	/* data */
	for (i = 0; i < VECTORS; i++) {
		u64 stub = TOOL_CODE + 16 * i +
			   ((char *)guest_traps - __start_guest_code);

		idt[2 * i] = (stub & 0xffff) | 8 << 16 | 1UL << 32 |
			     0x8eUL << 40 | (stub >> 16 & 0xffff) << 48;
		idt[2 * i + 1] = stub >> 32;
	}
}

static struct kvm_segment flat_segment(u8 type, u8 l)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = type == 11 ? 8 : 16,
		.type = type, .present = 1, .db = !l, .s = 1, .l = l, .g = 1,
	};
}

static void set_long_mode(int fd, unsigned int n)
{
	u64 tss = TOOL_TSS + n * PAGE;
	u32 *stack = tool_at(tss + 36);
	struct kvm_sregs sregs;

	*stack = tss + PAGE;
	MUST(ioctl(fd, KVM_GET_SREGS, &sregs));
	sregs.idt = (struct kvm_dtable){
		.base = TOOL_IDT, .limit = VECTORS * 16 - 1,
	};
	sregs.gdt = (struct kvm_dtable){
		.base = TOOL_GDT, .limit = 3 * 8 - 1,
	};
	sregs.tr = (struct kvm_segment){
		.base = tss, .limit = 0x67, .selector = 24, .type = 11,
		.present = 1,
	};
	sregs.cr0 = 0x80010033;		/* PG WP NE ET MP PE */
	sregs.cr3 = TOOL_PML4;
	sregs.cr4 = 0x20;		/* PAE */
	sregs.efer = 0x500;		/* LMA LME */
	sregs.cs = flat_segment(11, 1);
	sregs.ds = flat_segment(3, 0);
	sregs.es = sregs.ds;
	sregs.fs = sregs.ds;
	sregs.gs = sregs.ds;
	sregs.ss = sregs.ds;
	MUST(ioctl(fd, KVM_SET_SREGS, &sregs));
}

static void set_cpuid(int kvm, int fd)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[128];
	} cpuid = { .head.nent = 128 };

	MUST(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid));
	MUST(ioctl(fd, KVM_SET_CPUID2, &cpuid));
}

static void make_vcpu(int kvm, unsigned int n)
{
	struct vcpu *vcpu = &vcpus[n];
	u64 status = TOOL_STATUS + n * sizeof(struct guest_status);
	struct kvm_regs regs = {
		.rip = TOOL_CODE + ((char *)guest_main - __start_guest_code),
		.rsp = TOOL_STACK + (n + 1) * STACK_SIZE - 8,
		.rdi = status,
		.rflags = 2,
	};

	vcpu->fd = MUST(ioctl(vm_fd, KVM_CREATE_VCPU, n));
	vcpu->run = (void *)MUST(mmap(NULL, MUST(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0)),
				      PROT_READ | PROT_WRITE, MAP_SHARED,
				      vcpu->fd, 0));
	set_cpuid(kvm, vcpu->fd);
	set_long_mode(vcpu->fd, n);
	MUST(ioctl(vcpu->fd, KVM_SET_REGS, &regs));
	vcpu->status = tool_at(status);
	vcpu->status->base = n * PAGES_PER_VCPU * PAGE;
	vcpu->status->pages = PAGES_PER_VCPU;
}

static void fill_ram(void)
{
	u64 page, word;

	for (page = 0; page < RAM_PAGES; page++)
		for (word = 0; word < PAGE_WORDS; word++)
			((u64 *)page_at(ram, page))[word] =
				page_content(page % PAGES_PER_VCPU, 0);
}

static void make_machine(void)
{
	const char *device = getenv("KVM_DEVICE") ?: "/dev/kvmlite";
	int kvm = open(device, O_RDWR | O_CLOEXEC);
	unsigned int n;

	if (kvm < 0)
		tap_skip("no %s", device);
	CHECK(__stop_guest_code - __start_guest_code <= CODE_MAX);
	vm_fd = MUST(ioctl(kvm, KVM_CREATE_VM, 0));
	ksm_fd = ksm_open_private();
	ram = map_area(ksm_fd, RAM_PAGES);
	tool = map_anon(TOOL_PAGES);
	fill_ram();
	make_page_tables();
	make_traps();
	memcpy(tool_at(TOOL_CODE), __start_guest_code,
	       __stop_guest_code - __start_guest_code);
	add_slot(0, 0, ram, RAM_PAGES);
	add_slot(1, TOOL_BASE, tool, TOOL_PAGES);
	for (n = 0; n < VCPUS; n++)
		make_vcpu(kvm, n);
}

/* Ends between two rounds: the vCPU stops at its OUT. */
static void *vcpu_run(void *arg)
{
	struct vcpu *vcpu = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) && errno != EINTR) {
			vcpu->trouble = strerrorname_np(errno);
			break;
		}
		if (vcpu->run->exit_reason != KVM_EXIT_IO) {
			vcpu->trouble = "not an exit for OUT";
			break;
		}
	}
	return NULL;
}

static void *scanner_run(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		ksm_scan(ksm_fd);
	return NULL;
}

/* ---- the test ---- */

static void note_traps(void)
{
	const struct guest_trap *trap = tool_at(TOOL_TRAP);

	if (trap->count > VCPUS)
		tap_note("%llu exceptions that nothing in the guest explains, the last: vector %llu, error %llx, CR2 %llx, RIP %llx",
			 (unsigned long long)trap->count - VCPUS,
			 (unsigned long long)trap->vector,
			 (unsigned long long)trap->error,
			 (unsigned long long)trap->cr2,
			 (unsigned long long)trap->rip);
}

/* The stubs are there and work. */
static void check_traps(void)
{
	const struct guest_trap *trap = tool_at(TOOL_TRAP);

	CHECK(trap->count >= VCPUS);
	note_traps();
}

static void check_guest(void)
{
	unsigned int n;

	for (n = 0; n < VCPUS; n++) {
		struct guest_status *s = vcpus[n].status;

		if (vcpus[n].trouble || s->bad)
			note_traps();
		if (vcpus[n].trouble)
			tap_fail("vCPU %u ended: %s, exit reason %u", n,
				 vcpus[n].trouble, vcpus[n].run->exit_reason);
		if (s->bad)
			tap_fail("vCPU %u saw %llu wrong words, the last at %llx: %llx",
				 n, (unsigned long long)s->bad,
				 (unsigned long long)s->bad_address,
				 (unsigned long long)s->bad_word);
	}
}

/* Both vCPUs go on, and pages merge meanwhile. */
static void observe(unsigned int window)
{
	s64 merged = ksm_get("pages_merged_total"), breaks = ksm_get("cow_breaks");
	u64 rounds[VCPUS];
	unsigned int n, tries = WINDOW_SECONDS * 10;

	for (n = 0; n < VCPUS; n++)
		rounds[n] = vcpus[n].status->rounds;
	for (n = 0; n < VCPUS; n++)
		while (vcpus[n].status->rounds < rounds[n] + WINDOW_ROUNDS &&
		       --tries) {
			sleep_ms(100);
			check_guest();
		}
	if (!tries)
		tap_fail("window %u: no progress: vCPU 0 %llu pages, vCPU 1 %llu pages",
			 window, (unsigned long long)vcpus[0].status->pages_done,
			 (unsigned long long)vcpus[1].status->pages_done);
	merged = ksm_get("pages_merged_total") - merged;
	tap_note("window %u: rounds %llu and %llu, %lld pages merged, %lld copies, now %llu of %lu pages share a frame",
		 window, (unsigned long long)vcpus[0].status->rounds,
		 (unsigned long long)vcpus[1].status->rounds, (long long)merged,
		 (long long)(ksm_get("cow_breaks") - breaks),
		 (unsigned long long)(ksm_stats(ksm_fd).pages_merged +
				      ksm_stats(ksm_fd).ksm_zero_pages),
		 RAM_PAGES);
	CHECK(merged > 0);
}

static void check_ram(void)
{
	u64 page, word;

	for (page = 0; page < RAM_PAGES; page++) {
		const struct guest_status *s =
			vcpus[page / PAGES_PER_VCPU].status;
		u64 want = page_content(page % PAGES_PER_VCPU, s->rounds);

		for (word = 0; word < PAGE_WORDS; word++)
			CHECK_EQ(((u64 *)page_at(ram, page))[word], want);
	}
}

static void full_speed(void)
{
	ksm_set("advisor_max_cpu", "6400");
	ksm_set("sleep_millisecs", "0");
	ksm_set("rest_millisecs", "0");
	ksm_set("run", "1");
}

static void test_guest(void)
{
	pthread_t scanner;
	unsigned int n;

	alarm(0);
	make_machine();
	full_speed();
	CHECK_EQ(pthread_create(&scanner, NULL, scanner_run, NULL), 0);
	for (n = 0; n < VCPUS; n++)
		CHECK_EQ(pthread_create(&vcpus[n].thread, NULL, vcpu_run,
					&vcpus[n]), 0);
	for (n = 0; n < WINDOWS; n++)
		observe(n + 1);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (n = 0; n < VCPUS; n++)
		pthread_join(vcpus[n].thread, NULL);
	pthread_join(scanner, NULL);
	ksm_set("run", "0");
	check_guest();
	check_ram();
	ksm_scan_force(ksm_fd);
	check_ram();
	check_traps();
	CHECK(ksm_stats(ksm_fd).pages_merged > RAM_PAGES / 2);
}

/* A guest that merged completely before it starts, and breaks everything. */
static void test_merged_before(void)
{
	unsigned int n;

	alarm(0);
	make_machine();
	ksm_scan(ksm_fd);
	CHECK(ksm_stats(ksm_fd).pages_merged > RAM_PAGES / 2);
	for (n = 0; n < VCPUS; n++)
		CHECK_EQ(pthread_create(&vcpus[n].thread, NULL, vcpu_run,
					&vcpus[n]), 0);
	while (vcpus[0].status->rounds < 4 || vcpus[1].status->rounds < 4) {
		check_guest();
		sleep_ms(100);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (n = 0; n < VCPUS; n++)
		pthread_join(vcpus[n].thread, NULL);
	check_guest();
	check_ram();
	check_traps();
	CHECK(ksm_stats(ksm_fd).cow_breaks >= RAM_PAGES / 2);
}

static const struct tap_test tests[] = {
	{ "a guest breaks pages merged before it started", test_merged_before },
	{ "both vCPUs progress, nothing wrong, under merging", test_guest },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
