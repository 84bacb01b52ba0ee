// SPDX-License-Identifier: GPL-2.0
/* The calls that /dev/ksm and files have in common: see the uapi header. */
#include <linux/fs.h>
#include <linux/ksmdev.h>
#include <linux/uaccess.h>

#include "area.h"
#include "domain.h"
#include "ioctl.h"
#include "range.h"
#include "scand.h"

static long call_range(struct file *file, const struct ksm_target *target, unsigned int cmd,
		       struct ksm_range *range)
{
	if (!(file->f_mode & FMODE_WRITE))
		return -EACCES;
	switch (cmd) {
	case KSM_UNMERGE:
		return ksm_range_unmerge(target, range);
	case KSM_MERGE:
		return ksm_range_merge(target, range);
	default:
		return ksm_range_discard(target, range);
	}
}

static long call_scan(struct file *file, struct ksm_domain *d, struct ksm_scan *arg)
{
	bool mine = ksm_domain_is_mine(d);
	u64 flags = arg->flags;
	long ret;

	if (flags & ~KSM_SCAN_FORCE || memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (!(file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (flags & KSM_SCAN_FORCE && !mine)
		return -EPERM;
	ret = ksm_scan_now(d, arg);
	/* How much of others' memory is equal is not for everybody. */
	if (!mine)
		*arg = (struct ksm_scan) { .flags = flags };
	return ret;
}

static void stats_area(struct ksm_area *area, struct ksm_stats *arg)
{
	unsigned long end = READ_ONCE(area->end);

	arg->size += end - min(end, area->first);
	arg->pages_private += atomic_long_read(&area->counts.private);
	arg->pages_merged += atomic_long_read(&area->counts.merged);
	arg->ksm_zero_pages += atomic_long_read(&area->counts.zero);
	arg->pages_pending += atomic_long_read(&area->counts.pending);
	arg->cow_breaks += atomic64_read(&area->counts.cow_breaks);
	arg->metadata_bytes += ksm_area_bytes(area);
	arg->areas++;
}

/* All areas of the domain, or those that a descriptor of /dev/ksm (@opener) has made. */
static void stats_areas(struct ksm_domain *d, u64 opener, struct ksm_stats *arg)
{
	struct ksm_area *area;

	mutex_lock(&d->areas_lock);
	list_for_each_entry(area, &d->areas, in_domain)
		if (!opener || area->opener.id == opener)
			stats_area(area, arg);
	mutex_unlock(&d->areas_lock);
}

static void stats_domain(struct ksm_domain *d, struct ksm_stats *arg)
{
	arg->pages_shared = READ_ONCE(d->table.nr_stable);
	arg->pages_unshared = READ_ONCE(d->table.nr_candidates);
	arg->metadata_bytes = ksm_domain_bytes(d);
	stats_areas(d, 0, arg);
}

static long call_get_stats(struct ksm_domain *d, const struct ksm_target *target,
			   struct ksm_stats *arg)
{
	struct ksm_stats out = { .flags = arg->flags, .domain = d->id };

	if (arg->flags & ~KSM_STATS_DOMAIN ||
	    memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (!ksm_domain_is_mine(d))
		return -EPERM;
	if (arg->flags & KSM_STATS_DOMAIN)
		stats_domain(d, &out);
	else if (target->opener)
		stats_areas(d, target->opener, &out);
	else
		stats_area(ksm_area_of_file(target->file), &out);
	*arg = out;
	return 0;
}

static long call_get_info(struct ksm_info *arg)
{
	if (memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	*arg = (struct ksm_info) {
		.api_version = KSM_API_VERSION,
		.page_size = PAGE_SIZE,
		.features = KSM_FEATURE_FILES,
		.range_flags = KSM_RANGE_OFFSET,
		.scan_flags = KSM_SCAN_FORCE,
		.stats_flags = KSM_STATS_DOMAIN,
		.domain_flags = KSM_DOMAIN_PRIVATE | KSM_DOMAIN_JOIN,
	};
	return 0;
}

union arg {
	struct ksm_range range;
	struct ksm_scan scan;
	struct ksm_stats stats;
	struct ksm_info info;
};

static bool is_known(unsigned int cmd)
{
	switch (cmd) {
	case KSM_UNMERGE:
	case KSM_MERGE:
	case KSM_DISCARD:
	case KSM_SCAN:
	case KSM_GET_STATS:
	case KSM_GET_INFO:
		return true;
	default:
		return false;
	}
}

static long call(struct file *file, struct ksm_domain *d, const struct ksm_target *target,
		 unsigned int cmd, union arg *arg)
{
	switch (cmd) {
	case KSM_SCAN:
		return call_scan(file, d, &arg->scan);
	case KSM_GET_STATS:
		return call_get_stats(d, target, &arg->stats);
	case KSM_GET_INFO:
		return call_get_info(&arg->info);
	default:
		return call_range(file, target, cmd, &arg->range);
	}
}

/*
 * All calls but the version take a structure in and give it back, after a
 * failure too: the field "done" then tells how far the call got.
 */
long ksm_ioctl(struct file *file, struct ksm_domain *d, const struct ksm_target *target,
	       unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	unsigned int size = _IOC_SIZE(cmd);
	union arg in;
	long ret;

	if (cmd == KSM_GET_API_VERSION)
		return arg ? -EINVAL : KSM_API_VERSION;
	if (!is_known(cmd))
		return -ENOTTY;
	if (copy_from_user(&in, user, size))
		return -EFAULT;
	ret = call(file, d, target, cmd, &in);
	if (copy_to_user(user, &in, size))
		return -EFAULT;
	return ret;
}
