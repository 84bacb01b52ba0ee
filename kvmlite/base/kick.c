// SPDX-License-Identifier: GPL-2.0
/* See kick.h. */

#include "base/kick.h"
#include "vcpu/vcpu.h"
#include "vm/vm.h"

void kvml_vcpu_request(struct kvml_vcpu *vcpu, enum kvml_request req)
{
	set_bit(req, &vcpu->requests);
}

static void leave_guest(void *unused)
{
	/* The exit that this interrupt causes is all it is for. */
}

void kvml_vm_request(struct kvml_vm *vm, unsigned int req, bool wait)
{
	struct kvml_vcpu *vcpu;
	cpumask_var_t mask;
	unsigned long id;
	bool have_mask = zalloc_cpumask_var(&mask, GFP_ATOMIC);
	int cpu, me = get_cpu();

	xa_for_each(&vm->vcpus, id, vcpu)
		kvml_vcpu_request(vcpu, req);
	/* Pairs with the barrier in enter_guest(). */
	smp_mb();
	xa_for_each(&vm->vcpus, id, vcpu) {
		cpu = READ_ONCE(vcpu->cpu);
		if (READ_ONCE(vcpu->mode) == KVML_IN_GUEST && cpu >= 0 &&
		    cpu != me && have_mask)
			cpumask_set_cpu(cpu, mask);
	}
	if (have_mask)
		smp_call_function_many(mask, leave_guest, NULL, wait);
	else
		smp_call_function(leave_guest, NULL, wait);
	put_cpu();
	if (have_mask)
		free_cpumask_var(mask);
}
