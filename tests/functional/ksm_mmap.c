// SPDX-License-Identifier: GPL-2.0
/*
 * An area as memory: mmap() of /dev/ksm and everything that mm does to a mapping,
 * with merging in between.
 */
#define _GNU_SOURCE
#include <sys/uio.h>

#include "ksm_test.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

static void touch_read(void *addr)
{
	(void)*(volatile char *)addr;
}

static void touch_write(void *addr)
{
	*(volatile char *)addr = 1;
}

/* ---- mapping ---- */

static void test_sparse(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 1000);

	pages_check(mem, 1000, 0, 0);
	CHECK_EQ(ksm_stats(fd).size, 1000);
	CHECK_EQ(ksm_stats(fd).pages_private, 0);
	page_fill(page_at(mem, 777), 5);
	pages_check(mem, 777, 0, 0);
	pages_check(page_at(mem, 777), 1, 5, 0);
	pages_check(page_at(mem, 778), 222, 0, 0);
	CHECK_EQ(ksm_stats(fd).pages_private, 1);
}

static void test_every_page(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 3000);

	pages_fill(mem, 3000, 1, 1);
	pages_check(mem, 3000, 1, 1);
	CHECK_EQ(ksm_stats(fd).pages_private, 3000);
	CHECK_EQ(count_frames(mem, 1000), 1000);
	CHECK_EQ(ksm_scan(fd).pages_hashed, 3000);
	pages_check(mem, 3000, 1, 1);
}

static void test_two_mappings(void)
{
	int fd = ksm_open_private();
	char *a = map_at(fd, 0, 600), *b = map_at(fd, 100 * PAGE, 500);

	CHECK_EQ(ksm_stats(fd).size, 600);
	pages_fill(a, 600, 1000, 1);
	pages_check(b, 500, 1100, 1);
	pages_fill(b, 500, 7, 0);
	pages_check(page_at(a, 100), 500, 7, 0);
	ksm_scan_force(fd);
	pages_check(b, 500, 7, 0);
	page_fill(b, 8);
	pages_check(page_at(a, 100), 1, 8, 0);
	page_fill(page_at(a, 101), 9);
	pages_check(page_at(b, 1), 1, 9, 0);
	CHECK_EQ(pfn_of(b), pfn_of(page_at(a, 100)));
	pages_check(page_at(b, 2), 498, 7, 0);
}

/* A copy of what is written there; what is not, is the area's. */
static void test_private_mapping(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64), *copy;

	copy = (char *)MUST(mmap(NULL, 64 * PAGE, rw, MAP_PRIVATE, fd, 0));
	pages_fill(mem, 64, 5, 0);
	ksm_scan(fd);
	pages_check(copy, 64, 5, 0);
	CHECK_EQ(count_frames(copy, 64), 1);
	pages_fill(copy, 32, 100, 1);
	CHECK_EQ(ksm_stats(fd).pages_merged, 64);
	pages_check(mem, 64, 5, 0);
	pages_fill(mem, 64, 6, 0);
	ksm_scan_force(fd);
	pages_check(copy, 32, 100, 1);
	pages_check(page_at(copy, 32), 32, 6, 0);
	MUST(madvise(copy, 64 * PAGE, MADV_DONTNEED));
	pages_check(copy, 64, 6, 0);
}

/* As with a memfd, a private mapping can be written whatever the descriptor is for. */
static void test_private_mapping_of_a_reader(void)
{
	int fd = MUST(open("/dev/ksm", O_RDONLY | O_CLOEXEC));
	char *mem;

	ksm_make_private(fd);
	mem = (char *)MUST(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	pages_check(mem, 8, 0, 0);
	pages_fill(mem, 8, 5, 1);
	pages_check(mem, 8, 5, 1);
	CHECK_EQ(ksm_stats(fd).pages_private, 0);
	CHECK_EQ(ksm_stats(fd).size, 8);
}

static void test_area_size(void)
{
	int fd = ksm_open_private();
	int rw = PROT_READ | PROT_WRITE;
	char *mem;

	CHECK_ERRNO(mmap(NULL, PAGE, rw, MAP_SHARED, fd, KSM_AREA_SIZE), EINVAL);
	CHECK_ERRNO(mmap(NULL, 2 * PAGE, rw, MAP_SHARED, fd, KSM_AREA_SIZE - PAGE),
		    EINVAL);
	CHECK_ERRNO(mmap(NULL, PAGE, rw, MAP_SHARED, fd, 1ULL << 62), EINVAL);
	CHECK_EQ(ksm_stats(fd).size, 0);
	mem = map_at(fd, KSM_AREA_SIZE - PAGE, 1);
	page_fill(mem, 3);
	pages_check(mem, 1, 3, 0);
}

static void test_grow_beyond_the_end(void)
{
	char *mem = map_at(ksm_open_private(), KSM_AREA_SIZE - PAGE, 1);

	page_fill(mem, 3);
	mem = mremap(mem, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	if (mem == MAP_FAILED)
		return;
	pages_check(mem, 1, 3, 0);
	tap_check_signal(touch_read, mem + PAGE, SIGBUS);
	tap_check_signal(touch_write, mem + PAGE, SIGBUS);
}

/* The descriptor of the file gives mappings of one file: they become one. */
static void test_one_vma(void)
{
	int fd = ksm_open_private(), file = ksm_get_file(fd);
	char *room = map_anon(4 * CHUNK_PAGES);
	unsigned int i;

	MUST(ftruncate(file, 4 * CHUNK_PAGES * PAGE));
	for (i = 0; i < 4; i++)
		MUST(mmap(page_at(room, i * CHUNK_PAGES), CHUNK_PAGES * PAGE,
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
			  i * CHUNK_PAGES * PAGE));
	CHECK_EQ(count_vmas(room, 4 * CHUNK_PAGES), 1);
	pages_fill(room, 4 * CHUNK_PAGES, 5, 1);
	pages_check(map_area(fd, 4 * CHUNK_PAGES), 4 * CHUNK_PAGES, 5, 1);
}

/* The line of /proc/self/maps of @mem. */
static void maps_line(const void *mem, char *line, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start;

	CHECK(maps);
	do {
		if (!fgets(line, size, maps))
			tap_fail("expected a line of %p in /proc/self/maps", mem);
	} while (sscanf(line, "%lx-", &start) != 1 || start != (unsigned long)mem);
	fclose(maps);
}

/* Device and inode, as numbers. */
static void maps_file(const void *mem, unsigned long file[3])
{
	char line[512];
	int n;

	maps_line(mem, line, sizeof(line));
	n = sscanf(line, "%*s %*s %*s %lx:%lx %lu", &file[0], &file[1], &file[2]);
	CHECK_EQ(n, 3);
}

/* The mapping is one of the file: tools find it there, with its size and number. */
static void test_proc_maps(void)
{
	int fd = ksm_open_private(), other = ksm_open_private();
	char *mem = map_area(fd, 2), *more = map_area(other, 1), line[512], *end;
	unsigned long a[3], b[3];
	struct stat st;

	MUST(fstat(ksm_get_file(fd), &st));
	CHECK_EQ(st.st_size, 2 * PAGE);
	maps_file(mem, a);
	maps_file(more, b);
	CHECK_EQ(a[0] << 8 | a[1], st.st_dev);
	CHECK_EQ(a[2], st.st_ino);
	CHECK_EQ(b[0], a[0]);
	CHECK_EQ(b[1], a[1]);
	CHECK(b[2] != a[2]);
	maps_line(mem, line, sizeof(line));
	end = strstr(line, "(deleted)\n");
	CHECK(end && !end[strlen("(deleted)\n")]);
}

static void test_partial_munmap(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 30);

	pages_fill(mem, 30, 50, 1);
	MUST(munmap(page_at(mem, 20), 10 * PAGE));
	CHECK_EQ(count_vmas(mem, 30), 1);
	MUST(munmap(page_at(mem, 5), 10 * PAGE));
	CHECK_EQ(count_vmas(mem, 30), 2);
	pages_check(mem, 5, 50, 1);
	pages_check(page_at(mem, 15), 5, 65, 1);
	/* As with a memfd, what was unmapped is still in the area. */
	pages_check(map_area(fd, 30), 30, 50, 1);
}

/* ---- fork ---- */

static void test_fork(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);
	struct turn parent = turn_make(), child = turn_make();
	pid_t pid;

	pages_fill(mem, 64, 5, 0);
	ksm_scan(fd);
	pid = tap_fork();
	if (!pid) {
		pages_check(mem, 64, 5, 0);
		page_fill(page_at(mem, 1), 6);
		turn_pass(&parent);
		turn_wait(&child);
		pages_check(page_at(mem, 2), 1, 7, 0);
		_exit(0);
	}
	turn_wait(&parent);
	pages_check(page_at(mem, 1), 1, 6, 0);
	ksm_scan(fd);
	page_fill(page_at(mem, 2), 7);
	turn_pass(&child);
	tap_join(pid);
	pages_check(mem, 1, 5, 0);
	pages_check(page_at(mem, 3), 61, 5, 0);
}

static void test_dontfork(void)
{
	char *mem = map_area(ksm_open_private(), 2);

	pages_fill(mem, 2, 5, 0);
	MUST(madvise(mem, 2 * PAGE, MADV_DONTFORK));
	tap_check_signal(touch_read, mem, SIGSEGV);
	tap_check_signal(touch_write, mem, SIGSEGV);
	pages_check(mem, 2, 5, 0);
}

/* ---- mremap, mlock, mprotect, madvise ---- */

static void test_mremap_move(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 100), *to = map_anon(100);

	pages_fill(mem, 50, 5, 0);
	pages_fill(page_at(mem, 50), 50, 100, 1);
	ksm_scan(fd);
	CHECK_EQ(MUST(mremap(mem, 100 * PAGE, 100 * PAGE,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to)), (long)to);
	pages_check(to, 50, 5, 0);
	pages_check(page_at(to, 50), 50, 100, 1);
	CHECK_EQ(count_frames(to, 50), 1);
	page_fill(to, 6);
	page_fill(page_at(to, 50), 5);
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 1);
	pages_check(to, 1, 6, 0);
	pages_check(page_at(to, 1), 50, 5, 0);
	CHECK_EQ(count_vmas(mem, 100), 0);
}

/* Growing a mapping asks nobody: there is memory up to the end of the file. */
static void test_mremap_grow(void)
{
	int fd = ksm_open_private(), file = ksm_get_file(fd);
	char *mem = map_area(fd, 10);

	pages_fill(mem, 10, 5, 1);
	mem = (char *)MUST(mremap(mem, 10 * PAGE, 1000 * PAGE, MREMAP_MAYMOVE));
	pages_check(mem, 10, 5, 1);
	tap_check_signal(touch_read, page_at(mem, 10), SIGBUS);
	tap_check_signal(touch_write, page_at(mem, 10), SIGBUS);
	tap_check_signal(touch_write, page_at(mem, 999), SIGBUS);
	CHECK_EQ(ksm_stats(fd).size, 10);
	MUST(ftruncate(file, 1000 * PAGE));
	pages_check(page_at(mem, 10), 990, 0, 0);
	pages_fill(page_at(mem, 10), 990, 15, 1);
	pages_check(mem, 1000, 5, 1);
	CHECK_EQ(ksm_scan(fd).pages_hashed, 1000);
	CHECK_EQ(ksm_stats(fd).size, 1000);
}

/* What was cut off reads as zeroes when the file is long again. */
static void test_cut(void)
{
	int fd = ksm_open_private(), file = ksm_get_file(fd);
	char *mem = map_area(fd, 1000);

	pages_fill(mem, 500, 5, 0);
	pages_fill(page_at(mem, 500), 500, 100, 1);
	ksm_scan(fd);
	MUST(ftruncate(file, 300 * PAGE + 8));
	CHECK_EQ(ksm_stats(fd).size, 301);
	CHECK_EQ(ksm_stats(fd).pages_merged, 300);
	CHECK_EQ(ksm_stats(fd).pages_private, 1);
	CHECK_EQ(ksm_domain_stats(fd).pages_unshared, 0);
	tap_check_signal(touch_read, page_at(mem, 301), SIGBUS);
	tap_check_signal(touch_write, page_at(mem, 999), SIGBUS);
	/* mmap() makes it longer, as it is. */
	pages_check(page_at(map_area(fd, 1000), 301), 699, 0, 0);
	pages_check(mem, 300, 5, 0);
	CHECK_EQ(*(u64 *)page_at(mem, 300), seed_word(5, 0));
	CHECK_EQ(((u64 *)page_at(mem, 300))[1], 0);
	pages_check(page_at(mem, 301), 699, 0, 0);
}

static void test_mlock(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);
	s64 locked = file_value("/proc/self/status", "VmLck");

	pages_fill(mem, 64, 5, 0);
	MUST(mlock(mem, 64 * PAGE));
	CHECK_EQ(file_value("/proc/self/status", "VmLck") - locked, 64 * 4);
	CHECK_EQ(ksm_scan(fd).pages_merged, 63);
	pages_check(mem, 64, 5, 0);
	pages_fill(mem, 32, 6, 1);
	ksm_scan_force(fd);
	pages_check(mem, 32, 6, 1);
	pages_check(page_at(mem, 32), 32, 5, 0);
	MUST(munlock(mem, 64 * PAGE));
	pages_check(page_at(mem, 32), 32, 5, 0);
}

static void test_populate(void)
{
	int fd = ksm_open_private();
	char *mem;

	mem = (char *)MUST(mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_POPULATE, fd, 0));
	pages_check(mem, 64, 0, 0);
	MUST(madvise(mem, 64 * PAGE, MADV_POPULATE_WRITE));
	CHECK_EQ(ksm_stats(fd).pages_private, 64);
	pages_check(mem, 64, 0, 0);
}

/*
 * mprotect() may make a PTE writable without asking the driver, if it looks
 * dirty: a page written after that must be noticed.
 */
static void test_write_tracking(void)
{
	const unsigned long pages = 4096;
	int fd = ksm_open_private();
	char *mem = map_area(fd, pages);
	unsigned int i, n;

	pages_fill(mem, pages, 1000, 1);
	CHECK_EQ(ksm_scan(fd).pages_hashed, pages);
	CHECK_EQ(ksm_scan(fd).pages_hashed, 0);
	CHECK_EQ(ksm_scan(fd).pages_scanned, 0);
	/* The same ones each time: hashed singly, they must fault again. */
	for (n = 0; n < 3; n++) {
		for (i = 0; i < 10; i++)
			page_at(mem, i * 400)[i]++;
		CHECK_EQ(ksm_scan_force(fd).pages_hashed, 10);
		CHECK_EQ(ksm_scan_force(fd).pages_hashed, 0);
	}
	MUST(mprotect(mem, pages * PAGE, PROT_READ));
	MUST(mprotect(mem, pages * PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(ksm_scan_force(fd).pages_hashed, 0);
	for (i = 0; i < 20; i++)
		page_at(mem, i * 200 + 1)[i]++;
	CHECK_EQ(ksm_scan_force(fd).pages_hashed, 20);
	CHECK_EQ(ksm_scan_force(fd).pages_hashed, 0);
}

/* The same, with the scan while the mapping is read-only or inaccessible. */
static void test_write_tracking_across_mprotect(void)
{
	static const int protections[] = { PROT_READ, PROT_NONE };
	int fd = ksm_open_private();
	char *mem = map_area(fd, 600);
	unsigned int i;

	pages_fill(mem, 600, 1000, 1);
	for (i = 0; i < ARRAY_SIZE(protections); i++) {
		pages_fill(mem, 600, 10000 * i + 2000, 1);
		MUST(mprotect(mem, 600 * PAGE, protections[i]));
		CHECK_EQ(ksm_scan_force(fd).pages_hashed, 600);
		MUST(mprotect(mem, 600 * PAGE, PROT_READ | PROT_WRITE));
		CHECK_EQ(ksm_scan_force(fd).pages_hashed, 0);
		page_at(mem, 599)[0]++;
		page_at(mem, 3)[0]++;
		CHECK_EQ(ksm_scan_force(fd).pages_hashed, 2);
	}
}

static void test_mprotect_merged(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);

	pages_fill(mem, 64, 5, 0);
	ksm_scan(fd);
	MUST(mprotect(mem, 64 * PAGE, PROT_READ));
	CHECK_EQ(count_frames(mem, 64), 1);
	tap_check_signal(touch_write, mem, SIGSEGV);
	MUST(mprotect(mem, 64 * PAGE, PROT_READ | PROT_WRITE));
	page_fill(page_at(mem, 9), 6);
	pages_check(mem, 9, 5, 0);
	pages_check(page_at(mem, 9), 1, 6, 0);
	pages_check(page_at(mem, 10), 54, 5, 0);
}

static void test_dontneed(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);

	pages_fill(mem, 32, 5, 0);
	pages_fill(page_at(mem, 32), 32, 100, 1);
	MUST(madvise(mem, 64 * PAGE, MADV_DONTNEED));
	CHECK_EQ(pfn_of_pid(getpid(), mem), 0);
	pages_check(mem, 32, 5, 0);
	ksm_scan(fd);
	MUST(madvise(mem, 64 * PAGE, MADV_DONTNEED));
	pages_check(mem, 32, 5, 0);
	pages_check(page_at(mem, 32), 32, 100, 1);
	CHECK_EQ(ksm_stats(fd).pages_merged, 32);
}

/* A page that was written and whose mapping is gone must be seen as well. */
static void test_dontneed_after_write(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);

	pages_fill(mem, 64, 100, 1);
	ksm_scan(fd);
	pages_fill(mem, 10, 7, 0);
	MUST(madvise(mem, 64 * PAGE, MADV_DONTNEED));
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 9);
	pages_check(mem, 10, 7, 0);
	pages_check(page_at(mem, 10), 54, 110, 1);
}

static void test_remove(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64), *alias = map_area(fd, 64);

	pages_fill(mem, 32, 5, 0);
	pages_fill(page_at(mem, 32), 32, 100, 1);
	ksm_scan(fd);
	pages_check(alias, 32, 5, 0);
	MUST(madvise(page_at(mem, 16), 32 * PAGE, MADV_REMOVE));
	pages_check(alias, 16, 5, 0);
	pages_check(page_at(alias, 16), 32, 0, 0);
	pages_check(page_at(alias, 48), 16, 116, 1);
	CHECK_EQ(ksm_stats(fd).pages_merged, 16);
	CHECK_EQ(ksm_stats(fd).pages_private, 16);
	CHECK_EQ(ksm_stats(fd).size, 64);
	pages_fill(page_at(mem, 16), 32, 300, 1);
	pages_check(page_at(alias, 16), 32, 300, 1);
}

/* ---- access by others ---- */

static void test_process_vm(void)
{
	static char buf[64 * PAGE];
	int fd = ksm_open_private();
	char *mem = map_area(fd, 64);
	struct iovec remote = { mem, 64 * PAGE }, local = { buf, 64 * PAGE };
	struct turn child = turn_make(), parent = turn_make();
	pid_t pid;

	pid = tap_fork();
	if (!pid) {
		mem = map_at(fd, 0, 64);
		remote.iov_base = mem;
		pages_fill(mem, 64, 5, 0);
		ksm_scan(fd);
		turn_send(&parent, &remote, sizeof(remote));
		turn_wait(&child);
		pages_check(mem, 32, 5, 0);
		pages_check(page_at(mem, 32), 32, 200, 1);
		_exit(0);
	}
	turn_receive(&parent, &remote, sizeof(remote));
	CHECK_EQ(process_vm_readv(pid, &local, 1, &remote, 1, 0), 64 * PAGE);
	pages_check(buf, 64, 5, 0);
	pages_fill(buf, 32, 200, 1);
	local.iov_len = 32 * PAGE;
	remote.iov_base = page_at(remote.iov_base, 32);
	remote.iov_len = 32 * PAGE;
	CHECK_EQ(process_vm_writev(pid, &local, 1, &remote, 1, 0), 32 * PAGE);
	CHECK_EQ(ksm_stats(fd).pages_merged, 32);
	turn_pass(&child);
	tap_join(pid);
}

static void test_proc_mem(void)
{
	int fd = ksm_open_private(), mem_fd = MUST(open("/proc/self/mem", O_RDWR));
	char *mem = map_area(fd, 64), *buf = map_anon(64);

	pages_fill(mem, 64, 5, 0);
	ksm_scan(fd);
	CHECK_EQ(pread(mem_fd, buf, 64 * PAGE, (off_t)mem), 64 * PAGE);
	pages_check(buf, 64, 5, 0);
	page_fill(buf, 6);
	CHECK_EQ(pwrite(mem_fd, buf, PAGE, (off_t)page_at(mem, 3)), PAGE);
	pages_check(mem, 3, 5, 0);
	pages_check(page_at(mem, 3), 1, 6, 0);
	pages_check(page_at(mem, 4), 60, 5, 0);
}

/* The kernel writing into merged memory: it too must get a copy. */
static void test_read_into(void)
{
	int fd = ksm_open_private(), pipe_fd[2];
	char *mem = map_area(fd, 64), *buf = map_anon(4);

	pages_fill(mem, 64, 5, 0);
	ksm_scan(fd);
	pages_fill(buf, 4, 80, 1);
	MUST(pipe(pipe_fd));
	CHECK_EQ(write(pipe_fd[1], buf, 4 * PAGE), 4 * PAGE);
	CHECK_EQ(read(pipe_fd[0], page_at(mem, 10), 4 * PAGE), 4 * PAGE);
	pages_check(mem, 10, 5, 0);
	pages_check(page_at(mem, 10), 4, 80, 1);
	pages_check(page_at(mem, 14), 50, 5, 0);
}

/* KiB; kernels from 6.2 on are exact up to a few pages for each CPU. */
static s64 rss_file(void)
{
	return file_value("/proc/self/status", "RssFile");
}

static void test_rss(void)
{
	char *mem = map_area(ksm_open_private(), 4096);
	s64 rss = rss_file();

	pages_fill(mem, 4096, 1, 1);
	CHECK(llabs(rss_file() - rss - 16384) < 1024);
	MUST(madvise(mem, 4096 * PAGE, MADV_DONTNEED));
	CHECK(llabs(rss_file() - rss) < 1024);
}

/* The mapping keeps the file.  "areas" counts files: a descriptor alone has none. */
static void test_closed(void)
{
	s64 areas = ksm_get("areas");
	int fd = ksm_open();
	char *mem;

	CHECK_EQ(ksm_get("areas"), areas);
	mem = map_area(fd, 64);
	CHECK_EQ(ksm_get("areas"), areas + 1);
	pages_fill(mem, 64, 5, 1);
	close(fd);
	CHECK_EQ(ksm_get("areas"), areas + 1);
	pages_check(mem, 64, 5, 1);
	pages_fill(mem, 64, 6, 0);
	fd = ksm_open();
	ksm_scan(fd);
	CHECK_EQ(count_frames(mem, 64), 1);
	pages_check(mem, 64, 6, 0);
	MUST(munmap(mem, 64 * PAGE));
	CHECK_EQ(ksm_get("areas"), areas);
}

/* So does the descriptor of the file. */
static void test_file_keeps(void)
{
	s64 areas = ksm_get("areas");
	int fd = ksm_open_private(), file = ksm_get_file(fd);
	char *mem = map_area(fd, 64);

	pages_fill(mem, 64, 5, 0);
	MUST(munmap(mem, 64 * PAGE));
	close(fd);
	ksm_scan(file);
	CHECK_EQ(ksm_stats(file).pages_merged, 64);
	CHECK_EQ(ksm_get("areas"), areas + 1);
	mem = map_area(file, 64);
	pages_check(mem, 64, 5, 0);
	MUST(munmap(mem, 64 * PAGE));
	close(file);
	CHECK_EQ(ksm_get("areas"), areas);
}

static const struct tap_test tests[] = {
	{ "a new area is sparse and reads as zeroes", test_sparse },
	{ "every page holds what was written", test_every_page },
	{ "two mappings of one offset are coherent", test_two_mappings },
	{ "MAP_PRIVATE copies what is written", test_private_mapping },
	{ "MAP_PRIVATE of a descriptor for reading", test_private_mapping_of_a_reader },
	{ "nothing can be mapped beyond KSM_AREA_SIZE", test_area_size },
	{ "mremap beyond KSM_AREA_SIZE gives no memory", test_grow_beyond_the_end },
	{ "neighbouring mappings of the file are one VMA", test_one_vma },
	{ "/proc/self/maps shows an unnamed file", test_proc_maps },
	{ "munmap of a part keeps the rest, and the contents", test_partial_munmap },
	{ "fork: both share writes", test_fork },
	{ "fork after MADV_DONTFORK: the child has no mapping", test_dontfork },
	{ "mremap moves a mapping", test_mremap_move },
	{ "mremap grows a mapping up to the end of the file", test_mremap_grow },
	{ "ftruncate cuts off what is mapped and merged", test_cut },
	{ "mlock", test_mlock },
	{ "MAP_POPULATE and MADV_POPULATE_WRITE", test_populate },
	{ "a pass hashes exactly what was written", test_write_tracking },
	{ "a scan between two mprotect misses no write",
	  test_write_tracking_across_mprotect },
	{ "mprotect of merged pages", test_mprotect_merged },
	{ "MADV_DONTNEED keeps the contents", test_dontneed },
	{ "MADV_DONTNEED hides no write", test_dontneed_after_write },
	{ "MADV_REMOVE makes holes", test_remove },
	{ "process_vm_readv and process_vm_writev", test_process_vm },
	{ "/proc/self/mem", test_proc_mem },
	{ "read() into merged pages", test_read_into },
	{ "resident size", test_rss },
	{ "the mapping keeps a closed area", test_closed },
	{ "the descriptor of the file keeps a closed area", test_file_keeps },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_try_set("run", "1");
	return ret;
}
