/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which MSRs and I/O ports a guest may access without an exit: two bitmaps, the
 * same for all guests (APM volume 2, 15.10 and 15.11).
 */
#ifndef _KVMLITE_SVM_PERMISSION_H
#define _KVMLITE_SVM_PERMISSION_H

/* Physical addresses, for the VMCB. */
extern u64 kvml_svm_msr_map, kvml_svm_io_map;

int kvml_svm_permission_init(void);
void kvml_svm_permission_exit(void);

#endif /* _KVMLITE_SVM_PERMISSION_H */
