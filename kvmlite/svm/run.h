/* SPDX-License-Identifier: GPL-2.0 */
/* Into the guest and back. */
#ifndef _KVMLITE_SVM_RUN_H
#define _KVMLITE_SVM_RUN_H

#include "svm/svm.h"

void kvml_svm_run(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_SVM_RUN_H */
