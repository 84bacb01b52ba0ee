/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the supported kernels, 6.1 and 6.12, and only here.
 * Force-included before every source file; the code itself is written for the
 * newest kernel.
 */
#ifndef _COMPAT_COMPAT_H
#define _COMPAT_COMPAT_H

#include <linux/version.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>

#if KERNEL_VERSION(6, 3, 0) > LINUX_VERSION_CODE
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline int folio_pincount(struct folio *folio)
{
	return atomic_read(folio_pincount_ptr(folio));
}

/* folio_mapcount() is not exported; an anonymous large folio only. */
static inline int folio_large_mapcount(struct folio *folio)
{
	long i, nr = folio_nr_pages(folio);
	int count = folio_entire_mapcount(folio);

	for (i = 0; i < nr; i++)
		count += atomic_read(&folio_page(folio, i)->_mapcount) + 1;
	return folio_test_double_map(folio) ? count - nr : count;
}
#else
static inline int folio_pincount(struct folio *folio)
{
	return atomic_read(&folio->_pincount);
}
#endif

#if KERNEL_VERSION(6, 6, 0) > LINUX_VERSION_CODE
static inline void release_fault_lock(struct vm_fault *vmf)
{
	mmap_read_unlock(vmf->vma->vm_mm);
}
#endif

/* A shrinker of the whole machine; NULL without memory. */
typedef unsigned long (*compat_shrink_fn)(struct shrinker *s,
					  struct shrink_control *sc);

#if KERNEL_VERSION(6, 7, 0) > LINUX_VERSION_CODE
static inline struct shrinker *compat_shrinker_register(const char *name,
							compat_shrink_fn count,
							compat_shrink_fn scan)
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = DEFAULT_SEEKS;
	if (!register_shrinker(s, "%s", name))
		return s;
	kfree(s);
	return NULL;
}

static inline void compat_shrinker_unregister(struct shrinker *s)
{
	unregister_shrinker(s);
	kfree(s);
}
#else
static inline struct shrinker *compat_shrinker_register(const char *name,
							compat_shrink_fn count,
							compat_shrink_fn scan)
{
	struct shrinker *s = shrinker_alloc(0, "%s", name);

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	shrinker_register(s);
	return s;
}

static inline void compat_shrinker_unregister(struct shrinker *s)
{
	shrinker_free(s);
}
#endif

#endif /* _COMPAT_COMPAT_H */
