// SPDX-License-Identifier: GPL-2.0
/* Arithmetic of the emulator: against known results, and against the CPU. */
#include <kunit/test.h>

#include "emul/alu.c"
#include "cpu_alu.h"

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
	u64 a, b;
	unsigned long flags;
	u64 want;
	unsigned long want_flags;
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
	{ "cmp 5, 5", KVML_OP_CMP, 8, 5, 5, 0, 0, ZF | PF },
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

	KUNIT_EXPECT_EQ(test, low(kvml_alu(c->op, c->size, c->a, c->b, &flags),
				  c->size), c->want);
	KUNIT_EXPECT_EQ(test, flags, c->want_flags);
}

/* Whatever was in the registers above, and flags that are not the ALU's. */
static void alu_high_bits_test(struct kunit *test)
{
	const struct alu_case *c = test->param_value;
	u64 garbage = c->size == 8 ? 0 : 0xdeadbeefcafebabe << (8 * c->size);
	bool bit_op = c->op >= KVML_OP_BT && c->op <= KVML_OP_BTC;
	unsigned long flags = c->flags | OTHERS;
	u64 b = bit_op ? c->b : c->b | garbage;

	KUNIT_EXPECT_EQ(test, low(kvml_alu(c->op, c->size, c->a | garbage, b,
					   &flags), c->size), c->want);
	KUNIT_EXPECT_EQ(test, flags, c->want_flags | OTHERS);
}

/* ---- against the CPU ---- */

static const enum kvml_op cpu_ops[] = {
	KVML_OP_ADD, KVML_OP_OR, KVML_OP_ADC, KVML_OP_SBB, KVML_OP_AND,
	KVML_OP_SUB, KVML_OP_XOR, KVML_OP_CMP, KVML_OP_TEST, KVML_OP_NOT,
	KVML_OP_NEG, KVML_OP_INC, KVML_OP_DEC,
};

/* AF is undefined after these. */
static bool is_logic(enum kvml_op op)
{
	return op == KVML_OP_AND || op == KVML_OP_OR || op == KVML_OP_XOR ||
	       op == KVML_OP_TEST;
}

static bool same_as_cpu(struct kunit *test, enum kvml_op op, unsigned int size,
			u64 a, u64 b, unsigned long flags)
{
	unsigned long ours = flags, cpus = flags;
	u64 got = low(kvml_alu(op, size, a, b, &ours), size);
	u64 want = low(cpu_alu(op, size, a, b, &cpus), size);

	if (is_logic(op)) {
		ours &= ~X86_EFLAGS_AF;
		cpus &= ~X86_EFLAGS_AF;
	}
	KUNIT_EXPECT_EQ_MSG(test, got, want, "op %u size %u a %llx b %llx",
			    op, size, a, b);
	KUNIT_EXPECT_EQ_MSG(test, ours, cpus, "op %u size %u a %llx b %llx",
			    op, size, a, b);
	return got == want && ours == cpus;
}

/* All bytes by all bytes. */
static void alu_bytes_test(struct kunit *test)
{
	static const enum kvml_op ops[] = { KVML_OP_ADC, KVML_OP_SBB };
	unsigned int i, ab, flags;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		for (flags = 0; flags <= X86_EFLAGS_CF; flags++)
			for (ab = 0; ab < 0x10000; ab++)
				if (!same_as_cpu(test, ops[i], 1, ab >> 8,
						 ab & 0xff, flags))
					return;
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
	unsigned int i, size, ab;

	for (i = 0; i < ARRAY_SIZE(cpu_ops); i++)
		for (size = 1; size <= 8; size *= 2)
			for (ab = 0; ab < 2 * n * n; ab++)
				if (!same_as_cpu(test, cpu_ops[i], size,
						 edges[ab / 2 / n],
						 edges[ab / 2 % n], ab & 1))
					return;
}

static struct kunit_case alu_cases[] = {
	KUNIT_CASE_PARAM(alu_known_test, alu_gen_params),
	KUNIT_CASE_PARAM(alu_high_bits_test, alu_gen_params),
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
