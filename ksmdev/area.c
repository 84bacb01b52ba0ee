// SPDX-License-Identifier: GPL-2.0
/* Areas and their chunks: life, mapping, limits. See area.h. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/ksmdev.h>
#include <linux/memcontrol.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/mm.h>
#include <linux/sched/user.h>
#include <linux/slab.h>

#include "area.h"
#include "domain.h"
#include "pass.h"
#include "range.h"
#include "register.h"
#include "stats.h"

static struct kmem_cache *chunk_cache;
static atomic64_t area_ids;

/*
 * The inodes live on a file system of ours that nobody sees.  It has no owner:
 * its mount stays for as long as there are areas, and must not pin the module
 * by itself.
 */
static int ksm_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, 0x6b736d64) ? 0 : -ENOMEM;
}

static struct file_system_type ksm_fs = {
	.name = "ksmdev",
	.init_fs_context = ksm_fs_init_context,
	.kill_sb = kill_anon_super,
};

static struct vfsmount *ksm_mnt;
static int ksm_mnt_count;

static struct inode *area_inode_new(struct ksm_area *area)
{
	struct inode *inode;
	int err = simple_pin_fs(&ksm_fs, &ksm_mnt, &ksm_mnt_count);

	if (err)
		return ERR_PTR(err);
	inode = alloc_anon_inode(ksm_mnt->mnt_sb);
	if (IS_ERR(inode)) {
		simple_release_fs(&ksm_mnt, &ksm_mnt_count);
		return inode;
	}
	inode->i_private = area;
	i_size_write(inode, MAX_LFS_FILESIZE);
	return inode;
}

static void area_inode_free(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&ksm_mnt, &ksm_mnt_count);
}

static struct inode *stable_inode;

int ksm_area_init(void)
{
	chunk_cache = KMEM_CACHE(ksm_chunk, SLAB_ACCOUNT);
	if (!chunk_cache)
		return -ENOMEM;
	stable_inode = area_inode_new(NULL);
	if (IS_ERR(stable_inode)) {
		kmem_cache_destroy(chunk_cache);
		return PTR_ERR(stable_inode);
	}
	ksm_stable_mapping = stable_inode->i_mapping;
	return 0;
}

void ksm_area_exit(void)
{
	area_inode_free(stable_inode);
	kmem_cache_destroy(chunk_cache);
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

void ksm_chunk_free(struct ksm_chunk *chunk)
{
	free_page((unsigned long)chunk->slots);
	kmem_cache_free(chunk_cache, chunk);
}

/* The chunk of page @pgoff, NULL if nothing was ever touched there. */
struct ksm_chunk *ksm_chunk_find(struct ksm_area *area, unsigned long pgoff)
{
	return xa_load(&area->chunks, pgoff >> KSM_CHUNK_SHIFT);
}

/* The chunk of page @pgoff, made if need be; NULL without memory. */
struct ksm_chunk *ksm_chunk_get(struct ksm_area *area, unsigned long pgoff)
{
	struct ksm_chunk *chunk = ksm_chunk_find(area, pgoff), *old;
	struct mem_cgroup *memcg;

	if (likely(chunk))
		return chunk;
	memcg = set_active_memcg(area->memcg);
	chunk = chunk_alloc(area, pgoff);
	old = !chunk ? NULL :
	      xa_cmpxchg(&area->chunks, pgoff >> KSM_CHUNK_SHIFT, NULL, chunk,
			 GFP_KERNEL_ACCOUNT);
	set_active_memcg(memcg);
	if (!old) {
		if (chunk)
			atomic_long_inc(&area->counts.chunks);
		return chunk;
	}
	ksm_chunk_free(chunk);
	return xa_is_err(old) ? NULL : old;
}

static void area_init(struct ksm_area *area)
{
	const struct cred *cred = current_cred();

	kref_init(&area->ref);
	INIT_LIST_HEAD(&area->in_domain);
	xa_init(&area->chunks);
	xa_init_flags(&area->regions, XA_FLAGS_ALLOC);
	mutex_init(&area->size_lock);
	mutex_init(&area->register_lock);
	ksm_spares_init(&area->spares);
	area->user = get_uid(cred->user);
	area->memlock = capable(CAP_IPC_LOCK) ? ULONG_MAX :
			rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	area->memcg = get_mem_cgroup_from_mm(current->mm);
	area->id = atomic64_inc_return(&area_ids);
	area->pid = task_tgid_nr(current);
	area->uid = from_kuid_munged(&init_user_ns, cred->euid);
	get_task_comm(area->comm, current);
}

static void area_free(struct ksm_area *area)
{
	mem_cgroup_put(area->memcg);
	free_uid(area->user);
	xa_destroy(&area->regions);
	xa_destroy(&area->chunks);
	kfree(area);
}

/* open("/dev/ksm"): ENOMEM. */
int ksm_area_open(struct inode *inode, struct file *file)
{
	struct ksm_area *area = kzalloc(sizeof(*area), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!area)
		return -ENOMEM;
	area_init(area);
	area->domain = ksm_domain_of_uid(current_euid());
	if (!area->domain)
		goto err_free;
	area->inode = area_inode_new(area);
	if (IS_ERR(area->inode)) {
		err = PTR_ERR(area->inode);
		goto err_put_domain;
	}
	ksm_domain_add(area->domain, area);
	file->f_mapping = area->inode->i_mapping;
	file->private_data = area;
	atomic_long_inc(&ksm_totals.areas);
	return nonseekable_open(inode, file);

err_put_domain:
	ksm_domain_put(area->domain);
err_free:
	area_free(area);
	return err;
}

static void area_destroy(struct kref *ref)
{
	struct ksm_area *area = container_of(ref, struct ksm_area, ref);
	struct ksm_chunk *chunk;
	unsigned long index;

	xa_for_each(&area->chunks, index, chunk)
		ksm_chunk_free(chunk);
	area_inode_free(area->inode);
	ksm_domain_put(area->domain);
	area_free(area);
}

void ksm_area_put(struct ksm_area *area)
{
	kref_put(&area->ref, area_destroy);
}

/* The last descriptor and the last mapping are gone: so are the contents. */
int ksm_area_release(struct inode *inode, struct file *file)
{
	struct ksm_area *area = ksm_area_of_file(file);
	struct ksm_chunk *chunk;
	unsigned long index;

	/* First: nobody who goes through the domain's areas fills it again. */
	ksm_domain_remove(area->domain, area);
	xa_for_each(&area->chunks, index, chunk) {
		ksm_range_drop(chunk, 0, KSM_CHUNK_PAGES, false);
		ksm_unqueue_chunk(chunk);
		cond_resched();
	}
	ksm_spares_drop(&area->spares, ULONG_MAX);
	ksm_regions_free(area);
	ksm_area_uncharge(area, area->size);
	atomic64_add(atomic64_read(&area->counts.cow_breaks),
		     &ksm_totals.cow_breaks);
	atomic_long_dec(&ksm_totals.areas);
	ksm_area_put(area);
	return 0;
}

/*
 * Count @pages more against the limit of the opener. -EAGAIN over the limit.
 * Must hold area->size_lock.
 */
int ksm_area_charge(struct ksm_area *area, unsigned long pages)
{
	long limit = min_t(unsigned long, area->memlock, LONG_MAX);
	long old = atomic_long_read(&area->user->locked_vm);

	do {
		if (pages > limit || old > (long)(limit - pages))
			return -EAGAIN;
	} while (!atomic_long_try_cmpxchg(&area->user->locked_vm, &old,
					  old + pages));
	area->size += pages;
	return 0;
}

void ksm_area_uncharge(struct ksm_area *area, unsigned long pages)
{
	atomic_long_sub(pages, &area->user->locked_vm);
	area->size -= pages;
}

/* Make page offsets below @end usable by mmap(). -EAGAIN over the limit. */
int ksm_area_reserve(struct ksm_area *area, unsigned long end)
{
	int err = 0;

	mutex_lock(&area->size_lock);
	if (end > area->mapped) {
		err = ksm_area_charge(area, end - area->mapped);
		if (!err)
			WRITE_ONCE(area->mapped, end);
	}
	mutex_unlock(&area->size_lock);
	return err;
}

/* The domain of the area, with a reference. */
struct ksm_domain *ksm_area_domain(struct ksm_area *area)
{
	struct ksm_domain *d;

	mutex_lock(&area->size_lock);
	d = area->domain;
	ksm_domain_get(d);
	mutex_unlock(&area->size_lock);
	return d;
}

/*
 * Takes over the reference of the caller to @domain.  -EBUSY; -EINTR if the
 * task is being killed while it waits for KSM_REGISTER.
 */
int ksm_area_set_domain(struct ksm_area *area, struct ksm_domain *domain)
{
	struct ksm_domain *unused = domain;
	int err = -EBUSY;

	if (mutex_lock_killable(&area->register_lock)) {
		ksm_domain_put(domain);
		return -EINTR;
	}
	mutex_lock(&area->size_lock);
	if (!area->size) {
		unused = area->domain;
		area->domain = domain;
		err = 0;
	}
	mutex_unlock(&area->size_lock);
	if (!err) {
		ksm_domain_remove(unused, area);
		ksm_domain_add(domain, area);
	}
	mutex_unlock(&area->register_lock);
	ksm_domain_put(unused);
	return err;
}

/* Kernel memory of the area beside the frames in its slots. */
unsigned long ksm_area_bytes(struct ksm_area *area)
{
	return sizeof(*area) +
	       atomic_long_read(&area->counts.chunks) *
	       (kmem_cache_size(chunk_cache) + PAGE_SIZE + sizeof(void *)) +
	       ksm_spares_count(&area->spares) * PAGE_SIZE;
}

static bool mmap_in_bounds(struct ksm_area *area, struct vm_area_struct *vma)
{
	unsigned long first = vma->vm_pgoff;
	unsigned long pages = vma_pages(vma);

	if (first + pages < first)
		return false;
	if (first + pages <= KSM_REGION_FIRST)
		return true;
	return READ_ONCE(area->registrar) == current;
}

/*
 * mmap(): EINVAL for MAP_PRIVATE and above KSM_AREA_SIZE, EAGAIN over
 * RLIMIT_MEMLOCK.  There is no ->close, and no flag beside VM_DONTCOPY: both
 * would stop neighbouring mappings from merging into one.
 */
int ksm_area_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ksm_area *area = ksm_area_of_file(file);
	int err;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (!mmap_in_bounds(area, vma))
		return -EINVAL;
	if (vma->vm_pgoff < KSM_REGION_FIRST) {
		err = ksm_area_reserve(area, vma->vm_pgoff + vma_pages(vma));
		if (err)
			return err;
	}
	vm_flags_set(vma, VM_DONTCOPY);
	vma->vm_ops = &ksm_vm_ops;
	return 0;
}

/*
 * mmap() looks for an address, with mm->mmap_lock held for writing, before it unmaps
 * what is there: the last moment to see what KSM_REGISTER takes over.
 */
unsigned long ksm_area_get_unmapped_area(struct file *file, unsigned long addr,
					 unsigned long len, unsigned long pgoff,
					 unsigned long flags)
{
	struct ksm_area *area = ksm_area_of_file(file);

	if (READ_ONCE(area->registrar) == current && !ksm_register_may_map(area->step))
		return -EAGAIN;
	return compat_get_unmapped_area(file, addr, len, pgoff, flags);
}
