/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accesses to addresses without memory, and slots that come and go.
 *
 * That an address has no slot is remembered: by the vCPU, and by an entry in the second
 * stage that always exits.  Both are worth something only as long as the slots have the
 * generation that is remembered with it.  An access that begins when the ioctl that
 * makes the slot has returned must not be taken for MMIO.  A leaf that another vCPU has
 * put there meanwhile must not get lost, or the host would take the page away without a
 * flush.  And nobody may look at a set of slots that was freed, not even an exit that is
 * dealt with while interrupts are off and reads the generation without SRCU.
 *
 * One address.  A set of slots is its generation: 0 without the slot, 1 with it, 2 with
 * an invalid copy of it, 3 without, and so on.
 *
 * README says what the rows are.
 *
 *	function	85334c76ddc9	kvml_mmu_is_mmio
 *	function	b31838d44a36	map_mmio
 *	function	c3448a87c215	kvml_mmu_fault
 *	function	23be3409c7d2	kvml_slots_generation
 *	function	e7e291eeaa91	kvml_slot_lookup
 *	function	55f3c4617fab	slots_publish
 *	function	4ce728de538d	slot_create
 *	function	86143464a41c	slot_remove
 *	function	399ebfbd4a4c	zap_leaf
 *
 *	holds	VCPUS=1
 *	holds	VCPUS=2 CHANGES=1
 *	caught	must	GENERATION_LATE: it is read when no slot was found
 *	caught	must	ENTRY_IS_ENOUGH: an entry of any generation will do
 *	caught	must	CACHE_IS_ENOUGH: as will what the vCPU remembers
 *	caught	page_freed	OVER_LEAF VCPUS=2 CHANGES=1: the entry replaces a leaf
 *	caught	set_freed	NO_RCU: sets are freed after SRCU's grace period
 *	caught	set_freed	NO_GRACE: or at once
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
bool set_freed[CHANGES + 1];
bool there;			/* the slot was made, nobody has begun to remove it */
#define is_valid(set)	((set) % 3 == 1)
#define is_empty(set)	((set) % 3 == 0)

bool locked;			/* mmu->lock */
byte entry = NONE;
bool tlb[VCPUS];		/* the CPU of this vCPU remembers the leaf */
bool due;			/* zapped != flushed */
bool taken_away;		/* by the host, as the sequence count tells */
bool page_freed;

/* Readers of vm->srcu, then those of RCU: 1, or 2 if a grace period waits for them */
byte reading[2 * VCPUS];
#define SRCU 0
#define RCU VCPUS

#define lock()		atomic { !locked -> locked = true }
#define unlock()	locked = false

/* ---- a vCPU ---- */

/* kvml_slots_generation() */
inline read_generation(to)
{
	set = slots;
	assert(!set_freed[set]);
	atomic { to = set; set = 0 }
}

/* kvml_mmu_is_mmio() */
inline is_mmio()
{
	read_generation(generation);
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

/* kvml_mmu_fault() */
inline fault()
{
#ifndef GENERATION_LATE
	read_generation(generation);
#endif
	set = slots;
	assert(!set_freed[set]);
	if
	:: is_empty(set) ->
		set = 0;
#ifdef GENERATION_LATE
		read_generation(generation);
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
		if
		:: !taken_away -> entry = LEAF
		:: else
		fi;
		unlock()
	:: else
	fi;
	set = 0
}

proctype vcpu(byte me)
{
	byte set, generation, seen, remembered = NONE;
	bool found, must;

	do
	/* The guest uses the page. */
	:: atomic { entry == LEAF && !tlb[me] -> tlb[me] = true }
	:: atomic { tlb[me] -> assert(!page_freed) }
	/* An exit that is dealt with while interrupts are off */
	:: true ->
		reading[RCU + me] = 1;
		read_generation(generation);
		atomic { reading[RCU + me] = 0; generation = 0 }
	/* The access exits. */
	:: !tlb[me] ->
		atomic { reading[SRCU + me] = 1; must = there };
		is_mmio();
		if
		:: !found -> fault()
		:: else
		fi;
		assert(!(must && found));
		atomic { reading[SRCU + me] = 0; found = false; must = false; generation = 0 }
	:: break
	od
}

/* ---- ioctls on the slot ---- */

inline grace_period(first)
{
	atomic {
		v = first;
		do
		:: v < first + VCPUS ->
			if
			:: reading[v] -> reading[v] = 2
			:: else
			fi;
			v++
		:: else -> v = first; break
		od
	};
	do
	:: v < first + VCPUS -> reading[v] != 2; v++
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
		grace_period(SRCU);
#endif
		/* kvfree_rcu() would do that later. */
#if !defined(NO_GRACE) && !defined(NO_RCU)
		grace_period(RCU);
#endif
		set_freed[slots - 1] = true;
		if
		:: is_valid(slots) -> there = true
		:: !is_valid(slots) && !is_empty(slots) -> zap()
		:: else
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
