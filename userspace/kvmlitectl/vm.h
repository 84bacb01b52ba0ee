/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMs, as debugfs has them: kvmlite/PID-N/ for each.  The binary statistics
 * (KVM_GET_STATS_FD) say the same, but only to the process of the VM.
 */
#ifndef KVMLITECTL_VM_H
#define KVMLITECTL_VM_H

#include <sys/types.h>

#include "counters.h"

/* Another folder can be given to the compiler to try the tool without VMs. */
#ifndef DEBUGFS
#define DEBUGFS		"/sys/kernel/debug"
#endif
#define VM_FOLDER	DEBUGFS "/kvmlite"

/**
 * struct vm - a VM
 * @pid:	of the process that made it
 * @number:	VMs are counted since the module was loaded
 * @command:	of the process
 * @vcpus:	how many it has
 * @mapped:	bytes of its memory that are in the second-stage tables
 * @tables:	bytes of these tables
 * @counters:	of the VM, and of all its vCPUs together
 */
struct vm {
	pid_t pid;
	int number;
	char command[64];
	int vcpus;
	long long mapped;
	long long tables;
	struct counters counters;
};

/**
 * struct vms - all of them
 * @count:	how many there are
 * @list:	by number
 */
struct vms {
	size_t count;
	struct vm *list;
};

/* An exit status, after saying what is wrong; vms_free() then, too. */
int vms_read(struct vms *vms);
void vms_free(struct vms *vms);

/* "qemu-system-x86 (1234), ..."; empty if there is none or we may not look. */
void vms_describe(char *text, size_t size);

/* Sums over all VMs since the module was loaded; an exit status. */
int vms_read_totals(struct counters *counters);

#endif /* KVMLITECTL_VM_H */
