/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A domain: the areas whose pages may share frames.  Everything that sharing
 * could leak through stands here once for each domain: the hash key, the table
 * of contents, the queue of chunks to scan, the zero frames.
 *
 * A domain belongs to a user id, or to nobody (private), and lives as long as
 * an area or a scan is in it.
 *
 * PASSES.  A chunk with pages to look at is queued on @next when it is first
 * written.  A pass moves @next to @todo and ends when @todo is empty and no
 * thread works on a chunk of it.  Any number of threads may share a pass.  A
 * pass costs what was written since the last, not what is there.
 */
#ifndef _KSMDEV_DOMAIN_H
#define _KSMDEV_DOMAIN_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include "content.h"
#include "stable.h"
#include "stats.h"

/* Frames that hold zeroes for readers, for each node: no one lock for all. */
#define KSM_ZERO_FRAMES 8

struct ksm_area;

struct ksm_domain {
	struct kref ref;
	u64 id;				/* (i)mmutable */
	kuid_t uid;			/* (i) INVALID_UID if private */
	struct ksm_key key;		/* (i) */
	struct page **zero;		/* filled by cmpxchg, never emptied */
	struct list_head all;		/* domains_lock */

	struct mutex areas_lock;	/* guards areas */
	struct list_head areas;		/* ksm_area.in_domain */

	struct ksm_table table;		/* has its own lock */

	spinlock_t queue_lock;		/* guards all below; outside nothing */
	struct list_head next;		/* chunks for the next pass */
	struct list_head todo;		/* chunks left in this pass */
	struct list_head scannable;	/* scannable_lock; see pass.c */
	unsigned int busy;		/* chunks of this pass being visited */
	bool in_pass;
	unsigned long pass;		/* number of the current or last pass */
	unsigned long passes_done;
	ktime_t next_start;		/* scan threads wait until then */
	struct ksm_scan_counts counts;	/* of the current pass */
	struct ksm_scan_counts total;	/* of all finished ones */
	wait_queue_head_t pass_done;
};

struct ksm_domain *ksm_domain_of_uid(kuid_t uid);
struct ksm_domain *ksm_domain_new(kuid_t uid);
void ksm_domain_put(struct ksm_domain *d);
void ksm_domain_add(struct ksm_domain *d, struct ksm_area *area);
void ksm_domain_remove(struct ksm_domain *d, struct ksm_area *area);
struct page *ksm_domain_zero_frame(struct ksm_domain *d, int nid,
				   unsigned long index);
unsigned long ksm_domain_bytes(struct ksm_domain *d);
void ksm_domain_for_each(void (*fn)(struct ksm_domain *d, void *arg),
			 void *arg);
void ksm_domain_try_each(void (*fn)(struct ksm_domain *d, void *arg),
			 void *arg);

static inline void ksm_domain_get(struct ksm_domain *d)
{
	kref_get(&d->ref);
}

#endif /* _KSMDEV_DOMAIN_H */
