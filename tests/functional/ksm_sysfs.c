// SPDX-License-Identifier: GPL-2.0
/*
 * The control files of /dev/ksm, its scan threads, its statistics.
 */
#define _GNU_SOURCE
#include "ksm_test.h"

static const char *const read_only_files[] = {
	"pages_shared", "pages_sharing", "pages_unshared", "pages_volatile",
	"ksm_zero_pages", "pages_scanned", "pages_skipped",
	"pages_merged_total", "cow_breaks", "full_scans", "general_profit",
	"metadata_bytes", "pages_spare", "areas", "domains", "scan_cpu_ns",
};

static const char *const read_write_files[] = {
	"run", "advisor_mode", "advisor_max_cpu", "pages_to_scan",
	"sleep_millisecs", "rest_millisecs", "scan_threads", "use_zero_pages",
	"merge_across_nodes", "max_page_sharing",
};

static const struct {
	const char *name, *value;
} good_values[] = {
	{ "run", "1" }, { "run", "2" }, { "run", "0" },
	{ "advisor_max_cpu", "1" }, { "advisor_max_cpu", "6400" },
	{ "pages_to_scan", "1" }, { "pages_to_scan", "4294967295" },
	{ "sleep_millisecs", "0" }, { "sleep_millisecs", "1000" },
	{ "rest_millisecs", "0" }, { "rest_millisecs", "30000" },
	{ "scan_threads", "64" }, { "scan_threads", "1" },
	{ "use_zero_pages", "0" }, { "use_zero_pages", "1" },
	{ "merge_across_nodes", "0" }, { "merge_across_nodes", "1" },
	{ "max_page_sharing", "2" }, { "max_page_sharing", "1000" },
};

static const struct {
	const char *name, *value;
} bad_values[] = {
	{ "run", "3" }, { "run", "-1" }, { "run", "x" }, { "run", "" },
	{ "run", "1x" }, { "run", "99999999999999999999" },
	{ "advisor_mode", "scan-time" }, { "advisor_mode", "" },
	{ "advisor_mode", "cpu" }, { "advisor_mode", "none none" },
	{ "advisor_max_cpu", "0" }, { "advisor_max_cpu", "6401" },
	{ "advisor_max_cpu", "-1" }, { "advisor_max_cpu", "many" },
	{ "pages_to_scan", "0" }, { "pages_to_scan", "4294967296" },
	{ "pages_to_scan", "-1" }, { "pages_to_scan", "x" },
	{ "sleep_millisecs", "-1" }, { "sleep_millisecs", "4294967296" },
	{ "sleep_millisecs", "x" },
	{ "rest_millisecs", "-1" }, { "rest_millisecs", "30001" },
	{ "rest_millisecs", "x" },
	{ "scan_threads", "0" }, { "scan_threads", "65" },
	{ "scan_threads", "-1" }, { "scan_threads", "x" },
	{ "use_zero_pages", "2" }, { "use_zero_pages", "x" },
	{ "merge_across_nodes", "2" }, { "merge_across_nodes", "x" },
	{ "max_page_sharing", "1" }, { "max_page_sharing", "0" },
	{ "max_page_sharing", "-1" }, { "max_page_sharing", "x" },
};

/* ---- values ---- */

static void test_good_values(void)
{
	char text[64], want[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good_values); i++) {
		ksm_set(good_values[i].name, good_values[i].value);
		ksm_text(good_values[i].name, text, sizeof(text));
		snprintf(want, sizeof(want), "%s\n", good_values[i].value);
		if (strcmp(text, want))
			tap_fail("%s: expected %s, got %s", good_values[i].name,
				 good_values[i].value, text);
	}
}

static void check_bad_value(const char *name, const char *value)
{
	char old[64], now[64];
	int ret;

	ksm_text(name, old, sizeof(old));
	ret = ksm_try_set(name, value[0] ? value : "\n");
	if (ret != -EINVAL && ret != -ERANGE)
		tap_fail("%s to %s: expected EINVAL or ERANGE, got %s", value,
			 name, ret ? strerrorname_np(-ret) : "success");
	ksm_text(name, now, sizeof(now));
	if (strcmp(old, now))
		tap_fail("%s to %s: expected the value to stay %s, got %s",
			 value, name, old, now);
}

static void test_bad_values(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_values); i++)
		check_bad_value(bad_values[i].name, bad_values[i].value);
}

static void test_advisor_mode(void)
{
	char text[64];

	ksm_text("advisor_mode", text, sizeof(text));
	CHECK(strstr(text, "[cpu-budget]") && strstr(text, "none"));
	CHECK(!strstr(text, "[none]"));
	ksm_set("advisor_mode", "none");
	ksm_text("advisor_mode", text, sizeof(text));
	CHECK(strstr(text, "[none]") && strstr(text, "cpu-budget"));
	CHECK(!strstr(text, "[cpu-budget]"));
	ksm_set("advisor_mode", "cpu-budget\n");
	ksm_text("advisor_mode", text, sizeof(text));
	CHECK(strstr(text, "[cpu-budget]"));
}

static void test_read_only_files(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(read_only_files); i++) {
		char text[64], *end;

		ksm_text(read_only_files[i], text, sizeof(text));
		strtoll(text, &end, 10);
		if (end == text || strcmp(end, "\n"))
			tap_fail("%s: expected a number, got '%s'",
				 read_only_files[i], text);
		CHECK_EQ(ksm_try_set(read_only_files[i], "1"), -EACCES);
	}
}

static void test_control_files(void)
{
	char path[128];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(read_write_files); i++) {
		ksm_path(path, sizeof(path), read_write_files[i]);
		MUST(access(path, R_OK | W_OK));
	}
}

static void ordinary_user(void)
{
	unsigned int i;

	become(65534);
	for (i = 0; i < ARRAY_SIZE(read_write_files); i++)
		CHECK_EQ(ksm_try_set(read_write_files[i], "1"), -EACCES);
}

static void test_ordinary_user(void)
{
	tap_as_user(ordinary_user);
}

static void test_merge_across_nodes_busy(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 10);

	pages_fill(mem, 10, 5, 0);
	ksm_scan(fd);
	CHECK_EQ(ksm_try_set("merge_across_nodes", "0"), -EBUSY);
	CHECK_EQ(ksm_get("merge_across_nodes"), 1);
	ksm_set("run", "2");
	ksm_set("merge_across_nodes", "0");
	CHECK_EQ(ksm_get("merge_across_nodes"), 0);
	ksm_set("merge_across_nodes", "1");
}

/* ---- scan threads ---- */

static void check_background(const char *mode, const char *threads)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 3000);
	s64 cpu = ksm_get("scan_cpu_ns");

	ksm_quiet();
	ksm_set("advisor_mode", mode);
	ksm_set("advisor_max_cpu", "400");
	ksm_set("pages_to_scan", "1000");
	ksm_set("sleep_millisecs", "1");
	ksm_set("scan_threads", threads);
	pages_fill(mem, 2000, 5, 0);
	pages_fill(page_at(mem, 2000), 500, 100, 1);
	pages_fill(page_at(mem, 2500), 500, 0, 0);
	ksm_set("run", "1");
	CHECK_SOON(ksm_stats(fd).pages_merged == 2000 &&
		   ksm_stats(fd).ksm_zero_pages == 500 &&
		   ksm_domain_stats(fd).pages_unshared == 500);
	pages_check(mem, 2000, 5, 0);
	pages_check(page_at(mem, 2000), 500, 100, 1);
	pages_check(page_at(mem, 2500), 500, 0, 0);
	CHECK(ksm_get("scan_cpu_ns") > cpu);
	pages_fill(page_at(mem, 2500), 500, 100, 1);
	CHECK_SOON(ksm_stats(fd).pages_merged == 3000);
	pages_check(page_at(mem, 2000), 500, 100, 1);
	pages_check(page_at(mem, 2500), 500, 100, 1);
	ksm_set("run", "0");
	MUST(munmap(mem, 3000 * PAGE));
	close(fd);
}

static void test_background_budget(void)
{
	check_background("cpu-budget", "1");
	check_background("cpu-budget", "2");
	check_background("cpu-budget", "4");
}

static void test_background_none(void)
{
	check_background("none", "1");
	check_background("none", "3");
	check_background("none", "4");
}

/* With run at 0 nothing is scanned. */
static void test_stopped(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 600);
	s64 scanned;

	ksm_set("advisor_max_cpu", "400");
	ksm_set("run", "1");
	pages_fill(mem, 600, 5, 0);
	CHECK_SOON(ksm_stats(fd).pages_merged == 600);
	ksm_set("run", "0");
	scanned = ksm_get("pages_scanned");
	pages_fill(mem, 300, 6, 1);
	sleep_ms(1500);
	CHECK_EQ(ksm_get("pages_scanned"), scanned);
	CHECK_EQ(ksm_get("pages_sharing"),
		 300 - ksm_domain_stats(fd).pages_shared);
}

/* An idle area costs no visits. */
static void test_idle(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 600);
	s64 scanned;

	ksm_set("advisor_max_cpu", "400");
	ksm_set("run", "1");
	pages_fill(mem, 600, 5, 1);
	CHECK_SOON(ksm_domain_stats(fd).pages_unshared == 600);
	scanned = ksm_get("pages_scanned");
	sleep_ms(500);
	CHECK_EQ(ksm_get("pages_scanned"), scanned);
}

/* Threads come and go under load. */
static void test_thread_numbers(void)
{
	static const char *const numbers[] = { "8", "1", "3", "64", "2", "1" };
	int fd = ksm_open_private();
	char *mem = map_area(fd, 2000);
	unsigned int i;

	ksm_set("advisor_max_cpu", "6400");
	ksm_set("rest_millisecs", "0");
	ksm_set("run", "1");
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		pages_fill(mem, 2000, 1000 * i + 5, i & 1);
		ksm_set("scan_threads", numbers[i]);
		pages_check(mem, 2000, 1000 * i + 5, i & 1);
	}
	ksm_set("run", "0");
	ksm_set("run", "1");
	pages_fill(mem, 2000, 7, 0);
	CHECK_SOON(ksm_stats(fd).pages_merged == 2000);
	pages_check(mem, 2000, 7, 0);
}

/* A pass over @pages pages is under way, whose threads were told to do it in one go. */
static char *begin_long_pass(int fd, unsigned int pages, const char *threads)
{
	s64 before = ksm_get("pages_scanned");
	char *mem = map_area(fd, pages);

	ksm_set("advisor_mode", "none");
	ksm_set("pages_to_scan", "4294967295");
	ksm_set("scan_threads", threads);
	ksm_set("rest_millisecs", "0");
	pages_fill(mem, pages, 5, 0);
	ksm_set("run", "1");
	while (ksm_get("pages_scanned") == before)
		;
	return mem;
}

#define LONG_PASS 60000

/* When the write to run returns, the threads have stopped, in the middle of a pass. */
static void test_stopped_at_once(void)
{
	s64 before = ksm_get("pages_scanned"), scanned;
	int fd = ksm_open_private();

	begin_long_pass(fd, LONG_PASS, "2");
	ksm_set("run", "0");
	scanned = ksm_get("pages_scanned");
	tap_note("%lld of %d pages scanned", (long long)(scanned - before), LONG_PASS);
	CHECK(scanned - before < LONG_PASS);
	sleep_ms(200);
	CHECK_EQ(ksm_get("pages_scanned"), scanned);
	ksm_set("run", "1");
	CHECK_SOON(ksm_stats(fd).pages_merged == LONG_PASS);
}

/* Nothing merges behind the unmerging. */
static void test_unmerged_in_a_pass(void)
{
	int fd = ksm_open_private();
	char *mem = begin_long_pass(fd, LONG_PASS, "2");

	ksm_set("run", "2");
	CHECK_EQ(ksm_stats(fd).pages_merged, 0);
	sleep_ms(200);
	CHECK_EQ(ksm_stats(fd).pages_merged, 0);
	pages_check(mem, LONG_PASS, 5, 0);
}

/* A thread that is to end does not finish the pass before. */
static void test_ended_in_a_pass(void)
{
	s64 before = ksm_get("pages_scanned"), scanned;
	int fd = ksm_open_private();

	begin_long_pass(fd, LONG_PASS, "1");
	ksm_set("scan_threads", "2");
	ksm_set("scan_threads", "1");
	ksm_set("run", "0");
	scanned = ksm_get("pages_scanned") - before;
	tap_note("%lld of %d pages scanned", (long long)scanned, LONG_PASS);
	CHECK(scanned < LONG_PASS);
}

/* A file whose last descriptor and mapping go while all is unmerged. */
static void test_unmerge_beside_close(void)
{
	unsigned int i;
	pid_t pid;
	int fd;

	ksm_check_nothing_left();
	pid = MUST(fork());
	if (!pid) {
		for (;;)
			ksm_set("run", "2");
	}
	for (i = 0; i < 200; i++) {
		char *mem;

		fd = ksm_open_private();
		mem = map_area(fd, 600);
		pages_fill(mem, 600, 5, 0);
		ksm_scan(fd);
		pages_check(mem, 600, 5, 0);
		if (i & 1)
			MUST(munmap(mem, 600 * PAGE));
		close(fd);
		if (!(i & 1))
			MUST(munmap(mem, 600 * PAGE));
	}
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
	ksm_check_nothing_left();
}

/* Who unmerges all can be killed: the rest stays merged, run is 0, all can be done later. */
static void test_unmerge_killed(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, LONG_PASS);
	u64 left;
	pid_t pid;

	pages_fill(mem, LONG_PASS, 5, 0);
	ksm_scan(fd);
	CHECK_EQ(ksm_stats(fd).pages_merged, LONG_PASS);
	pid = MUST(fork());
	if (!pid) {
		ksm_set("run", "2");
		_exit(0);
	}
	/* Others come in meanwhile: these take the locks of all domains and of this one. */
	while (ksm_stats(fd).pages_merged == LONG_PASS)
		;
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
	left = ksm_stats(fd).pages_merged;
	tap_note("%llu of %d pages are still merged", (unsigned long long)left, LONG_PASS);
	CHECK(left);
	CHECK_EQ(ksm_get("run"), 0);
	ksm_set("run", "2");
	CHECK_EQ(ksm_stats(fd).pages_merged, 0);
	pages_check(mem, LONG_PASS, 5, 0);
}

/* Threads, or a domain, that wait for sleep_millisecs see that it was lowered. */
static void check_sleep_lowered(const char *mode)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 2000);

	ksm_quiet();
	ksm_set("advisor_mode", mode);
	ksm_set("advisor_max_cpu", "400");
	ksm_set("pages_to_scan", "1");
	ksm_set("rest_millisecs", "0");
	ksm_set("sleep_millisecs", "4294967295");
	pages_fill(mem, 2000, 5, 0);
	ksm_set("run", "1");
	CHECK_SOON(ksm_stats(fd).pages_merged > 0);
	sleep_ms(500);
	pages_fill(mem, 2000, 6, 0);
	sleep_ms(500);
	CHECK(ksm_stats(fd).pages_merged < 2000);
	ksm_set("sleep_millisecs", "1");
	CHECK_SOON(ksm_stats(fd).pages_merged == 2000);
	ksm_set("run", "0");
	MUST(munmap(mem, 2000 * PAGE));
	close(fd);
}

static void test_sleep_lowered(void)
{
	check_sleep_lowered("none");
	check_sleep_lowered("cpu-budget");
}

/* One percent is for all threads together: each does a chunk, and pauses for long. */
static void test_budget_of_many_threads(void)
{
	s64 before = ksm_get("pages_scanned"), scanned;
	int fd = ksm_open_private();
	char *mem = map_area(fd, LONG_PASS);

	ksm_set("scan_threads", "16");
	ksm_set("advisor_max_cpu", "1");
	ksm_set("rest_millisecs", "0");
	pages_fill(mem, LONG_PASS, 5, 0);
	ksm_set("run", "1");
	sleep_ms(1500);
	ksm_set("run", "0");
	scanned = ksm_get("pages_scanned") - before;
	tap_note("%lld pages scanned", (long long)scanned);
	CHECK(scanned > 0 && scanned < 25000);
}

/* ---- counters of areas and domains ---- */

/* "areas" counts files; a domain is there as long as a file, a descriptor or a directory. */
static void check_counts(s64 areas, s64 domains)
{
	CHECK_EQ(ksm_get("areas"), areas);
	CHECK_EQ(ksm_get("domains"), domains);
}

static void test_areas_and_domains(void)
{
	int a, b, dir, file;
	char *mem;

	ksm_check_nothing_left();
	dir = ksm_create_domain();
	check_counts(0, 1);
	a = ksm_open_joined(dir);
	b = ksm_open_private();
	check_counts(0, 2);
	close(dir);
	check_counts(0, 2);
	file = ksm_get_file(a);
	check_counts(1, 2);
	mem = map_area(a, 1);
	close(ksm_get_file(a));
	check_counts(1, 2);
	map_area(b, 1);
	check_counts(2, 2);
	close(a);
	MUST(munmap(mem, PAGE));
	check_counts(2, 2);
	close(file);
	check_counts(1, 1);
	mem = map_anon(2);
	ksm_range_do(b, KSM_REGISTER, mem, 1);
	ksm_range_do(b, KSM_REGISTER, page_at(mem, 1), 1);
	check_counts(3, 1);
	MUST(munmap(mem, PAGE));
	check_counts(2, 1);
}

static void test_spare(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 8192);

	pages_fill(mem, 8192, 5, 0);
	ksm_scan(fd);
	pages_fill(mem, 8192, 0, 0);
	ksm_scan_force(fd);
	/* Bounded: of 8,192 frames that came free only few are kept. */
	CHECK(ksm_get("pages_spare") >= 0);
	CHECK(ksm_get("pages_spare") <= 4096);
	CHECK(ksm_get("metadata_bytes") >= ksm_get("pages_spare") * 4096);
}

/* ---- debugfs ---- */

#define AREAS_FILE	"/sys/kernel/debug/ksmdev/areas"

static void check_areas_header(const char *line)
{
	static const char *const want[] = {
		"id", "pid", "uid", "domain", "size", "private", "merged",
		"zero", "pending", "cow_breaks", "comm",
	};
	unsigned int i;
	char word[32];
	int len, n;

	for (i = 0; i < ARRAY_SIZE(want); i++, line += len) {
		n = sscanf(line, " %31s%n", word, &len);
		CHECK_EQ(n, 1);
		if (strcmp(word, want[i]))
			tap_fail("column %u: expected %s, got %s", i, want[i],
				 word);
	}
	n = sscanf(line, " %31s", word);
	CHECK_EQ(n, EOF);
}

/* The numbers of the row of a domain with one area, and the name behind. */
static void areas_row(u64 domain, u64 *values, char *comm)
{
	FILE *file = fopen(AREAS_FILE, "re");
	char line[512];
	unsigned int i;

	if (!file)
		tap_fail("expected " AREAS_FILE ", got %s", strerrorname_np(errno));
	CHECK(fgets(line, sizeof(line), file));
	check_areas_header(line);
	do {
		char *at = line;
		int n;

		if (!fgets(line, sizeof(line), file))
			tap_fail("no row of domain %llu in " AREAS_FILE,
				 (unsigned long long)domain);
		for (i = 0; i < 10; i++)
			values[i] = strtoull(at, &at, 10);
		n = sscanf(at, " %63[^\n]", comm);
		CHECK_EQ(n, 1);
	} while (values[3] != domain);
	fclose(file);
}

static void test_debugfs(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, 100), comm[64];
	u64 row[10];
	unsigned int i;

	pages_fill(mem, 30, 100, 1);
	pages_fill(page_at(mem, 30), 20, 5, 0);
	pages_fill(page_at(mem, 50), 10, 0, 0);
	ksm_scan(fd);
	page_fill(page_at(mem, 30), 6);
	areas_row(ksm_stats(fd).domain, row, comm);
	const u64 want[10] = { row[0], getpid(), 0, row[3], 100, 31, 19, 10, 0, 1 };

	for (i = 0; i < 10; i++)
		CHECK_EQ(row[i], want[i]);
	if (strcmp(comm, program_invocation_short_name))
		tap_fail("comm: expected %s, got %s",
			 program_invocation_short_name, comm);
}

/* A name with a newline makes no second row. */
static void test_debugfs_name(void)
{
	int fd = ksm_open_private();
	char old[16], comm[64];
	u64 row[10];

	MUST(prctl(PR_GET_NAME, old));
	MUST(prctl(PR_SET_NAME, "a\n1 2 \\b"));
	map_area(fd, 1);
	MUST(prctl(PR_SET_NAME, old));
	areas_row(ksm_stats(fd).domain, row, comm);
	if (strcmp(comm, "a\\n1 2 \\\\b"))
		tap_fail("comm: expected a\\n1 2 \\\\b, got %s", comm);
}

static u64 meminfo_kib(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	u64 kib = 0;

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			kib = strtoull(line + strlen(name) + 1, NULL, 10);
	fclose(file);
	return kib;
}

/*
 * A thread that is ended before it first ran does nothing for itself: what it
 * was given must come back all the same, here 2 KiB each.  (A kernel with
 * KASAN keeps freed memory for a while; it looks for leaks itself.)
 */
static void test_threads_ended_at_once(void)
{
	bool debug = !access("/sys/kernel/debug/kmemleak", F_OK);
	int i, times = debug ? 100 : 4000;
	u64 before, after;

	ksm_set("run", "0");
	ksm_set("scan_threads", "1");
	before = meminfo_kib("SUnreclaim");
	for (i = 0; i < times; i++) {
		ksm_set("scan_threads", "2");
		ksm_set("scan_threads", "1");
	}
	after = meminfo_kib("SUnreclaim");
	tap_note("SUnreclaim: %llu KiB before, %llu KiB after",
		 (unsigned long long)before, (unsigned long long)after);
	if (!debug)
		CHECK(after < before + 2048);
}

static const struct tap_test tests[] = {
	{ "every value allowed can be written and read", test_good_values },
	{ "bad values are refused and change nothing", test_bad_values },
	{ "advisor_mode shows the active one in brackets", test_advisor_mode },
	{ "statistics are numbers and read-only", test_read_only_files },
	{ "every control file is there", test_control_files },
	{ "an ordinary user can change nothing", test_ordinary_user },
	{ "merge_across_nodes is busy while pages are merged",
	  test_merge_across_nodes_busy },
	{ "scan threads, cpu-budget", test_background_budget },
	{ "scan threads, advisor none", test_background_none },
	{ "run 0 stops scanning", test_stopped },
	{ "run 0 stops a pass under way", test_stopped_at_once },
	{ "run 2 in a pass leaves nothing merged", test_unmerged_in_a_pass },
	{ "scan_threads is lowered in a pass", test_ended_in_a_pass },
	{ "run 2 while files go", test_unmerge_beside_close },
	{ "who writes 2 to run is killed", test_unmerge_killed },
	{ "sleep_millisecs is lowered", test_sleep_lowered },
	{ "advisor_max_cpu is for all threads together", test_budget_of_many_threads },
	{ "an idle area is not visited", test_idle },
	{ "scan_threads changes under load", test_thread_numbers },
	{ "scan threads that end before they run leave nothing",
	  test_threads_ended_at_once },
	{ "areas and domains are counted", test_areas_and_domains },
	{ "spare frames are bounded", test_spare },
	{ "debugfs row of an area", test_debugfs },
	{ "debugfs row of an area whose maker has a newline in its name", test_debugfs_name },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
