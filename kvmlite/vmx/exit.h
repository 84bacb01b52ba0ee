/* SPDX-License-Identifier: GPL-2.0 */
/* Exits but the hot ones. */
#ifndef _KVMLITE_VMX_EXIT_H
#define _KVMLITE_VMX_EXIT_H

struct kvml_vcpu;

int kvml_vmx_handle_exit(struct kvml_vcpu *vcpu);

/* Names of exit reasons, for the log and the counters; NULL if unknown. */
const char *kvml_vmx_exit_name(unsigned int reason);

#endif /* _KVMLITE_VMX_EXIT_H */
