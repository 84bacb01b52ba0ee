// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a fuzz target without libFuzzer: replay NAME SEEDS [--binary FILE...]
 *
 * SEEDS has an input a line, bytes in hexadecimal up to a '#'.  Each is a test, and
 * so is the sweep of a target that has one.  TAP on standard output; the target
 * aborts at the first mistake, which leaves the plan unfulfilled.
 */
#include "kernel.h"

#define INPUT_SIZE	4096

static unsigned int tests;
static const char *name;

static size_t parse(const char *line, u8 *bytes)
{
	size_t n = 0;
	char *end;

	while (n < INPUT_SIZE) {
		unsigned long value = strtoul(line, &end, 16);

		if (end == line)
			break;
		bytes[n++] = value;
		line = end;
	}
	return n;
}

/* From memory of just that length, so that no byte beyond is read unseen. */
static void run(const u8 *bytes, size_t n, const char *what)
{
	u8 *input = malloc(n ? n : 1);

	if (!input)
		exit(1);
	memcpy(input, bytes, n);
	fprintf(stderr, "# %s: %s", name, what);
	LLVMFuzzerTestOneInput(input, n);
	free(input);
	printf("ok %u - %s: %s", ++tests, name, what);
}

static void run_seeds(FILE *seeds)
{
	static char line[3 * INPUT_SIZE];
	static u8 bytes[INPUT_SIZE];

	while (fgets(line, sizeof(line), seeds)) {
		if (line[0] != '#' && line[0] != '\n')
			run(bytes, parse(line, bytes), line);
	}
}

static void run_files(char **files)
{
	static u8 bytes[INPUT_SIZE];
	char text[256];
	size_t n;
	FILE *f;

	for (; *files; files++) {
		f = fopen(*files, "r");
		if (!f) {
			perror(*files);
			exit(1);
		}
		n = fread(bytes, 1, sizeof(bytes), f);
		fclose(f);
		snprintf(text, sizeof(text), "%s\n", *files);
		run(bytes, n, text);
	}
}

int main(int argc, char **argv)
{
	FILE *seeds;

	if (argc < 3 || (argc > 3 && strcmp(argv[3], "--binary"))) {
		fprintf(stderr, "usage: %s NAME SEEDS [--binary FILE...]\n",
			argv[0]);
		return 2;
	}
	name = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	seeds = fopen(argv[2], "r");
	if (!seeds) {
		perror(argv[2]);
		return 1;
	}
	run_seeds(seeds);
	fclose(seeds);
	if (argc > 3)
		run_files(argv + 4);
	if (fuzz_sweep) {
		fuzz_sweep();
		printf("ok %u - %s: sweep\n", ++tests, name);
	}
	printf("1..%u\n", tests);
	return 0;
}
