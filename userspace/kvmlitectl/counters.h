/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters as debugfs has them: a folder with a file a counter.  Whatever the
 * loaded module counts is there, also what we do not know.
 */
#ifndef KVMLITECTL_COUNTERS_H
#define KVMLITECTL_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>

#define COUNTERS_MAX	64

/**
 * struct counter - a file
 * @name:	of it
 * @value:	in it
 */
struct counter {
	char name[48];
	long long value;
};

/**
 * struct counters - what a folder says
 * @count:	how many there are
 * @list:	by name
 */
struct counters {
	size_t count;
	struct counter list[COUNTERS_MAX];
};

/* Adds those of the folder; a name that is there gets the sum.  0 or -errno. */
int counters_add(struct counters *counters, const char *folder);

/* Adds all of @other. */
void counters_sum(struct counters *counters, const struct counters *other);

/* The value, 0 if there is none of the name. */
long long counters_get(const struct counters *counters, const char *name);

/* Is it a number of what there is now?  Others only grow. */
bool counters_is_gauge(const char *name);

/* What it counts, in a sentence. */
const char *counters_help(const char *name);

#endif /* KVMLITECTL_COUNTERS_H */
