/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vCPU is loaded on the CPU that its task runs on, from kvml_vcpu_load() to
 * kvml_vcpu_put(): what the vendor keeps in the CPU is this vCPU's.  When the
 * scheduler takes the task off the CPU and brings it back, perhaps elsewhere, a
 * preempt notifier does the same.
 *
 * A CPU that goes offline is switched off while tasks are still scheduled there
 * (hardware.h).  A vCPU is not loaded on it: KVML_REQ_LOAD keeps it out of the
 * guest until the scheduler has moved its task.  Only code that runs with
 * migration off could look at the vCPU's registers before that; there is none.
 */
#ifndef _KVMLITE_LOAD_H
#define _KVMLITE_LOAD_H

struct kvml_vcpu;

/* Before the first kvml_vcpu_load(). */
void kvml_vcpu_load_init(struct kvml_vcpu *vcpu);

/* Must hold vcpu->mutex, or the vCPU is not known to anybody yet. */
void kvml_vcpu_load(struct kvml_vcpu *vcpu);
void kvml_vcpu_put(struct kvml_vcpu *vcpu);
/* KVML_REQ_LOAD: once more, here. */
void kvml_vcpu_reload(struct kvml_vcpu *vcpu);

/*
 * For the vendors' vcpu_put(): LDTR as the kernel has it for this process now.  The exit
 * may have brought back another one, as threads set the LDT by an IPI to the others.
 */
#define kvml_load_ldt() do {						\
	if (unlikely(READ_ONCE(current->mm->context.ldt)))		\
		asm volatile("lldt %w0" :: "r"(GDT_ENTRY_LDT * 8));	\
} while (0)

#endif /* _KVMLITE_LOAD_H */
