// SPDX-License-Identifier: GPL-2.0
/* Negotiation of VMX controls. See caps.h. */
#include <asm/vmx.h>

#include "vmx/caps.h"

struct kvml_vmx_caps kvml_vmx_caps __ro_after_init;

/*
 * Flexible return and event delivery: INT 2 does not come to the handler of NMIs as
 * an NMI does, and the kernel's entry for that is for its own KVM.
 */
#define CR4_FRED	BIT(32)

/* How long a guest may run without any exit, in ms. */
#define PREEMPTION_MS	10

struct control {
	const char *name;
	u32 msr;		/* low half: must be 1; high half: may be 1 */
	u32 required;
	u32 optional;
	u32 *result;
};

static const struct control controls[] = {
	{
		.name = "pin-based",
		.msr = MSR_IA32_VMX_TRUE_PINBASED_CTLS,
		.required = PIN_BASED_EXT_INTR_MASK | PIN_BASED_NMI_EXITING |
			    PIN_BASED_VIRTUAL_NMIS,
		.optional = PIN_BASED_VMX_PREEMPTION_TIMER,
		.result = &kvml_vmx_caps.pin,
	}, {
		.name = "processor-based",
		.msr = MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
		.required =
			CPU_BASED_HLT_EXITING | CPU_BASED_CR8_LOAD_EXITING |
			CPU_BASED_CR8_STORE_EXITING | CPU_BASED_RDPMC_EXITING |
			CPU_BASED_UNCOND_IO_EXITING | CPU_BASED_MOV_DR_EXITING |
			CPU_BASED_USE_TSC_OFFSETTING | CPU_BASED_MWAIT_EXITING |
			CPU_BASED_MONITOR_EXITING | CPU_BASED_USE_MSR_BITMAPS |
			CPU_BASED_ACTIVATE_SECONDARY_CONTROLS,
		.result = &kvml_vmx_caps.cpu,
	}, {
		.name = "secondary processor-based",
		.msr = MSR_IA32_VMX_PROCBASED_CTLS2,
		.required = SECONDARY_EXEC_ENABLE_EPT |
			    SECONDARY_EXEC_UNRESTRICTED_GUEST |
			    SECONDARY_EXEC_ENABLE_VPID,
		.optional = SECONDARY_EXEC_WBINVD_EXITING |
			    SECONDARY_EXEC_ENABLE_RDTSCP |
			    SECONDARY_EXEC_ENABLE_INVPCID |
			    SECONDARY_EXEC_ENCLS_EXITING,
		.result = &kvml_vmx_caps.cpu2,
	}, {
		.name = "VM-exit",
		.msr = MSR_IA32_VMX_TRUE_EXIT_CTLS,
		.required = VM_EXIT_HOST_ADDR_SPACE_SIZE |
			    VM_EXIT_LOAD_IA32_EFER |
			    VM_EXIT_SAVE_DEBUG_CONTROLS,
		.optional = VM_EXIT_LOAD_IA32_PAT | VM_EXIT_SAVE_IA32_PAT,
		.result = &kvml_vmx_caps.exit,
	}, {
		.name = "VM-entry",
		.msr = MSR_IA32_VMX_TRUE_ENTRY_CTLS,
		.required = VM_ENTRY_LOAD_IA32_EFER |
			    VM_ENTRY_LOAD_DEBUG_CONTROLS,
		.optional = VM_ENTRY_LOAD_IA32_PAT,
		.result = &kvml_vmx_caps.entry,
	},
};

static int __init control_choose(const struct control *c)
{
	u64 allowed;
	u32 missing;

	if (rdmsrq_safe(c->msr, &allowed))
		allowed = 0;
	missing = c->required & ~(allowed >> 32);
	if (missing) {
		pr_err("kvmlite: this CPU lacks %s VMX controls %#x (MSR %#x): EPT, unrestricted guest and EFER switching are needed\n",
		       c->name, missing, c->msr);
		return -EOPNOTSUPP;
	}
	*c->result = (c->required | c->optional | (u32)allowed) &
		     (allowed >> 32);
	return 0;
}

/* What is looked at in MSR_IA32_VMX_EPT_VPID_CAP. */
#define EPT_VPID_USED							\
	(VMX_EPT_PAGE_WALK_4_BIT | VMX_EPTP_WB_BIT | VMX_EPT_INVEPT_BIT |	\
	 VMX_EPT_2MB_PAGE_BIT | VMX_EPT_AD_BIT | VMX_EPT_EXTENT_CONTEXT_BIT |	\
	 (u64)(VMX_VPID_INVVPID_BIT | VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT) << 32)

static int __init ept_choose(void)
{
	struct kvml_vmx_caps *caps = &kvml_vmx_caps;
	u64 cap;

	rdmsrq(MSR_IA32_VMX_EPT_VPID_CAP, cap);
	caps->ept_vpid = cap & EPT_VPID_USED;
	if (!(cap & VMX_EPT_PAGE_WALK_4_BIT) || !(cap & VMX_EPTP_WB_BIT) ||
	    !(cap & VMX_EPT_INVEPT_BIT)) {
		pr_err("kvmlite: this CPU's EPT lacks 4-level walks, write-back tables or INVEPT (MSR %#x is %#llx)\n",
		       MSR_IA32_VMX_EPT_VPID_CAP, cap);
		return -EOPNOTSUPP;
	}
	caps->ept_2m = cap & VMX_EPT_2MB_PAGE_BIT;
	caps->ept_ad = cap & VMX_EPT_AD_BIT;
	caps->invept_context = cap & VMX_EPT_EXTENT_CONTEXT_BIT;
	caps->invvpid_context = (cap >> 32) & VMX_VPID_INVVPID_BIT &&
				(cap >> 32) & VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT;
	caps->eptp_bits = VMX_EPTP_PWL_4 | VMX_EPTP_MT_WB;
	if (caps->ept_ad)
		caps->eptp_bits |= VMX_EPTP_AD_ENABLE_BIT;
	return 0;
}

/*
 * A guest with interrupts off in an endless loop leaves by the host's
 * interrupts on silicon, but not in every emulator or nested hypervisor: the
 * VMX preemption timer, restarted at each entry, makes sure.
 */
static void __init preemption_timer_choose(void)
{
	struct kvml_vmx_caps *caps = &kvml_vmx_caps;
	u64 misc, value;

	if (!(caps->pin & PIN_BASED_VMX_PREEMPTION_TIMER))
		return;
	rdmsrq(MSR_IA32_VMX_MISC, misc);
	value = ((u64)tsc_khz * PREEMPTION_MS) >> (misc & 0x1f);
	caps->preemption_timer = clamp_t(u64, value, 1, U32_MAX);
}

/* On any CPU: may @chosen be written, is what must be on in it? */
static bool control_fits(const struct control *c)
{
	u32 chosen = *c->result;
	u64 allowed;

	return !rdmsrq_safe(c->msr, &allowed) &&
	       !(chosen & ~(u32)(allowed >> 32)) && !((u32)allowed & ~chosen);
}

static bool fixed_bits_fit(void)
{
	const struct kvml_vmx_caps *caps = &kvml_vmx_caps;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;

	rdmsrq(MSR_IA32_VMX_CR0_FIXED0, cr0_fixed0);
	rdmsrq(MSR_IA32_VMX_CR0_FIXED1, cr0_fixed1);
	rdmsrq(MSR_IA32_VMX_CR4_FIXED0, cr4_fixed0);
	rdmsrq(MSR_IA32_VMX_CR4_FIXED1, cr4_fixed1);
	return !(cr0_fixed0 & ~caps->cr0_fixed0) &&
	       !(caps->cr0_fixed1 & ~cr0_fixed1) &&
	       !(cr4_fixed0 & ~caps->cr4_fixed0) && !(caps->cr4_fixed1 & ~cr4_fixed1);
}

static const char *what_is_less(void)
{
	const struct kvml_vmx_caps *caps = &kvml_vmx_caps;
	unsigned int i;
	u64 value;

	rdmsrq(MSR_IA32_VMX_BASIC, value);
	if ((value & GENMASK(30, 0)) != caps->revision)
		return "VMCS revision";
	for (i = 0; i < ARRAY_SIZE(controls); i++)
		if (!control_fits(&controls[i]))
			return controls[i].name;
	rdmsrq(MSR_IA32_VMX_EPT_VPID_CAP, value);
	if (caps->ept_vpid & ~value)
		return "EPT and VPID";
	return fixed_bits_fit() ? NULL : "CR0 and CR4";
}

int kvml_vmx_caps_check(void)
{
	const char *less = what_is_less();

	if (!less)
		return 0;
	pr_err("kvmlite: CPU %d: its VT-x (%s) lacks something that the first CPU's has\n",
	       raw_smp_processor_id(), less);
	return -EIO;
}

int __init kvml_vmx_caps_init(void)
{
	struct kvml_vmx_caps *caps = &kvml_vmx_caps;
	u64 basic, feature;
	unsigned int i;
	int err;

	if (!boot_cpu_has(X86_FEATURE_VMX))
		return -ENODEV;
	if (rdmsrq_safe(MSR_IA32_FEAT_CTL, &feature) ||
	    !(feature & FEAT_CTL_LOCKED) || !(feature & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) {
		pr_err("kvmlite: the firmware has switched VT-x off: switch it on in the BIOS setup\n");
		return -EOPNOTSUPP;
	}
	if (__read_cr4() & CR4_FRED) {
		pr_err("kvmlite: the kernel uses FRED, which kvmlite does not support with VT-x: boot with fred=off\n");
		return -EOPNOTSUPP;
	}
	rdmsrq(MSR_IA32_VMX_BASIC, basic);
	if (!(basic & BIT_ULL(55))) {
		pr_err("kvmlite: this CPU has no true VMX controls (MSR %#x)\n",
		       MSR_IA32_VMX_BASIC);
		return -EOPNOTSUPP;
	}
	caps->revision = basic & GENMASK(30, 0);
	for (i = 0; i < ARRAY_SIZE(controls); i++) {
		err = control_choose(&controls[i]);
		if (err)
			return err;
	}
	rdmsrq(MSR_IA32_VMX_CR0_FIXED0, caps->cr0_fixed0);
	rdmsrq(MSR_IA32_VMX_CR0_FIXED1, caps->cr0_fixed1);
	rdmsrq(MSR_IA32_VMX_CR4_FIXED0, caps->cr4_fixed0);
	rdmsrq(MSR_IA32_VMX_CR4_FIXED1, caps->cr4_fixed1);
	preemption_timer_choose();
	return ept_choose();
}
