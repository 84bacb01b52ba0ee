// SPDX-License-Identifier: GPL-2.0
/* The guest's registers in the VMCS (SDM volume 3, chapter 25.4). */
#include <linux/io.h>

#include "vcpu/regs.h"
#include "vm/vm.h"
#include "vmx/host.h"
#include "vmx/vmx.h"

void kvml_vmx_set_cpu_control(struct vmx_vcpu *vmx, u32 bit, bool on)
{
	u32 controls = on ? vmx->cpu_controls | bit : vmx->cpu_controls & ~bit;

	if (controls == vmx->cpu_controls)
		return;
	vmx->cpu_controls = controls;
	vmcs_write(CPU_BASED_VM_EXEC_CONTROL, controls);
}

/* ---- general and control registers ---- */

/* Bits of CR0 that are in GUEST_CR0; the others are in the read shadow. */
static unsigned long cr0_owned(const struct vmx_vcpu *vmx)
{
	return VMX_CR0_GUEST_OWNED & ~(vmx->fpu_trap ? VMX_CR0_FPU : 0);
}

void kvml_vmx_reg_fetch(struct kvml_vcpu *vcpu, unsigned int reg)
{
	unsigned long owned, *value = &vcpu->reg[reg];

	switch (reg) {
	case KVML_RSP:
		*value = vmcs_read(GUEST_RSP);
		break;
	case KVML_RIP:
		vmx_rip(vcpu);
		break;
	case KVML_RFLAGS:
		vmx_rflags(vcpu);
		break;
	case KVML_CR0:
		owned = cr0_owned(to_vmx(vcpu));
		*value = (vmcs_read(GUEST_CR0) & owned) |
			 (vmcs_read(CR0_READ_SHADOW) & ~owned);
		break;
	case KVML_CR3:
		*value = vmcs_read(GUEST_CR3);
		break;
	case KVML_CR4:
		owned = VMX_CR4_GUEST_OWNED;
		*value = (vmcs_read(GUEST_CR4) & owned) |
			 (vmcs_read(CR4_READ_SHADOW) & ~owned);
		break;
	default:
		WARN_ONCE(1, "kvmlite: register %u is not in the VMCS\n", reg);
		return;
	}
	vcpu->reg_avail |= BIT(reg);
}

void kvml_vmx_regs_fetch(struct kvml_vcpu *vcpu)
{
	vmx_rip(vcpu);
	vmx_rflags(vcpu);
	if (!(vcpu->reg_avail & BIT(KVML_RSP))) {
		vcpu->reg[KVML_RSP] = vmcs_read(GUEST_RSP);
		vcpu->reg_avail |= BIT(KVML_RSP);
	}
}

/* To the VMCS, before an entry. */
void kvml_vmx_regs_flush(struct vmx_vcpu *vmx)
{
	struct kvml_vcpu *vcpu = &vmx->vcpu;
	u32 dirty = vcpu->reg_dirty;
	unsigned long flags;

	if (dirty & BIT(KVML_RIP))
		vmcs_write(GUEST_RIP, vcpu->reg[KVML_RIP]);
	if (dirty & BIT(KVML_RSP))
		vmcs_write(GUEST_RSP, vcpu->reg[KVML_RSP]);
	if (dirty & BIT(KVML_RFLAGS)) {
		flags = vcpu->reg[KVML_RFLAGS];
		if (kvml_debug_single_step(vcpu) && vcpu->debug_tf)
			flags |= X86_EFLAGS_TF;
		vmcs_write(GUEST_RFLAGS, flags);
	}
	if (dirty & BIT(KVML_CR3))
		vmcs_write(GUEST_CR3, vcpu->reg[KVML_CR3]);
	vcpu->reg_dirty = 0;
}

void kvml_vmx_set_pdptes(struct kvml_vcpu *vcpu, const u64 *pdptes)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		vmcs_write(GUEST_PDPTR0 + 2 * i, pdptes[i]);
}

void kvml_vmx_set_cr0(struct kvml_vcpu *vcpu, unsigned long cr0)
{
	unsigned long real = cr0 & ~(X86_CR0_NW | X86_CR0_CD);

	real |= kvml_vmx_caps.cr0_fixed0 & ~(X86_CR0_PE | X86_CR0_PG);
	/* With MP, or WAIT would look at the VMM's x87 state. */
	if (to_vmx(vcpu)->fpu_trap)
		real |= VMX_CR0_FPU;
	vmcs_write(GUEST_CR0, real);
	vmcs_write(CR0_READ_SHADOW, cr0);
	vcpu->reg[KVML_CR0] = cr0;
	vcpu->reg_avail |= BIT(KVML_CR0);
}

static void update_exceptions(struct vmx_vcpu *vmx)
{
	u32 bitmap = kvml_exceptions(&vmx->vcpu, vmx->fpu_trap);

	if (bitmap == vmx->exception_bitmap)
		return;
	vmx->exception_bitmap = bitmap;
	vmcs_write(EXCEPTION_BITMAP, bitmap);
}

/* Before an entry; see fpu.h. */
void kvml_vmx_set_fpu_trap(struct vmx_vcpu *vmx, bool on)
{
	unsigned long cr0 = kvml_reg(&vmx->vcpu, KVML_CR0);

	vmx->fpu_trap = on;
	vmcs_write(CR0_GUEST_HOST_MASK, ~cr0_owned(vmx));
	kvml_vmx_set_cr0(&vmx->vcpu, cr0);
	update_exceptions(vmx);
}

void kvml_vmx_set_cr4(struct kvml_vcpu *vcpu, unsigned long cr4)
{
	/* A machine check is the host's, whatever the guest has in MCE. */
	unsigned long real = (cr4 & ~X86_CR4_MCE) |
			     (__read_cr4() & X86_CR4_MCE) | kvml_vmx_caps.cr4_fixed0;

	vmcs_write(GUEST_CR4, real);
	vmcs_write(CR4_READ_SHADOW, cr4);
	vcpu->reg[KVML_CR4] = cr4;
	vcpu->reg_avail |= BIT(KVML_CR4);
}

void kvml_vmx_set_efer(struct kvml_vcpu *vcpu, u64 efer)
{
	u32 entry = kvml_vmx_caps.entry;

	vcpu->efer = efer;
	to_vmx(vcpu)->user_msrs_cpu = -1;
	vmcs_write(GUEST_IA32_EFER, efer);
	if (efer & EFER_LMA)
		entry |= VM_ENTRY_IA32E_MODE;
	vmcs_write(VM_ENTRY_CONTROLS, entry);
}

/* ---- segments ---- */

/* Fields of the eight segment registers lie two apart, in our order. */
#define SEG_SELECTOR(seg)	(GUEST_ES_SELECTOR + 2 * (seg))
#define SEG_BASE(seg)		(GUEST_ES_BASE + 2 * (seg))
#define SEG_LIMIT(seg)		(GUEST_ES_LIMIT + 2 * (seg))
#define SEG_AR(seg)		(GUEST_ES_AR_BYTES + 2 * (seg))

/* And so do those of the two tables. */
#define TABLE_BASE(table)	(GUEST_GDTR_BASE + 2 * (table))
#define TABLE_LIMIT(table)	(GUEST_GDTR_LIMIT + 2 * (table))

#define SEG_AR_UNUSABLE	BIT(16)
#define SEG_AR_L		BIT(13)
#define SEG_AR_DB		BIT(14)
#define SEG_AR_DPL(ar)	(((ar) >> 5) & 3)

void kvml_vmx_get_segment(struct kvml_vcpu *vcpu, enum kvml_seg seg, struct kvm_segment *out)
{
	u32 ar = vmcs_read(SEG_AR(seg));

	kvml_segment_unpack(out, ar);
	out->selector = vmcs_read(SEG_SELECTOR(seg));
	out->base = vmcs_read(SEG_BASE(seg));
	out->limit = vmcs_read(SEG_LIMIT(seg));
	out->unusable = !!(ar & SEG_AR_UNUSABLE);
	/* Segments without a descriptor are not present to userspace. */
	if (out->unusable)
		out->present = 0;
}

static u32 segment_ar(enum kvml_seg seg, const struct kvm_segment *in)
{
	u32 ar = kvml_segment_pack(in);

	/* The CPU sets "accessed" when it loads one; entry insists on it. */
	if (seg != KVML_LDTR)
		ar |= 1;
	if (in->unusable || !in->present)
		ar |= SEG_AR_UNUSABLE;
	return ar;
}

void kvml_vmx_set_segment(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			  const struct kvm_segment *in)
{
	vmcs_write(SEG_SELECTOR(seg), in->selector);
	vmcs_write(SEG_BASE(seg), in->base);
	vmcs_write(SEG_LIMIT(seg), in->limit);
	vmcs_write(SEG_AR(seg), segment_ar(seg, in));
}

unsigned long kvml_vmx_segment_base(struct kvml_vcpu *vcpu, enum kvml_seg seg)
{
	return vmcs_read(SEG_BASE(seg));
}

int kvml_vmx_cpl(struct kvml_vcpu *vcpu)
{
	return SEG_AR_DPL(vmcs_read(GUEST_SS_AR_BYTES));
}

int kvml_vmx_code_bits(struct kvml_vcpu *vcpu)
{
	u32 ar = vmcs_read(GUEST_CS_AR_BYTES);

	if (kvml_long_mode(vcpu) && ar & SEG_AR_L)
		return 64;
	return ar & SEG_AR_DB ? 32 : 16;
}

/* Also fetches what an emulated instruction needs anyway. */
void kvml_vmx_code_mode(struct kvml_vcpu *vcpu, int *bits, int *cpl)
{
	vmx_rip(vcpu);
	vmx_rflags(vcpu);
	*bits = kvml_vmx_code_bits(vcpu);
	*cpl = SEG_AR_DPL(vmcs_read(GUEST_SS_AR_BYTES));
}

void kvml_vmx_get_table(struct kvml_vcpu *vcpu, enum kvml_table table, struct kvm_dtable *out)
{
	out->base = vmcs_read(TABLE_BASE(table));
	out->limit = vmcs_read(TABLE_LIMIT(table));
}

void kvml_vmx_set_table(struct kvml_vcpu *vcpu, enum kvml_table table,
			const struct kvm_dtable *in)
{
	vmcs_write(TABLE_BASE(table), in->base);
	vmcs_write(TABLE_LIMIT(table), in->limit);
}

/* ---- MSRs ---- */

/* MSRs that are VMCS fields; 0: none. */
static unsigned long msr_field(u32 index)
{
	switch (index) {
	case MSR_FS_BASE:
		return GUEST_FS_BASE;
	case MSR_GS_BASE:
		return GUEST_GS_BASE;
	case MSR_IA32_SYSENTER_CS:
		return GUEST_SYSENTER_CS;
	case MSR_IA32_SYSENTER_ESP:
		return GUEST_SYSENTER_ESP;
	case MSR_IA32_SYSENTER_EIP:
		return GUEST_SYSENTER_EIP;
	case MSR_IA32_CR_PAT:
		return kvml_vmx_caps.entry & VM_ENTRY_LOAD_IA32_PAT ? GUEST_IA32_PAT : 0;
	}
	return 0;
}

int kvml_vmx_get_msr(struct kvml_vcpu *vcpu, u32 index, u64 *data)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long field = msr_field(index);
	int user = kvml_vmx_usermsr_number(index);

	if (field) {
		*data = vmcs_read(field);
	} else if (user >= 0) {
		*data = vmx->user_msr[user];
	} else if (index == MSR_KERNEL_GS_BASE) {
		preempt_disable();
		if (vmx->host_saved)
			rdmsrq(MSR_KERNEL_GS_BASE, vmx->kernel_gs_base);
		preempt_enable();
		*data = vmx->kernel_gs_base;
	} else if (index == MSR_CSTAR) {
		*data = vmx->cstar;
	} else if (index == MSR_IA32_SPEC_CTRL) {
		*data = vmx->spec_ctrl;
	} else {
		return 1;
	}
	return 0;
}

/* The caller has checked that the CPU takes these bits. */
static void set_spec_ctrl(struct vmx_vcpu *vmx, u64 data)
{
	vmx->spec_ctrl = data;
	if (!data)
		return;
	vmx->load_spec_ctrl = &vmx->spec_ctrl;
	vmcs_write(MSR_BITMAP, virt_to_phys(kvml_vmx_msr_bitmap_spec_ctrl));
}

int kvml_vmx_set_msr(struct kvml_vcpu *vcpu, u32 index, u64 data)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long field = msr_field(index);
	int user = kvml_vmx_usermsr_number(index);

	if (field) {
		vmcs_write(field, data);
	} else if (index == MSR_SYSCALL_MASK && data >> 32) {
		/* Reserved: the host's WRMSR would fault (SDM volume 4, 2.1). */
		return 1;
	} else if (user >= 0) {
		/* Loaded with the next entry. */
		vmx->user_msr[user] = data;
		vmx->user_msrs_cpu = -1;
	} else if (index == MSR_KERNEL_GS_BASE) {
		preempt_disable();
		vmx->kernel_gs_base = data;
		if (vmx->host_saved)
			wrmsrq(MSR_KERNEL_GS_BASE, data);
		preempt_enable();
	} else if (index == MSR_CSTAR) {
		vmx->cstar = data;
	} else if (index == MSR_IA32_SPEC_CTRL) {
		set_spec_ctrl(vmx, data);
	} else {
		return 1;
	}
	return 0;
}

/* ---- debug registers, TSC ---- */

void kvml_vmx_update_debug(struct kvml_vcpu *vcpu)
{
	update_exceptions(to_vmx(vcpu));
	kvml_vmx_set_cpu_control(to_vmx(vcpu), CPU_BASED_MOV_DR_EXITING, !vcpu->dr_open);
	vmcs_write(GUEST_DR7, kvml_debug_dr7(vcpu));
}

void kvml_vmx_fetch_debug(struct kvml_vcpu *vcpu)
{
	get_debugreg(vcpu->dr6, 6);
	vcpu->dr7 = vmcs_read(GUEST_DR7);
}

void kvml_vmx_update_tsc(struct kvml_vcpu *vcpu)
{
	vmcs_write(TSC_OFFSET, vcpu->tsc_offset);
}

void kvml_vmx_dump(struct kvml_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	pr_info_ratelimited("kvmlite: vCPU %u: exit %#x qualification %#lx RIP %04lx:%016lx RSP %016lx RFLAGS %08lx CR0 %08lx CR3 %lx CR4 %lx EFER %llx CS base %lx AR %lx\n",
			    vcpu->id, vmx->exit.reason, vmx->exit.qualification,
			    vmcs_read(GUEST_CS_SELECTOR), kvml_rip(vcpu),
			    kvml_reg(vcpu, KVML_RSP),
			    kvml_reg(vcpu, KVML_RFLAGS),
			    kvml_reg(vcpu, KVML_CR0), kvml_reg(vcpu, KVML_CR3),
			    kvml_reg(vcpu, KVML_CR4), vcpu->efer,
			    vmcs_read(GUEST_CS_BASE),
			    vmcs_read(GUEST_CS_AR_BYTES));
}
