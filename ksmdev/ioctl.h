/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that /dev/ksm and files have in common. */
#ifndef _KSMDEV_IOCTL_H
#define _KSMDEV_IOCTL_H

#include <linux/fs.h>

struct ksm_domain;
struct ksm_target;

long ksm_ioctl(struct file *file, struct ksm_domain *d, const struct ksm_target *target,
	       unsigned int cmd, unsigned long arg);

#endif /* _KSMDEV_IOCTL_H */
