// SPDX-License-Identifier: GPL-2.0
/* The guest's registers in the VMCB (APM volume 2, appendix B, table B-2). */
#include <asm/tlbflush.h>
#include <asm/trapnr.h>

#include "base/quirk.h"
#include "svm/host.h"
#include "svm/svm.h"
#include "vcpu/regs.h"

/* ---- general and control registers ---- */

static unsigned long rflags_of(struct svm_vcpu *svm)
{
	unsigned long value = svm->vmcb->save.rflags;

	if (unlikely(svm->nmi_step) && !svm->nmi_step_tf)
		value &= ~X86_EFLAGS_TF;
	/* TF is the debugger's then. */
	if (kvml_debug_single_step(&svm->vcpu)) {
		svm->vcpu.debug_tf = value & X86_EFLAGS_TF;
		value &= ~X86_EFLAGS_TF;
	}
	return value;
}

void kvml_svm_regs_fetch(struct kvml_vcpu *vcpu)
{
	const struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;
	u32 missing = ~vcpu->reg_avail & KVML_EXIT_REGS;

	if (missing & BIT(KVML_RSP))
		vcpu->reg[KVML_RSP] = save->rsp;
	if (missing & BIT(KVML_RIP))
		vcpu->reg[KVML_RIP] = save->rip;
	if (missing & BIT(KVML_RFLAGS))
		vcpu->reg[KVML_RFLAGS] = rflags_of(to_svm(vcpu));
	vcpu->reg_avail |= KVML_EXIT_REGS;
}

void kvml_svm_reg_fetch(struct kvml_vcpu *vcpu, unsigned int reg)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_save_area *save = &svm->vmcb->save;
	unsigned long *value = &vcpu->reg[reg];

	switch (reg) {
	case KVML_RSP:
	case KVML_RIP:
	case KVML_RFLAGS:
		/* Who asks for one of them mostly needs all. */
		kvml_svm_regs_fetch(vcpu);
		return;
	case KVML_CR0:
		/* If it is not the real one, all writes exit: what was set holds. */
		*value = svm->cr0_hidden ? svm->cr0 : save->cr0;
		break;
	case KVML_CR3:
		*value = save->cr3;
		break;
	default:
		WARN_ONCE(1, "kvmlite: register %u is not in the VMCB\n", reg);
		return;
	}
	vcpu->reg_avail |= BIT(reg);
}

/* To the VMCB, before an entry. */
void kvml_svm_regs_flush(struct svm_vcpu *svm)
{
	struct vmcb_save_area *save = &svm->vmcb->save;
	struct kvml_vcpu *vcpu = &svm->vcpu;
	u32 dirty = vcpu->reg_dirty;

	if (dirty & BIT(KVML_RIP))
		save->rip = vcpu->reg[KVML_RIP];
	if (dirty & BIT(KVML_RSP))
		save->rsp = vcpu->reg[KVML_RSP];
	if (dirty & BIT(KVML_RFLAGS)) {
		save->rflags = vcpu->reg[KVML_RFLAGS];
		if (kvml_debug_single_step(vcpu) && vcpu->debug_tf)
			save->rflags |= X86_EFLAGS_TF;
		if (unlikely(svm->nmi_step)) {
			svm->nmi_step_tf = save->rflags & X86_EFLAGS_TF;
			save->rflags |= X86_EFLAGS_TF;
		}
	}
	if (dirty & BIT(KVML_CR3)) {
		save->cr3 = vcpu->reg[KVML_CR3];
		vmcb_dirty(svm->vmcb, VMCB_CR);
	}
	vcpu->reg_dirty = 0;
}

/*
 * Caching stays on, whatever the guest says (a quirk).  If its CR0 is the real one, it
 * may read it and change TS and MP (15.9, selective intercept).
 */
void kvml_svm_set_cr0(struct kvml_vcpu *vcpu, unsigned long cr0)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	unsigned long real = cr0;

	if (kvml_has_quirk(vcpu, KVM_X86_QUIRK_CD_NW_CLEARED))
		real &= ~(X86_CR0_NW | X86_CR0_CD);
	/* With MP, or WAIT would look at the VMM's x87 state. */
	if (svm->fpu_trap)
		real |= X86_CR0_TS | X86_CR0_MP;
	svm->cr0 = cr0;
	svm->cr0_hidden = real != cr0 || svm->fpu_trap;
	svm->vmcb->save.cr0 = real;
	vmcb_dirty(svm->vmcb, VMCB_CR);
	vmcb_intercept(svm->vmcb, INTERCEPT_CR0_READ, svm->cr0_hidden);
	vmcb_intercept(svm->vmcb, INTERCEPT_CR0_WRITE, svm->cr0_hidden);
	vcpu->reg[KVML_CR0] = cr0;
	vcpu->reg_avail |= BIT(KVML_CR0);
}

static void update_exceptions(struct svm_vcpu *svm)
{
	svm->vmcb->control.intercepts[INTERCEPT_EXCEPTION] =
		kvml_exceptions(&svm->vcpu, svm->fpu_trap);
	vmcb_dirty(svm->vmcb, VMCB_INTERCEPTS);
}

/* Before an entry; see fpu.h. */
void kvml_svm_set_fpu_trap(struct svm_vcpu *svm, bool on)
{
	unsigned long cr0 = kvml_reg(&svm->vcpu, KVML_CR0);

	svm->fpu_trap = on;
	kvml_svm_set_cr0(&svm->vcpu, cr0);
	update_exceptions(svm);
}

/* A machine check is the host's: without MCE it would be a shutdown. */
void kvml_svm_set_pdptes(struct kvml_vcpu *vcpu, const u64 *pdptes)
{
}

void kvml_svm_set_cr4(struct kvml_vcpu *vcpu, unsigned long cr4)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	unsigned long real = cr4 | (native_read_cr4() & X86_CR4_MCE);

	svm->vmcb->save.cr4 = real;
	vmcb_dirty(svm->vmcb, VMCB_CR);
	vmcb_intercept(svm->vmcb, INTERCEPT_CR4_READ, real != cr4);
	vmcb_intercept(svm->vmcb, INTERCEPT_CR4_WRITE, true);
	vcpu->reg[KVML_CR4] = cr4;
	vcpu->reg_avail |= BIT(KVML_CR4);
}

/* VMRUN insists on SVME. */
void kvml_svm_set_efer(struct kvml_vcpu *vcpu, u64 efer)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	vcpu->efer = efer;
	svm->vmcb->save.efer = efer | EFER_SVME;
	vmcb_dirty(svm->vmcb, VMCB_CR);
}

/* ---- segments ---- */

static struct vmcb_seg *segment(struct kvml_vcpu *vcpu, enum kvml_seg seg)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;

	switch (seg) {
	case KVML_LDTR:
		return &save->ldtr;
	case KVML_TR:
		return &save->tr;
	default:
		/* ES to GS lie in our order. */
		return &save->es + seg;
	}
}

/* Bits 8 to 11 are 20 to 23 of the descriptor (15.5.1). */
void kvml_svm_get_segment(struct kvml_vcpu *vcpu, enum kvml_seg seg, struct kvm_segment *out)
{
	const struct vmcb_seg *in = segment(vcpu, seg);
	u16 attrib = in->attrib;

	kvml_segment_unpack(out, (attrib & 0xff) | (attrib & 0xf00) << 4);
	out->selector = in->selector;
	out->base = in->base;
	out->limit = in->limit;
	/* CPUs keep CS's no better than others theirs, and go by the limit alone. */
	out->g = out->limit > 0xfffff;
	out->unusable = !out->present;
	/* The CPU keeps SS's and CPL apart, and of TR not that it is busy. */
	if (seg == KVML_SS)
		out->dpl = to_svm(vcpu)->vmcb->save.cpl;
	if (seg == KVML_TR)
		out->type |= 2;
}

void kvml_svm_set_segment(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			  const struct kvm_segment *in)
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;
	struct vmcb_seg *out = segment(vcpu, seg);
	u16 ar = kvml_segment_pack(in);

	out->selector = in->selector;
	out->base = in->base;
	out->limit = in->limit;
	out->attrib = (ar & 0xff) | ar >> 12 << 8;
	if (in->unusable)
		out->attrib &= ~SVM_SELECTOR_P_MASK;
	if (seg == KVML_SS)
		vmcb->save.cpl = in->dpl & 3;
	vmcb_dirty(vmcb, VMCB_SEG);
}

unsigned long kvml_svm_segment_base(struct kvml_vcpu *vcpu, enum kvml_seg seg)
{
	return segment(vcpu, seg)->base;
}

int kvml_svm_cpl(struct kvml_vcpu *vcpu)
{
	return to_svm(vcpu)->vmcb->save.cpl;
}

int kvml_svm_code_bits(struct kvml_vcpu *vcpu)
{
	u16 attrib = to_svm(vcpu)->vmcb->save.cs.attrib;

	if (kvml_long_mode(vcpu) && attrib & BIT(9))
		return 64;
	return attrib & BIT(10) ? 32 : 16;
}

void kvml_svm_code_mode(struct kvml_vcpu *vcpu, int *bits, int *cpl)
{
	*bits = kvml_svm_code_bits(vcpu);
	*cpl = kvml_svm_cpl(vcpu);
}

static struct vmcb_seg *table_of(struct kvml_vcpu *vcpu, enum kvml_table table)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;

	return table == KVML_GDT ? &save->gdtr : &save->idtr;
}

void kvml_svm_get_table(struct kvml_vcpu *vcpu, enum kvml_table table, struct kvm_dtable *out)
{
	out->base = table_of(vcpu, table)->base;
	out->limit = table_of(vcpu, table)->limit;
}

void kvml_svm_set_table(struct kvml_vcpu *vcpu, enum kvml_table table,
			const struct kvm_dtable *in)
{
	table_of(vcpu, table)->base = in->base;
	table_of(vcpu, table)->limit = in->limit;
	vmcb_dirty(to_svm(vcpu)->vmcb, VMCB_DT);
}

/* ---- MSRs ---- */

/* Where the MSR is, in the VMCB or beside it; NULL: none of these. */
static u64 *msr_field(struct kvml_vcpu *vcpu, u32 index)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;

	switch (index) {
	case MSR_STAR:
		return &save->star;
	case MSR_LSTAR:
		return &save->lstar;
	case MSR_CSTAR:
		return &save->cstar;
	case MSR_SYSCALL_MASK:
		return &save->sfmask;
	case MSR_KERNEL_GS_BASE:
		return &save->kernel_gs_base;
	case MSR_FS_BASE:
		return &save->fs.base;
	case MSR_GS_BASE:
		return &save->gs.base;
	case MSR_IA32_SYSENTER_CS:
		return &save->sysenter_cs;
	case MSR_IA32_SYSENTER_ESP:
		return &save->sysenter_esp;
	case MSR_IA32_SYSENTER_EIP:
		return &save->sysenter_eip;
	case MSR_IA32_CR_PAT:
		return &save->g_pat;
	case MSR_TSC_AUX:
		return &to_svm(vcpu)->tsc_aux;
	case MSR_AMD64_DE_CFG:
		return &to_svm(vcpu)->de_cfg;
	case MSR_IA32_SPEC_CTRL:
		return &to_svm(vcpu)->spec_ctrl;
	}
	return NULL;
}

/* The VMCB's is the guest's own where VMRUN loads it; else run.c does. */
static bool is_vmcb_spec_ctrl(u32 index)
{
	return index == MSR_IA32_SPEC_CTRL && boot_cpu_has(X86_FEATURE_V_SPEC_CTRL);
}

int kvml_svm_get_msr(struct kvml_vcpu *vcpu, u32 index, u64 *data)
{
	const u64 *field = msr_field(vcpu, index);

	if (!field)
		return 1;
	*data = is_vmcb_spec_ctrl(index) ? to_svm(vcpu)->vmcb->save.spec_ctrl :
					   *field;
	return 0;
}

/* Where LFENCE serializes, a guest may say so; it changes nothing. */
int kvml_svm_get_feature_msr(u32 index, u64 *data)
{
	if (index != MSR_AMD64_DE_CFG)
		return 1;
	*data = boot_cpu_has(X86_FEATURE_LFENCE_RDTSC) ?
		MSR_AMD64_DE_CFG_LFENCE_SERIALIZE : 0;
	return 0;
}

static bool de_cfg_allowed(u64 data)
{
	u64 allowed;

	return !kvml_svm_get_feature_msr(MSR_AMD64_DE_CFG, &allowed) && !(data & ~allowed);
}

static void set_tsc_aux(struct svm_vcpu *svm, u64 data)
{
	preempt_disable();
	/* Loaded with the next entry. */
	kvml_svm_vcpu_put(&svm->vcpu);
	svm->tsc_aux = data;
	preempt_enable();
}

int kvml_svm_set_msr(struct kvml_vcpu *vcpu, u32 index, u64 data)
{
	u64 *field = msr_field(vcpu, index);

	if (!field || (index == MSR_AMD64_DE_CFG && !de_cfg_allowed(data)))
		return 1;
	if (index == MSR_TSC_AUX)
		set_tsc_aux(to_svm(vcpu), data);
	else if (is_vmcb_spec_ctrl(index))
		to_svm(vcpu)->vmcb->save.spec_ctrl = data;
	else
		*field = data;
	if (index == MSR_IA32_CR_PAT)
		vmcb_dirty(to_svm(vcpu)->vmcb, VMCB_NPT);
	return 0;
}

/* ---- debug registers, TSC ---- */

void kvml_svm_update_debug(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	update_exceptions(svm);
	svm->vmcb->control.intercepts[INTERCEPT_DR] = vcpu->dr_open ? 0 : U32_MAX;
	svm->vmcb->save.dr7 = kvml_debug_dr7(vcpu);
	if (vcpu->dr_open)
		svm->vmcb->save.dr6 = vcpu->dr6;
	vmcb_dirty(svm->vmcb, VMCB_DR);
}

/* The handler of #DB looks itself for what is new. */
void kvml_svm_fetch_debug(struct kvml_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_save_area *save = &svm->vmcb->save;

	vcpu->dr6 = save->dr6;
	vcpu->dr7 = save->dr7;
	if (svm->exit.code != SVM_EXIT_EXCP_BASE + X86_TRAP_DB)
		save->dr6 = DR6_RESERVED;
}

void kvml_svm_update_tsc(struct kvml_vcpu *vcpu)
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;

	vmcb->control.tsc_offset = vcpu->tsc_offset;
	vmcb_dirty(vmcb, VMCB_INTERCEPTS);
}

void kvml_svm_dump(struct kvml_vcpu *vcpu)
{
	const struct svm_exit *exit = &to_svm(vcpu)->exit;
	const struct vmcb *vmcb = to_svm(vcpu)->vmcb;

	pr_info_ratelimited("kvmlite: vCPU %u: exit %#x info %#llx %#llx RIP %04x:%016lx RSP %016lx RFLAGS %08lx CR0 %08lx CR3 %lx CR4 %lx EFER %llx CS base %llx attributes %x\n",
			    vcpu->id, exit->code, exit->info_1, exit->info_2,
			    vmcb->save.cs.selector,
			    kvml_rip(vcpu), kvml_reg(vcpu, KVML_RSP),
			    kvml_reg(vcpu, KVML_RFLAGS),
			    kvml_reg(vcpu, KVML_CR0), kvml_reg(vcpu, KVML_CR3),
			    kvml_reg(vcpu, KVML_CR4), vcpu->efer,
			    vmcb->save.cs.base, vmcb->save.cs.attrib);
}
