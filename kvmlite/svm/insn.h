/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instruction that exited, by its bytes: CPUs without NRIPS do not tell
 * where the next one is, those without decode assists not which register a MOV
 * CR or MOV DR names.  Only instructions that exit are known.
 */
#ifndef _KVMLITE_SVM_INSN_H
#define _KVMLITE_SVM_INSN_H

struct kvml_vcpu;

struct svm_insn {
	unsigned long next;	/* where the next one is */
	u8 len;
	u8 opcode;	/* after 0f, if it is there */
	bool two_bytes;	/* it is */
	u8 rex;
	bool small;	/* operands of 16 bits */
	u8 modrm;	/* of those that have it */
};

/*
 * Reads it at RIP; must hold vm->srcu, may sleep.  1: not read (#PF is queued),
 * or not known (#UD is).  -EFAULT: userspace has taken the memory away.
 */
int kvml_svm_insn_read(struct kvml_vcpu *vcpu, struct svm_insn *insn);

/* The same without sleeping; false: not known where it is, or what. */
bool kvml_svm_insn_read_known(struct kvml_vcpu *vcpu, struct svm_insn *insn);

/* MOV CR, MOV DR, LMSW, SMSW: the general register. */
static inline int svm_insn_rm(const struct svm_insn *insn)
{
	return (insn->modrm & 7) | (insn->rex & 1) << 3;
}

/* The register operand is one, and no memory. */
static inline bool svm_insn_is_reg(const struct svm_insn *insn)
{
	return insn->modrm >> 6 == 3;
}

#endif /* _KVMLITE_SVM_INSN_H */
