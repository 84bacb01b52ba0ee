// SPDX-License-Identifier: GPL-2.0
/*
 * Why an entry failed: the checks of SDM volume 3, chapter 27 ("VM Entries"),
 * done again in software, one line in the log for each that is broken.
 */

#include "vmx/vmx.h"

/* SDM volume 3, table 31-1, those that an entry can give. */
static const char * const instruction_errors[] = {
	[4] = "VMLAUNCH with a VMCS that is launched",
	[5] = "VMRESUME with a VMCS that is not launched",
	[7] = "invalid control fields (SDM 27.2.1)",
	[8] = "invalid host-state fields (SDM 27.2.2)",
	[26] = "entry with events blocked by MOV SS",
};

/* What more than one check looks at. */
struct guest {
	unsigned long cr0, rflags;
	u32 cs_ar;
	bool long_mode;
};

static bool check(bool broken, const char *rule)
{
	if (broken)
		pr_info("kvmlite: VM entry failed: SDM volume 3, %s\n", rule);
	return broken;
}

/* These return true if a rule is broken. */
static bool check_control_registers(const struct guest *g)
{
	const struct kvml_vmx_caps *caps = &kvml_vmx_caps;
	u64 must = caps->cr0_fixed0 & ~(X86_CR0_PE | X86_CR0_PG);
	unsigned long cr4 = vmcs_read(GUEST_CR4);
	bool paging = g->cr0 & X86_CR0_PG;
	u64 efer = vmcs_read(GUEST_IA32_EFER);
	bool bad;

	bad = check((g->cr0 & must) != must || g->cr0 & ~caps->cr0_fixed1,
		    "27.3.1.1: a bit of CR0 is fixed in VMX operation");
	bad |= check(paging && !(g->cr0 & X86_CR0_PE),
		     "27.3.1.1: CR0.PG needs CR0.PE");
	bad |= check((cr4 & caps->cr4_fixed0) != caps->cr4_fixed0 ||
		     cr4 & ~caps->cr4_fixed1,
		     "27.3.1.1: a bit of CR4 is fixed in VMX operation");
	bad |= check(g->long_mode && (!paging || !(cr4 & X86_CR4_PAE)),
		     "27.3.1.1: IA-32e mode needs CR0.PG and CR4.PAE");
	bad |= check(!g->long_mode && cr4 & X86_CR4_PCIDE,
		     "27.3.1.1: CR4.PCIDE needs IA-32e mode");
	bad |= check(!!(efer & EFER_LMA) != g->long_mode,
		     "27.3.1.1: EFER.LMA must equal the IA-32e control");
	bad |= check(paging && !(efer & EFER_LMA) != !(efer & EFER_LME),
		     "27.3.1.1: EFER.LMA must equal EFER.LME with CR0.PG");
	return bad;
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
	bool bad;

	bad = check(absent(g->cs_ar),
		    "27.3.1.2: CS must be usable and present");
	bad |= check(!(code_types & BIT(g->cs_ar & 0xf)) || !(g->cs_ar & BIT(4)),
		     "27.3.1.2: CS must be an accessed code segment");
	bad |= check(g->long_mode && g->cs_ar & BIT(13) && g->cs_ar & BIT(14),
		     "27.3.1.2: CS.L and CS.D both set");
	bad |= check(!(ss_ar & BIT(16)) && ss_type != 3 && ss_type != 7,
		     "27.3.1.2: SS must be accessed and writable");
	bad |= check(!(g->cr0 & X86_CR0_PE) && ss_ar >> 5 & 3,
		     "27.3.1.2: SS.DPL must be 0 in real mode");
	bad |= check(absent(tr_ar), "27.3.1.2: TR must be usable and present");
	bad |= check(tr_type != 11 && (tr_type != 3 || g->long_mode),
		     "27.3.1.2: TR must be a busy TSS");
	bad |= check(!(ldtr_ar & BIT(16)) && (ldtr_ar & 0xf) != 2,
		     "27.3.1.2: LDTR must be an LDT");
	return bad;
}

/* With as many bits as the host's processor has. */
static bool canonical(unsigned long address)
{
	return sign_extend64(address, boot_cpu_has(X86_FEATURE_LA57) ? 56 : 47) ==
	       address;
}

static bool check_bases(void)
{
	bool bad;

	bad = check(!canonical(vmcs_read(GUEST_FS_BASE)) ||
		    !canonical(vmcs_read(GUEST_GS_BASE)),
		    "27.3.1.2: the base of FS or GS is not canonical");
	bad |= check(!canonical(vmcs_read(GUEST_TR_BASE)),
		     "27.3.1.2: the base of TR is not canonical");
	bad |= check(!(vmcs_read(GUEST_LDTR_AR_BYTES) & BIT(16)) &&
		     !canonical(vmcs_read(GUEST_LDTR_BASE)),
		     "27.3.1.2: the base of LDTR is not canonical");
	bad |= check((vmcs_read(GUEST_CS_BASE) | vmcs_read(GUEST_SS_BASE) |
		      vmcs_read(GUEST_DS_BASE) | vmcs_read(GUEST_ES_BASE)) >> 32,
		     "27.3.1.2: a base of CS, SS, DS or ES above 4 GiB");
	bad |= check(!canonical(vmcs_read(GUEST_GDTR_BASE)) ||
		     !canonical(vmcs_read(GUEST_IDTR_BASE)),
		     "27.3.1.3: the base of GDTR or IDTR is not canonical");
	bad |= check((vmcs_read(GUEST_GDTR_LIMIT) |
		      vmcs_read(GUEST_IDTR_LIMIT)) >> 16,
		     "27.3.1.3: the limit of GDTR or IDTR is above 0xffff");
	return bad;
}

static bool check_flow(const struct guest *g)
{
	u32 inject = vmcs_read(VM_ENTRY_INTR_INFO_FIELD);
	u32 shadow = vmcs_read(GUEST_INTERRUPTIBILITY_INFO);
	unsigned long rip = vmcs_read(GUEST_RIP);
	bool no_interrupts = !(g->rflags & X86_EFLAGS_IF), bad;

	bad = check(!canonical(rip), "27.3.1.4: RIP is not canonical");
	bad |= check((!g->long_mode || !(g->cs_ar & BIT(13))) && rip >> 32,
		     "27.3.1.4: RIP has bits above 31 outside 64-bit mode");
	bad |= check(!(g->rflags & X86_EFLAGS_FIXED) || g->rflags >> 22 ||
		     g->rflags & (BIT(3) | BIT(5) | BIT(15)),
		     "27.3.1.4: a reserved bit of RFLAGS");
	bad |= check(g->rflags & X86_EFLAGS_VM &&
		     (g->long_mode || !(g->cr0 & X86_CR0_PE)),
		     "27.3.1.4: RFLAGS.VM in IA-32e or real mode");
	bad |= check((inject & (INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK)) ==
		     (INTR_INFO_VALID_MASK | INTR_TYPE_EXT_INTR) && no_interrupts,
		     "27.3.1.4: an interrupt is injected with RFLAGS.IF 0");
	bad |= check(shadow & GUEST_INTR_STATE_STI && no_interrupts,
		     "27.3.1.5: blocking by STI with RFLAGS.IF 0");
	bad |= check(shadow & GUEST_INTR_STATE_STI &&
		     shadow & GUEST_INTR_STATE_MOV_SS,
		     "27.3.1.5: blocking by both STI and MOV SS");
	return bad;
}

static bool explain_guest_state(void)
{
	const struct guest g = {
		.cr0 = vmcs_read(GUEST_CR0),
		.rflags = vmcs_read(GUEST_RFLAGS),
		.cs_ar = vmcs_read(GUEST_CS_AR_BYTES),
		.long_mode = vmcs_read(VM_ENTRY_CONTROLS) & VM_ENTRY_IA32E_MODE,
	};
	bool bad = check_control_registers(&g);

	bad |= check_segments(&g);
	bad |= check_bases();
	bad |= check_flow(&g);
	return bad;
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
