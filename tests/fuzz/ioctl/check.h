/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What <linux/ksmdev.h> promises whatever a program did, looked at in the child when its
 * last call has returned and nobody else runs in it.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Once, in the fuzzer: where children say what they found. */
bool check_open(void);

/* In the child: look, and say what does not hold. */
void check_run(void);

/* Before a run, and after it: NULL, or what a child said. */
void check_clear(void);
const char *check_found(void);

#endif /* CHECK_H */
