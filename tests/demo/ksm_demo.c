// SPDX-License-Identifier: GPL-2.0
/*
 * The demo of /dev/ksm: processes with overlapping memory, live.
 *
 * Starts some processes that fill memory with a mixture of common content,
 * content of their own and zeroes, and shows how their memory shrinks while the
 * scanner merges it; then one of them writes to shared pages and gets copies,
 * and writes the old content back.  At the end each process checks each byte,
 * and the frames really in use are counted in /proc/PID/pagemap.
 *
 * The processes are in a private domain, so that the numbers are theirs alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <linux/ksmdev.h>

#define PAGE		4096UL
#define MIB		(1024.0 * 1024.0)
#define PROCESSES	4
#define BLOCK		64	/* pages of one kind in a row */
#define MERGE_TIME	10	/* seconds that merging should take */
#define FIRST_BUDGET	4	/* percent of a CPU */
#define SYSFS		"/sys/class/misc/ksm/"

enum kind { COMMON_1, COMMON_2, UNIQUE, ZERO, KINDS };

enum order { NONE, FILL, BREAK, RESTORE, CHECK, QUIT };

/**
 * struct worker - a process, in memory that all share
 * @pid:	of it
 * @fd:		its area
 * @memory:	where its memory is
 * @order:	what to do next; NONE when it is done
 * @done:	pages done of the order
 * @wrong:	pages with a wrong byte
 */
struct worker {
	pid_t pid;
	int fd;
	char *memory;
	volatile int order;
	volatile size_t done;
	volatile size_t wrong;
};

static struct worker *workers;
static size_t pages = 48 * 256;		/* of each process */
static size_t breaks = 1000;		/* pages the first process writes */
static double seconds = 90;		/* longest time for a phase */
static double started;
static long long cpu_before;		/* nanoseconds of the scanner */
static bool plain;
static bool redraw;
static bool terminal_is_raw;
static long long saved_run = -1, saved_max_cpu = -1;
static volatile sig_atomic_t interrupted;

/* ---- small things ---- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void nap(double time)
{
	struct timespec ts = { time, (time - (long)time) * 1e9 };

	nanosleep(&ts, NULL);
}

static const char *newline(void)
{
	if (redraw)
		return "\033[K\r\n";
	return terminal_is_raw ? "\r\n" : "\n";
}

static void write_knob(const char *name, long long value)
{
	char path[128], text[32];
	int fd, length;

	snprintf(path, sizeof(path), SYSFS "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	length = snprintf(text, sizeof(text), "%lld", value);
	if (write(fd, text, length) != length)
		fprintf(stderr, "ksm_demo: cannot set %s to %s\n", name, text);
	close(fd);
}

static long long read_knob(const char *name)
{
	long long value = -1;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), SYSFS "%s", name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%lld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static void restore_knobs(void)
{
	if (saved_run >= 0)
		write_knob("run", saved_run);
	if (saved_max_cpu >= 0)
		write_knob("advisor_max_cpu", saved_max_cpu);
}

static void restore_terminal(void)
{
	if (redraw)
		printf("\033[?25h");
	fflush(stdout);
}

static void __attribute__((noreturn)) end(int status)
{
	int i;

	for (i = 0; i < PROCESSES; i++)
		if (workers && workers[i].pid > 0)
			kill(workers[i].pid, SIGKILL);
	restore_knobs();
	restore_terminal();
	exit(status);
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "ksm_demo: %s: %s%s", what, strerror(errno), newline());
	end(1);
}

/* ---- the processes ---- */

static enum kind kind_of(size_t page)
{
	return page / BLOCK % KINDS;
}

/* The content of a page: a sequence that its owner and number determine. */
static void make_page(uint64_t *out, int owner, size_t page)
{
	uint64_t x = ((uint64_t)owner << 32 | page) * 0x9e3779b97f4a7c15ULL + 1;
	size_t i;

	for (i = 0; i < PAGE / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		out[i] = x;
	}
}

static void expected_page(uint64_t *out, int worker, size_t page)
{
	switch (kind_of(page)) {
	case ZERO:
		memset(out, 0, PAGE);
		break;
	case UNIQUE:
		make_page(out, worker + 1, page);
		break;
	default:
		make_page(out, 0, page);
	}
}

static void fill(struct worker *self, int number)
{
	size_t page;

	for (page = 0; page < pages; page++) {
		expected_page((uint64_t *)(self->memory + page * PAGE), number,
			      page);
		self->done = page + 1;
	}
}

/* The n-th page of common content. */
static size_t common_page(size_t n)
{
	return n / (2 * BLOCK) * (KINDS * BLOCK) + n % (2 * BLOCK);
}

static void break_pages(struct worker *self)
{
	size_t n;

	for (n = 0; n < breaks; n++) {
		make_page((uint64_t *)(self->memory + common_page(n) * PAGE),
			  1000, n);
		self->done = n + 1;
	}
}

static void restore_pages(struct worker *self, int number)
{
	size_t n, page;

	for (n = 0; n < breaks; n++) {
		page = common_page(n);
		expected_page((uint64_t *)(self->memory + page * PAGE), number,
			      page);
		self->done = n + 1;
	}
}

static void check(struct worker *self, int number)
{
	uint64_t expected[PAGE / 8];
	size_t page;

	for (page = 0; page < pages; page++) {
		expected_page(expected, number, page);
		if (memcmp(expected, self->memory + page * PAGE, PAGE))
			self->wrong++;
		self->done = page + 1;
	}
}

static void __attribute__((noreturn)) work(int number)
{
	struct worker *self = &workers[number];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	self->memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED, self->fd, 0);
	if (self->memory == MAP_FAILED)
		die("mmap of /dev/ksm");
	while (self->order != QUIT) {
		switch (self->order) {
		case FILL:
			fill(self, number);
			break;
		case BREAK:
			break_pages(self);
			break;
		case RESTORE:
			restore_pages(self, number);
			break;
		case CHECK:
			check(self, number);
			break;
		default:
			nap(0.01);
			continue;
		}
		__sync_synchronize();
		self->order = NONE;
	}
	_exit(0);
}

static void give_order(int first, int count, enum order order)
{
	int i;

	for (i = 0; i < PROCESSES; i++)
		workers[i].done = 0;
	__sync_synchronize();
	for (i = first; i < first + count; i++)
		workers[i].order = order;
}

static bool all_done(void)
{
	int i;

	for (i = 0; i < PROCESSES; i++)
		if (workers[i].order != NONE)
			return false;
	return true;
}

static size_t total_done(void)
{
	size_t done = 0;
	int i;

	for (i = 0; i < PROCESSES; i++)
		done += workers[i].done;
	return done;
}

static void open_areas(void)
{
	struct ksm_set_domain domain = { .flags = KSM_DOMAIN_PRIVATE, .fd = -1 };
	int i;

	for (i = 0; i < PROCESSES; i++) {
		workers[i].fd = open("/dev/ksm", O_RDWR | O_CLOEXEC);
		if (workers[i].fd < 0)
			die("cannot open /dev/ksm (is ksmdev.ko loaded?)");
		if (ioctl(workers[i].fd, KSM_SET_DOMAIN, &domain))
			die("KSM_SET_DOMAIN");
		domain.flags = KSM_DOMAIN_JOIN;
		domain.fd = workers[0].fd;
	}
}

static void start_workers(void)
{
	pid_t pid;
	int i;

	workers = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (workers == MAP_FAILED) {
		workers = NULL;
		die("mmap");
	}
	open_areas();
	fflush(stdout);
	for (i = 0; i < PROCESSES; i++) {
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid)
			work(i);
		workers[i].pid = pid;
	}
}

/* ---- what one sees ---- */

static struct ksm_stats get_stats(int worker, uint64_t flags)
{
	struct ksm_stats stats = { .flags = flags };

	if (ioctl(workers[worker].fd, KSM_GET_STATS, &stats))
		die("KSM_GET_STATS");
	return stats;
}

/* Frames that the processes have, as the module counts them. */
static uint64_t frames(const struct ksm_stats *domain)
{
	return domain->pages_private + domain->pages_shared;
}

/* Pages of the domain that share a frame or take none. */
static uint64_t merged(const struct ksm_stats *domain)
{
	return domain->pages_merged + domain->ksm_zero_pages;
}

static uint64_t mergeable(void)
{
	uint64_t count = 0;
	size_t page;

	for (page = 0; page < pages; page++)
		count += kind_of(page) != UNIQUE;
	return count * PROCESSES;
}

static void print_bar(const char *phase, double part)
{
	const int width = 40;
	int i;

	if (part > 1)
		part = 1;
	printf("%-34s [", phase);
	for (i = 0; i < width; i++)
		putchar(i < part * width ? '#' : '.');
	printf("] %3.0f%%%s", part * 100, newline());
}

static void print_row(const char *name, const uint64_t *value)
{
	int i;

	printf("  %-18s", name);
	for (i = 0; i < PROCESSES; i++)
		printf("%9.1f", value[i] * PAGE / MIB);
	printf("  MiB%s", newline());
}

static void print_processes(void)
{
	uint64_t private[PROCESSES], merge[PROCESSES], zero[PROCESSES];
	struct ksm_stats stats;
	int i;

	printf("  %-18s", "process");
	for (i = 0; i < PROCESSES; i++) {
		stats = get_stats(i, 0);
		private[i] = stats.pages_private;
		merge[i] = stats.pages_merged;
		zero[i] = stats.ksm_zero_pages;
		printf("%9d", workers[i].pid);
	}
	printf("%s", newline());
	print_row("frames of its own", private);
	print_row("shared frames", merge);
	print_row("zero, no frame", zero);
}

static double cpu_percent(void)
{
	static double last_time;
	static long long last_cpu;
	long long cpu = read_knob("scan_cpu_ns");
	double time = now(), percent;

	percent = last_time ? (cpu - last_cpu) / 1e7 / (time - last_time) : 0;
	last_time = time;
	last_cpu = cpu;
	return percent;
}

static void print_totals(const struct ksm_stats *domain)
{
	double all = PROCESSES * pages * PAGE / MIB;
	double used = frames(domain) * PAGE / MIB;
	double given = (frames(domain) + domain->pages_merged -
			domain->pages_shared + domain->ksm_zero_pages) *
		       PAGE / MIB;

	printf("  memory %.1f of %.1f MiB in %.1f MiB of frames: %.1f MiB saved%s",
	       given, all, used, given - used, newline());
	printf("  %llu frames shared by %llu pages, %llu zero pages, %llu copies made%s",
	       domain->pages_shared, domain->pages_merged,
	       domain->ksm_zero_pages, domain->cow_breaks, newline());
	printf("  scanner: %.0f%% of a CPU, %llu KiB of metadata%s",
	       cpu_percent(), domain->metadata_bytes / 1024, newline());
}

static void print_line(const char *phase, double part,
		       const struct ksm_stats *domain)
{
	printf("%5.1f s  %-34s %3.0f%%  frames %6.1f MiB, shared %llu, sharing %llu, zero %llu, copies %llu%s",
	       now() - started, phase, part * 100,
	       frames(domain) * PAGE / MIB, domain->pages_shared,
	       domain->pages_merged - domain->pages_shared,
	       domain->ksm_zero_pages, domain->cow_breaks, newline());
}

static void show(const char *phase, double part)
{
	struct ksm_stats domain = get_stats(0, KSM_STATS_DOMAIN);

	if (interrupted)
		end(130);
	if (!redraw) {
		print_line(phase, part, &domain);
		fflush(stdout);
		return;
	}
	printf("\033[H  /dev/ksm: %d processes, %.0f MiB each%*.1f s%s%s",
	       PROCESSES, pages * PAGE / MIB, 30, now() - started, newline(),
	       newline());
	print_bar(phase, part);
	printf("%s", newline());
	print_processes();
	printf("%s", newline());
	print_totals(&domain);
	printf("\033[J");
	fflush(stdout);
}

static double pause_time(void)
{
	return redraw ? 0.25 : 1;
}

/* ---- the phases ---- */

static void watch_orders(const char *phase, size_t total)
{
	double limit = now() + seconds;

	while (!all_done()) {
		show(phase, (double)total_done() / total);
		if (now() > limit) {
			errno = ETIMEDOUT;
			die(phase);
		}
		nap(pause_time());
	}
	show(phase, 1);
}

/*
 * Merging all in a blink would be no fun to watch, and machines differ: the CPU
 * budget starts small and doubles while the merging is behind MERGE_TIME.
 */
static void pace(double part, double elapsed)
{
	static double last;

	if (!elapsed) {
		last = 0;
		write_knob("advisor_max_cpu", FIRST_BUDGET);
	} else if (elapsed - last > 1 && part < 0.9 * elapsed / MERGE_TIME) {
		last = elapsed;
		write_knob("advisor_max_cpu",
			   2 * read_knob("advisor_max_cpu"));
	}
}

/* Returns whether all that is equal was merged within the time. */
static bool watch_merging(const char *phase, uint64_t from)
{
	struct ksm_scan scan = { .flags = KSM_SCAN_FORCE };
	double start = now(), limit = start + seconds, part;
	struct ksm_stats domain;
	uint64_t all = mergeable();

	pace(0, 0);
	for (;;) {
		domain = get_stats(0, KSM_STATS_DOMAIN);
		part = merged(&domain) < from ? 0 :
		       (double)(merged(&domain) - from) / (all - from);
		show(phase, part);
		pace(part, now() - start);
		if (merged(&domain) >= all)
			return true;
		if (now() > limit)
			break;
		nap(pause_time());
	}
	/* Busy machine: one pass in our own time. */
	if (ioctl(workers[0].fd, KSM_SCAN, &scan))
		die("KSM_SCAN");
	show(phase, 1);
	domain = get_stats(0, KSM_STATS_DOMAIN);
	return merged(&domain) >= all;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static size_t count_distinct(uint64_t *list, size_t count)
{
	size_t distinct = 0, i;

	qsort(list, count, sizeof(*list), compare);
	for (i = 0; i < count; i++)
		distinct += !i || list[i] != list[i - 1];
	return distinct;
}

/* Adds the frame numbers of one process, those of its zero pages apart. */
static void read_frames(int worker, uint64_t *data, size_t *datas,
			uint64_t *zero, size_t *zeroes)
{
	char path[64];
	uint64_t entry, pfn;
	size_t page;
	off_t at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", workers[worker].pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	for (page = 0; page < pages; page++) {
		at = ((uintptr_t)workers[worker].memory / PAGE + page) * 8;
		if (pread(fd, &entry, 8, at) != 8)
			die(path);
		pfn = entry & ((1ULL << 55) - 1);
		if (!(entry >> 63) || !pfn)
			continue;
		if (kind_of(page) == ZERO)
			zero[(*zeroes)++] = pfn;
		else
			data[(*datas)++] = pfn;
	}
	close(fd);
}

/* Do the page tables agree with what the module says? */
static bool count_frames(void)
{
	uint64_t *data = calloc(PROCESSES * pages, sizeof(*data));
	uint64_t *zero = calloc(PROCESSES * pages, sizeof(*zero));
	struct ksm_stats domain = get_stats(0, KSM_STATS_DOMAIN);
	size_t datas = 0, zeroes = 0, seen, zero_seen;
	int i;

	if (!data || !zero)
		die("calloc");
	for (i = 0; i < PROCESSES; i++)
		read_frames(i, data, &datas, zero, &zeroes);
	seen = count_distinct(data, datas);
	zero_seen = count_distinct(zero, zeroes);
	printf("%zu pages in %zu frames by the page tables, %lu by the module; %zu zero pages mapped to %zu frame%s%s",
	       datas, seen, frames(&domain), zeroes, zero_seen,
	       zero_seen == 1 ? "" : "s", newline());
	free(data);
	free(zero);
	if (!datas) {
		printf("(frame numbers are hidden: not root)%s", newline());
		return true;
	}
	return seen <= frames(&domain);
}

static size_t wrong_pages(void)
{
	size_t wrong = 0;
	int i;

	for (i = 0; i < PROCESSES; i++)
		wrong += workers[i].wrong;
	return wrong;
}

/* Returns the exit status. */
static int conclude(bool complete)
{
	struct ksm_stats domain = get_stats(0, KSM_STATS_DOMAIN);
	size_t all = PROCESSES * pages, wrong = wrong_pages();
	bool counted;

	printf("%s", newline());
	printf("%.1f MiB in %.1f MiB: %.1f MiB saved with %.2f s of CPU, %llu KiB of metadata%s",
	       all * PAGE / MIB, frames(&domain) * PAGE / MIB,
	       (all - frames(&domain)) * PAGE / MIB,
	       (read_knob("scan_cpu_ns") - cpu_before) / 1e9, domain.metadata_bytes / 1024,
	       newline());
	counted = count_frames();
	if (wrong)
		printf("%zu of %zu pages are WRONG%s", wrong, all, newline());
	else
		printf("all %zu pages verified, each byte of them%s", all,
		       newline());
	if (!complete)
		printf("not everything was merged in time%s", newline());
	if (!counted)
		printf("more frames in use than the module says%s", newline());
	return wrong || !counted || !complete;
}

static int demo(void)
{
	struct ksm_stats domain;
	uint64_t before;
	bool complete;

	write_knob("run", 0);
	give_order(0, PROCESSES, FILL);
	watch_orders("filling memory", PROCESSES * pages);
	write_knob("run", 1);
	complete = watch_merging("merging equal pages", 0);

	domain = get_stats(0, KSM_STATS_DOMAIN);
	before = merged(&domain);
	give_order(0, 1, BREAK);
	watch_orders("one process writes to shared pages", breaks);
	nap(1);
	show("it has copies of its own now", 1);
	nap(1);
	domain = get_stats(0, KSM_STATS_DOMAIN);
	before = merged(&domain) < before ? merged(&domain) : before - 1;
	give_order(0, 1, RESTORE);
	watch_orders("it writes the old content back", breaks);
	complete = watch_merging("merging that again", before) && complete;

	/* So that nothing moves while frames are counted. */
	write_knob("run", 0);
	give_order(0, PROCESSES, CHECK);
	watch_orders("checking each byte", PROCESSES * pages);
	return conclude(complete);
}

static void prepare_output(void)
{
	const char *term = getenv("TERM");
	struct termios terminal;

	redraw = !plain && isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb");
	if (isatty(STDOUT_FILENO) && !tcgetattr(STDOUT_FILENO, &terminal))
		terminal_is_raw = !(terminal.c_oflag & OPOST);
	if (redraw)
		printf("\033[?25l\033[2J");
}

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static void __attribute__((noreturn)) explain(void)
{
	fprintf(stderr, "usage: ksm_demo [--seconds N] [--mib N] [--plain]\n");
	exit(2);
}

static void parse_arguments(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--plain"))
			plain = true;
		else if (i + 1 < argc && !strcmp(argv[i], "--seconds"))
			seconds = atof(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "--mib"))
			pages = atol(argv[++i]) * 256;
		else
			explain();
	}
	if (seconds < 1 || pages < 4 * BLOCK)
		explain();
	if (breaks > pages / 2 - BLOCK)
		breaks = pages / 2 - BLOCK;
}

int main(int argc, char **argv)
{
	int status;

	parse_arguments(argc, argv);
	prepare_output();
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	started = now();
	start_workers();
	cpu_before = read_knob("scan_cpu_ns");
	saved_run = read_knob("run");
	saved_max_cpu = read_knob("advisor_max_cpu");
	status = demo();
	end(status);
}
