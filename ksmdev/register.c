// SPDX-License-Identifier: GPL-2.0
/* KSM_REGISTER. See register.h, and the uapi header for the errors. */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/hugetlb_inline.h>
#include <linux/ksmdev.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "area.h"
#include "domain.h"
#include "fault.h"
#include "pass.h"
#include "range.h"
#include "register.h"

/* Tries, a millisecond or two apart, for passing references to a page to go. */
#define QUIET_TRIES 20
/* Waits as long as that which one call spends on pages that others use. */
#define CALL_WAITS 3000
/*
 * For so long after the old mapping went a fault waits for the others.  In a
 * large folio the pages that a call of get_user_pages() has pinned cannot be
 * told from the one at which it faults: it may be waiting for itself.
 */
#define PATIENCE (10 * HZ)
#define PATIENCE_LARGE HZ
/* Tries to take pages over that another thread discards or replaces all the time. */
#define STEP_TRIES 20
/* Tries to map the area where the old mapping is gone already. */
#define MAP_TRIES 50

/* One step: pages of one mapping within one chunk. */
struct reg_step {
	struct file *file;
	struct ksm_area *area;
	struct ksm_chunk *chunk;
	bool new_chunk;			/* nobody else has seen the chunk */
	unsigned long addr;
	unsigned long pgoff;
	unsigned int nr;
	unsigned long prot;
	struct page **pages;		/* pinned */
	struct page **mapped;		/* those that are there now */
	bool disturbed;			/* they are others */
	bool unmapped;			/* the old mapping is gone: there are none */
	unsigned int waits;		/* that the call has left */
};

/* ---- who else uses a page ---- */

/* Pins of ours on the folio of slot @i: it is contiguous in the slots. */
static int folio_own_pins(struct ksm_chunk *chunk, unsigned int i,
			  struct folio *folio)
{
	unsigned int idx = folio_page_idx(folio, slot_page(chunk->slots[i]));
	unsigned int from = i > idx ? i - idx : 0;
	unsigned int to = min_t(unsigned long, KSM_CHUNK_PAGES,
				i - idx + folio_nr_pages(folio));
	int pins = 0;

	for (; from < to; from++) {
		struct page *page = slot_page(chunk->slots[from]);

		if (chunk->slots[from] & SLOT_PENDING &&
		    page_folio(page) == folio)
			pins++;
	}
	return pins;
}

static bool large_quiet(struct ksm_chunk *chunk, unsigned int i,
			struct folio *folio)
{
	int pins = folio_pincount(folio);
	int refs = folio_ref_count(folio) - pins - folio_large_mapcount(folio);

	if (folio_test_swapcache(folio))
		refs -= folio_nr_pages(folio);
	return pins == folio_own_pins(chunk, i, folio) && refs <= 0;
}

/*
 * Nobody but us and page tables uses the page of the pending slot @i.  A page
 * that is not on the LRU may have one more reference: from the per-CPU batch
 * through which it gets there.  Must hold chunk->lock.
 */
static bool pending_quiet(struct ksm_chunk *chunk, unsigned int i)
{
	struct page *page = slot_page(chunk->slots[i]);
	struct folio *folio = page_folio(page);
	int refs;

	if (folio_test_large(folio))
		return large_quiet(chunk, i, folio);
	refs = folio_ref_count(folio) - GUP_PIN_COUNTING_BIAS;
	refs -= atomic_read(&page->_mapcount) + 1;
	refs -= folio_test_swapcache(folio) ? 1 : 0;
	refs -= folio_test_lru(folio) ? 0 : 1;
	return refs <= 0;
}

/* ---- pending slots ---- */

static bool slot_registering(struct ksm_chunk *chunk, unsigned int i)
{
	return i >= chunk->reg_first && i < chunk->reg_end;
}

/* The page of the pending slot @i may be copied. Must hold chunk->lock. */
bool ksm_pending_ready(struct ksm_chunk *chunk, unsigned int i)
{
	if (slot_registering(chunk, i))
		return false;
	return !chunk->contended || pending_quiet(chunk, i);
}

/* It need not be waited for any longer; see ksm_chunk_lock_registered(). */
static bool pending_due(struct ksm_chunk *chunk, unsigned int i, bool user)
{
	struct folio *folio = page_folio(slot_page(chunk->slots[i]));
	unsigned long patience = user || !folio_test_large(folio) ?
				 PATIENCE : PATIENCE_LARGE;

	if (slot_registering(chunk, i))
		return false;
	return time_after(jiffies, chunk->opened + patience) ||
	       ksm_pending_ready(chunk, i);
}

/*
 * Lock the chunk for a use of slot @i.  If its page is pending and used by
 * others: -EAGAIN, the caller has to wait.  As the one who waits may be the
 * one who uses it, that ends some time after the old mapping went: soon, unless
 * @user tells that the caller cannot be in a system call that holds pages.
 * -EINTR if the task is being killed.
 */
int ksm_chunk_lock_registered(struct ksm_chunk *chunk, unsigned int i,
			      bool user)
{
	if (mutex_lock_killable(&chunk->lock))
		return -EINTR;
	if (likely(!(chunk->slots[i] & SLOT_PENDING)) ||
	    pending_due(chunk, i, user))
		return 0;
	mutex_unlock(&chunk->lock);
	return -EAGAIN;
}

/* Wait until ksm_chunk_lock_registered() would succeed.  0 or -EINTR. */
int ksm_pending_wait(struct ksm_chunk *chunk, unsigned int i, bool user)
{
	int err;

	while ((err = ksm_chunk_lock_registered(chunk, i, user)) == -EAGAIN) {
		if (fatal_signal_pending(current))
			return -EINTR;
		usleep_range(1000, 2000);
	}
	if (!err)
		mutex_unlock(&chunk->lock);
	return err;
}

/*
 * The pending slot @i gets its contents in the new frame @frame, or none if
 * it holds zeroes.  Must hold chunk->lock.
 */
void ksm_pending_resolve(struct ksm_chunk *chunk, unsigned int i,
			 struct page *frame)
{
	struct ksm_area *area = chunk->area;
	ksm_slot_t slot = chunk->slots[i];
	struct page *from = slot_page(slot);

	atomic_long_dec(&area->counts.pending);
	if (ksm_content_zero(page_address(from))) {
		chunk->slots[i] = slot_make(slot, NULL, 0);
		ksm_frame_free(frame);
	} else {
		copy_highpage(frame, from);
		frame->mapping = ksm_area_mapping(area);
		frame->index = chunk->first + i;
		chunk->slots[i] = slot_set_rest(slot_make(slot, frame, 0), 0,
						slot_now());
		atomic_long_inc(&area->counts.private);
		ksm_queue_chunk(chunk, slot_rest(0));
	}
	unpin_user_page(from);
}

static void pending_set(struct reg_step *s)
{
	unsigned int i = ksm_slot_index(s->pgoff), j;

	mutex_lock(&s->chunk->lock);
	s->chunk->reg_first = i;
	s->chunk->reg_end = i + s->nr;
	for (j = 0; j < s->nr; j++)
		s->chunk->slots[i + j] =
			slot_set_rest(slot_make(0, s->pages[j], SLOT_PENDING),
				      0, slot_now());
	mutex_unlock(&s->chunk->lock);
	atomic_long_add(s->nr, &s->area->counts.pending);
}

/* Back to the state before pending_set(): nothing was mapped. */
static void pending_undo(struct reg_step *s)
{
	unsigned int i = ksm_slot_index(s->pgoff), j;

	mutex_lock(&s->chunk->lock);
	s->chunk->reg_end = 0;
	for (j = 0; j < s->nr; j++)
		s->chunk->slots[i + j] = 0;
	mutex_unlock(&s->chunk->lock);
	atomic_long_sub(s->nr, &s->area->counts.pending);
	unpin_user_pages(s->pages, s->nr);
}

/*
 * Faults may use the pending slots now; if they are @contended, each one when
 * its page is quiet.
 */
static void pending_open(struct reg_step *s, bool contended)
{
	mutex_lock(&s->chunk->lock);
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
	struct page *frame = ksm_frame_alloc(s->area, false, GFP_KERNEL);
	int err;

	if (!frame)
		return -ENOMEM;
	err = step_lock_ready(s, i);
	if (err)
		goto free_frame;
	if (s->chunk->slots[i] & SLOT_PENDING) {
		if (ksm_pending_ready(s->chunk, i)) {
			ksm_pending_resolve(s->chunk, i, frame);
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
			     VM_MIXEDMAP | VM_GROWSDOWN))
		return -EINVAL;
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

/* The mapping at @addr: its end and protection, if it may be registered. */
static int vma_lookup_check(unsigned long addr, unsigned long *end,
			    unsigned long *prot)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int err = -ENOMEM;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr) {
		err = vma_check(vma);
		*end = vma->vm_end;
		*prot = vma_prot(vma);
	}
	mmap_read_unlock(mm);
	return err;
}

static int register_check(const struct ksm_range *range)
{
	unsigned long addr = range->addr, end, prot;
	int err;

	while (addr < range->addr + range->len) {
		err = vma_lookup_check(addr, &end, &prot);
		if (err)
			return err;
		addr = end;
	}
	return 0;
}

static int step_pin(struct reg_step *s)
{
	int got = pin_user_pages_fast(s->addr, s->nr, FOLL_WRITE, s->pages);

	if (got == s->nr)
		return 0;
	if (got > 0)
		unpin_user_pages(s->pages, got);
	if (got < 0 && got != -EFAULT)
		return got;
	return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
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
		if (folio != last && !pending_quiet(s->chunk, i))
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
	}
}

static bool old_mapping_intact(struct reg_step *s)
{
	unsigned long end, prot;

	return !vma_lookup_check(s->addr, &end, &prot) &&
	       end >= s->addr + (s->nr << PAGE_SHIFT);
}

/*
 * Only what changes page tables under mmap_lock could take a pinned page away, and
 * nobody else has that now.
 */
bool ksm_register_may_map(struct reg_step *s)
{
	int got, i;

	if (s->unmapped)
		return true;
	got = get_user_pages_fast_only(s->addr, s->nr, 0, s->mapped);
	s->disturbed = got != s->nr ||
		       memcmp(s->mapped, s->pages, s->nr * sizeof(*s->pages));
	for (i = 0; i < got; i++)
		put_page(s->mapped[i]);
	return !s->disturbed;
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
		s->area->step = s;
		WRITE_ONCE(s->area->registrar, current);
		addr = vm_mmap(s->file, s->addr, s->nr << PAGE_SHIFT, s->prot,
			       MAP_SHARED | MAP_FIXED,
			       s->pgoff << PAGE_SHIFT);
		WRITE_ONCE(s->area->registrar, NULL);
		s->area->step = NULL;
		if (addr == s->addr)
			return 0;
		if (old_mapping_intact(s)) {
			pending_undo(s);
			return addr;
		}
		s->unmapped = true;
		if (!--tries || fatal_signal_pending(current)) {
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

static int register_step(struct reg_step *s)
{
	int tries = STEP_TRIES, err;

	s->new_chunk = !ksm_chunk_find(s->area, s->pgoff);
	s->chunk = ksm_chunk_get(s->area, s->pgoff);
	if (!s->chunk)
		return -ENOMEM;
	do {
		err = step_take(s);
	} while (s->disturbed && --tries && !fatal_signal_pending(current));
	if (err)
		return s->disturbed ? -EBUSY : err;
	pending_open(s, step_wait_quiet(s));
	pending_resolve_all(s);
	return 0;
}

/* Where the next step ends: at the end of its mapping, chunk or range. */
static int step_plan(struct reg_step *s, unsigned long left)
{
	unsigned long end;
	int err = vma_lookup_check(s->addr, &end, &s->prot);

	if (err)
		return err;
	s->nr = min3((end - s->addr) >> PAGE_SHIFT, left >> PAGE_SHIFT,
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

/* ---- regions ---- */

/* Must hold area->register_lock. */
static struct ksm_region *region_new(struct ksm_area *area, unsigned long addr,
				     unsigned long pages, u32 *nr)
{
	struct ksm_region *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	int err;

	if (!r)
		return ERR_PTR(-ENOMEM);
	err = xa_alloc(&area->regions, nr, r,
		       XA_LIMIT(KSM_REGION_MIN, KSM_REGION_MAX),
		       GFP_KERNEL_ACCOUNT);
	if (err)
		goto err_free;
	mutex_lock(&area->size_lock);
	err = ksm_area_charge(area, pages);
	mutex_unlock(&area->size_lock);
	if (err)
		goto err_erase;
	r->pages = pages;
	/* Chunks of slots are chunks of addresses, as huge pages are. */
	r->first = ((unsigned long)*nr << KSM_REGION_SHIFT) +
		   ksm_slot_index(addr >> PAGE_SHIFT);
	return r;

err_erase:
	xa_erase(&area->regions, *nr);
err_free:
	kfree(r);
	return ERR_PTR(err);
}

/* Only the first @pages of the region are in use. */
static void region_trim(struct ksm_area *area, unsigned long nr,
			struct ksm_region *r, unsigned long pages)
{
	mutex_lock(&area->size_lock);
	if (pages < r->pages) {
		ksm_area_uncharge(area, r->pages - pages);
		WRITE_ONCE(r->pages, pages);
	}
	mutex_unlock(&area->size_lock);
	if (pages)
		return;
	xa_erase(&area->regions, nr);
	kfree_rcu_mightsleep(r);
}

/* A fault at @pgoff in a mapping from @vm_pgoff on: within one region? */
bool ksm_region_covers(struct ksm_area *area, unsigned long vm_pgoff,
		       unsigned long pgoff)
{
	unsigned long need;
	struct ksm_region *r;
	int err = 0;

	if ((vm_pgoff ^ pgoff) >> KSM_REGION_SHIFT)
		return false;
	r = xa_load(&area->regions, pgoff >> KSM_REGION_SHIFT);
	if (!r || pgoff < r->first)
		return false;
	need = pgoff - r->first + 1;
	if (likely(need <= READ_ONCE(r->pages)))
		return true;
	mutex_lock(&area->size_lock);
	if (need > r->pages)
		err = ksm_area_charge(area, need - r->pages);
	if (!err && need > r->pages)
		WRITE_ONCE(r->pages, need);
	mutex_unlock(&area->size_lock);
	return !err;
}

void ksm_regions_free(struct ksm_area *area)
{
	struct ksm_region *r;
	unsigned long nr;

	xa_for_each(&area->regions, nr, r) {
		xa_erase(&area->regions, nr);
		kfree(r);
	}
}

/*
 * The call failed with its first step: nothing ever mapped the chunk, and no
 * frame was in it.  The lock keeps those away who walk over all chunks.
 */
static void register_undo_chunk(struct reg_step *s)
{
	struct ksm_domain *d = s->area->domain;

	if (!s->chunk || !s->new_chunk)
		return;
	mutex_lock(&d->areas_lock);
	xa_erase(&s->area->chunks, s->chunk->first >> KSM_CHUNK_SHIFT);
	mutex_unlock(&d->areas_lock);
	ksm_chunk_free(s->chunk);
	atomic_long_dec(&s->area->counts.chunks);
}

/* KSM_REGISTER. */
int ksm_register(struct file *file, struct ksm_range *range)
{
	struct ksm_area *area = ksm_area_of_file(file);
	struct reg_step s = { .file = file, .area = area, .addr = range->addr,
			      .waits = CALL_WAITS };
	struct ksm_region *r;
	int err = ksm_range_check(range, 0);
	u32 nr;

	range->done = 0;
	if (err)
		return err;
	if (range->len >> PAGE_SHIFT > KSM_REGION_PAGES - KSM_CHUNK_PAGES)
		return -EINVAL;
	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) !=
	    (FMODE_READ | FMODE_WRITE))
		return -EACCES;
	s.pages = kvmalloc_array(2 * KSM_CHUNK_PAGES, sizeof(*s.pages), GFP_KERNEL);
	if (!s.pages)
		return -ENOMEM;
	s.mapped = s.pages + KSM_CHUNK_PAGES;
	if (mutex_lock_killable(&area->register_lock)) {
		err = -EINTR;
		goto free_pages;
	}
	err = register_check(range);
	if (err)
		goto unlock;
	r = region_new(area, range->addr, range->len >> PAGE_SHIFT, &nr);
	if (IS_ERR(r)) {
		err = PTR_ERR(r);
		goto unlock;
	}
	s.pgoff = r->first;
	err = register_steps(&s, range);
	if (err) {
		ksm_range_drop_pages(area, s.pgoff, r->first + r->pages);
		if (!range->done)
			register_undo_chunk(&s);
		region_trim(area, nr, r, range->done >> PAGE_SHIFT);
	}
unlock:
	mutex_unlock(&area->register_lock);
free_pages:
	kvfree(s.pages);
	return err;
}

/* ---- sweep: registered memory that was unmapped since ---- */

struct span {
	unsigned long first;
	unsigned long end;
};

/* Copy the page offsets of all mappings, sorted by start; returns how many. */
static unsigned long spans_read(struct address_space *mapping,
				struct span *spans, unsigned long max,
				unsigned long *sum)
{
	struct rb_node *node;
	unsigned long nr = 0;

	*sum = 0;
	i_mmap_lock_read(mapping);
	for (node = rb_first_cached(&mapping->i_mmap); node;
	     node = rb_next(node)) {
		struct vm_area_struct *vma = rb_entry(node,
				struct vm_area_struct, shared.rb);

		if (nr < max) {
			spans[nr].first = vma->vm_pgoff;
			spans[nr].end = vma->vm_pgoff + vma_pages(vma);
		}
		*sum = (*sum ^ vma->vm_pgoff) * 0x9e3779b97f4a7c15ul +
		       vma_pages(vma);
		nr++;
	}
	i_mmap_unlock_read(mapping);
	return nr;
}

/* Drop what no span covers in [first, first + pages); returns the used end. */
static unsigned long region_drop_gaps(struct ksm_area *area,
				      struct ksm_region *r,
				      const struct span *spans,
				      unsigned long nr)
{
	unsigned long end = r->first + r->pages;
	unsigned long covered = r->first, used = r->first, i;

	for (i = 0; i < nr; i++) {
		if (spans[i].end <= covered || spans[i].first >= end)
			continue;
		if (spans[i].first > covered)
			ksm_range_drop_pages(area, covered, spans[i].first);
		covered = spans[i].end;
		used = min(covered, end);
	}
	if (covered < end)
		ksm_range_drop_pages(area, covered, end);
	return used;
}

static void sweep_locked(struct ksm_area *area)
{
	struct address_space *mapping = ksm_area_mapping(area);
	unsigned long max, nr, sum, used, id;
	struct span *spans;
	struct ksm_region *r;

	lockdep_assert_held(&area->register_lock);
	max = spans_read(mapping, NULL, 0, &sum);
	if (sum == area->vma_sum)
		return;
	spans = kvmalloc_array(max + 16, sizeof(*spans), GFP_KERNEL);
	if (!spans)
		return;
	nr = spans_read(mapping, spans, max + 16, &sum);
	if (nr <= max + 16) {
		area->vma_sum = sum;
		xa_for_each(&area->regions, id, r) {
			used = region_drop_gaps(area, r, spans, nr);
			region_trim(area, id, r, used - r->first);
		}
	}
	kvfree(spans);
}

/*
 * Give back registered memory that nothing maps any more.  Once a registered
 * offset has no mapping it never gets one again: mmap() refuses these offsets,
 * and fork, mremap and splitting start from a mapping that is still there.
 */
void ksm_regions_sweep(struct ksm_area *area)
{
	if (xa_empty(&area->regions))
		return;
	if (!mutex_trylock(&area->register_lock))
		return;
	sweep_locked(area);
	mutex_unlock(&area->register_lock);
}
