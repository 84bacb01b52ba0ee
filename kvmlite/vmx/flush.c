// SPDX-License-Identifier: GPL-2.0
/* See flush.h. */
#include <linux/hardirq.h>
#include <linux/sched/smt.h>

#include "../../include/compat/mitigation.h"

#include "vm/vm.h"
#include "vmx/flush.h"

DEFINE_STATIC_KEY_FALSE(kvml_vmx_flushing);

static enum kvml_l1d l1d_mode __ro_after_init;
static bool clear_for_devices __ro_after_init;

/* Twice the largest L1D of these CPUs; only if there is no IA32_FLUSH_CMD. */
#define FILL_ORDER	4
#define FILL_SIZE	(PAGE_SIZE << FILL_ORDER)
#define CACHE_LINE	64

static const char *fill __ro_after_init;

/* What the cache held goes because other lines come; the TLB misses first. */
static noinstr void fill_l1d(void)
{
	unsigned int i;

	for (i = 0; i < FILL_SIZE; i += PAGE_SIZE)
		(void)READ_ONCE(fill[i]);
	asm volatile("lfence" ::: "memory");
	for (i = 0; i < FILL_SIZE; i += CACHE_LINE)
		(void)READ_ONCE(fill[i]);
	asm volatile("lfence" ::: "memory");
}

static noinstr void flush_l1d(void)
{
	if (cpu_feature_enabled(X86_FEATURE_FLUSH_L1D))
		native_wrmsrq(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	else
		fill_l1d();
}

/* The memory form of VERW, with a selector that is writable (SDM, VERW). */
static __always_inline void clear_buffers(void)
{
	static const u16 selector = __KERNEL_DS;

	asm volatile("verw %0" :: "m"(selector) : "cc");
}

/*
 * Has the host touched memory since the last entry?  The kernel sets a flag in its
 * interrupt handlers; ours is set when a vCPU is loaded or an instruction emulated.
 */
static __always_inline bool take_touched(struct vmx_vcpu *vmx)
{
	bool touched = vmx->flush_l1d;

	vmx->flush_l1d = false;
#if IS_ENABLED(CONFIG_KVM_INTEL)
	touched |= kvm_get_cpu_l1tf_flush_l1d();
	kvm_clear_cpu_l1tf_flush_l1d();
	return touched;
#else
	return true;
#endif
}

noinstr void kvml_vmx_flush(struct vmx_vcpu *vmx)
{
	if (kvml_vmx_l1d_due(l1d_mode, take_touched(vmx)))
		flush_l1d();
	else if (clear_for_devices && READ_ONCE(vmx->vcpu.vm->mmu.device))
		clear_buffers();
}

void kvml_vmx_flush_warn(void)
{
	if (kvml_vmx_smt_warns(boot_cpu_has_bug(X86_BUG_L1TF), sched_smt_active(),
			       compat_l1tf_mitigation()))
		pr_warn_once("kvmlite: L1TF: this CPU has the bug and SMT is on: a guest may read what the other thread has in the cache (CVE-2018-3646); see Documentation/security.rst\n");
}

/* Pages that differ: they would be one page if a hypervisor merged them. */
static int __init fill_alloc(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, FILL_ORDER);
	unsigned int i;

	if (!page)
		return -ENOMEM;
	for (i = 0; i < 1 << FILL_ORDER; i++)
		memset(page_address(page) + i * PAGE_SIZE, i + 1, PAGE_SIZE);
	fill = page_address(page);
	return 0;
}

static bool __init hypervisor_flushes(void)
{
	u64 caps = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrq(MSR_IA32_ARCH_CAPABILITIES, caps);
	return caps & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH;
}

int __init kvml_vmx_flush_init(void)
{
	l1d_mode = kvml_vmx_l1d_choose(boot_cpu_has_bug(X86_BUG_L1TF),
				       hypervisor_flushes(),
				       compat_l1tf_mitigation());
	clear_for_devices = compat_clear_for_devices();
	if (l1d_mode != L1D_NEVER && !boot_cpu_has(X86_FEATURE_FLUSH_L1D) && fill_alloc())
		return -ENOMEM;
	if (l1d_mode != L1D_NEVER || clear_for_devices)
		static_branch_enable(&kvml_vmx_flushing);
	return 0;
}

void kvml_vmx_flush_exit(void)
{
	free_pages((unsigned long)fill, FILL_ORDER);
}
