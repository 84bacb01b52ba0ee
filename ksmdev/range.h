/* SPDX-License-Identifier: GPL-2.0 */
/* The calls on ranges of an area: discard, unmerge, merge. */
#ifndef _KSMDEV_RANGE_H
#define _KSMDEV_RANGE_H

#include "area.h"

struct ksm_range;

int ksm_range_check(const struct ksm_range *range, u64 flags);
int ksm_range_discard(struct ksm_area *area, struct ksm_range *range);
int ksm_range_unmerge(struct ksm_area *area, struct ksm_range *range);
int ksm_range_merge(struct ksm_area *area, struct ksm_range *range);

void ksm_range_drop(struct ksm_chunk *chunk, unsigned int i, unsigned int nr,
		    bool zap);
void ksm_range_drop_pages(struct ksm_area *area, unsigned long first,
			  unsigned long end);
int ksm_chunk_unmerge(struct ksm_chunk *chunk);

#endif /* _KSMDEV_RANGE_H */
