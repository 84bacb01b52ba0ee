/* SPDX-License-Identifier: GPL-2.0 */
/* Between two vCPUs on a CPU. */
#ifndef _KVMLITE_BARRIER_H
#define _KVMLITE_BARRIER_H

#include <asm/msr.h>

#include "../../include/compat/mitigation.h"

/*
 * Branches that another guest has trained are not for this one.  The kernel's
 * indirect_branch_prediction_barrier() is for its own KVM alone since 6.19.
 */
static inline void kvml_branch_barrier(void)
{
	if (compat_branch_barrier())
		native_wrmsrq(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

#endif /* _KVMLITE_BARRIER_H */
