/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registered memory that was unmapped since: its frames go back.
 *
 * A mapping that goes tells nobody (there is no ->close: it would keep neighbouring mappings
 * from merging into one).  A file that nothing maps any more is gone with its last mapping;
 * of those that are left, a work item gives back every few seconds what no mapping covers.
 * It looks under the chunk's lock: a page that a mapping reaches later was forgotten before
 * anybody could use it again, and reads as zeroes.
 */
#ifndef _KSMDEV_SWEEP_H
#define _KSMDEV_SWEEP_H

struct ksm_area;

void ksm_sweep_add(struct ksm_area *area);
void ksm_sweep_remove(struct ksm_area *area);
void ksm_sweep_stop(void);

#endif /* _KSMDEV_SWEEP_H */
