// SPDX-License-Identifier: GPL-2.0
/* /dev/kvmlite: system ioctls (api.rst, "system ioctls") and the module. */
#include <linux/debugfs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "base/hardware.h"
#include "cpuid/cpuid.h"
#include "mmu/notifier.h"
#include "vcpu/fpu.h"
#include "vcpu/msr.h"
#include "vm/cap.h"
#include "vm/vm.h"

/*
 * The descriptor keeps the notifier of the process that made the last VM by it,
 * so that the next one registers no other, though this one may be gone.
 */
static int create_vm(struct file *file, unsigned long type)
{
	int fd = kvml_vm_create(type);
	struct kvml_notifier *notifier;

	if (fd < 0)
		return fd;
	notifier = kvml_notifier_get();
	if (!IS_ERR(notifier))
		kvml_notifier_put(xchg(&file->private_data, notifier));
	return fd;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long value)
{
	void __user *arg = (void __user *)value;

	switch (cmd) {
	case KVM_GET_API_VERSION:
		return value ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return create_vm(file, value);
	case KVM_CHECK_EXTENSION:
		return kvml_check_extension(value);
	case KVM_GET_VCPU_MMAP_SIZE:
		return value ? -EINVAL : KVML_VCPU_MMAP_PAGES * PAGE_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
		return kvml_cpuid_supported(arg);
	case KVM_GET_MSR_INDEX_LIST:
		return kvml_msr_get_list(arg, false);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return kvml_msr_get_list(arg, true);
	case KVM_GET_MSRS:
		return kvml_msrs_get(NULL, arg);
	case KVM_X86_GET_MCE_CAP_SUPPORTED:
		return put_user(kvml_msr_mce_cap(), (u64 __user *)arg);
	}
	/* As KVM: -ENOTTY is a VM's answer. */
	return -EINVAL;
}

static int device_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;	/* which was the misc device */
	return 0;
}

static int device_release(struct inode *inode, struct file *file)
{
	kvml_notifier_put(file->private_data);
	return 0;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kvmlite",
	.fops = &device_fops,
	.mode = 0660,
};

const struct kvml_ops *kvml_ops __ro_after_init;

struct vendor {
	int (*probe)(void);
	const struct kvml_ops *ops;
};

static const struct vendor vendors[] __initconst = {
	{ kvml_vmx_probe, &kvml_vmx_ops },
	{ kvml_svm_probe, &kvml_svm_ops },
};

/* The first that the CPU has; an error of that one is the answer. */
static int __init choose_vendor(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(vendors); i++) {
		err = vendors[i].probe();
		if (err == -ENODEV)
			continue;
		kvml_ops = vendors[i].ops;
		return err;
	}
	pr_err("kvmlite: this CPU has neither VT-x nor AMD-V (or a hypervisor hides it)\n");
	return -ENODEV;
}

static int __init kvmlite_init(void)
{
	int err = choose_vendor();

	if (err)
		return err;
	kvml_xstate_init();
	kvml_fpu_init();
	kvml_cpuid_init();
	if (kvml_ops->forbid_cpuid)
		kvml_ops->forbid_cpuid();
	kvml_stats_init();
	if (kvml_ops->debugfs)
		kvml_ops->debugfs();
	err = kvml_hardware_init();
	if (err)
		goto err_vendor;
	/* Once: it patches the scheduler's text. */
	preempt_notifier_inc();
	err = misc_register(&device);
	if (err)
		goto err_notifier;
	return 0;

err_notifier:
	preempt_notifier_dec();
	kvml_hardware_exit();
err_vendor:
	debugfs_remove_recursive(kvml_debugfs);
	kvml_ops->unload();
	return err;
}

static void __exit kvmlite_exit(void)
{
	misc_deregister(&device);
	preempt_notifier_dec();
	kvml_hardware_exit();
	debugfs_remove_recursive(kvml_debugfs);
	kvml_ops->unload();
}

module_init(kvmlite_init);
module_exit(kvmlite_exit);

MODULE_DESCRIPTION("A small hypervisor that speaks the KVM API");
MODULE_VERSION(KVMLITE_VERSION);
MODULE_LICENSE("GPL");
