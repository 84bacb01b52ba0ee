// SPDX-License-Identifier: GPL-2.0
/* See error.h. */
#include <linux/kvm.h>

#include "vcpu/error.h"
#include "vcpu/vcpu.h"

int kvml_internal_error(struct kvml_vcpu *vcpu, u32 suberror,
			unsigned int ndata, const u64 *data)
{
	struct kvm_run *run = vcpu->run;
	unsigned int i;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	run->internal.ndata = ndata;
	for (i = 0; i < ndata; i++)
		run->internal.data[i] = data[i];
	return 0;
}
