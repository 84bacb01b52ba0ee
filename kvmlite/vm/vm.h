/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine: memory slots, second-stage page tables, vCPUs, and what
 * userspace attached to I/O addresses.  Lives as long as a file descriptor of
 * it, of one of its vCPUs or of its statistics does.
 */
#ifndef _KVMLITE_VM_H
#define _KVMLITE_VM_H

#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/xarray.h>

#include "mmu/memslot.h"
#include "mmu/mmu.h"
#include "vm/stats.h"

/* The APIC ids of xAPIC; vCPU numbers are below. */
#define KVML_MAX_VCPUS	255

struct kvml_iobus;

struct kvml_vm {
	struct mm_struct *mm;		/* (i) whose memory the slots are */
	refcount_t users;
	struct mutex lock;		/* writers of all below */
	struct srcu_struct srcu;	/* readers of slots and buses */
	struct kvml_slots __rcu *slots;
	struct kvml_mmu mmu;
	struct xarray vcpus;		/* by number; only grows */
	unsigned int nr_vcpus;
	struct kvml_iobus __rcu *bus[2];	/* ioeventfd.c: PIO, MMIO */
	u64 manual_dirty;		/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	u32 tsc_khz;
	spinlock_t clock_lock;		/* pv.c: the three below */
	u64 boot_ns;			/* host's time when kvmclock was 0 */
	u64 clock_tsc, clock_ns;	/* host's TSC when kvmclock was that */
	struct kvml_vm_stat stat;
	char stats_id[48];
	struct dentry *debugfs;
	struct list_head stats_link;	/* stats.c */
	void *vendor;			/* (i) */
};

int kvml_vm_create(unsigned long type);
void kvml_vm_get(struct kvml_vm *vm);
void kvml_vm_put(struct kvml_vm *vm);

#endif /* _KVMLITE_VM_H */
