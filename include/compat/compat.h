/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the supported kernels, 6.1 to 7.3, and only here.
 * Force-included before every source file; the code itself is written for the
 * newest kernel.
 */
#ifndef _COMPAT_COMPAT_H
#define _COMPAT_COMPAT_H

#include <linux/version.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <asm/msr.h>
#include <asm/processor.h>
#ifdef __has_include	/* which sparse has not */
#if __has_include("asm/cpuid/api.h")
#include <asm/cpuid/api.h>
#endif
#endif

#if KERNEL_VERSION(6, 3, 0) > LINUX_VERSION_CODE
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}

static inline int folio_pincount(struct folio *folio)
{
	return atomic_read(folio_pincount_ptr(folio));
}

/* folio_mapcount() is not exported; an anonymous large folio only. */
static inline int folio_large_mapcount(struct folio *folio)
{
	long i, nr = folio_nr_pages(folio);
	int count = folio_entire_mapcount(folio);

	for (i = 0; i < nr; i++)
		count += atomic_read(&folio_page(folio, i)->_mapcount) + 1;
	return folio_test_double_map(folio) ? count - nr : count;
}
#else
static inline int folio_pincount(struct folio *folio)
{
	return atomic_read(&folio->_pincount);
}
#endif

/* The frame is broken, by what a machine check said; cloud kernels of 6.1 do not care. */
static inline void compat_memory_failure(unsigned long pfn)
{
#ifdef CONFIG_MEMORY_FAILURE
	memory_failure_queue(pfn, 0);
#endif
}

#ifndef VM_SHADOW_STACK
#define VM_SHADOW_STACK VM_NONE
#endif

#if KERNEL_VERSION(6, 4, 0) > LINUX_VERSION_CODE
/* Mappings have no lock of their own. */
static inline void vma_start_write(struct vm_area_struct *vma)
{
}
#endif

#if KERNEL_VERSION(6, 6, 0) > LINUX_VERSION_CODE
static inline void release_fault_lock(struct vm_fault *vmf)
{
	mmap_read_unlock(vmf->vma->vm_mm);
}
#endif

/* What ksmfs needs of the VFS. */
#if KERNEL_VERSION(6, 3, 0) > LINUX_VERSION_CODE
#define mnt_idmap	user_namespace
#define nop_mnt_idmap	init_user_ns
#endif

#if KERNEL_VERSION(6, 5, 0) > LINUX_VERSION_CODE
#define copy_splice_read	generic_file_splice_read
#define compat_pin_user_pages(addr, nr, flags, pages)			\
	pin_user_pages(addr, nr, flags, pages, NULL)
#define compat_get_user_pages(addr, nr, flags, pages)			\
	get_user_pages(addr, nr, flags, pages, NULL)
#else
#define compat_pin_user_pages	pin_user_pages
#define compat_get_user_pages	get_user_pages
#endif

#if KERNEL_VERSION(6, 6, 0) > LINUX_VERSION_CODE
static inline void compat_fillattr(struct mnt_idmap *idmap, u32 mask, struct inode *inode,
				   struct kstat *stat)
{
	generic_fillattr(idmap, inode, stat);
}

#define generic_fillattr	compat_fillattr

/* Some releases of 6.1 have it, too. */
static inline struct timespec64 compat_set_ctime_current(struct inode *inode)
{
	return inode->i_ctime = current_time(inode);
}

#define inode_set_ctime_current	compat_set_ctime_current
#endif
#if KERNEL_VERSION(6, 7, 0) > LINUX_VERSION_CODE
static inline void inode_set_mtime_to_ts(struct inode *inode, struct timespec64 ts)
{
	inode->i_mtime = ts;
}

static inline void simple_inode_init_ts(struct inode *inode)
{
	inode->i_mtime = inode_set_ctime_current(inode);
	inode->i_atime = inode->i_mtime;
}
#endif

/* A shrinker of the whole machine; NULL without memory. */
typedef unsigned long (*compat_shrink_fn)(struct shrinker *s,
					  struct shrink_control *sc);

#if KERNEL_VERSION(6, 7, 0) > LINUX_VERSION_CODE
static inline struct shrinker *compat_shrinker_register(const char *name,
							compat_shrink_fn count,
							compat_shrink_fn scan)
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = DEFAULT_SEEKS;
	if (!register_shrinker(s, "%s", name))
		return s;
	kfree(s);
	return NULL;
}

static inline void compat_shrinker_unregister(struct shrinker *s)
{
	unregister_shrinker(s);
	kfree(s);
}
#else
static inline struct shrinker *compat_shrinker_register(const char *name,
							compat_shrink_fn count,
							compat_shrink_fn scan)
{
	struct shrinker *s = shrinker_alloc(0, "%s", name);

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	shrinker_register(s);
	return s;
}

static inline void compat_shrinker_unregister(struct shrinker *s)
{
	shrinker_free(s);
}
#endif

/* What mmap() does without a ->get_unmapped_area() of the file. */
#if KERNEL_VERSION(6, 10, 0) > LINUX_VERSION_CODE
#define compat_get_unmapped_area(file, ...)				\
	(current->mm->get_unmapped_area(file, __VA_ARGS__))
#elif KERNEL_VERSION(6, 19, 0) > LINUX_VERSION_CODE
#define compat_get_unmapped_area(file, ...)				\
	mm_get_unmapped_area(current->mm, file, __VA_ARGS__)
#else
#define compat_get_unmapped_area(file, ...)				\
	mm_get_unmapped_area(file, __VA_ARGS__)
#endif

/* kvm_run.immediate_exit, which userspace may change at any time. */
#if KERNEL_VERSION(6, 10, 0) > LINUX_VERSION_CODE
#define compat_immediate_exit(run)	READ_ONCE((run)->immediate_exit)
#else
#define compat_immediate_exit(run)	READ_ONCE((run)->immediate_exit__unsafe)
#endif

/* COMPAT_SYSCORE(NAME, SUSPEND, RESUME): callbacks that take a pointer. */
#ifndef COMPAT_SYSCORE_OBJECT
#define COMPAT_SYSCORE(name, suspend_fn, resume_fn)			\
	static int name##_suspend(void) { return suspend_fn(NULL); }	\
	static void name##_resume(void) { resume_fn(NULL); }		\
	static struct syscore_ops name = {				\
		.suspend = name##_suspend,				\
		.resume = name##_resume,				\
	}
#define compat_register_syscore(s)	register_syscore_ops(s)
#define compat_unregister_syscore(s)	unregister_syscore_ops(s)
#else
#define COMPAT_SYSCORE(name, suspend_fn, resume_fn)			\
	static const struct syscore_ops name##_ops = {			\
		.suspend = suspend_fn,					\
		.resume = resume_fn,					\
	};								\
	static struct syscore name = { .ops = &name##_ops }
#define compat_register_syscore(s)	register_syscore(s)
#define compat_unregister_syscore(s)	unregister_syscore(s)
#endif

#if KERNEL_VERSION(6, 3, 0) > LINUX_VERSION_CODE
#define FOLL_INTERRUPTIBLE	0	/* a fatal signal only */
#endif
#if KERNEL_VERSION(6, 6, 0) > LINUX_VERSION_CODE
#define FOLL_HONOR_NUMA_FAULT	0	/* always */
#endif

#if KERNEL_VERSION(6, 8, 0) > LINUX_VERSION_CODE
#define eventfd_signal(ctx)	eventfd_signal(ctx, 1)
#endif

/* A page-table entry of a PFN mapping, as long as it is locked. */
#if KERNEL_VERSION(6, 12, 0) > LINUX_VERSION_CODE
struct follow_pfnmap_args {
	struct vm_area_struct *vma;
	unsigned long address;
	pte_t *ptep;
	spinlock_t *lock;	/* of the page table, held */
	unsigned long pfn;
	bool writable;
};

static inline int follow_pfnmap_start(struct follow_pfnmap_args *args)
{
	int r = follow_pte(args->vma->vm_mm, args->address, &args->ptep,
			   &args->lock);

	if (r)
		return r;
	args->pfn = pte_pfn(*args->ptep);
	args->writable = pte_write(*args->ptep);
	return 0;
}

static inline void follow_pfnmap_end(struct follow_pfnmap_args *args)
{
	__acquire(args->lock); /* sparse: by follow_pte() */
	pte_unmap_unlock(args->ptep, args->lock);
}
#endif

/* Memory of SNP guests (CC_ATTR_HOST_SEV_SNP) is protected from this host. */
#if KERNEL_VERSION(6, 9, 0) > LINUX_VERSION_CODE
#define compat_snp_host()	false
#else
#define compat_snp_host()	cc_platform_has(CC_ATTR_HOST_SEV_SNP)
#endif

/*
 * AMD-V is on in this CPU: perf may count in the host only.  Newer kernels keep this
 * for their own KVM; there, events that ask for it count in guests, too.
 */
#if KERNEL_VERSION(6, 19, 0) > LINUX_VERSION_CODE
#define compat_amd_pmu_virt(on)						\
	((on) ? amd_pmu_enable_virt() : amd_pmu_disable_virt())
#else
#define compat_amd_pmu_virt(on)	((void)(on))
#endif

/* The bit of BP_CFG that reduces speculation (SRSO); 0: the CPU or the kernel has none. */
#ifdef X86_FEATURE_SRSO_BP_SPEC_REDUCE
#define COMPAT_BP_SPEC_REDUCE	(boot_cpu_has(X86_FEATURE_SRSO_BP_SPEC_REDUCE) ?	\
				 BIT_ULL(MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT) : 0)
#else
#define COMPAT_BP_SPEC_REDUCE	0ull
#endif

/* MSRs by names that tell their size: since 6.16. */
#ifndef rdmsrq
#define rdmsrq		rdmsrl
#define rdmsrq_safe	rdmsrl_safe
#define wrmsrq		wrmsrl
#define wrmsrq_safe	wrmsrl_safe
#define native_wrmsrq	native_wrmsrl
#endif

/* The bits of page->mapping that make it no address_space's address: since 6.17. */
#ifndef FOLIO_MAPPING_FLAGS
#define FOLIO_MAPPING_FLAGS	PAGE_MAPPING_FLAGS
#endif

/* Device memory has no mark of its own in page tables any more: since 6.17. */
#ifndef _PAGE_DEVMAP
#define _PAGE_DEVMAP	0
#endif

/* What the calls of mmu_notifier that look for young pages return. */
#if KERNEL_VERSION(7, 1, 0) > LINUX_VERSION_CODE
#define compat_young_t	int
#else
#define compat_young_t	bool
#endif

/* Of the section __ex_table: the linker may merge entries since 7.3. */
#ifdef EXTABLE_SIZE
#define COMPAT_EXTABLE_FLAGS	"\"aM\", @progbits, " __stringify(EXTABLE_SIZE)
#else
#define COMPAT_EXTABLE_FLAGS	"\"a\""
#endif

#endif /* _COMPAT_COMPAT_H */
