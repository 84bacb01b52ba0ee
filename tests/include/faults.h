/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that runs out at each single place where a call asks for it: the call
 * is made again and again, and the first, the second, ... request fails, until
 * a call asks for less than that.  Whatever then happened: the error is one of
 * those documented, nothing is lost, nothing stays, and the same call works.
 *
 * Needs a kernel with fault injection (./lab run svm debug); the tests skip on
 * others.  See Documentation/fault-injection/fault-injection.rst of the kernel.
 * With FAULTS=off in the environment each call is made once, on any kernel, and
 * nothing fails.
 *
 * Who includes it defines fault_counters[]: what has to be as before when a
 * call and what it made are gone.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "tap.h"

#define FAULTS_DEBUGFS	"/sys/kernel/debug/"
/* No call of the tests asks for memory that often. */
#define FAULTS_MAX	3000

/**
 * struct fault_counter - a number that tells whether something was left behind
 * @name:	for messages
 * @read:	the value, now
 */
struct fault_counter {
	const char *name;
	s64 (*read)(const char *name);
};

#define FAULT_COUNTERS_MAX 32
static const struct fault_counter fault_counters[];
static unsigned int fault_counters_count(void);

/**
 * struct fault_case - a call, and what must hold around it
 * @prepare:	makes what the call needs; may be NULL
 * @call:	-1 with errno; after a failure it is called again, without one
 * @check:	what holds after it, failed (@err) or not (0); may be NULL
 * @finish:	takes back what @prepare and a successful @call made; or NULL
 * @errnos:	that it may give, ended by 0
 * @silent:	it asks for no memory, or copes without: no failure expected
 * @only_module: requests that do not come from the module are left alone
 */
struct fault_case {
	void (*prepare)(void);
	long (*call)(void);
	void (*check)(int err);
	void (*finish)(void);
	const int *errnos;
	bool silent;
	bool only_module;
};

/* ---- files ---- */

static inline int fault_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		tap_fail("%s: %s", path, strerrorname_np(errno));
	return fd;
}

/* Attributes, which have no position: not pwrite(). */
static inline void fault_put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		tap_fail("writing \"%s\": %s", text, strerrorname_np(errno));
}

static inline void fault_set(const char *attr, const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), FAULTS_DEBUGFS "%s/%s", attr, file);
	fd = fault_file(path, O_WRONLY);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		tap_fail("writing \"%s\" to %s: %s", text, path,
			 strerrorname_np(errno));
	close(fd);
}

static inline s64 fault_number(const char *path)
{
	char text[64] = "";
	int fd = fault_file(path, O_RDONLY);

	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtoll(text, NULL, 0);
}

/* ---- which requests count ---- */

static const char *fault_module;
static unsigned long fault_text_start, fault_text_end;

/* The functions whose line in /proc/kallsyms contains @tag, each of @size. */
static inline void fault_find_functions(const char *tag, unsigned long size)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	unsigned long address;
	char line[512], type;

	if (!symbols)
		return;
	fault_text_start = ~0UL;
	fault_text_end = 0;
	while (fgets(line, sizeof(line), symbols)) {
		if (!strstr(line, tag) ||
		    sscanf(line, "%lx %c", &address, &type) != 2 ||
		    (type != 't' && type != 'T'))
			continue;
		if (address < fault_text_start)
			fault_text_start = address;
		if (address + size > fault_text_end)
			fault_text_end = address + size;
	}
	fclose(symbols);
}

/* Where the module's functions are. */
static inline void fault_find_module(const char *module)
{
	char tag[64];

	fault_module = module;
	snprintf(tag, sizeof(tag), "\t[%s]", module);
	fault_find_functions(tag, 4096);
}

static const char *const fault_attrs[] = {
	"failslab", "fail_page_alloc", "fail_usercopy",
};

/* All requests, or those that come from the module. */
static inline void fault_filter(bool module)
{
	char start[32], end[32];
	unsigned int i;

	snprintf(start, sizeof(start), "%#lx", module ? fault_text_start : 0);
	snprintf(end, sizeof(end), "%#lx", module ? fault_text_end : ~0UL);
	for (i = 0; i < ARRAY_SIZE(fault_attrs); i++) {
		fault_set(fault_attrs[i], "stacktrace-depth", module ? "32" : "0");
		fault_set(fault_attrs[i], "require-start", start);
		fault_set(fault_attrs[i], "require-end", end);
	}
}

static inline bool fault_off(void)
{
	return !strcmp(getenv("FAULTS") ?: "", "off");
}

/* What comes in pairs, and the cache of those nodes. */
enum { FAULT_PAGES, FAULT_NODES, FAULT_KINDS };

static const char *const fault_kind[] = { "fail_page_alloc", "failslab" };

#define FAULT_CACHE	"/sys/kernel/slab/radix_tree_node/"

static inline void fault_cache_choose(void)
{
	int fd = fault_file(FAULT_CACHE "failslab", O_WRONLY);

	fault_put(fd, "1");
	close(fd);
}

/* Injection as the tests need it; they skip where there is none. */
static inline void fault_setup(void)
{
	unsigned int i;

	if (fault_off())
		return;
	if (access("/proc/self/fail-nth", F_OK) ||
	    access(FAULTS_DEBUGFS "failslab/stacktrace-depth", F_OK))
		tap_skip("this kernel has no fault injection: ./lab run svm debug");
	if (!fault_text_end)
		tap_fail("no symbol of %s in /proc/kallsyms: not loaded?",
			 fault_module);
	for (i = 0; i < ARRAY_SIZE(fault_attrs); i++) {
		fault_set(fault_attrs[i], "verbose", "0");
		fault_set(fault_attrs[i], "probability", "0");
	}
	fault_cache_choose();
	for (i = 0; i < FAULT_KINDS; i++) {
		fault_set(fault_kind[i], "task-filter", "Y");
		fault_set(fault_kind[i], "times", "0");
		fault_set(fault_kind[i], "probability", "100");
	}
	fault_set("failslab", "ignore-gfp-wait", "N");
	fault_set("fail_page_alloc", "ignore-gfp-wait", "N");
	fault_set("fail_page_alloc", "ignore-gfp-highmem", "N");
	fault_set("fail_page_alloc", "min-order", "0");
}

/* ---- the ways to fail ---- */

/**
 * struct fault_way - how requests of this task fail
 * @name:	for messages
 * @module:	only requests that come from the module count
 * @arm:	the @n-th request from now on is to fail
 * @disarm:	true if it did
 */
struct fault_way {
	const char *name;
	bool module;
	void (*arm)(unsigned int n);
	bool (*disarm)(void);
};

static int fault_nth_fd = -1, fault_task_fd, fault_filter_fd;
static int fault_times_fd[FAULT_KINDS], fault_space_fd[FAULT_KINDS];
static s64 fault_unit[FAULT_KINDS];

static inline void fault_open(void)
{
	unsigned int i;
	char path[64];

	fault_nth_fd = fault_file("/proc/thread-self/fail-nth", O_RDWR);
	fault_task_fd = fault_file("/proc/thread-self/make-it-fail", O_WRONLY);
	fault_filter_fd = fault_file(FAULTS_DEBUGFS "failslab/cache-filter", O_WRONLY);
	fault_unit[FAULT_PAGES] = 1;
	fault_unit[FAULT_NODES] = fault_number(FAULT_CACHE "object_size");
	for (i = 0; i < FAULT_KINDS; i++) {
		snprintf(path, sizeof(path), FAULTS_DEBUGFS "%s/times", fault_kind[i]);
		fault_times_fd[i] = fault_file(path, O_WRONLY);
		snprintf(path, sizeof(path), FAULTS_DEBUGFS "%s/space", fault_kind[i]);
		fault_space_fd[i] = fault_file(path, O_WRONLY);
	}
}

/* One request, for memory of any kind or for a copy from or to userspace. */
static inline void fault_nth_arm(unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	fault_put(fault_nth_fd, text);
}

/*
 * What is left of the count is still armed: the copies that these calls make
 * may be the ones that fail.
 */
static inline bool fault_nth_disarm(void)
{
	char text[16] = "";
	ssize_t len = pread(fault_nth_fd, text, sizeof(text) - 1, 0);
	bool left = len < 0 || strtoul(text, NULL, 10);

	if (write(fault_nth_fd, "0", 1) != 1)
		fault_put(fault_nth_fd, "0");
	return !left;
}

/*
 * Two requests in a row, for pages or for nodes of XArrays: the second one often
 * makes up for the first.  "space" is what passes before, in pages or bytes.
 */
#define FAULT_PAIR 2

static inline void fault_pair_arm(unsigned int kind, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%llu",
		 (n - 1) * (unsigned long long)fault_unit[kind] + 1);
	fault_put(fault_space_fd[kind], text);
	snprintf(text, sizeof(text), "%u", FAULT_PAIR);
	fault_put(fault_times_fd[kind], text);
	fault_put(fault_task_fd, "1");
}

static inline bool fault_pair_disarm(unsigned int kind)
{
	char path[64];
	s64 left;

	fault_put(fault_task_fd, "0");
	snprintf(path, sizeof(path), FAULTS_DEBUGFS "%s/times", fault_kind[kind]);
	left = fault_number(path);
	fault_put(fault_times_fd[kind], "0");
	return left != FAULT_PAIR;
}

static inline void fault_pages_arm(unsigned int n)
{
	fault_pair_arm(FAULT_PAGES, n);
}

static inline bool fault_pages_disarm(void)
{
	return fault_pair_disarm(FAULT_PAGES);
}

static inline void fault_nodes_arm(unsigned int n)
{
	fault_put(fault_filter_fd, "Y");
	fault_pair_arm(FAULT_NODES, n);
}

static inline bool fault_nodes_disarm(void)
{
	bool failed = fault_pair_disarm(FAULT_NODES);

	fault_put(fault_filter_fd, "N");
	return failed;
}

static const struct fault_way fault_ways[] = {
	{ "one in the module", true, fault_nth_arm, fault_nth_disarm },
	{ "one anywhere", false, fault_nth_arm, fault_nth_disarm },
	{ "two pages in the module", true, fault_pages_arm, fault_pages_disarm },
	{ "two nodes in the module", true, fault_nodes_arm, fault_nodes_disarm },
};

/* ---- counters ---- */

static inline s64 fault_module_users(const char *unused)
{
	char path[128];

	(void)unused;
	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", fault_module);
	return fault_number(path);
}

struct fault_state {
	s64 value[FAULT_COUNTERS_MAX];
};

static inline struct fault_state fault_state(void)
{
	struct fault_state s = { };
	unsigned int i;

	for (i = 0; i < fault_counters_count(); i++)
		s.value[i] = fault_counters[i].read(fault_counters[i].name);
	return s;
}

/* Which failure, for messages. */
struct fault_at {
	const struct fault_way *way;
	unsigned int n;
};

static struct fault_at fault_at;

static inline void fault_state_check(const struct fault_state *before)
{
	struct fault_state now = fault_state();
	unsigned int i;

	for (i = 0; i < fault_counters_count(); i++)
		if (now.value[i] != before->value[i])
			tap_fail("failure %u (%s): %s: expected %lld as before, got %lld",
				 fault_at.n, fault_at.way->name,
				 fault_counters[i].name,
				 (long long)before->value[i],
				 (long long)now.value[i]);
}

/* ---- the loop ---- */

/* What a call did, and whether a request in it failed. */
struct fault_result {
	long ret;
	int err;
	bool injected;
};

static inline struct fault_result fault_call(const struct fault_case *c)
{
	struct fault_result r;

	fault_at.way->arm(fault_at.n);
	errno = 0;
	r.ret = c->call();
	r.err = errno;
	r.injected = fault_at.way->disarm();
	return r;
}

static inline void fault_check_errno(const struct fault_case *c, int err)
{
	const int *want;

	for (want = c->errnos; *want; want++)
		if (*want == err)
			return;
	tap_fail("failure %u (%s): expected %s, got %s", fault_at.n,
		 fault_at.way->name,
		 *c->errnos ? "one of the documented errors" : "success",
		 strerrorname_np(err));
}

static inline void fault_check(const struct fault_case *c, int err)
{
	if (c->check)
		c->check(err);
}

/* The call with one failure, and all that must hold then. */
static inline struct fault_result fault_try(const struct fault_case *c)
{
	struct fault_state before = fault_state();
	struct fault_result r;

	if (c->prepare)
		c->prepare();
	r = fault_call(c);
	if (r.ret != -1) {
		fault_check(c, 0);
	} else {
		if (!r.injected)
			tap_fail("call %u (%s): nothing was made to fail: expected success, got %s",
				 fault_at.n, fault_at.way->name,
				 strerrorname_np(r.err));
		fault_check_errno(c, r.err);
		fault_check(c, r.err);
		if (c->call() == -1)
			tap_fail("after failure %u (%s, %s): expected success, got %s",
				 fault_at.n, fault_at.way->name,
				 strerrorname_np(r.err), strerrorname_np(errno));
		fault_check(c, 0);
	}
	if (c->finish)
		c->finish();
	fault_state_check(&before);
	return r;
}

static inline void fault_run_way(const struct fault_case *c,
				 const struct fault_way *way)
{
	unsigned int injected = 0, failed = 0;
	struct fault_result r;

	fault_filter(way->module);
	fault_at.way = way;
	for (fault_at.n = 1; fault_at.n < FAULTS_MAX; fault_at.n++) {
		r = fault_try(c);
		if (!r.injected)
			break;
		injected++;
		failed += r.ret == -1;
	}
	fault_filter(false);
	CHECK(fault_at.n < FAULTS_MAX);
	tap_note("%s: %u failures injected, %u calls failed", way->name, injected,
		 failed);
	if (!injected && way == fault_ways && !c->silent)
		tap_fail("expected the module to ask for memory or to copy, got no such request");
}

static inline void fault_none_arm(unsigned int n)
{
	(void)n;
}

static inline bool fault_none_disarm(void)
{
	return false;
}

static inline void fault_run_off(const struct fault_case *c)
{
	static const struct fault_way way = {
		"none", false, fault_none_arm, fault_none_disarm,
	};

	fault_at.way = &way;
	fault_try(c);
}

static inline void fault_run(const struct fault_case *c)
{
	unsigned int i;

	if (fault_off()) {
		fault_run_off(c);
		return;
	}
	fault_setup();
	fault_open();
	for (i = 0; i < ARRAY_SIZE(fault_ways); i++)
		if (fault_ways[i].module || !c->only_module)
			fault_run_way(c, &fault_ways[i]);
}

/* ---- loading the module ---- */

static inline void fault_unload(void)
{
	MUST(syscall(SYS_delete_module, fault_module, O_NONBLOCK));
}

static inline long fault_load(void)
{
	struct utsname kernel;
	char path[256];
	long ret;
	int fd;

	MUST(uname(&kernel));
	snprintf(path, sizeof(path), "/lib/modules/%s/extra/%s.ko",
		 kernel.release, fault_module);
	fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	ret = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return ret;
}

/*
 * The module is loaded again and again; only what its init function asks for
 * fails.  Its functions are elsewhere after that: for the end of a program.
 */
static inline void fault_load_test(void)
{
	static const int no_memory[] = { ENOMEM, 0 };
	static const struct fault_case c = {
		.prepare = fault_unload, .call = fault_load,
		.errnos = no_memory, .only_module = true,
	};

	/* Some hundred times, and a second for each. */
	alarm(10 * TAP_TIMEOUT);
	fault_setup();
	fault_find_functions(" do_one_initcall\n", 0x800);
	fault_run(&c);
}

/* ---- frames, by page_owner ---- */

#define FAULT_STACKS FAULTS_DEBUGFS "page_owner_stacks/show_stacks"

/*
 * Pages that were allocated in a call of the module and are not free.  Those of
 * slabs, per-CPU memory and the detectors' own records are not the module's.
 * -1: the kernel does not tell (page_owner=on).
 */
static inline s64 fault_frames_owned(bool print)
{
	static const char *const not_ours[] = {
		"slab", "pcpu_", "stack_depot", "kasan_",
	};
	char line[256], tag[64], stack[4096];
	FILE *stacks = fopen(FAULT_STACKS, "re");
	bool ours = false, other = false;
	s64 pages = 0, nr;
	unsigned int i;

	if (!stacks)
		return -1;
	snprintf(tag, sizeof(tag), "[%s]", fault_module);
	stack[0] = '\0';
	while (fgets(line, sizeof(line), stacks)) {
		ours |= !!strstr(line, tag);
		for (i = 0; i < ARRAY_SIZE(not_ours); i++)
			other |= !!strstr(line, not_ours[i]);
		if (sscanf(line, "nr_base_pages: %lld", (long long *)&nr) != 1) {
			if (strlen(stack) + strlen(line) + 2 < sizeof(stack))
				strcat(strcat(stack, "#"), line);
			continue;
		}
		if (ours && !other) {
			pages += nr;
			if (print)
				printf("# %lld pages:\n%s", (long long)nr, stack);
		}
		ours = false;
		other = false;
		stack[0] = '\0';
	}
	fclose(stacks);
	return pages;
}

static s64 fault_frames_before = -1;

static inline void fault_frames_start(void)
{
	fault_frames_before = fault_frames_owned(false);
}

/* The last test of a program. */
static inline void fault_frames_check(void)
{
	s64 now;

	if (fault_frames_before < 0)
		tap_skip("this kernel does not know who owns a page: boot it with page_owner=on");
	now = fault_frames_owned(false);
	tap_note("pages of the module: %lld before all tests, %lld after",
		 (long long)fault_frames_before, (long long)now);
	if (now > fault_frames_before)
		fault_frames_owned(true);
	CHECK(now <= fault_frames_before);
}

#endif /* FAULTS_H */
