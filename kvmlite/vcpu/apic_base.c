// SPDX-License-Identifier: GPL-2.0
/* See apic_base.h. */
#include "cpuid/cpuid.h"
#include "vcpu/apic_base.h"
#include "vcpu/vcpu.h"

int kvml_apic_base_set(struct kvml_vcpu *vcpu, u64 data, bool host)
{
	u64 reserved = 0x2ff | ~(BIT_ULL(kvml_cpuid_maxphyaddr(vcpu)) - 1);
	u64 modes = MSR_IA32_APICBASE_ENABLE | X2APIC_ENABLE;
	u64 old = vcpu->apic_base & modes, new = data & modes;

	if (!kvml_cpuid_has(vcpu, X86_FEATURE_X2APIC))
		reserved |= X2APIC_ENABLE;
	if (data & reserved || new == X2APIC_ENABLE)
		return 1;
	/* SDM volume 3, figure 11-27: x2APIC is entered from and left to. */
	if (!host && ((old == modes && new == MSR_IA32_APICBASE_ENABLE) ||
		      (!old && new == modes)))
		return 1;
	vcpu->apic_base = data;
	kvml_cpuid_update(vcpu);
	return 0;
}
