// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "array.h"
#include "ranges.h"
#include "sys.h"

static struct array table;
static size_t count;

/* The table lies within; read without the lock. */
static uintptr_t lowest = UINTPTR_MAX, highest;

static struct range *entry(size_t i)
{
	return (struct range *)table.entries + i;
}

bool ranges_touch(uintptr_t start, uintptr_t end)
{
	return start < __atomic_load_n(&highest, __ATOMIC_ACQUIRE) &&
	       end > __atomic_load_n(&lowest, __ATOMIC_ACQUIRE);
}

bool ranges_empty(void)
{
	return !count;
}

int ranges_reserve(void)
{
	/* A range set in the middle of another adds two entries. */
	return array_reserve(&table, count + 2, sizeof(struct range));
}

/* Index of the first entry that ends behind @addr. */
static size_t find(uintptr_t addr)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (entry(middle)->end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Puts @added entries in the place of @removed ones. */
static void exchange(size_t at, size_t removed, const struct range *entries,
		     size_t added)
{
	memmove(entry(at + added), entry(at + removed),
		(count - at - removed) * sizeof(struct range));
	memcpy(entry(at), entries, added * sizeof(struct range));
	count += added - removed;
}

static bool same_kind(const struct range *a, const struct range *b)
{
	return a->end == b->start && a->flags == b->flags &&
	       a->area == b->area;
}

/* Makes entries @at and @at + 1 one if they can be. */
static void join(size_t at)
{
	if (at + 1 >= count || !same_kind(entry(at), entry(at + 1)))
		return;
	entry(at)->end = entry(at + 1)->end;
	exchange(at + 1, 1, NULL, 0);
}

static void update_bounds(void)
{
	uintptr_t low = count ? entry(0)->start : UINTPTR_MAX;
	uintptr_t high = count ? entry(count - 1)->end : 0;

	__atomic_store_n(&lowest, low, __ATOMIC_RELEASE);
	__atomic_store_n(&highest, high, __ATOMIC_RELEASE);
}

void ranges_set(uintptr_t start, uintptr_t end, unsigned int flags,
		unsigned int area)
{
	size_t first = find(start), last = first, added = 0, i;
	struct range new[3] = { 0 };

	while (last < count && entry(last)->start < end)
		last++;
	if (last > first && entry(first)->start < start) {
		new[added] = *entry(first);
		new[added++].end = start;
	}
	if (area)
		new[added++] = (struct range){ start, end, flags, area };
	if (last > first && entry(last - 1)->end > end) {
		new[added] = *entry(last - 1);
		new[added++].start = end;
	}
	exchange(first, last - first, new, added);
	for (i = first + added; i > first; i--)
		join(i - 1);
	if (first)
		join(first - 1);
	update_bounds();
}

struct range ranges_piece(uintptr_t start, uintptr_t end)
{
	struct range piece = { start, end, 0, 0 };
	const struct range *found;
	size_t i = find(start);

	if (i == count || entry(i)->start >= end)
		return piece;
	found = entry(i);
	if (found->start > start) {
		piece.end = found->start;
		return piece;
	}
	piece.flags = found->flags;
	piece.area = found->area;
	if (found->end < end)
		piece.end = found->end;
	return piece;
}

struct range ranges_next(uintptr_t addr)
{
	struct range none = { 0, 0, 0, 0 };
	size_t i = find(addr);

	return i < count ? *entry(i) : none;
}
