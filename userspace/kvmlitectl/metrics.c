// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "kvmlitectl.h"
#include "metrics.h"
#include "module.h"
#include "vm.h"

/* Sums since the module was loaded: VMs that are gone count on. */
static void write_totals(struct metrics *metrics,
			 const struct counters *totals)
{
	char name[80];
	size_t i;

	for (i = 0; i < totals->count; i++) {
		snprintf(name, sizeof(name), "kvmlite_%s_total",
			 totals->list[i].name);
		metrics_single(metrics, name, counters_help(totals->list[i].name),
			       totals->list[i].value);
	}
}

static double vm_vcpus(const struct vm *vm)
{
	return vm->vcpus;
}

static double vm_mapped(const struct vm *vm)
{
	return vm->mapped;
}

static double vm_tables(const struct vm *vm)
{
	return vm->tables;
}

static double vm_exits(const struct vm *vm)
{
	return counters_get(&vm->counters, "exits");
}

static double vm_userspace_exits(const struct vm *vm)
{
	return counters_get(&vm->counters, "userspace_exits");
}

static double vm_faults(const struct vm *vm)
{
	return counters_get(&vm->counters, "pf_taken");
}

static const struct {
	const char *name;
	const char *help;
	double (*value)(const struct vm *vm);
} vm_families[] = {
	{ "kvmlite_vm_vcpus", "vCPUs of the VM.", vm_vcpus },
	{ "kvmlite_vm_mapped_bytes",
	  "Memory of the VM in its second-stage tables.", vm_mapped },
	{ "kvmlite_vm_table_bytes",
	  "Memory of the VM's second-stage tables.", vm_tables },
	{ "kvmlite_vm_exits_total", "VM exits of the VM.", vm_exits },
	{ "kvmlite_vm_userspace_exits_total",
	  "Returns of KVM_RUN of the VM.", vm_userspace_exits },
	{ "kvmlite_vm_pf_taken_total",
	  "Second-stage faults of the VM.", vm_faults },
};

static void write_vm(struct metrics *metrics, const char *name,
		     const struct vm *vm, double value)
{
	char pid[16], number[16];
	const char * const labels[] = {
		"pid", pid, "vm", number, "command", vm->command, NULL
	};

	snprintf(pid, sizeof(pid), "%d", vm->pid);
	snprintf(number, sizeof(number), "%d", vm->number);
	metrics_sample(metrics, name, labels, value);
}

static void write_vms(struct metrics *metrics, const struct vms *vms)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(vm_families); i++) {
		metrics_family(metrics, vm_families[i].name,
			       vm_families[i].help);
		for (j = 0; j < vms->count; j++)
			write_vm(metrics, vm_families[i].name, &vms->list[j],
				 vm_families[i].value(&vms->list[j]));
	}
}

/* Nothing is printed unless everything can be read. */
static int write_loaded(struct metrics *metrics)
{
	struct counters totals;
	struct vms vms;
	int status;

	status = vms_read_totals(&totals);
	if (status)
		return status;
	status = vms_read(&vms);
	if (!status) {
		metrics_single(metrics, "kvmlite_up",
			       "Whether the module is loaded.", 1);
		metrics_single(metrics, "kvmlite_vms", "VMs that exist.",
			       vms.count);
		write_totals(metrics, &totals);
		write_vms(metrics, &vms);
	}
	vms_free(&vms);
	return status;
}

/* A module that is not there is a fact worth a sample, not a stale file. */
static int write_metrics(struct metrics *metrics)
{
	if (module_is_loaded("kvmlite"))
		return write_loaded(metrics);
	metrics_single(metrics, "kvmlite_up", "Whether the module is loaded.",
		       0);
	return 0;
}

int cmd_metrics(int argc, char **argv)
{
	return metrics_main(argc, argv, write_metrics);
}
