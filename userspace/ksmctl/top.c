// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "areas.h"
#include "format.h"
#include "values.h"

/**
 * struct top - one run of the command
 * @delay:	seconds between two tables
 * @count:	how many tables, 0: until interrupted
 * @redraw:	draw over the last table instead of printing below it
 */
struct top {
	double delay;
	long count;
	bool redraw;
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

static volatile sig_atomic_t ended;
static struct termios saved_terminal;
static int lines_left;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

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

/* Lines of the terminal; a serial line knows none and says 0. */
static int terminal_lines(void)
{
	const char *lines = getenv("LINES");
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row)
		return size.ws_row;
	return lines && atoi(lines) > 0 ? atoi(lines) : 24;
}

/*
 * Ends a line; what the last table had right of it vanishes.  A serial line may
 * be set up to want the carriage return.
 */
static void end_line(const struct top *top)
{
	fputs(top->redraw ? "\033[K\r\n" : "\n", stdout);
	lines_left--;
}

static void print_totals(const struct top *top, const struct sample *new)
{
	const long long *n = new->values.number;

	printf("saved %s (%lld shared + %lld zero pages), profit %s",
	       format_bytes(values_saved(&new->values)).text,
	       n[PAGES_SHARING], n[KSM_ZERO_PAGES],
	       format_bytes(n[GENERAL_PROFIT]).text);
	end_line(top);
	printf("%lld frames shared, %lld pages without equal, %lld volatile, %lld areas",
	       n[PAGES_SHARED], n[PAGES_UNSHARED], n[PAGES_VOLATILE],
	       n[AREAS]);
	end_line(top);
}

static void print_rates(const struct top *top, const struct sample *old,
			const struct sample *new)
{
	printf("per second: %.0f visited, %.0f merged, %.0f copied on write; scanner %.1f%% CPU, %lld passes",
	       per_second(old, new, PAGES_SCANNED),
	       per_second(old, new, PAGES_MERGED_TOTAL),
	       per_second(old, new, COW_BREAKS),
	       per_second(old, new, SCAN_CPU_NS) / 1e7,
	       new->values.number[FULL_SCANS]);
	end_line(top);
}

/* Who is not root sees the totals only. */
static void print_areas(const struct top *top)
{
	FILE *file = areas_open();
	char text[512];

	if (!file)
		return;
	while (lines_left > 1 && fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = '\0';
		printf("%.79s", text);
		end_line(top);
	}
	fclose(file);
}

static void print_table(const struct top *top, const struct sample *old,
			const struct sample *new)
{
	lines_left = top->redraw ? terminal_lines() : 10000;
	if (top->redraw)
		fputs("\033[H", stdout);
	print_totals(top, new);
	print_rates(top, old, new);
	print_areas(top);
	fputs(top->redraw ? "\033[J" : "\n", stdout);
	fflush(stdout);
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

/* Waits for the next table; a key ends it with q. */
static void wait_for_next(const struct top *top)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char key;

	if (poll(&input, top->redraw, top->delay * 1000) <= 0)
		return;
	if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q')
		ended = 1;
}

static int loop(const struct top *top)
{
	struct sample old, new;
	long tables;
	int status;

	status = take_sample(&old);
	for (tables = 0; !status && !ended; old = new) {
		/* The first table has no rates to wait for. */
		if (tables)
			wait_for_next(top);
		status = ended ? 0 : take_sample(&new);
		if (ended || status)
			break;
		if (json_wanted)
			print_json(&old, &new);
		else
			print_table(top, &old, &new);
		if (++tables == top->count)
			break;
	}
	return status;
}

/* Keys come at once and unseen; the cursor hides. */
static void terminal_enter(void)
{
	struct termios terminal;

	if (!tcgetattr(STDIN_FILENO, &saved_terminal)) {
		terminal = saved_terminal;
		terminal.c_lflag &= ~(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
	}
	fputs("\033[?25l\033[2J", stdout);
}

static void terminal_leave(void)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
	fputs("\033[?25h", stdout);
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
		top->redraw = false;
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
	const struct sigaction action = { .sa_handler = end };
	struct top top = {
		.delay = 1,
		.redraw = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO),
	};
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &top);
	if (json_wanted)
		top.redraw = false;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (top.redraw)
		terminal_enter();
	status = loop(&top);
	if (top.redraw)
		terminal_leave();
	return status;
}
