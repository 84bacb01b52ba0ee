// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "csv.h"
#include "description.h"
#include "fleet.h"
#include "plot.h"
#include "program.h"

/* Columns of samples.csv. */
#define TOUCHED		5
#define USED		6
#define SAVED		7
#define SCANNER_CPU	14

/**
 * struct series - the samples of one experiment
 * @name:	of its back end, or empty
 * @csv:	path of the file, from the folder that is drawn
 * @vms:	how many guests it has
 */
struct series {
	const char *name;
	char csv[PATH_MAX];
	int vms;
};

/**
 * struct plots - what is drawn
 * @folder:	of it all
 * @series:	the experiments
 * @count:	how many
 * @gnuplot:	reads commands, in that folder
 */
struct plots {
	const char *folder;
	struct series series[NR_BACKENDS];
	int count;
	FILE *gnuplot;
};

static const char * const pictures[] = { "saved", "scanner", "guests" };
static const char * const formats[] = { "svg", "png" };

/* The highest number of a guest, 0 if there is no such file. */
static int count_vms(const char *folder, const char *csv)
{
	char path[PATH_MAX], line[1024];
	int vms = 0, vm;
	FILE *file;

	result_path(path, folder, csv);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*[^,],%d,", &vm) == 1 && vm > vms)
			vms = vm;
	fclose(file);
	return vms;
}

static void add_series(struct plots *p, const char *name, const char *csv)
{
	struct series *series = &p->series[p->count];

	series->name = name;
	snprintf(series->csv, sizeof(series->csv), "%s", csv);
	series->vms = count_vms(p->folder, csv);
	if (series->vms)
		p->count++;
}

static void find_series(struct plots *p)
{
	struct description d = { };
	char csv[64];

	add_series(p, "", CSV_NAME);
	if (p->count)
		return;
	for (d.backend = 0; d.backend < NR_BACKENDS; d.backend++) {
		snprintf(csv, sizeof(csv), "%s/%s", description_backend(&d), CSV_NAME);
		add_series(p, description_backend(&d), csv);
	}
}

static void begin(struct plots *p, const char *picture, const char *format,
		  const char *title, const char *unit)
{
	fprintf(p->gnuplot, "set terminal %s size 800,450\n",
		strcmp(format, "svg") ? "pngcairo" : "svg noenhanced background '#ffffff'");
	fprintf(p->gnuplot, "set output '%s.%s.part'\n", picture, format);
	fprintf(p->gnuplot, "set title '%s'\nset ylabel '%s'\nplot ", title, unit);
}

/* One line of a picture: a column of a guest, or of "all". */
static void line(struct plots *p, const struct series *series, const char *vm, int column,
		 double unit, const char *title)
{
	fprintf(p->gnuplot,
		"'%s' using 1:(strcol(2) eq '%s' ? $%d / %.0f : NaN) with lines lw 2 title '%s%s%s', ",
		series->csv, vm, column, unit, series->name,
		*series->name && *title ? " " : "", title);
}

static void draw_saved(struct plots *p, const char *format)
{
	int i;

	begin(p, "saved", format, "Memory of the fleet", "MiB");
	for (i = 0; i < p->count; i++) {
		line(p, &p->series[i], "all", SAVED, 1 << 20, "saved");
		if (p->count == 1) {
			line(p, &p->series[i], "all", USED, 1 << 20, "used");
			line(p, &p->series[i], "all", TOUCHED, 1 << 20, "touched");
		}
	}
	fputc('\n', p->gnuplot);
}

static void draw_scanner(struct plots *p, const char *format)
{
	int i;

	begin(p, "scanner", format, "CPU time of the scanner", "seconds");
	for (i = 0; i < p->count; i++)
		line(p, &p->series[i], "all", SCANNER_CPU, 1, "scanner");
	fputc('\n', p->gnuplot);
}

static void draw_guests(struct plots *p, const char *format)
{
	char vm[16], title[32];
	int i, n;

	begin(p, "guests", format, "Saved of each guest", "MiB");
	for (i = 0; i < p->count; i++)
		for (n = 1; n <= p->series[i].vms; n++) {
			snprintf(vm, sizeof(vm), "%d", n);
			snprintf(title, sizeof(title), "guest %d", n);
			line(p, &p->series[i], vm, SAVED, 1 << 20, title);
		}
	fputc('\n', p->gnuplot);
}

static void draw(struct plots *p)
{
	size_t i;

	fputs("set datafile separator ','\nset datafile missing NaN\n"
	      "set xlabel 'seconds since the first guest was started'\n"
	      "set key outside right noenhanced\nset grid\nset yrange [0:*]\n", p->gnuplot);
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		draw_saved(p, formats[i]);
		draw_scanner(p, formats[i]);
		draw_guests(p, formats[i]);
	}
	fputs("set output\n", p->gnuplot);
}

/* gnuplot ends well on a full disk, too: how the file ends tells. */
static bool is_complete(const char *part)
{
	FILE *file = fopen(part, "re");
	char end[17] = "";
	size_t length;

	if (!file)
		return false;
	fseek(file, -16, SEEK_END);
	length = fread(end, 1, sizeof(end) - 1, file);
	fclose(file);
	return memmem(end, length, "</svg>", 6) || memmem(end, length, "IEND", 4);
}

/* Gives a picture its name if it is complete, and throws it away if not. */
static int keep(const char *part, const char *path)
{
	if (!is_complete(part)) {
		unlink(part);
		return report_failure("cannot write %s: is the disk full?", path);
	}
	if (rename(part, path))
		return report_failure("cannot write %s: %s", path, strerror(errno));
	return 0;
}

/* After a failure, which one line has told, the rest is thrown away. */
static int finish(const struct plots *p, int status)
{
	char name[64], part[PATH_MAX], path[PATH_MAX];
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(pictures); i++)
		for (j = 0; j < ARRAY_SIZE(formats); j++) {
			snprintf(name, sizeof(name), "%s.%s", pictures[i], formats[j]);
			result_path(path, p->folder, name);
			snprintf(part, sizeof(part), "%.4000s.part", path);
			if (status)
				unlink(part);
			else
				status = keep(part, path);
		}
	return status;
}

/* gnuplot in the folder; its complaints about empty ranges are no news. */
static FILE *start_gnuplot(const char *folder)
{
	setenv("FLEET_FOLDER", folder, 1);
	return popen("cd \"$FLEET_FOLDER\" && exec gnuplot 2>/dev/null", "we");
}

int plot_folder(const char *folder)
{
	struct plots p = { .folder = folder };
	int status;

	find_series(&p);
	if (!p.count)
		return report_failure("no samples to draw in %s (%s)", folder, CSV_NAME);
	if (!program_exists("gnuplot"))
		return report_failure("gnuplot is not installed (Debian: gnuplot-nox)");
	/* One that fails says so by its status. */
	signal(SIGPIPE, SIG_IGN);
	p.gnuplot = start_gnuplot(folder);
	if (!p.gnuplot)
		return report_failure("cannot start gnuplot: %s", strerror(errno));
	draw(&p);
	status = pclose(p.gnuplot);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return finish(&p, report_failure("gnuplot could not draw the samples in %s",
						 folder));
	return finish(&p, 0);
}

int plot_results(const char *folder)
{
	if (program_exists("gnuplot"))
		return plot_folder(folder);
	if (!json_wanted)
		printf("No plots: gnuplot is not installed; 'fleet plot %s' draws them where it is\n",
		       folder);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "only one folder, please: %s", arg);
		*(const char **)state->input = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "FOLDER",
	.doc = "Draw the samples of a result folder: saved, scanner and guests, as SVG and PNG.",
};

int cmd_plot(int argc, char **argv)
{
	const char *folder = NULL;

	argp_parse(&argp, argc, argv, 0, NULL, &folder);
	return plot_folder(folder);
}
