/* SPDX-License-Identifier: GPL-2.0 */
/* The programs worth keeping, in memory and as files. */
#ifndef CORPUS_H
#define CORPUS_H

#include "program.h"

extern struct program *corpus;
extern unsigned int corpus_count;

void corpus_add(const struct program *program);

/*
 * Read a file, or all files of a folder in the order of their names, into the
 * corpus.  False, after a message, if one of them is no program.
 */
bool corpus_load(const char *path);

/* Into a folder, under a name made from its text; the name or NULL. */
const char *corpus_save(const struct program *program, const char *folder);

/* The one to mutate next: often one of the last that were added. */
const struct program *corpus_pick(void);

#endif /* CORPUS_H */
