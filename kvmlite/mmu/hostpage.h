/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the VMM has at one of its addresses: the host's side of a second-stage
 * fault.
 *
 * The VMM's page tables are read without a lock, as hmm_range_fault() of the
 * kernel does, and no reference to the page is taken: who wants to use the
 * answer takes mmu->lock and compares mmu->notifier_seq and the range being
 * invalidated (notifier.c).  Until then it is a guess.
 */
#ifndef _KVMLITE_HOSTPAGE_H
#define _KVMLITE_HOSTPAGE_H

struct kvml_vm;

struct kvml_hostpage {
	unsigned long seq;		/* of the notifier, when we looked */
	unsigned long pfn;
	int level;			/* 1, or 2: 2 MiB and more at a time */
	bool writable;			/* and dirty for the host already */
	bool device;			/* no RAM: uncached */
	/* get_user_pages() gives it away; if the caller sets it: ask it. */
	bool vetted;
};

/*
 * In the VMM's mm; may sleep.  0, -EAGAIN: ask again, -EFAULT: nothing there or
 * not writable, -EHWPOISON, -EINTR.
 */
int kvml_hostpage_find(struct kvml_vm *vm, unsigned long hva, bool write,
		       struct kvml_hostpage *page);

#endif /* _KVMLITE_HOSTPAGE_H */
