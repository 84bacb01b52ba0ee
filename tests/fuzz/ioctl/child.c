// SPDX-License-Identifier: GPL-2.0
/*
 * The child: see child.h.  Whatever a program does may fail, fault or end it;
 * nothing that it can reach is the fuzzer's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "check.h"
#include "child.h"
#include "cover.h"

#define THREADS		4
#define JOIN_NS		100000000L	/* then they die with the process */

static int fds[CHILD_FDS];
static pthread_t threads[THREADS];
static unsigned int thread_count;
static bool is_grandchild, is_verbose;
static __thread sigjmp_buf fault_jump;
static __thread bool fault_expected;

/* ---- the table of calls ---- */

static const struct call_type *const tables[] = {
	mem_calls, ksm_calls, kvm_calls,
};

const struct call_type *call_find(const char *name)
{
	const struct call_type *type;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		for (type = tables[i]; type->name; type++)
			if (!strcmp(type->name, name))
				return type;
	return NULL;
}

unsigned int call_list(unsigned int device, const struct call_type **list,
		       unsigned int max)
{
	const struct call_type *type;
	unsigned int i, count = 0;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		for (type = tables[i]; type->name && count < max; type++)
			if (type->devices & device)
				list[count++] = type;
	return count;
}

/* ---- what calls share ---- */

int child_fd(u64 number)
{
	return number < CHILD_FDS ? fds[number] : -1;
}

long child_keep(u64 number, int fd)
{
	int err = errno;

	if (number >= CHILD_FDS) {
		close(fd);
		errno = EBADF;
		return -1;
	}
	if (fds[number] >= 0)
		close(fds[number]);
	fds[number] = fd;
	errno = err;
	return fd;
}

bool in_arena(u64 addr, u64 len)
{
	return addr >= ARENA && len <= ARENA_SIZE &&
	       addr - ARENA <= ARENA_SIZE - len;
}

long child_ioctl(u64 number, unsigned long request, void *data, size_t size,
		 u64 place)
{
	struct iovec from = { data, size }, to = { (void *)place, size };

	if (!place)
		return ioctl(child_fd(number), request, data);
	process_vm_writev(getpid(), &from, 1, &to, 1, 0);
	return ioctl(child_fd(number), request, place);
}

/* ---- running ---- */

static void handle_fault(int sig)
{
	if (!fault_expected)
		_exit(128 + sig);
	siglongjmp(fault_jump, 1);
}

static void handle_nothing(int sig)
{
	(void)sig;
}

static long call_run(const struct call *call)
{
	volatile long ret = -1;

	fault_expected = true;
	if (!sigsetjmp(fault_jump, 1))
		ret = call->type->run(call);
	else
		errno = EFAULT;
	fault_expected = false;
	if (is_verbose)
		printf("# %s%s = %ld%s%s\n", call->aside ? "& " : "",
		       call->type->name, ret, ret == -1 ? " " : "",
		       ret == -1 ? strerrorname_np(errno) : "");
	return ret;
}

static void *thread_main(void *call)
{
	call_run(call);
	return NULL;
}

static void run_aside(const struct call *call)
{
	if (thread_count < THREADS &&
	    !pthread_create(&threads[thread_count], NULL, thread_main,
			    (void *)call))
		thread_count++;
}

/* The next calls in a process of their own. */
static void fork_calls(const struct program *program, unsigned int from)
{
	const struct call *call = &program->call[from - 1];
	pid_t pid = is_grandchild ? -1 : fork();

	if (!pid) {
		is_grandchild = true;
		thread_count = 0;
		child_run_calls(program, from, call->arg[0]);
		_exit(0);
	}
	if (pid > 0 && call->arg[1])
		waitpid(pid, NULL, 0);
}

void child_run_calls(const struct program *program, unsigned int from,
		     unsigned int count)
{
	unsigned int i, end = program->count;

	if (count < end - from)
		end = from + count;
	for (i = from; i < end; i++) {
		const struct call *call = &program->call[i];

		if (!is_grandchild)
			cover_mark(i);
		if (!strcmp(call->type->name, "fork")) {
			fork_calls(program, i + 1);
			i += is_grandchild ? 0 : call->arg[0] % PROGRAM_CALLS;
		} else if (call->aside) {
			run_aside(call);
		} else {
			call_run(call);
		}
	}
}

/* False if one of them is still at it. */
static bool join_threads(void)
{
	struct timespec end;
	bool joined = true;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += JOIN_NS;
	end.tv_sec += end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	while (thread_count)
		joined &= !pthread_timedjoin_np(threads[--thread_count], NULL, &end);
	return joined;
}

/* Neither a thread nor another process is left that changes what is looked at. */
static bool is_alone(void)
{
	return join_threads() && waitpid(-1, NULL, WNOHANG) < 0;
}

/* ---- setup ---- */

static void set_limits(void)
{
	static const struct {
		int resource;
		rlim_t value;
	} limits[] = {
		{ RLIMIT_AS, 1UL << 30 }, { RLIMIT_NOFILE, 64 },
		{ RLIMIT_CORE, 0 }, { RLIMIT_FSIZE, 1UL << 20 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit limit = { limits[i].value, limits[i].value };

		setrlimit(limits[i].resource, &limit);
	}
}

static void set_signals(void)
{
	struct sigaction fault = { .sa_handler = handle_fault };
	struct sigaction nothing = { .sa_handler = handle_nothing };

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGUSR1, &nothing, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static void map_fixed(unsigned long addr, int prot)
{
	if (mmap((void *)addr, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) == MAP_FAILED)
		_exit(2);
}

void child_main(const struct program *program, bool verbose)
{
	unsigned int i;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	is_verbose = verbose;
	if (!verbose && !freopen("/dev/null", "w", stderr))
		_exit(2);
	for (i = 0; i < CHILD_FDS; i++)
		fds[i] = -1;
	set_signals();
	map_fixed(EDGE_PAGE, PROT_READ | PROT_WRITE);
	map_fixed(FIXED_PAGE, PROT_READ);
	cover_start();
	close_range(3, ~0U, 0);
	set_limits();
	child_run_calls(program, 0, program->count);
	cover_mark(PROGRAM_CALLS);
	if (is_alone())
		check_run();
	fflush(stdout);
	_exit(0);
}
