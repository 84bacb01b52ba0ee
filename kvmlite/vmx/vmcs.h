/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VMX instructions, and the VMCS: the structure in which VT-x keeps a vCPU
 * (SDM volume 3, chapter 25; instructions: chapter 31).
 *
 * A VMCS is "current" on one CPU (VMPTRLD) and may be cached there: it must be
 * cleared (VMCLEAR) on that CPU before another one loads it, and before
 * VMXOFF.  Each CPU has a list of those it may cache.  The accessors work on
 * the current VMCS, so the vCPU has to be loaded.
 *
 * A host that goes down switches VT-x off under vCPUs that are loaded, and then
 * these instructions fault.  They do nothing in that case, a VMREAD gives 0,
 * and the ioctl ends with EIO: kvml_hardware_lost().
 */
#ifndef _KVMLITE_VMX_VMCS_H
#define _KVMLITE_VMX_VMCS_H

#include <asm/vmx.h>

struct kvml_vmcs {
	void *page;		/* (i) */
	u64 phys;		/* (i) */
	int cpu;		/* that may cache it; -1: none */
	bool launched;		/* since its last VMCLEAR */
	unsigned long host_rsp;	/* HOST_RSP as written */
	struct list_head link;	/* in the list of cpu; its interrupts off */
};

/*
 * count.c: VMREADs and VMWRITEs by exit reason, for debugfs: kvmlite/vmcs_accesses.
 * Accesses from one exit to the next belong to the first one's reason.
 * Counting begins when "1" is written to the file; until then it costs one
 * no-op instruction an access.
 */
DECLARE_STATIC_KEY_FALSE(kvml_vmcs_counting);
DECLARE_PER_CPU(u64, kvml_vmreads);
DECLARE_PER_CPU(u64, kvml_vmwrites);
/* If it is on, with each exit. */
void kvml_vmx_count(unsigned int reason);
void kvml_vmx_count_init(void);

void kvml_vmcs_read_failed(unsigned long field);
void kvml_vmcs_write_failed(unsigned long field, unsigned long value);

/* _ASM_EXTABLE() from the instruction at 1 to 2, with 0 in the operand "value". */
#define VMX_FAULT_TO_ZERO						\
	".pushsection __ex_table, " COMPAT_EXTABLE_FLAGS "\n\t"		\
	".balign 4\n\t"							\
	".long 1b - .\n\t"						\
	".long 2b - .\n"						\
	DEFINE_EXTABLE_TYPE_REG						\
	"extable_type_reg reg=%[value], type="				\
		__stringify(EX_TYPE_ZERO_REG) "\n"			\
	UNDEFINE_EXTABLE_TYPE_REG					\
	".popsection"

static __always_inline unsigned long vmcs_read(unsigned long field)
{
	unsigned long value;

	if (static_branch_unlikely(&kvml_vmcs_counting))
		this_cpu_inc(kvml_vmreads);
	asm_goto_output("1: vmread %[field], %[value]\n\t"
			"jna %l[failed]\n"
			"2:\n\t"
			VMX_FAULT_TO_ZERO
			: [value] "=r"(value)
			: [field] "r"(field)
			: "cc" : failed);
	return value;
failed:
	kvml_vmcs_read_failed(field);
	return 0;
}

static __always_inline void vmcs_write(unsigned long field, unsigned long value)
{
	if (static_branch_unlikely(&kvml_vmcs_counting))
		this_cpu_inc(kvml_vmwrites);
	asm goto("1: vmwrite %[value], %[field]\n\t"
		 "jna %l[failed]\n"
		 "2:\n\t"
		 _ASM_EXTABLE(1b, 2b)
		 :: [field] "r"(field), [value] "r"(value)
		 : "cc" : failed);
	return;
failed:
	kvml_vmcs_write_failed(field, value);
}

/* True: the instruction failed. */
static inline bool vmx_on(u64 phys)
{
	bool failed;

	asm volatile("1: vmxon %[phys]\n\t"
		     "jmp 3f\n"
		     "2: stc\n"
		     "3:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "=@ccbe"(failed)
		     : [phys] "m"(phys)
		     : "memory");
	return failed;
}

static inline void vmx_off(void)
{
	asm volatile("1: vmxoff\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b) ::: "cc", "memory");
}

enum { INVEPT_CONTEXT = 1, INVEPT_ALL = 2 };
enum { INVVPID_CONTEXT = 1 };

static inline void vmx_invept(unsigned long type, u64 eptp)
{
	struct { u64 eptp, zero; } desc = { eptp, 0 };

	asm volatile("1: invept %[desc], %[type]\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     :: [desc] "m"(desc), [type] "r"(type) : "cc", "memory");
}

static inline void vmx_invvpid(unsigned long type, u16 vpid)
{
	struct { u64 vpid, address; } desc = { vpid, 0 };

	asm volatile("1: invvpid %[desc], %[type]\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     :: [desc] "m"(desc), [type] "r"(type) : "cc", "memory");
}

/* GFP_KERNEL memory for a VMCS, with the revision that VMXON and VMPTRLD ask. */
int kvml_vmcs_alloc(struct kvml_vmcs *vmcs, u32 revision);
void kvml_vmcs_free(struct kvml_vmcs *vmcs);
/*
 * Preemption off, on a CPU that is on: makes it current there; true if it was
 * not cached.  When the machine goes down (kvml_hardware_lost()), CPUs are off:
 * nothing is loaded there.
 */
bool kvml_vmcs_load(struct kvml_vmcs *vmcs);
/* Wherever it is cached; preemption off, interrupts on. */
void kvml_vmcs_clear(struct kvml_vmcs *vmcs);
/* All that this CPU caches; interrupts off. */
void kvml_vmcs_clear_all(void);
/*
 * The same in an NMI.  A VMCS is in the list before VMPTRLD and until after VMCLEAR;
 * list_add() links it last, and list_del() leaves its way to the next one.
 */
void kvml_vmcs_clear_in_crash(void);
void kvml_vmcs_init(void);

#endif /* _KVMLITE_VMX_VMCS_H */
