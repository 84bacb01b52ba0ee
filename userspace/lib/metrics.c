// SPDX-License-Identifier: GPL-2.0
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "metrics.h"
#include "report.h"

static int report_write_error(const struct metrics *metrics, int error)
{
	return report_failure("cannot write %s: %s", metrics->path ?
			      metrics->path : "the output", strerror(error));
}

/* Readable for all that the umask lets: the collector runs as somebody else. */
static int open_temporary(struct metrics *metrics)
{
	const char *slash = strrchr(metrics->path, '/');
	int folder = slash ? slash + 1 - metrics->path : 0;
	mode_t mask;
	int fd;

	/* Not *.prom: the collector must not take it. */
	if (snprintf(metrics->temporary, sizeof(metrics->temporary),
		     "%.*s.%s.XXXXXX", folder, metrics->path,
		     metrics->path + folder) >= (int)sizeof(metrics->temporary))
		return report_write_error(metrics, ENAMETOOLONG);
	fd = mkostemp(metrics->temporary, O_CLOEXEC);
	if (fd < 0)
		return report_write_error(metrics, errno);
	mask = umask(0);
	umask(mask);
	fchmod(fd, 0666 & ~mask);
	metrics->file = fdopen(fd, "w");
	if (metrics->file)
		return 0;
	close(fd);
	unlink(metrics->temporary);
	return report_write_error(metrics, ENOMEM);
}

int metrics_open(struct metrics *metrics, const char *path)
{
	struct stat st;

	metrics->path = path;
	metrics->file = stdout;
	if (!path)
		return 0;
	/* Renaming would replace a device or a pipe. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return report_failure("%s is not an ordinary file: without --output, metrics go to the standard output",
				      path);
	return open_temporary(metrics);
}

void metrics_family(struct metrics *metrics, const char *name,
		    const char *help)
{
	size_t length = strlen(name);
	bool total = length > 6 && !strcmp(name + length - 6, "_total");

	fprintf(metrics->file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		total ? "counter" : "gauge");
}

static void print_label_value(FILE *file, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n') {
			fputs("\\n", file);
			continue;
		}
		if (*value == '\\' || *value == '"')
			fputc('\\', file);
		fputc(*value, file);
	}
}

void metrics_sample(struct metrics *metrics, const char *name,
		    const char * const *labels, double value)
{
	FILE *file = metrics->file;
	int i;

	fputs(name, file);
	for (i = 0; labels && labels[i]; i += 2) {
		fprintf(file, "%c%s=\"", i ? ',' : '{', labels[i]);
		print_label_value(file, labels[i + 1]);
		fputc('"', file);
	}
	/* All digits of any integer that a double holds. */
	fprintf(file, "%s %.17g\n", i ? "}" : "", value);
}

void metrics_single(struct metrics *metrics, const char *name,
		    const char *help, double value)
{
	metrics_family(metrics, name, help);
	metrics_sample(metrics, name, NULL, value);
}

static int close_temporary(struct metrics *metrics)
{
	bool failed = fflush(metrics->file) || ferror(metrics->file) ||
		      fsync(fileno(metrics->file));
	int error = errno;

	if (fclose(metrics->file))
		failed = true;
	if (!failed && !rename(metrics->temporary, metrics->path))
		return 0;
	if (!failed)
		error = errno;
	unlink(metrics->temporary);
	return report_write_error(metrics, error);
}

int metrics_close(struct metrics *metrics)
{
	/* Who started us looks at the standard output. */
	return metrics->path ? close_temporary(metrics) : 0;
}

static void abandon(struct metrics *metrics)
{
	if (!metrics->path)
		return;
	fclose(metrics->file);
	unlink(metrics->temporary);
}

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0,
	  "Replace FILE at once instead of printing", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != 'o')
		return ARGP_ERR_UNKNOWN;
	if (!*arg)
		argp_error(state, "--output needs the name of a file");
	*(const char **)state->input = arg;
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Print metrics in Prometheus' text format, as node_exporter's textfile collector reads it.",
};

int metrics_main(int argc, char **argv, int (*write)(struct metrics *metrics))
{
	const char *path = NULL;
	struct metrics metrics;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &path);
	status = metrics_open(&metrics, path);
	if (status)
		return status;
	status = write(&metrics);
	if (!status)
		return metrics_close(&metrics);
	abandon(&metrics);
	return status;
}
