// SPDX-License-Identifier: GPL-2.0
/* Domains: who may share frames with whom. See domain.h. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/pagemap.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "area.h"
#include "domain.h"
#include "frame.h"
#include "pass.h"

static DEFINE_MUTEX(domains_lock);	/* guards domains, uid_domains; outside areas_lock */
static LIST_HEAD(domains);
static DEFINE_HASHTABLE(uid_domains, 8);	/* those of users */
static u64 domain_ids;			/* domains_lock */

static unsigned int zero_frames(void)
{
	return nr_node_ids * KSM_ZERO_FRAMES;
}

static void domain_init(struct ksm_domain *d, kuid_t uid)
{
	kref_init(&d->ref);
	d->uid = uid;
	d->owner = uid_valid(uid) ? uid : current_euid();
	mutex_init(&d->areas_lock);
	INIT_LIST_HEAD(&d->areas);
	spin_lock_init(&d->queue_lock);
	ksm_pass_init(d);
}

static struct ksm_domain *domain_alloc(kuid_t uid)
{
	struct ksm_domain *d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);

	if (!d)
		return NULL;
	if (ksm_key_init(&d->key))
		goto err_free;
	d->zero = kcalloc(zero_frames(), sizeof(*d->zero), GFP_KERNEL_ACCOUNT);
	if (!d->zero)
		goto err_free_key;
	if (ksm_table_init(&d->table))
		goto err_free_zero;
	domain_init(d, uid);
	return d;

err_free_zero:
	kfree(d->zero);
err_free_key:
	ksm_key_destroy(&d->key);
err_free:
	kfree(d);
	return NULL;
}

static void domain_free(struct ksm_domain *d)
{
	unsigned int i;

	ksm_pass_exit(d);
	for (i = 0; i < zero_frames(); i++)
		if (d->zero[i])
			ksm_frame_free(d->zero[i]);
	ksm_table_destroy(&d->table);
	kfree(d->zero);
	ksm_key_destroy(&d->key);
	kfree(d);
}

static void domain_publish(struct ksm_domain *d)
{
	lockdep_assert_held(&domains_lock);
	d->id = ++domain_ids;
	list_add_tail(&d->all, &domains);
	if (uid_valid(d->uid))
		hash_add(uid_domains, &d->by_uid, __kuid_val(d->uid));
}

/* A new domain; INVALID_UID makes it a private one.  NULL without memory. */
struct ksm_domain *ksm_domain_new(kuid_t uid)
{
	struct ksm_domain *d = domain_alloc(uid);

	if (!d)
		return NULL;
	mutex_lock(&domains_lock);
	domain_publish(d);
	mutex_unlock(&domains_lock);
	return d;
}

static struct ksm_domain *domain_find(kuid_t uid)
{
	struct ksm_domain *d;

	lockdep_assert_held(&domains_lock);
	hash_for_each_possible(uid_domains, d, by_uid, __kuid_val(uid))
		if (uid_eq(d->uid, uid) && kref_get_unless_zero(&d->ref))
			return d;
	return NULL;
}

/* The domain of a user, with a reference; made if need be. */
struct ksm_domain *ksm_domain_of_uid(kuid_t uid)
{
	struct ksm_domain *d, *new;

	mutex_lock(&domains_lock);
	d = domain_find(uid);
	mutex_unlock(&domains_lock);
	if (d)
		return d;

	new = domain_alloc(uid);
	if (!new)
		return NULL;
	mutex_lock(&domains_lock);
	d = domain_find(uid);
	if (!d)
		domain_publish(new);
	mutex_unlock(&domains_lock);
	if (!d)
		return new;
	domain_free(new);
	return d;
}

static void domain_release(struct kref *ref)
{
	struct ksm_domain *d = container_of(ref, struct ksm_domain, ref);

	lockdep_assert_held(&domains_lock);
	list_del(&d->all);
	hash_del(&d->by_uid);
	mutex_unlock(&domains_lock);
	domain_free(d);
}

void ksm_domain_put(struct ksm_domain *d)
{
	kref_put_mutex(&d->ref, domain_release, &domains_lock);
}

/* The caller may know what merges in the domain, and may force it. */
bool ksm_domain_is_mine(const struct ksm_domain *d)
{
	return uid_eq(current_euid(), READ_ONCE(d->owner)) || capable(CAP_SYS_ADMIN);
}

void ksm_domain_add(struct ksm_domain *d, struct ksm_area *area)
{
	mutex_lock(&d->areas_lock);
	list_add_tail(&area->in_domain, &d->areas);
	mutex_unlock(&d->areas_lock);
}

void ksm_domain_remove(struct ksm_domain *d, struct ksm_area *area)
{
	mutex_lock(&d->areas_lock);
	list_del_init(&area->in_domain);
	mutex_unlock(&d->areas_lock);
}

static struct page *zero_frame_make(int nid)
{
	return alloc_pages_node(nid, GFP_NOWAIT | __GFP_ZERO | __GFP_ACCOUNT |
				__GFP_NOWARN, 0);
}

/*
 * The frame of zeroes that readers of page @index on node @nid see, always the
 * same one: who breaks the sharing waits until nobody has it locked.  NULL
 * without memory (then the reader gets a frame of its own).
 */
struct page *ksm_domain_zero_frame(struct ksm_domain *d, int nid,
				   unsigned long index)
{
	struct page **zero = &d->zero[nid * KSM_ZERO_FRAMES +
				      index % KSM_ZERO_FRAMES];
	struct page *page = READ_ONCE(*zero), *old;

	if (likely(page))
		return page;
	page = zero_frame_make(nid);
	if (!page)
		return NULL;
	old = cmpxchg(zero, NULL, page);
	if (!old)
		return page;
	ksm_frame_free(page);
	return old;
}

/* Kernel memory of the domain itself, without its areas. */
unsigned long ksm_domain_bytes(struct ksm_domain *d)
{
	unsigned long bytes = sizeof(*d) + PAGE_SIZE +	/* the key */
			      zero_frames() * sizeof(*d->zero) +
			      ksm_table_bytes(&d->table);
	unsigned int i;

	for (i = 0; i < zero_frames(); i++)
		if (READ_ONCE(d->zero[i]))
			bytes += PAGE_SIZE;
	return bytes;
}

/* The domain after @d, or the first (NULL), with a reference.  Gives back the one to @d. */
static struct ksm_domain *domain_next(struct ksm_domain *d)
{
	struct list_head *at = d ? &d->all : &domains;
	struct ksm_domain *next = NULL;

	/* Who has a reference stays in the list, and all there have one. */
	mutex_lock(&domains_lock);
	if (!list_is_last(at, &domains)) {
		next = list_entry(at->next, struct ksm_domain, all);
		ksm_domain_get(next);
	}
	mutex_unlock(&domains_lock);
	if (d)
		ksm_domain_put(d);
	return next;
}

/* Call @fn, without any lock, for each domain, one after the other. */
void ksm_domain_for_each(void (*fn)(struct ksm_domain *d, void *arg), void *arg)
{
	struct ksm_domain *d = NULL;

	while ((d = domain_next(d))) {
		fn(d, arg);
		cond_resched();
	}
}

/*
 * Keep the inode, and with it the area in the list, and the mount, which must not go before
 * its inodes.  False if one of them is going.  The inode's lock keeps a count that is not 0
 * from becoming that.  Holds areas_lock: the inode is there.
 */
static bool area_keep(struct ksm_area *area)
{
	struct inode *inode = area->mapping->host;
	bool keep;

	spin_lock(&inode->i_lock);
	keep = atomic_read(&inode->i_count) && atomic_inc_not_zero(&inode->i_sb->s_active);
	if (keep)
		ihold(inode);
	spin_unlock(&inode->i_lock);
	return keep;
}

/* May evict the inode, which takes areas_lock. */
static void area_let_go(struct ksm_area *area)
{
	struct inode *inode = area->mapping->host;
	struct super_block *sb = inode->i_sb;

	iput(inode);
	deactivate_super(sb);
}

/* The area after @area, or the first (NULL), kept.  Lets @area go. */
static struct ksm_area *area_next(struct ksm_domain *d, struct ksm_area *area)
{
	struct list_head *at = area ? &area->in_domain : &d->areas;
	struct ksm_area *next = NULL;

	mutex_lock(&d->areas_lock);
	while (!next && !list_is_last(at, &d->areas)) {
		at = at->next;
		next = list_entry(at, struct ksm_area, in_domain);
		if (!area_keep(next))
			next = NULL;
	}
	mutex_unlock(&d->areas_lock);
	if (area)
		area_let_go(area);
	return next;
}

/*
 * Call @fn, without any lock, for each area of each domain.  Those that come meanwhile are
 * visited, those that go need not be.  -ENOMEM is for one area, whose memory cgroup may be full:
 * the others have their turn, and it is returned at the end.  Any other error ends it.
 */
int ksm_domain_each_area(int (*fn)(struct ksm_area *area))
{
	struct ksm_domain *d = NULL;
	struct ksm_area *area = NULL;
	int err = 0, ret = 0;

	while (!err && (d = domain_next(d))) {
		while (!err && (area = area_next(d, area))) {
			err = fn(area);
			if (err == -ENOMEM) {
				ret = err;
				err = 0;
			}
		}
	}
	if (!err)
		return ret;
	area_let_go(area);
	ksm_domain_put(d);
	return err;
}

/*
 * The same for reclaim, which must not wait: does nothing if others are here, and ends when
 * @fn returns false.
 */
void ksm_domain_try_each(bool (*fn)(struct ksm_domain *d, void *arg), void *arg)
{
	struct ksm_domain *d;

	if (!mutex_trylock(&domains_lock))
		return;
	list_for_each_entry(d, &domains, all)
		if (!fn(d, arg))
			break;
	mutex_unlock(&domains_lock);
}

/* ---- spare frames, when the kernel runs short ---- */

static bool domain_count_spares(struct ksm_domain *d, void *arg)
{
	unsigned long *count = arg;
	unsigned long nr = 0;
	struct ksm_area *area;

	if (!mutex_trylock(&d->areas_lock))
		return true;
	list_for_each_entry(area, &d->areas, in_domain)
		nr += ksm_spares_count(&area->spares);
	mutex_unlock(&d->areas_lock);
	*count += nr;
	return true;
}

static unsigned long spares_shrink_count(struct shrinker *s,
					 struct shrink_control *sc)
{
	unsigned long count = 0;

	ksm_domain_try_each(domain_count_spares, &count);
	return count ?: SHRINK_EMPTY;
}

static bool domain_drop_spares(struct ksm_domain *d, void *arg)
{
	struct shrink_control *sc = arg;
	struct ksm_area *area;

	if (!mutex_trylock(&d->areas_lock))
		return true;
	list_for_each_entry(area, &d->areas, in_domain) {
		if (sc->nr_scanned >= sc->nr_to_scan)
			break;
		sc->nr_scanned += ksm_spares_drop(&area->spares,
						  sc->nr_to_scan - sc->nr_scanned);
	}
	mutex_unlock(&d->areas_lock);
	return sc->nr_scanned < sc->nr_to_scan;
}

static unsigned long spares_shrink_scan(struct shrinker *s,
					struct shrink_control *sc)
{
	sc->nr_scanned = 0;
	ksm_domain_try_each(domain_drop_spares, sc);
	return sc->nr_scanned ?: SHRINK_STOP;
}

static struct shrinker *spares_shrinker;

int ksm_domain_init(void)
{
	spares_shrinker = compat_shrinker_register("ksmdev-spares",
						   spares_shrink_count,
						   spares_shrink_scan);
	return spares_shrinker ? 0 : -ENOMEM;
}

void ksm_domain_exit(void)
{
	compat_shrinker_unregister(spares_shrinker);
}
