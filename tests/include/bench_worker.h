/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes that own memory for a benchmark of page merging.
 *
 * worker_start() forks a process that maps memory, offers it to one of the two
 * mergers, fills it and then does what it is told over a socket.  Each page
 * holds words made from the number of its content, so that pages with the same
 * number are equal, and any page can be checked at any time.
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <linux/ksmdev.h>

#include "bench.h"

#define WORDS_PER_PAGE	(BENCH_PAGE / sizeof(__u64))
#define STORE_WORD	8	/* the word of a page that a store changes */
#define STORE_VALUE	0x5707ed0000000000ULL

enum which { PEER, OURS, SIDES };
enum content { IDENTICAL, HALF_DUP, UNIQUE, ZERO };

/**
 * struct memory - what a worker maps
 * @side:	who merges it
 * @content:	what it is filled with
 * @pages:	its size
 * @index:	number of the worker; contents that are not to be shared depend
 *		on it
 * @salt:	makes the contents differ from those of other rounds
 */
struct memory {
	enum which side;
	enum content content;
	unsigned long pages;
	unsigned int index;
	unsigned int salt;
};

enum order {
	WORKER_READY,		/* answers when the memory is filled */
	WORKER_READ,		/* read a word of each page, a times: CPU ns */
	WORKER_STORE,		/* a store to b pages from page a on: CPU ns */
	WORKER_ZAP,		/* drop the mapping, keep the contents */
	WORKER_VERIFY,		/* compare every byte: number of wrong pages */
	WORKER_COUNT_ZERO,	/* pages that map the kernel's zero page */
	WORKER_QUIT,
};

struct worker_msg {
	__u64 order, a, b;
};

struct worker {
	struct memory mem;
	__u64 *base;
	unsigned char *stored;
	int sock;
	pid_t pid;
};

/* The number of a page's content; 0 means zeroes. */
static inline __u64 content_id(const struct memory *mem, unsigned long page)
{
	__u64 common = (__u64)mem->salt << 56;
	__u64 own = common | (__u64)(mem->index + 1) << 48;

	switch (mem->content) {
	case IDENTICAL:
		return common | 1;
	case HALF_DUP:
		return (page & 1 ? own : common) | (page + 1);
	case UNIQUE:
		return own | (page + 1);
	default:
		return 0;
	}
}

static inline __u64 content_word(__u64 id, unsigned int word)
{
	__u64 x = id + word * 0x9e3779b97f4a7c15ULL;

	if (!id)
		return 0;
	x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ULL;
	return x ^ (x >> 32);
}

static inline void worker_fill(struct worker *w)
{
	unsigned long page;
	unsigned int i;

	for (page = 0; page < w->mem.pages; page++) {
		__u64 id = content_id(&w->mem, page);
		__u64 *p = w->base + page * WORDS_PER_PAGE;

		for (i = 0; i < WORDS_PER_PAGE; i++)
			p[i] = content_word(id, i);
	}
}

static inline __u64 worker_verify(struct worker *w)
{
	__u64 wrong = 0;
	unsigned long page;
	unsigned int i;

	for (page = 0; page < w->mem.pages; page++) {
		__u64 id = content_id(&w->mem, page);
		__u64 *p = w->base + page * WORDS_PER_PAGE;

		for (i = 0; i < WORDS_PER_PAGE; i++) {
			__u64 want = content_word(id, i);

			if (i == STORE_WORD && w->stored[page])
				want = STORE_VALUE + page;
			if (p[i] != want) {
				wrong++;
				break;
			}
		}
	}
	return wrong;
}

static inline __u64 worker_read(struct worker *w, __u64 rounds)
{
	__u64 start = thread_ns();
	unsigned long page;

	while (rounds--)
		for (page = 0; page < w->mem.pages; page++)
			(void)READ_ONCE(w->base[page * WORDS_PER_PAGE]);
	return thread_ns() - start;
}

static inline __u64 worker_store(struct worker *w, __u64 first, __u64 count)
{
	__u64 *p = w->base + first * WORDS_PER_PAGE + STORE_WORD;
	__u64 page, end = first + count, start = thread_ns();

	for (page = first; page < end; page++, p += WORDS_PER_PAGE)
		WRITE_ONCE(*p, STORE_VALUE + page);
	start = thread_ns() - start;
	memset(w->stored + first, 1, count);
	return start;
}

static inline __u64 pagemap_pfn(int pagemap, const void *addr)
{
	__u64 entry, page = (uintptr_t)addr / BENCH_PAGE;

	if (pread(pagemap, &entry, sizeof(entry), page * sizeof(entry)) !=
	    sizeof(entry))
		die("pagemap: %s", strerror(errno));
	return entry & ((1ULL << 55) - 1);
}

static inline __u64 worker_count_zero(struct worker *w)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	char *probe = mmap(NULL, BENCH_PAGE, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u64 zero_pfn, count = 0;
	unsigned long page;

	if (pagemap < 0 || probe == MAP_FAILED)
		die("pagemap: %s", strerror(errno));
	(void)READ_ONCE(*probe);
	zero_pfn = pagemap_pfn(pagemap, probe);
	for (page = 0; page < w->mem.pages; page++)
		count += pagemap_pfn(pagemap, w->base + page * WORDS_PER_PAGE)
			 == zero_pfn;
	munmap(probe, BENCH_PAGE);
	close(pagemap);
	return count;
}

static inline void worker_map(struct worker *w)
{
	size_t size = w->mem.pages * BENCH_PAGE;
	int fd = -1, flags = MAP_PRIVATE | MAP_ANONYMOUS;

	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		die("PR_SET_THP_DISABLE: %s", strerror(errno));
	if (w->mem.side == OURS) {
		fd = open("/dev/ksm", O_RDWR | O_CLOEXEC);
		flags = MAP_SHARED;
		if (fd < 0)
			die("/dev/ksm: %s", strerror(errno));
	}
	w->base = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (w->base == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	if (w->mem.side == PEER && madvise(w->base, size, MADV_MERGEABLE))
		die("MADV_MERGEABLE: %s", strerror(errno));
	w->stored = calloc(w->mem.pages, 1);
	if (!w->stored)
		die("out of memory");
	worker_fill(w);
}

static inline __u64 worker_obey(struct worker *w, struct worker_msg *msg)
{
	switch (msg->order) {
	case WORKER_READ:
		return worker_read(w, msg->a);
	case WORKER_STORE:
		return worker_store(w, msg->a, msg->b);
	case WORKER_ZAP:
		if (madvise(w->base, w->mem.pages * BENCH_PAGE, MADV_DONTNEED))
			die("MADV_DONTNEED: %s", strerror(errno));
		return 0;
	case WORKER_VERIFY:
		return worker_verify(w);
	case WORKER_COUNT_ZERO:
		return worker_count_zero(w);
	default:
		return 0;
	}
}

static inline noreturn void worker_main(struct worker *w)
{
	struct worker_msg msg;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	worker_map(w);
	while (read(w->sock, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.order != WORKER_QUIT) {
		__u64 answer = worker_obey(w, &msg);

		if (write(w->sock, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

static inline __u64 worker_call(struct worker *w, enum order what, __u64 a,
				__u64 b)
{
	struct worker_msg msg = { what, a, b };
	__u64 answer;

	if (write(w->sock, &msg, sizeof(msg)) != sizeof(msg) ||
	    read(w->sock, &answer, sizeof(answer)) != sizeof(answer))
		die("the worker process is gone");
	return answer;
}

/* Returns when the memory is mapped and filled. */
static inline void worker_start(struct worker *w, const struct memory *mem)
{
	int pair[2];

	w->mem = *mem;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("socketpair: %s", strerror(errno));
	fflush(stdout);
	w->pid = fork();
	if (w->pid < 0)
		die("fork: %s", strerror(errno));
	if (!w->pid) {
		close(pair[0]);
		w->sock = pair[1];
		worker_main(w);
	}
	close(pair[1]);
	w->sock = pair[0];
	worker_call(w, WORKER_READY, 0, 0);
}

static inline void worker_stop(struct worker *w)
{
	struct worker_msg msg = { WORKER_QUIT, 0, 0 };

	if (write(w->sock, &msg, sizeof(msg)) != sizeof(msg))
		die("the worker process is gone");
	close(w->sock);
	if (waitpid(w->pid, NULL, 0) != w->pid)
		die("waitpid: %s", strerror(errno));
}

#endif /* BENCH_WORKER_H */
