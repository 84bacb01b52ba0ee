// SPDX-License-Identifier: GPL-2.0
/* Areas and their chunks: life, size, limits. See area.h. */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/ksmdev.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/sched/user.h>
#include <linux/slab.h>

#include "area.h"
#include "knobs.h"

static struct kmem_cache *chunk_cache;
static atomic64_t area_ids;

int ksm_area_init(void)
{
	chunk_cache = KMEM_CACHE(ksm_chunk, SLAB_ACCOUNT);
	return chunk_cache ? 0 : -ENOMEM;
}

void ksm_area_exit(void)
{
	kmem_cache_destroy(chunk_cache);
}

/* ---- chunks ---- */

static void chunk_free(struct ksm_chunk *chunk)
{
	free_page((unsigned long)chunk->slots);
	kmem_cache_free(chunk_cache, chunk);
}

static struct ksm_chunk *chunk_alloc(struct ksm_area *area, unsigned long pgoff)
{
	struct ksm_chunk *chunk;

	chunk = kmem_cache_zalloc(chunk_cache, GFP_KERNEL);
	if (!chunk)
		return NULL;
	chunk->slots = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!chunk->slots) {
		kmem_cache_free(chunk_cache, chunk);
		return NULL;
	}
	mutex_init(&chunk->lock);
	INIT_LIST_HEAD(&chunk->queue);
	chunk->area = area;
	chunk->first = round_down(pgoff, KSM_CHUNK_PAGES);
	chunk->nid = page_to_nid(virt_to_page(chunk->slots));
	return chunk;
}

/* The chunk of page @pgoff, NULL if nothing was ever touched there. */
struct ksm_chunk *ksm_chunk_find(struct ksm_area *area, unsigned long pgoff)
{
	return xa_load(&area->chunks, pgoff >> KSM_CHUNK_SHIFT);
}

static int quota_take(struct ksm_quota *q)
{
	if (READ_ONCE(q->max) == KSM_NO_LIMIT)
		return 0;
	if (atomic_long_inc_return(&q->used) <= (long)READ_ONCE(q->max))
		return 0;
	atomic_long_dec(&q->used);
	return -ENOSPC;
}

static void quota_give_back(struct ksm_quota *q, unsigned long pages)
{
	if (READ_ONCE(q->max) != KSM_NO_LIMIT)
		atomic_long_sub(pages, &q->used);
}

/* Takes a page of the quota, if it is this chunk that is new. */
static struct ksm_chunk *chunk_new(struct ksm_area *area, unsigned long pgoff)
{
	struct ksm_chunk *chunk, *old;
	int err = quota_take(area->quota);

	if (err)
		return ERR_PTR(err);
	chunk = chunk_alloc(area, pgoff);
	old = !chunk ? NULL :
	      xa_cmpxchg(&area->chunks, pgoff >> KSM_CHUNK_SHIFT, NULL, chunk,
			 GFP_KERNEL_ACCOUNT);
	if (chunk && !old) {
		atomic_long_inc(&area->counts.chunks);
		return chunk;
	}
	quota_give_back(area->quota, 1);
	if (chunk)
		chunk_free(chunk);
	return !chunk || xa_is_err(old) ? ERR_PTR(-ENOMEM) : old;
}

/*
 * The chunk of page @pgoff, made if need be.  -ENOMEM, or -ENOSPC if the mount is full: the
 * page of slots counts.  Who makes one looks at the size of the file after it is there: see
 * ksm_area_set_end().
 */
struct ksm_chunk *ksm_chunk_get(struct ksm_area *area, unsigned long pgoff)
{
	struct ksm_chunk *chunk = ksm_chunk_find(area, pgoff);

	if (likely(chunk))
		return chunk;
	chunk = chunk_new(area, pgoff);
	smp_mb();	/* the chunk before the size, as in ksm_area_set_end() */
	return chunk;
}

/* ---- life ---- */

static void area_describe(struct ksm_area *area)
{
	area->id = atomic64_inc_return(&area_ids);
	area->pid = task_tgid_nr(current);
	area->uid = from_kuid_munged(&init_user_ns, current_euid());
	get_task_comm(area->comm, current);
}

/*
 * A new area, empty and of size 0; NULL without memory.  The caller has a
 * reference to @domain until the area is released.  @opener is NULL for a named file.
 */
struct ksm_area *ksm_area_new(struct address_space *mapping, struct ksm_domain *domain,
			      struct ksm_quota *quota, enum ksm_area_kind kind,
			      const struct ksm_opener *opener)
{
	struct ksm_area *area = kzalloc(sizeof(*area), GFP_KERNEL_ACCOUNT);

	if (!area)
		return NULL;
	kref_init(&area->ref);
	INIT_LIST_HEAD(&area->in_domain);
	INIT_LIST_HEAD(&area->registered);
	xa_init(&area->chunks);
	mutex_init(&area->size_lock);
	ksm_spares_init(&area->spares);
	area->mapping = mapping;
	area->domain = domain;
	area->quota = quota;
	area->kind = kind;
	area->memcg = get_mem_cgroup_from_mm(current->mm);
	if (opener) {
		area->opener = *opener;
		get_uid(area->opener.user);
	}
	area_describe(area);
	atomic_long_inc(&ksm_totals.areas);
	return area;
}

static void area_free(struct kref *ref)
{
	struct ksm_area *area = container_of(ref, struct ksm_area, ref);
	struct ksm_chunk *chunk;
	unsigned long index;

	xa_for_each(&area->chunks, index, chunk) {
		chunk_free(chunk);
		cond_resched();
	}
	xa_destroy(&area->chunks);
	mem_cgroup_put(area->memcg);
	if (area->opener.user)
		free_uid(area->opener.user);
	kfree(area);
}

void ksm_area_put(struct ksm_area *area)
{
	kref_put(&area->ref, area_free);
}

/* Kernel memory of the area beside the frames in its slots. */
unsigned long ksm_area_bytes(struct ksm_area *area)
{
	return sizeof(*area) +
	       atomic_long_read(&area->counts.chunks) *
	       (kmem_cache_size(chunk_cache) + PAGE_SIZE + sizeof(void *)) +
	       ksm_spares_count(&area->spares) * PAGE_SIZE;
}

/* ---- limits ---- */

static int user_charge(struct ksm_area *area, unsigned long pages)
{
	long limit = min_t(unsigned long, area->opener.memlock, LONG_MAX);
	long old = atomic_long_read(&area->opener.user->locked_vm);

	do {
		if (pages > limit || old > (long)(limit - pages))
			return -EAGAIN;
	} while (!atomic_long_try_cmpxchg(&area->opener.user->locked_vm, &old,
					  old + pages));
	area->charged += pages;
	return 0;
}

static void user_uncharge(struct ksm_area *area, unsigned long pages)
{
	atomic_long_sub(pages, &area->opener.user->locked_vm);
	area->charged -= pages;
}

/*
 * The file ends at @size bytes now.  -EAGAIN over the limit of the user.  Must hold
 * area->size_lock.  Who makes a file shorter goes through its chunks after this: a chunk
 * that comes later finds the new end.  Registered memory stays charged as a whole until
 * ksm_area_trim_charge(): a call of KSM_REGISTER does not end half-way for the limit.
 */
int ksm_area_set_end(struct ksm_area *area, loff_t size)
{
	unsigned long end = DIV_ROUND_UP((u64)size, PAGE_SIZE);
	unsigned long pages = end - min(end, area->first);
	int err = 0;

	lockdep_assert_held(&area->size_lock);
	if (area->opener.user && pages > area->charged)
		err = user_charge(area, pages - area->charged);
	if (err)
		return err;
	i_size_write(area->mapping->host, size);
	WRITE_ONCE(area->end, end);
	smp_mb();	/* the end before the chunks, as in ksm_chunk_get() */
	if (pages < area->charged && area->kind != KSM_AREA_REGISTERED)
		user_uncharge(area, area->charged - pages);
	return 0;
}

/* Registering has ended: what is behind the end is not charged. */
void ksm_area_trim_charge(struct ksm_area *area)
{
	mutex_lock(&area->size_lock);
	user_uncharge(area, area->charged - (area->end - area->first));
	mutex_unlock(&area->size_lock);
}

/* One page more that is not empty.  -ENOSPC if the mount is full. */
int ksm_area_hold(struct ksm_area *area)
{
	int err = quota_take(area->quota);

	if (!err)
		atomic_long_inc(&area->counts.held);
	return err;
}

void ksm_area_give_back(struct ksm_area *area, unsigned long pages)
{
	quota_give_back(area->quota, pages);
	atomic_long_sub(pages, &area->counts.held);
}

/* The area is empty for good: its chunks stay for a while, and count no more. */
void ksm_area_leave_quota(struct ksm_area *area)
{
	quota_give_back(area->quota, atomic_long_read(&area->counts.chunks));
	if (area->opener.user)
		user_uncharge(area, area->charged);
	area->quota = NULL;
}
