// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ksmctl.h"
#include "sysfs.h"
#include "values.h"

static int find_key(const char *name, size_t length)
{
	int id;

	for (id = 0; id < NR_VALUES; id++)
		if (strlen(value_files[id].name) == length &&
		    !strncmp(value_files[id].name, name, length))
			return id;
	return -1;
}

static void list_keys(char *text, size_t size)
{
	size_t used = 0;
	int id;

	text[0] = '\0';
	for (id = 0; id < NR_VALUES; id++)
		if (value_files[id].accepts)
			used += snprintf(text + used, size - used, " %s",
					 value_files[id].name);
}

/* The key of a KEY=VALUE that can be written, or -1 after saying what is not. */
static int check_setting(const char *setting)
{
	const char *equals = strchr(setting, '=');
	int length = equals ? equals - setting : (int)strlen(setting);
	char keys[512];
	int id;

	if (!equals || equals == setting || !equals[1]) {
		report_usage("not KEY=VALUE: %s", setting);
		return -1;
	}
	id = find_key(setting, length);
	if (id >= 0 && value_files[id].accepts)
		return id;
	list_keys(keys, sizeof(keys));
	report_usage("%s '%.*s'; these can be set:%s",
		     id < 0 ? "no such key" : "read-only key", length, setting,
		     keys);
	return -1;
}

static int report_write_error(int id, const char *value, int error)
{
	const char *name = value_files[id].name;

	switch (error) {
	case EACCES:
	case EPERM:
		return report_failure("%s: only root may change settings",
				      name);
	case EINVAL:
	case ERANGE:
		return report_failure("%s: '%s' is refused; it takes %s", name,
				      value, value_files[id].accepts);
	case EBUSY:
		return report_failure("%s: cannot change while pages are merged: first ksmctl set run=2, then this, then run=1",
				      name);
	case ENOMEM:
		if (id != RUN)
			break;
		return report_failure("%s: not enough memory to give each page a frame of its own; the rest stays merged",
				      name);
	case EINTR:
		return report_failure("%s: interrupted", name);
	case ENOENT:
		return report_failure("%s: the loaded module does not have it",
				      name);
	}
	return report_failure("%s: %s", name, strerror(error));
}

static int apply(int id, const char *value, struct json_object *done)
{
	int err = sysfs_write_string(KSM_SYSFS, value_files[id].name, value);

	if (err)
		return report_write_error(id, value, -err);
	json_object_object_add(done, value_files[id].name,
			       json_object_new_string(value));
	if (!json_wanted)
		printf("%s = %s\n", value_files[id].name, value);
	return 0;
}

static int apply_all(int count, char **settings)
{
	struct json_object *done = json_object_new_object();
	int status = 0, i;

	for (i = 0; i < count && !status; i++)
		status = apply(check_setting(settings[i]),
			       strchr(settings[i], '=') + 1, done);
	if (json_wanted)
		json_print(done, false);
	else
		json_object_put(done);
	return status;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case ARGP_KEY_ARGS:
		*(int *)state->input = state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "KEY=VALUE...",
	.doc = "Change settings, in the given order; the first that fails ends it.\vKeys: run, advisor_mode, advisor_max_cpu, pages_to_scan, sleep_millisecs, rest_millisecs, scan_threads, use_zero_pages, merge_across_nodes, max_page_sharing.",
	.children = json_child,
};

int cmd_set(int argc, char **argv)
{
	int first = argc, i;

	argp_parse(&argp, argc, argv, 0, NULL, &first);
	for (i = first; i < argc; i++)
		if (check_setting(argv[i]) < 0)
			return STATUS_USAGE;
	if (access(KSM_SYSFS, F_OK))
		return report_failure("the module is not loaded (no %s): modprobe ksmdev",
				      KSM_SYSFS);
	return apply_all(argc - first, argv + first);
}
