// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "description.h"
#include "fleet.h"
#include "guest/workload.h"

#define DEFAULT_VMM \
	"qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot " \
	"-name %{name} -machine microvm,acpi=off %{accel} %{ram} -m %{mem} " \
	"-kernel %{kernel} -initrd %{initrd} -append %{append} " \
	"-chardev stdio,id=console,signal=off -serial chardev:console"

static const char * const backends[] = { "ksmdev", "ksm", "none", NULL };
static const char * const devices[] = { "kvmlite", "kvm", "tcg", NULL };
static const char * const scans[] = { "default", "flat-out", NULL };
static const char * const merges[] = { "at-start", "when-ready", NULL };
static const char * const frames[] = { "end", "each", "never", NULL };
static const char * const pss[] = { "each", "end", NULL };

/* Filled from the table of workloads. */
static const char *workloads[NR_WORKLOADS + 1];

enum type { TEXT, NUMBER, SECONDS, CHOICE };

/**
 * struct key - one of a description
 * @name:	as written
 * @type:	of its field
 * @offset:	of its field
 * @low:	the least value of a number
 * @high:	the greatest one
 * @choices:	of a CHOICE, NULL behind
 */
struct key {
	const char *name;
	enum type type;
	size_t offset;
	double low;
	double high;
	const char * const *choices;
};

#define FIELD(field)	#field, .offset = offsetof(struct description, field)

static const struct key keys[] = {
	{ FIELD(name), .type = TEXT },
	{ FIELD(vms), .type = NUMBER, .low = 1, .high = 10000 },
	{ FIELD(mem), .type = NUMBER, .low = 16, .high = 1 << 24 },
	{ FIELD(kernel), .type = TEXT },
	{ FIELD(initrd), .type = TEXT },
	{ FIELD(append), .type = TEXT },
	{ FIELD(vmm), .type = TEXT },
	{ FIELD(backend), .type = CHOICE, .choices = backends },
	{ FIELD(device), .type = CHOICE, .choices = devices },
	{ FIELD(workload), .type = CHOICE, .choices = workloads },
	{ FIELD(workload_mib), .type = NUMBER, .low = 1, .high = 1 << 24 },
	{ FIELD(write_rate), .type = NUMBER, .high = 1e9 },
	{ FIELD(seed), .type = NUMBER, .high = LLONG_MAX },
	{ FIELD(stagger), .type = SECONDS, .high = 86400 },
	{ FIELD(duration), .type = SECONDS, .high = 31e6 },
	{ FIELD(interval), .type = SECONDS, .low = 0.05, .high = 86400 },
	{ FIELD(patience), .type = SECONDS, .low = 1, .high = 86400 },
	{ FIELD(scan), .type = CHOICE, .choices = scans },
	{ FIELD(merge), .type = CHOICE, .choices = merges },
	{ FIELD(pages_to_scan), .type = NUMBER, .low = 1, .high = UINT_MAX },
	{ FIELD(sleep_millisecs), .type = NUMBER, .high = UINT_MAX },
	{ FIELD(frames), .type = CHOICE, .choices = frames },
	{ FIELD(pss), .type = CHOICE, .choices = pss },
};

static void *field_of(const struct description *d, const struct key *key)
{
	return (char *)d + key->offset;
}

static void set_text(char **field, const char *value)
{
	free(*field);
	*field = strdup(value);
}

void description_init(struct description *d)
{
	int i;

	for (i = 0; i < NR_WORKLOADS; i++)
		workloads[i] = workload_names[i].name;
	*d = (struct description) {
		.vms = 3, .mem = 128, .backend = BACKEND_KSMDEV,
		.device = DEVICE_KVMLITE, .workload = WORKLOAD_IDLE,
		.workload_mib = 16, .write_rate = 100, .duration = 60,
		.interval = 1, .patience = 120, .seed = 1,
		.pages_to_scan = UNSET, .sleep_millisecs = UNSET,
	};
	set_text(&d->name, "fleet");
	set_text(&d->kernel, "");
	set_text(&d->initrd, "");
	set_text(&d->append, "");
	set_text(&d->vmm, DEFAULT_VMM);
}

void description_free(struct description *d)
{
	const struct key *key;
	char **field;

	for (key = keys; key < keys + ARRAY_SIZE(keys); key++) {
		if (key->type != TEXT)
			continue;
		field = field_of(d, key);
		free(*field);
		*field = NULL;
	}
}

static int find(const char * const *names, const char *name)
{
	int i;

	for (i = 0; names[i]; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

static int set_choice(int *field, const struct key *key, const char *where,
		      const char *value)
{
	int choice = find(key->choices, value), i;
	char known[256] = "";

	if (choice >= 0) {
		*field = choice;
		return 0;
	}
	for (i = 0; key->choices[i]; i++) {
		strcat(known, " ");
		strcat(known, key->choices[i]);
	}
	return report_usage("%s: %s is no %s; there are:%s", where, value,
			    key->name, known);
}

static int set_number(long long *field, const struct key *key, const char *where,
		      const char *value)
{
	long long number;
	char *end;

	errno = 0;
	number = strtoll(value, &end, 0);
	if (errno || end == value || *end || number < key->low || number > key->high)
		return report_usage("%s: %s must be a whole number from %.0f to %.0f, not '%s'",
				    where, key->name, key->low, key->high, value);
	*field = number;
	return 0;
}

static int set_seconds(double *field, const struct key *key, const char *where,
		       const char *value)
{
	double number;
	char *end;

	number = strtod(value, &end);
	if (end == value || *end || !(number >= key->low) || number > key->high)
		return report_usage("%s: %s must be seconds, from %g to %g, not '%s'",
				    where, key->name, key->low, key->high, value);
	*field = number;
	return 0;
}

int description_set(struct description *d, const char *where, const char *name,
		    const char *value)
{
	const struct key *key;

	/* What is written must be what is read again. */
	if (strchr(value, '\n'))
		return report_usage("%s: %s must be on one line", where, name);
	for (key = keys; key < keys + ARRAY_SIZE(keys); key++) {
		if (strcmp(key->name, name))
			continue;
		switch (key->type) {
		case TEXT:
			set_text(field_of(d, key), value);
			return 0;
		case NUMBER:
			return set_number(field_of(d, key), key, where, value);
		case SECONDS:
			return set_seconds(field_of(d, key), key, where, value);
		case CHOICE:
			return set_choice(field_of(d, key), key, where, value);
		}
	}
	return report_usage("%s: no such key: %s (fleet(1) lists them)", where, name);
}

/* The text without blanks around it, in place. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t\r\n");
	length = strlen(text);
	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	return text;
}

int description_assign(struct description *d, const char *where, const char *text)
{
	char *copy = strdup(text), *equals = strchr(copy, '=');
	int status;

	if (equals) {
		*equals = '\0';
		status = description_set(d, where, trim(copy), trim(equals + 1));
	} else {
		status = report_usage("%s: not 'key = value': %s", where, text);
	}
	free(copy);
	return status;
}

int description_read(struct description *d, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *text, where[PATH_MAX + 16];
	int status = 0, number = 0;
	size_t size = 0;

	if (!file)
		return report_failure("cannot read the description %s: %s", path,
				      strerror(errno));
	while (!status && getline(&line, &size, file) >= 0) {
		snprintf(where, sizeof(where), "%s:%d", path, ++number);
		text = trim(line);
		if (*text && *text != '#')
			status = description_assign(d, where, text);
	}
	if (!status && ferror(file))
		status = report_failure("cannot read the description %s: %s", path,
					strerror(errno));
	free(line);
	fclose(file);
	return status;
}

int description_check(const struct description *d)
{
	if (!*d->name || strpbrk(d->name, "/ \t,"))
		return report_usage("name must be a word without blanks, commas and slashes, not '%s'",
				    d->name);
	if (d->workload != WORKLOAD_IDLE && d->workload_mib >= d->mem)
		return report_usage("workload_mib (%lld) must be less than mem (%lld)",
				    d->workload_mib, d->mem);
	if (d->scan == SCAN_FLAT_OUT &&
	    (d->pages_to_scan != UNSET || d->sleep_millisecs != UNSET))
		return report_usage("scan = flat-out leaves no choice of pages_to_scan and sleep_millisecs");
	return 0;
}

static void write_key(const struct description *d, const struct key *key, FILE *file)
{
	const void *field = field_of(d, key);

	switch (key->type) {
	case TEXT:
		fprintf(file, "%s = %s\n", key->name, *(char * const *)field);
		break;
	case NUMBER:
		if (*(const long long *)field != UNSET)
			fprintf(file, "%s = %lld\n", key->name, *(const long long *)field);
		break;
	case SECONDS:
		fprintf(file, "%s = %g\n", key->name, *(const double *)field);
		break;
	case CHOICE:
		fprintf(file, "%s = %s\n", key->name, key->choices[*(const int *)field]);
		break;
	}
}

void description_write(const struct description *d, FILE *file)
{
	const struct key *key;

	for (key = keys; key < keys + ARRAY_SIZE(keys); key++)
		write_key(d, key, file);
}

const char *description_backend(const struct description *d)
{
	return backends[d->backend];
}

const char *description_device(const struct description *d)
{
	return devices[d->device];
}

const char *description_workload(const struct description *d)
{
	return workloads[d->workload];
}

int description_find_backend(const char *name)
{
	return find(backends, name);
}

bool description_writes(const struct description *d)
{
	return d->workload == WORKLOAD_WRITER || d->workload == WORKLOAD_MIX;
}

long long description_pages(const struct description *d)
{
	return d->workload == WORKLOAD_IDLE ? 0 :
	       d->workload_mib * (1 << 20) / WORKLOAD_PAGE;
}
