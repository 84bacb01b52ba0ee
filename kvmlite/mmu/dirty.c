// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log of a slot (api.rst 4.8, 4.117): a bitmap of the pages written
 * since it was fetched, or cleared.
 *
 * A page whose bit is clear is write-protected; the first write faults and sets
 * the bit.  So that no write is missed, a bit is taken first, then its page is
 * protected, and userspace sees the bit after no CPU has an old translation.
 */
#include "vm/vm.h"

/* Words of a bitmap that are copied at a time. */
#define DIRTY_CHUNK	64

/* Must hold vm->lock. */
static struct kvml_slot *dirty_slot(struct kvml_vm *vm, u32 id)
{
	struct kvml_slot *slot;

	if (id >= KVML_MAX_SLOTS)
		return ERR_PTR(-EINVAL);
	slot = kvml_slot_by_id(vm, id);
	return slot && slot->dirty ? slot : ERR_PTR(-ENOENT);
}

/*
 * The bits of @words, of the bitmap from word @first on, have been taken out of
 * it: their pages are protected now.  True: a flush is due, before userspace
 * looks at the pages.
 */
static bool protect_words(struct kvml_vm *vm, struct kvml_slot *slot,
			  unsigned long first, unsigned int nr,
			  const unsigned long *words)
{
	return !bitmap_empty(words, nr * BITS_PER_LONG) &&
	       kvml_mmu_protect_bits(vm, slot, first * BITS_PER_LONG,
				     nr * BITS_PER_LONG, words);
}

/*
 * Fetches @nr words of the bitmap from @first on.  Bits that are taken are
 * taken before the pages are protected: a write in between sets them again.
 * True: a flush is due.
 */
static bool fetch_dirty(struct kvml_vm *vm, struct kvml_slot *slot,
			unsigned long first, unsigned int nr,
			unsigned long *words)
{
	bool manual = vm->manual_dirty & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		words[i] = READ_ONCE(slot->dirty[first + i]);
		if (words[i] && !manual)
			words[i] = xchg(&slot->dirty[first + i], 0);
	}
	return !manual && protect_words(vm, slot, first, nr, words);
}

/* Clears the bits of @words; as fetch_dirty(). */
static bool clear_dirty(struct kvml_vm *vm, struct kvml_slot *slot,
			unsigned long first, unsigned int nr,
			unsigned long *words)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (words[i])
			words[i] &= atomic_long_fetch_andnot(words[i],
				(atomic_long_t *)&slot->dirty[first + i]);
	return protect_words(vm, slot, first, nr, words);
}

static bool clear_log_valid(const struct kvml_slot *slot, const struct kvm_clear_dirty_log *log)
{
	if (log->first_page > slot->npages || log->num_pages > slot->npages - log->first_page)
		return false;
	/* Whole words, but for the end of the slot. */
	return log->num_pages == slot->npages - log->first_page ||
	       !(log->num_pages % BITS_PER_LONG);
}

/* @total words from word @first on, to userspace, or as userspace has them to be cleared. */
static int do_log(struct kvml_vm *vm, struct kvml_slot *slot, unsigned long first,
		  unsigned long total, unsigned long __user *bitmap, bool clear)
{
	unsigned long words[DIRTY_CHUNK], done, nr;
	bool flush = false;
	int r = 0;

	for (done = 0; done < total && !r; done += nr) {
		nr = min_t(unsigned long, total - done, DIRTY_CHUNK);
		if (clear)
			r = copy_from_user(words, bitmap + done, nr * sizeof(long)) ? -EFAULT : 0;
		if (!r)
			flush |= clear ? clear_dirty(vm, slot, first + done, nr, words) :
					 fetch_dirty(vm, slot, first + done, nr, words);
		if (!clear)
			r = copy_to_user(bitmap + done, words, nr * sizeof(long)) ? -EFAULT : 0;
		cond_resched();
	}
	if (flush)
		kvml_mmu_flush(vm);
	return r;
}

int kvml_slot_get_dirty(struct kvml_vm *vm, struct kvm_dirty_log *log)
{
	struct kvml_slot *slot;

	guard(mutex)(&vm->lock);
	slot = dirty_slot(vm, log->slot);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	return do_log(vm, slot, 0, BITS_TO_LONGS(slot->npages), log->dirty_bitmap, false);
}

int kvml_slot_clear_dirty(struct kvml_vm *vm, struct kvm_clear_dirty_log *log)
{
	struct kvml_slot *slot;

	if (log->first_page % BITS_PER_LONG)
		return -EINVAL;
	guard(mutex)(&vm->lock);
	slot = dirty_slot(vm, log->slot);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	if (!clear_log_valid(slot, log))
		return -EINVAL;
	return do_log(vm, slot, log->first_page / BITS_PER_LONG,
		      BITS_TO_LONGS(log->num_pages), log->dirty_bitmap, true);
}
