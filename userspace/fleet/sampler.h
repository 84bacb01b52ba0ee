/* SPDX-License-Identifier: GPL-2.0 */
/* Takes samples of a running fleet, and remembers them. */
#ifndef FLEET_SAMPLER_H
#define FLEET_SAMPLER_H

#include "backend.h"

/**
 * struct sampler - the samples of a fleet
 * @backend:	that it asks
 * @scanning:	its scanner runs, but while frames are counted
 * @base:	what the back end said before the first guest; may be others' work
 * @samples:	all so far
 * @count:	how many
 */
struct sampler {
	const struct backend *backend;
	bool scanning;
	struct sample base;
	struct sample *samples;
	size_t count;
};

/* To be called before the first guest is started; an exit status. */
int sampler_start(struct sampler *sampler, const struct backend *backend);

/* Switches the scanner on or off; exit statuses. */
int sampler_hold(struct sampler *sampler);
int sampler_go(struct sampler *sampler);

/*
 * Takes one more; guests and scanner are held while frames are counted.  An
 * exit status, after a word.
 */
int sampler_take(struct sampler *sampler, struct vm *vms, int count, double time,
		 enum sample_depth depth);

/* The one taken last, or NULL. */
const struct sample *sampler_last(const struct sampler *sampler);

void sampler_free(struct sampler *sampler);

#endif /* FLEET_SAMPLER_H */
