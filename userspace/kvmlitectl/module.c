// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "kvmlitectl.h"
#include "module.h"
#include "sysfs.h"

const struct module modules[NR_MODULES] = {
	[KVMLITE] = { "kvmlite", KVMLITE_DEVICE },
	[KSMDEV] = { "ksmdev", KSM_DEVICE },
};

const struct module *module_by_name(const char *name, size_t length)
{
	int id;

	for (id = 0; id < NR_MODULES; id++)
		if (strlen(modules[id].name) == length &&
		    !strncmp(modules[id].name, name, length))
			return &modules[id];
	return NULL;
}

static void module_folder(const char *name, char *path, size_t size)
{
	snprintf(path, size, "/sys/module/%s", name);
}

bool module_is_loaded(const char *name)
{
	char folder[64], state[16];

	module_folder(name, folder, sizeof(folder));
	return !sysfs_read_string(folder, "initstate", state, sizeof(state)) &&
	       !strcmp(state, "live");
}

int module_users(const char *name)
{
	char folder[64];
	long long count;

	module_folder(name, folder, sizeof(folder));
	return sysfs_read_number(folder, "refcnt", &count) ? -1 : count;
}

struct kmod_ctx *module_library(void)
{
	struct kmod_ctx *library = kmod_new(NULL, NULL);

	if (!library) {
		report_failure("libkmod cannot start: %s", strerror(errno));
		return NULL;
	}
	/* What goes wrong is told once, by us. */
	kmod_set_log_priority(library, LOG_EMERG);
	return library;
}

struct kmod_module *module_find(struct kmod_ctx *library, const char *name)
{
	struct kmod_module *file = NULL;
	struct kmod_list *list = NULL;

	if (kmod_module_new_from_lookup(library, name, &list) < 0 || !list)
		return NULL;
	file = kmod_module_get_module(list);
	kmod_module_unref_list(list);
	/* What is loaded has a name, but not always a file. */
	if (kmod_module_get_path(file) &&
	    !access(kmod_module_get_path(file), R_OK))
		return file;
	kmod_module_unref(file);
	return NULL;
}

bool module_info(struct kmod_module *file, const char *key, const char *start,
		 char *text, size_t size)
{
	struct kmod_list *list = NULL, *item;
	bool found = false;
	const char *value;

	if (kmod_module_get_info(file, &list) < 0)
		return false;
	kmod_list_foreach(item, list) {
		value = kmod_module_info_get_value(item);
		if (found || strcmp(kmod_module_info_get_key(item), key) ||
		    strncmp(value, start, strlen(start)))
			continue;
		snprintf(text, size, "%s", value);
		found = true;
	}
	kmod_module_info_free_list(list);
	return found;
}
