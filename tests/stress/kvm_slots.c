// SPDX-License-Identifier: GPL-2.0
/*
 * Slots and VMs that come and go beside everything that takes their memory away.
 *
 * What a guest must never see is a page that the host has taken from the VMM: it
 * reads what was there before, and writes what nobody reads.  Wants two CPUs.
 */
#define _GNU_SOURCE
#include "kvm_guest.h"

#define BASE	(64 * MIB)
#define SIZE	(16 * MIB)
#define ROUNDS	40

GUEST(load, "mov (%rdi), %rax\n\t" GUEST_OUT);

static u64 guest_read(const struct machine *m, u64 gpa)
{
	guest_call(m, guest_load, gpa, 0, 0);
	return vcpu_regs(m).rax;
}

/* ---- a slot comes between the start and the end of an invalidation ---- */

struct discard {
	char *mem;
	bool go, begun, done;
};

static void *discard_all(void *arg)
{
	struct discard *d = arg;

	while (!READ_ONCE(d->go))
		;
	WRITE_ONCE(d->begun, true);
	madvise(d->mem, SIZE, MADV_DONTNEED);
	WRITE_ONCE(d->done, true);
	return NULL;
}

/*
 * The last page goes last; the guest looks at it as soon as there is a slot.
 * True: the slot was asked for while the pages went.
 */
static bool one_round(const struct machine *m, char *mem, unsigned int delay)
{
	struct discard d = { .mem = mem };
	u64 *last = (u64 *)(mem + SIZE - PAGE), seen;
	pthread_t thread;
	bool hit;

	memset(mem, 1, SIZE);
	*last = 0x1111;
	CHECK_EQ(pthread_create(&thread, NULL, discard_all, &d), 0);
	WRITE_ONCE(d.go, true);
	while (!READ_ONCE(d.begun))
		;
	while (delay--)
		__asm__ volatile("");
	hit = !READ_ONCE(d.done);
	set_slot(m, 1, 0, BASE, last, PAGE);
	seen = guest_read(m, BASE);
	CHECK(seen == 0x1111 || seen == 0);
	pthread_join(thread, NULL);
	*last = 0x2222;
	CHECK_EQ(guest_read(m, BASE), 0x2222);
	set_slot(m, 1, 0, BASE, last, 0);
	return hit;
}

static void test_slot_comes(void)
{
	char *mem = map_memory(SIZE);
	struct machine m = machine_make();
	unsigned int n, hits = 0;

	MUST(madvise(mem, SIZE, MADV_NOHUGEPAGE));
	for (n = 0; n < ROUNDS; n++)
		hits += one_round(&m, mem, n * 1000);
	tap_note("%u of %u slots came while their memory went", hits, ROUNDS);
	CHECK(hits > 0);
	machine_close(&m);
}

/* ---- VMs of one process, with the same memory ---- */

#define VMS	4
#define PAGES	64UL

struct stir {
	char *mem;
	u64 stamp;		/* written to all pages, after they were given back */
	bool stop;
};

/* What all VMs of the process lose at once, and all find new. */
static void *stir(void *arg)
{
	struct stir *s = arg;
	unsigned long i;

	while (!READ_ONCE(s->stop)) {
		madvise(s->mem, PAGES * PAGE, MADV_DONTNEED);
		for (i = 0; i < PAGES; i++)
			WRITE_ONCE(*(u64 *)(s->mem + i * PAGE), s->stamp + 1);
		WRITE_ONCE(s->stamp, s->stamp + 1);
	}
	return NULL;
}

/* No VM sees a page that is older than what was complete before it looked. */
static void look(const struct machine *m, const struct stir *s, unsigned long page)
{
	u64 before = READ_ONCE(s->stamp);
	u64 seen = guest_read(m, BASE + page * PAGE);

	if (seen && seen < before)
		tap_fail("page %lu: %llu, which was %llu before", page,
			 (unsigned long long)seen, (unsigned long long)before);
}

/* VMs that stay share the memory with one that comes and goes. */
static void test_vms(void)
{
	struct stir s = { .mem = map_memory(PAGES * PAGE) };
	struct machine m[VMS], brief;
	pthread_t thread;
	unsigned int i, n;

	for (i = 0; i < VMS; i++) {
		m[i] = machine_make();
		set_slot(&m[i], 1, 0, BASE, s.mem, PAGES * PAGE);
	}
	CHECK_EQ(pthread_create(&thread, NULL, stir, &s), 0);
	for (n = 0; n < ROUNDS; n++) {
		brief = machine_make();
		set_slot(&brief, 1, 0, BASE, s.mem, PAGES * PAGE);
		for (i = 0; i < VMS; i++)
			look(&m[i], &s, (n + i * 7) % PAGES);
		look(&brief, &s, n % PAGES);
		/* One of those that stay loses its slot, and gets it back. */
		i = n % VMS;
		set_slot(&m[i], 1, 0, BASE, s.mem, 0);
		set_slot(&m[i], 1, 0, BASE, s.mem, PAGES * PAGE);
		look(&m[i], &s, n % PAGES);
		machine_close(&brief);
		munmap(brief.run, 3 * PAGE);
		munmap(brief.tool, TOOL_PAGES * PAGE);
	}
	WRITE_ONCE(s.stop, true);
	pthread_join(thread, NULL);
	tap_note("%llu times given back", (unsigned long long)s.stamp);
	CHECK(s.stamp > 0);
	for (i = 0; i < VMS; i++)
		machine_close(&m[i]);
}

static const struct tap_test tests[] = {
	{ "a slot comes while its memory is given back", test_slot_comes },
	{ "VMs share memory that is given back", test_vms },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
