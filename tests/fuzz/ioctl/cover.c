// SPDX-License-Identifier: GPL-2.0
/* Coverage: see cover.h. */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "cover.h"

#define KCOV_WORDS	(1UL << 18)
#define MARKS_SIZE	((PROGRAM_CALLS + 1) * sizeof(u64))

static int kcov = -1;
static u64 *area;		/* the number of entries, then addresses */
static u64 *marks;		/* that number when call i began, and when the last had ended */
static u8 edges_seen[COVER_EDGES], blocks_seen[COVER_EDGES];
static unsigned int edges, blocks;

bool cover_open(void)
{
	kcov = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (kcov < 0 || ioctl(kcov, KCOV_INIT_TRACE, KCOV_WORDS))
		return false;
	area = mmap(NULL, KCOV_WORDS * sizeof(u64), PROT_READ | PROT_WRITE,
		    MAP_SHARED, kcov, 0);
	marks = mmap(NULL, MARKS_SIZE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return area != MAP_FAILED && marks != MAP_FAILED;
}

void cover_start(void)
{
	if (area)
		ioctl(kcov, KCOV_ENABLE, KCOV_TRACE_PC);
}

void cover_mark(unsigned int call)
{
	if (area)
		marks[call] = __atomic_load_n(&area[0], __ATOMIC_RELAXED);
}

void cover_clear(void)
{
	if (!area)
		return;
	area[0] = 0;
	memset(marks, 0xff, MARKS_SIZE);
}

static u32 hash(u64 a, u64 b)
{
	return (a * 0x9e3779b97f4a7c15ULL ^ b * 0xc2b2ae3d27d4eb4fULL) >> 46;
}

/* An edge that this run has had is marked until all are collected. */
#define IN_THIS_RUN	0x80

/* Entries of the program's own calls: what was checked after them does not count. */
static u64 entries(void)
{
	u64 count;

	if (!area)
		return 0;
	count = area[0] < KCOV_WORDS ? area[0] : KCOV_WORDS - 1;
	return marks[PROGRAM_CALLS] < count ? marks[PROGRAM_CALLS] : count;
}

void cover_collect(struct cover *cover)
{
	u64 i, count = entries(), previous = 0;
	unsigned int call = 0;
	u32 edge;

	cover->count = 0;
	for (i = 0; i < count && cover->count < COVER_MAX; i++) {
		while (call < PROGRAM_CALLS && marks[call] <= i) {
			previous = 0;
			call++;
		}
		edge = hash(previous, area[i + 1]);
		previous = area[i + 1];
		if (edges_seen[edge] & IN_THIS_RUN)
			continue;
		edges_seen[edge] |= IN_THIS_RUN;
		cover->edge[cover->count++] = edge;
		edge = hash(0, previous);
		blocks += !blocks_seen[edge];
		blocks_seen[edge] = 1;
	}
	for (i = 0; i < cover->count; i++)
		edges_seen[cover->edge[i]] &= ~IN_THIS_RUN;
}

unsigned int cover_count_new(const struct cover *cover)
{
	unsigned int i, count = 0;

	for (i = 0; i < cover->count; i++)
		count += !edges_seen[cover->edge[i]];
	return count;
}

void cover_add(const struct cover *cover)
{
	edges += cover_count_new(cover);
	for (unsigned int i = 0; i < cover->count; i++)
		edges_seen[cover->edge[i]] = 1;
}

unsigned int cover_edges(void)
{
	return edges;
}

unsigned int cover_blocks(void)
{
	return blocks;
}
