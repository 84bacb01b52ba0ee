// SPDX-License-Identifier: GPL-2.0
/* MSRs that only userspace uses: see host.h. */

#include "vmx/host.h"

/*
 * The guest's MSRs of SYSCALL and RDTSCP stay in the CPU until the task goes
 * back to userspace: the kernel does not use them.
 */
struct user_msrs {
	struct user_return_notifier notifier;
	bool registered;
	struct vmx_vcpu *owner;		/* whose are in the CPU, or NULL */
	u64 host[VMX_USER_MSRS];
	u64 now[VMX_USER_MSRS];
};

static DEFINE_PER_CPU(struct user_msrs, user_msrs);

static const u32 user_msr_index[VMX_USER_MSRS] = {
	[VMX_STAR] = MSR_STAR, [VMX_LSTAR] = MSR_LSTAR,
	[VMX_FMASK] = MSR_SYSCALL_MASK, [VMX_TSC_AUX] = MSR_TSC_AUX,
};

int kvml_vmx_usermsr_number(u32 index)
{
	int i = VMX_USER_MSRS;

	while (--i >= 0 && user_msr_index[i] != index)
		;
	return i;
}

/* Interrupts on or off: a CPU going down restores them as well. */
static void user_msrs_restore(struct user_return_notifier *notifier)
{
	struct user_msrs *m = container_of(notifier, struct user_msrs, notifier);
	unsigned long flags;
	unsigned int i;

	local_irq_save(flags);
	if (m->registered) {
		m->registered = false;
		user_return_notifier_unregister(notifier);
	}
	m->owner = NULL;
	local_irq_restore(flags);
	for (i = 0; i < VMX_USER_MSRS; i++) {
		if (m->now[i] == m->host[i])
			continue;
		wrmsrq(user_msr_index[i], m->host[i]);
		m->now[i] = m->host[i];
	}
}

static void user_msr_load(struct user_msrs *m, unsigned int i, u64 value)
{
	if (m->now[i] == value)
		return;
	wrmsrq(user_msr_index[i], value);
	m->now[i] = value;
	if (m->registered)
		return;
	m->notifier.on_user_return = user_msrs_restore;
	user_return_notifier_register(&m->notifier);
	m->registered = true;
}

/* Interrupts off.  A guest that has not switched SYSCALL on uses none. */
void kvml_vmx_usermsr_load(struct vmx_vcpu *vmx)
{
	struct user_msrs *m = this_cpu_ptr(&user_msrs);
	unsigned int i;

	if (likely(m->owner == vmx && vmx->user_msrs_cpu == smp_processor_id()))
		return;
	m->owner = vmx;
	vmx->user_msrs_cpu = smp_processor_id();
	if (vmx->vcpu.efer & EFER_SCE)
		for (i = VMX_STAR; i <= VMX_FMASK; i++)
			user_msr_load(m, i, vmx->user_msr[i]);
	if (kvml_vmx_caps.cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP)
		user_msr_load(m, VMX_TSC_AUX, vmx->user_msr[VMX_TSC_AUX]);
}

void kvml_vmx_usermsr_read_host(void)
{
	struct user_msrs *m = this_cpu_ptr(&user_msrs);
	unsigned int i;

	if (m->registered)
		return;
	for (i = 0; i < VMX_USER_MSRS; i++) {
		if (i == VMX_TSC_AUX && !boot_cpu_has(X86_FEATURE_RDTSCP))
			continue;
		rdmsrq(user_msr_index[i], m->host[i]);
		m->now[i] = m->host[i];
	}
}

void kvml_vmx_usermsr_drop(void *unused)
{
	user_msrs_restore(&this_cpu_ptr(&user_msrs)->notifier);
}
