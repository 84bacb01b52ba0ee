// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fleet.h"
#include "format.h"
#include "table.h"

#define BAR		30

/* Plain lines: so many in the time that the guests run. */
#define PLAIN_LINES	20

static bool redraw;
static double next_line;
static int lines_drawn;

static int count_state(const struct experiment *e, enum vm_state state)
{
	int count = 0, i;

	for (i = 0; i < e->d->vms; i++)
		count += e->vms[i].state == state;
	return count;
}

static const char *phase(const struct experiment *e, char *text, size_t size)
{
	int vms = e->d->vms, ended = count_state(e, VM_ENDED);
	int verifying = count_state(e, VM_STOPPING) + count_state(e, VM_SUMMED);

	if (ended + verifying)
		snprintf(text, size, "%d of %d guests verified", ended, vms);
	else if (e->ready < 0)
		snprintf(text, size, "%d of %d guests ready", count_state(e, VM_READY), vms);
	else
		snprintf(text, size, "%.0f s of %.0f s", experiment_time(e) - e->begun,
			 e->d->duration);
	return text;
}

/* The part of the way that is behind us: starts, the time, ends. */
static double progress(const struct experiment *e)
{
	double vms = e->d->vms, done, part = 0;

	done = (count_state(e, VM_READY) + count_state(e, VM_STOPPING) +
		count_state(e, VM_SUMMED) + 2 * count_state(e, VM_ENDED)) / vms;
	if (e->ready >= 0)
		part = (experiment_time(e) - e->begun) / e->d->duration;
	if (!(part < 1))
		part = 1;
	return 0.15 * done + 0.7 * part;
}

static void end_line(void)
{
	fputs("\033[K\n", stdout);
	lines_drawn++;
}

static void draw_bar(const struct experiment *e)
{
	int filled = progress(e) * BAR + 0.5, i;
	char text[64];

	putchar('[');
	for (i = 0; i < BAR; i++)
		putchar(i < filled ? '#' : '.');
	printf("] %s", phase(e, text, sizeof(text)));
	end_line();
}

static double percent(long long part, long long whole)
{
	return whole > 0 ? 100.0 * part / whole : 0;
}

static struct format_text known_bytes(long long bytes)
{
	static const struct format_text unknown = { "-" };

	return bytes == UNKNOWN ? unknown : format_bytes(bytes);
}

/* "1.0 MiB of 3.0 MiB (33.3%)", or the first one alone. */
static void print_saved(const struct sample *s)
{
	long long saved = sample_saved(s), touched = sample_touched(s);

	printf("saved %s", format_bytes(saved).text);
	if (touched != UNKNOWN)
		printf(" of %s (%.1f%%)", format_bytes(touched).text, percent(saved, touched));
}

static void draw_totals(const struct experiment *e, const struct sample *s)
{
	printf("%s on %s: ", description_workload(e->d), description_backend(e->d));
	print_saved(s);
	printf(", used %s", known_bytes(sample_used(s)).text);
	end_line();
	printf("%lld frames for %lld pages, %lld zero;", s->pages_shared,
	       s->pages_shared + s->pages_sharing, s->zero_pages);
	if (s->cow_breaks != UNKNOWN)
		printf(" %.0f copies/s;", s->cow_rate);
	if (s->scanner_ns != UNKNOWN)
		printf(" scanner %.1f%% CPU", s->scanner_percent);
	end_line();
}

static void draw_vm(const struct vm *vm, const struct vm_sample *v)
{
	printf("%4d %-9s %10s %10s %10s %10s %10s", vm->number, vm_state_name(vm),
	       known_bytes(v->pss).text, known_bytes(vm_sample_touched(v)).text,
	       format_bytes(vm_sample_saved(v)).text,
	       format_bytes(page_bytes(v->merged_pages)).text,
	       format_bytes(page_bytes(v->zero_pages)).text);
	if (v->cow_breaks != UNKNOWN)
		printf(" %8.0f", v->cow_rate);
	end_line();
}

static int terminal_lines(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row)
		return 24;
	return size.ws_row;
}

/* Guests that do not fit on the terminal are in the totals. */
static void draw(const struct experiment *e, const struct sample *s)
{
	int room = terminal_lines() - 6, i;

	if (lines_drawn)
		printf("\033[%dA", lines_drawn);
	lines_drawn = 0;
	draw_bar(e);
	if (s) {
		draw_totals(e, s);
		printf("%4s %-9s %10s %10s %10s %10s %10s %8s", "vm", "state", "PSS",
		       "touched", "saved", "merged", "zero", "copies/s");
		end_line();
		for (i = 0; i < e->d->vms && i < room; i++)
			draw_vm(&e->vms[i], &s->vms[i]);
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

static void print_line(const struct experiment *e, const struct sample *s)
{
	double time = experiment_time(e);
	char text[64];

	if (time < next_line || !s)
		return;
	next_line = time + e->d->duration / PLAIN_LINES;
	if (next_line < time + 1)
		next_line = time + 1;
	printf("%6.1f s  %s  ", time, description_backend(e->d));
	print_saved(s);
	printf("  %s\n", phase(e, text, sizeof(text)));
	fflush(stdout);
}

void table_enter(const struct experiment *e)
{
	redraw = !json_wanted && isatty(STDOUT_FILENO);
	lines_drawn = 0;
	next_line = 0;
	if (redraw)
		fputs("\033[?25l", stdout);
	table_show(e);
}

void table_show(const struct experiment *e)
{
	const struct sample *s = sampler_last(&e->sampler);

	if (redraw)
		draw(e, s);
	else if (!json_wanted)
		print_line(e, s);
}

void table_leave(void)
{
	if (redraw)
		fputs("\033[?25h", stdout);
	fflush(stdout);
}
