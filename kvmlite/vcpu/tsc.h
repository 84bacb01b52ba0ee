/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's time-stamp counter: the host's, plus vcpu->tsc_offset.
 *
 * A VMM sets the TSCs of its vCPUs one after the other, and means all of them
 * to be the same.  As in KVM a write of 0, or of what the VM's last write would
 * be by now, give or take a second, is such an attempt: the vCPU gets the same
 * offset as those before.
 */
#ifndef _KVMLITE_VCPU_TSC_H
#define _KVMLITE_VCPU_TSC_H

struct kvml_vcpu;
struct kvml_vm;

struct kvml_tsc_sync {
	raw_spinlock_t lock;	/* the rest */
	u64 value;		/* the VM's last write */
	u64 ns;			/* when it was: kvml_pv_host_ns() */
	u64 offset;		/* of the last one that was not like those before */
	u64 lost;		/* kvml_tsc_lost with that offset */
	u32 khz;		/* of its vCPU; 0: there was none yet */
	bool by_user;		/* userspace has written one, not just made vCPUs */
};

void kvml_tsc_vm_init(struct kvml_vm *vm);
/* A new vCPU's is like the others; the vendor loads it. */
void kvml_tsc_vcpu_init(struct kvml_vcpu *vcpu);
u64 kvml_tsc_read(struct kvml_vcpu *vcpu);
/* IA32_TIME_STAMP_COUNTER, written by the VMM. */
void kvml_tsc_write(struct kvml_vcpu *vcpu, u64 value);
/* The guest moves it by @cycles. */
void kvml_tsc_move(struct kvml_vcpu *vcpu, u64 cycles);

/* The vCPU is loaded, and the host has slept since; preemption off. */
void kvml_tsc_catch_up(struct kvml_vcpu *vcpu);

/*
 * KVM_SET_TSC_KHZ: 0 or -EINVAL.  Without TSC scaling only the host's frequency
 * is to be had (0, too), within the 250 ppm that KVM takes for the same.
 */
int kvml_tsc_set_khz(u32 *khz, unsigned long wanted);

#endif /* _KVMLITE_VCPU_TSC_H */
