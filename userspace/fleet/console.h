/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guests' consoles: all that comes goes to a log; from FLEET on
 * a line is a message (see guest/init.c).
 */
#ifndef FLEET_CONSOLE_H
#define FLEET_CONSOLE_H

#include "vm.h"

/*
 * Reads what is there.  An exit status, after saying that the log cannot be
 * written; what is wrong with the guest becomes its problem.
 */
int console_read(struct vm *vm, const struct description *d, double now);

/* The same with all that is there of a VMM that has ended. */
int console_drain(struct vm *vm, const struct description *d, double now);

/* Sends a line. A guest that is gone is noticed elsewhere. */
void console_say(struct vm *vm, const char *text);

#endif /* FLEET_CONSOLE_H */
