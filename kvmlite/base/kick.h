/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests to vCPUs, and making them leave the guest (locking.rst, "Requests and
 * IPIs").
 */
#ifndef _KVMLITE_KICK_H
#define _KVMLITE_KICK_H

struct kvml_vcpu;
struct kvml_vm;

/* Bits of vcpu->requests. */
enum kvml_request {
	KVML_REQ_FLUSH_TLB,	/* second-stage entries went away */
	KVML_REQ_FLUSH_GUEST,	/* the guest changed CR0, CR3, CR4 or EFER */
	KVML_REQ_EVENT,		/* something to inject */
	KVML_REQ_CLOCK,		/* kvmclock page to be written */
	KVML_REQ_CLOCKS,	/* those of all vCPUs */
	KVML_REQ_FPU,		/* the guest needs its FPU state: fpu.h */
	KVML_REQ_LOAD,		/* it is not loaded: load.h */
	KVML_REQ_TRIPLE_FAULT,
};

/* vcpu->mode; see kvml_vm_request(). */
enum kvml_mode { KVML_OUTSIDE, KVML_IN_GUEST };

/*
 * Set a request; the vCPU sees it before it enters the guest again.  From any
 * context; kvml_vm_request() also makes vCPUs leave the guest.
 */
void kvml_vcpu_request(struct kvml_vcpu *vcpu, enum kvml_request req);

/* Ask all vCPUs; with @wait every one has left the guest before it returns. */
void kvml_vm_request(struct kvml_vm *vm, unsigned int req, bool wait);

#endif /* _KVMLITE_KICK_H */
