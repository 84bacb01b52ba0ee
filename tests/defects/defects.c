// SPDX-License-Identifier: GPL-2.0
/*
 * One mistake for each detector of the kernel debug: a name written to
 * /dev/defects makes it. tests/lab/selftest-debug wants each to be reported.
 */
#include <linux/debug_locks.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/mman.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

/* Zero, which the compiler does not know, and where results go. */
static int zero;
static long result;

static int nothing(void)
{
	return READ_ONCE(zero);
}

/* ---- KASAN ---- */

static int use_after_free(struct file *file)
{
	char *byte = kmalloc(32, GFP_KERNEL);

	if (!byte)
		return -ENOMEM;
	kfree(byte);
	OPTIMIZER_HIDE_VAR(byte);
	WRITE_ONCE(result, READ_ONCE(*byte));
	return 0;
}

static int out_of_bounds(struct file *file)
{
	char *byte = kmalloc(32, GFP_KERNEL);

	if (!byte)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(byte);
	WRITE_ONCE(byte[32], 1);
	kfree(byte);
	return 0;
}

static int stack_out_of_bounds(struct file *file)
{
	char bytes[32] = { 0 };
	char *byte = bytes;

	OPTIMIZER_HIDE_VAR(byte);
	WRITE_ONCE(byte[32], 1);
	return 0;
}

static int vmalloc_out_of_bounds(struct file *file)
{
	char *byte = vmalloc(PAGE_SIZE - 64);

	if (!byte)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(byte);
	WRITE_ONCE(byte[PAGE_SIZE - 64], 1);
	vfree(byte);
	return 0;
}

/* ---- UBSAN ---- */

static int shift(struct file *file)
{
	WRITE_ONCE(result, 1 << (nothing() + 32));
	return 0;
}

static int bounds(struct file *file)
{
	static int table[4];

	table[nothing() + 4] = 1;
	return 0;
}

static int load(struct file *file)
{
	union {
		u8 byte;
		bool truth;
	} value = { .byte = nothing() + 2 };

	WRITE_ONCE(result, value.truth);
	return 0;
}

/* ---- locks ---- */

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(spin);

static int lock_order(struct file *file)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

/* Nothing is reported any more, and that is what has to be. */
static int lockdep_stopped(struct file *file)
{
	debug_locks_off();
	return 0;
}

static int sleep_in_atomic(struct file *file)
{
	spin_lock(&spin);
	mutex_lock(&first);
	mutex_unlock(&first);
	spin_unlock(&spin);
	return 0;
}

static int schedule_in_atomic(struct file *file)
{
	preempt_disable();
	schedule_timeout_uninterruptible(1);
	preempt_enable();
	return 0;
}

static int rcu_without_lock(struct file *file)
{
	static int __rcu *pointer;

	return rcu_dereference(pointer) ? -EINVAL : 0;
}

/* ---- data structures ---- */

static int refcount(struct file *file)
{
	refcount_t count = REFCOUNT_INIT(0);

	return refcount_dec_and_test(&count) ? -EINVAL : 0;
}

static int list_twice(struct file *file)
{
	LIST_HEAD(list);
	LIST_HEAD(entry);

	list_add(&entry, &list);
	list_add(&entry, &list);
	return 0;
}

struct watch {
	struct timer_list timer;
};

static void watch_rings(struct timer_list *timer)
{
}

static int timer_freed(struct file *file)
{
	struct watch *watch = kzalloc(sizeof(*watch), GFP_KERNEL);

	if (!watch)
		return -ENOMEM;
	timer_setup(&watch->timer, watch_rings, 0);
	mod_timer(&watch->timer, jiffies + HZ);
	kfree(watch);
	return 0;
}

/* ---- pages ---- */

static int page_freed_twice(struct file *file)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (!page)
		return -ENOMEM;
	__free_page(page);
	put_page(page);
	return 0;
}

static int virt_address(struct file *file)
{
	void *memory = vmalloc(PAGE_SIZE);

	if (!memory)
		return -ENOMEM;
	WRITE_ONCE(result, virt_to_phys(memory));
	vfree(memory);
	return 0;
}

/* What defects_mmap() maps: a page of this module. */
static struct page *mapped;

static int defects_mmap(struct file *file, struct vm_area_struct *vma)
{
	return mapped ? vm_insert_page(vma, vma->vm_start, mapped) : -EINVAL;
}

/* While it is mapped, it becomes anonymous memory: not what its mapping counts as. */
static int page_table(struct file *file)
{
	unsigned long address;

	mapped = alloc_page(GFP_KERNEL);
	if (!mapped)
		return -ENOMEM;
	address = vm_mmap(file, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED, 0);
	if (IS_ERR_VALUE(address)) {
		__free_page(mapped);
		return address;
	}
	mapped->mapping = (void *)PAGE_MAPPING_ANON;
	return vm_munmap(address, PAGE_SIZE);
}

/* Several: the last pointer may be left on a stack. */
static int leak(struct file *file)
{
	void *memory;
	int i;

	for (i = 0; i < 10; i++) {
		memory = kmalloc(100, GFP_KERNEL);
		if (!memory)
			return -ENOMEM;
		OPTIMIZER_HIDE_VAR(memory);
	}
	return 0;
}

/* ---- the device ---- */

static const struct defect {
	const char *name;
	int (*make)(struct file *file);
} defects[] = {
	{ "use-after-free", use_after_free },
	{ "out-of-bounds", out_of_bounds },
	{ "stack-out-of-bounds", stack_out_of_bounds },
	{ "vmalloc-out-of-bounds", vmalloc_out_of_bounds },
	{ "shift", shift },
	{ "bounds", bounds },
	{ "load", load },
	{ "lock-order", lock_order },
	{ "lockdep-stopped", lockdep_stopped },
	{ "sleep-in-atomic", sleep_in_atomic },
	{ "schedule-in-atomic", schedule_in_atomic },
	{ "rcu-without-lock", rcu_without_lock },
	{ "refcount", refcount },
	{ "list-twice", list_twice },
	{ "timer-freed", timer_freed },
	{ "page-freed-twice", page_freed_twice },
	{ "virt-address", virt_address },
	{ "page-table", page_table },
	{ "leak", leak },
};

static ssize_t defects_write(struct file *file, const char __user *buffer,
			     size_t size, loff_t *pos)
{
	char name[32];
	int i, err;

	if (size >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buffer, size))
		return -EFAULT;
	name[size] = 0;

	for (i = 0; i < ARRAY_SIZE(defects); i++) {
		if (!sysfs_streq(name, defects[i].name))
			continue;
		err = defects[i].make(file);
		return err ?: size;
	}
	return -EINVAL;
}

static const struct file_operations defects_fops = {
	.owner = THIS_MODULE,
	.write = defects_write,
	.mmap = defects_mmap,
};

static struct miscdevice defects_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "defects",
	.mode = 0600,
	.fops = &defects_fops,
};
module_misc_device(defects_device);

MODULE_DESCRIPTION("One mistake for each detector");
MODULE_LICENSE("GPL");
