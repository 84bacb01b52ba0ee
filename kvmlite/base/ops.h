/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What common code asks of the vendor: VT-x (vmx/) or AMD-V (svm/).  One table,
 * chosen when the module loads; nothing outside the vendor's folder knows
 * which one it is.
 */
#ifndef _KVMLITE_OPS_H
#define _KVMLITE_OPS_H

#include <linux/kvm.h>

struct kvml_vcpu;
struct kvml_vm;
struct kvml_exception;

/* Segment registers, numbered as in instructions. */
enum kvml_seg {
	KVML_ES, KVML_CS, KVML_SS, KVML_DS, KVML_FS, KVML_GS,
	KVML_LDTR, KVML_TR, KVML_SEGS
};

/* Tables of descriptors. */
enum kvml_table { KVML_GDT, KVML_IDT };

struct kvml_ops {
	const char *name;
	/* IA32_BIOS_SIGN_ID of a new vCPU. */
	u64 ucode_rev;
	/* OSVW_ID_LENGTH and OSVW_STATUS of a new vCPU; NULL: 0. */
	const u64 *osvw;
	/* Guests have SPEC_CTRL, and get_msr() and set_msr() know it. */
	bool spec_ctrl;
	/* When the module loads, or NULL: what guests cannot have, kvml_cpuid_forbid(). */
	void (*forbid_cpuid)(void);
	/* Files in debugfs, kvmlite/; or NULL. */
	void (*debugfs)(void);
	/* hw_disable() in an NMI, and whatever was done to the CPU by then; or NULL. */
	void (*hw_emergency)(void);

#define KVML_OP(type, op, ...) type (*op)(__VA_ARGS__);
#include "base/ops_list.h"
};

extern const struct kvml_ops *kvml_ops;
extern const struct kvml_ops kvml_vmx_ops;
extern const struct kvml_ops kvml_svm_ops;

/* Each vendor's, for itself. */
#define KVML_OP(type, op, ...) type kvml_vmx_##op(__VA_ARGS__);
#include "base/ops_list.h"
#define KVML_OP(type, op, ...) type kvml_svm_##op(__VA_ARGS__);
#include "base/ops_list.h"

/*
 * When the module loads.  -ENODEV: the CPU is not of this kind; or another
 * errno after one line in the log that says why.
 */
int kvml_vmx_probe(void);
int kvml_svm_probe(void);

#endif /* _KVMLITE_OPS_H */
