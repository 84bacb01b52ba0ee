/* SPDX-License-Identifier: GPL-2.0 */
/* The vCPU's file: ioctls (api.rst, "vcpu ioctls") and mmap. */
#ifndef _KVMLITE_VCPU_IOCTL_H
#define _KVMLITE_VCPU_IOCTL_H

struct kvml_vcpu;

/* A new file, which holds the VM; or ERR_PTR(). */
struct file *kvml_vcpu_file(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_VCPU_IOCTL_H */
