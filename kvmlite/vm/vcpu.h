/* SPDX-License-Identifier: GPL-2.0 */
/* A vCPU's life: as long as its VM's. */
#ifndef _KVMLITE_VM_VCPU_H
#define _KVMLITE_VM_VCPU_H

struct kvml_vcpu;
struct kvml_vm;

int kvml_vcpu_create(struct kvml_vm *vm, u32 id);
void kvml_vcpu_free(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_VM_VCPU_H */
