// SPDX-License-Identifier: GPL-2.0
/* See vpid.h. */

#include "vmx/ept.h"
#include "vmx/vpid.h"

#define VPIDS	BIT(16)

/* 0 is the host's. */
static DECLARE_BITMAP(vpids, VPIDS);
static DEFINE_SPINLOCK(vpids_lock);

u16 kvml_vmx_vpid_alloc(void)
{
	unsigned long vpid;

	spin_lock(&vpids_lock);
	vpid = find_next_zero_bit(vpids, VPIDS, 1);
	if (vpid < VPIDS)
		__set_bit(vpid, vpids);
	else
		vpid = 0;
	spin_unlock(&vpids_lock);
	return vpid;
}

void kvml_vmx_vpid_free(u16 vpid)
{
	spin_lock(&vpids_lock);
	__clear_bit(vpid, vpids);
	spin_unlock(&vpids_lock);
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
