/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Clocks, control files and result lines of the benchmarks.
 *
 * CPU time is read in nanoseconds, from CLOCK_THREAD_CPUTIME_ID for the
 * calling thread and from /proc/PID/schedstat for any other.  The second is
 * brought up to date when a thread is switched out: with one CPU it is exact
 * for every thread but the reader.
 *
 * Everything here ends the program on failure: half a benchmark is none.
 */
#ifndef BENCH_H
#define BENCH_H

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/types.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif
#ifndef __printf
#define __printf(a, b)	__attribute((__format__(__printf__, a, b)))
#endif
#ifndef READ_ONCE
#define READ_ONCE(x)	__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#endif

#define BENCH_PAGE	4096UL
#define NSEC_PER_SEC	1000000000ULL

#define die(...) bench_die(__func__, __VA_ARGS__)

static inline noreturn __printf(2, 3)
void bench_die(const char *where, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	printf("# FAILED %s: ", where);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	exit(1);
}

/* A line for the reader; the lab's tables leave it out. */
static inline __printf(1, 2)
void bench_note(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static inline __u64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		die("clock_gettime: %s", strerror(errno));
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline __u64 wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline __u64 thread_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline void sleep_ms(unsigned long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* Reads a file into buf as a string; returns its length, or -1. */
static inline ssize_t read_file(const char *path, char *buf, size_t size)
{
	ssize_t total = 0, n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	while ((n = read(fd, buf + total, size - 1 - total)) > 0)
		total += n;
	close(fd);
	if (n < 0)
		return -1;
	buf[total] = '\0';
	return total;
}

static inline bool ctl_exists(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !access(path, F_OK);
}

static inline __u64 ctl_get(const char *dir, const char *name)
{
	char path[256], buf[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (read_file(path, buf, sizeof(buf)) < 0)
		die("%s: %s", path, strerror(errno));
	return strtoull(buf, NULL, 10);
}

static inline void ctl_set_str(const char *dir, const char *name,
			       const char *value)
{
	char path[256];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		n = write(fd, value, strlen(value));
	if (n < 0)
		die("%s <- %s: %s", path, value, strerror(errno));
	close(fd);
}

static inline void ctl_set(const char *dir, const char *name, __u64 value)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%llu", value);
	ctl_set_str(dir, name, buf);
}

/* A line of /proc/meminfo, in bytes. */
static inline __u64 meminfo_bytes(const char *key)
{
	static const char path[] = "/proc/meminfo";
	char buf[8192], *line;

	if (read_file(path, buf, sizeof(buf)) < 0)
		die("%s: %s", path, strerror(errno));
	line = strstr(buf, key);
	if (!line)
		die("%s has no %s", path, key);
	return strtoull(line + strlen(key) + 1, NULL, 10) * 1024;
}

/* Bytes in the slabs of one cache, 0 if there is none of that name. */
static inline __u64 slab_bytes(const char *cache)
{
	static char buf[1 << 16];
	unsigned long per_slab, slabs;
	char name[64], *line, *data;

	if (read_file("/proc/slabinfo", buf, sizeof(buf)) < 0)
		die("/proc/slabinfo: %s", strerror(errno));
	snprintf(name, sizeof(name), "\n%s ", cache);
	line = strstr(buf, name);
	if (!line)
		return 0;
	data = strstr(line, ": slabdata");
	if (sscanf(line + 1, "%*s %*u %*u %*u %*u %lu", &per_slab) != 1 ||
	    !data || sscanf(data, ": slabdata %*u %lu", &slabs) != 1)
		die("cannot parse the line of %s", cache);
	return slabs * per_slab * BENCH_PAGE;
}

/* CPU time of another thread or process. */
static inline __u64 task_ns(int pid)
{
	char path[64], buf[128];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	if (read_file(path, buf, sizeof(buf)) < 0)
		return 0;
	return strtoull(buf, NULL, 10);
}

/* Is this a thread of the kernel, and does its name start with prefix? */
static inline bool is_kthread(int pid, const char *prefix)
{
	char path[64], buf[512], *name, *end;
	unsigned int flags;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_file(path, buf, sizeof(buf)) < 0)
		return false;
	name = strchr(buf, '(');
	end = strrchr(buf, ')');
	if (!name || !end ||
	    sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return false;
	if (!(flags & 0x00200000))	/* PF_KTHREAD */
		return false;
	return !strncmp(name + 1, prefix, strlen(prefix));
}

/* CPU time of all kernel threads with this prefix; "" means every one. */
static inline __u64 kthreads_ns(const char *prefix)
{
	DIR *proc = opendir("/proc");
	struct dirent *de;
	__u64 sum = 0;

	if (!proc)
		die("/proc: %s", strerror(errno));
	while ((de = readdir(proc)) != NULL) {
		int pid = atoi(de->d_name);

		if (isdigit(de->d_name[0]) && is_kthread(pid, prefix))
			sum += task_ns(pid);
	}
	closedir(proc);
	return sum;
}

/* Nanoseconds that an instruction takes; 1.0 under -icount shift=0. */
static inline double ns_per_instruction(void)
{
	const __u64 loops = 20000000;
	__u64 i = loops, start = thread_ns();

	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(i) : : "cc");
	return (double)(thread_ns() - start) / (2.0 * loops);
}

static inline double idle_seconds(void)
{
	char buf[64];
	double idle;

	if (read_file("/proc/uptime", buf, sizeof(buf)) < 0 ||
	    sscanf(buf, "%*f %lf", &idle) != 1)
		die("/proc/uptime: %s", strerror(errno));
	return idle;
}

/* Waits until nothing but us has run for two seconds: boot-time self-tests
 * take half of the CPU for a while.
 */
static inline void settle(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int quiet = 0, second;

	for (second = 0; second < 60 && quiet < 2; second++) {
		double idle = idle_seconds();
		__u64 start = wall_ns();

		sleep_ms(1000);
		idle = (idle_seconds() - idle) / cpus;
		if (idle * NSEC_PER_SEC >= 0.97 * (wall_ns() - start))
			quiet++;
		else
			quiet = 0;
	}
	if (quiet < 2)
		bench_note("the system is busy: figures may be too high");
}

static inline void bench_figure(char *buf, size_t size, double figure)
{
	if (figure < 0)
		buf[0] = '\0';
	else
		snprintf(buf, size, figure < 100000 ? "%.6g" : "%.0f", figure);
}

/* One line of the table; a negative figure is left empty. */
static inline void bench_print(const char *name, const char *metric,
			       const char *unit, double ours, double peer)
{
	char a[32], b[32];

	bench_figure(a, sizeof(a), ours);
	bench_figure(b, sizeof(b), peer);
	printf("BENCH,%s,%s,%s,%s,%s\n", name, metric, unit, a, b);
	fflush(stdout);
}

#endif /* BENCH_H */
