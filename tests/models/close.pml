/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The last link, descriptor and mapping of a file of ksmdev are gone, beside run=2, which
 * gives merged pages frames of their own, a scan thread that has taken the chunk, and one
 * that finds a page of it as a candidate.
 *
 * The area is emptied without anybody mapping it.  Who goes through the areas of the
 * domain keeps the inode, if it is not going: the area is emptied after he let it go, by
 * himself if he is the last.  Who has a chunk of it has a reference.  When the
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
 *	function	1f4f6ec84d1b	ksm_area_unmerge
 *	function	ec531e102e07	ksm_slot_unmerge
 *	function	3c6fa7afc075	ksm_domain_each_area
 *	function	623a2d613757	area_next
 *	function	c792ad361044	area_keep
 *	function	7fe3b69a189f	area_let_go
 *	function	b926e171057a	owner_trylock
 *	function	dbe91ce7997b	inode_evict
 *
 *	holds	SLOTS=2
 *	holds	LOOK_ONCE: pages that are not merged any more get frames, too
 *	holds	LEAVE_LATE: the area leaves the domain when it is empty
 *	caught	freed	NOT_KEPT: who goes through the areas does not keep the inode
 *	caught	given_back	KEEP_LATE LOOK_ONCE LEAVE_LATE: an inode that is going is kept
 *	caught	freed	NO_REFERENCE: who finds a candidate takes none of its area
 *	caught	inode_there	INODE_FIRST: the inode goes before the area is emptied
 *	caught	queued	UNQUEUE_FIRST: the chunk leaves the queues before it is emptied
 */
#define SLOTS 2

mtype = { EMPTY, PRIVATE, CANDIDATE, MERGED };
mtype slot[SLOTS];
bool locked;			/* chunk->lock */
bool kept, going, in_domain = true;
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
	in_domain = false
}

proctype release()
{
	byte i;
	bool given_back;

	/* The last iput(). */
	atomic { !kept -> going = true };
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
	bool walks;

	/* area_next() holds areas_lock. */
#ifdef KEEP_LATE
	atomic { walks = in_domain; kept = walks };
#else
	atomic { walks = in_domain && !going; kept = walks };
#endif
#ifdef NOT_KEPT
	kept = false;
#endif
	do
	:: walks && i < SLOTS ->
#ifdef LOOK_ONCE
		if
		:: slot[i] == MERGED ->
			lock();
			if
			:: slot[i] == MERGED || slot[i] == EMPTY ->
				assert(inode_there);
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
		:: slot[i] == MERGED -> assert(inode_there); slot[i] = PRIVATE; queued = true
		:: else
		fi;
		unlock();
#endif
		i++
	:: else -> break
	od;
	kept = false
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
