// SPDX-License-Identifier: GPL-2.0
/* Calls on memory and descriptors, which are the same for both devices. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "call.h"

#define MMAP_FLAGS	(MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS |	\
			 MAP_POPULATE | MAP_NORESERVE | MAP_GROWSDOWN |	\
			 MAP_LOCKED)
#define PROT_ALL	(PROT_READ | PROT_WRITE | PROT_EXEC)
#define LEN_MAX		(1UL << 20)

static long refuse(void)
{
	errno = ERANGE;
	return -1;
}

static void *pointer(u64 addr)
{
	return (void *)(unsigned long)addr;
}

/* ---- mappings ---- */

static long run_mmap(const struct call *call)
{
	if (!in_arena(A(1), A(2)))
		return refuse();
	return (long)mmap(pointer(A(1)), A(2), A(3) & PROT_ALL,
			  (A(4) & MMAP_FLAGS) | MAP_FIXED,
			  A(4) & MAP_ANONYMOUS ? -1 : child_fd(A(0)), A(5));
}

static long run_munmap(const struct call *call)
{
	return in_arena(A(0), A(1)) ? munmap(pointer(A(0)), A(1)) : refuse();
}

static long run_mremap(const struct call *call)
{
	if (!in_arena(A(0), A(1)) || !in_arena(A(4), A(2)))
		return refuse();
	return (long)mremap(pointer(A(0)), A(1), A(2), A(3), pointer(A(4)));
}

static long run_mprotect(const struct call *call)
{
	return in_arena(A(0), A(1)) ? mprotect(pointer(A(0)), A(1), A(2)) :
				      refuse();
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

static const int advices[] = {
	MADV_NORMAL, MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK,
	MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,
	MADV_NOHUGEPAGE, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
	MADV_POPULATE_WRITE, MADV_WILLNEED, MADV_WIPEONFORK, MADV_COLLAPSE,
};

static long run_madvise(const struct call *call)
{
	if (!in_arena(A(0), A(1)))
		return refuse();
	return madvise(pointer(A(0)), A(1), advices[A(2) % ARRAY_SIZE(advices)]);
}

static long run_mlock(const struct call *call)
{
	if (!in_arena(A(0), A(1)))
		return refuse();
	return A(2) ? munlock(pointer(A(0)), A(1)) : mlock(pointer(A(0)), A(1));
}

static long run_msync(const struct call *call)
{
	return in_arena(A(0), A(1)) ? msync(pointer(A(0)), A(1), A(2)) : refuse();
}

/* ---- contents ---- */

enum access { BY_CPU, BY_SYSCALL };

static long copy_in(u64 to, const void *from, size_t len)
{
	struct iovec local = { (void *)from, len };
	struct iovec remote = { pointer(to), len };

	return process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
}

/* Each page in the range gets the content of its seed; equal ones with step 0. */
static long run_fill(const struct call *call)
{
	u64 page[PAGE / sizeof(u64)], end, addr;
	unsigned int i;

	if (!in_arena(A(0), A(1)) || A(1) > LEN_MAX)
		return refuse();
	end = A(0) + A(1);
	for (addr = A(0); addr + PAGE <= end; addr += PAGE) {
		for (i = 0; i < ARRAY_SIZE(page); i++)
			page[i] = (A(2) + (addr - A(0)) / PAGE * A(3)) *
				  0x9e3779b97f4a7c15ULL * (i + 1);
		if (A(4) == BY_CPU)
			memcpy(pointer(addr), page, PAGE);
		else if (copy_in(addr, page, PAGE) < 0)
			return -1;
	}
	return 0;
}

/* Bytes anywhere: guest code, structures, struct kvm_run. */
static long run_poke(const struct call *call)
{
	if (A(0) < RUN_BASE || A(0) > ARENA + ARENA_SIZE - CALL_BYTES)
		return refuse();
	memcpy(pointer(A(0)), call->bytes, call->nbytes);
	return call->nbytes;
}

static long run_peek(const struct call *call)
{
	const volatile u8 *byte = pointer(A(0));
	unsigned int sum = 0;
	u64 i;

	if (!in_arena(A(0), A(1)) || A(1) > LEN_MAX)
		return refuse();
	for (i = 0; i < A(1); i += PAGE)
		sum += byte[i];
	return sum;
}

/* The pipe has references to the pages until it is closed or read. */
static long run_pin(const struct call *call)
{
	struct iovec vec = { pointer(A(0)), A(1) };
	int fd[2];

	if (!in_arena(A(0), A(1)) || pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		return -1;
	child_keep(A(2), fd[0]);
	child_keep(A(2) + 1, fd[1]);
	return vmsplice(fd[1], &vec, 1, SPLICE_F_NONBLOCK);
}

/* ---- descriptors ---- */

static long run_close(const struct call *call)
{
	if (child_fd(A(0)) < 0)
		return refuse();
	return child_keep(A(0), -1);
}

static long run_dup(const struct call *call)
{
	return child_keep(A(1), dup(child_fd(A(0))));
}

static long run_eventfd(const struct call *call)
{
	return child_keep(A(0), eventfd(A(1), EFD_CLOEXEC | EFD_NONBLOCK));
}

/* System calls on a file, which a device need not know. */
static long run_file(const struct call *call)
{
	int fd = child_fd(A(0));
	char buf[256] = "";

	switch (A(1)) {
	case 0:
		return pread(fd, buf, sizeof(buf), A(2));
	case 1:
		return pwrite(fd, buf, sizeof(buf), A(2));
	case 2:
		return ftruncate(fd, A(2));
	case 3:
		return fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				 A(2), A(3));
	case 4:
		return lseek(fd, A(2), A(3) % 5);
	case 5:
		return fsync(fd);
	case 6:
		return read(fd, buf, sizeof(buf));
	case 7:
		return fallocate(fd, 0, A(2), A(3));
	case 8:
		return fallocate(fd, FALLOC_FL_ZERO_RANGE, A(2), A(3));
	case 9:
		return in_arena(A(4), A(3)) ? pread(fd, pointer(A(4)), A(3), A(2)) : refuse();
	case 10:
		return in_arena(A(4), A(3)) ? pwrite(fd, pointer(A(4)), A(3), A(2)) : refuse();
	default:
		return fcntl(fd, F_SETFL, A(2));
	}
}

static long run_ioctl(const struct call *call)
{
	return ioctl(child_fd(A(0)), A(1), A(2));
}

/* ---- the process ---- */

static long run_memlock(const struct call *call)
{
	struct rlimit limit = { A(0) * PAGE, A(0) * PAGE };

	return setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* For good; a program of root's calls has none after it. */
static long run_become(const struct call *call)
{
	return setresuid(A(0), A(0), A(0));
}

static long run_sleep(const struct call *call)
{
	struct timespec ts = { .tv_nsec = (A(0) % 50 + 1) * 1000000L };

	return nanosleep(&ts, NULL);
}

/* child.c does this one. */
static long run_fork(const struct call *call)
{
	(void)call;
	return refuse();
}

#define IN_ARENA	{ "addr", ARG_ADDR, ARENA, 0 }
#define LEN		{ "len", ARG_LEN, PAGE, 0 }

const struct call_type mem_calls[] = {
	{ "mmap", DEVICE_BOTH, 6, false, run_mmap,
	  { FD_KSM("fd"), IN_ARENA, LEN, { "prot", ARG_ENUM, 3, 7 },
	    { "flags", ARG_FLAGS, MAP_SHARED, MMAP_FLAGS },
	    { "offset", ARG_OFFSET, 0, 0 } } },
	{ "munmap", DEVICE_BOTH, 3, false, run_munmap, { IN_ARENA, LEN } },
	{ "mremap", DEVICE_BOTH, 4, false, run_mremap,
	  { IN_ARENA, LEN, { "size", ARG_LEN, PAGE, 0 },
	    { "flags", ARG_ENUM, MREMAP_MAYMOVE | MREMAP_FIXED, 7 },
	    { "to", ARG_ADDR, ARENA, 0 } } },
	{ "mprotect", DEVICE_BOTH, 2, false, run_mprotect,
	  { IN_ARENA, LEN, { "prot", ARG_ENUM, PROT_READ, 7 } } },
	{ "madvise", DEVICE_BOTH, 4, false, run_madvise,
	  { IN_ARENA, LEN, { "advice", ARG_ENUM, 1, ARRAY_SIZE(advices) - 1 } } },
	{ "mlock", DEVICE_BOTH, 1, false, run_mlock,
	  { IN_ARENA, LEN, { "un", ARG_ENUM, 0, 1 } } },
	{ "msync", DEVICE_BOTH, 1, false, run_msync,
	  { IN_ARENA, LEN, { "flags", ARG_ENUM, MS_SYNC, 7 } } },
	{ "fill", DEVICE_BOTH, 8, false, run_fill,
	  { IN_ARENA, LEN, { "seed", ARG_ENUM, 1, 4 }, { "step", ARG_ENUM, 0, 1 },
	    { "by", ARG_ENUM, BY_CPU, BY_SYSCALL } } },
	{ "poke", DEVICE_BOTH, 4, true, run_poke,
	  { { "addr", ARG_ADDR, ARENA, 0 } } },
	{ "peek", DEVICE_BOTH, 2, false, run_peek, { IN_ARENA, LEN } },
	{ "pin", DEVICE_BOTH, 2, false, run_pin,
	  { IN_ARENA, LEN, { "to", ARG_FD, 14, 14 } } },
	{ "close", DEVICE_BOTH, 2, false, run_close, { FD_ANY("fd") } },
	{ "dup", DEVICE_BOTH, 1, false, run_dup,
	  { FD_ANY("fd"), FD_ANY("to") } },
	{ "eventfd", DEVICE_KVM, 2, false, run_eventfd,
	  { FD_EVENT("to"), { "value", ARG_VALUE, 0, 0 } } },
	{ "file", DEVICE_BOTH, 4, false, run_file,
	  { FD_ANY("fd"), { "op", ARG_ENUM, 0, 11 },
	    { "offset", ARG_OFFSET, 0, 0 }, { "len", ARG_LEN, 0, 0 },
	    { "buffer", ARG_ADDR, ARENA, 0 } } },
	{ "ioctl", DEVICE_BOTH, 1, false, run_ioctl,
	  { FD_ANY("fd"), { "request", ARG_VALUE, 0, 0 },
	    { "value", ARG_VALUE, 0, 0 } } },
	{ "memlock", DEVICE_KSM, 1, false, run_memlock,
	  { { "pages", ARG_ENUM, 0, 64 } } },
	{ "become", DEVICE_KSM, 1, false, run_become,
	  { { "uid", ARG_ENUM, 1000, 1001 } } },
	{ "sleep", DEVICE_BOTH, 1, false, run_sleep,
	  { { "ms", ARG_ENUM, 0, 20 } } },
	{ "fork", DEVICE_BOTH, 2, false, run_fork,
	  { { "calls", ARG_ENUM, 1, 6 }, { "wait", ARG_ENUM, 1, 1 } } },
	{ 0 }
};
