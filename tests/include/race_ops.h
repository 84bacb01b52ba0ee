/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What ksm_race does to pages of its files, to their sizes, mappings and names, by each
 * way that there is; race.h says what must come of it.
 *
 * All workers map the files at the same addresses: each has some windows, in which
 * page i is always page i of the file, so that one may map, move and unmap there whatever
 * others do meanwhile.  Who finds nothing there has got SIGSEGV, or EFAULT, and goes
 * another way.
 *
 * Operations return whether they happened.
 */
#ifndef RACE_OPS_H
#define RACE_OPS_H

#include <linux/falloc.h>
#include <sys/uio.h>

#include "race.h"

#define NAMES		12U	/* that are linked, renamed and unlinked */

/* Windows of a file: mappings, shared but for the last one. */
#define WINDOWS		3U
#define WINDOW_PRIVATE	(WINDOWS - 1)
#define WINDOW_BASE	0x100000000000UL
#define WINDOW_SIZE	(2 * PAGES_MAX * PAGE)

static unsigned int option_processes = 4;
static bool is_ksm, is_memfd;
static int dir_fd = -1;		/* of the files, unless they are memfds */
static int disk_fd = -1;	/* pages of it hold the pattern of their number */

static inline struct file *file_pick(void)
{
	return &table->files[random_below(option_files)];
}

/* One that may be cut. */
static inline struct file *file_pick_cut(void)
{
	struct file *f;

	do {
		f = file_pick();
	} while (f->kind == LANES);
	return f;
}

static inline unsigned int page_pick(void)
{
	return random_below(option_pages);
}

/* Mostly one before the end of the file as it is at the moment, often the last one. */
static inline unsigned int page_pick_in(const struct file *f)
{
	u64 size = __atomic_load_n(&f->size, __ATOMIC_RELAXED);
	unsigned int pages = size / PAGE, kind = random_below(8);

	if (kind == 0 || !pages)
		return page_pick();
	return kind < 3 && pages < option_pages ? pages : random_below(pages);
}

/* A random range of pages, mostly short. */
static inline unsigned int range_pick(unsigned int *first)
{
	unsigned int most = random_below(8) ? 3 : option_pages;

	*first = page_pick();
	if (most > option_pages - *first)
		most = option_pages - *first;
	return 1 + random_below(most);
}

/* ---- windows ---- */

static inline char *window_at(const struct file *f, unsigned int window, unsigned int page)
{
	return (char *)WINDOW_BASE + page * PAGE +
	       (file_number(f) * WINDOWS + window) * WINDOW_SIZE;
}

/* Where page @page of the file may be mapped shared. */
static inline char *shared_at(const struct file *f, unsigned int page)
{
	return window_at(f, random_below(WINDOW_PRIVATE), page);
}

static inline void window_map(struct file *f, unsigned int window, unsigned int first,
			      unsigned int pages)
{
	bool private = window == WINDOW_PRIVATE;
	int flags = (private ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED;

	if (!random_below(8))
		flags |= MAP_POPULATE;
	MUST(mmap(window_at(f, window, first), pages * PAGE,
		  private ? PROT_READ : PROT_READ | PROT_WRITE, flags, f->map_fd,
		  first * PAGE));
}

/* ---- ways to write words of a page, and to read a page ---- */

static __thread int pipe_fd[2];
static __thread pid_t pipe_pid;

/* One of its own for each thread, and for a child. */
static inline int *pipe_own(void)
{
	if (pipe_pid == getpid())
		return pipe_fd;
	if (pipe_pid) {
		close(pipe_fd[0]);
		close(pipe_fd[1]);
	}
	MUST(pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK));
	pipe_pid = getpid();
	return pipe_fd;
}

static inline void pipe_drain(void)
{
	char buf[PAGE];

	while (read(pipe_fd[0], buf, PAGE) > 0)
		;
}

/* The first half of the processes have children and few mappings. */
static inline unsigned int breeders(void)
{
	return option_processes / 2;
}

static inline pid_t worker_pick(void)
{
	unsigned int first = breeders();

	return table->workers[first + random_below(option_processes - first)];
}

enum put { PUT_STORE, PUT_WRITE, PUT_WRITEV, PUT_VMSPLICE, PUT_DIRECT };

/* @words are those from the page's word @from on. */
struct put_args {
	struct file *f;
	unsigned int page, from, count;
	u32 pattern;
	const u64 *words;
};

static inline bool put_store(const struct put_args *a)
{
	unsigned int window = random_below(WINDOW_PRIVATE);
	char *to = window_at(a->f, window, a->page) + a->from * sizeof(u64);
	int sig = words_copy(to, a->words, a->count);

	if (sig == SIGBUS && a->f->kind != FREE)
		tap_fail("file %u page %u: SIGBUS within the size",
			 file_number(a->f), a->page);
	if (sig == SIGSEGV)
		window_map(a->f, window, 0, option_pages);
	return !sig;
}

static inline bool put_write(const struct put_args *a)
{
	ssize_t size = a->count * sizeof(u64);

	return pwrite(a->f->fd, a->words, size,
		      a->page * PAGE + a->from * sizeof(u64)) == size;
}

/* Into the memory of any worker. */
static inline bool put_writev(const struct put_args *a)
{
	size_t size = a->count * sizeof(u64);
	struct iovec local = { (void *)a->words, size };
	struct iovec remote = {
		shared_at(a->f, a->page) + a->from * sizeof(u64), size,
	};

	return process_vm_writev(worker_pick(), &local, 1, &remote, 1, 0) ==
	       (ssize_t)size;
}

static inline bool put_vmsplice(const struct put_args *a)
{
	size_t size = a->count * sizeof(u64);
	struct iovec to = { shared_at(a->f, a->page) + a->from * sizeof(u64), size };
	int *fd = pipe_own();
	bool done;

	CHECK_EQ(write(fd[1], a->words, size), size);
	done = vmsplice(fd[0], &to, 1, 0) == (ssize_t)size;
	pipe_drain();
	return done;
}

/* Only whole pages of a pattern that is on the disk. */
static inline bool put_direct(const struct put_args *a)
{
	return a->count == PAGE_WORDS && a->pattern && a->pattern <= PATTERNS &&
	       pread(disk_fd, shared_at(a->f, a->page), PAGE, a->pattern * PAGE) ==
	       (ssize_t)PAGE;
}

static bool (*const puts_by[])(const struct put_args *a) = {
	put_store, put_write, put_writev, put_vmsplice, put_direct,
};

enum get {
	GET_WINDOW, GET_OTHER_WINDOW, GET_PRIVATE, GET_READ, GET_READV, GET_VMSPLICE,
	GET_SPLICE, GET_OPENED,
};

static const char *const get_names[] = {
	"in a mapping", "in another mapping", "in a private mapping", "by read()",
	"in another process's mapping", "by vmsplice()", "by splice()",
	"of an opened name",
};

static __thread int opened_fd;	/* for GET_OPENED */

static inline int get_mapped(struct file *f, unsigned int window, unsigned int page,
			     u64 *buf)
{
	switch (words_copy(buf, window_at(f, window, page), PAGE_WORDS)) {
	case 0:
		return PAGE_WORDS;
	case SIGBUS:
		return 0;
	default:
		window_map(f, window, 0, option_pages);
		return -1;
	}
}

static inline int get_readv(struct file *f, unsigned int page, u64 *buf)
{
	struct iovec local = { buf, PAGE }, remote = { shared_at(f, page), PAGE };

	return process_vm_readv(worker_pick(), &local, 1, &remote, 1, 0) ==
	       (ssize_t)PAGE ? (int)PAGE_WORDS : -1;
}

static inline int get_pipe(struct file *f, enum get how, unsigned int page, u64 *buf)
{
	struct iovec from = { shared_at(f, page), PAGE };
	loff_t offset = page * PAGE;
	int *fd = pipe_own();
	ssize_t size;

	if (how == GET_VMSPLICE)
		size = vmsplice(fd[1], &from, 1, 0);
	else
		size = MUST(splice(f->fd, &offset, fd[1], NULL, PAGE, 0));
	if (size <= 0)
		return size;
	CHECK_EQ(read(fd[0], buf, PAGE), size);
	return size / sizeof(u64);
}

/*
 * Returns how many words of the page are there, from the first on: 0 behind the end of
 * the file; or -1 if this way is not open now.
 */
static inline int page_get(struct file *f, enum get how, unsigned int page, u64 *buf)
{
	int fd = how == GET_OPENED ? opened_fd : f->fd;

	switch (how) {
	case GET_WINDOW:
	case GET_OTHER_WINDOW:
		return get_mapped(f, how == GET_OTHER_WINDOW, page, buf);
	case GET_PRIVATE:
		return get_mapped(f, WINDOW_PRIVATE, page, buf);
	case GET_READV:
		return get_readv(f, page, buf);
	case GET_VMSPLICE:
	case GET_SPLICE:
		return get_pipe(f, how, page, buf);
	default:
		return MUST(pread(fd, buf, PAGE, page * PAGE)) / sizeof(u64);
	}
}

/* Those that end where the file ends, not with the page. */
static inline bool get_is_exact(enum get how)
{
	return how == GET_READ || how == GET_SPLICE || how == GET_OPENED;
}

/* ---- pages are written ---- */

static inline bool put_exact(struct file *f, enum put how)
{
	struct put_args a = { .f = f, .page = page_pick_in(f) };
	struct page *p = &f->page[a.page];
	unsigned int i, within;
	struct value next;
	u64 words[PAGE_WORDS];
	bool done = false;

	a.words = words;
	pages_lock(f, a.page, a.page + 1);
	within = words_within(f, a.page);
	if (!within || (how == PUT_DIRECT && within < PAGE_WORDS))
		goto unlock;
	if (how == PUT_DIRECT || random_below(4)) {
		a.count = within;
		a.pattern = how == PUT_DIRECT ? 1 + random_below(PATTERNS) :
						pattern_pick();
		next = value_make(a.pattern, 0, within);
	} else {
		a.from = random_below(within);
		a.count = 1 + random_below(within - a.from);
		a.pattern = pattern_beside(p->now, a.from, a.from + a.count, &next);
	}
	for (i = 0; i < a.count; i++)
		words[i] = pattern_word(a.pattern, a.from + i);
	page_announce(p, next);
	done = puts_by[how](&a);
	if (!done)
		CHECK(put_write(&a));
	page_settle(p);
unlock:
	pages_unlock(f);
	return done;
}

/* The words of one epoch are the same in all free files: pages of them merge. */
static inline bool put_free(struct file *f, enum put how)
{
	struct put_args a = { .f = f, .page = page_pick() };
	u64 words[PAGE_WORDS], epoch = epoch_enter();
	unsigned int i;
	bool done;

	a.words = words;
	if (!random_below(2))
		a.from = random_below(PAGE_WORDS);
	a.count = PAGE_WORDS - a.from;
	for (i = 0; i < a.count; i++)
		words[i] = epoch_word(epoch, a.from + i);
	done = puts_by[how](&a);
	epoch_leave();
	return done;
}

static inline bool put_lane(struct file *f, enum put how)
{
	struct put_args a = { .f = f, .page = page_pick(), .count = 1 };
	struct lane *lane = &f->page[a.page].lane[me - table->actors];
	u64 buf[PAGE_WORDS], word = 1 + random_below(3);
	enum get look = random_below(GET_OPENED);
	bool done;

	if (page_get(f, look, a.page, buf) == (int)PAGE_WORDS)
		lane_verify(f, a.page, me, buf, get_names[look]);
	a.from = lane_index(me);
	if (lane->now != lane->next) {
		/* Who had this number before was killed: finish it. */
		a.words = &lane->next;
		CHECK(put_write(&a));
		__atomic_store_n(&lane->now, lane->next, __ATOMIC_SEQ_CST);
	}
	a.words = &word;
	__atomic_store_n(&lane->next, word, __ATOMIC_SEQ_CST);
	done = puts_by[how](&a);
	if (!done)
		CHECK(put_write(&a));
	__atomic_store_n(&lane->now, word, __ATOMIC_SEQ_CST);
	return done;
}

static inline bool op_put(unsigned int how)
{
	struct file *f = file_pick();

	if (how == PUT_DIRECT)
		f = &table->files[0];
	if (f->kind == EXACT)
		return put_exact(f, how);
	return f->kind == FREE ? put_free(f, how) : put_lane(f, how);
}

/* ---- pages are checked ---- */

static inline bool check_exact(struct file *f, enum get how)
{
	unsigned int page = page_pick_in(f), within;
	u64 buf[PAGE_WORDS];
	int got, want;

	pages_lock(f, page, page + 1);
	within = words_within(f, page);
	want = within && !get_is_exact(how) ? PAGE_WORDS : within;
	got = page_get(f, how, page, buf);
	if (got >= 0) {
		if (got != want)
			tap_fail("file %u page %u %s: expected %d words, got %d",
				 file_number(f), page, get_names[how], want, got);
		exact_verify(f, page, buf, got, get_names[how]);
	}
	pages_unlock(f);
	return got >= 0;
}

static inline bool check_free(struct file *f, enum get how)
{
	unsigned int page = page_pick();
	u64 floor = __atomic_load_n(&f->page[page].floor, __ATOMIC_SEQ_CST);
	u64 buf[PAGE_WORDS];
	int got = page_get(f, how, page, buf);

	if (got > 0)
		free_verify(f, page, floor, buf, got, get_names[how]);
	return got >= 0;
}

static inline bool check_lane(struct file *f, enum get how)
{
	unsigned int page = page_pick();
	u64 buf[PAGE_WORDS];
	int got = page_get(f, how, page, buf);

	if (got < 0)
		return false;
	CHECK_EQ(got, PAGE_WORDS);
	lane_verify(f, page, me, buf, get_names[how]);
	return true;
}

static inline bool check(struct file *f, enum get how)
{
	static bool (*const checks[])(struct file *f, enum get how) = {
		[EXACT] = check_exact, [LANES] = check_lane, [FREE] = check_free,
	};

	return checks[f->kind](f, how);
}

static inline bool op_check(unsigned int how)
{
	return check(file_pick(), how);
}

/*
 * A pipe holds a page of an exact file while that is written: of each word it has
 * the old or the new contents.
 */
static inline bool op_vmsplice_late(unsigned int unused)
{
	struct file *f = &table->files[0];
	unsigned int page = page_pick_in(f), i;
	struct page *p = &f->page[page];
	struct iovec from = { shared_at(f, page), PAGE };
	u64 buf[PAGE_WORDS], words[PAGE_WORDS];
	struct put_args a = { f, page, 0, PAGE_WORDS, pattern_pick(), words };
	int *fd = pipe_own();
	bool done;

	(void)unused;
	for (i = 0; i < PAGE_WORDS; i++)
		words[i] = pattern_word(a.pattern, i);
	pages_lock(f, page, page + 1);
	done = words_within(f, page) == PAGE_WORDS &&
	       vmsplice(fd[1], &from, 1, 0) == (ssize_t)PAGE;
	if (done) {
		page_announce(p, value_make(a.pattern, 0, PAGE_WORDS));
		if (!put_store(&a))
			CHECK(put_write(&a));
		CHECK_EQ(read(fd[0], buf, PAGE), PAGE);
		exact_verify(f, page, buf, PAGE_WORDS, "in a pipe");
		page_settle(p);
	}
	pages_unlock(f);
	return done;
}

/* ---- pages are cut: become zeroes, or go with the end of the file ---- */

enum cut { CUT_PUNCH, CUT_ZERO, CUT_REMOVE, CUT_DISCARD };

/* Words of the file, from the first on. */
struct cut_args {
	struct file *f;
	u64 from, to;
};

static inline int ksm_range_of(struct file *f, unsigned long request, u64 from, u64 to,
			       bool by_offset)
{
	struct ksm_range range = {
		.addr = by_offset ? from : (unsigned long)shared_at(f, from / PAGE),
		.len = to - from,
		.flags = by_offset ? KSM_RANGE_OFFSET : 0,
	};
	int ret = ioctl(f->fd, request, &range);

	if (ret && errno != EINVAL && errno != ENOMEM)
		tap_fail("request %#lx on file %u: %s", request & 0xff,
			 file_number(f), strerrorname_np(errno));
	if (!ret)
		CHECK_EQ(range.done, range.len);
	return ret;
}

static inline int cut_punch(const struct cut_args *a)
{
	return fallocate(a->f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 a->from * sizeof(u64), (a->to - a->from) * sizeof(u64));
}

static inline int cut_zero(const struct cut_args *a)
{
	return fallocate(a->f->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
			 a->from * sizeof(u64), (a->to - a->from) * sizeof(u64));
}

static inline int cut_remove(const struct cut_args *a)
{
	return madvise(shared_at(a->f, a->from / PAGE_WORDS),
		       (a->to - a->from) * sizeof(u64), MADV_REMOVE);
}

static inline int cut_discard(const struct cut_args *a)
{
	return ksm_range_of(a->f, KSM_DISCARD, a->from * sizeof(u64),
			    a->to * sizeof(u64), random_below(2));
}

static int (*const cuts_by[])(const struct cut_args *a) = {
	cut_punch, cut_zero, cut_remove, cut_discard,
};

/* Of [from, to): pages, or, if the call can, words that end or begin a page. */
static inline struct cut_args cut_pick(struct file *f, enum cut how)
{
	struct cut_args a = { .f = f };
	unsigned int first = page_pick(), pages = 1 + random_below(4);

	if (pages > option_pages - first)
		pages = option_pages - first;
	a.from = first * PAGE_WORDS;
	a.to = (first + pages) * PAGE_WORDS;
	if (how > CUT_ZERO)
		return a;
	if (random_below(2))
		a.from += random_below(PAGE_WORDS);
	if (pages > 1 && random_below(2))
		a.to -= random_below(PAGE_WORDS);
	return a;
}

static inline void cut_announce(const struct cut_args *a, unsigned int page)
{
	u64 start = page * PAGE_WORDS, end = start + PAGE_WORDS;
	struct page *p = &a->f->page[page];

	if (a->from > start)
		page_announce(p, value_clip(p->now, 0, a->from - start));
	else if (a->to < end)
		page_announce(p, value_clip(p->now, a->to - start, PAGE_WORDS));
	else
		page_announce(p, value_make(0, 0, 0));
}

static inline bool cut_exact(const struct cut_args *a, enum cut how)
{
	unsigned int first = a->from / PAGE_WORDS, i;
	unsigned int end = (a->to + PAGE_WORDS - 1) / PAGE_WORDS;
	bool done;

	pages_lock(a->f, first, end);
	for (i = first; i < end; i++)
		cut_announce(a, i);
	done = !cuts_by[how](a);
	if (!done)
		MUST(cut_punch(a));
	for (i = first; i < end; i++)
		page_settle(&a->f->page[i]);
	pages_unlock(a->f);
	return done;
}

static inline bool cut_free(const struct cut_args *a, enum cut how)
{
	u64 epoch = epoch_begin();

	if (cuts_by[how](a))
		return false;
	floor_raise(a->f, (a->from + PAGE_WORDS - 1) / PAGE_WORDS, a->to / PAGE_WORDS,
		    epoch);
	return true;
}

static inline bool op_cut(unsigned int how)
{
	struct cut_args a = cut_pick(file_pick_cut(), how);

	return a.f->kind == EXACT ? cut_exact(&a, how) : cut_free(&a, how);
}

enum size { SIZE_SHRINK, SIZE_GROW, SIZE_ALLOCATE, SIZE_ZERO };

/* A fallocate() is of what is behind @from. */
static inline int size_set(struct file *f, enum size how, u64 from, u64 to)
{
	if (how < SIZE_ALLOCATE)
		return ftruncate(f->fd, to);
	return fallocate(f->fd, how == SIZE_ZERO ? FALLOC_FL_ZERO_RANGE : 0, from,
			 to - from);
}

/* The lock of the size is held; it is not yet @size. */
static inline void size_change(struct file *f, enum size how, u64 size)
{
	unsigned int i, last = size / PAGE, words = size % PAGE / sizeof(u64);

	pages_lock(f, (size < f->size ? size : f->size) / PAGE, option_pages);
	for (i = last; i < option_pages; i++)
		page_announce(&f->page[i], value_clip(f->page[i].now, 0,
						      i == last ? words : 0));
	MUST(size_set(f, how, f->size, size));
	f->size = size;
	for (i = last; i < option_pages; i++)
		page_settle(&f->page[i]);
	pages_unlock(f);
}

/* A file that is too long to grow to @size becomes so short, and grows back. */
static inline bool size_exact(struct file *f, enum size how, u64 size)
{
	u64 old;
	bool done;

	size_lock(f);
	old = f->size;
	if (how != SIZE_SHRINK && size < old) {
		size_change(f, SIZE_SHRINK, size);
		size = old;
	}
	done = how == SIZE_SHRINK ? size < f->size : size > f->size;
	if (done)
		size_change(f, how, size);
	size_unlock(f);
	return done;
}

static inline bool size_free(struct file *f, enum size how, u64 size)
{
	u64 epoch;

	if (how != SIZE_SHRINK) {
		size += sizeof(u64);
		MUST(size_set(f, how == SIZE_ZERO ? SIZE_ALLOCATE : how,
			      random_below(size), size));
		return true;
	}
	epoch = epoch_begin();
	MUST(ftruncate(f->fd, size));
	floor_raise(f, (size + PAGE - 1) / PAGE, option_pages, epoch);
	return true;
}

/* Half of the sizes are whole pages, others whole words. */
static inline bool op_size(unsigned int how)
{
	struct file *f = file_pick_cut();
	u64 size = random_below(option_pages * PAGE_WORDS) * sizeof(u64);

	if (random_below(2))
		size = size / PAGE * PAGE;
	return f->kind == EXACT ? size_exact(f, how, size) : size_free(f, how, size);
}

/* write() that makes the file longer, to the end of a page at most. */
static inline void append(struct file *f)
{
	u64 words[PAGE_WORDS];
	struct put_args a = { .f = f, .page = f->size / PAGE, .words = words };
	struct value next;
	unsigned int i;

	pages_lock(f, a.page, option_pages);
	a.from = words_within(f, a.page);
	a.count = 1 + random_below(PAGE_WORDS - a.from);
	a.pattern = pattern_beside(f->page[a.page].now, a.from, a.from + a.count,
				   &next);
	for (i = 0; i < a.count; i++)
		words[i] = pattern_word(a.pattern, a.from + i);
	page_announce(&f->page[a.page], next);
	CHECK(put_write(&a));
	f->size += a.count * sizeof(u64);
	page_settle(&f->page[a.page]);
	pages_unlock(f);
}

static inline bool op_append(unsigned int unused)
{
	struct file *f = &table->files[0];
	u64 full = option_pages * PAGE;

	(void)unused;
	size_lock(f);
	if (f->size == full)
		size_change(f, SIZE_SHRINK,
			    full - (1 + random_below(PAGE_WORDS)) * sizeof(u64));
	append(f);
	size_unlock(f);
	return true;
}

/* ---- mappings change ---- */

static inline bool op_mmap(unsigned int unused)
{
	unsigned int first = 0, pages = option_pages;

	(void)unused;
	if (!random_below(4))
		pages = range_pick(&first);
	window_map(file_pick(), random_below(WINDOWS), first, pages);
	return true;
}

static inline bool op_munmap(unsigned int unused)
{
	unsigned int first, pages = range_pick(&first);

	(void)unused;
	MUST(munmap(window_at(file_pick(), random_below(WINDOWS), first),
		    pages * PAGE));
	return true;
}

enum mremap_how { REMAP_GROW, REMAP_MOVE, REMAP_DUPLICATE };

/* Others change the same windows meanwhile, so it may fail. */
static inline bool op_mremap(unsigned int how)
{
	struct file *f = file_pick();
	unsigned int from = random_below(WINDOW_PRIVATE), first = 0;
	unsigned int pages = range_pick(&first), to = WINDOW_PRIVATE - 1 - from;
	size_t old = pages * PAGE, new = old;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	void *ret;

	if (how == REMAP_DUPLICATE)
		old = 0;
	if (how == REMAP_GROW) {
		new += (1 + random_below(option_pages)) * PAGE;
		if (random_below(2))
			flags = 0;
		munmap(window_at(f, from, first), WINDOW_SIZE - first * PAGE);
	}
	window_map(f, from, first, pages);
	ret = mremap(window_at(f, from, first), old, new, flags,
		     window_at(f, to, first));
	if (ret == MAP_FAILED && errno != EFAULT && errno != ENOMEM)
		tap_fail("mremap(%zu, %zu, %#x): %s", old, new, flags,
			 strerrorname_np(errno));
	return ret != MAP_FAILED;
}

static inline bool op_madvise(unsigned int advice)
{
	struct file *f = file_pick();
	unsigned int first, pages = range_pick(&first);
	unsigned int window = random_below(WINDOW_PRIVATE);
	char *at = window_at(f, window, first);

	if (!madvise(at, pages * PAGE, advice))
		return true;
	/* A hole, the end of the file, or a mapping that may not be written. */
	if (errno != ENOMEM && errno != EFAULT && errno != EINVAL)
		tap_fail("madvise %u: %s", advice, strerrorname_np(errno));
	if (errno == ENOMEM)
		window_map(f, window, 0, option_pages);
	return false;
}

static inline bool op_mprotect(unsigned int unused)
{
	struct file *f = file_pick();
	unsigned int first, pages = range_pick(&first);
	char *at = shared_at(f, first);
	bool done = !mprotect(at, pages * PAGE, PROT_READ);

	(void)unused;
	return !mprotect(at, pages * PAGE, PROT_READ | PROT_WRITE) && done;
}

/* ---- names ---- */

static inline void name_pick(char *name)
{
	sprintf(name, "n%u", (unsigned int)random_below(NAMES));
}

/* Ways to fail that the race of others explains. */
static inline bool name_done(int ret, int err1, int err2, const char *what)
{
	if (ret < 0 && errno != err1 && errno != err2)
		tap_fail("%s: %s", what, strerrorname_np(errno));
	return ret >= 0;
}

/* Files of /dev/ksm have no name and get none; a domain keeps its files. */
static inline bool link_try(void)
{
	struct file *f = file_pick();
	char name[16];
	int ret;

	name_pick(name);
	ret = linkat(f->fd, "", dir_fd, name, AT_EMPTY_PATH);
	if (is_ksm && (f->apart || f->unnamed) && !ret)
		tap_fail("link of file %u: expected EXDEV or ENOENT, got success",
			 file_number(f));
	if (is_ksm && ret && errno == EXDEV)
		return false;
	return name_done(ret, EEXIST, ENOENT, "link");
}

static inline bool rename_try(void)
{
	static const unsigned int flags[] = { 0, RENAME_NOREPLACE, RENAME_EXCHANGE };
	char from[16], to[16];

	name_pick(from);
	name_pick(to);
	return name_done(renameat2(dir_fd, from, dir_fd, to, flags[random_below(3)]),
			 ENOENT, EEXIST, "rename");
}

static inline bool unlink_try(void)
{
	char name[16];

	name_pick(name);
	return name_done(unlinkat(dir_fd, name, 0), ENOENT, ENOENT, "unlink");
}

enum name_how { NAME_LINK, NAME_RENAME, NAME_UNLINK };

/* What a name is, changes all the time: another may do. */
static inline bool op_name(unsigned int how)
{
	static bool (*const tries_by[])(void) = { link_try, rename_try, unlink_try };
	unsigned int tries = 8;

	while (tries--)
		if (tries_by[how]())
			return true;
	return false;
}

static inline struct file *file_of(u64 ino)
{
	unsigned int i;

	for (i = 0; i < option_files; i++)
		if (table->files[i].ino == ino)
			return &table->files[i];
	return NULL;
}

static inline bool op_open(unsigned int unused)
{
	struct file *f;
	struct stat st;
	unsigned int tries = 8;
	char name[16];
	bool done;

	(void)unused;
	do {
		name_pick(name);
		opened_fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);
	} while (!name_done(opened_fd, ENOENT, ENOENT, "open") && --tries);
	if (opened_fd < 0)
		return false;
	MUST(fstat(opened_fd, &st));
	f = file_of(st.st_ino);
	CHECK(f);
	done = check(f, GET_OPENED);
	close(opened_fd);
	return done;
}

static inline int temporary_open(void)
{
	char name[32];
	int fd;

	if (is_memfd)
		return MUST(memfd_create("temporary", MFD_CLOEXEC));
	if (random_below(2))
		return MUST(openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	sprintf(name, "t%zu", me - table->actors);
	fd = MUST(openat(dir_fd, name, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	MUST(unlinkat(dir_fd, name, 0));
	return fd;
}

/* Closed and unlinked while it is mapped. */
static inline bool op_temporary(unsigned int unused)
{
	unsigned int pages = 3, seed = 1 + random_below(PATTERNS);
	int fd = temporary_open();
	char *base;

	(void)unused;
	MUST(ftruncate(fd, pages * PAGE));
	base = map_area(fd, pages);
	close(fd);
	pages_fill(base, pages - 1, seed, 1);
	pages_check(base, pages - 1, seed, 1);
	CHECK(page_holds(page_at(base, pages - 1), 0));
	MUST(munmap(base, pages * PAGE));
	return true;
}

#endif /* RACE_OPS_H */
