/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accesses to memory by force, as a debugger makes them: to what is mapped for less.  Kernels
 * can be built, or told by proc_mem.force_override=, to let nobody do that by /proc/PID/mem but
 * the tracer of the process.
 */
#ifndef _DEBUGGER_H
#define _DEBUGGER_H

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "ksm_test.h"

/* What the tracer did, for its tracee. */
struct debugger {
	long ret;
	int err;
	u8 data[PAGE];
};

__attribute__((noreturn))
static inline void debugger_run(struct debugger *d, pid_t pid, bool write, size_t len, void *addr)
{
	char path[40];
	int fd;

	sprintf(path, "/proc/%d/mem", pid);
	MUST(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	fd = MUST(open(path, O_RDWR | O_CLOEXEC));
	d->ret = write ? pwrite(fd, d->data, len, (off_t)addr) :
			 pread(fd, d->data, len, (off_t)addr);
	d->err = errno;
	_exit(0);
}

/* pread() or pwrite() of /proc/PID/mem for @len bytes at @addr of this process, a page at most. */
static inline long debugger_access(bool write, void *buf, size_t len, void *addr)
{
	struct debugger *d = mmap(NULL, sizeof(*d), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid, self = getpid();
	long ret;

	CHECK(d != MAP_FAILED && len <= PAGE);
	MUST(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);	/* if there is Yama */
	memcpy(d->data, buf, len);
	pid = tap_fork();
	if (!pid)
		debugger_run(d, self, write, len, addr);
	tap_join(pid);
	if (!write)
		memcpy(buf, d->data, len);
	ret = d->ret;
	errno = d->err;
	munmap(d, sizeof(*d));
	return ret;
}

static inline long debugger_write(const void *buf, size_t len, void *addr)
{
	return debugger_access(true, (void *)buf, len, addr);
}

static inline long debugger_read(void *buf, size_t len, void *addr)
{
	return debugger_access(false, buf, len, addr);
}

#endif /* _DEBUGGER_H */
