// SPDX-License-Identifier: GPL-2.0
/*
 * KSM_REGISTER: anonymous memory taken over in place.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <sys/uio.h>

#include "ksm_test.h"
#include "swap.h"

#define THREADS		4

static int try_register(int fd, const void *addr, u64 len)
{
	return ksm_range_call(fd, KSM_REGISTER, addr, len, 0);
}

static void do_register(int fd, const void *base, unsigned long pages)
{
	ksm_range_do(fd, KSM_REGISTER, base, pages);
}

/* Anonymous memory with its start @off pages behind a multiple of 2 MiB. */
static char *map_anon_off(unsigned long pages, unsigned long off)
{
	unsigned long room = pages + 2 * CHUNK_PAGES;
	char *mem = map_anon(room);
	unsigned long chunk = CHUNK_PAGES * PAGE;
	char *start = (char *)(((unsigned long)mem + chunk - 1) / chunk * chunk);

	start += off * PAGE;
	if (start > mem)
		MUST(munmap(mem, start - mem));
	MUST(munmap(start + pages * PAGE,
		    mem + room * PAGE - (start + pages * PAGE)));
	return start;
}

/* ---- what is taken ---- */

static void test_sizes(void)
{
	static const struct {
		unsigned long pages, off;
	} rows[] = {
		{ 1, 0 }, { 1, 511 }, { 3, 5 }, { 2, 511 }, { 511, 0 },
		{ 511, 1 }, { 512, 0 }, { 512, 17 }, { 513, 0 }, { 513, 511 },
		{ 1024, 0 }, { 1031, 100 }, { 2049, 511 },
	};
	int fd = ksm_open_private();
	unsigned int i;
	u64 size = 0;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		char *mem = map_anon_off(rows[i].pages, rows[i].off);

		pages_fill(mem, rows[i].pages, 1000 * i + 1, 1);
		do_register(fd, mem, rows[i].pages);
		pages_check(mem, rows[i].pages, 1000 * i + 1, 1);
		CHECK_EQ(count_vmas(mem, rows[i].pages), 1);
		size += rows[i].pages;
		CHECK_EQ(ksm_stats(fd).size, size);
		CHECK_EQ(ksm_stats(fd).pages_private, size);
		CHECK_EQ(ksm_stats(fd).pages_pending, 0);
		pages_fill(mem, rows[i].pages, 1000 * i + 2, 1);
		pages_check(mem, rows[i].pages, 1000 * i + 2, 1);
	}
	CHECK_EQ(ksm_scan_force(fd).pages_hashed, size);
}

static void test_merges(void)
{
	int fd = ksm_open_private();
	char *a = map_anon(64), *b = map_anon(64), *c = map_area(fd, 64);

	pages_fill(a, 64, 5, 0);
	pages_fill(b, 64, 5, 0);
	pages_fill(c, 64, 5, 0);
	do_register(fd, a, 64);
	do_register(fd, b, 64);
	CHECK_EQ(ksm_scan(fd).pages_merged, 191);
	CHECK_EQ(pfn_of(a), pfn_of(b));
	CHECK_EQ(pfn_of(a), pfn_of(c));
	page_fill(page_at(a, 1), 6);
	pages_check(a, 1, 5, 0);
	pages_check(page_at(a, 1), 1, 6, 0);
	pages_check(page_at(a, 2), 62, 5, 0);
	pages_check(b, 64, 5, 0);
	pages_check(c, 64, 5, 0);
}

static void test_untouched_and_zero(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(600);

	pages_fill(page_at(mem, 100), 100, 0, 0);
	pages_fill(page_at(mem, 300), 10, 9, 1);
	do_register(fd, mem, 600);
	pages_check(mem, 300, 0, 0);
	pages_check(page_at(mem, 300), 10, 9, 1);
	pages_check(page_at(mem, 310), 290, 0, 0);
	ksm_scan(fd);
	CHECK_EQ(ksm_stats(fd).pages_private, 10);
	pages_fill(mem, 600, 20, 1);
	pages_check(mem, 600, 20, 1);
}

static void test_part_of_a_mapping(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(100);

	pages_fill(mem, 100, 10, 1);
	do_register(fd, page_at(mem, 30), 40);
	CHECK_EQ(count_vmas(mem, 100), 3);
	pages_check(mem, 100, 10, 1);
	pages_fill(mem, 100, 11, 1);
	pages_check(mem, 100, 11, 1);
	CHECK_EQ(ksm_stats(fd).size, 40);
}

static void test_several_vmas(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(90);

	pages_fill(mem, 90, 10, 1);
	MUST(mprotect(page_at(mem, 30), 30 * PAGE,
		      PROT_READ | PROT_WRITE | PROT_EXEC));
	CHECK_EQ(count_vmas(mem, 90), 3);
	do_register(fd, mem, 90);
	/* The same protections as before. */
	CHECK_EQ(count_vmas(mem, 90), 3);
	pages_check(mem, 90, 10, 1);
	pages_fill(mem, 90, 11, 1);
	pages_check(mem, 90, 11, 1);
}

static void test_huge_pages(void)
{
	const unsigned long pages = 4 * CHUNK_PAGES;
	int fd = ksm_open_private();
	char *mem = map_anon_off(pages, 0);
	s64 huge;

	if (madvise(mem, pages * PAGE, MADV_HUGEPAGE))
		tap_skip("the kernel has no transparent huge pages");
	pages_fill(mem, pages, 10, 1);
	huge = file_value("/proc/self/smaps_rollup", "AnonHugePages");
	if (huge < 2048)
		tap_skip("the kernel gave no huge page");
	/* All of the first two, the second half of the third. */
	do_register(fd, mem, 2 * CHUNK_PAGES);
	do_register(fd, page_at(mem, 2 * CHUNK_PAGES + 256), 256);
	pages_check(mem, pages, 10, 1);
	pages_fill(mem, pages, 11, 1);
	pages_check(mem, pages, 11, 1);
	CHECK(file_value("/proc/self/smaps_rollup", "AnonHugePages") <=
	      huge - 4096);
	CHECK_EQ(ksm_scan(fd).pages_hashed, 2 * CHUNK_PAGES + 256);
	pages_check(mem, pages, 11, 1);
}

static void test_of_two_descriptors(void)
{
	int dir = ksm_create_domain(), a = ksm_open_joined(dir), b = ksm_open_joined(dir);
	char *mem = map_anon(64);

	pages_fill(mem, 64, 5, 0);
	do_register(a, mem, 32);
	do_register(b, page_at(mem, 32), 32);
	CHECK_EQ(ksm_scan(a).pages_merged, 63);
	CHECK_EQ(ksm_stats(a).pages_merged, 32);
	CHECK_EQ(ksm_stats(b).pages_merged, 32);
	pages_check(mem, 64, 5, 0);
	CHECK_ERRNO(ksm_range_call(a, KSM_DISCARD, mem, 64 * PAGE, 0), ENOMEM);
	pages_check(mem, 64, 5, 0);
}

/* A file for each call; a call on addresses goes through all of them. */
static void test_two_calls(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(64), *to = map_anon(64);

	pages_fill(mem, 64, 5, 0);
	do_register(fd, mem, 32);
	CHECK_EQ(ksm_stats(fd).areas, 1);
	do_register(fd, page_at(mem, 32), 32);
	CHECK_EQ(ksm_stats(fd).areas, 2);
	CHECK_EQ(ksm_stats(fd).size, 64);
	CHECK_EQ(count_vmas(mem, 64), 2);
	CHECK_EQ(ksm_scan(fd).pages_merged, 63);
	ksm_range_do(fd, KSM_UNMERGE, mem, 64);
	CHECK_EQ(count_frames(mem, 64), 64);
	CHECK_ERRNO(mremap(mem, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to),
		    EFAULT);
	pages_check(mem, 64, 5, 0);
	ksm_range_do(fd, KSM_DISCARD, page_at(mem, 16), 32);
	pages_check(mem, 16, 5, 0);
	pages_check(page_at(mem, 16), 32, 0, 0);
	pages_check(page_at(mem, 48), 16, 5, 0);
}

/* ---- what is refused ---- */

enum backing {
	NOTHING, SHARED_ANON, SHARED_FILE, PRIVATE_FILE, HUGETLB, READ_ONLY,
	WRITE_ONLY, NO_ACCESS, MLOCKED, AREA, OTHER_AREA, PRIVATE_AREA, REGISTERED,
	WIPED_ON_FORK, STACK, PROTECTION_KEY,
};

/* Replace one page (or one huge page) at @at. */
static void put_backing(enum backing backing, char *at, int fd)
{
	int rw = PROT_READ | PROT_WRITE, other;

	switch (backing) {
	case NOTHING:
		MUST(munmap(at, PAGE));
		break;
	case SHARED_ANON:
		MUST(mmap(at, PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
			  -1, 0));
		break;
	case SHARED_FILE:
	case PRIVATE_FILE:
		other = MUST(memfd_create("test", MFD_CLOEXEC));
		MUST(ftruncate(other, PAGE));
		MUST(mmap(at, PAGE, rw, MAP_FIXED | (backing == SHARED_FILE ?
			  MAP_SHARED : MAP_PRIVATE), other, 0));
		break;
	case HUGETLB:
		if (mmap(at, CHUNK_PAGES * PAGE, rw, MAP_PRIVATE | MAP_HUGETLB |
			 MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			tap_skip("no page of hugetlbfs");
		break;
	case READ_ONLY:
		MUST(mprotect(at, PAGE, PROT_READ));
		break;
	case WRITE_ONLY:
		MUST(mprotect(at, PAGE, PROT_WRITE));
		break;
	case NO_ACCESS:
		MUST(mprotect(at, PAGE, PROT_NONE));
		break;
	case MLOCKED:
		MUST(mlock(at, PAGE));
		break;
	case AREA:
		MUST(mmap(at, PAGE, rw, MAP_SHARED | MAP_FIXED, fd, 0));
		break;
	case OTHER_AREA:
		MUST(mmap(at, PAGE, rw, MAP_SHARED | MAP_FIXED, ksm_open(), 0));
		break;
	case PRIVATE_AREA:
		MUST(mmap(at, PAGE, rw, MAP_PRIVATE | MAP_FIXED, fd, 0));
		break;
	case REGISTERED:
		do_register(fd, at, 1);
		break;
	case WIPED_ON_FORK:
		MUST(madvise(at, PAGE, MADV_WIPEONFORK));
		break;
	case STACK:
		MUST(mmap(at, PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN |
			  MAP_FIXED, -1, 0));
		break;
	case PROTECTION_KEY:
		other = pkey_alloc(0, 0);
		if (other < 0)
			tap_skip("the CPU has no protection keys");
		MUST(pkey_mprotect(at, PAGE, rw, other));
		break;
	}
}

static char maps_before[65536], maps_after[65536];

/* The call fails with @error and changes nothing at all. */
static void check_refused(int fd, const char *mem, unsigned long pages, int error)
{
	struct ksm_stats stats = ksm_domain_stats(fd), now;

	CHECK(file_read("/proc/self/maps", maps_before, sizeof(maps_before)) > 0);
	CHECK_ERRNO(try_register(fd, mem, pages * PAGE), error);
	CHECK(file_read("/proc/self/maps", maps_after, sizeof(maps_after)) > 0);
	if (strcmp(maps_before, maps_after))
		tap_fail("the mappings changed:\n%s", maps_after);
	now = ksm_domain_stats(fd);
	CHECK(!memcmp(&stats, &now, sizeof(now)));
}

/*
 * Anonymous memory with one bad page at its start, in its middle, at its end,
 * and behind two chunks that are all right.
 */
static void check_backing(enum backing backing, int error)
{
	static const unsigned long places[][2] = {
		{ 1, 0 }, { 9, 0 }, { 9, 4 }, { 9, 8 },
		{ 4 * CHUNK_PAGES, 3 * CHUNK_PAGES + 7 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		unsigned long pages = places[i][0], bad = places[i][1];
		char *mem = map_anon_off(pages, 0);
		int fd = ksm_open_private();

		pages_fill(mem, pages, 30, 1);
		put_backing(backing, page_at(mem, bad), fd);
		check_refused(fd, mem, pages, error);
		pages_check(mem, bad, 30, 1);
		pages_check(page_at(mem, bad + 1), pages - bad - 1, 31 + bad, 1);
		pages_fill(mem, bad, 40, 1);
		pages_check(mem, bad, 40, 1);
	}
}

static void test_hole(void)
{
	check_backing(NOTHING, ENOMEM);
}

static void test_shared(void)
{
	check_backing(SHARED_ANON, EINVAL);
	check_backing(SHARED_FILE, EINVAL);
}

static void test_private_file(void)
{
	check_backing(PRIVATE_FILE, EINVAL);
}

static void test_in_an_area(void)
{
	check_backing(AREA, EINVAL);
	check_backing(OTHER_AREA, EINVAL);
	check_backing(PRIVATE_AREA, EINVAL);
	check_backing(REGISTERED, EINVAL);
}

static void test_special(void)
{
	check_backing(WIPED_ON_FORK, EINVAL);
	check_backing(STACK, EINVAL);
}

static void test_protection_key(void)
{
	check_backing(PROTECTION_KEY, EOPNOTSUPP);
}

static void test_protection(void)
{
	check_backing(READ_ONLY, EACCES);
	check_backing(WRITE_ONLY, EACCES);
	check_backing(NO_ACCESS, EACCES);
}

static void test_mlocked(void)
{
	check_backing(MLOCKED, EPERM);
}

static void test_hugetlb(void)
{
	char *mem = map_anon_off(4 * CHUNK_PAGES, 0);
	int fd = ksm_open_private();

	file_write("/proc/sys/vm/nr_hugepages", "4");
	pages_fill(mem, 4 * CHUNK_PAGES, 30, 1);
	put_backing(HUGETLB, page_at(mem, 2 * CHUNK_PAGES), fd);
	pages_fill(page_at(mem, 2 * CHUNK_PAGES), CHUNK_PAGES,
		   30 + 2 * CHUNK_PAGES, 1);
	check_refused(fd, mem, 4 * CHUNK_PAGES, EOPNOTSUPP);
	check_refused(fd, page_at(mem, 2 * CHUNK_PAGES), CHUNK_PAGES, EOPNOTSUPP);
	check_refused(fd, page_at(mem, 2 * CHUNK_PAGES + 5), 1, EOPNOTSUPP);
	pages_check(mem, 4 * CHUNK_PAGES, 30, 1);
	MUST(munmap(mem, 4 * CHUNK_PAGES * PAGE));
	file_write("/proc/sys/vm/nr_hugepages", "0");
}

static void test_bad_ranges(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(8);
	const struct {
		u64 addr, len, flags;
		int error;
	} rows[] = {
		{ (u64)mem + 1, PAGE, 0, EINVAL },
		{ (u64)mem + 2048, PAGE, 0, EINVAL },
		{ (u64)mem, 0, 0, EINVAL },
		{ (u64)mem, PAGE + 1, 0, EINVAL },
		{ (u64)mem, PAGE - 1, 0, EINVAL },
		{ (u64)mem, -PAGE, 0, EINVAL },
		{ -PAGE, 2 * PAGE, 0, EINVAL },
		{ (u64)mem, PAGE, KSM_RANGE_OFFSET, EINVAL },
		{ (u64)mem, PAGE, 2, EINVAL },
		{ (u64)mem, PAGE, 1ULL << 63, EINVAL },
		{ (u64)mem, (1ULL << 40) + PAGE, 0, EINVAL },
		{ 0, 1ULL << 40, 0, ENOMEM },
		{ 0, PAGE, 0, ENOMEM },
		{ 0xffffffff81000000ULL, PAGE, 0, ENOMEM },
	};
	unsigned int i;

	pages_fill(mem, 8, 3, 1);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ksm_range range = { rows[i].addr, rows[i].len,
					   rows[i].flags, 0 };

		if (ioctl(fd, KSM_REGISTER, &range) != -1)
			tap_fail("row %u: expected %s, got success", i,
				 strerrorname_np(rows[i].error));
		if (errno != rows[i].error)
			tap_fail("row %u: expected %s, got %s", i,
				 strerrorname_np(rows[i].error),
				 strerrorname_np(errno));
		CHECK_EQ(ksm_stats(fd).size, 0);
	}
	pages_check(mem, 8, 3, 1);
}

/* ---- others who use the memory ---- */

/* Pages held in a pipe, as an example for any reference. */
static void test_spliced(void)
{
	int fd = ksm_open_private(), pipe_fd[2];
	char *mem = map_anon_off(64, 0), *buf = map_anon(4);
	struct iovec vec = { page_at(mem, 30), 4 * PAGE };

	pages_fill(mem, 64, 5, 1);
	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &vec, 1, 0), 4 * PAGE);
	check_refused(fd, mem, 64, EBUSY);
	check_refused(fd, vec.iov_base, 1, EBUSY);
	pages_check(mem, 64, 5, 1);
	CHECK_EQ(read(pipe_fd[0], buf, 4 * PAGE), 4 * PAGE);
	pages_check(buf, 4, 35, 1);
	do_register(fd, mem, 64);
	pages_check(mem, 64, 5, 1);
}

struct discarder {
	char *mem;
	int pipe[2];
};

/*
 * The ioctl waits for the page in the pipe, for 20 ms at least.  Meanwhile two other pages
 * are discarded, and one of them is written again.
 */
static void *discard_run(void *arg)
{
	struct discarder *d = arg;
	char buf[PAGE];

	usleep(5000);
	MUST(madvise(page_at(d->mem, 1), 2 * PAGE, MADV_DONTNEED));
	page_fill(page_at(d->mem, 2), 7);
	CHECK_EQ(read(d->pipe[0], buf, PAGE), PAGE);
	return NULL;
}

static void discard_round(int fd)
{
	struct discarder d = { .mem = map_anon_off(4, 0) };
	struct iovec vec = { d.mem, PAGE };
	pthread_t thread;

	MUST(pipe(d.pipe));
	pages_fill(d.mem, 4, 5, 1);
	CHECK_EQ(vmsplice(d.pipe[1], &vec, 1, 0), PAGE);
	CHECK_EQ(pthread_create(&thread, NULL, discard_run, &d), 0);
	do_register(fd, d.mem, 4);
	pthread_join(thread, NULL);
	pages_check(d.mem, 1, 5, 1);
	pages_check(page_at(d.mem, 1), 1, 0, 0);
	pages_check(page_at(d.mem, 2), 1, 7, 0);
	close(d.pipe[0]);
	close(d.pipe[1]);
	munmap(d.mem, 4 * PAGE);
}

static void test_discarded_meanwhile(void)
{
	int fd = ksm_open_private(), i;

	for (i = 0; i < 5; i++)
		discard_round(fd);
}

/* Pin memory for good, as a device that writes into it does. */
static int pin_pages(void *base, unsigned long pages)
{
	struct io_uring_params params = { .flags = 0 };
	struct iovec vec = { base, pages * PAGE };
	int ring = syscall(SYS_io_uring_setup, 4, &params);

	if (ring < 0)
		tap_skip("the kernel has no io_uring");
	MUST(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &vec, 1));
	return ring;
}

static void unpin_pages(int ring)
{
	MUST(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS,
		     NULL, 0));
	close(ring);
}

static void test_pinned(void)
{
	int fd = ksm_open_private(), ring;
	char *mem = map_anon_off(400, 0);

	pages_fill(mem, 400, 5, 1);
	ring = pin_pages(page_at(mem, 300), 2);
	check_refused(fd, mem, 400, EBUSY);
	check_refused(fd, page_at(mem, 301), 1, EBUSY);
	pages_check(mem, 400, 5, 1);
	pages_fill(mem, 400, 6, 1);
	unpin_pages(ring);
	CHECK_SOON(try_register(fd, mem, 400 * PAGE) == 0);
	pages_check(mem, 400, 6, 1);
}

/* What came before the pinned pages may be done, and "done" says so. */
static void test_pinned_behind(void)
{
	const unsigned long pages = 3 * CHUNK_PAGES;
	int fd = ksm_open_private(), ring;
	char *mem = map_anon_off(pages, 0);
	struct ksm_range range = { .addr = (u64)mem, .len = pages * PAGE };
	u64 done;

	pages_fill(mem, pages, 5, 1);
	ring = pin_pages(page_at(mem, 2 * CHUNK_PAGES + 8), 2);
	CHECK_ERRNO(ioctl(fd, KSM_REGISTER, &range), EBUSY);
	done = range.done / PAGE;
	CHECK(range.done % PAGE == 0 && done <= 2 * CHUNK_PAGES + 8);
	CHECK_EQ(ksm_stats(fd).size, done);
	CHECK_EQ(ksm_stats(fd).pages_private, done);
	pages_check(mem, pages, 5, 1);
	pages_fill(mem, pages, 6, 1);
	unpin_pages(ring);
	CHECK_SOON(try_register(fd, page_at(mem, done), (pages - done) * PAGE) == 0);
	CHECK_EQ(ksm_stats(fd).size, pages);
	pages_check(mem, pages, 6, 1);
	pages_fill(mem, pages, 7, 1);
	pages_check(mem, pages, 7, 1);
}

static void test_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = ksm_open_private(), uffd;
	char *mem = map_anon(64);
	struct uffdio_register watch = {
		.range = { (unsigned long)page_at(mem, 32), PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		tap_skip("the kernel has no userfaultfd");
	pages_fill(mem, 64, 5, 1);
	MUST(ioctl(uffd, UFFDIO_API, &api));
	MUST(ioctl(uffd, UFFDIO_REGISTER, &watch));
	check_refused(fd, mem, 64, EBUSY);
	pages_check(mem, 64, 5, 1);
	close(uffd);
	do_register(fd, mem, 64);
	pages_check(mem, 64, 5, 1);
}

/* ---- swap ---- */

/* A device of null_blk, whose sectors can be made unreadable. */
#define NULLB		"/sys/kernel/config/nullb/unreadable"
#define NULLB_DEVICE	"/dev/unreadable"

static void nullb_set(const char *name, const char *value)
{
	char path[80];

	snprintf(path, sizeof(path), NULLB "/%s", name);
	CHECK_EQ(file_write(path, value), 0);
}

static void swap_to_nullb(void)
{
	int fd;

	if (system("modprobe -q null_blk nr_devices=0"))
		tap_skip("the kernel has no null_blk");
	mount("none", "/sys/kernel/config", "configfs", 0, NULL);
	MUST(mkdir(NULLB, 0755));
	nullb_set("memory_backed", "1");
	nullb_set("irqmode", "0");
	nullb_set("size", "16");
	nullb_set("power", "1");
	fd = MUST(open(NULLB_DEVICE, O_RDWR | O_CLOEXEC));
	swap_make(fd);
	MUST(close(fd));
	MUST(swapon(NULLB_DEVICE, 0));
}

/* Also after a test that failed in the midst. */
static void nullb_remove(void)
{
	swapoff(NULLB_DEVICE);
	rmdir(NULLB);
}

/*
 * All of the device but its header.  Kernels before 6.8 find only some of the sectors of a
 * range that is longer than 512.
 */
static void nullb_spoil(bool bad)
{
	enum { SECTORS = 16 * 2048, AT_ONCE = 512 };
	unsigned int first, end;
	char range[40];

	for (first = PAGE / 512; first < SECTORS; first = end) {
		end = first + AT_ONCE < SECTORS ? first + AT_ONCE : SECTORS;
		sprintf(range, "%c%u-%u", bad ? '+' : '-', first, end - 1);
		nullb_set("badblocks", range);
	}
}

/* mincore() says of a page that is not mapped whether it is in the swap cache. */
static unsigned int pages_resident(void *mem, unsigned int pages)
{
	unsigned char vec[64];
	unsigned int i, resident = 0;

	CHECK(pages <= ARRAY_SIZE(vec));
	MUST(mincore(mem, pages * PAGE, vec));
	for (i = 0; i < pages; i++)
		resident += vec[i] & 1;
	return resident;
}

/*
 * The first time they stay in the swap cache until they are written; again, too, as long
 * as a CPU has one in its lists.
 */
static void swap_out(void *mem, unsigned int pages, unsigned int seed)
{
	unsigned int tries = 100;

	for (;;) {
		MUST(madvise(mem, pages * PAGE, MADV_PAGEOUT));
		if (!pages_resident(mem, pages))
			return;
		if (!--tries)
			tap_fail("MADV_PAGEOUT: expected 0 pages in memory, got %u",
				 pages_resident(mem, pages));
		pages_check(mem, pages, seed, 1);
		sleep_ms(10);
	}
}

/* What is lost is lost: but nobody takes it for zeroes. */
static void test_unreadable(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(64);

	swap_to_nullb();
	pages_fill(mem, 64, 5, 1);
	swap_out(page_at(mem, 16), 32, 5 + 16);
	nullb_spoil(true);
	check_refused(fd, mem, 64, EIO);
	pages_check(mem, 16, 5, 1);
	pages_check(page_at(mem, 48), 16, 5 + 48, 1);
	do_register(fd, mem, 16);
	MUST(madvise(page_at(mem, 16), 32 * PAGE, MADV_DONTNEED));
	do_register(fd, page_at(mem, 16), 48);
	nullb_spoil(false);
	MUST(swapoff(NULLB_DEVICE));
	MUST(rmdir(NULLB));
}

/* After fork() both have the same frames; the child keeps its contents. */
static void test_parent_of_a_fork(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(600);
	struct turn child = turn_make();
	pid_t pid;

	pages_fill(mem, 600, 5, 1);
	pid = tap_fork();
	if (!pid) {
		turn_wait(&child);
		pages_check(mem, 600, 5, 1);
		pages_fill(mem, 600, 7, 1);
		pages_check(mem, 600, 7, 1);
		_exit(0);
	}
	do_register(fd, mem, 600);
	pages_check(mem, 600, 5, 1);
	pages_fill(mem, 300, 6, 0);
	ksm_scan(fd);
	turn_pass(&child);
	tap_join(pid);
	pages_check(mem, 300, 6, 0);
	pages_check(page_at(mem, 300), 300, 305, 1);
}

static void test_child_of_a_fork(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(600);
	pid_t pid;

	pages_fill(mem, 600, 5, 1);
	pid = tap_fork();
	if (!pid) {
		do_register(fd, mem, 600);
		pages_check(mem, 600, 5, 1);
		pages_fill(mem, 600, 7, 0);
		ksm_scan(fd);
		pages_check(mem, 600, 7, 0);
		_exit(0);
	}
	tap_join(pid);
	pages_check(mem, 600, 5, 1);
	do_register(fd, mem, 600);
	pages_check(mem, 600, 5, 1);
}

static void touch(void *addr)
{
	(*(volatile char *)addr)++;
}

/* A child has no registered memory, unless MADV_DOFORK says so: then both share it. */
static void test_fork_after(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(64);
	pid_t pid;

	pages_fill(mem, 64, 5, 0);
	do_register(fd, mem, 64);
	ksm_scan(fd);
	tap_check_signal(touch, mem, SIGSEGV);
	MUST(madvise(mem, 64 * PAGE, MADV_DOFORK));
	pid = tap_fork();
	if (!pid) {
		pages_check(mem, 64, 5, 0);
		page_fill(page_at(mem, 1), 6);
		_exit(0);
	}
	tap_join(pid);
	pages_check(mem, 1, 5, 0);
	pages_check(page_at(mem, 1), 1, 6, 0);
	pages_check(page_at(mem, 2), 62, 5, 0);
}

/* The mapping cannot be split: nothing may have changed, nothing be lost. */
static void test_too_many_mappings(void)
{
	static const char max_map_count[] = "/proc/sys/vm/max_map_count";
	int fd = ksm_open_private();
	char *mem = map_anon(64), old[32], now[32];
	int err;

	pages_fill(mem, 64, 5, 1);
	CHECK(file_read(max_map_count, old, sizeof(old)) > 0);
	snprintf(now, sizeof(now), "%u", count_vmas(NULL, 1UL << 35));
	CHECK_EQ(file_write(max_map_count, now), 0);
	err = try_register(fd, page_at(mem, 10), 40 * PAGE) ? errno : 0;
	CHECK_EQ(file_write(max_map_count, old), 0);
	CHECK_EQ(err, ENOMEM);
	CHECK_EQ(count_vmas(mem, 64), 1);
	CHECK_EQ(ksm_stats(fd).size, 0);
	pages_check(mem, 64, 5, 1);
	pages_fill(mem, 64, 6, 1);
	pages_check(mem, 64, 6, 1);
	do_register(fd, page_at(mem, 10), 40);
	pages_check(mem, 64, 6, 1);
}

/* ---- the end of registered memory ---- */

/* Without a pass and with "run" at 0: it takes some seconds.  The size is the file's. */
static void test_munmap_of_a_part(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(600);

	pages_fill(mem, 300, 5, 0);
	pages_fill(page_at(mem, 300), 300, 6, 1);
	do_register(fd, mem, 600);
	ksm_scan(fd);
	CHECK_EQ(ksm_stats(fd).size, 600);
	MUST(munmap(page_at(mem, 500), 100 * PAGE));
	CHECK_SOON(ksm_stats(fd).pages_private == 200);
	MUST(munmap(page_at(mem, 100), 200 * PAGE));
	CHECK_SOON(ksm_stats(fd).pages_merged == 100);
	CHECK_EQ(ksm_stats(fd).pages_private, 200);
	CHECK_EQ(ksm_stats(fd).size, 600);
	pages_check(mem, 100, 5, 0);
	pages_check(page_at(mem, 300), 200, 6, 1);
}

static void test_munmap_gives_frames_back(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(600);

	pages_fill(mem, 300, 5, 0);
	pages_fill(page_at(mem, 300), 300, 6, 1);
	do_register(fd, mem, 600);
	ksm_scan(fd);
	MUST(munmap(page_at(mem, 300), 300 * PAGE));
	MUST(munmap(mem, 300 * PAGE));
	CHECK_EQ(ksm_stats(fd).areas, 0);
	CHECK_EQ(ksm_stats(fd).size, 0);
	CHECK_EQ(ksm_stats(fd).pages_private, 0);
	CHECK_EQ(ksm_stats(fd).pages_merged, 0);
	CHECK_EQ(ksm_domain_stats(fd).pages_shared, 0);
}

/* Mapped a second time, memory is there as long as one of the mappings is. */
static void test_munmap_of_one_of_two(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(64), *more;

	pages_fill(mem, 64, 5, 1);
	do_register(fd, mem, 64);
	more = (char *)MUST(mremap(mem, 0, 32 * PAGE, MREMAP_MAYMOVE));
	MUST(munmap(mem, 64 * PAGE));
	CHECK_SOON(ksm_stats(fd).pages_private == 32);
	sleep_ms(3000);
	pages_check(more, 32, 5, 1);
	CHECK_EQ(ksm_stats(fd).pages_private, 32);
}

static void test_again_at_the_same_address(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(600);
	unsigned int i;

	for (i = 0; i < 5; i++) {
		pages_fill(mem, 600, 10 * i + 1, 1);
		do_register(fd, mem, 600);
		pages_check(mem, 600, 10 * i + 1, 1);
		if (i & 1)
			ksm_scan(fd);
		MUST(mmap(mem, 600 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			  MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		pages_check(mem, 600, 0, 0);
	}
	CHECK_EQ(ksm_stats(fd).size, 0);
	CHECK_EQ(ksm_stats(fd).pages_private, 0);
}

static void test_moved(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(64), *to = map_anon(64);

	pages_fill(mem, 64, 5, 1);
	do_register(fd, mem, 64);
	MUST(mremap(mem, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	ksm_scan(fd);
	pages_check(to, 64, 5, 1);
	CHECK_EQ(ksm_stats(fd).size, 64);
	pages_fill(to, 64, 6, 0);
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 63);
	pages_check(to, 64, 6, 0);
}

/* Nobody makes the file longer: behind what was registered there is nothing. */
static void test_grown(void)
{
	int fd = ksm_open_private();
	char *mem = map_anon(64);

	pages_fill(mem, 64, 5, 1);
	do_register(fd, mem, 64);
	mem = (char *)MUST(mremap(mem, 64 * PAGE, 100 * PAGE, MREMAP_MAYMOVE));
	pages_check(mem, 64, 5, 1);
	MUST(madvise(mem, 100 * PAGE, MADV_DOFORK));
	tap_check_signal(touch, page_at(mem, 64), SIGBUS);
	tap_check_signal(touch, page_at(mem, 99), SIGBUS);
	CHECK_EQ(ksm_stats(fd).size, 64);
	CHECK_ERRNO(ksm_range_call(fd, KSM_DISCARD, mem, 100 * PAGE, 0), EINVAL);
	pages_check(mem, 64, 5, 1);
}

static void test_closed_descriptor(void)
{
	int fd = ksm_open(), other;
	char *mem = map_anon(64);

	pages_fill(mem, 64, 5, 0);
	do_register(fd, mem, 64);
	close(fd);
	pages_check(mem, 64, 5, 0);
	other = ksm_open();
	ksm_scan(other);
	CHECK_EQ(count_frames(mem, 64), 1);
	page_fill(mem, 6);
	pages_check(mem, 1, 6, 0);
	pages_check(page_at(mem, 1), 63, 5, 0);
}

/* ---- concurrent writers ---- */

struct writer {
	pthread_t thread;
	char *mem;
	unsigned long pages;
	unsigned int lane;
	u64 rounds;
};

static bool writers_stop;

/*
 * Each writer adds to a word of its own in each page, and to one that all
 * share.
 */
static void *writer_run(void *arg)
{
	struct writer *writer = arg;
	unsigned long i;

	while (!__atomic_load_n(&writers_stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < writer->pages; i++) {
			u64 *words = (u64 *)page_at(writer->mem, i);

			((volatile u64 *)words)[writer->lane * 64]++;
			__atomic_add_fetch(&words[511], 1, __ATOMIC_RELAXED);
		}
		writer->rounds++;
	}
	return NULL;
}

static void writers_check(struct writer *writers)
{
	u64 sum = 0;
	unsigned long i;
	unsigned int t;

	for (t = 0; t < THREADS; t++)
		sum += writers[t].rounds;
	for (i = 0; i < writers[0].pages; i++) {
		const u64 *words = (u64 *)page_at(writers[0].mem, i);

		for (t = 0; t < THREADS; t++)
			if (words[t * 64] != writers[t].rounds)
				tap_fail("page %lu, writer %u: expected %llu, got %llu",
					 i, t,
					 (unsigned long long)writers[t].rounds,
					 (unsigned long long)words[t * 64]);
		if (words[511] != sum)
			tap_fail("page %lu, all writers: expected %llu, got %llu",
				 i, (unsigned long long)sum,
				 (unsigned long long)words[511]);
	}
}

static void check_writers(unsigned long pages, bool huge)
{
	struct writer writers[THREADS];
	int fd = ksm_open_private();
	char *mem = map_anon_off(pages, huge ? 0 : 3);
	unsigned int t;

	if (huge)
		madvise(mem, pages * PAGE, MADV_HUGEPAGE);
	writers_stop = false;
	for (t = 0; t < THREADS; t++) {
		writers[t] = (struct writer){ .mem = mem, .pages = pages,
					      .lane = t };
		CHECK_EQ(pthread_create(&writers[t].thread, NULL, writer_run,
					&writers[t]), 0);
	}
	sleep_ms(20);
	do_register(fd, mem, pages);
	ksm_scan(fd);
	sleep_ms(20);
	ksm_scan_force(fd);
	__atomic_store_n(&writers_stop, true, __ATOMIC_RELAXED);
	for (t = 0; t < THREADS; t++)
		pthread_join(writers[t].thread, NULL);
	writers_check(writers);
	CHECK_EQ(count_vmas(mem, pages), 1);
	ksm_scan_force(fd);
	writers_check(writers);
	MUST(munmap(mem, pages * PAGE));
	close(fd);
}

static void test_concurrent_writers(void)
{
	unsigned int i;

	for (i = 0; i < 10; i++)
		check_writers(i & 1 ? 700 : 2 * CHUNK_PAGES + 1, false);
}

static void test_concurrent_writers_huge(void)
{
	unsigned int i;

	for (i = 0; i < 10; i++)
		check_writers(3 * CHUNK_PAGES, true);
}

/* ---- limits ---- */

static void memlock_user(void)
{
	char *mem = map_anon(100);
	int fd;

	memlock_limit(64);
	become(65534);
	fd = ksm_open();
	pages_fill(mem, 100, 5, 1);
	check_refused(fd, mem, 65, EAGAIN);
	do_register(fd, mem, 60);
	check_refused(fd, page_at(mem, 60), 5, EAGAIN);
	do_register(fd, page_at(mem, 60), 4);
	pages_check(mem, 100, 5, 1);
	/* The size of a file counts until nothing maps it any more. */
	MUST(munmap(mem, 59 * PAGE));
	check_refused(fd, page_at(mem, 64), 1, EAGAIN);
	MUST(munmap(page_at(mem, 59), PAGE));
	do_register(fd, page_at(mem, 64), 36);
	pages_check(page_at(mem, 60), 40, 65, 1);
}

static void test_memlock(void)
{
	tap_as_user(memlock_user);
}

static const struct tap_test tests[] = {
	{ "sizes and alignments", test_sizes },
	{ "registered memory merges", test_merges },
	{ "untouched pages and pages of zeroes", test_untouched_and_zero },
	{ "a part of a mapping", test_part_of_a_mapping },
	{ "several mappings keep their protections", test_several_vmas },
	{ "transparent huge pages", test_huge_pages },
	{ "one range by two descriptors", test_of_two_descriptors },
	{ "one range by two calls", test_two_calls },
	{ "bad ranges", test_bad_ranges },
	{ "a hole gives ENOMEM", test_hole },
	{ "shared memory gives EINVAL", test_shared },
	{ "a private file mapping gives EINVAL", test_private_file },
	{ "memory of an area gives EINVAL", test_in_an_area },
	{ "memory of MADV_WIPEONFORK, a stack that grows give EINVAL", test_special },
	{ "memory with a protection key gives EOPNOTSUPP", test_protection_key },
	{ "read-only, write-only and PROT_NONE give EACCES", test_protection },
	{ "mlocked memory gives EPERM", test_mlocked },
	{ "hugetlbfs gives EOPNOTSUPP", test_hugetlb },
	{ "pages in a pipe give EBUSY", test_spliced },
	{ "memory that another thread discards meanwhile", test_discarded_meanwhile },
	{ "pinned pages give EBUSY", test_pinned },
	{ "pinned pages behind two chunks", test_pinned_behind },
	{ "a userfaultfd gives EBUSY", test_userfaultfd },
	{ "pages that cannot be read back from swap give EIO", test_unreadable },
	{ "fork before, the parent registers", test_parent_of_a_fork },
	{ "fork before, the child registers", test_child_of_a_fork },
	{ "fork after: the child has no registered memory", test_fork_after },
	{ "too many mappings give ENOMEM and lose nothing", test_too_many_mappings },
	{ "munmap of a part gives its frames back", test_munmap_of_a_part },
	{ "munmap of all gives the frames back at once", test_munmap_gives_frames_back },
	{ "munmap of one of two mappings", test_munmap_of_one_of_two },
	{ "again at the same address", test_again_at_the_same_address },
	{ "mremap moves registered memory", test_moved },
	{ "mremap cannot make registered memory longer", test_grown },
	{ "the mapping keeps a closed area", test_closed_descriptor },
	{ "no write of concurrent writers is lost", test_concurrent_writers },
	{ "no write of concurrent writers is lost, huge pages",
	  test_concurrent_writers_huge },
	{ "RLIMIT_MEMLOCK gives EAGAIN", test_memlock },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	nullb_remove();
	ksm_try_set("run", "1");
	return ret;
}
