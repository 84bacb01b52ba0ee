// SPDX-License-Identifier: GPL-2.0
/*
 * ioctl_fuzz: calls on /dev/ksm and /dev/kvmlite that nobody would make, as far
 * as they reach code that none has reached before.  README in this folder.
 *
 * TAP on standard output; progress is in its comments.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "corpus.h"
#include "cover.h"
#include "journal.h"
#include "mutate.h"
#include "random.h"
#include "report.h"
#include "run.h"

#define PROGRESS_S	10
#define LEFTOVERS_EVERY	64	/* runs */
#define TRIM_CALLS	12	/* longer programs are kept as they are */
#define EDGES_LEAST	200	/* any corpus has more, if the modules tell */

static struct options {
	const char *device, *seeds, *keep, *journal;
	u64 seconds, seed;
	bool replay, minimize, verbose, blind;
} options;

static u64 runs, late;
static time_t began;
static struct cover cover;

/* ---- TAP ---- */

static unsigned int test_number, test_failed;

__attribute__((format(printf, 2, 3)))
static void result(bool ok, const char *format, ...)
{
	va_list args;

	printf("%sok %u - %s: ", ok ? "" : "not ", ++test_number, options.device);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	test_failed += !ok;
}

static void show_program(const char *problem, const struct program *program)
{
	char text[PROGRAM_TEXT], *line, *rest;

	program_print(program, text);
	printf("# %s\n# after this program, or one before it:\n", problem);
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		printf("#   %s\n", line);
	if (options.keep) {
		const char *path = corpus_save(program, options.keep);

		printf("# it is in %s\n", path ?: "no file: cannot be written");
	}
	fflush(stdout);
}

static void show_progress(void)
{
	time_t now = time(NULL);
	static time_t last;

	if (now - last < PROGRESS_S && runs != 1)
		return;
	last = now;
	printf("# %lld s: %llu programs, %u edges, %u blocks, corpus %u, late %llu\n",
	       (long long)(now - began), (unsigned long long)runs, cover_edges(),
	       cover_blocks(), corpus_count, (unsigned long long)late);
	fflush(stdout);
}

/* ---- runs ---- */

/* False when the kernel is no longer as it should be. */
static bool run_one(const struct program *program)
{
	struct outcome outcome = run_program(program);
	const char *problem = outcome.problem;

	runs++;
	if (outcome.late) {
		late++;
		show_program("killed as it took too long (no error)", program);
	}
	if (!problem && runs % LEFTOVERS_EVERY == 0)
		problem = run_leftovers();
	if (problem) {
		show_program(problem, program);
		return false;
	}
	cover_collect(&cover);
	show_progress();
	return true;
}

/* Without what it does not need to reach @wanted; uses the global cover. */
static bool trim(struct program *program, const struct cover *wanted)
{
	static u8 is_wanted[COVER_EDGES];
	struct program shorter;
	unsigned int i, j, count;

	for (i = 0; i < wanted->count; i++)
		is_wanted[wanted->edge[i]] = 1;
	for (i = program->count; i-- && program->count > 1;) {
		shorter = *program;
		program_remove(&shorter, i);
		if (!run_one(&shorter))
			return false;
		for (count = 0, j = 0; j < cover.count; j++)
			count += is_wanted[cover.edge[j]];
		if (count == wanted->count)
			*program = shorter;
	}
	for (i = 0; i < wanted->count; i++)
		is_wanted[wanted->edge[i]] = 0;
	return true;
}

/* The edges of the last run that are new. */
static void cover_new(struct cover *new)
{
	struct cover one = { .count = 1 };
	unsigned int i;

	for (new->count = 0, i = 0; i < cover.count; i++) {
		one.edge[0] = cover.edge[i];
		if (cover_count_new(&one))
			new->edge[new->count++] = cover.edge[i];
	}
}

/* Keep a program that has just run if it reached anything new. */
static bool keep_if_new(struct program *program)
{
	static struct cover new;

	cover_new(&new);
	if (!new.count)
		return true;
	cover_add(&new);
	if (program->count <= TRIM_CALLS && !trim(program, &new))
		return false;
	corpus_add(program);
	if (options.keep && !corpus_save(program, options.keep))
		printf("# %s: %s\n", options.keep, strerror(errno));
	return true;
}

/* ---- modes ---- */

/* All programs of the corpus once; false if that is the end. */
static bool run_corpus(void)
{
	unsigned int i, count = corpus_count;
	const char *left;
	bool ok = true;

	for (i = 0; i < count && ok; i++) {
		ok = run_one(&corpus[i]);
		cover_add(&cover);
	}
	if (ok) {
		left = run_leftovers();
		if (left)
			printf("# %s\n", left);
		ok = !left;
	}
	result(ok, "the corpus of %u programs: nothing reported, nothing left", count);
	return ok;
}

static bool fuzz(void)
{
	time_t end = time(NULL) + options.seconds;
	struct program program;
	const char *left;
	bool ok = true;

	while (ok && time(NULL) < end) {
		program = *corpus_pick();
		mutate(&program, corpus_pick());
		ok = run_one(&program) && keep_if_new(&program);
	}
	left = ok ? run_leftovers() : NULL;
	if (left) {
		show_program(left, &program);
		ok = false;
	}
	result(ok, "%llu s of new programs: nothing reported, nothing left",
	       (unsigned long long)options.seconds);
	return ok;
}

/* Those that reach what those before do not, as short as they can be. */
static bool minimize(void)
{
	unsigned int i, count = corpus_count, kept;
	bool ok = true;

	for (i = 0; i < count && ok; i++) {
		struct program program = corpus[i];

		ok = run_one(&program) && keep_if_new(&program);
	}
	kept = corpus_count - count;
	result(ok, "minimized: %u of %u programs kept", kept, count);
	return ok;
}

static int run_mode(unsigned int device)
{
	bool covered = cover_open();
	bool ok;

	if (access(run_device(device), F_OK)) {
		perror(run_device(device));
		return 2;
	}
	run_init(device, options.verbose);
	mutate_init(device);
	random_seed(options.seed);
	if (!check_open()) {
		perror("mmap");
		return 2;
	}
	if (report_open()) {
		perror("/dev/kmsg");
		return 2;
	}
	printf("1..%d\n", options.replay || options.minimize ? 1 : 3);
	printf("# seed %llu, %s\n", (unsigned long long)options.seed,
	       covered ? "coverage by KCOV" : "no coverage");
	began = time(NULL);
	if (options.minimize) {
		minimize();
		return test_failed > 0;
	}
	ok = run_corpus();
	if (options.replay)
		return test_failed > 0;
	result(options.blind || cover_edges() >= EDGES_LEAST,
	       "%u edges of the modules by the corpus", cover_edges());
	if (ok)
		fuzz();
	show_progress();
	printf("# %llu programs, %u edges, %u blocks, corpus %u, late %llu\n",
	       (unsigned long long)runs, cover_edges(), cover_blocks(),
	       corpus_count, (unsigned long long)late);
	return test_failed > 0;
}

/* ---- options ---- */

static const char usage[] =
"ioctl_fuzz --device ksm|kvm --corpus DIR [--seconds N] [--seed N] [--new DIR]\n"
"           [--journal FILE] [--blind]\n"
"ioctl_fuzz --device ksm|kvm --replay [--verbose] FILE|DIR...\n"
"ioctl_fuzz --device ksm|kvm --minimize --new DIR FILE|DIR...\n"
"\n"
"  --corpus DIR    programs to begin with\n"
"  --new DIR       programs that reach new code go there, and those that failed\n"
"  --journal FILE  each program is written there before it runs\n"
"  --blind         also without KCOV\n"
"  --verbose       say what each call returned\n";

static const struct option long_options[] = {
	{ "device", 1, NULL, 'd' }, { "corpus", 1, NULL, 'c' },
	{ "seconds", 1, NULL, 's' }, { "seed", 1, NULL, 'r' },
	{ "new", 1, NULL, 'n' }, { "journal", 1, NULL, 'j' },
	{ "replay", 0, NULL, 'p' }, { "minimize", 0, NULL, 'm' },
	{ "blind", 0, NULL, 'b' }, { "verbose", 0, NULL, 'v' }, { 0 }
};

static bool set_option(int option)
{
	switch (option) {
	case 'd':
		options.device = optarg;
		return true;
	case 'c':
		options.seeds = optarg;
		return true;
	case 's':
		options.seconds = strtoull(optarg, NULL, 0);
		return true;
	case 'r':
		options.seed = strtoull(optarg, NULL, 0);
		return true;
	case 'n':
		options.keep = optarg;
		return true;
	case 'j':
		options.journal = optarg;
		return true;
	case 'p':
		options.replay = true;
		return true;
	case 'm':
		options.minimize = true;
		return true;
	case 'b':
		options.blind = true;
		return true;
	case 'v':
		options.verbose = true;
		return true;
	}
	return false;
}

/* DEVICE_* or 0. */
static unsigned int device_named(const char *name)
{
	if (name && !strcmp(name, "ksm"))
		return DEVICE_KSM;
	if (name && !strcmp(name, "kvm"))
		return DEVICE_KVM;
	return 0;
}

static bool load_all(char **paths)
{
	bool ok = !options.seeds || corpus_load(options.seeds);

	while (*paths)
		ok &= corpus_load(*paths++);
	if (!corpus_count)
		printf("# no program\n");
	return ok && corpus_count;
}

int main(int argc, char **argv)
{
	unsigned int device;
	int option;

	options.seed = time(NULL) ^ getpid();
	options.seconds = 60;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (!set_option(option))
			break;
	device = device_named(options.device);
	if (option != -1 || !device) {
		fputs(usage, stderr);
		return 2;
	}
	if (!load_all(argv + optind))
		return 2;
	if (options.keep && mkdir(options.keep, 0755) && errno != EEXIST) {
		perror(options.keep);
		return 2;
	}
	if (options.journal && journal_open(options.journal)) {
		perror(options.journal);
		return 2;
	}
	return run_mode(device);
}
