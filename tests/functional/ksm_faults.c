// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/ksm when memory runs out, request by request; see faults.h.  Files of ksmfs:
 * ksm_file_faults.c.
 */
#define _GNU_SOURCE
#include <dirent.h>

#include "ksm_faults.h"

/* Pages that the kernel has pinned; the first file makes it count at once. */
static s64 pins(void)
{
	char unused[16];

	file_read("/proc/sys/vm/stat_refresh", unused, sizeof(unused));
	return file_value("/proc/vmstat", "nr_foll_pin_acquired") -
	       file_value("/proc/vmstat", "nr_foll_pin_released");
}

/* Threads named ksmdev/N. */
static s64 scan_threads(void)
{
	DIR *proc = opendir("/proc");
	char path[300], comm[32];
	struct dirent *entry;
	s64 count = 0;

	CHECK(proc);
	while ((entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (file_read(path, comm, sizeof(comm)) > 0)
			count += !strncmp(comm, "ksmdev/", 7);
	}
	closedir(proc);
	return count;
}

static int range_call(unsigned long request, const void *addr, u64 len, u64 flags)
{
	struct ksm_range range = {
		.addr = (unsigned long)addr, .len = len, .flags = flags,
	};

	return ioctl(area, request, &range);
}

/* ---- open, close, mmap ---- */

static long call_open(void)
{
	area = open("/dev/ksm", O_RDWR | O_CLOEXEC);
	return area;
}

static void finish_close(void)
{
	MUST(close(area));
}

static void test_open(void)
{
	static const struct fault_case c = {
		.call = call_open, .finish = finish_close,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static void prepare_close(void)
{
	area_make_merged();
	MUST(munmap(mem, PAGES * PAGE));
}

static long call_close(void)
{
	return close(area);
}

static void test_close(void)
{
	static const struct fault_case c = {
		.prepare = prepare_close, .call = call_close,
		.errnos = none, .silent = true,
	};

	fault_run(&c);
}

static void prepare_area(void)
{
	area = ksm_open_private();
}

static long call_mmap(void)
{
	mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, area, 0);
	return mem == MAP_FAILED ? -1 : 0;
}

static void test_mmap(void)
{
	static const struct fault_case c = {
		.prepare = prepare_area, .call = call_mmap,
		.finish = area_prove_and_drop, .errnos = no_memory,
	};

	fault_run(&c);
}

static long call_munmap(void)
{
	return munmap(page_at(mem, 4), 2 * PAGE);
}

static void finish_munmap(void)
{
	pages_check(mem, 2, 1, 0);
	pages_check(page_at(mem, 6), 3, 1, 0);
	area_drop();
}

static void test_munmap(void)
{
	static const struct fault_case c = {
		.prepare = area_make_merged, .call = call_munmap,
		.finish = finish_munmap, .errnos = no_memory, .silent = true,
	};

	fault_run(&c);
}

/* The file is longer than what is mapped so far. */
static void prepare_longer(void)
{
	int file;

	area_make_merged();
	file = ksm_get_file(area);
	MUST(ftruncate(file, 8 * CHUNK_PAGES * PAGE));
	MUST(close(file));
}

static long call_mremap(void)
{
	char *to = mremap(mem, PAGES * PAGE, (CHUNK_PAGES + 8) * PAGE,
			  MREMAP_MAYMOVE);

	if (to == MAP_FAILED)
		return -1;
	mem = to;
	page_fill(page_at(mem, CHUNK_PAGES + 4), 9);
	return 0;
}

static void check_mremap(int err)
{
	contents_check();
	if (!err)
		CHECK(page_holds(page_at(mem, CHUNK_PAGES + 4), 9));
}

static void finish_mremap(void)
{
	MUST(munmap(page_at(mem, PAGES), (CHUNK_PAGES + 8 - PAGES) * PAGE));
	area_drop();
}

static void test_mremap(void)
{
	static const struct fault_case c = {
		.prepare = prepare_longer, .call = call_mremap,
		.check = check_mremap, .finish = finish_mremap,
		.errnos = no_memory,
	};

	fault_run(&c);
}

/* ---- calls of the device ---- */

static long call_version(void)
{
	return ioctl(area, KSM_GET_API_VERSION, 0);
}

static void test_version(void)
{
	static const struct fault_case c = {
		.prepare = prepare_area, .call = call_version,
		.finish = finish_close, .errnos = none, .silent = true,
	};

	fault_run(&c);
}

/* Registered pages, from the start of the range: as the limit counts them. */
static unsigned long registered(void)
{
	return ksm_stats(area).size;
}

/* Half of them before, half of them behind the end of 2 MiB. */
static void prepare_register(void)
{
	const unsigned long align = CHUNK_PAGES * PAGE;
	char *hole;

	prepare_area();
	hole = (void *)MUST(mmap(NULL, 2 * align, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	mem = (char *)(((unsigned long)hole + align) & ~(align - 1)) -
	      PAGES / 2 * PAGE;
	MUST(munmap(hole, 2 * align));
	MUST(mmap(mem, PAGES * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	contents_fill();
}

/* Goes on from where a call before failed. */
static struct ksm_range register_range;
static unsigned long register_before;

static long call_register(void)
{
	register_range = (struct ksm_range){
		.addr = (unsigned long)page_at(mem, register_before),
		.len = (PAGES - register_before) * PAGE,
	};

	return register_range.len ?
	       ioctl(area, KSM_REGISTER, &register_range) : 0;
}

static void check_register(int err)
{
	unsigned long now;

	contents_check();
	CHECK_EQ(ksm_stats(area).pages_pending, 0);
	now = registered();
	/* With EFAULT it could not say how far it got. */
	if (err != EFAULT)
		CHECK_EQ(now, register_before + register_range.done / PAGE);
	if (!err)
		CHECK_EQ(now, PAGES);
	register_before = now;
}

static void finish_register(void)
{
	register_before = 0;
	area_prove_and_drop();
}

static void test_register(void)
{
	static const struct fault_case c = {
		.prepare = prepare_register, .call = call_register,
		.check = check_register, .finish = finish_register,
		.errnos = no_memory_or_copy,
	};
	s64 before = pins();

	fault_run(&c);
	CHECK_EQ(pins(), before);
}

static long call_unmerge(void)
{
	return range_call(KSM_UNMERGE, mem, PAGES * PAGE, 0);
}

static void check_unmerge(int err)
{
	contents_check();
	if (err)
		return;
	CHECK_EQ(ksm_stats(area).pages_merged, 0);
	CHECK_EQ(ksm_stats(area).ksm_zero_pages, 0);
}

static void test_unmerge(void)
{
	static const struct fault_case c = {
		.prepare = area_make_merged, .call = call_unmerge,
		.check = check_unmerge, .finish = area_drop,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static long call_unmerge_offset(void)
{
	/* A chunk that has nothing yet. */
	return range_call(KSM_UNMERGE, (void *)(4 * CHUNK_PAGES * PAGE),
			  2 * PAGE, KSM_RANGE_OFFSET);
}

static void test_unmerge_offset(void)
{
	static const struct fault_case c = {
		.prepare = prepare_longer, .call = call_unmerge_offset,
		.check = contents_check_any, .finish = area_prove_and_drop,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static void prepare_merge(void)
{
	area_make_merged();
	MUST(call_unmerge());
}

static long call_merge(void)
{
	return range_call(KSM_MERGE, mem, PAGES * PAGE, 0);
}

static void test_merge(void)
{
	static const struct fault_case c = {
		.prepare = prepare_merge, .call = call_merge,
		.check = contents_check_any, .finish = area_prove_and_drop,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static long call_discard(void)
{
	return range_call(KSM_DISCARD, mem, PAGES * PAGE, 0);
}

static void check_discard(int err)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		if (!page_holds(page_at(mem, i), 0) &&
		    (!err || !page_holds(page_at(mem, i), seeds[i])))
			tap_fail("failure %u (%s): page %lu is neither as it was nor zeroes",
				 fault_at.n, fault_at.way->name, i);
}

static void test_discard(void)
{
	static const struct fault_case c = {
		.prepare = area_make_merged, .call = call_discard,
		.check = check_discard, .finish = area_prove_and_drop,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static long call_scan(void)
{
	struct ksm_scan scan = { .flags = KSM_SCAN_FORCE };

	return ioctl(area, KSM_SCAN, &scan);
}

static void check_scan(int err)
{
	contents_check();
	if (!err)
		merged_check();
}

static void test_scan(void)
{
	static const struct fault_case c = {
		.prepare = area_make_full, .call = call_scan,
		.check = check_scan, .finish = area_drop,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

/* So many different pages fill the table's first eight pages of buckets. */
#define TABLE_PAGES	8192UL
#define TABLE_MORE	64UL

static void prepare_table(void)
{
	pages_fill(page_at(mem, TABLE_PAGES), TABLE_MORE, 1, 1);
}

/* Without room they go into longer chains. */
static void check_table(int err)
{
	pages_check(page_at(mem, TABLE_PAGES), TABLE_MORE, 1, 1);
	if (!err)
		CHECK_EQ(ksm_domain_stats(area).pages_unshared,
			 TABLE_PAGES + TABLE_MORE);
}

static void finish_table(void)
{
	ksm_range_do(area, KSM_DISCARD, page_at(mem, TABLE_PAGES), TABLE_MORE);
}

static void test_scan_table(void)
{
	static const struct fault_case c = {
		.prepare = prepare_table, .call = call_scan,
		.check = check_table, .finish = finish_table,
		.errnos = no_memory_or_copy,
	};

	fault_setup();
	area = ksm_open_private();
	mem = map_area(area, TABLE_PAGES + TABLE_MORE);
	pages_fill(mem, TABLE_PAGES, 1UL << 32, 1);
	ksm_scan_force(area);
	CHECK_EQ(ksm_domain_stats(area).pages_unshared, TABLE_PAGES);
	fault_run(&c);
	pages_check(mem, TABLE_PAGES, 1UL << 32, 1);
}

/* ---- files and domains of a descriptor ---- */

static void prepare_open(void)
{
	area = ksm_open();
}

static void finish_use(void)
{
	mem = map_area(area, PAGES);
	area_prove_and_drop();
}

static long set_domain(struct ksm_set_domain domain)
{
	return ioctl(area, KSM_SET_DOMAIN, &domain);
}

static long call_private(void)
{
	return set_domain((struct ksm_set_domain){ .flags = KSM_DOMAIN_PRIVATE, .fd = -1 });
}

static void test_private(void)
{
	static const struct fault_case c = {
		.prepare = prepare_open, .call = call_private,
		.finish = finish_use, .errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static int other;

static void prepare_join(void)
{
	other = ksm_create_domain();
	area = ksm_open();
}

static long call_join(void)
{
	return set_domain((struct ksm_set_domain){ .flags = KSM_DOMAIN_JOIN, .fd = other });
}

static void check_join(int err)
{
	int joined = ksm_open_joined(other);

	if (!err)
		CHECK_EQ(ksm_stats(area).domain, ksm_stats(joined).domain);
	MUST(close(joined));
}

static void finish_join(void)
{
	finish_use();
	MUST(close(other));
}

static void test_join(void)
{
	static const struct fault_case c = {
		.prepare = prepare_join, .call = call_join,
		.check = check_join, .finish = finish_join,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static long call_create_domain(void)
{
	other = ioctl(area, KSM_CREATE_DOMAIN, 0);
	return other;
}

static void finish_create_domain(void)
{
	MUST(call_join());
	finish_join();
}

static void test_create_domain(void)
{
	static const struct fault_case c = {
		.prepare = prepare_open, .call = call_create_domain,
		.finish = finish_create_domain, .errnos = no_memory,
	};

	fault_run(&c);
}

static long call_get_file(void)
{
	other = ioctl(area, KSM_GET_FILE, 0);
	return other;
}

/* The file is what mmap() maps. */
static void finish_get_file(void)
{
	mem = map_area(area, PAGES);
	contents_fill();
	MUST(munmap(mem, PAGES * PAGE));
	mem = map_area(other, PAGES);
	contents_check();
	MUST(close(other));
	area_prove_and_drop();
}

static void test_get_file(void)
{
	static const struct fault_case c = {
		.prepare = prepare_area, .call = call_get_file,
		.finish = finish_get_file, .errnos = no_memory,
	};

	fault_run(&c);
}

static long call_info(void)
{
	struct ksm_info info = { .reserved = { 0 } };

	return ioctl(area, KSM_GET_INFO, &info);
}

static void test_info(void)
{
	static const struct fault_case c = {
		.prepare = prepare_area, .call = call_info,
		.finish = finish_close, .errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static u64 stats_flags;

static long call_stats(void)
{
	struct ksm_stats stats = { .flags = stats_flags };

	if (ioctl(area, KSM_GET_STATS, &stats))
		return -1;
	CHECK_EQ(stats.pages_merged, SEED_MERGED);
	return 0;
}

static void test_stats(void)
{
	static const struct fault_case c = {
		.prepare = area_make_merged, .call = call_stats,
		.check = contents_check_any, .finish = area_drop,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
	stats_flags = KSM_STATS_DOMAIN;
	fault_run(&c);
}

/* ---- page faults ---- */

/*
 * A program does not see a failure: the kernel lets it try again.  These all
 * end with the content that is expected, however often that took.
 */
static char *fault_page;

static void prepare_hole(void)
{
	area_make_full();
	/* Where nothing has been yet. */
	fault_page = map_at(area, 2 * CHUNK_PAGES * PAGE, 2);
}

static void finish_hole(void)
{
	contents_check();
	ksm_range_do(area, KSM_DISCARD, fault_page, 2);
	MUST(munmap(fault_page, 2 * PAGE));
	area_prove_and_drop();
}

static long call_read(void)
{
	CHECK_EQ(*(volatile char *)fault_page, 0);
	return 0;
}

static void test_read_hole(void)
{
	static const struct fault_case c = {
		.prepare = prepare_hole, .call = call_read,
		.finish = finish_hole, .errnos = none,
	};

	fault_run(&c);
}

static long call_write(void)
{
	page_fill(fault_page, 5);
	return 0;
}

static void check_write(int err)
{
	(void)err;
	CHECK(page_holds(fault_page, 5));
}

static void test_write_hole(void)
{
	static const struct fault_case c = {
		.prepare = prepare_hole, .call = call_write,
		.check = check_write, .finish = finish_hole, .errnos = none,
	};

	fault_run(&c);
}

/* Page @i of the contents is written; the others stay as they are. */
static void break_check(unsigned long i)
{
	unsigned long j;

	for (j = 0; j < PAGES; j++)
		CHECK(page_holds(page_at(mem, j), j == i ? 5 : seeds[j]));
}

static void prepare_break_mapped(void)
{
	area_make_merged();
	contents_check();	/* maps them */
	fault_page = page_at(mem, 4);
}

static void check_break(int err)
{
	(void)err;
	break_check(4);
	CHECK_EQ(ksm_stats(area).pages_merged, SEED_MERGED - 1);
}

static void test_break_mapped(void)
{
	static const struct fault_case c = {
		.prepare = prepare_break_mapped, .call = call_write,
		.check = check_break, .finish = area_prove_and_drop,
		.errnos = none,
	};

	fault_run(&c);
}

static void prepare_break_unmapped(void)
{
	area_make_merged();
	fault_page = page_at(mem, 4);
}

static void test_break_unmapped(void)
{
	static const struct fault_case c = {
		.prepare = prepare_break_unmapped, .call = call_write,
		.check = check_break, .finish = area_prove_and_drop,
		.errnos = none,
	};

	fault_run(&c);
}

static void prepare_break_zero(void)
{
	prepare_break_mapped();
	fault_page = page_at(mem, 2);
}

static void check_break_zero(int err)
{
	(void)err;
	break_check(2);
	CHECK_EQ(ksm_stats(area).ksm_zero_pages, SEED_ZERO - 1);
}

static void test_break_zero(void)
{
	static const struct fault_case c = {
		.prepare = prepare_break_zero, .call = call_write,
		.check = check_break_zero, .finish = area_prove_and_drop,
		.errnos = none,
	};

	fault_run(&c);
}

/*
 * A system call that meets the fault gives EFAULT, or less than it was asked
 * for: here that counts as EFAULT.
 */
static int file;

static long whole_page(ssize_t len)
{
	if (len == PAGE)
		return 0;
	if (len >= 0)
		errno = EFAULT;
	return -1;
}

static void file_make(u64 seed)
{
	char page[PAGE];

	page_fill(page, seed);
	file = MUST(memfd_create("faults", MFD_CLOEXEC));
	CHECK_EQ(pwrite(file, page, PAGE, 0), PAGE);
}

static void prepare_syscall_write(void)
{
	prepare_break_mapped();
	file_make(5);
}

static long call_syscall_write(void)
{
	return whole_page(pread(file, fault_page, PAGE, 0));
}

static void check_syscall_write(int err)
{
	if (!err)
		check_break(0);
}

static void finish_syscall(void)
{
	MUST(close(file));
	area_prove_and_drop();
}

static void test_syscall_write(void)
{
	static const struct fault_case c = {
		.prepare = prepare_syscall_write, .call = call_syscall_write,
		.check = check_syscall_write, .finish = finish_syscall,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static void prepare_syscall_read(void)
{
	prepare_hole();
	file_make(7);
}

static long call_syscall_read(void)
{
	return whole_page(pwrite(file, fault_page, PAGE, 0));
}

static void check_syscall_read(int err)
{
	char page[PAGE];

	CHECK_EQ(pread(file, page, PAGE, 0), PAGE);
	if (!err)
		CHECK(page_holds(page, 0));
}

static void finish_syscall_read(void)
{
	MUST(close(file));
	finish_hole();
}

static void test_syscall_read(void)
{
	static const struct fault_case c = {
		.prepare = prepare_syscall_read, .call = call_syscall_read,
		.check = check_syscall_read, .finish = finish_syscall_read,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

/* ---- control files ---- */

static long call_set(const char *name, const char *value)
{
	int err = ksm_try_set(name, value);

	errno = -err;
	return err ? -1 : 0;
}

static long call_run_unmerge(void)
{
	return call_set("run", "2");
}

static void finish_run_unmerge(void)
{
	ksm_set("run", "0");
	area_prove_and_drop();
}

static void test_run_unmerge(void)
{
	static const struct fault_case c = {
		.prepare = area_make_merged, .call = call_run_unmerge,
		.check = check_unmerge, .finish = finish_run_unmerge,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static long call_threads(void)
{
	return call_set("scan_threads", "3");
}

static void check_threads(int err)
{
	s64 knob = ksm_get("scan_threads");

	CHECK_SOON(scan_threads() == knob);
	if (!err)
		CHECK_EQ(knob, 3);
}

static void finish_threads(void)
{
	ksm_set("scan_threads", "1");
	CHECK_SOON(scan_threads() == 1);
}

static void test_threads(void)
{
	static const struct fault_case c = {
		.call = call_threads, .check = check_threads,
		.finish = finish_threads, .errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

static long call_list(void)
{
	static char text[8192];
	ssize_t len = file_read("/sys/kernel/debug/ksmdev/areas", text,
				sizeof(text));

	errno = len < 0 ? -len : 0;
	return len < 0 ? -1 : 0;
}

static void test_list(void)
{
	static const struct fault_case c = {
		.prepare = area_make_merged, .call = call_list,
		.check = contents_check_any, .finish = area_drop,
		.errnos = no_memory_or_copy, .silent = true,
	};

	fault_run(&c);
}

/* ---- the table ---- */

#define TEST(name, run) { name ": each failure leaves all as it was", run }

static const struct tap_test tests[] = {
	TEST("open()", test_open),
	TEST("close()", test_close),
	TEST("mmap()", test_mmap),
	TEST("munmap() of a part", test_munmap),
	TEST("mremap() to more", test_mremap),
	TEST("KSM_GET_API_VERSION", test_version),
	TEST("KSM_REGISTER", test_register),
	TEST("KSM_UNMERGE", test_unmerge),
	TEST("KSM_UNMERGE where nothing is", test_unmerge_offset),
	TEST("KSM_MERGE", test_merge),
	TEST("KSM_DISCARD", test_discard),
	TEST("KSM_SCAN", test_scan),
	TEST("KSM_SCAN whose table grows", test_scan_table),
	TEST("KSM_SET_DOMAIN to a private one", test_private),
	TEST("KSM_SET_DOMAIN to a directory's", test_join),
	TEST("KSM_CREATE_DOMAIN", test_create_domain),
	TEST("KSM_GET_FILE", test_get_file),
	TEST("KSM_GET_INFO", test_info),
	TEST("KSM_GET_STATS", test_stats),
	TEST("first read of a page", test_read_hole),
	TEST("first write to a page", test_write_hole),
	TEST("write to a shared page that is mapped", test_break_mapped),
	TEST("write to a shared page that is not mapped", test_break_unmapped),
	TEST("write to a page merged as zeroes", test_break_zero),
	TEST("system call that writes to a shared page", test_syscall_write),
	TEST("system call that reads a new page", test_syscall_read),
	TEST("sysfs run = 2", test_run_unmerge),
	TEST("sysfs scan_threads", test_threads),
	TEST("debugfs areas", test_list),
	{ "after all failures no frame of the module is left", fault_frames_check },
	TEST("loading the module", fault_load_test),
};

int main(int argc, char **argv)
{
	fault_find_module("ksmdev");
	fault_frames_start();
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);
}
