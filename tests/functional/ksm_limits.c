// SPDX-License-Identifier: GPL-2.0
/*
 * Accounting and limits: memory cgroups, RLIMIT_MEMLOCK, running out of
 * memory.
 */
#define _GNU_SOURCE
#include "ksm_test.h"

#define CGROUP		"/sys/fs/cgroup"
#define MIB		(1024 * 1024LL)
#define MIB_PAGES	(MIB / (s64)PAGE)
#define SLACK_KIB	16384	/* what else moves in MemFree */

/* ---- cgroups ---- */

static void cgroup_path(char *path, const char *group, const char *file)
{
	snprintf(path, 256, CGROUP "/%s%s%s", group, file[0] ? "/" : "", file);
}

static int cgroup_write(const char *group, const char *file, const char *text)
{
	char path[256];

	cgroup_path(path, group, file);
	return file_write(path, text);
}

static s64 cgroup_value(const char *group, const char *file, const char *key)
{
	char path[256], buf[64];

	cgroup_path(path, group, file);
	if (key)
		return file_value(path, key);
	CHECK(file_read(path, buf, sizeof(buf)) > 0);
	return strtoll(buf, NULL, 10);
}

static bool cgroup_gone(const char *group)
{
	char path[256];

	cgroup_path(path, group, "");
	return !rmdir(path) || errno == ENOENT;
}

static void cgroup_make(const char *group)
{
	char path[256];

	if (file_write(CGROUP "/cgroup.subtree_control", "+memory"))
		tap_skip("no memory controller in " CGROUP);
	CHECK_SOON(cgroup_gone(group));
	cgroup_path(path, group, "");
	MUST(mkdir(path, 0755));
}

static void cgroup_enter(const char *group)
{
	CHECK_EQ(cgroup_write(group, "cgroup.procs", "0"), 0);
}

/* What the kernel holds for the group, frames of areas included. */
static s64 cgroup_kernel(const char *group)
{
	return cgroup_value(group, "memory.stat", "kernel");
}

/* ---- charging ---- */

struct owner {
	struct turn done, go;
	pid_t pid;
};

static void owner_wait(struct owner *owner)
{
	turn_pass(&owner->done);
	turn_wait(&owner->go);
}

/* Let the owner do its next step. */
static void owner_step(struct owner *owner)
{
	turn_pass(&owner->go);
	turn_wait(&owner->done);
}

static struct owner owner_start(void (*run)(struct owner *owner))
{
	struct owner owner = { turn_make(), turn_make(), 0 };

	owner.pid = tap_fork();
	if (!owner.pid) {
		run(&owner);
		turn_pass(&owner.done);
		_exit(0);
	}
	turn_wait(&owner.done);
	return owner;
}

static void charged_owner(struct owner *owner)
{
	const unsigned long pages = 32 * MIB_PAGES;
	char *mem;
	int fd;

	cgroup_enter("ksm-charge");
	fd = ksm_open_private();
	mem = map_area(fd, pages);
	owner_wait(owner);
	pages_fill(mem, pages, 100000, 1);
	owner_wait(owner);
	pages_fill(mem, pages, 5, 0);
	ksm_scan_force(fd);
	owner_wait(owner);
	pages_check(mem, pages, 5, 0);
}

static void test_charge(void)
{
	struct owner owner;
	s64 start;

	cgroup_make("ksm-charge");
	owner = owner_start(charged_owner);
	start = cgroup_kernel("ksm-charge");
	owner_step(&owner);
	CHECK(cgroup_kernel("ksm-charge") - start >= 32 * MIB);
	CHECK(cgroup_kernel("ksm-charge") - start <= 34 * MIB);
	CHECK(cgroup_value("ksm-charge", "memory.current", NULL) >= 32 * MIB);
	/* All the same content: nearly all frames are back. */
	owner_step(&owner);
	CHECK_SOON(cgroup_kernel("ksm-charge") - start <= 6 * MIB);
	owner_step(&owner);
	tap_join(owner.pid);
	CHECK_SOON(cgroup_value("ksm-charge", "memory.current", NULL) < MIB);
	CHECK_SOON(cgroup_gone("ksm-charge"));
}

static int charged_fd;

/* Writes to memory of a descriptor that another process opened. */
static void charged_user(struct owner *owner)
{
	char *mem;

	cgroup_enter("ksm-user");
	mem = map_area(charged_fd, 16 * MIB_PAGES);
	owner_wait(owner);
	pages_fill(mem, 16 * MIB_PAGES, 100000, 1);
	owner_wait(owner);
}

/* Who needs a frame first pays, not who opened the device. */
static void charged_opener(struct owner *owner)
{
	struct owner user;
	s64 start;

	cgroup_enter("ksm-opener");
	charged_fd = ksm_open_private();
	user = owner_start(charged_user);
	start = cgroup_kernel("ksm-opener");
	owner_step(&user);
	CHECK(cgroup_kernel("ksm-user") >= 16 * MIB);
	CHECK(cgroup_kernel("ksm-opener") - start < MIB);
	owner_step(&user);
	tap_join(user.pid);
	owner_wait(owner);
}

static void test_charge_user(void)
{
	struct owner owner;

	cgroup_make("ksm-user");
	cgroup_make("ksm-opener");
	owner = owner_start(charged_opener);
	owner_step(&owner);
	tap_join(owner.pid);
	CHECK_SOON(cgroup_gone("ksm-user"));
	CHECK_SOON(cgroup_gone("ksm-opener"));
}

/* The first owner of a content pays, also after it left. */
static void first_owner(struct owner *owner)
{
	const unsigned long pages = 256;
	char *mem;
	int fd;

	cgroup_enter("ksm-first");
	fd = ksm_open();
	mem = map_area(fd, pages);
	pages_fill(mem, pages, 5000, 1);
	owner_wait(owner);
}

static void test_first_owner_leaves(void)
{
	struct owner owner;
	char *mem;
	int fd;

	cgroup_make("ksm-first");
	owner = owner_start(first_owner);
	fd = ksm_open();
	mem = map_area(fd, 256);
	pages_fill(mem, 256, 5000, 1);
	CHECK_EQ(ksm_scan(fd).pages_merged, 256);
	owner_step(&owner);
	tap_join(owner.pid);
	CHECK_SOON(cgroup_gone("ksm-first"));
	pages_check(mem, 256, 5000, 1);
	pages_fill(mem, 256, 6000, 1);
	pages_check(mem, 256, 6000, 1);
}

/* ---- over the limit ---- */

/*
 * A process in a group with @limit MiB runs @fn and is killed for it; nothing
 * of it remains.
 */
static void check_oom(const char *group, unsigned int limit, void (*fn)(void))
{
	s64 areas = ksm_get("areas"), before;
	char text[32];
	int status;
	pid_t pid;

	cgroup_make(group);
	snprintf(text, sizeof(text), "%uM", limit);
	CHECK_EQ(cgroup_write(group, "memory.max", text), 0);
	cgroup_write(group, "memory.swap.max", "0");
	before = mem_free();
	pid = tap_fork();
	if (!pid) {
		cgroup_enter(group);
		fn();
		_exit(0);
	}
	status = tap_wait(pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		tap_fail("expected death by SIGKILL, got %s",
			 tap_status_text(status));
	CHECK(cgroup_value(group, "memory.events", "oom_kill") >= 1);
	CHECK_SOON(ksm_get("areas") == areas);
	CHECK_SOON(cgroup_value(group, "memory.current", NULL) < 2 * MIB);
	CHECK_SOON(cgroup_gone(group));
	CHECK_SOON(mem_free() > before - SLACK_KIB - mem_kept());
}

/* @pages of one content, merged. */
static char *map_merged(int fd, unsigned long pages)
{
	const unsigned long part = 4 * MIB_PAGES;
	char *mem = map_area(fd, pages);
	unsigned long i;

	for (i = 0; i < pages; i += part) {
		pages_fill(page_at(mem, i), pages - i < part ? pages - i : part, 5, 0);
		ksm_scan_force(fd);
	}
	CHECK_EQ(ksm_stats(fd).pages_merged, pages);
	return mem;
}

static void oom_by_fault(void)
{
	char *mem = map_area(ksm_open_private(), 64 * MIB_PAGES);

	pages_fill(mem, 64 * MIB_PAGES, 1, 1);
}

static void oom_by_cow(void)
{
	const unsigned long pages = 64 * MIB_PAGES;
	char *mem = map_merged(ksm_open_private(), pages);

	pages_fill(mem, pages, 1, 1);
}

static void oom_by_register(void)
{
	int fd = ksm_open_private();
	unsigned int i;

	for (i = 0; i < 16; i++) {
		char *mem = map_anon(4 * MIB_PAGES);

		pages_fill(mem, 4 * MIB_PAGES, 1, 1);
		ksm_range_do(fd, KSM_REGISTER, mem, 4 * MIB_PAGES);
	}
}

static void test_oom_by_fault(void)
{
	check_oom("ksm-oom-fault", 32, oom_by_fault);
}

static void test_oom_by_cow(void)
{
	check_oom("ksm-oom-cow", 32, oom_by_cow);
}

static void test_oom_by_register(void)
{
	check_oom("ksm-oom-register", 32, oom_by_register);
}

/* KSM_UNMERGE needs more than there is: killed, or ENOMEM and nothing lost. */
static void unmerge_too_much(void)
{
	const unsigned long pages = 64 * MIB_PAGES;
	int fd = ksm_open_private();
	char *mem = map_merged(fd, pages);
	struct ksm_range range = { .addr = (u64)mem, .len = pages * PAGE };

	CHECK_ERRNO(ioctl(fd, KSM_UNMERGE, &range), ENOMEM);
	CHECK(range.done < range.len);
	ksm_range_do(fd, KSM_MERGE, mem, pages);
	ksm_scan_force(fd);
	pages_check(mem, pages, 5, 0);
}

static void test_oom_by_unmerge(void)
{
	int status;
	pid_t pid;

	cgroup_make("ksm-oom-unmerge");
	CHECK_EQ(cgroup_write("ksm-oom-unmerge", "memory.max", "32M"), 0);
	pid = tap_fork();
	if (!pid) {
		cgroup_enter("ksm-oom-unmerge");
		unmerge_too_much();
		_exit(0);
	}
	status = tap_wait(pid);
	if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		tap_fail("expected success or SIGKILL, got %s",
			 tap_status_text(status));
	CHECK_SOON(ksm_get("areas") == 0);
	CHECK_SOON(cgroup_gone("ksm-oom-unmerge"));
}

/* One file is over its limit, and nobody is there to be killed for it: the others are not. */
static void test_run_at_the_limit(void)
{
	const unsigned long pages = 64 * MIB_PAGES;
	int before = ksm_open_private(), over = ksm_open_private(), after = ksm_open_private();
	char *mem;

	cgroup_make("ksm-run");
	CHECK_EQ(cgroup_write("ksm-run", "memory.max", "32M"), 0);
	cgroup_write("ksm-run", "memory.swap.max", "0");
	map_merged(before, 100);
	cgroup_enter("ksm-run");
	mem = map_merged(over, pages);
	CHECK_EQ(file_write(CGROUP "/cgroup.procs", "0"), 0);
	map_merged(after, 100);
	CHECK_EQ(ksm_try_set("run", "2"), -ENOMEM);
	CHECK_EQ(ksm_get("run"), 0);
	CHECK_EQ(ksm_stats(before).pages_merged, 0);
	CHECK_EQ(ksm_stats(after).pages_merged, 0);
	CHECK(ksm_stats(over).pages_merged > 0);
	pages_check(mem, pages, 5, 0);
	MUST(munmap(mem, pages * PAGE));
	MUST(close(over));
	CHECK_SOON(cgroup_gone("ksm-run"));
}

/* Merging needs little memory; without any, pages just stay as they are. */
static void merge_at_the_limit(struct owner *owner)
{
	const unsigned long pages = 24 * MIB_PAGES;
	char *mem;
	int fd;

	cgroup_enter("ksm-tight");
	fd = ksm_open_private();
	mem = map_area(fd, pages);
	pages_fill(mem, pages, 5, 0);
	owner_wait(owner);
	ksm_scan_force(fd);
	pages_check(mem, pages, 5, 0);
	CHECK(ksm_stats(fd).pages_merged > pages / 2);
	pages_fill(mem, 16, 6, 1);
	pages_check(mem, 16, 6, 1);
	pages_check(page_at(mem, 16), pages - 16, 5, 0);
}

static void test_merge_at_the_limit(void)
{
	struct owner owner;
	char text[32];

	cgroup_make("ksm-tight");
	owner = owner_start(merge_at_the_limit);
	snprintf(text, sizeof(text), "%lld",
		 (long long)(cgroup_value("ksm-tight", "memory.current", NULL) +
			     256 * 1024));
	CHECK_EQ(cgroup_write("ksm-tight", "memory.max", text), 0);
	owner_step(&owner);
	tap_join(owner.pid);
	CHECK_SOON(cgroup_gone("ksm-tight"));
}

/* ---- RLIMIT_MEMLOCK ---- */

static void check_no_room(int fd, u64 offset, unsigned long pages)
{
	CHECK_ERRNO(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, offset), EAGAIN);
}

static void memlock_mmap(void)
{
	char *mem;
	int fd;

	memlock_limit(64);
	become(65534);
	fd = ksm_open();
	check_no_room(fd, 0, 65);
	CHECK_EQ(ksm_stats(fd).size, 0);
	mem = map_area(fd, 60);
	CHECK_EQ(ksm_stats(fd).size, 60);
	pages_fill(mem, 60, 5, 1);
	check_no_room(fd, 60 * PAGE, 5);
	/* What is in the area already can be mapped again. */
	pages_check(map_area(fd, 60), 60, 5, 1);
	map_at(fd, 60 * PAGE, 4);
	CHECK_EQ(ksm_stats(fd).size, 64);
	pages_check(mem, 60, 5, 1);
}

static void test_memlock_mmap(void)
{
	tap_as_user(memlock_mmap);
}

/* All areas of a user count together; a closed one no more. */
static void memlock_sum(void)
{
	char *mem;
	int a, b;

	memlock_limit(64);
	become(65534);
	a = ksm_open();
	b = ksm_open();
	mem = map_area(a, 40);
	check_no_room(b, 0, 25);
	MUST(munmap(map_area(b, 24), 24 * PAGE));
	check_no_room(a, 40 * PAGE, 1);
	/* The memory of an area is there as long as the area is. */
	MUST(munmap(mem, 40 * PAGE));
	check_no_room(b, 24 * PAGE, 1);
	close(a);
	map_at(b, 24 * PAGE, 40);
}

static void test_memlock_sum(void)
{
	tap_as_user(memlock_sum);
}

/* The limit is that of the opener, also when root maps. */
static void memlock_none(void)
{
	memlock_limit(0);
	become(65534);
	check_no_room(ksm_open(), 0, 1);
}

static void test_memlock_none(void)
{
	tap_as_user(memlock_none);
}

static void test_memlock_capable(void)
{
	char *mem;

	memlock_limit(0);
	mem = map_area(ksm_open_private(), 1000);
	pages_fill(mem, 1000, 5, 1);
	pages_check(mem, 1000, 5, 1);
}

static void touch_last(void *mem)
{
	page_fill(page_at(mem, 999), 1);
}

/* Growing a mapping asks nobody: there must be no memory beyond the end of the file. */
static void memlock_mremap(void)
{
	char *mem;
	int fd;

	memlock_limit(64);
	become(65534);
	fd = ksm_open();
	mem = map_area(fd, 10);
	pages_fill(mem, 10, 5, 1);
	mem = (char *)MUST(mremap(mem, 10 * PAGE, 1000 * PAGE, MREMAP_MAYMOVE));
	tap_check_signal(touch_last, mem, SIGBUS);
	CHECK_EQ(ksm_stats(fd).size, 10);
	/* mmap() makes the file longer, within the limit. */
	check_no_room(fd, 0, 65);
	tap_check_signal(touch_last, mem, SIGBUS);
	map_area(fd, 60);
	pages_fill(page_at(mem, 10), 50, 15, 1);
	pages_check(mem, 60, 5, 1);
	CHECK_EQ(ksm_stats(fd).size, 60);
}

/* The size of the file counts, whatever makes it longer, and until it is shorter. */
static void memlock_file(void)
{
	char page[PAGE];
	int fd, file;

	memlock_limit(64);
	become(65534);
	fd = ksm_open();
	file = ksm_get_file(fd);
	page_fill(page, 5);
	CHECK_ERRNO(ftruncate(file, 65 * PAGE), ENOSPC);
	CHECK_ERRNO(ftruncate(file, 64 * PAGE + 1), ENOSPC);
	CHECK_ERRNO(fallocate(file, 0, 60 * PAGE, 5 * PAGE), ENOSPC);
	CHECK_ERRNO(pwrite(file, page, PAGE, 64 * PAGE), ENOSPC);
	CHECK_EQ(ksm_stats(file).size, 0);
	CHECK_EQ(ksm_stats(file).pages_private, 0);
	MUST(ftruncate(file, 63 * PAGE));
	CHECK_EQ(pwrite(file, page, PAGE, 63 * PAGE), PAGE);
	CHECK_EQ(ksm_stats(file).size, 64);
	check_no_room(ksm_open(), 0, 1);
	MUST(ftruncate(file, 24 * PAGE));
	check_no_room(ksm_open(), 0, 41);
	map_area(ksm_open(), 40);
	check_no_room(fd, 0, 25);
	CHECK_ERRNO(ftruncate(file, 25 * PAGE), ENOSPC);
	CHECK_EQ(ksm_stats(file).size, 24);
}

static void test_memlock_file(void)
{
	tap_as_user(memlock_file);
}

static void test_memlock_mremap(void)
{
	tap_as_user(memlock_mremap);
}

/* ---- the whole machine ---- */

/* Spare frames and the like go back when memory is short. */
static void test_memory_pressure(void)
{
	const unsigned long pages = 8192;
	int fd = ksm_open_private(), status;
	char *mem = map_area(fd, pages);
	pid_t pid;

	pages_fill(mem, pages, 5, 0);
	ksm_scan(fd);
	pid = tap_fork();
	if (!pid) {
		/* More than there is: the kernel kills this process. */
		file_write("/proc/self/oom_score_adj", "1000");
		for (unsigned long i = 0;; i += 1024)
			pages_fill(map_anon(1024), 1024, i + 1, 1);
	}
	status = tap_wait(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQ(ksm_get("pages_spare"), 0);
	pages_check(mem, pages, 5, 0);
	pages_fill(mem, pages, 6, 1);
	pages_check(mem, pages, 6, 1);
}

static const struct tap_test tests[] = {
	{ "frames are charged to the memory cgroup", test_charge },
	{ "frames are charged to who needs them", test_charge_user },
	{ "the cgroup of a first owner can go", test_first_owner_leaves },
	{ "over memory.max: killed in a write, nothing left", test_oom_by_fault },
	{ "over memory.max: killed in a copy, nothing left", test_oom_by_cow },
	{ "over memory.max: killed in KSM_REGISTER, nothing left",
	  test_oom_by_register },
	{ "over memory.max in KSM_UNMERGE", test_oom_by_unmerge },
	{ "over memory.max of one file in a write of 2 to run", test_run_at_the_limit },
	{ "merging at the limit", test_merge_at_the_limit },
	{ "RLIMIT_MEMLOCK: mmap gives EAGAIN", test_memlock_mmap },
	{ "RLIMIT_MEMLOCK: areas of a user add up", test_memlock_sum },
	{ "RLIMIT_MEMLOCK of 0", test_memlock_none },
	{ "CAP_IPC_LOCK has no limit", test_memlock_capable },
	{ "RLIMIT_MEMLOCK: mremap is no way round it", test_memlock_mremap },
	{ "RLIMIT_MEMLOCK: calls on the file give ENOSPC", test_memlock_file },
	{ "spare frames go back when memory is short", test_memory_pressure },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
