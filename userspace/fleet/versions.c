// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "fleet.h"
#include "jsonout.h"
#include "result.h"
#include "sysfs.h"
#include "versions.h"
#include "vmm.h"

static void add_text(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, json_object_new_string(text));
}

/* By coreutils or busybox; empty where there is neither. */
static void add_file(struct json_object *object, const char *name, const char *path)
{
	struct json_object *file = json_object_new_object();
	char sum[65] = "";
	FILE *stream;

	setenv("FLEET_FILE", path, 1);
	stream = popen("exec sha256sum <\"$FLEET_FILE\" 2>/dev/null", "re");
	unsetenv("FLEET_FILE");
	if (stream && fscanf(stream, "%64[0-9a-f]", sum) != 1)
		*sum = '\0';
	if (stream)
		pclose(stream);
	add_text(file, "path", path);
	add_text(file, "sha256", sum);
	json_object_object_add(object, name, file);
}

/* Modules built from other sources differ in this, whatever their version. */
static void add_module(struct json_object *object, const char *name)
{
	char folder[64], text[128];

	snprintf(folder, sizeof(folder), "/sys/module/%s", name);
	if (!sysfs_read_string(folder, "srcversion", text, sizeof(text)))
		add_text(object, name, text);
}

struct json_object *versions_get(const struct description *d)
{
	static const char * const modules[] = {
		"ksmdev", "kvmlite", "kvm", "kvm_intel", "kvm_amd"
	};
	struct json_object *object = json_object_new_object(), *srcversions;
	struct utsname name;
	char text[256];
	size_t i;

	uname(&name);
	add_text(object, "fleet", VERSION);
	add_text(object, "kernel", name.release);
	add_text(object, "kernel_build", name.version);
	vmm_version(d, text, sizeof(text));
	add_text(object, "vmm", text);
	add_file(object, "guest_kernel", d->kernel);
	add_file(object, "guest_initrd", d->initrd);
	json_object_object_add(object, "cpus",
			       json_object_new_int64(sysconf(_SC_NPROCESSORS_ONLN)));
	srcversions = json_object_new_object();
	for (i = 0; i < ARRAY_SIZE(modules); i++)
		add_module(srcversions, modules[i]);
	json_object_object_add(object, "module_srcversions", srcversions);
	return object;
}

int versions_write(struct json_object *versions, const char *folder)
{
	struct result_file f;

	if (result_open(&f, folder, "versions.json"))
		return STATUS_FAILURE;
	json_write(versions, f.file);
	return result_close(&f);
}
