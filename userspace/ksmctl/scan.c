// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/ksmdev.h>

#include "format.h"
#include "ksmctl.h"

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void add_number(struct json_object *object, const char *name, __u64 value)
{
	json_object_object_add(object, name, json_object_new_int64(value));
}

/* @scan is NULL if its numbers are not for the user. */
static void print_json(const struct ksm_scan *scan, __u64 domain, double seconds)
{
	struct json_object *object = json_object_new_object();

	if (scan) {
		add_number(object, "domain", domain);
		add_number(object, "passes", scan->passes);
		add_number(object, "pages_scanned", scan->pages_scanned);
		add_number(object, "pages_hashed", scan->pages_hashed);
		add_number(object, "pages_merged", scan->pages_merged);
		add_number(object, "pages_zero", scan->pages_zero);
		add_number(object, "pages_skipped", scan->pages_skipped);
		add_number(object, "pages_volatile", scan->pages_volatile);
	}
	json_object_object_add(object, "seconds",
			       json_object_new_double(seconds));
	json_print(object, false);
}

static void print_text(const struct ksm_scan *scan, __u64 domain, double seconds)
{
	struct format_text took = format_seconds(seconds);

	if (!scan) {
		printf("Pass done, %s; its numbers are for the owner of the domain\n", took.text);
		return;
	}
	printf("Pass %llu of domain %llu, %s\n", scan->passes, domain, took.text);
	printf("visited %llu pages: %llu merged, %llu zero, %llu hashed, %llu skipped, %llu volatile\n",
	       scan->pages_scanned, scan->pages_merged, scan->pages_zero,
	       scan->pages_hashed, scan->pages_skipped, scan->pages_volatile);
}

static int scan_failed(void)
{
	switch (errno) {
	case EINTR:
		return report_failure("interrupted; what was merged stays merged");
	case EPERM:
		return report_failure("--force is for the owner of the domain");
	default:
		return report_failure("the pass failed: %s", strerror(errno));
	}
}

static int scan_domain(int fd, bool force)
{
	struct ksm_scan scan = { .flags = force ? KSM_SCAN_FORCE : 0 };
	struct ksm_stats stats = { .flags = KSM_STATS_DOMAIN };
	double start = now(), seconds;
	bool mine;

	if (ioctl(fd, KSM_SCAN, &scan))
		return scan_failed();
	seconds = now() - start;
	mine = !ioctl(fd, KSM_GET_STATS, &stats);
	if (!mine && errno != EPERM)
		return report_failure("no statistics: %s", strerror(errno));
	if (json_wanted)
		print_json(mine ? &scan : NULL, stats.domain, seconds);
	else
		print_text(mine ? &scan : NULL, stats.domain, seconds);
	return 0;
}

struct arguments {
	bool force;
	const char *path;	/* NULL: the domain of the user */
};

static const struct argp_option options[] = {
	{ "force", 'f', NULL, 0,
	  "Also visit pages that change too often to be worth it", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	if (key == 'f')
		arguments->force = true;
	else if (key == ARGP_KEY_ARG && !arguments->path)
		arguments->path = arg;
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[PATH]",
	.doc = "Run one full pass now over all memory of your user's domain, or of that to which the file or directory PATH of a ksmfs belongs, and say what it did.",
	.children = json_child,
};

int cmd_scan(int argc, char **argv)
{
	struct arguments arguments = { .path = NULL };
	int fd, status;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	fd = arguments.path ? path_open(arguments.path) : device_open();
	if (fd < 0)
		return STATUS_FAILURE;
	status = scan_domain(fd, arguments.force);
	close(fd);
	return status;
}
