// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>

#include "fleet.h"
#include "format.h"
#include "jsonout.h"
#include "summary.h"

/* The saving is called reached at this part of what it is in the end. */
#define REACHED	0.9

static void add_number(struct json_object *o, const char *name, long long value)
{
	json_object_object_add(o, name, value == UNKNOWN ? NULL : json_object_new_int64(value));
}

static void add_double(struct json_object *o, const char *name, double value)
{
	json_object_object_add(o, name, json_object_new_double(value));
}

static void add_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static void add_seconds(struct json_object *o, const char *name, long long ns)
{
	json_object_object_add(o, name, ns == UNKNOWN ? NULL :
			       json_object_new_double(ns / 1e9));
}

static void add_memory(struct json_object *o, const struct sample *s)
{
	add_number(o, "touched_bytes", sample_touched(s));
	add_number(o, "used_bytes", sample_used(s));
	add_number(o, "saved_bytes", sample_saved(s));
	add_number(o, "counted_used_bytes", s->counted_frames == UNKNOWN ? UNKNOWN :
		   page_bytes(s->counted_frames));
	add_number(o, "counted_saved_bytes", sample_counted_saved(s));
	add_number(o, "shared_bytes", page_bytes(s->pages_shared));
	add_number(o, "sharing_bytes", page_bytes(s->pages_sharing));
	add_number(o, "zero_bytes", page_bytes(s->zero_pages));
	add_number(o, "rss_bytes", s->rss);
	add_number(o, "pss_bytes", s->pss);
}

/* The first sample with 90% of the saving, or NULL: nothing, or less, was saved. */
static const struct sample *find_reached(const struct sampler *sampler, long long saved)
{
	const struct sample *s, *end = sampler->samples + sampler->count;

	for (s = sampler->samples; saved > 0 && s < end; s++)
		if (sample_saved(s) >= REACHED * saved)
			return s;
	return NULL;
}

/* A saving from before that is none of this scanner's work. */
static double since_merging(const struct experiment *e, const struct sample *s)
{
	return s->time > e->merging ? s->time - e->merging : 0;
}

static long long find_peak(const struct sampler *sampler)
{
	long long peak = 0;
	size_t i;

	for (i = 0; i < sampler->count; i++)
		if (sample_saved(&sampler->samples[i]) > peak)
			peak = sample_saved(&sampler->samples[i]);
	return peak;
}

/* What was added to the saving in the last minute: whether it is final. */
static long long growth(const struct sampler *sampler)
{
	const struct sample *last = sampler_last(sampler), *s = last;

	while (s > sampler->samples && last->time - s->time < 60)
		s--;
	return sample_saved(last) - sample_saved(s);
}

/* From when all were ready; UNKNOWN if guests have not told that twice. */
static double write_rate(const struct experiment *e)
{
	double rate = 0, seconds;
	const struct vm *vm;

	for (vm = e->vms; vm < e->vms + e->d->vms; vm++) {
		seconds = vm->alive.last_time - vm->alive.first_time;
		if (e->ready < 0 || vm->alive.first_time < 0 || seconds <= 0)
			return UNKNOWN;
		rate += (vm->alive.last - vm->alive.first) / seconds;
	}
	return rate;
}

static void add_writes(struct json_object *o, const struct experiment *e)
{
	double rate = write_rate(e);

	add_number(o, "writes", sampler_last(&e->sampler)->writes);
	if (description_writes(e->d))
		json_object_object_add(o, "writes_per_second", rate == UNKNOWN ? NULL :
				       json_object_new_double(rate));
}

static void add_course(struct json_object *o, const struct experiment *e)
{
	const struct sample *last = sampler_last(&e->sampler);
	const struct sample *reached = find_reached(&e->sampler, sample_saved(last));
	bool known = reached && reached->scanner_ns != UNKNOWN;
	double rest = reached ? last->time - reached->time : 0;

	add_number(o, "peak_saved_bytes", find_peak(&e->sampler));
	add_number(o, "saved_bytes_in_last_minute", growth(&e->sampler));
	json_object_object_add(o, "seconds_to_90_percent", reached ?
			       json_object_new_double(since_merging(e, reached)) : NULL);
	add_seconds(o, "scanner_cpu_seconds", last->scanner_ns);
	add_seconds(o, "scanner_cpu_seconds_to_90_percent",
		    known ? reached->scanner_ns : UNKNOWN);
	add_seconds(o, "scanner_cpu_seconds_per_minute_after", known && rest > 0 ?
		    (last->scanner_ns - reached->scanner_ns) * 60 / rest : UNKNOWN);
	add_number(o, "cow_breaks", last->cow_breaks);
	add_writes(o, e);
}

long long summary_saved(const struct experiment *e)
{
	return sampler_last(&e->sampler) ? sample_saved(sampler_last(&e->sampler)) : 0;
}

void summary_add_same(struct json_object *summary, const struct experiment *e, long long saved)
{
	const struct sample *reached = find_reached(&e->sampler, saved);

	json_object_object_add(summary, "seconds_to_same_saving", reached ?
			       json_object_new_double(since_merging(e, reached)) : NULL);
	add_seconds(summary, "scanner_cpu_seconds_to_same_saving",
		    reached ? reached->scanner_ns : UNKNOWN);
}

static struct json_object *vm_to_json(const struct experiment *e, int i)
{
	const struct vm_sample *v = &sampler_last(&e->sampler)->vms[i];
	struct json_object *o = json_object_new_object();
	const struct vm *vm = &e->vms[i];
	char sum[20];

	add_number(o, "vm", vm->number);
	add_text(o, "state", vm_state_name(vm));
	if (vm->state == VM_ENDED) {
		snprintf(sum, sizeof(sum), "%016" PRIx64, vm->sum);
		add_text(o, "checksum", sum);
	}
	if (*vm->problem)
		add_text(o, "problem", vm->problem);
	add_number(o, "rss_bytes", v->rss);
	add_number(o, "pss_bytes", v->pss);
	add_number(o, "touched_bytes", vm_sample_touched(v));
	add_number(o, "saved_bytes", vm_sample_saved(v));
	add_number(o, "merged_bytes", page_bytes(v->merged_pages));
	add_number(o, "zero_bytes", page_bytes(v->zero_pages));
	add_number(o, "counted_bytes", v->counted_frames == UNKNOWN ? UNKNOWN :
		   page_bytes(v->counted_frames));
	add_number(o, "cow_breaks", v->cow_breaks);
	add_number(o, "writes", vm->writes);
	return o;
}

static const char *outcome(const struct experiment *e)
{
	return e->broken ? "failed" : e->interrupted ? "interrupted" : "complete";
}

struct json_object *summary_make(const struct experiment *e)
{
	const struct description *d = e->d;
	struct json_object *o, *vms;
	int i;

	if (!sampler_last(&e->sampler))
		return NULL;
	o = json_object_new_object();
	add_text(o, "name", d->name);
	add_text(o, "outcome", outcome(e));
	add_text(o, "backend", description_backend(d));
	add_text(o, "device", description_device(d));
	add_text(o, "workload", description_workload(d));
	add_number(o, "vms", d->vms);
	add_number(o, "mem_bytes", d->mem << 20);
	add_number(o, "seed", d->seed);
	add_double(o, "seconds", sampler_last(&e->sampler)->time);
	json_object_object_add(o, "ready_seconds", e->ready < 0 ? NULL :
			       json_object_new_double(e->ready));
	add_number(o, "used_bytes_when_ready", e->ready < 0 ? UNKNOWN : e->ready_used);
	add_memory(o, sampler_last(&e->sampler));
	add_course(o, e);
	vms = json_object_new_array();
	for (i = 0; i < d->vms; i++)
		json_object_array_add(vms, vm_to_json(e, i));
	json_object_object_add(o, "guests", vms);
	json_object_object_add(o, "versions", json_object_get(e->versions));
	return o;
}

static void print_bytes(FILE *file, const char *title, struct json_object *o,
			const char *name)
{
	struct json_object *value = json_object_object_get(o, name);

	if (value)
		fprintf(file, "%-22s%s\n", title,
			format_bytes(json_object_get_int64(value)).text);
}

static void print_seconds(FILE *file, const char *title, struct json_object *o,
			  const char *name)
{
	struct json_object *value = json_object_object_get(o, name);

	if (value)
		fprintf(file, "%-22s%s\n", title,
			format_seconds(json_object_get_double(value)).text);
}

static struct format_text cell(struct json_object *o, const char *name)
{
	static const struct format_text unknown = { "-" };
	struct json_object *value = json_object_object_get(o, name);

	return value ? format_bytes(json_object_get_int64(value)) : unknown;
}

static void print_guests(FILE *file, struct json_object *guests)
{
	struct json_object *guest, *sum;
	size_t i;

	fprintf(file, "\n%4s %-9s %11s %11s %11s  %s\n", "vm", "state", "PSS", "touched",
		"saved", "checksum");
	for (i = 0; i < json_object_array_length(guests); i++) {
		guest = json_object_array_get_idx(guests, i);
		sum = json_object_object_get(guest, "checksum");
		fprintf(file, "%4" PRId64 " %-9s %11s %11s %11s  %s\n", json_int(guest, "vm"),
			json_text(guest, "state"), cell(guest, "pss_bytes").text,
			cell(guest, "touched_bytes").text, cell(guest, "saved_bytes").text,
			sum ? json_object_get_string(sum) : "-");
	}
}

static void print_saved(FILE *file, struct json_object *o)
{
	int64_t touched = json_int(o, "touched_bytes"), saved = json_int(o, "saved_bytes");

	fprintf(file, "%-22s%s", "Saved", format_bytes(saved).text);
	if (touched > 0)
		fprintf(file, " of %s (%.1f%%)", format_bytes(touched).text,
			100.0 * saved / touched);
	fputc('\n', file);
}

void summary_print(struct json_object *o, FILE *file)
{
	fprintf(file, "%s: %s\n", json_text(o, "name"), json_text(o, "outcome"));
	fprintf(file, "%-22s%" PRId64 " of %s on %s, RAM by %s, workload %s, seed %" PRId64 "\n",
		"Guests", json_int(o, "vms"), format_bytes(json_int(o, "mem_bytes")).text,
		json_text(o, "device"), json_text(o, "backend"), json_text(o, "workload"),
		json_int(o, "seed"));
	print_saved(file, o);
	print_bytes(file, "Used when ready", o, "used_bytes_when_ready");
	print_bytes(file, "Used", o, "used_bytes");
	print_bytes(file, "Used, frames counted", o, "counted_used_bytes");
	print_bytes(file, "Saved, by the count", o, "counted_saved_bytes");
	print_bytes(file, "PSS of the VMMs", o, "pss_bytes");
	print_seconds(file, "90% saved after", o, "seconds_to_90_percent");
	print_seconds(file, "All ready after", o, "ready_seconds");
	print_seconds(file, "Scanner CPU", o, "scanner_cpu_seconds");
	print_seconds(file, "  until 90% saved", o, "scanner_cpu_seconds_to_90_percent");
	print_seconds(file, "  per minute then", o, "scanner_cpu_seconds_per_minute_after");
	if (json_object_object_get(o, "cow_breaks"))
		fprintf(file, "%-22s%" PRId64 "\n", "Copies on write", json_int(o, "cow_breaks"));
	if (json_object_object_get(o, "writes_per_second"))
		fprintf(file, "%-22s%.0f a second\n", "Pages written",
			json_object_get_double(json_object_object_get(o, "writes_per_second")));
	print_guests(file, json_object_object_get(o, "guests"));
}

int summary_write(struct json_object *summary, const char *folder)
{
	struct result_file f;

	if (result_open(&f, folder, "summary.json"))
		return STATUS_FAILURE;
	json_write(summary, f.file);
	if (result_close(&f) || result_open(&f, folder, "summary.txt"))
		return STATUS_FAILURE;
	summary_print(summary, f.file);
	return result_close(&f);
}
