// SPDX-License-Identifier: GPL-2.0
/*
 * What an ordinary user may try with /dev/ksm and ksmfs: domains that are not his,
 * limits that do not hold.
 */
#define _GNU_SOURCE
#include <sys/socket.h>

#include "ksm_attack.h"

/* ---- domains ---- */

static void attack_domain(void)
{
	int fd, file;
	char *mem;

	be_user(2048);
	/* A range of nothing makes nothing. */
	fd = ksm_open();
	CHECK_EQ(range_try(fd, KSM_UNMERGE, NULL, CHUNK_PAGES, NULL), -ENOMEM);
	MUST(domain_try(fd, KSM_DOMAIN_PRIVATE, -1));
	MUST(domain_try(fd, KSM_DOMAIN_PRIVATE, -1));
	/* Was mapped. */
	MUST(munmap(map_area(fd, 1), PAGE));
	CHECK_ERRNO(domain_try(fd, KSM_DOMAIN_PRIVATE, -1), EBUSY);
	close(fd);
	/* Has registered some. */
	fd = ksm_open();
	mem = map_anon(1);
	page_fill(mem, 1);
	ksm_range_do(fd, KSM_REGISTER, mem, 1);
	CHECK_ERRNO(domain_try(fd, KSM_DOMAIN_PRIVATE, -1), EBUSY);
	MUST(munmap(mem, PAGE));
	close(fd);
	/* Has a file that is not empty. */
	fd = ksm_open();
	file = ksm_get_file(fd);
	MUST(ftruncate(file, PAGE));
	CHECK_ERRNO(domain_try(fd, KSM_DOMAIN_PRIVATE, -1), EBUSY);
	CHECK_ERRNO(ioctl(file, KSM_SET_DOMAIN,
			  &(struct ksm_set_domain){ KSM_DOMAIN_PRIVATE, -1, 0 }), ENOTTY);
}

static void attack_join(void)
{
	int root = ksmfs_mount("size=16m,mode=0755"), readable, hidden, open_dir, file;
	int fd, other;

	MUST(mkdirat(root, "readable", 0755));
	MUST(mkdirat(root, "hidden", 0700));
	MUST(mkdirat(root, "unsearched", 0));
	MUST(fchmodat(root, "unsearched", 0666, 0));
	MUST(mkdirat(root, "open", 0));
	MUST(fchmodat(root, "open", 0777, 0));
	readable = MUST(openat(root, "readable", O_RDONLY | O_DIRECTORY));
	hidden = MUST(openat(root, "hidden", O_RDONLY | O_DIRECTORY));
	open_dir = MUST(openat(root, "open", O_RDONLY | O_DIRECTORY));
	file = MUST(openat(root, "open/file", O_RDWR | O_CREAT, 0666));
	fd = MUST(openat(root, "unsearched", O_RDONLY | O_DIRECTORY));
	be_user(2048);
	other = ksm_open();
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, fd), EACCES);
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, readable), EACCES);
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, hidden), EACCES);
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, file), EINVAL);
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, ksm_open()), EINVAL);
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, other), EINVAL);
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, ksm_get_file(ksm_open())), EINVAL);
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, open("/tmp", O_RDONLY)), EINVAL);
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, open("/dev/null", O_RDWR)), EINVAL);
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, 1000), EBADF);
	CHECK_ERRNO(domain_try(other, KSM_DOMAIN_JOIN, -1), EBADF);
	MUST(domain_try(other, KSM_DOMAIN_JOIN, open_dir));
}

static struct {
	int fd;
	bool mapped;
} domain_race;

static void *domain_race_set(void *arg)
{
	bool mapped;

	do {
		mapped = __atomic_load_n(&domain_race.mapped, __ATOMIC_SEQ_CST);
		if (!domain_try(domain_race.fd, KSM_DOMAIN_PRIVATE, -1)) {
			CHECK(!mapped);
			__atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
		} else {
			CHECK_EQ(errno, EBUSY);
		}
	} while (!mapped);
	return NULL;
}

/* The domain is chosen before the memory comes or not at all. */
static void attack_domain_race(void)
{
	unsigned int rounds;
	pthread_t thread;
	int set = 0;
	char *mem;
	u64 id;

	be_user(2048);
	attack_begin();
	for (rounds = 0; attack_lasts(); rounds++) {
		domain_race.fd = ksm_open();
		domain_race.mapped = false;
		thread = thread_start(domain_race_set, &set);
		usleep(rounds % 7 * 30);
		mem = map_area(domain_race.fd, 8);
		id = ksm_stats(domain_race.fd).domain;
		__atomic_store_n(&domain_race.mapped, true, __ATOMIC_SEQ_CST);
		pages_fill(mem, 8, 5, 0);
		ksm_scan_force(domain_race.fd);
		thread_end(thread);
		CHECK_EQ(ksm_stats(domain_race.fd).domain, id);
		pages_check(mem, 8, 5, 0);
		MUST(munmap(mem, 8 * PAGE));
		close(domain_race.fd);
	}
	CHECK(set > 0);
}

/* A descriptor that gives a domain gives no memory under another's limit. */
static void attack_token(void)
{
	int dir = ksm_create_domain(), area = ksm_open(), fd;

	MUST(fchmod(dir, 0777));
	be_user(0);
	fd = ksm_open();
	CHECK_ERRNO(domain_try(fd, KSM_DOMAIN_JOIN, area), EINVAL);
	MUST(domain_try(fd, KSM_DOMAIN_JOIN, dir));
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), EAGAIN);
	CHECK_EQ(range_try(fd, KSM_REGISTER, map_anon(1), 1, NULL), -EAGAIN);
	CHECK_ERRNO(ftruncate(ksm_get_file(fd), PAGE), ENOSPC);
	CHECK((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0) == -1);
}

static void attack_unnamed_domain(void)
{
	int dir = ksm_create_domain(), fd;
	struct stat st;

	MUST(fstat(dir, &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_EQ(st.st_mode & 07777, 0700);
	CHECK_EQ(st.st_uid, 0);
	MUST(fchmod(dir, 0777));
	CHECK(openat(dir, "file", O_RDWR | O_CREAT, 0600) == -1);
	CHECK(openat(dir, ".", O_RDWR | O_TMPFILE, 0600) == -1);
	CHECK(mkdirat(dir, "dir", 0700) == -1);
	CHECK(mknodat(dir, "fifo", S_IFIFO | 0600, 0) == -1);
	CHECK(symlinkat("a", dir, "link") == -1);
	CHECK(openat(dir, "file", O_RDONLY) == -1);
	MUST(fchmod(dir, 0700));
	be_user(2048);
	fd = ksm_open();
	CHECK_ERRNO(domain_try(fd, KSM_DOMAIN_JOIN, dir), EACCES);
	CHECK_ERRNO(fchmod(dir, 0777), EPERM);
}

static void send_fd(int to, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec vec = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &vec, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	CHECK_EQ(sendmsg(to, &msg, 0), 1);
}

static int receive_fd(int from)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec vec = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &vec, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	CHECK_EQ(recvmsg(from, &msg, 0), 1);
	CHECK(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* The directory keeps the domain when who made it is gone. */
static void attack_domain_outlives(void)
{
	int pair[2], dir, a, b;
	char *mem_a, *mem_b;
	pid_t pid;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = tap_fork();
	if (!pid) {
		become(STRANGER);
		dir = ksm_create_domain();
		MUST(fchmod(dir, 0777));
		send_fd(pair[1], dir);
		_exit(0);
	}
	close(pair[1]);
	dir = receive_fd(pair[0]);
	tap_join(pid);
	a = ksm_open_joined(dir);
	mem_a = map_area(a, 8);
	pages_fill(mem_a, 8, 5, 0);
	CHECK_EQ(ksm_scan(a).pages_merged, 7);
	b = ksm_open_joined(dir);
	CHECK_EQ(ksm_stats(a).domain, ksm_stats(b).domain);
	close(dir);
	mem_b = map_area(b, 8);
	pages_fill(mem_b, 8, 5, 0);
	CHECK_EQ(ksm_scan(b).pages_merged, 8);
	CHECK_EQ(pfn_of(mem_a), pfn_of(mem_b));
	page_fill(mem_b, 6);
	pages_check(mem_a, 8, 5, 0);
	pages_check(page_at(mem_b, 1), 7, 5, 0);
	pages_check(mem_b, 1, 6, 0);
}

/* The numbers of a domain are its owner's business. */
static void attack_stats(void)
{
	struct ksm_scan force = { .flags = KSM_SCAN_FORCE }, scan = { .flags = 0 };
	int root = ksmfs_mount("size=16m,mode=0755"), dir = ksm_create_domain();
	int fd, file, own;
	char *mem;

	MUST(fchmod(dir, 0777));
	MUST(mkdirat(root, "domain", 0));
	MUST(fchmodat(root, "domain", 0777, 0));
	file = MUST(openat(root, "domain/file", O_RDWR | O_CREAT, 0666));
	fd = ksm_open_private();
	mem = map_area(fd, 8);
	pages_fill(mem, 8, 5, 0);
	be_user(2048);
	CHECK_ERRNO(stats_try(fd, 0), EPERM);
	CHECK_ERRNO(stats_try(fd, KSM_STATS_DOMAIN), EPERM);
	CHECK_ERRNO(stats_try(file, 0), EPERM);
	CHECK_ERRNO(ioctl(fd, KSM_SCAN, &force), EPERM);
	CHECK_ERRNO(ioctl(file, KSM_SCAN, &force), EPERM);
	MUST(ioctl(fd, KSM_SCAN, &scan));
	CHECK_EQ(scan.pages_scanned + scan.pages_hashed + scan.pages_merged +
		 scan.pages_zero + scan.pages_skipped + scan.pages_volatile + scan.passes, 0);
	/* Who joined is no owner. */
	own = ksm_open_joined(dir);
	CHECK_ERRNO(stats_try(own, 0), EPERM);
	own = ksm_open();
	MUST(stats_try(own, 0));
	MUST(stats_try(own, KSM_STATS_DOMAIN));
	own = ksm_open_private();
	MUST(stats_try(own, KSM_STATS_DOMAIN));
	MUST(ioctl(own, KSM_SCAN, &force));
}

/* ---- limits ---- */

/* Ranges of nothing take no memory, whoever has no limit left. */
static void attack_unmerge(void)
{
	struct ksm_range range = { .len = 100ULL << 30, .flags = KSM_RANGE_OFFSET };
	s64 before;
	int fd;

	be_user(0);
	fd = ksm_open();
	before = file_value("/proc/meminfo", "MemFree");
	CHECK_ERRNO(ioctl(fd, KSM_UNMERGE, &range), EINVAL);
	CHECK_EQ(range.done, 0);
	CHECK_ERRNO(ioctl(fd, KSM_MERGE, &range), EINVAL);
	CHECK_ERRNO(ioctl(fd, KSM_DISCARD, &range), EINVAL);
	CHECK(before - file_value("/proc/meminfo", "MemFree") < SLACK_KIB);
	CHECK_EQ(ksm_stats(fd).size, 0);
	CHECK(ksm_stats(fd).metadata_bytes < 65536);
}

/* Nor do they in a file with a name, of whatever length: the mount's size bounds it. */
static void attack_unmerge_file(void)
{
	int root = ksmfs_mount("size=16m,mode=1777"), fd, ret;
	struct ksm_range range = { .len = 100ULL << 30, .flags = KSM_RANGE_OFFSET };
	s64 before, slab;

	be_user(0);
	fd = MUST(openat(root, "file", O_RDWR | O_CREAT, 0600));
	MUST(ftruncate(fd, range.len));
	before = file_value("/proc/meminfo", "MemFree");
	slab = file_value("/proc/meminfo", "Slab");
	ret = ioctl(fd, KSM_UNMERGE, &range) ? errno : 0;
	CHECK(ret == 0 || ret == ENOSPC);
	CHECK(before - file_value("/proc/meminfo", "MemFree") < 16384 + SLACK_KIB);
	CHECK(file_value("/proc/meminfo", "Slab") - slab < SLACK_KIB);
	MUST(ftruncate(fd, 0));
}

static void attack_file_limit(void)
{
	char page[PAGE] = "x";
	int fd, file;
	char *mem;

	be_user(64);
	fd = ksm_open_private();
	file = ksm_get_file(fd);
	MUST(ftruncate(file, 64 * PAGE));
	CHECK_ERRNO(ftruncate(file, 64 * PAGE + 1), ENOSPC);
	CHECK_ERRNO(ftruncate(file, 1ULL << 40), ENOSPC);
	CHECK_ERRNO(fallocate(file, 0, 0, 65 * PAGE), ENOSPC);
	CHECK_ERRNO(pwrite(file, page, 1, 64 * PAGE), ENOSPC);
	CHECK_ERRNO(pwrite(file, page, 1, 1ULL << 40), ENOSPC);
	/* The rest of a write that fits in part. */
	CHECK_EQ(pwrite(file, page, PAGE, 64 * PAGE - 100), 100);
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 64 * PAGE), EAGAIN);
	CHECK_EQ(range_try(fd, KSM_REGISTER, map_anon(1), 1, NULL), -EAGAIN);
	CHECK_EQ(range_try(ksm_open(), KSM_REGISTER, map_anon(1), 1, NULL), -EAGAIN);
	MUST(ftruncate(file, 63 * PAGE));
	mem = map_anon(1);
	CHECK_EQ(range_try(fd, KSM_REGISTER, mem, 1, NULL), 0);
	CHECK_ERRNO(ftruncate(file, 64 * PAGE), ENOSPC);
	MUST(munmap(mem, PAGE));
	CHECK_SOON(ftruncate(file, 64 * PAGE) == 0);
	/* A private mapping makes the file as long. */
	CHECK_ERRNO((long)mmap(NULL, 65 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0),
		    EAGAIN);
	close(file);
	close(fd);
	/* The files of all descriptors are gone. */
	CHECK_SOON((fd = ksm_open()) >= 0 &&
		   mmap(NULL, 64 * PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
}

/* A mapping that fails takes nothing of the limit. */
static void attack_failed_map(void)
{
	char *mem, *busy = map_anon(1);
	unsigned int i;
	int fd;

	be_user(64);
	fd = ksm_open_private();
	for (i = 0; i < 100; i++) {
		CHECK_ERRNO((long)mmap(busy, 64 * PAGE, PROT_READ,
				       MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0), EEXIST);
		CHECK_ERRNO((long)mmap(NULL, 65 * PAGE, PROT_READ, MAP_SHARED, fd, 0), EAGAIN);
		CHECK((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, KSM_AREA_SIZE) == -1);
	}
	CHECK_EQ(ksm_stats(fd).size, 0);
	mem = map_area(fd, 64);
	pages_fill(mem, 64, 1, 1);
	pages_check(mem, 64, 1, 1);
}

/* ---- another process's memory, by /proc/PID/map_files ---- */

enum { VICTIM_PAGES = 64 };

/* Not at a multiple of 2 MiB: the memory begins within its file. */
#define VICTIM_AT	((char *)0x1800000d9000UL)

/* In the file nothing is, and nothing can be, before the registered memory. */
static void map_files_before(int fd, unsigned long first)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};
	char byte, *map = map_at(fd, (first - 1) * PAGE, 2);
	unsigned int i;

	CHECK_EQ(pread(fd, &byte, 1, first * PAGE - 1), 0);
	CHECK_ERRNO(pwrite(fd, "x", 1, first * PAGE - 1), EPERM);
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		CHECK_ERRNO(fallocate(fd, modes[i], (first - 1) * PAGE, 3 * PAGE), ENXIO);
	bus_catch();
	CHECK_EQ(peek(map), -BUS_ADRERR);
	CHECK_EQ(poke(map, 1), -BUS_ADRERR);
	pages_check(page_at(map, 1), 1, 5, 0);
	MUST(munmap(map, 2 * PAGE));
}

/*
 * Root opens the file of registered memory.  Its length is what was registered, whoever
 * asks; its contents are as those of any file.
 */
static void map_files_use(pid_t pid, char *mem, struct turn *used, struct turn *seen)
{
	unsigned long first;
	char path[128], *map;
	off_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", pid, (unsigned long)mem,
		 (unsigned long)page_at(mem, VICTIM_PAGES));
	fd = MUST(open(path, O_RDWR | O_CLOEXEC));
	size = MUST(lseek(fd, 0, SEEK_END));
	CHECK(size >= (off_t)(VICTIM_PAGES * PAGE));
	first = size / PAGE - VICTIM_PAGES;
	map = map_at(fd, first * PAGE, VICTIM_PAGES);
	pages_check(map, VICTIM_PAGES, 5, 0);
	map_files_before(fd, first);
	CHECK_EQ(range_try(fd, KSM_REGISTER, map_anon(1), 1, NULL), -ENOTTY);
	CHECK_ERRNO(ioctl(fd, KSM_GET_FILE, 0), ENOTTY);
	CHECK_ERRNO(ftruncate(fd, size + PAGE), EPERM);
	CHECK_ERRNO(ftruncate(fd, size - PAGE), EPERM);
	CHECK_ERRNO(pwrite(fd, "x", 1, size), EPERM);
	CHECK_EQ(lseek(fd, 0, SEEK_END), size);
	page_fill(page_at(map, 1), 6);
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (first + 2) * PAGE,
		       PAGE));
	ksm_scan_force(fd);
	turn_pass(used);
	turn_wait(seen);
	/* Who had registered it is gone; a mapping is enough to keep it. */
	close(fd);
	pages_check(page_at(map, 3), VICTIM_PAGES - 3, 5, 0);
	page_fill(map, 7);
	pages_check(map, 1, 7, 0);
}

static void attack_map_files(void)
{
	struct turn ready = turn_make(), used = turn_make(), seen = turn_make();
	char *mem = (char *)MUST(mmap(VICTIM_AT, VICTIM_PAGES * PAGE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	pid_t pid = tap_fork();
	int fd;

	if (!pid) {
		pages_fill(mem, VICTIM_PAGES, 5, 0);
		be_user(VICTIM_PAGES);
		fd = ksm_open_private();
		ksm_range_do(fd, KSM_REGISTER, mem, VICTIM_PAGES);
		ksm_scan_force(fd);
		turn_pass(&ready);
		turn_wait(&used);
		pages_check(mem, 1, 5, 0);
		pages_check(page_at(mem, 1), 1, 6, 0);
		pages_check(page_at(mem, 2), 1, 0, 0);
		pages_check(page_at(mem, 3), VICTIM_PAGES - 3, 5, 0);
		MUST(munmap(mem, VICTIM_PAGES * PAGE));
		turn_pass(&seen);
		_exit(0);
	}
	turn_wait(&ready);
	map_files_use(pid, mem, &used, &seen);
	tap_join(pid);
}

/* ---- the tests ---- */

#define ATTACK(name)	static void test_##name(void) { attack(attack_##name); }

ATTACK(domain)
ATTACK(domain_race)
ATTACK(join)
ATTACK(token)
ATTACK(unnamed_domain)
ATTACK(domain_outlives)
ATTACK(stats)
ATTACK(unmerge)
ATTACK(unmerge_file)
ATTACK(file_limit)
ATTACK(failed_map)
ATTACK(map_files)

static const struct tap_test tests[] = {
	{ "KSM_SET_DOMAIN of a descriptor with memory gives EBUSY", test_domain },
	{ "KSM_SET_DOMAIN beside mmap(): before the memory, or not at all", test_domain_race },
	{ "KSM_DOMAIN_JOIN: only of a directory that the caller may write to", test_join },
	{ "what gives a domain gives no memory", test_token },
	{ "the directory of KSM_CREATE_DOMAIN is empty and its maker's", test_unnamed_domain },
	{ "it keeps the domain when its maker is gone", test_domain_outlives },
	{ "a stranger learns nothing of a domain", test_stats },
	{ "ranges of nothing take no memory", test_unmerge },
	{ "ranges of nothing in a long file take no memory", test_unmerge_file },
	{ "RLIMIT_MEMLOCK bounds what is made by the file of KSM_GET_FILE", test_file_limit },
	{ "a mapping that fails takes nothing of the limit", test_failed_map },
	{ "registered memory opened by /proc/PID/map_files", test_map_files },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
