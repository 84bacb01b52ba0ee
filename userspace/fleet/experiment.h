/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One fleet, from the first guest's start to the last one's end: starts guests
 * as described, samples, tells them to verify and end, and leaves nothing
 * running and no setting changed, however it ends.
 */
#ifndef FLEET_EXPERIMENT_H
#define FLEET_EXPERIMENT_H

#include <json-c/json.h>

#include "result.h"
#include "sampler.h"

/**
 * struct experiment - a run
 * @d:		the description
 * @folder:	of the results
 * @vms:	the guests
 * @sampler:	what was sampled
 * @csv:	the samples' file
 * @start:	when the first guest was started, on a clock that does not jump
 * @ready:	when all were ready, in seconds since then; negative: not yet
 * @ready_used:	bytes that were used then
 * @begun:	when its duration began, after a first sample, likewise
 * @merging:	when the scanner began, likewise
 * @tended:	when the guests were looked after last, likewise
 * @next_sample: when the next sample is due, in seconds since the start
 * @interrupted: a signal ended it before its time
 * @broken:	the guest because of which it failed, or NULL
 * @versions:	of all that takes part
 */
struct experiment {
	const struct description *d;
	char folder[PATH_MAX];
	struct vm *vms;
	struct sampler sampler;
	struct result_file csv;
	double start;
	double ready;
	long long ready_used;
	double begun;
	double merging;
	double tended;
	double next_sample;
	bool interrupted;
	const struct vm *broken;
	struct json_object *versions;
};

/* Catches the signals that end an experiment early. */
void experiment_catch_signals(void);

/* Looks for all that is needed; an exit status. */
int experiment_check(const struct description *d);

/* Runs it in the folder, which exists; an exit status, after a word. */
int experiment_run(struct experiment *e, const struct description *d, const char *folder);

void experiment_free(struct experiment *e);

/* Seconds since the first guest's start. */
double experiment_time(const struct experiment *e);

#endif /* FLEET_EXPERIMENT_H */
