/* SPDX-License-Identifier: GPL-2.0 */
/* RESET of a vCPU. */
#ifndef _KVMLITE_RESET_H
#define _KVMLITE_RESET_H

struct kvml_vcpu;

/*
 * The state after RESET (SDM volume 3, table 10-1; APM volume 2, table 14-1), but
 * for what vcpu_init() of the vendor has set.  The vCPU is loaded.
 */
void kvml_vcpu_reset(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_RESET_H */
