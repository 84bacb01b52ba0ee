/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtualization in the CPUs: on with the first VM, off with the last, and
 * off while the machine sleeps, reboots or starts another kernel.
 *
 * A CPU that somebody else has switched on (KVM) is left alone: no VM then.
 * CPUs that come online while VMs exist are switched on, or refused; those
 * that go offline are switched off first.
 */
#ifndef _KVMLITE_HARDWARE_H
#define _KVMLITE_HARDWARE_H

/* Virtualization is on in this CPU, by us. */
DECLARE_PER_CPU(bool, kvml_hardware_on);

/*
 * Preemption off.  False while VMs exist: the CPU is about to go offline (or
 * kvml_hardware_lost()).  Tasks may still be scheduled there until the
 * scheduler has moved the last one away, so nothing may be left in such a CPU.
 */
static inline bool kvml_hardware_here(void)
{
	return this_cpu_read(kvml_hardware_on);
}

/*
 * It is off, or about to be, and does not come back: the machine is going
 * down, or a CPU failed after sleep.  vCPUs may still be loaded: what VMX
 * instructions do then is nothing, and ioctls give -EIO.
 */
extern bool kvml_hardware_gone;

static inline bool kvml_hardware_lost(void)
{
	return unlikely(READ_ONCE(kvml_hardware_gone));
}

/*
 * For each VM.  -EBUSY: KVM has the CPUs, one line in the log; -EIO: a CPU
 * failed to switch on; -ESHUTDOWN: the machine is going down.
 */
int kvml_hardware_get(void);
void kvml_hardware_put(void);

/*
 * A machine check that came while the guest ran.  Its exit has taken the exception,
 * and the host handles it as if it had come in userspace: the kernel then goes on
 * and sends SIGBUS to the VMM where that is enough, instead of a panic.
 * Interrupts off, on the CPU of the exit, before anything sleeps.
 */
void kvml_machine_check(void);

int kvml_hardware_init(void);
void kvml_hardware_exit(void);

#endif /* _KVMLITE_HARDWARE_H */
