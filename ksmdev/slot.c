// SPDX-License-Identifier: GPL-2.0
/* Every change of a slot. See slot.h for the states. */
#include <linux/highmem.h>
#include <linux/pagemap.h>

#include "area.h"
#include "domain.h"
#include "pass.h"
#include "pending.h"
#include "slot.h"
#include "trace.h"

/* Flags that go together, and with a frame or without. */
static bool slot_valid(ksm_slot_t slot)
{
	ksm_slot_t state = slot & (SLOT_CLEAN | SLOT_STABLE | SLOT_ZERO | SLOT_PENDING);

	if (state & (state - 1))
		return false;
	if (slot & SLOT_PENDING && slot & SLOT_MAPPED)
		return false;
	return slot_has_frame(slot) ? !(state & SLOT_ZERO) : !state || state == SLOT_ZERO;
}

/* Slot @i, which is one that @was tells, becomes @slot. */
static void slot_set(struct ksm_chunk *chunk, unsigned int i, bool was, ksm_slot_t slot)
{
	lockdep_assert_held(&chunk->lock);
	VM_WARN_ON_ONCE(!was);
	VM_WARN_ON_ONCE(!slot_valid(slot));
	WRITE_ONCE(chunk->slots[i], slot);
}

static bool slot_private(ksm_slot_t slot)
{
	return slot_has_frame(slot) && !(slot & (SLOT_STABLE | SLOT_PENDING));
}

static bool slot_nomerge(struct ksm_chunk *chunk, unsigned int i)
{
	return chunk->slots[i] & SLOT_NOMERGE || READ_ONCE(chunk->area->nomerge);
}

/* ---- written, hashed ---- */

/* Slot @i has the level @level, and its rest begins at @now. */
void ksm_slot_rest(struct ksm_chunk *chunk, unsigned int i, unsigned int level,
		   unsigned long now)
{
	slot_set(chunk, i, true, slot_set_rest(chunk->slots[i], level, now));
}

/*
 * Slot @i was written and rests before it is looked at: @again if it had been
 * hashed or merged, and longer if that was not long ago.
 */
static void slot_written(struct ksm_chunk *chunk, unsigned int i, bool again)
{
	unsigned long now = slot_now();
	unsigned int level = slot_level(chunk->slots[i]);

	if (again && now - chunk->visited <= SLOT_SOON * slot_rest(level))
		level = min_t(unsigned int, level + 1, SLOT_LEVEL_MAX);
	else
		level = 0;
	ksm_slot_rest(chunk, i, level, now);
	if (!slot_nomerge(chunk, i))
		ksm_queue_chunk(chunk, slot_rest(level));
}

/* The frame of slot @i stands in the table: it was hashed and is write-protected. */
void ksm_slot_clean(struct ksm_chunk *chunk, unsigned int i)
{
	ksm_slot_t slot = chunk->slots[i];

	slot_set(chunk, i, slot_private(slot), slot | SLOT_CLEAN);
}

/* The frame of slot @i, if it is clean, leaves the table. */
static void slot_forget(struct ksm_chunk *chunk, unsigned int i)
{
	ksm_slot_t slot = chunk->slots[i];

	if (!(slot & SLOT_CLEAN))
		return;
	ksm_candidate_del(&chunk->area->domain->table, slot_page(slot));
	slot_set(chunk, i, true, slot & ~SLOT_CLEAN);
}

/* The private slot @i is about to be written. */
void ksm_slot_unclean(struct ksm_chunk *chunk, unsigned int i)
{
	VM_WARN_ON_ONCE(!slot_private(chunk->slots[i]));
	if (!(chunk->slots[i] & SLOT_CLEAN))
		return;
	slot_forget(chunk, i);
	slot_written(chunk, i, true);
}

/* KSM_UNMERGE and KSM_MERGE. */
void ksm_slot_set_nomerge(struct ksm_chunk *chunk, unsigned int i, bool nomerge)
{
	if (nomerge)
		slot_forget(chunk, i);
	slot_set(chunk, i, true, nomerge ? chunk->slots[i] | SLOT_NOMERGE :
					   chunk->slots[i] & ~SLOT_NOMERGE);
}

/* ---- mapped ---- */

static struct page *slot_zero_frame(struct ksm_chunk *chunk, unsigned int i)
{
	return ksm_domain_zero_frame(chunk->area->domain, chunk->nid, chunk->first + i);
}

/*
 * The frame of slot @i, or the one of zeroes, is about to be mapped: returns it locked, with a
 * reference.  NULL if it was found broken while its lock was waited for: core mm unmaps a broken
 * page by its mapping, and a frame that several slots have has none.
 */
struct page *ksm_slot_map(struct ksm_chunk *chunk, unsigned int i)
{
	ksm_slot_t slot = chunk->slots[i];
	struct page *page = slot_page(slot) ?: slot_zero_frame(chunk, i);

	slot_set(chunk, i, !(slot & SLOT_PENDING), slot | SLOT_MAPPED);
	get_page(page);
	lock_page(page);
	if (likely(!PageHWPoison(page)))
		return page;
	unlock_page(page);
	put_page(page);
	return NULL;
}

/* Nobody maps the frame of slot @i any more. */
void ksm_slot_unmapped(struct ksm_chunk *chunk, unsigned int i)
{
	slot_set(chunk, i, true, chunk->slots[i] & ~SLOT_MAPPED);
}

/*
 * Wait until nobody is about to map @page, which slot @i had, or the frame of zeroes
 * (NULL).  The slot is another one by now.
 */
static void slot_wait_mapped(struct ksm_chunk *chunk, unsigned int i, struct page *page)
{
	if (!page)
		page = slot_zero_frame(chunk, i);
	if (page)
		folio_wait_locked(frame_folio(page));
}

static void slot_zap(struct ksm_chunk *chunk, unsigned int i)
{
	unmap_mapping_pages(chunk->area->mapping, chunk->first + i, 1, false);
}

/* ---- frames of their own ---- */

/*
 * A dirty frame, which core mm does not take for a clean page of a page cache: it would drop
 * the slot's reference when a fault finds the frame broken.
 */
static void slot_own(struct ksm_chunk *chunk, unsigned int i, struct page *frame)
{
	SetPageDirty(frame);
	frame->mapping = chunk->area->mapping;
	frame_folio(frame)->index = chunk->first + i;
}

static void slot_count_given(struct ksm_area *area, ksm_slot_t old, enum ksm_use use)
{
	bool written = use == KSM_USE_WRITE || use == KSM_USE_EXTEND;

	atomic_long_inc(&area->counts.private);
	if (old & SLOT_STABLE)
		atomic_long_dec(&area->counts.merged);
	else if (old & SLOT_ZERO)
		atomic_long_dec(&area->counts.zero);
	if (written && slot_merged(old))
		atomic64_inc(&area->counts.cow_breaks);
}

/* False if @shared is broken, which the kernel is told. */
static bool slot_copy(struct page *frame, struct page *shared)
{
	if (likely(ksm_content_copy(page_address(frame), page_address(shared))))
		return true;
	compat_memory_failure(page_to_pfn(shared));
	return false;
}

/*
 * Slot @i, stable or without a frame, gets the frame @frame for its own, with the same
 * contents (a frame for a slot without one holds zeroes already).  -ENOSPC if the mount is
 * full, -EHWPOISON if the contents cannot be read: then @frame is still the caller's.
 */
static int slot_give(struct ksm_chunk *chunk, unsigned int i, enum ksm_use use,
		     struct page *frame)
{
	struct ksm_area *area = chunk->area;
	ksm_slot_t old = chunk->slots[i];
	struct page *shared = slot_page(old);

	if (!slot_held(old) && ksm_area_hold(area))
		return -ENOSPC;
	if (shared && !slot_copy(frame, shared))
		return -EHWPOISON;
	slot_own(chunk, i, frame);
	slot_set(chunk, i, !slot_private(old) && !(old & SLOT_PENDING),
		 slot_make(old, frame, 0));
	slot_written(chunk, i, slot_merged(old));
	if (old & SLOT_MAPPED) {
		slot_wait_mapped(chunk, i, shared);
		slot_zap(chunk, i);
	}
	slot_count_given(area, old, use);
	if (slot_merged(old))
		trace_ksm_break(area->id, chunk->first + i, shared, frame);
	if (shared)
		ksm_stable_put(&area->domain->table, shared);
	return 0;
}

enum need { NEED_NOTHING, NEED_ZEROES, NEED_FRAME };

/* Devices may keep a page of such a file: it never changes, not even from zeroes. */
static bool reader_needs_frame(struct ksm_chunk *chunk, unsigned int i)
{
	struct page *zero;

	if (READ_ONCE(chunk->area->nomerge))
		return true;
	zero = slot_zero_frame(chunk, i);
	return !zero || PageHWPoison(zero);
}

static enum need slot_need(struct ksm_chunk *chunk, unsigned int i, enum ksm_use use)
{
	ksm_slot_t slot = chunk->slots[i];
	bool write = use != KSM_USE_READ && use != KSM_USE_LOOK;

	/* Of what is merged no more, another user took care, or it is empty. */
	if (use == KSM_USE_UNMERGE && !slot_merged(slot))
		return NEED_NOTHING;
	if (slot & SLOT_PENDING)
		return NEED_FRAME;
	if (slot & SLOT_STABLE)
		return write ? NEED_FRAME : NEED_NOTHING;
	if (slot_has_frame(slot) || use == KSM_USE_LOOK)
		return NEED_NOTHING;
	return write || reader_needs_frame(chunk, i) ? NEED_ZEROES : NEED_NOTHING;
}

/*
 * 0; 1 if slot @i needs another one: of zeroes, a pending page leaves an empty slot.  -ENOSPC,
 * -EHWPOISON.
 */
static int slot_satisfy(struct ksm_chunk *chunk, unsigned int i, enum ksm_use use,
			struct page *frame)
{
	if (!(chunk->slots[i] & SLOT_PENDING))
		return slot_give(chunk, i, use, frame);
	ksm_slot_resolve(chunk, i, frame);
	return slot_need(chunk, i, use) != NEED_NOTHING;
}

/* Why slot @i cannot be used: -ENXIO, -EHWPOISON; 0 if it can. */
static int slot_usable(struct ksm_chunk *chunk, unsigned int i, enum ksm_use use)
{
	struct page *page = slot_page(chunk->slots[i]);

	if (use != KSM_USE_EXTEND && unlikely(!ksm_slot_in_file(chunk, i)))
		return -ENXIO;
	if (likely(!page || !PageHWPoison(page)))
		return 0;
	/* Whoever has it mapped finds out, too. */
	if (chunk->slots[i] & SLOT_MAPPED)
		slot_zap(chunk, i);
	return -EHWPOISON;
}

/*
 * Lock the chunk, with slot @i ready for @use.  Frames are allocated without waiting while
 * the lock is held; if that fails, it is dropped, so that reclaim and the OOM killer never
 * run under it.  @user: see ksm_pending_lock().
 *
 * Return: 0 with chunk->lock held.  Without: -ENOMEM, -ENOSPC (the mount is full), -ENXIO
 * (behind the end of the file), -EHWPOISON, -EINTR (fatal signal), -EAGAIN
 * (ksm_pending_wait() first, with the same @user).
 */
int ksm_slot_lock(struct ksm_chunk *chunk, unsigned int i, enum ksm_use use, bool user)
{
	struct page *frame = NULL;
	int err;

	for (;;) {
		enum need need;

		err = ksm_pending_lock(chunk, i, user);
		if (err)
			break;
		err = slot_usable(chunk, i, use);
		if (err)
			goto unlock;
		need = slot_need(chunk, i, use);
		if (need == NEED_NOTHING)
			break;
		if (!frame)
			frame = ksm_frame_alloc(&chunk->area->spares, need == NEED_ZEROES,
						GFP_NOWAIT | __GFP_NOWARN);
		if (frame) {
			err = slot_satisfy(chunk, i, use, frame);
			if (err < 0)
				goto unlock;
			frame = NULL;
			if (!err)
				break;
		}
		mutex_unlock(&chunk->lock);
		frame = ksm_frame_alloc(&chunk->area->spares, true, GFP_KERNEL);
		if (!frame)
			return -ENOMEM;
	}
free_frame:
	if (frame)
		ksm_frame_free(frame);
	return err;
unlock:
	mutex_unlock(&chunk->lock);
	goto free_frame;
}

static bool slot_owns(struct ksm_chunk *chunk, unsigned int i, struct page *page)
{
	ksm_slot_t slot = READ_ONCE(chunk->slots[i]);

	return slot_page(slot) == page && !(slot & (SLOT_STABLE | SLOT_PENDING));
}

/*
 * As ksm_slot_lock() to write to the frame @page, if slot @i has it for its own already; false
 * if not, or if the task is being killed.  The short way of a fault, which has just got it.
 */
bool ksm_slot_lock_own(struct ksm_chunk *chunk, unsigned int i, struct page *page)
{
	if (!slot_owns(chunk, i, page) || mutex_lock_killable(&chunk->lock))
		return false;
	if (likely(slot_owns(chunk, i, page) && !PageHWPoison(page)))
		return true;
	mutex_unlock(&chunk->lock);
	return false;
}

/*
 * Give slot @i a frame of its own if it is merged.  0, -ENOMEM or -EINTR.  What cannot be
 * read, or is behind the end of the file by now, stays as it is.
 */
int ksm_slot_unmerge(struct ksm_chunk *chunk, unsigned int i)
{
	int err = ksm_slot_lock(chunk, i, KSM_USE_UNMERGE, true);

	if (!err)
		mutex_unlock(&chunk->lock);
	/* A pending page is nobody else's already. */
	return err == -ENOMEM || err == -EINTR ? err : 0;
}

/* ---- merged ---- */

/* The candidate in slot @i is a stable frame now, of which the slot has a share. */
void ksm_slot_promote(struct ksm_chunk *chunk, unsigned int i)
{
	ksm_slot_t slot = chunk->slots[i];

	slot_set(chunk, i, slot & SLOT_CLEAN,
		 slot_make(slot, slot_page(slot), SLOT_STABLE | (slot & SLOT_MAPPED)));
	atomic_long_dec(&chunk->area->counts.private);
	atomic_long_inc(&chunk->area->counts.merged);
}

/*
 * Slot @i, which nobody maps, shares the stable frame @shared from now on, of which it has
 * a share, or has none (NULL: it holds zeroes).  Returns the frame that it had.
 */
struct page *ksm_slot_merge(struct ksm_chunk *chunk, unsigned int i, struct page *shared)
{
	struct ksm_area *area = chunk->area;
	ksm_slot_t old = chunk->slots[i];

	trace_ksm_merge(area->id, chunk->first + i, slot_page(old), shared);
	slot_set(chunk, i, slot_private(old) && !(old & (SLOT_MAPPED | SLOT_CLEAN)),
		 slot_make(old, shared, shared ? SLOT_STABLE : SLOT_ZERO));
	atomic_long_dec(&area->counts.private);
	atomic_long_inc(shared ? &area->counts.merged : &area->counts.zero);
	return slot_page(old);
}

/* ---- taken over by KSM_REGISTER ---- */

/* The slots from @i on, empty so far, get the pinned pages @pages; NULL: stays empty. */
void ksm_slots_take_over(struct ksm_chunk *chunk, unsigned int i, unsigned int nr,
			 struct page **pages)
{
	unsigned int j;

	chunk->reg_first = i;
	chunk->reg_end = i + nr;
	for (j = 0; j < nr; j++) {
		VM_WARN_ON_ONCE(slot_held(chunk->slots[i + j]));
		if (!pages[j])
			continue;
		slot_set(chunk, i + j, chunk->slots[i + j] == 0,
			 slot_set_rest(slot_make(0, pages[j], SLOT_PENDING), 0, slot_now()));
		atomic_long_inc(&chunk->area->counts.pending);
		atomic_long_inc(&chunk->area->counts.held);
	}
}

/* Back to the state before: nobody else has seen the slots.  The pins are the caller's. */
void ksm_slots_undo(struct ksm_chunk *chunk, unsigned int i, unsigned int nr)
{
	chunk->reg_first = 0;
	chunk->reg_end = 0;
	for (; nr; nr--, i++) {
		if (!slot_held(chunk->slots[i]))
			continue;
		slot_set(chunk, i, chunk->slots[i] & SLOT_PENDING, 0);
		atomic_long_dec(&chunk->area->counts.pending);
		atomic_long_dec(&chunk->area->counts.held);
	}
}

/* The pending slot @i gets its contents in the new frame @frame, or none if it holds zeroes. */
void ksm_slot_resolve(struct ksm_chunk *chunk, unsigned int i, struct page *frame)
{
	struct ksm_area *area = chunk->area;
	ksm_slot_t slot = chunk->slots[i];
	struct page *from = slot_page(slot);

	atomic_long_dec(&area->counts.pending);
	if (ksm_content_zero(page_address(from))) {
		slot_set(chunk, i, slot & SLOT_PENDING, slot_make(slot, NULL, 0));
		ksm_frame_free(frame);
		ksm_area_give_back(area, 1);
	} else {
		copy_highpage(frame, from);
		slot_own(chunk, i, frame);
		slot_set(chunk, i, slot & SLOT_PENDING,
			 slot_set_rest(slot_make(slot, frame, 0), 0, slot_now()));
		atomic_long_inc(&area->counts.private);
		ksm_queue_chunk(chunk, slot_rest(0));
	}
	unpin_user_page(from);
}

/* ---- dropped ---- */

/* What a slot had before it was dropped: give it back. */
static void slot_release(struct ksm_area *area, ksm_slot_t slot)
{
	struct page *page = slot_page(slot);

	if (slot & SLOT_PENDING) {
		unpin_user_page(page);
		atomic_long_dec(&area->counts.pending);
	} else if (slot & SLOT_STABLE) {
		ksm_stable_put(&area->domain->table, page);
		atomic_long_dec(&area->counts.merged);
	} else if (page) {
		ksm_frame_free(page);
		atomic_long_dec(&area->counts.private);
	} else if (slot & SLOT_ZERO) {
		atomic_long_dec(&area->counts.zero);
	} else {
		return;
	}
	ksm_area_give_back(area, 1);
}

/* Empty a slot; returns what it had.  A private frame leaves the table. */
static ksm_slot_t slot_take(struct ksm_chunk *chunk, unsigned int i)
{
	ksm_slot_t slot;

	slot_forget(chunk, i);
	slot = chunk->slots[i];
	slot_set(chunk, i, true, slot & SLOT_NOMERGE);
	return slot;
}

#define DROP_BATCH 32

/* The slots are emptied first: new faults see zeroes. */
static void slots_drop(struct ksm_chunk *chunk, unsigned int i, unsigned int nr, bool zap)
{
	ksm_slot_t old[DROP_BATCH];
	bool mapped = false;
	unsigned int j;

	for (j = 0; j < nr; j++) {
		old[j] = slot_take(chunk, i + j);
		mapped |= old[j] & SLOT_MAPPED;
	}
	if (zap && mapped) {
		for (j = 0; j < nr; j++)
			if (old[j] & SLOT_MAPPED)
				slot_wait_mapped(chunk, i + j, slot_page(old[j]));
		unmap_mapping_pages(chunk->area->mapping, chunk->first + i, nr, false);
	}
	for (j = 0; j < nr; j++)
		slot_release(chunk->area, old[j]);
}

/* Forget @nr pages from slot @i on.  @zap: they may be mapped. */
void ksm_slots_drop(struct ksm_chunk *chunk, unsigned int i, unsigned int nr, bool zap)
{
	unsigned int end = i + nr;

	lockdep_assert_held(&chunk->lock);
	VM_WARN_ON_ONCE(chunk->reg_first < end && chunk->reg_end > i);
	for (; i < end; i += nr) {
		nr = min_t(unsigned int, end - i, DROP_BATCH);
		slots_drop(chunk, i, nr, zap);
	}
}
