// SPDX-License-Identifier: GPL-2.0
/*
 * A guest of the kernel's own KVM whose memory is an area of /dev/ksm: two
 * vCPUs write and check their halves of it while the host merges at full
 * speed.
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
#define TOOL_CODE	(TOOL_BASE + 0x4000)
#define TOOL_STATUS	(TOOL_BASE + 0x8000)
#define TOOL_STACK	(TOOL_BASE + 0x10000)
#define STACK_SIZE	0x4000
#define CODE_MAX	0x4000

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

static struct kvm_segment flat_segment(u8 type, u8 l)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = type == 11 ? 8 : 16,
		.type = type, .present = 1, .db = !l, .s = 1, .l = l, .g = 1,
	};
}

static void set_long_mode(int fd)
{
	struct kvm_sregs sregs;

	MUST(ioctl(fd, KVM_GET_SREGS, &sregs));
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
	set_long_mode(vcpu->fd);
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
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	unsigned int n;

	if (kvm < 0)
		tap_skip("no /dev/kvm");
	CHECK(__stop_guest_code - __start_guest_code <= CODE_MAX);
	vm_fd = MUST(ioctl(kvm, KVM_CREATE_VM, 0));
	ksm_fd = ksm_open_private();
	ram = map_area(ksm_fd, RAM_PAGES);
	tool = map_anon(TOOL_PAGES);
	fill_ram();
	make_page_tables();
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

static void check_guest(void)
{
	unsigned int n;

	for (n = 0; n < VCPUS; n++) {
		struct guest_status *s = vcpus[n].status;

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
