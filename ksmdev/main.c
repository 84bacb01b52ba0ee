// SPDX-License-Identifier: GPL-2.0
/*
 * ksmdev: memory merging as a device.
 *
 * Where to read on: area.h (what holds what, the locks), slot.h (states of a
 * page), fault.h, scan.h, domain.h, stable.h, register.h; the ABI is in
 * include/uapi/linux/ksmdev.h.
 */
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ksmdev.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "area.h"
#include "domain.h"
#include "frame.h"
#include "range.h"
#include "register.h"
#include "scand.h"
#include "stats.h"

static long ioctl_range(struct file *file, unsigned int cmd,
			struct ksm_range *range)
{
	struct ksm_area *area = ksm_area_of_file(file);

	switch (cmd) {
	case KSM_REGISTER:
		return ksm_register(file, range);
	case KSM_UNMERGE:
		return ksm_range_unmerge(area, range);
	case KSM_MERGE:
		return ksm_range_merge(area, range);
	default:
		if (!(file->f_mode & FMODE_WRITE))
			return -EACCES;
		return ksm_range_discard(area, range);
	}
}

/* The domain of the descriptor @fd, with a reference. */
static struct ksm_domain *domain_of_fd(int fd)
{
	struct ksm_domain *d = ERR_PTR(-EINVAL);
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &ksm_fops)
		d = ksm_area_domain(ksm_area_of_file(file));
	fput(file);
	return d;
}

static long ioctl_set_domain(struct ksm_area *area, struct ksm_set_domain *arg)
{
	struct ksm_domain *d;

	if (arg->flags == KSM_DOMAIN_PRIVATE && arg->fd == -1)
		d = ksm_domain_new(INVALID_UID) ?: ERR_PTR(-ENOMEM);
	else if (arg->flags == KSM_DOMAIN_JOIN)
		d = domain_of_fd(arg->fd);
	else
		return -EINVAL;
	if (IS_ERR(d))
		return PTR_ERR(d);
	arg->id = d->id;
	return ksm_area_set_domain(area, d);
}

static void stats_area(struct ksm_area *area, struct ksm_stats *arg)
{
	arg->size += READ_ONCE(area->size);
	arg->pages_private += atomic_long_read(&area->counts.private);
	arg->pages_merged += atomic_long_read(&area->counts.merged);
	arg->ksm_zero_pages += atomic_long_read(&area->counts.zero);
	arg->pages_pending += atomic_long_read(&area->counts.pending);
	arg->cow_breaks += atomic64_read(&area->counts.cow_breaks);
	arg->metadata_bytes += ksm_area_bytes(area);
	arg->areas++;
}

static void stats_domain(struct ksm_domain *d, struct ksm_stats *arg)
{
	struct ksm_area *area;

	arg->pages_shared = READ_ONCE(d->table.nr_stable);
	arg->pages_unshared = READ_ONCE(d->table.nr_candidates);
	arg->metadata_bytes = ksm_domain_bytes(d);
	mutex_lock(&d->areas_lock);
	list_for_each_entry(area, &d->areas, in_domain)
		stats_area(area, arg);
	mutex_unlock(&d->areas_lock);
}

static long ioctl_get_stats(struct ksm_area *area, struct ksm_stats *arg)
{
	struct ksm_stats out = { .flags = arg->flags };
	struct ksm_domain *d;

	if (arg->flags & ~KSM_STATS_DOMAIN ||
	    memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	d = ksm_area_domain(area);
	out.domain = d->id;
	if (arg->flags & KSM_STATS_DOMAIN)
		stats_domain(d, &out);
	else
		stats_area(area, &out);
	ksm_domain_put(d);
	*arg = out;
	return 0;
}

union ioctl_arg {
	struct ksm_range range;
	struct ksm_scan scan;
	struct ksm_set_domain domain;
	struct ksm_stats stats;
};

static bool ioctl_known(unsigned int cmd)
{
	switch (cmd) {
	case KSM_REGISTER:
	case KSM_UNMERGE:
	case KSM_MERGE:
	case KSM_DISCARD:
	case KSM_SCAN:
	case KSM_SET_DOMAIN:
	case KSM_GET_STATS:
		return true;
	default:
		return false;
	}
}

static long ioctl_call(struct file *file, unsigned int cmd,
		       union ioctl_arg *arg)
{
	struct ksm_area *area = ksm_area_of_file(file);

	switch (cmd) {
	case KSM_REGISTER:
	case KSM_UNMERGE:
	case KSM_MERGE:
	case KSM_DISCARD:
		return ioctl_range(file, cmd, &arg->range);
	case KSM_SCAN:
		return ksm_scan_now(area, &arg->scan);
	case KSM_SET_DOMAIN:
		return ioctl_set_domain(area, &arg->domain);
	default:
		return ioctl_get_stats(area, &arg->stats);
	}
}

/*
 * All calls but the version take a structure in and give it back, after a
 * failure too: the field "done" then tells how far the call got.
 */
static long ksm_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	void __user *user = (void __user *)uarg;
	unsigned int size = _IOC_SIZE(cmd);
	union ioctl_arg arg;
	long ret;

	if (cmd == KSM_GET_API_VERSION)
		return uarg ? -EINVAL : KSM_API_VERSION;
	if (!ioctl_known(cmd))
		return -ENOTTY;
	if (copy_from_user(&arg, user, size))
		return -EFAULT;
	ret = ioctl_call(file, cmd, &arg);
	if (copy_to_user(user, &arg, size))
		return -EFAULT;
	return ret;
}

const struct file_operations ksm_fops = {
	.owner = THIS_MODULE,
	.open = ksm_area_open,
	.release = ksm_area_release,
	.mmap = ksm_area_mmap,
	.get_unmapped_area = ksm_area_get_unmapped_area,
	.unlocked_ioctl = ksm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice ksm_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ksm",
	.mode = 0660,
	.fops = &ksm_fops,
	.groups = ksm_attr_groups,
};

static int __init ksm_init(void)
{
	int err = ksm_area_init();

	if (err)
		return err;
	err = ksm_frame_init();
	if (err)
		goto err_area;
	err = ksm_scand_set_threads(ksm_knobs.scan_threads);
	if (err)
		goto err_frame;
	err = misc_register(&ksm_misc);
	if (err)
		goto err_scand;
	ksm_debugfs_init();
	return 0;

err_scand:
	ksm_scand_set_threads(0);
err_frame:
	ksm_frame_exit();
err_area:
	ksm_area_exit();
	return err;
}

static void __exit ksm_exit(void)
{
	ksm_debugfs_exit();
	misc_deregister(&ksm_misc);
	ksm_scand_set_threads(0);
	ksm_frame_exit();
	ksm_area_exit();
}

module_init(ksm_init);
module_exit(ksm_exit);

MODULE_DESCRIPTION("Merging of identical pages across processes and virtual machines, as a device");
MODULE_VERSION(KVMLITE_VERSION);
MODULE_LICENSE("GPL");
