/* SPDX-License-Identifier: GPL-2.0 */
/* A run of a program: in a child, with a timeout, judged by what is left. */
#ifndef RUN_H
#define RUN_H

#include "program.h"

/**
 * struct outcome - how a run ended
 * @problem:	what is wrong with the kernel, or NULL
 * @late:	it took too long, and was killed
 */
struct outcome {
	const char *problem;
	bool late;
};

/* The device's file. */
const char *run_device(unsigned int device);

/* Once, before the first run. */
void run_init(unsigned int device, bool verbose);

/* The coverage is there for cover_collect() then. */
struct outcome run_program(const struct program *program);

/* NULL, or what of the device is still there though nobody has it open. */
const char *run_leftovers(void);

#endif /* RUN_H */
