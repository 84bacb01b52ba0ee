// SPDX-License-Identifier: GPL-2.0
/* Who else uses a page that is being taken over, and for how long to wait. See pending.h. */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "area.h"
#include "pending.h"

/*
 * For so long after the old mapping went a fault waits for the others.  In a
 * large folio the pages that a call of get_user_pages() has pinned cannot be
 * told from the one at which it faults: it may be waiting for itself.
 */
#define PATIENCE (10 * HZ)
#define PATIENCE_LARGE HZ

/* Pins of ours on the folio of slot @i: it is contiguous in the slots. */
static int folio_own_pins(struct ksm_chunk *chunk, unsigned int i,
			  struct folio *folio)
{
	unsigned int idx = folio_page_idx(folio, slot_page(chunk->slots[i]));
	unsigned int from = i > idx ? i - idx : 0;
	unsigned int to = min_t(long, KSM_CHUNK_PAGES, (long)i - idx + folio_nr_pages(folio));
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
bool ksm_pending_quiet(struct ksm_chunk *chunk, unsigned int i)
{
	struct page *page = slot_page(chunk->slots[i]);
	struct folio *folio = page_folio(page);
	int before, refs;

	if (folio_test_large(folio))
		return large_quiet(chunk, i, folio);
	before = folio_ref_count(folio);
	smp_rmb();	/* as below */
	refs = before - GUP_PIN_COUNTING_BIAS;
	refs -= atomic_read(&page->_mapcount) + 1;
	refs -= folio_test_swapcache(folio) ? 1 : 0;
	refs -= folio_test_lru(folio) ? 0 : 1;
	smp_rmb();	/* who takes it off the LRU has taken a reference before */
	return refs <= 0 && before == folio_ref_count(folio);
}

static bool slot_registering(struct ksm_chunk *chunk, unsigned int i)
{
	return i >= chunk->reg_first && i < chunk->reg_end;
}

/* Slot @i belongs to a step of KSM_REGISTER that has yet to take mmap_lock for writing. */
static bool pending_maps(struct ksm_chunk *chunk, unsigned int i)
{
	bool maps;

	mutex_lock(&chunk->lock);
	maps = slot_registering(chunk, i) && chunk->reg_maps;
	mutex_unlock(&chunk->lock);
	return maps;
}

/* The page of the pending slot @i may be copied. Must hold chunk->lock. */
bool ksm_pending_ready(struct ksm_chunk *chunk, unsigned int i)
{
	if (slot_registering(chunk, i))
		return false;
	return !chunk->contended || ksm_pending_quiet(chunk, i);
}

/* It need not be waited for any longer; see ksm_pending_lock(). */
static bool pending_due(struct ksm_chunk *chunk, unsigned int i, bool user)
{
	struct folio *folio = page_folio(slot_page(chunk->slots[i]));
	unsigned long patience = user || !folio_test_large(folio) ?
				 PATIENCE : PATIENCE_LARGE;

	return time_after(jiffies, chunk->opened + patience) ||
	       ksm_pending_ready(chunk, i);
}

/*
 * Lock the chunk for a use of slot @i.  If its page is pending and used by
 * others, or the slot, also an empty one, belongs to a step of KSM_REGISTER that is under
 * way: -EAGAIN, the caller has to wait.  As the one who waits may be the
 * one who uses it, that ends some time after the old mapping went: soon, unless
 * @user tells that the caller cannot be in a system call that holds pages.
 * -EINTR if the task is being killed.
 */
int ksm_pending_lock(struct ksm_chunk *chunk, unsigned int i, bool user)
{
	if (mutex_lock_killable(&chunk->lock))
		return -EINTR;
	if (likely(!slot_registering(chunk, i)) &&
	    (likely(!(chunk->slots[i] & SLOT_PENDING)) || pending_due(chunk, i, user)))
		return 0;
	mutex_unlock(&chunk->lock);
	return -EAGAIN;
}

static int pending_wait(struct ksm_chunk *chunk, unsigned int i, bool user, bool keeps_mm)
{
	int err;

	while ((err = ksm_pending_lock(chunk, i, user)) == -EAGAIN) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (keeps_mm && pending_maps(chunk, i))
			return -EBUSY;
		usleep_range(1000, 2000);
	}
	if (!err)
		mutex_unlock(&chunk->lock);
	return err;
}

/* Wait until ksm_pending_lock() would succeed.  0 or -EINTR. */
int ksm_pending_wait(struct ksm_chunk *chunk, unsigned int i, bool user)
{
	return pending_wait(chunk, i, user, false);
}

/*
 * The same for a caller who cannot give up mmap_lock, for which a step of KSM_REGISTER may
 * come to wait: -EBUSY if one does.
 */
int ksm_pending_wait_locked(struct ksm_chunk *chunk, unsigned int i, bool user)
{
	return pending_wait(chunk, i, user, true);
}

/* Lock the chunk when no step of KSM_REGISTER works on its slots @i to @i + @nr. */
void ksm_pending_lock_range(struct ksm_chunk *chunk, unsigned int i, unsigned int nr)
{
	for (;;) {
		mutex_lock(&chunk->lock);
		if (likely(chunk->reg_first >= i + nr || chunk->reg_end <= i))
			return;
		mutex_unlock(&chunk->lock);
		usleep_range(1000, 2000);
	}
}
