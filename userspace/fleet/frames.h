/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The truth: the number of distinct frames behind the RAM of all guests, and of
 * each, from their page tables.  Needs root, and guests that stand still meanwhile.
 */
#ifndef FLEET_FRAMES_H
#define FLEET_FRAMES_H

#include <sys/types.h>

#include "sample.h"

/*
 * Counts into the counted_frames of @s and of its guests.  RAM of @ram_device
 * (0: it is anonymous) is read first, page by page: merging leaves it without
 * page table entries.  An exit status, after a word.
 */
int frames_count(const struct vm *vms, int count, dev_t ram_device,
		 struct sample *s);

#endif /* FLEET_FRAMES_H */
