// SPDX-License-Identifier: GPL-2.0
/* See load.h. */
#include "base/hardware.h"
#include "base/kick.h"
#include "base/tsc.h"
#include "vcpu/load.h"
#include "vcpu/tsc.h"
#include "vcpu/vcpu.h"

/* The notifier and what it calls keep preemption off. */
static void load_on(struct kvml_vcpu *vcpu, int cpu)
{
	if (unlikely(!kvml_hardware_here() && !kvml_hardware_lost())) {
		kvml_vcpu_request(vcpu, KVML_REQ_LOAD);
		return;
	}
	kvml_ops->vcpu_load(vcpu, cpu);
	WRITE_ONCE(vcpu->cpu, cpu);
	if (unlikely(vcpu->tsc_lost != kvml_tsc_lost))
		kvml_tsc_catch_up(vcpu);
}

static void sched_in(struct preempt_notifier *notifier, int cpu)
{
	load_on(container_of(notifier, struct kvml_vcpu, preempt_notifier), cpu);
}

static void sched_out(struct preempt_notifier *notifier, struct task_struct *next)
{
	kvml_ops->vcpu_put(container_of(notifier, struct kvml_vcpu, preempt_notifier));
}

static struct preempt_ops preempt_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};

void kvml_vcpu_load_init(struct kvml_vcpu *vcpu)
{
	preempt_notifier_init(&vcpu->preempt_notifier, &preempt_ops);
}

void kvml_vcpu_load(struct kvml_vcpu *vcpu)
{
	int cpu = get_cpu();

	preempt_notifier_register(&vcpu->preempt_notifier);
	load_on(vcpu, cpu);
	put_cpu();
}

void kvml_vcpu_reload(struct kvml_vcpu *vcpu)
{
	cond_resched();
	load_on(vcpu, get_cpu());
	put_cpu();
}

void kvml_vcpu_put(struct kvml_vcpu *vcpu)
{
	preempt_disable();
	kvml_ops->vcpu_put(vcpu);
	preempt_notifier_unregister(&vcpu->preempt_notifier);
	preempt_enable();
}
