/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine: memory slots, second-stage page tables, vCPUs, and what
 * userspace attached to I/O addresses.  Lives as long as a file descriptor of
 * it, of one of its vCPUs or of its statistics does.
 */
#ifndef _KVMLITE_VM_H
#define _KVMLITE_VM_H

#include "mmu/mmu.h"
#include "vcpu/tsc.h"

/* The APIC ids of xAPIC; vCPU numbers are below. */
#define KVML_MAX_VCPUS	255

struct kvml_vm {
	struct mm_struct *mm;		/* (i) whose memory the slots are */
	struct kvml_notifier *notifier;	/* (i) that of mm, which it holds */
	refcount_t users;
	struct mutex lock;		/* writers of all below */
	struct srcu_struct srcu;	/* readers of slots and buses */
	struct kvml_slots slots;
	struct kvml_mmu mmu;
	struct xarray vcpus;		/* by number; only grows */
	unsigned int nr_vcpus;
	struct kvml_iobus __rcu *bus[2];	/* ioeventfd.c: PIO, MMIO */
	u64 manual_dirty;		/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	u64 disabled_quirks;		/* KVM_CAP_DISABLE_QUIRKS2; only grows */
	u32 tsc_khz;			/* of new vCPUs */
	struct kvml_tsc_sync tsc;
	bool clock_used;		/* a guest has kvmclock, or had it */
	raw_spinlock_t clock_lock;	/* pv.c: the four below */
	u64 boot_ns;			/* host's time when kvmclock was 0 */
	u64 clock_tsc, clock_ns;	/* host's TSC when kvmclock was that */
	u64 clock_lost;			/* kvml_tsc_lost with that */
	struct kvml_stats stats;
	struct list_head stats_link;	/* stats.c */
	void *vendor;			/* (i) a page, or NULL */
};

int kvml_vm_create(unsigned long type);
void kvml_vm_put(struct kvml_vm *vm);

#endif /* _KVMLITE_VM_H */
