/* SPDX-License-Identifier: GPL-2.0 */
/* Queues and passes of a domain. See domain.h for what a pass is. */
#ifndef _KSMDEV_PASS_H
#define _KSMDEV_PASS_H

#include "area.h"

struct ksm_scan_counts;

/* Threads wait here for a domain with something to scan. */
extern wait_queue_head_t ksm_pass_wait;

void ksm_pass_init(struct ksm_domain *d);
void ksm_pass_exit(struct ksm_domain *d);
void ksm_pass_knobs_changed(struct ksm_domain *d);

void ksm_queue_chunk(struct ksm_chunk *chunk, unsigned int ticks);
void ksm_requeue_chunk(struct ksm_chunk *chunk);
void ksm_unqueue_chunk(struct ksm_chunk *chunk);

void ksm_pass_begin(struct ksm_domain *d);
unsigned long ksm_scan_join(struct ksm_domain *d, bool force,
			    struct ksm_scan_counts *before);
void ksm_scan_leave(struct ksm_domain *d, bool force);
bool ksm_domain_idle(struct ksm_domain *d);
struct ksm_chunk *ksm_pass_take(struct ksm_domain *d);
void ksm_pass_finish(struct ksm_domain *d, struct ksm_chunk *chunk,
		     const struct ksm_scan_counts *counts);

bool ksm_pass_pending(void);
struct ksm_domain *ksm_pass_next_domain(void);

#endif /* _KSMDEV_PASS_H */
