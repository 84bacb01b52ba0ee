// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "format.h"
#include "holder.h"
#include "kvmlitectl.h"
#include "module.h"
#include "sysfs.h"
#include "users.h"
#include "vm.h"

#define KSM_SYSFS	"/sys/class/misc/ksm"

/* The module's parameters as an object; empty if it has none. */
static struct json_object *read_parameters(const char *name)
{
	struct json_object *object = json_object_new_object();
	char folder[64], value[128];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/sys/module/%s/parameters", name);
	dir = opendir(folder);
	if (!dir)
		return object;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    !sysfs_read_string(folder, entry->d_name, value,
				       sizeof(value)))
			json_object_object_add(object, entry->d_name,
					       json_object_new_string(value));
	closedir(dir);
	return object;
}

static struct json_object *read_device(const char *node)
{
	struct json_object *object;
	struct device device;

	device_look(node, &device);
	if (!device.present)
		return NULL;
	object = json_object_new_object();
	json_object_object_add(object, "path", json_object_new_string(node));
	json_object_object_add(object, "owner",
			       json_object_new_string(device.owner));
	json_object_object_add(object, "group",
			       json_object_new_string(device.group));
	json_object_object_add(object, "mode",
			       json_object_new_string(device.mode));
	json_object_object_add(object, "usable",
			       json_object_new_boolean(device.usable));
	return object;
}

static struct json_object *read_module(const struct module *module)
{
	struct json_object *object = json_object_new_object();
	bool loaded = module_is_loaded(module->name);
	char users[256];

	json_object_object_add(object, "loaded",
			       json_object_new_boolean(loaded));
	if (!loaded)
		return object;
	users_of_node(module->node, users, sizeof(users));
	json_object_object_add(object, "references",
			       json_object_new_int(module_users(module->name)));
	json_object_object_add(object, "users", json_object_new_string(users));
	json_object_object_add(object, "parameters",
			       read_parameters(module->name));
	json_object_object_add(object, "device", read_device(module->node));
	return object;
}

/* Only root may look. */
static void add_vms(struct json_object *module)
{
	struct vms vms;
	int vcpus = 0;
	size_t i;

	if (!module_is_loaded("kvmlite") || access(VM_FOLDER, X_OK) ||
	    vms_read(&vms))
		return;
	for (i = 0; i < vms.count; i++)
		vcpus += vms.list[i].vcpus;
	json_object_object_add(module, "vms", json_object_new_int(vms.count));
	json_object_object_add(module, "vcpus", json_object_new_int(vcpus));
	vms_free(&vms);
}

static void add_saving(struct json_object *module)
{
	long long sharing, zero;

	if (sysfs_read_number(KSM_SYSFS, "pages_sharing", &sharing) ||
	    sysfs_read_number(KSM_SYSFS, "ksm_zero_pages", &zero))
		return;
	json_object_object_add(module, "saved_bytes",
			       json_object_new_int64((sharing + zero) *
						     sysconf(_SC_PAGESIZE)));
}

static struct json_object *read_holder(void)
{
	struct json_object *object = json_object_new_object();
	struct holder holder;

	holder_find(&holder);
	json_object_object_add(object, "holder", holder.name ?
			       json_object_new_string(holder.name) : NULL);
	json_object_object_add(object, "blocks_kvmlite",
			       json_object_new_boolean(holder.blocks));
	json_object_object_add(object, "text",
			       json_object_new_string(holder.text));
	return object;
}

static struct json_object *read_status(void)
{
	struct json_object *object = json_object_new_object(), *module;

	module = read_module(&modules[KVMLITE]);
	add_vms(module);
	json_object_object_add(object, "kvmlite", module);
	module = read_module(&modules[KSMDEV]);
	add_saving(module);
	json_object_object_add(object, "ksmdev", module);
	json_object_object_add(object, "virtualization", read_holder());
	return object;
}

/* ---- as text: what the object says ---- */

static struct json_object *get(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value;
}

static const char *get_string(struct json_object *object, const char *name)
{
	return json_object_get_string(get(object, name));
}

static void print_module(struct json_object *module, const char *name)
{
	struct json_object *value;
	const char *users;

	printf("%-15s ", name);
	if (!json_object_get_boolean(get(module, "loaded"))) {
		printf("not loaded: kvmlitectl load %s\n", name);
		return;
	}
	printf("loaded");
	value = get(module, "vms");
	if (value)
		printf(", VMs: %d, vCPUs: %d", json_object_get_int(value),
		       json_object_get_int(get(module, "vcpus")));
	value = get(module, "saved_bytes");
	if (value)
		printf(", saves %s",
		       format_bytes(json_object_get_int64(value)).text);
	json_object_object_foreach(get(module, "parameters"), key, parameter)
		printf(", %s=%s", key, json_object_get_string(parameter));
	users = get_string(module, "users");
	printf("%s%s\n", *users ? ", used by " : "", users);
}

static void print_device(struct json_object *module, const char *node)
{
	struct json_object *device = get(module, "device");

	if (!json_object_get_boolean(get(module, "loaded")))
		return;
	printf("%-15s ", node);
	if (!device)
		puts("is missing: unload the module and load it again");
	else
		printf("%s:%s, mode %s%s\n", get_string(device, "owner"),
		       get_string(device, "group"), get_string(device, "mode"),
		       json_object_get_boolean(get(device, "usable")) ? "" :
		       ", not for you");
}

static void print_text(struct json_object *status)
{
	int id;

	for (id = 0; id < NR_MODULES; id++) {
		print_module(get(status, modules[id].name), modules[id].name);
		print_device(get(status, modules[id].name), modules[id].node);
	}
	printf("%-15s %s\n", "Virtualization",
	       get_string(get(status, "virtualization"), "text"));
}

static const struct argp argp = {
	.doc = "The modules, their parameters and devices, who uses them, and who has the CPUs' virtualization. Root sees all users.",
	.children = json_child,
};

int cmd_status(int argc, char **argv)
{
	struct json_object *status;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	status = read_status();
	if (json_wanted) {
		json_print(status, false);
		return 0;
	}
	print_text(status);
	json_object_put(status);
	return 0;
}
