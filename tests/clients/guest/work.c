// SPDX-License-Identifier: GPL-2.0
/*
 * The workload of a guest: memory, page tables, processes, pipes and floating
 * point, in a way that ends in bytes known in advance. The lab runs the same
 * program on the building machine.
 *
 *   work run SEED KIB CPU	pinned to CPU; its results go to standard output
 *   work fill SEED KIB		KIB of data, no two pages of it equal
 *   work flip FILE		inverts a file, in place
 *   work child SEED		what run starts by exec
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE		4096
#define CHURNS		64
#define CHURN_PAGES	16
#define CHILDREN	8
#define PIPE_BYTES	(256 << 10)
#define FLOAT_STEPS	50000

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t start(uint64_t seed)
{
	return (seed + 1) * 0x9e3779b97f4a7c15;
}

static void fill(uint64_t *data, size_t bytes, uint64_t seed)
{
	uint64_t state = start(seed);
	size_t i;

	for (i = 0; i < bytes / sizeof(*data); i++)
		data[i] = next(&state);
}

static uint64_t sum(const uint64_t *data, size_t bytes)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < bytes / sizeof(*data); i++)
		value = (value << 1 | value >> 63) ^ data[i];
	return value;
}

static uint64_t *map(size_t bytes)
{
	void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		die("mmap");
	return data;
}

static void put(const void *data, size_t bytes)
{
	ssize_t done;

	for (; bytes; bytes -= done, data = (const char *)data + done) {
		done = write(STDOUT_FILENO, data, bytes);
		if (done <= 0)
			die("write");
	}
}

static void put_value(uint64_t value)
{
	put(&value, sizeof(value));
}

/* Page tables come and go, and so do access rights. */
static uint64_t churn(uint64_t seed)
{
	const size_t bytes = CHURN_PAGES * PAGE;
	uint64_t value = 0, *data;
	int i, page;

	for (i = 0; i < CHURNS; i++) {
		data = map(bytes);
		for (page = 0; page < CHURN_PAGES; page++)
			data[page * PAGE / sizeof(*data)] = seed + i * page;
		if (mprotect(data, bytes, PROT_READ))
			die("mprotect");
		for (page = 0; page < CHURN_PAGES; page++)
			value = value * 31 + data[page * PAGE / sizeof(*data) + i % 2];
		munmap(data, bytes);
	}
	return value;
}

/* Results of double precision are exact to the bit: registers must survive. */
static uint64_t floats(uint64_t seed)
{
	double x = 0.1 + 0.001 * (seed % 100), y = 0;
	uint64_t value;
	int i;

	for (i = 0; i < FLOAT_STEPS; i++) {
		x = 3.99 * x * (1 - x);
		y += x / (i + 1);
	}
	memcpy(&value, &y, sizeof(value));
	return value;
}

static void read_all(int fd, void *data, size_t bytes)
{
	ssize_t done;

	for (; bytes; bytes -= done, data = (char *)data + done) {
		done = read(fd, data, bytes);
		if (done <= 0)
			die("read");
	}
}

/*
 * Children that write to their copy of the memory, become another program, and
 * tell what they have seen.
 */
static uint64_t family(uint64_t *data, size_t bytes, uint64_t seed)
{
	uint64_t value = 0, got[2];
	int i, ends[2], status;
	char arg[32];

	for (i = 0; i < CHILDREN; i++) {
		if (pipe(ends))
			die("pipe");
		if (fork() == 0) {
			dup2(ends[1], STDOUT_FILENO);
			fill(data, bytes / 2, seed + i);
			put_value(sum(data, bytes));
			snprintf(arg, sizeof(arg), "%llu", (unsigned long long)seed + i);
			execl("/proc/self/exe", "work", "child", arg, NULL);
			die("exec");
		}
		close(ends[1]);
		read_all(ends[0], got, sizeof(got));
		close(ends[0]);
		if (wait(&status) < 0 || status)
			die("child");
		value = value * 31 + got[0] + got[1];
	}
	return value;
}

/* A child feeds a pipe, its parent drinks. */
static uint64_t plumbing(uint64_t seed)
{
	uint64_t *data = map(PIPE_BYTES), value;
	int ends[2], status;

	if (pipe(ends))
		die("pipe");
	if (fork() == 0) {
		dup2(ends[1], STDOUT_FILENO);
		fill(data, PIPE_BYTES, ~seed);
		put(data, PIPE_BYTES);
		exit(0);
	}
	close(ends[1]);
	read_all(ends[0], data, PIPE_BYTES);
	close(ends[0]);
	if (wait(&status) < 0 || status)
		die("child");
	value = sum(data, PIPE_BYTES);
	munmap(data, PIPE_BYTES);
	return value;
}

/* On the building machine the CPU may not be there. */
static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void run(uint64_t seed, size_t bytes, int cpu)
{
	uint64_t *data = map(bytes);

	pin(cpu);
	fill(data, bytes, seed);
	put_value(churn(seed));
	put_value(floats(seed));
	put_value(family(data, bytes, seed));
	put_value(plumbing(seed));
	put(data, bytes);
}

static void flip(const char *name)
{
	int fd = open(name, O_RDWR);
	struct stat stat;
	uint64_t *data;
	long i;

	if (fd < 0 || fstat(fd, &stat))
		die(name);
	data = mmap(NULL, stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		die("mmap");
	for (i = 0; i < (long)(stat.st_size / sizeof(*data)); i++)
		data[i] = ~data[i];
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	size_t bytes = argc > 3 ? strtoull(argv[3], NULL, 10) << 10 : 0;
	uint64_t *data;

	if (!strcmp(what, "run") && argc == 5) {
		run(seed, bytes, atoi(argv[4]));
	} else if (!strcmp(what, "fill") && argc == 4) {
		data = map(bytes);
		fill(data, bytes, seed);
		put(data, bytes);
	} else if (!strcmp(what, "flip") && argc == 3) {
		flip(argv[2]);
	} else if (!strcmp(what, "child") && argc == 3) {
		data = map(PAGE);
		fill(data, PAGE, seed);
		put_value(sum(data, PAGE));
	} else {
		return 2;
	}
	return 0;
}
