/* SPDX-License-Identifier: GPL-2.0 */
/* The knobs of the scanner, and counters of what it did. */
#ifndef _KSMDEV_KNOBS_H
#define _KSMDEV_KNOBS_H

#include <linux/atomic.h>
#include <linux/types.h>

/* What a scan did; see struct ksm_scan in the uapi header. */
struct ksm_scan_counts {
	u64 scanned;
	u64 hashed;
	u64 merged;
	u64 zero;
	u64 skipped;
	u64 is_volatile;
};

enum ksm_run { KSM_RUN_STOP, KSM_RUN_MERGE, KSM_RUN_UNMERGE };
enum ksm_advisor { KSM_ADVISOR_NONE, KSM_ADVISOR_CPU_BUDGET };

/* Written through sysfs under knobs_lock, read without. */
struct ksm_knobs {
	unsigned int run;
	unsigned int advisor;
	unsigned int max_cpu;		/* percent of one CPU */
	unsigned int pages_to_scan;
	unsigned int sleep_millisecs;
	unsigned int rest_millisecs;	/* see slot.h */
	unsigned int scan_threads;
	unsigned int max_page_sharing;
	bool use_zero_pages;
	bool merge_across_nodes;
};

/* Totals since the module was loaded. */
struct ksm_totals {
	atomic64_t scanned;
	atomic64_t merged;
	atomic64_t skipped;
	atomic64_t full_scans;
	atomic64_t scan_cpu_ns;
	atomic64_t cow_breaks;		/* of areas that are gone */
	atomic_long_t areas;
};

#define KSM_REST_MS_MAX 30000

extern struct ksm_knobs ksm_knobs;
extern struct ksm_totals ksm_totals;

void ksm_scan_counts_add(struct ksm_scan_counts *to,
			 const struct ksm_scan_counts *more);
void ksm_totals_add(const struct ksm_scan_counts *more);

#endif /* _KSMDEV_KNOBS_H */
