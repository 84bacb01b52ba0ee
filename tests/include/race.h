/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What ksm_race knows of its files: a table in plain shared memory, never in
 * the memory under test, that says what each word of each file must be.
 *
 * A file is of one of three kinds:
 *
 *   exact  Each page has a lock and a value: words [from, to) of a pattern, zeroes
 *          around them.  Who changes a page holds its lock and notes the value that
 *          is to come, makes the change, and notes that it is there.  So a page
 *          has one value, or, after its writer was killed, in each byte one of two:
 *          the kernel's copy ends where the mapping went, in the midst of a word.
 *          The size changes under a lock of the file, with the locks of all pages
 *          from the smaller size on.
 *   lanes  Each actor owns a word of each page and nothing is locked: writers
 *          of one page race, and each must find its word as it left it.
 *          Nothing is cut.
 *   free   Nothing is locked, whatever races.  A word is 0, or made of its index and of
 *          the epoch in which its writer began, or, while that is at work and
 *          after it was killed, the low bytes are of one of these and the others of
 *          another one.
 *          Each cut begins an epoch; after it, all that is older must be
 *          gone, but for what writers had in hand (see epoch_begin()).
 *
 * Locks are taken in this order: size, then pages, the lower first; those of
 * one file only.  An actor is a thread or a process.  When it is killed, who
 * waits for it frees its locks, by what it noted before it took them.
 */
#ifndef RACE_H
#define RACE_H

#include <setjmp.h>

#include "ksm_test.h"

#define FILES_MAX	16U
#define PAGES_MAX	64U
#define ACTORS		64U
#define OPS_MAX		48U
#define PATTERNS	6U	/* of which most pages are; 0 means zeroes */
#define LANE_STRIDE	(PAGE_WORDS / ACTORS)

/* Of a word of a free file: its index and the epoch, and from EPOCH_AGAIN on ~epoch. */
#define INDEX_BITS	10
#define EPOCH_BITS	27
#define EPOCH_MASK	((1ULL << EPOCH_BITS) - 1)
#define EPOCH_AGAIN	(INDEX_BITS + EPOCH_BITS)

enum kind { EXACT, LANES, FREE };

/* Words [from, to) are those of the pattern, the others 0. */
struct value {
	u32 pattern;
	u32 from, to;
};

struct lane {
	u64 now, next;
};

struct page {
	u32 owner;		/* number of the actor, plus 1 */
	bool torn;		/* each byte is that of now or that of next */
	struct value now, next;
	u64 floor;		/* no older epoch can be there (free) */
	struct lane lane[ACTORS];
};

struct file {
	enum kind kind;
	int fd;			/* the same in all processes */
	int map_fd;		/* fd, or one of /dev/ksm: mmap() makes the file longer */
	bool unnamed;		/* of /dev/ksm */
	bool apart;		/* in a directory of its own */
	u64 ino;
	u32 size_owner;
	u64 size;		/* bytes (exact) */
	struct page page[PAGES_MAX];
};

struct actor {
	pid_t pid;		/* 0: nobody */
	const char *op;		/* what it does */
	u64 epoch;		/* of the words that it may be writing, or 0 */
	u64 child_steps;	/* operations of its latest child */
	struct file *file;	/* whose locks it may hold: */
	bool size;		/* that of the size, and */
	u32 first, end;		/* those of these pages */
};

/* What all processes see. */
struct table {
	bool stop;
	u64 epoch;		/* of all free files, from 1 */
	u64 count[OPS_MAX];	/* of each operation, */
	u64 least;		/* how often each happened at least, */
	unsigned int verified;	/* files at the end, and */
	u64 wrong;		/* bytes, which make */
	char verdict[160];	/* the name of the test */
	pid_t workers[ACTORS];
	struct actor actors[ACTORS];
	struct file files[FILES_MAX];
};

static struct table *table;
static unsigned int option_files = 8, option_pages = 16;
static __thread struct actor *me;

static inline bool stopping(void)
{
	return __atomic_load_n(&table->stop, __ATOMIC_RELAXED);
}

/* ---- random numbers: a state for each thread ---- */

static __thread u64 random_state;

static inline void random_seed(u64 seed)
{
	random_state = (seed + 1) * 0x9e3779b97f4a7c15ULL | 1;
}

static inline u64 random_below(u64 limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % limit;
}

/* ---- memory that may vanish while it is used ---- */

static __thread sigjmp_buf guard;
static __thread volatile bool guarded;

static inline void fault_handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (guarded)
		siglongjmp(guard, sig);
	tap_fail("unexpected SIG%s at %p in %s", sigabbrev_np(sig), info->si_addr,
		 me ? me->op : "a helper");
}

static inline void faults_catch(void)
{
	struct sigaction action = {
		.sa_sigaction = fault_handler,
		/* Not blocked by siglongjmp(), which then restores no mask. */
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	MUST(sigaction(SIGBUS, &action, NULL));
	MUST(sigaction(SIGSEGV, &action, NULL));
}

/* Word by word, in order.  Returns 0, SIGBUS or SIGSEGV. */
static inline int words_copy(void *to, const void *from, unsigned int words)
{
	const volatile u64 *source = from;
	volatile u64 *target = to;
	unsigned int i;
	int sig = sigsetjmp(guard, 0);

	if (!sig) {
		guarded = true;
		for (i = 0; i < words; i++)
			target[i] = source[i];
	}
	guarded = false;
	return sig;
}

/* ---- values ---- */

/* As cheap as it can be, for emulators. */
static inline u64 pattern_word(u32 pattern, unsigned int i)
{
	return pattern ? (pattern * 0x9e3779b97f4a7c15ULL) ^ (i + 1) : 0;
}

static inline void pattern_fill(void *page, u32 pattern)
{
	u64 *word = page;
	unsigned int i;

	for (i = 0; i < PAGE_WORDS; i++)
		word[i] = pattern_word(pattern, i);
}

static inline u64 value_word(struct value v, unsigned int i)
{
	return i >= v.from && i < v.to ? pattern_word(v.pattern, i) : 0;
}

static inline struct value value_make(u32 pattern, unsigned int from, unsigned int to)
{
	struct value v = { pattern, from, to };

	if (!pattern || from >= to)
		memset(&v, 0, sizeof(v));
	return v;
}

/* What is left when only words [from, to) are kept. */
static inline struct value value_clip(struct value v, unsigned int from, unsigned int to)
{
	return value_make(v.pattern, v.from > from ? v.from : from,
			  v.to < to ? v.to : to);
}

/* One that many pages have; now and then zeroes, or one that is nowhere else. */
static inline u32 pattern_pick(void)
{
	u64 kind = random_below(16);

	if (kind == 0)
		return PATTERNS + 1 + random_below(1U << 30);
	return kind < 3 ? 0 : 1 + random_below(PATTERNS);
}

/*
 * Which pattern can be written to words [from, to) of a page of value @v, so that
 * the result @after is a value again.
 */
static inline u32 pattern_beside(struct value v, unsigned int from, unsigned int to,
				 struct value *after)
{
	u32 pattern = v.pattern ?: pattern_pick();

	*after = v;
	if (!v.pattern) {
		*after = value_make(pattern, from, to);
	} else if (from <= v.to && to >= v.from) {
		after->from = v.from < from ? v.from : from;
		after->to = v.to > to ? v.to : to;
	} else {
		pattern = 0;
	}
	return pattern;
}

/* ---- what is wrong ---- */

static inline void verdict_set(void)
{
	snprintf(table->verdict, sizeof(table->verdict),
		 "%llu of each operation, %u files verified, %llu wrong bytes",
		 (unsigned long long)table->least, table->verified,
		 (unsigned long long)table->wrong);
}

static inline void wrong_add(unsigned int bytes)
{
	__atomic_add_fetch(&table->wrong, bytes, __ATOMIC_RELAXED);
	verdict_set();
}

static inline unsigned int bytes_differ(u64 a, u64 b)
{
	unsigned int bytes = 0;

	for (a ^= b; a; a >>= 8)
		bytes += !!(a & 0xff);
	return bytes;
}

/* Each byte is that of @a or that of @b. */
static inline bool word_mixed(u64 word, u64 a, u64 b)
{
	return bytes_differ(word, a) + bytes_differ(word, b) == bytes_differ(a, b);
}

static inline unsigned int file_number(const struct file *f)
{
	return f - table->files;
}

__attribute__((noreturn))
static inline void word_wrong(struct file *f, unsigned int page, unsigned int i, u64 got,
			      u64 want, const char *how)
{
	static const char *const kinds[] = { "exact", "lanes", "free" };

	tap_fail("file %u (%s) page %u word %u %s: expected %#llx, got %#llx",
		 file_number(f), kinds[f->kind], page, i, how,
		 (unsigned long long)want, (unsigned long long)got);
}

/* The page's lock is held, or all is at rest. */
static inline void exact_verify(struct file *f, unsigned int page, const u64 *words,
				unsigned int count, const char *how)
{
	const struct page *p = &f->page[page];
	unsigned int i, first = count, wrong = 0;

	for (i = 0; i < count; i++) {
		u64 want = value_word(p->now, i);

		if (words[i] == want ||
		    (p->torn && word_mixed(words[i], want, value_word(p->next, i))))
			continue;
		wrong += bytes_differ(words[i], want);
		if (first == count)
			first = i;
	}
	if (first == count)
		return;
	wrong_add(wrong);
	word_wrong(f, page, first, words[first], value_word(p->now, first), how);
}

/*
 * The epoch is there twice, so that parts of two words never look like a third: the
 * part that has one of the two as a whole says what the other one must be.
 */
static inline u64 epoch_word(u64 epoch, unsigned int i)
{
	return ~epoch << EPOCH_AGAIN | epoch << INDEX_BITS | (i + 1);
}

static inline u64 word_epoch(u64 word)
{
	return word >> INDEX_BITS & EPOCH_MASK;
}

/* The bits below @end are 0, or those of a word of an epoch in [first, last]. */
static inline bool low_fits(u64 word, unsigned int end, unsigned int i, u64 first, u64 last)
{
	u64 bits = (1ULL << end) - 1, known = bits >> INDEX_BITS & EPOCH_MASK;
	/* The first one that has the bits of an epoch that are there. */
	u64 epoch = first + ((word_epoch(word) - first) & known);

	return !(word & bits) ||
	       (epoch <= last && !((word ^ epoch_word(epoch, i)) & bits));
}

/* The same of the bits from @start on. */
static inline bool high_fits(u64 word, unsigned int start, unsigned int i, u64 first, u64 last)
{
	u64 bits = ~0ULL << start, epoch = (~word & bits) >> EPOCH_AGAIN;

	if (epoch < first)
		epoch = first;
	return !(word & bits) ||
	       (epoch <= last && !((word ^ epoch_word(epoch, i)) & bits));
}

/* A whole word must be of one of these epochs, and so must both parts of a torn one. */
static inline bool free_word_fits(u64 word, unsigned int i, u64 first, u64 last)
{
	u64 epoch = word_epoch(word);
	unsigned int bits;

	if (!word)
		return true;
	if (word == epoch_word(epoch, i))
		return epoch >= first && epoch <= last;
	for (bits = 8; bits < 64; bits += 8)
		if (low_fits(word, bits, i, first, last) &&
		    high_fits(word, bits, i, first, last))
			return true;
	return false;
}

/* @floor was read before the words. */
static inline void free_verify(struct file *f, unsigned int page, u64 floor,
			       const u64 *words, unsigned int count, const char *how)
{
	u64 epoch = __atomic_load_n(&table->epoch, __ATOMIC_ACQUIRE);
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (free_word_fits(words[i], i, floor, epoch))
			continue;
		wrong_add(bytes_differ(words[i], 0));
		word_wrong(f, page, i, words[i], epoch_word(floor, i), how);
	}
}

static inline unsigned int lane_index(const struct actor *a)
{
	return (a - table->actors) * LANE_STRIDE + 3;
}

static inline void lane_verify(struct file *f, unsigned int page, const struct actor *a,
			       const u64 *words, const char *how)
{
	const struct lane *lane = &f->page[page].lane[a - table->actors];
	unsigned int i = lane_index(a);

	if (words[i] == lane->now || words[i] == lane->next)
		return;
	wrong_add(bytes_differ(words[i], lane->now));
	word_wrong(f, page, i, words[i], lane->now, how);
}

/* ---- actors ---- */

static inline void actor_begin(const char *op)
{
	pid_t pid = getpid();
	unsigned int i;

	for (i = 0; i < ACTORS; i++) {
		pid_t nobody = 0;

		me = &table->actors[i];
		if (__atomic_compare_exchange_n(&me->pid, &nobody, pid, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			me->op = op;
			return;
		}
	}
	tap_fail("more than %u actors", ACTORS);
}

static inline void lock_free(u32 *owner, const struct actor *a)
{
	u32 id = a - table->actors + 1;

	__atomic_compare_exchange_n(owner, &id, 0, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
}

/* It ended, or was killed: how far its change of the size got, the file knows. */
static inline void actor_release(struct actor *a)
{
	struct file *f = a->file;
	struct stat st;

	if (a->size && f->size_owner == a - table->actors + 1) {
		MUST(fstat(f->fd, &st));
		f->size = st.st_size;
	}
	for (; a->first < a->end; a->first++)
		lock_free(&f->page[a->first].owner, a);
	if (a->size)
		lock_free(&f->size_owner, a);
	a->size = false;
	a->epoch = 0;
	__atomic_store_n(&a->pid, 0, __ATOMIC_SEQ_CST);
}

static inline void actors_release(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < ACTORS; i++)
		if (table->actors[i].pid == pid)
			actor_release(&table->actors[i]);
}

static inline void lock_take(u32 *owner)
{
	unsigned int tries = 0;
	u32 nobody = 0;

	while (!__atomic_compare_exchange_n(owner, &nobody, me - table->actors + 1,
					    false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST)) {
		nobody = 0;
		if (++tries % 32)
			sched_yield();
		else
			usleep(100);
	}
}

/* ---- pages and sizes of exact files ---- */

static inline void page_announce(struct page *p, struct value next)
{
	p->next = next;
	__atomic_store_n(&p->torn, true, __ATOMIC_SEQ_CST);
}

static inline void page_settle(struct page *p)
{
	p->now = p->next;
	__atomic_store_n(&p->torn, false, __ATOMIC_SEQ_CST);
}

/* How many words of the page are within the size. */
static inline unsigned int words_within(const struct file *f, unsigned int page)
{
	u64 start = page * PAGE;

	if (f->size <= start)
		return 0;
	return f->size - start < PAGE ? (f->size - start) / sizeof(u64) : PAGE_WORDS;
}

/* Its last writer was killed: check what is there, and finish what he had begun. */
static inline void page_heal(struct file *f, unsigned int page)
{
	unsigned int i, words = words_within(f, page);
	struct page *p = &f->page[page];
	u64 buf[PAGE_WORDS];

	CHECK_EQ(pread(f->fd, buf, PAGE, page * PAGE), words * sizeof(u64));
	exact_verify(f, page, buf, words, "after its writer was killed");
	/* The rest went when the size became smaller. */
	p->next = value_clip(p->next, 0, words);
	for (i = 0; i < words; i++)
		buf[i] = value_word(p->next, i);
	CHECK_EQ(pwrite(f->fd, buf, words * sizeof(u64), page * PAGE),
		 words * sizeof(u64));
	page_settle(p);
}

static inline void pages_lock(struct file *f, unsigned int first, unsigned int end)
{
	unsigned int i;

	me->file = f;
	me->first = first;
	__atomic_store_n(&me->end, end, __ATOMIC_SEQ_CST);
	for (i = first; i < end; i++) {
		lock_take(&f->page[i].owner);
		if (f->page[i].torn)
			page_heal(f, i);
	}
}

static inline void pages_unlock(struct file *f)
{
	for (; me->first < me->end; me->first++)
		lock_free(&f->page[me->first].owner, me);
}

static inline void size_lock(struct file *f)
{
	me->file = f;
	me->first = 0;
	me->end = 0;
	__atomic_store_n(&me->size, true, __ATOMIC_SEQ_CST);
	lock_take(&f->size_owner);
}

static inline void size_unlock(struct file *f)
{
	pages_unlock(f);
	lock_free(&f->size_owner, me);
	me->size = false;
}

/* ---- epochs of free files ---- */

/* Words that the caller writes from now on are of the epoch that this returns. */
static inline u64 epoch_enter(void)
{
	u64 epoch;

	do {
		epoch = __atomic_load_n(&table->epoch, __ATOMIC_SEQ_CST);
		__atomic_store_n(&me->epoch, epoch, __ATOMIC_SEQ_CST);
	} while (__atomic_load_n(&table->epoch, __ATOMIC_SEQ_CST) != epoch);
	return epoch;
}

static inline void epoch_leave(void)
{
	__atomic_store_n(&me->epoch, 0, __ATOMIC_SEQ_CST);
}

/*
 * A cut is about to be made: begins an epoch, and returns the oldest of which there can be
 * words after the cut.  A writer of an older epoch may bring them after the cut, and be done
 * when the cut returns: so look, before the cut, which writers are not done.  There is none
 * whose epoch is not in the table.
 */
static inline u64 epoch_begin(void)
{
	u64 oldest = __atomic_add_fetch(&table->epoch, 1, __ATOMIC_SEQ_CST);
	unsigned int i;

	CHECK(oldest <= EPOCH_MASK);
	for (i = 0; i < ACTORS; i++) {
		u64 other = __atomic_load_n(&table->actors[i].epoch, __ATOMIC_SEQ_CST);

		if (other && other < oldest)
			oldest = other;
	}
	return oldest;
}

/* A cut of pages [first, end), for which epoch_begin() returned @epoch, has been made. */
static inline void floor_raise(struct file *f, unsigned int first, unsigned int end,
			       u64 epoch)
{
	unsigned int i;

	for (i = first; i < end; i++) {
		u64 *floor = &f->page[i].floor;
		u64 old = __atomic_load_n(floor, __ATOMIC_SEQ_CST);

		while (old < epoch &&
		       !__atomic_compare_exchange_n(floor, &old, epoch, false,
						    __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST))
			;
	}
}

#endif /* RACE_H */
