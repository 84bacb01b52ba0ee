/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Speculation that a guest controls itself: SPEC_CTRL holds bits, PRED_CMD takes
 * commands.  What is decided here depends on feature words only, indexed by X86_FEATURE_
 * as the kernel's: boot_cpu_data.x86_capability, or a vCPU's.
 */
#ifndef _KVMLITE_SPEC_CTRL_H
#define _KVMLITE_SPEC_CTRL_H

/* A bit of a register that comes with a feature. */
struct kvml_feature_bit {
	u64 bit;
	unsigned int feature;
};

static inline bool kvml_feature_in(const u32 *words, unsigned int feature)
{
	return words[feature / 32] & BIT(feature % 32);
}

static inline u64 kvml_feature_bits(const u32 *words, const struct kvml_feature_bit *table,
				    unsigned int n)
{
	u64 bits = 0;

	while (n--)
		if (kvml_feature_in(words, table[n].feature))
			bits |= table[n].bit;
	return bits;
}

/* Bits that the CPU takes: others give #GP, in the host at an entry. */
u64 kvml_spec_ctrl_bits(const u32 *words);
u64 kvml_pred_cmd_bits(const u32 *words);

/*
 * Guests' feature bits that follow from the host's, which the kernel has put together
 * from what Intel and AMD have.  Adds them to @words.
 */
void kvml_spec_ctrl_offer(const u32 *host, u32 *words);

#endif /* _KVMLITE_SPEC_CTRL_H */
