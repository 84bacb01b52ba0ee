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

int kvml_delivery_error(struct kvml_vcpu *vcpu, u32 event, u32 reason, u64 info, u64 gpa)
{
	u64 data[] = { event, reason, info, gpa };

	return kvml_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, ARRAY_SIZE(data), data);
}

int kvml_exit_interrupt(struct kvml_vcpu *vcpu)
{
	vcpu->stat.irq_exits++;
	return 1;
}

int kvml_exit_nothing(struct kvml_vcpu *vcpu)
{
	return 1;
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

bool kvml_entry_broken(const struct kvml_vcpu *vcpu, const char *manual,
		       const struct kvml_entry_rule *rules, unsigned int n)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!rules[i].broken)
			continue;
		pr_err("kvmlite: vCPU %u cannot be entered: %s (%s)\n", vcpu->id,
		       rules[i].text, manual);
		any = true;
	}
	return any;
}

void kvml_entry_failed(struct kvml_vcpu *vcpu, u64 reason,
		       bool (*explain)(struct kvml_vcpu *vcpu))
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 5);

	vcpu->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	vcpu->run->fail_entry.hardware_entry_failure_reason = reason;
	vcpu->run->fail_entry.cpu = vcpu->cpu;
	if (!__ratelimit(&limit))
		return;
	if (!explain(vcpu))
		pr_err("kvmlite: vCPU %u cannot be entered: reason %#llx\n", vcpu->id, reason);
	kvml_ops->dump(vcpu);
}
