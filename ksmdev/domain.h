/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A domain: the areas whose pages may share frames.  Everything that sharing
 * could leak through stands here once for each domain: the hash key, the table
 * of contents, the queue of chunks to scan, the zero frames.
 *
 * A domain is that of a user id, of a directory, or of one descriptor of /dev/ksm
 * (private).  It lives as long as an area, a directory, a descriptor of /dev/ksm or a scan
 * is in it.
 *
 * PASSES.  A chunk with written pages is queued for the tick at which the first
 * of them has rested (slot.h): on a wheel, one list for each of the next ticks;
 * for later ones on the last, to be queued again from there.  A pass moves the
 * lists up to now to @todo and ends when @todo is empty and no thread works on
 * a chunk of it.  Any number of threads may share a pass.  A pass costs what
 * was written and has rested since the last, not what is there.
 *
 * A pass that begins while somebody waits in KSM_SCAN takes all lists, and
 * looks at pages of a low level without any rest: see @rest_from.
 */
#ifndef _KSMDEV_DOMAIN_H
#define _KSMDEV_DOMAIN_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "content.h"
#include "knobs.h"
#include "stable.h"

/* Frames that hold zeroes for readers, for each node: no one lock for all. */
#define KSM_ZERO_FRAMES 8

#define KSM_WHEEL 64
#define KSM_NEVER ULONG_MAX

struct ksm_area;

struct ksm_domain {
	struct kref ref;
	u64 id;				/* (i)mmutable */
	kuid_t uid;			/* (i) INVALID_UID if not that of a user */
	kuid_t owner;			/* may see statistics: uid, or that of the directory */
	struct ksm_key key;		/* (i) */
	struct page **zero;		/* filled by cmpxchg, never emptied */
	struct list_head all;		/* domains_lock */
	struct hlist_node by_uid;	/* the same, if it is that of a user */

	struct mutex areas_lock;	/* guards areas */
	struct list_head areas;		/* ksm_area.in_domain */

	struct ksm_table table;		/* has its own lock */

	spinlock_t queue_lock;		/* guards all below; outside nothing */
	struct list_head wheel[KSM_WHEEL];	/* chunks by the tick they are due */
	unsigned long wheel_tick;	/* lists up to here are empty */
	unsigned long earliest;		/* none is due before, or NEVER */
	struct delayed_work wake;	/* at that tick */
	struct list_head todo;		/* chunks left in this pass */
	struct list_head scannable;	/* scannable_lock; see pass.c */
	unsigned int busy;		/* chunks of this pass being visited */
	bool in_pass;
	unsigned int rest_from;		/* level from which slots rest in this pass */
	unsigned int scans;		/* KSM_SCAN calls that wait */
	unsigned int forced;		/* those with KSM_SCAN_FORCE */
	unsigned long pass;		/* number of the current or last pass */
	unsigned long passes_done;
	unsigned long last_end;		/* jiffies at the end of the last pass */
	struct ksm_scan_counts counts;	/* of the current pass */
	struct ksm_scan_counts total;	/* of all finished ones */
	wait_queue_head_t pass_done;
};

int ksm_domain_init(void);
void ksm_domain_exit(void);

struct ksm_domain *ksm_domain_of_uid(kuid_t uid);
struct ksm_domain *ksm_domain_new(kuid_t uid);
void ksm_domain_put(struct ksm_domain *d);
bool ksm_domain_is_mine(const struct ksm_domain *d);
void ksm_domain_add(struct ksm_domain *d, struct ksm_area *area);
void ksm_domain_remove(struct ksm_domain *d, struct ksm_area *area);
struct page *ksm_domain_zero_frame(struct ksm_domain *d, int nid,
				   unsigned long index);
unsigned long ksm_domain_bytes(struct ksm_domain *d);
void ksm_domain_for_each(void (*fn)(struct ksm_domain *d, void *arg),
			 void *arg);
int ksm_domain_each_area(int (*fn)(struct ksm_area *area));
void ksm_domain_try_each(bool (*fn)(struct ksm_domain *d, void *arg),
			 void *arg);

static inline void ksm_domain_get(struct ksm_domain *d)
{
	kref_get(&d->ref);
}

#endif /* _KSMDEV_DOMAIN_H */
