/* SPDX-License-Identifier: GPL-2.0 */
/* The device, and what it says it can do. */
#ifndef _KVMLITE_MAIN_H
#define _KVMLITE_MAIN_H

/* KVM_CHECK_EXTENSION: 0 not there; else 1, or the number api.rst gives. */
int kvml_check_extension(unsigned long cap);

#endif /* _KVMLITE_MAIN_H */
