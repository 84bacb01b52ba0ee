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
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ksmrun_test.h"

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

/* realloc() moves and extends what it has mapped without our library. */
static void case_realloc(void)
{
	char *p = malloc(SIZE), *start;
	pid_t child;

	expect(p);
	fill(p, SIZE, 1);
	/* All of the mapping, with malloc()'s own header. */
	start = (char *)((uintptr_t)p & -PAGE);
	expect(!madvise(start, SIZE + PAGE, MADV_MERGEABLE));
	expect_taken(start, SIZE + PAGE, SIZE + PAGE);
	child = fork();
	if (!child) {
		p = realloc(p, 2 * SIZE);
		expect(p);
		check(p, SIZE, 1);
		fill(p, 2 * SIZE, 2);
		check(p, 2 * SIZE, 2);
		_exit(0);
	}
	wait_for(child);
	p = realloc(p, 3 * SIZE);
	expect(p);
	check(p, SIZE, 1);
	fill(p, 3 * SIZE, 3);
	check(p, 3 * SIZE, 3);
	p = realloc(p, SIZE / 2);
	expect(p);
	check(p, SIZE / 2, 3);
	free(p);
}

/* Machine code, as just-in-time compilers write it. */
static void case_code(void)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	char *p = mergeable(SIZE, 1);
	int (*function)(void) = (int (*)(void))p;
	pid_t child;

	memcpy(p, code, sizeof(code));
	expect(!mprotect(p, SIZE, PROT_READ | PROT_EXEC));
	expect(function() == 42);
	child = fork();
	if (!child) {
		expect(function() == 42);
		_exit(0);
	}
	wait_for(child);
	p = mmap(NULL, SIZE, RW | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	expect(p != MAP_FAILED);
	memcpy(p, code, sizeof(code));
	expect(!madvise(p, SIZE, MADV_MERGEABLE));
	function = (int (*)(void))p;
	expect(function() == 42);
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
		scan_until_merged(before, SIZE / PAGE);
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

/* What is to be wiped before it is to be merged. */
static void case_wiped(void)
{
	char *p = map(SIZE);
	pid_t child;

	fill(p, SIZE, 1);
	expect(!madvise(p, MIB, MADV_WIPEONFORK));
	expect(!madvise(p, SIZE, MADV_MERGEABLE));
	expect_taken(p, SIZE, SIZE - MIB);
	child = fork();
	if (!child) {
		check_zero(p, MIB);
		check_from(__LINE__, p + MIB, SIZE - MIB, 1, 256);
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

/* Memory that was handed over, freed and allocated again, by libc. */
static char *reused(uint64_t seed)
{
	char *p = mergeable(SIZE, 1);

	expect(!syscall(SYS_munmap, p, SIZE));
	expect(syscall(SYS_mmap, p, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS |
		       MAP_FIXED_NOREPLACE, -1, 0) == (long)p);
	fill(p, SIZE, seed);
	return p;
}

/* Advice is for the memory that is there now. */
static void case_reuse(void)
{
	char *wiped = reused(2), *kept = reused(3), *merged_again = reused(4);
	unsigned char vec[1];
	char *freed;
	pid_t child;

	expect(!madvise(wiped, SIZE, MADV_WIPEONFORK));
	expect(!madvise(kept, SIZE, MADV_DONTFORK));
	expect(!madvise(merged_again, SIZE, MADV_MERGEABLE));
	expect_taken(merged_again, SIZE, SIZE);
	freed = reused(5);
	expect_error(madvise(freed, SIZE, MADV_REMOVE), EINVAL);
	expect(!madvise(freed, SIZE, MADV_UNMERGEABLE));
	check(freed, SIZE, 5);
	child = fork();
	if (!child) {
		check_zero(wiped, SIZE);
		expect_error(mincore(kept, PAGE, vec), ENOMEM);
		check(merged_again, SIZE, 4);
		check(freed, SIZE, 5);
		_exit(0);
	}
	wait_for(child);
	expect(!madvise(wiped, SIZE, MADV_KEEPONFORK));
	expect(!madvise(kept, SIZE, MADV_DOFORK));
	child = fork();
	if (!child) {
		check(wiped, SIZE, 2);
		check(kept, SIZE, 3);
		_exit(0);
	}
	wait_for(child);
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
	expect(!preloaded || in_area(p, SIZE) <= MIB);
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

static const struct test_case {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "merge", case_merge },
	{ "malloc", case_malloc },
	{ "realloc", case_realloc },
	{ "code", case_code },
	{ "unmerge", case_unmerge },
	{ "dontneed", case_dontneed },
	{ "split", case_split },
	{ "fork", case_fork },
	{ "fork_merge", case_fork_merge },
	{ "fork_prot", case_fork_prot },
	{ "fork_advice", case_fork_advice },
	{ "fork_threads", case_fork_threads },
	{ "wiped", case_wiped },
	{ "vfork", case_vfork },
	{ "mremap", case_mremap },
	{ "mremap_alias", case_mremap_alias },
	{ "mremap_dontunmap", case_mremap_dontunmap },
	{ "munmap", case_munmap },
	{ "map_fixed", case_map_fixed },
	{ "stale", case_stale },
	{ "reuse", case_reuse },
	{ "close_all", case_close_all },
	{ "read_only", case_read_only },
	{ "refused", case_refused },
	{ "limit", case_limit },
	{ "errors", case_errors },
	{ "threads", case_threads },
	{ "signal", case_signal },
	{ "cancel", case_cancel },
	{ "fork_free", case_fork_free },
	{ "main_ends", case_main_ends },
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
