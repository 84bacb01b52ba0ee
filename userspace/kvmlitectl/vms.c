// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "format.h"
#include "kvmlitectl.h"
#include "vm.h"

static struct json_object *vm_to_json(const struct vm *vm)
{
	struct json_object *object = json_object_new_object();
	struct json_object *counters = json_object_new_object();
	size_t i;

	json_object_object_add(object, "pid", json_object_new_int(vm->pid));
	json_object_object_add(object, "vm", json_object_new_int(vm->number));
	json_object_object_add(object, "command",
			       json_object_new_string(vm->command));
	json_object_object_add(object, "vcpus",
			       json_object_new_int(vm->vcpus));
	json_object_object_add(object, "mapped_bytes",
			       json_object_new_int64(vm->mapped));
	json_object_object_add(object, "table_bytes",
			       json_object_new_int64(vm->tables));
	for (i = 0; i < vm->counters.count; i++)
		json_object_object_add(counters, vm->counters.list[i].name,
				       json_object_new_int64(vm->counters.list[i].value));
	json_object_object_add(object, "counters", counters);
	return object;
}

static void print_json(const struct vms *vms)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < vms->count; i++)
		json_object_array_add(list, vm_to_json(&vms->list[i]));
	json_print(list, false);
}

static void print_text(const struct vms *vms)
{
	const struct vm *vm;

	printf("%8s %5s %5s %12s %12s %14s  %s\n", "PID", "VM", "vCPUs",
	       "mapped", "tables", "exits", "command");
	for (vm = vms->list; vm < vms->list + vms->count; vm++)
		printf("%8d %5d %5d %12s %12s %14lld  %s\n", vm->pid,
		       vm->number, vm->vcpus, format_bytes(vm->mapped).text,
		       format_bytes(vm->tables).text,
		       counters_get(&vm->counters, "exits"), vm->command);
}

static const struct argp argp = {
	.doc = "The VMs, a line each: the process that made it, its number since the module was loaded, its vCPUs, memory that the guest touched, memory of the second-stage tables, VM exits.",
	.children = json_child,
};

int cmd_vms(int argc, char **argv)
{
	struct vms vms;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	status = vms_read(&vms);
	if (!status && json_wanted)
		print_json(&vms);
	else if (!status)
		print_text(&vms);
	vms_free(&vms);
	return status;
}
