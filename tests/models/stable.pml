/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stable frame of ksmdev: slots that share it and let go, scan threads that find it in
 * the table and take shares.
 *
 * Each share has a reference.  Shares are given back without a lock, but for the last one,
 * which takes the frame out of the table.  The frame is freed with its last reference: by
 * then it is not in the table, and nobody has a share.  A frame with too many sharers is
 * not in the table either, and comes back when half of them are gone.  A scan thread
 * keeps a reference to the frame that it used last; whether that is still stable, the
 * table tells.
 *
 * README says what the rows are.
 *
 *	module	ksmdev
 *
 *	function	373ee18574fa	ksm_stable_get
 *	function	244ef310b577	ksm_stable_put
 *	function	74c444674bf6	stable_drop_last
 *	function	1bcf7b570093	stable_rehash
 *	function	580cd1cdae92	last_get
 *	function	09a7d937e1ee	scanner_set_last
 *
 *	holds	SLOTS=2 MOST=3
 *	holds	SLOTS=3 MOST=4 SCANS=1
 *	holds	SLOTS=2 MOST=2 FULL
 *	caught	in_table	SHARE_FIRST MOST=3: a share is taken before its reference
 *	caught	freed	LAST_UNLOCKED MOST=3: the last share is given back as the others are
 *	caught	in_table	LAST_KEPT MOST=3: the frame stays in the table
 *	caught	shares	NOT_ATOMIC MOST=3: two give the last but one back
 *	caught	shares	LAST_TRUSTED MOST=3: the frame that was used last is taken for stable
 *	deep	SLOTS=3 MOST=3
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef SCANS
#define SCANS 2
#endif
#define HALF (MOST / 2)		/* of max_page_sharing */

short shares = SLOTS;
short refs = SLOTS;
bool freed;
#ifdef FULL
bool in_table = false;
#else
bool in_table = true;
#endif
bool locked;			/* table.lock */

#define lock()		atomic { !locked -> locked = true }
#define unlock()	locked = false

inline put_page()
{
	atomic {
		assert(refs > 0);
		refs--;
		if
		:: refs == 0 -> freed = true; assert(!in_table && shares == 0)
		:: else
		fi
	}
}

/* stable_drop_last() and the end of ksm_stable_put() */
inline drop_last()
{
#ifdef LAST_UNLOCKED
	atomic { shares--; last = shares == 0 };
#else
	lock();
	atomic { shares--; last = shares == 0; assert(shares >= 0) };
#endif
#ifndef LAST_KEPT
	if
	:: last -> in_table = false
	:: else
	fi;
#endif
#ifndef LAST_UNLOCKED
	unlock();
#endif
	put_page();
	last = false
}

inline stable_put()
{
	assert(!freed);
	seen = shares;
	if
	:: seen <= HALF + 1 && !in_table ->
		lock();
		if
		:: !in_table -> assert(!freed); in_table = true
		:: else
		fi;
		unlock()
	:: else
	fi;
#ifdef NOT_ATOMIC
	seen = shares;
	if
	:: seen > 1 -> shares--; assert(shares >= 0); put_page()
	:: else -> drop_last()
	fi;
#else
	if
	:: atomic { shares != 1 -> shares-- }; put_page()
	:: shares == 1 -> drop_last()
	fi;
#endif
	seen = 0
}

/* ksm_stable_get(), with the lock */
inline stable_get()
{
	assert(!freed && shares > 0);
	if
	:: shares >= MOST -> in_table = false
	:: else ->
#ifdef SHARE_FIRST
		shares++;
		atomic { assert(!freed); refs++ };
#else
		atomic { assert(!freed); refs++ };
		shares++;
#endif
		got = true
	fi
}

inline find()
{
	lock();
	if
	:: in_table -> stable_get()
	:: else
	fi;
	unlock()
}

proctype slot()
{
	short seen;
	bool last;

	stable_put()
}

/* It merges a page with the frame, whose slot lets go, and then another one. */
proctype scan()
{
	short seen;
	bool last, got;

	find();
	if
	:: got ->
		atomic { assert(!freed); refs++ };	/* scanner_set_last() */
		stable_put();
		got = false;
		assert(!freed);				/* it compares */
#ifdef LAST_TRUSTED
		lock();
		stable_get();
		unlock();
#else
		find();
#endif
		if
		:: got -> stable_put()
		:: else
		fi;
		put_page()				/* ksm_scanner_rest() */
	:: else
	fi
}

init {
	byte n;

	atomic {
		do
		:: n < SLOTS -> run slot(); n++
		:: else -> break
		od;
		n = 0;
		do
		:: n < SCANS -> run scan(); n++
		:: else -> break
		od
	}
}
