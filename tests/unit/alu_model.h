/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arithmetic as SDM volume 2 describes it, in C, to compare kvml_alu() with.  For
 * tests in the kernel and in userspace.
 */
#ifndef _UNIT_ALU_MODEL_H
#define _UNIT_ALU_MODEL_H

#define MODEL_FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/**
 * struct alu_model - what an operation does
 * @a:		in rAX, before and after
 * @d:		in rDX
 * @flags:	status flags, before and after
 * @undefined:	those of them that the manual leaves open
 * @open:	so it does the result
 * @n:		bits of the operands
 */
struct alu_model {
	u64 a;
	u64 d;
	unsigned long flags;
	unsigned long undefined;
	bool open;
	unsigned int n;
};

static inline u64 model_mask(const struct alu_model *m)
{
	return U64_MAX >> (64 - m->n);
}

static inline bool model_bit(u64 value, unsigned int bit)
{
	return value >> bit & 1;
}

static inline void model_flag(struct alu_model *m, unsigned long flag, bool set)
{
	m->flags = set ? m->flags | flag : m->flags & ~flag;
}

/* PF, ZF and SF of @r, which is the result. */
static inline void model_result(struct alu_model *m, u64 r)
{
	m->a = r & model_mask(m);
	model_flag(m, X86_EFLAGS_PF, !(hweight8(m->a & 0xff) & 1));
	model_flag(m, X86_EFLAGS_ZF, !m->a);
	model_flag(m, X86_EFLAGS_SF, model_bit(m->a, m->n - 1));
}

/* @carries: bit n is the carry (borrow) out of bit n. */
static inline void model_carries(struct alu_model *m, u64 carries)
{
	bool out = model_bit(carries, m->n - 1);

	model_flag(m, X86_EFLAGS_CF, out);
	model_flag(m, X86_EFLAGS_AF, model_bit(carries, 3));
	model_flag(m, X86_EFLAGS_OF, out != model_bit(carries, m->n - 2));
}

static inline void model_add(struct alu_model *m, u64 a, u64 b, bool carry)
{
	u64 r = a + b + carry;

	model_result(m, r);
	model_carries(m, (a & b) | ((a | b) & ~r));
}

static inline void model_sub(struct alu_model *m, u64 a, u64 b, bool borrow)
{
	u64 r = a - b - borrow;

	model_result(m, r);
	model_carries(m, (~a & b) | ((~a | b) & r));
}

/* Of the same flags, without the result. */
static inline void model_compare(struct alu_model *m, u64 a, u64 b)
{
	model_sub(m, a, b, false);
	m->a = a;
}

/* INC and DEC: CF stays. */
static inline void model_step(struct alu_model *m, bool up)
{
	bool carry = m->flags & X86_EFLAGS_CF;

	if (up)
		model_add(m, m->a, 1, false);
	else
		model_sub(m, m->a, 1, false);
	model_flag(m, X86_EFLAGS_CF, carry);
}

static inline void model_logic(struct alu_model *m, u64 r)
{
	model_result(m, r);
	model_flag(m, X86_EFLAGS_CF | X86_EFLAGS_OF, false);
	m->undefined = X86_EFLAGS_AF;
}

static inline void model_bit_op(struct alu_model *m, enum kvml_op op)
{
	u64 mask = BIT_ULL(m->d & (m->n - 1));

	model_flag(m, X86_EFLAGS_CF, m->a & mask);
	m->undefined = X86_EFLAGS_OF | X86_EFLAGS_SF | X86_EFLAGS_AF |
		       X86_EFLAGS_PF;
	if (op == KVML_OP_BTS)
		m->a |= mask;
	else if (op == KVML_OP_BTR)
		m->a &= ~mask;
	else if (op == KVML_OP_BTC)
		m->a ^= mask;
}

/* One bit at a time; OF is that of one, of more it is undefined. */
static inline void model_shift(struct alu_model *m, enum kvml_op op, u64 count)
{
	bool left = op == KVML_OP_SHL || op == KVML_OP_ROL || op == KVML_OP_RCL;
	bool rotate = op < KVML_OP_SHL;
	u64 a = m->a & model_mask(m);
	unsigned int top = m->n - 1, i;
	bool out = false, in, sign;

	count &= m->n == 64 ? 63 : 31;
	if (!count)
		return;
	for (i = 0; i < count; i++) {
		out = model_bit(a, left ? top : 0);
		sign = model_bit(a, top);
		in = false;
		if (op == KVML_OP_ROL || op == KVML_OP_ROR)
			in = out;
		else if (op == KVML_OP_RCL || op == KVML_OP_RCR)
			in = m->flags & X86_EFLAGS_CF;
		else if (op == KVML_OP_SAR)
			in = sign;
		a = left ? a << 1 | in : a >> 1 | (u64)in << top;
		a &= model_mask(m);
		model_flag(m, X86_EFLAGS_CF, out);
		model_flag(m, X86_EFLAGS_OF, model_bit(a, top) !=
			   (left ? out : sign));
	}
	m->undefined = count > 1 ? X86_EFLAGS_OF : 0;
	if (rotate) {
		m->a = a;
		return;
	}
	model_result(m, a);
	m->undefined |= X86_EFLAGS_AF;
	if (op != KVML_OP_SAR && count >= m->n)
		m->undefined |= X86_EFLAGS_CF;
}

static inline void model_double_shift(struct alu_model *m, bool left, u64 count)
{
	u64 a = m->a & model_mask(m), d = m->d & model_mask(m), r;
	bool out;

	count &= m->n == 64 ? 63 : 31;
	if (!count)
		return;
	if (count > m->n) {
		m->open = true;
		return;
	}
	out = model_bit(a, left ? m->n - count : count - 1);
	if (count == m->n)
		r = d;
	else
		r = left ? a << count | d >> (m->n - count) :
			   a >> count | d << (m->n - count);
	model_result(m, r);
	model_flag(m, X86_EFLAGS_CF, out);
	model_flag(m, X86_EFLAGS_OF, model_bit(r ^ a, m->n - 1));
	m->undefined = X86_EFLAGS_AF | (count > 1 ? X86_EFLAGS_OF : 0);
}

/* BSF, BSR: of 0 the destination stays; TZCNT and LZCNT count. */
static inline void model_scan(struct alu_model *m, bool low, bool count)
{
	u64 d = m->d & model_mask(m), r = 0;

	m->undefined = MODEL_FLAGS & ~(count ? X86_EFLAGS_CF | X86_EFLAGS_ZF :
					       X86_EFLAGS_ZF);
	while (r < m->n && !model_bit(d, low ? r : m->n - 1 - r))
		r++;
	model_flag(m, X86_EFLAGS_ZF, count ? !r : !d);
	if (count)
		model_flag(m, X86_EFLAGS_CF, !d);
	else if (!d)
		return;
	m->a = low || count ? r : m->n - 1 - r;
}

/* 64 bits by 64: the upper half, by quarters. */
static inline u64 model_high(u64 a, u64 b)
{
	u64 al = (u32)a, ah = a >> 32, bl = (u32)b, bh = b >> 32;
	u64 middle = ah * bl + (al * bl >> 32);
	u64 other = al * bh + (u32)middle;

	return ah * bh + (middle >> 32) + (other >> 32);
}

/* Extended to 64 bits, a number has a high half of 0 or -1. */
static inline void model_multiply(struct alu_model *m, u64 a, u64 b,
				  bool is_signed, bool wide)
{
	u64 low, high;
	bool fits;

	a &= model_mask(m);
	b &= model_mask(m);
	if (is_signed) {
		a = sign_extend64(a, m->n - 1);
		b = sign_extend64(b, m->n - 1);
	}
	low = a * b;
	high = model_high(a, b);
	if (is_signed)
		high -= ((s64)a < 0 ? b : 0) + ((s64)b < 0 ? a : 0);
	fits = is_signed ? high == (u64)((s64)low >> 63) : !high;
	if (m->n < 64) {
		fits = is_signed ? sign_extend64(low, m->n - 1) == (s64)low :
				   !(low >> m->n);
		high = low >> m->n;
	}
	m->undefined = MODEL_FLAGS & ~(X86_EFLAGS_CF | X86_EFLAGS_OF);
	model_flag(m, X86_EFLAGS_CF | X86_EFLAGS_OF, !fits);
	m->a = low & (wide && m->n == 8 ? 0xffff : model_mask(m));
	if (wide && m->n > 8)
		m->d = high & model_mask(m);
}

static inline void alu_model(struct alu_model *m, enum kvml_op op, u64 c)
{
	u64 a = m->a & model_mask(m), d = m->d & model_mask(m);
	bool carry = m->flags & X86_EFLAGS_CF;

	switch (op) {
	case KVML_OP_ADD:
	case KVML_OP_XADD:
		model_add(m, a, d, false);
		break;
	case KVML_OP_ADC:
		model_add(m, a, d, carry);
		break;
	case KVML_OP_SUB:
		model_sub(m, a, d, false);
		break;
	case KVML_OP_SBB:
		model_sub(m, a, d, carry);
		break;
	case KVML_OP_CMP:
		model_compare(m, a, d);
		break;
	case KVML_OP_AND:
		model_logic(m, a & d);
		break;
	case KVML_OP_OR:
		model_logic(m, a | d);
		break;
	case KVML_OP_XOR:
		model_logic(m, a ^ d);
		break;
	case KVML_OP_TEST:
		model_logic(m, a & d);
		m->a = a;
		break;
	case KVML_OP_NOT:
		m->a = ~a & model_mask(m);
		break;
	case KVML_OP_NEG:
		model_sub(m, 0, a, false);
		break;
	case KVML_OP_INC:
	case KVML_OP_DEC:
		m->a = a;
		model_step(m, op == KVML_OP_INC);
		break;
	case KVML_OP_BT ... KVML_OP_BTC:
		model_bit_op(m, op);
		break;
	case KVML_OP_ROL ... KVML_OP_SAR:
		model_shift(m, op, c);
		break;
	case KVML_OP_SHLD ... KVML_OP_SHRD:
		model_double_shift(m, op == KVML_OP_SHLD, c);
		break;
	case KVML_OP_BSF ... KVML_OP_BSR:
		model_scan(m, op == KVML_OP_BSF, false);
		break;
	case KVML_OP_TZCNT ... KVML_OP_LZCNT:
		model_scan(m, op == KVML_OP_TZCNT, true);
		break;
	case KVML_OP_IMUL:
		model_multiply(m, a, d, true, false);
		break;
	default:	/* MUL, IMUL1 */
		model_multiply(m, a, c, op == KVML_OP_IMUL1, true);
	}
}

/* Has it a form for bytes? */
static inline bool alu_has_bytes(enum kvml_op op)
{
	return !(op >= KVML_OP_BT && op <= KVML_OP_BTC) &&
	       !(op >= KVML_OP_SHLD && op <= KVML_OP_IMUL);
}

#endif /* _UNIT_ALU_MODEL_H */
