// SPDX-License-Identifier: GPL-2.0
/* /dev/ksm: an area for each guest, an unnamed file, whose RAM is a mapping of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "areas.h"
#include "backend.h"
#include "fleet.h"
#include "settings.h"
#include "values.h"

#define KSM_DEVICE	"/dev/ksm"

/* Of the line of an area. */
enum column { PID = 1, PRIVATE = 5, MERGED, ZERO, COW_BREAKS_OF_AREA = 9 };

static int check(void)
{
	dev_t device;
	FILE *file;

	if (areas_device(&device))
		return report_failure("cannot use %s: %s (modprobe ksmdev, or --backend ksm or none)",
				      KSM_DEVICE, strerror(errno));
	file = areas_open();
	if (!file)
		return areas_report_open_error(errno);
	fclose(file);
	return 0;
}

/* Flat out: no budget, and the next pass follows the last one. */
static int start_flat_out(void)
{
	return settings_set(KSM_SYSFS, "advisor_mode", "cpu-budget") ||
	       settings_set_number(KSM_SYSFS, "advisor_max_cpu", 6400) ||
	       settings_set_number(KSM_SYSFS, "sleep_millisecs", 0);
}

static int start(const struct description *d)
{
	if (d->scan == SCAN_FLAT_OUT)
		return start_flat_out() || settings_set_number(KSM_SYSFS, "run", 1);
	if (d->pages_to_scan != UNSET &&
	    (settings_set(KSM_SYSFS, "advisor_mode", "none") ||
	     settings_set_number(KSM_SYSFS, "pages_to_scan", d->pages_to_scan)))
		return STATUS_FAILURE;
	if (d->sleep_millisecs != UNSET &&
	    settings_set_number(KSM_SYSFS, "sleep_millisecs", d->sleep_millisecs))
		return STATUS_FAILURE;
	return settings_set_number(KSM_SYSFS, "run", 1);
}

static int hold(void)
{
	return settings_set_number(KSM_SYSFS, "run", 0);
}

static int go(void)
{
	return settings_set_number(KSM_SYSFS, "run", 1);
}

/* An area belongs to the VMM that made it; a VMM may have several. */
static void add_area(struct sample *s, const struct vm *vms, int count,
		     const struct area_line *line)
{
	pid_t pid = atoi(line->field[PID]);
	struct vm_sample *v;
	int i;

	for (i = 0; i < count; i++) {
		if (vms[i].pid != pid)
			continue;
		v = &s->vms[i];
		v->private_pages += atoll(line->field[PRIVATE]);
		v->merged_pages += atoll(line->field[MERGED]);
		v->zero_pages += atoll(line->field[ZERO]);
		v->cow_breaks += atoll(line->field[COW_BREAKS_OF_AREA]);
	}
}

static int read_areas(struct sample *s, const struct vm *vms, int count)
{
	struct area_line line;
	char text[512];
	FILE *file = areas_open();

	if (!file)
		return areas_report_open_error(errno);
	while (fgets(text, sizeof(text), file)) {
		areas_split(text, AREA_COLUMNS, &line);
		if (line.count > COW_BREAKS_OF_AREA)
			add_area(s, vms, count, &line);
	}
	fclose(file);
	return 0;
}

static int read_sample(struct sample *s, const struct vm *vms, int count)
{
	struct values values;

	if (values_read(&values) || read_areas(s, vms, count))
		return STATUS_FAILURE;
	s->pages_shared = values.number[PAGES_SHARED];
	s->pages_sharing = values.number[PAGES_SHARING];
	s->cow_breaks = values.number[COW_BREAKS];
	s->scanner_ns = values.number[SCAN_CPU_NS];
	return 0;
}

const struct backend backend_ksmdev = {
	.ram_device = areas_device,
	.check = check,
	.start = start,
	.hold = hold,
	.go = go,
	.read = read_sample,
};
