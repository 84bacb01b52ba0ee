/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MMU notifier (Documentation/mm/mmu_notifier.rst of the kernel): what the host
 * takes away from a process, its guests lose before it is gone.
 *
 * There is one for a process, as registering takes every lock of its memory.  It
 * lives as long as a VM of the process, or the device's descriptor by which the
 * last one was made.
 */
#ifndef _KVMLITE_NOTIFIER_H
#define _KVMLITE_NOTIFIER_H

#include <linux/mmu_notifier.h>

#include "mmu/backing.h"

struct kvml_notifier {
	struct mmu_notifier mn;		/* mn.mm: (i) */
	struct kvml_backings backings;
	refcount_t users;		/* 0: under notifiers_lock */
	struct hlist_node link;		/* notifiers_lock */
};

/* That of current->mm, which is registered if there is none; an ERR_PTR(). */
struct kvml_notifier *kvml_notifier_get(void);
/* The last one waits until no call of it is in progress; NULL is nobody's. */
void kvml_notifier_put(struct kvml_notifier *notifier);

#endif /* _KVMLITE_NOTIFIER_H */
