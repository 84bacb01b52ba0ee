// SPDX-License-Identifier: GPL-2.0
/*
 * Arithmetic of the emulator against the CPU's.
 *
 * Input: operation, size, RFLAGS (2 bytes), operands (8 bytes each).
 */
#include "kernel.h"

#include "emul/alu.c"
#include "cpu_alu.h"

const struct kvml_ops *kvml_ops;

static const enum kvml_op ops[] = {
	KVML_OP_ADD, KVML_OP_OR, KVML_OP_ADC, KVML_OP_SBB, KVML_OP_AND,
	KVML_OP_SUB, KVML_OP_XOR, KVML_OP_CMP, KVML_OP_TEST, KVML_OP_NOT,
	KVML_OP_NEG, KVML_OP_INC, KVML_OP_DEC,
};

static bool is_logic(enum kvml_op op)
{
	return op == KVML_OP_AND || op == KVML_OP_OR || op == KVML_OP_XOR ||
	       op == KVML_OP_TEST;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	unsigned long flags, ours, cpus;
	enum kvml_op op;
	unsigned int bytes;
	u64 a, b, got, want;

	if (size < 20)
		return 0;
	op = ops[data[0] % ARRAY_SIZE(ops)];
	bytes = 1 << data[1] % 4;
	flags = data[2] | data[3] << 8;
	memcpy(&a, data + 4, sizeof(a));
	memcpy(&b, data + 12, sizeof(b));

	ours = flags;
	cpus = flags;
	got = kvml_alu(op, bytes, a, b, &ours) << (64 - 8 * bytes);
	want = cpu_alu(op, bytes, a, b, &cpus) << (64 - 8 * bytes);
	FUZZ_CHECK(got == want, "operation %u of %u bytes: %llx, not %llx", op,
		   bytes, got, want);
	/* AF is not defined after logic. */
	if (is_logic(op)) {
		ours &= ~X86_EFLAGS_AF;
		cpus &= ~X86_EFLAGS_AF;
	}
	FUZZ_CHECK(ours == cpus, "operation %u of %u bytes: flags %lx, not %lx",
		   op, bytes, ours, cpus);
	return 0;
}
