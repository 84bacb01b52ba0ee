// SPDX-License-Identifier: GPL-2.0
/*
 * Other parts of the kernel that use the memory of ksmdev while it is merged: futexes,
 * pins, memory failure, protection keys, advice, debuggers, core dumps.
 */
#define _GNU_SOURCE
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <sys/ptrace.h>

#include "debugger.h"
#include "ksm_attack.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define PAGES	64

/* ---- memory: of a file, or private memory that was taken over ---- */

enum kind { AREA, TAKEN };

static char *memory(int fd, enum kind kind)
{
	char *mem;

	if (kind == AREA)
		return map_area(fd, PAGES);
	mem = map_anon(PAGES);
	page_fill(mem, 1);
	ksm_range_do(fd, KSM_REGISTER, mem, PAGES);
	return mem;
}

/* All pages equal, and merged. */
static char *memory_merged(int fd, enum kind kind, u64 seed)
{
	char *mem = memory(fd, kind);

	pages_fill(mem, PAGES, seed, 0);
	ksm_scan_force(fd);
	CHECK_EQ(ksm_stats(fd).pages_merged, PAGES);
	return mem;
}

/* ---- futexes ---- */

struct waiter {
	pthread_t thread;
	u32 *at;
	int op;
	int result;		/* 0: was woken, or errno */
	pid_t tid;
};

static long futex(void *at, int op, u32 val, unsigned int seconds)
{
	struct timespec limit = { .tv_sec = seconds };

	return syscall(SYS_futex, at, op, val, &limit, NULL, 0);
}

static void *waiter_run(void *arg)
{
	struct waiter *w = arg;

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_SEQ_CST);
	w->result = futex(w->at, w->op, *(volatile u32 *)w->at, 2) ? errno : 0;
	return NULL;
}

static char task_state(pid_t tid)
{
	char path[64], text[512], *end;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (file_read(path, text, sizeof(text)) < 0)
		return 0;
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

/* Returns when the waiter sleeps, or has ended with an error. */
static void waiter_start(struct waiter *w, void *at, int op)
{
	pid_t tid = 0;
	char state;

	*w = (struct waiter){ .at = at, .op = op };
	w->thread = thread_start(waiter_run, w);
	do {
		sleep_ms(20);
		tid = __atomic_load_n(&w->tid, __ATOMIC_SEQ_CST);
		state = tid ? task_state(tid) : 'R';
	} while (state == 'R');
}

static int waiter_end(struct waiter *w)
{
	thread_end(w->thread);
	return w->result;
}

static u32 *word_at(char *mem, unsigned int page)
{
	return (u32 *)(page_at(mem, page) + 64);
}

enum futex_merge { NEVER, BEFORE, MEANWHILE };

/*
 * A waiter by one mapping, a write and a wake by another. Core mm knows no futex in a
 * page that is not the file's own, which only a read-only mapping can show.
 */
static void check_futex(int fd, char *waits, char *wakes, unsigned int page, int want,
			enum futex_merge merge)
{
	struct waiter w;
	long woken;

	if (merge != NEVER) {
		page_fill(page_at(wakes, page), 100 + page);
		page_fill(page_at(wakes, page + 1), 100 + page);
	}
	if (merge == BEFORE)
		ksm_scan_force(fd);
	waiter_start(&w, word_at(waits, page), FUTEX_WAIT);
	if (merge == MEANWHILE)
		ksm_scan_force(fd);
	++*word_at(wakes, page);
	woken = futex(word_at(wakes, page), FUTEX_WAKE, 1, 0);
	CHECK_EQ(waiter_end(&w), want);
	CHECK_EQ(woken, want ? 0 : 1);
}

static void attack_futex(void)
{
	char *rw, *other, *ro;
	int fd;

	be_user(2048);
	fd = ksm_open_private();
	rw = map_area(fd, PAGES);
	other = map_area(fd, PAGES);
	ro = (char *)MUST(mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0));
	check_futex(fd, rw, other, 0, 0, NEVER);
	check_futex(fd, rw, other, 2, 0, BEFORE);
	check_futex(fd, rw, other, 4, 0, MEANWHILE);
	check_futex(fd, ro, rw, 6, EFAULT, NEVER);
	check_futex(fd, ro, rw, 8, EFAULT, BEFORE);
	check_futex(fd, ro, rw, 10, 0, MEANWHILE);
	/* With a frame of its own it is as any other. */
	page_fill(page_at(rw, 12), 12345);
	check_futex(fd, ro, rw, 12, 0, NEVER);
}

/* Equal pages are two futexes, and so are pages that were never written. */
static void attack_futex_foreign(void)
{
	struct waiter w;
	char *a, *b;
	int fd[2];

	be_user(2048);
	fd[0] = ksm_open_private();
	fd[1] = ksm_open_private();
	a = map_area(fd[0], PAGES);
	b = (char *)MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd[1], 5 * PAGE));
	waiter_start(&w, a, FUTEX_WAIT);
	CHECK_ERRNO(futex(b, FUTEX_WAKE, 1, 0), EFAULT);
	CHECK_ERRNO(futex(b, FUTEX_WAIT, 0, 1), EFAULT);
	CHECK_EQ(futex(page_at(a, 1), FUTEX_WAKE, 1, 0), 0);
	CHECK_EQ(waiter_end(&w), ETIMEDOUT);
	page_fill(page_at(a, 2), 5);
	page_fill(page_at(a, 3), 5);
	waiter_start(&w, word_at(a, 2), FUTEX_WAIT);
	ksm_scan_force(fd[0]);
	CHECK_EQ(futex(word_at(a, 3), FUTEX_WAKE, 1, 0), 0);
	ksm_scan_force(fd[0]);
	MUST(mprotect(page_at(a, 3), PAGE, PROT_READ));
	CHECK(futex(word_at(a, 3), FUTEX_WAKE, 1, 0) <= 0);
	CHECK_EQ(waiter_end(&w), ETIMEDOUT);
}

/*
 * Memory registered while somebody waits: a private futex goes by its address. For a
 * shared one the memory is another, as after mmap() over it; who waits again is found.
 */
static void attack_futex_register(void)
{
	struct waiter w;
	char *mem = map_anon(2);
	int fd;

	be_user(2048);
	fd = ksm_open_private();
	pages_fill(mem, 2, 5, 0);
	waiter_start(&w, mem, FUTEX_WAIT_PRIVATE);
	ksm_range_do(fd, KSM_REGISTER, mem, 2);
	ksm_scan_force(fd);
	++*(u32 *)mem;
	CHECK_EQ(futex(mem, FUTEX_WAKE_PRIVATE, 1, 0), 1);
	CHECK_EQ(waiter_end(&w), 0);
	waiter_start(&w, mem, FUTEX_WAIT);
	ksm_scan_force(fd);
	++*(u32 *)mem;
	CHECK_EQ(futex(mem, FUTEX_WAKE, 1, 0), 1);
	CHECK_EQ(waiter_end(&w), 0);
}

/* ---- pins ---- */

/*
 * A pin for reading keeps the frame that it found: after a write it is another's, but
 * for a page that had a frame of its own.
 */
static void check_read_pin(char *mem, bool stale)
{
	char old[16], buf[16];
	int pipe_fd[2];

	memcpy(old, mem, 16);
	pipe_page(pipe_fd, mem);
	memset(mem, 'N', 16);
	CHECK_EQ(read(pipe_fd[0], buf, 16), 16);
	CHECK_EQ(memcmp(buf, stale ? old : mem, 16), 0);
	CHECK_EQ(mem[0], 'N');
	pipe_close(pipe_fd);
}

static void attack_read_pin(void)
{
	char *mem;
	int fd;

	be_user(2048);
	fd = ksm_open_private();
	mem = map_area(fd, PAGES);
	check_read_pin(mem, true);
	check_read_pin(mem, false);
	pages_fill(mem, PAGES, 5, 0);
	ksm_scan_force(fd);
	CHECK_EQ(ksm_stats(fd).pages_merged, PAGES);
	check_read_pin(page_at(mem, 1), true);
	check_read_pin(page_at(mem, 1), false);
	pages_check(page_at(mem, 2), PAGES - 2, 5, 0);
}

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *sqe;
};

static void ring_make(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, 4, p);
	if (ring->fd < 0)
		tap_skip("the kernel has no io_uring");
	ring->rings = (char *)MUST(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
					ring->fd, IORING_OFF_SQ_RING));
	ring->sqe = (void *)MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
				      ring->fd, IORING_OFF_SQES));
}

/* Reads from a file into fixed buffer 0; returns what the request does. */
static int ring_read_fixed(struct ring *ring, int fd, void *mem, unsigned int len)
{
	struct io_uring_params *p = &ring->params;
	u32 *tail = (u32 *)(ring->rings + p->sq_off.tail);
	u32 *cq_head = (u32 *)(ring->rings + p->cq_off.head);
	struct io_uring_cqe *cqe = (void *)(ring->rings + p->cq_off.cqes);

	*ring->sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED, .fd = fd, .addr = (u64)mem, .len = len,
	};
	((u32 *)(ring->rings + p->sq_off.array))[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	MUST(syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	return cqe[(*cq_head)++ & (p->cq_entries - 1)].res;
}

static long ring_fix(struct ring *ring, void *mem, unsigned long pages)
{
	struct iovec vec = { mem, pages * PAGE };

	return syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &vec, 1);
}

/* Linux 6.1 lets io_uring fix no memory of files at all. */
static void attack_fixed_buffers(void)
{
	int fd = ksm_open_private(), root = ksmfs_mount("size=16m"), file, from, flags;
	char *mem = map_area(fd, PAGES), *apart, *buf = map_anon(PAGES);
	struct ring ring;

	ring_make(&ring);
	pages_fill(mem, PAGES, 5, 0);
	CHECK(ring_fix(&ring, mem, PAGES) == -1);
	CHECK(errno == EFAULT || errno == EOPNOTSUPP);
	CHECK_EQ(ksm_scan(fd).pages_merged, PAGES - 1);
	file = MUST(openat(root, "apart", O_RDWR | O_CREAT, 0600));
	flags = FS_NOCOW_FL;
	MUST(ioctl(file, FS_IOC_SETFLAGS, &flags));
	MUST(ftruncate(file, PAGES * PAGE));
	apart = map_area(file, PAGES);
	pages_fill(apart, PAGES, 5, 0);
	if (ring_fix(&ring, apart, PAGES)) {
		CHECK_EQ(errno, EOPNOTSUPP);
		return;
	}
	from = MUST(memfd_create("from", 0));
	pages_fill(buf, PAGES, 1000, 1);
	CHECK_EQ(write(from, buf, PAGES * PAGE), PAGES * PAGE);
	ksm_scan_force(file);
	CHECK_EQ(ring_read_fixed(&ring, from, apart, PAGES * PAGE), PAGES * PAGE);
	pages_check(apart, PAGES, 1000, 1);
	CHECK_EQ(pread(file, buf, PAGE, 7 * PAGE), PAGE);
	pages_check(buf, 1, 1007, 1);
}

/* Pages that somebody has just looked at twice wait in a batch, which is no pin. */
static void attack_looked_at(void)
{
	unsigned int looks, i;
	char *mem, buf[16];
	int fd;

	be_user(2048);
	fd = ksm_open_private();
	for (looks = 0; looks < 4; looks++) {
		struct iovec local = { buf, 8 }, remote;

		mem = map_anon(PAGES);
		madvise(mem, PAGES * PAGE, MADV_NOHUGEPAGE);
		/* The first page is missing: the pages are not got by the fast way. */
		pages_fill(page_at(mem, 1), PAGES - 1, 10, 1);
		/* Other pages push these out of the batch of new ones. */
		MUST(madvise(map_anon(PAGES), PAGES * PAGE, MADV_POPULATE_WRITE));
		remote = (struct iovec){ page_at(mem, 7), 8 };
		for (i = 0; i < looks; i++)
			CHECK_EQ(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), 8);
		CHECK_EQ(range_try(fd, KSM_REGISTER, mem, PAGES, NULL), 0);
		pages_check(mem, 1, 0, 0);
		pages_check(page_at(mem, 1), PAGES - 1, 10, 1);
	}
}

/* ---- memory failure ---- */

#define OFFLINE		"/sys/devices/system/memory/hard_offline_page"
#define KPF_HWPOISON	19

/* What it answers differs; what counts is the mark. */
static void frame_break(u64 pfn)
{
	char text[32];
	u64 flags = 0;
	int fd;

	snprintf(text, sizeof(text), "%#llx", (unsigned long long)pfn * PAGE);
	file_write(OFFLINE, text);
	fd = MUST(open("/proc/kpageflags", O_RDONLY));
	CHECK_EQ(pread(fd, &flags, 8, pfn * 8), 8);
	close(fd);
	CHECK(flags >> KPF_HWPOISON & 1);
}

static void poison_begin(void)
{
	if (access(OFFLINE, W_OK))
		tap_skip("the kernel has no memory failure");
	bus_catch();
}

/* A page of its own, seen by a fault, by the scanner, by read(); punched, it is new. */
static void poison_private(enum kind kind)
{
	int fd = ksm_open_private(), file = kind == AREA ? ksm_get_file(fd) : -1;
	char *mem = memory(fd, kind), buf[16];
	u64 pfn;

	pages_fill(mem, PAGES, 100, 1);
	pfn = pfn_of(page_at(mem, 3));
	frame_break(pfn);
	MUST(madvise(mem, PAGES * PAGE, MADV_DONTNEED));
	CHECK_EQ(peek(page_at(mem, 3)), -BUS_MCEERR_AR);
	CHECK_EQ(poke(page_at(mem, 3), 1), -BUS_MCEERR_AR);
	if (file >= 0)
		CHECK_ERRNO(pread(file, buf, 16, 3 * PAGE), EIO);
	/* One that is mapped for writing, and is written without a fault. */
	page_fill(page_at(mem, 5), 105);
	frame_break(pfn_of(page_at(mem, 5)));
	page_at(mem, 5)[0]++;
	ksm_scan_force(fd);
	CHECK_EQ(peek(page_at(mem, 5)), -BUS_MCEERR_AR);
	pages_check(page_at(mem, 6), PAGES - 6, 106, 1);
	pages_check(page_at(mem, 4), 1, 104, 1);
	ksm_range_do(fd, KSM_DISCARD, page_at(mem, 3), 1);
	MUST(madvise(page_at(mem, 5), PAGE, MADV_REMOVE));
	CHECK_EQ(peek(page_at(mem, 3)), 0);
	CHECK_EQ(peek(page_at(mem, 5)), 0);
	pages_fill(mem, PAGES, 200, 1);
	pages_check(mem, PAGES, 200, 1);
	CHECK(pfn_of(page_at(mem, 3)) != pfn);
}

static void attack_poison_area(void)
{
	poison_begin();
	poison_private(AREA);
}

static void attack_poison_taken(void)
{
	poison_begin();
	poison_private(TAKEN);
}

/* A frame that several pages share; healthy pages do not join it. */
static void attack_poison_merged(void)
{
	int fd = ksm_open_private(), i;
	char *mem = map_area(fd, PAGES);
	u64 pfn;

	poison_begin();
	pages_fill(mem, 8, 5, 0);
	pages_fill(page_at(mem, 8), 8, 100, 1);
	ksm_scan_force(fd);
	pfn = pfn_of(mem);
	frame_break(pfn);
	pages_fill(page_at(mem, 16), 8, 5, 0);
	ksm_scan_force(fd);
	pages_check(page_at(mem, 16), 8, 5, 0);
	for (i = 16; i < 24; i++)
		CHECK(pfn_of(page_at(mem, i)) != pfn);
	MUST(madvise(mem, 8 * PAGE, MADV_DONTNEED));
	for (i = 0; i < 8; i++) {
		CHECK_EQ(peek(page_at(mem, i)), -BUS_MCEERR_AR);
		CHECK_EQ(poke(page_at(mem, i), 1), -BUS_MCEERR_AR);
	}
	pages_check(page_at(mem, 8), 8, 100, 1);
	ksm_range_do(fd, KSM_DISCARD, mem, 8);
	pages_fill(mem, 8, 5, 0);
	ksm_scan_force(fd);
	pages_check(mem, 8, 5, 0);
	CHECK(pfn_of(mem) != pfn);
}

/* The memory goes while it has broken frames that nobody has seen. */
static void attack_poison_unseen(void)
{
	int fd = ksm_open_private();
	char *mem = map_area(fd, PAGES), *taken = memory(fd, TAKEN);

	poison_begin();
	pages_fill(mem, 32, 5, 0);
	pages_fill(page_at(mem, 32), 32, 100, 1);
	pages_fill(taken, PAGES, 300, 1);
	ksm_scan_force(fd);
	frame_break(pfn_of(mem));
	frame_break(pfn_of(page_at(mem, 40)));
	frame_break(pfn_of(taken));
	pages_check(page_at(mem, 41), 23, 109, 1);
}

/* ---- protection keys ---- */

static void key_touch(void *arg)
{
	(void)*(volatile char *)arg;
}

static void attack_pkey(void)
{
	char *mem = map_anon(2), *area;
	int key = pkey_alloc(0, 0), fd;

	if (key < 0)
		tap_skip("the CPU has no protection keys");
	be_user(2048);
	fd = ksm_open_private();
	pages_fill(mem, 2, 5, 1);
	MUST(pkey_mprotect(mem, PAGE, PROT_READ | PROT_WRITE, key));
	CHECK_EQ(range_try(fd, KSM_REGISTER, mem, 1, NULL), -EOPNOTSUPP);
	CHECK_EQ(range_try(fd, KSM_REGISTER, mem, 2, NULL), -EOPNOTSUPP);
	CHECK_EQ(range_try(fd, KSM_REGISTER, page_at(mem, 1), 1, NULL), 0);
	pages_check(mem, 2, 5, 1);
	area = map_area(fd, 2);
	pages_fill(area, 2, 7, 0);
	ksm_scan_force(fd);
	MUST(pkey_mprotect(area, PAGE, PROT_READ | PROT_WRITE, key));
	MUST(pkey_set(key, PKEY_DISABLE_ACCESS));
	tap_check_signal(key_touch, area, SIGSEGV);
	tap_check_signal(key_touch, mem, SIGSEGV);
	pages_check(page_at(area, 1), 1, 7, 0);
	MUST(pkey_set(key, 0));
	pages_check(area, 2, 7, 0);
}

/* ---- what KSM_REGISTER takes, and what it keeps ---- */

static void attack_sparse(void)
{
	enum { SPARSE_PAGES = 65536 };
	struct rusage before, after;
	char *mem = map_anon(SPARSE_PAGES);
	s64 free_before;
	int fd;

	madvise(mem, SPARSE_PAGES * PAGE, MADV_NOHUGEPAGE);
	page_fill(page_at(mem, 1000), 5);
	be_user(2 * SPARSE_PAGES);
	fd = ksm_open_private();
	free_before = file_value("/proc/meminfo", "MemFree");
	MUST(getrusage(RUSAGE_SELF, &before));
	ksm_range_do(fd, KSM_REGISTER, mem, SPARSE_PAGES);
	MUST(getrusage(RUSAGE_SELF, &after));
	CHECK(after.ru_minflt - before.ru_minflt < 2000);
	CHECK_EQ(ksm_stats(fd).pages_private, 1);
	CHECK(free_before - file_value("/proc/meminfo", "MemFree") < 2 * SLACK_KIB);
	MUST(msync(mem, PAGE, MS_SYNC));
	pages_check(page_at(mem, 1000), 1, 5, 0);
}

/* The flag @flag of the mapping at @mem, as /proc/self/smaps has it. */
static bool has_vm_flag(const char *mem, const char *flag)
{
	static char text[262144];
	char head[32], *at;

	CHECK(file_read("/proc/self/smaps", text, sizeof(text)) > 0);
	snprintf(head, sizeof(head), "%lx-", (unsigned long)mem);
	at = strstr(text, head);
	CHECK(at);
	at = strstr(at, "VmFlags:");
	CHECK(at);
	*strchr(at, '\n') = '\0';
	return strstr(at, flag);
}

static void attack_advice(void)
{
	char *mem = map_anon(6);
	int fd;

	be_user(2048);
	fd = ksm_open_private();
	pages_fill(mem, 6, 5, 1);
	MUST(madvise(mem, PAGE, MADV_WIPEONFORK));
	CHECK_EQ(range_try(fd, KSM_REGISTER, mem, 1, NULL), -EINVAL);
	CHECK_EQ(range_try(fd, KSM_REGISTER, mem, 6, NULL), -EINVAL);
	CHECK(has_vm_flag(mem, " wf"));
	MUST(madvise(mem, PAGE, MADV_KEEPONFORK));
	MUST(madvise(page_at(mem, 2), 2 * PAGE, MADV_DONTDUMP));
	ksm_range_do(fd, KSM_REGISTER, mem, 6);
	CHECK(!has_vm_flag(mem, " dd"));
	CHECK(has_vm_flag(page_at(mem, 2), " dd"));
	CHECK(!has_vm_flag(page_at(mem, 4), " dd"));
	pages_check(mem, 6, 5, 1);
}

static void attack_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = ksm_open_private(), uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	char *mem = memory_merged(fd, AREA, 5);

	if (uffd < 0)
		tap_skip("the kernel has no userfaultfd");
	MUST(ioctl(uffd, UFFDIO_API, &api));
	reg.range.start = (u64)mem;
	reg.range.len = PAGES * PAGE;
	CHECK_ERRNO(ioctl(uffd, UFFDIO_REGISTER, &reg), EINVAL);
	pages_check(mem, PAGES, 5, 0);
}

/* ---- private mappings and children ---- */

static void attack_private_map(void)
{
	char *shared, *own;
	int fd;

	be_user(2048);
	fd = ksm_open_private();
	shared = memory_merged(fd, AREA, 5);
	own = (char *)MUST(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	pages_check(own, PAGES, 5, 0);
	pages_fill(own, 8, 100, 1);
	pages_check(shared, PAGES, 5, 0);
	page_fill(page_at(shared, 9), 6);
	pages_check(page_at(own, 9), 1, 6, 0);
	pages_fill(shared, 8, 7, 0);
	ksm_scan_force(fd);
	pages_check(own, 8, 100, 1);
	pages_check(shared, 8, 7, 0);
	MUST(madvise(own, PAGES * PAGE, MADV_DONTNEED));
	pages_check(own, 8, 7, 0);
}

static void attack_fork(void)
{
	char *area, *taken;
	pid_t pid;
	int fd;

	be_user(2048);
	fd = ksm_open_private();
	area = map_area(fd, PAGES);
	taken = memory(fd, TAKEN);
	pages_fill(area, PAGES, 5, 0);
	pages_fill(taken, PAGES, 5, 0);
	ksm_scan_force(fd);
	pid = tap_fork();
	if (!pid) {
		tap_check_signal(key_touch, taken, SIGSEGV);
		pages_check(area, PAGES, 5, 0);
		page_fill(area, 6);
		_exit(0);
	}
	tap_join(pid);
	pages_check(area, 1, 6, 0);
	pages_check(page_at(area, 1), PAGES - 1, 5, 0);
	pages_check(taken, PAGES, 5, 0);
}

/* ---- who looks at the memory ---- */

static unsigned int resident(char *mem)
{
	unsigned char vec[PAGES];
	unsigned int i, n = 0;

	MUST(mincore(mem, PAGES * PAGE, vec));
	for (i = 0; i < PAGES; i++)
		n += vec[i] & 1;
	return n;
}

/* mincore() knows what is mapped: no file's page cache holds the rest. */
static void check_looks(int fd, char *mem)
{
	unsigned int i;

	MUST(madvise(mem, PAGES * PAGE, MADV_POPULATE_READ));
	CHECK_EQ(ksm_stats(fd).pages_merged, PAGES);
	CHECK_EQ(resident(mem), PAGES);
	MUST(madvise(mem, PAGES * PAGE, MADV_DONTNEED));
	CHECK_EQ(resident(mem), 0);
	pages_check(mem, PAGES, 5, 0);
	CHECK_EQ(resident(mem), PAGES);
	for (i = 0; i < 2; i++) {
		madvise(mem, PAGES * PAGE, i ? MADV_COLD : MADV_PAGEOUT);
		pages_check(mem, PAGES, 5, 0);
	}
	CHECK_ERRNO(madvise(mem, PAGES * PAGE, MADV_FREE), EINVAL);
	pages_check(mem, PAGES, 5, 0);
	CHECK_EQ(ksm_stats(fd).pages_merged, PAGES);
	MUST(madvise(mem, PAGES * PAGE, MADV_POPULATE_WRITE));
	pages_check(mem, PAGES, 5, 0);
	ksm_scan_force(fd);
	ksm_scan_force(fd);
	CHECK_EQ(ksm_stats(fd).pages_merged, PAGES);
}

/* Frames do not move, and what asks them to loses nothing. */
static void check_moves(char *mem)
{
	unsigned long node_mask = 1;
	int node[PAGES] = { 0 }, status[PAGES];
	void *at[PAGES];
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		at[i] = page_at(mem, i);
	syscall(SYS_move_pages, 0, (long)PAGES, at, node, status, 2);
	/* MPOL_BIND, MPOL_MF_MOVE */
	syscall(SYS_mbind, mem, PAGES * PAGE, 2, &node_mask, 64UL, 2);
	madvise(page_at(mem, 11), PAGE, MADV_SOFT_OFFLINE);
	file_write("/proc/sys/vm/compact_memory", "1");
	pages_check(mem, PAGES, 5, 0);
	page_fill(page_at(mem, 11), 6);
	pages_check(page_at(mem, 11), 1, 6, 0);
	pages_check(mem, 11, 5, 0);
	page_fill(page_at(mem, 11), 5);
}

/* A debugger's write reaches one page of those that share a frame. */
static void check_debugger(int fd, char *mem)
{
	int self = MUST(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
	u64 word = 0x1111111111111111, got;

	ksm_scan_force(fd);
	CHECK_EQ(pwrite(self, &word, 8, (u64)page_at(mem, 5)), 8);
	CHECK_EQ(*(u64 *)page_at(mem, 5), word);
	pages_check(mem, 5, 5, 0);
	pages_check(page_at(mem, 6), PAGES - 6, 5, 0);
	page_fill(page_at(mem, 5), 5);
	ksm_scan_force(fd);
	/* By force into what is mapped for reading: no shared mapping allows that. */
	MUST(mprotect(mem, PAGES * PAGE, PROT_READ));
	CHECK_ERRNO(debugger_write(&word, 8, page_at(mem, 6)), EIO);
	pages_check(mem, PAGES, 5, 0);
	MUST(mprotect(mem, PAGES * PAGE, PROT_NONE));
	CHECK_EQ(debugger_read(&got, 8, page_at(mem, 7)), 8);
	CHECK_EQ(got, seed_word(5, 0));
	ksm_range_do(fd, KSM_UNMERGE, mem, PAGES);
	CHECK_EQ(ksm_stats(fd).pages_merged, 0);
	ksm_range_do(fd, KSM_MERGE, mem, PAGES);
	ksm_scan_force(fd);
	MUST(mprotect(mem, PAGES * PAGE, PROT_READ | PROT_WRITE));
	pages_check(mem, PAGES, 5, 0);
	close(self);
}

static void looks_run(enum kind kind)
{
	int fd = ksm_open_private();
	char *mem = memory_merged(fd, kind, 5);

	check_looks(fd, mem);
	check_moves(mem);
	check_debugger(fd, mem);
}

static void attack_looks_area(void)
{
	looks_run(AREA);
}

static void attack_looks_taken(void)
{
	looks_run(TAKEN);
}

static void attack_ptrace(void)
{
	struct turn ready = turn_make(), poked = turn_make();
	char *mem;
	pid_t pid = tap_fork();
	int status;

	if (!pid) {
		mem = memory_merged(ksm_open_private(), TAKEN, 5);
		turn_send(&ready, &mem, sizeof(mem));
		turn_wait(&poked);
		CHECK_EQ(*(u64 *)(page_at(mem, 9) + 16), 0xcc);
		pages_check(mem, 9, 5, 0);
		pages_check(page_at(mem, 10), PAGES - 10, 5, 0);
		_exit(0);
	}
	turn_receive(&ready, &mem, sizeof(mem));
	MUST(ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	MUST(ptrace(PTRACE_POKEDATA, pid, page_at(mem, 9) + 16, (void *)0xcc));
	MUST(ptrace(PTRACE_DETACH, pid, NULL, NULL));
	turn_pass(&poked);
	tap_join(pid);
}

/* ---- core dumps ---- */

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define CORE_SEED	0xc07ed0

/* How many pages of CORE_SEED are in the file. */
static unsigned int core_count(const char *path)
{
	int fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	char *page = map_anon(1);
	unsigned int n = 0;

	while (read(fd, page, PAGE) == (ssize_t)PAGE)
		n += page_holds(page, CORE_SEED);
	close(fd);
	return n;
}

/* Memory of both kinds is in a core, and what MADV_DONTDUMP excepts is not. */
static void attack_core(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	char dir[] = "/tmp/ksm-core.XXXXXX", path[64], old[256];
	char *mem;
	int status, fd;
	pid_t pid;

	if (file_read(CORE_PATTERN, old, sizeof(old)) <= 0)
		tap_skip("the kernel dumps no cores");
	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/core", dir);
	CHECK_EQ(file_write(CORE_PATTERN, path), 0);
	pid = tap_fork();
	if (!pid) {
		MUST(setrlimit(RLIMIT_CORE, &all));
		fd = ksm_open_private();
		memory_merged(fd, AREA, CORE_SEED);
		mem = memory(fd, TAKEN);
		pages_fill(mem, PAGES, CORE_SEED, 0);
		ksm_scan_force(fd);
		MUST(madvise(mem, 4 * PAGE, MADV_DONTDUMP));
		abort();
	}
	status = tap_wait(pid);
	file_write(CORE_PATTERN, old);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && WCOREDUMP(status));
	CHECK_EQ(core_count(path), 2 * PAGES - 4);
	MUST(unlink(path));
	MUST(rmdir(dir));
}

/* ---- the tests ---- */

#define ATTACK(name)	static void test_##name(void) { attack(attack_##name); }

ATTACK(futex)
ATTACK(futex_foreign)
ATTACK(futex_register)
ATTACK(read_pin)
ATTACK(fixed_buffers)
ATTACK(looked_at)
ATTACK(poison_area)
ATTACK(poison_taken)
ATTACK(poison_merged)
ATTACK(poison_unseen)
ATTACK(pkey)
ATTACK(sparse)
ATTACK(advice)
ATTACK(userfaultfd)
ATTACK(private_map)
ATTACK(fork)
ATTACK(looks_area)
ATTACK(looks_taken)
ATTACK(ptrace)
ATTACK(core)

static const struct tap_test tests[] = {
	{ "futexes in pages that merge: woken, or EFAULT", test_futex },
	{ "no wake of a futex reaches another", test_futex_foreign },
	{ "a futex in memory that is registered meanwhile", test_futex_register },
	{ "a pin for reading keeps the frame that it found", test_read_pin },
	{ "io_uring fixed buffers: EFAULT, but for files that never merge", test_fixed_buffers },
	{ "KSM_REGISTER of pages that somebody has just looked at", test_looked_at },
	{ "broken frames of a file: SIGBUS, and a punch mends it", test_poison_area },
	{ "broken frames of registered memory: SIGBUS, and a punch mends it", test_poison_taken },
	{ "a broken frame that is shared: SIGBUS, and no page joins it", test_poison_merged },
	{ "memory with broken frames that nobody has seen goes", test_poison_unseen },
	{ "protection keys", test_pkey },
	{ "KSM_REGISTER of 256 MiB that was never touched", test_sparse },
	{ "MADV_WIPEONFORK and MADV_DONTDUMP of registered memory", test_advice },
	{ "userfaultfd refuses the memory", test_userfaultfd },
	{ "a private mapping of merged memory", test_private_map },
	{ "a child has the mappings of a file, and not registered memory", test_fork },
	{ "mincore, madvise, migration and debuggers: a file", test_looks_area },
	{ "mincore, madvise, migration and debuggers: registered memory", test_looks_taken },
	{ "a debugger writes to a merged page of another process", test_ptrace },
	{ "core dumps", test_core },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
