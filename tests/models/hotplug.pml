/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A CPU goes offline and comes back beside vCPUs that are loaded (VT-x).
 *
 * A CPU may cache what is in a VMCS, so it has a list of those that it knows.  Who loads
 * the vCPU on another CPU has the first one clear the VMCS and take it out of its list,
 * by an IPI.  A CPU that goes offline clears all that it has and is switched off, while
 * tasks may still be scheduled in there; only later does the scheduler wait until the
 * last one has left, and then no IPI reaches the CPU.  A VMCS is in one list at most, in
 * none when it is freed, and in none of a CPU that is dead; and a guest runs only on a
 * CPU that is on, by a VMCS that is current there.
 *
 * CPU 1 goes and comes as often as it likes, CPU 0 stays.  A task that runs on a CPU that
 * is off goes on here for as long as it likes; the kernel would move it at once.
 * What the machine does when it goes down (kvml_hardware_lost()) is not in it: orders.
 *
 * README says what the rows are.
 *
 *	function	02c7bb54af89	load_on
 *	function	ca9249051bf1	sched_in
 *	function	0a6911699611	kvml_vcpu_load
 *	function	d93c85bc40d4	kvml_vcpu_reload
 *	function	26813d099b7e	handle_requests
 *	function	f56d38ac6f58	kvml_hardware_here
 *	function	609a8d2d1808	disable_here
 *	function	1f9740c8d574	hardware_offline
 *	function	c8c77fac83e8	hardware_online
 *	function	f46ec138c76c	kvml_vmx_hw_disable
 *	function	722c609486d2	kvml_vmx_vcpu_load
 *	function	7d8ab1acb06d	kvml_vmx_vcpu_free
 *	function	c797b90a5c17	kvml_vmcs_load
 *	function	a76b04337bcf	move_here
 *	function	91d6b387ffd9	kvml_vmcs_clear
 *	function	eea8cbb53162	kvml_vmcs_clear_all
 *	function	6933f53da91d	clear_here
 *
 *	holds	VCPUS=2
 *	caught	list	NO_FLAG: a vCPU is loaded wherever it is
 *	caught	on[c]	NO_REQUEST: it is not, and enters the guest all the same
 *	caught	list	NO_CLEAR_ALL: a CPU that goes leaves its VMCSs cached
 *	caught	list	RELEASE_FIRST: vmcs->cpu is reset before the VMCS leaves the list
 *	caught	list	CLEAR_UNSEEN: the IPI does not look whether that was done
 *	caught	list	NO_WAIT: the IPI is sent and not waited for
 */
#ifndef VCPUS
#define VCPUS 2
#endif
#define CPUS 2
#define NONE 9

/* CPUs */
bool alive[CPUS] = true;	/* IPIs reach it */
bool schedules[CPUS] = true;	/* tasks may be scheduled in */
bool on[CPUS] = true;		/* kvml_hardware_on, and VMX */
bool taken[CPUS];		/* a task of ours runs there */
bool no_preempt[CPUS];
bool irqs_off[CPUS];
byte current[CPUS] = NONE;	/* current_vmcs */
byte list[CPUS];		/* cached_vmcs: a bit for each VMCS */
byte to_clear[CPUS];		/* IPIs: a bit for each VMCS */

/* VMCSs */
byte cpu[VCPUS] = NONE;		/* vmcs->cpu */

#define BIT(v)		(1 << (v))
#define in_list(c, v)	(list[c] & BIT(v))

/* clear_here(), on CPU @h with interrupts off */
inline clear_here(h, v)
{
	if
#ifdef CLEAR_UNSEEN
	:: true ->
#else
	:: cpu[v] == h ->
#endif
#ifdef RELEASE_FIRST
		cpu[v] = NONE;
#endif
		atomic {
			if
			:: current[h] == v -> current[h] = NONE
			:: else
			fi
		}
		atomic {
			assert(in_list(h, v));
			list[h] = list[h] & ~BIT(v)
		}
#ifndef RELEASE_FIRST
		cpu[v] = NONE
#endif
	:: else
	fi
}

/* The IPI of kvml_vmcs_clear(); it is handled with interrupts off. */
proctype interrupts(byte c)
{
	byte i;

end:	do
	:: atomic { alive[c] && !irqs_off[c] && to_clear[c] -> irqs_off[c] = true };
		do
		:: i < VCPUS ->
			if
			:: to_clear[c] & BIT(i) ->
				clear_here(c, i);
				to_clear[c] = to_clear[c] & ~BIT(i)
			:: else
			fi;
			i++
		:: else -> i = 0; break
		od;
		irqs_off[c] = false
	od
}

/* ---- a vCPU's task ---- */

/* kvml_vmcs_clear(); smp_call_function_single() does nothing if the CPU is dead. */
inline vmcs_clear()
{
	was = cpu[me];
	if
	:: was != NONE ->
		if
		:: atomic { alive[was] -> to_clear[was] = to_clear[was] | BIT(me) };
#ifndef NO_WAIT
			!(to_clear[was] & BIT(me))
#endif
		:: !alive[was]
		fi;
#ifdef NO_WAIT
		skip
#else
		assert(cpu[me] == NONE)
#endif
	:: else
	fi;
	was = NONE
}

/* kvml_vmcs_load() */
inline vmcs_load()
{
	moved = (cpu[me] != c);
	if
	:: current[c] == me
	:: else ->
		if
		:: moved ->
			vmcs_clear();
			atomic { !irqs_off[c] -> irqs_off[c] = true };
			atomic {
				assert(!in_list(0, me) && !in_list(1, me));
				list[c] = list[c] | BIT(me)
			}
			cpu[me] = c;
			irqs_off[c] = false
		:: else
		fi;
		current[c] = me
	fi;
	moved = false
}

/* load_on(), with preemption off */
inline load_on()
{
	no_preempt[c] = true;
	if
#ifndef NO_FLAG
	:: !on[c] ->
#ifndef NO_REQUEST
		load = true
#else
		skip
#endif
#endif
	:: else -> vmcs_load()
	fi;
	no_preempt[c] = false
}

inline sched_in()
{
	atomic {
		if
		:: schedules[0] && !taken[0] -> c = 0
		:: schedules[1] && !taken[1] -> c = 1
		fi;
		taken[c] = true
	};
	load_on()
}

inline sched_out()
{
	atomic { taken[c] = false; c = 0 }
}

proctype vcpu(byte me)
{
	byte c, was = NONE;
	bool moved, load;	/* KVML_REQ_LOAD */

	sched_in();
	do
	:: sched_out(); sched_in()
	:: load -> load = false; load_on()
	/* enter_guest() looks for requests once more with interrupts off. */
	:: atomic { !load && !irqs_off[c] -> irqs_off[c] = true };
		assert(on[c]);
		assert(current[c] == me && cpu[me] == c && in_list(c, me));
		irqs_off[c] = false
	:: break
	od;
	/* kvml_vmx_vcpu_free(), by whoever closes the last descriptor */
	no_preempt[c] = true;
	vmcs_clear();
	no_preempt[c] = false;
	assert(!in_list(0, me) && !in_list(1, me));
	sched_out()
}

/* ---- CPU 1 goes and comes ---- */

proctype hotplug()
{
	byte i;

	do
	:: break
	:: true ->
		/* hardware_offline() runs there, in a task of its own. */
		atomic { !taken[1] -> taken[1] = true };
		atomic { !irqs_off[1] -> irqs_off[1] = true };
#ifndef NO_CLEAR_ALL
		do
		:: i < VCPUS ->
			if
			:: in_list(1, i) -> clear_here(1, i)
			:: else
			fi;
			i++
		:: else -> i = 0; break
		od;
#endif
		on[1] = false;
		irqs_off[1] = false;
		taken[1] = false;

		/* No task is left; all CPUs stop, so none is in the middle of an IPI. */
		atomic {
			!taken[1] && !no_preempt[0] && !to_clear[1] && !irqs_off[1] ->
			alive[1] = false;
			schedules[1] = false;
			assert(list[1] == 0)
		};

		/* And back: tasks come after hardware_online(). */
		alive[1] = true;
		on[1] = true;
		schedules[1] = true
	od
}

init {
	byte i;

	atomic {
		for (i : 0 .. CPUS - 1) { run interrupts(i) }
		for (i : 0 .. VCPUS - 1) { run vcpu(i) }
		run hotplug()
	}
}
