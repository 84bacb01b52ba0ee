// SPDX-License-Identifier: GPL-2.0
/* /dev/ksm. See device.h, and the uapi header for the calls. */
#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ksmdev.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../include/compat/mmap.h"
#include "area.h"
#include "device.h"
#include "domain.h"
#include "file.h"
#include "fs.h"
#include "ioctl.h"
#include "range.h"
#include "register.h"
#include "sysfs.h"

/* An open descriptor of /dev/ksm. */
struct ksm_context {
	struct mutex lock;		/* guards what has no mark; inside mmap_lock */
	struct ksm_opener opener;	/* (i) */
	struct ksm_domain *domain;	/* changes only while it is not @used */
	struct file *file;		/* what mmap() maps, made with the first use */
	bool used;			/* files were made in the domain */
};

static atomic64_t opener_ids;

static void context_free(struct ksm_context *c)
{
	if (c->file)
		fput(c->file);
	if (c->domain)
		ksm_domain_put(c->domain);
	if (c->opener.user)
		free_uid(c->opener.user);
	kfree(c);
}

/* open("/dev/ksm"): ENOMEM; EMFILE if the kernel has no number for a super block left. */
static int device_open(struct inode *inode, struct file *file)
{
	struct ksm_context *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	int err;

	if (!c)
		return -ENOMEM;
	c->domain = ksm_domain_of_uid(current_euid());
	err = c->domain ? ksm_fs_pin() : -ENOMEM;
	if (err) {
		context_free(c);
		return err;
	}
	mutex_init(&c->lock);
	c->opener.id = atomic64_inc_return(&opener_ids);
	c->opener.user = get_uid(current_cred()->user);
	c->opener.memlock = capable(CAP_IPC_LOCK) ? ULONG_MAX :
			    rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	file->private_data = c;
	return nonseekable_open(inode, file);
}

static int device_release(struct inode *inode, struct file *file)
{
	context_free(file->private_data);
	ksm_fs_unpin();
	return 0;
}

/* A new file of the descriptor. -ENOMEM, -ENFILE. */
static struct file *context_new_file(struct ksm_context *c, enum ksm_area_kind kind)
{
	struct file *file;

	lockdep_assert_held(&c->lock);
	file = ksm_fs_unnamed_file(c->domain, kind, &c->opener);
	c->used |= !IS_ERR(file);
	return file;
}

/* The file that mmap() maps, with a reference. -ENOMEM, -ENFILE. */
static struct file *context_file(struct ksm_context *c)
{
	struct file *file;

	mutex_lock(&c->lock);
	file = c->file ?: context_new_file(c, KSM_AREA_UNNAMED);
	if (!IS_ERR(file)) {
		c->file = file;
		get_file(file);
	}
	mutex_unlock(&c->lock);
	return file;
}

/* mmap(): EINVAL above KSM_AREA_SIZE, EAGAIN over RLIMIT_MEMLOCK. */
static int device_mmap(struct file *device, struct vm_area_struct *vma)
{
	struct ksm_context *c = device->private_data;
	unsigned long end = vma->vm_pgoff + vma_pages(vma);
	struct file *file;
	int err;

	if (end < vma->vm_pgoff || end > KSM_AREA_PAGES)
		return -EINVAL;
	file = context_file(c);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = ksm_file_grow(ksm_area_of_file(file), (loff_t)end << PAGE_SHIFT);
	if (!err) {
		vma_set_file(vma, file);
		err = vfs_mmap(file, vma);
	}
	fput(file);
	return err;
}

static long call_register(struct file *device, void __user *user)
{
	struct ksm_context *c = device->private_data;
	struct ksm_range range;
	struct file *file;
	long ret;

	if (copy_from_user(&range, user, sizeof(range)))
		return -EFAULT;
	range.done = 0;
	ret = ksm_register_check(device, &range);
	if (!ret) {
		mutex_lock(&c->lock);
		file = context_new_file(c, KSM_AREA_REGISTERED);
		mutex_unlock(&c->lock);
		ret = PTR_ERR_OR_ZERO(file);
	}
	if (!ret) {
		ret = ksm_register(file, &range);
		fput(file);
	}
	if (copy_to_user(user, &range, sizeof(range)))
		return -EFAULT;
	return ret;
}

static struct ksm_domain *domain_of_fd(int fd)
{
	struct file *file = fget(fd);
	struct ksm_domain *d;

	if (!file)
		return ERR_PTR(-EBADF);
	d = ksm_fs_domain_of_dir(file);
	fput(file);
	return d;
}

/* Takes over the reference to @d.  -EBUSY. */
static long context_set_domain(struct ksm_context *c, struct ksm_domain *d)
{
	struct ksm_domain *unused = d;
	long ret = -EBUSY;

	mutex_lock(&c->lock);
	if (!c->used) {
		unused = c->domain;
		c->domain = d;
		ret = 0;
	}
	mutex_unlock(&c->lock);
	ksm_domain_put(unused);
	return ret;
}

static long call_set_domain(struct ksm_context *c, void __user *user)
{
	struct ksm_set_domain arg;
	struct ksm_domain *d;
	long ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.flags == KSM_DOMAIN_PRIVATE && arg.fd == -1)
		d = ksm_domain_new(INVALID_UID) ?: ERR_PTR(-ENOMEM);
	else if (arg.flags == KSM_DOMAIN_JOIN)
		d = domain_of_fd(arg.fd);
	else
		return -EINVAL;
	if (IS_ERR(d))
		return PTR_ERR(d);
	arg.id = d->id;
	ret = context_set_domain(c, d);
	if (!ret && copy_to_user(user, &arg, sizeof(arg)))
		return -EFAULT;
	return ret;
}

/* A descriptor for @file, whose reference it takes over. */
static long install(struct file *file)
{
	int fd;

	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		fput(file);
	else
		fd_install(fd, file);
	return fd;
}

static long call_get_file(struct file *device)
{
	const fmode_t both = FMODE_READ | FMODE_WRITE;

	if ((device->f_mode & both) != both)
		return -EACCES;
	return install(context_file(device->private_data));
}

static long call_common(struct file *device, unsigned int cmd, unsigned long arg)
{
	struct ksm_context *c = device->private_data;
	struct ksm_target target = { .opener = c->opener.id };
	struct ksm_domain *d;
	long ret;

	mutex_lock(&c->lock);
	d = c->domain;
	ksm_domain_get(d);
	target.file = c->file;		/* stays, once it is there */
	mutex_unlock(&c->lock);
	ret = ksm_ioctl(device, d, &target, cmd, arg);
	ksm_domain_put(d);
	return ret;
}

static long device_ioctl(struct file *device, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case KSM_REGISTER:
		return call_register(device, user);
	case KSM_SET_DOMAIN:
		return call_set_domain(device->private_data, user);
	case KSM_GET_FILE:
		return arg ? -EINVAL : call_get_file(device);
	case KSM_CREATE_DOMAIN:
		return arg ? -EINVAL : install(ksm_fs_unnamed_dir());
	default:
		return call_common(device, cmd, arg);
	}
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.mmap = device_mmap,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice ksm_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ksm",
	.mode = 0660,
	.fops = &device_fops,
	.groups = ksm_attr_groups,
};

int ksm_device_init(void)
{
	return misc_register(&ksm_misc);
}

void ksm_device_exit(void)
{
	misc_deregister(&ksm_misc);
}
