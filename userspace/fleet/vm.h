/* SPDX-License-Identifier: GPL-2.0 */
/* A guest, its VMM and what it said. */
#ifndef FLEET_VM_H
#define FLEET_VM_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "description.h"

enum vm_state {
	VM_WAITING,	/* not started yet */
	VM_BOOTING,	/* started, not ready */
	VM_READY,	/* has filled its memory */
	VM_STOPPING,	/* was told to verify and end */
	VM_SUMMED,	/* has told its checksum and ends */
	VM_ENDED,	/* as it should */
	VM_BROKEN	/* see its problem */
};

#define LINE_SIZE	256

/**
 * struct writes_heard - what a guest said of its writes since all were ready
 * @first:	how many when it was asked first
 * @last:	how many when it was asked last
 * @first_time:	when it said the first, in seconds; negative: not yet
 * @last_time:	when it said the last
 */
struct writes_heard {
	unsigned long long first;
	unsigned long long last;
	double first_time;
	double last_time;
};

/**
 * struct vm - a guest
 * @number:	from 1 on
 * @state:	enum vm_state
 * @pid:	of the VMM, or 0
 * @input:	its standard input: the guest's console
 * @output:	its standard output and error
 * @log:	file of all that comes from there
 * @log_path:	its name
 * @line:	of output that is not complete yet
 * @length:	of that
 * @last_line:	the last one that was no message to us, or a panic before it
 * @heard:	when it said something last, in seconds
 * @asked:	when it was asked last whether it lives
 * @pinged:	it was asked whether it lives, and has not said so yet
 * @writes:	that it did, as it said last
 * @alive:	what it said of them when asked whether it lives
 * @bad_pages:	that it found
 * @sum:	that it reported
 * @expected:	what the sum must be
 * @problem:	what is wrong with it; empty: nothing
 */
struct vm {
	int number;
	enum vm_state state;
	pid_t pid;
	int input;
	int output;
	int log;
	char log_path[PATH_MAX];
	char line[LINE_SIZE];
	size_t length;
	char last_line[LINE_SIZE];
	double heard;
	double asked;
	bool pinged;
	unsigned long long writes;
	struct writes_heard alive;
	unsigned long long bad_pages;
	uint64_t sum;
	uint64_t expected;
	char problem[2 * LINE_SIZE];
};

/* The first problem is the one that counts. */
void vm_break(struct vm *vm, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The VMM runs, as far as we know. */
static inline bool vm_runs(const struct vm *vm)
{
	return vm->pid > 0;
}

const char *vm_state_name(const struct vm *vm);

#endif /* FLEET_VM_H */
