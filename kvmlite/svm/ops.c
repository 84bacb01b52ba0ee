// SPDX-License-Identifier: GPL-2.0
/* The table by which common code calls AMD-V, and what happens when the module loads. */

#include "svm/asid.h"
#include "svm/host.h"
#include "svm/npt.h"
#include "vm/vm.h"

/* A fifth level above the four of mmu.c, where the host has five. */
int kvml_svm_vm_init(struct kvml_vm *vm)
{
	vm->mmu.fmt = &kvml_svm_npt;
	if (!kvml_svm_caps.la57)
		return 0;
	vm->vendor = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vm->vendor ? 0 : -ENOMEM;
}

/* ASIDs tag translations by both kinds of tables. */
void kvml_svm_flush_tlb(struct kvml_vcpu *vcpu)
{
	kvml_svm_asid_flush(to_svm(vcpu));
}

void kvml_svm_flush_guest(struct kvml_vcpu *vcpu)
{
	kvml_svm_asid_flush(to_svm(vcpu));
}

/* Or when the probe fails: what is there of all this. */
void kvml_svm_unload(void)
{
	kvml_svm_hw_exit();
	kvml_svm_permission_exit();
}

const struct kvml_ops kvml_svm_ops = {
	.name = "AMD-V",
	.ucode_rev = 0x01000065,
	.osvw = kvml_svm_caps.osvw,
	.spec_ctrl = true,
#define KVML_OP(type, op, ...) .op = kvml_svm_##op,
#include "base/ops_list.h"
};

int __init kvml_svm_probe(void)
{
	int err = kvml_svm_caps_init();

	if (err)
		return err;
	if (boot_cpu_has(X86_FEATURE_XSAVES))
		rdmsrq(MSR_IA32_XSS, kvml_svm_host_xss);
	if (kvml_svm_host_xss)
		static_branch_enable(&kvml_svm_has_xss);
	kvml_svm_npt_init();
	err = kvml_svm_permission_init() ?: kvml_svm_hw_init();
	if (err)
		kvml_svm_unload();
	return err;
}
