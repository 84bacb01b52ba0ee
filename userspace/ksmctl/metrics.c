// SPDX-License-Identifier: GPL-2.0
#include <unistd.h>

#include "array.h"
#include "metrics.h"
#include "values.h"

/* What a value counts; metrics are in bytes, seconds and ratios. */
enum unit {
	ONE,
	PAGES,
	PERCENT,
	NANOSECONDS,
};

static const struct {
	enum value_id id;
	enum unit unit;
	const char *name;
	const char *help;
} families[] = {
	{ SCAN_THREADS, ONE, "ksmdev_scan_threads", "Scan threads." },
	{ ADVISOR_MAX_CPU, PERCENT, "ksmdev_advisor_max_cpu_ratio",
	  "CPUs that all scan threads together may use, unless advisor_mode is none." },
	{ AREAS, ONE, "ksmdev_areas", "Open areas." },
	{ DOMAINS, ONE, "ksmdev_domains", "Domains." },
	{ PAGES_SHARED, PAGES, "ksmdev_shared_bytes",
	  "Memory that holds merged content." },
	{ PAGES_SHARING, PAGES, "ksmdev_sharing_bytes",
	  "Memory saved by merged content, zero pages aside." },
	{ KSM_ZERO_PAGES, PAGES, "ksmdev_zero_bytes",
	  "Memory saved by zero pages." },
	{ PAGES_UNSHARED, PAGES, "ksmdev_unshared_bytes",
	  "Memory without equal." },
	{ PAGES_VOLATILE, PAGES, "ksmdev_volatile_bytes",
	  "Memory that changed since the last pass." },
	{ METADATA_BYTES, ONE, "ksmdev_metadata_bytes",
	  "Memory of the module itself." },
	{ PAGES_SPARE, PAGES, "ksmdev_spare_bytes",
	  "Memory kept for the next copies." },
	{ GENERAL_PROFIT, ONE, "ksmdev_profit_bytes",
	  "Memory saved, less all that the module uses." },
	{ PAGES_SCANNED, ONE, "ksmdev_scanned_pages_total", "Pages visited." },
	{ PAGES_SKIPPED, ONE, "ksmdev_skipped_pages_total",
	  "Pages passed over because they change too often." },
	{ PAGES_MERGED_TOTAL, ONE, "ksmdev_merged_pages_total",
	  "Pages merged." },
	{ COW_BREAKS, ONE, "ksmdev_cow_breaks_total",
	  "Copies because a shared page was written." },
	{ FULL_SCANS, ONE, "ksmdev_full_scans_total", "Full passes." },
	{ SCAN_CPU_NS, NANOSECONDS, "ksmdev_scan_cpu_seconds_total",
	  "CPU time of the scan threads." },
};

static double in_base_unit(long long value, enum unit unit)
{
	switch (unit) {
	case PAGES:
		return (double)value * sysconf(_SC_PAGESIZE);
	case PERCENT:
		return value / 100.0;
	case NANOSECONDS:
		return value / 1e9;
	case ONE:
		break;
	}
	return value;
}

static void write_values(struct metrics *metrics, const struct values *values)
{
	size_t i;

	metrics_single(metrics, "ksmdev_running",
		       "Whether the scan threads run.",
		       values->number[RUN] == 1);
	for (i = 0; i < ARRAY_SIZE(families); i++)
		if (values->present[families[i].id])
			metrics_single(metrics, families[i].name,
				       families[i].help,
				       in_base_unit(values->number[families[i].id],
						    families[i].unit));
}

/* A module that is not there is a fact worth a sample, not a stale file. */
static int write_metrics(struct metrics *metrics)
{
	bool loaded = !access(KSM_SYSFS, F_OK);
	int status = 0;
	struct values values;

	if (loaded)
		status = values_read(&values);
	if (status)
		return status;
	metrics_single(metrics, "ksmdev_up", "Whether the module is loaded.",
		       loaded);
	if (loaded)
		write_values(metrics, &values);
	return 0;
}

int cmd_metrics(int argc, char **argv)
{
	return metrics_main(argc, argv, write_metrics);
}
