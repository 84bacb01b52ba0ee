/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Model-specific registers: a table by number (msr.c) of those that are
 * memory only, constants, or computed; the vendor has the rest
 * (ops->get_msr).
 */
#ifndef _KVMLITE_MSR_H
#define _KVMLITE_MSR_H

#include <linux/kvm.h>

struct kvml_vcpu;

#define KVML_MCE_BANKS	32

/*
 * @host: by the VMM, which may set what the guest may not.  0, or 1: #GP (an
 * unknown MSR, a bad value).  RDMSR of IA32_APIC_BASE is hot.
 */
int kvml_msr_get(struct kvml_vcpu *vcpu, u32 index, u64 *data, bool host);
int kvml_msr_set(struct kvml_vcpu *vcpu, u32 index, u64 data, bool host);
/* Interrupts may be off in kvml_msr_set() of a guest: it neither sleeps nor sends IPIs. */
bool kvml_msr_write_is_hot(struct kvml_vcpu *vcpu, u32 index);
/* KVM_X86_GET_MCE_CAP_SUPPORTED, KVM_X86_SETUP_MCE (-EINVAL). */
u64 kvml_msr_mce_cap(void);
int kvml_msr_setup_mce(struct kvml_vcpu *vcpu, u64 cap);

/*
 * ioctls: KVM_GET/SET_MSRS return how many were done.  -E2BIG: too many, or
 * the list has no room (the number is in @nmsrs).
 */
int kvml_msr_get_list(struct kvm_msr_list __user *arg, bool of_features);
/* Without a vCPU: MSRs that tell features, of the host. */
int kvml_msrs_get(struct kvml_vcpu *vcpu, struct kvm_msrs __user *arg);
int kvml_msrs_set(struct kvml_vcpu *vcpu, struct kvm_msrs __user *arg);

int kvml_msrs_alloc(struct kvml_vcpu *vcpu);	/* RESET values */

#endif /* _KVMLITE_MSR_H */
