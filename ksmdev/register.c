// SPDX-License-Identifier: GPL-2.0
/* KSM_REGISTER. See register.h, and the uapi header for the errors. */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/hugetlb_inline.h>
#include <linux/ksmdev.h>
#include <linux/mman.h>
#include <linux/pkeys.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "../include/compat/lru.h"
#include "area.h"
#include "pass.h"
#include "pending.h"
#include "range.h"
#include "register.h"
#include "slot.h"
#include "sweep.h"

/* Tries, a millisecond or two apart, for passing references to a page to go. */
#define QUIET_TRIES 20
/* Waits as long as that which one call spends on pages that others use. */
#define CALL_WAITS 3000
/* Tries to take pages over that another thread discards or replaces all the time. */
#define STEP_TRIES 20
/* One call takes over so much at most. */
#define REGISTER_MAX BIT_ULL(40)
/* Tries to map the area where the old mapping is gone already. */
#define MAP_TRIES 50

/* One step: pages of one mapping within one chunk. */
struct reg_step {
	struct file *file;
	struct ksm_area *area;
	struct ksm_chunk *chunk;
	unsigned long addr;
	unsigned long pgoff;
	unsigned int nr;
	unsigned long prot;
	vm_flags_t vm_flags;		/* of the old mapping, to be kept */
	struct page **pages;		/* pinned; NULL: never touched */
	bool disturbed;			/* they are others */
	unsigned long lost;		/* where a page is that cannot be pinned; or 0 */
	bool may_map;			/* they are not: the old mapping may be gone by now */
	bool unmapped;			/* it is: there are none */
	unsigned int waits;		/* that the call has left */
	bool drained;			/* it has emptied the lists of CPUs */
};

/* ---- pending slots ---- */

static unsigned long step_addr(const struct reg_step *s, unsigned int i)
{
	return s->addr + ((unsigned long)i << PAGE_SHIFT);
}

static void step_unpin(struct reg_step *s)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (s->pages[i])
			unpin_user_page(s->pages[i]);
}

/*
 * The slots are pending, and within the file: nobody has seen them before.  The end moves
 * under the chunk's lock, under which others compare with it.
 */
static void pending_set(struct reg_step *s)
{
	mutex_lock(&s->area->size_lock);
	mutex_lock(&s->chunk->lock);
	/* It is charged already: does not fail. */
	ksm_area_set_end(s->area, (loff_t)(s->pgoff + s->nr) << PAGE_SHIFT);
	ksm_slots_take_over(s->chunk, ksm_slot_index(s->pgoff), s->nr, s->pages);
	s->chunk->reg_maps = true;
	mutex_unlock(&s->chunk->lock);
	mutex_unlock(&s->area->size_lock);
}

/* Back to the state before pending_set(): nothing was mapped, who waits is behind the end. */
static void pending_undo(struct reg_step *s)
{
	mutex_lock(&s->area->size_lock);
	mutex_lock(&s->chunk->lock);
	ksm_area_set_end(s->area, (loff_t)s->pgoff << PAGE_SHIFT);
	ksm_slots_undo(s->chunk, ksm_slot_index(s->pgoff), s->nr);
	mutex_unlock(&s->chunk->lock);
	mutex_unlock(&s->area->size_lock);
	step_unpin(s);
}

/* The mapping is replaced: who waits for the step with mmap_lock is not in its way any more. */
static void pending_mapped(struct reg_step *s)
{
	mutex_lock(&s->chunk->lock);
	s->chunk->reg_maps = false;
	mutex_unlock(&s->chunk->lock);
}

/*
 * Faults may use the pending slots now; if they are @contended, each one when
 * its page is quiet.
 */
static void pending_open(struct reg_step *s, bool contended)
{
	mutex_lock(&s->chunk->lock);
	s->chunk->reg_first = 0;
	s->chunk->reg_end = 0;
	s->chunk->contended |= contended;
	s->chunk->opened = jiffies;
	mutex_unlock(&s->chunk->lock);
}

/*
 * Lock the chunk when slot @i is ready, or when the call has waited for long
 * enough.  -EINTR if the task is being killed.
 */
static int step_lock_ready(struct reg_step *s, unsigned int i)
{
	for (;;) {
		if (mutex_lock_killable(&s->chunk->lock))
			return -EINTR;
		if (!(s->chunk->slots[i] & SLOT_PENDING) ||
		    ksm_pending_ready(s->chunk, i) || !s->waits)
			return 0;
		mutex_unlock(&s->chunk->lock);
		if (fatal_signal_pending(current))
			return -EINTR;
		usleep_range(1000, 2000);
		s->waits--;
	}
}

/*
 * Copy the page of slot @i unless a fault has.  If it stays pending: -EBUSY, as
 * others use it, -ENOMEM or -EINTR.
 */
static int pending_resolve_one(struct reg_step *s, unsigned int i)
{
	struct page *frame = ksm_frame_alloc(&s->area->spares, false, GFP_KERNEL);
	int err;

	if (!frame)
		return -ENOMEM;
	err = step_lock_ready(s, i);
	if (err)
		goto free_frame;
	if (s->chunk->slots[i] & SLOT_PENDING) {
		if (ksm_pending_ready(s->chunk, i)) {
			ksm_slot_resolve(s->chunk, i, frame);
			frame = NULL;
		} else {
			err = -EBUSY;
		}
	}
	mutex_unlock(&s->chunk->lock);
free_frame:
	if (frame)
		ksm_frame_free(frame);
	return err;
}

/*
 * Copy what no fault has copied yet.  What others use for long, or what finds
 * no memory, stays pending, for faults and the scanner to resolve: a copy made
 * here while a device writes would lose what it writes.
 */
static void pending_resolve_all(struct reg_step *s)
{
	unsigned int i = ksm_slot_index(s->pgoff), end = i + s->nr;
	bool left = false;
	int err = 0;

	for (; i < end && (!err || err == -EBUSY); i++) {
		err = pending_resolve_one(s, i);
		left |= err;
		cond_resched();
	}
	if (!left)
		return;
	mutex_lock(&s->chunk->lock);
	ksm_queue_chunk(s->chunk, slot_rest(0));
	mutex_unlock(&s->chunk->lock);
}

/* ---- the steps of the call ---- */

/* What may not be registered, and why: see the table in the uapi header. */
static int vma_check(struct vm_area_struct *vma)
{
	if (is_vm_hugetlb_page(vma))
		return -EOPNOTSUPP;
	if (!vma_is_anonymous(vma) ||
	    vma->vm_flags & (VM_SHARED | VM_MAYSHARE | VM_PFNMAP | VM_IO |
			     VM_MIXEDMAP | VM_GROWSDOWN | VM_WIPEONFORK | VM_SHADOW_STACK))
		return -EINVAL;
	if (vma_pkey(vma))
		return -EOPNOTSUPP;
	if ((vma->vm_flags & (VM_READ | VM_WRITE)) != (VM_READ | VM_WRITE))
		return -EACCES;
	if (vma->vm_flags & VM_LOCKED)
		return -EPERM;
	if (userfaultfd_armed(vma))
		return -EBUSY;
	return 0;
}

static unsigned long vma_prot(struct vm_area_struct *vma)
{
	unsigned long prot = PROT_READ | PROT_WRITE;

	return vma->vm_flags & VM_EXEC ? prot | PROT_EXEC : prot;
}

static vm_flags_t vma_kept_flags(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_DONTDUMP;
}

/* What is mapped at an address, if it may be registered. */
struct old_mapping {
	unsigned long end;
	unsigned long prot;
	vm_flags_t vm_flags;		/* those to be kept */
};

/* The mapping at @addr, if it may be registered.  Must hold mmap_lock. */
static struct vm_area_struct *vma_at(unsigned long addr)
{
	struct vm_area_struct *vma = find_vma(current->mm, addr);
	int err = vma && vma->vm_start <= addr ? vma_check(vma) : -ENOMEM;

	return err ? ERR_PTR(err) : vma;
}

static int vma_lookup_check(unsigned long addr, struct old_mapping *old)
{
	struct vm_area_struct *vma;
	int err;

	mmap_read_lock(current->mm);
	vma = vma_at(addr);
	err = PTR_ERR_OR_ZERO(vma);
	if (!err) {
		old->end = vma->vm_end;
		old->prot = vma_prot(vma);
		old->vm_flags = vma_kept_flags(vma);
	}
	mmap_read_unlock(current->mm);
	return err;
}

static int mappings_check(const struct ksm_range *range)
{
	struct old_mapping old;
	unsigned long addr;
	int err;

	for (addr = range->addr; addr < range->addr + range->len; addr = old.end) {
		err = vma_lookup_check(addr, &old);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Pin the pages that are there, from the @i-th on; returns how many there are in a row, 0 at
 * one that was never touched, or -errno.  FOLL_DUMP: what is not there is not made.  Another
 * thread may have registered the memory meanwhile, and no fault may wait for that here.
 */
static long step_pin_run(struct reg_step *s, unsigned int i)
{
	unsigned long addr = step_addr(s, i);
	struct vm_area_struct *vma;
	long got;

	mmap_read_lock(current->mm);
	vma = vma_at(addr);
	if (IS_ERR(vma))
		got = PTR_ERR(vma);
	else
		got = compat_pin_user_pages(addr, min_t(unsigned long, s->nr - i,
							(vma->vm_end - addr) >> PAGE_SHIFT),
					    FOLL_WRITE | FOLL_DUMP | FOLL_HWPOISON, s->pages + i);
	mmap_read_unlock(current->mm);
	if (got != -EFAULT)
		return got;
	return fatal_signal_pending(current) ? -EINTR : 0;
}

static int step_pin(struct reg_step *s)
{
	unsigned int i;
	long got;

	memset(s->pages, 0, s->nr * sizeof(*s->pages));
	for (i = 0; i < s->nr; i += got ?: 1) {
		got = step_pin_run(s, i);
		if (got < 0) {
			step_unpin(s);
			return got;
		}
		cond_resched();
	}
	return 0;
}

/*
 * The first slot from @i to before @end whose page others use; large folios
 * are looked at once.  Slots that were discarded meanwhile do not count.
 */
static unsigned int step_first_busy(struct reg_step *s, unsigned int i,
				    unsigned int end)
{
	struct folio *folio, *last = NULL;

	mutex_lock(&s->chunk->lock);
	for (; i < end; i++) {
		if (!(s->chunk->slots[i] & SLOT_PENDING))
			continue;
		folio = page_folio(slot_page(s->chunk->slots[i]));
		if (folio != last && !ksm_pending_quiet(s->chunk, i))
			break;
		last = folio;
	}
	mutex_unlock(&s->chunk->lock);
	return i;
}

/* The slots are pending. -EBUSY if a page is in use by others for long. */
static int step_wait_quiet(struct reg_step *s)
{
	unsigned int i = ksm_slot_index(s->pgoff), end = i + s->nr;
	int tries = QUIET_TRIES;

	for (;;) {
		i = step_first_busy(s, i, end);
		if (i == end)
			return 0;
		if (!--tries)
			return -EBUSY;
		if (fatal_signal_pending(current))
			return -EINTR;
		usleep_range(1000, 2000);
		if (!s->drained)
			compat_lru_drain();
		s->drained = true;
	}
}

static unsigned long step_end(struct reg_step *s)
{
	return step_addr(s, s->nr);
}

/*
 * Nothing was ever put at @addr, or only the page of zeroes.  An entry of swap whose page
 * cannot be read, of a frame that is broken, or of a guard page is something, though a pin
 * finds nothing there.  Must hold mmap_lock for writing, and the lock of the mapping: no table
 * goes away.
 */
static bool never_touched(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t pmd;
	pte_t pte;

	mmap_assert_write_locked(mm);
	if (pgd_none(*pgd))
		return true;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d))
		return true;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud))
		return true;
	pmd = READ_ONCE(*pmd_offset(pud, addr));
	if (!pmd_present(pmd) || pmd_leaf(pmd))
		return pmd_none(pmd);
	pte = READ_ONCE(*pte_offset_kernel(&pmd, addr));
	return pte_none(pte) || (pte_present(pte) && is_zero_pfn(pte_pfn(pte)));
}

/* @page is what is mapped at @addr. */
static bool page_is_at(struct page *page, unsigned long addr)
{
	struct page *now;

	if (get_user_pages_fast_only(addr, 1, 0, &now) != 1)
		return false;
	put_page(now);
	return now == page;
}

/* Page @i of the step is mapped as it was pinned; or is still not there. */
static bool page_undisturbed(struct reg_step *s, unsigned int i)
{
	unsigned long addr = step_addr(s, i);

	if (s->pages[i])
		return page_is_at(s->pages[i], addr);
	if (never_touched(current->mm, addr))
		return true;
	s->lost = addr;
	return false;
}

static bool step_is_mapped(struct reg_step *s)
{
	struct vm_area_struct *vma;
	bool mapped;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, s->addr);
	mapped = vma && vma->vm_start < step_end(s);
	mmap_read_unlock(current->mm);
	return mapped;
}

/* The old mapping is still there, and not what another thread has put in its place. */
static bool step_is_kept(struct reg_step *s)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (s->pages[i])
			return page_is_at(s->pages[i], step_addr(s, i));
	return step_is_mapped(s);
}

/*
 * Nobody works on the range under the lock of a mapping alone, faults above all.  False if
 * the mappings are not those to be replaced any more.
 */
static bool step_lock_mappings(struct reg_step *s)
{
	struct vm_area_struct *vma;
	unsigned long addr;

	mmap_assert_write_locked(current->mm);
	for (addr = s->addr; addr < step_end(s); addr = vma->vm_end) {
		vma = vma_at(addr);
		if (IS_ERR(vma) || vma_prot(vma) != s->prot || vma_kept_flags(vma) != s->vm_flags)
			return false;
		vma_start_write(vma);
	}
	return true;
}

/* Must hold mmap_lock for writing: the pages are those that were pinned. */
static bool step_undisturbed(struct reg_step *s)
{
	unsigned int i;

	if (!step_lock_mappings(s))
		return false;
	for (i = 0; i < s->nr && page_undisturbed(s, i); i++)
		;
	return i == s->nr;
}

/*
 * Only what changes page tables under mmap_lock, or under the lock of a mapping, could take
 * a pinned page away, or put one where there was none.  Nobody else has these now, or gets
 * them before the mapping is replaced.
 */
bool ksm_register_may_map(struct reg_step *s)
{
	if (s->unmapped)
		return true;
	s->may_map = step_undisturbed(s);
	s->disturbed = !s->may_map;
	return s->may_map;
}

vm_flags_t ksm_register_vm_flags(struct reg_step *s)
{
	return VM_DONTCOPY | s->vm_flags;
}

/* Where nothing is left of the old mapping, another thread may have put its own. */
static unsigned long step_try_map(struct reg_step *s)
{
	unsigned long fixed = s->unmapped ? MAP_FIXED_NOREPLACE : MAP_FIXED, addr;

	s->area->step = s;
	WRITE_ONCE(s->area->registrar, current);
	addr = vm_mmap(s->file, s->addr, s->nr << PAGE_SHIFT, s->prot, MAP_SHARED | fixed,
		       s->pgoff << PAGE_SHIFT);
	WRITE_ONCE(s->area->registrar, NULL);
	s->area->step = NULL;
	return addr;
}

/*
 * Replace the mapping.  When that fails half-way, with the old mapping gone,
 * the contents are only in our pins: try again until it works.
 */
static int step_map(struct reg_step *s)
{
	int tries = MAP_TRIES;
	unsigned long addr;

	for (;;) {
		addr = step_try_map(s);
		if (addr == s->addr) {
			pending_mapped(s);
			return 0;
		}
		if (!s->unmapped && (!s->may_map || step_is_kept(s))) {
			pending_undo(s);
			return addr;
		}
		s->unmapped = true;
		if (!--tries || addr == -EEXIST || fatal_signal_pending(current)) {
			pending_open(s, true);
			return addr;
		}
		usleep_range(10000, 20000);
	}
}

/* Pin, wait, replace. */
static int step_take(struct reg_step *s)
{
	int err = step_pin(s);

	s->disturbed = false;
	s->lost = 0;
	s->may_map = false;
	s->unmapped = false;
	if (err)
		return err;
	pending_set(s);
	err = step_wait_quiet(s);
	if (err) {
		pending_undo(s);
		return err;
	}
	return step_map(s);
}

/* The step was disturbed each time: by another thread, or by a page that nobody can have. */
static int step_refused(struct reg_step *s)
{
	struct page *page;
	long got = 0;

	mmap_read_lock(current->mm);
	if (s->lost)
		got = compat_get_user_pages(s->lost, 1, 0, &page);
	mmap_read_unlock(current->mm);
	if (got == 1)
		put_page(page);
	return got == -EFAULT ? -EIO : -EBUSY;
}

static int register_step(struct reg_step *s)
{
	int tries = STEP_TRIES, err;

	s->chunk = ksm_chunk_get(s->area, s->pgoff);
	if (IS_ERR(s->chunk))
		return PTR_ERR(s->chunk);
	do {
		err = step_take(s);
	} while (s->disturbed && --tries && !fatal_signal_pending(current));
	if (err)
		return s->disturbed ? step_refused(s) : err;
	pending_open(s, step_wait_quiet(s));
	pending_resolve_all(s);
	return 0;
}

/* Where the next step ends: at the end of its mapping, chunk or range. */
static int step_plan(struct reg_step *s, unsigned long left)
{
	struct old_mapping old;
	int err = vma_lookup_check(s->addr, &old);

	if (err)
		return err;
	s->prot = old.prot;
	s->vm_flags = old.vm_flags;
	s->nr = min3((old.end - s->addr) >> PAGE_SHIFT, left >> PAGE_SHIFT,
		     KSM_CHUNK_PAGES - ksm_slot_index(s->pgoff));
	return 0;
}

static int register_steps(struct reg_step *s, struct ksm_range *range)
{
	while (range->done < range->len) {
		int err = step_plan(s, range->len - range->done);

		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (!err)
			err = register_step(s);
		if (err)
			return err;
		s->addr += s->nr << PAGE_SHIFT;
		s->pgoff += s->nr;
		range->done += s->nr << PAGE_SHIFT;
		cond_resched();
	}
	return 0;
}

/* What is refused before anything is made. */
int ksm_register_check(struct file *device, const struct ksm_range *range)
{
	const fmode_t both = FMODE_READ | FMODE_WRITE;
	int err = ksm_range_check(range, 0);

	if (err)
		return err;
	if (range->len > REGISTER_MAX)
		return -EINVAL;
	if ((device->f_mode & both) != both)
		return -EACCES;
	return mappings_check(range);
}

/*
 * The limit counts all of it from the start: a call does not end half-way for that.  In the
 * file it begins where it begins within 2 MiB of addresses: there huge pages begin, too.
 */
static int register_reserve(struct ksm_area *area, const struct ksm_range *range)
{
	int err;

	area->first = ksm_slot_index(range->addr >> PAGE_SHIFT);
	mutex_lock(&area->size_lock);
	err = ksm_area_set_end(area, (loff_t)(area->first << PAGE_SHIFT) + range->len) ?:
	      ksm_area_set_end(area, (loff_t)area->first << PAGE_SHIFT);
	mutex_unlock(&area->size_lock);
	return err;
}

/* KSM_REGISTER: @file is new and empty. */
int ksm_register(struct file *file, struct ksm_range *range)
{
	struct ksm_area *area = ksm_area_of_file(file);
	struct reg_step s = { .file = file, .area = area, .addr = range->addr,
			      .waits = CALL_WAITS };
	int err = register_reserve(area, range);

	if (err)
		return err;
	s.pgoff = area->first;
	s.pages = kvmalloc_array(KSM_CHUNK_PAGES, sizeof(*s.pages), GFP_KERNEL);
	if (!s.pages)
		return -ENOMEM;
	err = register_steps(&s, range);
	kvfree(s.pages);
	ksm_area_trim_charge(area);
	ksm_sweep_add(area);
	return err;
}
