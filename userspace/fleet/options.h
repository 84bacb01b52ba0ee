/* SPDX-License-Identifier: GPL-2.0 */
/* The command line of what runs fleets. */
#ifndef FLEET_OPTIONS_H
#define FLEET_OPTIONS_H

#include <argp.h>
#include <stdbool.h>

#include "description.h"

/**
 * struct options - what it says
 * @file:	the description, or NULL
 * @settings:	"key=value" of all options, an argz vector (see argz_add(3))
 * @length:	of that
 * @output:	the result folder, or NULL
 * @no_plots:	do not draw
 */
struct options {
	const char *file;
	char *settings;
	size_t length;
	const char *output;
	bool no_plots;
};

/* For a command's parser that hands its struct options on as input. */
extern const struct argp options_argp;

/* The description: the file's, as the options change it, with whole paths; an exit status. */
int options_describe(const struct options *options, struct description *d);

void options_free(struct options *options);

#endif /* FLEET_OPTIONS_H */
