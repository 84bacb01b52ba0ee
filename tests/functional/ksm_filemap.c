// SPDX-License-Identifier: GPL-2.0
/*
 * Files of ksmfs as memory: mappings of both kinds, and what the kernel does to
 * them and through them.  KSM_FS=tmpfs runs the same on tmpfs.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <linux/loop.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "debugger.h"
#include "ksm_fs.h"

#define RW	(PROT_READ | PROT_WRITE)

static void touch_last(void *addr)
{
	touch_write((char *)addr + PAGE - 1);
}

/* ---- the end of the file ---- */

static void test_beyond_the_end(void)
{
	int fd = file_of("f", 2, 5, 1);
	char *mem = map_shared(fd, 4), *private = map_private(fd, 4);

	MUST(ftruncate(fd, PAGE + 100));
	pages_check(mem, 1, 5, 0);
	touch_write(page_at(mem, 1) + 99);
	touch_last(page_at(mem, 1));
	check_sigbus(page_at(mem, 2));
	check_sigbus(page_at(private, 2));
	check_sigbus(page_at(mem, 3));
	CHECK_EQ(stat_fd(fd).st_size, PAGE + 100);
	MUST(ftruncate(fd, 3 * PAGE));
	touch_write(page_at(mem, 2));
	check_sigbus(page_at(mem, 3));
	MUST(ftruncate(fd, 0));
	check_sigbus(mem);
	CHECK_EQ(used_pages(fd), 0);
}

static void test_truncate_mapped(void)
{
	int fd = file_of("f", 8, 5, 1);
	char *mem = map_shared(fd, 8);
	unsigned int i;

	pages_check(mem, 8, 5, 1);
	MUST(ftruncate(fd, 3 * PAGE + 1000));
	for (i = 1000; i < PAGE; i++)
		CHECK_EQ(page_at(mem, 3)[i], 0);
	for (i = 4; i < 8; i++)
		check_sigbus(page_at(mem, i));
	pages_check(mem, 3, 5, 1);
	MUST(ftruncate(fd, 8 * PAGE));
	pages_check(mem, 3, 5, 1);
	for (i = 1000; i < PAGE; i++)
		CHECK_EQ(page_at(mem, 3)[i], 0);
	pages_check(page_at(mem, 4), 4, 0, 0);
	pages_fill(page_at(mem, 4), 4, 20, 1);
	file_check(fd, 4, 4, 20, 1);
	MUST(ftruncate(fd, 4 * PAGE));
	MUST(ftruncate(fd, 8 * PAGE));
	pages_check(page_at(mem, 4), 4, 0, 0);
	file_check(fd, 4, 4, 0, 0);
}

/* Copies of a private mapping go with the end of the file, too. */
static void test_truncate_private(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_private(fd, 4);

	pages_fill(mem, 4, 30, 1);
	MUST(ftruncate(fd, 2 * PAGE));
	pages_check(mem, 2, 30, 1);
	check_sigbus(page_at(mem, 2));
	MUST(ftruncate(fd, 4 * PAGE));
	pages_check(mem, 2, 30, 1);
	pages_check(page_at(mem, 2), 2, 0, 0);
	file_check(fd, 0, 2, 5, 1);
}

/* ---- faults that race with the end of the file ---- */

static sigjmp_buf race_back;
static char *race_mem;
static volatile bool race_over;

#define RACE_KEPT	8	/* pages that stay in the file */
#define RACE_PAGES	16

static void race_sigbus(int sig)
{
	(void)sig;
	siglongjmp(race_back, 1);
}

static void *race_reader(void *arg)
{
	volatile unsigned int i = 0;

	(void)arg;
	while (!race_over) {
		/* Only what is sometimes behind the end may fail. */
		if (sigsetjmp(race_back, 1)) {
			CHECK(i % RACE_PAGES >= RACE_KEPT);
			i++;
			continue;
		}
		touch_read(page_at(race_mem, i % RACE_PAGES));
		if (i % RACE_PAGES < RACE_KEPT)
			touch_write(page_at(race_mem, i % RACE_PAGES) + PAGE - 1);
		if (i % 50 == 0)
			MUST(madvise(race_mem, RACE_KEPT * PAGE, MADV_DONTNEED));
		i++;
	}
	return NULL;
}

/* Where CPUs take long to interrupt one another, fewer rounds must do. */
static bool race_lasts(unsigned int round)
{
	static time_t start;

	if (!round)
		start = time(NULL);
	return round < 3000 && time(NULL) - start < 15;
}

static void test_truncate_race(void)
{
	int fd = file_of("f", RACE_PAGES, 5, 0);
	pthread_t thread;
	unsigned int i;

	race_mem = map_shared(fd, RACE_PAGES);
	signal(SIGBUS, race_sigbus);
	CHECK_EQ(pthread_create(&thread, NULL, race_reader, NULL), 0);
	for (i = 0; race_lasts(i); i++) {
		file_put(fd, RACE_KEPT, RACE_PAGES - RACE_KEPT, i + 1, 0);
		MUST(ftruncate(fd, RACE_KEPT * PAGE - (i & 1)));
		/* tmpfs counts a page that a fault is about to give up. */
		if (fs_is_ksm)
			CHECK_EQ(used_pages(fd), RACE_KEPT);
		MUST(ftruncate(fd, RACE_PAGES * PAGE));
		file_check(fd, RACE_KEPT, RACE_PAGES - RACE_KEPT, 0, 0);
		if (i & 2)
			pages_check(page_at(race_mem, RACE_KEPT),
				    RACE_PAGES - RACE_KEPT, 0, 0);
	}
	race_over = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(i >= 10);
}

/* What was punched reads as zeroes at once, for whoever faults meanwhile. */
static void test_punch_race(void)
{
	int fd = file_of("f", RACE_PAGES, 5, 0);
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	pthread_t thread;
	unsigned int i;

	race_mem = map_shared(fd, RACE_PAGES);
	CHECK_EQ(pthread_create(&thread, NULL, race_reader, NULL), 0);
	for (i = 0; race_lasts(i); i++) {
		pages_fill(page_at(race_mem, RACE_KEPT), RACE_PAGES - RACE_KEPT,
			   i + 1, 0);
		if (i & 1)
			MUST(fallocate(fd, mode, RACE_KEPT * PAGE,
				       (RACE_PAGES - RACE_KEPT) * PAGE));
		else
			MUST(madvise(page_at(race_mem, RACE_KEPT),
				     (RACE_PAGES - RACE_KEPT) * PAGE, MADV_REMOVE));
		pages_check(page_at(race_mem, RACE_KEPT), RACE_PAGES - RACE_KEPT,
			    0, 0);
		file_check(fd, RACE_KEPT, RACE_PAGES - RACE_KEPT, 0, 0);
	}
	race_over = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(i >= 10);
}

#define GROWN	4000	/* pages, more than are left */

/* Counts how often the file @arg is longer than a page. */
static void *size_watcher(void *arg)
{
	unsigned long longer = 0;

	while (!race_over)
		longer += stat_fd(*(int *)arg).st_size != PAGE;
	return (void *)longer;
}

/*
 * fallocate() shows no size that it takes back: what others write behind the old end
 * meanwhile would be lost.
 */
static void test_allocate_race(void)
{
	pthread_t thread;
	unsigned int i;
	void *longer;
	int fd, mode, from;
	s64 room;

	fs_mount_again("size=16m");
	MUST(close(file_of("g", 1000, 6, 1)));
	fd = file_of("f", 1, 5, 0);
	/* Its pages for slots stay. */
	CHECK_ERRNO(fallocate(fd, 0, 0, GROWN * PAGE), ENOSPC);
	room = free_pages();
	CHECK_EQ(pthread_create(&thread, NULL, size_watcher, &fd), 0);
	for (i = 0; i < 20; i++) {
		/* tmpfs has no FALLOC_FL_ZERO_RANGE. */
		mode = fs_is_ksm && i & 1 ? FALLOC_FL_ZERO_RANGE : 0;
		CHECK_ERRNO(fallocate(fd, mode, 100, GROWN * PAGE), ENOSPC);
		/* What tmpfs counts comes late. */
		if (fs_is_ksm)
			CHECK_EQ(free_pages(), room);
	}
	race_over = true;
	CHECK_EQ(pthread_join(thread, &longer), 0);
	CHECK_EQ((long)longer, 0);
	CHECK_EQ(stat_fd(fd).st_size, PAGE);
	CHECK_EQ(used_pages(fd), 1);
	/* What was there behind the end before is zeroes now, and what was zeroed. */
	MUST(fallocate(fd, 0, 0, 100 * PAGE));
	from = BY_FS(100, PAGE);
	file_bytes(fd, from, 100 * PAGE - from, 0);
}

/* ---- kinds of mappings ---- */

static void test_shared(void)
{
	int fd = file_of("f", 8, 5, 1), ro = MUST(open("f", O_RDONLY | O_CLOEXEC));
	char *a = map_shared(fd, 8), *b = map_with(ro, 2, 4, PROT_READ, MAP_SHARED);

	pages_check(b, 4, 7, 1);
	pages_fill(page_at(a, 2), 4, 50, 1);
	pages_check(b, 4, 50, 1);
	file_put(fd, 2, 4, 60, 1);
	pages_check(b, 4, 60, 1);
	pages_check(page_at(a, 2), 4, 60, 1);
	CHECK_EQ(pfn_of(b), pfn_of(page_at(a, 2)));
	file_check(ro, 0, 2, 5, 1);
	MUST(close(fd));
	MUST(close(ro));
	pages_fill(a, 8, 70, 1);
	pages_check(b, 4, 72, 1);
	fd = MUST(open("f", O_RDONLY | O_CLOEXEC));
	file_check(fd, 0, 8, 70, 1);
}

static void test_map_errors(void)
{
	int fd = file_of("f", 2, 5, 1), ro = MUST(open("f", O_RDONLY | O_CLOEXEC));
	int wo = MUST(open("f", O_WRONLY | O_CLOEXEC));
	char *mem;

	CHECK_ERRNO(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, 0, RW, MAP_SHARED, fd, 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 100), EINVAL);
	CHECK_ERRNO(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0),
		    EOPNOTSUPP);
	mem = map_with(ro, 0, 2, PROT_READ, MAP_SHARED);
	CHECK_ERRNO(mprotect(mem, PAGE, RW), EACCES);
	CHECK_ERRNO(madvise(mem, PAGE, MADV_REMOVE), EACCES);
	tap_check_signal(touch_write, mem, SIGSEGV);
	mem = map_with(ro, 0, 2, RW, MAP_PRIVATE);
	CHECK_ERRNO(madvise(mem, PAGE, MADV_REMOVE), EACCES);
	page_fill(mem, 9);
	file_check(fd, 0, 2, 5, 1);
	/* Nothing is behind the longest file, wherever a mapping reaches. */
	mem = mmap(NULL, PAGE, RW, MAP_SHARED, fd, KSM_AREA_SIZE);
	if (mem != MAP_FAILED)
		check_sigbus(mem);
}

static void test_private(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_private(fd, 4), *shared = map_shared(fd, 4);

	pages_check(mem, 4, 5, 1);
	file_put(fd, 0, 1, 20, 0);
	page_fill(page_at(shared, 1), 21);
	pages_check(mem, 2, 20, 1);
	/* From its own write on it goes its own way. */
	touch_write(mem);
	touch_write(page_at(mem, 2));
	file_put(fd, 0, 4, 40, 1);
	CHECK_EQ(mem[0], 1);
	mem[0] = seed_word(20, 0);
	pages_check(mem, 1, 20, 0);
	pages_check(page_at(mem, 1), 1, 41, 0);
	pages_check(page_at(mem, 3), 1, 43, 0);
	file_check(fd, 0, 4, 40, 1);
	/* A hole in the file is none in the copy. */
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * PAGE));
	pages_check(mem, 1, 20, 0);
	pages_check(page_at(mem, 3), 1, 0, 0);
	/* Given up, it is the file's page again. */
	MUST(madvise(mem, PAGE, MADV_DONTNEED));
	pages_check(mem, 1, 0, 0);
	page_fill(shared, 50);
	pages_check(mem, 1, 50, 0);
}

/* A private mapping of a hole takes nothing of the file. */
static void test_private_hole(void)
{
	int fd = file_sparse("f", 64);
	char *mem = map_private(fd, 64);

	pages_fill(mem, 64, 5, 1);
	pages_check(mem, 64, 5, 1);
	file_check(fd, 0, 64, 0, 0);
	if (fs_is_ksm)
		CHECK_EQ(used_pages(fd), 0);
}

static void test_fork(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *shared = map_shared(fd, 4), *private = map_private(fd, 4);
	struct turn turn = turn_make();
	pid_t pid;

	page_fill(private, 30);
	pid = tap_fork();
	if (!pid) {
		pages_check(private, 1, 30, 0);
		turn_wait(&turn);
		pages_check(page_at(shared, 1), 1, 40, 0);
		pages_check(page_at(private, 1), 1, 40, 0);
		pages_check(private, 1, 30, 0);
		page_fill(page_at(shared, 2), 41);
		page_fill(page_at(private, 3), 42);
		_exit(0);
	}
	page_fill(page_at(shared, 1), 40);
	page_fill(private, 31);
	turn_pass(&turn);
	tap_join(pid);
	pages_check(page_at(shared, 2), 1, 41, 0);
	pages_check(page_at(private, 3), 1, 8, 0);
	pages_check(private, 1, 31, 0);
	file_check(fd, 3, 1, 8, 0);
}

/* ---- changes to a mapping ---- */

static void test_mremap(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 2), *copy;

	mem = (char *)MUST(mremap(mem, 2 * PAGE, 6 * PAGE, MREMAP_MAYMOVE));
	pages_check(mem, 4, 5, 1);
	check_sigbus(page_at(mem, 4));
	MUST(ftruncate(fd, 5 * PAGE));
	page_fill(page_at(mem, 4), 20);
	file_check(fd, 4, 1, 20, 0);
	check_sigbus(page_at(mem, 5));
	CHECK_EQ(stat_fd(fd).st_size, 5 * PAGE);
	/* Length 0: the same memory a second time. */
	copy = (char *)MUST(mremap(mem, 0, 6 * PAGE, MREMAP_MAYMOVE));
	page_fill(copy, 21);
	pages_check(mem, 1, 21, 0);
	MUST(munmap(copy, 6 * PAGE));
	copy = map_nothing(6);
	CHECK_EQ((long)mremap(mem, 6 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			      copy), (long)copy);
	tap_check_signal(touch_read, mem, SIGSEGV);
	pages_check(page_at(copy, 1), 3, 6, 1);
	pages_check(page_at(copy, 4), 1, 20, 0);
	mem = (char *)MUST(mremap(copy, 6 * PAGE, PAGE, 0));
	tap_check_signal(touch_read, page_at(copy, 1), SIGSEGV);
	pages_check(mem, 1, 21, 0);
}

static void test_remap_pages(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 4);

	MUST(remap_file_pages(mem, PAGE, 0, 3, 0));
	pages_check(mem, 1, 8, 0);
	pages_check(page_at(mem, 1), 3, 6, 1);
	MUST(munmap(page_at(mem, 1), PAGE));
	tap_check_signal(touch_read, page_at(mem, 1), SIGSEGV);
	pages_check(page_at(mem, 2), 2, 7, 1);
}

static void test_mprotect(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 4);

	pages_fill(mem, 4, 10, 1);
	MUST(mprotect(mem, 2 * PAGE, PROT_READ));
	tap_check_signal(touch_write, mem, SIGSEGV);
	pages_check(mem, 4, 10, 1);
	MUST(mprotect(mem, PAGE, PROT_NONE));
	tap_check_signal(touch_read, mem, SIGSEGV);
	file_put(fd, 0, 1, 20, 0);
	MUST(mprotect(mem, 4 * PAGE, RW));
	pages_check(mem, 1, 20, 0);
	pages_fill(mem, 4, 30, 1);
	file_check(fd, 0, 4, 30, 1);
}

static bool is_mapped(void *addr)
{
	return pfn_of_pid(getpid(), addr) != 0;
}

static void test_mlock(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 6);
	unsigned int i;

	MUST(mlock(mem, 4 * PAGE));
	for (i = 0; i < 4; i++)
		CHECK(is_mapped(page_at(mem, i)));
	CHECK_ERRNO(madvise(mem, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(madvise(mem, PAGE, MADV_REMOVE), EINVAL);
	CHECK_ERRNO(mlock(page_at(mem, 4), PAGE), ENOMEM);
	pages_fill(mem, 4, 10, 1);
	file_check(fd, 0, 4, 10, 1);
	/* A truncation does not ask. */
	MUST(ftruncate(fd, 2 * PAGE));
	check_sigbus(page_at(mem, 2));
	MUST(munlock(mem, 6 * PAGE));
	MUST(madvise(mem, PAGE, MADV_DONTNEED));
	pages_check(mem, 2, 10, 1);
}

static void test_populate(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_with(fd, 0, 6, RW, MAP_SHARED | MAP_POPULATE);
	unsigned int i;

	for (i = 0; i < 4; i++)
		CHECK(is_mapped(page_at(mem, i)));
	CHECK(!is_mapped(page_at(mem, 4)));
	pages_check(mem, 4, 5, 1);
	MUST(ftruncate(fd, 5 * PAGE));
	MUST(madvise(page_at(mem, 4), PAGE, MADV_POPULATE_WRITE));
	CHECK_EQ(used_pages(fd), 5);
	MUST(madvise(mem, 5 * PAGE, MADV_POPULATE_READ));
	CHECK_ERRNO(madvise(mem, 6 * PAGE, MADV_POPULATE_WRITE), EFAULT);
	mem = map_with(fd, 0, 5, RW, MAP_PRIVATE | MAP_POPULATE);
	pages_check(mem, 4, 5, 1);
}

static void test_advice(void)
{
	static const int keeping[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT, MADV_DONTFORK, MADV_DOFORK,
		MADV_DONTDUMP, MADV_DODUMP,
	};
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 4);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(keeping); i++) {
		pages_fill(mem, 4, 5 + i, 1);
		MUST(madvise(mem, 4 * PAGE, keeping[i]));
		pages_check(mem, 4, 5 + i, 1);
		file_check(fd, 0, 4, 5 + i, 1);
	}
	CHECK_ERRNO(madvise(mem, PAGE, MADV_FREE), EINVAL);
	CHECK_ERRNO(madvise(mem, PAGE, MADV_WIPEONFORK), EINVAL);
	CHECK_ERRNO(madvise(mem + 1, PAGE, MADV_DONTNEED), EINVAL);
}

static void test_remove(void)
{
	int fd = file_of("f", 8, 5, 1);
	char *mem = map_with(fd, 2, 6, RW, MAP_SHARED), *other = map_shared(fd, 8);

	pages_check(other, 8, 5, 1);
	MUST(madvise(page_at(mem, 1), 2 * PAGE, MADV_REMOVE));
	pages_check(page_at(mem, 1), 2, 0, 0);
	pages_check(other, 3, 5, 1);
	pages_check(page_at(other, 3), 2, 0, 0);
	pages_check(page_at(other, 5), 3, 10, 1);
	CHECK_EQ(stat_fd(fd).st_size, 8 * PAGE);
	CHECK_ERRNO(madvise(mem + 1, PAGE, MADV_REMOVE), EINVAL);
	MUST(munmap(page_at(mem, 3), PAGE));
	CHECK_ERRNO(madvise(mem, 6 * PAGE, MADV_REMOVE), ENOMEM);
}

static void test_msync(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 4);

	pages_fill(mem, 4, 10, 1);
	MUST(msync(mem, 4 * PAGE, MS_SYNC));
	MUST(msync(mem, 4 * PAGE, MS_ASYNC));
	MUST(msync(mem, 4 * PAGE, MS_SYNC | MS_INVALIDATE));
	file_check(fd, 0, 4, 10, 1);
	CHECK_ERRNO(msync(mem, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERRNO(msync(mem + 1, PAGE, MS_SYNC), EINVAL);
	MUST(munmap(page_at(mem, 3), PAGE));
	CHECK_ERRNO(msync(mem, 4 * PAGE, MS_SYNC), ENOMEM);
}

/* ---- access by others ---- */

static void test_process_vm(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 6), *buf = map_anon(6);
	struct iovec local = { buf, 4 * PAGE }, remote = { mem, 4 * PAGE };
	struct turn turn = turn_make();
	pid_t pid = tap_fork();

	if (!pid) {
		turn_wait(&turn);
		pages_check(mem, 4, 20, 1);
		_exit(0);
	}
	MUST(munmap(mem, 6 * PAGE));
	CHECK_EQ(process_vm_readv(pid, &local, 1, &remote, 1, 0), 4 * PAGE);
	pages_check(buf, 4, 5, 1);
	pages_fill(buf, 4, 20, 1);
	CHECK_EQ(process_vm_writev(pid, &local, 1, &remote, 1, 0), 4 * PAGE);
	file_check(fd, 0, 4, 20, 1);
	/* It ends with the file. */
	remote = (struct iovec){ page_at(mem, 4), PAGE };
	CHECK_ERRNO(process_vm_readv(pid, &local, 1, &remote, 1, 0), EFAULT);
	CHECK_ERRNO(process_vm_writev(pid, &local, 1, &remote, 1, 0), EFAULT);
	turn_pass(&turn);
	tap_join(pid);
}

static void test_proc_mem(void)
{
	int fd = file_of("f", 4, 5, 1), mem_fd = MUST(open("/proc/self/mem", O_RDWR));
	char *mem = map_shared(fd, 4), *buf = map_anon(4);
	char *ro = map_with(fd, 0, 4, PROT_READ, MAP_PRIVATE);

	CHECK_EQ(pread(mem_fd, buf, 4 * PAGE, (off_t)mem), 4 * PAGE);
	pages_check(buf, 4, 5, 1);
	page_fill(buf, 20);
	CHECK_EQ(pwrite(mem_fd, buf, PAGE, (off_t)page_at(mem, 2)), PAGE);
	file_check(fd, 2, 1, 20, 0);
	/* As a debugger: a copy in a mapping that is only read. */
	CHECK_EQ(debugger_write(buf, PAGE, page_at(ro, 1)), PAGE);
	pages_check(page_at(ro, 1), 1, 20, 0);
	file_check(fd, 1, 1, 6, 0);
}

static void test_ptrace(void)
{
	int fd = file_of("f", 2, 5, 1), status;
	char *mem = map_shared(fd, 2), *ro = map_with(fd, 0, 2, PROT_READ, MAP_PRIVATE);
	char *sealed = map_with(MUST(open("f", O_RDONLY)), 0, 2, PROT_READ, MAP_SHARED);
	pid_t pid = tap_fork();

	if (!pid) {
		MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		raise(SIGSTOP);
		CHECK_EQ(*(u64 *)mem, 0x1234);
		CHECK_EQ(*(u64 *)page_at(ro, 1), 0x5678);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, mem + 16, NULL), (s64)seed_word(5, 2));
	MUST(ptrace(PTRACE_POKEDATA, pid, mem, 0x1234));
	MUST(ptrace(PTRACE_POKEDATA, pid, page_at(ro, 1), 0x5678));
	CHECK_ERRNO(ptrace(PTRACE_POKEDATA, pid, sealed, 1), EIO);
	CHECK_EQ(*(u64 *)mem, 0x1234);
	file_check(fd, 1, 1, 6, 0);
	MUST(ptrace(PTRACE_CONT, pid, NULL, NULL));
	tap_join(pid);
}

static void send_fd(int socket, int fd)
{
	char c = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	CHECK_EQ(sendmsg(socket, &msg, 0), 1);
}

static int receive_fd(int socket)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	CHECK_EQ(recvmsg(socket, &msg, 0), 1);
	CHECK(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* An ordinary user who could not have opened it. */
static void test_pass_fd(void)
{
	int pair[2], fd;
	char *mem;
	pid_t pid;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = tap_fork();
	if (!pid) {
		become(1000);
		fd = receive_fd(pair[1]);
		mem = map_shared(fd, 4);
		pages_check(mem, 4, 5, 1);
		pages_fill(mem, 2, 20, 1);
		file_put(fd, 2, 2, 22, 1);
		CHECK_EQ(write(pair[1], "", 1), 1);
		CHECK_EQ(recv(pair[1], &fd, 1, 0), 1);
		pages_check(mem, 4, 30, 1);
		_exit(0);
	}
	fd = file_of("f", 4, 5, 1);
	MUST(fchmod(fd, 0));
	mem = map_shared(fd, 4);
	MUST(unlink("f"));
	send_fd(pair[0], fd);
	MUST(close(fd));
	CHECK_EQ(recv(pair[0], &fd, 1, 0), 1);
	pages_check(mem, 4, 20, 1);
	pages_fill(mem, 4, 30, 1);
	CHECK_EQ(write(pair[0], "", 1), 1);
	tap_join(pid);
}

static long futex(u32 *word, int op, u32 val, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, val, timeout, NULL, 0);
}

/* Found by file and offset: at other addresses, in other processes. */
static void test_futex(void)
{
	static const struct timespec patience = { .tv_sec = 60 };
	int fd = file_sparse("f", 2);
	u32 *word = (u32 *)map_shared(fd, 2), *other;
	unsigned int i;
	pid_t pid;

	touch_write(page_at(word, 1));
	pid = tap_fork();
	if (!pid) {
		other = (u32 *)map_with(fd, 0, 2, RW, MAP_SHARED);
		MUST(munmap(word, 2 * PAGE));
		for (i = 0; i < 1000; i++) {
			while (__atomic_load_n(other, __ATOMIC_SEQ_CST) != 2 * i + 1)
				if (futex(other, FUTEX_WAIT, 2 * i, &patience))
					CHECK(errno == EAGAIN || errno == EINTR);
			__atomic_store_n(other, 2 * i + 2, __ATOMIC_SEQ_CST);
			MUST(futex(other, FUTEX_WAKE, 1, NULL));
		}
		_exit(0);
	}
	for (i = 0; i < 1000; i++) {
		__atomic_store_n(word, 2 * i + 1, __ATOMIC_SEQ_CST);
		MUST(futex(word, FUTEX_WAKE, 1, NULL));
		while (__atomic_load_n(word, __ATOMIC_SEQ_CST) != 2 * i + 2)
			if (futex(word, FUTEX_WAIT, 2 * i + 1, &patience))
				CHECK(errno == EAGAIN || errno == EINTR);
	}
	tap_join(pid);
}

/* ---- devices ---- */

/* A loop device on the file @name, which it keeps until it is closed. */
static int loop_of(const char *name, int flags)
{
	int control, fd, file = MUST(open(name, O_RDWR | O_CLOEXEC));
	long number;
	char path[32];

	if (system("modprobe -q loop") || access("/dev/loop-control", R_OK))
		tap_skip("the host has no loop devices");
	control = MUST(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
	number = MUST(ioctl(control, LOOP_CTL_GET_FREE));
	snprintf(path, sizeof(path), "/dev/loop%ld", number);
	mknod(path, S_IFBLK | 0600, makedev(7, number));
	fd = MUST(open(path, O_RDWR | O_CLOEXEC | flags));
	MUST(ioctl(fd, LOOP_SET_FD, file));
	MUST(close(file));
	return fd;
}

static void test_direct_io(void)
{
	static const char name[] = "/tmp/ksm_filemap.disk";
	int fd = file_of("f", 8, 5, 1), disk, loop;
	char *mem = map_shared(fd, 8), *private = map_private(fd, 8);

	unlink(name);
	disk = file_of(name, 8, 100, 1);
	loop = loop_of(name, O_DIRECT);
	unlink(name);
	CHECK_EQ(pread(loop, page_at(mem, 1), 4 * PAGE, 0), 4 * PAGE);
	file_check(fd, 0, 1, 5, 0);
	file_check(fd, 1, 4, 100, 1);
	file_check(fd, 5, 3, 10, 1);
	MUST(madvise(mem, 8 * PAGE, MADV_DONTNEED));
	CHECK_EQ(pread(loop, page_at(mem, 6) + 512, 1024, 512), 1024);
	CHECK(!memcmp(page_at(mem, 6) + 512, page_at(mem, 1) + 512, 1024));
	CHECK_EQ(pread(loop, page_at(private, 7), PAGE, 0), PAGE);
	file_check(fd, 7, 1, 12, 0);
	CHECK_EQ(pwrite(loop, mem, PAGE, 0), PAGE);
	MUST(fsync(loop));
	MUST(ioctl(loop, LOOP_CLR_FD, 0));
	file_check(disk, 0, 1, 5, 0);
}

/* The file as a disk: the kernel reads and writes it by itself. */
static void test_loop(void)
{
	int fd = file_of("f", 64, 5, 1), loop = loop_of("f", 0);
	char *buf = map_anon(64);

	CHECK_EQ(pread(loop, buf, 64 * PAGE, 0), 64 * PAGE);
	pages_check(buf, 64, 5, 1);
	pages_fill(buf, 64, 200, 1);
	CHECK_EQ(pwrite(loop, buf, 64 * PAGE, 0), 64 * PAGE);
	MUST(fsync(loop));
	file_check(fd, 0, 64, 200, 1);
	MUST(ioctl(loop, LOOP_CLR_FD, 0));
}

/* ---- the end of a mount ---- */

static void test_umount_busy(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem;

	MUST(chdir("/"));
	CHECK_ERRNO(fs_umount(fs_folder, 0), EBUSY);
	mem = map_shared(fd, 4);
	MUST(close(fd));
	CHECK_ERRNO(fs_umount(fs_folder, 0), EBUSY);
	MUST(munmap(mem, 4 * PAGE));
	MUST(chdir(fs_folder));
	CHECK_ERRNO(fs_umount(fs_folder, 0), EBUSY);
	MUST(chdir("/"));
	MUST(fs_umount(fs_folder, 0));
	fs_mount("");
	CHECK(!exists("f"));
}

static void test_umount_lazy(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 4);

	MUST(fs_umount(fs_folder, MNT_DETACH));
	pages_check(mem, 4, 5, 1);
	pages_fill(mem, 4, 20, 1);
	MUST(ftruncate(fd, 6 * PAGE));
	file_put(fd, 4, 2, 24, 1);
	file_check(fd, 0, 6, 20, 1);
	MUST(close(fd));
	pages_check(mem, 4, 20, 1);
	MUST(munmap(mem, 4 * PAGE));
	fs_mount("");
	CHECK(!exists("f"));
}

static void test_unlinked(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 4);

	MUST(unlink("f"));
	CHECK_EQ(stat_fd(fd).st_nlink, 0);
	MUST(close(file_of("f", 4, 50, 1)));
	pages_check(mem, 4, 5, 1);
	MUST(ftruncate(fd, 8 * PAGE));
	file_put(fd, 4, 4, 9, 1);
	file_check(fd, 0, 8, 5, 1);
	MUST(close(fd));
	pages_fill(mem, 4, 60, 1);
	pages_check(mem, 4, 60, 1);
	fd = MUST(open("f", O_RDONLY));
	file_check(fd, 0, 4, 50, 1);
}

/* ---- what is said about a mapping ---- */

static bool maps_line(const void *addr, char *line, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start;
	bool found = false;

	CHECK(maps);
	while (!found && fgets(line, size, maps))
		found = sscanf(line, "%lx-", &start) == 1 &&
			start == (unsigned long)addr;
	fclose(maps);
	return found;
}

static void test_proc_files(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_with(fd, 1, 3, PROT_READ, MAP_SHARED), line[512], want[128];
	static char buf[65536];
	struct stat st = stat_fd(fd);

	CHECK(maps_line(mem, line, sizeof(line)));
	snprintf(want, sizeof(want), "r--s 00001000 %02x:%02x %lu ", major(st.st_dev),
		 minor(st.st_dev), st.st_ino);
	CHECK(strstr(line, want));
	snprintf(want, sizeof(want), "%s/f\n", fs_folder);
	CHECK(strstr(line, want));
	MUST(unlink("f"));
	CHECK(maps_line(mem, line, sizeof(line)));
	CHECK(strstr(line, "/f (deleted)\n"));
	pages_check(mem, 3, 6, 1);
	CHECK(file_read("/proc/self/smaps", buf, sizeof(buf)) > 0);
	CHECK(file_read("/proc/self/smaps_rollup", buf, sizeof(buf)) > 0);
	CHECK(file_read("/proc/self/numa_maps", buf, sizeof(buf)) != 0);
}

static void test_userfault(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = file_sparse("f", 4), uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_register reg = {
		.range = { (unsigned long)map_shared(fd, 4), 4 * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	MUST(uffd);
	MUST(ioctl(uffd, UFFDIO_API, &api));
	if (fs_is_ksm)
		CHECK_ERRNO(ioctl(uffd, UFFDIO_REGISTER, &reg), EINVAL);
	else
		MUST(ioctl(uffd, UFFDIO_REGISTER, &reg));
}

/* ksmfs is mounted as if with noexec. */
static void test_exec(void)
{
	static const char script[] = "#!/bin/sh\nexit 0\n";
	int fd = file_new("f");
	static char *const argv[] = { "f", NULL };
	char *mem;

	CHECK_EQ(write(fd, script, strlen(script)), strlen(script));
	MUST(fchmod(fd, 0755));
	mem = map_shared(fd, 1);
	if (!fs_is_ksm) {
		MUST(mprotect(mem, PAGE, PROT_READ | PROT_EXEC));
		return;
	}
	CHECK_ERRNO(mprotect(mem, PAGE, PROT_READ | PROT_EXEC), EACCES);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0), EPERM);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0), EPERM);
	MUST(close(fd));
	CHECK_ERRNO(execv("f", argv), EACCES);
}

static const struct tap_test tests[] = {
	{ "SIGBUS beyond the end of the file", test_beyond_the_end },
	{ "truncate under a mapping: nothing comes back", test_truncate_mapped },
	{ "truncate takes private copies", test_truncate_private },
	{ "faults that race with truncate", test_truncate_race },
	{ "faults that race with holes", test_punch_race },
	{ "fallocate that fails shows no other size", test_allocate_race },
	{ "shared mappings and descriptors are coherent", test_shared },
	{ "what cannot be mapped", test_map_errors },
	{ "a private mapping sees writes before its own", test_private },
	{ "a private mapping of a hole", test_private_hole },
	{ "fork", test_fork },
	{ "mremap", test_mremap },
	{ "remap_file_pages and holes in a mapping", test_remap_pages },
	{ "mprotect", test_mprotect },
	{ "mlock", test_mlock },
	{ "MAP_POPULATE, MADV_POPULATE_READ and _WRITE", test_populate },
	{ "advice keeps the contents", test_advice },
	{ "MADV_REMOVE", test_remove },
	{ "msync", test_msync },
	{ "process_vm_readv and process_vm_writev", test_process_vm },
	{ "/proc/self/mem", test_proc_mem },
	{ "ptrace", test_ptrace },
	{ "SCM_RIGHTS", test_pass_fd },
	{ "futexes of two processes", test_futex },
	{ "O_DIRECT into a mapping", test_direct_io },
	{ "a loop device on the file", test_loop },
	{ "umount of what is in use gives EBUSY", test_umount_busy },
	{ "a mapping outlives a lazy umount", test_umount_lazy },
	{ "a mapping and a descriptor of an unlinked file", test_unlinked },
	{ "/proc tells of a mapping", test_proc_files },
	{ "userfaultfd", test_userfault },
	{ "execution", test_exec },
};

int main(int argc, char **argv)
{
	return fs_main(argc, argv, tests, ARRAY_SIZE(tests));
}
