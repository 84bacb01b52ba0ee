/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ksmfs: inodes, directories, mounts.
 *
 * A directory directly under the root of a mount is a domain; what is below it belongs to
 * that for good.  A file in the root belongs to the domain of its maker's user id.  Names may
 * move within a domain only: a page that changed its domain would have to leave everybody
 * that it shares a frame with.
 *
 * Unnamed files and directories, for /dev/ksm, are on a mount of our own that nobody sees.
 * It is there while the device is open; after that the files keep it.
 */
#ifndef _KSMDEV_FS_H
#define _KSMDEV_FS_H

#include "area.h"

int ksm_fs_init(void);
void ksm_fs_exit(void);
int ksm_fs_register(void);
void ksm_fs_unregister(void);

int ksm_fs_pin(void);
void ksm_fs_unpin(void);

struct file *ksm_fs_unnamed_file(struct ksm_domain *d, enum ksm_area_kind kind,
				 const struct ksm_opener *opener);
struct file *ksm_fs_unnamed_dir(void);
struct ksm_domain *ksm_fs_domain_of_dir(struct file *dir);

#endif /* _KSMDEV_FS_H */
