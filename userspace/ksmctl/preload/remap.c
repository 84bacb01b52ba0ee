// SPDX-License-Identifier: GPL-2.0
#include "maps.h"
#include "memory.h"
#include "note.h"
#include "ranges.h"
#include "sys.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/**
 * struct remap - one call of mremap(), sizes rounded to pages
 * @old:	address
 * @old_len:	bytes, not 0
 * @len:	new size in bytes, not 0
 * @flags:	MREMAP_*
 * @target:	with MREMAP_FIXED the address wanted
 * @prot:	protection of the last mapping within the old range
 */
struct remap {
	uintptr_t old;
	size_t old_len;
	size_t len;
	int flags;
	uintptr_t target;
	int prot;
};

static bool overlap(uintptr_t a, size_t a_len, uintptr_t b, size_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

static bool is_valid(const struct remap *call)
{
	const int known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	bool moves = call->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);

	if (!call->old_len || !call->len || call->flags & ~known)
		return false;
	if (moves && !(call->flags & MREMAP_MAYMOVE))
		return false;
	if (call->flags & MREMAP_DONTUNMAP && call->len != call->old_len)
		return false;
	return !(call->flags & MREMAP_FIXED) ||
	       (is_aligned(call->target, PAGE) &&
		!overlap(call->old, call->old_len, call->target, call->len));
}

/* -EFAULT if there is a hole; tells the protection of the last mapping. */
static long check_mapped(struct remap *call)
{
	uintptr_t at = call->old, end = call->old + call->old_len;
	struct maps maps;
	struct vma vma;

	if (maps_open(&maps))
		return -ENOMEM;
	while (at < end && maps_next(&maps, at, &vma) && vma.start <= at) {
		call->prot = vma.prot;
		at = vma.end;
	}
	maps_close(&maps);
	if (maps.error)
		return -ENOMEM;
	return at < end ? -EFAULT : 0;
}

/* The end of the mapping that @addr lies in, not above @end. */
static uintptr_t mapping_end(uintptr_t addr, uintptr_t end)
{
	struct maps maps;
	struct vma vma;

	if (maps_open(&maps))
		return end;
	if (maps_next(&maps, addr, &vma) && vma.end < end)
		end = vma.end;
	maps_close(&maps);
	return end;
}

/* The table follows what moved. */
static void move_ranges(uintptr_t from, uintptr_t end, uintptr_t to)
{
	struct range piece;
	uintptr_t at;

	for (at = from; at < end; at = piece.end) {
		piece = ranges_piece(at, end);
		if (ranges_reserve()) {
			note("out of memory: moved memory is no longer tracked");
			return;
		}
		ranges_set(piece.start - from + to, piece.end - from + to,
			   piece.flags, piece.area);
		if (piece.area && !ranges_reserve())
			ranges_remove(piece.start, piece.end);
	}
}

/* Moves one mapping after the other; returns how many bytes were moved. */
static size_t move_mappings(uintptr_t from, size_t len, uintptr_t to)
{
	uintptr_t at, end, next;
	long result;

	for (at = from, end = from + len; at < end; at = next) {
		next = mapping_end(at, end);
		result = sys_mremap(at, next - at, next - at,
				    MREMAP_MAYMOVE | MREMAP_FIXED,
				    at - from + to);
		if (sys_failed(result))
			break;
		move_ranges(at, next, at - from + to);
	}
	return at - from;
}

static unsigned int last_flags(const struct remap *call)
{
	uintptr_t end = call->old + call->old_len;

	return ranges_piece(end - PAGE, end).flags;
}

static long grow(const struct remap *call, uintptr_t at, size_t len, int fixed)
{
	unsigned int flags = last_flags(call);
	long result = memory_map(at, len, call->prot, fixed);

	if (!sys_failed(result) && (uintptr_t)result != at) {
		/* A kernel that takes the address as a hint. */
		sys_munmap(result, len);
		return -EEXIST;
	}
	if (!sys_failed(result))
		memory_restore_flags(at, at + len, flags);
	return result;
}

static long reserve_target(const struct remap *call)
{
	int fixed = call->flags & MREMAP_FIXED ? MAP_FIXED : 0;
	long target;

	target = sys_mmap(call->target, call->len, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed,
			  -1, 0);
	if (!sys_failed(target) && !ranges_reserve())
		ranges_remove(target, target + call->len);
	return target;
}

static long move(struct remap *call)
{
	unsigned int flags = last_flags(call);
	long target, result;
	size_t moved;

	if (!(call->flags & MREMAP_FIXED))
		call->target = 0;
	target = reserve_target(call);
	if (sys_failed(target))
		return target;
	if (call->len > call->old_len) {
		result = grow(call, target + call->old_len,
			      call->len - call->old_len, MAP_FIXED);
		if (sys_failed(result))
			goto err_unmap;
	}
	moved = move_mappings(call->old, call->old_len, target);
	result = -ENOMEM;
	if (moved < call->old_len)
		goto err_move_back;
	if (call->flags & MREMAP_DONTUNMAP &&
	    !sys_failed(memory_map(call->old, call->old_len, call->prot,
				   MAP_FIXED_NOREPLACE)))
		memory_restore_flags(call->old, call->old + call->old_len,
				     flags);
	return target;

err_move_back:
	move_mappings(target, moved, call->old);
err_unmap:
	memory_unmap(target, target + call->len);
	return result;
}

/* Is a part of it handed over?  Not to be wrong, the table is checked first. */
static bool is_ours(uintptr_t start, uintptr_t end)
{
	struct range next;

	memory_sync(start, end);
	next = ranges_next(start);
	return next.area && next.start < end;
}

static long remap_others(const struct remap *call)
{
	long result = sys_mremap(call->old, call->old_len, call->len,
				 call->flags, call->target);

	if (!sys_failed(result) && !ranges_reserve())
		ranges_remove(result, result + call->len);
	return result;
}

static long remap_ours(struct remap *call)
{
	long err;

	err = check_mapped(call);
	if (!err && call->len < call->old_len) {
		err = memory_unmap(call->old + call->len,
				   call->old + call->old_len);
		call->old_len = call->len;
	}
	if (err)
		return err;
	if (call->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return move(call);
	if (call->len == call->old_len ||
	    !sys_failed(grow(call, call->old + call->old_len,
			     call->len - call->old_len, MAP_FIXED_NOREPLACE)))
		return call->old;
	return call->flags & MREMAP_MAYMOVE ? move(call) : -ENOMEM;
}

long memory_remap(uintptr_t old, size_t old_len, size_t new_len, int flags,
		  uintptr_t target)
{
	struct remap call = {
		.old = old,
		.old_len = align_up(old_len, PAGE),
		.len = align_up(new_len, PAGE),
		.flags = flags,
		.target = target,
	};

	/* With a size of 0 the kernel doubles shared mappings only. */
	if (!is_ours(old, old + (old_len ? call.old_len : PAGE)))
		return remap_others(&call);
	return is_valid(&call) ? remap_ours(&call) : -EINVAL;
}
