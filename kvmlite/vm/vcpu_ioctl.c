// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU's file.  Most ioctls copy a fixed structure in or out, of the size
 * that their number encodes.
 */
#include <linux/anon_inodes.h>

#include "base/hardware.h"
#include "cpuid/cpuid.h"
#include "emul/walk.h"
#include "vcpu/debug.h"
#include "vcpu/fpu.h"
#include "vcpu/load.h"
#include "vcpu/msr.h"
#include "vcpu/pv.h"
#include "vcpu/regs.h"
#include "vm/run.h"
#include "vm/vcpu_ioctl.h"
#include "vm/vm.h"

/* ---- those with a shape of their own ---- */

/* Some VMMs call it at every exit: mostly all that it tells is at hand. */
static long get_regs(struct kvml_vcpu *vcpu, struct kvm_regs __user *arg)
{
	if (~vcpu->reg_avail & KVML_EXIT_REGS) {
		kvml_vcpu_load(vcpu);
		kvml_regs_fetch(vcpu);
		kvml_vcpu_put(vcpu);
	}
	return kvml_regs_put_user(vcpu, arg);
}

static int set_signal_mask(struct kvml_vcpu *vcpu, struct kvm_signal_mask __user *arg)
{
	struct kvm_signal_mask mask;
	sigset_t set;

	if (!arg) {
		vcpu->sigset_active = false;
		return 0;
	}
	if (copy_from_user(&mask, arg, sizeof(mask)))
		return -EFAULT;
	if (mask.len != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, arg->sigset, sizeof(set)))
		return -EFAULT;
	sigdelsetmask(&set, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigset = set;
	vcpu->sigset_active = true;
	return 0;
}

static long vcpu_ioctl_other(struct kvml_vcpu *vcpu, unsigned int cmd, unsigned long value)
{
	void __user *arg = (void __user *)value;

	switch (cmd) {
	case KVM_GET_MSRS:
		return kvml_msrs_get(vcpu, arg);
	case KVM_SET_MSRS:
		return kvml_msrs_set(vcpu, arg);
	case KVM_SET_CPUID:
	case KVM_SET_CPUID2:
		return kvml_cpuid_set(vcpu, arg, cmd == KVM_SET_CPUID);
	case KVM_GET_CPUID2:
		return kvml_cpuid_get(vcpu, arg);
	case KVM_GET_XSAVE:
	case KVM_GET_XSAVE2:
		return kvml_fpu_get_xsave(vcpu, arg);
	case KVM_SET_XSAVE:
		return kvml_fpu_set_xsave(vcpu, arg);
	case KVM_NMI:
		return kvml_event_nmi(vcpu);
	case KVM_GET_TSC_KHZ:
		return vcpu->tsc_khz;
	case KVM_SET_TSC_KHZ:
		return kvml_tsc_set_khz(&vcpu->tsc_khz, value);
	case KVM_KVMCLOCK_CTRL:
		return kvml_pv_clock_ctrl(vcpu);
	}
	return -EINVAL;
}

/* ---- structures that are copied in, out, or both ---- */

union vcpu_arg {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_sregs2 sregs2;
	struct kvm_fpu fpu;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	struct kvm_translation translation;
	struct kvm_guest_debug debug;
	struct kvm_interrupt irq;
	struct kvm_enable_cap cap;
	u64 value;
};

static void translate(struct kvml_vcpu *vcpu, struct kvm_translation *tr)
{
	int idx = srcu_read_lock(&vcpu->vm->srcu);
	u64 gpa;
	u32 error;

	tr->valid = !kvml_walk(vcpu, tr->linear_address, KVML_WALK_PROBE, &gpa, &error);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	tr->physical_address = tr->valid ? gpa : ~0ull;
	tr->writeable = 1;
	tr->usermode = 0;
}

static long vcpu_ioctl_loaded(struct kvml_vcpu *vcpu, unsigned int cmd, unsigned long value)
{
	void __user *arg = (void __user *)value;
	union vcpu_arg data;

	switch (cmd) {
	case KVM_SET_REGS:
		if (kvml_copy_in(&data, cmd, arg))
			return -EFAULT;
		kvml_regs_set(vcpu, &data.regs);
		return 0;
	case KVM_SET_SREGS:
		return kvml_copy_in(&data, cmd, arg) ?: kvml_sregs_set(vcpu, &data.sregs);
	case KVM_SET_SREGS2:
		return kvml_copy_in(&data, cmd, arg) ?: kvml_sregs2_set(vcpu, &data.sregs2);
	case KVM_SET_FPU:
		if (kvml_copy_in(&data, cmd, arg))
			return -EFAULT;
		kvml_fpu_set(vcpu, &data.fpu);
		return 0;
	case KVM_SET_XCRS:
		return kvml_copy_in(&data, cmd, arg) ?: kvml_fpu_set_xcrs(vcpu, &data.xcrs);
	case KVM_SET_DEBUGREGS:
		return kvml_copy_in(&data, cmd, arg) ?: kvml_debugregs_set(vcpu, &data.debugregs);
	case KVM_SET_VCPU_EVENTS:
		return kvml_copy_in(&data, cmd, arg) ?: kvml_event_set(vcpu, &data.events);
	case KVM_SET_MP_STATE:
		return kvml_copy_in(&data, cmd, arg) ?:
		       data.mp_state.mp_state == KVM_MP_STATE_RUNNABLE ? 0 : -EINVAL;
	case KVM_INTERRUPT:
		return kvml_copy_in(&data, cmd, arg) ?: kvml_event_interrupt(vcpu, data.irq.irq);
	case KVM_SET_GUEST_DEBUG:
		return kvml_copy_in(&data, cmd, arg) ?: kvml_debug_set(vcpu, &data.debug);
	case KVM_X86_SETUP_MCE:
		return kvml_copy_in(&data, cmd, arg) ?: kvml_msr_setup_mce(vcpu, data.value);
	case KVM_ENABLE_CAP:
		/* There is none to enable. */
		return kvml_copy_in(&data, cmd, arg) ?: -EINVAL;
	case KVM_TRANSLATE:
		if (kvml_copy_in(&data, cmd, arg))
			return -EFAULT;
		translate(vcpu, &data.translation);
		break;
	case KVM_GET_SREGS:
		kvml_sregs_get(vcpu, &data.sregs);
		break;
	case KVM_GET_SREGS2:
		kvml_sregs2_get(vcpu, &data.sregs2);
		break;
	case KVM_GET_FPU:
		kvml_fpu_get(vcpu, &data.fpu);
		break;
	case KVM_GET_XCRS:
		kvml_fpu_get_xcrs(vcpu, &data.xcrs);
		break;
	case KVM_GET_DEBUGREGS:
		kvml_debugregs_get(vcpu, &data.debugregs);
		break;
	case KVM_GET_VCPU_EVENTS:
		kvml_event_get(vcpu, &data.events);
		break;
	case KVM_GET_MP_STATE:
		/* The VMM has the APIC: it alone knows of INIT and SIPI. */
		data.mp_state.mp_state = KVM_MP_STATE_RUNNABLE;
		break;
	default:
		return vcpu_ioctl_other(vcpu, cmd, value);
	}
	return copy_to_user(arg, &data, _IOC_SIZE(cmd)) ? -EFAULT : 0;
}

/* ---- all of them ---- */

static long vcpu_ioctl_locked(struct kvml_vcpu *vcpu, unsigned int cmd, unsigned long value)
{
	void __user *arg = (void __user *)value;
	long ret;

	switch (cmd) {
	case KVM_RUN:
		return value ? -EINVAL : kvml_vcpu_run(vcpu);
	case KVM_GET_REGS:
		return get_regs(vcpu, arg);
	}
	vcpu->run_told = false;
	if (cmd == KVM_SET_SIGNAL_MASK)
		return set_signal_mask(vcpu, arg);
	kvml_vcpu_load(vcpu);
	ret = vcpu_ioctl_loaded(vcpu, cmd, value);
	kvml_vcpu_put(vcpu);
	return ret;
}

/* -EIO: another process than the VM's, or the CPUs are switched off for good. */
static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long value)
{
	struct kvml_vcpu *vcpu = file->private_data;
	long ret;

	if (vcpu->vm->mm != current->mm || kvml_hardware_lost())
		return -EIO;
	if (_IOC_TYPE(cmd) != KVMIO)
		return -EINVAL;
	if (cmd == KVM_GET_STATS_FD)
		return kvml_stats_fd(&vcpu->stats, "kvm-vcpu-stats");
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	ret = vcpu_ioctl_locked(vcpu, cmd, value);
	mutex_unlock(&vcpu->mutex);
	/* Meanwhile, and nothing that was read of the VMCS is true. */
	return kvml_hardware_lost() ? -EIO : ret;
}

/* ---- mmap, release ---- */

static vm_fault_t vcpu_fault(struct vm_fault *vmf)
{
	struct kvml_vcpu *vcpu = vmf->vma->vm_file->private_data;

	if (vmf->pgoff >= KVML_VCPU_MMAP_PAGES)
		return VM_FAULT_SIGBUS;
	vmf->page = virt_to_page(vcpu->run) + vmf->pgoff;
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct kvml_vcpu *vcpu = file->private_data;

	kvml_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
	.llseek = noop_llseek,
};

/* It holds the VM, and with that the vCPU. */
struct file *kvml_vcpu_file(struct kvml_vcpu *vcpu)
{
	struct file *file;
	char name[24];

	BUILD_BUG_ON(sizeof(union vcpu_arg) > 512);
	snprintf(name, sizeof(name), "kvm-vcpu:%u", vcpu->id);
	file = anon_inode_getfile(name, &vcpu_fops, vcpu, O_RDWR);
	if (!IS_ERR(file))
		refcount_inc(&vcpu->vm->users);
	return file;
}
