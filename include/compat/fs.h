/* SPDX-License-Identifier: GPL-2.0 */
/* What only ksmfs needs of the VFS: see compat.h. */
#ifndef _COMPAT_FS_H
#define _COMPAT_FS_H

#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/version.h>

#if KERNEL_VERSION(6, 17, 0) > LINUX_VERSION_CODE
#define file_kattr	fileattr
#endif

#if KERNEL_VERSION(6, 19, 0) > LINUX_VERSION_CODE
/* A name that nothing else keeps; simple_unlink() drops the reference. */
static inline void compat_make_persistent(struct dentry *dentry, struct inode *inode)
{
	d_instantiate(dentry, inode);
	dget(dentry);
}

#define d_make_persistent	compat_make_persistent
#define compat_kill_super	kill_litter_super
#else
#define compat_kill_super	kill_anon_super
#endif

/*
 * ->create and ->mkdir are written as the newest kernels have them.  COMPAT_DIR_OPS(CREATE,
 * MKDIR) makes those that older ones have; COMPAT_CREATE and COMPAT_MKDIR are the one that this
 * kernel takes.
 */
#define COMPAT_DIR_OPS(create_fn, mkdir_fn)						\
static __maybe_unused int create_fn##_excl(struct mnt_idmap *idmap, struct inode *dir,	\
					   struct dentry *dentry, umode_t mode, bool excl) \
{											\
	return create_fn(idmap, dir, dentry, mode);					\
}											\
static __maybe_unused int mkdir_fn##_int(struct mnt_idmap *idmap, struct inode *dir,	\
					 struct dentry *dentry, umode_t mode)		\
{											\
	return PTR_ERR_OR_ZERO(mkdir_fn(idmap, dir, dentry, mode));			\
}

#define compat_iops	((const struct inode_operations *)NULL)
#define COMPAT_CREATE(fn)								\
	__builtin_choose_expr(__same_type(compat_iops->create,				\
					  (int (*)(struct mnt_idmap *, struct inode *,	\
						   struct dentry *, umode_t))NULL),	\
			      fn, fn##_excl)
#define COMPAT_MKDIR(fn)								\
	__builtin_choose_expr(__same_type(compat_iops->mkdir,				\
					  (int (*)(struct mnt_idmap *, struct inode *,	\
						   struct dentry *, umode_t))NULL),	\
			      fn##_int, fn)

#endif /* _COMPAT_FS_H */
