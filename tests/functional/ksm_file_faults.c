// SPDX-License-Identifier: GPL-2.0
/*
 * ksmfs when memory runs out, request by request; see faults.h.  What a call
 * that failed may have done is what it can do in part: a write, for one, that
 * is shorter than asked for.  Nothing else changes.
 */
#define _GNU_SOURCE
#include <sys/mount.h>

#include "ksm_faults.h"

#define FOLDER	"/tmp/ksm_file_faults"
#define NAME	FOLDER "/file"

static int file = -1;

/* ---- mounts ---- */

static long call_mount(void)
{
	return mount("none", FOLDER, "ksmfs", 0, "size=64m,mode=0750,uid=1,gid=2");
}

static void finish_mount(void)
{
	MUST(umount(FOLDER));
}

static void test_mount(void)
{
	static const struct fault_case c = {
		.call = call_mount, .finish = finish_mount,
		.errnos = no_memory_or_copy,
	};

	fault_run(&c);
}

/* The file's memory goes with the mount. */
static void file_make_merged(const char *name);

static void prepare_umount(void)
{
	MUST(call_mount());
	file_make_merged(NAME);
	MUST(munmap(mem, PAGES * PAGE));
	MUST(close(file));
}

static long call_umount(void)
{
	return umount(FOLDER);
}

static void test_umount(void)
{
	static const struct fault_case c = {
		.prepare = prepare_umount, .call = call_umount,
		.errnos = no_memory_or_copy, .silent = true,
	};

	fault_run(&c);
}

/* The tests below use one mount, which is gone before the next one begins. */
static void run_mounted(const struct fault_case *c)
{
	MUST(call_mount());
	fault_run(c);
	MUST(umount(FOLDER));
}

/* ---- names ---- */

static long call_create(void)
{
	file = open(NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return file;
}

static void finish_create(void)
{
	MUST(ftruncate(file, PAGES * PAGE));
	area = file;
	mem = map_area(file, PAGES);
	unlink(NAME);
	area_prove_and_drop();
}

static void test_create(void)
{
	static const struct fault_case c = {
		.call = call_create, .finish = finish_create,
		.errnos = no_memory_or_copy,
	};

	run_mounted(&c);
}

static long call_tmpfile(void)
{
	file = open(FOLDER, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	return file;
}

static void test_tmpfile(void)
{
	static const struct fault_case c = {
		.call = call_tmpfile, .finish = finish_create,
		.errnos = no_memory_or_copy,
	};

	run_mounted(&c);
}

static long call_mkdir(void)
{
	return mkdir(FOLDER "/folder", 0700);
}

static void finish_mkdir(void)
{
	MUST(rmdir(FOLDER "/folder"));
}

static void test_mkdir(void)
{
	static const struct fault_case c = {
		.call = call_mkdir, .finish = finish_mkdir,
		.errnos = no_memory_or_copy,
	};

	run_mounted(&c);
}

/* In a folder, whose domain is there already. */
static void prepare_create_below(void)
{
	MUST(call_mkdir());
}

static long call_create_below(void)
{
	file = open(FOLDER "/folder/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return file;
}

static void finish_create_below(void)
{
	MUST(unlink(FOLDER "/folder/file"));
	finish_create();
	finish_mkdir();
}

static void test_create_below(void)
{
	static const struct fault_case c = {
		.prepare = prepare_create_below, .call = call_create_below,
		.finish = finish_create_below, .errnos = no_memory_or_copy,
	};

	run_mounted(&c);
}

/* ---- contents ---- */

/* What write() and read() use; the file must hold it. */
static char buf[PAGES * PAGE] __attribute__((aligned(4096)));

static void file_make(const char *name)
{
	file = MUST(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	area = file;
}

static void file_make_full(const char *name)
{
	file_make(name);
	MUST(ftruncate(file, PAGES * PAGE));
	mem = map_area(file, PAGES);
	contents_fill();
}

static void file_make_merged(const char *name)
{
	file_make_full(name);
	ksm_scan_force(file);
	merged_check();
}

static void prepare_empty(void)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		page_fill(page_at(buf, i), seeds[i]);
	file_make(NAME);
}

static void prepare_merged(void)
{
	file_make_merged(NAME);
}

static void file_drop(void)
{
	MUST(unlink(NAME));
	MUST(close(file));
}

static void mapped_drop(void)
{
	MUST(munmap(mem, PAGES * PAGE));
	file_drop();
}

static s64 file_size(void)
{
	struct stat st;

	MUST(fstat(file, &st));
	return st.st_size;
}

/* Less than was asked for counts as a call that failed: it has no errno of its own. */
static long whole(ssize_t done, size_t len)
{
	if (done == (ssize_t)len)
		return 0;
	if (done >= 0)
		errno = EFAULT;
	return -1;
}

static long call_write(void)
{
	return whole(pwrite(file, buf, sizeof(buf), 0), sizeof(buf));
}

/* As far as the file goes, it holds what was written. */
static void check_write(int err)
{
	static char got[sizeof(buf)];
	s64 size = file_size();

	CHECK_EQ(pread(file, got, sizeof(got), 0), size);
	CHECK(!memcmp(got, buf, size));
	CHECK(ksm_stats(file).pages_private <= (u64)(size + PAGE - 1) / PAGE);
	if (!err)
		CHECK_EQ(size, sizeof(buf));
}

static void finish_write(void)
{
	mem = map_area(file, PAGES);
	contents_check();
	ksm_scan_force(file);
	merged_check();
	mapped_drop();
}

static void test_write(void)
{
	static const struct fault_case c = {
		.prepare = prepare_empty, .call = call_write,
		.check = check_write, .finish = finish_write,
		.errnos = no_memory_or_copy,
	};

	run_mounted(&c);
}

/* Over pages that share frames, with what they hold. */
static void prepare_rewrite(void)
{
	prepare_merged();
	memcpy(buf, mem, sizeof(buf));
}

static void check_rewrite(int err)
{
	contents_check();
	if (!err)
		CHECK_EQ(ksm_stats(file).pages_private, PAGES);
}

static void finish_rewrite(void)
{
	ksm_scan_force(file);
	merged_check();
	mapped_drop();
}

static void test_rewrite(void)
{
	static const struct fault_case c = {
		.prepare = prepare_rewrite, .call = call_write,
		.check = check_rewrite, .finish = finish_rewrite,
		.errnos = no_memory_or_copy,
	};

	run_mounted(&c);
}

static long call_read(void)
{
	return whole(pread(file, buf, sizeof(buf), 0), sizeof(buf));
}

static void check_read(int err)
{
	contents_check();
	if (!err)
		CHECK(!memcmp(buf, mem, sizeof(buf)));
}

static void test_read(void)
{
	static const struct fault_case c = {
		.prepare = prepare_merged, .call = call_read,
		.check = check_read, .finish = finish_rewrite,
		.errnos = no_memory_or_copy,
	};

	run_mounted(&c);
}

/* ---- sizes and holes ---- */

#define CUT	4UL		/* a shared page */
#define CUT_AT	(CUT * PAGE + 100)

/* Page @i as it was up to @from, zeroes up to @to, as it was from there on. */
static void check_zeroed(unsigned long i, unsigned int from, unsigned int to)
{
	static char want[PAGE];

	page_fill(want, seeds[i]);
	memset(want + from, 0, to - from);
	CHECK(!memcmp(page_at(mem, i), want, PAGE));
}

static void check_same(unsigned long first, unsigned long end)
{
	for (; first < end; first++)
		CHECK(page_holds(page_at(mem, first), seeds[first]));
}

/* Within a shared page, which needs a copy: all of it, or nothing. */
static long call_cut(void)
{
	return ftruncate(file, CUT_AT);
}

static void check_cut(int err)
{
	if (err) {
		CHECK_EQ(file_size(), PAGES * PAGE);
		contents_check();
		return;
	}
	CHECK_EQ(file_size(), CUT_AT);
	check_same(0, CUT);
	check_zeroed(CUT, CUT_AT % PAGE, PAGE);
}

static void finish_cut(void)
{
	MUST(ftruncate(file, PAGES * PAGE));
	check_zeroed(CUT, CUT_AT % PAGE, PAGE);
	pages_check(page_at(mem, CUT + 1), PAGES - CUT - 1, 0, 0);
	contents_fill();
	finish_rewrite();
}

static void test_cut(void)
{
	static const struct fault_case c = {
		.prepare = prepare_merged, .call = call_cut,
		.check = check_cut, .finish = finish_cut,
		.errnos = no_memory,
	};

	run_mounted(&c);
}

/* From within a page that a mapping wrote to behind the end, and that shares its frame. */
static void prepare_extend(void)
{
	prepare_merged();
	MUST(ftruncate(file, CUT_AT));
	memset(page_at(mem, CUT - 1), 0xff, 2 * PAGE);
	ksm_scan_force(file);
	CHECK_EQ(ksm_stats(file).pages_merged, CUT);
}

static long call_extend(void)
{
	return ftruncate(file, PAGES * PAGE);
}

static void check_extend(int err)
{
	unsigned int i;

	check_same(0, CUT - 1);
	if (err) {
		CHECK_EQ(file_size(), CUT_AT);
		return;
	}
	CHECK_EQ(file_size(), PAGES * PAGE);
	for (i = 0; i < PAGE; i++)
		CHECK_EQ(page_at(mem, CUT)[i], i < CUT_AT % PAGE ? (char)0xff : 0);
	pages_check(page_at(mem, CUT + 1), PAGES - CUT - 1, 0, 0);
}

static void finish_holes(void)
{
	contents_fill();
	finish_rewrite();
}

static void test_extend(void)
{
	static const struct fault_case c = {
		.prepare = prepare_extend, .call = call_extend,
		.check = check_extend, .finish = finish_holes,
		.errnos = no_memory,
	};

	run_mounted(&c);
}

/* Both ends within shared pages, of which each is as it was, or has its hole. */
static long call_punch(void)
{
	return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, CUT_AT,
			 2 * PAGE);
}

static void check_punch(int err)
{
	CHECK_EQ(file_size(), PAGES * PAGE);
	check_same(0, CUT);
	check_same(CUT + 3, PAGES);
	if (err)
		return;
	check_zeroed(CUT, CUT_AT % PAGE, PAGE);
	CHECK(page_holds(page_at(mem, CUT + 1), 0));
	check_zeroed(CUT + 2, 0, CUT_AT % PAGE);
}

static void test_punch(void)
{
	static const struct fault_case c = {
		.prepare = prepare_merged, .call = call_punch,
		.check = check_punch, .finish = finish_holes,
		.errnos = no_memory,
	};

	run_mounted(&c);
}

static long call_zero(void)
{
	return fallocate(file, FALLOC_FL_ZERO_RANGE, CUT_AT, 2 * PAGE);
}

static void test_zero(void)
{
	static const struct fault_case c = {
		.prepare = prepare_merged, .call = call_zero,
		.check = check_punch, .finish = finish_holes,
		.errnos = no_memory,
	};

	run_mounted(&c);
}

/* Each page gets a frame; those that are there stay as they are. */
static long call_allocate(void)
{
	return fallocate(file, 0, 0, 2 * PAGES * PAGE);
}

static void check_allocate(int err)
{
	struct ksm_stats stats = ksm_stats(file);

	contents_check();
	CHECK_EQ(file_size(), (err ? 1 : 2) * PAGES * PAGE);
	if (err)
		return;
	CHECK_EQ(stats.pages_private + stats.pages_merged + stats.ksm_zero_pages, 2 * PAGES);
}

static void finish_allocate(void)
{
	MUST(ftruncate(file, PAGES * PAGE));
	finish_rewrite();
}

static void test_allocate(void)
{
	static const struct fault_case c = {
		.prepare = prepare_merged, .call = call_allocate,
		.check = check_allocate, .finish = finish_allocate,
		.errnos = no_memory,
	};

	run_mounted(&c);
}

/* ---- mappings ---- */

/* A fault of a private mapping reads the file's page and copies it. */
static char *copy;

static void prepare_private(void)
{
	prepare_merged();
	copy = (char *)MUST(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				 file, 0));
}

static long call_private(void)
{
	page_fill(page_at(copy, CUT), 7);
	return 0;
}

static void check_private(int err)
{
	(void)err;
	contents_check();
	CHECK(page_holds(page_at(copy, CUT), 7));
	CHECK(page_holds(page_at(copy, CUT + 1), seeds[CUT + 1]));
}

static void finish_private(void)
{
	MUST(munmap(copy, PAGES * PAGE));
	finish_rewrite();
}

static void test_private(void)
{
	static const struct fault_case c = {
		.prepare = prepare_private, .call = call_private,
		.check = check_private, .finish = finish_private,
		.errnos = none, .silent = true,
	};

	run_mounted(&c);
}

/* ---- the table ---- */

#define TEST(name, run) { name ": each failure leaves all as it was", run }

static const struct tap_test tests[] = {
	TEST("mount()", test_mount),
	TEST("umount() with a file", test_umount),
	TEST("open() of a new file", test_create),
	TEST("open() of a new file in a folder", test_create_below),
	TEST("open() with O_TMPFILE", test_tmpfile),
	TEST("mkdir()", test_mkdir),
	TEST("write()", test_write),
	TEST("write() to shared pages", test_rewrite),
	TEST("read() of shared pages", test_read),
	TEST("ftruncate() within a shared page", test_cut),
	TEST("ftruncate() to more", test_extend),
	TEST("fallocate() that makes a hole", test_punch),
	TEST("fallocate() that makes zeroes", test_zero),
	TEST("fallocate()", test_allocate),
	TEST("write to a private mapping", test_private),
	{ "after all failures no frame of the module is left", fault_frames_check },
};

/* In a mount namespace of its own: what a test that fails leaves goes with it. */
static void setup(void)
{
	ksm_quiet();
	MUST(unshare(CLONE_NEWNS));
	MUST(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

int main(int argc, char **argv)
{
	int ret;

	fault_find_module("ksmdev");
	fault_frames_start();
	mkdir(FOLDER, 0755);
	ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), setup);
	rmdir(FOLDER);
	return ret;
}
