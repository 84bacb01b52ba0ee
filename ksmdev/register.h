/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KSM_REGISTER: taking private anonymous memory over in place.
 *
 * For each 2 MiB: pin the anonymous pages for writing, note them in the slots
 * as PENDING, replace the mapping by one of the area (vm_mmap), and copy each
 * page at its first use or at the end of the call.  Writes before the old
 * mapping went reached the pinned pages; later ones fault and wait for the
 * copy: none is lost.  What another thread discards meanwhile is looked for
 * under the lock under which the mapping is replaced: the step begins anew.
 *
 * The copy waits while somebody else has a reference to the page, a device
 * writing into it for instance.  No new reference can come once the mapping is
 * gone.  The call waits for some seconds and then leaves such pages PENDING:
 * the scanner copies them when they are free (scan.c).  So does a fault, but it
 * cannot wait for ever, as the task that faults may be the one that has the
 * reference.  The ioctl and the scanner never copy a page that others use.
 *
 * Regions: what one call registered, in page offsets of its own.  Without a
 * ->close of the mapping nothing tells when registered memory is unmapped, so
 * each pass compares a signature of the area's mappings with the last one and,
 * if it changed, gives back what nothing maps any more (sweep).
 */
#ifndef _KSMDEV_REGISTER_H
#define _KSMDEV_REGISTER_H

#include "area.h"

struct ksm_range;
struct reg_step;

struct ksm_region {
	unsigned long first;		/* (i) page offset */
	unsigned long pages;		/* charged; area->size_lock */
};

int ksm_register(struct file *file, struct ksm_range *range);
/* What the step has pinned is still mapped there; mm->mmap_lock is held for writing. */
bool ksm_register_may_map(struct reg_step *s);
bool ksm_region_covers(struct ksm_area *area, unsigned long vm_pgoff,
		       unsigned long pgoff);
void ksm_regions_free(struct ksm_area *area);
void ksm_regions_sweep(struct ksm_area *area);

int ksm_chunk_lock_registered(struct ksm_chunk *chunk, unsigned int i,
			      bool user);
int ksm_pending_wait(struct ksm_chunk *chunk, unsigned int i, bool user);
bool ksm_pending_ready(struct ksm_chunk *chunk, unsigned int i);
void ksm_pending_resolve(struct ksm_chunk *chunk, unsigned int i,
			 struct page *frame);

#endif /* _KSMDEV_REGISTER_H */
