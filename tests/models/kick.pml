/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests, kicks and the flush of the second stage.
 *
 * A thread that takes a page away from guests asks each vCPU to flush, and makes those
 * that are in the guest leave it by an IPI.  When it returns, no guest may use the page
 * by what its CPU remembers (TLB).  Another thread asks for something else (a new clock)
 * and does not wait: the guest must not go on as if it had not been asked.
 *
 * vCPUs move between two CPUs whose TLBs keep what they know.  As on x86, what a thread
 * stores is not seen by others at once: ->mode and ->cpu wait in a store buffer, in
 * order, which locked instructions and barriers empty.  Each vCPU keeps its buffer when
 * it moves, though the scheduler empties it: that is more than can happen.  An exit that
 * is dealt with while interrupts are off is not there: nothing but the guest changes.
 *
 * README says what the rows are.
 *
 *	function	63e61d626ac7	kvml_vm_request
 *	function	26813d099b7e	handle_requests
 *	function	e675b0b07d2a	kvml_vcpu_request
 *	function	7d5660371530	leave_guest
 *	function	02c7bb54af89	load_on
 *	function	263c913ebda3	flush_if_asked
 *	function	a9004ec671e0	enter_guest(struct kvml_vcpu *vcpu)
 *	function	b64c8b879adb	kvml_mmu_flush
 *	function	0653d139ddc5	kvml_mmu_flush_due
 *	function	722c609486d2	kvml_vmx_vcpu_load
 *	function	e60a8d0efaed	kvml_svm_vcpu_load
 *
 *	holds	REQUESTERS=2
 *	holds	REQUESTERS=2 SAME_PAGE REQUESTER_ON_CPU: both take the same page
 *	holds	REQUESTERS=1 WITH_CLOCK
 *	holds	REQUESTERS=1 VCPUS=2
 *	holds	REQUESTERS=1 WITH_CLOCK NO_REQUEST_BARRIER: on x86 set_bit() is a barrier
 *	holds	REQUESTERS=2 SAME_PAGE CLEAR_AFTER_FLUSH: the CPU learns nothing between the two
 *	holds	REQUESTERS=2 SAME_PAGE MODE_BEFORE_CPU: whoever moves looks for requests
 *	caught	freed	NO_REQUEST_BARRIER WEAK_SET_BIT: modes are read before the bits are seen
 *	caught	freed	NO_MODE_BARRIER: a plain store instead of smp_store_mb()
 *	caught	freed	MODE_LATE: requests are looked at before the mode is set
 *	caught	freed	IRQS_OFF_LATE: and before interrupts are off
 *	caught	asked	NO_SECOND_LOOK REQUESTERS=0 WITH_CLOCK: only the flush is looked for
 *	caught	freed	NO_FLUSH_ON_MOVE: a CPU is entered that knew the guest long ago
 *	caught	freed	NO_WAIT: IPIs are sent and not waited for
 *	caught	freed	FLUSH_OWN SAME_PAGE: who took nothing does not flush
 *	caught	freed	COUNT_LATE: zapped is read when the IPIs are done
 *	deep	REQUESTERS=2 SAME_PAGE WITH_CLOCK
 *	deep	REQUESTERS=2 REQUESTER_ON_CPU
 *	deep	REQUESTERS=3
 *	deep	REQUESTERS=2 SAME_PAGE VCPUS=2
 */
#ifndef VCPUS
#define VCPUS 1
#endif
#ifndef REQUESTERS
#define REQUESTERS 2
#endif
#define CPUS 2
#if REQUESTERS > 1 && !defined(SAME_PAGE)
#define PAGES 2
#else
#define PAGES 1
#endif
#define NOWHERE 9

/* Bits of vcpu->requests */
#define FLUSH 1
#define CLOCK 2

/* mmu: leaves, and how many rights were taken and flushed */
bool mapped[PAGES] = true;
byte zapped, flushed;
/* The host has the page back. */
bool freed[PAGES];
/* kvml_vm_request() without waiting has returned. */
bool asked;

/* CPUs */
bool taken[CPUS];		/* by a thread that runs there, with preemption off */
bool irqs_off[CPUS];
byte ipi[CPUS];			/* a bit for each requester: sent, not yet handled */
bool tlb[CPUS * PAGES];

/* vCPUs */
byte requests[VCPUS];
bool in_guest[VCPUS];		/* vcpu->mode */
byte cpu[VCPUS] = NOWHERE;

/* ---- store buffers ---- */

mtype = { MODE, CPU };
chan buffer[VCPUS] = [3] of { mtype, byte };

#define store(what, value)	buffer[v]!what(value)
#define barrier()		empty(buffer[v])
/* A locked instruction of a vCPU */
#define locked(what)		atomic { barrier() -> what }

proctype drain(byte v)
{
	byte value;

end:	do
	:: atomic { buffer[v]?MODE(value) -> in_guest[v] = value; value = 0 }
	:: atomic { buffer[v]?CPU(value) -> cpu[v] = value; value = 0 }
	od
}

/* ---- a CPU's interrupts: leave_guest() ---- */

proctype interrupts(byte c)
{
end:	do
	:: atomic { ipi[c] && !irqs_off[c] -> ipi[c] = 0 }
	od
}

/* ---- a vCPU in KVM_RUN ---- */

/* smp_store_mb() */
inline set_mode()
{
	store(MODE, true);
#ifndef NO_MODE_BARRIER
	barrier()
#endif
}

inline flush_tlb()
{
	d_step {
		tlb[c * PAGES] = false;
		tlb[c * PAGES + PAGES - 1] = false
	}
}

proctype vcpu(byte v)
{
	byte c, was = NOWHERE, page;
	bool found;

	do
	:: break
	:: true ->
		/* Scheduled in, here or elsewhere: load_on() */
		atomic {
			if
			:: !taken[0] -> c = 0
			:: !taken[1] -> c = 1
			fi;
			taken[c] = true
		}
		if
		:: c != was ->
			/* This CPU may remember things of long ago. */
#ifndef NO_FLUSH_ON_MOVE
			locked(requests[v] = requests[v] | FLUSH);
#endif
			store(CPU, c);
			was = c
		:: else
		fi;
		/* handle_requests() */
		if
		:: requests[v] & CLOCK -> locked(requests[v] = requests[v] & ~CLOCK)
		:: else
		fi;

		/* enter_guest() */
#ifndef IRQS_OFF_LATE
		irqs_off[c] = true;
#endif
#ifndef MODE_LATE
		set_mode();
#endif
		/* flush_if_asked() */
		if
		:: requests[v] & FLUSH ->
#ifdef CLEAR_AFTER_FLUSH
			flush_tlb();
			locked(requests[v] = requests[v] & ~FLUSH)
#else
			locked(requests[v] = requests[v] & ~FLUSH);
			flush_tlb()
#endif
		:: else
		fi;
#ifndef NO_SECOND_LOOK
		if
		:: requests[v] -> goto out
		:: else
		fi;
#endif
#ifdef IRQS_OFF_LATE
		irqs_off[c] = true;
#endif
#ifdef MODE_LATE
		set_mode();
#endif

guest:		if
		/* An instruction that uses a page, unless an interrupt comes first */
		:: atomic {
			!ipi[c] ->
			assert(!(asked && (requests[v] & CLOCK)));
			if
			:: page = 0
			:: page = PAGES - 1
			fi
		   }
		/* Any exit, also by an interrupt */
		:: goto out
		fi;
		if
		:: tlb[c * PAGES + page]
		:: !tlb[c * PAGES + page] ->
			found = mapped[page];
			if
			:: found -> tlb[c * PAGES + page] = true
			:: !found -> goto out
			fi
		fi;
		assert(!freed[page]);
		goto guest;

out:		store(MODE, false);
		atomic { irqs_off[c] = false; page = 0; found = false };
		atomic { taken[c] = false; c = 0 }
	od
}

/* ---- threads that want something of vCPUs ---- */

inline set_bits(request)
{
	i = 0;
	do
	:: i < VCPUS -> atomic { requests[i] = requests[i] | request; i++ }
	:: else -> break
	od;
	i = 0
}

/* Another CPU looks at its interrupt at once, or when they are on again. */
inline send(c)
{
	if
	:: (mask & (1 << c)) && c != here -> ipi[c] = ipi[c] | (1 << me)
	:: else
	fi
}

inline put_cpu()
{
	if
	:: here != NOWHERE -> taken[here] = false
	:: else
	fi
}

inline vm_request(request)
{
#ifdef REQUESTER_ON_CPU
	/* get_cpu(), or a CPU where no vCPU runs */
	if
	:: atomic { !taken[0] -> taken[0] = true; here = 0 }
	:: true
	fi;
#endif
#if defined(WEAK_SET_BIT) && defined(NO_REQUEST_BARRIER)
	/* As kernels on other machines have it: these stores may wait. */
	if
	:: set_bits(request); set = true
	:: true
	fi;
#else
	set_bits(request);
#endif
	do
	:: i < VCPUS ->
#ifdef MODE_BEFORE_CPU
		on = in_guest[i];
		atomic {
			c = cpu[i];
#else
		c = cpu[i];
		atomic {
			on = in_guest[i];
#endif
			if
			:: on && c != NOWHERE -> mask = mask | (1 << c)
			:: else
			fi;
			c = 0; on = false;
			i++
		}
	:: else -> i = 0; break
	od;
#if defined(WEAK_SET_BIT) && defined(NO_REQUEST_BARRIER)
	if
	:: !set -> set_bits(request)
	:: else
	fi;
#endif
	/* smp_call_function_many() */
	atomic { send(0); send(1); mask = 0 }
}

/* Takes a page away from guests, and frees it: kvml_mmu_flush(). */
proctype zapper(byte me; byte page)
{
	byte i, c, mask, seen, here = NOWHERE;
	bool on, set, own;

	/* Under mmu->lock */
	atomic {
		if
		:: mapped[page] -> mapped[page] = false; zapped++; own = true
		:: else
		fi
	}
#ifdef FLUSH_OWN
	if
	:: !own -> goto done
	:: else
	fi;
#endif
	/* kvml_mmu_flush_due() */
	seen = zapped;
	if
	:: seen == flushed -> goto done
	:: else
	fi;
#ifndef COUNT_LATE
	seen = zapped;
#endif
	vm_request(FLUSH);
#ifndef NO_WAIT
	!(ipi[0] & (1 << me)) && !(ipi[1] & (1 << me));
#endif
	put_cpu();
	atomic {
#ifdef COUNT_LATE
		seen = zapped;
#endif
		if
		:: seen > flushed -> flushed = seen
		:: else
		fi
	}
done:	freed[page] = true
}

/* kvml_pv_set_clock() */
proctype clock(byte me)
{
	byte i, c, mask, here = NOWHERE;
	bool on, set;

	vm_request(CLOCK);
	put_cpu();
	asked = true
}

init {
	byte i;

	atomic {
		for (i : 0 .. CPUS - 1) { run interrupts(i) }
		for (i : 0 .. VCPUS - 1) { run drain(i); run vcpu(i) }
		run zapper(0, 0);
#if REQUESTERS > 1
#ifdef SAME_PAGE
		run zapper(1, 0);
#else
		run zapper(1, 1);
#endif
#endif
#if REQUESTERS > 2
		run zapper(2, 1);
#endif
#ifdef WITH_CLOCK
		run clock(3);
#endif
	}
}
