/* SPDX-License-Identifier: GPL-2.0 */
/* Queues and passes of a domain. See domain.h for what a pass is. */
#ifndef _KSMDEV_PASS_H
#define _KSMDEV_PASS_H

#include "area.h"

struct ksm_scan_counts;

/* Threads wait here for a domain with something to scan. */
extern wait_queue_head_t ksm_pass_wait;

void ksm_queue_chunk(struct ksm_chunk *chunk);
void ksm_requeue_chunk(struct ksm_chunk *chunk);
void ksm_unqueue_chunk(struct ksm_chunk *chunk);

bool ksm_pass_begin(struct ksm_domain *d);
struct ksm_chunk *ksm_pass_take(struct ksm_domain *d);
void ksm_pass_finish(struct ksm_domain *d, struct ksm_chunk *chunk,
		     const struct ksm_scan_counts *counts);

bool ksm_pass_pending(void);
struct ksm_domain *ksm_pass_next_domain(void);

#endif /* _KSMDEV_PASS_H */
