/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's time stamp counter.
 *
 * While the machine sleeps it may begin anew, and a guest's must not go back:
 * kvml_tsc_lost counts what it lost.  Whoever has something that is as of the
 * host's TSC (a vCPU's offset, kvmclock's pair) notes the count with it, and makes
 * up for the difference at the next use.
 */
#ifndef _KVMLITE_BASE_TSC_H
#define _KVMLITE_BASE_TSC_H

/* The TSC runs at one rate, on all CPUs alike. */
static inline bool kvml_tsc_stable(void)
{
	return boot_cpu_has(X86_FEATURE_CONSTANT_TSC) && !check_tsc_unstable();
}

/* Cycles, since the module was loaded; changes while no other CPU runs. */
extern u64 kvml_tsc_lost;

/* Around sleep: on the last CPU, interrupts off. */
void kvml_tsc_suspend(void);
void kvml_tsc_resume(void);

#endif /* _KVMLITE_BASE_TSC_H */
