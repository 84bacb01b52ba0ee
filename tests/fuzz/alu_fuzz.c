// SPDX-License-Identifier: GPL-2.0
/*
 * Arithmetic of the emulator, which the CPU carries out, against what the manual
 * says.
 *
 * Input: operation, size, RFLAGS (2 bytes), rAX, rDX, rCX (8 bytes each).
 */
#include "kernel.h"

#include "emul/alu.c"
#include "alu_model.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

const struct kvml_ops *kvml_ops;

/* Division, whose flags are all undefined. */
static void check_divide(bool is_signed, unsigned int size, u64 a, u64 d, u64 c)
{
	unsigned int n = 8 * size;
	u64 mask = U64_MAX >> (64 - n);
	u128 value = size == 1 ? (u16)a :
				  (u128)(d & mask) << n | (a & mask);
	bool fits = c & mask, ok;
	s128 s = 0, q = 0, r = 0, by;

	if (fits && is_signed) {
		s = (s128)(value << (128 - 2 * n)) >> (128 - 2 * n);
		by = (s64)sign_extend64(c, n - 1);
		/* The one quotient that 128 bits have no room for. */
		fits = !(by == -1 && (u128)s << (128 - 2 * n) ==
			 (u128)1 << 127);
		q = fits ? s / by : 0;
		r = fits ? s % by : 0;
		fits = fits && q == (s64)sign_extend64(q, n - 1);
	} else if (fits) {
		q = value / (c & mask);
		r = value % (c & mask);
		fits = (u128)q <= mask;
	}
	d &= mask;
	ok = kvml_alu_divide(is_signed, size, &a, &d, c);
	FUZZ_CHECK(ok == fits, "division of %u bytes: %s", size,
		   fits ? "it fits" : "it does not fit");
	if (!ok)
		return;
	if (size == 1)
		d = a >> 8;
	FUZZ_CHECK(!((a ^ (u64)q) & mask), "quotient %llx, not %llx", a, (u64)q);
	FUZZ_CHECK(!((d ^ (u64)r) & mask), "remainder %llx, not %llx", d, (u64)r);
}

static u32 cpuid(u32 leaf, bool ecx)
{
	u32 b, c = 0;

	__asm__("cpuid" : "+a" (leaf), "=b" (b), "+c" (c) : : "edx");
	return ecx ? c : b;
}

/* BMI1; ABM. */
static bool cpu_has(enum kvml_op op)
{
	static int tzcnt = -1, lzcnt;

	if (tzcnt < 0) {
		tzcnt = cpuid(7, false) >> 3 & 1;
		lzcnt = cpuid(0x80000001, true) >> 5 & 1;
	}
	return op == KVML_OP_TZCNT ? tzcnt : op != KVML_OP_LZCNT || lzcnt;
}

static void check_alu(enum kvml_op op, unsigned int size, struct alu_model m,
		      u64 c)
{
	u64 a = m.a, d = m.d, got, mask;
	unsigned long flags = m.flags;

	m.n = 8 * size;
	/* One byte has a product of two. */
	mask = op == KVML_OP_MUL || op == KVML_OP_IMUL1 ?
	       U64_MAX >> (64 - max(16u, m.n)) : model_mask(&m);
	got = kvml_alu(op, size, a, &d, c, &flags) & mask;
	alu_model(&m, op, c);
	if (m.open)
		return;
	FUZZ_CHECK(got == (m.a & mask), "operation %u of %u bytes: %llx, not %llx",
		   op, size, got, m.a & mask);
	FUZZ_CHECK(!((d ^ m.d) & model_mask(&m)),
		   "operation %u of %u bytes: rDX %llx, not %llx", op, size, d, m.d);
	FUZZ_CHECK(!((flags ^ m.flags) & ~m.undefined),
		   "operation %u of %u bytes: flags %lx, not %lx", op, size, flags,
		   m.flags);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct alu_model m = { 0 };
	enum kvml_op op;
	unsigned int bytes;
	u64 c;

	if (size < 28)
		return 0;
	op = KVML_OP_ADD + data[0] % KVML_OP_IDIV;
	bytes = 1 << data[1] % 4;
	m.flags = data[2] | data[3] << 8;
	memcpy(&m.a, data + 4, sizeof(m.a));
	memcpy(&m.d, data + 12, sizeof(m.d));
	memcpy(&c, data + 20, sizeof(c));
	if (op == KVML_OP_DIV || op == KVML_OP_IDIV)
		check_divide(op == KVML_OP_IDIV, bytes, m.a, m.d, c);
	else if (cpu_has(op) && (bytes > 1 || alu_has_bytes(op)))
		check_alu(op, bytes, m, c);
	return 0;
}

/* ---- each operation on values where something changes ---- */

static const u64 edges[] = {
	0, 1, 2, 7, 8, 0xf, 0x1f, 0x20, 0x3f, 0x7f, 0x80, 0x81, 0xff, 0x7fff,
	0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
	0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
	0x123456789abcdef0,
};

void fuzz_sweep(void)
{
	const unsigned int n = ARRAY_SIZE(edges);
	unsigned int i, k;
	u8 input[28];

	for (i = 0; i < KVML_OP_IDIV * 8; i++) {
		input[0] = i >> 3;
		input[1] = i >> 1 & 3;
		input[2] = i & 1;
		input[3] = 0;
		for (k = 0; k < n * n * n; k++) {
			memcpy(input + 4, &edges[k % n], 8);
			memcpy(input + 12, &edges[k / n % n], 8);
			memcpy(input + 20, &edges[k / n / n], 8);
			LLVMFuzzerTestOneInput(input, sizeof(input));
		}
	}
}
