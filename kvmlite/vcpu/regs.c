// SPDX-License-Identifier: GPL-2.0
/* Registers by ioctl, and the rules for control registers. See regs.h. */
#include "base/kick.h"
#include "cpuid/cpuid.h"
#include "vcpu/apic_base.h"
#include "vcpu/debug.h"
#include "vcpu/fpu.h"
#include "vcpu/regs.h"
#include "vm/vm.h"

#define CR0_DEFINED (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | \
		     X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | \
		     X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)

/* A change of these reads the PAE page-directory pointers (SDM 4.4.1). */
#define CR0_PDPTR (X86_CR0_CD | X86_CR0_NW | X86_CR0_PG)
#define CR4_PDPTR (X86_CR4_PGE | X86_CR4_PSE | X86_CR4_PAE | X86_CR4_SMEP)

/* A change of these forgets translations (SDM 4.10.4.1). */
#define CR4_FLUSH (X86_CR4_PGE | X86_CR4_PAE | X86_CR4_PCIDE | X86_CR4_SMEP | \
		   X86_CR4_PSE | X86_CR4_SMAP)

/* What a fetch in 64-bit mode depends on. */
#define CR4_FETCH (X86_CR4_PAE | X86_CR4_LA57 | X86_CR4_SMEP)

/* ---- what is valid ---- */

static u64 reserved_gpa_bits(struct kvml_vcpu *vcpu)
{
	return ~(BIT_ULL(kvml_cpuid_maxphyaddr(vcpu)) - 1);
}

/* SDM volume 3, 2.5. */
static bool cr0_valid(unsigned long cr0)
{
	return !(cr0 >> 32) && (!(cr0 & X86_CR0_NW) || cr0 & X86_CR0_CD) &&
	       (!(cr0 & X86_CR0_PG) || cr0 & X86_CR0_PE);
}

static bool pae_paging(struct kvml_vcpu *vcpu)
{
	return kvml_paging(vcpu) && !kvml_long_mode(vcpu) &&
	       kvml_reg(vcpu, KVML_CR4) & X86_CR4_PAE;
}

static int pdptes_read(struct kvml_vcpu *vcpu, unsigned long cr3, u64 *pdptes)
{
	int idx = srcu_read_lock(&vcpu->vm->srcu);
	int err = kvml_guest_read(vcpu, (u32)cr3 & ~0x1fu, pdptes, 4 * sizeof(*pdptes));

	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return err;
}

/*
 * SDM volume 3, 4.4.1: reserved bits in one that is present give #GP, and the CPU
 * keeps those that it has.  Read once: other vCPUs may write them.
 */
static bool load_pdptes(struct kvml_vcpu *vcpu, unsigned long cr3)
{
	u64 reserved = reserved_gpa_bits(vcpu) | 0x1e6;
	u64 pdptes[4];
	unsigned int i;

	if (pdptes_read(vcpu, cr3, pdptes))
		return false;
	for (i = 0; i < ARRAY_SIZE(pdptes); i++)
		if (pdptes[i] & 1 && pdptes[i] & reserved)
			return false;
	kvml_ops->set_pdptes(vcpu, pdptes);
	return true;
}

/* ---- control registers ---- */

static void set_cr0(struct kvml_vcpu *vcpu, unsigned long cr0)
{
	if ((kvml_reg(vcpu, KVML_CR0) ^ cr0) & X86_CR0_PG)
		vcpu->mode_changes++;
	kvml_ops->set_cr0(vcpu, cr0);
}

static void set_efer(struct kvml_vcpu *vcpu, u64 efer)
{
	vcpu->mode_changes++;
	kvml_ops->set_efer(vcpu, efer);
}

static void set_cr4(struct kvml_vcpu *vcpu, unsigned long cr4)
{
	if ((kvml_reg(vcpu, KVML_CR4) ^ cr4) & CR4_FETCH)
		vcpu->mode_changes++;
	kvml_ops->set_cr4(vcpu, cr4);
	kvml_fpu_set_osxsave(vcpu, cr4 & X86_CR4_OSXSAVE);
}

/* CR0.PG goes on with EFER.LME: is IA-32e mode possible (SDM 10.8.5)? */
static bool can_enter_long_mode(struct kvml_vcpu *vcpu)
{
	struct kvm_segment cs;

	if (!(kvml_reg(vcpu, KVML_CR4) & X86_CR4_PAE))
		return false;
	kvml_ops->get_segment(vcpu, KVML_CS, &cs);
	return !cs.l;
}

static bool can_disable_paging(struct kvml_vcpu *vcpu)
{
	return !(kvml_reg(vcpu, KVML_CR4) & X86_CR4_PCIDE) &&
	       !(kvml_long_mode(vcpu) && kvml_ops->code_bits(vcpu) == 64);
}

static bool cr0_allowed(struct kvml_vcpu *vcpu, unsigned long old, unsigned long cr0)
{
	unsigned long changed = old ^ cr0;

	if (!(cr0 & X86_CR0_PG))
		return can_disable_paging(vcpu);
	if (vcpu->efer & EFER_LME)
		return !(changed & X86_CR0_PG) || can_enter_long_mode(vcpu);
	return !(changed & CR0_PDPTR) || !(kvml_reg(vcpu, KVML_CR4) & X86_CR4_PAE) ||
	       load_pdptes(vcpu, kvml_reg(vcpu, KVML_CR3));
}

int kvml_cr0_write(struct kvml_vcpu *vcpu, unsigned long cr0)
{
	unsigned long old = kvml_reg(vcpu, KVML_CR0), changed;
	u64 efer = vcpu->efer & ~EFER_LMA;

	if (!cr0_valid(cr0))
		return 1;
	cr0 = (cr0 & CR0_DEFINED) | X86_CR0_ET;
	changed = old ^ cr0;
	if (!cr0_allowed(vcpu, old, cr0))
		return 1;
	if (cr0 & X86_CR0_PG && efer & EFER_LME)
		efer |= EFER_LMA;
	/* Before CR0, so that it does not look like PAE paging. */
	if (efer != vcpu->efer)
		set_efer(vcpu, efer);
	set_cr0(vcpu, cr0);
	if (changed & (X86_CR0_PG | X86_CR0_WP))
		kvml_vcpu_request(vcpu, KVML_REQ_FLUSH_GUEST);
	return 0;
}

int kvml_cr3_write(struct kvml_vcpu *vcpu, u32 cr3)
{
	if (pae_paging(vcpu) && !load_pdptes(vcpu, cr3))
		return 1;
	kvml_reg_set(vcpu, KVML_CR3, cr3);
	kvml_vcpu_request(vcpu, KVML_REQ_FLUSH_GUEST);
	return 0;
}

int kvml_cr4_write(struct kvml_vcpu *vcpu, unsigned long cr4)
{
	unsigned long changed = kvml_reg(vcpu, KVML_CR4) ^ cr4;

	if (cr4 & vcpu->cr4_reserved)
		return 1;
	if (cr4 & changed & X86_CR4_PCIDE &&
	    (!kvml_long_mode(vcpu) || kvml_reg(vcpu, KVML_CR3) & X86_CR3_PCID_MASK))
		return 1;
	if (kvml_long_mode(vcpu)) {
		if (!(cr4 & X86_CR4_PAE))
			return 1;
	} else if (kvml_paging(vcpu) && cr4 & X86_CR4_PAE && changed & CR4_PDPTR &&
		   !load_pdptes(vcpu, kvml_reg(vcpu, KVML_CR3))) {
		return 1;
	}
	set_cr4(vcpu, cr4);
	if (changed & CR4_FLUSH)
		kvml_vcpu_request(vcpu, KVML_REQ_FLUSH_GUEST);
	return 0;
}

int kvml_cr8_write(struct kvml_vcpu *vcpu, unsigned long cr8)
{
	if (cr8 & ~X86_CR8_TPR)
		return 1;
	vcpu->cr8 = cr8;
	return 0;
}

/* LMA follows from LME and CR0.PG, whatever is written. */
int kvml_efer_write(struct kvml_vcpu *vcpu, u64 efer, bool host)
{
	u64 changed = vcpu->efer ^ efer;

	if (efer & (host ? kvml_efer_unsupported() : vcpu->efer_reserved))
		return 1;
	if (!host && kvml_paging(vcpu) && changed & EFER_LME)
		return 1;
	efer &= ~EFER_LMA;
	/* A VMM may take LME away in long mode; LMA alone is no mode of any CPU. */
	if (efer & EFER_LME)
		efer |= vcpu->efer & EFER_LMA;
	set_efer(vcpu, efer);
	if (changed & EFER_NX)
		kvml_vcpu_request(vcpu, KVML_REQ_FLUSH_GUEST);
	return 0;
}

/* ---- debug registers ---- */

#define DR6_VOLATILE	(DR_TRAP_BITS | KVML_DR6_BD | DR_STEP | DR_SWITCH)
#define DR7_VOLATILE	0xffff2bff
#define DR7_FIXED	0x400

int kvml_dr_write(struct kvml_vcpu *vcpu, int dr, unsigned long value)
{
	if (dr < 4) {
		vcpu->db[dr & 3] = value;
		return 0;
	}
	if (value >> 32)
		return 1;
	if (dr == 4 || dr == 6) {
		vcpu->dr6 = (value & DR6_VOLATILE) | DR6_RESERVED;
		return 0;
	}
	vcpu->dr7 = (value & DR7_VOLATILE) | DR7_FIXED;
	kvml_debug_update(vcpu);
	return 0;
}

unsigned long kvml_dr_read(struct kvml_vcpu *vcpu, int dr)
{
	if (dr < 4)
		return vcpu->db[dr & 3];
	return dr == 4 || dr == 6 ? vcpu->dr6 : vcpu->dr7;
}

void kvml_debugregs_get(struct kvml_vcpu *vcpu, struct kvm_debugregs *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->db, vcpu->db, sizeof(out->db));
	out->dr6 = vcpu->dr6;
	out->dr7 = vcpu->dr7;
}

int kvml_debugregs_set(struct kvml_vcpu *vcpu, const struct kvm_debugregs *in)
{
	if (in->flags || in->dr6 >> 32 || in->dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->db, in->db, sizeof(vcpu->db));
	vcpu->dr6 = in->dr6;
	vcpu->dr7 = in->dr7;
	kvml_debug_update(vcpu);
	return 0;
}

/* ---- general registers ---- */

/* R8 to R15, RIP and RFLAGS stand in the same order there and here. */
#define SAME_ORDER	(KVML_RFLAGS - KVML_R8 + 1)

void kvml_regs_get(struct kvml_vcpu *vcpu, struct kvm_regs *out)
{
	const unsigned long *reg = vcpu->reg;
	u64 *same = (void *)out + offsetof(struct kvm_regs, r8);

	BUILD_BUG_ON(offsetofend(struct kvm_regs, rflags) -
		     offsetof(struct kvm_regs, r8) != SAME_ORDER * sizeof(*reg));
	kvml_regs_fetch(vcpu);
	out->rax = reg[KVML_RAX];
	out->rbx = reg[KVML_RBX];
	out->rcx = reg[KVML_RCX];
	out->rdx = reg[KVML_RDX];
	out->rsi = reg[KVML_RSI];
	out->rdi = reg[KVML_RDI];
	out->rsp = reg[KVML_RSP];
	out->rbp = reg[KVML_RBP];
	memcpy(same, &reg[KVML_R8], SAME_ORDER * sizeof(*reg));
}

/* Not by way of a structure on the stack: it is half of the cost. */
int kvml_regs_put_user(struct kvml_vcpu *vcpu, struct kvm_regs __user *out)
{
	const unsigned long *reg = vcpu->reg;
	unsigned int i;

	if (!user_write_access_begin(out, sizeof(*out)))
		return -EFAULT;
	unsafe_put_user(reg[KVML_RAX], &out->rax, fault);
	unsafe_put_user(reg[KVML_RBX], &out->rbx, fault);
	unsafe_put_user(reg[KVML_RCX], &out->rcx, fault);
	unsafe_put_user(reg[KVML_RDX], &out->rdx, fault);
	unsafe_put_user(reg[KVML_RSI], &out->rsi, fault);
	unsafe_put_user(reg[KVML_RDI], &out->rdi, fault);
	unsafe_put_user(reg[KVML_RSP], &out->rsp, fault);
	unsafe_put_user(reg[KVML_RBP], &out->rbp, fault);
	for (i = 0; i < SAME_ORDER; i++)
		unsafe_put_user(reg[KVML_R8 + i], &out->r8 + i, fault);
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

/* The CPU checks RFLAGS at the entry. An exception would fit no more. */
void kvml_regs_set(struct kvml_vcpu *vcpu, const struct kvm_regs *in)
{
	unsigned long *reg = vcpu->reg;
	unsigned int i;

	reg[KVML_RAX] = in->rax;
	reg[KVML_RBX] = in->rbx;
	reg[KVML_RCX] = in->rcx;
	reg[KVML_RDX] = in->rdx;
	reg[KVML_RSI] = in->rsi;
	reg[KVML_RDI] = in->rdi;
	kvml_reg_set(vcpu, KVML_RSP, in->rsp);
	reg[KVML_RBP] = in->rbp;
	for (i = KVML_R8; i <= KVML_R15; i++)
		reg[i] = (&in->r8)[i - KVML_R8];
	kvml_reg_set(vcpu, KVML_RIP, in->rip);
	kvml_reg_set(vcpu, KVML_RFLAGS, in->rflags | X86_EFLAGS_FIXED);
	vcpu->event.exception.pending = false;
}

/* ---- system registers ---- */

/* struct kvm_sregs2 begins like struct kvm_sregs, up to apic_base. */
#define SREGS_COMMON offsetofend(struct kvm_sregs, apic_base)
static_assert(offsetofend(struct kvm_sregs2, apic_base) == SREGS_COMMON);

/* And that with its segments, in this order. */
static const enum kvml_seg sregs_segments[] = {
	KVML_CS, KVML_DS, KVML_ES, KVML_FS, KVML_GS, KVML_SS, KVML_TR, KVML_LDTR,
};

static_assert(offsetof(struct kvm_sregs, cs) == 0 && offsetofend(struct kvm_sregs, ldt) ==
	      ARRAY_SIZE(sregs_segments) * sizeof(struct kvm_segment));

void kvml_sregs_get(struct kvml_vcpu *vcpu, struct kvm_sregs *out)
{
	unsigned int i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < ARRAY_SIZE(sregs_segments); i++)
		kvml_ops->get_segment(vcpu, sregs_segments[i], &out->cs + i);
	kvml_ops->get_table(vcpu, KVML_GDT, &out->gdt);
	kvml_ops->get_table(vcpu, KVML_IDT, &out->idt);
	out->cr0 = kvml_reg(vcpu, KVML_CR0);
	out->cr2 = vcpu->cr2;
	out->cr3 = kvml_reg(vcpu, KVML_CR3);
	out->cr4 = kvml_reg(vcpu, KVML_CR4);
	out->cr8 = vcpu->cr8;
	out->efer = vcpu->efer;
	out->apic_base = vcpu->apic_base;
	if (vcpu->event.intr.injected && !vcpu->event.intr.soft)
		out->interrupt_bitmap[vcpu->event.intr.nr / 64] =
			BIT_ULL(vcpu->event.intr.nr % 64);
}

static bool sregs_valid(struct kvml_vcpu *vcpu, const struct kvm_sregs *in)
{
	if (in->efer & EFER_LME && in->cr0 & X86_CR0_PG) {
		if (!(in->cr4 & X86_CR4_PAE) || !(in->efer & EFER_LMA) ||
		    in->cr3 & reserved_gpa_bits(vcpu))
			return false;
	} else if (in->efer & EFER_LMA || in->cs.l) {
		return false;
	}
	return !(in->cr4 & vcpu->cr4_reserved) && cr0_valid(in->cr0) &&
	       !(in->efer & vcpu->efer_reserved);
}

static void sregs_set_control(struct kvml_vcpu *vcpu, const struct kvm_sregs *in)
{
	static const u64 none[4];
	bool flush = in->cr0 != kvml_reg(vcpu, KVML_CR0) ||
		     in->cr3 != kvml_reg(vcpu, KVML_CR3) ||
		     in->cr4 != kvml_reg(vcpu, KVML_CR4) || in->efer != vcpu->efer;

	vcpu->cr2 = in->cr2;
	kvml_reg_set(vcpu, KVML_CR3, in->cr3);
	set_efer(vcpu, in->efer);
	set_cr0(vcpu, in->cr0 & CR0_DEFINED);
	set_cr4(vcpu, in->cr4);
	/* Where there are none that are valid, the first use is a #PF. */
	if (pae_paging(vcpu) && !load_pdptes(vcpu, in->cr3))
		kvml_ops->set_pdptes(vcpu, none);
	if (flush)
		kvml_vcpu_request(vcpu, KVML_REQ_FLUSH_GUEST);
}

static int sregs_set_common(struct kvml_vcpu *vcpu, const struct kvm_sregs *in)
{
	unsigned int i;

	if (!sregs_valid(vcpu, in) || kvml_apic_base_set(vcpu, in->apic_base, true))
		return -EINVAL;
	kvml_ops->set_table(vcpu, KVML_IDT, &in->idt);
	kvml_ops->set_table(vcpu, KVML_GDT, &in->gdt);
	sregs_set_control(vcpu, in);
	for (i = 0; i < ARRAY_SIZE(sregs_segments); i++)
		kvml_ops->set_segment(vcpu, sregs_segments[i], &in->cs + i);
	/* As KVM: a priority that is none is left. */
	kvml_cr8_write(vcpu, in->cr8);
	return 0;
}

int kvml_sregs_set(struct kvml_vcpu *vcpu, const struct kvm_sregs *in)
{
	unsigned int i;
	int err = sregs_set_common(vcpu, in);

	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(in->interrupt_bitmap); i++)
		if (in->interrupt_bitmap[i])
			return kvml_event_interrupt(vcpu, 64 * i +
					__ffs64(in->interrupt_bitmap[i]));
	return 0;
}

void kvml_sregs2_get(struct kvml_vcpu *vcpu, struct kvm_sregs2 *out)
{
	struct kvm_sregs sregs;

	kvml_sregs_get(vcpu, &sregs);
	memset(out, 0, sizeof(*out));
	memcpy(out, &sregs, SREGS_COMMON);
	if (pae_paging(vcpu) && !pdptes_read(vcpu, kvml_reg(vcpu, KVML_CR3), out->pdptrs))
		out->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
}

int kvml_sregs2_set(struct kvml_vcpu *vcpu, const struct kvm_sregs2 *in)
{
	bool pae = in->cr0 & X86_CR0_PG && in->cr4 & X86_CR4_PAE && !(in->efer & EFER_LMA);
	bool given = in->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
	struct kvm_sregs sregs = {};
	int err;

	if (in->flags & ~KVM_SREGS2_FLAGS_PDPTRS_VALID || (given && !pae))
		return -EINVAL;
	memcpy(&sregs, in, SREGS_COMMON);
	err = sregs_set_common(vcpu, &sregs);
	if (!err && given)
		kvml_ops->set_pdptes(vcpu, in->pdptrs);
	return err;
}

/* ---- RESET ---- */

/* IP of the first instruction: F000:FFF0, with the base of CS at the top. */
#define RESET_CS_SELECTOR	0xf000
#define RESET_CS_BASE		0xffff0000
#define RESET_RIP		0xfff0

static void reset_segments(struct kvml_vcpu *vcpu)
{
	struct kvm_segment seg = { .limit = 0xffff, .type = 3, .s = 1, .present = 1 };
	struct kvm_dtable table = { .limit = 0xffff };
	enum kvml_seg i;

	for (i = KVML_ES; i <= KVML_GS; i++)
		kvml_ops->set_segment(vcpu, i, &seg);
	seg.selector = RESET_CS_SELECTOR;
	seg.base = RESET_CS_BASE;
	seg.type = 0xb;
	kvml_ops->set_segment(vcpu, KVML_CS, &seg);
	seg = (struct kvm_segment){ .limit = 0xffff, .type = 0xb, .present = 1 };
	kvml_ops->set_segment(vcpu, KVML_TR, &seg);
	seg.type = 2;
	kvml_ops->set_segment(vcpu, KVML_LDTR, &seg);
	kvml_ops->set_table(vcpu, KVML_GDT, &table);
	kvml_ops->set_table(vcpu, KVML_IDT, &table);
}

void kvml_vcpu_reset(struct kvml_vcpu *vcpu)
{
	reset_segments(vcpu);
	kvml_ops->set_efer(vcpu, 0);
	kvml_ops->set_cr4(vcpu, 0);
	kvml_ops->set_cr0(vcpu, X86_CR0_NW | X86_CR0_CD | X86_CR0_ET);
	kvml_reg_set(vcpu, KVML_CR3, 0);
	kvml_reg_set(vcpu, KVML_RFLAGS, X86_EFLAGS_FIXED);
	kvml_reg_set(vcpu, KVML_RIP, RESET_RIP);
	kvml_reg_set(vcpu, KVML_RSP, 0);
	kvml_debug_update(vcpu);
}

/* ---- KVM_CAP_SYNC_REGS ---- */

void kvml_regs_sync_out(struct kvml_vcpu *vcpu)
{
	struct kvm_sync_regs *regs = &vcpu->run->s.regs;
	u64 wanted = vcpu->run->kvm_valid_regs;

	if (wanted & KVM_SYNC_X86_REGS)
		kvml_regs_get(vcpu, &regs->regs);
	if (wanted & KVM_SYNC_X86_SREGS)
		kvml_sregs_get(vcpu, &regs->sregs);
	if (wanted & KVM_SYNC_X86_EVENTS)
		kvml_event_get(vcpu, &regs->events);
}

/* Another thread of the VMM may write to kvm_run: what is checked is a copy. */
int kvml_regs_sync_in(struct kvml_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 dirty = READ_ONCE(run->kvm_dirty_regs);
	struct kvm_vcpu_events events;
	struct kvm_sregs sregs;

	if (dirty & KVM_SYNC_X86_REGS) {
		kvml_regs_set(vcpu, &run->s.regs.regs);
		run->kvm_dirty_regs &= ~KVM_SYNC_X86_REGS;
	}
	if (dirty & KVM_SYNC_X86_SREGS) {
		sregs = run->s.regs.sregs;
		if (kvml_sregs_set(vcpu, &sregs))
			return -EINVAL;
		run->kvm_dirty_regs &= ~KVM_SYNC_X86_SREGS;
	}
	if (dirty & KVM_SYNC_X86_EVENTS) {
		events = run->s.regs.events;
		if (kvml_event_set(vcpu, &events))
			return -EINVAL;
		run->kvm_dirty_regs &= ~KVM_SYNC_X86_EVENTS;
	}
	return 0;
}
