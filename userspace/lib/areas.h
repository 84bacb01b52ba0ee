/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Areas of ksmdev, the files whose pages merge.
 *
 * Their list is in debugfs: a line of column names, then a line for each area;
 * the last column (the command) may hold blanks.
 */
#ifndef KVMLITE_AREAS_H
#define KVMLITE_AREAS_H

#include <stdio.h>
#include <sys/types.h>

/* Another folder can be given to the compiler to try a tool without module. */
#ifndef DEBUGFS
#define DEBUGFS		"/sys/kernel/debug"
#endif

#define AREAS_FILE	DEBUGFS "/ksmdev/areas"
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

/*
 * Says why the list could not be opened, as @error tells; returns
 * STATUS_FAILURE.
 */
int areas_report_open_error(int error);

/*
 * The device number that mappings of /dev/ksm have in /proc/PID/maps: that of
 * its unnamed files.  0, or -1 and errno.
 */
int areas_device(dev_t *device);

/* Splits the line in place into at most @columns fields. */
void areas_split(char *line, int columns, struct area_line *out);

#endif /* KVMLITE_AREAS_H */
