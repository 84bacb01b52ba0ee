// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots: what is taken and what is refused, dirty logging to the page,
 * changes of slots and of the memory behind them under a running guest.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include "kvm_guest.h"

#define AREA_BASE	0x4000000UL	/* slot 1 of most tests */
#define AREA_PAGES	256UL
#define AREA_SIZE	(AREA_PAGES * PAGE)

/* rsi to (rdi) */
GUEST_FUNCTION
static void guest_store(void)
{
	__asm__ volatile("mov %rsi, (%rdi)\n\t"
			 GUEST_OUT);
}

/* (rdi) to rax */
GUEST_FUNCTION
static void guest_load(void)
{
	__asm__ volatile("mov (%rdi), %rax\n\t"
			 GUEST_OUT);
}

/* rdx bytes from rsi to rdi */
GUEST_FUNCTION
static void guest_movs(void)
{
	__asm__ volatile("mov %rdx, %rcx\n\t"
			 "rep movsb\n\t"
			 GUEST_OUT);
}

/* rsi bytes from the port to rdi */
GUEST_FUNCTION
static void guest_ins(void)
{
	__asm__ volatile("mov %rsi, %rcx\n\t"
			 "mov $0x11, %edx\n\t"
			 "rep insb\n\t"
			 GUEST_OUT);
}

/* a byte in each of rsi pages */
GUEST_FUNCTION
static void guest_touch(void)
{
	__asm__ volatile("1: movb $1, (%rdi)\n\t"
			 "add $4096, %rdi\n\t"
			 "dec %rsi\n\t"
			 "jnz 1b\n\t"
			 GUEST_OUT);
}

/* forever */
GUEST_FUNCTION
static void guest_count(void)
{
	__asm__ volatile("1: incq (%rdi)\n\t"
			 "jmp 1b");
}

/* increment a word in each of rsi pages at rdi; count at rdx */
GUEST_FUNCTION
static void guest_sweep(void)
{
	__asm__ volatile("1: mov %rdi, %rax\n\t"
			 "mov %rsi, %rcx\n\t"
			 "2: incq (%rax)\n\t"
			 "add $4096, %rax\n\t"
			 "dec %rcx\n\t"
			 "jnz 2b\n\t"
			 "incq (%rdx)\n\t"
			 "jmp 1b");
}

/* rsi pages at rdi must hold their number; rounds at rdx */
GUEST_FUNCTION
static void guest_check(void)
{
	__asm__ volatile("1: mov %rdi, %rax\n\t"
			 "xor %ecx, %ecx\n\t"
			 "2: cmp %rcx, (%rax)\n\t"
			 "jne 3f\n\t"
			 "add $4096, %rax\n\t"
			 "inc %rcx\n\t"
			 "cmp %rsi, %rcx\n\t"
			 "jne 2b\n\t"
			 "incq (%rdx)\n\t"
			 "jmp 1b\n\t"
			 "3: hlt");
}

static void *data_of(const struct machine *m)
{
	return m->tool + TOOL_DATA;
}

static u64 load_word(const struct machine *m, u64 address)
{
	guest_call(m, guest_load, address, 0, 0);
	return vcpu_regs(m).rax;
}

static void check_mmio_write(const struct machine *m, u64 address, u64 value)
{
	guest_start(m, guest_store, address, value, 0);
	vcpu_run_until(m, KVM_EXIT_MMIO);
	CHECK_EQ(m->run->mmio.phys_addr, address);
	CHECK_EQ(m->run->mmio.is_write, 1);
	CHECK_EQ(m->run->mmio.len, 8);
	CHECK(!memcmp(m->run->mmio.data, &value, 8));
	vcpu_run_until(m, KVM_EXIT_IO);
}

/* ---- what is taken, what is refused ---- */

static void test_errors(void)
{
	struct machine m = machine_make();
	char *mem = map_memory(AREA_SIZE);
	long slots = MUST(ioctl(m.kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS));
	u64 top = 1ULL << 63;

	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	/* Overlaps, by the first, the last and all pages. */
	CHECK_ERRNO(try_slot(&m, 2, 0, AREA_BASE, mem, PAGE), EEXIST);
	CHECK_ERRNO(try_slot(&m, 2, 0, AREA_BASE + AREA_SIZE - PAGE, mem,
			     2 * PAGE), EEXIST);
	CHECK_ERRNO(try_slot(&m, 2, 0, AREA_BASE - PAGE, mem, 2 * PAGE), EEXIST);
	CHECK_ERRNO(try_slot(&m, 2, 0, AREA_BASE - PAGE, mem, AREA_SIZE), EEXIST);
	/* Neighbours do not. */
	set_slot(&m, 2, 0, AREA_BASE + AREA_SIZE, mem, PAGE);
	set_slot(&m, 3, 0, AREA_BASE - PAGE, mem, PAGE);
	/* A move onto another one does. */
	CHECK_ERRNO(try_slot(&m, 2, 0, AREA_BASE, mem, PAGE), EEXIST);
	/* Not aligned. */
	CHECK_ERRNO(try_slot(&m, 4, 0, 0x8000001, mem, PAGE), EINVAL);
	CHECK_ERRNO(try_slot(&m, 4, 0, 0x8000000, mem + 8, PAGE), EINVAL);
	CHECK_ERRNO(try_slot(&m, 4, 0, 0x8000000, mem, PAGE + 8), EINVAL);
	CHECK_ERRNO(try_slot(&m, 4, 0, 0x8000000, mem, 1), EINVAL);
	/* A slot that is not there cannot be deleted. */
	CHECK_ERRNO(try_slot(&m, 4, 0, 0x8000000, mem, 0), EINVAL);
	/* Size, memory and the read-only flag stay as they are. */
	CHECK_ERRNO(try_slot(&m, 1, 0, AREA_BASE, mem, PAGE), EINVAL);
	CHECK_ERRNO(try_slot(&m, 1, 0, AREA_BASE, mem, 2 * AREA_SIZE), EINVAL);
	CHECK_ERRNO(try_slot(&m, 1, 0, AREA_BASE, mem + PAGE, AREA_SIZE), EINVAL);
	if (has_cap(m.kvm, KVM_CAP_READONLY_MEM))
		CHECK_ERRNO(try_slot(&m, 1, KVM_MEM_READONLY, AREA_BASE, mem,
				     AREA_SIZE), EINVAL);
	/* Unknown flags. */
	CHECK_ERRNO(try_slot(&m, 4, 1 << 2, 0x8000000, mem, PAGE), EINVAL);
	CHECK_ERRNO(try_slot(&m, 4, 1U << 31, 0x8000000, mem, PAGE), EINVAL);
	/* Numbers of slots and address spaces. */
	set_slot(&m, slots - 1, 0, 0x8000000, mem, PAGE);
	CHECK_ERRNO(try_slot(&m, 0xffff, 0, 0x9000000, mem, PAGE), EINVAL);
	CHECK_ERRNO(try_slot(&m, 1U << 20, 0, 0x9000000, mem, PAGE), EINVAL);
	CHECK_ERRNO(try_slot(&m, -1U, 0, 0x9000000, mem, PAGE), EINVAL);
	/* Beyond the end of addresses, there and here. */
	CHECK_ERRNO(try_slot(&m, 4, 0, -PAGE, mem, 2 * PAGE), EINVAL);
	CHECK_ERRNO(try_slot(&m, 4, 0, 0x8001000, (void *)top, PAGE), EINVAL);
	CHECK_ERRNO(try_slot(&m, 4, 0, 0x8001000, mem, 1ULL << 47), EINVAL);
	CHECK_ERRNO(try_slot(&m, 4, 0, 0x8001000, mem, top), EINVAL);
	CHECK_ERRNO(try_slot(&m, 4, 0, 0x8001000, mem, -PAGE), EINVAL);
	CHECK_ERRNO(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, NULL), EFAULT);
	/* Nothing of this did any harm. */
	guest_call(&m, guest_store, AREA_BASE, 0x1234, 0);
	CHECK_EQ(*(u64 *)mem, 0x1234);
}

/* The memory behind a slot need not be there yet. */
static void test_unmapped_memory(void)
{
	struct machine m = machine_make();
	char *mem = map_memory(AREA_SIZE);

	MUST(munmap(mem, AREA_SIZE));
	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_start(&m, guest_store, AREA_BASE, 7, 0);
	CHECK_ERRNO(vcpu_run(&m), EFAULT);
	MUST(mmap(mem, AREA_SIZE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(*(u64 *)mem, 7);
	/* Memory that may only be read: reading works, writing does not. */
	MUST(mprotect(mem, AREA_SIZE, PROT_READ));
	CHECK_EQ(load_word(&m, AREA_BASE), 7);
	guest_start(&m, guest_store, AREA_BASE, 8, 0);
	CHECK_ERRNO(vcpu_run(&m), EFAULT);
	MUST(mprotect(mem, AREA_SIZE, PROT_READ | PROT_WRITE));
	vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(*(u64 *)mem, 8);
}

static void test_add_delete_move(void)
{
	struct machine m = machine_make();
	u64 *mem = map_memory(AREA_SIZE);
	u64 there = AREA_BASE + 0x1000000;
	unsigned int i;

	check_mmio_write(&m, AREA_BASE, 1);
	for (i = 1; i <= 3; i++) {
		set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
		guest_call(&m, guest_store, AREA_BASE, i, 0);
		CHECK_EQ(mem[0], i);
		/* The same again changes nothing. */
		set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
		CHECK_EQ(load_word(&m, AREA_BASE), i);
		set_slot(&m, 1, 0, there, mem, AREA_SIZE);
		CHECK_EQ(load_word(&m, there), i);
		check_mmio_write(&m, AREA_BASE, 0x99);
		CHECK_EQ(mem[0], i);
		set_slot(&m, 1, 0, there, mem, 0);
		check_mmio_write(&m, there, 0x99);
		CHECK_EQ(mem[0], i);
	}
}

/* The same memory in two places. */
static void test_alias(void)
{
	struct machine m = machine_make();
	u64 *mem = map_memory(AREA_SIZE);

	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	set_slot(&m, 2, 0, 2 * AREA_BASE, mem, AREA_SIZE);
	guest_call(&m, guest_store, AREA_BASE + 8, 0x77, 0);
	CHECK_EQ(load_word(&m, 2 * AREA_BASE + 8), 0x77);
	set_slot(&m, 1, 0, AREA_BASE, mem, 0);
	CHECK_EQ(load_word(&m, 2 * AREA_BASE + 8), 0x77);
}

static void test_many(void)
{
	struct machine m = machine_make();
	u64 *mem = map_memory(AREA_SIZE);
	unsigned int i, count = 200;

	for (i = 0; i < count; i++) {
		mem[i * PAGE / 8] = i;
		set_slot(&m, i + 1, 0, AREA_BASE + i * 3 * PAGE,
			 &mem[i * PAGE / 8], PAGE);
	}
	for (i = 0; i < count; i++)
		CHECK_EQ(load_word(&m, AREA_BASE + i * 3 * PAGE), i);
	for (i = 0; i < count; i += 2)
		set_slot(&m, i + 1, 0, AREA_BASE + i * 3 * PAGE,
			 &mem[i * PAGE / 8], 0);
	for (i = 1; i < count; i += 2)
		CHECK_EQ(load_word(&m, AREA_BASE + i * 3 * PAGE), i);
	check_mmio_write(&m, AREA_BASE, 5);
}

static void test_readonly(void)
{
	struct machine m = machine_make();
	u64 *mem = map_memory(AREA_SIZE);

	if (!has_cap(m.kvm, KVM_CAP_READONLY_MEM))
		tap_skip("no READONLY_MEM");
	mem[1] = 0x4711;
	set_slot(&m, 1, KVM_MEM_READONLY, AREA_BASE, mem, AREA_SIZE);
	CHECK_EQ(load_word(&m, AREA_BASE + 8), 0x4711);
	check_mmio_write(&m, AREA_BASE + 8, 0x1111);
	CHECK_EQ(mem[1], 0x4711);
	CHECK_EQ(load_word(&m, AREA_BASE + 8), 0x4711);
	/* Also when the memory may not be written here. */
	MUST(mprotect(mem, AREA_SIZE, PROT_READ));
	CHECK_EQ(load_word(&m, AREA_BASE + 8), 0x4711);
	check_mmio_write(&m, AREA_BASE + 8, 0x1111);
	/* Read-only and logged: nothing is ever dirty. */
	set_slot(&m, 1, 0, AREA_BASE, mem, 0);
	set_slot(&m, 1, KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES, AREA_BASE,
		 mem, AREA_SIZE);
	check_mmio_write(&m, AREA_BASE + 8, 0x1111);
}

/* ---- dirty logging ---- */

static u64 dirty[AREA_PAGES / 64];

static int try_dirty_log(const struct machine *m, u32 slot, void *bitmap)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	return ioctl(m->vm, KVM_GET_DIRTY_LOG, &log);
}

static void get_dirty(const struct machine *m)
{
	memset(dirty, 0xff, sizeof(dirty));
	MUST(try_dirty_log(m, 1, dirty));
}

static void mark(u64 *bitmap, unsigned long page)
{
	bitmap[page / 64] |= 1ULL << page % 64;
}

#define check_dirty(m, want) check_dirty_at(m, want, __LINE__)

/* The log holds exactly these pages. */
static void check_dirty_at(const struct machine *m, const u64 *want, int line)
{
	unsigned long page;

	get_dirty(m);
	for (page = 0; page < AREA_PAGES; page++) {
		bool is = dirty[page / 64] >> page % 64 & 1;
		bool shall = want[page / 64] >> page % 64 & 1;

		if (is != shall)
			tap_fail("line %d: page %lu: expected %s, got %s", line,
				 page, shall ? "dirty" : "clean",
				 is ? "dirty" : "clean");
	}
}

static const u64 clean[AREA_PAGES / 64];

/* The guest wrote all pages once before: they are mapped writable. */
static char *make_logged(const struct machine *m)
{
	char *mem = map_memory(AREA_SIZE);

	set_slot(m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_call(m, guest_touch, AREA_BASE, AREA_PAGES, 0);
	set_slot(m, 1, KVM_MEM_LOG_DIRTY_PAGES, AREA_BASE, mem, AREA_SIZE);
	/* Whether pages are dirty at the start is nobody's business. */
	get_dirty(m);
	return mem;
}

static void test_dirty_writes(void)
{
	static const unsigned int pages[] = { 0, 1, 63, 64, 127, 200, 255 };
	struct machine m = machine_make();
	char *mem = make_logged(&m);
	unsigned int round, i;

	check_dirty(&m, clean);
	for (round = 0; round < 3; round++) {
		u64 want[AREA_PAGES / 64] = { 0 };

		for (i = round; i < ARRAY_SIZE(pages); i += 2) {
			guest_call(&m, guest_store, AREA_BASE + pages[i] * PAGE + 8,
				   round, 0);
			mark(want, pages[i]);
		}
		/* Reading and writing here are none of the guest's. */
		CHECK_EQ(load_word(&m, AREA_BASE + 100 * PAGE), 1);
		mem[101 * PAGE] = 5;
		check_dirty(&m, want);
		check_dirty(&m, clean);
	}
	/* A write across the end of a page is one to both. */
	{
		u64 want[AREA_PAGES / 64] = { 0 };

		guest_call(&m, guest_store, AREA_BASE + 10 * PAGE - 4, -1, 0);
		mark(want, 9);
		mark(want, 10);
		check_dirty(&m, want);
	}
}

static void test_dirty_string(void)
{
	u64 want[AREA_PAGES / 64] = { 0 };
	struct machine m = machine_make();
	char *mem = make_logged(&m);
	unsigned int page;

	memset(mem + 20 * PAGE, 0x42, 3 * PAGE);
	guest_call(&m, guest_movs, AREA_BASE + 70 * PAGE + 100,
		   AREA_BASE + 20 * PAGE, 2 * PAGE);
	for (page = 70; page <= 72; page++)
		mark(want, page);
	check_dirty(&m, want);
	CHECK_EQ(mem[70 * PAGE + 99], 0);
	CHECK_EQ(mem[70 * PAGE + 100], 0x42);
	CHECK_EQ(mem[72 * PAGE + 99], 0x42);
	CHECK_EQ(mem[72 * PAGE + 100], 0);
	check_dirty(&m, clean);
}

/* What KVM writes for the guest: data of REP INS. */
static void test_dirty_ins(void)
{
	u64 want[AREA_PAGES / 64] = { 0 };
	struct machine m = machine_make();
	char *mem = make_logged(&m);
	unsigned int bytes = 0;

	guest_start(&m, guest_ins, AREA_BASE + 31 * PAGE - 16, 32, 0);
	while (bytes < 32) {
		vcpu_run_until(&m, KVM_EXIT_IO);
		CHECK_EQ(m.run->io.direction, KVM_EXIT_IO_IN);
		CHECK_EQ(m.run->io.port, 0x11);
		memset((char *)m.run + m.run->io.data_offset, 0x33,
		       m.run->io.size * m.run->io.count);
		bytes += m.run->io.size * m.run->io.count;
	}
	vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(m.run->io.direction, KVM_EXIT_IO_OUT);
	mark(want, 30);
	mark(want, 31);
	check_dirty(&m, want);
	CHECK_EQ(mem[31 * PAGE - 16], 0x33);
	CHECK_EQ(mem[31 * PAGE + 15], 0x33);
}

/* What the processor writes: accessed and dirty bits of the page tables. */
static void test_dirty_page_tables(void)
{
	u64 want[AREA_PAGES / 64] = { 0 };
	struct machine m = machine_make();
	char *mem = make_logged(&m);
	struct kvm_sregs sregs;

	/* Other page tables, in pages 40 to 42 of the area. */
	*(u64 *)(mem + 40 * PAGE) = (AREA_BASE + 41 * PAGE) | 3;
	*(u64 *)(mem + 41 * PAGE) = (AREA_BASE + 42 * PAGE) | 3;
	memcpy(mem + 42 * PAGE, m.tool + TOOL_PD, PAGE);
	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	sregs.cr3 = AREA_BASE + 40 * PAGE;
	MUST(ioctl(m.vcpu, KVM_SET_SREGS, &sregs));
	guest_call(&m, guest_store, AREA_BASE + 50 * PAGE, 1, 0);
	mark(want, 40);
	mark(want, 41);
	mark(want, 42);
	mark(want, 50);
	check_dirty(&m, want);
	CHECK(*(u64 *)(mem + 40 * PAGE) & 0x20);	/* accessed */
	/* They are set: there is nothing to write any more. */
	memset(want, 0, sizeof(want));
	guest_call(&m, guest_store, AREA_BASE + 51 * PAGE, 1, 0);
	mark(want, 51);
	get_dirty(&m);
	CHECK_EQ(dirty[0] & ~(7ULL << 40), want[0]);
}

static void test_dirty_off_on(void)
{
	u64 want[AREA_PAGES / 64] = { 0 };
	struct machine m = machine_make();
	char *mem = make_logged(&m);

	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	CHECK_ERRNO(try_dirty_log(&m, 1, dirty), ENOENT);
	guest_call(&m, guest_touch, AREA_BASE, AREA_PAGES, 0);
	set_slot(&m, 1, KVM_MEM_LOG_DIRTY_PAGES, AREA_BASE, mem, AREA_SIZE);
	get_dirty(&m);
	guest_call(&m, guest_store, AREA_BASE + 3 * PAGE, 1, 0);
	mark(want, 3);
	check_dirty(&m, want);
	check_dirty(&m, clean);
}

/* What was written stays in the log, wherever the guest has the slot now. */
static void test_dirty_moved(void)
{
	u64 want[AREA_PAGES / 64] = { 0 }, moved = AREA_BASE + 4 * AREA_SIZE;
	struct machine m = machine_make();
	char *mem = make_logged(&m);

	get_dirty(&m);
	guest_call(&m, guest_store, AREA_BASE + 3 * PAGE, 1, 0);
	set_slot(&m, 1, KVM_MEM_LOG_DIRTY_PAGES, moved, mem, AREA_SIZE);
	guest_call(&m, guest_store, moved + 70 * PAGE, 1, 0);
	mark(want, 3);
	mark(want, 70);
	check_dirty(&m, want);
	check_dirty(&m, clean);
}

/* Memory in huge pages is logged by the small page. */
static void test_dirty_huge(void)
{
	u64 bitmap[1024 / 64] = { 0 };
	struct machine m = machine_make();
	char *mem = map_memory(8 * MIB);

	mem = (char *)(((unsigned long)mem + 2 * MIB - 1) & ~(2 * MIB - 1));
	madvise(mem, 4 * MIB, MADV_HUGEPAGE);
	set_slot(&m, 1, 0, AREA_BASE, mem, 4 * MIB);
	guest_call(&m, guest_touch, AREA_BASE, 1024, 0);
	set_slot(&m, 1, KVM_MEM_LOG_DIRTY_PAGES, AREA_BASE, mem, 4 * MIB);
	MUST(try_dirty_log(&m, 1, bitmap));
	guest_call(&m, guest_store, AREA_BASE + 5 * PAGE, 1, 0);
	guest_call(&m, guest_store, AREA_BASE + 517 * PAGE, 1, 0);
	MUST(try_dirty_log(&m, 1, bitmap));
	CHECK_EQ(bitmap[0], 1 << 5);
	CHECK_EQ(bitmap[8], 1 << 5);
	CHECK_EQ(bitmap[1], 0);
	set_slot(&m, 1, 0, AREA_BASE, mem, 4 * MIB);
	guest_call(&m, guest_touch, AREA_BASE, 1024, 0);
}

static void test_dirty_errors(void)
{
	struct machine m = machine_make();

	make_logged(&m);
	CHECK_ERRNO(try_dirty_log(&m, 0, dirty), ENOENT);	/* not logged */
	CHECK_ERRNO(try_dirty_log(&m, 5, dirty), ENOENT);	/* not there */
	CHECK_ERRNO(try_dirty_log(&m, 0xffff, dirty), EINVAL);
	CHECK_ERRNO(try_dirty_log(&m, 1 << 20, dirty), EINVAL);
	CHECK_ERRNO(try_dirty_log(&m, 1, NULL), EFAULT);
	CHECK_ERRNO(ioctl(m.vm, KVM_GET_DIRTY_LOG, NULL), EFAULT);
}

static int try_clear(const struct machine *m, u32 slot, u64 first, u32 count,
		     void *bitmap)
{
	struct kvm_clear_dirty_log log = {
		.slot = slot, .num_pages = count, .first_page = first,
		.dirty_bitmap = bitmap,
	};

	return ioctl(m->vm, KVM_CLEAR_DIRTY_LOG, &log);
}

static bool enable_manual(const struct machine *m)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args[0] = 1,
	};

	if (!has_cap(m->kvm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2))
		return false;
	MUST(ioctl(m->vm, KVM_ENABLE_CAP, &cap));
	return true;
}

static void test_clear_dirty(void)
{
	u64 want[AREA_PAGES / 64] = { 0 }, bits;
	struct machine m = machine_make();
	char *mem = map_memory(AREA_SIZE);

	if (!enable_manual(&m))
		tap_skip("no MANUAL_DIRTY_LOG_PROTECT2");
	set_slot(&m, 1, KVM_MEM_LOG_DIRTY_PAGES, AREA_BASE, mem, AREA_SIZE);
	memset(dirty, 0xff, sizeof(dirty));
	MUST(try_clear(&m, 1, 0, AREA_PAGES, dirty));
	guest_call(&m, guest_store, AREA_BASE + 2 * PAGE, 1, 0);
	guest_call(&m, guest_store, AREA_BASE + 70 * PAGE, 1, 0);
	guest_call(&m, guest_store, AREA_BASE + 71 * PAGE, 1, 0);
	mark(want, 2);
	mark(want, 70);
	mark(want, 71);
	/* Reading the log does not clear it. */
	check_dirty(&m, want);
	check_dirty(&m, want);
	/* Only what is asked for is cleared. */
	bits = 1ULL << (70 - 64);
	MUST(try_clear(&m, 1, 64, 64, &bits));
	want[1] &= ~bits;
	check_dirty(&m, want);
	/* A page that was not cleared stays dirty, a cleared one gets so again. */
	guest_call(&m, guest_store, AREA_BASE + 70 * PAGE, 1, 0);
	mark(want, 70);
	check_dirty(&m, want);
	memset(dirty, 0xff, sizeof(dirty));
	MUST(try_clear(&m, 1, 0, AREA_PAGES, dirty));
	check_dirty(&m, clean);
}

static void test_clear_errors(void)
{
	struct machine m = machine_make();
	char *mem = map_memory(AREA_SIZE);
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args[0] = 1 << 20,
	};

	if (!enable_manual(&m))
		tap_skip("no MANUAL_DIRTY_LOG_PROTECT2");
	CHECK_ERRNO(ioctl(m.vm, KVM_ENABLE_CAP, &cap), EINVAL);
	set_slot(&m, 1, KVM_MEM_LOG_DIRTY_PAGES, AREA_BASE, mem,
		 AREA_SIZE - PAGE);
	memset(dirty, 0, sizeof(dirty));
	MUST(try_clear(&m, 1, 0, AREA_PAGES - 1, dirty));
	MUST(try_clear(&m, 1, 192, 63, dirty));
	CHECK_ERRNO(try_clear(&m, 1, 1, 64, dirty), EINVAL);
	CHECK_ERRNO(try_clear(&m, 1, 0, 63, dirty), EINVAL);
	CHECK_ERRNO(try_clear(&m, 1, 0, AREA_PAGES, dirty), EINVAL);
	CHECK_ERRNO(try_clear(&m, 1, 192, 64, dirty), EINVAL);
	CHECK_ERRNO(try_clear(&m, 1, 256, 64, dirty), EINVAL);
	CHECK_ERRNO(try_clear(&m, 1, -64ULL, 64, dirty), EINVAL);
	CHECK_ERRNO(try_clear(&m, 1, 0, -1U, dirty), EINVAL);
	CHECK_ERRNO(try_clear(&m, 0, 0, 64, dirty), ENOENT);
	CHECK_ERRNO(try_clear(&m, 5, 0, 64, dirty), ENOENT);
	CHECK_ERRNO(try_clear(&m, 0xffff, 0, 64, dirty), EINVAL);
	CHECK_ERRNO(try_clear(&m, 1, 0, 64, NULL), EFAULT);
	CHECK_ERRNO(ioctl(m.vm, KVM_CLEAR_DIRTY_LOG, NULL), EFAULT);
}

/* No write is lost: what the log does not name has not changed. */
static void test_dirty_running(void)
{
	struct machine m = machine_make();
	volatile u64 *rounds = data_of(&m);
	char *mem = make_logged(&m);
	static u64 copy[AREA_PAGES];
	struct runner r;
	unsigned int n, page;

	guest_start(&m, guest_sweep, AREA_BASE, AREA_PAGES, TOOL_DATA);
	runner_start(&r, &m);
	for (n = 0; n < 20; n++) {
		u64 before = *rounds;

		get_dirty(&m);
		for (page = 0; page < AREA_PAGES; page++)
			if (dirty[page / 64] >> page % 64 & 1)
				copy[page] = *(volatile u64 *)(mem + page * PAGE);
		CHECK_RUNNER_SOON(&r, *rounds > before);
	}
	runner_stop(&r);
	get_dirty(&m);
	for (page = 0; page < AREA_PAGES; page++)
		if (dirty[page / 64] >> page % 64 & 1)
			copy[page] = *(u64 *)(mem + page * PAGE);
	for (page = 0; page < AREA_PAGES; page++)
		CHECK_EQ(copy[page], *(u64 *)(mem + page * PAGE));
	check_dirty(&m, clean);
}

/* ---- slots that change under a running guest ---- */

static void test_change_running(void)
{
	struct machine m = machine_make();
	char *mem = map_memory(AREA_SIZE);
	volatile u64 *word = (u64 *)mem;
	struct runner r;
	unsigned int n;
	u64 before;

	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_start(&m, guest_count, AREA_BASE, 0, 0);
	runner_start(&r, &m);
	for (n = 0; n < 10; n++) {
		before = *word;
		CHECK_RUNNER_SOON(&r, *word != before);
		/* Deleted: it is device memory, and the page is untouched. */
		set_slot(&m, 1, 0, AREA_BASE, mem, 0);
		before = *word;
		CHECK_RUNNER_SOON(&r, READ_ONCE(r.mmio) > 2 * n + 2);
		CHECK_EQ(*word, before);
		CHECK_EQ(r.mmio_address, AREA_BASE);
		set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
		before = *word;
		CHECK_RUNNER_SOON(&r, *word != before);
		/* Moved away and back. */
		set_slot(&m, 1, 0, 2 * AREA_BASE, mem, AREA_SIZE);
		before = *word;
		sleep_ms(1);
		CHECK_EQ(*word, before);
		set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
		/* Logging on and off. */
		set_slot(&m, 1, KVM_MEM_LOG_DIRTY_PAGES, AREA_BASE, mem,
			 AREA_SIZE);
		before = *word;
		CHECK_RUNNER_SOON(&r, *word != before);
		set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	}
	runner_stop(&r);
	runner_check(&r);
}

/* Other slots come and go: two vCPUs do not notice. */
static void test_others_running(void)
{
	struct machine m = machine_make(), m2 = machine_sibling(&m, 1);
	char *mem = map_memory(AREA_SIZE), *other = map_memory(AREA_SIZE);
	volatile u64 *count = data_of(&m);
	struct runner r, r2;
	u64 before, before2;
	unsigned int n;

	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_start(&m, guest_sweep, AREA_BASE, 128, TOOL_DATA);
	guest_start(&m2, guest_sweep, AREA_BASE + 128 * PAGE, 128, TOOL_DATA + 64);
	runner_start(&r, &m);
	runner_start(&r2, &m2);
	for (n = 0; n < 100; n++) {
		set_slot(&m, 2, 0, 4 * AREA_BASE, other, AREA_SIZE);
		set_slot(&m, 2, 0, 5 * AREA_BASE, other, AREA_SIZE);
		set_slot(&m, 2, 0, 5 * AREA_BASE, other, 0);
	}
	before = count[0];
	before2 = count[8];
	CHECK_RUNNER_SOON(&r, count[0] != before);
	CHECK_RUNNER_SOON(&r2, count[8] != before2);
	runner_stop(&r);
	runner_stop(&r2);
	runner_check(&r);
	runner_check(&r2);
	CHECK_EQ(r.mmio + r2.mmio, 0);
}

/* ---- memory that changes under a running guest ---- */

static void test_madvise(void)
{
	struct machine m = machine_make();
	char *mem = map_memory(AREA_SIZE);
	volatile u64 *rounds = data_of(&m);
	struct runner r;
	unsigned int n;
	u64 before;

	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_start(&m, guest_sweep, AREA_BASE, AREA_PAGES, TOOL_DATA);
	runner_start(&r, &m);
	for (n = 0; n < 20; n++) {
		before = *rounds;
		CHECK_RUNNER_SOON(&r, *rounds > before + 1);
		MUST(madvise(mem, AREA_SIZE, MADV_DONTNEED));
	}
	runner_stop(&r);
	runner_check(&r);
	/* The guest and we see the same page. */
	MUST(madvise(mem, AREA_SIZE, MADV_DONTNEED));
	CHECK_EQ(load_word(&m, AREA_BASE), 0);
	*(u64 *)mem = 0x5678;
	CHECK_EQ(load_word(&m, AREA_BASE), 0x5678);
}

static void test_mprotect(void)
{
	struct machine m = machine_make();
	char *mem = map_memory(AREA_SIZE);
	volatile u64 *word = (u64 *)mem;
	struct runner r;
	u64 before;

	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_start(&m, guest_count, AREA_BASE, 0, 0);
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, *word > 100);
	/* At once, nothing is written any more. */
	MUST(mprotect(mem, AREA_SIZE, PROT_READ));
	before = *word;
	CHECK_SOON(READ_ONCE(r.error));
	CHECK_EQ(r.error, EFAULT);
	CHECK_EQ(*word, before);
	MUST(mprotect(mem, AREA_SIZE, PROT_READ | PROT_WRITE));
	runner_stop(&r);
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, *word > before);
	runner_stop(&r);
	runner_check(&r);
}

static void test_munmap(void)
{
	struct machine m = machine_make();
	char *mem = map_memory(AREA_SIZE);
	volatile u64 *word = (u64 *)mem;
	struct runner r;

	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_start(&m, guest_count, AREA_BASE, 0, 0);
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, *word > 100);
	MUST(munmap(mem, AREA_SIZE));
	CHECK_SOON(READ_ONCE(r.error));
	CHECK_EQ(r.error, EFAULT);
	runner_stop(&r);
	/* Other memory in its place. */
	MUST(mmap(mem, AREA_SIZE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, *word > 100);
	runner_stop(&r);
}

static void test_mremap(void)
{
	struct machine m = machine_make();
	char *mem = map_memory(AREA_SIZE), *there = map_memory(AREA_SIZE);
	volatile u64 *rounds = data_of(&m);
	struct runner r;
	unsigned int n;

	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_start(&m, guest_sweep, AREA_BASE, AREA_PAGES, TOOL_DATA);
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, *rounds > 10);
	/* The pages go elsewhere: the guest keeps none of them. */
	MUST(mremap(mem, AREA_SIZE, AREA_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    there));
	for (n = 0; n < 3; n++) {
		u64 before = *(volatile u64 *)there;

		sleep_ms(2);
		CHECK_EQ(*(volatile u64 *)there, before);
	}
	CHECK_SOON(READ_ONCE(r.error));
	CHECK_EQ(r.error, EFAULT);
	runner_stop(&r);
	MUST(mremap(there, AREA_SIZE, AREA_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    mem));
	runner_start(&r, &m);
	*rounds = 0;
	CHECK_RUNNER_SOON(&r, *rounds > 10);
	runner_stop(&r);
}

/* After fork the guest writes its own copies, the child sees the old ones. */
static void test_fork(void)
{
	struct machine m = machine_make();
	char *mem = map_memory(AREA_SIZE);
	volatile u64 *rounds = data_of(&m);
	struct runner r;
	unsigned int n;

	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_start(&m, guest_sweep, AREA_BASE, AREA_PAGES, TOOL_DATA);
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, *rounds > 10);
	for (n = 0; n < 3; n++) {
		u64 before = *rounds;
		pid_t child = tap_fork();
		unsigned int page;

		if (!child) {
			static u64 copy[AREA_PAGES];

			for (page = 0; page < AREA_PAGES; page++)
				copy[page] = *(u64 *)(mem + page * PAGE);
			sleep_ms(20);
			for (page = 0; page < AREA_PAGES; page++)
				CHECK_EQ(*(u64 *)(mem + page * PAGE), copy[page]);
			_exit(0);
		}
		tap_join(child);
		CHECK_RUNNER_SOON(&r, *rounds > before + 2);
	}
	runner_stop(&r);
	runner_check(&r);
	/* What the guest writes is what we see. */
	for (n = 0; n < AREA_PAGES; n += 17) {
		guest_call(&m, guest_store, AREA_BASE + n * PAGE, 0xabc0 + n, 0);
		CHECK_EQ(*(u64 *)(mem + n * PAGE), 0xabc0 + n);
	}
}

/* Memory of a file: seen by everybody, truncated under the guest. */
static void test_memfd(void)
{
	struct machine m = machine_make();
	int fd = MUST(memfd_create("guest", MFD_CLOEXEC));
	u64 *mem, *other;
	struct runner r;

	MUST(ftruncate(fd, AREA_SIZE));
	mem = (void *)MUST(mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED, fd, 0));
	other = (void *)MUST(mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd, 0));
	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_call(&m, guest_store, AREA_BASE + 5 * PAGE, 0x123, 0);
	CHECK_EQ(other[5 * PAGE / 8], 0x123);
	other[6 * PAGE / 8] = 0x456;
	CHECK_EQ(load_word(&m, AREA_BASE + 6 * PAGE), 0x456);
	/* A hole: zeroes. */
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		       AREA_SIZE));
	CHECK_EQ(load_word(&m, AREA_BASE + 6 * PAGE), 0);
	guest_start(&m, guest_count, AREA_BASE, 0, 0);
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, *(volatile u64 *)other > 100);
	/* Beyond the end of the file there is no memory. */
	MUST(ftruncate(fd, 0));
	CHECK_SOON(READ_ONCE(r.error));
	CHECK_EQ(r.error, EFAULT);
	runner_stop(&r);
	MUST(ftruncate(fd, AREA_SIZE));
	CHECK_EQ(load_word(&m, AREA_BASE), 0);
}

/* Pages of /dev/ksm merge while the guest reads them, and part again. */
static void test_ksm(void)
{
	struct machine m = machine_make();
	int fd = open("/dev/ksm", O_RDWR | O_CLOEXEC);
	volatile u64 *rounds = data_of(&m);
	unsigned int page, n;
	struct runner r;
	char *mem;

	if (fd < 0)
		tap_skip("no /dev/ksm");
	mem = (void *)MUST(mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED, fd, 0));
	for (page = 0; page < AREA_PAGES; page++)
		*(u64 *)(mem + page * PAGE) = page;
	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	guest_start(&m, guest_check, AREA_BASE, AREA_PAGES, TOOL_DATA);
	runner_start(&r, &m);
	for (n = 0; n < 5; n++) {
		u64 before = *rounds;

		MUST(system("echo 1 >/sys/class/misc/ksm/run"));
		CHECK_RUNNER_SOON(&r, *rounds > before + 10);
		/* The same contents again. */
		for (page = 0; page < AREA_PAGES; page++)
			*(volatile u64 *)(mem + page * PAGE) = page;
	}
	runner_stop(&r);
	runner_check(&r);
	guest_call(&m, guest_touch, AREA_BASE, AREA_PAGES, 0);
	for (page = 0; page < AREA_PAGES; page++)
		CHECK_EQ(*(u64 *)(mem + page * PAGE), page / 256 * 256 + 1);
}

/* Memory that has no struct page to take hold of: the BIOS, by /dev/mem. */
static void test_pfnmap(void)
{
	struct machine m = machine_make();
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	u64 *mem;

	if (fd < 0)
		tap_skip("no /dev/mem");
	mem = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0xf0000);
	if (mem == MAP_FAILED)
		tap_skip("/dev/mem cannot be mapped: %s", strerrorname_np(errno));
	set_slot(&m, 1, 0, AREA_BASE, mem, 0x10000);
	CHECK_EQ(load_word(&m, AREA_BASE + 0xfff0), mem[0xfff0 / 8]);
	CHECK_EQ(load_word(&m, AREA_BASE), mem[0]);
	MUST(munmap(mem, 0x10000));
	guest_start(&m, guest_load, AREA_BASE, 0, 0);
	CHECK_ERRNO(vcpu_run(&m), EFAULT);
}

/* Zeroes that everybody shares, until somebody writes. */
static void test_zero_page(void)
{
	struct machine m = machine_make();
	u64 *mem = map_memory(AREA_SIZE);

	/* First read, then written by the guest, or by us. */
	set_slot(&m, 1, 0, AREA_BASE, mem, AREA_SIZE);
	CHECK_EQ(load_word(&m, AREA_BASE), 0);
	guest_call(&m, guest_store, AREA_BASE, 9, 0);
	CHECK_EQ(mem[0], 9);
	CHECK_EQ(load_word(&m, AREA_BASE + PAGE), 0);
	mem[PAGE / 8] = 10;
	CHECK_EQ(load_word(&m, AREA_BASE + PAGE), 10);
}

static const struct tap_test tests[] = {
	{ "what is refused", test_errors },
	{ "memory that is not there, or may only be read", test_unmapped_memory },
	{ "adding, deleting and moving a slot", test_add_delete_move },
	{ "the same memory in two slots", test_alias },
	{ "many slots", test_many },
	{ "read-only slots", test_readonly },
	{ "dirty log: writes", test_dirty_writes },
	{ "dirty log: string instructions", test_dirty_string },
	{ "dirty log: string input", test_dirty_ins },
	{ "dirty log: the guest's page tables", test_dirty_page_tables },
	{ "dirty log: off and on", test_dirty_off_on },
	{ "dirty log: a slot that moves", test_dirty_moved },
	{ "dirty log: huge pages", test_dirty_huge },
	{ "dirty log: errors", test_dirty_errors },
	{ "dirty log: cleared by the VMM", test_clear_dirty },
	{ "dirty log: errors of clearing", test_clear_errors },
	{ "dirty log: no write is lost", test_dirty_running },
	{ "a slot changes under a running guest", test_change_running },
	{ "other slots change under two vCPUs", test_others_running },
	{ "memory given back with madvise", test_madvise },
	{ "memory made read-only", test_mprotect },
	{ "memory unmapped", test_munmap },
	{ "memory moved", test_mremap },
	{ "memory shared with a child", test_fork },
	{ "memory of a file", test_memfd },
	{ "memory of /dev/ksm", test_ksm },
	{ "memory of a device", test_pfnmap },
	{ "pages first read, then written", test_zero_page },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
