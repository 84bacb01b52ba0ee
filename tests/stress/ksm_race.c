// SPDX-License-Identifier: GPL-2.0
/*
 * Races of everything that can be done to files of ksmfs and to /dev/ksm, with each
 * byte accounted for; see race.h for how.
 *
 * Workers are processes with two threads each.  They and other processes fork
 * children, which race with what they inherited until they exit or are killed; workers
 * are killed, too.
 *
 * It goes on until each operation was done --ops times, and fails if one was done less
 * often, or if nothing gets done for a minute.  With --seconds it ends then, and says how
 * often.
 *
 * With --fs DIR or memfd the same is done to files of another file system, as a
 * control: without the calls of ksmdev.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mount.h>

#include "race_ops.h"

#define DISK		"/dev/vda"
#define SLACK_KIB	4096
#define THREADS		2
#define REGISTER_PAGES	6U
#define STUCK_SECONDS	60
#define REGISTER_AT	((char *)0x180000000000UL)

static u64 option_ops = 10000, option_seed;
static unsigned int option_seconds;	/* 0: until all operations are done */
static const char *option_fs = "ksmfs";
static char place[256];		/* the directory of the files */

/* ---- ksmdev ---- */

static bool op_scan(unsigned int flags)
{
	struct ksm_scan scan = { .flags = flags };
	struct file *f = file_pick();

	MUST(ioctl(random_below(2) ? f->fd : f->map_fd, KSM_SCAN, &scan));
	return true;
}

/* EINVAL: the file became shorter. ENOMEM: it is not mapped there. */
static bool op_range(unsigned int unmerge)
{
	unsigned int first, pages = range_pick(&first);

	return !ksm_range_of(file_pick(), unmerge ? KSM_UNMERGE : KSM_MERGE,
			     first * PAGE, (first + pages) * PAGE, random_below(2));
}

/* Who writes to memory while it is registered. */
struct scribbler {
	bool stop;
	u64 word;		/* in each page but the last, which is read from a disk */
	u64 rounds;
};

static volatile u64 *scribble_at(unsigned int page)
{
	return (u64 *)page_at(REGISTER_AT, page) + 77;
}

static void *scribbler_run(void *arg)
{
	struct scribbler *s = arg;
	char *last = page_at(REGISTER_AT, REGISTER_PAGES - 1), want[PAGE];
	unsigned int i;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		u32 pattern = 1 + s->rounds % PATTERNS;

		s->rounds++;
		for (i = 0; i < REGISTER_PAGES - 1; i++) {
			if (*scribble_at(i) != s->word)
				tap_fail("registered page %u: expected %llu, got %llu",
					 i, (unsigned long long)s->word,
					 (unsigned long long)*scribble_at(i));
			*scribble_at(i) = s->word + 1;
		}
		s->word++;
		if (disk_fd < 0 || s->rounds % 4)
			continue;
		pattern_fill(want, pattern);
		CHECK_EQ(pread(disk_fd, last, PAGE, pattern * PAGE), PAGE);
		if (memcmp(last, want, PAGE))
			tap_fail("registered page: what O_DIRECT read is lost: word 0 is %#llx, not %#llx",
				 (unsigned long long)*(u64 *)last,
				 (unsigned long long)pattern_word(pattern, 0));
	}
	return NULL;
}

/* EBUSY while the disk writes to it: go on from there. */
static bool register_all(int fd)
{
	struct ksm_range range = {
		.addr = (unsigned long)REGISTER_AT, .len = REGISTER_PAGES * PAGE,
	};
	unsigned int tries = 1000;

	while (ioctl(fd, KSM_REGISTER, &range)) {
		CHECK_EQ(errno, EBUSY);
		range.addr += range.done;
		range.len -= range.done;
		if (!--tries)
			return false;
	}
	return true;
}

static bool op_register(unsigned int unused)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	struct scribbler s = { .stop = false };
	unsigned int i, seed = 1 + random_below(PATTERNS);
	pthread_t thread;
	bool done;
	int fd;

	(void)unused;
	if (pthread_mutex_trylock(&one))
		return false;
	fd = ksm_open();
	MUST(mmap(REGISTER_AT, REGISTER_PAGES * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	/* While a disk writes to private memory, fork() may take it away: open(2). */
	MUST(madvise(REGISTER_AT, REGISTER_PAGES * PAGE, MADV_DONTFORK));
	pages_fill(REGISTER_AT, REGISTER_PAGES - 1, seed, 0);
	for (i = 0; i < REGISTER_PAGES - 1; i++)
		*scribble_at(i) = 0;
	CHECK_EQ(pthread_create(&thread, NULL, scribbler_run, &s), 0);
	done = register_all(fd);
	if (random_below(2))
		ksm_scan(fd);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	for (i = 0; i < REGISTER_PAGES - 1; i++) {
		CHECK_EQ(*scribble_at(i), s.word);
		*scribble_at(i) = seed_word(seed, 77);
	}
	pages_check(REGISTER_AT, REGISTER_PAGES - 1, seed, 0);
	MUST(munmap(REGISTER_AT, REGISTER_PAGES * PAGE));
	close(fd);
	pthread_mutex_unlock(&one);
	return done;
}

/* ---- all operations ---- */

static bool op_fork(unsigned int unused);

enum {			/* what an operation needs */
	NAMED = 1,	/* files with names */
	KSM = 2,
	ZERO = 4,	/* FALLOC_FL_ZERO_RANGE */
	ON_DISK = 8,
	PARENT = 16,	/* no child of a worker does it */
	COUNTED = 32,	/* it is a part of another */
};

static const struct op {
	const char *name;
	bool (*run)(unsigned int how);
	unsigned int how, needs;
} ops[] = {
	{ "fork", op_fork, 0, PARENT },
	{ "exit", NULL, 0, COUNTED },
	{ "SIGKILL", NULL, 0, COUNTED },
	{ "stores to a page", op_put, PUT_STORE, 0 },
	{ "write()", op_put, PUT_WRITE, 0 },
	{ "process_vm_writev", op_put, PUT_WRITEV, 0 },
	{ "vmsplice from a pipe", op_put, PUT_VMSPLICE, 0 },
	{ "O_DIRECT read into it", op_put, PUT_DIRECT, ON_DISK },
	{ "write() behind the end", op_append, 0, 0 },
	{ "checks in a mapping", op_check, GET_WINDOW, 0 },
	{ "checks in another mapping", op_check, GET_OTHER_WINDOW, 0 },
	{ "checks in a private mapping", op_check, GET_PRIVATE, 0 },
	{ "checks in another process's mapping", op_check, GET_READV, 0 },
	{ "checks by read()", op_check, GET_READ, 0 },
	{ "checks by vmsplice to a pipe", op_check, GET_VMSPLICE, 0 },
	{ "checks by splice to a pipe", op_check, GET_SPLICE, 0 },
	{ "stores to a page in a pipe", op_vmsplice_late, 0, 0 },
	{ "punched holes", op_cut, CUT_PUNCH, 0 },
	{ "zeroed ranges", op_cut, CUT_ZERO, ZERO },
	{ "MADV_REMOVE", op_cut, CUT_REMOVE, 0 },
	{ "KSM_DISCARD", op_cut, CUT_DISCARD, KSM },
	{ "ftruncate down", op_size, SIZE_SHRINK, 0 },
	{ "ftruncate up", op_size, SIZE_GROW, 0 },
	{ "fallocate behind the end", op_size, SIZE_ALLOCATE, 0 },
	{ "zeroed ranges behind the end", op_size, SIZE_ZERO, ZERO },
	{ "mmap", op_mmap, 0, 0 },
	{ "munmap", op_munmap, 0, 0 },
	{ "mremap that grows", op_mremap, REMAP_GROW, 0 },
	{ "mremap that moves", op_mremap, REMAP_MOVE, 0 },
	{ "mremap that duplicates", op_mremap, REMAP_DUPLICATE, 0 },
	{ "mprotect", op_mprotect, 0, 0 },
	{ "MADV_DONTNEED", op_madvise, MADV_DONTNEED, 0 },
	{ "MADV_POPULATE_READ", op_madvise, MADV_POPULATE_READ, 0 },
	{ "MADV_POPULATE_WRITE", op_madvise, MADV_POPULATE_WRITE, 0 },
	{ "link", op_name, NAME_LINK, NAMED },
	{ "rename", op_name, NAME_RENAME, NAMED },
	{ "unlink", op_name, NAME_UNLINK, NAMED },
	{ "open by a name", op_open, 0, NAMED },
	{ "files unlinked while mapped", op_temporary, 0, 0 },
	{ "KSM_SCAN", op_scan, 0, KSM },
	{ "KSM_SCAN, forced", op_scan, KSM_SCAN_FORCE, KSM },
	{ "KSM_UNMERGE", op_range, 1, KSM },
	{ "KSM_MERGE", op_range, 0, KSM },
	{ "KSM_REGISTER", op_register, 0, KSM | PARENT },
};

#define OPS	ARRAY_SIZE(ops)

enum { OP_FORK, OP_EXIT, OP_KILL };

static unsigned int lacking;	/* of NAMED to ON_DISK */

static bool op_is_lacking(unsigned int op)
{
	return ops[op].needs & lacking;
}

static u64 op_count(unsigned int op)
{
	/* Half of the forks end in each of the two ways: it takes more of them. */
	if (op == OP_FORK)
		op = OP_EXIT;
	return __atomic_load_n(&table->count[op], __ATOMIC_RELAXED);
}

static void op_counted(unsigned int op)
{
	__atomic_add_fetch(&table->count[op], 1, __ATOMIC_RELAXED);
}

static unsigned int op_pick_one(unsigned int but)
{
	unsigned int op;

	do {
		op = random_below(OPS);
	} while (op_is_lacking(op) || (ops[op].needs & but));
	return op;
}

/* Of two the one that happened less: so all happen equally often, and to the end. */
static void op_run(unsigned int but)
{
	unsigned int op = op_pick_one(but), other = op_pick_one(but);

	if (op_count(other) < op_count(op))
		op = other;
	me->op = ops[op].name;
	if (ops[op].run(ops[op].how))
		op_counted(op);
}

static u64 ops_least(void)
{
	u64 least = ~0ULL;
	unsigned int op;

	for (op = 0; op < OPS; op++)
		if (!op_is_lacking(op) && table->count[op] < least)
			least = table->count[op];
	table->least = least;
	return least;
}

/* ---- processes ---- */

__attribute__((noreturn))
static void child_run(struct actor *parent, u64 seed, u64 steps)
{
	/* Nobody would kill it if the worker died before tap_fork() was done. */
	if (getppid() != parent->pid)
		_exit(0);
	random_seed(seed);
	actor_begin("begin");
	while (steps-- && !stopping()) {
		op_run(PARENT | COUNTED);
		__atomic_add_fetch(&parent->child_steps, 1, __ATOMIC_RELAXED);
	}
	_exit(0);
}

/*
 * Its status, which is that of a process in which all checks held.  Who is killed
 * before it has released the child's locks leaves it to the supervisor.
 */
static int child_reap(pid_t pid, bool killed)
{
	siginfo_t info;
	int status;

	MUST(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	actors_release(pid);
	status = tap_wait(pid);
	if (status && !(killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		tap_fail("a child: %s", tap_status_text(status));
	return status;
}

/* Until it has done some operations, or has failed. */
static void child_wait(pid_t pid, u64 steps)
{
	siginfo_t info = { .si_pid = 0 };

	while (__atomic_load_n(&me->child_steps, __ATOMIC_RELAXED) < steps &&
	       !info.si_pid) {
		usleep(50);
		MUST(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	}
}

/* It exits after some operations, or is killed in the midst of one. */
static bool op_fork(unsigned int unused)
{
	bool kill_it = table->count[OP_KILL] < table->count[OP_EXIT];
	u64 seed = random_below(1ULL << 40), steps = random_below(4);
	pid_t pid;

	(void)unused;
	__atomic_store_n(&me->child_steps, 0, __ATOMIC_RELAXED);
	pid = tap_fork();
	if (!pid)
		child_run(me, seed, kill_it ? ~0ULL : steps);
	if (kill_it) {
		child_wait(pid, steps);
		kill(pid, SIGKILL);
	}
	op_counted(child_reap(pid, kill_it) ? OP_KILL : OP_EXIT);
	return true;
}

/*
 * Most children are those of processes that do nothing else and whose memory is small:
 * a child inherits mappings of two files or some more.
 */
__attribute__((noreturn))
static void breeder_run(u64 seed)
{
	const unsigned int inherited = 2;
	unsigned int i;

	random_seed(seed);
	actor_begin("fork");
	while (!stopping()) {
		/* Others need the CPUs, too. */
		if (op_count(OP_FORK) > table->least + table->least / 8 + 100) {
			usleep(1000);
			continue;
		}
		for (i = 0; i < inherited; i++)
			window_map(file_pick(), random_below(WINDOWS), 0, option_pages);
		op_fork(0);
		op_counted(OP_FORK);
		if (random_below(4))
			continue;
		MUST(munmap((void *)WINDOW_BASE,
			    option_files * WINDOWS * WINDOW_SIZE));
	}
	actor_release(me);
	_exit(0);
}

static void *thread_run(void *arg)
{
	random_seed((unsigned long)arg);
	actor_begin("begin");
	while (!stopping())
		op_run(COUNTED);
	actor_release(me);
	return NULL;
}

__attribute__((noreturn))
static void worker_run(u64 seed)
{
	pthread_t threads[THREADS];
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, thread_run,
					(void *)(seed * THREADS + i)), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static void worker_start(unsigned int n)
{
	static u64 seeds;
	u64 seed = option_seed * 100000 + seeds++;
	pid_t pid = tap_fork();

	if (!pid && n < breeders())
		breeder_run(seed);
	if (!pid)
		worker_run(seed);
	table->workers[n] = pid;
}

/* ---- files are made ---- */

/* Its size is known only where mmap() does not change it. */
static void file_open_unnamed(struct file *f)
{
	int device = ksm_open();

	MUST(munmap(map_area(device, option_pages), option_pages * PAGE));
	f->unnamed = true;
	f->fd = MUST(ioctl(device, KSM_GET_FILE, 0));
	f->map_fd = f->kind == EXACT ? f->fd : device;
}

/* On ksmfs one of each kind belongs to a descriptor of /dev/ksm. */
static void file_open(unsigned int n)
{
	struct file *f = &table->files[n];
	char name[16];

	sprintf(name, n % 8 < 6 ? "f%u" : "d/f%u", n);
	f->apart = n % 8 >= 6;
	if (is_ksm && n >= 1 && n <= 3) {
		file_open_unnamed(f);
		return;
	}
	f->fd = is_memfd ? MUST(memfd_create(name, MFD_CLOEXEC)) :
		MUST(openat(dir_fd, name, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	f->map_fd = f->fd;
}

static void file_init(unsigned int n)
{
	static const enum kind kinds[] = { EXACT, FREE, EXACT, LANES };
	struct file *f = &table->files[n];
	struct stat st;

	f->kind = kinds[n % ARRAY_SIZE(kinds)];
	file_open(n);
	f->size = option_pages * PAGE;
	MUST(ftruncate(f->fd, f->size));
	MUST(fstat(f->fd, &st));
	f->ino = st.st_ino;
}

/* Each page of it that is a pattern's number holds the pattern. */
static void disk_init(void)
{
	char *buf = map_anon(1);
	u32 pattern;

	/* On any other machine the disk may be somebody's. */
	if (!getenv("LAB_HOST"))
		return;
	disk_fd = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	for (pattern = 1; disk_fd >= 0 && pattern <= PATTERNS; pattern++) {
		pattern_fill(buf, pattern);
		CHECK_EQ(pwrite(disk_fd, buf, PAGE, pattern * PAGE), PAGE);
	}
	munmap(buf, PAGE);
}

static void lacking_find(void)
{
	struct cut_args a = { &table->files[0], 0, PAGE_WORDS };

	if (is_memfd)
		lacking |= NAMED;
	if (!is_ksm)
		lacking |= KSM;
	if (disk_fd < 0)
		lacking |= ON_DISK;
	if (cut_zero(&a)) {
		CHECK_EQ(errno, EOPNOTSUPP);
		CHECK(!is_ksm);
		lacking |= ZERO;
	}
}

static void all_init(void)
{
	unsigned int i;

	table->epoch = 1;
	table->verified = 0;
	if (!is_memfd)
		dir_fd = MUST(open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	for (i = 0; i < option_files; i++)
		file_init(i);
	disk_init();
	lacking_find();
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

/* ---- files are verified ---- */

static void words_verify(struct file *f, unsigned int page, const u64 *words,
			 unsigned int count, const char *how)
{
	const struct actor *a;

	switch (f->kind) {
	case EXACT:
		exact_verify(f, page, words, count, how);
		break;
	case FREE:
		free_verify(f, page, f->page[page].floor, words, count, how);
		break;
	case LANES:
		CHECK_EQ(count, PAGE_WORDS);
		for (a = table->actors; a < table->actors + ACTORS; a++)
			lane_verify(f, page, a, words, how);
	}
}

/* Each byte, by read() and in a mapping, and its size. */
static void file_verify(struct file *f)
{
	char *base = map_area(f->fd, option_pages);
	u64 buf[PAGE_WORDS];
	struct stat st;
	unsigned int i;

	MUST(fstat(f->fd, &st));
	if (f->kind != FREE)
		CHECK_EQ(st.st_size, f->size);
	f->size = st.st_size;
	for (i = 0; i < option_pages; i++) {
		unsigned int words = words_within(f, i);

		CHECK_EQ(pread(f->fd, buf, PAGE, i * PAGE), words * sizeof(u64));
		words_verify(f, i, buf, words, "at the end, by read()");
		CHECK_EQ(words_copy(buf, page_at(base, i), PAGE_WORDS),
			 words ? 0 : SIGBUS);
		if (words)
			words_verify(f, i, buf, PAGE_WORDS, "at the end, in a mapping");
	}
	MUST(munmap(base, option_pages * PAGE));
}

/* As many as names that lead to it. */
static void links_verify(struct file *f)
{
	unsigned int i, names = f->unnamed ? 0 : 1;
	struct stat st;
	char name[16];

	for (i = 0; i < NAMES; i++) {
		sprintf(name, "n%u", i);
		if (!fstatat(dir_fd, name, &st, 0))
			names += st.st_ino == f->ino;
		else
			CHECK_EQ(errno, ENOENT);
	}
	MUST(fstat(f->fd, &st));
	CHECK_EQ(st.st_nlink, names);
}

/* ---- the supervisor ---- */

static int worker_number(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < option_processes; i++)
		if (table->workers[i] == pid)
			return i;
	return -1;
}

/* Orphans of killed workers come here, too. */
static void reaped(pid_t pid, int status, bool ending)
{
	int worker = worker_number(pid);

	actors_release(pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && worker < 0)
		return;
	verdict_set();
	if (status)
		tap_fail("a process: expected exit status 0, got %s",
			 tap_status_text(status));
	if (worker >= 0 && !ending)
		tap_fail("a worker ended");
}

static void worker_kill(void)
{
	unsigned int n = random_below(option_processes);
	pid_t pid = table->workers[n];

	MUST(kill(pid, SIGKILL));
	child_reap(pid, true);
	op_counted(OP_KILL);
	worker_start(n);
}

static u64 ops_all(void)
{
	u64 all = 0;
	unsigned int op;

	for (op = 0; op < OPS; op++)
		all += table->count[op];
	return all;
}

__attribute__((noreturn))
static void stuck(void)
{
	const struct actor *a;

	for (a = table->actors; a < table->actors + ACTORS; a++)
		if (a->pid)
			tap_note("process %d: %s; locks of file %u, pages %u to %u%s",
				 a->pid, a->op, a->file ? file_number(a->file) : 0,
				 a->first, a->end, a->size ? ", and its size" : "");
	tap_fail("nothing has happened for %u seconds", STUCK_SECONDS);
}

static void progress(time_t seconds, u64 all)
{
	static time_t said, moved;
	static u64 before;

	if (all != before)
		moved = seconds;
	before = all;
	if (seconds > moved + STUCK_SECONDS)
		stuck();
	if (seconds < said + 5)
		return;
	said = seconds;
	fprintf(stderr, "# %lld s: %llu of each operation, %llu in all\n",
		(long long)seconds, (unsigned long long)ops_least(),
		(unsigned long long)all);
}

static void supervise(void)
{
	time_t start = time(NULL), now;
	unsigned int turn = 0;
	int status;
	pid_t pid;

	for (;;) {
		now = time(NULL);
		if (ops_least() >= option_ops ||
		    (option_seconds && now >= start + option_seconds))
			break;
		sleep_ms(20);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			reaped(pid, status, false);
		progress(now - start, ops_all());
		turn++;
		if (turn % 32 == 0)
			worker_kill();
		if (is_ksm && turn % 64 == 0)
			ksm_set("run", turn % 128 ? "1" : "2");
	}
	__atomic_store_n(&table->stop, true, __ATOMIC_RELAXED);
	alarm(120);
	while ((pid = waitpid(-1, &status, 0)) > 0)
		reaped(pid, status, true);
}

static void counts_show(void)
{
	unsigned int op;

	for (op = 0; op < OPS; op++)
		if (!op_is_lacking(op))
			tap_note("%12llu %s", (unsigned long long)table->count[op],
				 ops[op].name);
}

static void test_race(void)
{
	unsigned int i;

	alarm(option_seconds ? option_seconds + 300 : 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	faults_catch();
	all_init();
	if (is_ksm)
		full_speed();
	random_seed(option_seed);
	for (i = 0; i < option_processes; i++)
		worker_start(i);
	supervise();
	counts_show();
	for (i = 0; i < option_files; i++) {
		file_verify(&table->files[i]);
		if (!is_memfd)
			links_verify(&table->files[i]);
		table->verified++;
	}
	verdict_set();
	if (option_seconds && table->least < option_ops)
		tap_note("%u seconds were over before", option_seconds);
	CHECK(table->least >= (option_seconds ? 1 : option_ops));
}

/* ---- what is left ---- */

static const char *const gauges[] = {
	"areas", "domains", "pages_shared", "pages_sharing", "pages_unshared",
	"pages_volatile", "ksm_zero_pages", "pages_spare",
};

static s64 gauges_before[ARRAY_SIZE(gauges)], merged_before, breaks_before, free_before;

static void place_make(void)
{
	char domain[300];

	if (is_memfd)
		return;
	snprintf(place, sizeof(place), "%s/ksm_race.XXXXXX", is_ksm ? "/tmp" : option_fs);
	MUST((long)(mkdtemp(place) ? 0 : -1));
	if (is_ksm)
		MUST(mount("none", place, "ksmfs", 0, "size=256m"));
	snprintf(domain, sizeof(domain), "%s/d", place);
	MUST(mkdir(domain, 0700));
}

/* As often as is asked for: a test that failed may leave it all. */
static void place_clear(void)
{
	char path[300];
	unsigned int i;

	if (!place[0])
		return;
	for (i = 0; i < FILES_MAX; i++) {
		snprintf(path, sizeof(path), "%s/%sf%u", place, i % 8 < 6 ? "" : "d/", i);
		unlink(path);
	}
	for (i = 0; i < NAMES; i++) {
		snprintf(path, sizeof(path), "%s/n%u", place, i);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/d", place);
	rmdir(path);
	if (is_ksm)
		umount2(place, MNT_DETACH);
	rmdir(place);
}

/* Some are given back in the background. */
static void gauge_check(unsigned int i)
{
	unsigned int tries = 600;
	s64 now;

	do {
		now = ksm_get(gauges[i]);
		if (now == gauges_before[i])
			return;
		sleep_ms(50);
	} while (--tries);
	tap_fail("%s: expected %lld as before, got %lld", gauges[i],
		 (long long)gauges_before[i], (long long)now);
}

static void test_given_back(void)
{
	unsigned int i;

	place_clear();
	if (place[0])
		CHECK_ERRNO(access(place, F_OK), ENOENT);
	for (i = 0; is_ksm && i < ARRAY_SIZE(gauges); i++)
		gauge_check(i);
	if (is_ksm)
		ksm_quiet();
	CHECK_SOON(mem_free() > free_before - SLACK_KIB - mem_kept());
	tap_note("%lld KiB less are free", (long long)(free_before - mem_free()));
}

static void test_merged(void)
{
	s64 merged = ksm_get("pages_merged_total") - merged_before;
	s64 breaks = ksm_get("cow_breaks") - breaks_before;

	tap_note("%12lld pages merged", (long long)merged);
	tap_note("%12lld copies on write", (long long)breaks);
	CHECK(merged > 0);
	CHECK(breaks > 0);
}

static struct tap_test tests[] = {
	{ NULL, test_race },
	{ "memory is given back", test_given_back },
	{ "pages merged and were copied meanwhile", test_merged },
};

static bool option(const char *name, const char *value)
{
	if (!strcmp(name, "--ops"))
		option_ops = strtoull(value, NULL, 0);
	else if (!strcmp(name, "--seconds"))
		option_seconds = atoi(value);
	else if (!strcmp(name, "--fs"))
		option_fs = value;
	else if (!strcmp(name, "--files"))
		option_files = atoi(value);
	else if (!strcmp(name, "--pages"))
		option_pages = atoi(value);
	else if (!strcmp(name, "--processes"))
		option_processes = atoi(value);
	else if (!strcmp(name, "--seed"))
		option_seed = strtoull(value, NULL, 0);
	else
		return false;
	return true;
}

static bool options(int argc, char **argv)
{
	int i;

	option_seed = time(NULL) ^ getpid();
	for (i = 1; i + 1 < argc; i += 2)
		if (!option(argv[i], argv[i + 1]))
			return false;
	is_ksm = !strcmp(option_fs, "ksmfs");
	is_memfd = !strcmp(option_fs, "memfd");
	return i == argc && option_ops && option_files >= 4 &&
	       option_files <= FILES_MAX && option_pages >= 2 &&
	       option_pages <= PAGES_MAX && option_processes >= 2 &&
	       option_processes <= ACTORS / THREADS / 4;
}

static void gauges_take(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gauges); i++)
		gauges_before[i] = ksm_get(gauges[i]);
	merged_before = ksm_get("pages_merged_total");
	breaks_before = ksm_get("cow_breaks");
}

int main(int argc, char **argv)
{
	unsigned int count = ARRAY_SIZE(tests);
	int ret;

	if (!options(argc, argv)) {
		fprintf(stderr,
			"usage: %s [--fs ksmfs|memfd|DIRECTORY] [--ops N] [--seconds N] [--files 4..%u] [--pages 2..%u] [--processes 2..%u] [--seed S]\n",
			argv[0], FILES_MAX, PAGES_MAX, ACTORS / THREADS / 4);
		return 2;
	}
	tap_note("seed %llu", (unsigned long long)option_seed);
	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (table == MAP_FAILED)
		return 1;
	table->least = option_ops;
	table->verified = option_files;
	verdict_set();
	tests[0].name = table->verdict;
	if (is_ksm)
		gauges_take();
	else
		count--;
	free_before = mem_free();
	place_make();
	ret = tap_main(1, argv, tests, count, NULL);
	place_clear();
	if (is_ksm)
		ksm_try_set("run", "1");
	return ret;
}
