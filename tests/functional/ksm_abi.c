// SPDX-License-Identifier: GPL-2.0
/*
 * The calls of /dev/ksm: success, each documented error, and that a call that
 * fails changes nothing.
 */
#define _GNU_SOURCE
#include <linux/fs.h>

#include "ksm_test.h"

#define PAGES	16

static const struct {
	const char *name;
	unsigned long request;
	size_t size;
} calls[] = {
	{ "KSM_REGISTER", KSM_REGISTER, sizeof(struct ksm_range) },
	{ "KSM_UNMERGE", KSM_UNMERGE, sizeof(struct ksm_range) },
	{ "KSM_MERGE", KSM_MERGE, sizeof(struct ksm_range) },
	{ "KSM_DISCARD", KSM_DISCARD, sizeof(struct ksm_range) },
	{ "KSM_SCAN", KSM_SCAN, sizeof(struct ksm_scan) },
	{ "KSM_SET_DOMAIN", KSM_SET_DOMAIN, sizeof(struct ksm_set_domain) },
	{ "KSM_GET_STATS", KSM_GET_STATS, sizeof(struct ksm_stats) },
};

/* ---- what must not change when a call fails ---- */

struct state {
	char maps[65536];
	struct ksm_stats stats;
	struct ksm_stats domain;
};

static struct state before, after;

static void state_save(struct state *state, int fd)
{
	CHECK(file_read("/proc/self/maps", state->maps, sizeof(state->maps)) > 0);
	state->stats = ksm_stats(fd);
	state->domain = ksm_domain_stats(fd);
}

static void state_check(int fd, const char *what)
{
	state_save(&after, fd);
	if (strcmp(before.maps, after.maps))
		tap_fail("%s: /proc/self/maps changed", what);
	if (memcmp(&before.stats, &after.stats, sizeof(after.stats)))
		tap_fail("%s: the statistics of the area changed", what);
	if (memcmp(&before.domain, &after.domain, sizeof(after.domain)))
		tap_fail("%s: the statistics of the domain changed", what);
}

/* An area with private, merged, zero and untouched pages, scanned. */
static int area_of_all_kinds(char **mem)
{
	int fd = ksm_open_private();

	*mem = map_area(fd, PAGES);
	pages_fill(page_at(*mem, 0), 4, 100, 1);
	pages_fill(page_at(*mem, 4), 4, 7, 0);
	pages_fill(page_at(*mem, 8), 4, 0, 0);
	ksm_scan(fd);
	state_save(&before, fd);
	return fd;
}

static void contents_check(const char *mem)
{
	pages_check(page_at(mem, 0), 4, 100, 1);
	pages_check(page_at(mem, 4), 4, 7, 0);
	pages_check(page_at(mem, 8), 8, 0, 0);
}

/* ---- tests ---- */

static void test_version(void)
{
	int fd = ksm_open();

	CHECK_EQ(ioctl(fd, KSM_GET_API_VERSION, 0), KSM_API_VERSION);
	CHECK_ERRNO(ioctl(fd, KSM_GET_API_VERSION, 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, KSM_GET_API_VERSION, -1L), EINVAL);
}

static void test_layout(void)
{
	CHECK_EQ(sizeof(struct ksm_range), 32);
	CHECK_EQ(sizeof(struct ksm_scan), 96);
	CHECK_EQ(sizeof(struct ksm_set_domain), 16);
	CHECK_EQ(sizeof(struct ksm_stats), 128);
	CHECK_EQ(KSM_REGISTER, 0xc020bd01);
	CHECK_EQ(KSM_UNMERGE, 0xc020bd02);
	CHECK_EQ(KSM_MERGE, 0xc020bd03);
	CHECK_EQ(KSM_DISCARD, 0xc020bd04);
	CHECK_EQ(KSM_SCAN, 0xc060bd05);
	CHECK_EQ(KSM_SET_DOMAIN, 0xc010bd06);
	CHECK_EQ(KSM_GET_STATS, 0xc080bd07);
}

static void test_unknown_request(void)
{
	static const unsigned long requests[] = {
		_IO(KSMIO, 0x08), _IO(KSMIO, 0xff),
		_IOWR(KSMIO, 0x08, struct ksm_range), _IO(0xbc, 0x00),
		KSM_REGISTER & ~IOC_INOUT, (KSM_REGISTER & ~IOC_INOUT) | IOC_IN,
	};
	char *mem;
	int fd = area_of_all_kinds(&mem);
	char argument[256] = "";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		CHECK_ERRNO(ioctl(fd, requests[i], argument), ENOTTY);
		state_check(fd, "unknown request");
	}
	contents_check(mem);
}

static void test_wrong_size(void)
{
	char *mem;
	int fd = area_of_all_kinds(&mem);
	char argument[256] = "";
	unsigned int i;
	int off;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (off = -8; off <= 8; off += 16) {
			unsigned long request = calls[i].request & ~IOCSIZE_MASK;

			request |= (calls[i].size + off) << IOCSIZE_SHIFT;
			CHECK_ERRNO(ioctl(fd, request, argument), ENOTTY);
			state_check(fd, calls[i].name);
		}
	}
	contents_check(mem);
}

static void test_bad_pointer(void)
{
	char *mem, *page = map_anon(2);
	int fd = area_of_all_kinds(&mem);
	unsigned int i;

	MUST(munmap(page_at(page, 1), PAGE));
	state_save(&before, fd);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		char *half = page + PAGE - calls[i].size / 2;

		CHECK_ERRNO(ioctl(fd, calls[i].request, NULL), EFAULT);
		CHECK_ERRNO(ioctl(fd, calls[i].request, half), EFAULT);
		CHECK_ERRNO(ioctl(fd, calls[i].request, -4096L), EFAULT);
		state_check(fd, calls[i].name);
	}
	contents_check(mem);
}

/* What a call answers must be written: it cannot stand in read-only memory. */
static void test_read_only_argument(void)
{
	struct ksm_stats *stats = map_anon(1);
	int fd = ksm_open_private();

	MUST(mprotect(stats, PAGE, PROT_READ));
	CHECK_ERRNO(ioctl(fd, KSM_GET_STATS, stats), EFAULT);
	CHECK_ERRNO(ioctl(fd, KSM_SCAN, (struct ksm_scan *)stats), EFAULT);
}

static void test_closed_descriptor(void)
{
	int fd = ksm_open();
	unsigned int i;

	close(fd);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		char argument[256] = "";

		CHECK_ERRNO(ioctl(fd, calls[i].request, argument), EBADF);
	}
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), EBADF);
}

static void test_range_errors(void)
{
	static const unsigned long requests[] = {
		KSM_UNMERGE, KSM_MERGE, KSM_DISCARD,
	};
	char *mem;
	int fd = area_of_all_kinds(&mem);
	const struct {
		u64 addr, len, flags;
		int error;
	} rows[] = {
		{ (u64)mem + 1, PAGE, 0, EINVAL },
		{ (u64)mem + 2048, PAGE, 0, EINVAL },
		{ (u64)mem, 0, 0, EINVAL },
		{ (u64)mem, 1, 0, EINVAL },
		{ (u64)mem, PAGE - 1, 0, EINVAL },
		{ (u64)mem, -PAGE, 0, EINVAL },
		{ -PAGE, 2 * PAGE, 0, EINVAL },
		{ (u64)mem, PAGE, 2, EINVAL },
		{ (u64)mem, PAGE, 1ULL << 63, EINVAL },
		{ 0, 0, KSM_RANGE_OFFSET, EINVAL },
		{ 1, PAGE, KSM_RANGE_OFFSET, EINVAL },
		{ 0, 1, KSM_RANGE_OFFSET, EINVAL },
		{ -PAGE, 2 * PAGE, KSM_RANGE_OFFSET, EINVAL },
		{ PAGE, -PAGE, KSM_RANGE_OFFSET, EINVAL },
		{ -PAGE, PAGE, KSM_RANGE_OFFSET, EINVAL },
		{ 1ULL << 62, PAGE, KSM_RANGE_OFFSET, EINVAL },
		{ 0, PAGE, KSM_RANGE_OFFSET | 2, EINVAL },
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		for (j = 0; j < ARRAY_SIZE(rows); j++) {
			struct ksm_range range = { rows[j].addr, rows[j].len,
						   rows[j].flags, 0 };
			char what[64];

			snprintf(what, sizeof(what), "call %u, row %u", i, j);
			if (ioctl(fd, requests[i], &range) != -1)
				tap_fail("%s: expected %s, got success", what,
					 strerrorname_np(rows[j].error));
			if (errno != rows[j].error)
				tap_fail("%s: expected %s, got %s", what,
					 strerrorname_np(rows[j].error),
					 strerrorname_np(errno));
			state_check(fd, what);
		}
	}
	contents_check(mem);
}

/* ENOMEM: a part of the range is not a mapping of this area. */
static void test_range_elsewhere(void)
{
	static const unsigned long requests[] = {
		KSM_UNMERGE, KSM_MERGE, KSM_DISCARD,
	};
	char *mem, *hole, *anon, *other;
	int fd = area_of_all_kinds(&mem);
	unsigned int i;

	hole = map_area(fd, 3);
	MUST(munmap(page_at(hole, 1), PAGE));
	anon = map_anon(2);
	page_fill(anon, 5);
	other = map_area(ksm_open(), 2);
	page_fill(other, 6);
	state_save(&before, fd);
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		CHECK_ERRNO(ksm_range_call(fd, requests[i], hole, 3 * PAGE, 0),
			    ENOMEM);
		CHECK_ERRNO(ksm_range_call(fd, requests[i], page_at(hole, 1),
					   2 * PAGE, 0), ENOMEM);
		CHECK_ERRNO(ksm_range_call(fd, requests[i], hole, 2 * PAGE, 0),
			    ENOMEM);
		CHECK_ERRNO(ksm_range_call(fd, requests[i], anon, PAGE, 0), ENOMEM);
		CHECK_ERRNO(ksm_range_call(fd, requests[i], other, PAGE, 0), ENOMEM);
		state_check(fd, "range elsewhere");
	}
	contents_check(mem);
	pages_check(anon, 1, 5, 0);
	pages_check(other, 1, 6, 0);
}

static void test_scan_errors(void)
{
	char *mem;
	int fd = area_of_all_kinds(&mem);
	unsigned int bit, i;

	page_fill(mem, 7);
	state_save(&before, fd);
	for (bit = 1; bit < 64; bit++) {
		struct ksm_scan scan = { .flags = 1ULL << bit };

		CHECK_ERRNO(ioctl(fd, KSM_SCAN, &scan), EINVAL);
	}
	for (i = 0; i < 4; i++) {
		struct ksm_scan scan = { .flags = 0 };

		scan.reserved[i] = 1;
		CHECK_ERRNO(ioctl(fd, KSM_SCAN, &scan), EINVAL);
	}
	state_check(fd, "KSM_SCAN");
	CHECK_EQ(ksm_scan_force(fd).pages_merged, 1);
}

static void test_stats_errors(void)
{
	int fd = ksm_open_private();
	unsigned int bit, i;

	for (bit = 1; bit < 64; bit++) {
		struct ksm_stats stats = { .flags = 1ULL << bit };

		CHECK_ERRNO(ioctl(fd, KSM_GET_STATS, &stats), EINVAL);
	}
	for (i = 0; i < 4; i++) {
		struct ksm_stats stats = { .flags = 0 };

		stats.reserved[i] = 1;
		CHECK_ERRNO(ioctl(fd, KSM_GET_STATS, &stats), EINVAL);
	}
}

static void test_stats_of_new_area(void)
{
	int fd = ksm_open_private();
	struct ksm_stats area = ksm_stats(fd), domain = ksm_domain_stats(fd);

	CHECK_EQ(area.size, 0);
	CHECK_EQ(area.pages_private, 0);
	CHECK_EQ(area.pages_merged, 0);
	CHECK_EQ(area.ksm_zero_pages, 0);
	CHECK_EQ(area.pages_pending, 0);
	CHECK_EQ(area.cow_breaks, 0);
	CHECK_EQ(area.areas, 1);
	CHECK_EQ(domain.domain, area.domain);
	CHECK_EQ(domain.areas, 1);
	CHECK_EQ(domain.size, 0);
	CHECK_EQ(domain.pages_shared, 0);
	CHECK_EQ(domain.pages_unshared, 0);
}

static void test_set_domain_errors(void)
{
	int fd = ksm_open(), other = ksm_open();
	int null = MUST(open("/dev/null", O_RDWR));
	int closed = MUST(dup(null));
	const struct {
		u32 flags;
		int fd, error;
	} rows[] = {
		{ 0, -1, EINVAL },
		{ 0, other, EINVAL },
		{ KSM_DOMAIN_PRIVATE | KSM_DOMAIN_JOIN, other, EINVAL },
		{ KSM_DOMAIN_PRIVATE | 4, -1, EINVAL },
		{ KSM_DOMAIN_JOIN | 1U << 31, other, EINVAL },
		{ KSM_DOMAIN_PRIVATE, other, EINVAL },
		{ KSM_DOMAIN_PRIVATE, 0, EINVAL },
		{ KSM_DOMAIN_JOIN, null, EINVAL },
		{ KSM_DOMAIN_JOIN, closed, EBADF },
		{ KSM_DOMAIN_JOIN, -1, EBADF },
		{ KSM_DOMAIN_JOIN, 1 << 20, EBADF },
	};
	u64 domain = ksm_stats(fd).domain;
	unsigned int i;

	close(closed);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ksm_set_domain set = { rows[i].flags, rows[i].fd, 0 };

		CHECK_ERRNO(ioctl(fd, KSM_SET_DOMAIN, &set), rows[i].error);
		CHECK_EQ(ksm_stats(fd).domain, domain);
	}
}

/* Calls that change contents need a descriptor open for writing, or both. */
static void test_read_only_descriptor(void)
{
	int fd = MUST(open("/dev/ksm", O_RDONLY));
	char *anon = map_anon(2), *mem;

	pages_fill(anon, 2, 3, 1);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
		    EACCES);
	mem = (char *)MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	state_save(&before, fd);
	CHECK_ERRNO(ksm_range_call(fd, KSM_REGISTER, anon, 2 * PAGE, 0), EACCES);
	CHECK_ERRNO(ksm_range_call(fd, KSM_DISCARD, mem, PAGE, 0), EACCES);
	CHECK_ERRNO(ksm_range_call(fd, KSM_DISCARD, NULL, PAGE, KSM_RANGE_OFFSET),
		    EACCES);
	state_check(fd, "O_RDONLY");
	MUST(ksm_range_call(fd, KSM_UNMERGE, mem, PAGE, 0));
	MUST(ksm_range_call(fd, KSM_MERGE, mem, PAGE, 0));
	ksm_scan(fd);
	CHECK_ERRNO(mprotect(mem, PAGE, PROT_READ | PROT_WRITE), EACCES);
	pages_check(anon, 2, 3, 1);
	pages_check(mem, 1, 0, 0);
}

static void test_write_only_descriptor(void)
{
	int fd = MUST(open("/dev/ksm", O_WRONLY));
	char *anon = map_anon(2);

	pages_fill(anon, 2, 3, 1);
	state_save(&before, fd);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
	CHECK_ERRNO(ksm_range_call(fd, KSM_REGISTER, anon, 2 * PAGE, 0), EACCES);
	state_check(fd, "O_WRONLY");
	pages_check(anon, 2, 3, 1);
}

static void test_no_file_io(void)
{
	int fd = ksm_open();
	char buf[8] = "";

	CHECK_ERRNO(read(fd, buf, sizeof(buf)), EINVAL);
	CHECK_ERRNO(write(fd, buf, sizeof(buf)), EINVAL);
	CHECK_ERRNO(ftruncate(fd, PAGE), EINVAL);
}

/* A 32-bit system call of a 64-bit process: the structures are the same. */
static long ioctl32(int fd, unsigned long request, void *argument)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret)
			 : "a"(54L), "b"((long)fd), "c"(request), "d"(argument)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static void probe_int80(void *unused)
{
	long ret;

	(void)unused;
	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(20L)
			 : "memory", "r8", "r9", "r10", "r11");
	_exit(ret == getpid() ? 0 : 1);
}

static void test_compat_calls(void)
{
	int fd = ksm_open_private();
	struct ksm_stats *stats;
	struct ksm_scan *scan;
	char *mem = map_area(fd, 4);
	pid_t pid = tap_fork();

	if (!pid)
		probe_int80(NULL);
	if (tap_wait(pid))
		tap_skip("the kernel has no 32-bit system calls");
	stats = (void *)MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
	pages_fill(mem, 4, 9, 0);
	scan = (struct ksm_scan *)(stats + 1);
	CHECK_EQ(ioctl32(fd, KSM_SCAN, scan), 0);
	CHECK_EQ(scan->pages_merged, 3);
	CHECK_EQ(ioctl32(fd, KSM_GET_STATS, stats), 0);
	CHECK_EQ(stats->pages_merged, 4);
	CHECK_EQ(ioctl32(fd, KSM_GET_API_VERSION, NULL), KSM_API_VERSION);
	CHECK_EQ(ioctl32(fd, _IO(KSMIO, 0x7f), stats), -ENOTTY);
}

static const struct tap_test tests[] = {
	{ "version", test_version },
	{ "layout of the structures and numbers of the calls", test_layout },
	{ "unknown requests give ENOTTY", test_unknown_request },
	{ "wrong structure sizes give ENOTTY", test_wrong_size },
	{ "bad pointers give EFAULT", test_bad_pointer },
	{ "an argument in read-only memory gives EFAULT", test_read_only_argument },
	{ "a closed descriptor gives EBADF", test_closed_descriptor },
	{ "bad ranges give EINVAL", test_range_errors },
	{ "ranges that are not of the area give ENOMEM", test_range_elsewhere },
	{ "bad arguments of KSM_SCAN", test_scan_errors },
	{ "bad arguments of KSM_GET_STATS", test_stats_errors },
	{ "statistics of a new area", test_stats_of_new_area },
	{ "bad arguments of KSM_SET_DOMAIN", test_set_domain_errors },
	{ "a descriptor open for reading", test_read_only_descriptor },
	{ "a descriptor open for writing", test_write_only_descriptor },
	{ "read, write and ftruncate are no calls of it", test_no_file_io },
	{ "32-bit callers", test_compat_calls },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_try_set("run", "1");
	return ret;
}
