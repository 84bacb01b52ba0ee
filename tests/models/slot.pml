/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of a slot of ksmdev: faults for reading and writing, write(), pins of
 * get_user_pages(), the scanner, one of another chunk, KSM_UNMERGE, a hole that is punched,
 * a file that is made shorter, memory that breaks.
 *
 * Whoever reads sees what was written last.  Nobody writes to a frame that others share, nor
 * to one that the scanner has protected.
 * A frame that is mapped is not freed.  After a file was made shorter nothing is left behind
 * its end: neither in the slot nor in a PTE.
 *
 * The end of the file is compared with under the chunk's lock; who makes it shorter sets it,
 * unmaps, then goes through the chunks that there are.  A fault that finds no chunk makes
 * one, then compares.  The store to the end may reach others late: at the next barrier.
 *
 * One slot, and two mappings of it: one task reads, the other writes and reads.  Contents
 * are a number; 0 and 1 have equals.  README says what the rows are; zero.pml has the frame
 * of zeroes, stable.pml the shares of a stable frame, pin.pml the order in the count of
 * references, register.pml the slots of KSM_REGISTER.
 *
 *	module	ksmdev
 *
 *	function	a3e3b20f5bbe	ksm_slot_lock
 *	function	7a81f3d6c02f	ksm_slot_lock_own
 *	function	2d7f3257d5f7	slot_usable
 *	function	8307b4f01084	slot_give
 *	function	ec8563e79e6d	ksm_slot_map
 *	function	af5bbe92f940	ksm_slot_unclean
 *	function	ec531e102e07	ksm_slot_unmerge
 *	function	b96558208786	ksm_slot_promote
 *	function	2b802a668b82	ksm_slot_merge
 *	function	37b2904c6cae	slots_drop
 *	function	a9cd17bc15c5	fault_map
 *	function	b734310fdc1d	fault_mkwrite
 *	function	fca47609bf9c	page_get
 *	function	4218b6bf751e	file_shrink
 *	function	2b90a24107af	ksm_area_set_end
 *	function	4efac05812af	ksm_chunk_get
 *	function	3d2f1dc99591	protect_one
 *	function	cd7773e4f847	slot_unmapped_alone
 *	function	552a5eb781b7	slot_unmap
 *	function	0bb257e8dcbc	merge_one
 *	function	0fd380a225c1	match_promote
 *	function	e7626b28f8d8	spares_give
 *
 *	holds	SCANS=2 PROMOTE WRITES=2
 *	holds	SCANS=1 GUP UNMERGE
 *	holds	SCANS=1 CALL UNMERGE
 *	holds	SCANS=1 PUNCH POISON
 *	holds	SCANS=1 SHRINK
 *	deep	SCANS=2 PUNCH GUP POISON
 *	deep	SCANS=2 SHRINK GUP
 *	deep	SCANS=2 PUNCH PROMOTE
 *	caught	stale	NO_ZAP SCANS=1: a frame is replaced, and its readers are not unmapped
 *	caught	stale	GIVE_NO_WAIT SCANS=1: nor are those waited for who are about to map it
 *	caught	stale	DROP_NO_WAIT PUNCH: a hole is punched in the same way
 *	caught	shared	NO_UNCLEAN SCANS=1 PROMOTE: a candidate is written, and others find it
 *	caught	shared	OWN_SHARED SCANS=1 PROMOTE: the short way takes a stable frame for its own
 *	caught	freed	LOCK_UNSEEN SCANS=1: the lock of a page does not count as its user
 *	caught	protected	COUNT_FIRST SCANS=2 GUP: references are counted before PTEs lose the right
 *	caught	protected	NO_REFERENCE SCANS=1 CALL: write() copies without a reference
 *	caught	beyond	LOOK_ONCE SHRINK: a fault compares with the end, but not under the lock
 *	caught	beyond	END_LAST SHRINK: the end is set when the slots are empty
 *	caught	beyond	NO_BARRIER ONE_ZAP SHRINK: the store to the end reaches others late
 *	holds	PROMOTE_PINNED SCANS=1 PROMOTE GUP: a candidate that is pinned is pinned to be read
 *	holds	NO_BARRIER SHRINK: unmap_mapping_range() takes a lock, which is one on x86
 *	caught	reused	BROKEN_SPARE PUNCH POISON: a spare frame is not looked at
 */
#ifndef WRITES
#define WRITES 1
#endif
#define READS	1
#define NONE	0
#define ZEROES	1		/* the frame of zeroes */
#define SHARED	2		/* a stable frame that others share; it holds 1 */
#define OWN	3		/* frames for the slot alone */
#define FRAMES	(OWN + 4)
#define READER	0
#define WRITER	1

byte slot = NONE;
bool stable, clean, mapped;	/* flags of the slot */
bool locked;			/* chunk->lock */
#ifdef SHRINK
bool chunk_there;
#else
bool chunk_there = true;
#endif
bool in_file = true;		/* area->end, as others see it */
bool end_buffered;		/* the store that makes it false is on its way */

byte pte[2];
bool writable[2];
byte refs[FRAMES], content[FRAMES];
bool page_locked[FRAMES];
bool others[FRAMES];		/* another slot shares it */
bool gone[FRAMES];		/* taken from the slot by a hole or a shorter file */
bool broken[FRAMES];

byte value;			/* what was written last */
bool dropping;			/* it may be gone already, or not yet */

#define lock()		atomic { !locked -> locked = true }
#define unlock()	locked = false
#define lock_page(f)	atomic { !page_locked[f] -> page_locked[f] = true }
#define unlock_page(f)	page_locked[f] = false
#define frame()		(slot == NONE -> ZEROES : slot)
#define mapcount(f)	((pte[0] == f -> 1 : 0) + (pte[1] == f -> 1 : 0))

#define freed_in_use(f)	(page_locked[f] || pte[0] == f || pte[1] == f)

/* put_page() */
inline put(f)
{
	d_step {
		refs[f]--;
		if
		:: refs[f] == 0 -> freed = freed_in_use(f); assert(!freed); gone[f] = false
		:: else
		fi
	}
}

/* unmap_mapping_pages() takes each PTE on its own, and its reference. */
inline zap_one(m)
{
	d_step {
		if
		:: pte[m] != NONE ->
			q = pte[m];
			pte[m] = NONE;
			writable[m] = false;
			put(q);
			q = 0
		:: else
		fi
	}
}

inline zap()
{
	zap_one(READER);
	zap_one(WRITER)
}

/* ksm_frame_alloc() */
inline alloc(f)
{
	d_step {
		f = OWN;
		do
#ifdef BROKEN_SPARE
		:: refs[f] -> f++
#else
		:: refs[f] || broken[f] -> f++
#endif
		:: else -> break
		od;
		reused = broken[f];
		assert(!reused);
		refs[f] = 1;
		content[f] = 0
	}
}

/* slot_give() */
inline give()
{
	alloc(n);
	d_step {
		old = frame();
		content[n] = content[old];
		was_mapped = mapped;
		was_stable = stable;
		slot = n;
		n = 0;
		mapped = false;
		stable = false
	};
#ifndef NO_ZAP
	if
	:: was_mapped ->
#ifndef GIVE_NO_WAIT
		atomic { !page_locked[old] -> skip };
#endif
		zap()
	:: else
	fi;
#endif
	if
	:: was_stable -> put(old)
	:: else
	fi;
	old = 0;
	was_mapped = false;
	was_stable = false
}

/* ksm_slot_lock() */
inline slot_lock(write)
{
	lock();
	if
#ifndef LOOK_ONCE
	:: !in_file -> unlock(); failed = true
	:: in_file && broken[slot] ->
#else
	:: broken[slot] ->
#endif
		if
		:: mapped -> zap()
		:: else
		fi;
		unlock();
		failed = true
	:: else ->
		if
		:: write && (slot == NONE || stable) -> give()
		:: else
		fi
	fi
}

/* The end of fault_map() */
inline slot_map(f)
{
	atomic { mapped = true; f = frame(); refs[f]++ };
	lock_page(f);
	unlock()
}

/* fault_map(), up to the chunk's lock */
inline fault(write)
{
	if
	:: !in_file -> failed = true
	:: else ->
		chunk_there = true;
		slot_lock(write)
	fi
}

/* Core mm puts the frame @f, if it is still wanted, into the PTE @m. */
inline set_pte(m, f, w)
{
	atomic {
		if
		:: pte[m] == NONE -> pte[m] = f; writable[m] = w
		:: else -> put(f)
		fi
	};
	unlock_page(f)
}

/* fault_mkwrite() for the frame @f, to which the caller has a reference; core mm then
 * makes the PTE that is there writable (@there), or puts one in. */
inline mkwrite(f, there)
{
	/* ksm_slot_lock_own() */
	lock();
	if
#ifdef OWN_SHARED
	:: slot == f && !broken[f]
#else
	:: slot == f && !stable && !broken[f]
#endif
	:: else -> unlock(); slot_lock(true)
	fi;
	if
	:: failed -> put(f)
	:: !failed && slot == f ->
#ifndef NO_UNCLEAN
		clean = false;
#endif
		lock_page(f);
		unlock();
		if
		:: there ->
			atomic {
				if
				:: pte[WRITER] == f -> writable[WRITER] = true
				:: else
				fi
			};
			put(f);
			unlock_page(f)
		:: else -> set_pte(WRITER, f, true)
		fi
	:: else -> unlock(); put(f)
	fi
}

inline fault_write()
{
	if
	:: atomic { pte[WRITER] != NONE -> f = pte[WRITER]; refs[f]++ };
		mkwrite(f, true)
	:: pte[WRITER] == NONE ->
		fault(true);
		if
		:: failed
		:: else ->
			slot_map(f);
			unlock_page(f);
			mkwrite(f, false)
		fi
	fi;
	f = 0
}

inline check(m)
{
	stale = !dropping && !broken[pte[m]] && content[pte[m]] != value;
	assert(!stale)
}

proctype reader()
{
	byte f, q, old, n, done;
	bool failed, stale, freed, reused, was_mapped, was_stable;

	do
	:: !failed && done < READS ->
		if
		:: atomic { pte[READER] != NONE -> check(READER); done++ }
		:: pte[READER] == NONE ->
			fault(false);
			if
			:: failed
			:: else -> slot_map(f); set_pte(READER, f, false); f = 0
			fi
		fi
	:: else -> break
	od
}

/* What is written goes to a frame that nobody else has. */
#define store(f, v)							\
	content[f] = v;							\
	shared = others[f] || f < OWN;					\
	assert(!shared)

proctype writer()
{
	byte f, q, old, n, done;
	bool failed, stale, freed, reused, shared, was_mapped, was_stable;

	do
	:: !failed && done < WRITES ->
		if
		:: d_step { writable[WRITER] -> store(pte[WRITER], 1); value = 1; done++ }
		:: d_step { writable[WRITER] -> store(pte[WRITER], 2); value = 2; done++ }
		:: !writable[WRITER] -> fault_write()
		fi
	:: else -> break
	od;
	if
	:: atomic { pte[WRITER] != NONE -> check(WRITER) }
	:: true
	fi
}

#ifdef SCANS
/* slot_unmapped_alone(), of the frame @f that was unmapped */
inline alone(f)
{
	ok = refs[f] == 1;
#ifndef LOCK_UNSEEN
	ok = ok && !page_locked[f];
#endif
	if
	:: ok -> mapped = false
	:: else
	fi
}

inline unmap(f)
{
	if
	:: mapped -> zap(); alone(f)
	:: else -> ok = true
	fi
}

/* protect_one() */
inline protect(f)
{
	ok = false;
	if
	:: !mapped -> ok = refs[f] == 1
	:: mapped && page_locked[f]
	:: atomic { mapped && !page_locked[f] -> page_locked[f] = true };
#ifdef COUNT_FIRST
		ok = refs[f] == mapcount(f) + 1;
#endif
		writable[READER] = false;
		if
		:: pte[WRITER] == f -> writable[WRITER] = false
		:: else
		fi;
#ifndef COUNT_FIRST
		ok = refs[f] == mapcount(f) + 1;
#endif
		unlock_page(f)
	fi
}

/* ksm_scan_chunk() */
proctype scanner()
{
	byte f, q, scans;
	bool ok, freed, protected;

	do
	:: scans < SCANS ->
		scans++;
		lock();
		f = slot;
		if
		:: f != NONE && !stable && !clean && !broken[f] ->
			if
			:: protect(f)		/* alone */
			:: unmap(f)		/* in a long run */
			fi;
			if
			:: !ok
			:: ok && content[f] < 2 ->
				unmap(f);
				if
				:: ok && content[f] == 0 -> slot = NONE; put(f)
				:: ok && content[f] == 1 ->
					atomic { slot = SHARED; refs[SHARED]++; stable = true };
					put(f)
				:: !ok
				:: else -> protected = false; assert(protected)
				fi
			:: ok -> clean = true	/* it stands in the table */
			fi
		:: else
		fi;
		f = 0;
		ok = false;
		unlock()
	:: else -> break
	od
}
#endif

#ifdef PROMOTE
/* match_promote() by a scanner of another chunk, whose slot shares the frame from then on */
proctype promoter()
{
	if
	:: atomic { !locked && clean -> locked = true };
		if
#ifdef PROMOTE_PINNED
		:: true ->
#else
		:: refs[slot] == mapcount(slot) + 1 ->
#endif
			d_step { stable = true; clean = false; refs[slot]++; others[slot] = true }
		:: else
		fi;
		unlock()
	:: true
	fi
}
#endif

#ifdef UNMERGE
/* ksm_slot_unmerge(), of what is merged: that zeroes were written here is not told apart */
proctype unmerge()
{
	byte q, old, n;
	bool freed, reused, was_mapped, was_stable;

	lock();
	if
	:: stable || slot == NONE -> give()
	:: else
	fi;
	unlock()
}
#endif

#ifdef GUP
/* A device writes to the frame that it was given, at any later time. */
proctype pinner()
{
	byte f;
	bool freed, shared;

	if
	:: atomic { writable[WRITER] -> f = pte[WRITER] };
		refs[f]++;
		if
		:: pte[WRITER] == f && writable[WRITER] ->
			d_step {
				store(f, 2);
				if
				:: !gone[f] -> value = 2
				:: else
				fi
			}
		:: else
		fi;
		put(f)
	:: true
	fi
}
#endif

#ifdef CALL
/* write(): page_get(), then the copy without the lock */
proctype call()
{
	byte f, q, old, n;
	bool failed, freed, reused, shared, was_mapped, was_stable;

	slot_lock(true);
	if
	:: failed
	:: else ->
		clean = false;
		f = slot;
#ifndef NO_REFERENCE
		refs[f]++;
#endif
		unlock();
		d_step { store(f, 2); value = 2 };
#ifndef NO_REFERENCE
		put(f)
#endif
	fi
}
#endif

#if defined(PUNCH) || defined(SHRINK)
/* slots_drop() */
inline drop()
{
	d_step {
		old = slot;
		was_mapped = mapped;
		gone[old] = old >= OWN;
		slot = NONE;
		stable = false;
		clean = false;
		mapped = false;
		dropping = true
	};
	if
	:: was_mapped ->
#ifndef DROP_NO_WAIT
		atomic { !page_locked[(old == NONE -> ZEROES : old)] -> skip };
#endif
		zap()
	:: else
	fi;
	d_step { dropping = false; value = 0 };
	if
	:: old != NONE -> put(old)
	:: else
	fi;
	old = 0;
	was_mapped = false
}
#endif

#ifdef PUNCH
proctype punch()
{
	byte old, q;
	bool freed, was_mapped;

	lock();
	drop();
	unlock()
}
#endif

#ifdef SHRINK
/* The processor of who makes the file shorter */
proctype store_buffer()
{
end:	do
	:: atomic { end_buffered -> in_file = false; end_buffered = false }
	od
}

#define barrier()	!end_buffered

/* ksm_range_drop() */
inline range_drop()
{
	if
	:: chunk_there -> barrier(); lock(); drop(); unlock()
	:: else
	fi
}

/* file_shrink(), and then the file is made longer again */
proctype shrink()
{
	byte old, q;
	bool freed, was_mapped, beyond;

	dropping = true;
#ifndef END_LAST
	end_buffered = true;
#ifndef NO_BARRIER
	barrier();
#endif
#endif
#ifndef ONE_ZAP
	barrier();
	zap();
#endif
	range_drop();
#ifdef END_LAST
	in_file = false;
#endif
	barrier();
	zap();
	atomic {
		beyond = slot != NONE || pte[READER] != NONE || pte[WRITER] != NONE;
		assert(!beyond);
		in_file = true;
		dropping = false;
		value = 0
	}
}
#endif

#ifdef POISON
proctype poison()
{
	if
	:: atomic { slot >= OWN -> broken[slot] = true }
	:: true
	fi
}
#endif

init {
	atomic {
		refs[ZEROES] = 1;
		refs[SHARED] = 1;
		content[SHARED] = 1;
		others[SHARED] = true;
		run reader();
		run writer();
#ifdef SCANS
		run scanner();
#endif
#ifdef PROMOTE
		run promoter();
#endif
#ifdef UNMERGE
		run unmerge();
#endif
#ifdef GUP
		run pinner();
#endif
#ifdef CALL
		run call();
#endif
#ifdef PUNCH
		run punch();
#endif
#ifdef SHRINK
		run store_buffer();
		run shrink();
#endif
#ifdef POISON
		run poison();
#endif
		skip
	}
}
