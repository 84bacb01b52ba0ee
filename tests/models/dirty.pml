/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The dirty log, as a VMM uses it that moves a running guest elsewhere.
 *
 * The VMM has logging switched on and copies the guest's page.  Then it copies it again
 * whenever its bit was set, until the vCPUs have stopped, and once more.  Its copy must
 * be what the guest has then: no write may have been missed.  The guest writes by what
 * its CPU remembers (TLB), or has its writes emulated, which wait in the CPU's store
 * buffer until a locked instruction.  The host may take the page's mapping away and
 * leave its contents alone.  When logging ends, nobody may touch the bitmap that is
 * freed.
 *
 * One page, and any number of writes: all that counts is whether the VMM's copy has the
 * last one.  The flush is a handshake: kick.pml looks into it.
 *
 * README says what the rows are.
 *
 *	function	160c5dac2ca5	map_locked
 *	function	9d139c702a28	set_leaf
 *	function	63acff3601a6	kvml_slot_mark_dirty
 *	function	540aaf5ce7ac	guest_access
 *	function	fb2157c5e3bb	kvml_guest_cmpxchg
 *	function	998a2e567df2	mark_range_dirty
 *	function	b67c9daa8c47	fetch_dirty
 *	function	3f55aa21358d	do_log
 *	function	f4d15cd8f753	clear_dirty(struct kvml_vm *vm, struct kvml_slot *slot
 *	function	1e745245d078	protect_entry
 *	function	3019daafb66d	kvml_mmu_protect_bits
 *	function	d5df1092ef90	protect_leaves
 *	function	20ab08c4a6c0	protect_words
 *	function	18675a2fe6dd	kvml_mmu_protect_slot
 *	function	e94ab3f71b5b	slot_change_flags
 *	function	55f3c4617fab	slots_publish
 *
 *	holds	ROUNDS=2 NOTIFIER
 *	holds	ROUNDS=2 MANUAL NOTIFIER
 *	holds	ROUNDS=2 TWICE
 *	holds	ROUNDS=1 VCPUS=2
 *	holds	ROUNDS=2 MARK_AFTER_UNLOCK: the bit may come after the leaf, if it comes
 *	caught	copied	NO_MARK: a write fault sets no bit
 *	caught	copied	MARK_FIRST: it sets the bit before the leaf is writable
 *	caught	copied	MARK_IF_CLEAR: a bit that is set is not set again
 *	caught	copied	EMULATED_MARK_FIRST: an emulated write sets the bit first
 *	caught	copied	READ_MAPS_WRITABLE: a read fault maps writable
 *	caught	copied	NO_GRACE_ON: pages are protected while readers have no bitmap
 *	caught	bitmap_freed	NO_GRACE_OFF TWICE: the bitmap is freed while readers have it
 *	caught	copied	NO_FLUSH: rights are taken from the leaf only
 *	caught	copied	FLUSH_OWN NOTIFIER: who took nothing does not flush
 *	caught	copied	COPY_BEFORE_FLUSH: the VMM sees the bit before the flush
 *	caught	copied	PROTECT_FIRST: the page is protected before the bit is taken
 *	caught	copied	PROTECT_FIRST MANUAL: as well with KVM_CLEAR_DIRTY_LOG
 *	deep	ROUNDS=3 TWICE NOTIFIER
 *	deep	ROUNDS=2 VCPUS=2
 *	deep	ROUNDS=2 VCPUS=2 MARK_AFTER_UNLOCK
 */
#ifndef VCPUS
#define VCPUS 1
#endif
#ifndef ROUNDS
#define ROUNDS 2		/* of copying before the vCPUs have stopped */
#endif
#define NONE 0
#define READ 1
#define WRITE 2

bool copied;			/* the VMM's copy is what the guest's page is */
bool dirty;			/* its bit in slot->dirty */
bool bitmap_freed;
bool logging;			/* the slot of the published set has a bitmap */

/* mmu */
bool locked;
byte leaf;
byte zapped, flushed;

/* vCPUs, each on a CPU of its own */
bool in_guest[VCPUS], request[VCPUS];
byte tlb[VCPUS];
bool stored[VCPUS];		/* a write that nobody else sees yet */
byte running = VCPUS;
/* Readers of vm->srcu: 1, or 2 if a grace period waits for them */
byte reading[VCPUS];

#define lock()			atomic { !locked -> locked = true }
#define unlock()		locked = false

/* kvml_mmu_flush() */
inline flush()
{
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
}

/* ---- a vCPU ---- */

proctype drain(byte me)
{
end:	do
	:: atomic { stored[me] -> stored[me] = false; copied = false }
	od
}

/* kvml_slot_mark_dirty(): set_bit() is a locked instruction. */
inline mark()
{
	if
	:: log ->
		assert(!bitmap_freed);
#ifdef MARK_IF_CLEAR
		if
		:: dirty
		:: !dirty -> atomic { !stored[me] -> dirty = true }
		fi
#else
		atomic { !stored[me] -> dirty = true }
#endif
	:: else
	fi
}

/* Some writes in the guest, and an exit */
inline stay()
{
	/* enter_guest() looks for requests after it has set its mode. */
	in_guest[me] = true;
	if
	:: atomic { request[me] -> request[me] = false; tlb[me] = NONE }
	:: !request[me]
	fi;
	do
	:: tlb[me] < leaf -> tlb[me] = leaf
	:: tlb[me] == WRITE -> atomic { !stored[me] -> copied = false }
	:: break
	od;
	in_guest[me] = false
}

/* kvml_mmu_fault(), map_locked(); the host lets the VMM write to the page. */
inline fault_write()
{
#ifdef MARK_FIRST
	mark();
#endif
	lock();
	leaf = WRITE;
#if !defined(MARK_FIRST) && !defined(MARK_AFTER_UNLOCK) && !defined(NO_MARK)
	mark();
#endif
	unlock();
#ifdef MARK_AFTER_UNLOCK
	mark();
#endif
}

inline fault_read()
{
	lock();
	if
	:: leaf == NONE && log ->
#ifdef READ_MAPS_WRITABLE
		leaf = WRITE
#else
		leaf = READ
#endif
	:: leaf != WRITE && !log -> leaf = WRITE
	:: else
	fi;
	unlock()
}

/* kvml_guest_write() */
inline emulate()
{
#ifdef EMULATED_MARK_FIRST
	mark();
#endif
	stored[me] = true;
#ifndef EMULATED_MARK_FIRST
	mark();
#endif
}

proctype vcpu(byte me)
{
	bool log;

	do
	:: true ->
		stay();
		/* handle_exit() */
		reading[me] = 1;
		log = logging;
		if
		:: fault_write()
		:: fault_read()
		:: !stored[me] -> emulate()
		:: true
		fi;
		/* srcu_read_unlock() has a barrier. */
		atomic { !stored[me] -> reading[me] = 0; log = false }
	:: true -> break
	od;
	atomic { !stored[me] -> running-- }
}

/* ---- the VMM ---- */

/* kvml_mmu_protect_slot(), kvml_mmu_protect_bits() */
inline protect()
{
	lock();
	if
	:: leaf == WRITE -> leaf = READ; zapped++; own = true
	:: else
	fi;
	unlock();
#ifdef FLUSH_OWN
	due = own;
	own = false;
#else
	due = (zapped != flushed)
#endif
}

inline flush_if_due()
{
	if
#ifdef NO_FLUSH
	:: due = false
#else
	:: due -> flush(); due = false
	:: else
#endif
	fi
}

/* slots_publish() waits until nobody has the old set. */
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

inline log_on()
{
	atomic { bitmap_freed = false; dirty = false };
#ifdef MANUAL
	/* KVM_DIRTY_LOG_INITIALLY_SET: pages are protected by KVM_CLEAR_DIRTY_LOG. */
	dirty = true;
#endif
	logging = true;
#ifndef NO_GRACE_ON
	grace_period();
#endif
#ifndef MANUAL
	protect();
	flush_if_due();
	copied = true
#endif
}

inline log_off()
{
	logging = false;
#ifndef NO_GRACE_OFF
	grace_period();
#endif
	/* kvml_mmu_zap_slot(): large pages may come back. */
	lock();
	if
	:: leaf != NONE -> leaf = NONE; zapped++
	:: else
	fi;
	unlock();
	due = (zapped != flushed);
	flush_if_due();
	bitmap_freed = true
}

/* KVM_GET_DIRTY_LOG, or that and KVM_CLEAR_DIRTY_LOG; then a copy */
inline round()
{
	got = dirty;
#ifdef PROTECT_FIRST
	if
	:: got -> protect()
	:: else
	fi;
#endif
	if
	:: got -> atomic { got = dirty; dirty = false }
	:: else
	fi;
	if
	:: got ->
#ifndef PROTECT_FIRST
		protect();
#endif
#ifdef COPY_BEFORE_FLUSH
		copied = true;
		flush_if_due()
#else
		flush_if_due();
		copied = true
#endif
	:: else
	fi;
	got = false
}

proctype vmm()
{
	byte v, seen, rounds;
	bool got, due, own;

	log_on();
#ifdef TWICE
	log_off();
	log_on();
#endif
	do
	:: rounds < ROUNDS -> round(); rounds++
	:: rounds == ROUNDS -> break
	od;
	running == 0;
	round();
	assert(copied)
}

/* ---- the host: invalidate_start() ---- */

proctype notifier()
{
	byte v, seen;

	lock();
	if
	:: leaf != NONE -> leaf = NONE; zapped++
	:: else
	fi;
	unlock();
	if
	:: zapped != flushed -> flush()
	:: else
	fi
}

init {
	byte i;

	atomic {
		for (i : 0 .. VCPUS - 1) { run drain(i); run vcpu(i) }
		run vmm();
#ifdef NOTIFIER
		run notifier();
#endif
	}
}
