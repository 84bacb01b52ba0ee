/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The last link, descriptor and mapping of a file of ksmdev are gone, beside run=2, which
 * gives merged pages frames of their own, a scan thread that has taken the chunk, and one
 * that finds a page of it as a candidate.
 *
 * The area is emptied without anybody mapping it.  Who goes through the areas of the
 * domain finds it there only before that; who has a chunk of it has a reference.  When the
 * area is freed, its chunk is in no queue and no slot has a frame.  The inode goes when the
 * area is empty: who has a slot with a frame, and the chunk locked, may use it.
 *
 * One chunk with two slots, emptied one after the other.  README says what the rows are.
 *
 *	module	ksmdev
 *
 *	function	62b2502ac47c	ksm_area_release
 *	function	a809c4c63c6f	ksm_area_put
 *	function	71e31b1a95be	chunk_unmerge
 *	function	02b3d658a412	ksm_area_unmerge
 *	function	ec531e102e07	ksm_slot_unmerge
 *	function	eb01c8827471	unmerge_domain
 *	function	1aadcff1f705	owner_trylock
 *	function	a9f2bb0f8d7d	evict_inode
 *
 *	holds	SLOTS=2
 *	holds	LOOK_ONCE: pages that are not merged any more get frames, too
 *	holds	LEAVE_LATE: the area leaves the domain when it is empty
 *	caught	given_back	LOOK_ONCE LEAVE_LATE: both
 *	caught	freed	NO_REFERENCE: who finds a candidate takes none of its area
 *	caught	inode_there	INODE_FIRST: the inode goes before the area is emptied
 *	caught	queued	UNQUEUE_FIRST: the chunk leaves the queues before it is emptied
 */
#define SLOTS 2

mtype = { EMPTY, PRIVATE, CANDIDATE, MERGED };
mtype slot[SLOTS];
bool locked;			/* chunk->lock */
bool walks, in_domain = true;	/* areas_lock is held for the whole walk */
bool queued = true, freed, done, inode_there = true;
byte refs = 1;

#define lock()		atomic { !locked -> assert(!freed); locked = true }
#define unlock()	locked = false

inline area_put()
{
	atomic {
		refs--;
		if
		:: refs == 0 ->
			freed = true;
			assert(!queued);
			given_back = slot[0] == EMPTY && slot[1] == EMPTY;
			assert(given_back)
		:: else
		fi
	}
}

inline leave()
{
	atomic { !walks -> in_domain = false }
}

proctype release()
{
	byte i;
	bool given_back;

#ifndef LEAVE_LATE
	leave();
#endif
#ifdef UNQUEUE_FIRST
	queued = false;
#endif
#ifdef INODE_FIRST
	inode_there = false;
#endif
	do
	:: i < SLOTS -> lock(); slot[i] = EMPTY; i++; unlock()
	:: else -> break
	od;
#ifndef UNQUEUE_FIRST
	queued = false;
#endif
#ifdef LEAVE_LATE
	leave();
#endif
	done = true;
	area_put();
	inode_there = false
}

proctype unmerge()
{
	byte i;

	atomic { walks = in_domain };
	do
	:: walks && i < SLOTS ->
#ifdef LOOK_ONCE
		if
		:: slot[i] == MERGED ->
			lock();
			if
			:: slot[i] == MERGED || slot[i] == EMPTY ->
				slot[i] = PRIVATE;
				queued = true
			:: else
			fi;
			unlock()
		:: else
		fi;
#else
		lock();
		if
		:: slot[i] == MERGED -> slot[i] = PRIVATE; queued = true
		:: else
		fi;
		unlock();
#endif
		i++
	:: else -> break
	od;
	walks = false
}

/* ksm_scan_chunk(): private slots become candidates, merge, or are looked at later. */
inline look(i)
{
	assert(inode_there || slot[i] == EMPTY);
	if
	:: slot[i] == PRIVATE -> slot[i] = CANDIDATE
	:: slot[i] == PRIVATE -> slot[i] = MERGED
	:: slot[i] == PRIVATE -> queued = true
	:: else
	fi
}

proctype scan()
{
	bool given_back;

end:	do
	:: atomic { queued -> assert(!freed); queued = false; refs++ };
		lock();
		look(0);
		look(1);
		unlock();
		area_put()
	:: done -> break
	od
}

/* The scanner of another chunk. */
proctype matcher()
{
	bool given_back;

	if
	:: atomic {
			(slot[0] == CANDIDATE || slot[1] == CANDIDATE) && !locked ->
			assert(!freed);
			assert(inode_there);
			locked = true;
#ifndef NO_REFERENCE
			refs++
#endif
		};
		if
		:: slot[0] == CANDIDATE -> slot[0] = MERGED
		:: else -> slot[1] = MERGED
		fi;
		/* mutex_unlock() looks at the mutex when others may have it. */
		unlock();
		assert(!freed);
#ifndef NO_REFERENCE
		area_put()
#endif
	:: done
	fi
}

init {
	atomic {
		slot[0] = MERGED;
		slot[1] = PRIVATE;
		run release();
		run unmerge();
		run scan();
		run matcher()
	}
}
