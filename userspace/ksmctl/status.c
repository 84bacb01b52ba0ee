// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "ksmctl.h"
#include "sysfs.h"
#include "values.h"

/**
 * struct kernel_ksm - the kernel's own merging
 * @run:		as its file says
 * @pages_shared:	frames of merged content
 * @pages_sharing:	frames saved, zero pages aside
 * @zero_pages:		pages mapped to the zero page (since 6.6)
 */
struct kernel_ksm {
	long long run;
	long long pages_shared;
	long long pages_sharing;
	long long zero_pages;
};

static bool kernel_ksm_read(struct kernel_ksm *ksm)
{
	const char *folder = KERNEL_KSM_SYSFS;

	memset(ksm, 0, sizeof(*ksm));
	if (sysfs_read_number(folder, "run", &ksm->run) ||
	    sysfs_read_number(folder, "pages_shared", &ksm->pages_shared) ||
	    sysfs_read_number(folder, "pages_sharing", &ksm->pages_sharing))
		return false;
	sysfs_read_number(folder, "ksm_zero_pages", &ksm->zero_pages);
	return ksm->run == 1 || ksm->pages_sharing || ksm->zero_pages;
}

static long long kernel_ksm_saved(const struct kernel_ksm *ksm)
{
	return (ksm->pages_sharing + ksm->zero_pages) * sysconf(_SC_PAGESIZE);
}

static struct json_object *kernel_ksm_to_json(const struct kernel_ksm *ksm)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "run", json_object_new_int64(ksm->run));
	json_object_object_add(object, "pages_shared",
			       json_object_new_int64(ksm->pages_shared));
	json_object_object_add(object, "pages_sharing",
			       json_object_new_int64(ksm->pages_sharing));
	json_object_object_add(object, "ksm_zero_pages",
			       json_object_new_int64(ksm->zero_pages));
	json_object_object_add(object, "saved_bytes",
			       json_object_new_int64(kernel_ksm_saved(ksm)));
	return object;
}

static const char *run_name(long long run)
{
	switch (run) {
	case 0:
		return "stopped";
	case 1:
		return "running";
	case 2:
		return "stopped and unmerged";
	}
	return "unknown";
}

static void print_pace(const struct values *values)
{
	const long long *n = values->number;

	printf("%-18s%s, %lld scan thread%s", "State", run_name(n[RUN]),
	       n[SCAN_THREADS], n[SCAN_THREADS] == 1 ? "" : "s");
	if (strcmp(values->advisor, "none"))
		printf(", at most %lld%% of one CPU\n", n[ADVISOR_MAX_CPU]);
	else
		printf(", %lld pages then %lld ms of sleep\n",
		       n[PAGES_TO_SCAN], n[SLEEP_MILLISECS]);
}

static void print_values(const struct values *values)
{
	const long long *n = values->number;

	printf("%-18s%s (%lld pages: %lld shared, %lld zero)\n", "Saved",
	       format_bytes(values_saved(values)).text,
	       n[PAGES_SHARING] + n[KSM_ZERO_PAGES], n[PAGES_SHARING],
	       n[KSM_ZERO_PAGES]);
	printf("%-18s%s after %s of metadata\n", "Profit",
	       format_bytes(n[GENERAL_PROFIT]).text,
	       format_bytes(n[METADATA_BYTES]).text);
	printf("%-18s%lld frames for %lld pages\n", "Merged content",
	       n[PAGES_SHARED], n[PAGES_SHARED] + n[PAGES_SHARING]);
	printf("%-18s%lld without equal, %lld volatile\n", "Other pages",
	       n[PAGES_UNSHARED], n[PAGES_VOLATILE]);
	printf("%-18s%lld full, %lld pages visited, %lld merged, %lld skipped\n",
	       "Passes", n[FULL_SCANS], n[PAGES_SCANNED],
	       n[PAGES_MERGED_TOTAL], n[PAGES_SKIPPED]);
	printf("%-18s%lld\n", "Copies on write", n[COW_BREAKS]);
	printf("%-18s%s\n", "Scanner CPU",
	       format_seconds(n[SCAN_CPU_NS] / 1e9).text);
	printf("%-18s%lld in %lld domain%s\n", "Areas", n[AREAS], n[DOMAINS],
	       n[DOMAINS] == 1 ? "" : "s");
}

static void print_kernel_ksm(const struct kernel_ksm *ksm)
{
	printf("%-18s%s, %s saved (%lld pages shared, %lld zero)\n",
	       "Kernel's own KSM", run_name(ksm->run),
	       format_bytes(kernel_ksm_saved(ksm)).text, ksm->pages_sharing,
	       ksm->zero_pages);
}

static const struct argp argp = {
	.doc = "What is shared and saved, and the settings.",
	.children = json_child,
};

int cmd_status(int argc, char **argv)
{
	struct json_object *object;
	struct kernel_ksm kernel;
	struct values values;
	bool kernel_runs;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	status = values_read(&values);
	if (status)
		return status;
	kernel_runs = kernel_ksm_read(&kernel);
	if (json_wanted) {
		object = values_to_json(&values);
		json_object_object_add(object, "kernel_ksm", kernel_runs ?
				       kernel_ksm_to_json(&kernel) : NULL);
		json_print(object, false);
		return 0;
	}
	print_pace(&values);
	print_values(&values);
	if (kernel_runs)
		print_kernel_ksm(&kernel);
	return 0;
}
