/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual CPU: its registers, what is being injected into it, and KVM_RUN.
 *
 * vcpu->mutex is held through every vCPU ioctl, so almost everything here
 * belongs to the one task in such a call ("(v)").  Others only set bits in
 * vcpu->requests and kick: see kvml_vcpu_request().
 *
 * Registers: vcpu->reg[] is a cache.  GPRs but RSP are saved at every exit.
 * RSP, RIP, RFLAGS, CR0, CR3 and CR4 live in the VMCS (VMCB) and are fetched
 * at first use, as a VMREAD is not free: use kvml_reg() and kvml_reg_set().
 * CR0 and CR4 are the values that the guest sees, and are set by
 * kvml_ops->set_cr0(), ->set_cr4() only.
 */
#ifndef _KVMLITE_VCPU_H
#define _KVMLITE_VCPU_H

#include <linux/kvm.h>

#include "base/ops.h"
#include "mmu/mmu.h"
#include "vcpu/event.h"
#include "vm/stats.h"

/* GPRs are numbered as in instructions. */
enum kvml_regs {
	KVML_RAX, KVML_RCX, KVML_RDX, KVML_RBX,
	KVML_RSP, KVML_RBP, KVML_RSI, KVML_RDI,
	KVML_R8, KVML_R9, KVML_R10, KVML_R11,
	KVML_R12, KVML_R13, KVML_R14, KVML_R15,
	KVML_RIP, KVML_RFLAGS, KVML_CR0, KVML_CR3, KVML_CR4,
	KVML_REGS
};

struct kvml_vcpu {
	struct kvml_vm *vm;		/* (i) */
	u32 id;				/* (i) the VMM's number, the APIC id */
	struct mutex mutex;
	struct kvm_run *run;		/* (i) the first page of the mmap */
	void *pio_data;			/* (i) the second: PIO data */

	int cpu;			/* where it is or was loaded; -1 */
	int mode;
	unsigned long requests;
	struct preempt_notifier preempt_notifier;

	/* (v) registers */
	unsigned long reg[KVML_REGS];
	u32 reg_avail;			/* bit: reg[] is what the guest has */
	u32 mode_changes;		/* by us, of what the way of a fetch depends on */
	u32 reg_dirty;			/* bit: RSP, RIP, RFLAGS, CR3 to load */
	unsigned long cr2;
	unsigned long cr8;
	u64 efer;
	u64 apic_base;
	unsigned long db[4];
	unsigned long dr6;
	unsigned long dr7;
	u64 tsc_offset;			/* guest TSC - host TSC */
	u64 tsc_lost;			/* kvml_tsc_lost with that */
	u32 tsc_khz;

	struct kvml_events event;	/* (v) */

	struct xregs_state *fpu;	/* (v) fpu.c */
	u64 xcr0;
	u64 xcr0_entry;			/* to run on: the host's, or xcr0 */
	u64 xcr0_allowed;		/* what CPUID offers */
	bool osxsave;			/* CR4.OSXSAVE */
	bool mwait;			/* IA32_MISC_ENABLE.MWAIT */
	bool fpu_on;			/* (v) the guest runs with it: fpu.h */
	u8 fpu_eager;			/* KVM_RUNs that load it at once */

	struct kvml_cpuid *cpuid;	/* (v) cpuid.c; NULL before SET_CPUID2 */
	u64 cr4_reserved;		/* bits CPUID does not allow */
	u64 efer_reserved;
	struct kvml_msrs *msrs;		/* (v) msr.c: MSRs that are memory only */
	u64 mce_cap;
	u64 pv_clock_msr;		/* (v) pv.c */
	u64 pv_wall_msr;

	bool pv_stopped;		/* (v) KVM_KVMCLOCK_CTRL, to be told */

	struct kvm_guest_debug guest_debug;	/* (v) debug.c */
	unsigned long debug_db[4];	/* (v) its breakpoints */
	bool debug_tf;			/* (v) its RFLAGS.TF, as of reg[] */
	bool debug_load;		/* (v) entries load DR0 to DR3 */
	bool dr_open;			/* (v) MOV DR does not exit: see debug.h */

	/*
	 * (v) To be done when KVM_RUN comes back from userspace with the answer
	 * to an exit: 1 go on, 0 another exit to userspace, negative an errno.
	 * It takes vm->srcu if it looks at slots; exit handlers have it.
	 */
	int (*complete)(struct kvml_vcpu *vcpu);
	struct kvml_spares spares;	/* (v) mmu.c */
	struct kvml_slot_hint slot_hint;	/* (v) memslot.c */
	/* (v) The last MMIO page, while the slots are of this generation */
	u64 mmio_gfn;
	u32 mmio_generation;
	struct kvml_emul *emul;		/* (v) emulate.c: what is in progress */
	struct {			/* (v) io.c: IN, OUT in userspace */
		unsigned long rip;
		u8 size;
	} io;

	bool sigset_active;		/* (v) KVM_SET_SIGNAL_MASK */
	sigset_t sigset;

	bool run_told;			/* (v) kvm_run is up to date */
	struct kvml_vcpu_stat stat;	/* (v), read by anybody */
	struct kvml_stats stats;
};

static inline unsigned long kvml_reg(struct kvml_vcpu *vcpu, unsigned int reg)
{
	if (unlikely(!(vcpu->reg_avail & BIT(reg))))
		kvml_ops->reg_fetch(vcpu, reg);
	return vcpu->reg[reg];
}

/* RSP, RIP and RFLAGS, which are mostly wanted together. */
#define KVML_EXIT_REGS	(BIT(KVML_RSP) | BIT(KVML_RIP) | BIT(KVML_RFLAGS))

static inline void kvml_regs_fetch(struct kvml_vcpu *vcpu)
{
	if (~vcpu->reg_avail & KVML_EXIT_REGS)
		kvml_ops->regs_fetch(vcpu);
}

static inline void kvml_reg_set(struct kvml_vcpu *vcpu, unsigned int reg, unsigned long value)
{
	vcpu->reg[reg] = value;
	vcpu->reg_avail |= BIT(reg);
	vcpu->reg_dirty |= BIT(reg);
}

static inline unsigned long kvml_rip(struct kvml_vcpu *vcpu)
{
	return kvml_reg(vcpu, KVML_RIP);
}

static inline bool kvml_long_mode(struct kvml_vcpu *vcpu)
{
	return vcpu->efer & EFER_LMA;
}

static inline bool kvml_paging(struct kvml_vcpu *vcpu)
{
	return kvml_reg(vcpu, KVML_CR0) & X86_CR0_PG;
}

static inline bool kvml_protected_mode(struct kvml_vcpu *vcpu)
{
	return kvml_reg(vcpu, KVML_CR0) & X86_CR0_PE;
}

/* mmap size of a vCPU: kvm_run, PIO data, coalesced MMIO. */
#define KVML_VCPU_MMAP_PAGES 3

#endif /* _KVMLITE_VCPU_H */
