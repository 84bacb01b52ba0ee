// SPDX-License-Identifier: GPL-2.0
/* What the VMM has at one of its addresses. */
#include <linux/userfaultfd_k.h>

#include "mmu/hostpage.h"
#include "vm/vm.h"

static unsigned long notifier_seq(const struct kvml_vm *vm)
{
	unsigned long seq = READ_ONCE(vm->mmu.notifier_seq);

	smp_rmb();	/* invalidate_end() counts after the host's change */
	return seq;
}

/* Takes a leaf of the host's page tables; false: it takes a page fault. */
static bool take_leaf(struct kvml_hostpage *page, bool write,
		      unsigned long value, unsigned long pfn, int level)
{
	pte_t pte = __pte(value);	/* of any level: the bits are the same */

	if (value & (_PAGE_SPECIAL | _PAGE_DEVMAP))
		return false;
	page->writable = pte_access_permitted(pte, true) && pte_dirty(pte);
	if (!page->writable && (write || !pte_access_permitted(pte, false)))
		return false;
	page->pfn = pfn;
	page->level = level;
	return true;
}

/* Number of the page at @hva in what an entry translates. */
#define page_in(hva, mask) (((hva) & ~(mask)) >> PAGE_SHIFT)

/*
 * As the CPU would.  With interrupts off tables are not freed.  Each entry is
 * read once: it may become another kind.
 */
static bool walk(struct mm_struct *mm, unsigned long hva, bool write,
		 struct kvml_hostpage *page)
{
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;
	pte_t pte;

	guard(irq)();
	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (pgd_none(pgd))
		return false;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (!p4d_present(p4d))
		return false;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (!(pud_val(pud) & _PAGE_PRESENT))
		return false;
	if (pud_leaf(pud))
		return take_leaf(page, write, pud_val(pud),
				 pud_pfn(pud) + page_in(hva, PUD_MASK), 2);
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!(pmd_val(pmd) & _PAGE_PRESENT))
		return false;
	if (pmd_leaf(pmd))
		return take_leaf(page, write, pmd_val(pmd),
				 pmd_pfn(pmd) + page_in(hva, PMD_MASK), 2);
	pte = READ_ONCE(*pte_offset_kernel(&pmd, hva));
	return take_leaf(page, write, pte_val(pte), pte_pfn(pte), 1);
}

/* What get_user_pages() does not know: device memory that the VMM maps. */
static int find_pfnmap(struct mm_struct *mm, unsigned long hva, bool write,
		       struct kvml_hostpage *page)
{
	struct follow_pfnmap_args args = { .address = hva };
	bool unlocked = false;
	int r = -EFAULT;

	mmap_read_lock(mm);
	args.vma = vma_lookup(mm, hva);
	if (!args.vma || !(args.vma->vm_flags & (VM_IO | VM_PFNMAP)))
		goto out;
	if (follow_pfnmap_start(&args)) {
		r = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
		r = r ?: -EAGAIN;
		goto out;
	}
	if (!write || args.writable) {
		page->pfn = args.pfn;
		page->writable = args.writable;
		r = 0;
	}
	follow_pfnmap_end(&args);
	if (r)
		goto out;
	page->level = 1;
	page->device = !page_is_ram(page->pfn);
	page->vetted = true;
out:
	mmap_read_unlock(mm);
	return r;
}

/*
 * Most faults are of this kind: with less to look at than get_user_pages() has
 * to. False: ask that one.
 */
static bool fault_anonymous(struct mm_struct *mm, unsigned long hva, bool write)
{
	unsigned long access = write ? VM_WRITE : VM_READ;
	unsigned int flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE |
			     (write ? FAULT_FLAG_WRITE : 0);
	vm_fault_t result = VM_FAULT_SIGSEGV;
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, hva);
	if (vma && vma_is_anonymous(vma) && vma->vm_flags & access &&
	    !(vma->vm_flags & (VM_IO | VM_PFNMAP)) && !userfaultfd_armed(vma))
		result = handle_mm_fault(vma, hva, flags, NULL);
	/* To wait for a page from swap it has given up the lock. */
	if (result & (VM_FAULT_RETRY | VM_FAULT_COMPLETED))
		return false;
	mmap_read_unlock(mm);
	return !(result & VM_FAULT_ERROR);
}

static int fault_in(struct kvml_vm *vm, unsigned long hva, bool write,
		    struct kvml_hostpage *page)
{
	unsigned int flags = FOLL_HWPOISON | FOLL_HONOR_NUMA_FAULT |
			     FOLL_INTERRUPTIBLE | (write ? FOLL_WRITE : 0);
	unsigned long seq = page->seq;
	struct page *got;
	long r;

	if (fault_anonymous(vm->mm, hva, write)) {
		page->seq = notifier_seq(vm);
		page->vetted = true;
		if (walk(vm->mm, hva, write, page))
			return 0;
		page->seq = seq;
	}
	r = get_user_pages_unlocked(hva, 1, &got, flags);
	if (r == -EHWPOISON || r == -EINTR || r == -ENOMEM)
		return r;
	if (r != 1)
		return find_pfnmap(vm->mm, hva, write, page);

	/*
	 * The page tables tell more, but for some kinds of pages (the zero
	 * page, clean ones), and are newer: breaking COW is a notification.
	 */
	page->seq = notifier_seq(vm);
	if (!walk(vm->mm, hva, write, page) || page->pfn != page_to_pfn(got)) {
		page->seq = seq;
		page->pfn = page_to_pfn(got);
		page->writable = write;
		page->level = 1;
	}
	page->vetted = true;
	put_page(got);
	return 0;
}

int kvml_hostpage_find(struct kvml_vm *vm, unsigned long hva, bool write,
		       struct kvml_hostpage *page)
{
	page->seq = notifier_seq(vm);
	page->device = false;
	if (!page->vetted && walk(vm->mm, hva, write, page))
		return 0;
	return fault_in(vm, hva, write, page);
}
