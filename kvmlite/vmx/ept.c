// SPDX-License-Identifier: GPL-2.0
/* See ept.h. */
#include <linux/cpu.h>
#include <linux/io.h>

#include "vcpu/vcpu.h"
#include "vm/vm.h"
#include "vmx/caps.h"
#include "vmx/ept.h"
#include "vmx/vmcs.h"

struct kvml_pt_format kvml_vmx_ept = {
	.table = VMX_EPT_RWX_MASK,
	.leaf = VMX_EPT_READABLE_MASK | VMX_EPT_EXECUTABLE_MASK,
	.write = VMX_EPT_WRITABLE_MASK,
	.accessed = VMX_EPT_ACCESS_BIT,
	.dirty = VMX_EPT_DIRTY_BIT,
	.memtype_wb = VMX_EPTP_MT_WB << VMX_EPT_MT_EPTE_SHIFT |
		      VMX_EPT_IPAT_BIT,
	.memtype_uc = VMX_EPTP_MT_UC << VMX_EPT_MT_EPTE_SHIFT,
	.present = VMX_EPT_RWX_MASK,
	.mmio = VMX_EPT_MISCONFIG_WX_VALUE,
	.huge = true,
};

u64 kvml_vmx_eptp(struct kvml_vm *vm)
{
	return virt_to_phys(vm->mmu.root) | kvml_vmx_caps.eptp_bits;
}

void kvml_vmx_flush_tlb(struct kvml_vcpu *vcpu)
{
	if (kvml_vmx_caps.invept_context)
		vmx_invept(INVEPT_CONTEXT, kvml_vmx_eptp(vcpu->vm));
	else
		vmx_invept(INVEPT_ALL, 0);
}

void __init kvml_vmx_ept_init(void)
{
	kvml_vmx_ept.mmio |= kvml_vmx_ept_mmio_frame(boot_cpu_has_bug(X86_BUG_L1TF),
						     boot_cpu_data.x86_cache_bits);
	/* There the guest could stop the machine (CVE-2018-12207). */
	kvml_vmx_ept.huge = kvml_vmx_caps.ept_2m &&
			   (!boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) || cpu_mitigations_off());
	if (!kvml_vmx_caps.ept_ad) {
		kvml_vmx_ept.accessed = 0;
		kvml_vmx_ept.dirty = 0;
	}
}
