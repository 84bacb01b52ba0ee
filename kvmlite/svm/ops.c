// SPDX-License-Identifier: GPL-2.0
/* The table by which common code calls AMD-V, and what happens when the module loads. */

#include "svm/asid.h"
#include "svm/exit.h"
#include "svm/host.h"
#include "svm/hw.h"
#include "svm/inject.h"
#include "svm/npt.h"
#include "svm/permission.h"
#include "svm/run.h"
#include "svm/state.h"
#include "svm/vcpu.h"
#include "vm/vm.h"

/* A fifth level above the four of mmu.c, where the host has five. */
static int svm_vm_init(struct kvml_vm *vm)
{
	vm->mmu.fmt = &kvml_svm_npt;
	if (!kvml_svm_caps.la57)
		return 0;
	vm->vendor = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vm->vendor ? 0 : -ENOMEM;
}

static void svm_flush(struct kvml_vcpu *vcpu)
{
	kvml_svm_asid_flush(to_svm(vcpu));
}

static void svm_unload(void)
{
	kvml_svm_hw_exit();
	kvml_svm_permission_exit();
}

static void svm_nothing(void)
{
}

const struct kvml_ops kvml_svm_ops = {
	.name = "AMD-V",
	.ucode_rev = 0x01000065,
	.osvw = kvml_svm_caps.osvw,
	.spec_ctrl = true,
	.forbid_cpuid = svm_nothing,
	.debugfs = svm_nothing,
	.unload = svm_unload,
	.hw_enable = kvml_svm_hw_enable,
	.hw_disable = kvml_svm_hw_disable,
	.vm_init = svm_vm_init,
	.vcpu_alloc = kvml_svm_vcpu_alloc,
	.vcpu_init = kvml_svm_vcpu_init,
	.vcpu_free = kvml_svm_vcpu_free,
	.vcpu_load = kvml_svm_vcpu_load,
	.vcpu_put = kvml_svm_host_restore,
	.enter = kvml_svm_run,
	.handle_exit = kvml_svm_handle_exit,
	.reg_fetch = kvml_svm_reg_fetch,
	.regs_fetch = kvml_svm_regs_fetch,
	.set_cr0 = kvml_svm_set_cr0,
	.set_cr4 = kvml_svm_set_cr4,
	.set_efer = kvml_svm_set_efer,
	.get_segment = kvml_svm_get_segment,
	.set_segment = kvml_svm_set_segment,
	.segment_base = kvml_svm_segment_base,
	.cpl = kvml_svm_cpl,
	.code_bits = kvml_svm_code_bits,
	.code_mode = kvml_svm_code_mode,
	.get_gdt = kvml_svm_get_gdt,
	.set_gdt = kvml_svm_set_gdt,
	.get_idt = kvml_svm_get_idt,
	.set_idt = kvml_svm_set_idt,
	.update_debug = kvml_svm_update_debug,
	.fetch_debug = kvml_svm_fetch_debug,
	.update_tsc = kvml_svm_update_tsc,
	.get_msr = kvml_svm_get_msr,
	.set_msr = kvml_svm_set_msr,
	.get_feature_msr = kvml_svm_get_feature_msr,
	.inject_exception = kvml_svm_inject_exception,
	.inject_intr = kvml_svm_inject_intr,
	.inject_nmi = kvml_svm_inject_nmi,
	.intr_allowed = kvml_svm_intr_allowed,
	.nmi_allowed = kvml_svm_nmi_allowed,
	.open_intr_window = kvml_svm_open_intr_window,
	.open_nmi_window = kvml_svm_open_nmi_window,
	.get_shadow = kvml_svm_get_shadow,
	.set_shadow = kvml_svm_set_shadow,
	.get_nmi_masked = kvml_svm_get_nmi_masked,
	.set_nmi_masked = kvml_svm_set_nmi_masked,
	.skip_insn = kvml_svm_skip_insn,
	.flush_tlb = svm_flush,
	.flush_guest = svm_flush,
	.dump = kvml_svm_dump,
};

int __init kvml_svm_probe(void)
{
	int err = kvml_svm_caps_init();

	if (err)
		return err;
	kvml_svm_npt_init();
	err = kvml_svm_permission_init();
	if (err)
		return err;
	err = kvml_svm_hw_init();
	if (err)
		kvml_svm_permission_exit();
	return err;
}
