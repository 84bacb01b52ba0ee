/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/ksm: unnamed files of ksmfs for who has no mount, and memory taken over in place. */
#ifndef _KSMDEV_DEVICE_H
#define _KSMDEV_DEVICE_H

int ksm_device_init(void);
void ksm_device_exit(void);

#endif /* _KSMDEV_DEVICE_H */
