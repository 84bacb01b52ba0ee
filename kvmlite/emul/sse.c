// SPDX-License-Identifier: GPL-2.0
/*
 * Moves of MMX and SSE registers, and what there is of x87: SDM volume 1,
 * chapters 8 to 10.  The registers come and go in the format of FXSAVE.
 */
#include <asm/trapnr.h>

#include "emul/emul.h"
#include "vcpu/fpu.h"

#define SW_ES		BIT(7)		/* an unmasked exception is pending */
#define SW_TOP		GENMASK(13, 11)
#define SW_TOP_SHIFT	11

/* SDM volume 3, 13.1 and table 12-1. */
static int check_enabled(struct kvml_vcpu *vcpu)
{
	unsigned long cr0 = kvml_reg(vcpu, KVML_CR0);

	if (cr0 & X86_CR0_EM || (vcpu->emul->insn.flags & KVML_INSN_XMM &&
				 !(kvml_reg(vcpu, KVML_CR4) & X86_CR4_OSFXSR)))
		return kvml_queue_exception(vcpu, X86_TRAP_UD);
	if (cr0 & X86_CR0_TS)
		return kvml_queue_exception(vcpu, X86_TRAP_NM);
	return 0;
}

/* Their mode: TOP is 0, no register is empty (SDM volume 1, 9.6.2). */
static void enter_mmx(struct fxregs_state *fx)
{
	unsigned int top = (fx->swd & SW_TOP) >> SW_TOP_SHIFT, i;
	u32 st[8][4];

	memcpy(st, fx->st_space, sizeof(st));
	for (i = 0; i < 8; i++)
		memcpy(&fx->st_space[4 * i], st[(i - top) & 7], sizeof(st[0]));
	fx->swd &= ~SW_TOP;
	fx->twd = 0xff;
}

static u32 *vector_register(struct kvml_vcpu *vcpu, struct fxregs_state *fx, unsigned int reg)
{
	return vcpu->emul->insn.flags & KVML_INSN_XMM ?
	       &fx->xmm_space[4 * reg] : &fx->st_space[4 * (reg & 7)];
}

static void write_register(struct kvml_vcpu *vcpu, struct fxregs_state *fx,
			   unsigned int reg, const u8 *data)
{
	u32 *to = vector_register(vcpu, fx, reg);

	memcpy(to, data, vcpu->emul->insn.size);
	/* The rest of the x87 register makes it no number. */
	if (vcpu->emul->insn.flags & KVML_INSN_MMX)
		to[2] = 0xffff;
}

static int find_memory(struct kvml_vcpu *vcpu, u32 access)
{
	struct kvml_emul *e = vcpu->emul;
	const struct kvml_insn *insn = &e->insn;
	unsigned long linear = kvml_exec_address(vcpu, 0);

	if (e->bits != 64 || insn->seg >= KVML_FS)
		linear += kvml_ops->segment_base(vcpu, insn->seg);
	if (insn->flags & KVML_INSN_ALIGN && linear & 15)
		return kvml_queue_gp(vcpu);
	return kvml_exec_find(vcpu, insn->mem_size, access);
}

static int move(struct kvml_vcpu *vcpu, struct fxregs_state *fx)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	const struct kvml_operand *o = &vcpu->emul->operand;
	bool load = insn->flags & KVML_INSN_TO_REG, memory = !(insn->flags & KVML_INSN_RM_REG);
	int r = memory ? find_memory(vcpu, load ? 0 : KVML_WALK_WRITE) : 0;
	u8 data[16] = { };

	if (!load || !memory)
		memcpy(data, vector_register(vcpu, fx, load ? insn->rm : insn->reg), insn->size);
	if (memory)
		r = r ?: load ? kvml_operand_read_bytes(vcpu, o, data) :
				kvml_operand_write_bytes(vcpu, o, data);
	if (!r && (load || !memory))
		write_register(vcpu, fx, load ? insn->reg : insn->rm, data);
	return r;
}

int kvml_exec_mov_sse(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	struct fxregs_state fx;
	int r = check_enabled(vcpu);

	if (r)
		return r;
	kvml_fpu_get_legacy(vcpu, &fx);
	if (e->insn.flags & KVML_INSN_MMX) {
		if (fx.swd & SW_ES)
			return kvml_queue_exception(vcpu, X86_TRAP_MF);
		enter_mmx(&fx);
	}
	r = move(vcpu, &fx);
	if (!r)
		kvml_fpu_set_legacy(vcpu, &fx);
	return r;
}

/* FNSTCW (D9), FNINIT (DB), FNSTSW (DD). */
int kvml_exec_x87(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	struct fxregs_state fx;

	if (kvml_reg(vcpu, KVML_CR0) & (X86_CR0_TS | X86_CR0_EM))
		return kvml_queue_exception(vcpu, X86_TRAP_NM);
	kvml_fpu_get_legacy(vcpu, &fx);
	e->value = e->insn.opcode == 0xd9 ? fx.cwd : fx.swd;
	if (e->insn.opcode != 0xdb)
		return 0;
	memset(&fx, 0, offsetof(struct fxregs_state, mxcsr));
	fx.cwd = 0x37f;
	kvml_fpu_set_legacy(vcpu, &fx);
	return 0;
}
