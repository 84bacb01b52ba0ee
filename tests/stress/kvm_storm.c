// SPDX-License-Identifier: GPL-2.0
/*
 * All that changes the memory of guests, at once, by several threads of a VMM with
 * several VMs; and notifiers that come and go.  The order is random, by a seed that is
 * printed; STORM_SEED in the environment names one, STORM_SECONDS how long a test takes.
 *
 * One VM has slots that stay.  What the VMM writes, its guest reads right afterwards,
 * whatever the others do: a page that the host has taken away and the guest has not
 * lost is found by that.  The kernel "debug" finds the rest.  Wants two CPUs.
 */
#define _GNU_SOURCE
#include <sys/eventfd.h>

#include "kvm_guest.h"

#define BASE	(64 * MIB)
#define PAGES	64UL
#define SIZE	(PAGES * PAGE)
#define VMS	3
#define EVENTS	4	/* addresses of ioeventfds */

/* All pages from rdi on, rsi of them: read, and every second one written; then MMIO. */
GUEST(walk, "1: mov %rdi, %r8\n\t"
	    "mov %rsi, %r9\n\t"
	    "2: mov (%r8), %rax\n\t"
	    "test $1, %r9\n\t"
	    "jz 3f\n\t"
	    "lock incq 8(%r8)\n\t"
	    "3: add $4096, %r8\n\t"
	    "dec %r9\n\t"
	    "jnz 2b\n\t"
	    "mov %rdi, %r8\n\t"
	    "mov %rdi, %r10\n\t"
	    "mov %rsi, %r11\n\t"
	    "mov %rdx, %rdi\n\t"
	    "mov %r8, %rsi\n\t"
	    "movsq\n\t"
	    "mov %r10, %rdi\n\t"
	    "mov %r11, %rsi\n\t"
	    "jmp 1b");

GUEST(load, "mov (%rdi), %rax\n\t" GUEST_OUT);

static bool over;
static u64 seed;

static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static unsigned int seconds(void)
{
	const char *text = getenv("STORM_SECONDS");

	return text ? atoi(text) : 5;
}

static void begin(void)
{
	const char *text = getenv("STORM_SEED");

	seed = text ? strtoull(text, NULL, 0) : (u64)time(NULL) * 2654435761u | 1;
	tap_note("STORM_SEED=%llu", (unsigned long long)seed);
}

/* ---- memory that moves ---- */

struct memory {
	char *mem, *away;
	u64 stamp;
};

static void collapse(struct memory *m)
{
	madvise(m->mem, SIZE, 25);	/* MADV_COLLAPSE */
}

static void move_away(struct memory *m, char *at, unsigned long len)
{
	if (mremap(at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, m->away) == MAP_FAILED)
		return;
	/* In between nothing is there. */
	MUST(mremap(m->away, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, at));
}

static void fork_child(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void stir_once(struct memory *m, u64 *state)
{
	unsigned long first = next_random(state) % PAGES;
	unsigned long n = 1 + next_random(state) % (PAGES - first);
	char *at = m->mem + first * PAGE;

	switch (next_random(state) % 12) {
	case 0:
		mprotect(at, n * PAGE, PROT_NONE);
		mprotect(at, n * PAGE, PROT_READ | PROT_WRITE);
		break;
	case 1:
		mprotect(at, n * PAGE, PROT_READ);
		mprotect(at, n * PAGE, PROT_READ | PROT_WRITE);
		break;
	case 2:
		move_away(m, at, n * PAGE);
		break;
	case 3:
		madvise(at, n * PAGE, MADV_PAGEOUT);
		break;
	case 4:
		madvise(at, n * PAGE, MADV_FREE);
		break;
	case 5:
		if (next_random(state) % 8 == 0)
			fork_child();
		break;
	case 6:
		munmap(at, n * PAGE);
		MUST(mmap(at, n * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		break;
	case 7:
		collapse(m);
		break;
	default:
		madvise(at, n * PAGE, MADV_DONTNEED);
	}
}

/* ---- what others do ---- */

struct worker {
	pthread_t thread;
	struct machine m;
	struct memory *memory;
	u64 state;
	u64 count;
};

static void *run_guest(void *arg)
{
	struct worker *w = arg;

	while (!READ_ONCE(over)) {
		if (vcpu_run(&w->m) && errno != EFAULT && errno != EINTR &&
		    errno != EAGAIN)
			tap_fail("KVM_RUN: %s", strerrorname_np(errno));
		if (w->m.run->exit_reason == KVM_EXIT_SHUTDOWN ||
		    w->m.run->exit_reason == KVM_EXIT_INTERNAL_ERROR ||
		    w->m.run->exit_reason == KVM_EXIT_FAIL_ENTRY)
			tap_fail("exit reason %u, suberror %u",
				 w->m.run->exit_reason, w->m.run->internal.suberror);
		w->count++;
	}
	return NULL;
}

static void dirty_log(struct worker *w, u32 slot, u64 *state)
{
	u64 bits[2] = { 0 };
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bits };

	(void)state;
	ioctl(w->m.vm, KVM_GET_DIRTY_LOG, &log);
}

static void *change_slots(void *arg)
{
	struct worker *w = arg;

	while (!READ_ONCE(over)) {
		u32 id = 1 + next_random(&w->state) % 8;
		unsigned long first = next_random(&w->state) % PAGES;
		unsigned long n = 1 + next_random(&w->state) % (PAGES - first);
		u64 gpa = BASE + next_random(&w->state) % (2 * PAGES) * PAGE;
		const char *mem = w->memory->mem + first * PAGE;

		switch (next_random(&w->state) % 6) {
		case 0:
			try_slot(&w->m, id, 0, gpa, mem, 0);
			break;
		case 1:
			try_slot(&w->m, id, KVM_MEM_LOG_DIRTY_PAGES, gpa, mem,
				 n * PAGE);
			break;
		case 2:
			try_slot(&w->m, id, KVM_MEM_READONLY, gpa, mem, n * PAGE);
			break;
		case 3:
			dirty_log(w, id, &w->state);
			break;
		default:
			try_slot(&w->m, id, 0, gpa, mem, n * PAGE);
		}
		w->count++;
	}
	return NULL;
}

/* Where one is, a guest that writes does not exit, and would not end. */
static void no_events(const struct machine *m, int fd)
{
	struct kvm_ioeventfd e = {
		.len = 8, .fd = fd, .flags = KVM_IOEVENTFD_FLAG_DEASSIGN,
	};
	unsigned int n;

	for (n = 0; n < EVENTS; n++) {
		e.addr = MMIO_BASE + n * 8;
		while (!ioctl(m->vm, KVM_IOEVENTFD, &e))
			;
		CHECK_EQ(errno, ENOENT);
	}
}

static void *change_events(void *arg)
{
	struct worker *w = arg;
	int fd = MUST(eventfd(0, EFD_NONBLOCK));

	while (!READ_ONCE(over)) {
		struct kvm_ioeventfd e = {
			.addr = MMIO_BASE + next_random(&w->state) % EVENTS * 8,
			.len = 8, .fd = fd,
			.flags = next_random(&w->state) % 2 ?
				 KVM_IOEVENTFD_FLAG_DEASSIGN : 0,
		};

		ioctl(w->m.vm, KVM_IOEVENTFD, &e);
		w->count++;
	}
	no_events(&w->m, fd);
	close(fd);
	return NULL;
}

static void *fork_all(void *arg)
{
	struct worker *w = arg;

	while (!READ_ONCE(over)) {
		fork_child();
		w->count++;
	}
	return NULL;
}

static void start(struct worker *w, void *(*run)(void *), const struct machine *m,
		  struct memory *memory)
{
	static u64 n;

	*w = (struct worker){ .memory = memory, .state = seed + ++n * 7919 };
	if (m)
		w->m = *m;
	CHECK_EQ(pthread_create(&w->thread, NULL, run, w), 0);
}

static void finish(struct worker *w, const char *what)
{
	pthread_join(w->thread, NULL);
	tap_note("%s: %llu", what, (unsigned long long)w->count);
}

static struct memory memory_make(void)
{
	struct memory m = { .mem = map_memory(SIZE + 4 * MIB) };

	m.mem = (char *)(((unsigned long)m.mem + 2 * MIB - 1) & ~(2 * MIB - 1));
	m.away = map_memory(SIZE);
	return m;
}

/* The guest sees what was written last. */
static void look(const struct machine *m, struct memory *memory, u64 *state)
{
	unsigned long page = next_random(state) % PAGES;
	volatile u64 *at = (u64 *)(memory->mem + page * PAGE);
	u64 seen;

	*at = ++memory->stamp;
	guest_call(m, guest_load, BASE + page * PAGE, 0, 0);
	seen = vcpu_regs(m).rax;
	if (seen != memory->stamp)
		tap_fail("page %lu: expected %llu, got %llu", page,
			 (unsigned long long)memory->stamp, (unsigned long long)seen);
}

static bool alarm_over(time_t end)
{
	return time(NULL) >= end;
}

/* ---- the tests ---- */

static void test_storm(void)
{
	struct worker slots[VMS], guests[VMS], events, walker;
	struct memory memory = memory_make();
	struct machine m = machine_make(), sibling, others[VMS];
	time_t end = time(NULL) + seconds();
	u64 state, looks = 0;
	unsigned int i;

	begin();
	state = seed;
	set_slot(&m, 1, 0, BASE, memory.mem, SIZE);
	sibling = machine_sibling(&m, 1);
	guest_start(&sibling, guest_walk, BASE, PAGES, MMIO_BASE);
	start(&walker, run_guest, &sibling, &memory);
	for (i = 0; i < VMS; i++) {
		others[i] = machine_make();
		guest_start(&others[i], guest_walk, BASE, PAGES, MMIO_BASE);
		start(&guests[i], run_guest, &others[i], &memory);
		start(&slots[i], change_slots, &others[i], &memory);
	}
	start(&events, change_events, &sibling, &memory);
	while (!alarm_over(end)) {
		stir_once(&memory, &state);
		look(&m, &memory, &state);
		looks++;
	}
	WRITE_ONCE(over, true);
	tap_note("looks: %llu", (unsigned long long)looks);
	finish(&walker, "walks");
	for (i = 0; i < VMS; i++) {
		finish(&guests[i], "exits");
		finish(&slots[i], "slots");
	}
	finish(&events, "events");
	CHECK(looks > 0);
}

/* A VM, and with it perhaps the process's only notifier. */
static void *make_vms(void *arg)
{
	struct worker *w = arg;

	while (!READ_ONCE(over)) {
		struct machine m = machine_make();

		set_slot(&m, 1, 0, BASE, w->memory->mem, SIZE);
		guest_call(&m, guest_load, BASE, 0, 0);
		machine_close(&m);
		munmap(m.run, 3 * PAGE);
		munmap(m.tool, TOOL_PAGES * PAGE);
		w->count++;
	}
	return NULL;
}

static void test_notifiers(void)
{
	struct memory memory = memory_make();
	struct worker makers[2], forker;
	time_t end = time(NULL) + seconds();
	u64 state, n = 0;

	begin();
	state = seed;
	start(&makers[0], make_vms, NULL, &memory);
	start(&makers[1], make_vms, NULL, &memory);
	start(&forker, fork_all, NULL, &memory);
	for (; !alarm_over(end); n++)
		madvise(memory.mem + next_random(&state) % PAGES * PAGE, PAGE,
			MADV_DONTNEED);
	WRITE_ONCE(over, true);
	finish(&makers[0], "VMs");
	finish(&makers[1], "VMs");
	finish(&forker, "children");
	CHECK(n > 0);
}

static const struct tap_test tests[] = {
	{ "a guest sees what its VMM wrote, whatever else changes", test_storm },
	{ "notifiers come and go", test_notifiers },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
