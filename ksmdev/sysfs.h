/* SPDX-License-Identifier: GPL-2.0 */
/* The files that show and set what there is: of sysfs and debugfs. */
#ifndef _KSMDEV_SYSFS_H
#define _KSMDEV_SYSFS_H

struct attribute_group;

extern const struct attribute_group *ksm_attr_groups[];

void ksm_debugfs_init(void);
void ksm_debugfs_exit(void);

#endif /* _KSMDEV_SYSFS_H */
