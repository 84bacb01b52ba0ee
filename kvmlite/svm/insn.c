// SPDX-License-Identifier: GPL-2.0
/* See insn.h. Opcodes are those of APM volume 3, appendix A. */
#include <asm/traps.h>

#include "emul/emul.h"
#include "svm/insn.h"

/* ES, CS, SS and DS; FS, GS, operand and address size; LOCK, REPNE and REP. */
static bool is_prefix(u8 byte)
{
	return (byte & 0xe7) == 0x26 || (byte & 0xfc) == 0x64 || byte == 0xf0 ||
	       byte == 0xf2 || byte == 0xf3;
}

/* Of those that exit: groups 7, MOV CR, MOV DR; JMP and CALL of a task. */
static bool has_modrm(const struct svm_insn *insn)
{
	if (!insn->two_bytes)
		return insn->opcode == 0xff;
	return insn->opcode == 0x01 || (insn->opcode >= 0x20 && insn->opcode <= 0x23);
}

/* JMP and CALL to a selector; INT; IN and OUT of a port by number. */
static unsigned int immediate_len(const struct svm_insn *insn)
{
	if (insn->two_bytes)
		return 0;
	if (insn->opcode == 0xea || insn->opcode == 0x9a)
		return insn->small ? 4 : 6;
	return insn->opcode == 0xcd || (insn->opcode & 0xfc) == 0xe4;
}

/*
 * Bytes of the memory operand that LMSW or SMSW names, after ModRM.  @next is the
 * SIB if there is one before @end; it adds to the length in any case.
 */
static unsigned int operand_len(u8 modrm, const u8 *next, const u8 *end, bool wide)
{
	unsigned int mod = modrm >> 6, rm = modrm & 7, sib = 0;

	if (mod == 3)
		return 0;
	if (!wide)
		return mod == 0 ? (rm == 6 ? 2 : 0) : mod;
	if (rm == 4) {
		sib = 1;
		rm = next < end ? *next & 7 : 0;
	}
	if (mod == 0)
		return sib + (rm == 5 ? 4 : 0);
	return sib + (mod == 1 ? 1 : 4);
}

/* Their number; a REX counts right before the opcode only. */
static unsigned int skip_prefixes(struct svm_insn *insn, const u8 *bytes,
				  unsigned int n, int bits, bool *wide)
{
	unsigned int i;

	*wide = bits != 16;
	*insn = (struct svm_insn){ .small = bits == 16 };
	for (i = 0; i < n; i++) {
		if (bits == 64 && (bytes[i] & 0xf0) == 0x40) {
			insn->rex = bytes[i];
			continue;
		}
		if (!is_prefix(bytes[i]))
			break;
		insn->rex = 0;
		if (bytes[i] == 0x66)
			insn->small = bits != 16;
		if (bytes[i] == 0x67)
			*wide = bits != 32;
	}
	return i;
}

/* Of @n bytes of vcpu->emul; false: it is longer. */
static bool parse(struct kvml_vcpu *vcpu, struct svm_insn *insn, unsigned int n)
{
	const u8 *bytes = vcpu->emul->bytes;
	int bits = vcpu->emul->bits;
	unsigned long next;
	bool wide;
	unsigned int i = skip_prefixes(insn, bytes, n, bits, &wide);

	/* REX.W, which makes it 64 bits, comes before 66. */
	if (insn->rex & 8)
		insn->small = false;
	if (i < n && bytes[i] == 0x0f) {
		insn->two_bytes = true;
		i++;
	}
	if (i >= n)
		return false;
	insn->opcode = bytes[i++];
	if (has_modrm(insn)) {
		if (i >= n)
			return false;
		insn->modrm = bytes[i++];
		/* MOV CR and MOV DR take any mode for a register. */
		if (insn->opcode < 0x20 || insn->opcode > 0x23)
			i += operand_len(insn->modrm, &bytes[i], &bytes[n], wide);
	}
	insn->len = i + immediate_len(insn);
	next = kvml_rip(vcpu) + insn->len;
	/* Only 64-bit code goes on beyond 4 GiB. */
	insn->next = bits == 64 ? next : (u32)next;
	return insn->len <= n;
}

int kvml_svm_insn_read(struct kvml_vcpu *vcpu, struct svm_insn *insn)
{
	const struct kvml_emul *e = vcpu->emul;
	unsigned int n = 0;

	/* The next page is looked at only if the instruction goes on there. */
	for (;;) {
		int r = kvml_emulate_fetch(vcpu, n);

		if (r == 1 || r < 0)
			return r;
		if (r || e->nbytes == n)
			break;
		n = e->nbytes;
		if (parse(vcpu, insn, min_t(unsigned int, n, KVML_INSN_MAX)))
			return 0;
	}
	return kvml_queue_exception(vcpu, X86_TRAP_UD);
}

bool kvml_svm_insn_read_known(struct kvml_vcpu *vcpu, struct svm_insn *insn)
{
	return kvml_emulate_fetch_known(vcpu) && parse(vcpu, insn, KVML_INSN_MAX);
}
