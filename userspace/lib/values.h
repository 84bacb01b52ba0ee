/* SPDX-License-Identifier: GPL-2.0 */
/* The files under /sys/class/misc/ksm. */
#ifndef KVMLITE_VALUES_H
#define KVMLITE_VALUES_H

#include <stdbool.h>

#include <json-c/json.h>

/* Another folder can be given to the compiler to try a tool without module. */
#ifndef KSM_SYSFS
#define KSM_SYSFS	"/sys/class/misc/ksm"
#endif

enum value_id {
	RUN,
	ADVISOR_MODE,
	ADVISOR_MAX_CPU,
	PAGES_TO_SCAN,
	SLEEP_MILLISECS,
	REST_MILLISECS,
	SCAN_THREADS,
	USE_ZERO_PAGES,
	MERGE_ACROSS_NODES,
	MAX_PAGE_SHARING,
	PAGES_SHARED,
	PAGES_SHARING,
	PAGES_UNSHARED,
	PAGES_VOLATILE,
	KSM_ZERO_PAGES,
	PAGES_SCANNED,
	PAGES_SKIPPED,
	PAGES_MERGED_TOTAL,
	COW_BREAKS,
	FULL_SCANS,
	GENERAL_PROFIT,
	METADATA_BYTES,
	PAGES_SPARE,
	AREAS,
	DOMAINS,
	SCAN_CPU_NS,
	NR_VALUES
};

/**
 * struct value_file - one of them
 * @name:	of the file
 * @accepts:	what may be written, in words; NULL: read-only
 */
struct value_file {
	const char *name;
	const char *accepts;
};

extern const struct value_file value_files[NR_VALUES];

/**
 * struct values - what all files said
 * @number:	by enum value_id
 * @present:	the file exists
 * @advisor:	the active advisor_mode
 */
struct values {
	long long number[NR_VALUES];
	bool present[NR_VALUES];
	char advisor[32];
};

/* Reads all; an exit status, after saying what is wrong. */
int values_read(struct values *values);

/* Bytes saved, the module's own memory not taken off. */
long long values_saved(const struct values *values);

struct json_object *values_to_json(const struct values *values);

#endif /* KVMLITE_VALUES_H */
