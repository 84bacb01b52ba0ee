/* SPDX-License-Identifier: GPL-2.0 */
/* What the device and a VM say that they can do. */
#ifndef _KVMLITE_CAP_H
#define _KVMLITE_CAP_H

/* KVM_CHECK_EXTENSION: 0 not there; else 1, or the number api.rst gives. */
int kvml_check_extension(unsigned long cap);

#endif /* _KVMLITE_CAP_H */
