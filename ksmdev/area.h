/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An area: the memory behind one open file of /dev/ksm.
 *
 *   file -> ksm_area -> ksm_chunk (2 MiB) -> 512 slots -> frames
 *
 * The area has an inode of its own, and file->f_mapping points to it, so that
 * core mm keeps all mappings of the area in one tree: unmap_mapping_pages()
 * and folio_mkclean() find every PTE.  Core mm installs the PTEs; the module
 * only hands out frames from ->fault and ->page_mkwrite (fault.c).
 *
 * Page offsets from 0 belong to mmap(); from KSM_REGION_FIRST on each call of
 * KSM_REGISTER has a region of 2^28 pages (1 TiB) of its own, so that a mapping
 * which grows by mremap() cannot reach another region.
 *
 * LIFE.  release() comes when the descriptors and mappings are gone; it frees
 * all frames.  The structures stay until the last reference: scan threads hold
 * one while they work on a chunk.
 *
 * LOCKS, outermost first; see Documentation/locking.rst:
 *   area->register_lock    KSM_REGISTER, sweeping; never in a fault or mmap
 *   mmap_lock, VMA lock    (core mm)
 *   chunk->lock            the slots of 2 MiB; a second one by trylock only
 *   page lock              of a frame
 *   i_mmap_rwsem, PTE locks (core mm)
 *   domain->queue_lock, table.lock, spares.lock   innermost, never nested
 */
#ifndef _KSMDEV_AREA_H
#define _KSMDEV_AREA_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/ksmdev.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "frame.h"
#include "slot.h"

#define KSM_CHUNK_SHIFT	9
#define KSM_CHUNK_PAGES	BIT(KSM_CHUNK_SHIFT)

#define KSM_REGION_SHIFT 28
#define KSM_REGION_PAGES BIT(KSM_REGION_SHIFT)
#define KSM_REGION_FIRST (KSM_AREA_SIZE >> PAGE_SHIFT)
/* Region numbers; their offsets end at 2^61 bytes. */
#define KSM_REGION_MIN	 (KSM_REGION_FIRST >> KSM_REGION_SHIFT)
#define KSM_REGION_MAX	 (BIT(61 - PAGE_SHIFT - KSM_REGION_SHIFT) - 1)

struct ksm_domain;
struct user_struct;
struct mem_cgroup;

struct ksm_chunk {
	struct mutex lock;		/* guards what has no mark */
	ksm_slot_t *slots;		/* (i) one page */
	struct ksm_area *area;		/* (i) */
	unsigned long first;		/* (i) page offset of slots[0] */
	struct list_head queue;		/* domain->queue_lock */
	unsigned long due;		/* tick for which it is queued */
	unsigned long visited;		/* tick at which it was last scanned */
	int nid;			/* (i) node of its zero frames */
	u16 reg_first;			/* the slots from here to before */
	u16 reg_end;			/* there are being registered */
	bool contended;			/* others used pending pages; sticky */
	unsigned long opened;		/* jiffies at the last registration */
};

/* Pages by state, for statistics; changed under chunk locks. */
struct ksm_area_counts {
	atomic_long_t private;
	atomic_long_t merged;
	atomic_long_t zero;
	atomic_long_t pending;
	atomic_long_t chunks;
	atomic64_t cow_breaks;
};

struct ksm_area {
	struct kref ref;
	struct inode *inode;		/* (i) */
	struct ksm_domain *domain;	/* changes only while size is 0 */
	struct list_head in_domain;	/* domain->areas_lock */
	struct xarray chunks;		/* by page offset / 512 */
	struct ksm_area_counts counts;
	struct ksm_spares spares;

	struct mutex size_lock;		/* guards size, mapped, domain */
	unsigned long size;		/* pages charged to the user */
	unsigned long mapped;		/* pages that mmap() reserved, from 0 */
	struct user_struct *user;	/* (i) */
	unsigned long memlock;		/* (i) limit in pages of the opener */
	struct mem_cgroup *memcg;	/* (i) or NULL */

	struct mutex register_lock;	/* guards regions, registrar, vma_sum */
	struct xarray regions;		/* struct ksm_region by number */
	struct task_struct *registrar;	/* may mmap registered offsets, */
	struct reg_step *step;		/* for this; the registrar's own */
	unsigned long vma_sum;		/* signature of the mappings, register.c */

	u64 id;				/* (i) */
	pid_t pid;			/* (i) of the opener */
	uid_t uid;			/* (i) */
	char comm[16];			/* (i) */
};

int ksm_area_init(void);
void ksm_area_exit(void);

int ksm_area_open(struct inode *inode, struct file *file);
int ksm_area_release(struct inode *inode, struct file *file);
int ksm_area_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long ksm_area_get_unmapped_area(struct file *file, unsigned long addr,
					 unsigned long len, unsigned long pgoff,
					 unsigned long flags);
void ksm_area_put(struct ksm_area *area);

int ksm_area_charge(struct ksm_area *area, unsigned long pages);
void ksm_area_uncharge(struct ksm_area *area, unsigned long pages);
int ksm_area_reserve(struct ksm_area *area, unsigned long end);
struct ksm_domain *ksm_area_domain(struct ksm_area *area);
int ksm_area_set_domain(struct ksm_area *area, struct ksm_domain *domain);
unsigned long ksm_area_bytes(struct ksm_area *area);

struct ksm_chunk *ksm_chunk_find(struct ksm_area *area, unsigned long pgoff);
struct ksm_chunk *ksm_chunk_get(struct ksm_area *area, unsigned long pgoff);
void ksm_chunk_free(struct ksm_chunk *chunk);

extern const struct vm_operations_struct ksm_vm_ops;
extern const struct file_operations ksm_fops;

static inline void ksm_area_get(struct ksm_area *area)
{
	kref_get(&area->ref);
}

static inline struct ksm_area *ksm_area_of_file(struct file *file)
{
	return file->private_data;
}

/* The area whose private frame @page is. */
static inline struct ksm_area *ksm_area_of_frame(struct page *page)
{
	return page->mapping->host->i_private;
}

static inline struct address_space *ksm_area_mapping(struct ksm_area *area)
{
	return area->inode->i_mapping;
}

static inline unsigned int ksm_slot_index(unsigned long pgoff)
{
	return pgoff & (KSM_CHUNK_PAGES - 1);
}

#endif /* _KSMDEV_AREA_H */
