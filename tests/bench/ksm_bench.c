// SPDX-License-Identifier: GPL-2.0
/*
 * ksmdev against the kernel's own KSM, in the same boot.
 *
 * For each case both sides start from fresh processes with freshly written
 * memory while the other side is switched off, merge it pass by pass, and are
 * then charged for what they and their users do.  Prints one line for each
 * figure: BENCH,case,metric,unit,ours,peer.  A case whose pages do not merge
 * as they must, or whose data are wrong afterwards, ends the program with an
 * error and without figures.
 *
 * Made for one CPU under QEMU's -icount shift=0,sleep=off, where a nanosecond
 * is an instruction.  Documentation/bench-ksm.rst says how each figure is
 * taken.
 */
#include <getopt.h>
#include <math.h>

#include "bench_merger.h"

#define REPEATS		2
#define BURST_PAGES	512UL
#define READER_ROUNDS	8
#define IDLE_PASSES	9
/* smart_scan visits an unchanged page in passes 1, 2, 3, 4, 6, 9, 14, 23, 32...:
 * after 14 passes, any 9 in a row hold one visit.
 */
#define SMART_SCAN_WARM	14

enum metric {
	CONVERGE_CPU,
	PASSES,
	IDLE_PASS_CPU,
	COW_MAPPED,
	COW_MAPPED_BURST,
	COW_UNMAPPED,
	COW_UNMAPPED_BURST,
	METADATA_BYTES,
	TOTAL_CPU,
	METRICS,
};

static const struct {
	const char *name;
	const char *unit;
} metrics[METRICS] = {
	[CONVERGE_CPU] = { "converge_cpu", "instructions/page" },
	[PASSES] = { "passes", "passes" },
	[IDLE_PASS_CPU] = { "idle_pass_cpu", "instructions/page" },
	[COW_MAPPED] = { "cow_mapped", "instructions/page" },
	[COW_MAPPED_BURST] = { "cow_mapped_burst", "instructions/page" },
	[COW_UNMAPPED] = { "cow_unmapped", "instructions/page" },
	[COW_UNMAPPED_BURST] = { "cow_unmapped_burst", "instructions/page" },
	[METADATA_BYTES] = { "metadata_bytes", "bytes/page" },
	[TOTAL_CPU] = { "total_cpu", "instructions/page" },
};

/* Figures of one side; negative where there is none. */
struct figures {
	double value[METRICS];
};

struct bench_case {
	const char *name;
	enum content content;
	unsigned int workers;
	void (*measure)(const struct bench_case *c, enum which side,
			struct figures *f);
};

static unsigned long pages = 65536;
static bool run_side[SIDES] = { true, true };

/* Frames that are free or wait in a CPU's list of free frames, in bytes. */
static __u64 free_bytes(void)
{
	static char buf[1 << 16];
	__u64 listed = 0;
	char *p;

	ctl_set("/proc/sys/vm", "stat_refresh", 1);
	if (read_file("/proc/zoneinfo", buf, sizeof(buf)) < 0)
		die("/proc/zoneinfo: %s", strerror(errno));
	for (p = buf; (p = strstr(p, " count: ")) != NULL; p++)
		listed += strtoull(p + strlen(" count: "), NULL, 10);
	return meminfo_bytes("MemFree") + listed * BENCH_PAGE;
}

static __u64 metadata_bytes(enum which side)
{
	if (side == OURS)
		return ctl_get(OURS_DIR, "metadata_bytes");
	return slab_bytes("ksm_rmap_item") + slab_bytes("ksm_stable_node") +
	       slab_bytes("ksm_mm_slot");
}

/* Let reserves refill, so that each measurement finds them full. */
static void rest(void)
{
	sleep_ms(1000);
}

static void measure_idle(struct load *l, unsigned int passes,
			 struct figures *f)
{
	const struct merger *m = &mergers[l->side];
	__u64 cpu = 0;
	int i;

	if (l->side == PEER && ctl_exists(PEER_DIR, "smart_scan") &&
	    ctl_get(PEER_DIR, "smart_scan"))
		for (; passes < SMART_SCAN_WARM; passes++)
			m->pass();
	for (i = 0; i < IDLE_PASSES; i++)
		cpu += m->pass();
	f->value[IDLE_PASS_CPU] = (double)cpu / IDLE_PASSES / l->pages;
}

/* Stores to a burst of pages, then to all the others. */
static void measure_cow(struct load *l, bool mapped, struct figures *f)
{
	unsigned long rest_pages = l->pages - BURST_PAGES;
	__u64 burst, all, threads;

	load_call(l, mapped ? WORKER_READ : WORKER_ZAP, 1, 0);
	rest();
	burst = load_call(l, WORKER_STORE, 0, BURST_PAGES);
	rest();
	threads = kthreads_ns("");
	all = load_call(l, WORKER_STORE, BURST_PAGES, rest_pages);
	rest();
	threads = kthreads_ns("") - threads;
	load_verify(l);
	f->value[mapped ? COW_MAPPED : COW_UNMAPPED] = (double)all / rest_pages;
	f->value[mapped ? COW_MAPPED_BURST : COW_UNMAPPED_BURST] =
		(double)burst / BURST_PAGES;
	bench_note("%s: %s stores: kernel threads used %.1f per page meanwhile",
		   mergers[l->side].name, mapped ? "mapped" : "unmapped",
		   (double)threads / rest_pages);
}

/*
 * Memory that merging unique pages takes beside the pages, from what is free
 * before and after.  Page tables and the workers' own memory are in it; the
 * same without merging is taken off by the caller.
 */
static double overhead_per_page(__u64 free_before)
{
	__u64 used = free_before - free_bytes();

	return (double)used / pages - BENCH_PAGE;
}

/* What the same memory costs with nobody merging it. */
static double plain_overhead(void)
{
	__u64 before = free_bytes();
	struct load l;
	double bytes;

	load_start(&l, PEER, UNIQUE, pages, 1);
	bytes = overhead_per_page(before);
	load_stop(&l);
	peer_off();
	return bytes;
}

/*
 * The same, left to the scan threads at full speed, as a cross-check.  It looks
 * rarely: a thread that wakes up is charged for what the one it interrupts
 * still does until the next scheduling point.
 */
static void check_threads(const struct bench_case *c, double converge)
{
	__u64 own, all;
	struct load l;
	int i;

	load_calm();
	load_start(&l, OURS, c->content, pages, c->workers);
	ctl_set_str(OURS_DIR, "advisor_mode", "none");
	ctl_set(OURS_DIR, "pages_to_scan", UINT32_MAX);
	ctl_set(OURS_DIR, "sleep_millisecs", 20);
	ctl_set(OURS_DIR, "rest_millisecs", 0);
	own = ctl_get(OURS_DIR, "scan_cpu_ns");
	all = kthreads_ns("");
	ctl_set(OURS_DIR, "run", 1);
	for (i = 0; i < 60 && !load_merged(&l); i++)
		sleep_ms(1000);
	ctl_set(OURS_DIR, "run", 0);
	own = ctl_get(OURS_DIR, "scan_cpu_ns") - own;
	all = kthreads_ns("") - all;
	if (!load_merged(&l))
		die("%s: the scan threads did not merge it", c->name);
	load_verify(&l);
	load_stop(&l);
	mergers[OURS].pass();
	bench_note("%s: ours, per page: by scan threads %.1f (scan_cpu_ns %.1f), by KSM_SCAN %.1f",
		   c->name, (double)all / pages, (double)own / pages, converge);
}

static void measure_metadata(struct load *l, __u64 free_before,
			     struct figures *f)
{
	double used = overhead_per_page(free_before);

	f->value[METADATA_BYTES] = (double)metadata_bytes(l->side) / l->pages;
	bench_note("%s: metadata by free memory: %.2f bytes/page with page tables",
		   mergers[l->side].name, used);
}

/* Merge, idle, then stores to mapped pages where pages are shared. */
static void measure_merge(const struct bench_case *c, enum which side,
			  struct figures *f)
{
	__u64 free_before, cpu;
	struct load l;
	unsigned int passes;

	load_calm();
	free_before = free_bytes();
	load_start(&l, side, c->content, pages, c->workers);
	passes = load_converge(&l, &cpu);
	f->value[PASSES] = passes;
	f->value[CONVERGE_CPU] = (double)cpu / pages;
	if (c->content == UNIQUE)
		measure_metadata(&l, free_before, f);
	measure_idle(&l, passes, f);
	load_verify(&l);
	if (c->content == IDENTICAL || c->content == ZERO)
		measure_cow(&l, true, f);
	load_stop(&l);
}

/* Stores to merged pages that are not mapped. */
static void measure_unmapped(const struct bench_case *c, enum which side,
			     struct figures *f)
{
	__u64 cpu;
	struct load l;

	if (side == PEER) {
		/* A page that KSM merged cannot be unmapped and kept. */
		f->value[COW_UNMAPPED] = f->value[COW_MAPPED];
		f->value[COW_UNMAPPED_BURST] = f->value[COW_MAPPED_BURST];
		return;
	}
	load_calm();
	load_start(&l, side, c->content, pages, c->workers);
	load_converge(&l, &cpu);
	measure_cow(&l, false, f);
	load_stop(&l);
}

static void measure_case(const struct bench_case *c, enum which side,
			 struct figures *f)
{
	measure_merge(c, side, f);
	if (c->content == IDENTICAL || c->content == ZERO)
		measure_unmapped(c, side, f);
}

/* A guest that goes on reading all its memory while it is merged. */
static void measure_reader(const struct bench_case *c, enum which side,
			   struct figures *f)
{
	__u64 scan = 0, plain, read = 0, threads;
	struct load l;
	int i;

	load_calm();
	load_start(&l, side, c->content, pages, c->workers);
	plain = load_call(&l, WORKER_READ, READER_ROUNDS, 0);
	threads = kthreads_ns("");
	for (i = 0; i < READER_ROUNDS; i++) {
		scan += mergers[side].pass();
		read += load_call(&l, WORKER_READ, 1, 0);
	}
	threads = kthreads_ns("") - threads;
	if (side == PEER)
		scan = threads;
	else
		scan += threads;
	if (!load_merged(&l))
		die("%s: not merged after %u rounds", mergers[side].name,
		    READER_ROUNDS);
	load_verify(&l);
	load_stop(&l);
	f->value[TOTAL_CPU] = ((double)scan + read - plain) / pages;
	bench_note("%s: reader: scanner %.1f, reader %.1f per page, unmerged memory %.1f",
		   mergers[side].name, (double)scan / pages,
		   (double)read / pages, (double)plain / pages);
}

static const struct bench_case cases[] = {
	{ "identical", IDENTICAL, 1, measure_case },
	{ "half_dup", HALF_DUP, 2, measure_case },
	{ "unique", UNIQUE, 1, measure_case },
	{ "zero", ZERO, 1, measure_case },
	{ "reader", IDENTICAL, 1, measure_reader },
};

static void measure_side(const struct bench_case *c, enum which side,
			 struct figures *f)
{
	int i;

	for (i = 0; i < METRICS; i++)
		f->value[i] = -1;
	mergers[side].off();
	c->measure(c, side, f);
	mergers[side].off();
}

static double mean(const struct figures *f, enum metric m)
{
	double sum = 0;
	int i;

	for (i = 0; i < REPEATS; i++)
		sum += f[i].value[m];
	return sum / REPEATS;
}

/* How far the first and the second measurement are apart. */
static void note_spread(const struct bench_case *c, enum which side,
			const struct figures *f, enum metric m)
{
	double a = f[0].value[m], b = f[1].value[m];

	bench_note("%s %s: %s: %.6g and %.6g, %.2f %% apart", c->name,
		   metrics[m].name, mergers[side].name, a, b,
		   a + b > 0 ? 200 * fabs(a - b) / (a + b) : 0);
}

static void run_case(const struct bench_case *c)
{
	struct figures f[SIDES][REPEATS];
	enum which side;
	int i, m;

	memset(f, 0, sizeof(f));
	for (side = 0; side < SIDES; side++)
		for (i = 0; i < REPEATS; i++)
			if (run_side[side])
				measure_side(c, side, &f[side][i]);
	if (run_side[OURS] && c->measure == measure_case)
		check_threads(c, mean(f[OURS], CONVERGE_CPU));
	for (m = 0; m < METRICS; m++) {
		double ours = run_side[OURS] ? mean(f[OURS], m) : -1;
		double peer = run_side[PEER] ? mean(f[PEER], m) : -1;

		if (ours < 0 && peer < 0)
			continue;
		bench_print(c->name, metrics[m].name, metrics[m].unit, ours,
			    peer);
		for (side = 0; side < SIDES; side++)
			if (run_side[side])
				note_spread(c, side, f[side], m);
	}
}

static noreturn void print_usage(void)
{
	fprintf(stderr,
		"usage: ksm_bench [-c CASE] [-m MEGABYTES] [-s ours|peer]\n");
	exit(2);
}

static const char *parse_options(int argc, char **argv)
{
	const char *only = NULL;
	int opt;

	while ((opt = getopt(argc, argv, "c:m:s:")) != -1) {
		switch (opt) {
		case 'c':
			only = optarg;
			break;
		case 'm':
			pages = strtoul(optarg, NULL, 10) << 8;
			break;
		case 's':
			run_side[PEER] = !strcmp(optarg, "peer");
			run_side[OURS] = !strcmp(optarg, "ours");
			break;
		default:
			print_usage();
		}
	}
	if (pages < 4 * BURST_PAGES || optind < argc ||
	    (!run_side[PEER] && !run_side[OURS]))
		print_usage();
	return only;
}

int main(int argc, char **argv)
{
	const char *only = parse_options(argc, argv);
	bool found = false;
	unsigned int i;
	double ns;

	settle();
	ns = ns_per_instruction();
	bench_note("%lu pages; a nanosecond is %.3f instructions%s", pages,
		   1 / ns, ns > 0.99 && ns < 1.01 ? "" :
		   ": NOT an icount host, read the unit as nanoseconds");
	if (run_side[OURS])
		ours_off();
	peer_off();
	bench_note("memory beside the pages if nobody merges it: %.2f bytes/page",
		   plain_overhead());
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (only && strcmp(only, cases[i].name))
			continue;
		run_case(&cases[i]);
		found = true;
	}
	if (!found)
		print_usage();
	return 0;
}
