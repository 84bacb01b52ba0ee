// SPDX-License-Identifier: GPL-2.0
/*
 * libksmrun: what ksmctl run preloads.
 *
 * Memory that the program marks with madvise(MADV_MERGEABLE) is handed over to
 * /dev/ksm in place; the other calls here keep up the appearance that it still
 * is private anonymous memory.  What /dev/ksm refuses is left to the kernel's
 * own madvise().  See ksmctl(1), "LIMITS OF RUN".
 *
 * Programs call these from their allocators and from signal handlers, so
 * nothing below allocates memory with malloc() or prints with stdio's streams.
 * prctl(PR_SET_MEMORY_MERGE) is left to the kernel: what it asks for, all of
 * the process at once and in the future, includes stacks and libc's own data,
 * which better stay where they are.
 */
#include <stdarg.h>
#include <string.h>

#include "area.h"
#include "fork.h"
#include "lock.h"
#include "memory.h"
#include "note.h"
#include "ranges.h"
#include "sys.h"

#define EXPORT __attribute__((visibility("default")))

/*
 * Longer ranges are handed over in slices, for signals are blocked meanwhile.
 * Each becomes a mapping of its own, so slices must not be short either.
 */
#define SLICE		(128 * CHUNK)

static const char *variable(char **environment, const char *name)
{
	size_t length = strlen(name);

	for (; *environment; environment++)
		if (!strncmp(*environment, name, length) &&
		    (*environment)[length] == '=')
			return *environment + length + 1;
	return NULL;
}

/*
 * Linked with -z initfirst: the handlers of fork() that are registered first
 * run last before the fork and first after it.  This also is before libc has
 * an environment for getenv(), so the loader's is taken.
 */
__attribute__((constructor))
static void start(int argc, char **argv, char **environment)
{
	(void)argc;
	(void)argv;
	note_init(variable(environment, "KSMRUN_DEBUG"));
	area_init(variable(environment, "KSMRUN_DOMAIN_FD"));
	fork_init();
}

/* As libc returns it: -1 and errno, or the result and errno as it was. */
static long finish(long result, int saved_errno)
{
	errno = saved_errno;
	if (!sys_failed(result))
		return result;
	errno = -result;
	return -1;
}

/* Is it a range at all?  The kernel says what is wrong with others. */
static bool is_range(uintptr_t start, size_t len)
{
	return is_aligned(start, PAGE) && align_up(len, PAGE) >= len && len &&
	       start + align_up(len, PAGE) > start;
}

static bool needs_us(uintptr_t start, size_t len)
{
	return is_range(start, len) &&
	       ranges_touch(start, start + align_up(len, PAGE));
}

static long merge(uintptr_t start, uintptr_t end)
{
	uintptr_t at = start, next;
	long result = 0, err;

	for (; at < end; at = next) {
		next = end - at > SLICE ? align_down(at + SLICE, CHUNK) : end;
		lock_take();
		err = memory_advise(at, next, MADV_MERGEABLE);
		lock_drop();
		result = err ? err : result;
	}
	return result;
}

EXPORT int madvise(void *addr, size_t len, int advice)
{
	uintptr_t start = (uintptr_t)addr, end = start + align_up(len, PAGE);
	int saved_errno = errno;
	long result;

	if (advice == MADV_MERGEABLE && is_range(start, len))
		return finish(merge(start, end), saved_errno);
	if (!memory_knows_advice(advice) || !needs_us(start, len))
		return finish(sys_madvise(start, len, advice), saved_errno);
	lock_take();
	result = memory_advise(start, end, advice);
	lock_drop();
	return finish(result, saved_errno);
}

EXPORT int munmap(void *addr, size_t len)
{
	uintptr_t start = (uintptr_t)addr;
	int saved_errno = errno;
	long result;

	if (!needs_us(start, len))
		return finish(sys_munmap(start, len), saved_errno);
	lock_take();
	result = memory_unmap(start, start + align_up(len, PAGE));
	lock_drop();
	return finish(result, saved_errno);
}

static long map_over(uintptr_t start, size_t len, int prot, int flags, int fd,
		     off_t offset)
{
	long result;

	lock_take();
	result = ranges_reserve();
	if (!result)
		result = sys_mmap(start, len, prot, flags, fd, offset);
	if (!sys_failed(result))
		ranges_remove(start, start + align_up(len, PAGE));
	lock_drop();
	return result;
}

/* New memory where the table has some: libc unmapped that by itself. */
static void forget_stale(uintptr_t start, size_t len)
{
	if (!needs_us(start, len))
		return;
	lock_take();
	if (!ranges_reserve())
		ranges_remove(start, start + align_up(len, PAGE));
	lock_drop();
}

EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset)
{
	uintptr_t start = (uintptr_t)addr;
	int saved_errno = errno;
	long result;

	if (flags & MAP_FIXED && needs_us(start, len)) {
		result = map_over(start, len, prot, flags, fd, offset);
	} else {
		result = sys_mmap(start, len, prot, flags, fd, offset);
		if (!sys_failed(result))
			forget_stale(result, len);
	}
	return (void *)finish(result, saved_errno);
}

EXPORT void *mmap64(void *addr, size_t len, int prot, int flags, int fd,
		    off_t offset) __attribute__((alias("mmap")));

static long remap(uintptr_t old, size_t old_len, size_t new_len, int flags,
		  uintptr_t target)
{
	long result;

	if (needs_us(old, old_len ? old_len : PAGE)) {
		lock_take();
		result = memory_remap(old, old_len, new_len, flags, target);
		lock_drop();
		return result;
	}
	result = sys_mremap(old, old_len, new_len, flags, target);
	if (!sys_failed(result))
		forget_stale(result, new_len);
	return result;
}

EXPORT void *mremap(void *old, size_t old_len, size_t new_len, int flags, ...)
{
	int saved_errno = errno;
	uintptr_t target;
	va_list args;

	va_start(args, flags);
	target = (uintptr_t)va_arg(args, void *);
	va_end(args);
	return (void *)finish(remap((uintptr_t)old, old_len, new_len, flags,
				    target), saved_errno);
}
