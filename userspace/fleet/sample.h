/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fleet used at one time.  Numbers of memory are in pages where the
 * back end tells them and in bytes where the kernel does; UNKNOWN is what
 * neither tells.
 */
#ifndef FLEET_SAMPLE_H
#define FLEET_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "vm.h"

#define UNKNOWN		(-1LL)

/* How closely to look; each takes more time than the one before. */
enum sample_depth {
	SAMPLE_STATISTICS,	/* what the back end and the guests tell */
	SAMPLE_MAPPED,		/* and what the VMMs have mapped: RSS, PSS */
	SAMPLE_COUNTED,		/* and the distinct frames behind it */
};

/**
 * struct vm_sample - one guest's part
 * @running:		its VMM runs
 * @rss:		bytes that are mapped in its VMM, or UNKNOWN
 * @pss:		the same, shared ones divided by who shares them
 * @private_pages:	of its RAM, with a frame of their own, or UNKNOWN
 * @merged_pages:	of its RAM, with a frame of merged content
 * @zero_pages:		of its RAM, merged as zeroes, which take no frame
 * @cow_breaks:		copies made because it wrote a merged page, or UNKNOWN
 * @cow_rate:		per second, since the sample before
 * @counted_frames:	distinct frames of its RAM, or UNKNOWN if not counted
 * @writes:		that its workload did
 * @shared_frames:	its part of the shared frames, by merged pages
 */
struct vm_sample {
	bool running;
	long long rss;
	long long pss;
	long long private_pages;
	long long merged_pages;
	long long zero_pages;
	long long cow_breaks;
	double cow_rate;
	long long counted_frames;
	long long writes;
	double shared_frames;
};

/**
 * struct sample - all guests together
 * @depth:		how closely it was looked at
 * @time:		seconds since the first guest was started
 * @rss:		as above, sums
 * @pss:		likewise
 * @private_pages:	likewise
 * @zero_pages:		likewise
 * @pages_shared:	frames of merged content
 * @pages_sharing:	pages that use them, less the frames
 * @cow_breaks:		since the first sample
 * @cow_rate:		per second, since the sample before
 * @writes:		of the workloads
 * @scanner_ns:		CPU time of the scanner since the first sample
 * @scanner_percent:	of one CPU, since the sample before
 * @counted_frames:	distinct frames of all RAM, or UNKNOWN if not counted
 * @vms:		of each guest
 */
struct sample {
	enum sample_depth depth;
	double time;
	long long rss;
	long long pss;
	long long private_pages;
	long long zero_pages;
	long long pages_shared;
	long long pages_sharing;
	long long cow_breaks;
	double cow_rate;
	long long writes;
	long long scanner_ns;
	double scanner_percent;
	long long counted_frames;
	struct vm_sample *vms;
};

/* Bytes of RAM that the guests have touched, or UNKNOWN. */
long long sample_touched(const struct sample *s);
/* Bytes of the frames behind them, as the back end has it, or UNKNOWN. */
long long sample_used(const struct sample *s);
/* Bytes saved, as the back end has it. */
long long sample_saved(const struct sample *s);
/* Bytes saved, as the counted frames have it, or UNKNOWN. */
long long sample_counted_saved(const struct sample *s);

/* The same of one guest. */
long long vm_sample_touched(const struct vm_sample *v);
long long vm_sample_used(const struct vm_sample *v);
long long vm_sample_saved(const struct vm_sample *v);

long long page_bytes(double pages);

#endif /* FLEET_SAMPLE_H */
