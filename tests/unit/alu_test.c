// SPDX-License-Identifier: GPL-2.0
/* Arithmetic of the emulator: known results, and what the manual says. */
#include <kunit/test.h>
#include <asm/cpufeature.h>

#include "emul/alu.c"
#include "alu_model.h"

#define CF	X86_EFLAGS_CF
#define PF	X86_EFLAGS_PF
#define AF	X86_EFLAGS_AF
#define ZF	X86_EFLAGS_ZF
#define SF	X86_EFLAGS_SF
#define OF	X86_EFLAGS_OF

/* Flags that arithmetic leaves alone. */
#define OTHERS	(X86_EFLAGS_FIXED | X86_EFLAGS_IF | X86_EFLAGS_DF | \
		 X86_EFLAGS_IOPL | X86_EFLAGS_RF | X86_EFLAGS_AC)

struct alu_case {
	const char *text;
	enum kvml_op op;
	unsigned int size;
	u64 a, d;
	unsigned long flags;
	u64 want;
	unsigned long want_flags;
	u64 c;
};

static const struct alu_case cases[] = {
	{ "0 + 0", KVML_OP_ADD, 4, 0, 0, CF | OF, 0, ZF | PF },
	{ "ff + 1", KVML_OP_ADD, 1, 0xff, 1, 0, 0, CF | PF | AF | ZF },
	{ "7f + 1", KVML_OP_ADD, 1, 0x7f, 1, 0, 0x80, AF | SF | OF },
	{ "7fff + 1", KVML_OP_ADD, 2, 0x7fff, 1, 0, 0x8000,
	  PF | AF | SF | OF },
	{ "-1 + -1, 64 bits", KVML_OP_ADD, 8, ~0ull, ~0ull, 0, ~1ull,
	  CF | AF | SF },
	{ "adc ff + 0 + 1", KVML_OP_ADC, 1, 0xff, 0, CF, 0,
	  CF | PF | AF | ZF },
	{ "adc without carry", KVML_OP_ADC, 1, 0xff, 0, 0, 0xff, PF | SF },
	{ "0 - 1", KVML_OP_SUB, 4, 0, 1, 0, 0xffffffff, CF | PF | AF | SF },
	{ "80 - 1", KVML_OP_SUB, 1, 0x80, 1, 0, 0x7f, AF | OF },
	{ "sbb 0 - ff - 1", KVML_OP_SBB, 1, 0, 0xff, CF, 0,
	  CF | PF | AF | ZF },
	{ "cmp 5, 5", KVML_OP_CMP, 8, 5, 5, 0, 5, ZF | PF },
	{ "f0 & 0f", KVML_OP_AND, 1, 0xf0, 0x0f, CF | OF, 0, ZF | PF },
	{ "f0 | 0f", KVML_OP_OR, 1, 0xf0, 0x0f, CF | OF, 0xff, SF | PF },
	{ "parity is of the low byte", KVML_OP_OR, 4, 0x100, 1, 0, 0x101, 0 },
	{ "a ^ a", KVML_OP_XOR, 8, ~0ull, ~0ull, CF | OF | SF, 0, ZF | PF },
	{ "neg 0", KVML_OP_NEG, 4, 0, 0, CF, 0, ZF | PF },
	{ "neg 80", KVML_OP_NEG, 1, 0x80, 0, 0, 0x80, CF | SF | OF },
	{ "not changes no flag", KVML_OP_NOT, 1, 0x55, 0, CF | ZF | OF, 0xaa,
	  CF | ZF | OF },
	{ "inc keeps the carry", KVML_OP_INC, 1, 0xff, 0, CF, 0,
	  CF | PF | AF | ZF },
	{ "inc makes no carry", KVML_OP_INC, 1, 0xff, 0, 0, 0, PF | AF | ZF },
	{ "dec keeps the carry", KVML_OP_DEC, 1, 0, 0, CF, 0xff,
	  CF | PF | AF | SF },
	{ "dec 80", KVML_OP_DEC, 1, 0x80, 0, 0, 0x7f, AF | OF },
	/* Of bit operations only CF is defined, and the rest is kept. */
	{ "bt of a set bit", KVML_OP_BT, 4, 0x80000000, 31, 0, 0x80000000,
	  CF },
	{ "bt of a clear bit", KVML_OP_BT, 4, 0x7fffffff, 31, CF, 0x7fffffff,
	  0 },
	{ "bts", KVML_OP_BTS, 8, 0, 63, ZF, 1ull << 63, ZF },
	{ "btr", KVML_OP_BTR, 2, 0xffff, 15, 0, 0x7fff, CF },
	{ "btc sets", KVML_OP_BTC, 4, 0, 0, CF, 1, 0 },
	{ "btc clears", KVML_OP_BTC, 4, 1, 0, 0, 0, CF },
	{ "shl by 1", KVML_OP_SHL, 1, 0xc0, 0, 0, 0x80, CF | SF, 1 },
	{ "shl by 0 changes no flag", KVML_OP_SHL, 4, 1, 0, CF | ZF | OF, 1,
	  CF | ZF | OF, 0x20 },
	{ "sar keeps the sign", KVML_OP_SAR, 2, 0x8001, 0, 0, 0xc000,
	  CF | PF | SF, 1 },
	{ "rol", KVML_OP_ROL, 4, 0x80000001, 0, ZF, 3, CF | ZF | OF, 1 },
	{ "rcl takes the carry", KVML_OP_RCL, 1, 0x40, 0, CF, 0x81, OF, 1 },
	{ "rcr takes the carry", KVML_OP_RCR, 8, 1, 0, CF, 1ull << 63, CF | OF,
	  1 },
	{ "shld", KVML_OP_SHLD, 2, 0x1234, 0xffff, 0, 0x2469, PF, 1 },
	{ "shrd", KVML_OP_SHRD, 4, 1, 1, 0, 0x80000000, CF | PF | SF | OF, 1 },
};

static u64 low(u64 value, unsigned int size)
{
	return value & (U64_MAX >> (64 - 8 * size));
}

static void case_to_desc(const struct alu_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bytes: %s", c->size, c->text);
}

KUNIT_ARRAY_PARAM(alu, cases, case_to_desc);

static void alu_known_test(struct kunit *test)
{
	const struct alu_case *c = test->param_value;
	unsigned long flags = c->flags;

	u64 d = c->d;

	KUNIT_EXPECT_EQ(test, low(kvml_alu(c->op, c->size, c->a, &d, c->c,
					   &flags), c->size), c->want);
	KUNIT_EXPECT_EQ(test, flags, c->want_flags);
	KUNIT_EXPECT_EQ(test, d, c->d);
}

/* Whatever was in the registers above, and flags that are not the ALU's. */
static void alu_high_bits_test(struct kunit *test)
{
	const struct alu_case *c = test->param_value;
	u64 garbage = c->size == 8 ? 0 : 0xdeadbeefcafebabe << (8 * c->size);
	unsigned long flags = c->flags | OTHERS;
	u64 d = c->d | garbage;

	KUNIT_EXPECT_EQ(test, low(kvml_alu(c->op, c->size, c->a | garbage, &d,
					   c->c | 0xff00, &flags), c->size),
			c->want);
	KUNIT_EXPECT_EQ(test, flags, c->want_flags | OTHERS);
}

/* ---- division ---- */

static const struct div_case {
	const char *text;
	bool is_signed;
	unsigned int size;
	u64 d, a, c;
	bool fits;
	u64 quotient, remainder;
} divisions[] = {
	{ "7 / 2", false, 4, 0, 7, 2, true, 3, 1 },
	{ "of a byte: AX", false, 1, 0xdead, 0x1234, 0x56, true, 0x36, 0x10 },
	{ "all of DX:AX", false, 2, 1, 2, 0xffff, true, 1, 3 },
	{ "2^64 + 5 by 2^63", false, 8, 1, 5, 1ull << 63, true, 2, 5 },
	{ "by 0", false, 4, 0, 1, 0, false },
	{ "by 0, garbage above", false, 2, 0, 1, 0xabcd0000, false },
	{ "256 does not fit into a byte", false, 1, 0, 0x100, 1, false },
	{ "2^64 does not fit", false, 8, 1, 0, 1, false },
	{ "-7 / 2", true, 4, U32_MAX, (u32)-7, 2, true, (u32)-3, U32_MAX },
	{ "7 / -2", true, 8, 0, 7, -2ull, true, -3ull, 1 },
	{ "-7 / -2, of a byte", true, 1, 0, (u16)-7, 0xfe, true, 3, 0xff },
	{ "-128 of a byte", true, 1, 0, 0xff80, 1, true, 0x80, 0 },
	{ "128 of a byte", true, 1, 0, 0xff80, 0xff, false },
	{ "the least of 64 bits by -1", true, 8, U64_MAX, 1ull << 63, U64_MAX,
	  false },
	{ "the least of 128 bits by -1", true, 8, 1ull << 63, 0, U64_MAX, false },
};

static void div_to_desc(const struct div_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bytes: %s", c->size, c->text);
}

KUNIT_ARRAY_PARAM(div, divisions, div_to_desc);

static void alu_divide_test(struct kunit *test)
{
	const struct div_case *c = test->param_value;
	u64 a = c->a, d = c->d;

	KUNIT_ASSERT_EQ(test, kvml_alu_divide(c->is_signed, c->size, &a, &d,
					      c->c), c->fits);
	if (!c->fits)
		return;
	KUNIT_EXPECT_EQ(test, low(a, c->size), c->quotient);
	KUNIT_EXPECT_EQ(test, c->size == 1 ? low(a >> 8, 1) : low(d, c->size),
			c->remainder);
}

/* ---- what the manual says ---- */

static bool same_as_model(struct kunit *test, enum kvml_op op,
			  unsigned int size, u64 a, u64 d, u64 c,
			  unsigned long flags)
{
	struct alu_model m = { .a = a, .d = d, .flags = flags, .n = 8 * size };
	u64 got = kvml_alu(op, size, a, &d, c, &flags);

	alu_model(&m, op, c);
	if (m.open)
		return true;
	KUNIT_EXPECT_EQ_MSG(test, low(got, size), low(m.a, size),
			    "op %u size %u a %llx d %llx c %llx", op, size, a, d,
			    c);
	KUNIT_EXPECT_EQ_MSG(test, flags & ~m.undefined, m.flags & ~m.undefined,
			    "op %u size %u a %llx d %llx c %llx", op, size, a, d,
			    c);
	return low(got, size) == low(m.a, size) &&
	       !((flags ^ m.flags) & ~m.undefined);
}

/* All bytes by all bytes. */
static void alu_bytes_test(struct kunit *test)
{
	static const enum kvml_op ops[] = { KVML_OP_ADC, KVML_OP_SBB };
	unsigned int i, ad, flags;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		for (flags = 0; flags <= X86_EFLAGS_CF; flags++)
			for (ad = 0; ad < 0x10000; ad++)
				if (!same_as_model(test, ops[i], 1, ad >> 8,
						   ad & 0xff, 0, flags))
					return;
}

/* Older CPUs do others instead. */
static bool has_op(enum kvml_op op)
{
	if (op == KVML_OP_TZCNT)
		return boot_cpu_has(X86_FEATURE_BMI1);
	return op != KVML_OP_LZCNT || boot_cpu_has(X86_FEATURE_ABM);
}

/* Where carries, signs and nibbles change, in all sizes. */
static void alu_edges_test(struct kunit *test)
{
	static const u64 edges[] = {
		0, 1, 2, 7, 8, 0xf, 0x10, 0x7f, 0x80, 0x81, 0xff, 0x7fff,
		0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
		0x123456789abcdef0,
	};
	const unsigned int n = ARRAY_SIZE(edges);
	unsigned int size, i;
	enum kvml_op op;

	for (op = KVML_OP_ADD; op <= KVML_OP_IMUL1; op++)
		for (size = alu_has_bytes(op) ? 1 : 2; size <= 8; size *= 2)
			for (i = 0; has_op(op) && i < 2 * n * n; i++)
				if (!same_as_model(test, op, size,
						   edges[i / 2 / n],
						   edges[i / 2 % n],
						   edges[(i / 2 + i / n) % n],
						   i & 1))
					return;
}

static struct kunit_case alu_cases[] = {
	KUNIT_CASE_PARAM(alu_known_test, alu_gen_params),
	KUNIT_CASE_PARAM(alu_high_bits_test, alu_gen_params),
	KUNIT_CASE_PARAM(alu_divide_test, div_gen_params),
	KUNIT_CASE(alu_bytes_test),
	KUNIT_CASE(alu_edges_test),
	{ }
};

static struct kunit_suite alu_suite = {
	.name = "kvmlite_alu",
	.test_cases = alu_cases,
};

kunit_test_suite(alu_suite);

MODULE_DESCRIPTION("Tests of kvmlite's arithmetic in software");
MODULE_LICENSE("GPL");
