/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the cases of ksmrun_test share: memory with known contents, what is
 * merged of it, and a way to fail that says why.
 */
#ifndef _KSMRUN_TEST_H
#define _KSMRUN_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define PAGE	4096UL
#define MIB	(1UL << 20)
#define SIZE	(4 * MIB)
#define RW	(PROT_READ | PROT_WRITE)

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* Run by "ksmctl run": the library is there, and merges. */
extern bool preloaded;

/* Say what is wrong and end the process with status 1. */
void __attribute__((noreturn, format(printf, 2, 3)))
fail(int line, const char *format, ...);

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

/* Private anonymous memory, readable and writable. */
char *map(size_t len);

/* Each page has its own content, given by its number in the range and seed. */
uint64_t word(uint64_t seed, size_t page, size_t i);
void fill(void *memory, size_t len, uint64_t seed);

/* Check the content of a part of a range, which starts with page @first. */
void check_from(int line, const void *memory, size_t len, uint64_t seed,
		size_t first);
void check_zero_at(int line, const char *p, size_t len);

#define check(memory, len, seed) check_from(__LINE__, memory, len, seed, 0)
#define check_zero(memory, len) check_zero_at(__LINE__, memory, len)

/* @bytes of the range are handed over, if the library is there. */
void expect_taken_at(int line, const void *memory, size_t len, size_t bytes);

#define expect_taken(memory, len, bytes)				\
	expect_taken_at(__LINE__, memory, len, bytes)

/* Bytes of the range that are handed over. */
size_t in_area(const void *memory, size_t len);

/* Memory with the contents of @seed, advised to be merged. */
char *mergeable(size_t len, uint64_t seed);

/* A full pass of our domain, in private ones by the descriptor we are given. */
void scan(void);

/* Pages that are merged, zeroes included. */
uint64_t merged(void);
void expect_merged(uint64_t before, uint64_t pages);
void scan_until_merged(uint64_t before, uint64_t pages);

/* The child ends, with status 0. */
void wait_for(pid_t child);

/* Cases with a file of their own. */
void case_threads(void);
void case_fork_threads(void);
void case_signal(void);
void case_cancel(void);
void case_fork_free(void);
void case_main_ends(void);
void case_random(void);

#endif /* _KSMRUN_TEST_H */
