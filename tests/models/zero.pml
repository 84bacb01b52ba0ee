/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page of ksmdev that has no frame: readers get the frame of zeroes, a writer a frame of
 * its own, and a discard takes that away again.
 *
 * A fault locks the frame before it gives up the chunk's lock, and unlocks it when the PTE
 * is there.  Who takes a frame out of the slot, or the frame of zeroes by putting one in,
 * waits for that lock and then unmaps.  SLOT_MAPPED tells whether there is anything to
 * unmap.  When the writer has stored, no PTE maps the frame of zeroes any more: that one
 * would read zeroes for ever.
 *
 * One page, mapped once for reading and once for writing.  README says what the rows are.
 *
 *	module	ksmdev
 *
 *	function	a9cd17bc15c5	fault_map
 *	function	b734310fdc1d	fault_mkwrite
 *	function	8307b4f01084	slot_give
 *	function	13638704bb31	slot_wait_mapped
 *	function	37b2904c6cae	slots_drop
 *	function	ec8563e79e6d	ksm_slot_map
 *	function	2d8d2debe4b8	slot_need
 *
 *	holds	DISCARDS=1
 *	holds	DISCARDS=2
 *	caught	stale	DROP_NO_WAIT DISCARDS=1: a discard does not wait for the frame of zeroes
 *	caught	stale	GIVE_NO_WAIT DISCARDS=1: nor does who puts a frame into the slot
 *	caught	stale	UNMAP_FIRST DISCARDS=1: it unmaps, and then waits
 *	caught	stale	LOCK_LATE DISCARDS=1: a fault locks the frame without the chunk's lock
 *	caught	still_mapped	FREE_FIRST DISCARDS=1: a discard frees the frame before it unmaps
 */
#ifndef DISCARDS
#define DISCARDS 1
#endif
#define NONE	0
#define ZEROES	1
#define FIRST	2		/* frames of the page's own: one for each write */
#define FRAMES	(FIRST + 2)
#define READER	0
#define WRITER	1

byte slot = NONE;		/* its frame; NONE: that of zeroes */
bool mapped;			/* SLOT_MAPPED */
bool chunk_locked, frame_locked[FRAMES];
byte pte[2];
bool writable;			/* the writer's PTE */
byte frames = FIRST;

#define lock_chunk()	atomic { !chunk_locked -> chunk_locked = true }
#define unlock_chunk()	chunk_locked = false
#define lock_frame(f)	atomic { !frame_locked[f] -> frame_locked[f] = true }

/* slot_wait_mapped() and unmap_mapping_pages(), which takes each PTE on its own */
inline unmap(f)
{
#ifdef UNMAP_FIRST
	pte[READER] = NONE;
	atomic { pte[WRITER] = NONE; writable = false };
#endif
	atomic { !frame_locked[f] -> skip };
#ifndef UNMAP_FIRST
	pte[READER] = NONE;
	atomic { pte[WRITER] = NONE; writable = false }
#endif
}

/* ksm_slot_map(), and core mm */
inline map(who)
{
	mapped = true;
	f = (slot == NONE -> ZEROES : slot);
#ifdef LOCK_LATE
	unlock_chunk();
	lock_frame(f);
#else
	lock_frame(f);
	unlock_chunk();
#endif
	pte[who] = f;
	frame_locked[f] = false
}

active proctype reader()
{
	byte f;

	if
	:: pte[READER] == NONE ->
		lock_chunk();
		map(READER);
		f = 0
	:: true
	fi
}

active proctype writer()
{
	byte f, n;
	bool stale;

	do
	:: n < 2 ->
		/* fault_map() */
		lock_chunk();
		if
		:: slot == NONE ->
			slot = frames;
			frames++;
			if
			:: mapped ->
				mapped = false;
#ifndef GIVE_NO_WAIT
				unmap(ZEROES)
#else
				pte[READER] = NONE;
				atomic { pte[WRITER] = NONE; writable = false }
#endif
			:: else
			fi
		:: else
		fi;
		map(WRITER);
		/* fault_mkwrite() */
		lock_chunk();
		if
		:: slot == f ->
			lock_frame(f);
			unlock_chunk();
			if
			:: pte[WRITER] == f -> writable = true
			:: else
			fi;
			frame_locked[f] = false
		:: else -> unlock_chunk()
		fi;
		atomic {
			if
			:: writable && pte[WRITER] == f && slot == f ->
				stale = pte[READER] == ZEROES;
				assert(!stale)
			:: else
			fi;
			f = 0
		};
		n++
	:: else -> break
	od
}

inline free()
{
	atomic {
		if
		:: old != NONE ->
			still_mapped = pte[READER] == old || pte[WRITER] == old;
			assert(!still_mapped)
		:: else
		fi
	}
}

/* slots_drop() */
active proctype discard()
{
	byte old, n;
	bool was, still_mapped;

	do
	:: n < DISCARDS ->
		lock_chunk();
		atomic { old = slot; was = mapped; slot = NONE; mapped = false };
#ifdef FREE_FIRST
		free();
#endif
		if
		:: was && old != NONE -> unmap(old)
#ifdef DROP_NO_WAIT
		:: was && old == NONE ->
			pte[READER] = NONE;
			atomic { pte[WRITER] = NONE; writable = false }
#else
		:: was && old == NONE -> unmap(ZEROES)
#endif
		:: else
		fi;
#ifndef FREE_FIRST
		free();
#endif
		unlock_chunk();
		old = 0;
		n++
	:: else -> break
	od
}
