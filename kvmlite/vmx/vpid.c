// SPDX-License-Identifier: GPL-2.0
/* See vpid.h. */
#include <linux/bitmap.h>
#include <linux/spinlock.h>

#include "vmx/vpid.h"

#define VPIDS	BIT(16)

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
