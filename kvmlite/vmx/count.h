/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VMREADs and VMWRITEs by exit reason, for debugfs: kvmlite/vmcs_accesses.
 * Accesses from one exit to the next belong to the first one's reason.
 * Counting begins when "1" is written to the file; until then it costs one
 * no-op instruction an access.
 */
#ifndef _KVMLITE_VMX_COUNT_H
#define _KVMLITE_VMX_COUNT_H

#include "vmx/vmcs.h"

void kvml_vmx_count(unsigned int reason);

static __always_inline void kvml_vmx_count_exit(unsigned int reason)
{
	if (static_branch_unlikely(&kvml_vmcs_counting))
		kvml_vmx_count(reason);
}

void kvml_vmx_count_init(void);

#endif /* _KVMLITE_VMX_COUNT_H */
