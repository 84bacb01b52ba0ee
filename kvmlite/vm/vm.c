// SPDX-License-Identifier: GPL-2.0
/* A VM's life and its ioctls (api.rst, "vm ioctls"). See vm.h. */
#include <linux/anon_inodes.h>
#include <linux/compat.h>

#include "base/hardware.h"
#include "base/quirk.h"
#include "io/io.h"
#include "mmu/notifier.h"
#include "vcpu/pv.h"
#include "vcpu/vcpu.h"
#include "vm/cap.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

/* ---- life ---- */

static void vcpus_free(struct kvml_vm *vm)
{
	struct kvml_vcpu *vcpu;
	unsigned long id;

	xa_for_each(&vm->vcpus, id, vcpu)
		kvml_vcpu_free(vcpu);
	xa_destroy(&vm->vcpus);
}

/*
 * What can send a request to a vCPU ends before vCPUs are freed: see "The end
 * of a VM" in locking.rst.
 */
static void vm_free(struct kvml_vm *vm)
{
	kvml_stats_vm_remove(vm);
	kvml_slots_unhook(vm);
	kvml_bus_free(vm);
	vcpus_free(vm);
	kvml_mmu_free(vm);
	kvml_slots_free(vm);
	kvml_ops->vm_free(vm);
	kvml_hardware_put();
	cleanup_srcu_struct(&vm->srcu);
	kvml_notifier_put(vm->notifier);
	kfree(vm);
}

void kvml_vm_get(struct kvml_vm *vm)
{
	refcount_inc(&vm->users);
}

void kvml_vm_put(struct kvml_vm *vm)
{
	if (refcount_dec_and_test(&vm->users))
		vm_free(vm);
}

static struct kvml_vm *vm_alloc(void)
{
	struct kvml_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	refcount_set(&vm->users, 1);
	mutex_init(&vm->lock);
	xa_init(&vm->vcpus);
	kvml_tsc_vm_init(vm);
	err = init_srcu_struct(&vm->srcu);
	if (err)
		goto err_free;
	err = kvml_hardware_get();
	if (err)
		goto err_srcu;
	vm->notifier = kvml_notifier_get();
	if (IS_ERR(vm->notifier)) {
		err = PTR_ERR(vm->notifier);
		goto err_hardware;
	}
	vm->mm = current->mm;
	err = kvml_ops->vm_init(vm);
	if (err)
		goto err_notifier;
	err = kvml_mmu_init(vm);
	if (err)
		goto err_vendor;
	kvml_slots_init(vm);
	kvml_pv_vm_init(vm);
	return vm;

err_vendor:
	kvml_ops->vm_free(vm);
err_notifier:
	kvml_notifier_put(vm->notifier);
err_hardware:
	kvml_hardware_put();
err_srcu:
	cleanup_srcu_struct(&vm->srcu);
err_free:
	kfree(vm);
	return ERR_PTR(err);
}

/* ---- ioctls ---- */

static int set_manual_dirty(struct kvml_vm *vm, u64 flags)
{
	u64 allowed = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	if (flags & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
		allowed |= KVM_DIRTY_LOG_INITIALLY_SET;
	if (flags & ~allowed)
		return -EINVAL;
	mutex_lock(&vm->lock);
	vm->manual_dirty = flags;
	mutex_unlock(&vm->lock);
	return 0;
}

static int disable_quirks(struct kvml_vm *vm, u64 quirks)
{
	mutex_lock(&vm->lock);
	WRITE_ONCE(vm->disabled_quirks, vm->disabled_quirks | quirks);
	mutex_unlock(&vm->lock);
	return 0;
}

static int enable_cap(struct kvml_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 value = cap->args[0];

	if (cap->flags)
		return -EINVAL;
	switch (cap->cap) {
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return set_manual_dirty(vm, value);
	case KVM_CAP_DISABLE_QUIRKS:
		/* As in KVM: it says nothing of those that it does not know. */
		return disable_quirks(vm, value & KVML_QUIRKS);
	case KVM_CAP_DISABLE_QUIRKS2:
		return value & ~(u64)KVML_QUIRKS ? -EINVAL :
						   disable_quirks(vm, value);
	}
	return -EINVAL;
}

static int create_vcpu(struct kvml_vm *vm, unsigned long id)
{
	int ret;

	if (id > U32_MAX)
		return -EINVAL;
	mutex_lock(&vm->lock);
	ret = kvml_vcpu_create(vm, id);
	mutex_unlock(&vm->lock);
	return ret;
}

static int set_region(struct kvml_vm *vm, void __user *arg)
{
	struct kvm_userspace_memory_region region;

	if (copy_from_user(&region, arg, sizeof(region)))
		return -EFAULT;
	return kvml_slot_set(vm, &region);
}

/*
 * A pointer in a structure that a 32-bit VMM filled in: it has set the lower half.
 * No other structure here has one, or differs between 32 and 64 bits.
 */
static void __user *user_pointer(void __user *p)
{
	return in_compat_syscall() ? compat_ptr(ptr_to_compat(p)) : p;
}

static int get_dirty(struct kvml_vm *vm, void __user *arg)
{
	struct kvm_dirty_log log;

	if (copy_from_user(&log, arg, sizeof(log)))
		return -EFAULT;
	log.dirty_bitmap = user_pointer(log.dirty_bitmap);
	return kvml_slot_get_dirty(vm, &log);
}

static int clear_dirty(struct kvml_vm *vm, void __user *arg)
{
	struct kvm_clear_dirty_log log;

	if (copy_from_user(&log, arg, sizeof(log)))
		return -EFAULT;
	log.dirty_bitmap = user_pointer(log.dirty_bitmap);
	return kvml_slot_clear_dirty(vm, &log);
}

static int ioeventfd(struct kvml_vm *vm, void __user *arg)
{
	struct kvm_ioeventfd args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	return kvml_ioeventfd(vm, &args);
}

/* There is no interrupt controller that would take the message. */
static int signal_msi(void __user *arg)
{
	struct kvm_msi msi;

	return copy_from_user(&msi, arg, sizeof(msi)) ? -EFAULT : -EINVAL;
}

/*
 * Where KVM may keep pages of its own in the guest's memory, for CPUs that
 * cannot run real mode.  Ours can: checked, and not needed.
 */
static int set_tss_addr(unsigned long addr)
{
	return addr > U32_MAX - 3 * PAGE_SIZE ? -EINVAL : 0;
}

static int set_identity_map_addr(struct kvml_vm *vm, void __user *arg)
{
	u64 addr;

	if (copy_from_user(&addr, arg, sizeof(addr)))
		return -EFAULT;
	return READ_ONCE(vm->nr_vcpus) ? -EINVAL : 0;
}

static int vm_enable_cap(struct kvml_vm *vm, void __user *arg)
{
	struct kvm_enable_cap cap;

	if (copy_from_user(&cap, arg, sizeof(cap)))
		return -EFAULT;
	return enable_cap(vm, &cap);
}

/* -EIO: another process than the VM's, or the CPUs are switched off for good. */
static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long value)
{
	struct kvml_vm *vm = file->private_data;
	void __user *arg = (void __user *)value;

	if (vm->mm != current->mm || kvml_hardware_lost())
		return -EIO;
	switch (cmd) {
	case KVM_CHECK_EXTENSION:
		return kvml_check_extension(value);
	case KVM_CREATE_VCPU:
		return create_vcpu(vm, value);
	case KVM_SET_USER_MEMORY_REGION:
		return set_region(vm, arg);
	case KVM_GET_DIRTY_LOG:
		return get_dirty(vm, arg);
	case KVM_CLEAR_DIRTY_LOG:
		return clear_dirty(vm, arg);
	case KVM_SET_TSS_ADDR:
		return set_tss_addr(value);
	case KVM_SET_IDENTITY_MAP_ADDR:
		return set_identity_map_addr(vm, arg);
	case KVM_SET_GSI_ROUTING:
		/* There is no interrupt controller that they could lead to. */
		return -EINVAL;
	case KVM_SIGNAL_MSI:
		return signal_msi(arg);
	case KVM_IOEVENTFD:
		return ioeventfd(vm, arg);
	case KVM_ENABLE_CAP:
		return vm_enable_cap(vm, arg);
	case KVM_GET_CLOCK:
		return kvml_pv_get_clock(vm, arg);
	case KVM_SET_CLOCK:
		return kvml_pv_set_clock(vm, arg);
	case KVM_GET_TSC_KHZ:
		return READ_ONCE(vm->tsc_khz);
	case KVM_SET_TSC_KHZ:
		return kvml_tsc_set_khz(&vm->tsc_khz, value);
	case KVM_GET_STATS_FD:
		return kvml_stats_vm_fd(vm);
	}
	return -ENOTTY;
}

static int vm_release(struct inode *inode, struct file *file)
{
	kvml_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = vm_release,
	.llseek = noop_llseek,
};

/* KVM_CREATE_VM.  -EINVAL: @type is not 0; -EBUSY: KVM has the CPU. */
int kvml_vm_create(unsigned long type)
{
	struct kvml_vm *vm;
	int fd;

	if (type)
		return -EINVAL;
	vm = vm_alloc();
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	/* Before anybody can close it. */
	kvml_stats_vm_add(vm);
	fd = anon_inode_getfd("kvm-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		kvml_vm_put(vm);
	return fd;
}
