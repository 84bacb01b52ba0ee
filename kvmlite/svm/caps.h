/* SPDX-License-Identifier: GPL-2.0 */
/* What this CPU's AMD-V can do (CPUID 8000_000A, APM volume 3, E.4.9). */
#ifndef _KVMLITE_SVM_CAPS_H
#define _KVMLITE_SVM_CAPS_H

struct kvml_svm_caps {
	u32 asids;		/* ASID 0 is the host's; the last is asids - 1 */
	bool nrips;		/* the VMCB tells where the next instruction is */
	bool decode_assists;	/* and the operands of MOV CR and MOV DR */
	bool flush_by_asid;
	u64 osvw[2];		/* for guests: OSVW_ID_LENGTH, OSVW_STATUS */
	bool emulated;		/* CPUID tells of a hypervisor below */
	bool la57;		/* the host's tables, and so nested ones, have 5 levels */
};

extern struct kvml_svm_caps kvml_svm_caps;

/* 0, -ENODEV, or an errno after one line in the log that says what is missing. */
int kvml_svm_caps_init(void);

/*
 * What a CPU with these values of CPUID 8000_000A lacks of @caps; NULL: nothing.  Guests
 * move between CPUs, so all of them must have it.
 */
const char *kvml_svm_caps_missing(const struct kvml_svm_caps *caps, u32 ebx, u32 edx);

#endif /* _KVMLITE_SVM_CAPS_H */
