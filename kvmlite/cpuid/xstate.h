/* SPDX-License-Identifier: GPL-2.0 */
/*
 * XCR0 and the XSAVE area that guests are offered.  An area is in the standard format;
 * without XSAVE it is what FXSAVE writes, and its header says x87 and SSE.
 */
#ifndef _KVMLITE_XSTATE_H
#define _KVMLITE_XSTATE_H

#include <linux/types.h>
#include <asm/fpu/types.h>

/* 0: the host has no XSAVE. */
extern u64 kvml_host_xcr0;

/* When the module loads. */
void kvml_xstate_init(void);

/* XCR0 bits we can offer; host's XCR0 & (FP|SSE|YMM|AVX-512). */
u64 kvml_xcr0_supported(void);
/* Bytes of the XSAVE area with these components (SDM volume 1, 13.4). */
u32 kvml_xstate_size(u64 xcr0, bool compacted);
/* The components @which are as after RESET (SDM volume 1, 13.6). */
void kvml_xstate_reset(struct xregs_state *state, u64 which);
/* XRSTOR takes it without a fault: SDM volume 1, 13.8.1. */
bool kvml_xstate_valid(const struct xregs_state *state);
/* KVM_CAP_XSAVE2: nothing that is offered lies beyond what KVM_GET_XSAVE tells. */
#define KVML_XSAVE_SIZE	sizeof(struct kvm_xsave)

#endif /* _KVMLITE_XSTATE_H */
