// SPDX-License-Identifier: GPL-2.0
/* Instructions with segment, table and control registers. */
#include "base/kick.h"
#include "cpuid/cpuid.h"
#include "emul/emul.h"
#include "vcpu/error.h"
#include "vcpu/regs.h"

/* User-mode instruction prevention: SDM volume 3, 2.5. */
static int check_umip(struct kvml_vcpu *vcpu)
{
	bool denied = kvml_reg(vcpu, KVML_CR4) & X86_CR4_UMIP && kvml_ops->cpl(vcpu);

	return denied ? kvml_queue_gp(vcpu) : 0;
}

/* ---- segment registers ---- */

int kvml_exec_load_sreg(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	enum kvml_seg seg = e->insn.reg & 7;
	int r = kvml_segment_load(vcpu, seg, e->value, KVML_LOAD);

	if (r || seg != KVML_SS)
		return r;
	return kvml_emul_finish(vcpu, KVM_X86_SHADOW_INT_MOV_SS) ?: KVML_EMUL_USER;
}

int kvml_exec_store_sreg(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	e->value = kvml_segment_selector(vcpu, e->insn.reg & 7);
	return 0;
}

/* @n bytes in memory and @m behind them. */
static int read_pair(struct kvml_vcpu *vcpu, struct kvml_emul *e, void *first,
		     unsigned int n, void *second, unsigned int m)
{
	u8 bytes[10];
	int r = kvml_exec_find(vcpu, n + m, 0) ?:
		kvml_operand_read_bytes(vcpu, &e->operand, bytes);

	memcpy(first, bytes, n);
	memcpy(second, bytes + n, m);
	return r;
}

int kvml_exec_pointer(struct kvml_vcpu *vcpu, struct kvml_emul *e, u64 *offset, u16 *selector)
{
	*offset = 0;
	return read_pair(vcpu, e, offset, e->insn.size, selector, 2);
}

/* LES and LDS: C4 and C5; LSS, LFS, LGS: 0F B2, B4, B5. */
int kvml_exec_load_far(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	enum kvml_seg seg = e->insn.opcode & 7;
	u16 selector;
	int r = kvml_exec_pointer(vcpu, e, &e->value, &selector);

	if (e->insn.opcode >= 0xc4)
		seg = e->insn.opcode == 0xc4 ? KVML_ES : KVML_DS;
	r = r ?: kvml_segment_load(vcpu, seg, selector, KVML_LOAD);
	if (!r)
		kvml_gpr_write(vcpu, e->insn.reg, e->insn.size, true, e->value);
	return r;
}

/* ---- group 6: SLDT, STR, LLDT, LTR ---- */

int kvml_exec_store_system(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	e->value = kvml_segment_selector(vcpu, KVML_LDTR + (e->insn.reg & 1));
	return check_umip(vcpu);
}

int kvml_exec_load_system(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	return kvml_segment_load(vcpu, KVML_LDTR + (e->insn.reg & 1), e->value, KVML_LOAD);
}

/* ---- group 7: SGDT, SIDT, LGDT, LIDT, SMSW, LMSW, INVLPG ---- */

/* With 16-bit operands the base has 24 bits. */
static u64 table_base(const struct kvml_emul *e, u64 base)
{
	return e->insn.size == 2 ? base & 0xffffff : base;
}

int kvml_exec_store_table(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	struct kvm_dtable dt;
	struct {
		u16 limit;
		u64 base;
	} __packed table;
	int r = check_umip(vcpu) ?:
		kvml_exec_find(vcpu, e->insn.size == 8 ? 10 : 6, KVML_WALK_WRITE);

	if (r)
		return r;
	kvml_ops->get_table(vcpu, e->insn.reg & 1 ? KVML_IDT : KVML_GDT, &dt);
	table.limit = dt.limit;
	table.base = table_base(e, dt.base);
	return kvml_operand_write_bytes(vcpu, &e->operand, &table);
}

int kvml_exec_load_table(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	struct kvm_dtable dt = { };
	int r = read_pair(vcpu, e, &dt.limit, 2, &dt.base, e->insn.size == 8 ? 8 : 4);

	if (r)
		return r;
	dt.base = table_base(e, dt.base);
	if (!kvml_canonical(dt.base))
		return kvml_queue_gp(vcpu);
	kvml_ops->set_table(vcpu, e->insn.reg & 1 ? KVML_IDT : KVML_GDT, &dt);
	return r;
}

int kvml_exec_smsw(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	e->value = kvml_reg(vcpu, KVML_CR0);
	return check_umip(vcpu);
}

/* It can set PE, and not clear it. */
int kvml_exec_lmsw(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	unsigned long cr0 = kvml_reg(vcpu, KVML_CR0) & ~0xeul;

	return kvml_cr0_write(vcpu, cr0 | (e->value & 0xf)) ? kvml_queue_gp(vcpu) : 0;
}

/* Of the guest's own translations all are forgotten. */
int kvml_exec_invlpg(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	kvml_vcpu_request(vcpu, KVML_REQ_FLUSH_GUEST);
	return 0;
}

/* ---- interrupts ---- */

int kvml_exec_cli_sti(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);
	int iopl = (flags & X86_EFLAGS_IOPL) >> X86_EFLAGS_IOPL_BIT;

	if (kvml_ops->cpl(vcpu) > iopl)
		return kvml_queue_gp(vcpu);
	if (e->insn.opcode == 0xfa) {
		kvml_reg_set(vcpu, KVML_RFLAGS, flags & ~X86_EFLAGS_IF);
		return 0;
	}
	kvml_reg_set(vcpu, KVML_RFLAGS, flags | X86_EFLAGS_IF);
	return kvml_emul_finish(vcpu, flags & X86_EFLAGS_IF ? 0 : KVM_X86_SHADOW_INT_STI) ?:
	       KVML_EMUL_USER;
}

int kvml_exec_hlt(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	return kvml_exit_hlt(vcpu, kvml_emul_finish(vcpu, 0)) ?: KVML_EMUL_USER;
}
