// SPDX-License-Identifier: GPL-2.0
/*
 * Files of ksmfs by system calls: reading, writing, lengths, holes, and what they
 * take of the file system.  KSM_FS=tmpfs runs the same on tmpfs.
 */
#define _GNU_SOURCE
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "ksm_fs.h"

#include <linux/fiemap.h>

static s64 size_of(int fd)
{
	return stat_fd(fd).st_size;
}

static char *anon_filled(unsigned long pages, u64 seed)
{
	char *mem = map_anon(pages);

	pages_fill(mem, pages, seed, 1);
	return mem;
}

/* ---- reading and writing ---- */

static void test_write_and_read(void)
{
	static const size_t lengths[] = { 1, 7, 4095, 4096, 4097, 8191, 12345 };
	char *data = anon_filled(8, 3), *back = map_anon(8);
	unsigned int i, at;
	int fd;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (at = 0; at < 8192; at += 1365) {
			fd = file_new("f");
			CHECK_EQ(pwrite(fd, data, lengths[i], at), lengths[i]);
			CHECK_EQ(size_of(fd), at + lengths[i]);
			CHECK_EQ(pread(fd, back, 8 * PAGE, at), lengths[i]);
			CHECK(!memcmp(data, back, lengths[i]));
			file_bytes(fd, 0, at, 0);
			MUST(close(fd));
			MUST(unlink("f"));
		}
}

static void test_read_at_the_end(void)
{
	int fd = file_of("f", 2, 1, 1);
	char *buf = map_anon(4);

	MUST(ftruncate(fd, 5000));
	CHECK_EQ(pread(fd, buf, 4 * PAGE, 0), 5000);
	CHECK_EQ(pread(fd, buf, 4 * PAGE, 4999), 1);
	CHECK_EQ(pread(fd, buf, 4 * PAGE, 5000), 0);
	CHECK_EQ(pread(fd, buf, 4 * PAGE, 8192), 0);
	CHECK_EQ(pread(fd, buf, 4 * PAGE, 1LL << 45), 0);
	CHECK_EQ(pread(fd, buf, 0, 0), 0);
	CHECK_ERRNO(pread(fd, buf, 1, -1), EINVAL);
	CHECK_ERRNO(pwrite(fd, buf, 1, -1), EINVAL);
	CHECK_EQ(pwrite(fd, buf, 0, 1 << 20), 0);
	CHECK_EQ(size_of(fd), 5000);
	CHECK_EQ(read(fd, buf, 0), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 5000);
	CHECK_EQ(read(fd, buf, 10), 0);
	CHECK_EQ(lseek(fd, -10, SEEK_CUR), 4990);
	CHECK_EQ(read(fd, buf, 100), 10);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5000);
}

static void test_write_beyond_the_end(void)
{
	int fd = file_new("f");
	char *buf = anon_filled(1, 3);

	CHECK_EQ(pwrite(fd, buf, 100, 10 * PAGE + 50), 100);
	CHECK_EQ(size_of(fd), 10 * PAGE + 150);
	CHECK_EQ(used_pages(fd), 1);
	file_bytes(fd, 0, 10 * PAGE + 50, 0);
	CHECK_EQ(used_pages(fd), 1);
	MUST(ftruncate(fd, 11 * PAGE));
	file_bytes(fd, 10 * PAGE + 150, PAGE - 150, 0);
}

static void test_append(void)
{
	int a = file_new("f"), b = MUST(open("f", O_WRONLY | O_APPEND | O_CLOEXEC));
	char buf[8];

	CHECK_EQ(write(a, "01", 2), 2);
	CHECK_EQ(write(b, "23", 2), 2);
	CHECK_EQ(write(a, "x", 1), 1);
	CHECK_EQ(write(b, "4", 1), 1);
	/* Linux appends whatever the offset is. */
	CHECK_EQ(pwrite(b, "5", 1, 0), 1);
	CHECK_EQ(pread(a, buf, 8, 0), 6);
	CHECK(!memcmp(buf, "01x345", 6));
	CHECK_ERRNO(read(b, buf, 1), EBADF);
	MUST(fcntl(a, F_SETFL, O_APPEND));
	CHECK_EQ(write(a, "6", 1), 1);
	CHECK_EQ(size_of(a), 7);
}

static void append_many(int line)
{
	int fd = MUST(open("f", O_WRONLY | O_APPEND | O_CLOEXEC));
	char buf[100];
	unsigned int i;

	memset(buf, line, sizeof(buf));
	for (i = 0; i < 500; i++)
		CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
}

static void test_append_together(void)
{
	int fd = file_new("f");
	unsigned int count[3] = { 0 }, i, j;
	pid_t pid[3];
	char buf[100];

	for (i = 0; i < 3; i++) {
		pid[i] = tap_fork();
		if (!pid[i]) {
			append_many('a' + i);
			_exit(0);
		}
	}
	for (i = 0; i < 3; i++)
		tap_join(pid[i]);
	CHECK_EQ(size_of(fd), 3 * 500 * sizeof(buf));
	while (read(fd, buf, sizeof(buf)) == sizeof(buf)) {
		for (j = 1; j < sizeof(buf); j++)
			CHECK_EQ(buf[j], buf[0]);
		count[buf[0] - 'a']++;
	}
	for (i = 0; i < 3; i++)
		CHECK_EQ(count[i], 500);
}

static void test_vectors(void)
{
	char *data = anon_filled(4, 3), *back = map_anon(4);
	struct iovec out[] = {
		{ data, 3 }, { NULL, 0 }, { data + 3, 5000 }, { data + 5003, 1 },
	};
	struct iovec in[] = { { back, 4999 }, { back + 4999, 0 }, { back + 4999, 9000 } };
	int fd = file_new("f");

	CHECK_EQ(pwritev(fd, out, 4, 777), 5004);
	CHECK_EQ(preadv(fd, in, 3, 777), 5004);
	CHECK(!memcmp(data, back, 5004));
	CHECK_EQ(pwritev2(fd, out, 4, -1, RWF_APPEND), 5004);
	CHECK_EQ(size_of(fd), 777 + 2 * 5004);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 777 + 2 * 5004);
	CHECK_EQ(pwritev(fd, out, 0, 0), 0);
}

/* What was written before the bad page must be there, and nothing else. */
static void check_partial_write(unsigned int at)
{
	char *buf = anon_filled(2, 9), *back = map_anon(2);
	int fd = file_new("f");
	ssize_t n;

	MUST(munmap(buf + PAGE, PAGE));
	n = pwrite(fd, buf, 2 * PAGE, at);
	CHECK(n > 0 && n <= (ssize_t)PAGE);
	CHECK_EQ(size_of(fd), at + n);
	CHECK_EQ(pread(fd, back, 2 * PAGE, at), n);
	CHECK(!memcmp(buf, back, n));
	MUST(ftruncate(fd, 4 * PAGE));
	file_bytes(fd, at + n, 4 * PAGE - at - n, 0);
	MUST(unlink("f"));
	MUST(close(fd));
}

static void test_bad_buffers(void)
{
	char *bad = map_nothing(2);
	int fd = file_new("f");
	s64 room = free_pages();
	char *buf = map_anon(2);
	ssize_t n;

	CHECK_ERRNO(write(fd, bad, 2 * PAGE), EFAULT);
	CHECK_ERRNO(pwrite(fd, bad, 10, 100), EFAULT);
	CHECK_ERRNO(pwrite(fd, (void *)~0xfffUL, 10, 100), EFAULT);
	CHECK_EQ(size_of(fd), 0);
	CHECK_EQ(used_pages(fd), 0);
	CHECK_EQ(free_pages(), room);
	MUST(ftruncate(fd, 2 * PAGE));
	CHECK_ERRNO(pread(fd, bad, PAGE, 0), EFAULT);
	file_put(fd, 0, 2, 5, 1);
	CHECK_ERRNO(pread(fd, bad, PAGE, 0), EFAULT);
	CHECK_ERRNO(pwrite(fd, bad, PAGE, 0), EFAULT);
	file_check(fd, 0, 2, 5, 1);
	MUST(munmap(buf + PAGE, PAGE));
	n = pread(fd, buf, 2 * PAGE, 0);
	CHECK_EQ(n, PAGE);
	pages_check(buf, 1, 5, 1);
	MUST(unlink("f"));
	check_partial_write(0);
	check_partial_write(100);
	check_partial_write(PAGE - 1);
}

static void test_access_modes(void)
{
	int fd = file_of("f", 1, 1, 1), ro = MUST(open("f", O_RDONLY | O_CLOEXEC));
	int wo = MUST(open("f", O_WRONLY | O_CLOEXEC)), path;
	char c;

	CHECK_ERRNO(write(ro, "x", 1), EBADF);
	CHECK_ERRNO(ftruncate(ro, 0), EINVAL);
	CHECK_ERRNO(fallocate(ro, 0, 0, PAGE), EBADF);
	CHECK_ERRNO(read(wo, &c, 1), EBADF);
	path = MUST(open("f", O_PATH | O_CLOEXEC));
	CHECK_ERRNO(read(path, &c, 1), EBADF);
	CHECK_ERRNO(ftruncate(path, 0), EBADF);
	CHECK_EQ(pwrite(wo, "x", 1, 0), 1);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'x');
	if (fs_is_ksm)
		CHECK_ERRNO(open("f", O_RDWR | O_DIRECT), EINVAL);
	MUST(open("f", O_WRONLY | O_TRUNC));
	CHECK_EQ(size_of(fd), 0);
	CHECK_EQ(used_pages(fd), 0);
}

static void test_reopen(void)
{
	int ro, rw;
	char path[64];
	pid_t pid;

	MUST(close(file_of("f", 2, 5, 1)));
	ro = MUST(open("f", O_RDONLY | O_CLOEXEC));
	MUST(unlink("f"));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ro);
	rw = MUST(open(path, O_RDWR | O_CLOEXEC));
	file_put(rw, 1, 1, 9, 0);
	file_check(ro, 0, 1, 5, 0);
	file_check(ro, 1, 1, 9, 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), ro);
	pid = tap_fork();
	if (!pid) {
		rw = MUST(open(path, O_RDWR | O_TRUNC | O_CLOEXEC));
		_exit(0);
	}
	tap_join(pid);
	CHECK_EQ(size_of(ro), 0);
}

/* ---- a mapping of the same file as the buffer ---- */

static void test_write_from_own_mapping(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 6);
	u64 want[PAGE_WORDS];

	MUST(madvise(mem, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(pwrite(fd, page_at(mem, 1), PAGE, 0), PAGE);
	file_check(fd, 0, 1, 6, 0);
	/* The same page, not mapped yet. */
	MUST(madvise(mem, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(pwrite(fd, page_at(mem, 2), PAGE, 2 * PAGE), PAGE);
	file_check(fd, 2, 1, 7, 0);
	MUST(madvise(mem, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(pwrite(fd, page_at(mem, 3) + 100, 1000, 3 * PAGE + 2000), 1000);
	page_fill(want, 8);
	memcpy((char *)want + 2000, (char *)want + 100, 1000);
	CHECK(!memcmp(page_at(mem, 3), want, PAGE));
	/* It grows from what lies behind its end: nothing. */
	CHECK_ERRNO(pwrite(fd, page_at(mem, 4), PAGE, 4 * PAGE), EFAULT);
	CHECK_EQ(size_of(fd), 4 * PAGE);
	/* From a hole. */
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	CHECK_EQ(pwrite(fd, mem, PAGE, PAGE), PAGE);
	file_check(fd, 0, 2, 0, 0);
	CHECK_EQ(pwrite(fd, mem, PAGE, 0), PAGE);
	file_check(fd, 0, 2, 0, 0);
}

static void test_read_into_own_mapping(void)
{
	int fd = file_of("f", 4, 5, 1);
	char *mem = map_shared(fd, 6);
	u64 want[PAGE_WORDS];

	MUST(madvise(mem, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(pread(fd, page_at(mem, 1), PAGE, 0), PAGE);
	pages_check(mem, 2, 5, 0);
	MUST(madvise(mem, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(pread(fd, page_at(mem, 2), PAGE, 2 * PAGE), PAGE);
	pages_check(page_at(mem, 2), 1, 7, 0);
	MUST(madvise(mem, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(pread(fd, page_at(mem, 3) + 2000, 1000, 3 * PAGE + 100), 1000);
	page_fill(want, 8);
	memcpy((char *)want + 2000, (char *)want + 100, 1000);
	CHECK(!memcmp(page_at(mem, 3), want, PAGE));
	CHECK_ERRNO(pread(fd, page_at(mem, 4), PAGE, 0), EFAULT);
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	CHECK_EQ(pread(fd, page_at(mem, 1), PAGE, 0), PAGE);
	CHECK_EQ(pread(fd, mem, PAGE, 0), PAGE);
	pages_check(mem, 2, 0, 0);
}

/* ---- lengths ---- */

/* Files of ksmfs end there, those of tmpfs do not. */
static void test_longest(void)
{
	s64 end = KSM_AREA_SIZE;
	int fd = file_new("f");
	char c = 1;

	MUST(ftruncate(fd, end));
	CHECK_EQ(size_of(fd), end);
	CHECK_EQ(pread(fd, &c, 1, end - 1), 1);
	CHECK_EQ(c, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), end);
	MUST(ftruncate(fd, end - 10));
	CHECK_EQ(pwrite(fd, "xyz", 3, end - 2), BY_FS(2, 3));
	CHECK_EQ(size_of(fd), BY_FS(end, end + 1));
	CHECK_EQ(pread(fd, &c, 1, end - 1), 1);
	CHECK_EQ(c, 'y');
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), end - PAGE);
	CHECK_EQ(used_pages(fd), BY_FS(1, 2));
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end));
	CHECK_EQ(used_pages(fd), BY_FS(0, 1));
	CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
	CHECK_ERRNO(truncate("f", LLONG_MIN), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, LLONG_MAX, 2), EFBIG);
}

static void test_too_long(void)
{
	s64 end = BY_FS((s64)KSM_AREA_SIZE, LLONG_MAX);
	int fd = file_sparse("f", 1);
	char c;

	CHECK_EQ(pread(fd, &c, 1, LLONG_MAX - 1), 0);
	CHECK_ERRNO(fallocate(fd, 0, end - 1, 2), EFBIG);
	if (!fs_is_ksm)
		return;
	CHECK_ERRNO(pwrite(fd, "x", 1, end), EFBIG);
	CHECK_ERRNO(pwrite(fd, "x", 1, end + PAGE), EFBIG);
	CHECK_ERRNO(pwrite(fd, "x", 1, LLONG_MAX - 1), EFBIG);
	CHECK_ERRNO(ftruncate(fd, end + 1), EFBIG);
	CHECK_ERRNO(truncate("f", LLONG_MAX), EFBIG);
	CHECK_ERRNO(lseek(fd, end + 1, SEEK_SET), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, end, PAGE), EFBIG);
	CHECK_EQ(pread(fd, &c, 1, end), 0);
	CHECK_EQ(size_of(fd), PAGE);
}

static void test_file_limit(void)
{
	struct rlimit limit = { 10000, 10000 };
	char *buf = anon_filled(4, 1);
	int fd = file_new("f");

	signal(SIGXFSZ, SIG_IGN);
	MUST(setrlimit(RLIMIT_FSIZE, &limit));
	CHECK_EQ(pwrite(fd, buf, 4 * PAGE, 0), 10000);
	CHECK_ERRNO(pwrite(fd, buf, 1, 10000), EFBIG);
	CHECK_ERRNO(ftruncate(fd, 10001), EFBIG);
	CHECK_ERRNO(fallocate(fd, 0, 0, 10001), EFBIG);
	MUST(ftruncate(fd, 10000));
	CHECK_EQ(size_of(fd), 10000);
}

static void test_truncate(void)
{
	static const unsigned int lengths[] = { 0, 1, 100, 4095, 4096, 4097, 9000, 16384 };
	unsigned int i, len;
	char *back = map_anon(5), *want = map_anon(5);
	int fd;

	pages_fill(want, 4, 5, 1);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		len = lengths[i];
		fd = file_of("f", 4, 5, 1);
		MUST(ftruncate(fd, len));
		CHECK_EQ(size_of(fd), len);
		CHECK_EQ(used_pages(fd), (len + PAGE - 1) / PAGE);
		CHECK_EQ(pread(fd, back, 5 * PAGE, 0), len);
		CHECK(!memcmp(back, want, len));
		MUST(truncate("f", 5 * PAGE));
		CHECK_EQ(used_pages(fd), (len + PAGE - 1) / PAGE);
		CHECK_EQ(pread(fd, back, 5 * PAGE, 0), 5 * PAGE);
		CHECK(!memcmp(back, want, len));
		file_bytes(fd, len, 5 * PAGE - len, 0);
		MUST(close(fd));
		MUST(unlink("f"));
	}
	CHECK_ERRNO(truncate("f", 0), ENOENT);
	MUST(mkdir("d", 0755));
	CHECK_ERRNO(truncate("d", 0), EISDIR);
}

/* ---- holes ---- */

#define HOLE_PAGES 6

static s64 want_seek(unsigned int mask, s64 at, s64 size, int whence)
{
	s64 page;

	if (at >= size)
		return -1;
	if (whence == SEEK_HOLE)
		mask = ~mask;
	for (page = at / PAGE; size > page * (s64)PAGE; page++)
		if (mask & (1 << page))
			return page == at / (s64)PAGE ? at : page * (s64)PAGE;
	return whence == SEEK_DATA ? -1 : size;
}

static void check_seek(int fd, unsigned int mask, s64 size)
{
	static const int whences[] = { SEEK_DATA, SEEK_HOLE };
	unsigned int i;
	s64 at, got, want;

	for (at = 0; at <= size + (s64)PAGE; at += 1024)
		for (i = 0; i < 2; i++) {
			want = want_seek(mask, at, size, whences[i]);
			errno = 0;
			got = lseek(fd, at, whences[i]);
			if (got != want || (want < 0 && errno != ENXIO))
				tap_fail("pages %#x of %lld bytes, %s at %lld: expected %lld, got %lld (%s)",
					 mask, (long long)size,
					 i ? "SEEK_HOLE" : "SEEK_DATA",
					 (long long)at, (long long)want,
					 (long long)got, strerrorname_np(errno));
		}
}

static void test_seek(void)
{
	unsigned int mask, page;
	s64 size;
	int fd;

	for (mask = 0; mask < 1 << HOLE_PAGES; mask++) {
		fd = file_sparse("f", HOLE_PAGES);
		for (page = 0; page < HOLE_PAGES; page++)
			if (mask & (1 << page))
				CHECK_EQ(pwrite(fd, "x", 1, page * PAGE + 77), 1);
		CHECK_EQ(used_pages(fd), __builtin_popcount(mask));
		check_seek(fd, mask, HOLE_PAGES * PAGE);
		size = (HOLE_PAGES - 1) * PAGE + 2048;
		MUST(ftruncate(fd, size));
		check_seek(fd, mask, size);
		MUST(close(fd));
		MUST(unlink("f"));
	}
	fd = file_sparse("f", HOLE_PAGES);
	CHECK_ERRNO(lseek(fd, -1, SEEK_DATA), ENXIO);
	CHECK_ERRNO(lseek(fd, -1, SEEK_HOLE), ENXIO);
	CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
}

/* Zeroes that were written are data; what was punched is not. */
static void test_seek_zeroes(void)
{
	int fd = file_of("f", HOLE_PAGES, 0, 0);
	char *mem = map_shared(fd, HOLE_PAGES);

	check_seek(fd, 0x3f, HOLE_PAGES * PAGE);
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE,
		       2 * PAGE));
	check_seek(fd, 0x39, HOLE_PAGES * PAGE);
	touch_write(page_at(mem, 2));
	check_seek(fd, 0x3d, HOLE_PAGES * PAGE);
	MUST(madvise(page_at(mem, 4), PAGE, MADV_REMOVE));
	check_seek(fd, 0x2d, HOLE_PAGES * PAGE);
	CHECK_EQ(used_pages(fd), 4);
}

/* What a range that begins and ends anywhere leaves of the file. */
static void check_zeroed(int mode, unsigned int from, unsigned int len)
{
	char *want = map_anon(8), *back = map_anon(6);
	int fd = file_of("f", 4, 5, 1);
	unsigned int end = from + len, pages = 4;

	pages_fill(want, 4, 5, 1);
	memset(want + from, 0, len);
	MUST(fallocate(fd, mode, from, len));
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > 4 * PAGE) {
		CHECK_EQ(size_of(fd), end);
		MUST(ftruncate(fd, 4 * PAGE));
	}
	CHECK_EQ(size_of(fd), 4 * PAGE);
	CHECK_EQ(pread(fd, back, 6 * PAGE, 0), 4 * PAGE);
	if (memcmp(want, back, 4 * PAGE))
		tap_fail("mode %#x from %u, %u bytes: the contents are not those expected",
			 mode, from, len);
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		end = end > 4 * PAGE ? 4 * PAGE : end;
		if (end / PAGE > (from + PAGE - 1) / PAGE)
			pages -= end / PAGE - (from + PAGE - 1) / PAGE;
		CHECK_EQ(used_pages(fd), pages);
	}
	MUST(ftruncate(fd, 6 * PAGE));
	file_bytes(fd, 4 * PAGE, 2 * PAGE, 0);
	MUST(close(fd));
	MUST(unlink("f"));
	MUST(munmap(want, 8 * PAGE));
	MUST(munmap(back, 6 * PAGE));
}

static void check_zeroed_everywhere(int mode)
{
	static const unsigned int at[] = { 0, 1, 100, 4095, 4096, 4097, 6000, 12288, 16383 };
	static const unsigned int len[] = { 1, 100, 4095, 4096, 4097, 8192, 12000, 16384 };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(at); i++)
		for (j = 0; j < ARRAY_SIZE(len); j++)
			if (!(mode & FALLOC_FL_ZERO_RANGE) ||
			    !(mode & FALLOC_FL_KEEP_SIZE) ||
			    at[i] + len[j] <= 4 * PAGE)
				check_zeroed(mode, at[i], len[j]);
}

static void test_punch(void)
{
	check_zeroed_everywhere(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static void test_zero_range(void)
{
	int fd;

	if (fs_is_ksm) {
		check_zeroed_everywhere(FALLOC_FL_ZERO_RANGE);
		check_zeroed_everywhere(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
		return;
	}
	fd = file_of("f", 1, 1, 1);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE), EOPNOTSUPP);
}

static void test_allocate(void)
{
	int fd = file_new("f"), dir = MUST(open(".", O_RDONLY | O_CLOEXEC));

	MUST(fallocate(fd, 0, 0, 3 * PAGE - 10));
	CHECK_EQ(size_of(fd), 3 * PAGE - 10);
	CHECK_EQ(used_pages(fd), 3);
	file_bytes(fd, 0, 3 * PAGE - 10, 0);
	file_put(fd, 1, 1, 5, 0);
	MUST(fallocate(fd, 0, 100, 5 * PAGE));
	CHECK_EQ(size_of(fd), 5 * PAGE + 100);
	CHECK_EQ(used_pages(fd), 6);
	file_check(fd, 0, 1, 0, 0);
	file_check(fd, 1, 1, 5, 0);
	file_check(fd, 2, 3, 0, 0);
	MUST(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, PAGE));
	CHECK_EQ(posix_fallocate(fd, 7 * PAGE, 1), 0);
	CHECK_EQ(size_of(fd), 7 * PAGE + 1);
	CHECK_EQ(used_pages(fd), 7);
	MUST(ftruncate(fd, PAGE));
	CHECK_EQ(used_pages(fd), 1);
	CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, -1, 1), EINVAL);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERRNO(fallocate(fd, 0x8000, 0, PAGE), EOPNOTSUPP);
	CHECK_ERRNO(fallocate(dir, 0, 0, PAGE), EBADF);
	if (fs_is_ksm)
		CHECK_ERRNO(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE),
			    EOPNOTSUPP);
	else
		MUST(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE));
	CHECK_EQ(size_of(fd), PAGE);
	/* Nothing is there to punch. */
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * PAGE,
		       9 * PAGE));
	CHECK_EQ(size_of(fd), PAGE);
}

/* ---- what it takes ---- */

static void test_blocks(void)
{
	int fd = file_sparse("f", 100);
	s64 room = free_pages();
	char *mem = map_shared(fd, 100), *buf = map_anon(1);

	CHECK_EQ(used_pages(fd), 0);
	CHECK_EQ(stat_fd(fd).st_blksize, PAGE);
	CHECK_EQ(pread(fd, buf, PAGE, 0), PAGE);
	CHECK_EQ(used_pages(fd), 0);
	file_put(fd, 10, 5, 0, 0);
	CHECK_EQ(used_pages(fd), 5);
	touch_write(page_at(mem, 50));
	touch_write(page_at(mem, 50) + 100);
	CHECK_EQ(used_pages(fd), 6);
	/* tmpfs maps a hole that is read to a frame of its own. */
	touch_read(page_at(mem, 60));
	CHECK_EQ(used_pages(fd), BY_FS(6, 7));
	touch_write(page_at(mem, 60));
	CHECK_EQ(used_pages(fd), 7);
	CHECK_EQ(free_pages(), room - 7 - slot_pages(1));
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 12 * PAGE));
	CHECK_EQ(used_pages(fd), 5);
	MUST(ftruncate(fd, 55 * PAGE));
	CHECK_EQ(used_pages(fd), 4);
	CHECK_EQ(free_pages(), room - 4 - slot_pages(1));
	MUST(ftruncate(fd, 0));
	CHECK_EQ(used_pages(fd), 0);
	CHECK_EQ(free_pages(), room - slot_pages(1));
}

static void test_given_back(void)
{
	s64 room = free_pages(), used = room - slot_pages(1);
	int fd = file_of("f", 20, 1, 1);
	char *mem = map_shared(fd, 20);

	CHECK_EQ(free_pages(), used - 20);
	MUST(link("f", "g"));
	MUST(unlink("f"));
	CHECK_EQ(free_pages(), used - 20);
	MUST(unlink("g"));
	CHECK_EQ(stat_fd(fd).st_nlink, 0);
	CHECK_EQ(free_pages(), used - 20);
	MUST(close(fd));
	CHECK_EQ(free_pages(), used - 20);
	pages_check(mem, 20, 1, 1);
	MUST(madvise(mem, 5 * PAGE, MADV_REMOVE));
	CHECK_EQ(free_pages(), used - 15);
	MUST(munmap(mem, 10 * PAGE));
	CHECK_EQ(free_pages(), used - 15);
	MUST(munmap(page_at(mem, 10), 10 * PAGE));
	CHECK_SOON(free_pages() == room);
	MUST(close(file_of("f", 20, 1, 1)));
	CHECK_EQ(free_pages(), used - 20);
	MUST(unlink("f"));
	CHECK_SOON(free_pages() == room);
}

static void test_full(void)
{
	char *buf = anon_filled(512, 7), *mem;
	int fd, other;
	s64 room;

	fs_mount_again("size=1m");
	CHECK_EQ(statfs_of(".").f_blocks, 256);
	fd = file_new("f");
	other = file_sparse("g", 64);
	file_put(other, 63, 1, 3, 0);
	mem = map_shared(other, 64);
	room = free_pages() - slot_pages(1);
	CHECK_EQ(room, 255 - slot_pages(2));
	CHECK_EQ(write(fd, buf, 512 * PAGE), room * PAGE);
	CHECK_EQ(size_of(fd), room * PAGE);
	CHECK_EQ(free_pages(), 0);
	CHECK_ERRNO(write(fd, buf, 1), ENOSPC);
	CHECK_ERRNO(pwrite(fd, buf, 1, 300 * PAGE), ENOSPC);
	CHECK_EQ(size_of(fd), room * PAGE);
	CHECK_ERRNO(pwrite(other, buf, 1, 0), ENOSPC);
	CHECK_ERRNO(fallocate(other, 0, 0, PAGE), ENOSPC);
	tap_check_signal(touch_write, mem, SIGBUS);
	CHECK_EQ(used_pages(other), 1);
	/* What is there can be written and read, holes too. */
	CHECK_EQ(pwrite(fd, buf, 5 * PAGE, 100), 5 * PAGE);
	CHECK_EQ(pread(other, buf, PAGE, 0), PAGE);
	MUST(ftruncate(other, 1 << 20));
	MUST(ftruncate(fd, (room - 1) * PAGE));
	touch_write(page_at(mem, 9));
	tap_check_signal(touch_write, mem, SIGBUS);
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	touch_write(page_at(mem, 10));
	CHECK_EQ(free_pages(), 0);
	CHECK_ERRNO(pwrite(fd, buf, 1, 5), ENOSPC);
	MUST(unlink("f"));
	CHECK_EQ(free_pages(), 0);
	MUST(close(fd));
	CHECK_SOON(free_pages() == 253 - slot_pages(1));
	CHECK_EQ(pwrite(other, buf, 64 * PAGE, 0), 64 * PAGE);
}

/* Where too little is left, it takes nothing. */
static void test_full_allocate(void)
{
	s64 end = 256 - slot_pages(1);
	int fd, step;

	fs_mount_again("size=1m");
	fd = file_of("f", 100, 3, 1);
	CHECK_ERRNO(fallocate(fd, 0, 50 * PAGE, (end - 49) * PAGE), ENOSPC);
	CHECK_EQ(size_of(fd), 100 * PAGE);
	CHECK_EQ(used_pages(fd), 100);
	CHECK_EQ(free_pages(), end - 100);
	CHECK_ERRNO(fallocate(fd, 0, 0, 1LL << 40), ENOSPC);
	CHECK_EQ(used_pages(fd), 100);
	file_check(fd, 0, 100, 3, 1);
	MUST(fallocate(fd, 0, 50 * PAGE, (end - 50) * PAGE));
	CHECK_EQ(free_pages(), 0);
	/* What was promised is there. */
	for (step = end - 1; step >= 100; step--)
		file_put(fd, step, 1, step, 0);
	file_check(fd, 100, end - 100, 100, 1);
	CHECK_EQ(used_pages(fd), end);
}

/* Pages of its own, until there are no more. */
static void append_pages(const char *name)
{
	int fd = MUST(open(name, O_WRONLY | O_APPEND | O_CLOEXEC));
	u64 page[PAGE_WORDS] = { 1 };

	while (write(fd, page, sizeof(page)) == sizeof(page))
		;
	CHECK_EQ(errno, ENOSPC);
}

/* Writers that race for the last page take no more and no less than there is. */
static void test_full_together(void)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	pid_t pid[4];
	unsigned int i;
	s64 sum = 0;

	fs_mount_again("size=1m");
	for (i = 0; i < 4; i++)
		MUST(close(file_of(names[i], 1, 1, 0)));
	for (i = 0; i < 4; i++) {
		pid[i] = tap_fork();
		if (!pid[i]) {
			append_pages(names[i]);
			_exit(0);
		}
	}
	for (i = 0; i < 4; i++)
		tap_join(pid[i]);
	CHECK_EQ(free_pages(), 0);
	for (i = 0; i < 4; i++)
		sum += stat_of(names[i]).st_blocks / 8;
	CHECK_EQ(sum, 256 - slot_pages(4));
}

/* ---- pipes and sockets ---- */

static void test_splice(void)
{
	int from = file_of("f", 8, 5, 1), to = file_new("g"), pipe_fd[2];
	loff_t in = 100, out = 333;
	char *a = map_anon(8), *b = map_anon(8);
	ssize_t n, sum = 0;

	MUST(pipe(pipe_fd));
	while ((n = MUST(splice(from, &in, pipe_fd[1], NULL, 8 * PAGE, 0))) > 0) {
		sum += n;
		while (n > 0)
			n -= MUST(splice(pipe_fd[0], NULL, to, &out, n,
					 SPLICE_F_MOVE));
	}
	CHECK_EQ(sum, 8 * PAGE - 100);
	CHECK_EQ(in, 8 * PAGE);
	CHECK_EQ(size_of(to), 8 * PAGE + 233);
	CHECK_EQ(pread(from, a, 8 * PAGE, 100), sum);
	CHECK_EQ(pread(to, b, 8 * PAGE, 333), sum);
	CHECK(!memcmp(a, b, sum));
	file_bytes(to, 0, 333, 0);
	/* The copy is one: it does not change with the original. */
	file_put(from, 0, 8, 50, 1);
	CHECK_EQ(pread(to, a, 8 * PAGE, 333), sum);
	CHECK(!memcmp(a, b, sum));
}

/* A hole as well. */
static void test_sendfile(void)
{
	int from = file_of("f", 4, 5, 1), to = file_new("g"), pair[2];
	char *buf = map_anon(8);
	loff_t at = 0;

	MUST(ftruncate(from, 6 * PAGE));
	CHECK_EQ(sendfile(to, from, &at, 9 * PAGE), 6 * PAGE);
	CHECK_EQ(at, 6 * PAGE);
	file_check(to, 0, 4, 5, 1);
	file_check(to, 4, 2, 0, 0);
	CHECK_EQ(sendfile(to, from, &at, PAGE), 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	at = 2 * PAGE;
	CHECK_EQ(sendfile(pair[0], from, &at, 4 * PAGE), 4 * PAGE);
	CHECK_EQ(recv(pair[1], buf, 4 * PAGE, MSG_WAITALL), 4 * PAGE);
	pages_check(buf, 2, 7, 1);
	pages_check(page_at(buf, 2), 2, 0, 0);
	at = 0;
	CHECK_EQ(copy_file_range(from, &at, to, NULL, 3 * PAGE, 0), 3 * PAGE);
	CHECK_EQ(size_of(to), 9 * PAGE);
	file_check(to, 6, 3, 5, 1);
}

static void test_vmsplice(void)
{
	int fd = file_of("f", 4, 5, 1), to = file_new("g"), pipe_fd[2];
	char *mem = map_shared(fd, 4);
	struct iovec iov = { mem, 4 * PAGE };
	loff_t out = 0;

	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &iov, 1, 0), 4 * PAGE);
	CHECK_EQ(splice(pipe_fd[0], NULL, to, &out, 4 * PAGE, 0), 4 * PAGE);
	file_check(to, 0, 4, 5, 1);
	/* Out of the pipe, into pages of the file. */
	CHECK_EQ(write(pipe_fd[1], page_at(mem, 2), 2 * PAGE), 2 * PAGE);
	iov.iov_len = 2 * PAGE;
	CHECK_EQ(vmsplice(pipe_fd[0], &iov, 1, 0), 2 * PAGE);
	file_check(fd, 0, 2, 7, 1);
	file_check(fd, 2, 2, 7, 1);
}

/* ---- the rest ---- */

static void test_sync(void)
{
	int fd = file_of("f", 8, 5, 1);

	MUST(fsync(fd));
	MUST(fdatasync(fd));
	MUST(syncfs(fd));
	MUST(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED), 0);
	file_check(fd, 0, 8, 5, 1);
	/* No cache: there is no other copy. */
	CHECK_EQ(file_write("/proc/sys/vm/drop_caches", "3"), 0);
	file_check(fd, 0, 8, 5, 1);
	MUST(close(fd));
	CHECK_EQ(file_write("/proc/sys/vm/drop_caches", "3"), 0);
	fd = MUST(open("f", O_RDONLY));
	file_check(fd, 0, 8, 5, 1);
}

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* Which of a file's times a call changes: of atime, mtime, ctime. */
#define TIMES(fd, call) ({						\
	int __fd = (fd);						\
	struct stat __old = stat_fd(__fd), __new;			\
	unsigned int __changed = 0;					\
									\
	sleep_ms(20);							\
	MUST(call);							\
	__new = stat_fd(__fd);						\
	if (later(__new.st_atim, __old.st_atim))			\
		__changed |= 4;						\
	if (later(__new.st_mtim, __old.st_mtim))			\
		__changed |= 2;						\
	if (later(__new.st_ctim, __old.st_ctim))			\
		__changed |= 1;						\
	__changed;							\
})

static void test_times(void)
{
	int fd = file_new("f");
	char c, *mem;

	CHECK_EQ(TIMES(fd, pwrite(fd, "abc", 3, 0)), 3);
	CHECK_EQ(TIMES(fd, pread(fd, &c, 1, 0)), 4);
	/* relatime: once is enough. */
	CHECK_EQ(TIMES(fd, pread(fd, &c, 1, 0)), 0);
	CHECK_EQ(TIMES(fd, ftruncate(fd, 1)), 3);
	CHECK_EQ(TIMES(fd, ftruncate(fd, 1)), 3);
	CHECK_EQ(TIMES(fd, ftruncate(fd, 9 * PAGE)), 3);
	CHECK_EQ(TIMES(fd, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     0, PAGE)), 3);
	CHECK_EQ(TIMES(fd, fchmod(fd, 0600)), 1);
	CHECK_EQ(TIMES(fd, fchown(fd, 7, 7)), 1);
	CHECK_EQ(TIMES(fd, link("f", "g")), 1);
	CHECK_EQ(TIMES(fd, rename("g", "h")), 1);
	CHECK_EQ(TIMES(fd, unlink("h")), 1);
	CHECK_EQ(TIMES(fd, lseek(fd, 0, SEEK_END)), 0);
	/* The first store by a mapping. */
	mem = map_shared(fd, 9);
	CHECK_EQ(TIMES(fd, (touch_write(page_at(mem, 3)), 0)), 3);
}

static void test_utimens(void)
{
	struct timespec t[2] = { { 1000000001, 123456789 }, { 2000000002, 987654321 } };
	int fd = file_new("f");
	struct stat st;

	MUST(futimens(fd, t));
	st = stat_fd(fd);
	CHECK_EQ(st.st_atim.tv_sec, 1000000001);
	CHECK_EQ(st.st_atim.tv_nsec, 123456789);
	CHECK_EQ(st.st_mtim.tv_sec, 2000000002);
	CHECK_EQ(st.st_mtim.tv_nsec, 987654321);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_sec = 5;
	MUST(futimens(fd, t));
	st = stat_fd(fd);
	CHECK_EQ(st.st_atim.tv_sec, 1000000001);
	CHECK_EQ(st.st_mtim.tv_sec, 5);
	t[1] = (struct timespec){ -1, 5 };
	MUST(futimens(fd, t));
	CHECK_EQ(stat_fd(fd).st_mtim.tv_sec, -1);
	CHECK_EQ(stat_fd(fd).st_mtim.tv_nsec, 5);
	t[1].tv_nsec = 1000000000;
	CHECK_ERRNO(futimens(fd, t), EINVAL);
	MUST(utimensat(AT_FDCWD, "f", NULL, 0));
	CHECK(stat_fd(fd).st_mtim.tv_sec > 5);
}

static void test_no_clones(void)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent;
	} fiemap = { .map = { .fm_length = ~0ULL, .fm_extent_count = 1 } };
	struct {
		struct file_dedupe_range range;
		struct file_dedupe_range_info info;
	} dedupe = { .range = { .src_length = PAGE, .dest_count = 1 } };
	int fd = file_of("f", 2, 1, 1), to = file_of("g", 2, 1, 1);

	CHECK_ERRNO(ioctl(to, FICLONE, fd), EOPNOTSUPP);
	CHECK_ERRNO(ioctl(fd, FS_IOC_FIEMAP, &fiemap), EOPNOTSUPP);
	dedupe.info.dest_fd = to;
	CHECK_ERRNO(ioctl(fd, FIDEDUPERANGE, &dedupe), EOPNOTSUPP);
	CHECK_ERRNO(ioctl(fd, 0x5401, &fiemap), ENOTTY);
}

static const struct tap_test tests[] = {
	{ "what is written is read, at any offset and length", test_write_and_read },
	{ "reads end at the end of the file", test_read_at_the_end },
	{ "a write beyond the end leaves a hole", test_write_beyond_the_end },
	{ "O_APPEND", test_append },
	{ "O_APPEND by several at once loses nothing", test_append_together },
	{ "pwritev, preadv and RWF_APPEND", test_vectors },
	{ "bad buffers give EFAULT and leave nothing", test_bad_buffers },
	{ "what a descriptor is open for", test_access_modes },
	{ "reopening by /proc/self/fd", test_reopen },
	{ "write from a mapping of the file", test_write_from_own_mapping },
	{ "read into a mapping of the file", test_read_into_own_mapping },
	{ "the longest file", test_longest },
	{ "EFBIG behind the longest file", test_too_long },
	{ "RLIMIT_FSIZE", test_file_limit },
	{ "truncate, down and up", test_truncate },
	{ "SEEK_DATA and SEEK_HOLE on all patterns", test_seek },
	{ "SEEK_DATA finds zeroes, not holes", test_seek_zeroes },
	{ "punched holes begin and end anywhere", test_punch },
	{ "zeroed ranges begin and end anywhere", test_zero_range },
	{ "fallocate", test_allocate },
	{ "st_blocks and f_bfree count what was written", test_blocks },
	{ "an unlinked file gives back with its last user", test_given_back },
	{ "a full file system: ENOSPC and SIGBUS", test_full },
	{ "fallocate takes all or nothing", test_full_allocate },
	{ "writers fill it together to the last page", test_full_together },
	{ "splice", test_splice },
	{ "sendfile and copy_file_range", test_sendfile },
	{ "vmsplice", test_vmsplice },
	{ "sync, advice and dropped caches keep the contents", test_sync },
	{ "what changes the times of a file", test_times },
	{ "utimensat", test_utimens },
	{ "no clones, no extents", test_no_clones },
};

int main(int argc, char **argv)
{
	return fs_main(argc, argv, tests, ARRAY_SIZE(tests));
}
