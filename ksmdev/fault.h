/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Faults.
 *
 *   event                            handler             hardware faults
 *   read, no PTE                     fault               1
 *   write, no PTE                    fault, page_mkwrite 1
 *   write, read-only private frame   page_mkwrite        1
 *   write, read-only shared frame    page_mkwrite breaks
 *                                    and zaps; as row 2  2
 *
 * A frame that ->fault hands out is locked until core mm has put it into the
 * PTE.  Whoever takes a shared frame out of a slot waits until it is unlocked before
 * zapping, and so for readers that were about to map it.
 *
 * A MAP_PRIVATE mapping reads frames of the file; what is written there is core mm's own.
 */
#ifndef _KSMDEV_FAULT_H
#define _KSMDEV_FAULT_H

#include <linux/mm.h>

extern const struct vm_operations_struct ksm_vm_ops;
/* Of files that never merge: core mm refuses long-term pins where there is page_mkwrite. */
extern const struct vm_operations_struct ksm_nomerge_vm_ops;

#endif /* _KSMDEV_FAULT_H */
