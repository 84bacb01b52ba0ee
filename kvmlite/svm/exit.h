/* SPDX-License-Identifier: GPL-2.0 */
/* Exits but the hot ones. */
#ifndef _KVMLITE_SVM_EXIT_H
#define _KVMLITE_SVM_EXIT_H

#include "svm/svm.h"

int kvml_svm_handle_exit(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_SVM_EXIT_H */
