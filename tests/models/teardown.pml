/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of a VM.  Who may ask something of vCPUs ends before they are freed.
 *
 * The last descriptor that is closed frees the VM: its own, or one of its vCPUs'.  Beside
 * that, threads of the host take pages away (MMU notifier), the VMM's memory ends (which
 * may come before or after, as descriptors go from process to process), and somebody
 * reads the sums of all VMs in debugfs.  They all walk the vCPUs.  Before that, vCPUs are
 * made while others walk, and an ioeventfd is removed while a vCPU may look at it.
 *
 * The MMU notifier is the process's, whose other VMs go on: what ends is that callbacks
 * find the VM, by the backings of its slots.  Those that have found it are waited for.
 *
 * README says what the rows are.
 *
 *	function	61c4bbf40872	vm_free
 *	function	22099692c388	vcpus_free
 *	function	7452cb9c412d	kvml_vm_put
 *	function	63e61d626ac7	kvml_vm_request
 *	function	a7acb54a6279	kvml_slots_unhook
 *	function	8608ed96a2e6	kvml_backing_remove
 *	function	6e63e9132ac5	kvml_backings_settle
 *	function	23d993474b66	kvml_mmu_free
 *	function	186b295f5b1f	release
 *	function	f9812881de51	do_range
 *	function	a16fe46fde89	take_range
 *	function	7d0ec7267a25	kvml_bus_free
 *	function	f71471db2314	kvml_bus_write
 *	function	d78296dee66d	bus_publish
 *	function	617beba063f2	bus_remove
 *	function	15870a46b773	kvml_stats_vm_remove
 *	function	06d6bd46a716	total_get
 *	function	26ddac7ab5f4	vm_sum
 *	function	94ddaebb139a	kvml_vcpu_create
 *	function	748206809936	vcpu_publish
 *
 *	holds	HOSTS=2
 *	holds	HOSTS=1 BUS_AFTER_VCPUS: nobody looks at the bus by then
 *	caught	vcpu_freed	UNHOOK_AFTER_VCPUS: as vm_free() once was
 *	caught	tables_freed	TABLES_FIRST: page tables go before the notifier
 *	caught	slots_freed	SLOTS_FIRST: slots go before it
 *	caught	vcpu_freed	STATS_LATE: the VM leaves the list when its vCPUs are gone
 *	caught	vm_freed	NO_WAIT: callbacks under way are not waited for
 *	caught	vcpu_freed	PUBLISH_EARLY: a vCPU is known before all is done that may fail
 *	caught	vm_freed	VCPU_HOLDS_NOTHING: a vCPU's descriptor does not hold the VM
 *	caught	ioeventfd_freed	NO_GRACE: an ioeventfd is freed while readers have it
 *	deep	VCPUS=2 HOSTS=1
 *	deep	VCPUS=2 HOSTS=2
 */
#ifndef VCPUS
#define VCPUS 1
#endif
#ifndef HOSTS
#define HOSTS 1
#endif

byte users = 1;			/* vm->users: the VM's descriptor */
bool present[VCPUS];		/* in vm->vcpus */
bool listed = true;		/* in the list of VMs */
bool vms_lock;

/* Do callbacks find the VM, how many are at work on it, and are there no more? */
bool hooked = true;
byte callbacks;
bool memory_ended;

/* The bus of ioeventfds; readers of vm->srcu: 1, or 2 if a grace period waits */
bool bus = true;
byte reading[VCPUS];

/* What was freed */
bool vcpu_freed[VCPUS], ioeventfd_freed, bus_freed, tables_freed, slots_freed, vm_freed;

/* ---- all vCPUs: kvml_vm_request(), vm_sum() ---- */

inline walk()
{
	n = 0;
	do
	:: n < VCPUS ->
		assert(!vm_freed);
		if
		:: present[n] -> assert(!vcpu_freed[n])
		:: else
		fi;
		n++
	:: else -> n = 0; break
	od
}

/* ---- the end ---- */

inline stats_remove()
{
	atomic { !vms_lock -> vms_lock = true };
	walk();
	listed = false;
	vms_lock = false
}

/* kvml_slots_unhook() */
inline unhook()
{
	hooked = false;
#ifndef NO_WAIT
	callbacks == 0
#endif
}

inline vcpus_free()
{
	n = 0;
	do
	:: n < VCPUS -> vcpu_freed[n] = present[n]; n++
	:: else -> n = 0; break
	od;
	/* xa_destroy() */
	atomic { present[0] = false; present[VCPUS - 1] = false }
}

inline vm_free()
{
#ifndef STATS_LATE
	stats_remove();
#endif
#ifdef TABLES_FIRST
	tables_freed = true;
#endif
#ifdef SLOTS_FIRST
	slots_freed = true;
#endif
#ifndef UNHOOK_AFTER_VCPUS
	unhook();
#endif
#ifndef BUS_AFTER_VCPUS
	bus_freed = true;
#endif
	vcpus_free();
#ifdef STATS_LATE
	stats_remove();
#endif
#ifdef BUS_AFTER_VCPUS
	bus_freed = true;
#endif
#ifdef UNHOOK_AFTER_VCPUS
	unhook();
#endif
	tables_freed = true;
	slots_freed = true;
	vm_freed = true
}

/* kvml_vm_put() */
inline put()
{
	atomic { users--; last = (users == 0) };
	if
	:: last -> vm_free()
	:: else
	fi
}

/* ---- descriptors ---- */

/* A vCPU: exits that write to the bus, and its descriptor is closed. */
proctype vcpu(byte me)
{
	byte n;
	bool last, found;

	do
	:: true ->
		reading[me] = 1;
		found = bus;
		if
		:: found ->
			assert(!vm_freed && !bus_freed);
			assert(!ioeventfd_freed)
		:: else
		fi;
		atomic { reading[me] = 0; found = false }
	:: break
	od;
#ifdef VCPU_HOLDS_NOTHING
	skip
#else
	put()
#endif
}

/* kvml_vcpu_create(), under vm->lock */
inline create(i)
{
	if
	/* vcpu_setup() or what vcpu_publish() does first fails: nobody knows the vCPU. */
	:: true
#ifdef PUBLISH_EARLY
	:: present[i] = true; vcpu_freed[i] = true; present[i] = false
#endif
#ifndef VCPU_HOLDS_NOTHING
	:: users++; present[i] = true; run vcpu(i)
#else
	:: present[i] = true; run vcpu(i)
#endif
	fi
}

/* bus_remove() */
inline ioeventfd_remove()
{
	bus = false;
#ifndef NO_GRACE
	atomic {
		if :: reading[0] -> reading[0] = 2 :: else fi;
		if :: reading[VCPUS - 1] -> reading[VCPUS - 1] = 2 :: else fi
	}
	reading[0] != 2;
	reading[VCPUS - 1] != 2;
#endif
	ioeventfd_freed = true
}

proctype vmm()
{
	byte n;
	bool last;

	create(0);
#if VCPUS > 1
	create(1);
#endif
	if
	:: ioeventfd_remove()
	:: true
	fi;
	put()
}

/* ---- the others ---- */

/* invalidate_start(): take_range(), kvml_mmu_flush() */
proctype host()
{
	byte n;

	do
	:: atomic { hooked && !memory_ended -> callbacks++ };
		assert(!vm_freed && !slots_freed);
		assert(!tables_freed);
		walk();
		assert(!vm_freed);
		callbacks--
	:: break
	od
}

/* exit_mmap() */
proctype memory_ends()
{
	byte n;

	if
	:: atomic { hooked -> callbacks++ };
		/* release() */
		assert(!vm_freed && !slots_freed);
		assert(!tables_freed);
		walk();
		atomic { memory_ended = true; callbacks-- }
	:: true
	fi
}

/* total_get() */
proctype debugfs()
{
	byte n;

	atomic { !vms_lock -> vms_lock = true };
	if
	:: listed -> walk()
	:: else
	fi;
	vms_lock = false
}

init {
	byte i;

	atomic {
		run vmm();
		for (i : 1 .. HOSTS) { run host() }
		run memory_ends();
		run debugfs()
	};
	_nr_pr == 1;
	assert(vm_freed)
}
