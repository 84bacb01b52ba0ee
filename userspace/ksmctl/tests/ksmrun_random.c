// SPDX-License-Identifier: GPL-2.0
/*
 * Random calls on a window of memory against a model of what each page holds.
 * SEED and STEPS in the environment make other and longer runs.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ksmrun_test.h"

#define WINDOW	192
#define HOLE	UINT64_MAX

static char *window;
static uint64_t model[WINDOW];	/* first word of each page, or HOLE */
static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % below;
}

static uint64_t *page_at(size_t page)
{
	return (uint64_t *)(window + page * PAGE);
}

static bool has_hole(size_t first, size_t count)
{
	while (count--)
		if (model[first++] == HOLE)
			return true;
	return false;
}

static bool all_holes(size_t first, size_t count)
{
	while (count--)
		if (model[first++] != HOLE)
			return false;
	return true;
}

static void set_model(size_t first, size_t count, uint64_t value)
{
	while (count--)
		model[first++] = value;
}

static void write_pages(size_t first, size_t count)
{
	size_t i;

	for (i = first; i < first + count; i++) {
		if (model[i] == HOLE)
			continue;
		/* Few values: much to merge; a zero now and then. */
		model[i] = draw(8);
		page_at(i)[0] = model[i];
		page_at(i)[511] = model[i];
	}
}

static void check_window(int step)
{
	size_t i;

	for (i = 0; i < WINDOW; i++)
		if (model[i] != HOLE && (page_at(i)[0] != model[i] ||
					 page_at(i)[511] != model[i]))
			fail(step, "page %zu holds %llx, expected %llx (line is the step)",
			     i, (unsigned long long)page_at(i)[0],
			     (unsigned long long)model[i]);
}

static void advise_pages(size_t first, size_t count, int advice)
{
	int result = madvise(page_at(first), count * PAGE, advice);
	size_t i;

	if (has_hole(first, count))
		expect(result == -1 && errno == ENOMEM);
	else if (advice != MADV_UNMERGEABLE || errno != EAGAIN)
		expect(!result);
	for (i = first; i < first + count && advice == MADV_DONTNEED; i++)
		if (model[i] != HOLE)
			model[i] = 0;
}

static void map_pages(size_t first, size_t count)
{
	expect(mmap(page_at(first), count * PAGE, RW,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       page_at(first));
	set_model(first, count, 0);
}

/* What the kernel may refuse is refused or done, never half done. */
static void move_pages(size_t first, size_t count)
{
	size_t to = draw(WINDOW - count + 1), i;

	if (has_hole(first, count) ||
	    (to < first + count && first < to + count))
		return;
	if (mremap(page_at(first), count * PAGE, count * PAGE,
		   MREMAP_MAYMOVE | MREMAP_FIXED, page_at(to)) == MAP_FAILED) {
		expect(errno == EFAULT);
		/* The kernel unmaps the target before it looks at the source. */
		map_pages(to, count);
		return;
	}
	for (i = 0; i < count; i++)
		model[to + i] = model[first + i];
	set_model(first, count, HOLE);
}

static void resize_pages(size_t first, size_t count)
{
	size_t len = 1 + draw(WINDOW - first);
	void *result;

	if (has_hole(first, count))
		return;
	result = mremap(page_at(first), count * PAGE, len * PAGE, 0);
	if (result == MAP_FAILED) {
		expect(len > count && (errno == ENOMEM || errno == EFAULT));
		return;
	}
	expect(result == page_at(first));
	if (len < count) {
		set_model(first + len, count - len, HOLE);
		return;
	}
	expect(all_holes(first + count, len - count));
	set_model(first + count, len - count, 0);
}

/* One of the two goes on. */
static void fork_pages(int step)
{
	pid_t child = fork();
	int status;

	expect(child >= 0);
	if (!child) {
		check_window(step);
		return;
	}
	write_pages(0, WINDOW);
	check_window(step);
	expect(waitpid(child, &status, 0) == child);
	_exit(WEXITSTATUS(status) || WIFSIGNALED(status));
}

static void random_step(int step)
{
	size_t first = draw(WINDOW), count = 1 + draw(WINDOW - first);
	int fd;

	switch (draw(12)) {
	case 0 ... 2:
		write_pages(first, count);
		break;
	case 3 ... 4:
		advise_pages(first, count, MADV_MERGEABLE);
		break;
	case 5:
		advise_pages(first, count, MADV_UNMERGEABLE);
		break;
	case 6:
		advise_pages(first, count, MADV_DONTNEED);
		break;
	case 7:
		expect(!munmap(page_at(first), count * PAGE));
		set_model(first, count, HOLE);
		break;
	case 8:
		map_pages(first, count);
		break;
	case 9:
		move_pages(first, count);
		break;
	case 10:
		resize_pages(first, count);
		break;
	case 11:
		scan();
		if (!draw(4))
			fork_pages(step);
		for (fd = 3; !draw(8) && fd < 1100; fd++)
			close(fd);
	}
}

void case_random(void)
{
	const char *seed = getenv("SEED"), *steps = getenv("STEPS");
	int step, last = steps ? atoi(steps) : 500;

	random_state = seed ? strtoull(seed, NULL, 0) : 88172645463325252ULL;
	/* Far from where others map: nobody else may fill our holes. */
	window = (char *)(1UL << 40);
	map_pages(0, WINDOW);
	for (step = 0; step < last; step++) {
		random_step(step);
		check_window(step);
	}
}
