/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Coverage by KCOV: which blocks of the two modules the child's own thread ran,
 * in which order.  A pair of blocks in one call is an edge; edges are numbers
 * below COVER_EDGES, by a hash.
 *
 * Only code that was built for it counts: ours, on the kernel debug.
 */
#ifndef COVER_H
#define COVER_H

#include "program.h"

#define COVER_EDGES	(1U << 18)
#define COVER_MAX	8192		/* edges of one program that are looked at */

/* The edges of one run, each once. */
struct cover {
	unsigned int count;
	u32 edge[COVER_MAX];
};

/* False if the kernel has no KCOV. */
bool cover_open(void);

/* In the child: from here on, and where a call begins; PROGRAM_CALLS: where all have ended. */
void cover_start(void);
void cover_mark(unsigned int call);

/* Before a run, and after it. */
void cover_clear(void);
void cover_collect(struct cover *cover);

/* How many of them were never seen before; and from now on they were. */
unsigned int cover_count_new(const struct cover *cover);
void cover_add(const struct cover *cover);

/* All that was seen so far. */
unsigned int cover_edges(void);
unsigned int cover_blocks(void);

#endif /* COVER_H */
