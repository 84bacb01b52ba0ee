/* SPDX-License-Identifier: GPL-2.0 */
/*
 * file_operations.mmap_prepare: see compat.h.  It says what a mapping shall be before there
 * is one, so that it can be merged with its neighbours; since 6.15 those to which ->mmap gives
 * flags are not.
 *
 * COMPAT_FOPS_MMAP(PREPARE) is the entry of the table; COMPAT_MMAP(PREPARE); goes before it.
 */
#ifndef _COMPAT_MMAP_H
#define _COMPAT_MMAP_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/version.h>

#if KERNEL_VERSION(7, 0, 0) > LINUX_VERSION_CODE
/* What we need of it.  Some kernels before 7.0 have one with other fields. */
struct compat_area_desc {
	struct file *file;
	vm_flags_t vm_flags;
	const struct vm_operations_struct *vm_ops;
};

#define vm_area_desc compat_area_desc

static inline vm_flags_t compat_desc_flags(const struct vm_area_desc *desc)
{
	return desc->vm_flags;
}

static inline void compat_desc_set_flags(struct vm_area_desc *desc, vm_flags_t flags)
{
	desc->vm_flags = flags;
}

static inline int compat_mmap(struct file *file, struct vm_area_struct *vma,
			      int (*prepare)(struct vm_area_desc *))
{
	struct vm_area_desc desc = { .file = file, .vm_flags = vma->vm_flags };
	int err = prepare(&desc);

	if (err)
		return err;
	if (desc.vm_flags & ~vma->vm_flags)
		vm_flags_set(vma, desc.vm_flags);
	if (vma->vm_flags & ~desc.vm_flags)
		vm_flags_clear(vma, ~desc.vm_flags);
	vma->vm_ops = desc.vm_ops;
	return 0;
}

#define COMPAT_MMAP(prepare)						\
static int prepare##_mmap(struct file *file, struct vm_area_struct *vma)	\
{									\
	return compat_mmap(file, vma, prepare);				\
}									\
static int prepare##_mmap(struct file *file, struct vm_area_struct *vma)

#define COMPAT_FOPS_MMAP(prepare)	.mmap = prepare##_mmap

static inline int compat_vfs_mmap(struct file *file, struct vm_area_struct *vma)
{
	return file->f_op->mmap(file, vma);
}

#define vfs_mmap	compat_vfs_mmap
#else
static inline vm_flags_t compat_desc_flags(const struct vm_area_desc *desc)
{
	return vma_flags_to_legacy(desc->vma_flags);
}

static inline void compat_desc_set_flags(struct vm_area_desc *desc, vm_flags_t flags)
{
	desc->vma_flags = legacy_to_vma_flags(flags);
}

#define COMPAT_MMAP(prepare)		static int prepare(struct vm_area_desc *desc)
#define COMPAT_FOPS_MMAP(prepare)	.mmap_prepare = prepare
#endif

#endif /* _COMPAT_MMAP_H */
