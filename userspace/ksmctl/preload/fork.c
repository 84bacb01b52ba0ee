// SPDX-License-Identifier: GPL-2.0
#include <pthread.h>
#include <string.h>

#include <linux/ksmdev.h>

#include "area.h"
#include "array.h"
#include "fork.h"
#include "lock.h"
#include "maps.h"
#include "memory.h"
#include "note.h"
#include "ranges.h"
#include "sys.h"

/**
 * struct copy - one mapping for the child
 * @start:	where the program has it
 * @len:	bytes
 * @copy:	where the copy is, or 0
 * @prot:	its protection
 * @flags:	RANGE_*
 * @area:	number of the area it was handed over to; 0: it is anonymous
 */
struct copy {
	uintptr_t start;
	size_t len;
	uintptr_t copy;
	int prot;
	unsigned int flags;
	unsigned int area;
};

/* Guarded by the lock, which is held from prepare to parent or child. */
static struct {
	struct array copies;
	size_t count;
} state;

static struct copy *copy_at(size_t i)
{
	return (struct copy *)state.copies.entries + i;
}

static bool is_zero(const uint64_t *page)
{
	size_t i;

	for (i = 0; i < PAGE / sizeof(*page); i++)
		if (page[i])
			return false;
	return true;
}

/* Pages of zeroes are left out: the copy takes no frame for them. */
static void copy_pages(uintptr_t to, uintptr_t from, size_t len)
{
	size_t at;

	for (at = 0; at < len; at += PAGE)
		if (!is_zero((const uint64_t *)(from + at)))
			memcpy((void *)(to + at), (const void *)(from + at),
			       PAGE);
}

/*
 * Copies what can be mapped for reading.  The kernel tries that first: should
 * @from be something else by now than memory of an area, or broken memory,
 * that gives an error here, and a signal to who just reads.
 */
static long copy_present(uintptr_t to, uintptr_t from, size_t len)
{
	size_t at, part;
	long err = 0;

	for (at = 0; at < len && !err; at += part) {
		part = len - at < CHUNK ? len - at : CHUNK;
		err = sys_madvise(from + at, part, MADV_POPULATE_READ);
		if (!err)
			copy_pages(to + at, from + at, part);
	}
	return err;
}

/*
 * Without a second mapping, which would exceed a limit (on locked memory, on
 * the address space).  The kernel's call does not fault either, but it reads
 * only what the program may read, and the copy has frames for zeroes, too.
 */
static long copy_by_call(const struct copy *copy)
{
	struct iovec to, from;
	size_t at = 0;
	long done;

	while (at < copy->len) {
		to.iov_base = (void *)(copy->copy + at);
		from.iov_base = (void *)(copy->start + at);
		to.iov_len = copy->len - at;
		from.iov_len = copy->len - at;
		done = sys_read_self(&to, &from);
		if (done <= 0)
			return done ? done : -EFAULT;
		at += done;
	}
	return 0;
}

/*
 * The program's mapping is not read: other threads may unmap it at any time
 * (free() does, without our lock), and it may not be readable.  A second one of
 * the same pages is ours alone.
 */
static long copy_contents(const struct copy *copy)
{
	long twin, err;

	twin = sys_mremap(copy->start, 0, copy->len, MREMAP_MAYMOVE, 0);
	if (twin == -EAGAIN || twin == -ENOMEM)
		return copy_by_call(copy);
	if (sys_failed(twin))
		return twin;
	err = copy->prot & PROT_READ ? 0 :
	      sys_mprotect(twin, copy->len, PROT_READ);
	if (!err)
		err = copy_present(copy->copy, twin, copy->len);
	sys_munmap(twin, copy->len);
	return err;
}

/* Is the entry in line with the one before, and of its kind? */
static bool continues(size_t i)
{
	const struct copy *copy = copy_at(i), *before = copy - 1;

	return i && i < state.count &&
	       copy->start == before->start + before->len &&
	       copy->prot == before->prot && copy->flags == before->flags;
}

/* The number of the area that took it, or 0. */
static unsigned int hand_over(uintptr_t addr, size_t len)
{
	struct area *area;
	int err;

	area = area_get(&err);
	if (!area || area_call(area, KSM_REGISTER, addr, len, NULL) ||
	    sys_madvise(addr, len, MADV_DOFORK))
		return 0;
	return area->number;
}

static long map_anonymous(size_t len)
{
	return sys_mmap(0, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Memory for the copies of entry @i and of those that continue it, or 0. */
static uintptr_t map_run(size_t i, unsigned int *area)
{
	size_t len = copy_at(i)->len;
	long addr;

	while (continues(++i))
		len += copy_at(i)->len;
	addr = map_anonymous(len);
	*area = sys_failed(addr) ? 0 : hand_over(addr, len);
	if (!*area && !sys_failed(addr)) {
		/* A part may have been taken, which the child would not have. */
		sys_munmap(addr, len);
		addr = map_anonymous(len);
	}
	return sys_failed(addr) ? 0 : addr;
}

static void fill_copy(struct copy *copy)
{
	if (copy->copy && !(copy->flags & RANGE_WIPEONFORK) &&
	    copy_contents(copy)) {
		sys_munmap(copy->copy, copy->len);
		copy->copy = 0;
	}
	if (!copy->copy)
		note("fork: the child lacks memory that could not be copied or was freed meanwhile");
}

static void copy_all(void)
{
	unsigned int area = 0;
	struct copy *copy;
	uintptr_t at = 0;
	size_t i;

	for (i = 0; i < state.count; i++) {
		copy = copy_at(i);
		if (!continues(i))
			at = map_run(i, &area);
		copy->copy = at;
		copy->area = area;
		if (at)
			at += copy->len;
		fill_copy(copy);
	}
}

static void add_piece(const struct range *piece, int prot)
{
	struct copy copy = {
		.start = piece->start,
		.len = piece->end - piece->start,
		.prot = prot,
		.flags = piece->flags,
	};

	if (!piece->area || piece->flags & RANGE_DONTFORK)
		return;
	if (array_reserve(&state.copies, state.count + 1, sizeof(copy)))
		note("fork: out of memory, the child lacks a part of it");
	else
		*copy_at(state.count++) = copy;
}

static void add_vma(const struct vma *vma)
{
	struct range piece;
	uintptr_t at;

	for (at = vma->start; at < vma->end; at = piece.end) {
		piece = ranges_piece(at, vma->end);
		add_piece(&piece, vma->prot);
	}
}

static void list_all(void)
{
	uintptr_t at = ranges_next(0).start;
	struct maps maps;
	struct vma vma;

	if (maps_open(&maps)) {
		note("fork: cannot read /proc/thread-self/maps, the child lacks its merged memory");
		return;
	}
	while (ranges_next(at).area && maps_next(&maps, at, &vma)) {
		if (maps_is_area(&vma))
			add_vma(&vma);
		at = vma.end;
	}
	maps_close(&maps);
	if (maps.error)
		note("fork: cannot read /proc/thread-self/maps, the child lacks merged memory");
}

static void prepare(void)
{
	lock_take();
	state.count = 0;
	if (ranges_empty())
		return;
	list_all();
	copy_all();
}

static void finish(void)
{
	array_free(&state.copies);
	lock_drop();
}

static void parent(void)
{
	size_t i;

	for (i = 0; i < state.count; i++)
		if (copy_at(i)->copy)
			sys_munmap(copy_at(i)->copy, copy_at(i)->len);
	finish();
}

static uintptr_t copy_of(const struct copy *copy, uintptr_t addr)
{
	return copy->copy + (addr - copy->start);
}

/* [start, end) of the copy moves to its place, where nothing is mapped. */
static void put_part(const struct copy *copy, uintptr_t start, uintptr_t end)
{
	size_t len = end - start;
	long addr;

	addr = sys_mremap(copy_of(copy, start), len, len,
			  MREMAP_MAYMOVE | MREMAP_FIXED, start);
	if (sys_failed(addr)) {
		note("fork: the child lacks a part of its memory");
		return;
	}
	if (copy->prot != (PROT_READ | PROT_WRITE))
		sys_mprotect(start, len, copy->prot);
	if (!copy->area) {
		if (!area_is_private())
			sys_madvise(start, len, MADV_MERGEABLE);
		return;
	}
	sys_madvise(start, len, MADV_DONTFORK);
	if (ranges_reserve())
		return;
	ranges_set(start, end, 0, copy->area);
	memory_restore_flags(start, end, copy->flags);
}

/*
 * While the parent was copying, another thread freed the memory and mapped
 * something else there, which the child has inherited: that stays.
 */
static void put_in_gaps(const struct copy *copy)
{
	uintptr_t at = copy->start, end = copy->start + copy->len, next;
	struct maps maps;
	struct vma vma;

	if (maps_open(&maps)) {
		note("fork: the child lacks a part of its memory");
		return;
	}
	for (; at < end; at = next) {
		if (!maps_next(&maps, at, &vma))
			vma = (struct vma){ .start = end, .end = end };
		if (maps.error)
			break;
		next = min_of(vma.start, end);
		if (next > at)
			put_part(copy, at, next);
		at = max_of(at, next);
		next = min_of(vma.end, end);
		if (next > at)
			sys_munmap(copy_of(copy, at), next - at);
	}
	maps_close(&maps);
	if (maps.error)
		note("fork: the child lacks a part of its memory");
}

static void put_in_place(const struct copy *copy)
{
	uintptr_t end = copy->start + copy->len;
	long held;

	held = sys_mmap(copy->start, copy->len, PROT_NONE, MAP_PRIVATE |
			MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
			-1, 0);
	if (sys_failed(held))
		put_in_gaps(copy);
	else
		put_part(copy, copy->start, end);
}

/* All that the parent had handed over is gone here. */
static void forget_all(void)
{
	if (!ranges_empty() && !ranges_reserve())
		ranges_remove(0, UINTPTR_MAX);
}

static void child(void)
{
	const struct copy *copy;
	size_t i;

	forget_all();
	for (i = 0; i < state.count; i++) {
		copy = copy_at(i);
		if (!copy->copy)
			continue;
		put_in_place(copy);
		if (copy->area && !continues(i + 1))
			memory_fence(copy->start + copy->len);
	}
	finish();
}

void fork_init(void)
{
	pthread_atfork(prepare, parent, child);
}
