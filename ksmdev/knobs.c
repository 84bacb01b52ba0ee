// SPDX-License-Identifier: GPL-2.0
/* The knobs of the scanner, and what it did: written and shown by sysfs.c. */
#include "knobs.h"

struct ksm_knobs ksm_knobs = {
	.run = KSM_RUN_MERGE,
	.advisor = KSM_ADVISOR_CPU_BUDGET,
	.max_cpu = 20,
	.pages_to_scan = 100,
	.sleep_millisecs = 20,
	.rest_millisecs = 500,
	.scan_threads = 1,
	.max_page_sharing = 256,
	.use_zero_pages = true,
	.merge_across_nodes = true,
};

struct ksm_totals ksm_totals;

void ksm_scan_counts_add(struct ksm_scan_counts *to,
			 const struct ksm_scan_counts *more)
{
	to->scanned += more->scanned;
	to->hashed += more->hashed;
	to->merged += more->merged;
	to->zero += more->zero;
	to->skipped += more->skipped;
	to->is_volatile += more->is_volatile;
}

void ksm_totals_add(const struct ksm_scan_counts *more)
{
	atomic64_add(more->scanned, &ksm_totals.scanned);
	atomic64_add(more->merged + more->zero, &ksm_totals.merged);
	atomic64_add(more->skipped + more->is_volatile, &ksm_totals.skipped);
}
