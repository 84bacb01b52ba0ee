/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two page mergers under one set of calls: "peer", the kernel's own KSM,
 * and "ours", ksmdev.
 *
 * Both are made to run one full pass at a time, so that a benchmark can stop
 * exactly when the last page has merged:
 *
 *   peer  ksmd ends a batch at the end of a pass, whatever pages_to_scan says.
 *         With pages_to_scan at its maximum and a sleep of days, ksmd does one
 *         pass each time sleep_millisecs changes.
 *   ours  KSM_SCAN runs one pass in the calling thread.
 *
 * A pass costs the CPU time of the thread that scans.  What other kernel
 * threads did meanwhile is added where work could be handed to them.
 */
#ifndef BENCH_MERGER_H
#define BENCH_MERGER_H

#include "bench_worker.h"

#define PEER_DIR	"/sys/kernel/mm/ksm"
#define OURS_DIR	"/sys/class/misc/ksm"
#define MAX_PASSES	10

/* Workers that are merged together; all hold the same number of pages. */
struct load {
	enum which side;
	enum content content;
	unsigned long pages;	/* of all workers */
	unsigned int nr;
	struct worker workers[8];
};

/**
 * struct merger - one side
 * @name:	for messages
 * @dir:	its control files
 * @off:	nothing is merged any more and nothing is scanned
 * @pass:	one full pass; returns the CPU time of the scanning thread
 */
struct merger {
	const char *name;
	const char *dir;
	void (*off)(void);
	__u64 (*pass)(void);
};

static inline int peer_find_ksmd(void)
{
	static int pid;
	DIR *proc;
	struct dirent *de;

	proc = pid ? NULL : opendir("/proc");
	while (proc && (de = readdir(proc)) != NULL)
		if (isdigit(de->d_name[0]) &&
		    is_kthread(atoi(de->d_name), "ksmd)"))
			pid = atoi(de->d_name);
	if (proc)
		closedir(proc);
	if (!pid)
		die("there is no ksmd");
	return pid;
}

/* ksmd wakes up and, if run is 1, does one pass. */
static inline void peer_wake(void)
{
	const __u64 days = 1000000000;

	ctl_set(PEER_DIR, "sleep_millisecs",
		ctl_get(PEER_DIR, "sleep_millisecs") == days ? days + 1 : days);
}

static inline void peer_off(void)
{
	ctl_set(PEER_DIR, "run", 2);
	peer_wake();
	sleep_ms(20);
	ctl_set(PEER_DIR, "run", 0);
	ctl_set(PEER_DIR, "pages_to_scan", UINT32_MAX);
	ctl_set(PEER_DIR, "use_zero_pages", 1);
}

static inline __u64 peer_pass(void)
{
	int ksmd = peer_find_ksmd();
	__u64 start = task_ns(ksmd);
	__u64 scans = ctl_get(PEER_DIR, "full_scans");

	if (ctl_get(PEER_DIR, "run") == 1)
		peer_wake();
	else
		ctl_set(PEER_DIR, "run", 1);
	while (ctl_get(PEER_DIR, "full_scans") == scans)
		sleep_ms(5);
	sleep_ms(5);
	return task_ns(ksmd) - start;
}

static inline void ours_off(void)
{
	ctl_set(OURS_DIR, "run", 0);
}

static inline __u64 ours_pass(void)
{
	static int fd = -1;
	struct ksm_scan scan = { 0 };
	__u64 start;

	if (fd < 0)
		fd = open("/dev/ksm", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/dev/ksm: %s", strerror(errno));
	start = thread_ns();
	if (ioctl(fd, KSM_SCAN, &scan))
		die("KSM_SCAN: %s", strerror(errno));
	return thread_ns() - start;
}

static const struct merger mergers[SIDES] = {
	[PEER] = { "peer", PEER_DIR, peer_off, peer_pass },
	[OURS] = { "ours", OURS_DIR, ours_off, ours_pass },
};

/*
 * Half a minute for the page allocator's lists of each CPU, which grow with use
 * and shrink with time, to get back to where they were: or what was measured
 * before decides what freeing a page costs.  Under -icount an idle guest second
 * takes no time.
 */
static inline void load_calm(void)
{
	sleep_ms(30000);
}

static inline void load_start(struct load *l, enum which side,
			      enum content content, unsigned long pages,
			      unsigned int nr)
{
	static unsigned int salt;
	unsigned int i;

	*l = (struct load){ .side = side, .content = content, .pages = pages,
			    .nr = nr };
	salt = (salt + 1) & 0x7f;
	for (i = 0; i < nr; i++) {
		struct memory mem = { side, content, pages / nr, i, salt + 1 };

		worker_start(&l->workers[i], &mem);
	}
}

static inline void load_stop(struct load *l)
{
	unsigned int i;

	for (i = 0; i < l->nr; i++)
		worker_stop(&l->workers[i]);
}

/* Gives an order to each worker in turn; returns the sum of the answers. */
static inline __u64 load_call(struct load *l, enum order what, __u64 a,
			      __u64 b)
{
	__u64 sum = 0;
	unsigned int i;

	for (i = 0; i < l->nr; i++)
		sum += worker_call(&l->workers[i], what, a, b);
	return sum;
}

static inline void load_verify(struct load *l)
{
	__u64 wrong = load_call(l, WORKER_VERIFY, 0, 0);

	if (wrong)
		die("%s: %llu of %lu pages hold wrong data",
		    mergers[l->side].name, wrong, l->pages);
}

static inline __u64 load_zero_pages(struct load *l)
{
	if (l->side == OURS)
		return ctl_get(OURS_DIR, "ksm_zero_pages");
	return load_call(l, WORKER_COUNT_ZERO, 0, 0);
}

/* Has every page that can merge been merged, and every other been seen? */
static inline bool load_merged(struct load *l)
{
	const char *dir = mergers[l->side].dir;
	__u64 shared = ctl_get(dir, "pages_shared");
	__u64 sharing = ctl_get(dir, "pages_sharing");

	switch (l->content) {
	case IDENTICAL:
		return shared + sharing == l->pages && shared <= l->pages / 128;
	case HALF_DUP:
		return shared == l->pages / 4 && sharing == l->pages / 4;
	case UNIQUE:
		return ctl_get(dir, "pages_unshared") == l->pages;
	default:
		return load_zero_pages(l) == l->pages;
	}
}

/* Runs passes until all is merged; returns their number, or fails. */
static inline unsigned int load_converge(struct load *l, __u64 *cpu)
{
	const struct merger *m = &mergers[l->side];
	unsigned int passes = 0;
	__u64 threads = kthreads_ns(""), own = 0;

	while (passes < MAX_PASSES) {
		own += m->pass();
		passes++;
		if (load_merged(l))
			break;
	}
	if (passes == MAX_PASSES && !load_merged(l))
		die("%s: not merged after %u passes: shared %llu, sharing %llu, unshared %llu",
		    m->name, passes,
		    ctl_get(m->dir, "pages_shared"),
		    ctl_get(m->dir, "pages_sharing"),
		    ctl_get(m->dir, "pages_unshared"));
	threads = kthreads_ns("") - threads;
	if (l->side == PEER)
		threads -= own;
	*cpu = own + threads;
	bench_note("%s: merged: scanner %.1f, other kernel threads %.1f per page",
		   m->name, (double)own / l->pages, (double)threads / l->pages);
	return passes;
}

#endif /* BENCH_MERGER_H */
