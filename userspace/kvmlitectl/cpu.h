/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the CPU can do: by CPUID, by what the kernel says of it, and, where root
 * may read them, by its MSRs.
 */
#ifndef KVMLITECTL_CPU_H
#define KVMLITECTL_CPU_H

#include <stdbool.h>

enum cpu_vendor {
	CPU_INTEL,
	CPU_AMD,
	CPU_OTHER,
};

/**
 * struct cpu - the CPU
 * @vendor:		who made it
 * @model:		its name
 * @is_virtual:		there is a hypervisor below us
 * @extension:		VT-x or AMD-V, by CPUID
 * @enabled:		and the kernel did not find it switched off
 * @nested_paging:	EPT or NPT
 * @unrestricted_guest:	real mode without emulation; always with AMD-V
 * @vpid:		TLB entries are tagged; always with AMD-V
 * @asked:		what VMX can do is by the CPU's MSRs, not /proc/cpuinfo
 * @other_controls:	VMX controls that came with them; unknown ones count
 */
struct cpu {
	enum cpu_vendor vendor;
	char model[64];
	bool is_virtual;
	bool extension;
	bool enabled;
	bool nested_paging;
	bool unrestricted_guest;
	bool vpid;
	bool asked;
	bool other_controls;
};

void cpu_read(struct cpu *cpu);

/* "VT-x" or "AMD-V". */
const char *cpu_extension_name(const struct cpu *cpu);

/*
 * What is wrong with it, in words that say what to do; NULL: kvmlite can use
 * it.  Each looks at one thing, and expects that those before it are right.
 */
const char *cpu_extension_problem(const struct cpu *cpu);
const char *cpu_paging_problem(const struct cpu *cpu);
const char *cpu_guest_problem(const struct cpu *cpu);

/* The first of them. */
const char *cpu_problem(const struct cpu *cpu);

#endif /* KVMLITECTL_CPU_H */
