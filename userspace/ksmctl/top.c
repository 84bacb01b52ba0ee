// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "areas.h"
#include "format.h"
#include "ksmctl.h"
#include "screen.h"
#include "values.h"

/**
 * struct top - one run of the command
 * @delay:	seconds between two tables
 * @count:	how many tables, 0: until interrupted
 * @screen:	they go to
 */
struct top {
	double delay;
	long count;
	struct screen screen;
};

/**
 * struct sample - what was read at one time
 * @time:	seconds, of a clock that does not jump
 * @values:	of all files
 */
struct sample {
	double time;
	struct values values;
};

static int take_sample(struct sample *sample)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	sample->time = ts.tv_sec + ts.tv_nsec / 1e9;
	return values_read(&sample->values);
}

static double per_second(const struct sample *old, const struct sample *new,
			 enum value_id id)
{
	double seconds = new->time - old->time;

	if (seconds <= 0)
		return 0;
	return (new->values.number[id] - old->values.number[id]) / seconds;
}

static void print_totals(struct screen *screen, const struct sample *new)
{
	const long long *n = new->values.number;

	printf("saved %s (%lld shared + %lld zero pages), profit %s",
	       format_bytes(values_saved(&new->values)).text,
	       n[PAGES_SHARING], n[KSM_ZERO_PAGES],
	       format_bytes(n[GENERAL_PROFIT]).text);
	screen_end_line(screen);
	printf("%lld frames shared, %lld pages without equal, %lld volatile, %lld areas",
	       n[PAGES_SHARED], n[PAGES_UNSHARED], n[PAGES_VOLATILE],
	       n[AREAS]);
	screen_end_line(screen);
}

static void print_rates(struct screen *screen, const struct sample *old,
			const struct sample *new)
{
	printf("per second: %.0f visited, %.0f merged, %.0f copied on write; scanner %.1f%% CPU, %lld passes",
	       per_second(old, new, PAGES_SCANNED),
	       per_second(old, new, PAGES_MERGED_TOTAL),
	       per_second(old, new, COW_BREAKS),
	       per_second(old, new, SCAN_CPU_NS) / 1e7,
	       new->values.number[FULL_SCANS]);
	screen_end_line(screen);
}

/* Who is not root sees the totals only. */
static void print_areas(struct screen *screen)
{
	FILE *file = areas_open();
	char text[512];

	if (!file)
		return;
	while (screen->lines_left > 1 && fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = '\0';
		printf("%.79s", text);
		screen_end_line(screen);
	}
	fclose(file);
}

static void print_table(struct screen *screen, const struct sample *old,
			const struct sample *new)
{
	screen_begin(screen);
	print_totals(screen, new);
	print_rates(screen, old, new);
	print_areas(screen);
	screen_end(screen);
}

static void add_rate(struct json_object *object, const char *name,
		     double rate)
{
	json_object_object_add(object, name, json_object_new_double(rate));
}

static void print_json(const struct sample *old, const struct sample *new)
{
	struct json_object *object = values_to_json(&new->values);

	add_rate(object, "pages_scanned_per_second",
		 per_second(old, new, PAGES_SCANNED));
	add_rate(object, "pages_merged_per_second",
		 per_second(old, new, PAGES_MERGED_TOTAL));
	add_rate(object, "cow_breaks_per_second",
		 per_second(old, new, COW_BREAKS));
	add_rate(object, "scanner_cpu_percent",
		 per_second(old, new, SCAN_CPU_NS) / 1e7);
	json_print(object, true);
	fflush(stdout);
}

static int loop(struct top *top)
{
	struct sample old, new;
	long tables;
	int status;

	status = take_sample(&old);
	for (tables = 0; !status; old = new) {
		/* The first table has no rates to wait for. */
		if (!screen_wait(&top->screen, tables ? top->delay : 0))
			break;
		status = take_sample(&new);
		if (status)
			break;
		if (json_wanted)
			print_json(&old, &new);
		else
			print_table(&top->screen, &old, &new);
		if (++tables == top->count)
			break;
	}
	return status;
}

static const struct argp_option options[] = {
	{ "delay", 'd', "SECONDS", 0, "Time between two tables (1)", 0 },
	{ "count", 'n', "COUNT", 0, "End after so many tables", 0 },
	{ "batch", 'b', NULL, 0,
	  "Print one table below the other, for files and pipes", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct top *top = state->input;
	char *rest;

	switch (key) {
	case 'd':
		top->delay = strtod(arg, &rest);
		if (*rest || rest == arg || !(top->delay >= 0.05) ||
		    top->delay > 86400)
			argp_error(state, "not a number of seconds, 0.05 or more: %s",
				   arg);
		return 0;
	case 'n':
		top->count = strtol(arg, &rest, 10);
		if (*rest || rest == arg || top->count < 1)
			argp_error(state, "not a count: %s", arg);
		return 0;
	case 'b':
		top->screen.redraw = false;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "What is shared and saved, live. The key q ends it.",
	.children = json_child,
};

int cmd_top(int argc, char **argv)
{
	struct top top = {
		.delay = 1,
		.screen.redraw = screen_is_terminal(),
	};
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &top);
	if (json_wanted)
		top.screen.redraw = false;
	screen_enter(&top.screen);
	status = loop(&top);
	screen_leave(&top.screen);
	return status;
}
