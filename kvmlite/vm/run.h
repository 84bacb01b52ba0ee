/* SPDX-License-Identifier: GPL-2.0 */
/* KVM_RUN (api.rst 4.10). */
#ifndef _KVMLITE_RUN_H
#define _KVMLITE_RUN_H

struct kvml_vcpu;

int kvml_vcpu_run(struct kvml_vcpu *vcpu);

/* Between hot exits, interrupts off: is there anything but the guest to do? */
bool kvml_vcpu_must_leave(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_RUN_H */
