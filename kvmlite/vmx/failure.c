// SPDX-License-Identifier: GPL-2.0
/*
 * Why an entry failed: the checks of SDM volume 3, chapter 27 ("VM Entries"),
 * done again in software, one line in the log for each that is broken.
 */
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <asm/msr.h>
#include <asm/vmx.h>

#include "vmx/caps.h"
#include "vmx/failure.h"
#include "vmx/state.h"
#include "vmx/vmcs.h"
#include "vmx/vmx.h"

/* SDM volume 3, table 31-1, those that an entry can give. */
static const char * const instruction_errors[] = {
	[4] = "VMLAUNCH with a VMCS that is launched",
	[5] = "VMRESUME with a VMCS that is not launched",
	[7] = "invalid control fields (SDM 27.2.1)",
	[8] = "invalid host-state fields (SDM 27.2.2)",
	[26] = "entry with events blocked by MOV SS",
};

/* The fields that the checks look at. */
struct guest {
	unsigned long cr0, cr4, rflags, rip, cs_base;
	u64 efer;
	u32 entry, cs_ar, ss_ar, tr_ar, ldtr_ar, activity, interruptibility;
	u32 inject;
	bool long_mode;
};

struct check {
	bool (*broken)(const struct guest *g);
	const char *rule;
};

static bool cr0_fixed(const struct guest *g)
{
	u64 must = kvml_vmx_caps.cr0_fixed0 & ~(X86_CR0_PE | X86_CR0_PG);

	return (g->cr0 & must) != must || g->cr0 & ~kvml_vmx_caps.cr0_fixed1;
}

static bool cr0_pg_pe(const struct guest *g)
{
	return g->cr0 & X86_CR0_PG && !(g->cr0 & X86_CR0_PE);
}

static bool cr4_fixed(const struct guest *g)
{
	return (g->cr4 & kvml_vmx_caps.cr4_fixed0) != kvml_vmx_caps.cr4_fixed0 ||
	       g->cr4 & ~kvml_vmx_caps.cr4_fixed1;
}

static bool ia32e_paging(const struct guest *g)
{
	return g->long_mode && (!(g->cr0 & X86_CR0_PG) ||
				!(g->cr4 & X86_CR4_PAE));
}

static bool pcide_without_ia32e(const struct guest *g)
{
	return !g->long_mode && g->cr4 & X86_CR4_PCIDE;
}

static bool efer_lma(const struct guest *g)
{
	return !!(g->efer & EFER_LMA) != g->long_mode;
}

static bool efer_lme(const struct guest *g)
{
	return g->cr0 & X86_CR0_PG &&
	       !(g->efer & EFER_LMA) != !(g->efer & EFER_LME);
}

static bool cs_usable(const struct guest *g)
{
	return g->cs_ar & BIT(16) || !(g->cs_ar & BIT(7));
}

static bool cs_type(const struct guest *g)
{
	u32 type = g->cs_ar & 0xf;

	return !(type == 3 || type == 9 || type == 11 || type == 13 ||
		 type == 15) || !(g->cs_ar & BIT(4));
}

static bool cs_l_and_db(const struct guest *g)
{
	return g->long_mode && g->cs_ar & BIT(13) && g->cs_ar & BIT(14);
}

static bool ss_type(const struct guest *g)
{
	u32 type = g->ss_ar & 0xf;

	return !(g->ss_ar & BIT(16)) && type != 3 && type != 7;
}

static bool ss_dpl(const struct guest *g)
{
	return !(g->cr0 & X86_CR0_PE) && g->ss_ar >> 5 & 3;
}

static bool tr_usable(const struct guest *g)
{
	return g->tr_ar & BIT(16) || !(g->tr_ar & BIT(7));
}

static bool tr_type(const struct guest *g)
{
	u32 type = g->tr_ar & 0xf;

	return type != 11 && (type != 3 || g->long_mode);
}

static bool ldtr_type(const struct guest *g)
{
	return !(g->ldtr_ar & BIT(16)) && (g->ldtr_ar & 0xf) != 2;
}

/* With as many bits as the host's processor has. */
static bool canonical(unsigned long address)
{
	return sign_extend64(address, boot_cpu_has(X86_FEATURE_LA57) ? 56 : 47) ==
	       address;
}

static bool fs_gs_base(const struct guest *g)
{
	return !canonical(vmcs_read(GUEST_FS_BASE)) ||
	       !canonical(vmcs_read(GUEST_GS_BASE));
}

static bool tr_base(const struct guest *g)
{
	return !canonical(vmcs_read(GUEST_TR_BASE));
}

static bool ldtr_base(const struct guest *g)
{
	return !(g->ldtr_ar & BIT(16)) && !canonical(vmcs_read(GUEST_LDTR_BASE));
}

static bool code_data_base(const struct guest *g)
{
	return (vmcs_read(GUEST_CS_BASE) | vmcs_read(GUEST_SS_BASE) |
		vmcs_read(GUEST_DS_BASE) | vmcs_read(GUEST_ES_BASE)) >> 32;
}

static bool table_base(const struct guest *g)
{
	return !canonical(vmcs_read(GUEST_GDTR_BASE)) ||
	       !canonical(vmcs_read(GUEST_IDTR_BASE));
}

static bool table_limit(const struct guest *g)
{
	return (vmcs_read(GUEST_GDTR_LIMIT) | vmcs_read(GUEST_IDTR_LIMIT)) >> 16;
}

static bool rip_canonical(const struct guest *g)
{
	return !canonical(g->rip);
}

static bool rip_high(const struct guest *g)
{
	return (!g->long_mode || !(g->cs_ar & BIT(13))) && g->rip >> 32;
}

static bool rflags_reserved(const struct guest *g)
{
	return !(g->rflags & X86_EFLAGS_FIXED) || g->rflags >> 22 ||
	       g->rflags & (BIT(3) | BIT(5) | BIT(15));
}

static bool rflags_vm(const struct guest *g)
{
	return g->rflags & X86_EFLAGS_VM &&
	       (g->long_mode || !(g->cr0 & X86_CR0_PE));
}

static bool rflags_if(const struct guest *g)
{
	return (g->inject & (INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK)) ==
	       (INTR_INFO_VALID_MASK | INTR_TYPE_EXT_INTR) &&
	       !(g->rflags & X86_EFLAGS_IF);
}

static bool sti_without_if(const struct guest *g)
{
	return g->interruptibility & GUEST_INTR_STATE_STI &&
	       !(g->rflags & X86_EFLAGS_IF);
}

static bool two_shadows(const struct guest *g)
{
	return g->interruptibility & GUEST_INTR_STATE_STI &&
	       g->interruptibility & GUEST_INTR_STATE_MOV_SS;
}

static const struct check checks[] = {
	{ cr0_fixed, "27.3.1.1: a bit of CR0 is fixed in VMX operation" },
	{ cr0_pg_pe, "27.3.1.1: CR0.PG needs CR0.PE" },
	{ cr4_fixed, "27.3.1.1: a bit of CR4 is fixed in VMX operation" },
	{ ia32e_paging, "27.3.1.1: IA-32e mode needs CR0.PG and CR4.PAE" },
	{ pcide_without_ia32e, "27.3.1.1: CR4.PCIDE needs IA-32e mode" },
	{ efer_lma, "27.3.1.1: EFER.LMA must equal the IA-32e control" },
	{ efer_lme, "27.3.1.1: EFER.LMA must equal EFER.LME with CR0.PG" },
	{ cs_usable, "27.3.1.2: CS must be usable and present" },
	{ cs_type, "27.3.1.2: CS must be an accessed code segment" },
	{ cs_l_and_db, "27.3.1.2: CS.L and CS.D both set" },
	{ ss_type, "27.3.1.2: SS must be accessed and writable" },
	{ ss_dpl, "27.3.1.2: SS.DPL must be 0 in real mode" },
	{ tr_usable, "27.3.1.2: TR must be usable and present" },
	{ tr_type, "27.3.1.2: TR must be a busy TSS" },
	{ ldtr_type, "27.3.1.2: LDTR must be an LDT" },
	{ fs_gs_base, "27.3.1.2: the base of FS or GS is not canonical" },
	{ tr_base, "27.3.1.2: the base of TR is not canonical" },
	{ ldtr_base, "27.3.1.2: the base of LDTR is not canonical" },
	{ code_data_base, "27.3.1.2: a base of CS, SS, DS or ES above 4 GiB" },
	{ table_base, "27.3.1.3: the base of GDTR or IDTR is not canonical" },
	{ table_limit, "27.3.1.3: the limit of GDTR or IDTR is above 0xffff" },
	{ rip_canonical, "27.3.1.4: RIP is not canonical" },
	{ rip_high, "27.3.1.4: RIP has bits above 31 outside 64-bit mode" },
	{ rflags_reserved, "27.3.1.4: a reserved bit of RFLAGS" },
	{ rflags_vm, "27.3.1.4: RFLAGS.VM in IA-32e or real mode" },
	{ rflags_if, "27.3.1.4: an interrupt is injected with RFLAGS.IF 0" },
	{ sti_without_if, "27.3.1.5: blocking by STI with RFLAGS.IF 0" },
	{ two_shadows, "27.3.1.5: blocking by both STI and MOV SS" },
};

static void guest_read(struct guest *g)
{
	g->cr0 = vmcs_read(GUEST_CR0);
	g->cr4 = vmcs_read(GUEST_CR4);
	g->rflags = vmcs_read(GUEST_RFLAGS);
	g->rip = vmcs_read(GUEST_RIP);
	g->efer = vmcs_read(GUEST_IA32_EFER);
	g->entry = vmcs_read(VM_ENTRY_CONTROLS);
	g->cs_ar = vmcs_read(GUEST_CS_AR_BYTES);
	g->ss_ar = vmcs_read(GUEST_SS_AR_BYTES);
	g->tr_ar = vmcs_read(GUEST_TR_AR_BYTES);
	g->ldtr_ar = vmcs_read(GUEST_LDTR_AR_BYTES);
	g->interruptibility = vmcs_read(GUEST_INTERRUPTIBILITY_INFO);
	g->inject = vmcs_read(VM_ENTRY_INTR_INFO_FIELD);
	g->long_mode = g->entry & VM_ENTRY_IA32E_MODE;
}

/* Returns how many checks were broken. */
static unsigned int explain_guest_state(void)
{
	struct guest g;
	unsigned int i, broken = 0;

	guest_read(&g);
	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		if (!checks[i].broken(&g))
			continue;
		broken++;
		pr_info("kvmlite: VM entry failed: SDM volume 3, %s\n",
			checks[i].rule);
	}
	return broken;
}

static const char *instruction_error(u32 error)
{
	if (error < ARRAY_SIZE(instruction_errors) && instruction_errors[error])
		return instruction_errors[error];
	return "see SDM volume 3, table 31-1";
}

static u32 failure_reason(const struct vmx_vcpu *vmx)
{
	return vmx->entry_failed ? vmx->exit.insn_error : vmx->exit.reason;
}

static void explain(struct vmx_vcpu *vmx)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 5);
	u32 reason = failure_reason(vmx);

	if (!__ratelimit(&limit))
		return;
	if (vmx->entry_failed)
		pr_info("kvmlite: VM entry failed, error %u: %s\n", reason,
			instruction_error(reason));
	else if ((reason & 0xffff) != EXIT_REASON_INVALID_STATE)
		pr_info("kvmlite: VM entry failed, exit reason %#x\n", reason);
	else if (!explain_guest_state())
		pr_info("kvmlite: VM entry failed: invalid guest state (SDM volume 3, 27.3.1), qualification %lu\n",
			vmx->exit.qualification);
	kvml_vmx_dump(&vmx->vcpu);
}

int kvml_vmx_entry_failed(struct vmx_vcpu *vmx)
{
	struct kvm_run *run = vmx->vcpu.run;

	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = failure_reason(vmx);
	run->fail_entry.cpu = vmx->vcpu.cpu;
	explain(vmx);
	/* Unlike an exit, it leaves the event there: see settle_events(). */
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	return 0;
}
