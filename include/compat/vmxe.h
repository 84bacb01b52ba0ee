/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CR4.VMXE, in the CPU and in the kernel's own copy of CR4: see compat.h.  Since 6.19 only
 * the kernel's KVM can change that copy, from which the kernel writes CR4 again.
 */
#ifndef _COMPAT_VMXE_H
#define _COMPAT_VMXE_H

#include <linux/version.h>
#include <asm/intel_pt.h>
#include <asm/perf_event.h>
#include <asm/tlbflush.h>

#if KERNEL_VERSION(6, 19, 0) > LINUX_VERSION_CODE
#define compat_vmxe_allowed	true

/* Interrupts off.  Some CPUs cannot trace in VMX operation: perf stops it (SDM 33.5). */
static inline void compat_vmxe_prepare(void)
{
	intel_pt_handle_vmx(1);
}

static inline void compat_vmxe_set(void)
{
	cr4_set_bits_irqsoff(X86_CR4_VMXE);
}

static inline void compat_vmxe_clear(void)
{
	cr4_clear_bits_irqsoff(X86_CR4_VMXE);
}

static inline void compat_vmxe_done(void)
{
	intel_pt_handle_vmx(0);
}
#else
#define compat_vmxe_allowed	false

static inline void compat_vmxe_prepare(void)
{
}

static inline void compat_vmxe_set(void)
{
}

static inline void compat_vmxe_clear(void)
{
}

static inline void compat_vmxe_done(void)
{
}
#endif

#endif /* _COMPAT_VMXE_H */
