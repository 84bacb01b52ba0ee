// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that exit on AMD-V: their length and register against Zydis; never
 * more bytes than there are.
 *
 * Input: a byte for the mode and the bytes of the first page, then code.
 */
#include "kernel.h"

#include <Zydis/Zydis.h>

#include "svm/insn.c"

const struct kvml_ops *kvml_ops;

/* ---- in place of fetch.c and event.c ---- */

static const u8 *code;
static unsigned int code_len, first_piece;
static bool undefined;

int kvml_emulate_fetch(struct kvml_vcpu *vcpu, unsigned int n)
{
	struct kvml_emul *e = vcpu->emul;
	unsigned int end = n ? code_len : first_piece;

	e->nbytes = n;
	if (n == sizeof(e->bytes))
		return 0;
	if (n >= code_len)
		return 1;
	memcpy(e->bytes + n, code + n, end - n);
	e->nbytes = end;
	return 0;
}

bool kvml_emulate_fetch_known(struct kvml_vcpu *vcpu)
{
	return false;
}

int kvml_queue_exception(struct kvml_vcpu *vcpu, u8 nr)
{
	undefined = true;
	return 1;
}

static bool exits(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_CPUID:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_RDMSR:
	case ZYDIS_MNEMONIC_WRMSR:
	case ZYDIS_MNEMONIC_RDPMC:
	case ZYDIS_MNEMONIC_RDTSC:
	case ZYDIS_MNEMONIC_RDTSCP:
	case ZYDIS_MNEMONIC_INVD:
	case ZYDIS_MNEMONIC_WBINVD:
	case ZYDIS_MNEMONIC_XSETBV:
	case ZYDIS_MNEMONIC_CLTS:
	case ZYDIS_MNEMONIC_LMSW:
	case ZYDIS_MNEMONIC_SMSW:
	case ZYDIS_MNEMONIC_PAUSE:
		return true;
	default:
		return false;
	}
}

static bool is_mov_cr_dr(const ZydisDecodedInstruction *z)
{
	return z->opcode_map == ZYDIS_OPCODE_MAP_0F && z->opcode >= 0x20 &&
	       z->opcode <= 0x23 && z->mnemonic == ZYDIS_MNEMONIC_MOV;
}

static void check(const struct svm_insn *insn, int bits)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	ZydisDecoder decoder;

	if (bits == 64)
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
				 ZYDIS_STACK_WIDTH_64);
	else
		ZydisDecoderInit(&decoder, bits == 32 ?
				 ZYDIS_MACHINE_MODE_LEGACY_32 :
				 ZYDIS_MACHINE_MODE_LEGACY_16,
				 bits == 32 ? ZYDIS_STACK_WIDTH_32 :
				 ZYDIS_STACK_WIDTH_16);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, code_len, &z,
						 operands)) ||
	    (!exits(z.mnemonic) && !is_mov_cr_dr(&z)))
		return;
	FUZZ_CHECK(insn, "%s is not read", ZydisMnemonicGetString(z.mnemonic));
	FUZZ_CHECK(insn->len == z.length, "%s has %u bytes, not %u",
		   ZydisMnemonicGetString(z.mnemonic), z.length, insn->len);
	if (is_mov_cr_dr(&z)) {
		ZydisRegister gpr = operands[z.opcode >= 0x22].reg.value;

		FUZZ_CHECK(svm_insn_rm(insn) == ZydisRegisterGetId(gpr),
			   "register %d", svm_insn_rm(insn));
	}
	if (z.mnemonic == ZYDIS_MNEMONIC_SMSW && svm_insn_is_reg(insn))
		FUZZ_CHECK(insn->small == (operands[0].size == 16),
			   "SMSW of %u bits", operands[0].size);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct kvml_emul emul;
	struct kvml_vcpu vcpu = { .emul = &emul, .reg_avail = ~0 };
	struct svm_insn insn;
	int r;

	if (size < 2)
		return 0;
	code = data + 1;
	code_len = min_t(size_t, size - 1, KVML_INSN_MAX + 1);
	first_piece = min_t(unsigned int, 1 + data[0] / 3 % 16, code_len);
	emul.bits = 16 << data[0] % 3;
	undefined = false;
	r = kvml_svm_insn_read(&vcpu, &insn);
	FUZZ_CHECK(r == 0 || r == 1, "result %d", r);
	if (!r)
		FUZZ_CHECK(insn.len && insn.len <= KVML_INSN_MAX &&
			   insn.len <= code_len, "%u bytes of %u", insn.len,
			   code_len);
	check(r ? NULL : &insn, emul.bits);
	return 0;
}
