// SPDX-License-Identifier: GPL-2.0
/*
 * Stress of /dev/ksm with every byte accounted for.
 *
 * Several worker processes, each with writers, readers and a thread that plays
 * with the mappings, against scan threads at full speed and a process that
 * calls KSM_SCAN in a loop.  Now and then a worker is killed and another one
 * takes its place.  The workers are root: all their pages are in one domain.
 *
 * A worker has regions of three kinds:
 *
 *   mapped      an area, mapped twice at once
 *   registered  anonymous memory; handed over again and again while in use
 *   lanes       an area in which each writer owns a word of each page
 *
 * Pages of the first two have a seed that tells what they hold, and a lock.
 * The seeds come from a small set, so that many pages are equal.  In lanes
 * nothing is locked: writers of one page race with each other and with merging
 * and copying, and each must find its word as it left it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/uio.h>

#include "ksm_test.h"

#define WORKERS		3
#define WRITERS		3
#define READERS		2
#define LANES_PAGES	128
#define COMMON_SEEDS	6	/* seeds 1 to 6 are everybody's, 0 means zeroes */

enum op {
	OP_FILL, OP_TOUCH, OP_LANE, OP_READ, OP_READ_ALIAS, OP_WRITEV, OP_DISCARD,
	OP_DONTNEED, OP_MPROTECT, OP_MREMAP, OP_FORK, OP_SHARE, OP_UNMERGE,
	OP_MERGE, OP_REGISTER, OP_SCAN, OP_KILL, OPS
};

static const char *const op_names[OPS] = {
	"page writes", "word writes", "racing word writes", "page reads",
	"reads by the other mapping", "process_vm_writev", "KSM_DISCARD",
	"MADV_DONTNEED", "mprotect flips", "mremap moves", "fork",
	"fork, and the child writes", "KSM_UNMERGE", "KSM_MERGE", "KSM_REGISTER",
	"KSM_SCAN", "kill -9",
};

/* What all processes see. */
struct shared {
	bool stop;
	u64 ops[OPS];
	u64 verified;		/* pages, at the end */
};

static struct shared *shared;

static void count(enum op op)
{
	__atomic_add_fetch(&shared->ops[op], 1, __ATOMIC_RELAXED);
}

static bool stopping(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
}

/* ---- random numbers: a state for each thread ---- */

static __thread u64 random_state;

static void random_seed(u64 seed)
{
	random_state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

static u64 random_below(u64 limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % limit;
}

/* ---- regions ---- */

struct page_state {
	u64 seed;
	bool locked;
	bool seam;		/* a call of KSM_REGISTER began here */
};

struct region {
	const char *name;
	int fd;			/* of the area */
	unsigned long pages;
	char *base;		/* moves under move.lock */
	char *alias;		/* the same pages once more, or NULL */
	pthread_rwlock_t move;	/* held for reading while base is used */
	struct page_state *state;
};

static struct region mapped = { .name = "mapped", .pages = 1500 };
static struct region registered = { .name = "registered", .pages = 1100 };
static struct region *const regions[] = { &mapped, &registered };

static bool page_trylock(struct region *r, unsigned long i)
{
	return !__atomic_test_and_set(&r->state[i].locked, __ATOMIC_ACQUIRE);
}

static void page_unlock(struct region *r, unsigned long i)
{
	__atomic_clear(&r->state[i].locked, __ATOMIC_RELEASE);
}

/* A random page, locked. */
static unsigned long page_pick(struct region *r)
{
	unsigned long i;

	do {
		i = random_below(r->pages);
	} while (!page_trylock(r, i));
	return i;
}

static void page_verify(struct region *r, unsigned long i, const char *page)
{
	const u64 *word = (const u64 *)page;
	u64 seed = r->state[i].seed;
	unsigned int w;

	for (w = 0; w < PAGE_WORDS; w++)
		if (word[w] != seed_word(seed, w))
			tap_fail("%s page %lu (%p), word %u: expected %llx of seed %llx, got %llx",
				 r->name, i, page, w,
				 (unsigned long long)seed_word(seed, w),
				 (unsigned long long)seed,
				 (unsigned long long)word[w]);
}

/* Content that many pages have; now and then zeroes, or unique content. */
static u64 seed_pick(void)
{
	u64 kind = random_below(16);

	if (kind == 0)
		return random_below(1ULL << 48) + (1ULL << 48);
	if (kind < 4)
		return 0;
	return 1 + random_below(COMMON_SEEDS);
}

/* ---- lanes ---- */

static struct {
	char *base;
	u64 done[WRITERS];	/* rounds of each writer, by itself */
	unsigned long at[WRITERS];
} lanes;

static volatile u64 *lane_word(unsigned int writer, unsigned long page)
{
	return (u64 *)page_at(lanes.base, page) + 100 * writer + 7;
}

/* The next page of this writer: its word must be as it was left. */
static void lane_step(unsigned int writer)
{
	unsigned long page = lanes.at[writer];
	volatile u64 *word = lane_word(writer, page);
	u64 want = lanes.done[writer];

	if (*word != want)
		tap_fail("lanes page %lu, writer %u: expected %llu, got %llu",
			 page, writer, (unsigned long long)want,
			 (unsigned long long)*word);
	*word = want + 1;
	count(OP_LANE);
	if (++lanes.at[writer] < LANES_PAGES)
		return;
	lanes.at[writer] = 0;
	lanes.done[writer]++;
}

/* After the writers ended. */
static void lanes_verify(void)
{
	unsigned long page;
	unsigned int t;

	for (page = 0; page < LANES_PAGES; page++)
		for (t = 0; t < WRITERS; t++)
			CHECK_EQ(*lane_word(t, page),
				 lanes.done[t] + (page < lanes.at[t]));
	__atomic_add_fetch(&shared->verified, LANES_PAGES, __ATOMIC_RELAXED);
}

/* ---- writers and readers ---- */

static void write_page(struct region *r)
{
	unsigned long i = page_pick(r);
	u64 seed = seed_pick();

	r->state[i].seed = seed;
	page_fill(page_at(r->base, i), seed);
	page_unlock(r, i);
	count(OP_FILL);
}

/* One word is changed and changed back: a copy, then a merge again. */
static void write_word(struct region *r)
{
	unsigned long i = page_pick(r);
	volatile u64 *word = (u64 *)page_at(r->base, i) + random_below(PAGE_WORDS);
	u64 old = *word;

	*word = ~old;
	CHECK_EQ(*word, ~old);
	*word = old;
	page_verify(r, i, page_at(r->base, i));
	page_unlock(r, i);
	count(OP_TOUCH);
}

static void write_from_outside(struct region *r)
{
	static __thread char buf[PAGE] __attribute__((aligned(16)));
	unsigned long i = page_pick(r);
	struct iovec local = { buf, PAGE }, remote = { page_at(r->base, i), PAGE };
	u64 seed = seed_pick();

	page_fill(buf, seed);
	r->state[i].seed = seed;
	CHECK_EQ(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), PAGE);
	page_verify(r, i, page_at(r->base, i));
	page_unlock(r, i);
	count(OP_WRITEV);
}

static void read_page(struct region *r)
{
	unsigned long i = page_pick(r);

	page_verify(r, i, page_at(r->base, i));
	count(OP_READ);
	if (r->alias) {
		page_verify(r, i, page_at(r->alias, i));
		count(OP_READ_ALIAS);
	}
	page_unlock(r, i);
}

static void *writer_run(void *arg)
{
	unsigned int writer = (unsigned long)arg & 0xff;

	random_seed((unsigned long)arg);
	while (!stopping()) {
		struct region *r = regions[random_below(ARRAY_SIZE(regions))];
		u64 kind = random_below(16);

		pthread_rwlock_rdlock(&r->move);
		if (kind == 0)
			write_from_outside(r);
		else if (kind < 6)
			write_word(r);
		else
			write_page(r);
		pthread_rwlock_unlock(&r->move);
		lane_step(writer);
	}
	return NULL;
}

static void *reader_run(void *arg)
{
	random_seed((unsigned long)arg);
	while (!stopping()) {
		struct region *r = regions[random_below(ARRAY_SIZE(regions))];

		pthread_rwlock_rdlock(&r->move);
		read_page(r);
		pthread_rwlock_unlock(&r->move);
	}
	return NULL;
}

/* ---- playing with the mappings ---- */

static void random_range(struct region *r, unsigned long *first,
			 unsigned long *pages)
{
	*first = random_below(r->pages);
	*pages = 1 + random_below(r->pages - *first);
}

static void play_dontneed(struct region *r)
{
	unsigned long first, pages;

	random_range(r, &first, &pages);
	pthread_rwlock_rdlock(&r->move);
	MUST(madvise(page_at(r->base, first), pages * PAGE, MADV_DONTNEED));
	pthread_rwlock_unlock(&r->move);
	count(OP_DONTNEED);
}

static void play_mprotect(struct region *r)
{
	unsigned long first, pages;
	unsigned int n;

	random_range(r, &first, &pages);
	pthread_rwlock_wrlock(&r->move);
	MUST(mprotect(page_at(r->base, first), pages * PAGE, PROT_READ));
	for (n = 0; n < 20; n++) {
		unsigned long i = first + random_below(pages);

		page_verify(r, i, page_at(r->base, i));
	}
	MUST(mprotect(page_at(r->base, first), pages * PAGE,
		      PROT_READ | PROT_WRITE));
	pthread_rwlock_unlock(&r->move);
	count(OP_MPROTECT);
}

/* Where the mapping that begins with page @i ends. */
static unsigned long mapping_end(struct region *r, unsigned long i)
{
	do {
		i++;
	} while (i < r->pages && !r->state[i].seam);
	return i;
}

/* Each call of KSM_REGISTER made a mapping, and mremap() moves one at a time. */
static void play_mremap(struct region *r)
{
	char *to = map_anon(r->pages);
	unsigned long first, end;

	pthread_rwlock_wrlock(&r->move);
	for (first = 0; first < r->pages; first = end) {
		size_t size;

		end = mapping_end(r, first);
		size = (end - first) * PAGE;
		MUST(mremap(page_at(r->base, first), size, size,
			    MREMAP_MAYMOVE | MREMAP_FIXED, page_at(to, first)));
	}
	r->base = to;
	pthread_rwlock_unlock(&r->move);
	count(OP_MREMAP);
}

static void play_discard(struct region *r)
{
	unsigned int n;

	pthread_rwlock_rdlock(&r->move);
	for (n = 0; n < 8; n++) {
		unsigned long i = page_pick(r);

		ksm_range_do(r->fd, KSM_DISCARD, page_at(r->base, i), 1);
		r->state[i].seed = 0;
		page_verify(r, i, page_at(r->base, i));
		page_unlock(r, i);
		count(OP_DISCARD);
	}
	pthread_rwlock_unlock(&r->move);
}

static void play_unmerge(struct region *r)
{
	bool merge = random_below(3);
	unsigned long first, pages;

	random_range(r, &first, &pages);
	pthread_rwlock_rdlock(&r->move);
	ksm_range_do(r->fd, merge ? KSM_MERGE : KSM_UNMERGE,
		     page_at(r->base, first), pages);
	pthread_rwlock_unlock(&r->move);
	count(merge ? OP_MERGE : OP_UNMERGE);
}

/* A child that does nothing but leave: nobody misses what it had. */
static void play_fork(struct region *r)
{
	pid_t pid = MUST(fork());

	(void)r;
	if (!pid)
		_exit(0);
	CHECK_EQ(tap_wait(pid), 0);
	count(OP_FORK);
}

/*
 * A child that shares the mapping: it checks a page and writes it.  Registered memory is
 * inherited for this child only.
 */
static void play_share(struct region *r)
{
	unsigned long i;
	u64 seed = seed_pick();
	pid_t pid;

	pthread_rwlock_wrlock(&r->move);
	if (r == &registered)
		MUST(madvise(r->base, r->pages * PAGE, MADV_DOFORK));
	i = page_pick(r);
	pid = MUST(fork());
	if (!pid) {
		page_verify(r, i, page_at(r->base, i));
		page_fill(page_at(r->base, i), seed);
		r->state[i].seed = seed;
		page_verify(r, i, page_at(r->base, i));
		_exit(0);
	}
	if (r == &registered)
		MUST(madvise(r->base, r->pages * PAGE, MADV_DONTFORK));
	pthread_rwlock_unlock(&r->move);
	CHECK_EQ(tap_wait(pid), 0);
	r->state[i].seed = seed;
	page_unlock(r, i);
	count(OP_SHARE);
}

/* Pages in use end a call half-way: the next one goes on from there. */
static void register_pages(struct region *r, unsigned long first,
			   unsigned long end)
{
	while (first < end && !stopping()) {
		struct ksm_range range = {
			.addr = (unsigned long)page_at(r->base, first),
			.len = (end - first) * PAGE,
		};

		r->state[first].seam = true;
		if (!ioctl(r->fd, KSM_REGISTER, &range))
			break;
		CHECK_EQ(errno, EBUSY);
		first += range.done / PAGE;
	}
}

/*
 * Fresh anonymous memory with the same contents in place of the old, then
 * KSM_REGISTER, at times in two calls, while the writers use it.
 */
static void play_register(void)
{
	struct region *r = &registered;
	unsigned long i, cut = random_below(4) ? 0 : random_below(r->pages);

	pthread_rwlock_wrlock(&r->move);
	MUST(mmap(r->base, r->pages * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	if (random_below(2))
		madvise(r->base, r->pages * PAGE, MADV_HUGEPAGE);
	for (i = 0; i < r->pages; i++) {
		r->state[i].seam = false;
		if (r->state[i].seed)
			page_fill(page_at(r->base, i), r->state[i].seed);
	}
	pthread_rwlock_unlock(&r->move);
	/* Only this thread moves the base. */
	register_pages(r, 0, cut);
	register_pages(r, cut, r->pages);
	count(OP_REGISTER);
}

static void *player_run(void *arg)
{
	static void (*const plays[])(struct region *r) = {
		play_dontneed, play_mprotect, play_mremap, play_discard,
		play_unmerge, play_fork, play_share,
	};

	random_seed((unsigned long)arg);
	while (!stopping()) {
		struct region *r = regions[random_below(ARRAY_SIZE(regions))];

		if (random_below(10))
			plays[random_below(ARRAY_SIZE(plays))](r);
		else
			play_register();
		sleep_ms(random_below(5));
	}
	return NULL;
}

/* ---- a worker ---- */

static void region_init(struct region *r)
{
	/* Or readers would keep the player from ever moving anything. */
	const int kind = PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, kind);
	pthread_rwlock_init(&r->move, &attr);
	r->state = calloc(r->pages, sizeof(*r->state));
	CHECK(r->state);
	r->fd = ksm_open();
}

static void regions_init(void)
{
	int fd = ksm_open();

	region_init(&mapped);
	mapped.base = map_area(mapped.fd, mapped.pages);
	mapped.alias = map_area(mapped.fd, mapped.pages);
	region_init(&registered);
	registered.base = map_anon(registered.pages);
	ksm_range_do(registered.fd, KSM_REGISTER, registered.base,
		     registered.pages);
	lanes.base = map_area(fd, LANES_PAGES);
	close(fd);
}

static void regions_verify(void)
{
	unsigned long i;
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(regions); n++) {
		for (i = 0; i < regions[n]->pages; i++)
			page_verify(regions[n], i, page_at(regions[n]->base, i));
		__atomic_add_fetch(&shared->verified, i, __ATOMIC_RELAXED);
	}
}

__attribute__((noreturn))
static void worker_run(u64 seed)
{
	pthread_t threads[WRITERS + READERS + 1];
	unsigned int i;

	regions_init();
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		/* The low byte is the number of the thread. */
		void *arg = (void *)(unsigned long)((seed << 8) | i);

		CHECK_EQ(pthread_create(&threads[i], NULL,
					i < WRITERS ? writer_run :
					i < WRITERS + READERS ? reader_run :
					player_run, arg), 0);
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	regions_verify();
	lanes_verify();
	_exit(0);
}

__attribute__((noreturn))
static void scanner_run(void)
{
	int fd = ksm_open();

	while (!stopping()) {
		ksm_scan_flags(fd, shared->ops[OP_SCAN] & 1 ? KSM_SCAN_FORCE : 0);
		count(OP_SCAN);
	}
	_exit(0);
}

/* ---- the supervisor ---- */

static unsigned int option_seconds = 60;
static u64 option_seed;
static pid_t workers[WORKERS], scanner;
static u64 worker_seeds;

static void worker_start(unsigned int n)
{
	u64 seed = option_seed * 1000 + worker_seeds++;

	workers[n] = tap_fork();
	if (!workers[n])
		worker_run(seed);
}

static void worker_kill(unsigned int n)
{
	int status;

	MUST(kill(workers[n], SIGKILL));
	status = tap_wait(workers[n]);
	if (!WIFSIGNALED(status))
		tap_fail("a worker, before it was killed: %s",
			 tap_status_text(status));
	count(OP_KILL);
	worker_start(n);
}

static void check_alive(void)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid > 0)
		tap_fail("a worker ended: %s", tap_status_text(status));
}

static void progress(time_t seconds)
{
	tap_note("%lld s: %llu page writes, %llu reads, %lld pages share %lld frames, %lld copies",
		 (long long)seconds, (unsigned long long)shared->ops[OP_FILL],
		 (unsigned long long)shared->ops[OP_READ],
		 (long long)(ksm_get("pages_sharing") + ksm_get("pages_shared")),
		 (long long)ksm_get("pages_shared"),
		 (long long)ksm_get("cow_breaks"));
}

/* By chance, but at least one: a short run might go without. */
static bool time_to_kill(time_t passed)
{
	return !random_below(3) ||
	       (!shared->ops[OP_KILL] && passed >= option_seconds / 2);
}

static void supervise(void)
{
	time_t start = time(NULL), now, said = start;

	while ((now = time(NULL)) < start + option_seconds) {
		sleep_ms(200 + random_below(1500));
		check_alive();
		if (time_to_kill(now - start))
			worker_kill(random_below(WORKERS));
		if (now >= said + 10) {
			progress(now - start);
			said = now;
		}
	}
}

static void full_speed(void)
{
	ksm_quiet();
	ksm_set("scan_threads", "2");
	ksm_set("advisor_max_cpu", "6400");
	ksm_set("sleep_millisecs", "0");
	ksm_set("rest_millisecs", "0");
	ksm_set("max_page_sharing", "16");
	ksm_set("run", "1");
}

static void test_stress(void)
{
	unsigned int i;

	alarm(option_seconds + 600);
	full_speed();
	random_seed(option_seed);
	for (i = 0; i < WORKERS; i++)
		worker_start(i);
	scanner = tap_fork();
	if (!scanner)
		scanner_run();
	supervise();
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < WORKERS; i++)
		tap_join(workers[i]);
	tap_join(scanner);
	for (i = 0; i < OPS; i++)
		tap_note("%12llu %s", (unsigned long long)shared->ops[i],
			 op_names[i]);
	tap_note("%12llu pages verified at the end",
		 (unsigned long long)shared->verified);
}

static s64 merged_before, breaks_before;	/* taken by main() */

static void test_merged(void)
{
	s64 merged = ksm_get("pages_merged_total") - merged_before;
	s64 breaks = ksm_get("cow_breaks") - breaks_before;

	tap_note("%12lld pages merged", (long long)merged);
	tap_note("%12lld copies on write", (long long)breaks);
	CHECK(merged > 0);
	CHECK(breaks > 0);
}

static void test_everything_happened(void)
{
	unsigned int i;

	for (i = 0; i < OPS; i++)
		if (!shared->ops[i] && (i != OP_KILL || option_seconds >= 10))
			tap_fail("expected some of: %s", op_names[i]);
	CHECK_EQ(shared->verified, WORKERS * (mapped.pages + registered.pages +
					      LANES_PAGES));
}

static void test_nothing_left(void)
{
	ksm_check_nothing_left();
	ksm_quiet();
}

static const struct tap_test tests[] = {
	{ "no byte was wrong", test_stress },
	{ "pages merged and were copied meanwhile", test_merged },
	{ "each operation happened, each page was verified",
	  test_everything_happened },
	{ "nothing is left behind", test_nothing_left },
};

static bool options(int argc, char **argv)
{
	int i;

	option_seed = time(NULL) ^ getpid();
	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seconds"))
			option_seconds = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--seed"))
			option_seed = strtoull(argv[i + 1], NULL, 0);
		else
			return false;
	}
	return i == argc && option_seconds;
}

int main(int argc, char **argv)
{
	int ret;

	if (!options(argc, argv)) {
		fprintf(stderr, "usage: %s [--seconds N] [--seed S]\n", argv[0]);
		return 2;
	}
	tap_note("seed %llu", (unsigned long long)option_seed);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	merged_before = ksm_get("pages_merged_total");
	breaks_before = ksm_get("cow_breaks");
	ret = tap_main(1, argv, tests, ARRAY_SIZE(tests), NULL);
	ksm_try_set("run", "1");
	return ret;
}
