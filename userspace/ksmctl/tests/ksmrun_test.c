// SPDX-License-Identifier: GPL-2.0
/*
 * An ordinary program that uses madvise(MADV_MERGEABLE), for the tests of
 * "ksmctl run":
 *
 *   ksmrun_test list         names the cases
 *   ksmrun_test CASE         runs one; prints what is wrong, status 0 if nothing
 *   ksmrun_test hold MIB     fills memory with the same content as every other
 *                            holder, prints "ready", waits for its input to
 *                            close and checks the content
 *   ksmrun_test as-user UID CMD...
 *                            runs the command as somebody else
 *
 * It knows nothing of the preload library but for asking whether memory is in
 * an area.  Run without "ksmctl run" it checks that the kernel agrees with what
 * the cases expect, for the library is to make no difference.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/ksmdev.h>

#define PAGE	4096UL
#define MIB	(1UL << 20)
#define SIZE	(4 * MIB)
#define RW	(PROT_READ | PROT_WRITE)

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static bool preloaded;

static void __attribute__((noreturn, format(printf, 2, 3)))
fail(int line, const char *format, ...)
{
	va_list args;

	printf("# line %d: ", line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

#define expect(what)							\
	do {								\
		if (!(what))						\
			fail(__LINE__, "expected %s (errno %d, %s)",	\
			     #what, errno, strerror(errno));		\
	} while (0)

#define expect_error(what, error)					\
	do {								\
		errno = 0;						\
		if ((what) != -1 || errno != (error))			\
			fail(__LINE__, "expected %s to fail with %s, got errno %d", \
			     #what, #error, errno);			\
	} while (0)

static char *map(size_t len)
{
	char *p = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	return p;
}

/* Each page has its own content, given by its number in the range and seed. */
static uint64_t word(uint64_t seed, size_t page, size_t i)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + page * 512 + i + 1;

	x ^= x >> 31;
	return x * 0xd6e8feb86659fd93ULL;
}

static void fill(void *memory, size_t len, uint64_t seed)
{
	uint64_t *p = memory;
	size_t i;

	for (i = 0; i < len / 8; i++)
		p[i] = word(seed, i / 512, i % 512);
}

#define check(memory, len, seed) check_from(__LINE__, memory, len, seed, 0)

/* The content of a part of a range, which starts with page @first. */
static void check_from(int line, const void *memory, size_t len,
		       uint64_t seed, size_t first)
{
	const uint64_t *p = memory;
	size_t i;

	for (i = 0; i < len / 8; i++)
		if (p[i] != word(seed, first + i / 512, i % 512))
			fail(line, "wrong content in page %zu, word %zu: %llx",
			     i / 512, i % 512, (unsigned long long)p[i]);
}

#define check_zero(memory, len) check_zero_at(__LINE__, memory, len)

static void check_zero_at(int line, const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			fail(line, "byte %zu is %d, not 0", i, p[i]);
}

/* Bytes of the range that are mapped to /dev/ksm. */
static size_t in_area(const void *memory, size_t len)
{
	uintptr_t start = (uintptr_t)memory, end = start + len;
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	size_t bytes = 0;
	char line[512];

	expect(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &from, &to) != 2 ||
		    !strstr(line, "/dev/ksm"))
			continue;
		from = from > start ? from : start;
		to = to < end ? to : end;
		if (from < to)
			bytes += to - from;
	}
	fclose(maps);
	return bytes;
}

#define expect_taken(memory, len, bytes)				\
	expect_taken_at(__LINE__, memory, len, bytes)

static void expect_taken_at(int line, const void *memory, size_t len,
			    size_t bytes)
{
	size_t taken = in_area(memory, len);

	if (preloaded && taken != bytes)
		fail(line, "expected %zu bytes in /dev/ksm, got %zu", bytes,
		     taken);
}

static char *mergeable(size_t len, uint64_t seed)
{
	char *p = map(len);

	fill(p, len, seed);
	expect(!madvise(p, len, MADV_MERGEABLE));
	expect_taken(p, len, len);
	return p;
}

/* A full pass of our domain, in private ones by the descriptor we are given. */
static int domain(void)
{
	struct ksm_set_domain join = { .flags = KSM_DOMAIN_JOIN };
	const char *other = getenv("KSMRUN_DOMAIN_FD");
	int fd = open("/dev/ksm", O_RDWR | O_CLOEXEC);

	expect(fd >= 0);
	if (other) {
		join.fd = atoi(other);
		expect(!ioctl(fd, KSM_SET_DOMAIN, &join));
	}
	return fd;
}

static void scan(void)
{
	struct ksm_scan pass = { .flags = KSM_SCAN_FORCE };
	int fd;

	if (!preloaded)
		return;
	fd = domain();
	expect(!ioctl(fd, KSM_SCAN, &pass));
	close(fd);
}

/* Pages that are merged, zeroes included. */
static uint64_t merged(void)
{
	struct ksm_stats stats = { .flags = KSM_STATS_DOMAIN };
	int fd = domain();

	expect(!ioctl(fd, KSM_GET_STATS, &stats));
	close(fd);
	return stats.pages_merged + stats.ksm_zero_pages;
}

static void expect_merged(uint64_t before, uint64_t pages)
{
	if (!preloaded)
		return;
	if (merged() < before + pages)
		fail(__LINE__, "expected %llu pages merged, got %llu",
		     (unsigned long long)(before + pages),
		     (unsigned long long)merged());
}

static void wait_for(pid_t child)
{
	int status;

	expect(child > 0);
	expect(waitpid(child, &status, 0) == child);
	if (status)
		fail(__LINE__, "the child ended with status %#x", status);
}

/* Two ranges of one process with the same content. */
static void case_merge(void)
{
	uint64_t before = preloaded ? merged() : 0;
	char *a = mergeable(SIZE, 1), *b = mergeable(SIZE, 1);

	scan();
	expect_merged(before, 2 * SIZE / PAGE);
	check(a, SIZE, 1);
	check(b, SIZE, 1);
	fill(a, PAGE, 2);
	check(a, PAGE, 2);
	check(b, SIZE, 1);
}

/* malloc()'s memory, and free() that unmaps it without our library. */
static void case_malloc(void)
{
	char *p, *aligned;
	int i;

	for (i = 0; i < 5; i++) {
		p = malloc(SIZE + PAGE);
		expect(p);
		aligned = (char *)(((uintptr_t)p + PAGE - 1) & -PAGE);
		fill(aligned, SIZE, i);
		expect(!madvise(aligned, SIZE, MADV_MERGEABLE));
		expect_taken(aligned, SIZE, SIZE);
		scan();
		check(aligned, SIZE, i);
		free(p);
	}
	p = calloc(1, SIZE);
	expect(p);
	check_zero(p, SIZE);
	free(p);
}

static void case_unmerge(void)
{
	char *a = mergeable(SIZE, 1), *b = mergeable(SIZE, 1);
	uint64_t before;

	scan();
	before = preloaded ? merged() : 0;
	expect(!madvise(a, SIZE, MADV_UNMERGEABLE));
	if (preloaded)
		expect(merged() + SIZE / PAGE <= before);
	scan();
	if (preloaded)
		expect(merged() + SIZE / PAGE <= before);
	check(a, SIZE, 1);
	expect(!madvise(a, SIZE, MADV_MERGEABLE));
	scan();
	expect_merged(before, 0);
	check(a, SIZE, 1);
	check(b, SIZE, 1);
}

static void case_dontneed(void)
{
	char *p = mergeable(SIZE, 1);

	scan();
	expect(!madvise(p + MIB, MIB, MADV_DONTNEED));
	check(p, MIB, 1);
	check_zero(p + MIB, MIB);
	check_from(__LINE__, p + 2 * MIB, SIZE - 2 * MIB, 1, 512);
	fill(p + MIB, MIB, 3);
	check(p + MIB, MIB, 3);
	expect(!madvise(p + MIB, PAGE, MADV_FREE));
	fill(p + MIB, PAGE, 4);
	check(p + MIB, PAGE, 4);
	if (preloaded) {
		expect(!madvise(p + MIB, PAGE, MADV_REMOVE));
		check_zero(p + MIB, PAGE);
	}
	expect(!mlock(p, PAGE));
	expect_error(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
	check(p, PAGE, 1);
}

/* A call that covers memory of both kinds. */
static void case_split(void)
{
	char *p = map(3 * SIZE);

	fill(p, 3 * SIZE, 1);
	expect(!madvise(p + SIZE, SIZE, MADV_MERGEABLE));
	expect_taken(p, 3 * SIZE, SIZE);
	expect(!madvise(p + SIZE / 2, 2 * SIZE, MADV_DONTNEED));
	check(p, SIZE / 2, 1);
	check_zero(p + SIZE / 2, 2 * SIZE);
	check_from(__LINE__, p + 5 * SIZE / 2, SIZE / 2, 1, 5 * SIZE / 2 / PAGE);
	fill(p, 3 * SIZE, 2);
	expect(!madvise(p, 3 * SIZE, MADV_MERGEABLE));
	expect_taken(p, 3 * SIZE, 3 * SIZE);
	check(p, 3 * SIZE, 2);
	expect(!munmap(p, 3 * SIZE));
}

static void case_fork(void)
{
	char *p = mergeable(SIZE, 1);
	int to_child[2];
	pid_t child;
	char go;

	scan();
	expect(!pipe(to_child));
	child = fork();
	if (!child) {
		expect(read(to_child[0], &go, 1) == 1);
		check(p, SIZE, 1);
		expect_taken(p, SIZE, SIZE);
		fill(p + MIB, MIB, 5);
		scan();
		check(p, MIB, 1);
		check(p + MIB, MIB, 5);
		child = fork();
		if (!child) {
			check(p + MIB, MIB, 5);
			fill(p, SIZE, 6);
			check(p, SIZE, 6);
			_exit(0);
		}
		wait_for(child);
		check(p, MIB, 1);
		check(p + MIB, MIB, 5);
		_exit(0);
	}
	fill(p, MIB, 7);
	expect(write(to_child[1], "g", 1) == 1);
	wait_for(child);
	check(p, MIB, 7);
	check_from(__LINE__, p + MIB, SIZE - MIB, 1, 256);
	expect_taken(p, SIZE, SIZE);
}

/* A child's copy merges with the parent's. */
static void case_fork_merge(void)
{
	uint64_t before;
	char *p = mergeable(SIZE, 11);
	pid_t child;

	scan();
	before = preloaded ? merged() : 0;
	child = fork();
	if (!child) {
		scan();
		expect_merged(before, SIZE / PAGE);
		check(p, SIZE, 11);
		_exit(0);
	}
	wait_for(child);
	check(p, SIZE, 11);
}

static void case_fork_prot(void)
{
	char *p = mergeable(SIZE, 1);
	pid_t child;

	expect(!mprotect(p, MIB, PROT_NONE));
	expect(!mprotect(p + MIB, MIB, PROT_READ));
	child = fork();
	if (!child) {
		expect_error(write(STDOUT_FILENO, p, 1), EFAULT);
		check_from(__LINE__, p + MIB, MIB, 1, 256);
		expect_error(read(open("/dev/zero", O_RDONLY), p + MIB, 1),
			     EFAULT);
		expect(!mprotect(p, SIZE, RW));
		check(p, SIZE, 1);
		fill(p, SIZE, 2);
		check(p, SIZE, 2);
		_exit(0);
	}
	wait_for(child);
	expect(!mprotect(p, SIZE, RW));
	check(p, SIZE, 1);
}

static void case_fork_advice(void)
{
	char *p = mergeable(SIZE, 1);
	unsigned char vec[1];
	pid_t child;

	expect(!madvise(p, MIB, MADV_DONTFORK));
	expect(!madvise(p + MIB, MIB, MADV_WIPEONFORK));
	expect(!madvise(p + 2 * MIB, MIB, MADV_DONTFORK));
	expect(!madvise(p + 2 * MIB, MIB, MADV_DOFORK));
	child = fork();
	if (!child) {
		expect_error(mincore(p, PAGE, vec), ENOMEM);
		check_zero(p + MIB, MIB);
		check_from(__LINE__, p + 2 * MIB, 2 * MIB, 1, 512);
		fill(p + 2 * MIB, MIB, 2);
		_exit(0);
	}
	wait_for(child);
	check(p, SIZE, 1);
}

static void case_vfork(void)
{
	char *p = mergeable(SIZE, 1);

	expect(!system("true"));
	check(p, SIZE, 1);
	expect_taken(p, SIZE, SIZE);
}

static void case_mremap(void)
{
	char *p = mergeable(SIZE, 1), *q, *spot;

	/* Shrink, grow, move. */
	expect(mremap(p, SIZE, SIZE - MIB, 0) == p);
	check(p, SIZE - MIB, 1);
	q = mremap(p, SIZE - MIB, 2 * SIZE, MREMAP_MAYMOVE);
	expect(q != MAP_FAILED);
	check(q, SIZE - MIB, 1);
	check_zero(q + SIZE - MIB, SIZE + MIB);
	fill(q, 2 * SIZE, 2);
	scan();
	check(q, 2 * SIZE, 2);
	spot = map(2 * SIZE);
	p = mremap(q, 2 * SIZE, 2 * SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, spot);
	expect(p == spot);
	check(p, 2 * SIZE, 2);
	expect_taken(p, 2 * SIZE, 2 * SIZE);
	/* What moved is still known. */
	expect(!madvise(p, MIB, MADV_DONTNEED));
	check_zero(p, MIB);
	check_from(__LINE__, p + MIB, MIB, 2, 256);
	/* Errors change nothing. */
	expect_error((long)mremap(p, 0, SIZE, MREMAP_MAYMOVE), EINVAL);
	expect_error((long)mremap(p, SIZE, 0, MREMAP_MAYMOVE), EINVAL);
	expect_error((long)mremap(p, SIZE, SIZE, MREMAP_FIXED, spot), EINVAL);
	check_from(__LINE__, p + MIB, MIB, 2, 256);
}

/* Growth must not reach what is behind in the area. */
static void case_mremap_alias(void)
{
	char *a = mergeable(SIZE, 1), *b = mergeable(SIZE, 2), *c;

	c = mremap(a, SIZE, 3 * SIZE, MREMAP_MAYMOVE);
	expect(c != MAP_FAILED);
	check(c, SIZE, 1);
	check_zero(c + SIZE, 2 * SIZE);
	fill(c, 3 * SIZE, 3);
	check(b, SIZE, 2);
	check(c, 3 * SIZE, 3);
}

static void case_mremap_dontunmap(void)
{
	char *p = mergeable(SIZE, 1), *q;

	q = mremap(p, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	expect(q != MAP_FAILED && q != p);
	check(q, SIZE, 1);
	check_zero(p, SIZE);
	fill(p, SIZE, 2);
	check(q, SIZE, 1);
}

static void case_munmap(void)
{
	char *p = mergeable(SIZE, 1), *q;
	unsigned char vec[1];

	expect(!munmap(p + MIB, MIB));
	check(p, MIB, 1);
	check_from(__LINE__, p + 2 * MIB, 2 * MIB, 1, 512);
	expect_error(mincore(p + MIB, PAGE, vec), ENOMEM);
	expect_error(madvise(p, SIZE, MADV_DONTNEED), ENOMEM);
	check_zero(p, MIB);
	check_zero(p + 2 * MIB, 2 * MIB);
	q = mmap(p + MIB, MIB, RW,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	expect(q == p + MIB);
	check_zero(q, MIB);
	fill(p, SIZE, 2);
	expect(!madvise(p, SIZE, MADV_MERGEABLE));
	expect_taken(p, SIZE, SIZE);
	check(p, SIZE, 2);
	expect(!munmap(p, SIZE));
	expect_error(madvise(p, SIZE, MADV_MERGEABLE), ENOMEM);
}

static void case_map_fixed(void)
{
	char *p = mergeable(SIZE, 1), *q;

	q = mmap(p + MIB, MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0);
	expect(q == p + MIB);
	check_zero(q, MIB);
	expect_taken(p, SIZE, SIZE - MIB);
	fill(q, MIB, 2);
	expect(!madvise(p, 2 * MIB, MADV_DONTNEED));
	check_zero(p, 2 * MIB);
	check_from(__LINE__, p + 2 * MIB, 2 * MIB, 1, 512);
}

/* Unmapped and mapped again without any wrapper, as libc does it. */
static void case_stale(void)
{
	char *p = mergeable(SIZE, 1), *q;
	pid_t child;
	long addr;

	expect(!syscall(SYS_munmap, p + MIB, MIB));
	addr = syscall(SYS_mmap, p + MIB, MIB, RW,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	expect(addr == (long)(p + MIB));
	fill(p + MIB, MIB, 2);
	child = fork();
	if (!child) {
		check(p, MIB, 1);
		check(p + MIB, MIB, 2);
		_exit(0);
	}
	wait_for(child);
	expect(!madvise(p, 2 * MIB, MADV_DONTNEED));
	check_zero(p, 2 * MIB);
	check_from(__LINE__, p + 2 * MIB, 2 * MIB, 1, 512);

	/* All of it is gone and the library asked first thereafter. */
	q = mergeable(SIZE, 3);
	expect(!syscall(SYS_munmap, q, SIZE));
	expect_error(madvise(q, SIZE, MADV_UNMERGEABLE), ENOMEM);
	expect_error(madvise(q, SIZE, MADV_DONTNEED), ENOMEM);
	expect(!munmap(q, SIZE));
}

/* Daemons close what they do not know. */
static void case_close_all(void)
{
	char *p = mergeable(SIZE, 1), *q;
	pid_t child;
	int fd;

	for (fd = 3; fd < 4096; fd++)
		close(fd);
	check(p, SIZE, 1);
	expect(!madvise(p, MIB, MADV_DONTNEED));
	check_zero(p, MIB);
	check_from(__LINE__, p + MIB, SIZE - MIB, 1, 256);
	if (preloaded)
		expect_error(madvise(p + MIB, MIB, MADV_UNMERGEABLE), EAGAIN);
	check_from(__LINE__, p + MIB, SIZE - MIB, 1, 256);
	q = mergeable(SIZE, 2);
	for (fd = 3; fd < 4096; fd++)
		close(fd);
	child = fork();
	if (!child) {
		check_zero(p, MIB);
		check_from(__LINE__, p + MIB, SIZE - MIB, 1, 256);
		check(q, SIZE, 2);
		_exit(0);
	}
	wait_for(child);
	check(q, SIZE, 2);
}

static void case_read_only(void)
{
	char *p = map(3 * SIZE);

	fill(p, 3 * SIZE, 1);
	expect(!mprotect(p + SIZE, SIZE, PROT_READ));
	expect(!madvise(p + SIZE, SIZE, MADV_MERGEABLE));
	expect_taken(p, 3 * SIZE, 0);
	expect(!madvise(p, 3 * SIZE, MADV_MERGEABLE));
	expect_taken(p, 3 * SIZE, 2 * SIZE);
	check(p, 3 * SIZE, 1);
	expect(!mprotect(p, 3 * SIZE, RW));
	fill(p, 3 * SIZE, 2);
	check(p, 3 * SIZE, 2);
}

/* What KSM ignores, the library leaves alone. */
static void case_refused(void)
{
	char *p = mmap(NULL, SIZE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char stack[4 * PAGE], *q;

	expect(p != MAP_FAILED);
	fill(p, SIZE, 1);
	expect(!madvise(p, SIZE, MADV_MERGEABLE));
	expect_taken(p, SIZE, 0);
	check(p, SIZE, 1);

	q = (char *)(((uintptr_t)stack + PAGE - 1) & -PAGE);
	fill(q, PAGE, 2);
	expect(!madvise(q, PAGE, MADV_MERGEABLE));
	expect_taken(q, PAGE, 0);
	check(q, PAGE, 2);
}

/* What the limit does not allow stays as it is, and fork() copies it. */
static void case_limit(void)
{
	struct rlimit limit = { MIB, MIB };
	pid_t child;
	char *p;

	if (!geteuid())
		expect(!syscall(SYS_setresuid, 65534, 65534, 65534));
	expect(!setrlimit(RLIMIT_MEMLOCK, &limit));
	p = map(SIZE);
	fill(p, SIZE, 1);
	expect(!madvise(p, SIZE, MADV_MERGEABLE));
	expect(in_area(p, SIZE) <= MIB);
	check(p, SIZE, 1);
	child = fork();
	if (!child) {
		check(p, SIZE, 1);
		fill(p, SIZE, 2);
		check(p, SIZE, 2);
		_exit(0);
	}
	wait_for(child);
	check(p, SIZE, 1);
}

static void case_errors(void)
{
	char *p = map(SIZE);

	expect_error(madvise(p + 1, PAGE, MADV_MERGEABLE), EINVAL);
	expect_error(madvise(p, (size_t)-1, MADV_MERGEABLE), EINVAL);
	expect(!madvise(p, 0, MADV_MERGEABLE));
	expect_error(madvise(p, SIZE, 12345), EINVAL);
	fill(p, SIZE, 1);
	expect(!munmap(p + MIB, MIB));
	expect_error(madvise(p, SIZE, MADV_MERGEABLE), ENOMEM);
	expect_taken(p, MIB, MIB);
	expect_taken(p + 2 * MIB, 2 * MIB, 2 * MIB);
	check(p, MIB, 1);
	expect_error(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	expect_error(madvise(p, SIZE, 12345), EINVAL);
	expect_error(munmap(p + 1, PAGE), EINVAL);
	errno = 77;
	expect(!madvise(p, MIB, MADV_DONTNEED));
	expect(errno == 77);
	/* A length that is no multiple of the page size is rounded up. */
	fill(p, MIB, 2);
	expect(!madvise(p, PAGE + 1, MADV_DONTNEED));
	check_zero(p, 2 * PAGE);
	check_from(__LINE__, p + 2 * PAGE, PAGE, 2, 2);
}

#define WRITERS 3

static volatile bool stop_writers;

/**
 * struct writer - a thread that counts in memory
 * @memory:	a counter in each page
 * @rounds:	what each counter is at the end
 */
struct writer {
	uint64_t *memory;
	uint64_t rounds;
};

static void *count_up(void *arg)
{
	struct writer *writer = arg;
	size_t page;

	while (!stop_writers) {
		for (page = 0; page < SIZE / PAGE; page++)
			writer->memory[page * 512]++;
		writer->rounds++;
	}
	return NULL;
}

/* No update is lost while memory is handed over, merged and unmerged. */
static void case_threads(void)
{
	struct writer writers[WRITERS] = { 0 };
	pthread_t threads[WRITERS];
	size_t page;
	int i, round;

	for (i = 0; i < WRITERS; i++) {
		writers[i].memory = (uint64_t *)map(SIZE);
		expect(!pthread_create(&threads[i], NULL, count_up,
				       &writers[i]));
	}
	for (round = 0; round < 5; round++) {
		for (i = 0; i < WRITERS; i++)
			expect(!madvise(writers[i].memory, SIZE,
					MADV_MERGEABLE));
		scan();
		for (i = 0; i < WRITERS; i++)
			expect(!madvise(writers[i].memory, SIZE,
					MADV_UNMERGEABLE));
	}
	stop_writers = true;
	for (i = 0; i < WRITERS; i++) {
		expect(!pthread_join(threads[i], NULL));
		for (page = 0; page < SIZE / PAGE; page++)
			expect(writers[i].memory[page * 512] ==
			       writers[i].rounds);
	}
}

static void *fork_often(void *arg)
{
	char *p = arg;
	pid_t child;
	int i;

	for (i = 0; i < 10; i++) {
		child = fork();
		if (!child) {
			check(p, SIZE / 4, 1);
			_exit(0);
		}
		wait_for(child);
	}
	return NULL;
}

static void *map_often(void *arg)
{
	char *p;

	(void)arg;
	while (!stop_writers) {
		p = map(16 * PAGE);
		fill(p, 16 * PAGE, 1);
		expect(!madvise(p, 16 * PAGE, MADV_MERGEABLE));
		check(p, 16 * PAGE, 1);
		expect(!munmap(p, 16 * PAGE));
		free(malloc(300));
	}
	return NULL;
}

static void case_fork_threads(void)
{
	char *p = mergeable(SIZE / 4, 1);
	pthread_t forker, mapper;

	expect(!pthread_create(&mapper, NULL, map_often, NULL));
	expect(!pthread_create(&forker, NULL, fork_often, p));
	expect(!pthread_join(forker, NULL));
	stop_writers = true;
	expect(!pthread_join(mapper, NULL));
	check(p, SIZE / 4, 1);
}

static char *signal_memory;
static volatile sig_atomic_t signals;

static void on_alarm(int number)
{
	(void)number;
	madvise(signal_memory, PAGE, MADV_DONTNEED);
	signals++;
}

/* A handler may interrupt the library anywhere. */
static void case_signal(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGALRM,
	};
	struct itimerspec often = { { 0, 2000000 }, { 0, 2000000 } };
	timer_t timer;
	char *p;
	int i;

	signal_memory = mergeable(PAGE, 1);
	expect(!sigaction(SIGALRM, &action, NULL));
	expect(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	expect(!timer_settime(timer, 0, &often, NULL));
	for (i = 0; signals < 20 && i < 5000; i++) {
		p = map(PAGE * 64);
		fill(p, PAGE * 64, 2);
		expect(!madvise(p, PAGE * 64, MADV_MERGEABLE));
		expect(!madvise(p, PAGE, MADV_DONTNEED));
		check_from(__LINE__, p + PAGE, PAGE * 63, 2, 1);
		expect(!munmap(p, PAGE * 64));
	}
	expect(!timer_delete(timer));
	expect(signals >= 20);
}

/*
 * Random calls on a window of memory against a model of what each page holds.
 * SEED and STEPS in the environment make other and longer runs.
 */
#define WINDOW	192
#define HOLE	UINT64_MAX

static char *window;
static uint64_t model[WINDOW];	/* first word of each page, or HOLE */
static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % below;
}

static uint64_t *page_at(size_t page)
{
	return (uint64_t *)(window + page * PAGE);
}

static bool has_hole(size_t first, size_t count)
{
	while (count--)
		if (model[first++] == HOLE)
			return true;
	return false;
}

static bool all_holes(size_t first, size_t count)
{
	while (count--)
		if (model[first++] != HOLE)
			return false;
	return true;
}

static void set_model(size_t first, size_t count, uint64_t value)
{
	while (count--)
		model[first++] = value;
}

static void write_pages(size_t first, size_t count)
{
	size_t i;

	for (i = first; i < first + count; i++) {
		if (model[i] == HOLE)
			continue;
		/* Few values: much to merge; a zero now and then. */
		model[i] = draw(8);
		page_at(i)[0] = model[i];
		page_at(i)[511] = model[i];
	}
}

static void check_window(int step)
{
	size_t i;

	for (i = 0; i < WINDOW; i++)
		if (model[i] != HOLE && (page_at(i)[0] != model[i] ||
					 page_at(i)[511] != model[i]))
			fail(step, "page %zu holds %llx, expected %llx (line is the step)",
			     i, (unsigned long long)page_at(i)[0],
			     (unsigned long long)model[i]);
}

static void advise_pages(size_t first, size_t count, int advice)
{
	int result = madvise(page_at(first), count * PAGE, advice);
	size_t i;

	if (has_hole(first, count))
		expect(result == -1 && errno == ENOMEM);
	else if (advice != MADV_UNMERGEABLE || errno != EAGAIN)
		expect(!result);
	for (i = first; i < first + count && advice == MADV_DONTNEED; i++)
		if (model[i] != HOLE)
			model[i] = 0;
}

static void map_pages(size_t first, size_t count)
{
	expect(mmap(page_at(first), count * PAGE, RW,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       page_at(first));
	set_model(first, count, 0);
}

/* What the kernel may refuse is refused or done, never half done. */
static void move_pages(size_t first, size_t count)
{
	size_t to = draw(WINDOW - count + 1), i;

	if (has_hole(first, count) ||
	    (to < first + count && first < to + count))
		return;
	if (mremap(page_at(first), count * PAGE, count * PAGE,
		   MREMAP_MAYMOVE | MREMAP_FIXED, page_at(to)) == MAP_FAILED) {
		expect(errno == EFAULT);
		/* The kernel unmaps the target before it looks at the source. */
		map_pages(to, count);
		return;
	}
	for (i = 0; i < count; i++)
		model[to + i] = model[first + i];
	set_model(first, count, HOLE);
}

static void resize_pages(size_t first, size_t count)
{
	size_t len = 1 + draw(WINDOW - first);
	void *result;

	if (has_hole(first, count))
		return;
	result = mremap(page_at(first), count * PAGE, len * PAGE, 0);
	if (result == MAP_FAILED) {
		expect(len > count && (errno == ENOMEM || errno == EFAULT));
		return;
	}
	expect(result == page_at(first));
	if (len < count) {
		set_model(first + len, count - len, HOLE);
		return;
	}
	expect(all_holes(first + count, len - count));
	set_model(first + count, len - count, 0);
}

/* One of the two goes on. */
static void fork_pages(int step)
{
	pid_t child = fork();
	int status;

	expect(child >= 0);
	if (!child) {
		check_window(step);
		return;
	}
	write_pages(0, WINDOW);
	check_window(step);
	expect(waitpid(child, &status, 0) == child);
	_exit(WEXITSTATUS(status) || WIFSIGNALED(status));
}

static void random_step(int step)
{
	size_t first = draw(WINDOW), count = 1 + draw(WINDOW - first);
	int fd;

	switch (draw(12)) {
	case 0 ... 2:
		write_pages(first, count);
		break;
	case 3 ... 4:
		advise_pages(first, count, MADV_MERGEABLE);
		break;
	case 5:
		advise_pages(first, count, MADV_UNMERGEABLE);
		break;
	case 6:
		advise_pages(first, count, MADV_DONTNEED);
		break;
	case 7:
		expect(!munmap(page_at(first), count * PAGE));
		set_model(first, count, HOLE);
		break;
	case 8:
		map_pages(first, count);
		break;
	case 9:
		move_pages(first, count);
		break;
	case 10:
		resize_pages(first, count);
		break;
	case 11:
		scan();
		if (!draw(4))
			fork_pages(step);
		for (fd = 3; !draw(8) && fd < 1100; fd++)
			close(fd);
	}
}

static void case_random(void)
{
	const char *seed = getenv("SEED"), *steps = getenv("STEPS");
	int step, last = steps ? atoi(steps) : 500;

	random_state = seed ? strtoull(seed, NULL, 0) : 88172645463325252ULL;
	/* Far from where others map: nobody else may fill our holes. */
	window = (char *)(1UL << 40);
	map_pages(0, WINDOW);
	for (step = 0; step < last; step++) {
		random_step(step);
		check_window(step);
	}
}

static const struct test_case {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "merge", case_merge },
	{ "malloc", case_malloc },
	{ "unmerge", case_unmerge },
	{ "dontneed", case_dontneed },
	{ "split", case_split },
	{ "fork", case_fork },
	{ "fork_merge", case_fork_merge },
	{ "fork_prot", case_fork_prot },
	{ "fork_advice", case_fork_advice },
	{ "fork_threads", case_fork_threads },
	{ "vfork", case_vfork },
	{ "mremap", case_mremap },
	{ "mremap_alias", case_mremap_alias },
	{ "mremap_dontunmap", case_mremap_dontunmap },
	{ "munmap", case_munmap },
	{ "map_fixed", case_map_fixed },
	{ "stale", case_stale },
	{ "close_all", case_close_all },
	{ "read_only", case_read_only },
	{ "refused", case_refused },
	{ "limit", case_limit },
	{ "errors", case_errors },
	{ "threads", case_threads },
	{ "signal", case_signal },
	{ "random", case_random },
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static int hold(size_t len)
{
	char *p = mergeable(len, 42), end;

	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	check(p, len, 42);
	return 0;
}

static int list(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		printf("%s\n", cases[i].name);
	return 0;
}

static int as_user(char **argv)
{
	long id = atol(argv[0]);

	/* libc's would want to know all groups; a small system has none. */
	if (syscall(SYS_setgroups, 0, NULL) ||
	    syscall(SYS_setresgid, id, id, id) ||
	    syscall(SYS_setresuid, id, id, id))
		return 125;
	execvp(argv[1], argv + 1);
	return 127;
}

int main(int argc, char **argv)
{
	const char *preload = getenv("LD_PRELOAD");
	size_t i;

	preloaded = preload && strstr(preload, "libksmrun");
	if (argc == 2 && !strcmp(argv[1], "list"))
		return list();
	if (argc == 3 && !strcmp(argv[1], "hold"))
		return hold(atoi(argv[2]) * MIB);
	if (argc > 3 && !strcmp(argv[1], "as-user"))
		return as_user(argv + 2);
	for (i = 0; argc == 2 && i < ARRAY_SIZE(cases); i++) {
		if (strcmp(argv[1], cases[i].name))
			continue;
		cases[i].run();
		return 0;
	}
	fprintf(stderr, "usage: ksmrun_test list | CASE | hold MIB | as-user UID CMD...\n");
	return 2;
}
