// SPDX-License-Identifier: GPL-2.0
/*
 * Merging: what one pass does, frame numbers, counters, and the calls that
 * undo it.  Each test has a domain of its own, so that its counters are exact.
 */
#define _GNU_SOURCE
#include <sys/time.h>

#include "ksm_test.h"

/* The counters of the domain of @fd, and that they agree with sysfs. */
static void check_domain(int fd, u64 private, u64 merged, u64 zero, u64 shared)
{
	struct ksm_stats stats = ksm_domain_stats(fd);

	CHECK_EQ(stats.pages_private, private);
	CHECK_EQ(stats.pages_merged, merged);
	CHECK_EQ(stats.ksm_zero_pages, zero);
	CHECK_EQ(stats.pages_shared, shared);
	CHECK_EQ(ksm_get("pages_shared"), shared);
	CHECK_EQ(ksm_get("pages_sharing"), merged - shared);
	CHECK_EQ(ksm_get("ksm_zero_pages"), zero);
}

static void check_scan(struct ksm_scan scan, u64 scanned, u64 merged, u64 zero)
{
	CHECK_EQ(scan.pages_scanned, scanned);
	CHECK_EQ(scan.pages_merged, merged);
	CHECK_EQ(scan.pages_zero, zero);
	CHECK_EQ(scan.pages_skipped, 0);
	CHECK_EQ(scan.pages_volatile, 0);
}

/* ---- the first pass ---- */

static void test_one_area(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 100);

	pages_fill(mem, 100, 5, 0);
	CHECK_EQ(count_frames(mem, 100), 100);
	check_scan(ksm_scan(fd), 100, 99, 0);
	CHECK_EQ(count_frames(mem, 100), 1);
	check_domain(fd, 0, 100, 0, 1);
	pages_check(mem, 100, 5, 0);
	check_scan(ksm_scan(fd), 0, 0, 0);
}

static void test_two_areas(void)
{
	int dir = ksm_create_domain(), a = ksm_open_joined(dir), b = ksm_open_joined(dir);
	char *x = map_area(a, 700), *y = map_area(b, 700);
	unsigned int i;

	pages_fill(x, 700, 1000, 1);
	pages_fill(y, 700, 1000, 1);
	check_scan(ksm_scan(b), 1400, 700, 0);
	for (i = 0; i < 700; i++)
		CHECK_EQ(pfn_of(page_at(x, i)), pfn_of(page_at(y, i)));
	check_domain(a, 0, 1400, 0, 700);
	CHECK_EQ(ksm_stats(a).pages_merged, 700);
	CHECK_EQ(ksm_stats(b).pages_merged, 700);
	CHECK_EQ(ksm_stats(a).pages_shared, 0);
	CHECK_EQ(ksm_domain_stats(a).areas, 2);
	pages_check(x, 700, 1000, 1);
	pages_check(y, 700, 1000, 1);
}

struct neighbour {
	struct turn ready, go;
};

static void neighbour_run(struct neighbour *us)
{
	char *mem = map_area(ksm_open(), 64);

	pages_fill(mem, 64, 500, 1);
	turn_send(&us->ready, &mem, sizeof(mem));
	turn_wait(&us->go);
	pages_check(mem, 64, 500, 1);
	turn_pass(&us->ready);
	turn_wait(&us->go);
	pages_check(mem, 64, 500, 1);
	pages_fill(mem, 64, 700, 1);
	pages_check(mem, 64, 700, 1);
	_exit(0);
}

/* Two processes of one user, each with an area it opened: the default domain. */
static void test_two_processes(void)
{
	struct neighbour us = { turn_make(), turn_make() };
	char *mem, *theirs;
	unsigned int i;
	int fd;
	pid_t pid;

	pid = tap_fork();
	if (!pid)
		neighbour_run(&us);
	fd = ksm_open();
	mem = map_area(fd, 64);
	pages_fill(mem, 64, 500, 1);
	turn_receive(&us.ready, &theirs, sizeof(theirs));
	check_scan(ksm_scan(fd), 128, 64, 0);
	turn_pass(&us.go);
	turn_wait(&us.ready);
	for (i = 0; i < 64; i++)
		CHECK_EQ(pfn_of_pid(pid, page_at(theirs, i)),
			 pfn_of(page_at(mem, i)));
	pages_fill(mem, 32, 600, 1);
	turn_pass(&us.go);
	tap_join(pid);
	pages_check(mem, 32, 600, 1);
	pages_check(page_at(mem, 32), 32, 532, 1);
}

static void test_unique(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 600);
	struct ksm_scan scan;

	pages_fill(mem, 600, 1000, 1);
	scan = ksm_scan(fd);
	check_scan(scan, 600, 0, 0);
	CHECK_EQ(scan.pages_hashed, 600);
	check_domain(fd, 600, 0, 0, 0);
	CHECK_EQ(ksm_domain_stats(fd).pages_unshared, 600);
	CHECK_EQ(ksm_get("pages_unshared"), 600);
	CHECK_EQ(ksm_get("pages_volatile"), 0);
	CHECK_EQ(count_frames(mem, 600), 600);
	pages_check(mem, 600, 1000, 1);
}

/* Contents that differ in one bit, at the start, in the middle, at the end. */
static void test_one_bit(void)
{
	static const unsigned int bits[] = { 0, 63, 16384, 32760, 32767 };
	int fd = ksm_open_private();
	char *mem = map_area(fd, 6);
	unsigned int i;

	pages_fill(mem, 6, 5, 0);
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		page_at(mem, i)[bits[i] / 8] ^= 1 << bits[i] % 8;
	check_scan(ksm_scan(fd), 6, 0, 0);
	CHECK_EQ(count_frames(mem, 6), 6);
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		page_at(mem, i)[bits[i] / 8] ^= 1 << bits[i] % 8;
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 5);
	pages_check(mem, 6, 5, 0);
}

static void test_sums(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 400);
	s64 profit, metadata;

	pages_fill(mem, 100, 1000, 1);
	pages_fill(page_at(mem, 100), 100, 5, 0);
	pages_fill(page_at(mem, 200), 100, 1, 0);
	pages_fill(page_at(mem, 300), 100, 0, 0);
	check_scan(ksm_scan(fd), 400, 198, 100);
	check_domain(fd, 100, 200, 100, 2);
	CHECK_EQ(ksm_domain_stats(fd).pages_unshared, 100);
	profit = ksm_get("general_profit");
	metadata = ksm_get("metadata_bytes");
	CHECK_EQ(profit, (198 + 100) * 4096 - metadata);
}

/* ---- zeroes ---- */

static void test_zero_pages(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 300);
	s64 total = ksm_get("pages_merged_total");

	pages_fill(mem, 300, 1, 0);
	pages_fill(mem, 300, 0, 0);
	check_scan(ksm_scan(fd), 300, 0, 300);
	check_domain(fd, 0, 0, 300, 0);
	CHECK_EQ(ksm_get("pages_merged_total") - total, 300);
	/* A few frames of zeroes, so that nobody has to wait for one. */
	CHECK(count_frames(mem, 300) <= 16);
	pages_check(mem, 300, 0, 0);
	page_fill(page_at(mem, 100), 5);
	pages_check(mem, 100, 0, 0);
	pages_check(page_at(mem, 100), 1, 5, 0);
	pages_check(page_at(mem, 101), 199, 0, 0);
	check_domain(fd, 1, 0, 299, 0);
	CHECK_EQ(ksm_stats(fd).cow_breaks, 1);
	page_fill(page_at(mem, 100), 0);
	check_scan(ksm_scan_force(fd), 1, 0, 1);
	check_domain(fd, 0, 0, 300, 0);
}

static void test_zero_pages_off(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 100);

	ksm_set("use_zero_pages", "0");
	pages_fill(mem, 100, 0, 0);
	check_scan(ksm_scan(fd), 100, 99, 0);
	check_domain(fd, 0, 100, 0, 1);
	CHECK_EQ(count_frames(mem, 100), 1);
	pages_check(mem, 100, 0, 0);
	page_fill(mem, 5);
	pages_check(mem, 1, 5, 0);
	pages_check(page_at(mem, 1), 99, 0, 0);
}

static void test_almost_zero(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 3);

	pages_fill(mem, 3, 0, 0);
	page_at(mem, 0)[4095] = 1;
	page_at(mem, 1)[0] = 1;
	check_scan(ksm_scan(fd), 3, 0, 1);
	CHECK_EQ(page_at(mem, 0)[4095], 1);
	CHECK_EQ(page_at(mem, 1)[0], 1);
	check_domain(fd, 2, 0, 1, 0);
}

/* ---- writes ---- */

static void test_write(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);
	s64 breaks = ksm_get("cow_breaks");
	u64 shared, own;

	pages_fill(mem, 64, 5, 0);
	ksm_scan(fd);
	shared = pfn_of(mem);
	page_fill(page_at(mem, 9), 6);
	own = pfn_of(page_at(mem, 9));
	CHECK(own != shared);
	pages_check(mem, 9, 5, 0);
	pages_check(page_at(mem, 9), 1, 6, 0);
	pages_check(page_at(mem, 10), 54, 5, 0);
	CHECK_EQ(count_frames(mem, 64), 2);
	check_domain(fd, 1, 63, 0, 1);
	CHECK_EQ(ksm_stats(fd).cow_breaks, 1);
	CHECK_EQ(ksm_get("cow_breaks") - breaks, 1);
	/* A frame of its own: writing again is no break. */
	page_fill(page_at(mem, 9), 7);
	CHECK_EQ(ksm_stats(fd).cow_breaks, 1);
	CHECK_EQ(pfn_of(page_at(mem, 9)), own);
}

static void test_write_back(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);
	u64 shared;

	pages_fill(mem, 64, 5, 0);
	ksm_scan(fd);
	shared = pfn_of(mem);
	page_fill(page_at(mem, 9), 6);
	page_fill(page_at(mem, 9), 5);
	check_scan(ksm_scan_force(fd), 1, 1, 0);
	CHECK_EQ(pfn_of(page_at(mem, 9)), shared);
	check_domain(fd, 0, 64, 0, 1);
}

/* With nothing mapped, a break starts from an empty page table. */
static void test_write_unmapped(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);

	pages_fill(mem, 64, 5, 0);
	ksm_scan(fd);
	MUST(madvise(mem, 64 * PAGE, MADV_DONTNEED));
	page_at(mem, 3)[17] ^= 1;
	CHECK_EQ(ksm_stats(fd).cow_breaks, 1);
	pages_check(mem, 3, 5, 0);
	page_at(mem, 3)[17] ^= 1;
	pages_check(mem, 64, 5, 0);
}

static void test_write_all(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);

	pages_fill(mem, 64, 5, 0);
	ksm_scan(fd);
	pages_fill(mem, 64, 6, 1);
	pages_check(mem, 64, 6, 1);
	check_domain(fd, 64, 0, 0, 0);
	CHECK_EQ(count_frames(mem, 64), 64);
	pages_fill(mem, 64, 5, 0);
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 63);
	check_domain(fd, 0, 64, 0, 1);
}

/* A frame that only one page uses any more is found again by its equals. */
static void test_last_user(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 3);

	pages_fill(mem, 2, 5, 0);
	ksm_scan(fd);
	page_fill(mem, 6);
	page_fill(page_at(mem, 2), 5);
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 1);
	CHECK_EQ(pfn_of(page_at(mem, 1)), pfn_of(page_at(mem, 2)));
	CHECK_EQ(ksm_domain_stats(fd).pages_shared, 1);
	page_fill(page_at(mem, 1), 7);
	page_fill(page_at(mem, 2), 8);
	CHECK_EQ(ksm_domain_stats(fd).pages_shared, 0);
	pages_check(mem, 3, 6, 1);
}

/* ---- limits of sharing ---- */

static void check_sharing(unsigned int limit, unsigned int pages)
{
	unsigned int frames = (pages + limit - 1) / limit;
	int fd = ksm_open_private();
	char *mem = map_area(fd, pages), text[16];

	snprintf(text, sizeof(text), "%u", limit);
	ksm_set("max_page_sharing", text);
	pages_fill(mem, pages, 5, 0);
	check_scan(ksm_scan(fd), pages, pages - frames, 0);
	CHECK_EQ(count_frames(mem, pages), frames);
	check_domain(fd, 0, pages, 0, frames);
	pages_check(mem, pages, 5, 0);
}

static void test_max_page_sharing(void)
{
	check_sharing(4, 16);
}

static void test_max_page_sharing_odd(void)
{
	check_sharing(3, 602);
}

static void test_max_page_sharing_default(void)
{
	check_sharing(256, 2560);
}

/* ---- unmerge, merge, run = 2 ---- */

static void test_unmerge(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 100);

	pages_fill(mem, 80, 5, 0);
	pages_fill(page_at(mem, 80), 20, 0, 0);
	ksm_scan(fd);
	check_domain(fd, 0, 80, 20, 1);
	ksm_range_do(fd, KSM_UNMERGE, page_at(mem, 60), 40);
	check_domain(fd, 40, 60, 0, 1);
	CHECK_EQ(count_frames(page_at(mem, 60), 40), 40);
	CHECK_EQ(count_frames(mem, 60), 1);
	/* Nobody has written. */
	CHECK_EQ(ksm_stats(fd).cow_breaks, 0);
	pages_check(mem, 80, 5, 0);
	pages_check(page_at(mem, 80), 20, 0, 0);
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 0);
	pages_fill(page_at(mem, 60), 40, 5, 0);
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 0);
	check_domain(fd, 40, 60, 0, 1);
	MUST(ksm_range_call(fd, KSM_MERGE, (void *)(60 * PAGE), 40 * PAGE,
			    KSM_RANGE_OFFSET));
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 40);
	check_domain(fd, 0, 100, 0, 1);
	pages_check(mem, 100, 5, 0);
}

/* A range may be left out before there is anything in it. */
static void test_unmerge_empty(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 1000);

	MUST(ksm_range_call(fd, KSM_UNMERGE, (void *)(500 * PAGE), 20 * PAGE,
			    KSM_RANGE_OFFSET));
	pages_fill(mem, 1000, 5, 0);
	ksm_scan(fd);
	CHECK_EQ(ksm_domain_stats(fd).pages_merged, 980);
	CHECK_EQ(count_frames(page_at(mem, 500), 20), 20);
	ksm_range_do(fd, KSM_MERGE, mem, 1000);
	ksm_scan_force(fd);
	CHECK_EQ(ksm_domain_stats(fd).pages_merged, 1000);
	pages_check(mem, 1000, 5, 0);
}

static void test_run_2(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 600), text[16];

	pages_fill(mem, 500, 5, 0);
	pages_fill(page_at(mem, 500), 100, 0, 0);
	ksm_scan(fd);
	check_domain(fd, 0, 500, 100, 2);
	ksm_set("run", "2");
	ksm_text("run", text, sizeof(text));
	CHECK(!strcmp(text, "2\n"));
	CHECK_EQ(ksm_get("pages_shared"), 0);
	CHECK_EQ(ksm_get("pages_sharing"), 0);
	CHECK_EQ(ksm_domain_stats(fd).pages_merged, 0);
	CHECK_EQ(count_frames(mem, 500), 500);
	pages_check(mem, 500, 5, 0);
	pages_check(page_at(mem, 500), 100, 0, 0);
	ksm_set("run", "0");
	pages_fill(mem, 500, 5, 0);
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 498);
	pages_check(mem, 500, 5, 0);
}

/* ---- discard ---- */

static void test_discard(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 40), *alias = map_area(fd, 40);

	pages_fill(mem, 10, 100, 1);			/* private */
	pages_fill(page_at(mem, 10), 10, 5, 0);		/* merged */
	pages_fill(page_at(mem, 20), 10, 0, 0);		/* zero */
	ksm_scan(fd);
	check_domain(fd, 10, 10, 10, 1);
	pages_check(alias, 10, 100, 1);
	ksm_range_do(fd, KSM_DISCARD, page_at(mem, 5), 10);
	check_domain(fd, 5, 5, 10, 1);
	MUST(ksm_range_call(fd, KSM_DISCARD, (void *)(25 * PAGE), 10 * PAGE,
			    KSM_RANGE_OFFSET));
	check_domain(fd, 5, 5, 5, 1);
	pages_check(mem, 5, 100, 1);
	pages_check(page_at(mem, 5), 10, 0, 0);
	pages_check(page_at(mem, 15), 5, 5, 0);
	pages_check(page_at(mem, 20), 20, 0, 0);
	pages_check(page_at(alias, 5), 10, 0, 0);
	pages_check(page_at(alias, 15), 5, 5, 0);
	pages_fill(mem, 40, 200, 1);
	pages_check(alias, 40, 200, 1);
}

static void test_discard_all_merged(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 1300);

	pages_fill(mem, 1300, 5, 0);
	ksm_scan(fd);
	ksm_range_do(fd, KSM_DISCARD, mem, 1300);
	check_domain(fd, 0, 0, 0, 0);
	pages_check(mem, 1300, 0, 0);
	pages_fill(mem, 1300, 6, 0);
	pages_check(mem, 1300, 6, 0);
}

static void test_discard_registered(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(600);

	pages_fill(mem, 600, 5, 1);
	ksm_range_do(fd, KSM_REGISTER, mem, 600);
	ksm_range_do(fd, KSM_DISCARD, page_at(mem, 100), 400);
	pages_check(mem, 100, 5, 1);
	pages_check(page_at(mem, 100), 400, 0, 0);
	pages_check(page_at(mem, 500), 100, 505, 1);
	CHECK_EQ(ksm_stats(fd).pages_private, 200);
	pages_fill(page_at(mem, 100), 400, 5, 1);
	pages_check(page_at(mem, 100), 400, 5, 1);
}

/* The bytes from the start to the end of the area. */
static u64 area_bytes(int fd)
{
	int file = ksm_get_file(fd);
	struct stat st;

	MUST(fstat(file, &st));
	close(file);
	return st.st_size;
}

static void test_discard_huge_hole(void)
{
	int fd = ksm_open_private();
	char *mem = map_at(fd, KSM_AREA_SIZE / 2, 1);

	page_fill(mem, 5);
	CHECK_EQ(area_bytes(fd), KSM_AREA_SIZE / 2 + PAGE);
	CHECK_ERRNO(ksm_range_call(fd, KSM_DISCARD, NULL, KSM_AREA_SIZE, KSM_RANGE_OFFSET),
		    EINVAL);
	CHECK_ERRNO(ksm_range_call(fd, KSM_DISCARD, NULL, area_bytes(fd) + PAGE,
				   KSM_RANGE_OFFSET), EINVAL);
	pages_check(mem, 1, 5, 0);
	MUST(ksm_range_call(fd, KSM_DISCARD, NULL, area_bytes(fd), KSM_RANGE_OFFSET));
	pages_check(mem, 1, 0, 0);
	check_domain(fd, 0, 0, 0, 0);
}

/* A range of which one part is refused, the last one: nothing of it is done. */
static void test_discard_refused(void)
{
	int fd = ksm_open_private(), file = ksm_get_file(fd);
	char *mem = map_area(fd, 8);
	char path[32];
	int reader;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	reader = MUST(open(path, O_RDONLY | O_CLOEXEC));
	pages_fill(mem, 8, 5, 1);
	MUST((long)mmap(page_at(mem, 4), 4 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, reader,
			4 * PAGE));
	CHECK_ERRNO(ksm_range_call(fd, KSM_DISCARD, mem, 8 * PAGE, 0), EACCES);
	CHECK_ERRNO(ksm_range_call(fd, KSM_UNMERGE, mem, 8 * PAGE, 0), EACCES);
	MUST((long)mmap(page_at(mem, 4), 4 * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_FIXED, file, 4 * PAGE));
	CHECK_ERRNO(ksm_range_call(fd, KSM_DISCARD, mem, 8 * PAGE, 0), EACCES);
	MUST((long)mmap(page_at(mem, 4), 4 * PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_FIXED, file, 6 * PAGE));
	CHECK_ERRNO(ksm_range_call(fd, KSM_DISCARD, mem, 8 * PAGE, 0), EINVAL);
	pages_check(mem, 4, 5, 1);
	pages_check(page_at(mem, 4), 2, 11, 1);
}

/* What lies between holes of terabytes, in the range and just outside of it. */
static void test_discard_between_holes(void)
{
	const u64 last = KSM_AREA_SIZE - PAGE;
	const u64 offsets[] = { 0, 3 << 20, KSM_AREA_SIZE / 4, last - (2 << 20), last };
	struct ksm_range range = { .addr = PAGE, .len = last - PAGE,
				   .flags = KSM_RANGE_OFFSET };
	int fd = ksm_open_private();
	char *mem[5];
	unsigned int i;

	for (i = 0; i < 5; i++) {
		mem[i] = map_at(fd, offsets[i], 1);
		page_fill(mem[i], 5 + i);
	}
	MUST(ioctl(fd, KSM_DISCARD, &range));
	CHECK_EQ(range.done, range.len);
	for (i = 0; i < 5; i++)
		pages_check(mem[i], 1, i == 0 || i == 4 ? 5 + i : 0, 0);
	check_domain(fd, 2, 0, 0, 0);
}

/* ---- volatile pages ---- */

static void test_volatile(void)
{
	const unsigned int passes = 40;
	int fd = ksm_open_private();
	char *mem = map_area(fd, 16);
	u64 hashed = 0, waited = 0;
	unsigned int i;

	pages_fill(mem, 16, 100, 1);
	ksm_scan(fd);
	for (i = 0; i < passes; i++) {
		struct ksm_scan scan;

		page_at(mem, 3)[i]++;
		scan = ksm_scan(fd);
		CHECK(scan.pages_scanned <= 1);
		hashed += scan.pages_hashed;
		waited += scan.pages_volatile;
	}
	CHECK(hashed >= 1);
	CHECK(hashed <= passes / 2);
	CHECK(waited >= passes / 2);
	page_at(mem, 3)[0]++;
	CHECK_EQ(ksm_scan_force(fd).pages_hashed, 1);
}

/* Once left alone, a volatile page merges without KSM_SCAN_FORCE. */
static void test_volatile_calms_down(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 2);
	unsigned int i;

	pages_fill(mem, 2, 100, 1);
	ksm_scan(fd);
	for (i = 0; i < 40; i++) {
		page_at(mem, 0)[i]++;
		ksm_scan(fd);
	}
	page_fill(mem, 101);
	for (i = 0; i < 400 && !ksm_stats(fd).pages_merged; i++) {
		sleep_ms(100);
		ksm_scan(fd);
	}
	CHECK_EQ(ksm_stats(fd).pages_merged, 2);
	pages_check(mem, 2, 101, 0);
}

/*
 * Pages that are written ten times a second rest ever longer: the first eight
 * looks take two minutes, and the writer is done after three seconds.
 */
static void test_rest(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 2);
	unsigned int i;

	ksm_set("run", "1");
	for (i = 0; i < 30; i++) {
		page_fill(mem, 100 + i);
		page_fill(page_at(mem, 1), 100 + i);
		sleep_ms(100);
	}
	CHECK(ksm_stats(fd).cow_breaks <= 16);
	CHECK_SOON(ksm_stats(fd).pages_merged == 2);
	ksm_set("run", "0");
	pages_check(mem, 2, 129, 0);
}

static void test_volatile_counters(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);

	pages_fill(mem, 64, 100, 1);
	CHECK_EQ(ksm_get("pages_volatile"), 64);
	ksm_scan(fd);
	CHECK_EQ(ksm_get("pages_volatile"), 0);
	CHECK_EQ(ksm_get("pages_unshared"), 64);
	pages_fill(mem, 10, 300, 1);
	CHECK_EQ(ksm_get("pages_volatile"), 10);
	CHECK_EQ(ksm_get("pages_unshared"), 54);
}

/* ---- KSM_SCAN ---- */

static void test_passes(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 10);
	s64 scanned = ksm_get("pages_scanned"), full = ksm_get("full_scans");
	s64 cpu = ksm_get("scan_cpu_ns");
	u64 passes = ksm_scan(fd).passes;

	pages_fill(mem, 10, 100, 1);
	CHECK_EQ(ksm_scan(fd).passes, passes + 1);
	page_fill(mem, 5);
	CHECK_EQ(ksm_scan(fd).passes, passes + 2);
	CHECK_EQ(ksm_get("pages_scanned") - scanned, 11);
	CHECK_EQ(ksm_get("full_scans") - full, 2);
	CHECK(ksm_get("scan_cpu_ns") > cpu);
}

/* Another domain is not touched by it. */
static void test_scan_of_one_domain(void)
{
	int a = ksm_open_private(), b = ksm_open_private();
	char *x = map_area(a, 64), *y = map_area(b, 64);

	pages_fill(x, 64, 5, 0);
	pages_fill(y, 64, 5, 0);
	check_scan(ksm_scan(a), 64, 63, 0);
	CHECK_EQ(ksm_domain_stats(b).pages_merged, 0);
	CHECK_EQ(count_frames(y, 64), 64);
	check_scan(ksm_scan(b), 64, 63, 0);
	CHECK(pfn_of(x) != pfn_of(y));
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* What a signal interrupts is finished by the next call. */
static void test_signal(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = { .it_value.tv_usec = 2000 };
	int fd = ksm_open_private();
	char *mem = map_area(fd, 8192);
	struct ksm_scan scan = { 0 };
	unsigned int i, interrupted = 0;

	MUST(sigaction(SIGALRM, &action, NULL));
	for (i = 0; i < 10; i++) {
		pages_fill(mem, 8192, 100000 * i + 1, 1);
		MUST(setitimer(ITIMER_REAL, &timer, NULL));
		if (ioctl(fd, KSM_SCAN, &scan)) {
			CHECK_EQ(errno, EINTR);
			interrupted++;
		}
		pages_check(mem, 8192, 100000 * i + 1, 1);
	}
	CHECK(interrupted > 0);
	pages_fill(mem, 8192, 5, 0);
	ksm_scan_force(fd);
	CHECK_EQ(ksm_stats(fd).pages_merged, 8192);
}

/* Areas that come and go during passes over their domain. */
static void test_areas_come_and_go(void)
{
	int dir = ksm_create_domain(), fd = ksm_open_joined(dir);
	char *mem = map_area(fd, 600);
	unsigned int i;

	pages_fill(mem, 600, 5, 0);
	for (i = 0; i < 30; i++) {
		int other = ksm_open_joined(dir);
		char *more = map_area(other, 600);

		pages_fill(more, 300, 5, 0);
		pages_fill(page_at(more, 300), 300, 100 * i, 1);
		ksm_scan(other);
		MUST(munmap(more, 600 * PAGE));
		close(other);
		pages_check(mem, 600, 5, 0);
	}
	check_domain(fd, 0, 600, 0, ksm_domain_stats(fd).pages_shared);
	CHECK_EQ(ksm_domain_stats(fd).areas, 1);
	MUST(munmap(mem, 600 * PAGE));
	close(fd);
	CHECK_EQ(ksm_get("pages_shared"), 0);
	CHECK_EQ(ksm_get("pages_sharing"), 0);
}

static const struct tap_test tests[] = {
	{ "one pass merges equal pages of an area", test_one_area },
	{ "one pass merges equal pages of two areas", test_two_areas },
	{ "one pass merges equal pages of two processes", test_two_processes },
	{ "unique pages are hashed once and stay", test_unique },
	{ "pages that differ in one bit do not merge", test_one_bit },
	{ "the counters add up", test_sums },
	{ "pages of zeroes give their frames back", test_zero_pages },
	{ "use_zero_pages 0: zeroes are content as any other",
	  test_zero_pages_off },
	{ "almost zero is not zero", test_almost_zero },
	{ "a write changes one page only", test_write },
	{ "written back, a page merges again", test_write_back },
	{ "a write to an unmapped merged page", test_write_unmapped },
	{ "a write to every page that shares", test_write_all },
	{ "a frame with one user left", test_last_user },
	{ "max_page_sharing 4", test_max_page_sharing },
	{ "max_page_sharing 3, a remainder", test_max_page_sharing_odd },
	{ "max_page_sharing 256", test_max_page_sharing_default },
	{ "KSM_UNMERGE and KSM_MERGE", test_unmerge },
	{ "KSM_UNMERGE of what is not there yet", test_unmerge_empty },
	{ "run 2 gives each page a frame", test_run_2 },
	{ "KSM_DISCARD", test_discard },
	{ "KSM_DISCARD of every page that shares", test_discard_all_merged },
	{ "KSM_DISCARD of registered memory", test_discard_registered },
	{ "KSM_DISCARD of a whole area", test_discard_huge_hole },
	{ "KSM_DISCARD of a range that is refused in part", test_discard_refused },
	{ "KSM_DISCARD between holes of terabytes", test_discard_between_holes },
	{ "volatile pages are visited less often", test_volatile },
	{ "a volatile page that calms down merges", test_volatile_calms_down },
	{ "scan threads let written pages rest", test_rest },
	{ "pages_volatile and pages_unshared", test_volatile_counters },
	{ "passes are counted", test_passes },
	{ "KSM_SCAN leaves other domains alone", test_scan_of_one_domain },
	{ "a signal interrupts KSM_SCAN", test_signal },
	{ "areas that come and go", test_areas_come_and_go },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_try_set("run", "1");
	return ret;
}
