/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KSM_REGISTER: taking private anonymous memory over in place.
 *
 * The memory becomes a mapping of a new file.  For each 2 MiB: pin the anonymous pages for
 * writing, note them in the slots as pending, make the file long enough, replace the
 * mapping by one of the file (vm_mmap), and copy each page at its first use or at the end
 * of the call.  Writes before the old mapping went reached the pinned pages; later ones
 * fault and wait for the copy: none is lost.  What another thread discards or touches for
 * the first time meanwhile is looked for under the lock under which the mapping is replaced:
 * the step begins anew.  Pages that were never touched stay holes.
 *
 * The memory begins in the file at the offset that its address has from the last multiple of
 * 2 MiB, and nothing is before it.  The file ends where what was taken over so far ends, so
 * nobody can reach the rest of it, and nobody but the call changes its length.  When nothing
 * maps the file any more, it is gone; what is unmapped of it before is given back by sweep.c.
 */
#ifndef _KSMDEV_REGISTER_H
#define _KSMDEV_REGISTER_H

#include <linux/fs.h>
#include <linux/mm_types.h>

struct ksm_range;
struct reg_step;

int ksm_register_check(struct file *device, const struct ksm_range *range);
int ksm_register(struct file *file, struct ksm_range *range);

/* What the step has pinned is still mapped there; mm->mmap_lock is held for writing. */
bool ksm_register_may_map(struct reg_step *s);
/* Flags of the new mapping: not inherited over fork(), in core dumps as the old one. */
vm_flags_t ksm_register_vm_flags(struct reg_step *s);

#endif /* _KSMDEV_REGISTER_H */
