// SPDX-License-Identifier: GPL-2.0
/*
 * The calls of /dev/ksm and of files of ksmfs: success, each documented error, and
 * that a call that fails changes nothing.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "ksm_test.h"

#define PAGES	16

/* Those with a structure; files know some of them. */
static const struct {
	const char *name;
	unsigned long request;
	size_t size;
	bool of_files;
} calls[] = {
	{ "KSM_REGISTER", KSM_REGISTER, sizeof(struct ksm_range), false },
	{ "KSM_UNMERGE", KSM_UNMERGE, sizeof(struct ksm_range), true },
	{ "KSM_MERGE", KSM_MERGE, sizeof(struct ksm_range), true },
	{ "KSM_DISCARD", KSM_DISCARD, sizeof(struct ksm_range), true },
	{ "KSM_SCAN", KSM_SCAN, sizeof(struct ksm_scan), true },
	{ "KSM_SET_DOMAIN", KSM_SET_DOMAIN, sizeof(struct ksm_set_domain), false },
	{ "KSM_GET_STATS", KSM_GET_STATS, sizeof(struct ksm_stats), true },
	{ "KSM_GET_INFO", KSM_GET_INFO, sizeof(struct ksm_info), true },
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

/* The same, with the descriptor of its file. */
static int file_of_all_kinds(char **mem)
{
	return ksm_get_file(area_of_all_kinds(mem));
}

static int (*const kinds[])(char **mem) = { area_of_all_kinds, file_of_all_kinds };

static void contents_check(const char *mem)
{
	pages_check(page_at(mem, 0), 4, 100, 1);
	pages_check(page_at(mem, 4), 4, 7, 0);
	pages_check(page_at(mem, 8), 8, 0, 0);
}

/* ---- tests ---- */

static void check_version(int fd)
{
	CHECK_EQ(ioctl(fd, KSM_GET_API_VERSION, 0), KSM_API_VERSION);
	CHECK_ERRNO(ioctl(fd, KSM_GET_API_VERSION, 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, KSM_GET_API_VERSION, -1L), EINVAL);
}

static void test_version(void)
{
	int fd = ksm_open();

	CHECK_EQ(KSM_API_VERSION, 2);
	check_version(fd);
	check_version(ksm_get_file(fd));
}

static void test_layout(void)
{
	CHECK_EQ(sizeof(struct ksm_range), 32);
	CHECK_EQ(sizeof(struct ksm_scan), 96);
	CHECK_EQ(sizeof(struct ksm_set_domain), 16);
	CHECK_EQ(sizeof(struct ksm_stats), 128);
	CHECK_EQ(sizeof(struct ksm_info), 112);
	CHECK_EQ(KSM_REGISTER, 0xc020bd01);
	CHECK_EQ(KSM_UNMERGE, 0xc020bd02);
	CHECK_EQ(KSM_MERGE, 0xc020bd03);
	CHECK_EQ(KSM_DISCARD, 0xc020bd04);
	CHECK_EQ(KSM_SCAN, 0xc060bd05);
	CHECK_EQ(KSM_SET_DOMAIN, 0xc010bd06);
	CHECK_EQ(KSM_GET_STATS, 0xc080bd07);
	CHECK_EQ(KSM_GET_INFO, 0xc070bd08);
	CHECK_EQ(KSM_GET_FILE, 0xbd09);
	CHECK_EQ(KSM_CREATE_DOMAIN, 0xbd0a);
}

static void test_unknown_request(void)
{
	static const unsigned long requests[] = {
		_IO(KSMIO, 0x01), _IO(KSMIO, 0x08), _IO(KSMIO, 0x0b), _IO(KSMIO, 0xff),
		_IOWR(KSMIO, 0x08, struct ksm_range), _IO(0xbc, 0x00),
		_IOR(KSMIO, 0x09, int), _IOWR(KSMIO, 0x0a, struct ksm_info),
		KSM_REGISTER & ~IOC_INOUT, (KSM_REGISTER & ~IOC_INOUT) | IOC_IN,
		KSM_DISCARD & ~IOC_INOUT, (KSM_DISCARD & ~IOC_INOUT) | IOC_OUT,
	};
	char argument[256] = "", *mem;
	unsigned int i, k;

	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		int fd = kinds[k](&mem);

		state_save(&before, fd);
		for (i = 0; i < ARRAY_SIZE(requests); i++) {
			CHECK_ERRNO(ioctl(fd, requests[i], argument), ENOTTY);
			state_check(fd, "unknown request");
		}
		contents_check(mem);
	}
}

/* What a file cannot do, it does not know; its other calls, no other file does. */
static void test_calls_of_others(void)
{
	char argument[256] = "", *mem;
	int fd = file_of_all_kinds(&mem), null = MUST(open("/dev/null", O_RDWR));
	unsigned int i;

	state_save(&before, fd);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (!calls[i].of_files)
			CHECK_ERRNO(ioctl(fd, calls[i].request, argument), ENOTTY);
		CHECK_ERRNO(ioctl(null, calls[i].request, argument), ENOTTY);
	}
	CHECK_ERRNO(ioctl(fd, KSM_GET_FILE, 0), ENOTTY);
	CHECK_ERRNO(ioctl(fd, KSM_CREATE_DOMAIN, 0), ENOTTY);
	state_check(fd, "a call of /dev/ksm");
	contents_check(mem);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		CHECK_ERRNO(ioctl(ksm_create_domain(), calls[i].request, argument), ENOTTY);
}

static void test_wrong_size(void)
{
	char argument[256] = "", *mem;
	unsigned int i, k;
	int off;

	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		int fd = kinds[k](&mem);

		state_save(&before, fd);
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
}

static void check_bad_pointer(int fd, unsigned int i, const char *page, int error)
{
	const char *half = page + PAGE - calls[i].size / 2;

	CHECK_ERRNO(ioctl(fd, calls[i].request, NULL), error);
	CHECK_ERRNO(ioctl(fd, calls[i].request, half), error);
	CHECK_ERRNO(ioctl(fd, calls[i].request, -4096L), error);
	state_check(fd, calls[i].name);
}

static void test_bad_pointer(void)
{
	char *mem, *page = map_anon(2);
	unsigned int i, k;

	MUST(munmap(page_at(page, 1), PAGE));
	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		int fd = kinds[k](&mem);

		state_save(&before, fd);
		for (i = 0; i < ARRAY_SIZE(calls); i++)
			check_bad_pointer(fd, i, page,
					  k && !calls[i].of_files ? ENOTTY : EFAULT);
		contents_check(mem);
	}
}

/* What a call answers must be written: it cannot stand in read-only memory. */
static void test_read_only_argument(void)
{
	void *argument = map_anon(1);
	int fd = ksm_open_private();

	MUST(mprotect(argument, PAGE, PROT_READ));
	CHECK_ERRNO(ioctl(fd, KSM_GET_STATS, argument), EFAULT);
	CHECK_ERRNO(ioctl(fd, KSM_GET_INFO, argument), EFAULT);
	CHECK_ERRNO(ioctl(fd, KSM_SCAN, argument), EFAULT);
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
	CHECK_ERRNO(ioctl(fd, KSM_GET_FILE, 0), EBADF);
	CHECK_ERRNO(ioctl(fd, KSM_CREATE_DOMAIN, 0), EBADF);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), EBADF);
}

static const unsigned long range_calls[] = { KSM_UNMERGE, KSM_MERGE, KSM_DISCARD };

static void check_range_row(int fd, unsigned long request, const struct ksm_range *row,
			    const char *what)
{
	struct ksm_range range = *row;

	if (ioctl(fd, request, &range) != -1)
		tap_fail("%s: expected EINVAL, got success", what);
	if (errno != EINVAL)
		tap_fail("%s: expected EINVAL, got %s", what, strerrorname_np(errno));
	state_check(fd, what);
}

static void check_range_errors(int fd, const char *mem)
{
	const struct ksm_range rows[] = {
		{ (u64)mem + 1, PAGE, 0, 0 },
		{ (u64)mem + 2048, PAGE, 0, 0 },
		{ (u64)mem, 0, 0, 0 },
		{ (u64)mem, 1, 0, 0 },
		{ (u64)mem, PAGE - 1, 0, 0 },
		{ (u64)mem, -PAGE, 0, 0 },
		{ -PAGE, 2 * PAGE, 0, 0 },
		{ (u64)mem, PAGE, 2, 0 },
		{ (u64)mem, PAGE, 1ULL << 63, 0 },
		{ 0, 0, KSM_RANGE_OFFSET, 0 },
		{ 1, PAGE, KSM_RANGE_OFFSET, 0 },
		{ 0, 1, KSM_RANGE_OFFSET, 0 },
		{ -PAGE, 2 * PAGE, KSM_RANGE_OFFSET, 0 },
		{ PAGE, -PAGE, KSM_RANGE_OFFSET, 0 },
		{ -PAGE, PAGE, KSM_RANGE_OFFSET, 0 },
		{ 1ULL << 62, PAGE, KSM_RANGE_OFFSET, 0 },
		{ 0, PAGE, KSM_RANGE_OFFSET | 2, 0 },
		/* Behind the end of the file. */
		{ PAGES * PAGE, PAGE, KSM_RANGE_OFFSET, 0 },
		{ 0, (PAGES + 1) * PAGE, KSM_RANGE_OFFSET, 0 },
		{ 0, KSM_AREA_SIZE, KSM_RANGE_OFFSET, 0 },
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(range_calls); i++) {
		for (j = 0; j < ARRAY_SIZE(rows); j++) {
			char what[64];

			snprintf(what, sizeof(what), "call %u, row %u", i, j);
			check_range_row(fd, range_calls[i], &rows[j], what);
		}
	}
	contents_check(mem);
}

static void test_range_errors(void)
{
	char *mem;
	unsigned int k;

	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		int fd = kinds[k](&mem);

		state_save(&before, fd);
		check_range_errors(fd, mem);
	}
}

/* Addresses of a mapping that reaches behind the end of its file. */
static void test_range_behind_the_end(void)
{
	char *mem;
	int fd = file_of_all_kinds(&mem);
	unsigned int i;

	MUST(ftruncate(fd, 12 * PAGE));
	state_save(&before, fd);
	for (i = 0; i < ARRAY_SIZE(range_calls); i++) {
		CHECK_ERRNO(ksm_range_call(fd, range_calls[i], mem, PAGES * PAGE, 0), EINVAL);
		CHECK_ERRNO(ksm_range_call(fd, range_calls[i], page_at(mem, 12), PAGE, 0),
			    EINVAL);
		state_check(fd, "behind the end");
	}
	for (i = 0; i < ARRAY_SIZE(range_calls); i++)
		MUST(ksm_range_call(fd, range_calls[i], page_at(mem, 8), 4 * PAGE, 0));
	pages_check(page_at(mem, 0), 4, 100, 1);
	pages_check(page_at(mem, 4), 4, 7, 0);
	pages_check(page_at(mem, 8), 4, 0, 0);
}

/* Without memory there is nothing to point at. */
static void test_range_of_nothing(void)
{
	int fd = ksm_open_private();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(range_calls); i++) {
		CHECK_ERRNO(ksm_range_call(fd, range_calls[i], NULL, PAGE, KSM_RANGE_OFFSET),
			    EINVAL);
		CHECK_ERRNO(ksm_range_call(fd, range_calls[i], NULL, PAGE, 0), ENOMEM);
		CHECK_ERRNO(ksm_range_call(ksm_get_file(ksm_open_private()), range_calls[i],
					   NULL, PAGE, KSM_RANGE_OFFSET), EINVAL);
	}
	CHECK_EQ(ksm_stats(fd).areas, 0);
}

/* ENOMEM: a part of the range is not a mapping of this area. */
static void check_elsewhere(int fd, const char *mem)
{
	char *hole, *anon, *other;
	unsigned int i;

	hole = map_area(fd, 3);
	MUST(munmap(page_at(hole, 1), PAGE));
	anon = map_anon(2);
	page_fill(anon, 5);
	other = map_area(ksm_open(), 2);
	page_fill(other, 6);
	state_save(&before, fd);
	for (i = 0; i < ARRAY_SIZE(range_calls); i++) {
		unsigned long request = range_calls[i];

		CHECK_ERRNO(ksm_range_call(fd, request, hole, 3 * PAGE, 0), ENOMEM);
		CHECK_ERRNO(ksm_range_call(fd, request, page_at(hole, 1), 2 * PAGE, 0), ENOMEM);
		CHECK_ERRNO(ksm_range_call(fd, request, hole, 2 * PAGE, 0), ENOMEM);
		CHECK_ERRNO(ksm_range_call(fd, request, anon, PAGE, 0), ENOMEM);
		CHECK_ERRNO(ksm_range_call(fd, request, other, PAGE, 0), ENOMEM);
		state_check(fd, "range elsewhere");
	}
	contents_check(mem);
	pages_check(anon, 1, 5, 0);
	pages_check(other, 1, 6, 0);
}

static void test_range_elsewhere(void)
{
	unsigned int k;
	char *mem;

	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		int fd = kinds[k](&mem);

		check_elsewhere(fd, mem);
	}
}

/* The device knows what it registered, too; a file knows its own memory only. */
static void test_range_of_registered(void)
{
	char *mem, *anon = map_anon(2);
	int fd = area_of_all_kinds(&mem), file = ksm_get_file(fd);
	unsigned int i;

	pages_fill(anon, 2, 3, 1);
	ksm_range_do(fd, KSM_REGISTER, anon, 2);
	state_save(&before, file);
	for (i = 0; i < ARRAY_SIZE(range_calls); i++)
		CHECK_ERRNO(ksm_range_call(file, range_calls[i], anon, 2 * PAGE, 0), ENOMEM);
	state_check(file, "registered memory");
	pages_check(anon, 2, 3, 1);
	for (i = 0; i < ARRAY_SIZE(range_calls); i++)
		MUST(ksm_range_call(fd, range_calls[i], anon, 2 * PAGE, 0));
	pages_check(anon, 2, 0, 0);
	contents_check(mem);
}

#define FOLDER	"/tmp/ksm_abi"

static int file_in_a_full_mount(void)
{
	char page[PAGE];
	int fd;

	MUST(unshare(CLONE_NEWNS));
	MUST(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (mkdir(FOLDER, 0755))
		CHECK_EQ(errno, EEXIST);
	MUST(mount("none", FOLDER, "ksmfs", 0, "size=64k"));
	fd = MUST(open(FOLDER "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	page_fill(page, 7);
	while (write(fd, page, PAGE) == PAGE)
		;
	CHECK_EQ(errno, ENOSPC);
	MUST(ftruncate(fd, 4 * CHUNK_PAGES * PAGE));
	return fd;
}

/*
 * What is merged has its place already; that the scanner shall leave out what is not
 * there yet has to be noted somewhere.
 */
static void test_full_mount(void)
{
	int fd = file_in_a_full_mount();
	char *mem = map_area(fd, 4 * CHUNK_PAGES);
	u64 merged;

	ksm_scan(fd);
	merged = ksm_stats(fd).pages_merged;
	CHECK(merged > 8);
	CHECK_ERRNO(ksm_range_call(fd, KSM_UNMERGE, page_at(mem, 3 * CHUNK_PAGES), PAGE, 0),
		    ENOSPC);
	MUST(ksm_range_call(fd, KSM_MERGE, page_at(mem, 3 * CHUNK_PAGES), PAGE, 0));
	MUST(ksm_range_call(fd, KSM_UNMERGE, mem, 2 * PAGE, 0));
	CHECK_EQ(ksm_stats(fd).pages_merged, merged - 2);
	CHECK_EQ(ksm_stats(fd).pages_private, 2);
	pages_check(mem, merged, 7, 0);
	ksm_range_do(fd, KSM_DISCARD, mem, CHUNK_PAGES);
	MUST(ksm_range_call(fd, KSM_UNMERGE, page_at(mem, 3 * CHUNK_PAGES), PAGE, 0));
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

static void check_no_pages(const struct ksm_stats *stats)
{
	CHECK_EQ(stats->size, 0);
	CHECK_EQ(stats->pages_private, 0);
	CHECK_EQ(stats->pages_merged, 0);
	CHECK_EQ(stats->ksm_zero_pages, 0);
	CHECK_EQ(stats->pages_pending, 0);
	CHECK_EQ(stats->pages_shared, 0);
	CHECK_EQ(stats->pages_unshared, 0);
	CHECK_EQ(stats->cow_breaks, 0);
	CHECK(stats->metadata_bytes < 65536);
}

/* A descriptor has no file until it is used. */
static void test_stats_of_new_area(void)
{
	int fd = ksm_open_private(), file;
	struct ksm_stats area = ksm_stats(fd), domain = ksm_domain_stats(fd);

	check_no_pages(&area);
	check_no_pages(&domain);
	CHECK_EQ(area.areas, 0);
	CHECK_EQ(area.metadata_bytes, 0);
	CHECK_EQ(domain.domain, area.domain);
	CHECK_EQ(domain.areas, 0);
	file = ksm_get_file(fd);
	area = ksm_stats(file);
	check_no_pages(&area);
	CHECK_EQ(area.areas, 1);
	CHECK_EQ(area.domain, domain.domain);
	CHECK_EQ(ksm_stats(fd).areas, 1);
	CHECK_EQ(ksm_domain_stats(fd).areas, 1);
	CHECK_EQ(ksm_domain_stats(file).areas, 1);
}

/* Of a file, of all that a descriptor has, of the domain. */
static void test_stats_of_many(void)
{
	int dir = ksm_create_domain(), fd = ksm_open_joined(dir), file = ksm_get_file(fd);
	char *mem = map_area(fd, 4), *anon = map_anon(8);

	pages_fill(mem, 4, 5, 0);
	pages_fill(anon, 8, 6, 0);
	ksm_range_do(fd, KSM_REGISTER, anon, 8);
	map_area(ksm_open_joined(dir), 16);
	ksm_scan(file);
	CHECK_EQ(ksm_stats(file).size, 4);
	CHECK_EQ(ksm_stats(file).pages_merged, 4);
	CHECK_EQ(ksm_stats(file).pages_shared, 0);
	CHECK_EQ(ksm_stats(fd).areas, 2);
	CHECK_EQ(ksm_stats(fd).size, 12);
	CHECK_EQ(ksm_stats(fd).pages_merged, 12);
	CHECK_EQ(ksm_domain_stats(file).areas, 3);
	CHECK_EQ(ksm_domain_stats(file).size, 28);
	CHECK_EQ(ksm_domain_stats(file).pages_shared, 2);
}

static void check_info(int fd)
{
	struct ksm_info info, want = {
		.api_version = KSM_API_VERSION, .page_size = PAGE,
		.features = KSM_FEATURE_FILES, .range_flags = KSM_RANGE_OFFSET,
		.scan_flags = KSM_SCAN_FORCE, .stats_flags = KSM_STATS_DOMAIN,
		.domain_flags = KSM_DOMAIN_PRIVATE | KSM_DOMAIN_JOIN,
	};
	unsigned int i;

	/* Only the reserved fields are read. */
	memset(&info, 0xff, sizeof(info));
	memset(info.reserved, 0, sizeof(info.reserved));
	MUST(ioctl(fd, KSM_GET_INFO, &info));
	CHECK(!memcmp(&info, &want, sizeof(info)));
	for (i = 0; i < ARRAY_SIZE(info.reserved); i++) {
		info = want;
		info.reserved[i] = 1ULL << 8 * i;
		CHECK_ERRNO(ioctl(fd, KSM_GET_INFO, &info), EINVAL);
	}
}

static void test_info(void)
{
	int fd = ksm_open();

	check_info(fd);
	check_info(ksm_get_file(fd));
	check_info(MUST(open("/dev/ksm", O_RDONLY)));
	check_info(MUST(open("/dev/ksm", O_WRONLY)));
}

/* No room for one more descriptor: EMFILE; there is one again afterwards. */
static void check_too_many(int fd, unsigned long request)
{
	struct rlimit old, none = { 3, 3 };
	int new;

	MUST(getrlimit(RLIMIT_NOFILE, &old));
	none.rlim_max = old.rlim_max;
	MUST(setrlimit(RLIMIT_NOFILE, &none));
	CHECK_ERRNO(ioctl(fd, request, 0), EMFILE);
	MUST(setrlimit(RLIMIT_NOFILE, &old));
	new = MUST(ioctl(fd, request, 0));
	CHECK_EQ(fcntl(new, F_GETFD), FD_CLOEXEC);
	close(new);
}

/* It has a position, and can be read and written at others. */
static void check_positions(int file)
{
	u64 word = 77, got = 0;

	CHECK_EQ(pwrite(file, &word, sizeof(word), PAGE), sizeof(word));
	CHECK_EQ(lseek(file, PAGE, SEEK_SET), PAGE);
	CHECK_EQ(read(file, &got, sizeof(got)), sizeof(got));
	CHECK_EQ(got, word);
	CHECK_EQ(pread(file, &got, sizeof(got), 0), sizeof(got));
	CHECK_EQ(got, 0);
	CHECK_EQ(lseek(file, 0, SEEK_CUR), PAGE + sizeof(word));
	CHECK_EQ(lseek(file, 0, SEEK_DATA), PAGE);
}

static void test_get_file(void)
{
	int fd = ksm_open_private(), file = ksm_get_file(fd);
	struct stat st, again;
	struct statfs fs;
	char *mem;

	CHECK_ERRNO(ioctl(fd, KSM_GET_FILE, 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, KSM_GET_FILE, -1L), EINVAL);
	CHECK_ERRNO(ioctl(MUST(open("/dev/ksm", O_RDONLY)), KSM_GET_FILE, 0), EACCES);
	CHECK_ERRNO(ioctl(MUST(open("/dev/ksm", O_WRONLY)), KSM_GET_FILE, 0), EACCES);
	check_too_many(fd, KSM_GET_FILE);
	CHECK_EQ(fcntl(file, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(file, F_GETFL) & O_ACCMODE, O_RDWR);
	check_positions(file);
	mem = map_area(fd, PAGES);
	pages_fill(mem, PAGES, 5, 1);
	MUST(fstat(file, &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_size, PAGES * PAGE);
	CHECK_EQ(st.st_blocks, PAGES * 8);
	MUST(fstat(ksm_get_file(fd), &again));
	CHECK_EQ(again.st_ino, st.st_ino);
	CHECK_EQ(again.st_dev, st.st_dev);
	MUST(fstatfs(file, &fs));
	CHECK_EQ(fs.f_type, KSMFS_MAGIC);
	CHECK_EQ(fs.f_bsize, PAGE);
	pages_check(map_area(file, PAGES), PAGES, 5, 1);
}

#define READS	4000	/* words of the file */

static u8 reads_seen[READS];

static void *file_reader(void *arg)
{
	u64 word;

	while (read(*(int *)arg, &word, sizeof(word)) == sizeof(word)) {
		CHECK(word < READS);
		__atomic_add_fetch(&reads_seen[word], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* All descriptors share one position, and what reads at it moves it in one step. */
static void test_get_file_position(void)
{
	int fd = ksm_open_private(), file = ksm_get_file(fd), again = ksm_get_file(fd);
	pthread_t thread[2];
	u64 i;

	for (i = 0; i < READS; i++)
		CHECK_EQ(pwrite(file, &i, sizeof(i), i * sizeof(i)), sizeof(i));
	CHECK_EQ(lseek(file, 8, SEEK_SET), 8);
	CHECK_EQ(lseek(again, 0, SEEK_CUR), 8);
	CHECK_EQ(lseek(again, 0, SEEK_SET), 0);
	CHECK_EQ(pthread_create(&thread[0], NULL, file_reader, &file), 0);
	CHECK_EQ(pthread_create(&thread[1], NULL, file_reader, &again), 0);
	CHECK_EQ(pthread_join(thread[0], NULL), 0);
	CHECK_EQ(pthread_join(thread[1], NULL), 0);
	for (i = 0; i < READS; i++)
		CHECK_EQ(reads_seen[i], 1);
}

static void test_create_domain(void)
{
	int fd = MUST(open("/dev/ksm", O_RDONLY)), dir = MUST(ioctl(fd, KSM_CREATE_DOMAIN, 0));
	struct stat st, other;

	CHECK_ERRNO(ioctl(fd, KSM_CREATE_DOMAIN, 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, KSM_CREATE_DOMAIN, -1L), EINVAL);
	check_too_many(fd, KSM_CREATE_DOMAIN);
	CHECK_EQ(fcntl(dir, F_GETFD), FD_CLOEXEC);
	MUST(fstat(dir, &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0700);
	CHECK_EQ(st.st_uid, geteuid());
	CHECK_EQ(st.st_gid, getegid());
	MUST(fstat(ksm_create_domain(), &other));
	CHECK(other.st_ino != st.st_ino);
	/* It is no place for files. */
	CHECK_ERRNO(openat(dir, "file", O_RDWR | O_CREAT, 0600), ENOTDIR);
	CHECK_ERRNO(openat(dir, ".", O_RDWR | O_TMPFILE, 0600), ENOTDIR);
	CHECK_ERRNO(mkdirat(dir, "folder", 0700), ENOTDIR);
	CHECK_ERRNO(fchdir(dir), ENOTDIR);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0), ENODEV);
	CHECK(ksm_join(ksm_open(), dir) != ksm_stats(ksm_open()).domain);
}

static void test_set_domain_errors(void)
{
	int fd = ksm_open(), other = ksm_create_domain();
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
		{ KSM_DOMAIN_JOIN, fd, EINVAL },
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

/* Calls that change something need a descriptor open for writing, or both. */
static void check_read_only(int fd, const char *mem)
{
	struct ksm_scan scan = { .flags = 0 };
	unsigned int i;

	state_save(&before, fd);
	for (i = 0; i < ARRAY_SIZE(range_calls); i++) {
		CHECK_ERRNO(ksm_range_call(fd, range_calls[i], mem, PAGE, 0), EACCES);
		CHECK_ERRNO(ksm_range_call(fd, range_calls[i], NULL, PAGE, KSM_RANGE_OFFSET),
			    EACCES);
	}
	CHECK_ERRNO(ioctl(fd, KSM_SCAN, &scan), EACCES);
	state_check(fd, "O_RDONLY");
	check_version(fd);
	check_info(fd);
}

static void test_read_only_descriptor(void)
{
	int fd = MUST(open("/dev/ksm", O_RDONLY));
	char *anon = map_anon(2), *mem;

	ksm_make_private(fd);
	pages_fill(anon, 2, 3, 1);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
		    EACCES);
	mem = (char *)MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	CHECK_ERRNO(ksm_range_call(fd, KSM_REGISTER, anon, 2 * PAGE, 0), EACCES);
	check_read_only(fd, mem);
	CHECK_ERRNO(mprotect(mem, PAGE, PROT_READ | PROT_WRITE), EACCES);
	pages_check(anon, 2, 3, 1);
	pages_check(mem, 1, 0, 0);
}

/* A file opened again, for reading. */
static void test_read_only_file(void)
{
	char path[64], *mem, *again;
	int file = file_of_all_kinds(&mem), fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
		    EACCES);
	again = (char *)MUST(mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0));
	check_read_only(fd, again);
	CHECK_ERRNO(mprotect(again, PAGE, PROT_READ | PROT_WRITE), EACCES);
	/* By the mapping of a reader a writer's descriptor may not either. */
	CHECK_ERRNO(ksm_range_call(file, KSM_DISCARD, again, PAGE, 0), EACCES);
	contents_check(mem);
	contents_check(again);
}

static void test_write_only_descriptor(void)
{
	int fd = MUST(open("/dev/ksm", O_WRONLY));
	char *anon = map_anon(2);

	ksm_make_private(fd);
	pages_fill(anon, 2, 3, 1);
	state_save(&before, fd);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
	CHECK_ERRNO(ksm_range_call(fd, KSM_REGISTER, anon, 2 * PAGE, 0), EACCES);
	state_check(fd, "O_WRONLY");
	ksm_scan(fd);
	pages_check(anon, 2, 3, 1);
}

static void test_no_file_io(void)
{
	int fd = ksm_open();
	char buf[8] = "";

	CHECK_ERRNO(read(fd, buf, sizeof(buf)), EINVAL);
	CHECK_ERRNO(write(fd, buf, sizeof(buf)), EINVAL);
	CHECK_ERRNO(ftruncate(fd, PAGE), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, 0, PAGE), ENODEV);
	CHECK_EQ(ksm_stats(fd).areas, 0);
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
	int fd = ksm_open_private(), file;
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
	file = ioctl32(fd, KSM_GET_FILE, NULL);
	CHECK(file > 0);
	memset(stats, 0, sizeof(*stats));
	CHECK_EQ(ioctl32(file, KSM_GET_STATS, stats), 0);
	CHECK_EQ(stats->pages_merged, 4);
	CHECK_EQ(ioctl32(file, KSM_GET_FILE, NULL), -ENOTTY);
	CHECK_EQ(ioctl32(fd, _IO(KSMIO, 0x7f), stats), -ENOTTY);
}

static const struct tap_test tests[] = {
	{ "version", test_version },
	{ "layout of the structures and numbers of the calls", test_layout },
	{ "unknown requests give ENOTTY", test_unknown_request },
	{ "files know a part of the calls", test_calls_of_others },
	{ "wrong structure sizes give ENOTTY", test_wrong_size },
	{ "bad pointers give EFAULT", test_bad_pointer },
	{ "an argument in read-only memory gives EFAULT", test_read_only_argument },
	{ "a closed descriptor gives EBADF", test_closed_descriptor },
	{ "bad ranges give EINVAL", test_range_errors },
	{ "ranges behind the end of the file give EINVAL", test_range_behind_the_end },
	{ "ranges of a descriptor without memory", test_range_of_nothing },
	{ "ranges that are not of the area give ENOMEM", test_range_elsewhere },
	{ "ranges of registered memory", test_range_of_registered },
	{ "KSM_UNMERGE on a full mount gives ENOSPC", test_full_mount },
	{ "bad arguments of KSM_SCAN", test_scan_errors },
	{ "bad arguments of KSM_GET_STATS", test_stats_errors },
	{ "statistics of a new area", test_stats_of_new_area },
	{ "statistics of several files", test_stats_of_many },
	{ "KSM_GET_INFO", test_info },
	{ "KSM_GET_FILE", test_get_file },
	{ "KSM_GET_FILE: one position", test_get_file_position },
	{ "KSM_CREATE_DOMAIN", test_create_domain },
	{ "bad arguments of KSM_SET_DOMAIN", test_set_domain_errors },
	{ "a descriptor open for reading", test_read_only_descriptor },
	{ "a file open for reading", test_read_only_file },
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
