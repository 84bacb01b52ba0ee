// SPDX-License-Identifier: GPL-2.0
/* The table by which common code calls VT-x, and what happens when the module loads. */

#include "cpuid/cpuid.h"
#include "vm/vm.h"
#include "vmx/ept.h"
#include "vmx/flush.h"
#include "vmx/host.h"

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

int kvml_vmx_vm_init(struct kvml_vm *vm)
{
	vm->mmu.fmt = &kvml_vmx_ept;
	kvml_vmx_flush_warn();
	return 0;
}

/* Or when the probe fails: what is there of all this. */
void kvml_vmx_unload(void)
{
	on_each_cpu(kvml_vmx_usermsr_drop, NULL, true);
	kvml_vmx_hw_exit();
	kvml_vmx_flush_exit();
	kvml_vmx_permission_exit();
}

int kvml_vmx_get_feature_msr(u32 index, u64 *data)
{
	return 1;
}

const struct kvml_ops kvml_vmx_ops = {
	.name = "VT-x",
	.ucode_rev = 0x100000000ull,
	.spec_ctrl = true,
	.forbid_cpuid = vmx_forbid_cpuid,
	.debugfs = kvml_vmx_count_init,
	.hw_emergency = kvml_vmx_hw_emergency,
#define KVML_OP(type, op, ...) .op = kvml_vmx_##op,
#include "base/ops_list.h"
};

int __init kvml_vmx_probe(void)
{
	int err = kvml_vmx_caps_init();

	if (err)
		return err;
	kvml_vmx_ept_init();
	kvml_vmx_host_perf_init();
	kvml_vmcs_init();
	err = kvml_vmx_permission_init() ?: kvml_vmx_flush_init() ?: kvml_vmx_hw_init();
	if (err)
		kvml_vmx_unload();
	return err;
}
