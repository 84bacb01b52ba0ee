/* SPDX-License-Identifier: GPL-2.0 */
/* New programs from old ones. */
#ifndef MUTATE_H
#define MUTATE_H

#include "program.h"

/* Once: the calls that are inserted. */
void mutate_init(unsigned int device);

/* Change @program in one to four ways; @other is one to take calls from. */
void mutate(struct program *program, const struct program *other);

/* Take call @i out. */
void program_remove(struct program *program, unsigned int i);

#endif /* MUTATE_H */
