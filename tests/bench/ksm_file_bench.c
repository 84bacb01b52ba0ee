// SPDX-License-Identifier: GPL-2.0
/*
 * A file of ksmfs against a memfd, in the same boot: what a page of 4 KiB costs at the first
 * touch by a mapping, at read(), write() and when a hole is punched.  Nothing merges
 * meanwhile.  Prints one line for each figure: BENCH,case,metric,unit,ours,peer.
 *
 * Made for one CPU under QEMU's -icount shift=0,sleep=off, where a nanosecond is an
 * instruction.  Documentation/bench-ksm.rst says how each figure is taken.
 */
#define _GNU_SOURCE
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "bench.h"

#define PAGES		8192UL
#define BYTES		(PAGES * BENCH_PAGE)
#define KNOBS		"/sys/class/misc/ksm"
#define FAULT_AROUND	"/sys/kernel/debug"
#define MOUNT_POINT	"/tmp/ksm_file_bench"

enum side { OURS, PEER, SIDES };

static char page[BENCH_PAGE];

static int file_open(enum side side)
{
	int fd = side == OURS ? open(MOUNT_POINT, O_RDWR | O_TMPFILE, 0600) :
				memfd_create("bench", 0);

	if (fd < 0 || ftruncate(fd, BYTES))
		die("a new file: %s", strerror(errno));
	return fd;
}

static char *file_map(int fd)
{
	char *mem = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (mem == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	return mem;
}

static void touch(int fd, bool write)
{
	char *mem = file_map(fd);
	unsigned long i, sum = 0;

	for (i = 0; i < PAGES; i++) {
		if (write)
			WRITE_ONCE(mem[i * BENCH_PAGE], 1);
		else
			sum += READ_ONCE(mem[i * BENCH_PAGE]);
	}
	if (sum)
		die("a new file does not read as zeroes");
	munmap(mem, BYTES);
}

static void fault_write(int fd)
{
	touch(fd, true);
}

static void fault_read(int fd)
{
	touch(fd, false);
}

static void write_pages(int fd)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		if (pwrite(fd, page, BENCH_PAGE, i * BENCH_PAGE) != BENCH_PAGE)
			die("pwrite: %s", strerror(errno));
}

static void read_pages(int fd)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		if (pread(fd, page, BENCH_PAGE, i * BENCH_PAGE) != BENCH_PAGE)
			die("pread: %s", strerror(errno));
}

static void punch_pages(int fd)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, i * BENCH_PAGE,
			      BENCH_PAGE))
			die("fallocate: %s", strerror(errno));
}

static void punch_whole(int fd)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BYTES))
		die("fallocate: %s", strerror(errno));
}

static const struct file_case {
	const char *name;
	bool written;			/* the file holds all pages before */
	void (*run)(int fd);
} cases[] = {
	{ "fault_write", false, fault_write },
	{ "fault_read", false, fault_read },
	{ "write_new", false, write_pages },
	{ "write", true, write_pages },
	{ "read", true, read_pages },
	{ "punch", true, punch_pages },
	{ "punch_whole", true, punch_whole },
};

static double measure(const struct file_case *c, enum side side)
{
	__u64 best = ~0ULL, ns;
	int i, fd;

	for (i = 0; i < 3; i++) {
		fd = file_open(side);
		if (c->written)
			write_pages(fd);
		sleep_ms(200);
		ns = thread_ns();
		c->run(fd);
		ns = thread_ns() - ns;
		if (ns < best)
			best = ns;
		close(fd);
	}
	return (double)best / PAGES;
}

int main(void)
{
	double ours, peer;
	unsigned int i;

	memset(page, 0x5a, sizeof(page));
	if (mkdir(MOUNT_POINT, 0700) || mount("none", MOUNT_POINT, "ksmfs", 0, NULL))
		die("mount: %s", strerror(errno));
	mount("none", FAULT_AROUND, "debugfs", 0, NULL);
	ctl_set(KNOBS, "run", 0);
	ctl_set(FAULT_AROUND, "fault_around_bytes", BENCH_PAGE);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ours = measure(&cases[i], OURS);
		peer = measure(&cases[i], PEER);
		printf("BENCH,%s,cost,instructions/page,%.0f,%.0f\n", cases[i].name, ours, peer);
		fflush(stdout);
	}
	umount(MOUNT_POINT);
	rmdir(MOUNT_POINT);
	return 0;
}
