/* SPDX-License-Identifier: GPL-2.0 */
/* Why an entry failed. */
#ifndef _KVMLITE_SVM_FAILURE_H
#define _KVMLITE_SVM_FAILURE_H

#include "svm/svm.h"

/* Lines in the log; fills KVM_EXIT_FAIL_ENTRY; returns 0. */
int kvml_svm_entry_failed(struct svm_vcpu *svm);

#endif /* _KVMLITE_SVM_FAILURE_H */
