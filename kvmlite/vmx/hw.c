// SPDX-License-Identifier: GPL-2.0
/* VMXON and VMXOFF (SDM volume 3, 24.7). */
#include <linux/io.h>

#include "../../include/compat/vmxe.h"

#include "vmx/host.h"

/* Memory of VMXON (SDM volume 3, 25.11.5), one a CPU. */
static DEFINE_PER_CPU(void *, vmxon_region);

/* Is CR4.VMXE ours?  Set before it is, and cleared after it. */
static DEFINE_PER_CPU(bool, vmxe_ours);

static void vmxe_clear(void)
{
	compat_vmxe_clear();
	barrier();
	this_cpu_write(vmxe_ours, false);
	compat_vmxe_done();
}

int kvml_vmx_hw_enable(void)
{
	void *region = this_cpu_read(vmxon_region);
	int err;

	if (__read_cr4() & X86_CR4_VMXE)
		return -EBUSY;
	err = kvml_vmx_caps_check();
	if (err)
		return err;
	kvml_vmx_usermsr_read_host();
	compat_vmxe_prepare();
	this_cpu_write(vmxe_ours, true);
	barrier();
	compat_vmxe_set();
	if (vmx_on(virt_to_phys(region))) {
		vmxe_clear();
		return -EIO;
	}
	vmx_invept(INVEPT_ALL, 0);
	return 0;
}

void kvml_vmx_hw_disable(void)
{
	/* The CPU may lose them with its power: nothing is to be taken for loaded. */
	kvml_vmx_usermsr_drop(NULL);
	kvml_vmcs_clear_all();
	vmx_off();
	vmxe_clear();
}

/* VMXOFF faults if VMXON has not come yet, which does nothing. */
void kvml_vmx_hw_emergency(void)
{
	if (!this_cpu_read(vmxe_ours) || !(__read_cr4() & X86_CR4_VMXE))
		return;
	kvml_vmcs_clear_in_crash();
	vmx_off();
	compat_vmxe_clear();
}

void kvml_vmx_hw_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_page((unsigned long)per_cpu(vmxon_region, cpu));
}

int __init kvml_vmx_hw_init(void)
{
	int cpu;

	if (!compat_vmxe_allowed) {
		pr_err("kvmlite: this kernel lets only its own KVM switch VT-x on: use one before 6.19, or AMD-V\n");
		return -EOPNOTSUPP;
	}
	for_each_possible_cpu(cpu) {
		u32 *region = (u32 *)get_zeroed_page(GFP_KERNEL);

		if (!region)
			return -ENOMEM;
		*region = kvml_vmx_caps.revision;
		per_cpu(vmxon_region, cpu) = region;
	}
	return 0;
}
