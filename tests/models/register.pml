/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A step of KSM_REGISTER takes one page over, beside the task's other threads, which write to
 * the page, discard it, unmap it, have a device write to it, or use a mapping of the file that reaches
 * behind its end; KSM_DISCARD; the scanner, which copies what was left; and the work item
 * that gives back what no mapping covers any more.
 *
 * What is written to the memory is read there later, before, while and after it is taken
 * over.  As long as the step is under way, the slot belongs to it, also if it is empty: when
 * the step takes itself back, the slot is as before, and the end of the file is.  A frame
 * that is mapped is not freed.
 *
 * One slot; two pages of anonymous memory, of which the second comes after a discard.
 * README says what the rows are.
 *
 *	module	ksmdev
 *
 *	function	c9ae3223cbac	pending_set
 *	function	d78620d24d55	pending_undo
 *	function	bae3fc426a12	pending_open
 *	function	a74aa7719b8a	step_take
 *	function	900d149b5fc3	step_map
 *	function	cf956a74dc40	step_wait_quiet
 *	function	23488910f467	page_undisturbed
 *	function	8271811538e5	step_undisturbed
 *	function	64f976757670	ksm_register_may_map
 *	function	3baa36c63d50	pending_resolve_one
 *	function	3c30558406fb	slot_settle
 *	function	c8ac3cb0b489	ksm_slots_take_over
 *	function	14974da45429	ksm_slots_undo
 *	function	a87ec3163c50	ksm_slot_resolve
 *	function	3d8553743555	ksm_pending_ready
 *	function	7d8d48ba6869	ksm_pending_lock
 *	function	7a0cdfbdc7eb	ksm_pending_lock_range
 *	function	3940c1d1c0a2	fault_wait
 *	function	92f50d5db31a	chunk_drop
 *	function	a2eb4f36f0ba	chunk_sweep
 *	function	e4591316c4a5	pages_covered
 *
 *	holds	DEVICE SCANNER
 *	holds	PEEK DISCARD
 *	holds	PEEK DEVICE
 *	holds	SWEEP SCANNER
 *	holds	UNMAP PEEK
 *	deep	PEEK DEVICE DISCARD SCANNER
 *	caught	lost	NO_LOOK: the step does not look whether the page is still mapped
 *	caught	lost	LOOK_FIRST: it looks without the lock under which the mapping is replaced
 *	caught	taken	GONE_MAPS UNMAP: it goes on where another thread has unmapped the page
 *	caught	lost	NO_QUIET DEVICE: it copies while a device writes
 *	caught	lost	QUIET_FIRST DEVICE: it waits for devices, and then replaces the mapping
 *	caught	kept	OPEN_EARLY PEEK: faults may copy before the mapping is replaced
 *	caught	kept	DISCARD_ANY DISCARD: KSM_DISCARD empties a slot of the step
 *	caught	taken	KEEP_END PEEK: a step that takes itself back leaves the end where it is
 *	caught	kept	EMPTY_FREE PEEK: an empty slot of a step is anybody's
 *	caught	freed	SWEEP_FIRST SWEEP: who gives back looks for mappings without the chunk's lock
 */
#define NONE	0
#define OLD	1		/* anonymous memory: pinned by the step */
#define NEW	2		/* the same after a discard */
#define OWN	3		/* the file's frames */
#define FRAMES	(OWN + 3)

mtype = { EMPTY, PENDING, PRIVATE };
mtype slot = EMPTY;
byte frame = NONE;		/* of the slot */
bool locked;			/* chunk->lock */
bool in_file;			/* the slot is before the end */
bool registering;		/* reg_first, reg_end: the slot is the step's */
bool contended;

byte old_pte = OLD;		/* of the anonymous mapping, */
bool old_mapped = true;		/* which is there */
bool covered;			/* a mapping of the file is in its place */
byte pte;			/* of that */
byte peek;			/* PTE of another one, which reaches behind the end */
bool mm_locked;			/* mmap_lock for writing; faults of one mapping in a row */
bool device;			/* it has a reference to OLD */

byte content[FRAMES];
bool used[FRAMES];
byte value;			/* what was written last */
bool stop;			/* of the step's call: it has ended */

#define lock()		atomic { !locked -> locked = true }
#define unlock()	locked = false
#define mm_lock()	atomic { !mm_locked -> mm_locked = true }
#define mm_unlock()	mm_locked = false
#define quiet()		(!device)
/* ksm_pending_ready() */
#define ready()		(!registering && (!contended || quiet()))

inline free(f)
{
	d_step {
		freed = pte == f || peek == f;
		assert(!freed);
		used[f] = false
	}
}

inline alloc(f)
{
	d_step {
		f = OWN;
		do
		:: used[f] -> f++
		:: else -> break
		od;
		used[f] = true;
		content[f] = 0
	}
}

/* ksm_slot_resolve(), with the chunk's lock; the copy takes its time */
inline resolve()
{
	alloc(n);
	content[n] = content[frame];
	d_step { slot = PRIVATE; frame = n; n = NONE }
}

/*
 * A fault on a mapping of the file, whose PTE is @p: ksm_pending_lock(), and ->fault.  A task
 * that waits gives up its lock and faults again.
 */
inline fault(p, done)
{
	lock();
	if
	:: slot == PENDING && !ready() -> unlock()
#ifndef EMPTY_FREE
	:: slot != PENDING && registering -> unlock()
#endif
	:: else ->
		if
		:: !in_file -> unlock(); done = true	/* SIGBUS */
		:: else ->
			if
			:: slot == PENDING -> resolve()
			:: slot == EMPTY -> alloc(n); d_step { slot = PRIVATE; frame = n; n = NONE }
			:: else
			fi;
			p = frame;
			unlock()
		fi
	fi
}

/* ---- KSM_REGISTER ---- */

inline take_over(p)
{
	lock();
	in_file = true;
	taken = slot != EMPTY;
	assert(!taken);
	registering = true;
	if
	:: p != NONE -> d_step { slot = PENDING; frame = p }
	:: else
	fi;
	unlock()
}

inline undo(p)
{
	lock();
#ifndef KEEP_END
	in_file = false;
#endif
	kept = (p == NONE -> slot == EMPTY : slot == PENDING && frame == p);
	assert(kept);
	d_step { slot = EMPTY; frame = NONE; registering = false };
	unlock()
}

inline open_slots(is_contended)
{
	lock();
	registering = false;
	contended = is_contended;
	unlock()
}

#define undisturbed()	(old_pte == pinned)

proctype step()
{
	byte pinned, n, tries;
	bool taken, kept, ok, freed;

	do
	:: tries < 2 ->
		tries++;
		pinned = old_pte;		/* step_pin() */
		take_over(pinned);
		if
		:: true -> undo(pinned)		/* it is in use for long: EBUSY */
		:: true ->
#ifdef QUIET_FIRST
			quiet();
#endif
#ifdef OPEN_EARLY
			open_slots(false);
#endif
#ifdef LOOK_FIRST
			ok = undisturbed();
#endif
			mm_lock();
#ifdef NO_LOOK
			ok = true;
#endif
#if !defined(NO_LOOK) && !defined(LOOK_FIRST)
			ok = undisturbed();
#endif
			if
			:: ok ->
				old_pte = NONE;
				d_step { old_mapped = false; covered = true };
				mm_unlock();
				break
#ifdef GONE_MAPS
			:: !ok && !old_mapped ->
				covered = true;
				mm_unlock()
			:: !ok && old_mapped ->
#else
			:: else ->
#endif
				mm_unlock();
				undo(pinned);
				ok = false
			fi
		fi
	:: else -> goto out
	od;
#if defined(NO_QUIET) || defined(QUIET_FIRST) || defined(OPEN_EARLY)
	open_slots(false);
#else
	if
	:: quiet() -> open_slots(false)
	:: open_slots(true)			/* it has waited for long */
	fi;
#endif
	/* pending_resolve_one(), or it has no memory */
	if
	:: lock();
		if
		:: slot == PENDING && ready() -> resolve()
		:: else
		fi;
		unlock()
	:: true
	fi;
out:	stop = true;
	pinned = NONE;
	tries = 0
}

/* ---- other threads ---- */

/* A fault has the lock of its mapping, so that this does not go meanwhile. */
inline fault_new()
{
	mm_lock();
	if
	:: covered -> fault(pte, end)
	:: else
	fi;
	mm_unlock()
}

/* Writes to the memory, or discards it, and at last reads what is there. */
proctype user()
{
	byte n, done;
	bool lost, freed, end;

	do
	:: done < 2 ->
		/* The old mapping: a fault and the store, or MADV_DONTNEED */
		if
		:: d_step { old_mapped && old_pte != NONE ->
				content[old_pte] = done + 1; value = done + 1; done++ }
		:: d_step { !mm_locked && old_mapped && old_pte == NONE ->
				old_pte = NEW; content[NEW] = 0 }
		:: d_step { !mm_locked && old_mapped && old_pte == OLD && !device ->
				old_pte = NONE; value = 0; done++ }
		/* The new one */
		:: d_step { covered && pte != NONE -> content[pte] = done + 1; value = done + 1; done++ }
		:: covered && pte == NONE -> fault_new()
		:: done++
		fi
	:: else -> break
	od;
	stop;
	if
	:: old_mapped
	:: else ->
		do
		:: covered && pte == NONE -> fault_new()
		:: d_step { !covered || pte != NONE ->
				lost = covered && content[pte] != value; assert(!lost) }; break
		od
	fi;
	if
	:: d_step { old_mapped -> lost = (old_pte == NONE -> 0 : content[old_pte]) != value;
			assert(!lost) }
	:: else
	fi
}

#ifdef UNMAP
/* The caller's error: nothing is kept, and nothing is taken twice or left behind. */
proctype unmapper()
{
	mm_lock();
	if
	:: old_mapped -> d_step { old_mapped = false; old_pte = NONE; value = 0 }
	:: else
	fi;
	mm_unlock()
}
#endif

#ifdef DEVICE
proctype dma()
{
	do
	:: d_step { !mm_locked && old_mapped && old_pte == OLD && !device -> device = true };
		d_step {
			content[OLD] = 7;
			if
			:: old_mapped || frame == OLD -> value = 7
			:: else			/* discarded */
			fi
		};
		device = false;
		break
	:: true -> break
	od
}
#endif

#ifdef PEEK
/* Another mapping of the file: it reaches the slot before it is within the file. */
proctype peeker()
{
	byte n;
	bool end, freed;

	do
	:: !end && peek == NONE -> fault(peek, end)
	:: true -> break
	od;
	peek = NONE
}
#endif

#if defined(DISCARD) || defined(SWEEP)
/* ksm_slots_drop() of the frame that the slot had */
inline release()
{
	d_step {
		if
		:: !old_mapped -> value = 0
		:: else
		fi
	};
	if
	:: f >= OWN -> free(f)
	:: else
	fi;
	f = NONE
}
#endif

#ifdef DISCARD
/* KSM_DISCARD by offset, when the slot is within the file: only where nothing is to be read
 * any more, so that its contents do not matter. */
proctype discard()
{
	byte f;
	bool freed;

	if
	:: in_file ->
		do
		:: lock();
#ifndef DISCARD_ANY
			if
			:: registering -> unlock()
			:: else -> break
			fi
#else
			break
#endif
		od;
		skip;
		d_step { f = frame; slot = EMPTY; frame = NONE };
		pte = NONE;
		peek = NONE;
		release();
		unlock()
	:: true
	fi
}
#endif

#ifdef SCANNER
/* slot_settle() */
proctype scanner()
{
	byte n;

	lock();
	if
	:: slot == PENDING && ready() -> resolve()
	:: else
	fi;
	unlock()
}
#endif

#ifdef SWEEP
/* munmap(), and later mmap() of the same part of the file by mremap() of a neighbour */
proctype mapper()
{
end:	stop && covered;
	mm_lock();
	pte = NONE;
	covered = false;
	mm_unlock();
	mm_lock();
	covered = true;
	mm_unlock()
}

/* chunk_sweep() */
proctype sweep()
{
	byte f;
	bool freed, is_covered;

	stop;
#ifdef SWEEP_FIRST
	is_covered = covered;
#endif
	lock();
#ifndef SWEEP_FIRST
	is_covered = covered;
#endif
	if
	:: !registering && !is_covered ->
		d_step { f = frame; slot = EMPTY; frame = NONE };
		release()
	:: else
	fi;
	unlock()
}
#endif

init {
	atomic {
		content[OLD] = 9;
		value = 9;
		run step();
		run user();
#ifdef UNMAP
		run unmapper();
#endif
#ifdef DEVICE
		run dma();
#endif
#ifdef PEEK
		run peeker();
#endif
#ifdef DISCARD
		run discard();
#endif
#ifdef SCANNER
		run scanner();
#endif
#ifdef SWEEP
		run mapper();
		run sweep();
#endif
		skip
	}
}
