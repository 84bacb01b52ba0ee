// SPDX-License-Identifier: GPL-2.0
/* Memory with known contents, and what is merged of it. See ksmrun_test.h. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ksmdev.h>

#include "ksmrun_test.h"

bool preloaded;

void __attribute__((noreturn, format(printf, 2, 3)))
fail(int line, const char *format, ...)
{
	va_list args;

	printf("# line %d: ", line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

char *map(size_t len)
{
	char *p = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	return p;
}

/* Each page has its own content, given by its number in the range and seed. */
uint64_t word(uint64_t seed, size_t page, size_t i)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + page * 512 + i + 1;

	x ^= x >> 31;
	return x * 0xd6e8feb86659fd93ULL;
}

void fill(void *memory, size_t len, uint64_t seed)
{
	uint64_t *p = memory;
	size_t i;

	for (i = 0; i < len / 8; i++)
		p[i] = word(seed, i / 512, i % 512);
}

/* The content of a part of a range, which starts with page @first. */
void check_from(int line, const void *memory, size_t len,
		uint64_t seed, size_t first)
{
	const uint64_t *p = memory;
	size_t i;

	for (i = 0; i < len / 8; i++)
		if (p[i] != word(seed, first + i / 512, i % 512))
			fail(line, "wrong content in page %zu, word %zu: %llx",
			     i / 512, i % 512, (unsigned long long)p[i]);
}

void check_zero_at(int line, const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			fail(line, "byte %zu is %d, not 0", i, p[i]);
}

/* The file system that has the files behind what was handed over. */
static dev_t area_device(void)
{
	int fd = open("/dev/ksm", O_RDWR | O_CLOEXEC), file;
	struct stat st;

	expect(fd >= 0);
	file = ioctl(fd, KSM_GET_FILE, 0);
	expect(file >= 0);
	expect(!fstat(file, &st));
	close(file);
	close(fd);
	return st.st_dev;
}

/* Bytes of the range that are handed over. */
size_t in_area(const void *memory, size_t len)
{
	uintptr_t start = (uintptr_t)memory, end = start + len;
	FILE *maps = fopen("/proc/thread-self/maps", "re");
	unsigned int device_major, device_minor;
	dev_t device = area_device();
	unsigned long from, to;
	size_t bytes = 0;
	char line[512];

	expect(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %*s %x:%x", &from, &to,
			   &device_major, &device_minor) != 4 ||
		    makedev(device_major, device_minor) != device)
			continue;
		from = from > start ? from : start;
		to = to < end ? to : end;
		if (from < to)
			bytes += to - from;
	}
	fclose(maps);
	return bytes;
}

void expect_taken_at(int line, const void *memory, size_t len, size_t bytes)
{
	size_t taken;

	if (!preloaded)
		return;
	taken = in_area(memory, len);
	if (taken != bytes)
		fail(line, "expected %zu bytes handed over, got %zu", bytes,
		     taken);
}

char *mergeable(size_t len, uint64_t seed)
{
	char *p = map(len);

	fill(p, len, seed);
	expect(!madvise(p, len, MADV_MERGEABLE));
	expect_taken(p, len, len);
	return p;
}

/* A descriptor in our domain, in private ones by the directory we are given. */
static int domain(void)
{
	struct ksm_set_domain join = { .flags = KSM_DOMAIN_JOIN };
	const char *other = getenv("KSMRUN_DOMAIN_FD");
	int fd = open("/dev/ksm", O_RDWR | O_CLOEXEC);

	expect(fd >= 0);
	if (other) {
		join.fd = atoi(other);
		expect(!ioctl(fd, KSM_SET_DOMAIN, &join));
	}
	return fd;
}

void scan(void)
{
	struct ksm_scan pass = { .flags = KSM_SCAN_FORCE };
	int fd;

	if (!preloaded)
		return;
	fd = domain();
	expect(!ioctl(fd, KSM_SCAN, &pass));
	close(fd);
}

/* Pages that are merged, zeroes included. */
uint64_t merged(void)
{
	struct ksm_stats stats = { .flags = KSM_STATS_DOMAIN };
	int fd = domain();

	expect(!ioctl(fd, KSM_GET_STATS, &stats));
	close(fd);
	return stats.pages_merged + stats.ksm_zero_pages;
}

void expect_merged(uint64_t before, uint64_t pages)
{
	if (!preloaded)
		return;
	if (merged() < before + pages)
		fail(__LINE__, "expected %llu pages merged, got %llu",
		     (unsigned long long)(before + pages),
		     (unsigned long long)merged());
}

/*
 * Passes until they are merged, 5 s at most: pages that another process is just
 * unmapping are in use, and a pass leaves such pages alone.
 */
void scan_until_merged(uint64_t before, uint64_t pages)
{
	int tries;

	if (!preloaded)
		return;
	scan();
	for (tries = 0; tries < 500 && merged() < before + pages; tries++) {
		usleep(10000);
		scan();
	}
	expect_merged(before, pages);
}

void wait_for(pid_t child)
{
	int status;

	expect(child > 0);
	expect(waitpid(child, &status, 0) == child);
	if (status)
		fail(__LINE__, "the child ended with status %#x", status);
}
