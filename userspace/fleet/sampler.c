// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"
#include "frames.h"
#include "procfs.h"
#include "sampler.h"
#include "vmm.h"

int sampler_start(struct sampler *sampler, const struct backend *backend)
{
	memset(sampler, 0, sizeof(*sampler));
	sampler->backend = backend;
	sampler->scanning = true;
	if (backend->read(&sampler->base, NULL, 0))
		return STATUS_FAILURE;
	if (sampler->base.pages_sharing)
		report_warning("others share %lld pages already; figures are what is added to that",
			       sampler->base.pages_sharing);
	return 0;
}

int sampler_hold(struct sampler *sampler)
{
	sampler->scanning = false;
	return sampler->backend->hold();
}

int sampler_go(struct sampler *sampler)
{
	sampler->scanning = true;
	return sampler->backend->go();
}

const struct sample *sampler_last(const struct sampler *sampler)
{
	return sampler->count ? &sampler->samples[sampler->count - 1] : NULL;
}

static void read_processes(struct sample *s, const struct vm *vms, int count)
{
	struct vm_sample *v;
	int i;

	for (i = 0; i < count; i++) {
		v = &s->vms[i];
		v->running = vm_runs(&vms[i]);
		v->writes = vms[i].writes;
		v->counted_frames = UNKNOWN;
		v->rss = s->depth < SAMPLE_MAPPED ? UNKNOWN : 0;
		v->pss = v->rss;
		if (v->running && s->depth >= SAMPLE_MAPPED)
			v->running = procfs_memory(vms[i].pid, &v->rss, &v->pss);
	}
}

static long long since(long long value, long long base)
{
	return value == UNKNOWN ? UNKNOWN : value - base;
}

/* Numbers of the whole machine become those of the fleet. */
static void subtract_base(struct sample *s, const struct sample *base)
{
	s->pages_shared -= base->pages_shared;
	s->pages_sharing -= base->pages_sharing;
	s->cow_breaks = since(s->cow_breaks, base->cow_breaks);
	s->scanner_ns = since(s->scanner_ns, base->scanner_ns);
}

static void add(long long *sum, long long value)
{
	*sum = *sum == UNKNOWN || value == UNKNOWN ? UNKNOWN : *sum + value;
}

static void add_up(struct sample *s, int count)
{
	long long merged = 0;
	struct vm_sample *v;
	int i;

	for (i = 0; i < count; i++) {
		v = &s->vms[i];
		add(&s->rss, v->rss);
		add(&s->pss, v->pss);
		add(&s->private_pages, v->private_pages);
		s->zero_pages += v->zero_pages;
		s->writes += v->writes;
		merged += v->merged_pages;
	}
	for (i = 0; merged && i < count; i++)
		s->vms[i].shared_frames = (double)s->pages_shared *
					  s->vms[i].merged_pages / merged;
}

static void add_vm_rate(struct vm_sample *v, const struct vm_sample *last, double seconds)
{
	if (v->running && last->running && v->cow_breaks != UNKNOWN)
		v->cow_rate = (v->cow_breaks - last->cow_breaks) / seconds;
}

static void add_rates(struct sample *s, const struct sample *last, int count)
{
	double seconds = last ? s->time - last->time : 0;
	int i;

	if (seconds <= 0)
		return;
	if (s->cow_breaks != UNKNOWN)
		s->cow_rate = (s->cow_breaks - last->cow_breaks) / seconds;
	if (s->scanner_ns != UNKNOWN)
		s->scanner_percent = (s->scanner_ns - last->scanner_ns) / seconds / 1e7;
	for (i = 0; i < count; i++)
		add_vm_rate(&s->vms[i], &last->vms[i], seconds);
}

static int read_all(struct sampler *sampler, struct sample *s, struct vm *vms, int count)
{
	if (sampler->backend->read(s, vms, count))
		return STATUS_FAILURE;
	read_processes(s, vms, count);
	subtract_base(s, &sampler->base);
	add_up(s, count);
	add_rates(s, sampler_last(sampler), count);
	return 0;
}

/* Held, guests and scanner leave what is read and what is counted the same. */
static int read_held(struct sampler *sampler, struct sample *s, struct vm *vms, int count)
{
	const struct backend *backend = sampler->backend;
	dev_t ram_device = 0;
	int status, i;

	if (backend->ram_device && backend->ram_device(&ram_device))
		return report_failure("cannot tell what mappings of the guests' RAM look like: %s",
				      strerror(errno));
	for (i = 0; i < count; i++)
		vmm_hold(&vms[i]);
	status = backend->hold();
	if (!status)
		status = read_all(sampler, s, vms, count);
	if (!status)
		status = frames_count(vms, count, ram_device, s);
	if (sampler->scanning && backend->go())
		status = STATUS_FAILURE;
	for (i = 0; i < count; i++)
		vmm_continue(&vms[i]);
	return status;
}

static int keep(struct sampler *sampler, const struct sample *s)
{
	struct sample *more = realloc(sampler->samples, (sampler->count + 1) * sizeof(*more));

	if (!more)
		return report_no_memory();
	sampler->samples = more;
	sampler->samples[sampler->count++] = *s;
	return 0;
}

int sampler_take(struct sampler *sampler, struct vm *vms, int count, double time,
		 enum sample_depth depth)
{
	struct sample s = { .depth = depth, .time = time, .counted_frames = UNKNOWN };
	int status;

	s.vms = calloc(count, sizeof(*s.vms));
	if (!s.vms)
		return report_no_memory();
	status = depth == SAMPLE_COUNTED ? read_held(sampler, &s, vms, count) :
				read_all(sampler, &s, vms, count);
	if (!status)
		status = keep(sampler, &s);
	if (status)
		free(s.vms);
	return status;
}

void sampler_free(struct sampler *sampler)
{
	size_t i;

	for (i = 0; i < sampler->count; i++)
		free(sampler->samples[i].vms);
	free(sampler->samples);
	memset(sampler, 0, sizeof(*sampler));
}
