// SPDX-License-Identifier: GPL-2.0
#include <linux/ksmdev.h>

#include "area.h"
#include "maps.h"
#include "memory.h"
#include "note.h"
#include "ranges.h"
#include "sys.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* The table was wrong and is put right: look again. */
#define LOOK_AGAIN 1

static bool is_known(uintptr_t start, uintptr_t end)
{
	struct range next = ranges_next(start);

	return next.area && next.start < end;
}

/* Bytes of the table within; removes them, or -ENOMEM. */
static long forget(uintptr_t start, uintptr_t end)
{
	struct range piece;
	size_t bytes = 0;
	uintptr_t at;
	long err;

	for (at = start; at < end; at = piece.end) {
		piece = ranges_piece(at, end);
		if (piece.area)
			bytes += piece.end - piece.start;
	}
	if (!bytes)
		return 0;
	err = ranges_reserve();
	if (err)
		return err;
	ranges_remove(start, end);
	return bytes;
}

/* Of [start, end), what lies before the mapping or is it, if that is not ours. */
static long forget_vma(const struct vma *vma, uintptr_t start, uintptr_t end)
{
	uintptr_t until = maps_is_area(vma) ? vma->start : vma->end;

	return until > start ? forget(start, min_of(until, end)) : 0;
}

long memory_sync(uintptr_t start, uintptr_t end)
{
	long forgotten = 0, bytes;
	uintptr_t at = start;
	struct maps maps;
	struct vma vma;

	if (!is_known(start, end))
		return 0;
	bytes = maps_open(&maps);
	if (bytes)
		return bytes;
	while (at < end && bytes >= 0) {
		if (!maps_next(&maps, at, &vma))
			vma = (struct vma){ .start = end, .end = end };
		bytes = maps.error ? maps.error : forget_vma(&vma, at, end);
		forgotten += bytes;
		at = vma.end;
	}
	maps_close(&maps);
	return bytes < 0 ? bytes : forgotten;
}

/* The kernel's own madvise(MADV_MERGEABLE), for memory /dev/ksm refused. */
static long merge_by_kernel(uintptr_t start, uintptr_t end, int error)
{
	note_refused(start, end, -error);
	/* The kernel's KSM knows no domains. */
	if (area_is_private())
		return 0;
	return sys_madvise(start, end - start, MADV_MERGEABLE);
}

void memory_fence(uintptr_t end)
{
	sys_madvise(end - PAGE, PAGE, MADV_RANDOM);
}

/* Hands over what can be; returns how far it got and the error there. */
static uintptr_t hand_over(uintptr_t start, uintptr_t end, int *error)
{
	struct area *area;
	size_t done;

	*error = ranges_reserve();
	area = *error ? NULL : area_get(error);
	if (!area)
		return start;
	*error = area_call(area, KSM_REGISTER, start, end - start, &done);
	if (!*error)
		done = end - start;
	if (done) {
		memory_fence(start + done);
		ranges_set(start, start + done, 0, area->number);
		note_taken(start, start + done);
	}
	return start + done;
}

long memory_map(uintptr_t addr, size_t len, int prot, int fixed)
{
	const int both = PROT_READ | PROT_WRITE;
	uintptr_t start, at, end;
	long result;
	int err;

	if (ranges_reserve())
		return -ENOMEM;
	result = sys_mmap(addr, len, both, MAP_PRIVATE | MAP_ANONYMOUS | fixed,
			  -1, 0);
	if (sys_failed(result))
		return result;
	start = result;
	end = start + len;
	ranges_remove(start, end);
	at = hand_over(start, end, &err);
	if (err)
		merge_by_kernel(at, end, err);
	if (prot != both)
		sys_mprotect(start, len, prot);
	return result;
}

static bool contains(uintptr_t start, uintptr_t end, const void *address)
{
	return (uintptr_t)address >= start && (uintptr_t)address < end;
}

/*
 * The stack of the calling thread, or the one that grows, stays with the
 * kernel: a child of fork() needs it before it can call anything.
 */
static bool is_stack(const struct vma *vma)
{
	return vma->stack || contains(vma->start, vma->end,
				      __builtin_frame_address(0));
}

static long merge_vma(const struct vma *vma, uintptr_t start, uintptr_t end)
{
	int err = -EINVAL;

	if (!is_stack(vma)) {
		start = hand_over(start, end, &err);
		if (!err)
			return 0;
	}
	return merge_by_kernel(start, end, err);
}

/* One mapping after the other, as they may be of different kinds. */
static long merge_each_vma(uintptr_t start, uintptr_t end, int error)
{
	uintptr_t at = start;
	long result = 0, err;
	struct maps maps;
	struct vma vma;

	if (maps_open(&maps))
		return merge_by_kernel(start, end, error);
	while (at < end && maps_next(&maps, at, &vma) && vma.start < end) {
		if (vma.start > at)
			result = -ENOMEM;
		err = merge_vma(&vma, max_of(at, vma.start),
				min_of(end, vma.end));
		if (err)
			result = err;
		at = vma.end;
	}
	maps_close(&maps);
	return at < end ? -ENOMEM : result;
}

static long merge_new(uintptr_t start, uintptr_t end)
{
	int err = -EINVAL;

	if (!contains(start, end, __builtin_frame_address(0))) {
		start = hand_over(start, end, &err);
		if (!err)
			return 0;
	}
	return merge_each_vma(start, end, err);
}

static long set_flags(const struct range *piece, unsigned int set,
		      unsigned int clear)
{
	long err = ranges_reserve();

	if (!err)
		ranges_set(piece->start, piece->end,
			   (piece->flags & ~clear) | set, piece->area);
	return err;
}

/* A call to the module on memory that the table says it has. */
static long call_on_piece(const struct range *piece, unsigned long request)
{
	struct area *area = area_find(piece->area);
	long err;

	if (!area)
		return -EBADF;
	err = area_call(area, request, piece->start, piece->end - piece->start,
			NULL);
	if (err == -ENOMEM && memory_sync(piece->start, piece->end) > 0)
		return LOOK_AGAIN;
	return err;
}

static long merge_again(const struct range *piece)
{
	long err;

	if (!(piece->flags & RANGE_UNMERGED))
		return 0;
	err = call_on_piece(piece, KSM_MERGE);
	return err ? err : set_flags(piece, 0, RANGE_UNMERGED);
}

static long unmerge(const struct range *piece)
{
	long err = call_on_piece(piece, KSM_UNMERGE);

	if (err == LOOK_AGAIN)
		return err;
	if (err) {
		note("MADV_UNMERGEABLE failed: out of memory, or the program closed the descriptor");
		/* What the kernel says when it cannot unmerge. */
		return -EAGAIN;
	}
	return set_flags(piece, RANGE_UNMERGED, 0);
}

void memory_restore_flags(uintptr_t start, uintptr_t end, unsigned int flags)
{
	struct range piece = ranges_piece(start, end);

	/* Nothing to restore if it could not become memory of an area. */
	if (!piece.area || !flags || ranges_reserve())
		return;
	ranges_set(piece.start, piece.end, flags, piece.area);
	if (flags & RANGE_UNMERGED)
		unmerge(&piece);
}

/* Puts fresh memory in the place of each mapping of the area. */
static long replace(const struct range *piece)
{
	uintptr_t at = piece->start, start, end;
	struct maps maps;
	long result = 0;
	struct vma vma;

	if (maps_open(&maps))
		return -EAGAIN;
	while (at < piece->end && !sys_failed(result) &&
	       maps_next(&maps, at, &vma) && vma.start < piece->end) {
		start = max_of(at, vma.start);
		end = min_of(piece->end, vma.end);
		at = vma.end;
		if (!maps_is_area(&vma))
			continue;
		result = memory_map(start, end - start, vma.prot, MAP_FIXED);
		if (!sys_failed(result))
			memory_restore_flags(start, end, piece->flags);
	}
	maps_close(&maps);
	if (maps.error)
		return -EAGAIN;
	return sys_failed(result) ? result : 0;
}

static long discard(const struct range *piece, int advice)
{
	size_t len = piece->end - piece->start;
	long err;

	/*
	 * The kernel's call first: it refuses locked memory, and does all the
	 * work should the memory be the module's no more.
	 */
	err = sys_madvise(piece->start, len, advice == MADV_DONTNEED_LOCKED ?
			  MADV_DONTNEED_LOCKED : MADV_DONTNEED);
	if (err == -EINVAL)
		return err;
	err = call_on_piece(piece, KSM_DISCARD);
	if (err == LOOK_AGAIN || !err)
		return err;
	return replace(piece);
}

static long advise_piece(const struct range *piece, int advice)
{
	switch (advice) {
	case MADV_MERGEABLE:
		return merge_again(piece);
	case MADV_UNMERGEABLE:
		return unmerge(piece);
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
		return discard(piece, advice);
	case MADV_DONTFORK:
		return set_flags(piece, RANGE_DONTFORK, 0);
	case MADV_DOFORK:
		return set_flags(piece, 0, RANGE_DONTFORK);
	case MADV_WIPEONFORK:
		return set_flags(piece, RANGE_WIPEONFORK, 0);
	case MADV_KEEPONFORK:
		return set_flags(piece, 0, RANGE_WIPEONFORK);
	}
	return -EINVAL;
}

bool memory_knows_advice(int advice)
{
	switch (advice) {
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		return true;
	}
	return false;
}

static long advise_gap(const struct range *piece, int advice)
{
	if (advice == MADV_MERGEABLE)
		return merge_new(piece->start, piece->end);
	return sys_madvise(piece->start, piece->end - piece->start, advice);
}

/*
 * The kernel's call does all that this asks for, or the module's call finds the
 * memory to be something else.  Other advice is noted in the table, or would do
 * harm to what is there now.
 */
static bool stands_stale_table(int advice)
{
	return advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED;
}

long memory_advise(uintptr_t start, uintptr_t end, int advice)
{
	uintptr_t at = start;
	struct range piece;
	long result = 0;
	long err;

	if (!stands_stale_table(advice) && memory_sync(start, end) < 0)
		return -EAGAIN;
	while (at < end) {
		piece = ranges_piece(at, end);
		err = piece.area ? advise_piece(&piece, advice) :
				   advise_gap(&piece, advice);
		if (err == LOOK_AGAIN)
			continue;
		/* As the kernel does: holes are reported, but skipped. */
		if (err == -ENOMEM || advice == MADV_MERGEABLE)
			result = err ? err : result;
		else if (err)
			return err;
		at = piece.end;
	}
	return result;
}

/*
 * Lets the frames go now rather than with the scanner's next pass.  munmap()
 * may still fail when it has to split a mapping; an advice that none of ours has
 * splits it beforehand, while nothing is lost yet.
 */
static void discard_before_unmap(uintptr_t start, uintptr_t end)
{
	struct range piece;
	struct area *area;
	uintptr_t at;

	if (sys_madvise(start, end - start, MADV_SEQUENTIAL))
		return;
	for (at = start; at < end; at = piece.end) {
		piece = ranges_piece(at, end);
		area = piece.area ? area_find(piece.area) : NULL;
		if (area)
			area_call(area, KSM_DISCARD, piece.start,
				  piece.end - piece.start, NULL);
	}
}

long memory_unmap(uintptr_t start, uintptr_t end)
{
	long err;

	err = ranges_reserve();
	if (err)
		return err;
	discard_before_unmap(start, end);
	err = sys_munmap(start, end - start);
	if (!err)
		ranges_remove(start, end);
	return err;
}
