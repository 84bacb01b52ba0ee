/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The result folder.  Files are written under a temporary name and get their
 * own when they are complete.
 */
#ifndef FLEET_RESULT_H
#define FLEET_RESULT_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

/**
 * struct result_file - one that is being written
 * @file:	to print to
 * @path:	its name when complete
 * @part:	its name until then
 * @failed:	it could not be written, which was said
 */
struct result_file {
	FILE *file;
	char path[PATH_MAX];
	char part[PATH_MAX];
	bool failed;
};

/*
 * Makes the folder @wanted, or, if that is NULL, one that is called after
 * @name and the time; its path goes to @folder.  An exit status: a folder that
 * has anything in it is refused.
 */
int result_folder(const char *wanted, const char *name, char *folder, size_t size);

/* A folder in the folder. */
int result_subfolder(const char *folder, const char *name, char *path, size_t size);

/* Exit statuses, after a word. */
int result_open(struct result_file *f, const char *folder, const char *name);
int result_flush(struct result_file *f);
int result_close(struct result_file *f);

/* Path of a file in the folder, of PATH_MAX bytes; cut off if it is too long. */
void result_path(char *path, const char *folder, const char *name);

#endif /* FLEET_RESULT_H */
