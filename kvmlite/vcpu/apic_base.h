/* SPDX-License-Identifier: GPL-2.0 */
/* IA32_APIC_BASE (SDM volume 3, 11.4.4). */
#ifndef _KVMLITE_APIC_BASE_H
#define _KVMLITE_APIC_BASE_H

struct kvml_vcpu;

/* IA32_APIC_BASE, from an MSR or KVM_SET_SREGS. */
int kvml_apic_base_set(struct kvml_vcpu *vcpu, u64 data, bool host);

#endif /* _KVMLITE_APIC_BASE_H */
