// SPDX-License-Identifier: GPL-2.0
/* The table by which common code calls VT-x, and what happens when the module loads. */

#include "cpuid/cpuid.h"
#include "vm/vm.h"
#include "vmx/count.h"
#include "vmx/ept.h"
#include "vmx/exit.h"
#include "vmx/flush.h"
#include "vmx/host.h"
#include "vmx/hw.h"
#include "vmx/inject.h"
#include "vmx/permission.h"
#include "vmx/run.h"
#include "vmx/state.h"
#include "vmx/usermsr.h"
#include "vmx/vcpu.h"
#include "vmx/vpid.h"

/* Instructions that fault in a guest without their control. */
static void vmx_forbid_cpuid(void)
{
	if (!(kvml_vmx_caps.cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP)) {
		kvml_cpuid_forbid(X86_FEATURE_RDTSCP);
		kvml_cpuid_forbid(X86_FEATURE_RDPID);
	}
	if (!(kvml_vmx_caps.cpu2 & SECONDARY_EXEC_ENABLE_INVPCID))
		kvml_cpuid_forbid(X86_FEATURE_INVPCID);
}

static int vmx_vm_init(struct kvml_vm *vm)
{
	vm->mmu.fmt = &kvml_vmx_ept;
	kvml_vmx_flush_warn();
	return 0;
}

static void vmx_unload(void)
{
	on_each_cpu(kvml_vmx_usermsr_drop, NULL, true);
	kvml_vmx_hw_exit();
	kvml_vmx_flush_exit();
	kvml_vmx_permission_exit();
}

static int vmx_get_feature_msr(u32 index, u64 *data)
{
	return 1;
}

const struct kvml_ops kvml_vmx_ops = {
	.name = "VT-x",
	.ucode_rev = 0x100000000ull,
	.spec_ctrl = true,
	.forbid_cpuid = vmx_forbid_cpuid,
	.debugfs = kvml_vmx_count_init,
	.unload = vmx_unload,
	.hw_enable = kvml_vmx_hw_enable,
	.hw_disable = kvml_vmx_hw_disable,
	.hw_emergency = kvml_vmx_hw_emergency,
	.vm_init = vmx_vm_init,
	.vcpu_alloc = kvml_vmx_vcpu_alloc,
	.vcpu_init = kvml_vmx_vcpu_init,
	.vcpu_free = kvml_vmx_vcpu_free,
	.vcpu_load = kvml_vmx_vcpu_load,
	.vcpu_put = kvml_vmx_host_restore,
	.enter = kvml_vmx_run,
	.handle_exit = kvml_vmx_handle_exit,
	.reg_fetch = kvml_vmx_reg_fetch,
	.regs_fetch = kvml_vmx_regs_fetch,
	.set_cr0 = kvml_vmx_set_cr0,
	.set_cr4 = kvml_vmx_set_cr4,
	.set_pdptes = kvml_vmx_set_pdptes,
	.set_efer = kvml_vmx_set_efer,
	.get_segment = kvml_vmx_get_segment,
	.set_segment = kvml_vmx_set_segment,
	.segment_base = kvml_vmx_segment_base,
	.cpl = kvml_vmx_cpl,
	.code_bits = kvml_vmx_code_bits,
	.code_mode = kvml_vmx_code_mode,
	.get_gdt = kvml_vmx_get_gdt,
	.set_gdt = kvml_vmx_set_gdt,
	.get_idt = kvml_vmx_get_idt,
	.set_idt = kvml_vmx_set_idt,
	.update_debug = kvml_vmx_update_debug,
	.fetch_debug = kvml_vmx_fetch_debug,
	.update_tsc = kvml_vmx_update_tsc,
	.get_msr = kvml_vmx_get_msr,
	.set_msr = kvml_vmx_set_msr,
	.get_feature_msr = vmx_get_feature_msr,
	.inject_exception = kvml_vmx_inject_exception,
	.inject_intr = kvml_vmx_inject_intr,
	.inject_nmi = kvml_vmx_inject_nmi,
	.intr_allowed = kvml_vmx_intr_allowed,
	.nmi_allowed = kvml_vmx_nmi_allowed,
	.open_intr_window = kvml_vmx_open_intr_window,
	.open_nmi_window = kvml_vmx_open_nmi_window,
	.get_shadow = kvml_vmx_get_shadow,
	.set_shadow = kvml_vmx_set_shadow,
	.get_nmi_masked = kvml_vmx_get_nmi_masked,
	.set_nmi_masked = kvml_vmx_set_nmi_masked,
	.skip_insn = kvml_vmx_skip_insn,
	.flush_tlb = kvml_vmx_ept_flush,
	.flush_guest = kvml_vmx_vpid_flush,
	.dump = kvml_vmx_dump,
};

int __init kvml_vmx_probe(void)
{
	int err = kvml_vmx_caps_init();

	if (err)
		return err;
	kvml_vmx_ept_init();
	kvml_vmx_host_perf_init();
	err = kvml_vmx_permission_init();
	if (err)
		return err;
	err = kvml_vmx_flush_init();
	if (err)
		goto err_permission;
	err = kvml_vmx_hw_init();
	if (err)
		goto err_flush;
	kvml_vmcs_init();
	return 0;

err_flush:
	kvml_vmx_flush_exit();
err_permission:
	kvml_vmx_permission_exit();
	return err;
}
