// SPDX-License-Identifier: GPL-2.0
/* Arithmetic and the status flags: SDM volume 1, 3.4.3.1. */
#include <linux/bits.h>
#include <linux/bitops.h>
#include <asm/processor-flags.h>

#include "emul/decode.h"
#include "emul/emul.h"

#define ARITH_FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

static unsigned long result_flags(u64 r, unsigned int top)
{
	unsigned long f = 0;

	if (!(hweight8(r) & 1))
		f |= X86_EFLAGS_PF;
	if (!(r << (63 - top)))
		f |= X86_EFLAGS_ZF;
	if (r & BIT_ULL(top))
		f |= X86_EFLAGS_SF;
	return f;
}

/* @carries: bit n is the carry (borrow) out of bit n. */
static unsigned long carry_flags(u64 carries, unsigned int top)
{
	unsigned long f = 0;
	bool out = carries & BIT_ULL(top);

	if (out)
		f |= X86_EFLAGS_CF;
	if (carries & BIT_ULL(3))
		f |= X86_EFLAGS_AF;
	if (out != !!(carries & BIT_ULL(top - 1)))
		f |= X86_EFLAGS_OF;
	return f;
}

static u64 add(u64 a, u64 b, bool carry, unsigned int top, unsigned long *f)
{
	u64 r = a + b + carry;

	*f = result_flags(r, top) | carry_flags((a & b) | ((a | b) & ~r), top);
	return r;
}

static u64 sub(u64 a, u64 b, bool borrow, unsigned int top, unsigned long *f)
{
	u64 r = a - b - borrow;

	*f = result_flags(r, top) | carry_flags((~a & b) | ((~a | b) & r), top);
	return r;
}

static u64 logic(u64 r, unsigned int top, unsigned long *f)
{
	*f = result_flags(r, top);
	return r;
}

static u64 arith(enum kvml_op op, unsigned int top, u64 a, u64 b, bool carry,
		 unsigned long *f)
{
	switch (op) {
	case KVML_OP_ADD:
	case KVML_OP_XADD:
	case KVML_OP_INC:
		return add(a, b, false, top, f);
	case KVML_OP_ADC:
		return add(a, b, carry, top, f);
	case KVML_OP_SBB:
		return sub(a, b, carry, top, f);
	case KVML_OP_AND:
	case KVML_OP_TEST:
		return logic(a & b, top, f);
	case KVML_OP_OR:
		return logic(a | b, top, f);
	case KVML_OP_XOR:
		return logic(a ^ b, top, f);
	case KVML_OP_NEG:
		return sub(0, a, false, top, f);
	default:	/* SUB, CMP, DEC and the comparing instructions */
		return sub(a, b, false, top, f);
	}
}

static u64 bit_op(enum kvml_op op, u64 a, u64 bit, unsigned long *flags)
{
	u64 mask = BIT_ULL(bit);

	*flags &= ~X86_EFLAGS_CF;
	if (a & mask)
		*flags |= X86_EFLAGS_CF;
	switch (op) {
	case KVML_OP_BTS:
		return a | mask;
	case KVML_OP_BTR:
		return a & ~mask;
	case KVML_OP_BTC:
		return a ^ mask;
	default:
		return a;
	}
}

u64 kvml_alu(enum kvml_op op, unsigned int size, u64 a, u64 b,
	     unsigned long *flags)
{
	unsigned long keep = *flags & ~ARITH_FLAGS, f;
	u64 r;

	switch (op) {
	case KVML_OP_NOT:
		return ~a;
	case KVML_OP_BT:
	case KVML_OP_BTS:
	case KVML_OP_BTR:
	case KVML_OP_BTC:
		return bit_op(op, a, b, flags);
	case KVML_OP_INC:
	case KVML_OP_DEC:
		b = 1;
		break;
	default:
		break;
	}
	r = arith(op, 8 * size - 1, a, b, *flags & X86_EFLAGS_CF, &f);
	if (op == KVML_OP_INC || op == KVML_OP_DEC) {
		f &= ~X86_EFLAGS_CF;
		keep |= *flags & X86_EFLAGS_CF;
	}
	*flags = keep | f;
	return r;
}
