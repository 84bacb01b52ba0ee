// SPDX-License-Identifier: GPL-2.0
/*
 * The files under /sys/class/misc/ksm and debugfs ksmdev/; what each means
 * stands in Documentation/ABI/sysfs-class-misc-ksm.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/kstrtox.h>
#include <linux/oom.h>
#include <linux/seq_file.h>
#include <linux/string_helpers.h>
#include <linux/sysfs.h>

#include "area.h"
#include "domain.h"
#include "knobs.h"
#include "pass.h"
#include "range.h"
#include "scand.h"
#include "sysfs.h"

static DEFINE_MUTEX(knobs_lock);	/* serializes writers; outermost */

/* ---- sums over all domains ---- */

struct sums {
	long shared;
	long unshared;
	long merged;
	long zero;
	long private;
	long spare;
	long domains;
	u64 bytes;
	u64 cow_breaks;
};

static void sum_area(struct ksm_area *area, struct sums *s)
{
	s->merged += atomic_long_read(&area->counts.merged);
	s->zero += atomic_long_read(&area->counts.zero);
	s->private += atomic_long_read(&area->counts.private);
	s->cow_breaks += atomic64_read(&area->counts.cow_breaks);
	s->spare += ksm_spares_count(&area->spares);
	s->bytes += ksm_area_bytes(area);
}

static void sum_domain(struct ksm_domain *d, void *arg)
{
	struct sums *s = arg;
	struct ksm_area *area;

	s->domains++;
	s->shared += READ_ONCE(d->table.nr_stable);
	s->unshared += READ_ONCE(d->table.nr_candidates);
	s->bytes += ksm_domain_bytes(d);
	mutex_lock(&d->areas_lock);
	list_for_each_entry(area, &d->areas, in_domain) {
		sum_area(area, s);
		cond_resched();
	}
	mutex_unlock(&d->areas_lock);
}

static struct sums sums_read(void)
{
	struct sums s = { };

	ksm_domain_for_each(sum_domain, &s);
	s.cow_breaks += atomic64_read(&ksm_totals.cow_breaks);
	return s;
}

/* Counters are read one after the other: never show a negative difference. */
static long diff(long a, long b)
{
	return max(a - b, 0l);
}

#define SUM_ATTR(_name, _expr)						\
static ssize_t _name##_show(struct device *dev,				\
			    struct device_attribute *attr, char *buf)	\
{									\
	struct sums s = sums_read();					\
									\
	return sysfs_emit(buf, "%lld\n", (long long)(_expr));		\
}									\
static DEVICE_ATTR_RO(_name)

SUM_ATTR(pages_shared, s.shared);
SUM_ATTR(pages_sharing, diff(s.merged, s.shared));
SUM_ATTR(pages_unshared, s.unshared);
SUM_ATTR(pages_volatile, diff(s.private, s.unshared));
SUM_ATTR(ksm_zero_pages, s.zero);
SUM_ATTR(pages_spare, s.spare);
SUM_ATTR(cow_breaks, s.cow_breaks);
SUM_ATTR(domains, s.domains);
SUM_ATTR(metadata_bytes, s.bytes);
SUM_ATTR(general_profit, (diff(s.merged, s.shared) + s.zero) *
			 (long)PAGE_SIZE - (long)s.bytes);

#define TOTAL_ATTR(_name, _expr)					\
static ssize_t _name##_show(struct device *dev,				\
			    struct device_attribute *attr, char *buf)	\
{									\
	return sysfs_emit(buf, "%llu\n", (u64)(_expr));			\
}									\
static DEVICE_ATTR_RO(_name)

TOTAL_ATTR(pages_scanned, atomic64_read(&ksm_totals.scanned));
TOTAL_ATTR(pages_skipped, atomic64_read(&ksm_totals.skipped));
TOTAL_ATTR(pages_merged_total, atomic64_read(&ksm_totals.merged));
TOTAL_ATTR(full_scans, atomic64_read(&ksm_totals.full_scans));
TOTAL_ATTR(areas, atomic_long_read(&ksm_totals.areas));
TOTAL_ATTR(scan_cpu_ns, ksm_scand_cpu_ns());

/* ---- knobs ---- */

/*
 * Unmerge everything.  An error leaves something merged, and run at 0.  As with KSM, who asks
 * for so much memory is the first to be killed for it.
 */
static int unmerge_all(void)
{
	int err;

	set_current_oom_origin();
	err = ksm_domain_each_area(ksm_area_unmerge);
	clear_current_oom_origin();
	if (err)
		WRITE_ONCE(ksm_knobs.run, KSM_RUN_STOP);
	return err;
}

static int set_run(unsigned int run)
{
	WRITE_ONCE(ksm_knobs.run, run);
	if (run == KSM_RUN_MERGE) {
		wake_up_all(&ksm_pass_wait);
		return 0;
	}
	/* Steps that began before end; the next ones see the knob. */
	ksm_scand_pause();
	ksm_scand_resume();
	return run == KSM_RUN_UNMERGE ? unmerge_all() : 0;
}

static int set_scan_threads(unsigned int nr)
{
	int err = ksm_scand_set_threads(nr);

	if (!err)
		WRITE_ONCE(ksm_knobs.scan_threads, nr);
	else
		ksm_scand_set_threads(ksm_knobs.scan_threads);
	return err;
}

/* A step that looked at the old value has merged, and counts, or has not yet begun. */
static int set_merge_across_nodes(unsigned int value)
{
	int err = 0;

	if (value == ksm_knobs.merge_across_nodes)
		return 0;
	ksm_scand_pause();
	if (sums_read().merged)
		err = -EBUSY;
	else
		WRITE_ONCE(ksm_knobs.merge_across_nodes, value);
	ksm_scand_resume();
	return err;
}

#define PLAIN_SETTER(_name)						\
static int set_##_name(unsigned int value)				\
{									\
	WRITE_ONCE(ksm_knobs._name, value);				\
	return 0;							\
}

PLAIN_SETTER(advisor)
PLAIN_SETTER(max_cpu)
PLAIN_SETTER(pages_to_scan)
PLAIN_SETTER(sleep_millisecs)
PLAIN_SETTER(rest_millisecs)
PLAIN_SETTER(max_page_sharing)
PLAIN_SETTER(use_zero_pages)

static void pace_domain(struct ksm_domain *d, void *unused)
{
	ksm_pass_knobs_changed(d);
}

/* -EINTR if the task is killed before its turn. */
static int knob_set(int (*set)(unsigned int value), unsigned int value)
{
	int err = mutex_lock_killable(&knobs_lock);

	if (err)
		return err;
	err = set(value);
	/* Who waits for a time that the knobs gave looks at them again. */
	ksm_domain_for_each(pace_domain, NULL);
	ksm_scand_wake();
	mutex_unlock(&knobs_lock);
	return err;
}

/* A number from @_min to @_max; others give EINVAL, no number too. */
#define KNOB_ATTR(_file, _field, _min, _max)				\
static ssize_t _file##_show(struct device *dev,				\
			    struct device_attribute *attr, char *buf)	\
{									\
	return sysfs_emit(buf, "%u\n",					\
			  (unsigned int)READ_ONCE(ksm_knobs._field));	\
}									\
static ssize_t _file##_store(struct device *dev,			\
			     struct device_attribute *attr,		\
			     const char *buf, size_t count)		\
{									\
	return knob_store(buf, count, _min, _max, set_##_field);	\
}									\
static DEVICE_ATTR_RW(_file)

static ssize_t knob_store(const char *buf, size_t count, unsigned int min,
			  unsigned int max, int (*set)(unsigned int value))
{
	unsigned int value;

	if (kstrtouint(buf, 10, &value) || value < min || value > max)
		return -EINVAL;
	return knob_set(set, value) ?: count;
}

KNOB_ATTR(run, run, 0, 2);
KNOB_ATTR(advisor_max_cpu, max_cpu, 1, 100 * KSM_MAX_THREADS);
KNOB_ATTR(pages_to_scan, pages_to_scan, 1, UINT_MAX);
KNOB_ATTR(sleep_millisecs, sleep_millisecs, 0, UINT_MAX);
KNOB_ATTR(rest_millisecs, rest_millisecs, 0, KSM_REST_MS_MAX);
KNOB_ATTR(scan_threads, scan_threads, 1, KSM_MAX_THREADS);
KNOB_ATTR(max_page_sharing, max_page_sharing, 2, INT_MAX);
KNOB_ATTR(use_zero_pages, use_zero_pages, 0, 1);
KNOB_ATTR(merge_across_nodes, merge_across_nodes, 0, 1);

static const char * const advisor_names[] = {
	[KSM_ADVISOR_NONE] = "none",
	[KSM_ADVISOR_CPU_BUDGET] = "cpu-budget",
};

static ssize_t advisor_mode_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, ksm_knobs.advisor == KSM_ADVISOR_NONE ?
			  "[none] cpu-budget\n" : "none [cpu-budget]\n");
}

static ssize_t advisor_mode_store(struct device *dev,
				  struct device_attribute *attr,
				  const char *buf, size_t count)
{
	int mode = sysfs_match_string(advisor_names, buf);

	if (mode < 0)
		return -EINVAL;
	return knob_set(set_advisor, mode) ?: count;
}
static DEVICE_ATTR_RW(advisor_mode);

static struct attribute *ksm_attrs[] = {
	&dev_attr_run.attr,
	&dev_attr_advisor_mode.attr,
	&dev_attr_advisor_max_cpu.attr,
	&dev_attr_pages_to_scan.attr,
	&dev_attr_sleep_millisecs.attr,
	&dev_attr_rest_millisecs.attr,
	&dev_attr_scan_threads.attr,
	&dev_attr_max_page_sharing.attr,
	&dev_attr_use_zero_pages.attr,
	&dev_attr_merge_across_nodes.attr,
	&dev_attr_pages_shared.attr,
	&dev_attr_pages_sharing.attr,
	&dev_attr_pages_unshared.attr,
	&dev_attr_pages_volatile.attr,
	&dev_attr_ksm_zero_pages.attr,
	&dev_attr_pages_scanned.attr,
	&dev_attr_pages_skipped.attr,
	&dev_attr_pages_merged_total.attr,
	&dev_attr_cow_breaks.attr,
	&dev_attr_full_scans.attr,
	&dev_attr_general_profit.attr,
	&dev_attr_metadata_bytes.attr,
	&dev_attr_pages_spare.attr,
	&dev_attr_areas.attr,
	&dev_attr_domains.attr,
	&dev_attr_scan_cpu_ns.attr,
	NULL
};

static const struct attribute_group ksm_attr_group = { .attrs = ksm_attrs };
const struct attribute_group *ksm_attr_groups[] = { &ksm_attr_group, NULL };

/* ---- debugfs ---- */

static void show_area(struct seq_file *m, struct ksm_domain *d,
		      struct ksm_area *area)
{
	seq_printf(m, "%llu %d %u %llu %lu %ld %ld %ld %ld %lld ",
		   area->id, area->pid, area->uid, d->id,
		   READ_ONCE(area->end) - min(READ_ONCE(area->end), area->first),
		   atomic_long_read(&area->counts.private),
		   atomic_long_read(&area->counts.merged),
		   atomic_long_read(&area->counts.zero),
		   atomic_long_read(&area->counts.pending),
		   (long long)atomic64_read(&area->counts.cow_breaks));
	/* As in /proc/PID/status: a name may have any character. */
	seq_escape_str(m, area->comm, ESCAPE_SPACE | ESCAPE_SPECIAL, "\n\\");
	seq_putc(m, '\n');
}

static void show_domain(struct ksm_domain *d, void *arg)
{
	struct ksm_area *area;

	mutex_lock(&d->areas_lock);
	list_for_each_entry(area, &d->areas, in_domain) {
		show_area(arg, d, area);
		cond_resched();
	}
	mutex_unlock(&d->areas_lock);
}

static int area_list_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "id pid uid domain size private merged zero pending cow_breaks comm\n");
	ksm_domain_for_each(show_domain, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(area_list);

static struct dentry *debugfs_dir;

void ksm_debugfs_init(void)
{
	debugfs_dir = debugfs_create_dir("ksmdev", NULL);
	debugfs_create_file("areas", 0400, debugfs_dir, NULL, &area_list_fops);
}

void ksm_debugfs_exit(void)
{
	debugfs_remove(debugfs_dir);
}
