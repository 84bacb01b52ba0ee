/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A slot comes while the host takes pages away.
 *
 * An invalidation looks into the tree of backings at its start, where it announces what it
 * takes of each that it meets, and at its end, where it takes that back.  Both must meet
 * a new backing, or neither: else its pages could be mapped just before they go, or the
 * count would go below 0.  So a backing enters the tree while no invalidation is in
 * progress.  These are counted by each CPU alone; while a backing is added, all count in
 * one place, under a lock (locking.rst, "Invalidations and new slots").
 *
 * Backings are added one after the other (set->mutex); of two, the second one finds the
 * trees as the first has left them.  SRCU: a grace period waits for the readers that were
 * there when it began.  The end of an invalidation may run on another CPU than its start.
 *
 * README says what the rows are.
 *
 *	function	524ad4e8bd99	kvml_backing_add
 *	function	eac312d112b3	update_tree
 *	function	01cfe3559764	switch_tree
 *	function	4d0433715dc1	switch_tree_idle
 *	function	35c537913c3a	gather_counts
 *	function	0f8fb638c677	kvml_backings_count
 *	function	fcb9c7226c42	kvml_backings_count_exact
 *	function	27cddad76fd4	invalidate_start
 *	function	6b7c0ed5785b	invalidate_end
 *
 *	holds	HOSTS=2
 *	holds	HOSTS=1 ROUNDS=2
 *	caught	met	NO_IDLE: invalidations in progress are not waited for
 *	caught	met	NO_GRACE: who has not seen that all count in one place is not waited for
 *	caught	met	COUNT_LATE HOSTS=2: a start is counted after it has looked
 *	caught	met	COUNT_EARLY HOSTS=2: an end is counted before it looks
 *	caught	met	SWITCH_UNLOCKED: the tree becomes active after the lock is given up
 *	deep	HOSTS=2 ROUNDS=2
 *	deep	HOSTS=3
 */
#ifndef HOSTS
#define HOSTS 1
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define ADDS 2
#define CPUS 2

/* Is backing b in tree t?  has[b * 2 + t] */
bool has[ADDS * 2];
bit current;
bool exact, locked;
short counts[CPUS];		/* of each CPU */
short in_progress;
/* Readers of set->srcu: 1, or 2 if a grace period waits for them */
byte reading[HOSTS];

#define lock()		atomic { !locked -> locked = true }
#define unlock()	locked = false

/* kvml_backings_count() */
inline count(n)
{
	all = exact;
	if
	:: all -> lock(); in_progress = in_progress + n; unlock()
	:: else ->
		/* this_cpu_add(), on whatever CPU it is */
		if
		:: counts[0] = counts[0] + n
		:: counts[1] = counts[1] + n
		fi
	fi
}

proctype host(byte me)
{
	bit tree;
	bool all, met[ADDS];
	byte round;

	do
	:: round < ROUNDS ->
		round++;
		/* invalidate_start() */
		reading[me] = 1;
#ifndef COUNT_LATE
		count(1);
#endif
		tree = current;
		met[0] = has[tree];
		met[1] = has[2 + tree];
#ifdef COUNT_LATE
		count(1);
#endif
		reading[me] = 0;

		/* invalidate_end() */
		reading[me] = 1;
#ifdef COUNT_EARLY
		count(-1);
#endif
		tree = current;
		assert(met[0] == has[tree]);
		assert(met[1] == has[2 + tree]);
#ifndef COUNT_EARLY
		count(-1);
#endif
		atomic { reading[me] = 0; met[0] = false; met[1] = false; tree = 0; all = false }
	:: else -> break
	od
}

inline grace()
{
	i = 0;
#ifndef NO_GRACE
	atomic {
		i = 0;
		do
		:: i < HOSTS ->
			if
			:: reading[i] -> reading[i] = 2
			:: else
			fi;
			i++
		:: else -> break
		od
	}
	i = 0;
	do
	:: i < HOSTS -> reading[i] != 2; i++
	:: else -> i = 0; break
	od
#endif
}

/* kvml_backing_add(), under set->mutex */
proctype adder()
{
	byte b, i;

	do
	:: b < ADDS ->
		exact = true;
		grace();
		skip;
		/* update_tree(): what the other tree has not yet got */
		d_step {
			has[!current] = true;
			if
			:: b == 1 -> has[2 + !current] = true
			:: else
			fi
		}
		lock();
		skip;
		/* gather_counts() */
		d_step {
			in_progress = in_progress + counts[0] + counts[1];
			counts[0] = 0;
			counts[1] = 0
		}
#ifndef NO_IDLE
		do
		:: in_progress ->
			unlock();
#ifdef NO_GRACE
			/* It may wait for ever as well: that is not what is looked for. */
end:
#endif
			in_progress == 0;
			lock()
		:: else -> break
		od;
#endif
#ifdef SWITCH_UNLOCKED
		unlock();
		lock();
#endif
		current = !current;
		exact = false;
		unlock();
		b++
	:: else -> break
	od
}

init {
	byte i;

	atomic {
		run adder();
		for (i : 0 .. HOSTS - 1) { run host(i) }
	}
}
