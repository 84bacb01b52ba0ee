/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page of ksmdev is protected: mapped for writing twice, pinned by get_user_pages() of
 * others, unmapped by others, copied by fork().
 *
 * The scanner makes both PTEs read-only and then counts: as many references as mappings,
 * and two of its own, mean that nobody can write any more.  Who pins takes the reference
 * first and looks again whether the PTE is as it was.  Who unmaps takes the PTE away, then
 * the mapping from the count, then the reference; fork() has the reference first.  The scanner
 * looks at both counts twice, as one of each could hide a pin.  (Two forks and an end of a
 * mapping could still, between four loads with preemption off.)  From the time that the scanner takes
 * the page for protected, it does not change.
 *
 * README says what the rows are.
 *
 *	module	ksmdev
 *
 *	function	3d2f1dc99591	protect_one
 *	function	b4309f8b9f33	page_only_mapped
 *
 *	holds	PINS=2
 *	holds	PINS=1 FORK
 *	caught	protected	MAPPINGS_FIRST COUNT_ONCE: they are counted before the references
 *	caught	protected	FORK COUNT_ONCE: the mappings are not counted again
 *	caught	protected	COUNT_FIRST: it counts, and then makes PTEs read-only
 *	caught	protected	NO_LOOK: who pins does not look again
 */
#ifndef PINS
#define PINS 1
#endif

bool writable[2] = true, mapped[2] = true;
byte refs = 4, mappings = 2;	/* two PTEs; the slot, and the lock of the page */
bool protected;
byte pinned;

active proctype scanner()
{
	byte r, m, r2, m2;

#ifdef COUNT_FIRST
	r = refs;
	m = mappings;
#endif
	writable[0] = false;
	writable[1] = false;
	/* smp_mb() */
#ifdef MAPPINGS_FIRST
	m = mappings;
	r = refs;
#endif
#if !defined(MAPPINGS_FIRST) && !defined(COUNT_FIRST)
	r = refs;
	m = mappings;
#endif
#ifdef COUNT_FIRST
	r2 = r;
	m2 = m;
#else
	r2 = refs;
#ifdef COUNT_ONCE
	m2 = m;
#else
	m2 = mappings;
#endif
#endif
	if
	:: r == m + 2 && r2 == r && m2 == m -> protected = true
	:: else
	fi
}

#ifdef FORK
/* A copy that nobody may write to. */
active proctype forker()
{
	refs++;
	mappings++
}
#endif

/* It writes for as long as it has the pin. */
active [PINS] proctype pinner()
{
	byte i;

	if
	:: i = 0
	:: i = 1
	fi;
	if
	:: mapped[i] && writable[i] ->
		refs++;
		if
#ifdef NO_LOOK
		:: true ->
#else
		:: mapped[i] && writable[i] ->
#endif
			pinned++;
			assert(!protected);
			pinned--
		:: else
		fi;
		refs--
	:: else
	fi
}

active proctype unmapper()
{
	if
	:: mapped[0] = false; mappings--; refs--
	:: mapped[1] = false; mappings--; refs--
	:: true
	fi
}
