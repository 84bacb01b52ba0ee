// SPDX-License-Identifier: GPL-2.0
/*
 * The end of areas, processes and the module: nothing leaks, and the module
 * stays as long as it is used.
 */
#define _GNU_SOURCE
#include <ftw.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/utsname.h>

#include "ksm_test.h"

#define AREA_PAGES	16384	/* 64 MiB */
#define SLACK_KIB	8192	/* what else moves in MemFree */

/* ---- memory comes back ---- */

static void check_nothing_left(s64 free_before)
{
	ksm_check_nothing_left();
	CHECK_SOON(mem_free() > free_before - SLACK_KIB - mem_kept());
}

/* An area with all kinds of pages, and registered memory with them. */
static char *big_area(int fd, unsigned long pages)
{
	char *mem = map_area(fd, pages), *more = map_anon(pages / 4);

	pages_fill(mem, pages / 2, 5, 0);
	pages_fill(page_at(mem, pages / 2), pages / 4, 1000, 1);
	pages_fill(page_at(mem, pages / 4 * 3), pages / 4, 0, 0);
	pages_fill(more, pages / 4, 1000, 1);
	ksm_range_do(fd, KSM_REGISTER, more, pages / 4);
	ksm_scan_force(fd);
	pages_fill(mem, pages / 8, 2000000, 1);
	return mem;
}

/* A process that ends as @how says. */
enum ending { EXIT, KILLED, CLOSED, UNMAPPED, DISCARDED };

static void ending_run(enum ending how)
{
	int fd = ksm_open();
	char *mem = big_area(fd, AREA_PAGES);

	switch (how) {
	case EXIT:
		_exit(0);
	case KILLED:
		kill(getpid(), SIGKILL);
		break;
	case CLOSED:
		close(fd);
		break;
	case UNMAPPED:
		MUST(munmap(mem, AREA_PAGES * PAGE));
		close(fd);
		break;
	case DISCARDED:
		ksm_range_do(fd, KSM_DISCARD, mem, AREA_PAGES);
		break;
	}
	_exit(0);
}

static void check_ending(enum ending how)
{
	s64 before = mem_free();
	unsigned int i;

	for (i = 0; i < 4; i++) {
		pid_t pid = tap_fork();
		int status;

		if (!pid)
			ending_run(how);
		status = tap_wait(pid);
		if (how == KILLED)
			CHECK(WIFSIGNALED(status));
		else
			CHECK_EQ(status, 0);
	}
	check_nothing_left(before);
}

static void test_exit(void)
{
	check_ending(EXIT);
}

static void test_killed(void)
{
	check_ending(KILLED);
}

static void test_closed(void)
{
	check_ending(CLOSED);
}

static void test_unmapped(void)
{
	check_ending(UNMAPPED);
}

static void test_discarded(void)
{
	check_ending(DISCARDED);
}

/* Killed at any moment, with the scan threads at full speed. */
static void test_killed_while_scanning(void)
{
	s64 before = mem_free();
	unsigned int i;

	ksm_set("advisor_max_cpu", "6400");
	ksm_set("sleep_millisecs", "0");
	ksm_set("rest_millisecs", "0");
	ksm_set("scan_threads", "2");
	ksm_set("run", "1");
	for (i = 0; i < 30; i++) {
		pid_t pid = tap_fork();

		if (!pid)
			for (;;)
				big_area(ksm_open(), 2048);
		sleep_ms(10 * i);
		MUST(kill(pid, SIGKILL));
		CHECK(WIFSIGNALED(tap_wait(pid)));
	}
	ksm_set("run", "0");
	check_nothing_left(before);
}

/* Killed within a call: KSM_SCAN, KSM_REGISTER, KSM_UNMERGE. */
static void test_killed_in_a_call(void)
{
	s64 before = mem_free();
	unsigned int i;

	for (i = 0; i < 30; i++) {
		pid_t pid = tap_fork();

		if (!pid) {
			int fd = ksm_open();
			char *mem = map_anon(8192);

			pages_fill(mem, 8192, 5, 0);
			ksm_range_do(fd, KSM_REGISTER, mem, 8192);
			for (;;) {
				ksm_scan_force(fd);
				ksm_range_do(fd, KSM_UNMERGE, mem, 8192);
				ksm_range_do(fd, KSM_MERGE, mem, 8192);
			}
		}
		sleep_ms(30 + 7 * i);
		MUST(kill(pid, SIGKILL));
		CHECK(WIFSIGNALED(tap_wait(pid)));
	}
	check_nothing_left(before);
}

/* ---- a mount goes while its files are gone through ---- */

#define UNMOUNTS	40U

static bool walker_stops;
static unsigned int walks_begun, walks_ended;

/* run = 2 and the sums go through all files of all mounts, and are in none. */
static void *walker_run(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&walker_stops, __ATOMIC_RELAXED)) {
		__atomic_add_fetch(&walks_begun, 1, __ATOMIC_SEQ_CST);
		ksm_set("run", "2");
		ksm_get("pages_sharing");
		__atomic_add_fetch(&walks_ended, 1, __ATOMIC_SEQ_CST);
		ksm_set("run", "1");
	}
	return NULL;
}

/* Two files of the mount @folder with equal pages, in a domain of their own. */
static void mount_fill(const char *folder)
{
	char name[64], page[PAGE];
	unsigned int i, n;

	snprintf(name, sizeof(name), "%s/d", folder);
	MUST(mkdir(name, 0755));
	page_fill(page, 7);
	for (n = 0; n < 2; n++) {
		int fd;

		snprintf(name, sizeof(name), "%s/d/%u", folder, n);
		fd = MUST(open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0644));
		for (i = 0; i < 300; i++)
			CHECK_EQ(write(fd, page, PAGE), PAGE);
		if (n)
			ksm_scan_force(fd);
		close(fd);
	}
}

/* Returns whether a walk was under way meanwhile. */
static bool unmount(const char *folder)
{
	unsigned int ended = __atomic_load_n(&walks_ended, __ATOMIC_SEQ_CST);

	MUST(umount2(folder, 0));
	return __atomic_load_n(&walks_begun, __ATOMIC_SEQ_CST) != ended;
}

/*
 * Who goes through the files does not make the mount busy, and may be who ends it.  With one
 * CPU a walk is seldom interrupted, so go on until enough of them have been.
 */
static void test_unmounted(void)
{
	char folder[] = "/tmp/ksm_life.XXXXXX";
	unsigned int i, met = 0;
	s64 before = mem_free();
	pthread_t thread;

	MUST((long)(mkdtemp(folder) ? 0 : -1));
	walker_stops = false;
	CHECK_EQ(pthread_create(&thread, NULL, walker_run, NULL), 0);
	for (i = 0; met < UNMOUNTS && i < 10 * UNMOUNTS; i++) {
		MUST(mount("none", folder, "ksmfs", 0, NULL));
		mount_fill(folder);
		met += unmount(folder);
	}
	__atomic_store_n(&walker_stops, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	MUST(rmdir(folder));
	ksm_set("run", "0");
	tap_note("a walk was under way in %u of %u unmounts, of %u walks", met, i, walks_ended);
	CHECK(met > 0);
	check_nothing_left(before);
}

/* Opening and closing costs nothing that stays. */
static void test_open_close(void)
{
	s64 before = mem_free();
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		int fd = i & 1 ? ksm_open() : ksm_open_private();

		if (i % 3 == 0) {
			void *mem = map_area(fd, 1);

			page_fill(mem, i);
			MUST(munmap(mem, PAGE));
		}
		close(fd);
	}
	check_nothing_left(before);
}

/* ---- loading and unloading ---- */

static char module_path[512];

static int module_find(const char *path, const struct stat *st, int type,
		       struct FTW *ftw)
{
	(void)st;
	if (type != FTW_F || strcmp(path + ftw->base, "ksmdev.ko"))
		return 0;
	snprintf(module_path, sizeof(module_path), "%s", path);
	return 1;
}

static void module_need(void)
{
	struct utsname uts;
	char folder[128];

	MUST(uname(&uts));
	snprintf(folder, sizeof(folder), "/lib/modules/%s", uts.release);
	nftw(folder, module_find, 8, FTW_PHYS);
	if (!module_path[0])
		tap_skip("no ksmdev.ko under %s", folder);
}

static int module_unload(void)
{
	return syscall(SYS_delete_module, "ksmdev", O_NONBLOCK);
}

static void module_load(void)
{
	int fd = MUST(open(module_path, O_RDONLY | O_CLOEXEC));

	MUST(syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	CHECK_SOON(access("/dev/ksm", R_OK | W_OK) == 0);
}

static void check_in_use(void)
{
	if (module_unload() != -1)
		tap_fail("unloading: expected EAGAIN or EBUSY, got success");
	CHECK(errno == EAGAIN || errno == EBUSY);
}

static void test_unload_in_use(void)
{
	char *mem;
	int fd;

	module_need();
	fd = ksm_open();
	check_in_use();
	mem = map_area(fd, 600);
	pages_fill(mem, 600, 5, 0);
	check_in_use();
	close(fd);
	check_in_use();
	pages_check(mem, 600, 5, 0);
	pages_fill(mem, 600, 6, 1);
	pages_check(mem, 600, 6, 1);
	MUST(munmap(mem, 600 * PAGE));
	MUST(module_unload());
	CHECK_EQ(access("/dev/ksm", F_OK), -1);
	module_load();
}

/* Each thing that is left of a descriptor keeps the module, to its end. */
static void test_unload_in_use_by_parts(void)
{
	int fd, file, dir;
	char *mem;

	module_need();
	fd = ksm_open();
	file = ksm_get_file(fd);
	dir = MUST(ioctl(fd, KSM_CREATE_DOMAIN, 0));
	mem = map_anon(4);
	pages_fill(mem, 4, 5, 1);
	ksm_range_do(fd, KSM_REGISTER, mem, 4);
	close(fd);
	check_in_use();
	MUST(munmap(mem, 3 * PAGE));
	check_in_use();
	pages_check(page_at(mem, 3), 1, 8, 0);
	MUST(munmap(page_at(mem, 3), PAGE));
	check_in_use();
	close(dir);
	check_in_use();
	close(file);
	MUST(module_unload());
	module_load();
}

/* A path to @file, of which nothing is open any more. */
static void check_path_keeps(int fd, int file)
{
	struct stat st;
	char name[32];
	int path;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	path = MUST(open(name, O_PATH | O_CLOEXEC));
	close(file);
	close(fd);
	check_in_use();
	MUST(fstat(path, &st));
	CHECK_EQ(st.st_nlink, 0);
	close(path);
	MUST(module_unload());
	module_load();
}

static void test_unload_in_use_by_path(void)
{
	int fd;

	module_need();
	fd = ksm_open();
	check_path_keeps(fd, ksm_get_file(fd));
	fd = ksm_open();
	check_path_keeps(fd, MUST(ioctl(fd, KSM_CREATE_DOMAIN, 0)));
}

static void test_unload_in_use_elsewhere(void)
{
	struct turn ready = turn_make();
	pid_t pid;

	module_need();
	pid = tap_fork();
	if (!pid) {
		big_area(ksm_open(), 2048);
		turn_pass(&ready);
		for (;;)
			pause();
	}
	turn_wait(&ready);
	check_in_use();
	MUST(kill(pid, SIGKILL));
	tap_wait(pid);
	CHECK_SOON(module_unload() == 0);
	module_load();
}

/* With scan threads at work until the last moment. */
static void test_load_and_unload(void)
{
	s64 before, after;
	unsigned int i;

	module_need();
	before = mem_free();
	for (i = 0; i < 20; i++) {
		int fd = ksm_open();
		char *mem;

		ksm_set("scan_threads", i & 1 ? "4" : "1");
		ksm_set("advisor_max_cpu", "6400");
		ksm_set("rest_millisecs", "0");
		ksm_set("run", "1");
		mem = map_area(fd, 1200);
		pages_fill(mem, 1200, i + 1, 0);
		if (i & 2)
			CHECK_SOON(ksm_stats(fd).pages_merged == 1200);
		page_fill(mem, 100);
		pages_check(mem, 1, 100, 0);
		pages_check(page_at(mem, 1), 1199, i + 1, 0);
		MUST(munmap(mem, 1200 * PAGE));
		close(fd);
		MUST(module_unload());
		module_load();
		CHECK_EQ(ksm_get("run"), 1);
		CHECK_EQ(ksm_get("scan_threads"), 1);
		CHECK_EQ(ksm_get("pages_merged_total"), 0);
	}
	after = mem_free();
	CHECK(after > before - SLACK_KIB);
}

static const struct tap_test tests[] = {
	{ "exit frees everything", test_exit },
	{ "kill -9 frees everything", test_killed },
	{ "close, then exit", test_closed },
	{ "munmap, then close", test_unmapped },
	{ "KSM_DISCARD, then exit", test_discarded },
	{ "kill -9 while scan threads run", test_killed_while_scanning },
	{ "kill -9 within calls", test_killed_in_a_call },
	{ "umount while run = 2 and others go through all files", test_unmounted },
	{ "open and close 2,000 areas", test_open_close },
	{ "the module stays while it is used", test_unload_in_use },
	{ "the module stays while a file, a mapping or a domain is there",
	  test_unload_in_use_by_parts },
	{ "the module stays while there is a path to a file or a domain that is closed",
	  test_unload_in_use_by_path },
	{ "the module stays while another process maps an area",
	  test_unload_in_use_elsewhere },
	{ "load and unload 20 times", test_load_and_unload },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
