/* SPDX-License-Identifier: GPL-2.0 */
/* The host's time stamp counter. */
#ifndef _KVMLITE_TSC_H
#define _KVMLITE_TSC_H

#include <asm/cpufeature.h>
#include <asm/tsc.h>

/* The TSC runs at one rate, on all CPUs alike. */
static inline bool kvml_tsc_stable(void)
{
	return boot_cpu_has(X86_FEATURE_CONSTANT_TSC) && !check_tsc_unstable();
}

#endif /* _KVMLITE_TSC_H */
