// SPDX-License-Identifier: GPL-2.0
/* A VM's life and its ioctls (api.rst, "vm ioctls"). See vm.h. */
#include <linux/anon_inodes.h>
#include <linux/compat.h>

#include "base/hardware.h"
#include "base/quirk.h"
#include "io/io.h"
#include "mmu/notifier.h"
#include "vcpu/pv.h"
#include "vm/cap.h"
#include "vm/vcpu.h"
#include "vm/vcpu_ioctl.h"
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
	free_page((unsigned long)vm->vendor);
	kvml_hardware_put();
	cleanup_srcu_struct(&vm->srcu);
	kvml_notifier_put(vm->notifier);
	kfree(vm);
}

void kvml_vm_put(struct kvml_vm *vm)
{
	if (refcount_dec_and_test(&vm->users))
		vm_free(vm);
}

static struct kvml_vm *vm_alloc(void)
{
	struct kvml_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int err;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	refcount_set(&vm->users, 1);
	mutex_init(&vm->lock);
	xa_init_flags(&vm->vcpus, XA_FLAGS_ACCOUNT);
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
	free_page((unsigned long)vm->vendor);
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

static int enable_cap(struct kvml_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 value = cap->args[0], allowed = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	if (cap->flags)
		return -EINVAL;
	guard(mutex)(&vm->lock);
	switch (cap->cap) {
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		if (value & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
			allowed |= KVM_DIRTY_LOG_INITIALLY_SET;
		if (value & ~allowed)
			return -EINVAL;
		vm->manual_dirty = value;
		return 0;
	case KVM_CAP_DISABLE_QUIRKS:
		/* As in KVM: it says nothing of those that it does not know. */
		value &= KVML_QUIRKS;
		fallthrough;
	case KVM_CAP_DISABLE_QUIRKS2:
		if (value & ~(u64)KVML_QUIRKS)
			return -EINVAL;
		WRITE_ONCE(vm->disabled_quirks, vm->disabled_quirks | value);
		return 0;
	}
	return -EINVAL;
}

static int create_vcpu(struct kvml_vm *vm, unsigned long id)
{
	if (id > U32_MAX)
		return -EINVAL;
	guard(mutex)(&vm->lock);
	return kvml_vcpu_create(vm, id);
}

/*
 * A pointer in a structure that a 32-bit VMM filled in: it has set the lower half.
 * No other structure here has one, or differs between 32 and 64 bits.
 */
static void __user *user_pointer(void __user *p)
{
	return in_compat_syscall() ? compat_ptr(ptr_to_compat(p)) : p;
}

/* Of the size that the number encodes. */
union vm_arg {
	struct kvm_userspace_memory_region region;
	struct kvm_dirty_log dirty;
	struct kvm_clear_dirty_log clear;
	struct kvm_ioeventfd ioeventfd;
	struct kvm_enable_cap cap;
	struct kvm_clock_data clock;
	struct kvm_msi msi;
	u64 addr;
};

/* -EIO: another process than the VM's, or the CPUs are switched off for good. */
static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long value)
{
	struct kvml_vm *vm = file->private_data;
	void __user *arg = (void __user *)value;
	union vm_arg in;

	if (vm->mm != current->mm || kvml_hardware_lost())
		return -EIO;
	switch (cmd) {
	case KVM_CHECK_EXTENSION:
		return kvml_check_extension(value);
	case KVM_CREATE_VCPU:
		return create_vcpu(vm, value);
	case KVM_SET_USER_MEMORY_REGION:
		return kvml_copy_in(&in, cmd, arg) ?: kvml_slot_set(vm, &in.region);
	case KVM_GET_DIRTY_LOG:
		if (kvml_copy_in(&in, cmd, arg))
			return -EFAULT;
		in.dirty.dirty_bitmap = user_pointer(in.dirty.dirty_bitmap);
		return kvml_slot_get_dirty(vm, &in.dirty);
	case KVM_CLEAR_DIRTY_LOG:
		if (kvml_copy_in(&in, cmd, arg))
			return -EFAULT;
		in.clear.dirty_bitmap = user_pointer(in.clear.dirty_bitmap);
		return kvml_slot_clear_dirty(vm, &in.clear);
	case KVM_IOEVENTFD:
		return kvml_copy_in(&in, cmd, arg) ?: kvml_ioeventfd(vm, &in.ioeventfd);
	case KVM_ENABLE_CAP:
		return kvml_copy_in(&in, cmd, arg) ?: enable_cap(vm, &in.cap);
	case KVM_SET_IDENTITY_MAP_ADDR:
		return kvml_copy_in(&in, cmd, arg) ?: READ_ONCE(vm->nr_vcpus) ? -EINVAL : 0;
	case KVM_SIGNAL_MSI:
		/* No interrupt controller would take the message. */
		return kvml_copy_in(&in, cmd, arg) ?: -EINVAL;
	case KVM_SET_TSS_ADDR:
		/* For CPUs that cannot run real mode: checked, not needed. */
		return value > U32_MAX - 3 * PAGE_SIZE ? -EINVAL : 0;
	case KVM_SET_GSI_ROUTING:
		/* There is no interrupt controller that they could lead to. */
		return -EINVAL;
	case KVM_GET_CLOCK:
		return kvml_pv_get_clock(vm, arg);
	case KVM_SET_CLOCK:
		return kvml_copy_in(&in, cmd, arg) ?: kvml_pv_set_clock(vm, &in.clock);
	case KVM_GET_TSC_KHZ:
		return READ_ONCE(vm->tsc_khz);
	case KVM_SET_TSC_KHZ:
		return kvml_tsc_set_khz(&vm->tsc_khz, value);
	case KVM_GET_STATS_FD:
		return kvml_stats_fd(&vm->stats, "kvm-vm-stats");
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
