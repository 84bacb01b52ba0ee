// SPDX-License-Identifier: GPL-2.0
/*
 * What an ordinary user may try with the memory of /dev/ksm: mappings that reach beyond
 * their file or ahead of a registration, memory that does not come back, races that lose
 * what was written.
 */
#define _GNU_SOURCE
#include "ksm_attack.h"

/* ---- mappings that reach beyond their file, and ahead of a registration ---- */

struct registration {
	pthread_t thread;
	int fd;
	char *mem;
	unsigned long pages;
	int err;		/* 0 or a negative errno */
	u64 done;		/* pages */
	bool over;
};

static void *registration_run(void *arg)
{
	struct registration *r = arg;

	r->err = range_try(r->fd, KSM_REGISTER, r->mem, r->pages, &r->done);
	__atomic_store_n(&r->over, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool registration_over(struct registration *r)
{
	return __atomic_load_n(&r->over, __ATOMIC_ACQUIRE);
}

/* Begins with @pages of small frames, of seed, seed + 1, ... */
static void registration_start(struct registration *r, unsigned long pages, u64 seed)
{
	r->pages = pages;
	r->mem = map_anon(pages);
	r->over = false;
	madvise(r->mem, pages * PAGE, MADV_NOHUGEPAGE);
	pages_fill(r->mem, pages, seed, 1);
}

/* A second mapping as soon as the first page was taken over, or NULL. */
static char *registration_duplicate(struct registration *r)
{
	char *dup;
	bool over;

	do {
		over = registration_over(r);
		dup = mremap(r->mem, 0, r->pages * PAGE, MREMAP_MAYMOVE);
	} while (dup == MAP_FAILED && !over);
	return dup == MAP_FAILED ? NULL : dup;
}

/*
 * Anonymous pages that came back from a registration have the references that
 * they need: a child keeps its contents when this process writes.
 */
static void check_anon(char *mem, unsigned long pages, u64 seed)
{
	struct turn written = turn_make(), forked = turn_make();
	pid_t pid = tap_fork();

	if (!pid) {
		turn_pass(&forked);
		turn_wait(&written);
		pages_check(mem, pages, seed, 1);
		_exit(0);
	}
	turn_wait(&forked);
	pages_fill(mem, pages, seed + 1000000, 1);
	turn_pass(&written);
	tap_join(pid);
	pages_check(mem, pages, seed + 1000000, 1);
}

enum { UNDO_PAGES = 1024, UNDO_FROM = 600, UNDO_DISCARDED = 8 };

/* While pages are discarded by the other mapping, the registration of them ends by EBUSY. */
static unsigned int undo_discard(struct registration *r, char *dup)
{
	unsigned int calls = 0;

	while (!registration_over(r)) {
		if (calls++ & 1)
			madvise(page_at(dup, UNDO_FROM), UNDO_DISCARDED * PAGE,
				MADV_REMOVE);
		else
			range_try(r->fd, KSM_DISCARD, page_at(dup, UNDO_FROM),
				  UNDO_DISCARDED, NULL);
		usleep(200);
	}
	return calls;
}

static void undo_check(struct registration *r, u64 seed)
{
	char *at = page_at(r->mem, UNDO_FROM), buf[16];
	struct iovec local = { buf, 16 }, remote = { at, 16 };
	unsigned int i;

	CHECK_EQ(ksm_stats(r->fd).pages_pending, 0);
	pages_check(r->mem, UNDO_FROM, seed, 1);
	for (i = 0; i < UNDO_DISCARDED; i++, remote.iov_base += PAGE) {
		CHECK_EQ(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), 16);
		CHECK_EQ(memcmp(buf, remote.iov_base, 16), 0);
		CHECK(page_holds(remote.iov_base, 0) ||
		      page_holds(remote.iov_base, seed + UNDO_FROM + i));
		page_fill(remote.iov_base, seed + UNDO_FROM + i);
	}
	pages_check(r->mem, UNDO_PAGES, seed, 1);
	check_anon(page_at(r->mem, r->done), UNDO_PAGES - r->done, seed + r->done);
}

static void attack_undo(void)
{
	struct registration r = { .over = false };
	unsigned int rounds = 0, hits = 0;
	int pipe_fd[2];
	u64 seed;
	char *dup;

	be_user(16384);
	r.fd = ksm_open_private();
	attack_begin();
	for (seed = 1; attack_lasts(); seed += UNDO_PAGES, rounds++) {
		registration_start(&r, UNDO_PAGES, seed);
		/* The last page is in use: what was taken of the last chunk comes back. */
		pipe_page(pipe_fd, page_at(r.mem, UNDO_PAGES - 1));
		r.thread = thread_start(registration_run, &r);
		dup = registration_duplicate(&r);
		hits += dup && undo_discard(&r, dup);
		thread_end(r.thread);
		CHECK_EQ(r.err, -EBUSY);
		CHECK(r.done < UNDO_PAGES);
		pipe_close(pipe_fd);
		if (dup)
			MUST(munmap(dup, UNDO_PAGES * PAGE));
		undo_check(&r, seed);
		MUST(munmap(r.mem, UNDO_PAGES * PAGE));
		CHECK_SOON(ksm_stats(r.fd).size == 0);
	}
	tap_note("%u rounds, in %u of them pages were discarded meanwhile", rounds, hits);
}

enum { DUP_PAGES = 3072, DUP_TAIL = 256 };

/* Writes ahead of the registration: each page has one content, in both mappings. */
static void dup_round(struct registration *r, u64 seed)
{
	unsigned long i, first = DUP_PAGES - DUP_TAIL;
	char *dup;

	registration_start(r, DUP_PAGES, seed);
	r->thread = thread_start(registration_run, r);
	dup = registration_duplicate(r);
	CHECK(dup);
	for (i = first; i < DUP_PAGES; i++) {
		poke(page_at(dup, i), 0xdd);
		range_try(r->fd, i & 1 ? KSM_UNMERGE : KSM_MERGE, page_at(dup, i), 1, NULL);
	}
	ksm_scan_force(r->fd);
	thread_end(r->thread);
	CHECK_EQ(r->err, 0);
	pages_check(r->mem, first, seed, 1);
	for (i = first; i < DUP_PAGES; i++)
		CHECK_EQ(memcmp(page_at(dup, i), page_at(r->mem, i), PAGE), 0);
	pages_fill(dup, DUP_PAGES, seed + 1, 1);
	pages_check(r->mem, DUP_PAGES, seed + 1, 1);
	ksm_scan_force(r->fd);
	MUST(munmap(dup, DUP_PAGES * PAGE));
	pages_check(r->mem, DUP_PAGES, seed + 1, 1);
	MUST(munmap(r->mem, DUP_PAGES * PAGE));
	CHECK_SOON(ksm_stats(r->fd).size == 0);
	CHECK_EQ(ksm_stats(r->fd).pages_private, 0);
}

static void attack_dup(void)
{
	struct registration r;
	u64 seed;
	int keep;

	be_user(16384);
	bus_catch();
	keep = ksm_open();
	attack_begin();
	for (seed = 1; attack_lasts(); seed += 2 * DUP_PAGES) {
		r.fd = ksm_open();
		dup_round(&r, seed);
		close(r.fd);
		/* No candidate of the area is left for others to merge with. */
		CHECK_SOON(ksm_domain_stats(keep).pages_unshared == 0);
		CHECK_EQ(ksm_domain_stats(keep).pages_private, 0);
	}
}

static char *beyond_tail;
static u64 beyond_faults;

static void *beyond_touch(void *arg)
{
	while (attack_lasts()) {
		CHECK_EQ(peek(arg), -BUS_ADRERR);
		beyond_faults++;
		MUST(madvise(beyond_tail, 1024 * PAGE, MADV_DONTNEED));
	}
	return NULL;
}

/* One page that grows by a TiB: others' offsets are not its own. */
static void attack_beyond(void)
{
	static const u64 pages = (1ULL << 28) + 1024;
	char *a = map_anon(1), *b = map_anon(2), *big;
	pthread_t thread;
	int fd, pipe_fd[2];

	be_user(2048);
	bus_catch();
	fd = ksm_open_private();
	page_fill(a, 1);
	pages_fill(b, 2, 2, 1);
	ksm_range_do(fd, KSM_REGISTER, a, 1);
	big = (char *)MUST(mremap(a, PAGE, pages * PAGE, MREMAP_MAYMOVE));
	beyond_tail = big + (pages - 1024) * PAGE;
	MUST(munmap(big + PAGE, beyond_tail - big - PAGE));
	pipe_page(pipe_fd, b);
	attack_begin();
	thread = thread_start(beyond_touch, beyond_tail + ((u64)b / PAGE & 511) * PAGE);
	while (attack_lasts()) {
		CHECK_EQ(range_try(fd, KSM_REGISTER, b, 1, NULL), -EBUSY);
		usleep(1000);
	}
	thread_end(thread);
	CHECK(beyond_faults > 0);
	pipe_close(pipe_fd);
	ksm_range_do(fd, KSM_REGISTER, b, 2);
	pages_check(b, 2, 2, 1);
	pages_check(big, 1, 1, 1);
}

static void attack_beyond_other(void)
{
	static const u64 offsets[] = {
		1, 2, 7, 8, 511, 512, 513, 1024, 1ULL << 18, 1ULL << 20, 1ULL << 28,
	};
	static const u64 pages = (1ULL << 28) + 1024;
	char *a = map_anon(1), *b = map_anon(8), *big;
	unsigned int i, j;
	int fd;

	be_user(2048);
	bus_catch();
	fd = ksm_open_private();
	page_fill(a, 1);
	pages_fill(b, 8, 2, 1);
	ksm_range_do(fd, KSM_REGISTER, a, 1);
	ksm_range_do(fd, KSM_REGISTER, b, 8);
	big = (char *)MUST(mremap(a, PAGE, pages * PAGE, MREMAP_MAYMOVE));
	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		for (j = 0; j < 16; j++)
			CHECK_EQ(poke(page_at(big, offsets[i] + j), 1), -BUS_ADRERR);
	pages_check(big, 1, 1, 1);
	pages_check(b, 8, 2, 1);
	CHECK_EQ(ksm_stats(fd).size, 9);
}

/* The same for a mapping of the device, until its file has grown. */
static void attack_beyond_area(void)
{
	int fd, file;
	char *mem;

	be_user(4);
	bus_catch();
	fd = ksm_open_private();
	mem = map_area(fd, 1);
	page_fill(mem, 1);
	mem = (char *)MUST(mremap(mem, PAGE, 4 * PAGE, MREMAP_MAYMOVE));
	CHECK_EQ(peek(page_at(mem, 1)), -BUS_ADRERR);
	CHECK_EQ(poke(page_at(mem, 3), 1), -BUS_ADRERR);
	CHECK_EQ(ksm_stats(fd).size, 1);
	file = ksm_get_file(fd);
	MUST(ftruncate(file, 2 * PAGE));
	CHECK_EQ(peek(page_at(mem, 1)), 0);
	CHECK_EQ(poke(page_at(mem, 1), 7), 0);
	CHECK_EQ(peek(page_at(mem, 2)), -BUS_ADRERR);
	pages_check(mem, 1, 1, 1);
	CHECK_EQ(ksm_stats(fd).size, 2);
}

/*
 * Pages before the registered one, for which nobody pays: remap_file_pages() shows any
 * part of the file in a mapping of enough pages.
 */
static void attack_remap(void)
{
	char *mem = map_anon(2 * CHUNK_PAGES), *one, *big;
	unsigned int i, taken = 0;
	int fd;

	be_user(1);
	bus_catch();
	fd = ksm_open_private();
	one = page_at(mem, CHUNK_PAGES - 1 - ((u64)mem / PAGE & (CHUNK_PAGES - 1)));
	page_fill(one, 1);
	ksm_range_do(fd, KSM_REGISTER, one, 1);
	big = (char *)MUST(mremap(one, 0, CHUNK_PAGES * PAGE, MREMAP_MAYMOVE));
	MUST(remap_file_pages(big, CHUNK_PAGES * PAGE, 0, 0, 0));
	for (i = 0; i < CHUNK_PAGES; i++)
		taken += !poke(page_at(big, i), 1);
	/* The registered page is one of them, if the file has any before it. */
	if (taken > 1)
		tap_fail("%u pages written for the limit of one", taken);
	CHECK(ksm_stats(fd).pages_private <= 1);
	CHECK_EQ(ksm_stats(fd).size, 1);
}

/* ---- registered memory whose head goes ---- */

static void attack_tail(void)
{
	char *room = map_anon(16);
	unsigned int i;
	int fd;

	be_user(2048);
	bus_catch();
	fd = ksm_open();
	page_fill(room, 1);
	MUST(munmap(page_at(room, 1), 15 * PAGE));
	ksm_range_do(fd, KSM_REGISTER, room, 1);
	CHECK_EQ(MUST(mremap(room, PAGE, 2 * PAGE, 0)), (long)room);
	CHECK_EQ(poke(page_at(room, 1), 42), -BUS_ADRERR);
	MUST(munmap(room, PAGE));
	for (i = 0; i < 3; i++) {
		ksm_scan(fd);
		CHECK_EQ(peek(page_at(room, 1)), -BUS_ADRERR);
		CHECK_EQ(poke(page_at(room, 1), 42), -BUS_ADRERR);
	}
}

/* A page within the file is there as long as a mapping shows it. */
static void attack_tail_within(void)
{
	char *mem, *dup;
	unsigned int i, k;
	int fd;

	be_user(2048);
	bus_catch();
	fd = ksm_open();
	attack_begin();
	for (k = 1; attack_lasts(); k++) {
		mem = map_anon(4);
		pages_fill(mem, 4, 4 * k, 1);
		ksm_range_do(fd, KSM_REGISTER, mem, 4);
		dup = (char *)MUST(mremap(page_at(mem, 2), 0, PAGE, MREMAP_MAYMOVE));
		MUST(munmap(mem, PAGE));
		MUST(munmap(page_at(mem, 2), PAGE));
		for (i = 0; i < 3; i++)
			ksm_scan_force(fd);
		CHECK(peek(dup) >= 0 && peek(page_at(mem, 1)) >= 0);
		pages_check(page_at(mem, 1), 1, 4 * k + 1, 1);
		pages_check(dup, 1, 4 * k + 2, 1);
		pages_check(page_at(mem, 3), 1, 4 * k + 3, 1);
		MUST(munmap(mem, 4 * PAGE));
		ksm_scan(fd);
		pages_check(dup, 1, 4 * k + 2, 1);
		MUST(munmap(dup, PAGE));
	}
}

enum { QUIET_PAGES = 1536, QUIET_LIMIT = 2048 };

/* What is unmapped comes back by itself, and the limit with it. */
static void quiet_run(bool rest)
{
	int fd = ksm_open_private();
	char *mem = map_anon(QUIET_PAGES);

	pages_fill(mem, QUIET_PAGES, 1, 1);
	ksm_range_do(fd, KSM_REGISTER, mem, QUIET_PAGES);
	if (rest) {
		ksm_scan_force(fd);
		CHECK_SOON(ksm_scan(fd).pages_hashed == 0);
		CHECK_EQ(ksm_domain_stats(fd).pages_unshared, QUIET_PAGES);
	}
	MUST(munmap(mem, QUIET_PAGES / 3 * PAGE));
	CHECK_SOON(ksm_stats(fd).pages_private == QUIET_PAGES / 3 * 2);
	pages_check(page_at(mem, QUIET_PAGES / 3), QUIET_PAGES / 3 * 2,
		    1 + QUIET_PAGES / 3, 1);
	MUST(munmap(page_at(mem, QUIET_PAGES / 3 * 2), QUIET_PAGES / 3 * PAGE));
	CHECK_SOON(ksm_stats(fd).pages_private == QUIET_PAGES / 3);
	pages_check(page_at(mem, QUIET_PAGES / 3), QUIET_PAGES / 3,
		    1 + QUIET_PAGES / 3, 1);
	MUST(munmap(mem, QUIET_PAGES * PAGE));
	CHECK_SOON(ksm_stats(fd).pages_private == 0 && ksm_stats(fd).size == 0);
	mem = map_anon(QUIET_PAGES);
	CHECK_EQ(range_try(fd, KSM_REGISTER, mem, QUIET_PAGES, NULL), 0);
	MUST(munmap(mem, QUIET_PAGES * PAGE));
	CHECK_SOON(ksm_stats(fd).size == 0);
}

static void attack_never(void)
{
	be_user(QUIET_LIMIT);
	quiet_run(false);
}

static void attack_quiet(void)
{
	be_user(QUIET_LIMIT);
	quiet_run(true);
}

static void attack_quiet_run(void)
{
	ksm_set("run", "1");
	be_user(QUIET_LIMIT);
	quiet_run(true);
}

/* ---- what is written is there ---- */

enum { GROW_OTHERS = 300 };

/* A file that grows and shrinks beside the scanner. */
static void attack_grow(void)
{
	char *others = map_anon(2 * GROW_OTHERS), *mem;
	int fd, file, i, n;
	pthread_t thread;
	u64 rounds = 0;

	be_user(16384);
	bus_catch();
	fd = ksm_open_private();
	pages_fill(others, 2 * GROW_OTHERS, 7000, 1);
	for (i = 0; i < GROW_OTHERS; i++)
		ksm_range_do(fd, KSM_REGISTER, page_at(others, 2 * i), 1);
	file = ksm_get_file(fd);
	mem = map_area(fd, 2);
	attack_begin();
	thread = thread_start(scan_always, &fd);
	while (attack_lasts()) {
		n = rounds++ % 200 + 1;
		MUST(ftruncate(file, PAGE));
		CHECK_EQ(peek(page_at(mem, 1)), -BUS_ADRERR);
		MUST(ftruncate(file, 2 * PAGE));
		CHECK_EQ(peek(page_at(mem, 1)), 0);
		CHECK_EQ(poke(page_at(mem, 1), n), 0);
		for (i = 0; i < 300; i++)
			CHECK_EQ(peek(page_at(mem, 1)), n);
	}
	thread_end(thread);
	tap_note("%llu rounds", (unsigned long long)rounds);
	pages_check(others, 2 * GROW_OTHERS, 7000, 1);
}

static u64 zero_reads;

static void *zero_read(void *arg)
{
	while (attack_lasts()) {
		(void)peek(arg);
		zero_reads++;
	}
	return NULL;
}

/* Readers that are about to map the zero frame, a discard, a write. */
static void attack_zero(void)
{
	char *reads, *writes;
	pthread_t thread[2];
	unsigned int i, n;
	u64 rounds = 0;
	s64 end;
	int fd;

	be_user(2048);
	fd = ksm_open();
	reads = map_area(fd, 1);
	writes = map_area(fd, 1);
	attack_begin();
	for (i = 0; i < 2; i++)
		thread[i] = thread_start(i ? scan_always : zero_read, i ? (void *)&fd : reads);
	while (attack_lasts()) {
		n = rounds++ % 100 + 1;
		if (rounds & 1)
			ksm_range_do(fd, KSM_DISCARD, writes, 1);
		else
			MUST(madvise(writes, PAGE, MADV_REMOVE));
		*(volatile char *)writes = n;
		for (end = now_ms() + 5000; *(volatile char *)reads != (char)n;)
			CHECK(now_ms() < end);
	}
	for (i = 0; i < 2; i++)
		thread_end(thread[i]);
	tap_note("%llu rounds, %llu reads", (unsigned long long)rounds,
		 (unsigned long long)zero_reads);
}

/* Pages that another thread discards while they are registered. */
struct discarder {
	struct registration *r;
	unsigned long page;
	u64 rounds;
	u64 zeroes;
};

static void *discard_run(void *arg)
{
	struct discarder *d = arg;
	volatile char *p = page_at(d->r->mem, d->page);
	char n = 0;
	unsigned int i;

	do {
		n = n % 100 + 1;
		*p = n;
		/* Anonymous memory is zero after it, a file's is as it was. */
		MUST(madvise((void *)p, PAGE, MADV_DONTNEED));
		if (*p == 0) {
			for (i = 0; i < 100; i++)
				CHECK_EQ(*p, 0);
			d->zeroes++;
		} else {
			CHECK_EQ(*p, n);
		}
		n++;
		*p = n;
		for (i = 0; i < 100; i++)
			CHECK_EQ(*p, n);
		d->rounds++;
	} while (!registration_over(d->r));
	CHECK_EQ(*p, n);
	return NULL;
}

static void attack_discard_while_registering(void)
{
	struct registration r = { .over = false };
	struct discarder d = { .r = &r };
	unsigned int busy;
	pthread_t thread;
	u64 from;

	be_user(16384);
	r.fd = ksm_open_private();
	attack_begin();
	while (attack_lasts()) {
		registration_start(&r, DUP_PAGES, 1);
		d.page = DUP_PAGES / 2 + d.rounds % 300;
		thread = thread_start(discard_run, &d);
		for (from = 0, busy = 0; from < DUP_PAGES; from += r.done) {
			r.err = range_try(r.fd, KSM_REGISTER, page_at(r.mem, from),
					  DUP_PAGES - from, &r.done);
			if (r.err)
				CHECK_EQ(r.err, -EBUSY);
			if (r.err && ++busy == 100)
				__atomic_store_n(&r.over, true, __ATOMIC_RELEASE);
			CHECK(busy < 200);
		}
		__atomic_store_n(&r.over, true, __ATOMIC_RELEASE);
		thread_end(thread);
		pages_check(r.mem, d.page, 1, 1);
		pages_check(page_at(r.mem, d.page + 1), DUP_PAGES - d.page - 1,
			    d.page + 2, 1);
		MUST(munmap(r.mem, DUP_PAGES * PAGE));
		CHECK_SOON(ksm_stats(r.fd).size == 0);
	}
	tap_note("%llu rounds, %llu times zero", (unsigned long long)d.rounds,
		 (unsigned long long)d.zeroes);
}

/* Pages that two threads write for the first time while they are registered. */
struct toucher {
	struct registration *r;
	unsigned int byte;
};

enum { TOUCH_STRIDE = 1031 };	/* no divisor of DUP_PAGES */

static void *touch_run(void *arg)
{
	struct toucher *t = arg;
	unsigned long i;

	for (i = 0; i < DUP_PAGES; i++) {
		page_at(t->r->mem, (i + t->byte * 100) * TOUCH_STRIDE % DUP_PAGES)[t->byte] = 1;
		if (i % 64 == 63)
			usleep(500);
	}
	return NULL;
}

static void attack_first_touch(void)
{
	struct registration r = { .pages = DUP_PAGES };
	struct toucher toucher[2] = { { &r, 0 }, { &r, 1 } };
	pthread_t thread[2];
	unsigned long i, rounds;
	u64 from;

	be_user(16384);
	r.fd = ksm_open_private();
	attack_begin();
	for (rounds = 0; attack_lasts(); rounds++) {
		r.mem = map_anon(DUP_PAGES);
		madvise(r.mem, DUP_PAGES * PAGE, MADV_NOHUGEPAGE);
		for (i = 0; i < 2; i++)
			thread[i] = thread_start(touch_run, &toucher[i]);
		usleep(rounds % 10 * 1000);
		for (from = 0; from < DUP_PAGES; from += r.done) {
			r.err = range_try(r.fd, KSM_REGISTER, page_at(r.mem, from),
					  DUP_PAGES - from, &r.done);
			if (r.err)
				CHECK_EQ(r.err, -EBUSY);
		}
		for (i = 0; i < 2; i++)
			thread_end(thread[i]);
		for (i = 0; i < DUP_PAGES; i++)
			if (!page_at(r.mem, i)[0] || !page_at(r.mem, i)[1])
				tap_fail("round %lu: page %lu: a write beside KSM_REGISTER is lost",
					 rounds, i);
		MUST(munmap(r.mem, DUP_PAGES * PAGE));
		CHECK_SOON(ksm_stats(r.fd).size == 0);
	}
	tap_note("%lu rounds", rounds);
}

enum { HOLE = 100, HOLE_PAGES = 8 };	/* what another thread changes */

/* Counts in all pages but the hole, while they are registered. */
static void *count_run(void *arg)
{
	struct registration *r = arg;
	u64 count = 0;
	unsigned long i;

	while (!registration_over(r)) {
		count++;
		for (i = 0; i < DUP_PAGES; i++)
			if (i < HOLE || i >= HOLE + HOLE_PAGES)
				__atomic_add_fetch((u64 *)page_at(r->mem, i) + 1, 1,
						   __ATOMIC_RELAXED);
	}
	return (void *)count;
}

static void check_counts(struct registration *r, u64 seed, u64 count, unsigned long round)
{
	unsigned long i;

	for (i = 0; i < DUP_PAGES; i++) {
		if (i >= HOLE && i < HOLE + HOLE_PAGES)
			continue;
		((u64 *)page_at(r->mem, i))[1] -= count;
		if (!page_holds(page_at(r->mem, i), seed + i))
			tap_fail("round %lu: page %lu: a write beside KSM_REGISTER is lost",
				 round, i);
	}
}

/*
 * A part of the memory is unmapped, or has other rights for a moment.  Nothing is kept of
 * what was unmapped; but nothing is lost of the rest, and nothing stays pinned.
 */
static void attack_hole(void)
{
	struct registration r = { .pages = DUP_PAGES };
	pthread_t counter;
	unsigned long rounds;
	void *count;
	char *hole;
	u64 seed;

	be_user(16384);
	r.fd = ksm_open_private();
	attack_begin();
	for (rounds = 0, seed = 1; attack_lasts(); rounds++, seed += DUP_PAGES) {
		registration_start(&r, DUP_PAGES, seed);
		hole = page_at(r.mem, HOLE);
		counter = thread_start(count_run, &r);
		r.thread = thread_start(registration_run, &r);
		usleep(rounds % 40 * 250);
		if (rounds & 1) {
			MUST(munmap(hole, HOLE_PAGES * PAGE));
		} else {
			MUST(mprotect(hole, HOLE_PAGES * PAGE, PROT_READ));
			MUST(mprotect(hole, HOLE_PAGES * PAGE, PROT_READ | PROT_WRITE));
		}
		thread_end(r.thread);
		CHECK_EQ(pthread_join(counter, &count), 0);
		if (r.err != -EBUSY && r.err != -EACCES && r.err != -ENOMEM)
			CHECK_EQ(r.err, 0);
		check_counts(&r, seed, (u64)count, rounds);
		if (!(rounds & 1))
			pages_check(hole, HOLE_PAGES, seed + HOLE, 1);
		MUST(munmap(r.mem, DUP_PAGES * PAGE));
		CHECK_SOON(ksm_stats(r.fd).size == 0);
	}
	tap_note("%lu rounds", rounds);
}

/* Two threads that register parts of the same memory; one also puts new memory there. */
struct claimer {
	int fd;
	char *mem;
	unsigned int seed;
	bool replaces;
	unsigned long calls, taken;
};

enum { CLAIM_PAGES = 64 };

static void *claim_run(void *arg)
{
	struct claimer *c = arg;
	unsigned long first, pages, i;
	int err;

	for (; attack_lasts(); c->calls++) {
		first = rand_r(&c->seed) % CLAIM_PAGES;
		pages = 1 + rand_r(&c->seed) % (CLAIM_PAGES - first);
		err = range_try(c->fd, KSM_REGISTER, page_at(c->mem, first), pages, NULL);
		if (err != -EBUSY && err != -EINVAL && err != -ENOMEM)
			CHECK_EQ(err, 0);
		c->taken += !err;
		if (c->replaces)
			CHECK(mmap(c->mem, CLAIM_PAGES * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == c->mem);
		for (i = 0; i < CLAIM_PAGES; i++)
			poke(page_at(c->mem, i), 1);
	}
	return NULL;
}

static void attack_claim(void)
{
	struct claimer claimers[2];
	pthread_t thread[2];
	unsigned int i;

	be_user(16384);
	bus_catch();
	claimers[0] = (struct claimer){ .fd = ksm_open_private(), .mem = map_anon(CLAIM_PAGES) };
	claimers[1] = claimers[0];
	claimers[1].seed = 1;
	claimers[1].replaces = true;
	attack_begin();
	for (i = 0; i < 2; i++)
		thread[i] = thread_start(claim_run, &claimers[i]);
	for (i = 0; i < 2; i++)
		thread_end(thread[i]);
	tap_note("%lu and %lu calls, of which %lu and %lu took all", claimers[0].calls,
		 claimers[1].calls, claimers[0].taken, claimers[1].taken);
	CHECK(claimers[0].taken + claimers[1].taken);
	MUST(munmap(claimers[0].mem, CLAIM_PAGES * PAGE));
	CHECK_SOON(ksm_stats(claimers[0].fd).size == 0);
}

/* ---- merging against itself ---- */

/*
 * One content in two files of a domain, again and again: it is merged, written and
 * discarded at once, so that its frame comes and goes.
 */
struct sharer {
	int fd;
	char *mem;
	u64 rounds;
};

enum { SHARED_PAGES = 2 * CHUNK_PAGES, SHARED_STEP = 37 };

static void *share_run(void *arg)
{
	struct sharer *s = arg;
	unsigned long i;

	while (attack_lasts()) {
		for (i = s->rounds % SHARED_STEP; i < SHARED_PAGES; i += SHARED_STEP) {
			page_fill(page_at(s->mem, i), 5);
			CHECK(page_holds(page_at(s->mem, i), 5));
		}
		if (s->rounds & 1)
			ksm_range_do(s->fd, KSM_UNMERGE, s->mem, CHUNK_PAGES);
		for (i = s->rounds % SHARED_STEP; i < SHARED_PAGES; i += SHARED_STEP) {
			CHECK(page_holds(page_at(s->mem, i), 5));
			if (i & 1)
				page_at(s->mem, i)[100] ^= 1;
			else
				ksm_range_do(s->fd, KSM_DISCARD, page_at(s->mem, i), 1);
			CHECK(!page_holds(page_at(s->mem, i), 5));
		}
		if (s->rounds & 1)
			ksm_range_do(s->fd, KSM_MERGE, s->mem, CHUNK_PAGES);
		s->rounds++;
	}
	return NULL;
}

static void attack_sharers(void)
{
	struct sharer sharers[2] = { { .rounds = 0 } };
	pthread_t thread[4];
	unsigned int i;

	be_user(16384);
	attack_begin();
	for (i = 0; i < 2; i++) {
		sharers[i].fd = ksm_open();
		sharers[i].mem = map_area(sharers[i].fd, SHARED_PAGES);
		thread[i] = thread_start(share_run, &sharers[i]);
	}
	for (i = 0; i < 2; i++)
		thread[2 + i] = thread_start(scan_always, &sharers[i].fd);
	for (i = 0; i < 4; i++)
		thread_end(thread[i]);
	for (i = 0; i < 2; i++) {
		CHECK(sharers[i].rounds > 0);
		pages_fill(sharers[i].mem, SHARED_PAGES, 5, 0);
	}
	ksm_scan_force(sharers[0].fd);
	CHECK_EQ(ksm_domain_stats(sharers[0].fd).pages_private, 0);
	for (i = 0; i < 2; i++)
		pages_check(sharers[i].mem, SHARED_PAGES, 5, 0);
}

/* One call of KSM_SCAN finds what was written before it, however long all was at rest. */
static void attack_rested(void)
{
	int fd, i;
	char *mem;

	be_user(16384);
	fd = ksm_open_private();
	mem = map_area(fd, 8 * CHUNK_PAGES);
	pages_fill(mem, 8 * CHUNK_PAGES, 1, 1);
	for (i = 0; i < 50; i++)
		ksm_scan(fd);
	page_fill(page_at(mem, CHUNK_PAGES + 3), 9999999);
	page_fill(page_at(mem, 6 * CHUNK_PAGES + 7), 9999999);
	CHECK_EQ(ksm_scan(fd).pages_merged, 1);
	CHECK_EQ(ksm_stats(fd).pages_merged, 2);
}

/* ---- a file's end ---- */

enum { SELF_PAGES = 4 };

struct self {
	int file;
	char *mem;
	bool writes;
	u64 calls;
};

/* read() and write() between the file and a mapping of it, the same page as well. */
static void *self_run(void *arg)
{
	struct self *s = arg;
	unsigned int from, to;
	ssize_t n;

	for (; attack_lasts(); s->calls++) {
		from = s->calls % SELF_PAGES;
		to = s->calls / SELF_PAGES % SELF_PAGES;
		if (s->writes)
			n = pwrite(s->file, page_at(s->mem, from), PAGE, to * PAGE);
		else
			n = pread(s->file, page_at(s->mem, to), PAGE, from * PAGE);
		if (n < 0)
			CHECK_EQ(errno, EFAULT);
	}
	return NULL;
}

static void attack_self(void)
{
	struct self self[2] = { { .writes = true }, { .writes = false } };
	pthread_t thread[3];
	u64 rounds = 0;
	struct stat st;
	int fd, file, i;
	char *mem;

	be_user(SELF_PAGES);
	fd = ksm_open_private();
	file = ksm_get_file(fd);
	mem = map_area(fd, SELF_PAGES);
	pages_fill(mem, SELF_PAGES, 5, 0);
	attack_begin();
	for (i = 0; i < 2; i++) {
		self[i].file = file;
		self[i].mem = mem;
		thread[i] = thread_start(self_run, &self[i]);
	}
	thread[2] = thread_start(scan_always, &fd);
	for (; attack_lasts(); rounds++) {
		MUST(ftruncate(file, rounds % SELF_PAGES * PAGE));
		MUST(ftruncate(file, SELF_PAGES * PAGE));
		if (rounds & 1)
			MUST(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				       PAGE, PAGE));
		CHECK_EQ(pwrite(file, "x", 1, rounds % SELF_PAGES * PAGE), 1);
	}
	for (i = 0; i < 3; i++)
		thread_end(thread[i]);
	CHECK(self[0].calls > 0 && self[1].calls > 0 && rounds > 0);
	tap_note("%llu cuts, %llu writes, %llu reads", (unsigned long long)rounds,
		 (unsigned long long)self[0].calls, (unsigned long long)self[1].calls);
	MUST(fstat(file, &st));
	CHECK_EQ(st.st_size, SELF_PAGES * PAGE);
	MUST(ftruncate(file, 0));
	MUST(ftruncate(file, SELF_PAGES * PAGE));
	pages_check(mem, SELF_PAGES, 0, 0);
	pages_fill(mem, SELF_PAGES, 6, 1);
	pages_check(mem, SELF_PAGES, 6, 1);
}

enum { LONGER_PAGES = 8, LONGER_FROM = 100, LONGER_BYTES = 3000 };

/* A file of /dev/ksm that a mapping makes longer beside calls on the file. */
struct longer {
	pthread_barrier_t start, end;
	int fd, file;
	bool over;
};

static void *longer_run(void *arg)
{
	struct longer *l = arg;
	char *mem;

	for (;;) {
		pthread_barrier_wait(&l->start);
		if (l->over)
			return NULL;
		mem = map_area(l->fd, LONGER_PAGES);
		*(volatile char *)page_at(mem, LONGER_PAGES - 2) = 7;
		MUST(munmap(mem, LONGER_PAGES * PAGE));
		pthread_barrier_wait(&l->end);
	}
}

/* @turn of both: fallocate(), which is not ftruncate(); write(), which is not zeroed. */
static void longer_call(struct longer *l, unsigned int turn, const char *text)
{
	char now[LONGER_BYTES], at;

	MUST(ftruncate(l->file, LONGER_FROM));
	pthread_barrier_wait(&l->start);
	if (turn & 1)
		MUST(fallocate(l->file, 0, 0, 2 * PAGE));
	else
		CHECK_EQ(pwrite(l->file, text, LONGER_BYTES, LONGER_FROM), LONGER_BYTES);
	pthread_barrier_wait(&l->end);
	CHECK_EQ(pread(l->file, &at, 1, (LONGER_PAGES - 2) * PAGE), 1);
	CHECK_EQ(at, 7);
	CHECK_EQ(pread(l->file, now, LONGER_BYTES, LONGER_FROM), LONGER_BYTES);
	if (!(turn & 1) && memcmp(now, text, LONGER_BYTES))
		tap_fail("write() of %d bytes: expected them in the file, got others",
			 LONGER_BYTES);
}

static void attack_longer(void)
{
	struct longer l = { .over = false };
	char text[LONGER_BYTES];
	unsigned int turns = 0;
	pthread_t thread;

	be_user(LONGER_PAGES);
	memset(text, 'x', sizeof(text));
	l.fd = ksm_open_private();
	l.file = ksm_get_file(l.fd);
	pthread_barrier_init(&l.start, NULL, 2);
	pthread_barrier_init(&l.end, NULL, 2);
	thread = thread_start(longer_run, &l);
	for (attack_begin(); attack_lasts(); turns++)
		longer_call(&l, turns, text);
	l.over = true;
	pthread_barrier_wait(&l.start);
	thread_end(thread);
	tap_note("%u turns", turns);
}

/* A file is cut in the middle of a merged page, while others share the frame. */
static void attack_cut_merged(void)
{
	int fd, file;
	char *mem, *other;

	be_user(64);
	bus_catch();
	fd = ksm_open_private();
	file = ksm_get_file(fd);
	mem = map_area(fd, 16);
	other = map_area(fd, 16);
	pages_fill(mem, 16, 5, 0);
	ksm_scan_force(fd);
	CHECK_EQ(ksm_stats(fd).pages_merged, 16);
	pages_check(other, 16, 5, 0);
	MUST(ftruncate(file, 7 * PAGE + 100));
	pages_check(mem, 7, 5, 0);
	CHECK(!memcmp(page_at(mem, 7), mem, 100));
	CHECK_EQ(peek(page_at(mem, 7) + 100), 0);
	CHECK_EQ(peek(page_at(other, 7) + PAGE - 1), 0);
	CHECK_EQ(peek(page_at(mem, 8)), -BUS_ADRERR);
	CHECK_EQ(poke(page_at(other, 15), 1), -BUS_ADRERR);
	CHECK_EQ(ksm_stats(fd).size, 8);
	CHECK_EQ(ksm_stats(fd).pages_merged + ksm_stats(fd).pages_private, 8);
	/* What was cut does not come back. */
	MUST(ftruncate(file, 16 * PAGE));
	CHECK_EQ(peek(page_at(mem, 7) + 100), 0);
	pages_check(page_at(mem, 8), 8, 0, 0);
	pages_check(other, 7, 5, 0);
	page_fill(mem, 6);
	pages_check(page_at(mem, 1), 6, 5, 0);
}

/* ---- the tests ---- */

#define ATTACK(name)	static void test_##name(void) { attack(attack_##name); }

ATTACK(undo)
ATTACK(dup)
ATTACK(beyond)
ATTACK(beyond_other)
ATTACK(beyond_area)
ATTACK(remap)
ATTACK(tail)
ATTACK(tail_within)
ATTACK(never)
ATTACK(quiet)
ATTACK(quiet_run)
ATTACK(grow)
ATTACK(zero)
ATTACK(discard_while_registering)
ATTACK(first_touch)
ATTACK(hole)
ATTACK(claim)
ATTACK(sharers)
ATTACK(rested)
ATTACK(self)
ATTACK(longer)
ATTACK(cut_merged)

static const struct tap_test tests[] = {
	{ "pages discarded by a second mapping while KSM_REGISTER of them fails", test_undo },
	{ "writes by a second mapping ahead of KSM_REGISTER", test_dup },
	{ "a registered page grown by a TiB, beside KSM_REGISTER that fails", test_beyond },
	{ "a registered page grown to the offsets of another", test_beyond_other },
	{ "a mapping grown beyond the file of the device", test_beyond_area },
	{ "remap_file_pages() shows no page for which nobody pays", test_remap },
	{ "registered page, grown, its head unmapped: SIGBUS behind the file's end", test_tail },
	{ "no SIGBUS within a registered file, whatever else was unmapped", test_tail_within },
	{ "registered, never scanned, unmapped: the memory comes back", test_never },
	{ "unmapped in a domain at rest: the memory comes back", test_quiet },
	{ "unmapped in a domain at rest, with run at 1: the memory comes back", test_quiet_run },
	{ "a file that grows and shrinks beside KSM_SCAN", test_grow },
	{ "a page read, discarded and written at once", test_zero },
	{ "MADV_DONTNEED beside KSM_REGISTER: what is gone stays gone",
	  test_discard_while_registering },
	{ "memory touched for the first time while it is registered", test_first_touch },
	{ "a part unmapped, or protected, while all is registered", test_hole },
	{ "two threads register the same memory", test_claim },
	{ "one content merged, written and discarded at once", test_sharers },
	{ "one KSM_SCAN merges what was written before it, after a long rest", test_rested },
	{ "read() and write() of a mapping of the same file beside ftruncate()", test_self },
	{ "mmap() makes the file longer beside write() and fallocate()", test_longer },
	{ "a file cut in the middle of a merged page", test_cut_merged },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
