/* SPDX-License-Identifier: GPL-2.0 */
/* The process that runs one program: limits, descriptors, memory, threads. */
#ifndef CHILD_H
#define CHILD_H

#include "program.h"

/* In a new process, a child of the fuzzer; @verbose: say what each call gave. */
__attribute__((noreturn)) void child_main(const struct program *program, bool verbose);

#endif /* CHILD_H */
