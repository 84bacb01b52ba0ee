/* SPDX-License-Identifier: GPL-2.0 */
/* The vCPU's file: ioctls (api.rst, "vcpu ioctls") and mmap. */
#ifndef _KVMLITE_VCPU_IOCTL_H
#define _KVMLITE_VCPU_IOCTL_H

#include <linux/uaccess.h>

struct kvml_vcpu;

/* What an ioctl of a vCPU or a VM brings, of the size that its number encodes. */
static inline int kvml_copy_in(void *to, unsigned int cmd, const void __user *arg)
{
	return copy_from_user(to, arg, _IOC_SIZE(cmd)) ? -EFAULT : 0;
}

/* A new file, which holds the VM; or ERR_PTR(). */
struct file *kvml_vcpu_file(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_VCPU_IOCTL_H */
