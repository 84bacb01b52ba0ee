/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Faults of the second stage beside the host, which takes pages away, and beside
 * ioctls that take the slot away.
 *
 * A vCPU looks up the host's page without a lock and without a reference, and maps it
 * under mmu->lock if nothing was taken away meanwhile.  Threads of the host announce
 * that they take a page away (MMU notifier), change their page table, free the page and
 * tell of the end.  No guest may use a page that was freed.  Once the ioctl that
 * deletes the slot has returned, no guest may use memory of it, and nobody may look at
 * the slot when it is freed.
 *
 * One page of the guest and its address at the host; a second address, in the same slot,
 * is there for the range of invalidations that run at the same time.  Invalidations find
 * the slot by its backing, which enters what they look at when none is in progress.  The
 * flush is a handshake: kick.pml looks into it.  SRCU: a grace period waits for the
 * readers that were there when it began.
 *
 * README says what the rows are.
 *
 *	function	c3448a87c215	kvml_mmu_fault
 *	function	3a9de14a6a7c	kvml_hostpage_find
 *	function	caec61b8947c	notifier_seq
 *	function	885349706451	fault_in
 *	function	cd32111ef43e	map(struct fault *f)
 *	function	160c5dac2ca5	map_locked
 *	function	3367c1a70f8f	is_stale
 *	function	9d139c702a28	set_leaf
 *	function	27cddad76fd4	invalidate_start
 *	function	6b7c0ed5785b	invalidate_end
 *	function	a16fe46fde89	take_range
 *	function	02c355be9ba3	kvml_mmu_invalidate_start
 *	function	7e63cc8d30a6	kvml_mmu_invalidate_end
 *	function	0f8fb638c677	kvml_backings_count(struct kvml_backings *set, int n)
 *	function	fcb9c7226c42	kvml_backings_count_exact
 *	function	35c537913c3a	gather_counts
 *	function	eac312d112b3	update_tree
 *	function	4d0433715dc1	switch_tree_idle
 *	function	524ad4e8bd99	kvml_backing_add
 *	function	8608ed96a2e6	kvml_backing_remove
 *	function	6e63e9132ac5	kvml_backings_settle
 *	function	5020d938aca1	kvml_mmu_zap
 *	function	ea0b07be4726	slot_remove
 *	function	4ce728de538d	slot_create
 *	function	55f3c4617fab	slots_publish
 *
 *	holds	HOSTS=2 OTHER_HOST: one of them takes the other address
 *	holds	HOSTS=2 CREATE
 *	holds	HOSTS=2 REMOVE
 *	holds	VCPUS=2
 *	caught	freed	NO_SEQ: the sequence count is not looked at
 *	caught	freed	NO_COUNT: a range that is being taken away is not looked at
 *	caught	freed	SEQ_AT_START: the sequence is counted when an invalidation begins
 *	caught	freed	SEQ_AFTER_WALK: it is read when the page has been found
 *	caught	freed	NEW_SEQ_OLD_PAGE HOSTS=2: the page is get_user_pages()'s, the count newer
 *	caught	freed	ZAP_FIRST: the range is announced after the zap
 *	caught	freed	RANGE_OF_FIRST HOSTS=2 OTHER_HOST: a second range is not added
 *	caught	freed	RANGE_OF_LAST HOSTS=2 OTHER_HOST: it takes the place of the first
 *	caught	freed	NO_FLUSH: the host does not have vCPUs flush
 *	caught	freed	FLUSH_OWN HOSTS=2: who took nothing does not flush
 *	caught	freed	BACKING_GONE_FIRST REMOVE: the notifier forgets the slot before its pages go
 *	caught	freed	BACKING_LATE CREATE: the notifier knows the slot after faults do
 *	caught	count	NO_IDLE CREATE: nobody waits for invalidations that are in progress
 *	caught	count	NO_EXACT_GRACE CREATE: nor for who has not seen that all count in one place
 *	caught	count	LOOK_FIRST CREATE: a start counts when it has looked
 *	caught	count	END_COUNTS_FIRST CREATE: an end counts before it looks
 *	caught	backing_freed	NO_SETTLE_GRACE REMOVE: a backing is freed while callbacks have it
 *	caught	slot_gone	NO_INVALID REMOVE: pages are zapped while the slot is valid
 *	caught	slot_gone	NO_FIRST_GRACE REMOVE: and while readers have the valid one
 *	caught	slot_gone	SLOT_NO_FLUSH REMOVE: the ioctl does not have vCPUs flush
 *	caught	slot_freed	NO_LAST_GRACE REMOVE: the slot is freed while readers have it
 *	deep	HOSTS=3
 *	deep	VCPUS=2 REMOVE
 *	deep	HOSTS=2 VCPUS=2
 *	deep	HOSTS=3 REMOVE
 */
#ifndef VCPUS
#define VCPUS 1
#endif
#ifndef HOSTS
#define HOSTS 1
#endif
#define PAGES 4			/* that the host may give, one after another */
#define NONE 0

/* The host: its page table's entry, the page that it gives next */
byte host_entry = 1, next = 2;
bool freed[PAGES + 1];

/* mmu: the leaf of the guest's page, the lock's other fields */
bool locked;
byte leaf;
byte seq;
byte count, range;		/* of the backing; a bit for each of the two addresses */
byte zapped, flushed;
#define OURS 1
#define OTHER 2

/* vCPUs, each on a CPU of its own, which remembers a page */
bool in_guest[VCPUS], request[VCPUS];
byte tlb[VCPUS];

/* vm->slots: the set with the slot, with an invalid copy of it, or without */
mtype = { VALID, INVALID, EMPTY };
#ifdef CREATE
mtype slots = EMPTY;
#else
mtype slots = VALID;
#endif
bool slot_freed;		/* kfree() of the slot and of its copy */
bool slot_gone;			/* the ioctl has returned */

/* The backing is in the active tree; it was removed; kfree() */
#ifdef CREATE
bool in_tree;
#else
bool in_tree = true;
#endif
bool gone, backing_freed;
/* Invalidations in progress: the CPUs' own counts, and the exact one with its lock */
short counts, in_progress;
bool exact, exact_locked;

/* Readers of vm->srcu, then those of backings->srcu: 1, or 2 if a grace period waits */
byte reading[VCPUS + HOSTS];

#define lock()			atomic { !locked -> locked = true }
#define unlock()		locked = false
#define srcu_read_lock()	reading[me] = 1
#define srcu_read_unlock()	reading[me] = 0

/* kvml_mmu_flush(), when it is due (kvml_mmu_flush_due()) */
inline flush_if_due()
{
	if
	:: zapped == flushed
	:: else ->
		seen = zapped;
		v = 0;
		do
		:: v < VCPUS -> request[v] = true; v++
		:: else -> break
		od;
		v = 0;
		do
		:: v < VCPUS -> !in_guest[v] || !request[v]; v++
		:: else -> break
		od;
		atomic {
			if
			:: seen > flushed -> flushed = seen
			:: else
			fi;
			seen = 0;
			v = 0
		}
	fi
}

inline zap()
{
	if
	:: leaf != NONE -> leaf = NONE; zapped++; own = true
	:: else
	fi
}

/* ---- a vCPU ---- */

/* Some instructions in the guest, and an exit */
inline stay()
{
	/* enter_guest() looks for requests after it has set its mode. */
	in_guest[me] = true;
	if
	:: atomic { request[me] -> request[me] = false; tlb[me] = NONE }
	:: !request[me]
	fi;
	do
	:: tlb[me] == NONE && leaf != NONE -> tlb[me] = leaf
	:: tlb[me] != NONE ->
		assert(!freed[tlb[me]]);
		assert(!slot_gone)
	:: break
	od;
	in_guest[me] = false
}

/* What the host does in a page fault; it has a new page if there was none. */
inline host_fault(page)
{
	atomic {
		if
		:: host_entry == NONE && next <= PAGES -> host_entry = next; next++
		:: else
		fi;
		page = host_entry
	}
}

/* fault_in(): in anonymous memory a page fault may do; else get_user_pages() */
inline fault_in()
{
	old_seq = page_seq;
	if
	:: host_fault(got); page_seq = seq; page = host_entry
	:: page = NONE
	fi;
	if
	:: page != NONE
	:: else ->
		host_fault(got);
		/* The page table tells more, if it has the same page. */
		page_seq = seq;
		page = host_entry;
		if
		:: page == got
		:: true ->
			page = got;
#ifndef NEW_SEQ_OLD_PAGE
			page_seq = old_seq
#endif
		fi
	fi;
	atomic { got = NONE; old_seq = 0 }
}

/* kvml_hostpage_find(): page, and the sequence count that it is as new as */
inline find_page()
{
#ifndef SEQ_AFTER_WALK
	page_seq = seq;
#endif
	page = host_entry;
	if
	:: page != NONE
	:: true -> fault_in()	/* it is not there, or not as it is wanted */
	fi;
#ifdef SEQ_AFTER_WALK
	page_seq = seq;
#endif
}

inline map_page()
{
	lock();
	if
#ifndef NO_SEQ
	:: seq != page_seq
#endif
#ifndef NO_COUNT
	:: count && (range & OURS)
#endif
	:: else ->
		/* Nobody has another page there: it would be stale. */
		assert(leaf == NONE || leaf == page);
		leaf = page
	fi;
	unlock()
}

proctype vcpu(byte me)
{
	byte page, got, page_seq, old_seq;
	mtype set;

	do
	:: break
	:: true ->
		stay();
		/* kvml_mmu_fault() */
		srcu_read_lock();
		set = slots;
		if
		:: set == VALID ->
			find_page();
			if
			:: page != NONE -> map_page()
			:: else		/* the host has none left */
			fi;
			assert(!slot_freed)
		:: set == INVALID -> assert(!slot_freed)
		:: set == EMPTY
		fi;
		srcu_read_unlock();
		atomic { page = NONE; page_seq = 0; set = 0 }
	od;
	stay()
}

/* ---- a thread of the host that takes away what is at an address ---- */

inline announce()
{
	if
	:: count == 0 -> range = mine
	:: else ->
#ifndef RANGE_OF_FIRST
#ifdef RANGE_OF_LAST
		range = mine
#else
		range = range | mine
#endif
#endif
	fi;
	count++;
#ifdef SEQ_AT_START
	seq++;
#endif
}

#define zap_ours()							\
	if								\
	:: mine & OURS -> zap()						\
	:: else								\
	fi

/* kvml_backings_count() */
inline count_in_progress(n)
{
	all = exact;
	if
	:: !all -> counts = counts + n
	:: all ->
		atomic { !exact_locked -> exact_locked = true };
		in_progress = in_progress + n;
		exact_locked = false
	fi;
	all = false
}

/* kvml_mmu_invalidate_start() */
inline take()
{
#ifdef ZAP_FIRST
	lock();
	zap_ours();
	unlock();
	lock();
	announce();
	unlock()
#else
	lock();
	announce();
	zap_ours();
	unlock()
#endif
}

proctype host(byte me; byte mine)
{
	byte v, seen, old;
	bool own, met, all;

	/* invalidate_start() */
	srcu_read_lock();
#ifndef LOOK_FIRST
	count_in_progress(1);
#endif
	met = in_tree;
#ifdef LOOK_FIRST
	count_in_progress(1);
#endif
	if
	:: met && !gone ->
		assert(!backing_freed);
		take();
		assert(!backing_freed)
	:: else -> met = false
	fi;
#ifdef FLUSH_OWN
	if
	:: own -> flush_if_due()
	:: else
	fi;
#else
#ifndef NO_FLUSH
	if
	:: met -> flush_if_due()
	:: else
	fi;
#endif
#endif
	met = false;
	own = false;
	srcu_read_unlock();

	/* Its own page table; nobody refers to the page any more. */
	if
	:: mine & OURS ->
		atomic { old = host_entry; host_entry = NONE };
		if
		:: old != NONE -> freed[old] = true
		:: else
		fi
	:: else
	fi;

	/* invalidate_end() */
	srcu_read_lock();
#ifdef END_COUNTS_FIRST
	count_in_progress(-1);
#endif
	met = in_tree;
	if
	:: met && !gone ->
		assert(!backing_freed);
		/* kvml_mmu_invalidate_end() */
		lock();
#ifndef SEQ_AT_START
		seq++;
#endif
		/* It was begun, unless nobody needs it any more. */
		assert(count > 0 || gone);
		count--;
		unlock();
		assert(!backing_freed)
	:: else
	fi;
#ifndef END_COUNTS_FIRST
	count_in_progress(-1);
#endif
	met = false;
	srcu_read_unlock();
	old = NONE
}

/* ---- an ioctl on the slot, which holds vm->lock ---- */

/* Readers from @first to @end that are there now are waited for. */
inline synchronize_readers(first, end)
{
	atomic {
		r = first;
		do
		:: r < end ->
			if
			:: reading[r] -> reading[r] = 2
			:: else
			fi;
			r++
		:: else -> break
		od;
		r = first
	};
	do
	:: r < end -> reading[r] != 2; r++
	:: else -> break
	od;
	r = 0
}

#define synchronize_srcu()	synchronize_readers(0, VCPUS)
#define synchronize_callbacks()	synchronize_readers(VCPUS, VCPUS + HOSTS)

/* slot_remove(); then the backing goes, with the next one or the VM */
proctype slot_remove()
{
	byte r, v, seen;
	bool own;

#ifdef BACKING_GONE_FIRST
	gone = true;
#endif
#ifndef NO_INVALID
	slots = INVALID;
#ifndef NO_FIRST_GRACE
	synchronize_srcu();
#endif
#endif
	lock();
	zap();
	unlock();
#ifndef SLOT_NO_FLUSH
	flush_if_due();
#endif
	gone = true;
	slots = EMPTY;
#ifndef NO_LAST_GRACE
	synchronize_srcu();
#endif
	slot_freed = true;
	slot_gone = true;

	/* kvml_backings_settle(): out of the tree that nobody reads; that one is active. */
	in_tree = false;
#ifndef NO_SETTLE_GRACE
	synchronize_callbacks();
#endif
	backing_freed = true
}

/* kvml_backing_add() */
inline backing_add()
{
	exact = true;
#ifndef NO_EXACT_GRACE
	synchronize_callbacks();
#endif
	atomic { !exact_locked -> exact_locked = true };
	in_progress = in_progress + counts;
	counts = 0;
#ifndef NO_IDLE
	do
	:: in_progress == 0 -> break
	:: else ->
		exact_locked = false;
		in_progress == 0;
		atomic { !exact_locked -> exact_locked = true }
	od;
#endif
	in_tree = true;
	exact = false;
	exact_locked = false
}

/* slot_create() */
proctype slot_create()
{
	byte r;

#ifndef BACKING_LATE
	backing_add();
#endif
	slots = VALID;
	synchronize_srcu();
#ifdef BACKING_LATE
	backing_add()
#endif
}

init {
	byte i;

	atomic {
		for (i : 0 .. VCPUS - 1) { run vcpu(i) }
		run host(VCPUS, OURS);
#ifdef OTHER_HOST
		run host(VCPUS + 1, OTHER);
#elif HOSTS > 1
		run host(VCPUS + 1, OURS);
#endif
#if HOSTS > 2
		run host(VCPUS + 2, OURS);
#endif
#ifdef CREATE
		run slot_create();
#endif
#ifdef REMOVE
		run slot_remove();
#endif
	}
}
