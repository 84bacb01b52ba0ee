/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happened, for people who wonder why nothing merges: with KSMRUN_DEBUG=1
 * in the environment each event is a line on stderr, and a summary follows when
 * the program exits.
 */
#ifndef KSMRUN_NOTE_H
#define KSMRUN_NOTE_H

#include <stdint.h>

void note_init(const char *debug);

/* Memory was handed over. */
void note_taken(uintptr_t start, uintptr_t end);

/* Memory was left to the kernel, which said why. */
void note_refused(uintptr_t start, uintptr_t end, int error);

/* Anything else. */
void note(const char *text);

#endif /* KSMRUN_NOTE_H */
