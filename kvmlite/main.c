// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/kvmlite: system ioctls (api.rst, "system ioctls") and the module.
 */
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/uaccess.h>

#include "base/hardware.h"
#include "base/ops.h"
#include "cpuid/cpuid.h"
#include "main.h"
#include "vcpu/fpu.h"
#include "vcpu/msr.h"
#include "vcpu/pv.h"
#include "vcpu/regs.h"
#include "vcpu/vcpu.h"
#include "vm/stats.h"
#include "vm/vm.h"

const struct kvml_ops *kvml_ops __ro_after_init;

/* Capabilities with a value that never changes. */
static const struct {
	unsigned int cap;
	int value;
} capabilities[] = {
	{ KVM_CAP_HLT, 1 },
	{ KVM_CAP_USER_MEMORY, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_READONLY_MEM, 1 },
	{ KVM_CAP_SYNC_MMU, 1 },
	{ KVM_CAP_NR_MEMSLOTS, KVML_MAX_SLOTS },
	{ KVM_CAP_NR_VCPUS, KVML_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPUS, KVML_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID, KVML_MAX_VCPUS },
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },
	{ KVM_CAP_EXT_CPUID, 1 },
	{ KVM_CAP_MP_STATE, 1 },
	/* Routes can be set once there is an interrupt controller. */
	{ KVM_CAP_IRQ_ROUTING, 4096 },
	/* Required by QEMU since 8.2, and as above. */
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_MCE, 32 },
	{ KVM_CAP_NOP_IO_DELAY, 1 },
	{ KVM_CAP_CLOCKSOURCE, 1 },
	{ KVM_CAP_ADJUST_CLOCK, KVML_CLOCK_FLAGS },
	{ KVM_CAP_KVMCLOCK_CTRL, 1 },
	{ KVM_CAP_GET_TSC_KHZ, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_USER_NMI, 1 },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_DEBUGREGS, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG2, KVML_GUESTDBG },
	{ KVM_CAP_X86_ROBUST_SINGLESTEP, 1 },
	{ KVM_CAP_XSAVE, 1 },
	{ KVM_CAP_SREGS2, 1 },
	{ KVM_CAP_SYNC_REGS, KVML_SYNC_REGS },
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
	{ KVM_CAP_IOEVENTFD, 1 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
	{ KVM_CAP_GET_MSR_FEATURES, 1 },
	{ KVM_CAP_ENABLE_CAP_VM, 1 },
	{ KVM_CAP_DISABLE_QUIRKS, 1 },
	{ KVM_CAP_DISABLE_QUIRKS2, KVML_QUIRKS },
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
					     KVM_DIRTY_LOG_INITIALLY_SET },
	{ KVM_CAP_BINARY_STATS_FD, 1 },
};

int kvml_check_extension(unsigned long cap)
{
	unsigned int i;

	if (cap == KVM_CAP_XCRS)
		return boot_cpu_has(X86_FEATURE_XSAVE);
	if (cap == KVM_CAP_XSAVE2)
		return kvml_fpu_xsave_size();
	for (i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (capabilities[i].cap == cap)
			return capabilities[i].value;
	return 0;
}

static long get_mce_cap(u64 __user *arg)
{
	return put_user(kvml_msr_mce_cap(), arg) ? -EFAULT : 0;
}

static long device_ioctl(struct file *file, unsigned int cmd,
			 unsigned long value)
{
	void __user *arg = (void __user *)value;

	switch (cmd) {
	case KVM_GET_API_VERSION:
		return value ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return kvml_vm_create(value);
	case KVM_CHECK_EXTENSION:
		return kvml_check_extension(value);
	case KVM_GET_VCPU_MMAP_SIZE:
		return value ? -EINVAL : KVML_VCPU_MMAP_PAGES * PAGE_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
		return kvml_cpuid_supported(arg);
	case KVM_GET_MSR_INDEX_LIST:
		return kvml_msr_get_list(arg);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return kvml_msr_get_feature_list(arg);
	case KVM_GET_MSRS:
		return kvml_msr_get_features(arg);
	case KVM_X86_GET_MCE_CAP_SUPPORTED:
		return get_mce_cap(arg);
	}
	/* As KVM: -ENOTTY is a VM's answer. */
	return -EINVAL;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
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
	kvml_fpu_init();
	kvml_cpuid_init();
	kvml_ops->forbid_cpuid();
	kvml_stats_init();
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
	kvml_stats_exit();
	kvml_ops->unload();
	return err;
}

static void __exit kvmlite_exit(void)
{
	misc_deregister(&device);
	preempt_notifier_dec();
	kvml_hardware_exit();
	kvml_stats_exit();
	kvml_ops->unload();
}

module_init(kvmlite_init);
module_exit(kvmlite_exit);

MODULE_DESCRIPTION("A small hypervisor that speaks the KVM API");
MODULE_VERSION(KVMLITE_VERSION);
MODULE_LICENSE("GPL");
