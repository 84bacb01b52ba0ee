// SPDX-License-Identifier: GPL-2.0
/* ksmfs: inodes, directories, mounts. See fs.h. */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fileattr.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/ksmdev.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/overflow.h>
#include <linux/pagemap.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>

#include "../include/compat/fs.h"
#include "area.h"
#include "domain.h"
#include "file.h"
#include "fs.h"
#include "range.h"

/* What a super block knows of its mount, or a request to mount: s_fs_info of both. */
struct ksm_mount {
	struct ksm_quota quota;
	umode_t mode;			/* of the root */
	kuid_t uid;
	kgid_t gid;
	bool has_size;			/* of a request: the option was given */
};

struct ksm_inode {
	struct ksm_area *area;		/* (i) of a regular file */
	struct ksm_domain *domain;	/* (i) of a directory; NULL: that of each user */
	bool top;			/* (i) the directory is the domain */
	bool nomerge;			/* of a directory: what its new files get */
	struct inode vfs;
};

static struct kmem_cache *inode_cache;
static struct vfsmount *unnamed_mnt;	/* while /dev/ksm is open: ksm_fs_pin() */
static int unnamed_pins;

static const struct inode_operations file_iops, dir_iops, unnamed_dir_iops;
static const struct file_operations unnamed_dir_fops;
static const struct super_operations super_ops;

static struct ksm_inode *ksm_inode(struct inode *inode)
{
	return container_of(inode, struct ksm_inode, vfs);
}

static struct ksm_mount *ksm_mount(struct super_block *sb)
{
	return sb->s_fs_info;
}

/* ---- inodes ---- */

static struct inode *inode_alloc(struct super_block *sb)
{
	struct ksm_inode *k = alloc_inode_sb(sb, inode_cache, GFP_KERNEL);

	if (!k)
		return NULL;
	k->area = NULL;
	k->domain = NULL;
	k->top = false;
	k->nomerge = false;
	return &k->vfs;
}

static void inode_free(struct inode *inode)
{
	kmem_cache_free(inode_cache, ksm_inode(inode));
}

static void inode_once(void *k)
{
	inode_init_once(&((struct ksm_inode *)k)->vfs);
}

static void inode_evict(struct inode *inode)
{
	struct ksm_inode *k = ksm_inode(inode);

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (k->area) {
		k->domain = k->area->domain;
		ksm_area_release(k->area);
		ksm_area_put(k->area);
	}
	if (k->domain)
		ksm_domain_put(k->domain);
}

/* Nothing is worth keeping of an inode without names and users. */
static int inode_drop(struct inode *inode)
{
	return 1;
}

static const struct address_space_operations aops = {
	.dirty_folio = noop_dirty_folio,
};

static struct inode *inode_new(struct super_block *sb, struct inode *dir, umode_t mode)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode_init_owner(&nop_mnt_idmap, inode, dir, mode);
	simple_inode_init_ts(inode);
	inode->i_mapping->a_ops = &aops;
	mapping_set_unevictable(inode->i_mapping);
	return inode;
}

/*
 * A regular file in the domain @d, of which it takes over the caller's reference, also if
 * that fails: -ENOMEM.
 */
static struct inode *file_new(struct super_block *sb, struct inode *dir, umode_t mode,
			      struct ksm_domain *d, enum ksm_area_kind kind,
			      const struct ksm_opener *opener)
{
	struct inode *inode = inode_new(sb, dir, S_IFREG | mode);
	struct ksm_area *area = NULL;

	if (inode)
		area = ksm_area_new(inode->i_mapping, d, &ksm_mount(sb)->quota, kind, opener);
	if (!area) {
		ksm_domain_put(d);
		iput(inode);
		return ERR_PTR(-ENOMEM);
	}
	area->nomerge = dir && ksm_inode(dir)->nomerge;
	ksm_inode(inode)->area = area;
	inode->i_private = area;
	inode->i_op = &file_iops;
	inode->i_fop = &ksm_file_fops;
	ksm_domain_add(d, area);
	return inode;
}

/* The domain of what is made in @dir, with a reference; NULL without memory. */
static struct ksm_domain *domain_in(struct inode *dir)
{
	struct ksm_domain *d = ksm_inode(dir)->domain;

	if (!d)
		return ksm_domain_of_uid(current_euid());
	ksm_domain_get(d);
	return d;
}

static struct inode *file_in(struct inode *dir, umode_t mode)
{
	struct ksm_domain *d = domain_in(dir);

	if (!d)
		return ERR_PTR(-ENOMEM);
	return file_new(dir->i_sb, dir, mode, d, KSM_AREA_NAMED, NULL);
}

/* @dir is NULL for the root. */
static struct inode *dir_in(struct super_block *sb, struct inode *dir, umode_t mode)
{
	struct inode *inode = inode_new(sb, dir, S_IFDIR | mode);
	struct ksm_inode *k;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->i_op = &dir_iops;
	inode->i_fop = &simple_dir_operations;
	inc_nlink(inode);
	k = ksm_inode(inode);
	k->nomerge = dir && ksm_inode(dir)->nomerge;
	if (!dir)
		return inode;
	k->top = !ksm_inode(dir)->domain;
	k->domain = k->top ? ksm_domain_new(INVALID_UID) : domain_in(dir);
	if (!k->domain) {
		iput(inode);
		return ERR_PTR(-ENOMEM);
	}
	/* Not the effective user id: setfsuid(). */
	if (k->top)
		WRITE_ONCE(k->domain->owner, inode->i_uid);
	return inode;
}

/* ---- attributes ---- */

static int file_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
			u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct ksm_area *area = ksm_inode(inode)->area;

	generic_fillattr(idmap, mask, inode, stat);
	/* What is shared counts, too: the number must not tell what others have. */
	stat->blocks = atomic_long_read(&area->counts.held) << (PAGE_SHIFT - 9);
	stat->blksize = PAGE_SIZE;
	return 0;
}

static int file_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err = setattr_prepare(idmap, dentry, attr);

	if (err)
		return err;
	if (attr->ia_valid & ATTR_SIZE) {
		loff_t old = i_size_read(inode);

		err = ksm_file_resize(ksm_inode(inode)->area, attr->ia_size);
		if (err)
			return err;
		/* The VFS asks for new times for ftruncate() and O_TRUNC, not for truncate(). */
		if (attr->ia_size != old)
			inode_set_mtime_to_ts(inode, inode_set_ctime_current(inode));
	}
	setattr_copy(idmap, inode, attr);
	return 0;
}

/* The owner of a directory that is a domain may see what merges there. */
static int dir_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct ksm_inode *k = ksm_inode(d_inode(dentry));
	int err = setattr_prepare(idmap, dentry, attr);

	if (err)
		return err;
	setattr_copy(idmap, &k->vfs, attr);
	if (k->top)
		WRITE_ONCE(k->domain->owner, k->vfs.i_uid);
	return 0;
}

static int fileattr_get(struct dentry *dentry, struct file_kattr *fa)
{
	struct ksm_inode *k = ksm_inode(d_inode(dentry));

	fileattr_fill_flags(fa, (k->area ? k->area->nomerge : k->nomerge) ? FS_NOCOW_FL : 0);
	return 0;
}

/*
 * Only files that are empty, and they keep it: a mapping made since lets write without
 * telling, so nothing may have merged before.  mmap() of /dev/ksm makes them longer without
 * the inode lock.
 */
static int area_set_nomerge(struct ksm_area *area, bool nomerge)
{
	int err = 0;

	mutex_lock(&area->size_lock);
	if (nomerge != area->nomerge) {
		if (nomerge && !i_size_read(area->mapping->host))
			WRITE_ONCE(area->nomerge, true);
		else
			err = -EINVAL;
	}
	mutex_unlock(&area->size_lock);
	return err;
}

/* chattr +C.  Holds the inode lock. */
static int fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry, struct file_kattr *fa)
{
	struct ksm_inode *k = ksm_inode(d_inode(dentry));
	bool nomerge = fa->flags & FS_NOCOW_FL;
	int err = 0;

	if (fileattr_has_fsx(fa) || fa->flags & ~FS_NOCOW_FL)
		return -EOPNOTSUPP;
	if (k->area)
		err = area_set_nomerge(k->area, nomerge);
	else
		k->nomerge = nomerge;
	if (!err)
		inode_set_ctime_current(&k->vfs);
	return err;
}

static const struct inode_operations file_iops = {
	.getattr = file_getattr,
	.setattr = file_setattr,
	.fileattr_get = fileattr_get,
	.fileattr_set = fileattr_set,
};

/* ---- directories ---- */

static int dir_add(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_make_persistent(dentry, inode);	/* nothing else keeps the name */
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
	return 0;
}

static int dir_create(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		      umode_t mode)
{
	return dir_add(dir, dentry, file_in(dir, mode));
}

static struct dentry *dir_mkdir(struct mnt_idmap *idmap, struct inode *dir,
				struct dentry *dentry, umode_t mode)
{
	int err = dir_add(dir, dentry, dir_in(dir->i_sb, dir, mode));

	if (!err)
		inc_nlink(dir);
	return ERR_PTR(err);
}

COMPAT_DIR_OPS(dir_create, dir_mkdir)

static int dir_tmpfile(struct mnt_idmap *idmap, struct inode *dir, struct file *file,
		       umode_t mode)
{
	struct inode *inode = file_in(dir, mode);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_tmpfile(file, inode);
	return finish_open_simple(file, 0);
}

/*
 * May a name of @inode be in @dir?  A file that was made in the root belongs to the domain of
 * a user, and may only be there; so may a directory that is a domain.
 */
static bool may_be_in(struct inode *inode, struct inode *dir)
{
	struct ksm_domain *d = ksm_inode(dir)->domain;
	struct ksm_inode *k = ksm_inode(inode);

	if (!k->area)
		return d ? !k->top && k->domain == d : k->top;
	return d ? k->area->domain == d : uid_valid(k->area->domain->uid);
}

static int dir_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	if (!may_be_in(d_inode(old), dir))
		return -EXDEV;
	return simple_link(old, dir, dentry);
}

static int dir_rename(struct mnt_idmap *idmap, struct inode *old_dir, struct dentry *old,
		      struct inode *new_dir, struct dentry *new, unsigned int flags)
{
	if (!may_be_in(d_inode(old), new_dir))
		return -EXDEV;
	if (flags & RENAME_EXCHANGE && !may_be_in(d_inode(new), old_dir))
		return -EXDEV;
	return simple_rename(idmap, old_dir, old, new_dir, new, flags);
}

static const struct inode_operations dir_iops = {
	.lookup = simple_lookup,
	.create = COMPAT_CREATE(dir_create),
	.mkdir = COMPAT_MKDIR(dir_mkdir),
	.tmpfile = dir_tmpfile,
	.link = dir_link,
	.unlink = simple_unlink,
	.rmdir = simple_rmdir,
	.rename = dir_rename,
	.setattr = dir_setattr,
	.fileattr_get = fileattr_get,
	.fileattr_set = fileattr_set,
};

/* Nothing can be looked up or made in it: it stands for its domain. */
static const struct inode_operations unnamed_dir_iops = {
	.setattr = dir_setattr,
};

static const struct file_operations unnamed_dir_fops = {
	.owner = THIS_MODULE,
	.llseek = noop_llseek,
};

/*
 * The domain of a directory of ksmfs that the caller may write to and search now, with a
 * reference: for the root that of the caller.  -EINVAL, -EACCES, -EROFS, -ENOMEM.
 */
struct ksm_domain *ksm_fs_domain_of_dir(struct file *dir)
{
	struct inode *inode = file_inode(dir);
	int err;

	if (inode->i_sb->s_op != &super_ops || !S_ISDIR(inode->i_mode))
		return ERR_PTR(-EINVAL);
	/* A mount that is read-only for the caller is not consent. */
	err = mnt_want_write_file(dir);
	if (err)
		return ERR_PTR(err);
	err = file_permission(dir, MAY_WRITE | MAY_EXEC);
	mnt_drop_write_file(dir);
	if (err)
		return ERR_PTR(err);
	return domain_in(inode) ?: ERR_PTR(-ENOMEM);
}

/* ---- mounts ---- */

enum { OPT_SIZE, OPT_MODE, OPT_UID, OPT_GID };

static const struct fs_parameter_spec parameters[] = {
	fsparam_string("size", OPT_SIZE),
	fsparam_u32oct("mode", OPT_MODE),
	fsparam_u32("uid", OPT_UID),
	fsparam_u32("gid", OPT_GID),
	{}
};

/* "8G", of which @rest is what follows.  memparse() alone does not tell of an overflow. */
static int parse_bytes(const char *text, const char **rest, u64 *bytes)
{
	size_t len = strspn(text, "0123456789");
	char digits[24], one[] = { '1', text[len], '\0' }, *end;
	u64 number, unit = memparse(one, &end);
	int err;

	if (len >= sizeof(digits))
		return -ERANGE;
	memcpy(digits, text, len);
	digits[len] = '\0';
	*rest = text + len + (end - one) - 1;
	err = kstrtou64(digits, 10, &number);
	if (!err && check_mul_overflow(number, unit, bytes))
		err = -ERANGE;
	return err;
}

/* "8G", "50%", in pages; 0 means no limit. */
static int parse_size(struct fs_context *fc, const char *text, unsigned long *pages)
{
	const char *rest;
	u64 size;

	if (parse_bytes(text, &rest, &size))
		return invalfc(fc, "size is no number of bytes, nor N%%");
	if (*rest == '%') {
		if (!size || size > 1000)
			return invalfc(fc, "size is not a percentage of the memory");
		size = (u64)totalram_pages() * size / 100 << PAGE_SHIFT;
		rest++;
	}
	if (*rest)
		return invalfc(fc, "size is no number of bytes, nor N%%");
	*pages = size ? size / PAGE_SIZE + !!(size % PAGE_SIZE) : KSM_NO_LIMIT;
	return 0;
}

static int fs_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct ksm_mount *m = fc->s_fs_info;
	struct fs_parse_result result;
	int opt = fs_parse(fc, parameters, param, &result);

	switch (opt) {
	case OPT_SIZE:
		m->has_size = true;
		return parse_size(fc, param->string, &m->quota.max);
	case OPT_MODE:
		m->mode = result.uint_32 & 07777;
		return 0;
	case OPT_UID:
		m->uid = make_kuid(current_user_ns(), result.uint_32);
		return uid_valid(m->uid) ? 0 : invalfc(fc, "no such uid");
	case OPT_GID:
		m->gid = make_kgid(current_user_ns(), result.uint_32);
		return gid_valid(m->gid) ? 0 : invalfc(fc, "no such gid");
	default:
		return opt;
	}
}

static int fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct ksm_mount *m = sb->s_fs_info;
	struct inode *root;

	sb->s_maxbytes = KSM_AREA_SIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_magic = KSMFS_MAGIC;
	sb->s_op = &super_ops;
	sb->s_time_gran = 1;
	sb->s_iflags |= SB_I_NODEV;
	root = dir_in(sb, NULL, m->mode);
	if (IS_ERR(root))
		return PTR_ERR(root);
	root->i_uid = m->uid;
	root->i_gid = m->gid;
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

/* Programs are not to be run from it.  The unnamed files may take over memory of code. */
static int fill_super_named(struct super_block *sb, struct fs_context *fc)
{
	sb->s_iflags |= SB_I_NOEXEC;
	return fill_super(sb, fc);
}

static int fs_get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, fill_super_named);
}

/*
 * While an unnamed file is there, so is the super block: all have the same st_dev, by which
 * programs tell such mappings.
 */
static int unnamed_get_tree(struct fs_context *fc)
{
	return get_tree_single(fc, fill_super);
}

/* mount -o remount,size=: not below what is used, and not where nothing was counted. */
static int fs_reconfigure(struct fs_context *fc)
{
	struct ksm_quota *q = &ksm_mount(fc->root->d_sb)->quota;
	struct ksm_mount *m = fc->s_fs_info;

	if (!m->has_size || m->quota.max == q->max)
		return 0;
	if (m->quota.max == KSM_NO_LIMIT || q->max == KSM_NO_LIMIT)
		return invalfc(fc, "a mount has a size from the start, or never");
	if (m->quota.max < atomic_long_read(&q->used))
		return invalfc(fc, "more than that is used");
	WRITE_ONCE(q->max, m->quota.max);
	return 0;
}

static void fs_free(struct fs_context *fc)
{
	kfree(fc->s_fs_info);
}

static const struct fs_context_operations context_ops = {
	.parse_param = fs_parse_param,
	.get_tree = fs_get_tree,
	.reconfigure = fs_reconfigure,
	.free = fs_free,
};

static const struct fs_context_operations unnamed_context_ops = {
	.get_tree = unnamed_get_tree,
	.free = fs_free,
};

static struct ksm_mount *mount_new(struct fs_context *fc)
{
	struct ksm_mount *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	if (!m)
		return NULL;
	m->quota.max = KSM_NO_LIMIT;
	m->mode = 01777;
	fc->s_fs_info = m;
	return m;
}

static int fs_init_context(struct fs_context *fc)
{
	struct ksm_mount *m = mount_new(fc);

	if (!m)
		return -ENOMEM;
	m->quota.max = totalram_pages() / 2;
	m->uid = current_fsuid();
	m->gid = current_fsgid();
	fc->ops = &context_ops;
	return 0;
}

static int unnamed_init_context(struct fs_context *fc)
{
	fc->ops = &unnamed_context_ops;
	/* Whoever opens /dev/ksm first, also in a user namespace. */
	fc->global = true;
	return mount_new(fc) ? 0 : -ENOMEM;
}

static void kill_super(struct super_block *sb)
{
	struct ksm_mount *m = sb->s_fs_info;

	compat_kill_super(sb);
	kfree(m);
}

static int fs_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct ksm_quota *q = &ksm_mount(dentry->d_sb)->quota;
	unsigned long max = READ_ONCE(q->max), used = atomic_long_read(&q->used);

	simple_statfs(dentry, buf);
	if (max == KSM_NO_LIMIT)
		return 0;
	buf->f_blocks = max;
	buf->f_bfree = max - min(used, max);
	buf->f_bavail = buf->f_bfree;
	return 0;
}

static int fs_show_options(struct seq_file *seq, struct dentry *root)
{
	struct ksm_mount *m = ksm_mount(root->d_sb);

	if (m->quota.max != KSM_NO_LIMIT)
		seq_printf(seq, ",size=%luk", m->quota.max << (PAGE_SHIFT - 10));
	if (m->mode != 01777)
		seq_printf(seq, ",mode=%03o", m->mode);
	if (!uid_eq(m->uid, GLOBAL_ROOT_UID))
		seq_printf(seq, ",uid=%u", from_kuid_munged(&init_user_ns, m->uid));
	if (!gid_eq(m->gid, GLOBAL_ROOT_GID))
		seq_printf(seq, ",gid=%u", from_kgid_munged(&init_user_ns, m->gid));
	return 0;
}

static const struct super_operations super_ops = {
	.alloc_inode = inode_alloc,
	.free_inode = inode_free,
	.evict_inode = inode_evict,
	.drop_inode = inode_drop,
	.statfs = fs_statfs,
	.show_options = fs_show_options,
};

/* No alias by which mount() would load the module, and not for user namespaces. */
static struct file_system_type fs_type = {
	.owner = THIS_MODULE,
	.name = "ksmfs",
	.init_fs_context = fs_init_context,
	.parameters = parameters,
	.kill_sb = kill_super,
};

/* Not registered: only ksm_fs_pin() mounts it. */
static struct file_system_type unnamed_type = {
	.owner = THIS_MODULE,
	.name = "ksmfs-unnamed",
	.init_fs_context = unnamed_init_context,
	.kill_sb = kill_super,
};

/* ---- for /dev/ksm ---- */

/*
 * The mount of the unnamed files, as long as the caller does not unpin it.  Each file and
 * each path to one (O_PATH) keeps the mount that it was made on, thus the super block, thus the
 * type, thus the module, and core code drops that after the last call into the module.
 * The reference by f_op->owner is not enough: O_PATH has none, and fput() drops it
 * before the inode.  -ENOMEM, -EMFILE.
 */
int ksm_fs_pin(void)
{
	return simple_pin_fs(&unnamed_type, &unnamed_mnt, &unnamed_pins);
}

void ksm_fs_unpin(void)
{
	simple_release_fs(&unnamed_mnt, &unnamed_pins);
}

/*
 * Takes over the reference to @inode.  alloc_file_pseudo() takes none to the module.  The
 * caller has the mount pinned, here and below.
 */
static struct file *unnamed_open(struct inode *inode)
{
	struct file *file;

	clear_nlink(inode);
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(inode, unnamed_mnt, "ksm", O_RDWR | O_LARGEFILE,
				 &ksm_file_fops);
	if (!IS_ERR(file))
		return file;
	iput(inode);
	module_put(THIS_MODULE);
	return file;
}

/* A new file of size 0 in the domain @d, open for reading and writing. -ENOMEM, -ENFILE. */
struct file *ksm_fs_unnamed_file(struct ksm_domain *d, enum ksm_area_kind kind,
				 const struct ksm_opener *opener)
{
	struct inode *inode;
	struct file *file;

	ksm_domain_get(d);
	inode = file_new(unnamed_mnt->mnt_sb, NULL, 0600, d, kind, opener);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	/* Open for writing, for good: else MADV_COLLAPSE takes it for a program's text. */
	atomic_inc(&inode->i_writecount);
	file = unnamed_open(inode);
	/* What open() gives, and alloc_file_pseudo() does not. */
	if (!IS_ERR(file))
		file->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE | FMODE_ATOMIC_POS;
	return file;
}

/*
 * A new directory, that is a domain. -ENOMEM, -ENFILE.  Opened as one with a name, which it has
 * not: alloc_file_pseudo() of newer kernels takes no directory.
 */
struct file *ksm_fs_unnamed_dir(void)
{
	struct inode *inode = dir_in(unnamed_mnt->mnt_sb, d_inode(unnamed_mnt->mnt_root), 0700);
	struct path path = { .mnt = unnamed_mnt };
	struct file *file;

	if (IS_ERR(inode))
		return ERR_CAST(inode);
	inode->i_op = &unnamed_dir_iops;
	inode->i_fop = &unnamed_dir_fops;
	clear_nlink(inode);
	path.dentry = d_alloc_name(path.mnt->mnt_root, "ksm-domain");
	if (!path.dentry) {
		iput(inode);
		return ERR_PTR(-ENOMEM);
	}
	d_instantiate(path.dentry, inode);
	file = dentry_open(&path, O_RDONLY | O_DIRECTORY, current_cred());
	dput(path.dentry);
	return file;
}

int ksm_fs_init(void)
{
	inode_cache = kmem_cache_create("ksmfs_inode", sizeof(struct ksm_inode), 0,
					SLAB_ACCOUNT, inode_once);
	return inode_cache ? 0 : -ENOMEM;
}

void ksm_fs_exit(void)
{
	rcu_barrier();		/* inodes are freed after a grace period */
	kmem_cache_destroy(inode_cache);
}

/* From here on it can be mounted. */
int ksm_fs_register(void)
{
	return register_filesystem(&fs_type);
}

void ksm_fs_unregister(void)
{
	unregister_filesystem(&fs_type);
}
