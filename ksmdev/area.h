/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An area: the memory of one regular file of ksmfs.
 *
 *   inode -> ksm_area -> ksm_chunk (2 MiB) -> 512 slots -> frames
 *
 * The frames stay outside the page cache, which cannot express one that belongs to several
 * files.  All mappings of the file are in the tree of its inode, so unmap_mapping_pages()
 * and folio_mkclean() find every PTE.  Core mm installs the PTEs; the module only hands out
 * frames from ->fault and ->page_mkwrite (fault.c).
 *
 * SIZE.  @end is the size of the file in pages.  Every look-up of a slot compares with it
 * under the chunk's lock, and truncation takes that lock after it has set @end: no slot
 * behind the end is ever filled, but by who makes the file longer.  See ksm_area_set_end().
 *
 * LIFE.  When the last link, descriptor and mapping of the file are gone, the inode is
 * evicted: ksm_area_release() empties the area and takes it from its domain.  The
 * structures stay until the last reference: scan threads hold one while they work on a
 * chunk.  @mapping is the inode's, and may be used by who has a slot with a frame, with the
 * chunk locked; chunks go with the area only.
 *
 * LOCKS, outermost first; see Documentation/locking.rst:
 *   inode lock             (VFS) calls that change the file
 *   mmap_lock, VMA lock    (core mm)
 *   context lock           (device.c) the file and the domain of a descriptor of /dev/ksm
 *   domains_lock, domain->areas_lock; sweep_lock   lists of domains, of areas
 *   area->size_lock        the size
 *   chunk->lock            the slots of 2 MiB; a second one by trylock only
 *   page lock              of a frame
 *   i_mmap_rwsem, PTE locks (core mm)
 *   domain->queue_lock (the list of pass.c inside), table.lock, spares.lock   innermost
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
#define KSM_AREA_PAGES	(KSM_AREA_SIZE >> PAGE_SHIFT)

struct ksm_domain;
struct reg_step;
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
	u16 reg_end;			/* there are being registered, */
	bool reg_maps;			/* and the step has yet to take mmap_lock for writing */
	bool contended;			/* others used pending pages; sticky */
	unsigned long opened;		/* jiffies at the last registration */
};

/* Pages by state, for statistics; changed under chunk locks. */
struct ksm_area_counts {
	atomic_long_t held;		/* not empty: private, merged, zero, pending */
	atomic_long_t private;
	atomic_long_t merged;
	atomic_long_t zero;
	atomic_long_t pending;
	atomic_long_t chunks;
	atomic64_t cow_breaks;
};

/* What the files of a mount may hold in all. */
struct ksm_quota {
	unsigned long max;		/* pages; KSM_NO_LIMIT: not counted */
	atomic_long_t used;
};

#define KSM_NO_LIMIT ULONG_MAX

/* For whom a file of /dev/ksm is made. */
struct ksm_opener {
	u64 id;				/* never 0 */
	struct user_struct *user;	/* whose RLIMIT_MEMLOCK counts */
	unsigned long memlock;		/* the limit, in pages */
};

enum ksm_area_kind {
	KSM_AREA_NAMED,			/* its pages count against the quota */
	KSM_AREA_UNNAMED,		/* its size counts against a user */
	KSM_AREA_REGISTERED,		/* as well, and only KSM_REGISTER changes that */
};

struct ksm_area {
	struct kref ref;
	struct address_space *mapping;	/* (i) of the inode: see LIFE */
	struct ksm_domain *domain;	/* (i) referenced until release */
	struct list_head in_domain;	/* domain->areas_lock */
	struct xarray chunks;		/* by page offset / 512 */
	struct ksm_area_counts counts;
	struct ksm_spares spares;

	enum ksm_area_kind kind;	/* (i) */
	bool nomerge;			/* chattr +C; changes only while the file is empty */
	struct mutex size_lock;		/* guards changes of end, i_size, charged, nomerge */
	unsigned long first;		/* (i) page at which the memory begins */
	unsigned long end;		/* pages up to the end of the file */
	unsigned long charged;		/* pages charged to the user */
	struct ksm_quota *quota;	/* of the mount; NULL after release */
	struct ksm_opener opener;	/* (i) its user is NULL for named files */
	struct mem_cgroup *memcg;	/* (i) of who made it: for scan threads; or NULL */

	struct list_head registered;	/* sweep.c */
	struct task_struct *registrar;	/* maps pages that are being registered, */
	struct reg_step *step;		/* for this; the registrar's own */

	u64 id;				/* (i) */
	pid_t pid;			/* (i) of who made it */
	uid_t uid;			/* (i) */
	char comm[16];			/* (i) */
};

int ksm_area_init(void);
void ksm_area_exit(void);

struct ksm_area *ksm_area_new(struct address_space *mapping, struct ksm_domain *domain,
			      struct ksm_quota *quota, enum ksm_area_kind kind,
			      const struct ksm_opener *opener);
void ksm_area_put(struct ksm_area *area);
unsigned long ksm_area_bytes(struct ksm_area *area);

int ksm_area_set_end(struct ksm_area *area, loff_t size);
void ksm_area_trim_charge(struct ksm_area *area);
int ksm_area_hold(struct ksm_area *area);
bool ksm_area_may_hold(struct ksm_area *area, unsigned long pages);
void ksm_area_give_back(struct ksm_area *area, unsigned long pages);
void ksm_area_leave_quota(struct ksm_area *area);

struct ksm_chunk *ksm_chunk_find(struct ksm_area *area, unsigned long pgoff);
struct ksm_chunk *ksm_chunk_get(struct ksm_area *area, unsigned long pgoff);

static inline void ksm_area_get(struct ksm_area *area)
{
	kref_get(&area->ref);
}

/* The area whose private frame @page is. */
static inline struct ksm_area *ksm_area_of_frame(struct page *page)
{
	return page->mapping->host->i_private;
}

static inline struct ksm_area *ksm_area_of_file(struct file *file)
{
	return file_inode(file)->i_private;
}

static inline unsigned int ksm_slot_index(unsigned long pgoff)
{
	return pgoff & (KSM_CHUNK_PAGES - 1);
}

/* The page is one of the memory: nobody pays for those before the first, there are none. */
static inline bool ksm_area_has(const struct ksm_area *area, unsigned long pgoff)
{
	return pgoff >= area->first && pgoff < READ_ONCE(area->end);
}

/* Must hold chunk->lock: slot @i is within the file. */
static inline bool ksm_slot_in_file(const struct ksm_chunk *chunk, unsigned int i)
{
	return ksm_area_has(chunk->area, chunk->first + i);
}

#endif /* _KSMDEV_AREA_H */
