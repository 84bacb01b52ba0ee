/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The journal: the last programs, each written before it runs, so that the one
 * that takes the host down is known afterwards.
 *
 * It is a ring of JOURNAL_SLOTS slots of JOURNAL_SIZE bytes on a disk.  A slot
 * begins with a line "ioctl_fuzz NUMBER LENGTH", LENGTH bytes of text follow.
 * The lab reads it when a boot has failed.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "program.h"

#define JOURNAL_SLOTS	64
#define JOURNAL_SIZE	16384

/* 0 or -1 with errno. */
int journal_open(const char *path);

/* Nothing if it is not open. */
void journal_write(const struct program *program);

#endif /* JOURNAL_H */
