// SPDX-License-Identifier: GPL-2.0
/*
 * Why an entry failed: the checks of SDM volume 3, chapter 27 ("VM Entries"),
 * done again in software, one line in the log for each that is broken.
 */

#include "vcpu/error.h"
#include "vmx/vmx.h"

/* What more than one check looks at. */
struct guest {
	const struct kvml_vcpu *vcpu;
	unsigned long cr0, rflags;
	u32 cs_ar;
	bool long_mode;
};

static bool check(const struct kvml_vcpu *vcpu, const struct kvml_entry_rule *rules,
		  unsigned int n)
{
	return kvml_entry_broken(vcpu, "SDM volume 3", rules, n);
}

/* These return true if a rule is broken. */
static bool check_control_registers(const struct guest *g)
{
	const struct kvml_vmx_caps *caps = &kvml_vmx_caps;
	u64 must = caps->cr0_fixed0 & ~(X86_CR0_PE | X86_CR0_PG);
	unsigned long cr4 = vmcs_read(GUEST_CR4);
	bool paging = g->cr0 & X86_CR0_PG;
	u64 efer = vmcs_read(GUEST_IA32_EFER);
	const struct kvml_entry_rule rules[] = {
		{ (g->cr0 & must) != must || g->cr0 & ~caps->cr0_fixed1,
		  "27.3.1.1: a bit of CR0 is fixed in VMX operation" },
		{ paging && !(g->cr0 & X86_CR0_PE), "27.3.1.1: CR0.PG needs CR0.PE" },
		{ (cr4 & caps->cr4_fixed0) != caps->cr4_fixed0 || cr4 & ~caps->cr4_fixed1,
		  "27.3.1.1: a bit of CR4 is fixed in VMX operation" },
		{ g->long_mode && (!paging || !(cr4 & X86_CR4_PAE)),
		  "27.3.1.1: IA-32e mode needs CR0.PG and CR4.PAE" },
		{ !g->long_mode && cr4 & X86_CR4_PCIDE,
		  "27.3.1.1: CR4.PCIDE needs IA-32e mode" },
		{ !!(efer & EFER_LMA) != g->long_mode,
		  "27.3.1.1: EFER.LMA must equal the IA-32e control" },
		{ paging && !(efer & EFER_LMA) != !(efer & EFER_LME),
		  "27.3.1.1: EFER.LMA must equal EFER.LME with CR0.PG" },
	};

	return check(g->vcpu, rules, ARRAY_SIZE(rules));
}

/* Unusable, or not present. */
static bool absent(u32 ar)
{
	return ar & BIT(16) || !(ar & BIT(7));
}

static bool check_segments(const struct guest *g)
{
	const u32 code_types = BIT(3) | BIT(9) | BIT(11) | BIT(13) | BIT(15);
	u32 ss_ar = vmcs_read(GUEST_SS_AR_BYTES);
	u32 tr_ar = vmcs_read(GUEST_TR_AR_BYTES);
	u32 ldtr_ar = vmcs_read(GUEST_LDTR_AR_BYTES);
	u32 ss_type = ss_ar & 0xf, tr_type = tr_ar & 0xf;
	const struct kvml_entry_rule rules[] = {
		{ absent(g->cs_ar), "27.3.1.2: CS must be usable and present" },
		{ !(code_types & BIT(g->cs_ar & 0xf)) || !(g->cs_ar & BIT(4)),
		  "27.3.1.2: CS must be an accessed code segment" },
		{ g->long_mode && g->cs_ar & BIT(13) && g->cs_ar & BIT(14),
		  "27.3.1.2: CS.L and CS.D both set" },
		{ !(ss_ar & BIT(16)) && ss_type != 3 && ss_type != 7,
		  "27.3.1.2: SS must be accessed and writable" },
		{ !(g->cr0 & X86_CR0_PE) && ss_ar >> 5 & 3,
		  "27.3.1.2: SS.DPL must be 0 in real mode" },
		{ absent(tr_ar), "27.3.1.2: TR must be usable and present" },
		{ tr_type != 11 && (tr_type != 3 || g->long_mode),
		  "27.3.1.2: TR must be a busy TSS" },
		{ !(ldtr_ar & BIT(16)) && (ldtr_ar & 0xf) != 2,
		  "27.3.1.2: LDTR must be an LDT" },
	};

	return check(g->vcpu, rules, ARRAY_SIZE(rules));
}

/* With as many bits as the host's processor has. */
static bool canonical(unsigned long address)
{
	return sign_extend64(address, boot_cpu_has(X86_FEATURE_LA57) ? 56 : 47) == address;
}

static bool check_bases(const struct guest *g)
{
	bool ldtr = !(vmcs_read(GUEST_LDTR_AR_BYTES) & BIT(16));
	const struct kvml_entry_rule rules[] = {
		{ !canonical(vmcs_read(GUEST_FS_BASE)) || !canonical(vmcs_read(GUEST_GS_BASE)),
		  "27.3.1.2: the base of FS or GS is not canonical" },
		{ !canonical(vmcs_read(GUEST_TR_BASE)),
		  "27.3.1.2: the base of TR is not canonical" },
		{ ldtr && !canonical(vmcs_read(GUEST_LDTR_BASE)),
		  "27.3.1.2: the base of LDTR is not canonical" },
		{ (vmcs_read(GUEST_CS_BASE) | vmcs_read(GUEST_SS_BASE) |
		   vmcs_read(GUEST_DS_BASE) | vmcs_read(GUEST_ES_BASE)) >> 32,
		  "27.3.1.2: a base of CS, SS, DS or ES above 4 GiB" },
		{ !canonical(vmcs_read(GUEST_GDTR_BASE)) ||
		  !canonical(vmcs_read(GUEST_IDTR_BASE)),
		  "27.3.1.3: the base of GDTR or IDTR is not canonical" },
		{ (vmcs_read(GUEST_GDTR_LIMIT) | vmcs_read(GUEST_IDTR_LIMIT)) >> 16,
		  "27.3.1.3: the limit of GDTR or IDTR is above 0xffff" },
	};

	return check(g->vcpu, rules, ARRAY_SIZE(rules));
}

static bool check_flow(const struct guest *g)
{
	u32 event = vmcs_read(VM_ENTRY_INTR_INFO_FIELD);
	u32 shadow = vmcs_read(GUEST_INTERRUPTIBILITY_INFO);
	unsigned long rip = vmcs_read(GUEST_RIP);
	bool no_interrupts = !(g->rflags & X86_EFLAGS_IF);
	const struct kvml_entry_rule rules[] = {
		{ !canonical(rip), "27.3.1.4: RIP is not canonical" },
		{ (!g->long_mode || !(g->cs_ar & BIT(13))) && rip >> 32,
		  "27.3.1.4: RIP has bits above 31 outside 64-bit mode" },
		{ !(g->rflags & X86_EFLAGS_FIXED) || g->rflags >> 22 ||
		  g->rflags & (BIT(3) | BIT(5) | BIT(15)),
		  "27.3.1.4: a reserved bit of RFLAGS" },
		{ g->rflags & X86_EFLAGS_VM && (g->long_mode || !(g->cr0 & X86_CR0_PE)),
		  "27.3.1.4: RFLAGS.VM in IA-32e or real mode" },
		{ (event & (INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK)) ==
		  (INTR_INFO_VALID_MASK | INTR_TYPE_EXT_INTR) && no_interrupts,
		  "27.3.1.4: an interrupt is injected with RFLAGS.IF 0" },
		{ shadow & GUEST_INTR_STATE_STI && no_interrupts,
		  "27.3.1.5: blocking by STI with RFLAGS.IF 0" },
		{ shadow & GUEST_INTR_STATE_STI && shadow & GUEST_INTR_STATE_MOV_SS,
		  "27.3.1.5: blocking by both STI and MOV SS" },
	};

	return check(g->vcpu, rules, ARRAY_SIZE(rules));
}

static bool check_guest_state(const struct kvml_vcpu *vcpu)
{
	const struct guest g = {
		.vcpu = vcpu,
		.cr0 = vmcs_read(GUEST_CR0),
		.rflags = vmcs_read(GUEST_RFLAGS),
		.cs_ar = vmcs_read(GUEST_CS_AR_BYTES),
		.long_mode = vmcs_read(VM_ENTRY_CONTROLS) & VM_ENTRY_IA32E_MODE,
	};

	return check_control_registers(&g) | check_segments(&g) | check_bases(&g) |
	       check_flow(&g);
}

/* Those that an entry can give. */
static bool check_instruction(const struct kvml_vcpu *vcpu, u32 error)
{
	const struct kvml_entry_rule rules[] = {
		{ error == 4, "table 31-1: VMLAUNCH with a VMCS that is launched" },
		{ error == 5, "table 31-1: VMRESUME with a VMCS that is not launched" },
		{ error == 7, "27.2.1: invalid control fields" },
		{ error == 8, "27.2.2: invalid host-state fields" },
		{ error == 26, "table 31-1: entry with events blocked by MOV SS" },
	};

	return check(vcpu, rules, ARRAY_SIZE(rules));
}

static bool explain(struct kvml_vcpu *vcpu)
{
	const struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (vmx->entry_failed)
		return check_instruction(vcpu, vmx->exit.insn_error);
	return (u16)vmx->exit.reason == EXIT_REASON_INVALID_STATE && check_guest_state(vcpu);
}

int kvml_vmx_entry_failed(struct vmx_vcpu *vmx)
{
	kvml_entry_failed(&vmx->vcpu, vmx->entry_failed ? vmx->exit.insn_error :
			  vmx->exit.reason, explain);
	/* Unlike an exit, it leaves the event there: see settle_events(). */
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	return 0;
}
