/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's own page tables, walked as the CPU does (SDM volume 3, chapter
 * 4): no paging, 32-bit, PAE, 4 and 5 levels; user, write, NX, SMEP, SMAP, WP
 * and reserved bits; sets accessed and dirty bits.
 */
#ifndef _KVMLITE_WALK_H
#define _KVMLITE_WALK_H

struct kvml_vcpu;

/*
 * A walk in 64-bit mode or without paging, to be recognized at little cost.  With
 * the same registers and slots a walk finds the same again if it reads the same: it
 * depends on nothing else.
 */
struct kvml_path {
	u8 n;			/* entries */
	u32 flags;		/* KVML_WALK_ of the walk */
	u32 mode;		/* vcpu->mode_changes at that time */
	u32 generation;		/* of the slots at that time */
	unsigned long cr3;	/* at that time */
	unsigned long page;	/* linear address */
	u64 __user *entry[5];	/* where the entries are in the VMM */
	u64 pte[5];		/* what they were */
	void __user *memory;	/* where the page is in the VMM; NULL: nothing is known */
};

#define KVML_WALK_WRITE		BIT(0)
#define KVML_WALK_FETCH		BIT(1)
#define KVML_WALK_USER		BIT(2)	/* at CPL 3 (else supervisor) */
#define KVML_WALK_IMPLICIT	BIT(3)	/* SMAP: not excused by RFLAGS.AC */
#define KVML_WALK_PROBE		BIT(4)	/* KVM_TRANSLATE: no A/D, no checks */

/*
 * Linear @gva to guest-physical.  0, or 1 with the error code of #PF in
 * @error.  Must hold vm->srcu; may sleep.
 */
int kvml_walk(struct kvml_vcpu *vcpu, unsigned long gva, u32 flags, u64 *gpa, u32 *error);
/* The same; remembers the way in @path. */
int kvml_walk_path(struct kvml_vcpu *vcpu, unsigned long gva, u32 flags,
		   u64 *gpa, u32 *error, struct kvml_path *path);

#endif /* _KVMLITE_WALK_H */
