/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of ksmfs share: a mount of its own for each test, files with
 * known contents, what stat() and statfs() say.
 *
 * With KSM_FS=tmpfs in the environment the same tests run on tmpfs, as a control:
 * what they expect is what a file system in memory does, but for BY_FS(), where
 * ksmfs differs on purpose.
 *
 * Each test has its own mount namespace, and the mount in it as its current
 * folder: names in tests are relative, and nothing is left when a test dies.
 */
#ifndef KSM_FS_H
#define KSM_FS_H

#include <limits.h>
#include <sys/statfs.h>
#include <sys/uio.h>

/* Also has the flags of mount(): <sys/mount.h> cannot be included beside it. */
#include <linux/fs.h>

#include "ksm_test.h"

#define MNT_DETACH	2	/* of umount2() */

static bool fs_is_ksm;
static char fs_folder[64];

/* What is expected of ksmfs, and of tmpfs. */
#define BY_FS(on_ksmfs, on_tmpfs)	(fs_is_ksm ? (on_ksmfs) : (on_tmpfs))

/* ---- mounting ---- */

/* 0, or -1 with errno. */
static inline long fs_try_mount(const char *folder, unsigned long flags,
				const char *options)
{
	return syscall(SYS_mount, "none", folder, BY_FS("ksmfs", "tmpfs"), flags,
		       options);
}

static inline long fs_umount(const char *folder, int flags)
{
	return syscall(SYS_umount2, folder, flags);
}

static inline void fs_mount(const char *options)
{
	MUST(fs_try_mount(fs_folder, 0, options));
	MUST(chdir(fs_folder));
}

/* An empty file system with other options instead of the one that is there. */
static inline void fs_mount_again(const char *options)
{
	MUST(chdir("/"));
	MUST(fs_umount(fs_folder, 0));
	fs_mount(options);
}

static inline long fs_remount(const char *options)
{
	return fs_try_mount(fs_folder, MS_REMOUNT, options);
}

static inline void fs_setup(void)
{
	if (fs_is_ksm)
		ksm_quiet();
	MUST(unshare(CLONE_NEWNS));
	MUST(syscall(SYS_mount, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	umask(022);
	fs_mount("");
}

static inline int fs_main(int argc, char **argv, const struct tap_test *tests,
			  unsigned int count)
{
	const char *name = getenv("KSM_FS");
	int ret;

	fs_is_ksm = !name || !strcmp(name, "ksmfs");
	if (!fs_is_ksm && strcmp(name, "tmpfs")) {
		fprintf(stderr, "KSM_FS: expected ksmfs or tmpfs, got %s\n", name);
		return 2;
	}
	snprintf(fs_folder, sizeof(fs_folder), "/tmp/ksm_fs.XXXXXX");
	if (!mkdtemp(fs_folder)) {
		perror(fs_folder);
		return 1;
	}
	ret = tap_main(argc, argv, tests, count, fs_setup);
	rmdir(fs_folder);
	if (fs_is_ksm)
		ksm_try_set("run", "1");
	return ret;
}

/* ---- files ---- */

static inline int file_new(const char *name)
{
	return MUST(open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

/* A file of zeroes with no frames. */
static inline int file_sparse(const char *name, unsigned long pages)
{
	int fd = file_new(name);

	MUST(ftruncate(fd, pages * PAGE));
	return fd;
}

static inline void file_put(int fd, unsigned long first, unsigned long pages,
			    u64 seed, unsigned int step)
{
	u64 page[PAGE_WORDS];
	unsigned long i;

	for (i = 0; i < pages; i++) {
		page_fill(page, seed + i * step);
		CHECK_EQ(pwrite(fd, page, PAGE, (first + i) * PAGE), PAGE);
	}
}

/* A file whose pages hold seed, seed + step, ... */
static inline int file_of(const char *name, unsigned long pages, u64 seed,
			  unsigned int step)
{
	int fd = file_new(name);

	file_put(fd, 0, pages, seed, step);
	return fd;
}

static inline void file_check_at(int fd, unsigned long first, unsigned long pages,
				 u64 seed, unsigned int step, int line)
{
	u64 page[PAGE_WORDS];
	unsigned long i;

	for (i = 0; i < pages; i++) {
		ssize_t len = pread(fd, page, PAGE, (first + i) * PAGE);

		if (len != (ssize_t)PAGE)
			tap_fail("line %d: pread of page %lu: expected 4096, got %zd",
				 line, first + i, len);
		if (!page_holds(page, seed + i * step))
			tap_fail("line %d: page %lu: expected the content of seed %llu, got another",
				 line, first + i,
				 (unsigned long long)(seed + i * step));
	}
}

#define file_check(fd, first, pages, seed, step) \
	file_check_at(fd, first, pages, seed, step, __LINE__)

/* Each byte of the range of the file is @byte. */
static inline void file_bytes_at(int fd, s64 offset, u64 len, unsigned char byte,
				 int line)
{
	unsigned char buf[PAGE];
	u64 i, n;

	for (; len; len -= n, offset += n) {
		ssize_t got;

		n = len < PAGE ? len : PAGE;
		got = pread(fd, buf, n, offset);
		if (got != (ssize_t)n)
			tap_fail("line %d: pread at %lld: expected %llu, got %zd",
				 line, (long long)offset, (unsigned long long)n, got);
		for (i = 0; i < n; i++)
			if (buf[i] != byte)
				tap_fail("line %d: byte %lld: expected %#x, got %#x",
					 line, (long long)(offset + i), byte, buf[i]);
	}
}

#define file_bytes(fd, offset, len, byte) \
	file_bytes_at(fd, offset, len, byte, __LINE__)

/* ---- mappings ---- */

static inline char *map_with(int fd, u64 first, unsigned long pages, int prot,
			     int flags)
{
	return (char *)MUST(mmap(NULL, pages * PAGE, prot, flags, fd,
				 first * PAGE));
}

static inline char *map_shared(int fd, unsigned long pages)
{
	return map_with(fd, 0, pages, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static inline char *map_private(int fd, unsigned long pages)
{
	return map_with(fd, 0, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static inline void touch_read(void *addr)
{
	(void)*(volatile char *)addr;
}

static inline void touch_write(void *addr)
{
	*(volatile char *)addr = 1;
}

/* An access to it, of either kind, is one beyond the end of the file. */
static inline void check_sigbus(void *addr)
{
	tap_check_signal(touch_read, addr, SIGBUS);
	tap_check_signal(touch_write, addr, SIGBUS);
}

/* Memory that cannot be accessed: a bad buffer. */
static inline char *map_nothing(unsigned long pages)
{
	return (char *)MUST(mmap(NULL, pages * PAGE, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

/* ---- what the file system says ---- */

static inline struct stat stat_fd(int fd)
{
	struct stat st;

	MUST(fstat(fd, &st));
	return st;
}

static inline struct stat stat_of(const char *name)
{
	struct stat st;

	MUST(lstat(name, &st));
	return st;
}

/* Pages that stat() counts for a file. */
static inline s64 used_pages(int fd)
{
	s64 blocks = stat_fd(fd).st_blocks;

	CHECK_EQ(blocks % 8, 0);
	return blocks / 8;
}

static inline struct statfs statfs_of(const char *name)
{
	struct statfs st;

	MUST(statfs(name, &st));
	return st;
}

/*
 * Pages that @chunks pieces of 2 MiB of files take beside their contents: ksmfs counts the
 * page with their slots, from the first use on, as long as the file is there.
 */
static inline s64 slot_pages(unsigned int chunks)
{
	return BY_FS(chunks, 0);
}

/* Pages that the file system has left. */
static inline s64 free_pages(void)
{
	return statfs_of(fs_folder).f_bfree;
}

static inline bool exists(const char *name)
{
	struct stat st;

	return !lstat(name, &st);
}

/* ---- processes ---- */

/* Run @fn as an ordinary user, with no group of root's. */
static inline void as_uid(unsigned int uid, void (*fn)(void))
{
	pid_t pid = tap_fork();

	if (!pid) {
		become(uid);
		fn();
		_exit(0);
	}
	tap_join(pid);
}

#endif /* KSM_FS_H */
