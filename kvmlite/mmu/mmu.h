/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Second-stage page tables: guest-physical to host-physical addresses, one
 * tree for all vCPUs of a VM (EPT, SDM volume 3, chapter 29.3; NPT).
 *
 * A fault resolves gfn -> slot -> address in the VMM -> what the VMM's own page
 * tables say, and get_user_pages() where they say nothing yet (or the page
 * tables of a PFN mapping).  Nothing is pinned: the MMU notifier tells when the
 * host takes the page away, and a sequence count catches a notification in
 * between (retry).  2 MiB entries where one entry of the VMM's page tables
 * covers an aligned piece of a slot.
 *
 * A leaf is writable only while the VMM's entry is writable and dirty, or its
 * page was made dirty at the fault: so nothing has to be told to the host when
 * a leaf goes away.
 *
 * Locking: mmu->lock (spinlock) for every change of the tables and of the
 * sequence count.  Nothing sleeps under it.  Who takes rights away counts it in
 * mmu->zapped, and after unlocking, kvml_mmu_flush() makes mmu->flushed catch
 * up; whoever relies on rights being gone, though others took them, compares
 * the two.  Table pages are freed only after all vCPUs forgot their
 * translations.
 */
#ifndef _KVMLITE_MMU_H
#define _KVMLITE_MMU_H

#include "mmu/memslot.h"
#include "vm/stats.h"

/* A fault may need a table of level 3, 2 and 1. */
#define KVML_SPARE_TABLES	3

/* Zeroed tables of a vCPU, for its faults to use under mmu->lock. */
struct kvml_spares {
	unsigned int nr;
	void *table[KVML_SPARE_TABLES];
};

/* gfns that 4 levels translate */
#define KVML_MAX_GFN		BIT_ULL(36)

/* Kinds of access, as an EPT violation tells (bits 0 to 2). */
#define KVML_ACCESS_READ	BIT(0)
#define KVML_ACCESS_WRITE	BIT(1)
#define KVML_ACCESS_EXEC	BIT(2)

/* kvml_mmu_fault(): no slot (or a write to a read-only one): emulate it. */
#define KVML_FAULT_MMIO		2

/*
 * The format of an entry, by the vendor (EPT or NPT).  Common rules: 512
 * entries a table, 9 bits a level, physical address in bits 12-51, level 4 at
 * the root, bit 7 marks a large leaf at level 2.
 */
struct kvml_pt_format {
	u64 table;		/* bits of an entry that points to a table */
	u64 leaf;		/* bits of every leaf: present, read, exec */
	u64 write;
	u64 accessed;		/* 0: the CPU keeps no A/D bits */
	u64 dirty;
	u64 memtype_wb;		/* leaf bits of RAM */
	u64 memtype_uc;		/* leaf bits of device memory */
	u64 present;		/* an entry is present if any of these is set */
	/*
	 * An entry that makes an access an MMIO exit (EPT misconfiguration), in
	 * which bits 12 to 43 are free; 0: none.
	 */
	u64 mmio;
	bool huge;		/* 2 MiB leaves */
};

struct kvml_mmu {
	const struct kvml_pt_format *fmt;	/* (i) set by ops->vm_init */
	spinlock_t lock;
	u64 *root;			/* (i) virtual address of the top table */
	unsigned long notifier_seq;	/* invalidations that are over */
	unsigned long zapped;		/* rights taken away, ever */
	unsigned long flushed;		/* of these, no vCPU has left */
	bool device;			/* memory of one was mapped, ever */
	unsigned long mmio_tables;	/* made for MMIO entries, ever */
	struct kvml_vm_stat stat;	/* its own, and all that a VM has */
};

int kvml_mmu_init(struct kvml_vm *vm);	/* after ops->vm_init */
/* No vCPU is left, and nobody else: kvml_slots_unhook(). */
void kvml_mmu_free(struct kvml_vm *vm);

/*
 * The guest accessed @gpa and had no translation that allows it.  Must hold
 * vm->srcu; may sleep.  1: retry in the guest, after a SIGBUS if the VMM's memory
 * is broken; KVML_FAULT_MMIO; -EFAULT: that memory is not there or not writable;
 * -EINTR, -ENOMEM.
 */
int kvml_mmu_fault(struct kvml_vcpu *vcpu, u64 gpa, u32 access);
/* The vCPU goes: what it kept for its faults. */
void kvml_mmu_vcpu_free(struct kvml_vcpu *vcpu);

/* The entry of an MMIO address, put there by kvml_mmu_fault(), is current. */
bool kvml_mmu_is_mmio(struct kvml_vcpu *vcpu, u64 gpa);

/*
 * All wait until no vCPU uses what went away; tables that are empty then are
 * freed.
 */
void kvml_mmu_zap(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end);
void kvml_mmu_zap_slot(struct kvml_vm *vm, struct kvml_slot *slot);
/* Write-protect the whole slot; 2 MiB leaves go. */
void kvml_mmu_protect_slot(struct kvml_vm *vm, struct kvml_slot *slot);
/*
 * Write-protect those of the slot's 4 KiB pages @first to @first + @n whose bits
 * are set in @bits (bit 0: page @first); 2 MiB leaves go.  Returns true if a
 * flush is due: kvml_mmu_flush().
 */
bool kvml_mmu_protect_bits(struct kvml_vm *vm, struct kvml_slot *slot,
			   unsigned long first, unsigned long n,
			   const unsigned long *bits);
/* Not under mmu->lock; may be called where sleeping is not allowed. */
void kvml_mmu_flush(struct kvml_vm *vm);

/*
 * For notifier.c.  The host is about to take addresses @start to @end of @b
 * away: no fault maps any of it before kvml_mmu_invalidate_end().  Does not
 * flush: kvml_mmu_flush_due().
 */
void kvml_mmu_invalidate_start(struct kvml_backing *b, unsigned long start,
			       unsigned long end, bool may_sleep);
void kvml_mmu_invalidate_end(struct kvml_backing *b);
bool kvml_mmu_age_range(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end);
bool kvml_mmu_test_young(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end);
/* Were rights taken away since the last flush? */
bool kvml_mmu_flush_due(struct kvml_vm *vm);
static inline void kvml_mmu_flush_if_due(struct kvml_vm *vm)
{
	if (kvml_mmu_flush_due(vm))
		kvml_mmu_flush(vm);
}

#endif /* _KVMLITE_MMU_H */
