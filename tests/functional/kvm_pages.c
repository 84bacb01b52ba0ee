// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of guest memory under a running guest: the dirty log to the page, huge
 * pages that are split, copies made by the host, code that is replaced.  What
 * guests count says whether they and the VMM always saw the same page.
 */
#define _GNU_SOURCE
#include "kvm_vm.h"

#define AREA_BASE	0x4000000UL	/* slot 1 */
#define AREA_SIZE	(4 * MIB)
#define AREA_PAGES	(AREA_SIZE / PAGE)
#define WORDS		(AREA_PAGES / 64)
#define LIST_MAX	1000

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* Adds 1 to a word in each page of a list: area rdi, list rsi, length rdx. */
GUEST(touch_list, "1: mov (%rsi), %eax\n\t"
		  "shl $12, %rax\n\t"
		  "incq 8(%rdi,%rax)\n\t"
		  "add $4, %rsi\n\t"
		  "dec %rdx\n\t"
		  "jnz 1b\n\t"
		  GUEST_OUT)

/* The same to each of rsi pages, rdx times. */
GUEST(rounds, "1: mov %rdi, %rax\n\t"
	      "mov %rsi, %rcx\n\t"
	      "2: incq (%rax)\n\t"
	      "add $4096, %rax\n\t"
	      "dec %rcx\n\t"
	      "jnz 2b\n\t"
	      "dec %rdx\n\t"
	      "jnz 1b\n\t"
	      GUEST_OUT)

/* One word rsi times, with other vCPUs. */
GUEST(count, "1: lock incq (%rdi)\n\t"
	     "dec %rsi\n\t"
	     "jnz 1b\n\t"
	     GUEST_OUT)

/* The result of a function at rdi to (rsi), for ever. */
GUEST(call_function, "1: call *%rdi\n\t"
		     "mov %rax, (%rsi)\n\t"
		     "jmp 1b")

/* (rdi) to (rsi), for ever. */
GUEST(copy, "1: mov (%rdi), %rax\n\t"
	    "mov %rax, (%rsi)\n\t"
	    "jmp 1b")

GUEST(store, "mov %rsi, (%rdi)\n\t" GUEST_OUT)

GUEST(flush, "mov %cr3, %rax\n\t"
	     "mov %rax, %cr3\n\t"
	     GUEST_OUT)

/* mov $value, %eax; ret */
static void make_function(void *to, u32 value)
{
	u8 code[] = { 0xb8, 0, 0, 0, 0, 0xc3 };

	memcpy(code + 1, &value, 4);
	memcpy(to, code, sizeof(code));
}

static char *map_area(bool huge)
{
	char *mem = map_memory(AREA_SIZE + 2 * MIB);

	mem = (char *)(((unsigned long)mem + 2 * MIB - 1) & ~(2 * MIB - 1));
	madvise(mem, AREA_SIZE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return mem;
}

static u64 *word_of(char *mem, u64 page)
{
	return (u64 *)(mem + page * PAGE);
}

/* ---- the dirty log ---- */

static u64 random_next(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void get_dirty(const struct machine *m, u64 *bitmap)
{
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };

	memset(bitmap, 0xa5, WORDS * 8);
	MUST(ioctl(m->vm, KVM_GET_DIRTY_LOG, &log));
}

static void clear_dirty(const struct machine *m, u64 first, u32 pages,
			u64 *bitmap)
{
	struct kvm_clear_dirty_log log = {
		.slot = 1, .first_page = first, .num_pages = pages,
		.dirty_bitmap = bitmap,
	};

	MUST(ioctl(m->vm, KVM_CLEAR_DIRTY_LOG, &log));
}

static void check_bitmap(const u64 *got, const u64 *want, const char *when)
{
	unsigned int page;

	for (page = 0; page < AREA_PAGES; page++) {
		bool is = got[page / 64] >> page % 64 & 1;
		bool shall = want[page / 64] >> page % 64 & 1;

		if (is != shall)
			tap_fail("%s: page %u: expected %s, got %s", when, page,
				 shall ? "dirty" : "clean",
				 is ? "dirty" : "clean");
	}
}

/* The guest writes to pages by chance; @want gets them as well. */
static void touch_some(const struct machine *m, unsigned int count, u64 *seed,
		       u64 *want)
{
	u32 *list = (u32 *)(m->tool + VM_BUF);
	unsigned int i;

	for (i = 0; i < count; i++) {
		list[i] = random_next(seed) % AREA_PAGES;
		want[list[i] / 64] |= 1ULL << list[i] % 64;
	}
	vm_call(m, guest_touch_list, AREA_BASE, VM_BUF, count);
}

static void check_log(bool huge)
{
	static const unsigned int counts[] = { 1, 30, LIST_MAX, 300 };
	u64 got[WORDS], none[WORDS] = { 0 }, seed = 99;
	struct machine m = vm_make();
	char *mem = map_area(huge);
	unsigned int round;

	memset(mem, 0, AREA_SIZE);
	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	vm_call(&m, guest_rounds, AREA_BASE, AREA_PAGES, 1);
	set_slot(&m, 1, KVM_MEM_LOG_DIRTY_PAGES, AREA_BASE, mem, AREA_SIZE);
	get_dirty(&m, got);
	for (round = 0; round < 8; round++) {
		u64 want[WORDS] = { 0 };

		/* Not the guest's. */
		*word_of(mem, random_next(&seed) % AREA_PAGES) = 7;
		touch_some(&m, counts[round % 4], &seed, want);
		get_dirty(&m, got);
		check_bitmap(got, want, "after writes");
		get_dirty(&m, got);
		check_bitmap(got, none, "after the log was fetched");
	}
	/* Off, and on again. */
	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	vm_call(&m, guest_rounds, AREA_BASE, AREA_PAGES, 1);
}

static void test_log_small(void)
{
	check_log(false);
}

static void test_log_huge(void)
{
	check_log(true);
}

static u64 manual_flags(const struct machine *m)
{
	return MUST(ioctl(m->kvm, KVM_CHECK_EXTENSION,
			  KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2));
}

static void enable_manual(const struct machine *m, u64 flags)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args[0] = flags,
	};

	MUST(ioctl(m->vm, KVM_ENABLE_CAP, &cap));
}

/* All pages are dirty at first; then by what is cleared and written. */
static void check_initially_set(bool huge)
{
	struct machine m = vm_make();
	u64 got[WORDS], want[WORDS], seed = 5;
	char *mem = map_area(huge);
	unsigned int i, round;

	if (!(manual_flags(&m) & KVM_DIRTY_LOG_INITIALLY_SET))
		tap_skip("no KVM_DIRTY_LOG_INITIALLY_SET");
	enable_manual(&m, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
			  KVM_DIRTY_LOG_INITIALLY_SET);
	memset(mem, 0, AREA_SIZE);
	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	vm_call(&m, guest_rounds, AREA_BASE, AREA_PAGES, 1);
	set_slot(&m, 1, KVM_MEM_LOG_DIRTY_PAGES, AREA_BASE, mem, AREA_SIZE);
	memset(want, 0xff, sizeof(want));
	get_dirty(&m, got);
	check_bitmap(got, want, "at first");
	for (round = 0; round < 6; round++) {
		u64 bits[WORDS], first = round % 3 * 128;

		for (i = 0; i < WORDS; i++)
			bits[i] = random_next(&seed);
		clear_dirty(&m, first, AREA_PAGES - first, bits);
		for (i = first / 64; i < WORDS; i++)
			want[i] &= ~bits[i - first / 64];
		get_dirty(&m, got);
		check_bitmap(got, want, "after clearing");
		touch_some(&m, 50, &seed, want);
		get_dirty(&m, got);
		check_bitmap(got, want, "after writes");
	}
}

static void test_initially_set_small(void)
{
	check_initially_set(false);
}

static void test_initially_set_huge(void)
{
	check_initially_set(true);
}

/* ---- the host moves and copies pages ---- */

/* No store of the guest is lost while its huge pages are split and collapsed. */
static void test_split(void)
{
	struct machine m = vm_make();
	char *mem = map_area(true);
	const u64 rounds = 2000;
	struct runner r;
	unsigned int i;

	memset(mem, 0, AREA_SIZE);
	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_start(&m, guest_rounds, AREA_BASE, AREA_PAGES, rounds);
	runner_start(&r, &m);
	for (i = 0; !READ_ONCE(r.io); i++) {
		char *page = mem + i * 37 % AREA_PAGES * PAGE;

		runner_check(&r);
		MUST(mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
		sleep_ms(1);
		MUST(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
		/* Where the kernel can and will. */
		madvise(mem, AREA_SIZE, MADV_COLLAPSE);
		sleep_ms(1);
	}
	runner_stop(&r);
	runner_check(&r);
	for (i = 0; i < AREA_PAGES; i++)
		CHECK_EQ(*word_of(mem, i), rounds);
}

/* Given back pages are zeroes, all others are as they were. */
static void test_holes(void)
{
	struct machine m = vm_make();
	char *mem = map_area(true);
	unsigned int i;

	memset(mem, 0, AREA_SIZE);
	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	vm_call(&m, guest_rounds, AREA_BASE, AREA_PAGES, 3);
	for (i = 5; i < AREA_PAGES; i += 100)
		MUST(madvise(mem + i * PAGE, PAGE, MADV_DONTNEED));
	vm_call(&m, guest_rounds, AREA_BASE, AREA_PAGES, 4);
	for (i = 0; i < AREA_PAGES; i++)
		CHECK_EQ(*word_of(mem, i), i % 100 == 5 ? 4 : 7);
}

static void fork_and_exit(void)
{
	pid_t pid = tap_fork();

	if (!pid)
		_exit(0);
	tap_join(pid);
}

/* Two vCPUs and the VMM count in one page, which is copied now and then. */
static void check_shared_count(void *mem, bool fork)
{
	struct machine m = vm_make(), m2 = vm_sibling(&m, 1);
	const u64 times = 300000;
	struct runner r, r2;
	u64 own = 0;

	set_slot(&m, 1, 0, AREA_BASE, mem, PAGE);
	guest_start(&m, guest_count, AREA_BASE, times, 0);
	guest_start(&m2, guest_count, AREA_BASE, times, 0);
	runner_start(&r, &m);
	runner_start(&r2, &m2);
	while (!READ_ONCE(r.io) || !READ_ONCE(r2.io)) {
		runner_check(&r);
		runner_check(&r2);
		if (fork)
			fork_and_exit();
		MUST(mprotect(mem, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
		own++;
		__atomic_fetch_add((u64 *)mem, 1, __ATOMIC_SEQ_CST);
		MUST(mprotect(mem, PAGE, PROT_READ | PROT_WRITE));
		sleep_ms(1);
	}
	runner_stop(&r);
	runner_stop(&r2);
	CHECK_EQ(*(u64 *)mem, 2 * times + own);
}

static void test_count_private(void)
{
	check_shared_count(map_memory(PAGE), true);
}

static void *map_shared(int fd, u64 size, int prot)
{
	return (void *)MUST(mmap(NULL, size, prot, MAP_SHARED, fd, 0));
}

static int make_memfd(u64 size)
{
	int fd = MUST(memfd_create("guest", MFD_CLOEXEC));

	MUST(ftruncate(fd, size));
	return fd;
}

static void test_count_shared(void)
{
	int fd = make_memfd(PAGE);

	check_shared_count(map_shared(fd, PAGE, PROT_READ | PROT_WRITE), true);
}

static void test_count_ksm(void)
{
	int fd = open("/dev/ksm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		tap_skip("no /dev/ksm");
	check_shared_count(map_shared(fd, PAGE, PROT_READ | PROT_WRITE), false);
}

/* Memory that may only be read here, and changes. */
static void test_read_only(void)
{
	int fd = make_memfd(2 * PAGE);
	volatile u64 *writable = map_shared(fd, 2 * PAGE, PROT_READ | PROT_WRITE);
	void *mem = map_shared(fd, 2 * PAGE, PROT_READ);
	struct machine m = vm_make();
	volatile u64 *seen = (u64 *)(m.tool + VM_BUF);
	struct runner r;
	u64 i;

	set_slot(&m, 1, 0, AREA_BASE, mem, 2 * PAGE);
	guest_start(&m, guest_copy, AREA_BASE + 8, VM_BUF, 0);
	runner_start(&r, &m);
	for (i = 1; i <= 20; i++) {
		writable[1] = i;
		CHECK_RUNNER_SOON(&r, *seen == i);
	}
	runner_stop(&r);
	runner_check(&r);
	guest_start(&m, guest_store, AREA_BASE, 1, 0);
	CHECK_ERRNO(vcpu_run(&m), EFAULT);
	CHECK_EQ(writable[0], 0);
}

/* ---- code that is replaced ---- */

static void check_code(const struct machine *m, struct runner *r,
		       volatile u64 *seen)
{
	guest_start(m, guest_call_function, AREA_BASE, VM_BUF, 0);
	*seen = 0;
	runner_start(r, m);
	CHECK_RUNNER_SOON(r, *seen == 1);
}

/* Another page in its place. */
static void test_code_replaced(void)
{
	struct machine m = vm_make();
	volatile u64 *seen = (u64 *)(m.tool + VM_BUF);
	char *mem = map_memory(PAGE);
	struct runner r;
	u32 i;

	make_function(mem, 1);
	set_slot(&m, 1, 0, AREA_BASE, mem, PAGE);
	check_code(&m, &r, seen);
	for (i = 2; i < 20; i++) {
		char *other = map_memory(PAGE);

		/* For a moment there is no page: KVM_RUN would end. */
		runner_stop(&r);
		make_function(other, i);
		MUST(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    mem));
		runner_start(&r, &m);
		CHECK_RUNNER_SOON(&r, *seen == i);
	}
	runner_stop(&r);
	runner_check(&r);
}

/* Other bytes in the same page, by the VMM. */
static void test_code_written(void)
{
	struct machine m = vm_make();
	volatile u64 *seen = (u64 *)(m.tool + VM_BUF);
	char *mem = map_memory(PAGE);
	struct runner r;
	u32 i;

	make_function(mem, 1);
	set_slot(&m, 1, 0, AREA_BASE, mem, PAGE);
	check_code(&m, &r, seen);
	for (i = 2; i < 20; i++) {
		make_function(mem, i);
		CHECK_RUNNER_SOON(&r, *seen == i);
	}
	runner_stop(&r);
	runner_check(&r);
}

/* Code in memory of /dev/ksm, merged with its like, then changed. */
static void test_code_ksm(void)
{
	int fd = open("/dev/ksm", O_RDWR | O_CLOEXEC);
	struct machine m = vm_make();
	volatile u64 *seen = (u64 *)(m.tool + VM_BUF);
	struct runner r;
	char *mem;
	u32 i;

	if (fd < 0)
		tap_skip("no /dev/ksm");
	mem = map_shared(fd, 8 * PAGE, PROT_READ | PROT_WRITE);
	for (i = 0; i < 8; i++)
		make_function(mem + i * PAGE, 1);
	set_slot(&m, 1, 0, AREA_BASE, mem, 8 * PAGE);
	check_code(&m, &r, seen);
	for (i = 2; i < 6; i++) {
		MUST(system("echo 1 >/sys/class/misc/ksm/run"));
		sleep_ms(20);
		make_function(mem, i);
		CHECK_RUNNER_SOON(&r, *seen == i);
		CHECK_EQ(*(u32 *)(mem + PAGE + 1), 1);
		make_function(mem, 1);
		CHECK_RUNNER_SOON(&r, *seen == 1);
	}
	runner_stop(&r);
	runner_check(&r);
}

/* ---- which pages the guest uses, as the host asks ---- */

#define PAGE_IDLE	"/sys/kernel/mm/page_idle/bitmap"

static u64 frame_of(int pagemap, const void *address)
{
	u64 entry;

	CHECK_EQ(pread(pagemap, &entry, sizeof(entry),
		       (unsigned long)address / PAGE * sizeof(entry)), 8);
	CHECK(entry >> 63);
	return entry & ((1ULL << 55) - 1);
}

/* False: the last frames of memory are less than a word, and cannot be read. */
static bool idle_set(int fd, u64 frame)
{
	u64 word = 1ULL << frame % 64;

	return MUST(pwrite(fd, &word, sizeof(word), frame / 64 * 8)) == 8;
}

static bool idle_get(int fd, u64 frame)
{
	u64 word;

	CHECK_EQ(pread(fd, &word, sizeof(word), frame / 64 * 8), 8);
	return word >> frame % 64 & 1;
}

static void idle_check(int fd, const u64 *frames, unsigned int step,
		       unsigned int used)
{
	unsigned int page;

	for (page = 0; page < AREA_PAGES; page += step) {
		bool shall = used ? page / step % used : true;
		bool is;

		if (!frames[page])
			continue;
		is = idle_get(fd, frames[page]);
		if (is != shall)
			tap_fail("page %u: expected %s, got %s", page,
				 shall ? "idle" : "in use", is ? "idle" : "in use");
	}
}

/* Every @step-th page stands for those after it. */
static void check_idle(bool huge, unsigned int step)
{
	int fd = open(PAGE_IDLE, O_RDWR | O_CLOEXEC);
	int pagemap = MUST(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	struct machine m = vm_make();
	u32 *list = (u32 *)(m.tool + VM_BUF);
	char *mem = map_area(huge);
	u64 frames[AREA_PAGES];
	unsigned int page, used = 0;

	if (fd < 0)
		tap_skip("this kernel does not track idle pages: ./lab run svm debug");
	memset(mem, 0, AREA_SIZE);
	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	vm_call(&m, guest_rounds, AREA_BASE, AREA_PAGES, 1);
	frames[0] = frame_of(pagemap, mem);
	if (huge && (frames[0] % 512 || frame_of(pagemap, mem + PAGE) != frames[0] + 1))
		tap_skip("no huge pages");
	/* Pages that wait to be put into the lists of reclaim are not known. */
	MUST(system("echo 1 >/proc/sys/vm/compact_memory"));
	for (page = 0; page < AREA_PAGES; page += step) {
		frames[page] = frame_of(pagemap, mem + page * PAGE);
		if (!idle_set(fd, frames[page]))
			frames[page] = 0;
		if (page / step % 2 == 0)
			list[used++] = page + step / 2;
	}
	idle_check(fd, frames, step, 0);
	/* A translation that the CPU knows is not looked up. */
	vm_call(&m, guest_flush, 0, 0, 0);
	vm_call(&m, guest_touch_list, AREA_BASE, VM_BUF, used);
	idle_check(fd, frames, step, 2);
	close(fd);
	close(pagemap);
}

static void test_idle_small(void)
{
	check_idle(false, 1);
}

static void test_idle_huge(void)
{
	check_idle(true, 512);
}

static const struct tap_test tests[] = {
	{ "the dirty log of small pages", test_log_small },
	{ "the dirty log of huge pages", test_log_huge },
	{ "a log that is set at first, small pages", test_initially_set_small },
	{ "a log that is set at first, huge pages", test_initially_set_huge },
	{ "huge pages split and collapsed", test_split },
	{ "holes in huge pages", test_holes },
	{ "counting in private memory", test_count_private },
	{ "counting in shared memory", test_count_shared },
	{ "counting in /dev/ksm", test_count_ksm },
	{ "memory that may only be read", test_read_only },
	{ "code replaced by another page", test_code_replaced },
	{ "code written by the VMM", test_code_written },
	{ "code in /dev/ksm", test_code_ksm },
	{ "small pages that the guest does not use", test_idle_small },
	{ "huge pages that the guest does not use", test_idle_huge },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
