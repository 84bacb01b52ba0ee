/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What this CPU's VT-x can do, and the controls we chose of it (SDM volume 3,
 * appendix A: each control is allowed to be 0, 1, or both, by a VMX MSR).
 */
#ifndef _KVMLITE_VMX_CAPS_H
#define _KVMLITE_VMX_CAPS_H

struct kvml_vmx_caps {
	u32 revision;		/* of the VMCS */
	u32 pin;		/* controls, as written to each VMCS */
	u32 cpu;
	u32 cpu2;
	u32 exit;
	u32 entry;
	u64 cr0_fixed0, cr0_fixed1;
	u64 cr4_fixed0, cr4_fixed1;
	u64 ept_vpid;		/* capabilities that are used */
	u64 eptp_bits;		/* of EPTP beside the address */
	u32 preemption_timer;	/* its value; 0: there is none */
	bool ept_ad;
	bool ept_2m;
	bool invvpid_context;
	bool invept_context;
};

extern struct kvml_vmx_caps kvml_vmx_caps;

/* 0, or an errno after one line in the log that says what is missing. */
int kvml_vmx_caps_init(void);
/*
 * On each CPU that is switched on, interrupts off: 0, or -EIO after one line in the
 * log if it lacks what was chosen.
 */
int kvml_vmx_caps_check(void);

#endif /* _KVMLITE_VMX_CAPS_H */
