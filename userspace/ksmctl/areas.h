/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The list of areas in debugfs: a line of column names, then a line for each
 * area; the last column (the command) may hold blanks.
 */
#ifndef KSMCTL_AREAS_H
#define KSMCTL_AREAS_H

#include <stdio.h>

#include "ksmctl.h"

#define AREA_COLUMNS	16

/**
 * struct area_line - a line in its fields
 * @count:	how many there are
 * @field:	the fields, within the line that was split
 */
struct area_line {
	int count;
	char *field[AREA_COLUMNS];
};

/* The opened list, or NULL and errno. */
FILE *areas_open(void);

/* Splits the line in place into at most @columns fields. */
void areas_split(char *line, int columns, struct area_line *out);

#endif /* KSMCTL_AREAS_H */
