// SPDX-License-Identifier: GPL-2.0
#include "csv.h"
#include "fleet.h"

static const char * const columns[] = {
	"seconds", "vm", "rss_bytes", "pss_bytes", "touched_bytes", "used_bytes",
	"saved_bytes", "counted_bytes", "shared_bytes", "sharing_bytes", "zero_bytes",
	"cow_breaks", "cow_breaks_per_second", "scanner_cpu_seconds",
	"scanner_cpu_percent", "writes",
};

void csv_header(FILE *file)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(columns); i++)
		fprintf(file, "%s%s", i ? "," : "", columns[i]);
	fputc('\n', file);
}

static void number(FILE *file, long long value)
{
	if (value == UNKNOWN)
		fputc(',', file);
	else
		fprintf(file, ",%lld", value);
}

static void pages(FILE *file, long long count)
{
	number(file, count == UNKNOWN ? UNKNOWN : page_bytes(count));
}

static void breaks(FILE *file, long long count, double rate)
{
	number(file, count);
	if (count == UNKNOWN)
		fputc(',', file);
	else
		fprintf(file, ",%.1f", rate);
}

static void write_all(FILE *file, const struct sample *s)
{
	fprintf(file, "%.3f,all", s->time);
	number(file, s->rss);
	number(file, s->pss);
	number(file, sample_touched(s));
	number(file, sample_used(s));
	number(file, sample_saved(s));
	pages(file, s->counted_frames);
	pages(file, s->pages_shared);
	pages(file, s->pages_sharing);
	pages(file, s->zero_pages);
	breaks(file, s->cow_breaks, s->cow_rate);
	if (s->scanner_ns == UNKNOWN)
		fputs(",,", file);
	else
		fprintf(file, ",%.6f,%.2f", s->scanner_ns / 1e9, s->scanner_percent);
	number(file, s->writes);
	fputc('\n', file);
}

/* Of a guest, "shared" is its part of the shared frames. */
static void write_vm(FILE *file, const struct sample *s, int i)
{
	const struct vm_sample *v = &s->vms[i];

	if (!v->running)
		return;
	fprintf(file, "%.3f,%d", s->time, i + 1);
	number(file, v->rss);
	number(file, v->pss);
	number(file, vm_sample_touched(v));
	number(file, vm_sample_used(v));
	number(file, vm_sample_saved(v));
	pages(file, v->counted_frames);
	number(file, page_bytes(v->shared_frames));
	number(file, page_bytes(v->merged_pages - v->shared_frames));
	pages(file, v->zero_pages);
	breaks(file, v->cow_breaks, v->cow_rate);
	fputs(",,", file);
	number(file, v->writes);
	fputc('\n', file);
}

void csv_write(FILE *file, const struct sample *s, int vms)
{
	int i;

	write_all(file, s);
	for (i = 0; i < vms; i++)
		write_vm(file, s, i);
}
