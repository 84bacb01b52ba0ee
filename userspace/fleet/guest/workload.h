/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest keeps in its memory.  The guest writes it, the fleet computes
 * the same to know which checksum is right: both compile this.
 *
 * Everything follows from the seed, the number of the guest and the number of
 * writes that the guest did so far.
 */
#ifndef FLEET_WORKLOAD_H
#define FLEET_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#define WORKLOAD_PAGE	4096
#define WORKLOAD_WORDS	(WORKLOAD_PAGE / sizeof(uint64_t))

enum workload_kind {
	WORKLOAD_IDLE,
	WORKLOAD_UNIQUE,
	WORKLOAD_COMMON,
	WORKLOAD_WRITER,
	WORKLOAD_ZERO,
	WORKLOAD_MIX,
	NR_WORKLOADS
};

/**
 * struct workload_name - how people call one
 * @name:	a word
 * @text:	what it does
 */
struct workload_name {
	const char *name;
	const char *text;
};

extern const struct workload_name workload_names[NR_WORKLOADS];

/**
 * struct workload - what one guest holds
 * @kind:	what its pages are like
 * @seed:	of the experiment
 * @vm:		number of the guest, which makes data unique
 * @pages:	how many pages
 */
struct workload {
	enum workload_kind kind;
	uint64_t seed;
	unsigned int vm;
	size_t pages;
};

/* The kind of that name, or -1. */
int workload_find(const char *name);

/* What page @page is like: of a mix, each quarter is something else. */
enum workload_kind workload_kind_of(const struct workload *w, size_t page);

/* The pages that a writer writes: @count of them from @first on, the last quarter of a mix. */
void workload_written(const struct workload *w, size_t *first, size_t *count);

/* What page @page holds after @writes writes by this guest. */
void workload_fill(const struct workload *w, size_t page, uint64_t writes,
		   uint64_t *data);

/* The checksum of all pages so far, with one more. */
uint64_t workload_sum_add(uint64_t sum, const uint64_t *data);

/* The checksum that the guest must report after @writes writes. */
uint64_t workload_sum(const struct workload *w, uint64_t writes);

#endif /* FLEET_WORKLOAD_H */
