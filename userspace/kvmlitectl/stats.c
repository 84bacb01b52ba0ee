// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kvmlitectl.h"
#include "screen.h"
#include "vm.h"

/**
 * struct stats - one run of the command
 * @once:	print one table, without rates
 * @interval:	seconds between two tables
 * @pid:	the process whose VMs count; 0: all since the module was loaded
 * @screen:	where tables go
 */
struct stats {
	bool once;
	double interval;
	pid_t pid;
	struct screen screen;
};

/**
 * struct sample - what was read at one time
 * @time:	seconds, of a clock that does not jump
 * @vms:	how many VMs there are
 * @vcpus:	of them
 * @counters:	sums over them
 */
struct sample {
	double time;
	int vms;
	int vcpus;
	struct counters counters;
};

/**
 * struct row - a line of the table
 * @name:	of the counter
 * @total:	its value
 * @rate:	how much it grows in a second
 */
struct row {
	const char *name;
	long long total;
	double rate;
};

/* ---- reading ---- */

static int take_sample(const struct stats *stats, struct sample *sample)
{
	struct timespec ts;
	struct vms vms;
	int status;
	size_t i;

	memset(sample, 0, sizeof(*sample));
	clock_gettime(CLOCK_MONOTONIC, &ts);
	sample->time = ts.tv_sec + ts.tv_nsec / 1e9;
	status = vms_read(&vms);
	for (i = 0; !status && i < vms.count; i++) {
		if (stats->pid && stats->pid != vms.list[i].pid)
			continue;
		sample->vms++;
		sample->vcpus += vms.list[i].vcpus;
		if (stats->pid)
			counters_sum(&sample->counters, &vms.list[i].counters);
	}
	vms_free(&vms);
	if (!status && !stats->pid)
		status = vms_read_totals(&sample->counters);
	return status;
}

/* ---- printing ---- */

/* Those that move most first, then those that moved most. */
static int by_rate(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return strcmp(x->name, y->name);
}

static double per_second(const struct sample *old, const struct sample *new,
			 const char *name)
{
	long long growth = counters_get(&new->counters, name) -
			   counters_get(&old->counters, name);
	double seconds = new->time - old->time;

	/* Sums shrink when a VM ends. */
	if (seconds <= 0 || (growth < 0 && !counters_is_gauge(name)))
		return 0;
	return growth / seconds;
}

static size_t make_rows(const struct sample *old, const struct sample *new,
			struct row *rows)
{
	const struct counters *counters = &new->counters;
	size_t i;

	for (i = 0; i < counters->count; i++) {
		rows[i].name = counters->list[i].name;
		rows[i].total = counters->list[i].value;
		rows[i].rate = per_second(old, new, counters->list[i].name);
	}
	qsort(rows, counters->count, sizeof(*rows), by_rate);
	return counters->count;
}

static void print_row(struct stats *stats, const struct row *row,
		      const struct counters *counters)
{
	double exits = counters_get(counters, "exits");

	printf("%-22s %14lld", row->name, row->total);
	if (counters_is_gauge(row->name) || exits <= 0)
		printf(" %10s", "-");
	else
		printf(" %9.1f%%", 100 * row->total / exits);
	if (!stats->once)
		printf(" %12.0f", row->rate);
	screen_end_line(&stats->screen);
}

static void print_table(struct stats *stats, const struct sample *old,
			const struct sample *new)
{
	struct row rows[COUNTERS_MAX];
	size_t count = make_rows(old, new, rows), i;

	screen_begin(&stats->screen);
	if (stats->pid)
		printf("VMs of process %d: %d, vCPUs: %d", stats->pid, new->vms,
		       new->vcpus);
	else
		printf("VMs: %d, vCPUs: %d; counted since the module was loaded",
		       new->vms, new->vcpus);
	screen_end_line(&stats->screen);
	printf("%-22s %14s %10s", "counter", "total", "of exits");
	if (!stats->once)
		printf(" %12s", "per second");
	screen_end_line(&stats->screen);
	for (i = 0; i < count && stats->screen.lines_left > 1; i++)
		if (rows[i].total)
			print_row(stats, &rows[i], &new->counters);
	screen_end(&stats->screen);
}

static void print_json(const struct stats *stats, const struct sample *old,
		       const struct sample *new)
{
	struct json_object *object = json_object_new_object();
	struct json_object *totals = json_object_new_object();
	struct json_object *rates = json_object_new_object();
	const char *name;
	size_t i;

	for (i = 0; i < new->counters.count; i++) {
		name = new->counters.list[i].name;
		json_object_object_add(totals, name,
				       json_object_new_int64(new->counters.list[i].value));
		json_object_object_add(rates, name,
				       json_object_new_double(per_second(old, new, name)));
	}
	json_object_object_add(object, "vms", json_object_new_int(new->vms));
	json_object_object_add(object, "vcpus",
			       json_object_new_int(new->vcpus));
	json_object_object_add(object, "counters", totals);
	if (stats->once)
		json_object_put(rates);
	else
		json_object_object_add(object, "per_second", rates);
	json_print(object, true);
	fflush(stdout);
}

static void print_sample(struct stats *stats, const struct sample *old,
			 const struct sample *new)
{
	if (json_wanted)
		print_json(stats, old, new);
	else
		print_table(stats, old, new);
}

/* ---- the command ---- */

static int loop(struct stats *stats)
{
	struct sample old, new;
	int status;

	status = take_sample(stats, &old);
	if (status)
		return status;
	if (stats->pid && !old.vms)
		return report_failure("process %d has no VM: kvmlitectl vms lists them",
				      stats->pid);
	print_sample(stats, &old, &old);
	while (!stats->once && screen_wait(&stats->screen, stats->interval)) {
		status = take_sample(stats, &new);
		/* The VM ended, and so do we. */
		if (status || (stats->pid && !new.vms))
			break;
		print_sample(stats, &old, &new);
		old = new;
	}
	return status;
}

static const struct argp_option options[] = {
	{ "once", '1', NULL, 0, "Print the totals once", 0 },
	{ "interval", 's', "SECONDS", 0, "Time between two tables (1)", 0 },
	{ "vm", 'p', "PID", 0, "Only the VMs of this process", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stats *stats = state->input;
	char *rest;
	long pid;

	switch (key) {
	case '1':
		stats->once = true;
		return 0;
	case 's':
		stats->interval = strtod(arg, &rest);
		if (*rest || rest == arg || !(stats->interval >= 0.05) ||
		    stats->interval > 86400)
			argp_error(state, "not a number of seconds, 0.05 or more: %s",
				   arg);
		return 0;
	case 'p':
		pid = strtol(arg, &rest, 10);
		if (*rest || rest == arg || pid < 1 || pid > 1L << 30)
			argp_error(state, "not a process: %s", arg);
		stats->pid = pid;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Exits by reason and other counters of the VMs, live; those that grow fastest come first. The key q ends it. Needs root.",
	.children = json_child,
};

int cmd_stats(int argc, char **argv)
{
	struct stats stats = { .interval = 1 };
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &stats);
	stats.screen.redraw = !stats.once && !json_wanted &&
			      screen_is_terminal();
	screen_enter(&stats.screen);
	status = loop(&stats);
	screen_leave(&stats.screen);
	return status;
}
