// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "workload.h"

const struct workload_name workload_names[NR_WORKLOADS] = {
	[WORKLOAD_IDLE] = { "idle", "nothing but the booted system" },
	[WORKLOAD_UNIQUE] = { "unique", "data that no other guest has" },
	[WORKLOAD_COMMON] = { "common", "the same files in each guest" },
	[WORKLOAD_WRITER] = { "writer", "common data, rewritten at write_rate pages a second" },
	[WORKLOAD_ZERO] = { "zero", "memory that was used, then filled with zeroes" },
	[WORKLOAD_MIX] = { "mix", "a quarter each of unique, common, zero, writer" },
};

int workload_find(const char *name)
{
	int kind;

	for (kind = 0; kind < NR_WORKLOADS; kind++)
		if (!strcmp(workload_names[kind].name, name))
			return kind;
	return -1;
}

enum workload_kind workload_kind_of(const struct workload *w, size_t page)
{
	static const enum workload_kind quarters[] = {
		WORKLOAD_UNIQUE, WORKLOAD_COMMON, WORKLOAD_ZERO, WORKLOAD_WRITER
	};

	return w->kind == WORKLOAD_MIX ? quarters[page * 4 / w->pages] : w->kind;
}

void workload_written(const struct workload *w, size_t *first, size_t *count)
{
	if (w->kind == WORKLOAD_WRITER)
		*first = 0;
	else if (w->kind == WORKLOAD_MIX)
		*first = (3 * w->pages + 3) / 4;
	else
		*first = w->pages;
	*count = w->pages - *first;
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Start values that are close to each other must not stay so. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ (b + 1) * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;

	return x ^ x >> 29;
}

static void fill_random(uint64_t state, uint64_t *data)
{
	size_t i;

	state |= 1;
	for (i = 0; i < WORKLOAD_WORDS; i++)
		data[i] = next(&state);
}

/* How often @page was written: writes go through the pages in turns. */
static uint64_t generation(const struct workload *w, size_t page, uint64_t writes)
{
	size_t first, count;

	workload_written(w, &first, &count);
	return writes / count + (page - first < writes % count);
}

void workload_fill(const struct workload *w, size_t page, uint64_t writes,
		   uint64_t *data)
{
	switch (workload_kind_of(w, page)) {
	case WORKLOAD_UNIQUE:
		fill_random(mix(mix(w->seed, w->vm + 1), page), data);
		break;
	case WORKLOAD_COMMON:
		fill_random(mix(mix(w->seed, 0), page), data);
		break;
	case WORKLOAD_WRITER:
		/* Equal again when the other guests have come as far. */
		fill_random(mix(mix(w->seed, 0), page), data);
		data[0] += generation(w, page, writes);
		break;
	default:
		memset(data, 0, WORKLOAD_PAGE);
	}
}

uint64_t workload_sum_add(uint64_t sum, const uint64_t *data)
{
	size_t i;

	for (i = 0; i < WORKLOAD_WORDS; i++)
		sum = ((sum << 7 | sum >> 57) ^ data[i]) * 0x9e3779b97f4a7c15 + 1;
	return sum;
}

uint64_t workload_sum(const struct workload *w, uint64_t writes)
{
	uint64_t data[WORKLOAD_WORDS], sum = 0;
	size_t page;

	for (page = 0; page < w->pages; page++) {
		workload_fill(w, page, writes, data);
		sum = workload_sum_add(sum, data);
	}
	return sum;
}
