/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest that knows it is one may use: hypercalls and kvmclock
 * (Documentation/virt/kvm/x86/{hypercalls,msr}.rst of the kernel).
 *
 * kvmclock tells each vCPU a time and the TSC of that moment; the guest goes
 * on from there by its TSC.  While the host's TSC is stable there is one such
 * pair for the whole VM, so that all vCPUs see the same time.  Else each
 * update takes a new pair, and a vCPU needs one on every CPU it comes to.
 */
#ifndef _KVMLITE_PV_H
#define _KVMLITE_PV_H

struct kvml_vcpu;
struct kvml_vm;
struct kvm_clock_data;

/* VMCALL/VMMCALL: registers as hypercalls.rst; result in RAX.  Hot. */
void kvml_hypercall(struct kvml_vcpu *vcpu);
/* MSR_KVM_SYSTEM_TIME and MSR_KVM_WALL_CLOCK, old and new, are written. */
void kvml_pv_set_system_time(struct kvml_vcpu *vcpu, u64 data);
void kvml_pv_set_wall_clock(struct kvml_vcpu *vcpu, u64 data);

/* The host's time that kvmclock counts in, since it booted. */
u64 kvml_pv_host_ns(void);
void kvml_pv_vm_init(struct kvml_vm *vm);
/* KVML_REQ_CLOCK: writes the guest's kvmclock page.  Must hold vm->srcu. */
void kvml_pv_update_clock(struct kvml_vcpu *vcpu);
/* vcpu->tsc_offset changed. */
void kvml_pv_tsc_changed(struct kvml_vcpu *vcpu);
/* The vCPU comes to another CPU; preemption off. */
void kvml_pv_cpu_changed(struct kvml_vcpu *vcpu);

/* KVM_GET_CLOCK, KVM_SET_CLOCK (-EINVAL: unknown flags). */
#define KVML_CLOCK_FLAGS (KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | \
			  KVM_CLOCK_HOST_TSC)
int kvml_pv_get_clock(struct kvml_vm *vm, struct kvm_clock_data __user *arg);
int kvml_pv_set_clock(struct kvml_vm *vm, const struct kvm_clock_data *in);
/* KVM_KVMCLOCK_CTRL; -EINVAL: the guest has no kvmclock. */
int kvml_pv_clock_ctrl(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_PV_H */
