/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pending slots: pages of a process that KSM_REGISTER has pinned and not copied yet.
 *
 * While a step of the call is under way the slots belong to it: whoever else meets one
 * waits until the step ends or takes itself back.  After that a page is copied at its first
 * use, but not while somebody else has a reference to it, a device that writes into it for
 * instance.  No new reference can come once the old mapping is gone.  The call waits for
 * some seconds and then leaves such pages pending: the scanner copies them when they are
 * free (scan.c).  So does a fault, but it cannot wait for ever, as the task that faults
 * may be the one that has the reference.
 */
#ifndef _KSMDEV_PENDING_H
#define _KSMDEV_PENDING_H

#include "area.h"

bool ksm_pending_quiet(struct ksm_chunk *chunk, unsigned int i);
bool ksm_pending_ready(struct ksm_chunk *chunk, unsigned int i);
int ksm_pending_lock(struct ksm_chunk *chunk, unsigned int i, bool user);
int ksm_pending_wait(struct ksm_chunk *chunk, unsigned int i, bool user);
int ksm_pending_wait_locked(struct ksm_chunk *chunk, unsigned int i, bool user);
void ksm_pending_lock_range(struct ksm_chunk *chunk, unsigned int i, unsigned int nr);

#endif /* _KSMDEV_PENDING_H */
