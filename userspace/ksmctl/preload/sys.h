/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls without libc's wrappers: some of these this library replaces,
 * others are cancellation points, and the program may have its own (see
 * lock.h).  All return a negative errno on failure; libc's errno is left in
 * disorder, so the exported functions save it (see wrap.c).
 */
#ifndef KSMRUN_SYS_H
#define KSMRUN_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE		4096UL
#define CHUNK		(2UL << 20)

/* @unit is a power of two. */
static inline uint64_t align_up(uint64_t x, uint64_t unit)
{
	return (x + unit - 1) & -unit;
}

static inline uint64_t align_down(uint64_t x, uint64_t unit)
{
	return x & -unit;
}

static inline bool is_aligned(uint64_t x, uint64_t unit)
{
	return !(x & (unit - 1));
}

static inline uintptr_t max_of(uintptr_t a, uintptr_t b)
{
	return a > b ? a : b;
}

static inline uintptr_t min_of(uintptr_t a, uintptr_t b)
{
	return a < b ? a : b;
}

static inline long sys_result(long result)
{
	return result == -1 ? -errno : result;
}

static inline bool sys_failed(long result)
{
	return result < 0 && result > -4096;
}

static inline long sys_mmap(uintptr_t addr, size_t len, int prot, int flags,
			    int fd, uint64_t offset)
{
	return sys_result(syscall(SYS_mmap, addr, len, prot, flags, fd,
				  offset));
}

static inline long sys_munmap(uintptr_t addr, size_t len)
{
	return sys_result(syscall(SYS_munmap, addr, len));
}

static inline long sys_mremap(uintptr_t old, size_t old_len, size_t new_len,
			      int flags, uintptr_t new)
{
	return sys_result(syscall(SYS_mremap, old, old_len, new_len, flags,
				  new));
}

static inline long sys_madvise(uintptr_t addr, size_t len, int advice)
{
	return sys_result(syscall(SYS_madvise, addr, len, advice));
}

static inline long sys_mprotect(uintptr_t addr, size_t len, int prot)
{
	return sys_result(syscall(SYS_mprotect, addr, len, prot));
}

static inline long sys_open(const char *path, int flags)
{
	return sys_result(syscall(SYS_openat, AT_FDCWD, path, flags));
}

static inline long sys_close(int fd)
{
	return sys_result(syscall(SYS_close, fd));
}

static inline long sys_fstat(int fd, struct stat *st)
{
	return sys_result(syscall(SYS_fstat, fd, st));
}

/* F_DUPFD_CLOEXEC */
static inline long sys_dup_above(int fd, int lowest)
{
	return sys_result(syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest));
}

static inline long sys_ioctl(int fd, unsigned long request, void *arg)
{
	return sys_result(syscall(SYS_ioctl, fd, request, arg));
}

/* Copies within the process; bytes, or -EFAULT rather than a signal. */
static inline long sys_read_self(const struct iovec *to,
				 const struct iovec *from)
{
	return sys_result(syscall(SYS_process_vm_readv, syscall(SYS_getpid),
				  to, 1, from, 1, 0));
}

#endif /* KSMRUN_SYS_H */
