// SPDX-License-Identifier: GPL-2.0
/*
 * How ksmdev grows: with memory, and with scan threads.
 *
 *   ksm_scale		the cost of merging, and of a pass with nothing or one
 *			2 MiB chunk written, from 64 MiB to 1 GiB; the column
 *			of the peer stays empty. One CPU under QEMU's
 *			-icount shift=0,sleep=off.
 *   ksm_scale threads	pages merged in a second of wall clock by one scan
 *			thread (column of the peer) and by two (our column).
 *			Two CPUs, no -icount.
 */
#include "bench_merger.h"

#define IDLE_PASSES	9
#define CHUNK_PAGES	512UL
#define MIB_PAGES	256UL

#define THREADS_MIB	512UL
#define THREADS_WORKERS	4
#define THREADS_ROUNDS	7

static const struct {
	const char *name;
	enum content content;
} contents[] = {
	{ "unique", UNIQUE },
	{ "identical", IDENTICAL },
};

static void check_memory(unsigned long mib)
{
	if (meminfo_bytes("MemAvailable") >> 20 < mib + mib / 8)
		die("%lu MiB do not fit into this machine", mib);
}

/*
 * One pass after a write to each page of one chunk.  There is no preemption
 * point in so short a pass: what a kernel thread that wakes up meanwhile is
 * charged for is mostly the pass.
 */
static __u64 dirty_chunk_pass(struct load *l)
{
	__u64 threads, cpu;

	worker_call(&l->workers[0], WORKER_STORE, l->pages / 2, CHUNK_PAGES);
	threads = kthreads_ns("");
	cpu = ours_pass();
	cpu += kthreads_ns("") - threads;
	load_verify(l);
	return cpu;
}

static void measure_size(const char *content_name, enum content content,
			 unsigned long mib)
{
	__u64 converge, idle = 0, dirty;
	char name[64];
	struct load l;
	int i;

	check_memory(mib);
	load_calm();
	load_start(&l, OURS, content, mib * MIB_PAGES, 1);
	load_converge(&l, &converge);
	for (i = 0; i < IDLE_PASSES; i++)
		idle += ours_pass();
	dirty = dirty_chunk_pass(&l);
	snprintf(name, sizeof(name), "%s_%lu", content_name, mib);
	bench_print(name, "converge_cpu", "instructions/page",
		    (double)converge / l.pages, -1);
	bench_print(name, "idle_pass", "instructions/pass",
		    (double)idle / IDLE_PASSES, -1);
	bench_print(name, "dirty_chunk_pass", "instructions/pass", dirty, -1);
	bench_print(name, "metadata_bytes", "bytes/page",
		    (double)ctl_get(OURS_DIR, "metadata_bytes") / l.pages, -1);
	load_stop(&l);
	ours_pass();
}

static void measure_sizes(void)
{
	unsigned long mib;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(contents); i++)
		for (mib = 64; mib <= 1024; mib *= 2)
			measure_size(contents[i].name, contents[i].content,
				     mib);
}

/* Pages merged (or seen) in a second by the scan threads. */
static double measure_threads(enum content content, unsigned int threads)
{
	__u64 start, end, passes;
	struct load l;

	load_start(&l, OURS, content, THREADS_MIB * MIB_PAGES, THREADS_WORKERS);
	ctl_set(OURS_DIR, "scan_threads", threads);
	passes = ctl_get(OURS_DIR, "full_scans");
	start = wall_ns();
	ctl_set(OURS_DIR, "run", 1);
	do {
		sleep_ms(2);
		end = wall_ns();
	} while (!load_merged(&l) && end - start < 300 * NSEC_PER_SEC);
	ctl_set(OURS_DIR, "run", 0);
	if (!load_merged(&l))
		die("not merged by %u threads", threads);
	passes = ctl_get(OURS_DIR, "full_scans") - passes;
	if (passes > 1)
		bench_note("%u threads: %llu passes", threads, passes);
	load_verify(&l);
	load_stop(&l);
	ours_pass();
	return (double)l.pages * NSEC_PER_SEC / (end - start);
}

static void full_speed(void)
{
	ctl_set_str(OURS_DIR, "advisor_mode", "none");
	ctl_set(OURS_DIR, "pages_to_scan", UINT32_MAX);
	ctl_set(OURS_DIR, "sleep_millisecs", 1);
	ctl_set(OURS_DIR, "rest_millisecs", 0);
}

static int compare_rates(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *rates)
{
	qsort(rates, THREADS_ROUNDS, sizeof(*rates), compare_rates);
	return rates[THREADS_ROUNDS / 2];
}

/* One and two threads take turns, so that both meet the same machine. */
static void measure_speedup(const char *name, enum content content)
{
	double one[THREADS_ROUNDS], two[THREADS_ROUNDS];
	int round;

	for (round = 0; round < THREADS_ROUNDS; round++) {
		one[round] = measure_threads(content, 1);
		two[round] = measure_threads(content, 2);
		bench_note("%s: one thread %.0f, two threads %.0f pages/s",
			   name, one[round], two[round]);
	}
	bench_print(name, "throughput_two_threads", "pages/s", median(two),
		    median(one));
}

static void measure_all_threads(void)
{
	unsigned int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		die("two scan threads need two CPUs");
	check_memory(THREADS_MIB);
	full_speed();
	for (i = 0; i < ARRAY_SIZE(contents); i++)
		measure_speedup(contents[i].name, contents[i].content);
}

int main(int argc, char **argv)
{
	bool threads = argc == 2 && !strcmp(argv[1], "threads");

	if (argc > 1 && !threads) {
		fprintf(stderr, "usage: ksm_scale [threads]\n");
		return 2;
	}
	settle();
	ctl_set(PEER_DIR, "run", 0);
	ours_off();
	if (threads)
		measure_all_threads();
	else
		measure_sizes();
	return 0;
}
