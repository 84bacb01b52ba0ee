/* SPDX-License-Identifier: GPL-2.0 */
/* XCR0 and the XSAVE area that guests are offered. */
#ifndef _KVMLITE_XSTATE_H
#define _KVMLITE_XSTATE_H

/* 0: the host has no XSAVE. */
extern u64 kvml_host_xcr0;

/* When the module loads. */
void kvml_xstate_init(void);

/* XCR0 bits we can offer; host's XCR0 & (FP|SSE|YMM|AVX-512). */
u64 kvml_xcr0_supported(void);
/* Bytes of the XSAVE area with these components (SDM volume 1, 13.4). */
u32 kvml_xstate_size(u64 xcr0, bool compacted);
/* KVM_CAP_XSAVE2: nothing that is offered lies beyond what KVM_GET_XSAVE tells. */
#define KVML_XSAVE_SIZE	sizeof(struct kvm_xsave)

#endif /* _KVMLITE_XSTATE_H */
