// SPDX-License-Identifier: GPL-2.0
/* See spec_ctrl.h. */
#include "cpuid/spec_ctrl.h"

/*
 * The kernel's own bits (IBRS, STIBP, IBPB) and CPUID's: Intel's SPEC_CTRL is IBRS
 * and IBPB.  Where there is IBRS, STIBP can be written, to no effect if it is not there
 * (SDM volume 3, 2.16 "IA32_SPEC_CTRL").
 */
static const struct kvml_feature_bit spec_ctrl[] = {
	{ SPEC_CTRL_IBRS | SPEC_CTRL_STIBP, X86_FEATURE_IBRS },
	{ SPEC_CTRL_IBRS | SPEC_CTRL_STIBP, X86_FEATURE_SPEC_CTRL },
	{ SPEC_CTRL_IBRS, X86_FEATURE_AMD_IBRS },
	{ SPEC_CTRL_STIBP, X86_FEATURE_STIBP },
	{ SPEC_CTRL_STIBP, X86_FEATURE_INTEL_STIBP },
	{ SPEC_CTRL_STIBP, X86_FEATURE_AMD_STIBP },
	{ SPEC_CTRL_SSBD, X86_FEATURE_SPEC_CTRL_SSBD },
	{ SPEC_CTRL_SSBD, X86_FEATURE_AMD_SSBD },
};

static const struct kvml_feature_bit pred_cmd[] = {
	{ PRED_CMD_IBPB, X86_FEATURE_IBPB },
	{ PRED_CMD_IBPB, X86_FEATURE_SPEC_CTRL },
	{ PRED_CMD_IBPB, X86_FEATURE_AMD_IBPB },
	{ PRED_CMD_SBPB, X86_FEATURE_SBPB },
};

u64 kvml_spec_ctrl_bits(const u32 *words)
{
	return kvml_feature_bits(words, spec_ctrl, ARRAY_SIZE(spec_ctrl));
}

u64 kvml_pred_cmd_bits(const u32 *words)
{
	return kvml_feature_bits(words, pred_cmd, ARRAY_SIZE(pred_cmd));
}

static const struct {
	unsigned int host, guest;
} offered[] = {
	{ X86_FEATURE_IBPB, X86_FEATURE_AMD_IBPB },
	{ X86_FEATURE_IBRS, X86_FEATURE_AMD_IBRS },
	{ X86_FEATURE_STIBP, X86_FEATURE_AMD_STIBP },
	{ X86_FEATURE_STIBP, X86_FEATURE_INTEL_STIBP },
	{ X86_FEATURE_SPEC_CTRL_SSBD, X86_FEATURE_SPEC_CTRL_SSBD },
	{ X86_FEATURE_SPEC_CTRL_SSBD, X86_FEATURE_AMD_SSBD },
	{ X86_FEATURE_AMD_SSBD, X86_FEATURE_SPEC_CTRL_SSBD },
	{ X86_FEATURE_AMD_SSBD, X86_FEATURE_AMD_SSBD },
	{ X86_FEATURE_AMD_STIBP_ALWAYS_ON, X86_FEATURE_AMD_STIBP_ALWAYS_ON },
	{ X86_FEATURE_SBPB, X86_FEATURE_SBPB },
	{ X86_FEATURE_IBPB_BRTYPE, X86_FEATURE_IBPB_BRTYPE },
};

static void offer(u32 *words, unsigned int feature)
{
	words[feature / 32] |= BIT(feature % 32);
}

void kvml_spec_ctrl_offer(const u32 *host, u32 *words)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offered); i++)
		if (kvml_feature_in(host, offered[i].host))
			offer(words, offered[i].guest);
	if (kvml_feature_in(host, X86_FEATURE_IBRS) && kvml_feature_in(host, X86_FEATURE_IBPB))
		offer(words, X86_FEATURE_SPEC_CTRL);
}
