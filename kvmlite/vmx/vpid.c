// SPDX-License-Identifier: GPL-2.0
/* See vpid.h. */
#include <linux/idr.h>

#include "vmx/ept.h"
#include "vmx/vpid.h"

#define VPIDS	BIT(16)

/* 0 is the host's. */
static DEFINE_IDA(vpids);

u16 kvml_vmx_vpid_alloc(void)
{
	return max(ida_alloc_range(&vpids, 1, VPIDS - 1, GFP_KERNEL), 0);
}

void kvml_vmx_vpid_free(u16 vpid)
{
	if (vpid)
		ida_free(&vpids, vpid);
}

/*
 * What the CPU remembers of other vCPUs stays, if it can name one.  Without a
 * VPID the entry forgets.
 */
void kvml_vmx_flush_guest(struct kvml_vcpu *vcpu)
{
	u16 vpid = to_vmx(vcpu)->vpid;

	if (!vpid)
		return;
	if (kvml_vmx_caps.invvpid_context)
		vmx_invvpid(INVVPID_CONTEXT, vpid);
	else
		kvml_vmx_flush_tlb(vcpu);
}
