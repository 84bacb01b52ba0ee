/* SPDX-License-Identifier: GPL-2.0 */
/* What is done to ranges of pages of an area, and the calls for it. */
#ifndef _KSMDEV_RANGE_H
#define _KSMDEV_RANGE_H

#include "area.h"

struct ksm_range;

/*
 * Whose memory a call is about: the file @file (with offsets, too), or if @opener is not 0
 * all files that a descriptor of /dev/ksm has made, of which @file is the one with offsets.
 */
struct ksm_target {
	struct file *file;
	u64 opener;
};

int ksm_range_check(const struct ksm_range *range, u64 flags);
void ksm_range_drop(struct ksm_area *area, unsigned long first, unsigned long end);
void ksm_area_release(struct ksm_area *area);
int ksm_area_unmerge(struct ksm_area *area);

int ksm_range_discard(const struct ksm_target *target, struct ksm_range *range);
int ksm_range_unmerge(const struct ksm_target *target, struct ksm_range *range);
int ksm_range_merge(const struct ksm_target *target, struct ksm_range *range);

#endif /* _KSMDEV_RANGE_H */
