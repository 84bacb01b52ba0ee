/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters, by KVM_GET_STATS_FD (api.rst 4.133) and in debugfs: kvmlite/PID-N/,
 * N counting the VMs since the module was loaded,
 * with a file a counter, and vcpuN/ below it.  In kvmlite/ itself are the sums
 * over all vCPUs since the module was loaded.
 */
#ifndef _KVMLITE_STATS_H
#define _KVMLITE_STATS_H

struct kvml_vcpu;

struct kvml_vcpu_stat {
	u64 exits;			/* VM exits */
	u64 io_exits;			/* IN, OUT, INS, OUTS */
	u64 mmio_exits;			/* accesses to MMIO */
	u64 signal_exits;		/* KVM_RUN ended by a signal */
	u64 irq_exits;			/* host interrupts while in the guest */
	u64 irq_window_exits;		/* the guest became ready for an interrupt */
	u64 nmi_window_exits;		/* the guest became ready for an NMI */
	u64 halt_exits;			/* HLT */
	u64 request_irq_exits;		/* exits for request_interrupt_window */
	u64 cpuid_exits;		/* CPUID */
	u64 msr_exits;			/* RDMSR, WRMSR */
	u64 cr_exits;			/* accesses to control registers */
	u64 hypercalls;			/* VMCALL, VMMCALL */
	u64 exceptions;			/* exceptions taken from the guest, or injected */
	u64 pf_taken;			/* second-stage faults */
	u64 pf_fixed;			/* second-stage faults that mapped a page */
	u64 pf_retried;			/* second-stage faults done again */
	u64 insn_emulation;		/* instructions emulated */
	u64 insn_emulation_fail;	/* instructions that could not be */
	u64 irq_injections;		/* interrupts injected */
	u64 nmi_injections;		/* NMIs injected */
	u64 tlb_flush;			/* second-stage TLB flushes */
	u64 fpu_reload;			/* entries with the guest's FPU state */
	u64 userspace_exits;		/* KVM_RUN returned */
};

struct kvml_vm_stat {
	u64 remote_tlb_flush;		/* flushes asked of all vCPUs */
	u64 mmu_unmapped;		/* pages unmapped by MMU notifiers */
	/* What there is now */
	atomic_long_t pages_4k;		/* pages mapped in 4 KiB pieces */
	atomic_long_t pages_2m;		/* pages mapped in 2 MiB pieces */
	atomic_long_t tables;		/* pages of second-stage tables */
};

/* What userspace is told of the counters of a VM, or of a vCPU. */
struct kvml_stats {
	struct kvml_vm *vm;
	const struct kvml_stat_desc *descs;
	unsigned int nr;
	void *counters;
	char id[48];
	struct dentry *debugfs;
};

/* debugfs: kvmlite/; made by kvml_stats_init(). */
extern struct dentry *kvml_debugfs;

/* KVM_GET_STATS_FD; @name: of the file. */
int kvml_stats_fd(struct kvml_stats *s, const char *name);
void kvml_stats_vm_add(struct kvml_vm *vm);
void kvml_stats_vm_remove(struct kvml_vm *vm);
void kvml_stats_vcpu_add(struct kvml_vcpu *vcpu);
void kvml_stats_init(void);

#endif /* _KVMLITE_STATS_H */
