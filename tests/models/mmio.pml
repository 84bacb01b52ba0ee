/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accesses to addresses without memory, and slots that come and go.
 *
 * That an address has no slot is remembered: by the vCPU, and by an entry in the second
 * stage that always exits.  Both are worth something only as long as the slots have the
 * generation that is remembered with it.  An access that begins when the ioctl that
 * makes the slot has returned must not be taken for MMIO.  A leaf that another vCPU has
 * put there meanwhile must not get lost, or the host would take the page away without a
 * flush.  Nobody may look at a tree of slots that is being changed, nor at a slot that
 * was freed, though the vCPU remembers the slot that it found last.
 *
 * One address.  A set of slots is its generation: 0 without the slot, 1 with it, 2 with
 * an invalid copy of it, 3 without, and so on.  Its tree is that of every second one.
 *
 * README says what the rows are.
 *
 *	function	85334c76ddc9	kvml_mmu_is_mmio
 *	function	4d9ed1a61494	map_mmio
 *	function	c3448a87c215	kvml_mmu_fault
 *	function	23be3409c7d2	kvml_slots_generation
 *	function	e7e291eeaa91	kvml_slot_lookup
 *	function	279c747d77e8	current_generation
 *	function	55f3c4617fab	slots_publish
 *	function	4ce728de538d	slot_create
 *	function	ea0b07be4726	slot_remove
 *	function	399ebfbd4a4c	zap_leaf
 *
 *	holds	VCPUS=1
 *	holds	VCPUS=2 CHANGES=1
 *	caught	must	GENERATION_LATE: it is read when no slot was found
 *	caught	must	ENTRY_IS_ENOUGH: an entry of any generation will do
 *	caught	must	CACHE_IS_ENOUGH: as will what the vCPU remembers
 *	caught	page_freed	OVER_LEAF VCPUS=2 CHANGES=1: the entry replaces a leaf
 *	caught	tree_changes	NO_GRACE: the other tree is changed at once
 *	caught	slot_freed	HINT_IS_ENOUGH: the slot that was found last is taken for there
 *	caught	slot_freed	HINT_LATE: it is remembered with a generation that is read later
 *	deep	VCPUS=2
 */
#ifndef VCPUS
#define VCPUS 1
#endif
#ifndef CHANGES
#define CHANGES 4		/* of the slots; the last one makes the slot */
#endif
#define NONE 100		/* no entry, nothing remembered */
#define LEAF 101		/* else an MMIO entry of this generation */

byte slots;			/* the published set */
/* A slot of each set but the empty ones; and what has happened to set and slot */
bool tree_changes[CHANGES + 1], slot_freed[CHANGES + 1];
bool there;			/* the slot was made, nobody has begun to remove it */
#define is_valid(set)	((set) % 3 == 1)
#define is_empty(set)	((set) % 3 == 0)

bool locked;			/* mmu->lock */
byte entry = NONE;
bool tlb[VCPUS];		/* the CPU of this vCPU remembers the leaf */
bool due;			/* zapped != flushed */
bool taken_away;		/* by the host, as the sequence count tells */
bool page_freed;

/* Readers of vm->srcu: 1, or 2 if a grace period waits for them */
byte reading[VCPUS];

#define lock()		atomic { !locked -> locked = true }
#define unlock()	locked = false

/* ---- a vCPU ---- */

/* kvml_mmu_is_mmio() */
inline is_mmio()
{
	generation = slots;
	if
#ifdef CACHE_IS_ENOUGH
	:: remembered != NONE -> found = true
#else
	:: remembered == generation -> found = true
#endif
	:: else ->
		lock();
		seen = entry;
		unlock();
		if
#ifdef ENTRY_IS_ENOUGH
		:: seen < NONE ->
#else
		:: seen == generation ->
#endif
			atomic { remembered = generation; found = true }
		:: else
		fi;
		seen = 0
	fi
}

/* kvml_slot_lookup(): the set whose slot it is; not when interrupts are off */
inline look_up()
{
	set = slots;
	if
#ifdef HINT_IS_ENOUGH
	:: hint != NONE -> set = hint_slot
#else
	:: hint == set -> set = hint_slot
#endif
	:: else ->
		assert(!tree_changes[set]);
		if
#ifdef HINT_LATE
		:: !is_empty(set) -> hint_slot = set; hint = slots
#else
		:: !is_empty(set) -> atomic { hint_slot = set; hint = set }
#endif
		:: else
		fi
	fi
}

/* kvml_mmu_fault() */
inline fault()
{
#ifndef GENERATION_LATE
	generation = slots;
#endif
	look_up();
	if
	:: is_empty(set) ->
#ifdef GENERATION_LATE
		generation = slots;
#endif
		/* map_mmio() */
		lock();
		if
#ifndef OVER_LEAF
		:: entry == LEAF
#endif
		:: else -> entry = generation
		fi;
		unlock();
		found = true
	:: is_valid(set) ->
		/* map_locked(); the sequence count is notifier.pml's. */
		lock();
		assert(!slot_freed[set]);
		if
		:: !taken_away -> entry = LEAF
		:: else
		fi;
		unlock()
	:: else -> assert(!slot_freed[set])
	fi;
	set = 0
}

proctype vcpu(byte me)
{
	byte set, generation, seen, remembered = NONE;
	byte hint = NONE, hint_slot;	/* generation, and the set whose slot it is */
	bool found, must;

	do
	/* The guest uses the page. */
	:: atomic { entry == LEAF && !tlb[me] -> tlb[me] = true }
	:: atomic { tlb[me] -> assert(!page_freed) }
	/* The access exits. */
	:: !tlb[me] ->
		atomic { reading[me] = 1; must = there };
		is_mmio();
		if
		:: !found -> fault()
		:: else
		fi;
		assert(!(must && found));
		atomic { reading[me] = 0; found = false; must = false; generation = 0 }
	:: break
	od
}

/* ---- ioctls on the slot ---- */

inline grace_period()
{
	atomic {
		do
		:: v < VCPUS ->
			if
			:: reading[v] -> reading[v] = 2
			:: else
			fi;
			v++
		:: else -> v = 0; break
		od
	};
	do
	:: v < VCPUS -> reading[v] != 2; v++
	:: else -> v = 0; break
	od
}

/* zap_leaf(), which counts leaves only; and the flush, if any was zapped */
inline zap()
{
	lock();
	due = (due || entry == LEAF);
	entry = NONE;
	unlock();
	atomic {
		do
		:: v < VCPUS -> tlb[v] = (tlb[v] && !due); v++
		:: else -> v = 0; break
		od;
		due = false
	}
}

proctype memslot()
{
	byte v;

	do
	:: slots < CHANGES ->
		there = false;
		/* slots_publish() */
		slots++;
#ifndef NO_GRACE
		grace_period();
#endif
		tree_changes[slots - 1] = true;
		if
		:: is_valid(slots) -> there = true
		:: is_empty(slots) ->
			/* The end of slot_remove() */
			slot_freed[slots - 1] = true;
			slot_freed[slots - 2] = true
		:: else -> zap()
		fi
	:: slots == CHANGES -> break
	od
}

/* The host takes the page away, for good. */
proctype host()
{
	byte v;

	lock();
	taken_away = true;
	unlock();
	zap();
	page_freed = true
}

init {
	byte i;

	atomic {
		for (i : 0 .. VCPUS - 1) { run vcpu(i) }
		run memslot();
		run host()
	}
}
