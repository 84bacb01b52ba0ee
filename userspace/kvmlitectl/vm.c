// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "kvmlitectl.h"
#include "module.h"
#include "users.h"
#include "vm.h"

static int report_open_error(int error)
{
	struct statfs fs;

	if (!module_is_loaded("kvmlite"))
		return report_failure("the module is not loaded: kvmlitectl load kvmlite (as root)");
	if (error == EACCES || error == EPERM)
		return report_failure("only root may see the VMs of all users: run it by sudo");
	if (error != ENOENT)
		return report_failure("cannot open %s: %s", VM_FOLDER,
				      strerror(error));
	if (statfs(DEBUGFS, &fs) || fs.f_type != DEBUGFS_MAGIC)
		return report_failure("debugfs is not mounted: mount -t debugfs none %s",
				      DEBUGFS);
	return report_failure("the module made no %s (is debugfs switched off on this kernel?)",
			      VM_FOLDER);
}

static void read_vcpus(struct vm *vm, const char *folder)
{
	char path[sizeof(VM_FOLDER) + 600];
	struct dirent *entry;
	DIR *dir;

	dir = opendir(folder);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vcpu", 4))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (!counters_add(&vm->counters, path))
			vm->vcpus++;
	}
	closedir(dir);
}

/* False: it is no VM, or gone. */
static bool read_vm(struct vm *vm, const char *name)
{
	char folder[sizeof(VM_FOLDER) + 300], rest;

	memset(vm, 0, sizeof(*vm));
	if (sscanf(name, "%d-%d%c", &vm->pid, &vm->number, &rest) != 2)
		return false;
	snprintf(folder, sizeof(folder), "%s/%s", VM_FOLDER, name);
	if (counters_add(&vm->counters, folder))
		return false;
	users_command(vm->pid, vm->command, sizeof(vm->command));
	read_vcpus(vm, folder);
	vm->mapped = counters_get(&vm->counters, "pages_4k") * 4096 +
		     counters_get(&vm->counters, "pages_2m") * (2 << 20);
	vm->tables = counters_get(&vm->counters, "tables") * 4096;
	return true;
}

static int by_number(const void *a, const void *b)
{
	return ((const struct vm *)a)->number - ((const struct vm *)b)->number;
}

int vms_read(struct vms *vms)
{
	struct dirent *entry;
	struct vm *list;
	int status = 0;
	DIR *dir;

	memset(vms, 0, sizeof(*vms));
	dir = opendir(VM_FOLDER);
	if (!dir)
		return report_open_error(errno);
	while (!status && (entry = readdir(dir))) {
		list = realloc(vms->list, (vms->count + 1) * sizeof(*list));
		if (!list) {
			status = report_no_memory();
			break;
		}
		vms->list = list;
		if (read_vm(&list[vms->count], entry->d_name))
			vms->count++;
	}
	closedir(dir);
	if (vms->count)
		qsort(vms->list, vms->count, sizeof(*vms->list), by_number);
	return status;
}

void vms_free(struct vms *vms)
{
	free(vms->list);
	memset(vms, 0, sizeof(*vms));
}

void vms_describe(char *text, size_t size)
{
	size_t used = 0, i;
	struct vms vms;

	text[0] = '\0';
	if (access(VM_FOLDER, R_OK | X_OK) || vms_read(&vms))
		return;
	for (i = 0; i < vms.count && used < size; i++)
		used += snprintf(text + used, size - used, "%s%s (%d)",
				 used ? ", " : "", vms.list[i].command,
				 vms.list[i].pid);
	vms_free(&vms);
}

int vms_read_totals(struct counters *counters)
{
	int err;

	memset(counters, 0, sizeof(*counters));
	err = counters_add(counters, VM_FOLDER);
	return err ? report_open_error(-err) : 0;
}
