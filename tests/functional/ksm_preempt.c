// SPDX-License-Identifier: GPL-2.0
/*
 * Scanning in the middle of a fault.  The kernel unlocks a page only after it
 * has mapped it, and then has no reference of its own: the scanner must not
 * free a page between the two.
 *
 * With preempt=full a task can lose the CPU right there, when it drops the
 * lock of the page table.  So a real-time thread scans at random moments while
 * another one breaks shared pages.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "ksm_test.h"

#define SCANS		4000
#define AREA_PAGES	48	/* few enough to have no spares, frames are freed */
#define SEED		7
#define TAINT_BAD_PAGE	(1 << 5)

/* Write to page after page what it holds already. */
static void *write_forever(void *base)
{
	unsigned long i;

	for (i = 0; ; i = (i + 1) % AREA_PAGES)
		*(volatile u64 *)page_at(base, i) = seed_word(SEED, 0);
	return NULL;
}

static void real_time(void)
{
	struct sched_param param = { .sched_priority = 1 };

	MUST(sched_setscheduler(0, SCHED_FIFO, &param));
}

static void sleep_random(void)
{
	struct timespec ts = { .tv_nsec = 100000 + random() % 900000 };

	nanosleep(&ts, NULL);
}

static bool kernel_found_bad_page(void)
{
	char buf[32];

	MUST(file_read("/proc/sys/kernel/tainted", buf, sizeof(buf)));
	return strtoul(buf, NULL, 10) & TAINT_BAD_PAGE;
}

static void test_locked_page_stays(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, AREA_PAGES);
	struct ksm_stats stats = { 0 };
	pthread_t writer;
	unsigned int i;

	ksm_quiet();
	pages_fill(mem, AREA_PAGES, SEED, 0);
	CHECK_EQ(pthread_create(&writer, NULL, write_forever, mem), 0);
	real_time();
	/* On a slow kernel there is less than one copy for each scan. */
	for (i = 0; i < SCANS || stats.cow_breaks <= SCANS; i++) {
		ksm_scan_force(fd);
		sleep_random();
		stats = ksm_stats(fd);
	}
	tap_note("%u scans, %llu copies on write", i,
		 (unsigned long long)stats.cow_breaks);
	pages_check(mem, AREA_PAGES, SEED, 0);
	CHECK(!kernel_found_bad_page());
}

static const struct tap_test tests[] = {
	{ "a page is not freed before the fault that mapped it unlocks it",
	  test_locked_page_stays },
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests), NULL);
}
