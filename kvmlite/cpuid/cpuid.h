/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CPUID: what can be offered (KVM_GET_SUPPORTED_CPUID: the host's, as far as
 * this module virtualizes it, plus the leaves of KVM at 0x40000000) and what
 * the VMM chose for a vCPU (KVM_SET_CPUID2).
 *
 * The bits that follow the guest's state (OSXSAVE, APIC, sizes of the XSAVE
 * area) are kept up to date in the entries, so that the exit only looks up.
 */
#ifndef _KVMLITE_CPUID_H
#define _KVMLITE_CPUID_H

#include <linux/kvm.h>

struct kvml_vcpu;

#define KVML_MAX_CPUID	256
#define KVML_VIRT_BITS	48	/* LA57 is not offered */

static inline bool kvml_canonical(u64 address)
{
	return __is_canonical_address(address, KVML_VIRT_BITS);
}

/* (v) Entries in the VMM's order. */
struct kvml_cpuid {
	u32 nent;
	u8 maxphyaddr;
	u32 feature[NCAPINTS];		/* by the words of X86_FEATURE_ */
	/* By bits 31:30 and 4:0 of the function: its first entry + 1, or 0. */
	u16 first[4][32];
	struct kvm_cpuid_entry2 entry[];
};

/* When the module loads, after kvml_fpu_init(). */
void kvml_cpuid_init(void);
/* The vendor cannot virtualize an X86_FEATURE_ of the host. */
void kvml_cpuid_forbid(unsigned int feature);
/* Feature words that guests may have. */
const u32 *kvml_cpuid_offered(void);
/* EFER bits that no guest may have. */
u64 kvml_efer_unsupported(void);

/* -E2BIG: there is no room; as in KVM, it does not say for how many. */
int kvml_cpuid_supported(struct kvm_cpuid2 __user *arg);
/* -E2BIG: too many, -EINVAL: widths that are none, or a change after KVM_RUN. */
int kvml_cpuid_set(struct kvml_vcpu *vcpu, const void __user *arg, bool v1);
int kvml_cpuid_get(struct kvml_vcpu *vcpu, struct kvm_cpuid2 __user *arg);
/* What holds before KVM_SET_CPUID2: reserved bits are those of the host. */
void kvml_cpuid_reset(struct kvml_vcpu *vcpu);

/* vcpu->osxsave, ->apic_base, ->xcr0 or ->mwait changed. */
void kvml_cpuid_update(struct kvml_vcpu *vcpu);

/* What the guest sees; registers in and out. Hot: no allocation, no sleep. */
void kvml_cpuid(struct kvml_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
/* A bit, by the kernel's X86_FEATURE_ number; false before KVM_SET_CPUID2. */
bool kvml_cpuid_has(struct kvml_vcpu *vcpu, unsigned int feature);
/* Of the guest's physical addresses, as CPUID says: bits above are reserved. */
unsigned int kvml_cpuid_maxphyaddr(struct kvml_vcpu *vcpu);

#endif /* _KVMLITE_CPUID_H */
