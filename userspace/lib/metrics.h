/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Metrics in Prometheus' text format, as node_exporter's textfile collector
 * reads it: a family at a time, its HELP and TYPE lines, then its samples.  A
 * file is written beside its name and renamed, so that nobody reads half of it.
 */
#ifndef KVMLITE_METRICS_H
#define KVMLITE_METRICS_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

/**
 * struct metrics - where they go
 * @file:	that is written
 * @path:	of the file in the end; NULL: standard output
 * @temporary:	its name until then
 */
struct metrics {
	FILE *file;
	const char *path;
	char temporary[PATH_MAX];
};

/* @path NULL: standard output.  An exit status, after saying what is wrong. */
int metrics_open(struct metrics *metrics, const char *path);

/* The family: its name ends in _total if and only if it is a counter. */
void metrics_family(struct metrics *metrics, const char *name,
		    const char *help);

/*
 * A sample of the family, @labels being pairs of name and value and a NULL, or
 * NULL for none.
 */
void metrics_sample(struct metrics *metrics, const char *name,
		    const char * const *labels, double value);

/* A family of one sample without labels. */
void metrics_single(struct metrics *metrics, const char *name,
		    const char *help, double value);

/* Puts the file in its place; an exit status, after saying what is wrong. */
int metrics_close(struct metrics *metrics);

/*
 * The sub-command "metrics [--output FILE]": @write prints all families, an
 * exit status other than 0 leaves the file as it was.
 */
int metrics_main(int argc, char **argv, int (*write)(struct metrics *metrics));

#endif /* KVMLITE_METRICS_H */
