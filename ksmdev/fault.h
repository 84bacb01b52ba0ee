/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Faults, and what turns a slot private.
 *
 *   event                            handler             hardware faults
 *   read, no PTE                     fault               1
 *   write, no PTE                    fault, page_mkwrite 1
 *   write, read-only private frame   page_mkwrite        1
 *   write, read-only shared frame    page_mkwrite breaks
 *                                    and zaps; as row 2  2
 *
 * A frame that ->fault hands out is locked until core mm has put it into the
 * PTE.  Whoever takes a shared frame out of a slot locks and unlocks it before
 * zapping, and so waits for readers that were about to map it.
 */
#ifndef _KSMDEV_FAULT_H
#define _KSMDEV_FAULT_H

#include "area.h"

void ksm_slot_give(struct ksm_chunk *chunk, unsigned int i, struct page *frame);
void ksm_slot_wait_mapped(struct ksm_chunk *chunk, unsigned int i, struct page *page);
int ksm_slot_unmerge(struct ksm_chunk *chunk, unsigned int i);
void ksm_slot_forget(struct ksm_chunk *chunk, unsigned int i);
void ksm_slot_unclean(struct ksm_chunk *chunk, unsigned int i);

#endif /* _KSMDEV_FAULT_H */
