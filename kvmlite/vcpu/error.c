// SPDX-License-Identifier: GPL-2.0
/* See error.h. */
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

int kvml_exit_unexpected(struct kvml_vcpu *vcpu, u32 reason)
{
	u64 data[] = { reason, vcpu->cpu };

	kvml_ops->dump(vcpu);
	return kvml_internal_error(vcpu,
				   KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
				   ARRAY_SIZE(data), data);
}

int kvml_exit_shutdown(struct kvml_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

int kvml_exit_hlt(struct kvml_vcpu *vcpu, int done)
{
	vcpu->stat.halt_exits++;
	if (done <= 0)
		return done;
	/* Userspace has the APIC and knows what wakes it. */
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return 0;
}

int kvml_tell_signal(struct kvml_vcpu *vcpu, int ret)
{
	if (ret == -EINTR) {
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		vcpu->stat.signal_exits++;
	}
	return ret;
}
