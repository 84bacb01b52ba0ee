/* SPDX-License-Identifier: GPL-2.0 */
/* A regular file of ksmfs: what is done through a descriptor. */
#ifndef _KSMDEV_FILE_H
#define _KSMDEV_FILE_H

#include "area.h"

extern const struct file_operations ksm_file_fops;

int ksm_file_resize(struct ksm_area *area, loff_t size);
int ksm_file_grow(struct ksm_area *area, loff_t size);

#endif /* _KSMDEV_FILE_H */
