// SPDX-License-Identifier: GPL-2.0
#include <argz.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "experiment.h"
#include "fleet.h"
#include "format.h"
#include "jsonout.h"
#include "options.h"
#include "plot.h"
#include "summary.h"

/**
 * struct compare - the command line
 * @options:	as of fleet run
 * @backends:	enum backend_id, in the order in which they run
 * @count:	how many
 * @experiments: of each
 */
struct compare {
	struct options options;
	int backends[NR_BACKENDS];
	int count;
	struct experiment experiments[NR_BACKENDS];
};

/* A row of the table: a member of the summaries. */
struct row {
	const char *title;
	const char *name;
	enum { BYTES, SECONDS_TAKEN, COUNT, RATE } unit;
};

static const struct row rows[] = {
	{ "Touched", "touched_bytes", BYTES },
	{ "Saved", "saved_bytes", BYTES },
	{ "  in the last minute", "saved_bytes_in_last_minute", BYTES },
	{ "Used when ready", "used_bytes_when_ready", BYTES },
	{ "Used", "used_bytes", BYTES },
	{ "Used, frames counted", "counted_used_bytes", BYTES },
	{ "PSS of the VMMs", "pss_bytes", BYTES },
	{ "90% saved after", "seconds_to_90_percent", SECONDS_TAKEN },
	{ "As much saved after", "seconds_to_same_saving", SECONDS_TAKEN },
	{ "  by scanner CPU of", "scanner_cpu_seconds_to_same_saving", SECONDS_TAKEN },
	{ "Scanner CPU", "scanner_cpu_seconds", SECONDS_TAKEN },
	{ "  until 90% saved", "scanner_cpu_seconds_to_90_percent", SECONDS_TAKEN },
	{ "  per minute then", "scanner_cpu_seconds_per_minute_after", SECONDS_TAKEN },
	{ "Copies on write", "cow_breaks", COUNT },
	{ "Pages written", "writes", COUNT },
	{ "  per second", "writes_per_second", RATE },
};

static void print_cell(FILE *file, struct json_object *value, int unit)
{
	char text[32];

	if (!value)
		snprintf(text, sizeof(text), "-");
	else if (unit == BYTES)
		snprintf(text, sizeof(text), "%s", format_bytes(json_object_get_int64(value)).text);
	else if (unit == SECONDS_TAKEN)
		snprintf(text, sizeof(text), "%s",
			 format_seconds(json_object_get_double(value)).text);
	else if (unit == RATE)
		snprintf(text, sizeof(text), "%.0f", json_object_get_double(value));
	else
		snprintf(text, sizeof(text), "%" PRId64, json_object_get_int64(value));
	fprintf(file, "%14s", text);
}

static void print_table(struct json_object *summaries, FILE *file)
{
	size_t count = json_object_array_length(summaries), i, r;
	struct json_object *summary;

	fprintf(file, "%-22s", "");
	for (i = 0; i < count; i++)
		fprintf(file, "%14s", json_text(json_object_array_get_idx(summaries, i),
						"backend"));
	fputc('\n', file);
	for (r = 0; r < ARRAY_SIZE(rows); r++) {
		fprintf(file, "%-22s", rows[r].title);
		for (i = 0; i < count; i++) {
			summary = json_object_array_get_idx(summaries, i);
			print_cell(file, json_object_object_get(summary, rows[r].name),
				   rows[r].unit);
		}
		fputc('\n', file);
	}
}

/* The rows as columns, under their names in the summaries; a line a back end. */
static void print_csv(struct json_object *summaries, FILE *file)
{
	struct json_object *summary, *value;
	size_t i, r;

	fputs("backend,outcome", file);
	for (r = 0; r < ARRAY_SIZE(rows); r++)
		fprintf(file, ",%s", rows[r].name);
	fputc('\n', file);
	for (i = 0; i < json_object_array_length(summaries); i++) {
		summary = json_object_array_get_idx(summaries, i);
		fprintf(file, "%s,%s", json_text(summary, "backend"),
			json_text(summary, "outcome"));
		for (r = 0; r < ARRAY_SIZE(rows); r++) {
			value = json_object_object_get(summary, rows[r].name);
			fprintf(file, ",%s", value ? json_object_to_json_string(value) : "");
		}
		fputc('\n', file);
	}
}

static void print_json(struct json_object *summaries, FILE *file)
{
	json_write(summaries, file);
}

static int write_tables(struct json_object *summaries, const char *folder)
{
	static const struct {
		const char *name;
		void (*print)(struct json_object *summaries, FILE *file);
	} files[] = {
		{ "summary.json", print_json },
		{ "summary.csv", print_csv },
		{ "summary.txt", print_table },
	};
	struct result_file f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		if (result_open(&f, folder, files[i].name))
			return STATUS_FAILURE;
		files[i].print(summaries, f.file);
		if (result_close(&f))
			return STATUS_FAILURE;
	}
	return 0;
}

/* Runs the fleet on one back end; its summary joins the others. */
static int run_one(struct description *d, int backend, const char *folder,
		   struct json_object *summaries, struct experiment *e)
{
	struct json_object *summary;
	char below[PATH_MAX];
	int status;

	d->backend = backend;
	if (result_subfolder(folder, description_backend(d), below, sizeof(below)))
		return STATUS_FAILURE;
	status = experiment_run(e, d, below);
	summary = !status || e->broken ? summary_make(e) : NULL;
	if (summary) {
		if (summary_write(summary, below))
			status = STATUS_FAILURE;
		json_object_array_add(summaries, summary);
	}
	return status;
}

/* The least that any of those that merge has saved. */
static long long least_saved(const struct compare *c)
{
	long long least = LLONG_MAX, saved;
	int i;

	for (i = 0; i < c->count; i++) {
		saved = summary_saved(&c->experiments[i]);
		if (c->backends[i] != BACKEND_NONE && saved < least)
			least = saved;
	}
	return least;
}

/* Each one's own 90% are not the same if they save not the same. */
static void add_same(const struct compare *c, struct json_object *summaries)
{
	long long least = least_saved(c);
	int i;

	for (i = 0; i < c->count; i++)
		summary_add_same(json_object_array_get_idx(summaries, i), &c->experiments[i],
				 least);
}

static int run_all(struct compare *c, struct description *d, const char *folder,
		   struct json_object *summaries)
{
	bool interrupted = false, broken = false;
	int status = 0, written = 0, i;

	for (i = 0; !status && !interrupted && i < c->count; i++) {
		status = run_one(d, c->backends[i], folder, summaries, &c->experiments[i]);
		interrupted = c->experiments[i].interrupted;
		broken = c->experiments[i].broken;
	}
	if (!status && !interrupted)
		add_same(c, summaries);
	for (i = 0; i < c->count; i++)
		experiment_free(&c->experiments[i]);
	/* What cannot be written has been said; a guest's failure is a result. */
	if (!status || broken)
		written = write_tables(summaries, folder);
	if (interrupted && !status)
		status = report_failure("interrupted; what there is so far is in %s", folder);
	return status ? status : written;
}

static int compare(struct compare *c, struct description *d)
{
	struct json_object *summaries = json_object_new_array();
	char folder[PATH_MAX];
	int status;

	if (result_folder(c->options.output, d->name, folder, sizeof(folder)))
		return STATUS_FAILURE;
	experiment_catch_signals();
	status = run_all(c, d, folder, summaries);
	if (json_wanted)
		json_write(summaries, stdout);
	else if (json_object_array_length(summaries))
		print_table(summaries, stdout);
	json_object_put(summaries);
	if (!status && !c->options.no_plots)
		status = plot_results(folder);
	if (!json_wanted)
		printf("\nResults: %s\n", folder);
	return status;
}

static void parse_backends(struct compare *c, char *list, struct argp_state *state)
{
	char *name, *rest = list;
	int backend, i;

	c->count = 0;
	while ((name = strsep(&rest, ","))) {
		backend = description_find_backend(name);
		if (backend < 0)
			argp_error(state, "no such back end: '%s' (ksmdev, ksm, none)", name);
		for (i = 0; i < c->count; i++)
			if (c->backends[i] == backend)
				argp_error(state, "%s is named twice", name);
		c->backends[c->count++] = backend;
	}
}

static const struct argp_option options[] = {
	{ "backends", 'b', "NAME,...", 0, "Which, in which order (none,ksm,ksmdev)", 1 },
	{ 0 }
};

static const struct argp_child children[] = {
	{ &options_argp, 0, NULL, 0 },
	{ &json_argp, 0, NULL, 0 },
	{ NULL, 0, NULL, 0 }
};

/* Somebody who names one back end to compare wants something else. */
static void refuse_backend(struct argp_state *state, const struct options *o)
{
	const char *setting = NULL;

	while ((setting = argz_next(o->settings, o->length, setting)))
		if (!strncmp(setting, "backend", 7) && strchr("= \t", setting[7]))
			argp_error(state, "the back ends to compare are named by --backends");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct compare *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->options;
		return 0;
	case 'b':
		parse_backends(c, arg, state);
		return 0;
	case ARGP_KEY_END:
		refuse_backend(state, &c->options);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.args_doc = "[FILE]",
	.doc = "Run the same fleet on several back ends, one after the other.",
};

int cmd_compare(int argc, char **argv)
{
	struct compare c = {
		.backends = { BACKEND_NONE, BACKEND_KSM, BACKEND_KSMDEV },
		.count = NR_BACKENDS,
	};
	struct description d;
	int status, i;

	argp_parse(&argp, argc, argv, 0, NULL, &c);
	status = options_describe(&c.options, &d);
	for (i = 0; !status && i < c.count; i++) {
		d.backend = c.backends[i];
		status = experiment_check(&d);
	}
	if (!status)
		status = compare(&c, &d);
	description_free(&d);
	options_free(&c.options);
	return status;
}
