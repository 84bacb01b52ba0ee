/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Orders: a structure of a module, in userspace, through all short sequences of its
 * calls, each from a new one, beside a model of what must hold.
 *
 * A program includes this file, the source under test, which is compiled with
 * tests/fuzz/kernel.h in place of the kernel's headers, and says in universes what
 * calls there are.  A universe is small, so that all of it is tried: two CPUs, three
 * vCPUs, a slot of two pages.  What must hold is said by FUZZ_CHECK(), which ends the
 * child that runs the sequences; so do the sanitizers.  The parent, which shares the
 * sequence with it, then prints that in words.  Shorter sequences are tried first, so it
 * is the shortest that fails; from a long random one all calls are left out that it
 * fails without.
 *
 * A call inside another one, where the latter waits or gives up a lock, is in the
 * sequence, too: orders_inner() makes the next one of the sequence there.
 */
#ifndef _ORDERS_H
#define _ORDERS_H

#include "kernel.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what a program says ---- */

enum order {
	ORDER_NONE,	/* this call cannot come here */
	ORDER_SAME,	/* it changed nothing: what follows it is tried without it */
	ORDER_ON,
};

struct universe {
	const char *name;
	const void *arg;		/* the program's own */
	unsigned int calls;		/* numbered from 0 */
	unsigned int length, deep;	/* of the longest sequences; with --deep */
	/* Random ones of that length instead, if not 0; the numbers are any then. */
	unsigned int random, random_deep;

	void (*begin)(void);
	enum order (*call)(u32 nr);
	/* After the last call of a sequence, and after each of a random one. */
	void (*check)(void);
	/* What begin() and the calls allocated is freed by then. */
	void (*end)(void);
	/* A call in words. */
	void (*say)(u32 nr, char *text, size_t size);
};

/* The one that runs. */
static const struct universe *universe;

/*
 * A kind of calls, of each of @things with each of @others; 0: of none.  The text has
 * an %d for each.
 */
struct orders_kind {
	const char *text;
	enum order (*fn)(int thing, int other);
	unsigned int things, others;
};

/* ---- sequences ---- */

#define ORDERS_LONGEST	256
#define ORDERS_CALLS	256

static struct orders_shared {
	u32 call[ORDERS_LONGEST];
	unsigned int length;
	unsigned int at;		/* calls of it that were begun */
	unsigned long complete;		/* sequences that came to their ends */
	bool made[ORDERS_CALLS];	/* in such a sequence */
} *shared;

/* Calls up to one that cannot come there, or changes nothing; 0: all came. */
static unsigned int dead_end;
static long live_allocations;
unsigned int fuzz_fail_alloc;

static void orders_call(void)
{
	unsigned int mine = shared->at++;
	enum order result = universe->call(shared->call[mine]);
	bool last = shared->at == shared->length, alone = shared->at == mine + 1;

	if (!dead_end && (result == ORDER_NONE ||
			  (result == ORDER_SAME && alone && !last)))
		dead_end = mine + 1;
}

/* Where the call that is being made waits for something. */
static inline void orders_inner(void)
{
	if (shared->at < shared->length && !dead_end)
		orders_call();
}

/*
 * Of things that are alike, the one with the lowest number comes first: those
 * below *@used have come.
 */
static inline bool orders_first(unsigned int *used, unsigned int i)
{
	if (i > *used)
		return false;
	if (i == *used)
		++*used;
	return true;
}

/* How many calls there are of @n kinds. */
static inline unsigned int orders_count(const struct orders_kind *kinds, unsigned int n)
{
	unsigned int calls = 0;

	while (n--)
		calls += max(kinds[n].things, 1u) * max(kinds[n].others, 1u);
	return calls;
}

/* The kind of call @nr, and what it is of. */
static inline const struct orders_kind *orders_kind(const struct orders_kind *kinds, u32 nr,
						    int *thing, int *other)
{
	for (; ; kinds++) {
		unsigned int others = max(kinds->others, 1u);
		unsigned int calls = max(kinds->things, 1u) * others;

		if (nr < calls) {
			*thing = nr / others;
			*other = nr % others;
			return kinds;
		}
		nr -= calls;
	}
}

static inline void orders_say_kind(const struct orders_kind *kinds, u32 nr, char *text,
				   size_t size)
{
	int thing, other;
	const struct orders_kind *kind = orders_kind(kinds, nr, &thing, &other);

	if (kind->things)
		snprintf(text, size, kind->text, thing, other);
	else
		snprintf(text, size, kind->text, other);
}

/* A sequence that does not end is ended: CPU seconds for the next ones. */
static void orders_limit(void)
{
	static const struct itimerval limit = { .it_value.tv_sec = 20 };
	static unsigned int runs;

	if (runs++ % 1024 == 0)
		setitimer(ITIMER_PROF, &limit, NULL);
}

static void orders_run(void)
{
	long live = live_allocations;

	orders_limit();
	shared->at = 0;
	dead_end = 0;
	fuzz_fail_alloc = 0;
	universe->begin();
	while (shared->at < shared->length && !dead_end) {
		orders_call();
		if (!universe->random)
			continue;
		dead_end = 0;
		universe->check();
	}
	if (!dead_end)
		universe->check();
	universe->end();
	FUZZ_CHECK(live_allocations == live, "%ld allocations are left",
		   live_allocations - live);
}

/* The next sequence that differs within the first @n calls; false: there is none. */
static bool orders_next(unsigned int n)
{
	memset(shared->call + n, 0, (shared->length - n) * sizeof(u32));
	while (n--) {
		if (++shared->call[n] < universe->calls)
			return true;
		shared->call[n] = 0;
	}
	return false;
}

static void orders_complete(void)
{
	unsigned int i;

	for (i = 0; i < shared->length; i++)
		shared->made[shared->call[i]] = true;
	shared->complete++;
}

static void orders_run_all(unsigned int longest)
{
	unsigned int n;

	memset(shared->call, 0, sizeof(shared->call));
	for (n = 1; n <= longest; n++) {
		shared->length = n;
		do {
			orders_run();
			if (!dead_end)
				orders_complete();
		} while (orders_next(dead_end ?: n));
	}
}

/* Numbers that look random (splitmix64). */
static u64 orders_random(u64 *seed)
{
	u64 z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void orders_run_random(unsigned int sequences, u64 seed)
{
	unsigned int i;

	shared->length = universe->length;
	while (sequences--) {
		for (i = 0; i < shared->length; i++)
			shared->call[i] = orders_random(&seed);
		orders_run();
		shared->complete++;
	}
}

/* ---- the child that runs them, and its end ---- */

/* It allocates and frees much, and reports little. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "malloc_context_size=5:quarantine_size_mb=4";
}

struct orders_options {
	bool deep;
	u64 seed;
};

static FILE *said;	/* standard error of the child */

/* Of the sanitizers' library; gcc has no header with it. */
int __sanitizer_install_malloc_and_free_hooks(void (*malloced)(const volatile void *p,
							       size_t size),
					      void (*freed)(const volatile void *p));

static void count_malloc(const volatile void *p, size_t size)
{
	live_allocations += !!p;
}

static void count_free(const volatile void *p)
{
	live_allocations -= !!p;
}

/* NULL: the sequence that is there. */
static void orders_child(const struct orders_options *o)
{
	__sanitizer_install_malloc_and_free_hooks(count_malloc, count_free);
	dup2(fileno(said), STDERR_FILENO);
	if (!o) {
		orders_run();
		_exit(0);
	}
	if (universe->random)
		orders_run_random(o->deep ? universe->random_deep :
				  universe->random, o->seed);
	else
		orders_run_all(o->deep ? universe->deep : universe->length);
	exit(0);	/* what leaks is told */
}

static int orders_fork(const struct orders_options *o)
{
	int status;
	pid_t pid;

	rewind(said);
	if (ftruncate(fileno(said), 0))
		exit(1);
	fflush(stdout);
	pid = fork();
	if (!pid)
		orders_child(o);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("fork");
		exit(1);
	}
	return status;
}

/* Leaves out what it fails without. */
static void orders_shorten(void)
{
	u32 call[ORDERS_LONGEST];
	unsigned int i, n = shared->at;

	memcpy(call, shared->call, sizeof(call));
	for (i = n; i-- > 0;) {
		memcpy(shared->call, call, i * sizeof(u32));
		memcpy(shared->call + i, call + i + 1, (n - i - 1) * sizeof(u32));
		shared->length = n - 1;
		if (orders_fork(NULL)) {
			n = shared->at;
			memcpy(call, shared->call, sizeof(call));
			i = i < n ? i : n;
		}
	}
	memcpy(shared->call, call, sizeof(call));
	shared->length = n;
	orders_fork(NULL);
}

static void orders_report(int status)
{
	unsigned int i, lines = 0;
	char text[256];

	rewind(said);
	while (lines++ < 25 && fgets(text, sizeof(text), said))
		printf("#   %s%s", text, strchr(text, '\n') ? "" : "\n");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
		printf("#   it does not end\n");
	for (i = 0; i < shared->at; i++) {
		universe->say(shared->call[i], text, sizeof(text));
		printf("# %u. %s\n", i + 1, text);
	}
}

static bool orders_all_made(void)
{
	bool all = shared->complete;
	char text[256];
	u32 i;

	for (i = 0; i < universe->calls; i++) {
		if (shared->made[i])
			continue;
		universe->say(i, text, sizeof(text));
		printf("# never: %s\n", text);
		all = false;
	}
	return all;
}

static bool orders_try(const struct universe *u, const struct orders_options *o,
		       unsigned int nr)
{
	int status;
	bool ok;

	if (u->calls > ORDERS_CALLS || u->length > ORDERS_LONGEST)
		abort();
	universe = u;
	memset(shared, 0, sizeof(*shared));
	status = orders_fork(o);
	ok = !status && orders_all_made();
	if (status && u->random)
		orders_shorten();
	printf("%s %u - %s: ", ok ? "ok" : "not ok", nr, u->name);
	if (u->random)
		printf("%lu random orders of %u calls, seed %llu\n",
		       shared->complete, u->length, o->seed);
	else
		printf("%lu orders of up to %u calls\n", shared->complete,
		       o->deep ? u->deep : u->length);
	if (status)
		orders_report(status);
	return ok;
}

/* PROGRAM [--deep] [--seed N] [UNIVERSE]: TAP, up to the first one that fails. */
static int orders_main(int argc, char **argv, const struct universe *u,
		       unsigned int n)
{
	struct orders_options o = { .seed = 1 };
	const char *only = NULL;
	unsigned int i, nr = 0;

	for (i = 1; i < (unsigned int)argc; i++) {
		if (!strcmp(argv[i], "--deep"))
			o.deep = true;
		else if (!strcmp(argv[i], "--seed") && argv[i + 1])
			o.seed = strtoull(argv[++i], NULL, 0);
		else
			only = argv[i];
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	said = tmpfile();
	if (shared == MAP_FAILED || !said) {
		perror("orders");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%u\n", only ? 1 : n);
	for (i = 0; i < n; i++)
		if ((!only || !strcmp(only, u[i].name)) &&
		    !orders_try(&u[i], &o, ++nr))
			return 1;
	return 0;
}

/* ---- linux/spinlock.h, linux/list.h: with what lockdep and DEBUG_LIST look at ---- */

static unsigned int locks_held;
/* A program may have something happen while somebody waits for a lock. */
static void (*orders_before_lock)(void);

static inline void spin_lock(spinlock_t *lock)
{
	FUZZ_CHECK(!lock->held, "a lock is taken twice");
	if (orders_before_lock)
		orders_before_lock();
	lock->held = true;
	locks_held++;
}

static inline void spin_unlock(spinlock_t *lock)
{
	FUZZ_CHECK(lock->held, "a lock is given up that nobody holds");
	lock->held = false;
	locks_held--;
}

#define spin_lock_init(lock)	((lock)->held = false)

/* Nobody else runs: what is waited for has come, or never does. */
#ifndef wait_event
#define wait_event(queue, condition) FUZZ_CHECK(condition, "waits for ever")
#endif

static inline void list_add(struct list_head *new, struct list_head *head)
{
	struct list_head *next = head->next;

	FUZZ_CHECK(next->prev == head, "the list is corrupt");
	FUZZ_CHECK(new != head && new != next, "it is in the list already");
	*new = (struct list_head){ .next = next, .prev = head };
	next->prev = new;
	head->next = new;
}

static inline void list_del(struct list_head *entry)
{
	FUZZ_CHECK(entry->prev->next == entry && entry->next->prev == entry,
		   "the list is corrupt");
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
	*entry = (struct list_head){ .next = NULL, .prev = NULL };
}

/* ---- linux/gfp.h: pages; one that is free is poison, and comes back last ---- */

#define ORDERS_PAGES	128

struct page {
	struct list_head lru;
	bool used;
	/* The program's: a CPU may have its address; how often statistics have it. */
	bool known;
	int shown;
};

static struct page pages[ORDERS_PAGES];
static char page_memory[ORDERS_PAGES][PAGE_SIZE]
	__attribute__((__aligned__(PAGE_SIZE)));
static unsigned int page_last, pages_used;

/* A program may look at a page that goes. */
static void (*orders_page_freed)(const struct page *page);

static inline struct page *virt_to_page(const void *p)
{
	return &pages[((const char *)p - page_memory[0]) / PAGE_SIZE];
}

static inline void *page_address(const struct page *page)
{
	return page_memory[page - pages];
}

#define __va(address)		((void *)(address))
#define __pa(p)			((u64)(p))
#define virt_to_phys(p)		__pa(p)

static inline unsigned long get_zeroed_page(int gfp)
{
	struct page *page;

	FUZZ_CHECK(!locks_held, "allocates where nothing may sleep");
	if (fuzz_fail_alloc && !--fuzz_fail_alloc)
		return 0;
	FUZZ_CHECK(pages_used < ORDERS_PAGES, "no page is left");
	do {
		page_last = (page_last + 1) % ORDERS_PAGES;
		page = &pages[page_last];
	} while (page->used);
	page->used = true;
	page->known = false;
	page->shown = 0;
	pages_used++;
	ASAN_UNPOISON_MEMORY_REGION(page_address(page), PAGE_SIZE);
	return (unsigned long)memset(page_address(page), 0, PAGE_SIZE);
}

static inline void __free_page(struct page *page)
{
	FUZZ_CHECK(page->used, "a page is freed twice");
	if (orders_page_freed)
		orders_page_freed(page);
	page->used = false;
	pages_used--;
	ASAN_POISON_MEMORY_REGION(page_address(page), PAGE_SIZE);
}

static inline void free_page(unsigned long address)
{
	if (address)
		__free_page(virt_to_page((void *)address));
}

/* ---- linux/percpu.h, linux/smp.h: CPUs ---- */

#define ORDERS_CPUS	2

static int this_cpu;
static bool cpu_online[ORDERS_CPUS];
static bool irqs_off;

/*
 * A variable is in a section of its own, as in the kernel; each CPU has a copy of
 * that.
 */
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) name
#define DEFINE_PER_CPU(type, name)					\
	__attribute__((__section__("percpu"))) __typeof__(type) name

extern char __start_percpu[] __attribute__((__weak__));
extern char __stop_percpu[] __attribute__((__weak__));
static char percpu_copy[ORDERS_CPUS][512] __attribute__((__aligned__(64)));

static inline void *orders_per_cpu(const volatile void *p, int cpu)
{
	uintptr_t address = (uintptr_t)p;

	return percpu_copy[cpu] + (address - (uintptr_t)__start_percpu);
}

#define per_cpu_ptr(p, cpu)	((__typeof__(p))orders_per_cpu(p, cpu))
#define per_cpu(var, cpu)	(*per_cpu_ptr(&(var), cpu))
#define this_cpu_ptr(p)		per_cpu_ptr(p, this_cpu)
#define this_cpu_read(var)	per_cpu(var, this_cpu)
#define this_cpu_write(var, v)	((void)(per_cpu(var, this_cpu) = (v)))
#define this_cpu_inc(var)	((void)per_cpu(var, this_cpu)++)
#undef this_cpu_add
#define this_cpu_add(var, n)	((void)(per_cpu(var, this_cpu) += (n)))
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < ORDERS_CPUS; (cpu)++)
#define smp_processor_id()	this_cpu

#define local_irq_save(flags)	((flags) = irqs_off, irqs_off = true)
#define local_irq_restore(flags) (irqs_off = (flags))

/* Counters that are allocated. */
static DEFINE_PER_CPU(int, orders_counters[2]);
static unsigned int orders_counters_used;

static inline int *orders_alloc_counter(void)
{
	int *counter = &orders_counters[orders_counters_used++];
	int cpu;

	FUZZ_CHECK(orders_counters_used <= ARRAY_SIZE(orders_counters), "too many");
	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(counter, cpu), 0, sizeof(*counter));
	return counter;
}

#define alloc_percpu_gfp(type, gfp) orders_alloc_counter()
#define free_percpu(p)		((void)(p), (void)orders_counters_used--)

/* All are online and have nothing. */
static inline void orders_cpus_init(void)
{
	FUZZ_CHECK((size_t)(__stop_percpu - __start_percpu) <=
		   sizeof(percpu_copy[0]), "variables of a CPU: too many");
	memset(percpu_copy, 0, sizeof(percpu_copy));
	memset(cpu_online, true, sizeof(cpu_online));
	this_cpu = 0;
	irqs_off = false;
}

/* An IPI, or what a CPU does itself: @fn with interrupts off. */
static inline void orders_on_cpu(int cpu, void (*fn)(void *arg), void *arg)
{
	int here = this_cpu;
	bool off = irqs_off;

	this_cpu = cpu;
	irqs_off = true;
	fn(arg);
	this_cpu = here;
	irqs_off = off;
}

static inline int smp_call_function_single(int cpu, void (*fn)(void *arg),
					   void *arg, int wait)
{
	FUZZ_CHECK(!irqs_off, "waits for an IPI with interrupts off");
	if (!cpu_online[cpu])
		return -ENXIO;
	orders_on_cpu(cpu, fn, arg);
	return 0;
}

#define WARN_ON_ONCE(condition)	({					\
	bool _warn = condition;						\
									\
	FUZZ_CHECK(!_warn, "WARNING: %s", #condition);			\
	_warn;								\
})

#endif /* _ORDERS_H */
