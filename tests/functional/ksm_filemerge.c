// SPDX-License-Identifier: GPL-2.0
/*
 * Merging of files of ksmfs: nothing that a file system says changes by it, and
 * a write to a merged page, by whatever way it comes, changes one file only.
 * What files merge with which others: domains.  Who may ask for what.
 */
#define _GNU_SOURCE
#include <sys/fsuid.h>

#include "ksm_fs.h"

#define PAGES	16
#define SEED	5

/* Two files of one domain with the same contents, each with its mapping. */
struct pair {
	int a, b;
	char *mem_a, *mem_b;
};

static void merge(int fd)
{
	ksm_scan_force(fd);
	ksm_scan_force(fd);
}

static bool share(const void *a, const void *b)
{
	return pfn_of(a) == pfn_of(b);
}

static struct pair make_pair(void)
{
	struct pair p;

	MUST(mkdir("d", 0755));
	p.a = file_of("d/a", PAGES, SEED, 1);
	p.b = file_of("d/b", PAGES, SEED, 1);
	p.mem_a = map_shared(p.a, PAGES);
	p.mem_b = map_shared(p.b, PAGES);
	return p;
}

static void check_shared(const struct pair *p, unsigned int first, unsigned int pages)
{
	unsigned int i;

	for (i = first; i < first + pages; i++)
		if (!share(page_at(p->mem_a, i), page_at(p->mem_b, i)))
			tap_fail("page %u of both files: expected one frame, got two",
				 i);
}

static struct pair make_merged(void)
{
	struct pair p = make_pair();

	merge(p.a);
	check_shared(&p, 0, PAGES);
	return p;
}

/* ---- nothing changes ---- */

static void test_unseen(void)
{
	struct pair p = make_pair();
	struct stat before = stat_fd(p.a), after;
	s64 room = free_pages();
	int zeroes = file_of("d/z", PAGES, 0, 0);
	unsigned int i;

	CHECK_EQ(free_pages(), room - PAGES - slot_pages(1));
	merge(p.a);
	check_shared(&p, 0, PAGES);
	after = stat_fd(p.a);
	CHECK_EQ(after.st_blocks, before.st_blocks);
	CHECK_EQ(after.st_size, before.st_size);
	CHECK_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	CHECK_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
	CHECK_EQ(free_pages(), room - PAGES - slot_pages(1));
	pages_check(p.mem_a, PAGES, SEED, 1);
	pages_check(p.mem_b, PAGES, SEED, 1);
	file_check(p.a, 0, PAGES, SEED, 1);
	file_check(p.b, 0, PAGES, SEED, 1);
	/* Zeroes take no frame, but are still what was written. */
	CHECK_EQ(ksm_stats(zeroes).ksm_zero_pages, PAGES);
	CHECK_EQ(used_pages(zeroes), PAGES);
	for (i = 0; i < PAGES; i++)
		CHECK_EQ(lseek(zeroes, i * PAGE, SEEK_DATA), i * PAGE);
	CHECK_EQ(lseek(zeroes, 0, SEEK_HOLE), PAGES * PAGE);
	CHECK_EQ(lseek(p.b, 0, SEEK_HOLE), PAGES * PAGE);
	file_check(zeroes, 0, PAGES, 0, 0);
}

/* The same pattern of holes before and after. */
static void test_holes_stay(void)
{
	int a, b;
	s64 i;

	MUST(mkdir("d", 0755));
	a = file_sparse("d/a", PAGES);
	b = file_sparse("d/b", PAGES);
	for (i = 0; i < PAGES; i += 2) {
		file_put(a, i, 1, 9, 0);
		file_put(b, i, 1, i % 4 ? 9 : 0, 0);
	}
	merge(a);
	CHECK_EQ(used_pages(a), PAGES / 2);
	CHECK_EQ(used_pages(b), PAGES / 2);
	for (i = 0; i < PAGES - 2; i += 2) {
		CHECK_EQ(lseek(a, i * PAGE + 5, SEEK_HOLE), (i + 1) * PAGE);
		CHECK_EQ(lseek(b, i * PAGE + 5, SEEK_HOLE), (i + 1) * PAGE);
		CHECK_EQ(lseek(a, (i + 1) * PAGE + 5, SEEK_DATA), (i + 2) * PAGE);
		CHECK_EQ(lseek(b, (i + 1) * PAGE + 5, SEEK_DATA), (i + 2) * PAGE);
	}
	CHECK_EQ(ksm_stats(a).size, PAGES);
	CHECK_EQ(ksm_stats(a).pages_merged, PAGES / 2);
	CHECK_EQ(ksm_stats(b).pages_merged, PAGES / 4);
	CHECK_EQ(ksm_stats(b).ksm_zero_pages, PAGES / 4);
	CHECK_EQ(ksm_stats(b).pages_private, 0);
	CHECK_EQ(ksm_domain_stats(b).pages_shared, 1);
	CHECK_EQ(ksm_domain_stats(b).areas, 2);
	CHECK_EQ(ksm_stats(b).areas, 1);
}

/* A merged page that is written was in the account all the time. */
static void test_full(void)
{
	unsigned int all = 256 - slot_pages(1);
	char *mem;
	int fd;

	fs_mount_again("size=1m");
	MUST(mkdir("d", 0755));
	fd = file_of("d/f", 200, 7, 0);
	file_put(fd, 200, all - 200, 0, 0);
	mem = map_shared(fd, all);
	merge(fd);
	CHECK_EQ(count_frames(mem, 200), 1);
	CHECK_EQ(free_pages(), 0);
	CHECK_ERRNO(pwrite(fd, "x", 1, all * PAGE), ENOSPC);
	pages_fill(mem, 100, 1000, 1);
	file_put(fd, 100, 100, 1100, 1);
	pages_fill(page_at(mem, 200), all - 200, 1200, 1);
	pages_check(mem, all, 1000, 1);
	CHECK_EQ(free_pages(), 0);
	pages_fill(mem, all, 8, 0);
	merge(fd);
	MUST(ksm_range_call(fd, KSM_UNMERGE, mem, all * PAGE, 0));
	pages_check(mem, all, 8, 0);
	CHECK_EQ(free_pages(), 0);
	CHECK_EQ(used_pages(fd), all);
}

/* ---- one file changes ---- */

/* Page 3 of the file @fd, at @page in memory; @want is what it must hold then. */
#define WRITTEN	3

static void by_store(int fd, char *page, char *want)
{
	(void)fd;
	page_fill(page, 99);
	page_fill(want, 99);
}

static void by_one_byte(int fd, char *page, char *want)
{
	(void)fd;
	page[100] = 'x';
	want[100] = 'x';
}

static void by_atomic(int fd, char *page, char *want)
{
	(void)fd;
	__atomic_fetch_add((u64 *)page + 7, 1, __ATOMIC_SEQ_CST);
	((u64 *)want)[7]++;
}

static void by_write(int fd, char *page, char *want)
{
	(void)page;
	file_put(fd, WRITTEN, 1, 99, 0);
	page_fill(want, 99);
}

static void by_write_of_a_part(int fd, char *page, char *want)
{
	(void)page;
	CHECK_EQ(pwrite(fd, "hello", 5, WRITTEN * PAGE + 1000), 5);
	memcpy(want + 1000, "hello", 5);
}

static void by_process_vm(int fd, char *page, char *want)
{
	struct iovec local = { want, PAGE }, remote = { page, PAGE };

	(void)fd;
	page_fill(want, 99);
	CHECK_EQ(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), PAGE);
}

static void by_proc_mem(int fd, char *page, char *want)
{
	int mem_fd = MUST(open("/proc/self/mem", O_RDWR | O_CLOEXEC));

	(void)fd;
	page_fill(want, 99);
	CHECK_EQ(pwrite(mem_fd, want, PAGE, (off_t)page), PAGE);
	MUST(close(mem_fd));
}

static void by_read(int fd, char *page, char *want)
{
	int pipe_fd[2];

	(void)fd;
	MUST(pipe(pipe_fd));
	page_fill(want, 99);
	CHECK_EQ(write(pipe_fd[1], want, PAGE), PAGE);
	CHECK_EQ(read(pipe_fd[0], page, PAGE), PAGE);
}

static void by_splice(int fd, char *page, char *want)
{
	loff_t out = WRITTEN * PAGE;
	int pipe_fd[2];

	(void)page;
	MUST(pipe(pipe_fd));
	page_fill(want, 99);
	CHECK_EQ(write(pipe_fd[1], want, PAGE), PAGE);
	CHECK_EQ(splice(pipe_fd[0], NULL, fd, &out, PAGE, SPLICE_F_MOVE), PAGE);
}

static void by_copy(int fd, char *page, char *want)
{
	int from = file_of("d/c", 1, 99, 0);
	loff_t in = 0, out = WRITTEN * PAGE;

	(void)page;
	page_fill(want, 99);
	CHECK_EQ(copy_file_range(from, &in, fd, &out, PAGE, 0), PAGE);
}

static void by_child(int fd, char *page, char *want)
{
	pid_t pid = tap_fork();

	(void)fd;
	if (!pid) {
		page_fill(page, 99);
		_exit(0);
	}
	tap_join(pid);
	page_fill(want, 99);
}

static void by_zero(int fd, char *page, char *want)
{
	(void)page;
	MUST(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		       WRITTEN * PAGE, PAGE));
	memset(want, 0, PAGE);
}

static void by_zero_of_a_part(int fd, char *page, char *want)
{
	(void)page;
	MUST(fallocate(fd, FALLOC_FL_ZERO_RANGE, WRITTEN * PAGE + 100, 200));
	memset(want + 100, 0, 200);
}

static void by_punch(int fd, char *page, char *want)
{
	(void)page;
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       WRITTEN * PAGE, PAGE));
	memset(want, 0, PAGE);
}

static void by_punch_of_a_part(int fd, char *page, char *want)
{
	(void)page;
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       WRITTEN * PAGE + 4000, 96));
	memset(want + 4000, 0, 96);
}

static void by_remove(int fd, char *page, char *want)
{
	(void)fd;
	MUST(madvise(page, PAGE, MADV_REMOVE));
	memset(want, 0, PAGE);
}

static void by_discard(int fd, char *page, char *want)
{
	MUST(ksm_range_call(fd, KSM_DISCARD, page, PAGE, 0));
	memset(want, 0, PAGE);
}

static void by_discard_offset(int fd, char *page, char *want)
{
	(void)page;
	MUST(ksm_range_call(fd, KSM_DISCARD, (void *)(WRITTEN * PAGE), PAGE,
			    KSM_RANGE_OFFSET));
	memset(want, 0, PAGE);
}

static void by_nothing(int fd, char *page, char *want)
{
	(void)want;
	touch_read(page);
	MUST(fallocate(fd, 0, 0, PAGES * PAGE));
	MUST(fsync(fd));
}

/* @keeps: it is no write, and the frame stays shared. */
static const struct way {
	const char *name;
	void (*run)(int fd, char *page, char *want);
	bool keeps;
} ways[] = {
	{ "store", by_store, false },
	{ "store of a byte", by_one_byte, false },
	{ "atomic operation", by_atomic, false },
	{ "write", by_write, false },
	{ "write of a part", by_write_of_a_part, false },
	{ "process_vm_writev", by_process_vm, false },
	{ "/proc/self/mem", by_proc_mem, false },
	{ "read from a pipe", by_read, false },
	{ "splice", by_splice, false },
	{ "copy_file_range", by_copy, false },
	{ "store of a child", by_child, false },
	{ "FALLOC_FL_ZERO_RANGE", by_zero, false },
	{ "FALLOC_FL_ZERO_RANGE of a part", by_zero_of_a_part, false },
	{ "FALLOC_FL_PUNCH_HOLE", by_punch, false },
	{ "FALLOC_FL_PUNCH_HOLE of a part", by_punch_of_a_part, false },
	{ "MADV_REMOVE", by_remove, false },
	{ "KSM_DISCARD by address", by_discard, false },
	{ "KSM_DISCARD by offset", by_discard_offset, false },
	{ "fallocate and fsync", by_nothing, true },
};

static void check_way(const struct way *way)
{
	char *want = map_anon(1), *back = map_anon(1);
	struct pair p = make_merged();
	bool shared;

	page_fill(want, SEED + WRITTEN);
	way->run(p.a, page_at(p.mem_a, WRITTEN), want);
	if (memcmp(want, page_at(p.mem_a, WRITTEN), PAGE))
		tap_fail("%s: the mapping has not what was written", way->name);
	CHECK_EQ(pread(p.a, back, PAGE, WRITTEN * PAGE), PAGE);
	if (memcmp(want, back, PAGE))
		tap_fail("%s: read() gives not what was written", way->name);
	file_check(p.b, 0, PAGES, SEED, 1);
	pages_check(p.mem_b, PAGES, SEED, 1);
	file_check(p.a, 0, WRITTEN, SEED, 1);
	pages_check(page_at(p.mem_a, WRITTEN + 1), PAGES - WRITTEN - 1,
		    SEED + WRITTEN + 1, 1);
	check_shared(&p, 0, WRITTEN);
	check_shared(&p, WRITTEN + 1, PAGES - WRITTEN - 1);
	shared = share(page_at(p.mem_a, WRITTEN), page_at(p.mem_b, WRITTEN));
	if (way->keeps != shared)
		tap_fail("%s: expected %s, got %s", way->name,
			 way->keeps ? "one frame" : "two frames",
			 shared ? "one" : "two");
}

static void test_ways(void)
{
	unsigned int i;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		pid = tap_fork();
		if (!pid) {
			check_way(&ways[i]);
			_exit(0);
		}
		tap_join(pid);
		unlink("d/c");
		MUST(unlink("d/a"));
		MUST(unlink("d/b"));
		MUST(rmdir("d"));
	}
}

static void test_truncate(void)
{
	struct pair p = make_merged();

	MUST(ftruncate(p.a, WRITTEN * PAGE + 100));
	file_check(p.b, 0, PAGES, SEED, 1);
	check_sigbus(page_at(p.mem_a, WRITTEN + 1));
	MUST(ftruncate(p.a, PAGES * PAGE));
	file_bytes(p.a, WRITTEN * PAGE + 100, (PAGES - WRITTEN) * PAGE - 100, 0);
	CHECK(!memcmp(page_at(p.mem_a, WRITTEN), page_at(p.mem_b, WRITTEN), 100));
	pages_check(p.mem_b, PAGES, SEED, 1);
	check_shared(&p, 0, WRITTEN);
	CHECK_EQ(used_pages(p.a), WRITTEN + 1);
	CHECK_EQ(used_pages(p.b), PAGES);
	/* From zeroes that are merged: those of others stay zeroes. */
	merge(p.a);
	page_fill(page_at(p.mem_a, PAGES - 1), 77);
	file_bytes(p.a, (WRITTEN + 1) * PAGE, (PAGES - WRITTEN - 2) * PAGE, 0);
}

static void test_private_mapping(void)
{
	struct pair p = make_merged();
	char *mem = map_private(p.a, PAGES);

	pages_check(mem, PAGES, SEED, 1);
	CHECK(share(mem, p.mem_b));
	page_fill(mem, 99);
	file_check(p.a, 0, PAGES, SEED, 1);
	check_shared(&p, 0, PAGES);
	page_fill(page_at(p.mem_a, 1), 98);
	pages_check(page_at(mem, 1), 1, 98, 0);
	pages_check(mem, 1, 99, 0);
	merge(p.a);
	pages_check(mem, 1, 99, 0);
	pages_check(p.mem_b, PAGES, SEED, 1);
}

/* Files go, what others share with them stays. */
static void test_unlink(void)
{
	struct pair p = make_merged();
	s64 room = free_pages();

	CHECK_EQ(ksm_domain_stats(p.a).pages_shared, PAGES);
	MUST(munmap(p.mem_a, PAGES * PAGE));
	MUST(close(p.a));
	MUST(unlink("d/a"));
	CHECK_SOON(free_pages() == room + PAGES + slot_pages(1));
	pages_check(p.mem_b, PAGES, SEED, 1);
	CHECK_EQ(ksm_stats(p.b).pages_merged, PAGES);
	CHECK_EQ(ksm_domain_stats(p.b).areas, 1);
	MUST(fs_umount(fs_folder, MNT_DETACH));
	pages_check(p.mem_b, PAGES, SEED, 1);
	pages_fill(p.mem_b, PAGES, 50, 1);
	file_check(p.b, 0, PAGES, 50, 1);
	merge(p.b);
}

/* ---- who merges with whom ---- */

/* A mapping of a new file @name with equal pages of @seed. */
static char *file_mapped(const char *name, u64 seed, int *fd)
{
	*fd = file_of(name, PAGES, seed, 0);
	return map_shared(*fd, PAGES);
}

static void test_directories(void)
{
	const char *const names[] = { "a/f", "a/d/f", "a/d/e/f" };
	char *mem[5];
	unsigned int i;
	int fd, other;

	MUST(mkdir("a", 0755));
	MUST(mkdir("b", 0755));
	MUST(mkdir("a/d", 0755));
	MUST(mkdir("a/d/e", 0755));
	for (i = 0; i < 3; i++)
		mem[i] = file_mapped(names[i], 7, &fd);
	fd = MUST(open("a/d", O_RDWR | O_TMPFILE, 0600));
	file_put(fd, 0, PAGES, 7, 0);
	mem[3] = map_shared(fd, PAGES);
	mem[4] = file_mapped("b/f", 7, &other);
	merge(fd);
	merge(other);
	for (i = 1; i < 4; i++)
		CHECK(share(mem[0], page_at(mem[i], 5)));
	CHECK(share(mem[4], page_at(mem[4], 5)));
	CHECK(!share(mem[0], mem[4]));
	CHECK(ksm_stats(fd).domain != ksm_stats(other).domain);
	CHECK_EQ(ksm_domain_stats(fd).areas, 4);
	CHECK_EQ(ksm_domain_stats(other).areas, 1);
	/* Not even a frame of zeroes, of which a domain has several. */
	file_put(fd, 0, PAGES, 0, 0);
	file_put(other, 0, PAGES, 0, 0);
	merge(fd);
	merge(other);
	CHECK_EQ(ksm_stats(fd).ksm_zero_pages, PAGES);
	CHECK_EQ(ksm_stats(other).ksm_zero_pages, PAGES);
	for (i = 0; i < PAGES; i++)
		CHECK(!share(mem[3], page_at(mem[4], i)));
	/* Moved within the domain, it stays in it. */
	MUST(rename("a/d/e/f", "a/g"));
	MUST(rename("a", "c"));
	CHECK_EQ(ksm_stats(MUST(open("c/g", O_RDWR))).domain,
		 ksm_stats(MUST(open("c/f", O_RDWR))).domain);
	CHECK(share(mem[0], mem[2]));
}

static void test_two_mounts(void)
{
	char *mem[2], *root[2];
	int fd[2], root_fd[2];

	MUST(mkdir("d", 0755));
	MUST(mkdir("other", 0755));
	MUST(fs_try_mount("other", 0, ""));
	MUST(mkdir("other/d", 0755));
	mem[0] = file_mapped("d/f", 7, &fd[0]);
	mem[1] = file_mapped("other/d/f", 7, &fd[1]);
	root[0] = file_mapped("f", 7, &root_fd[0]);
	root[1] = file_mapped("other/f", 7, &root_fd[1]);
	merge(fd[0]);
	merge(fd[1]);
	merge(root_fd[0]);
	CHECK(!share(mem[0], mem[1]));
	CHECK(!share(mem[0], root[0]));
	/* Files in the roots are in the domain of their user. */
	CHECK(share(root[0], root[1]));
	CHECK_EQ(ksm_stats(root_fd[0]).domain, ksm_stats(root_fd[1]).domain);
	CHECK_EQ(ksm_stats(root_fd[0]).domain, ksm_stats(ksm_open()).domain);
}

static void test_users(void)
{
	int mine, theirs, again;
	char *mem[3];

	mem[0] = file_mapped("mine", 7, &mine);
	MUST(seteuid(1000));
	mem[1] = file_mapped("theirs", 7, &theirs);
	mem[2] = file_mapped("again", 7, &again);
	MUST(seteuid(0));
	merge(mine);
	merge(theirs);
	CHECK(!share(mem[0], mem[1]));
	CHECK(share(mem[1], mem[2]));
	/* For all its life. */
	MUST(fchown(theirs, 0, 0));
	CHECK_EQ(ksm_stats(theirs).domain, ksm_stats(again).domain);
	/* In a directory it does not matter who it was. */
	MUST(mkdir("d", 0777));
	MUST(chmod("d", 0777));
	mem[0] = file_mapped("d/mine", 7, &mine);
	MUST(seteuid(1000));
	mem[1] = file_mapped("d/theirs", 7, &theirs);
	MUST(seteuid(0));
	merge(mine);
	CHECK(share(mem[0], mem[1]));
}

/* /dev/ksm in the domain of a directory. */
static void test_join(void)
{
	int fd, dir, dev;
	char *mem, *dev_mem;

	MUST(mkdir("d", 0755));
	mem = file_mapped("d/f", 7, &fd);
	dir = MUST(open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	dev = ksm_open_joined(dir);
	dev_mem = map_area(dev, PAGES);
	pages_fill(dev_mem, PAGES, 7, 0);
	CHECK_EQ(ksm_stats(dev).domain, ksm_stats(fd).domain);
	merge(fd);
	CHECK(share(mem, dev_mem));
	page_fill(dev_mem, 8);
	file_check(fd, 0, PAGES, 7, 0);
}

static void join_as_stranger(void)
{
	struct ksm_set_domain domain = { .flags = KSM_DOMAIN_JOIN };
	int dev = ksm_open();

	domain.fd = MUST(open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	CHECK_ERRNO(ioctl(dev, KSM_SET_DOMAIN, &domain), EACCES);
	domain.fd = MUST(open("open", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	MUST(ioctl(dev, KSM_SET_DOMAIN, &domain));
}

static void become_and_join(void)
{
	become(1000);
	join_as_stranger();
}

static void test_join_errors(void)
{
	struct ksm_set_domain domain = { .flags = KSM_DOMAIN_JOIN };
	int dev = ksm_open();

	MUST(mkdir("d", 0755));
	MUST(mkdir("open", 0777));
	MUST(chmod("open", 0777));
	tap_as_user(become_and_join);
	domain.fd = file_new("d/f");
	CHECK_ERRNO(ioctl(dev, KSM_SET_DOMAIN, &domain), EINVAL);
	domain.fd = MUST(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	CHECK_ERRNO(ioctl(dev, KSM_SET_DOMAIN, &domain), EINVAL);
	domain.fd = dev;
	CHECK_ERRNO(ioctl(dev, KSM_SET_DOMAIN, &domain), EINVAL);
	domain.fd = 999;
	CHECK_ERRNO(ioctl(dev, KSM_SET_DOMAIN, &domain), EBADF);
}

/* ---- calls on files ---- */

static void test_unmerge(void)
{
	struct pair p = make_merged();

	ksm_range_do(p.a, KSM_UNMERGE, p.mem_a, PAGES / 2);
	CHECK(!share(p.mem_a, p.mem_b));
	check_shared(&p, PAGES / 2, PAGES / 2);
	merge(p.a);
	CHECK(!share(p.mem_a, p.mem_b));
	CHECK_EQ(ksm_stats(p.a).pages_private, PAGES / 2);
	ksm_range_do(p.a, KSM_MERGE, p.mem_a, PAGES / 2);
	merge(p.a);
	check_shared(&p, 0, PAGES);
	MUST(ksm_range_call(p.b, KSM_UNMERGE, (void *)PAGE, PAGE, KSM_RANGE_OFFSET));
	CHECK(share(p.mem_a, p.mem_b));
	CHECK(!share(page_at(p.mem_a, 1), page_at(p.mem_b, 1)));
	MUST(ksm_range_call(p.b, KSM_MERGE, NULL, PAGES * PAGE, KSM_RANGE_OFFSET));
	merge(p.a);
	check_shared(&p, 0, PAGES);
	CHECK_EQ(used_pages(p.a), PAGES);
	ksm_range_do(p.a, KSM_DISCARD, p.mem_a, 2);
	CHECK_EQ(used_pages(p.a), PAGES - 2);
	CHECK_EQ(lseek(p.a, 0, SEEK_DATA), 2 * PAGE);
	pages_check(p.mem_a, 2, 0, 0);
	file_check(p.b, 0, PAGES, SEED, 1);
}

/* As a hole that is punched: new times, and no set-user-id bit. */
static void discard_as_user(void)
{
	static const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	int fd = file_of("f", PAGES, SEED, 1), i;
	char *mem = map_shared(fd, PAGES);

	for (i = 0; i < 2; i++) {
		MUST(fchmod(fd, 04755));
		MUST(futimens(fd, old));
		MUST(ksm_range_call(fd, KSM_DISCARD, i ? mem : NULL, PAGE,
				    i ? 0 : KSM_RANGE_OFFSET));
		CHECK_EQ(stat_fd(fd).st_mode, S_IFREG | 0755);
		CHECK(stat_fd(fd).st_mtime > 1000);
	}
	/* What does not change the contents changes no times. */
	MUST(futimens(fd, old));
	ksm_range_do(fd, KSM_UNMERGE, mem, PAGES);
	ksm_range_do(fd, KSM_MERGE, mem, PAGES);
	CHECK_EQ(stat_fd(fd).st_mtime, 1000);
	CHECK_ERRNO(ksm_range_call(fd, KSM_DISCARD, mem, (PAGES + 1) * PAGE, 0), ENOMEM);
	CHECK_EQ(stat_fd(fd).st_mtime, 1000);
}

static void test_discard_times(void)
{
	as_uid(1000, discard_as_user);
}

/* The page of the file is meant, not the copy of it that the mapping has. */
static void test_range_private(void)
{
	struct pair p = make_merged();
	char *private = map_private(p.a, PAGES);

	page_fill(private, SEED + 100);
	CHECK(share(p.mem_a, p.mem_b));
	ksm_range_do(p.a, KSM_UNMERGE, private, 1);
	CHECK(!share(p.mem_a, p.mem_b));
	check_shared(&p, 1, PAGES - 1);
	merge(p.a);
	CHECK(!share(p.mem_a, p.mem_b));
	ksm_range_do(p.a, KSM_MERGE, private, 1);
	merge(p.a);
	check_shared(&p, 0, PAGES);
	/* The copy would stay: as madvise() with MADV_REMOVE. */
	CHECK_ERRNO(madvise(private, PAGE, MADV_REMOVE), EACCES);
	CHECK_ERRNO(ksm_range_call(p.a, KSM_DISCARD, private, PAGE, 0), EACCES);
	pages_check(private, 1, SEED + 100, 0);
	pages_check(p.mem_a, PAGES, SEED, 1);
	pages_check(p.mem_b, PAGES, SEED, 1);
}

static void test_range_errors(void)
{
	static const unsigned long requests[] = { KSM_UNMERGE, KSM_MERGE, KSM_DISCARD };
	struct pair p = make_pair();
	int ro = MUST(open("d/a", O_RDONLY | O_CLOEXEC));
	char *anon = map_anon(1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		unsigned long request = requests[i];

		CHECK_ERRNO(ksm_range_call(ro, request, p.mem_a, PAGE, 0), EACCES);
		CHECK_ERRNO(ksm_range_call(p.a, request, p.mem_a + 1, PAGE, 0), EINVAL);
		CHECK_ERRNO(ksm_range_call(p.a, request, p.mem_a, 0, 0), EINVAL);
		CHECK_ERRNO(ksm_range_call(p.a, request, p.mem_a, 100, 0), EINVAL);
		CHECK_ERRNO(ksm_range_call(p.a, request, p.mem_a, PAGE, 2), EINVAL);
		CHECK_ERRNO(ksm_range_call(p.a, request, p.mem_a, -PAGE, 0), EINVAL);
		CHECK_ERRNO(ksm_range_call(p.a, request, NULL, (PAGES + 1) * PAGE,
					   KSM_RANGE_OFFSET), EINVAL);
		CHECK_ERRNO(ksm_range_call(p.a, request, (void *)(PAGES * PAGE), PAGE,
					   KSM_RANGE_OFFSET), EINVAL);
		CHECK_ERRNO(ksm_range_call(p.a, request, anon, PAGE, 0), ENOMEM);
		/* Of that file, not of another. */
		CHECK_ERRNO(ksm_range_call(p.a, request, p.mem_b, PAGE, 0), ENOMEM);
	}
	pages_check(p.mem_a, PAGES, SEED, 1);
	pages_check(p.mem_b, PAGES, SEED, 1);
}

static void test_requests(void)
{
	struct ksm_set_domain domain = { .flags = KSM_DOMAIN_PRIVATE, .fd = -1 };
	struct ksm_range range = { .addr = (unsigned long)map_anon(1), .len = PAGE };
	struct ksm_info info = { 0 };
	struct ksm_scan scan = { 0 };
	int fd, ro;

	MUST(mkdir("d", 0755));
	fd = file_of("d/f", 1, 1, 1);
	ro = MUST(open("d/f", O_RDONLY | O_CLOEXEC));
	CHECK_EQ(ioctl(fd, KSM_GET_API_VERSION, 0), KSM_API_VERSION);
	CHECK_EQ(ioctl(ro, KSM_GET_API_VERSION, 0), KSM_API_VERSION);
	CHECK_ERRNO(ioctl(fd, KSM_GET_API_VERSION, 1), EINVAL);
	MUST(ioctl(ro, KSM_GET_INFO, &info));
	CHECK_EQ(info.api_version, KSM_API_VERSION);
	CHECK_EQ(info.page_size, PAGE);
	CHECK(info.features & KSM_FEATURE_FILES);
	CHECK_ERRNO(ioctl(fd, KSM_REGISTER, &range), ENOTTY);
	CHECK_ERRNO(ioctl(fd, KSM_SET_DOMAIN, &domain), ENOTTY);
	CHECK_ERRNO(ioctl(fd, KSM_GET_FILE, 0), ENOTTY);
	CHECK_ERRNO(ioctl(fd, KSM_CREATE_DOMAIN, 0), ENOTTY);
	CHECK_ERRNO(ioctl(fd, _IO(KSMIO, 0x7f), 0), ENOTTY);
	CHECK_ERRNO(ioctl(ro, KSM_SCAN, &scan), EACCES);
	CHECK_ERRNO(ioctl(fd, KSM_SCAN, NULL), EFAULT);
	scan.flags = 2;
	CHECK_ERRNO(ioctl(fd, KSM_SCAN, &scan), EINVAL);
	CHECK_EQ(ksm_stats(ro).size, 1);
}

static void check_no_owner(const char *name)
{
	struct ksm_stats stats = { 0 };
	struct ksm_scan scan = { 0 };
	int fd = MUST(open(name, O_RDWR | O_CLOEXEC));

	CHECK_ERRNO(ioctl(fd, KSM_GET_STATS, &stats), EPERM);
	stats.flags = KSM_STATS_DOMAIN;
	CHECK_ERRNO(ioctl(fd, KSM_GET_STATS, &stats), EPERM);
	CHECK_EQ(stats.domain, 0);
	MUST(ioctl(fd, KSM_SCAN, &scan));
	CHECK_EQ(scan.pages_scanned, 0);
	CHECK_EQ(scan.pages_hashed, 0);
	CHECK_EQ(scan.pages_merged, 0);
	CHECK_EQ(scan.passes, 0);
	scan = (struct ksm_scan){ .flags = KSM_SCAN_FORCE };
	CHECK_ERRNO(ioctl(fd, KSM_SCAN, &scan), EPERM);
}

static void look_as_user(void)
{
	int fd;

	/* Of what root made, even where it may write; also of its own file there. */
	check_no_owner("d/f");
	check_no_owner("f");
	MUST(close(file_of("d/own", PAGES, 7, 0)));
	check_no_owner("d/own");
	/* Of its own directory and of its own files in the root. */
	fd = MUST(open("theirs/f", O_RDWR | O_CLOEXEC));
	CHECK_EQ(ksm_stats(fd).size, PAGES);
	CHECK_EQ(ksm_domain_stats(fd).areas, 1);
	ksm_scan_force(fd);
	fd = file_of("own", PAGES, 7, 0);
	CHECK_EQ(ksm_stats(fd).size, PAGES);
	CHECK(ksm_scan_force(fd).pages_scanned >= PAGES);
}

static void look_as_owner(void)
{
	CHECK_EQ(ksm_domain_stats(MUST(open("d/f", O_RDWR | O_CLOEXEC))).areas, 1);
}

/* The owner of the domain is that of the directory, also where that is not who runs. */
static void test_owner_by_fsuid(void)
{
	setfsuid(1000);
	MUST(mkdir("d", 0755));
	MUST(close(file_of("d/f", PAGES, 7, 0)));
	setfsuid(0);
	CHECK_EQ(stat_of("d").st_uid, 1000);
	as_uid(1000, look_as_owner);
}

static void test_owner(void)
{
	static const char *const names[] = { "d/f", "theirs/f", "f" };
	unsigned int i;

	MUST(mkdir("d", 0755));
	MUST(chmod("d", 0777));
	MUST(mkdir("theirs", 0755));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		MUST(close(file_of(names[i], PAGES, 7, 0)));
		MUST(chmod(names[i], 0666));
	}
	MUST(chown("theirs", 1000, 1000));
	as_uid(1000, look_as_user);
	CHECK_EQ(ksm_stats(MUST(open("theirs/f", O_RDWR))).size, PAGES);
}

/* ---- chattr +C ---- */

static int flags_of(int fd)
{
	int flags = 0;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	return flags;
}

static long set_flags(int fd, int flags)
{
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int open_dir(const char *name)
{
	return MUST(open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void test_nocow(void)
{
	char *mem[3];
	int fd, other, tmp;

	MUST(mkdir("d", 0755));
	MUST(mkdir("d/plain", 0755));
	MUST(mkdir("d/nocow", 0755));
	CHECK_EQ(flags_of(open_dir("d/nocow")), 0);
	MUST(set_flags(open_dir("d/nocow"), FS_NOCOW_FL));
	CHECK_EQ(flags_of(open_dir("d/nocow")), FS_NOCOW_FL);
	MUST(mkdir("d/nocow/e", 0755));
	CHECK_EQ(flags_of(open_dir("d/nocow/e")), FS_NOCOW_FL);
	mem[0] = file_mapped("d/nocow/e/f", 7, &fd);
	CHECK_EQ(flags_of(fd), FS_NOCOW_FL);
	mem[1] = file_mapped("d/plain/f", 7, &other);
	CHECK_EQ(flags_of(other), 0);
	tmp = MUST(open("d/nocow", O_RDWR | O_TMPFILE, 0600));
	CHECK_EQ(flags_of(tmp), FS_NOCOW_FL);
	file_put(tmp, 0, PAGES, 7, 0);
	mem[2] = map_shared(tmp, PAGES);
	merge(fd);
	merge(other);
	CHECK_EQ(count_frames(mem[0], PAGES), PAGES);
	CHECK_EQ(count_frames(mem[1], PAGES), 1);
	CHECK_EQ(count_frames(mem[2], PAGES), PAGES);
	CHECK_EQ(ksm_stats(fd).pages_private, PAGES);
	CHECK_EQ(ksm_stats(fd).pages_merged, 0);
	/* It goes with the file. */
	MUST(rename("d/nocow/e/f", "d/plain/g"));
	CHECK_EQ(flags_of(fd), FS_NOCOW_FL);
	file_put(fd, 0, PAGES, 0, 0);
	merge(fd);
	CHECK_EQ(ksm_stats(fd).ksm_zero_pages, 0);
	/* It cannot be asked for otherwise. */
	MUST(ksm_range_call(fd, KSM_MERGE, NULL, PAGES * PAGE, KSM_RANGE_OFFSET));
	merge(fd);
	CHECK_EQ(count_frames(mem[0], PAGES), PAGES);
}

static void flags_as_stranger(void)
{
	int fd = MUST(open("d/shared", O_RDWR | O_CLOEXEC));

	CHECK_EQ(flags_of(fd), 0);
	CHECK_ERRNO(set_flags(fd, FS_NOCOW_FL), EPERM);
}

static void test_flags(void)
{
	struct timespec old, new;
	int fd;

	MUST(mkdir("d", 0755));
	fd = file_new("d/f");
	old = stat_fd(fd).st_ctim;
	sleep_ms(20);
	MUST(set_flags(fd, FS_NOCOW_FL));
	CHECK_EQ(flags_of(fd), FS_NOCOW_FL);
	new = stat_fd(fd).st_ctim;
	CHECK(new.tv_sec != old.tv_sec || new.tv_nsec != old.tv_nsec);
	/* A mapping may rely on it already. */
	CHECK_ERRNO(set_flags(fd, 0), EINVAL);
	MUST(set_flags(fd, FS_NOCOW_FL));
	MUST(unlink("d/f"));
	fd = file_new("d/f");
	CHECK_ERRNO(set_flags(fd, FS_IMMUTABLE_FL), EOPNOTSUPP);
	CHECK_ERRNO(set_flags(fd, FS_APPEND_FL), EOPNOTSUPP);
	CHECK_ERRNO(set_flags(fd, FS_NODUMP_FL | FS_NOCOW_FL), EOPNOTSUPP);
	CHECK_EQ(flags_of(fd), 0);
	file_put(fd, 0, 1, 1, 0);
	/* Not any more. */
	CHECK_ERRNO(set_flags(fd, FS_NOCOW_FL), EINVAL);
	CHECK_EQ(flags_of(fd), 0);
	MUST(set_flags(fd, 0));
	MUST(close(file_new("d/shared")));
	MUST(chmod("d/shared", 0666));
	as_uid(1000, flags_as_stranger);
}

/* The domain itself, its root too. */
static void test_nocow_domain(void)
{
	char *mem;
	int fd;

	MUST(mkdir("d", 0755));
	MUST(set_flags(open_dir("d"), FS_NOCOW_FL));
	mem = file_mapped("d/f", 7, &fd);
	merge(fd);
	CHECK_EQ(count_frames(mem, PAGES), PAGES);
	MUST(set_flags(open_dir("d"), 0));
	mem = file_mapped("d/g", 7, &fd);
	merge(fd);
	CHECK_EQ(count_frames(mem, PAGES), 1);
	MUST(set_flags(open_dir("."), FS_NOCOW_FL));
	MUST(mkdir("e", 0755));
	mem = file_mapped("e/f", 7, &fd);
	CHECK_EQ(flags_of(fd), FS_NOCOW_FL);
	merge(fd);
	CHECK_EQ(count_frames(mem, PAGES), PAGES);
}

static void test_nothing_left(void)
{
	ksm_check_nothing_left();
}

static const struct tap_test tests[] = {
	{ "what stat and lseek say does not change by merging", test_unseen },
	{ "holes stay holes, and are not merged", test_holes_stay },
	{ "merged pages of a full mount can be written", test_full },
	{ "a write in any way changes one file", test_ways },
	{ "truncate changes one file", test_truncate },
	{ "a private mapping of merged pages", test_private_mapping },
	{ "unlink and a lazy umount leave others' pages", test_unlink },
	{ "a directory in the root is a domain", test_directories },
	{ "two mounts have two domains, but for files in the root", test_two_mounts },
	{ "files in the root are in their user's domain", test_users },
	{ "/dev/ksm joins a directory", test_join },
	{ "what cannot be joined", test_join_errors },
	{ "KSM_UNMERGE, KSM_MERGE and KSM_DISCARD", test_unmerge },
	{ "KSM_DISCARD changes times and mode as a punched hole", test_discard_times },
	{ "ranges of a private mapping", test_range_private },
	{ "wrong ranges", test_range_errors },
	{ "which requests a file knows", test_requests },
	{ "who owns a domain", test_owner },
	{ "who owns a domain that was made by setfsuid", test_owner_by_fsuid },
	{ "chattr +C is inherited, and such files do not merge", test_nocow },
	{ "which attributes there are", test_flags },
	{ "chattr +C on a domain and on the root", test_nocow_domain },
	{ "nothing is left", test_nothing_left },
};

int main(int argc, char **argv)
{
	return fs_main(argc, argv, tests, ARRAY_SIZE(tests));
}
