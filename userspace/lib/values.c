// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "sysfs.h"
#include "values.h"

const struct value_file value_files[NR_VALUES] = {
	[RUN] = { "run", "0 (stop), 1 (merge) or 2 (unmerge all)" },
	[ADVISOR_MODE] = { "advisor_mode", "cpu-budget or none" },
	[ADVISOR_MAX_CPU] = { "advisor_max_cpu",
			      "percent of one CPU, 1 to 6400" },
	[PAGES_TO_SCAN] = { "pages_to_scan", "1 to 4294967295" },
	[SLEEP_MILLISECS] = { "sleep_millisecs", "milliseconds" },
	[REST_MILLISECS] = { "rest_millisecs", "milliseconds, 0 to 30000" },
	[SCAN_THREADS] = { "scan_threads", "1 to 64" },
	[USE_ZERO_PAGES] = { "use_zero_pages", "0 or 1" },
	[MERGE_ACROSS_NODES] = { "merge_across_nodes", "0 or 1" },
	[MAX_PAGE_SHARING] = { "max_page_sharing", "2 or more" },
	[PAGES_SHARED] = { "pages_shared", NULL },
	[PAGES_SHARING] = { "pages_sharing", NULL },
	[PAGES_UNSHARED] = { "pages_unshared", NULL },
	[PAGES_VOLATILE] = { "pages_volatile", NULL },
	[KSM_ZERO_PAGES] = { "ksm_zero_pages", NULL },
	[PAGES_SCANNED] = { "pages_scanned", NULL },
	[PAGES_SKIPPED] = { "pages_skipped", NULL },
	[PAGES_MERGED_TOTAL] = { "pages_merged_total", NULL },
	[COW_BREAKS] = { "cow_breaks", NULL },
	[FULL_SCANS] = { "full_scans", NULL },
	[GENERAL_PROFIT] = { "general_profit", NULL },
	[METADATA_BYTES] = { "metadata_bytes", NULL },
	[PAGES_SPARE] = { "pages_spare", NULL },
	[AREAS] = { "areas", NULL },
	[DOMAINS] = { "domains", NULL },
	[SCAN_CPU_NS] = { "scan_cpu_ns", NULL },
};

/* "none [cpu-budget]": the one in brackets, or the whole if there is none. */
static void choose_active(char *text)
{
	char *open = strchr(text, '['), *close = strchr(text, ']');

	if (!open || !close || close < open)
		return;
	*close = '\0';
	memmove(text, open + 1, close - open);
}

static int read_one(struct values *values, enum value_id id)
{
	const char *name = value_files[id].name;
	int err;

	if (id != ADVISOR_MODE)
		return sysfs_read_number(KSM_SYSFS, name, &values->number[id]);
	err = sysfs_read_string(KSM_SYSFS, name, values->advisor,
				sizeof(values->advisor));
	if (!err)
		choose_active(values->advisor);
	return err;
}

int values_read(struct values *values)
{
	int id, err;

	memset(values, 0, sizeof(*values));
	if (access(KSM_SYSFS, F_OK))
		return report_failure("the module is not loaded (no %s): modprobe ksmdev",
				      KSM_SYSFS);
	for (id = 0; id < NR_VALUES; id++) {
		err = read_one(values, id);
		if (err && err != -ENOENT)
			return report_failure("cannot read %s/%s: %s",
					      KSM_SYSFS, value_files[id].name,
					      strerror(-err));
		values->present[id] = !err;
	}
	return 0;
}

long long values_saved(const struct values *values)
{
	return (values->number[PAGES_SHARING] +
		values->number[KSM_ZERO_PAGES]) * sysconf(_SC_PAGESIZE);
}

struct json_object *values_to_json(const struct values *values)
{
	struct json_object *object = json_object_new_object(), *value;
	int id;

	for (id = 0; id < NR_VALUES; id++) {
		if (!values->present[id])
			continue;
		value = id == ADVISOR_MODE ?
			json_object_new_string(values->advisor) :
			json_object_new_int64(values->number[id]);
		json_object_object_add(object, value_files[id].name, value);
	}
	json_object_object_add(object, "page_size",
			       json_object_new_int64(sysconf(_SC_PAGESIZE)));
	json_object_object_add(object, "saved_bytes",
			       json_object_new_int64(values_saved(values)));
	return object;
}
