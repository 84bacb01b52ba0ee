/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A test program: a table of functions, each run in a process of its own, and
 * TAP on standard output.
 *
 * A test ends at the first failed check; what was expected and what came is
 * printed below its "not ok" line.  Checks also work in processes that a test
 * forks: these end with status 1, which tap_join() passes on.  Whatever a test
 * leaves running is killed.
 */
#ifndef TAP_H
#define TAP_H

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define TAP_TIMEOUT	240	/* seconds; only a hang takes that long */
#define TAP_FAILED	1
#define TAP_SKIPPED	77

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

/**
 * struct tap_test - one test
 * @name:	what holds when it passes
 * @run:	the test; returning is success
 */
struct tap_test {
	const char *name;
	void (*run)(void);
};

/* Where the processes of a test leave their message; the first one counts. */
struct tap_message {
	int taken;
	char text[512];
};

static struct tap_message *tap_message;

__attribute__((format(printf, 1, 0)))
static inline void tap_leave_message(const char *fmt, va_list ap)
{
	if (!tap_message)
		vfprintf(stderr, fmt, ap);
	else if (!__atomic_exchange_n(&tap_message->taken, 1, __ATOMIC_SEQ_CST))
		vsnprintf(tap_message->text, sizeof(tap_message->text), fmt, ap);
}

__attribute__((noreturn, format(printf, 1, 2)))
static inline void tap_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_leave_message(fmt, ap);
	va_end(ap);
	_exit(TAP_FAILED);
}

__attribute__((noreturn, format(printf, 1, 2)))
static inline void tap_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_leave_message(fmt, ap);
	va_end(ap);
	_exit(TAP_SKIPPED);
}

__attribute__((format(printf, 1, 2)))
static inline void tap_note(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static inline void tap_check_eq(s64 got, s64 want, const char *what,
				const char *file, int line)
{
	if (got != want)
		tap_fail("%s:%d: %s: expected %lld, got %lld", file, line, what,
			 (long long)want, (long long)got);
}

/* The call returned -1 with @want in errno. */
static inline void tap_check_errno(long ret, int err, int want, const char *what,
				   const char *file, int line)
{
	if (ret != -1)
		tap_fail("%s:%d: %s: expected %s, got success (%ld)", file, line,
			 what, strerrorname_np(want), ret);
	if (err != want)
		tap_fail("%s:%d: %s: expected %s, got %s", file, line, what,
			 strerrorname_np(want), strerrorname_np(err));
}

static inline long tap_check_call(long ret, const char *what, const char *file,
				  int line)
{
	if (ret == -1)
		tap_fail("%s:%d: %s: expected success, got %s", file, line, what,
			 strerrorname_np(errno));
	return ret;
}

#define CHECK_EQ(got, want) \
	tap_check_eq((s64)(got), (s64)(want), #got, __FILE_NAME__, __LINE__)

#define CHECK_ERRNO(call, want) do {					\
	long __ret = (long)(call);					\
	tap_check_errno(__ret, errno, want, #call, __FILE_NAME__, __LINE__); \
} while (0)

/* A system call, or anything else that answers -1 and sets errno. */
#define MUST(call) \
	tap_check_call((long)(call), #call, __FILE_NAME__, __LINE__)

#define CHECK(condition) do {						\
	if (!(condition))						\
		tap_fail("%s:%d: expected %s", __FILE_NAME__, __LINE__,	\
			 #condition);					\
} while (0)

static inline const char *tap_status_text(int status)
{
	static char text[64];

	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "killed by SIG%s",
			 sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(text, sizeof(text), "exit status %d",
			 WEXITSTATUS(status));
	return text;
}

static inline pid_t tap_fork(void)
{
	pid_t pid;

	fflush(stdout);
	pid = MUST(fork());
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static inline int tap_wait(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

/* Wait for a process of tap_fork() whose checks must have held. */
static inline void tap_join(pid_t pid)
{
	int status = tap_wait(pid);

	if (WIFEXITED(status) && WEXITSTATUS(status) == TAP_SKIPPED)
		_exit(TAP_SKIPPED);
	if (status)
		tap_fail("a process of the test: expected exit status 0, got %s",
			 tap_status_text(status));
}

/* Run @fn in a process of its own; it must die of @sig. */
static inline void tap_check_signal(void (*fn)(void *arg), void *arg, int sig)
{
	pid_t pid = tap_fork();
	int status;

	if (!pid) {
		fn(arg);
		_exit(0);
	}
	status = tap_wait(pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != sig)
		tap_fail("expected death by SIG%s, got %s", sigabbrev_np(sig),
			 tap_status_text(status));
}

static inline int tap_run_child(const struct tap_test *test,
				void (*setup)(void))
{
	int status;
	pid_t pid;

	tap_message->taken = 0;
	tap_message->text[0] = '\0';
	pid = tap_fork();
	if (!pid) {
		setpgid(0, 0);
		alarm(TAP_TIMEOUT);
		if (setup)
			setup();
		test->run();
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	return status;
}

/* Whether the host lacks it: PROGRAM:PATTERN in what tests/lab/hosts says. */
static inline bool tap_is_lacking(const struct tap_test *test)
{
	const char *lacks = getenv("LAB_LACKS");
	char list[1024], *entry, *pattern, *rest;

	snprintf(list, sizeof(list), "%s", lacks ? lacks : "");
	for (entry = strtok_r(list, ",", &rest); entry;
	     entry = strtok_r(NULL, ",", &rest)) {
		pattern = strchr(entry, ':');
		if (!pattern)
			continue;
		*pattern++ = '\0';
		if (!strcmp(entry, program_invocation_short_name) &&
		    !fnmatch(pattern, test->name, 0))
			return true;
	}
	return false;
}

static inline int tap_run_one(const struct tap_test *test, unsigned int number,
			      void (*setup)(void))
{
	int status;

	if (tap_is_lacking(test)) {
		printf("ok %u - %s # SKIP the host %s cannot run it\n", number,
		       test->name, getenv("LAB_HOST_NAME"));
		return 0;
	}
	status = tap_run_child(test, setup);
	if (WIFEXITED(status) && WEXITSTATUS(status) == TAP_SKIPPED) {
		printf("ok %u - %s # SKIP %s\n", number, test->name,
		       tap_message->text);
		return 0;
	}
	printf("%sok %u - %s\n", status ? "not " : "", number, test->name);
	if (!status)
		return 0;
	printf("# expected the test to pass, got %s\n", tap_status_text(status));
	if (tap_message->text[0])
		printf("# %s\n", tap_message->text);
	return 1;
}

/*
 * Run the tests of a table, or those whose name contains the program's first
 * argument; @setup, if there is one, comes before each.  Returns the exit
 * status of the program.
 */
static inline int tap_main(int argc, char **argv, const struct tap_test *tests,
			   unsigned int count, void (*setup)(void))
{
	const char *filter = argc > 1 ? argv[1] : "";
	unsigned int number = 0, failed = 0, plan = 0, i;

	tap_message = mmap(NULL, sizeof(*tap_message), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tap_message == MAP_FAILED)
		return 1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (i = 0; i < count; i++)
		plan += !!strstr(tests[i].name, filter);
	printf("TAP version 13\n1..%u\n", plan);
	for (i = 0; i < count; i++) {
		if (!strstr(tests[i].name, filter))
			continue;
		failed += tap_run_one(&tests[i], ++number, setup);
		fflush(stdout);
	}
	return failed || !plan;
}

#endif /* TAP_H */
