/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of /dev/ksm share: areas, page contents, frame numbers,
 * control files.  All end the test on failure; see tap.h.
 *
 * A page's content is made from a seed, so that pages with the same seed are
 * equal and every byte of a page can be checked; seed 0 means zeroes.
 */
#ifndef KSM_TEST_H
#define KSM_TEST_H

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <linux/ksmdev.h>

#include "tap.h"

#define PAGE		4096UL
#define PAGE_WORDS	(PAGE / sizeof(u64))
#define CHUNK_PAGES	512UL
#define KSM_SYSFS	"/sys/class/misc/ksm/"

/* Page @i of the memory at @base. */
static inline char *page_at(const void *base, unsigned long i)
{
	return (char *)base + i * PAGE;
}

/* ---- contents ---- */

static inline u64 seed_word(u64 seed, unsigned int i)
{
	u64 x = seed * 0x9e3779b97f4a7c15ULL + i;

	if (!seed)
		return 0;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	return x ^ (x >> 27);
}

static inline void page_fill(void *page, u64 seed)
{
	u64 *word = page;
	unsigned int i;

	for (i = 0; i < PAGE_WORDS; i++)
		word[i] = seed_word(seed, i);
}

static inline bool page_holds(const void *page, u64 seed)
{
	const u64 *word = page;
	unsigned int i;

	for (i = 0; i < PAGE_WORDS; i++)
		if (word[i] != seed_word(seed, i))
			return false;
	return true;
}

/* Pages with @seed each, or with seed, seed + 1, ... when @step is 1. */
static inline void pages_fill(void *base, unsigned long pages, u64 seed,
			      unsigned int step)
{
	unsigned long i;

	for (i = 0; i < pages; i++)
		page_fill(page_at(base, i), seed + i * step);
}

static inline void pages_check_at(const void *base, unsigned long pages, u64 seed,
				  unsigned int step, int line)
{
	unsigned long i;

	for (i = 0; i < pages; i++)
		if (!page_holds(page_at(base, i), seed + i * step))
			tap_fail("line %d: page %lu of %lu: expected the content of seed %llu, got another",
				 line, i, pages,
				 (unsigned long long)(seed + i * step));
}

#define pages_check(base, pages, seed, step) \
	pages_check_at(base, pages, seed, step, __LINE__)

/* ---- files ---- */

static inline ssize_t file_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	close(fd);
	buf[len] = '\0';
	return n < 0 ? -errno : (ssize_t)len;
}

/* 0 or a negative errno. */
static inline int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* The number behind @key in a file such as /proc/meminfo, or -1. */
static inline s64 file_value(const char *path, const char *key)
{
	static char buf[65536];
	size_t len = strlen(key);
	char *line;

	if (file_read(path, buf, sizeof(buf)) < 0)
		return -1;
	for (line = buf; line; line = strchr(line, '\n')) {
		if (line != buf)
			line++;
		if (!strncmp(line, key, len) && strchr(": \t", line[len]))
			return strtoll(line + len + 1, NULL, 10);
	}
	return -1;
}

static inline void ksm_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, KSM_SYSFS "%s", name);
}

static inline void ksm_text(const char *name, char *buf, size_t size)
{
	char path[128];
	ssize_t len;

	ksm_path(path, sizeof(path), name);
	len = file_read(path, buf, size);
	if (len < 0)
		tap_fail("reading %s: %s", path, strerrorname_np(-len));
}

static inline s64 ksm_get(const char *name)
{
	char buf[128];

	ksm_text(name, buf, sizeof(buf));
	return strtoll(buf, NULL, 10);
}

/* 0 or a negative errno. */
static inline int ksm_try_set(const char *name, const char *value)
{
	char path[128];

	ksm_path(path, sizeof(path), name);
	return file_write(path, value);
}

static inline void ksm_set(const char *name, const char *value)
{
	int ret = ksm_try_set(name, value);

	if (ret)
		tap_fail("writing %s to %s: expected success, got %s", value,
			 name, strerrorname_np(-ret));
}

/* Scanning off, all else as after loading the module. */
static inline void ksm_quiet(void)
{
	static const char *const defaults[][2] = {
		{ "run", "0" }, { "advisor_mode", "cpu-budget" },
		{ "advisor_max_cpu", "20" }, { "pages_to_scan", "100" },
		{ "sleep_millisecs", "20" }, { "rest_millisecs", "500" },
		{ "scan_threads", "1" },
		{ "use_zero_pages", "1" }, { "merge_across_nodes", "1" },
		{ "max_page_sharing", "256" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(defaults); i++)
		ksm_set(defaults[i][0], defaults[i][1]);
}

/* ---- areas: memory of a descriptor ---- */

static inline int ksm_open(void)
{
	return MUST(open("/dev/ksm", O_RDWR | O_CLOEXEC));
}

/* The descriptor @fd joins the domain of the directory @dir, whose number it returns. */
static inline u64 ksm_join(int fd, int dir)
{
	struct ksm_set_domain domain = { .flags = KSM_DOMAIN_JOIN, .fd = dir };

	MUST(ioctl(fd, KSM_SET_DOMAIN, &domain));
	return domain.id;
}

/* The same for a domain of its own, that nobody else is in. */
static inline u64 ksm_make_private(int fd)
{
	struct ksm_set_domain domain = { .flags = KSM_DOMAIN_PRIVATE, .fd = -1 };

	MUST(ioctl(fd, KSM_SET_DOMAIN, &domain));
	return domain.id;
}

/* An area that merges with nobody, whatever else runs. */
static inline int ksm_open_private(void)
{
	int fd = ksm_open();

	ksm_make_private(fd);
	return fd;
}

/* A directory that is a new domain, for others to join. */
static inline int ksm_create_domain(void)
{
	int fd = ksm_open(), dir = MUST(ioctl(fd, KSM_CREATE_DOMAIN, 0));

	close(fd);
	return dir;
}

static inline int ksm_open_joined(int dir)
{
	int fd = ksm_open();

	ksm_join(fd, dir);
	return fd;
}

/* The file of a descriptor of /dev/ksm, as a descriptor. */
static inline int ksm_get_file(int fd)
{
	return MUST(ioctl(fd, KSM_GET_FILE, 0));
}

static inline void *map_at(int fd, u64 offset, unsigned long pages)
{
	return (void *)MUST(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED, fd, offset));
}

static inline void *map_area(int fd, unsigned long pages)
{
	return map_at(fd, 0, pages);
}

static inline void *map_anon(unsigned long pages)
{
	return (void *)MUST(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

/*
 * A call on a range: 0 or -1 with errno.  The range must be done as a whole,
 * or not at all.
 */
static inline int ksm_range_call(int fd, unsigned long request, const void *addr,
				 u64 len, u64 flags)
{
	struct ksm_range range = {
		.addr = (unsigned long)addr, .len = len, .flags = flags,
	};
	int ret = ioctl(fd, request, &range);
	int err = errno;

	CHECK_EQ(range.done, ret ? 0 : len);
	errno = err;
	return ret;
}

static inline void ksm_range_do(int fd, unsigned long request, const void *base,
				unsigned long pages)
{
	MUST(ksm_range_call(fd, request, base, pages * PAGE, 0));
}

static inline struct ksm_scan ksm_scan_flags(int fd, u64 flags)
{
	struct ksm_scan scan = { .flags = flags };

	MUST(ioctl(fd, KSM_SCAN, &scan));
	return scan;
}

static inline struct ksm_scan ksm_scan(int fd)
{
	return ksm_scan_flags(fd, 0);
}

static inline struct ksm_scan ksm_scan_force(int fd)
{
	return ksm_scan_flags(fd, KSM_SCAN_FORCE);
}

static inline struct ksm_stats ksm_stats(int fd)
{
	struct ksm_stats stats = { .flags = 0 };

	MUST(ioctl(fd, KSM_GET_STATS, &stats));
	return stats;
}

static inline struct ksm_stats ksm_domain_stats(int fd)
{
	struct ksm_stats stats = { .flags = KSM_STATS_DOMAIN };

	MUST(ioctl(fd, KSM_GET_STATS, &stats));
	return stats;
}

/* ---- frames ---- */

/* The frame that a page of process @pid is mapped to, 0 if it is not. */
static inline u64 pfn_of_pid(pid_t pid, const void *addr)
{
	char path[64];
	u64 entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	CHECK_EQ(pread(fd, &entry, sizeof(entry),
		       (unsigned long)addr / PAGE * sizeof(entry)), sizeof(entry));
	close(fd);
	if (!(entry >> 63))
		return 0;
	entry &= (1ULL << 55) - 1;
	if (!entry)
		tap_fail("no frame number in %s: not root?", path);
	return entry;
}

/* The frame of a page, mapped by reading it. */
static inline u64 pfn_of(const void *addr)
{
	u64 pfn;

	(void)*(const volatile char *)addr;
	pfn = pfn_of_pid(getpid(), addr);
	CHECK(pfn != 0);
	return pfn;
}

/* How many different frames a range has. */
static inline unsigned long count_frames(const void *base, unsigned long pages)
{
	u64 *seen = calloc(pages, sizeof(*seen));
	unsigned long i, j, frames = 0;

	CHECK(seen);
	for (i = 0; i < pages; i++) {
		u64 pfn = pfn_of(page_at(base, i));

		for (j = 0; j < frames && seen[j] != pfn; j++)
			;
		if (j == frames)
			seen[frames++] = pfn;
	}
	free(seen);
	return frames;
}

/* ---- mappings ---- */

/* How many lines of /proc/self/maps lie in the range. */
static inline unsigned int count_vmas(const void *base, unsigned long pages)
{
	unsigned long from = (unsigned long)base, to = from + pages * PAGE;
	unsigned long start, end;
	unsigned int count = 0;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	CHECK(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 &&
		    start < to && end > from)
			count++;
	fclose(maps);
	return count;
}

/* ---- memory ---- */

/*
 * Free frames in KiB.  The lists of each CPU, which do not count as free, may
 * hold tens of MiB: keep them short.
 */
static inline s64 mem_free(void)
{
	file_write("/proc/sys/vm/percpu_pagelist_high_fraction", "100000");
	file_write("/proc/sys/vm/drop_caches", "3");
	return file_value("/proc/meminfo", "MemFree");
}

/* What KASAN keeps of freed memory, in KiB: a 32nd of all, and what shares pages with that. */
static inline s64 mem_kept(void)
{
	return access("/sys/kernel/debug/kmemleak", F_OK) ? 0 :
	       file_value("/proc/meminfo", "MemTotal") / 16;
}

/* ---- time and users ---- */

static inline void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000,
			       .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static inline s64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Poll until the condition holds; some work is done in the background. */
#define CHECK_SOON(condition) do {					\
	s64 __end = now_ms() + 30000;					\
									\
	while (!(condition)) {						\
		if (now_ms() >= __end)					\
			tap_fail("%s:%d: expected within 30 s: %s",	\
				 __FILE_NAME__, __LINE__, #condition);	\
		sleep_ms(50);						\
	}								\
} while (0)

/* ---- what is left ---- */

/*
 * No file, and nothing that one had.  Areas and domains go soon: a scan thread
 * keeps the domain that it was in until it sleeps.
 */
static inline void ksm_check_nothing_left(void)
{
	CHECK_SOON(ksm_get("areas") == 0);
	CHECK_SOON(ksm_get("domains") == 0);
	CHECK_EQ(ksm_get("pages_shared"), 0);
	CHECK_EQ(ksm_get("pages_sharing"), 0);
	CHECK_EQ(ksm_get("pages_unshared"), 0);
	CHECK_EQ(ksm_get("pages_volatile"), 0);
	CHECK_EQ(ksm_get("ksm_zero_pages"), 0);
	CHECK_EQ(ksm_get("pages_spare"), 0);
}

/* Become an ordinary user for good. */
static inline void become(unsigned int uid)
{
	MUST(setresgid(uid, uid, uid));
	MUST(setresuid(uid, uid, uid));
}

/*
 * Run @fn in a process of its own while everybody may open /dev/ksm; for
 * tests in which @fn becomes an ordinary user.
 */
static inline void tap_as_user(void (*fn)(void))
{
	struct stat st;
	int status;
	pid_t pid;

	MUST(stat("/dev/ksm", &st));
	MUST(chmod("/dev/ksm", 0666));
	pid = tap_fork();
	if (!pid) {
		fn();
		_exit(0);
	}
	status = tap_wait(pid);
	MUST(chmod("/dev/ksm", st.st_mode & 07777));
	if (WIFEXITED(status) && WEXITSTATUS(status) == TAP_SKIPPED)
		_exit(TAP_SKIPPED);
	CHECK_EQ(status, 0);
}

static inline void memlock_limit(unsigned long pages)
{
	struct rlimit limit = { pages * PAGE, pages * PAGE };

	MUST(setrlimit(RLIMIT_MEMLOCK, &limit));
}

/* Two processes take turns: each turn_pass() lets one turn_wait() return. */
struct turn {
	int fd[2];
};

static inline struct turn turn_make(void)
{
	struct turn turn;

	MUST(pipe(turn.fd));
	return turn;
}

static inline void turn_send(struct turn *turn, const void *data, size_t len)
{
	CHECK_EQ(write(turn->fd[1], data, len), len);
}

static inline void turn_receive(struct turn *turn, void *data, size_t len)
{
	struct pollfd poll_fd = { .fd = turn->fd[0], .events = POLLIN };

	/* Only the death of the other process takes that long. */
	if (poll(&poll_fd, 1, 60000) != 1)
		tap_fail("the other process does not answer");
	CHECK_EQ(read(turn->fd[0], data, len), len);
}

static inline void turn_pass(struct turn *turn)
{
	turn_send(turn, "", 1);
}

static inline void turn_wait(struct turn *turn)
{
	char c;

	turn_receive(turn, &c, 1);
}

#endif /* KSM_TEST_H */
