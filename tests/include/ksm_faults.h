/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of ksmdev without memory share: what must be as before, and an area
 * with contents of all kinds.  See faults.h.
 */
#ifndef KSM_FAULTS_H
#define KSM_FAULTS_H

#include "ksm_test.h"
#include "faults.h"

static const struct fault_counter fault_counters[] = {
	{ "areas", ksm_get },
	{ "domains", ksm_get },
	{ "pages_shared", ksm_get },
	{ "pages_sharing", ksm_get },
	{ "pages_unshared", ksm_get },
	{ "pages_volatile", ksm_get },
	{ "ksm_zero_pages", ksm_get },
	{ "pages_spare", ksm_get },
	{ "scan_threads", ksm_get },
	{ "users of the module", fault_module_users },
};

static unsigned int fault_counters_count(void)
{
	return ARRAY_SIZE(fault_counters);
}

static const int none[] = { 0 };
static const int no_memory[] = { ENOMEM, 0 };
static const int no_memory_or_copy[] = { ENOMEM, EFAULT, 0 };

/* ---- an area with contents ---- */

#define PAGES 12UL

/* Equal ones, zeroes, and a run long enough to be unmapped in one go. */
static const u64 seeds[PAGES] = { 1, 1, 0, 2, 1, 1, 1, 1, 1, 3, 0, 2 };
/* What the scanner makes of them. */
#define SEED_MERGED	9
#define SEED_ZERO	2

static int area = -1;
static char *mem;

static inline void contents_fill(void)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		page_fill(page_at(mem, i), seeds[i]);
}

static inline void contents_check(void)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		if (!page_holds(page_at(mem, i), seeds[i]))
			tap_fail("failure %u (%s): page %lu: expected the content of seed %llu, got another",
				 fault_at.n, fault_at.way->name, i,
				 (unsigned long long)seeds[i]);
}

static inline void area_make(void)
{
	area = ksm_open_private();
	mem = map_area(area, PAGES);
}

static inline void area_make_full(void)
{
	area_make();
	contents_fill();
}

static inline void merged_check(void)
{
	struct ksm_stats stats = ksm_domain_stats(area);

	CHECK_EQ(stats.pages_merged, SEED_MERGED);
	CHECK_EQ(stats.ksm_zero_pages, SEED_ZERO);
	CHECK_EQ(stats.pages_shared, 2);
	CHECK_EQ(stats.pages_unshared, 1);
}

/* Also what shows that the module works: frees all, so that none may leak. */
static inline void area_make_merged(void)
{
	area_make_full();
	ksm_scan_force(area);
	merged_check();
}

static inline void area_drop(void)
{
	MUST(munmap(mem, PAGES * PAGE));
	MUST(close(area));
}

/* What the area holds can still be merged, and written. */
static inline void area_prove_and_drop(void)
{
	contents_fill();
	ksm_scan_force(area);
	merged_check();
	contents_check();
	area_drop();
}

static inline void contents_check_any(int err)
{
	(void)err;
	contents_check();
}

#endif /* KSM_FAULTS_H */
