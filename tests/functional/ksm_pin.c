// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that the kernel or a device is using through their frames: they are
 * not merged as long as that lasts, and what is written that way is not lost.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/uio.h>

#include "ksm_test.h"

#define DISK	"/dev/vda"

/* ---- pages held in a pipe ---- */

static void test_vmsplice(void)
{
	int fd = ksm_open_private(), pipe_fd[2];
	char *mem = map_area(fd, 8), *buf = map_anon(4);
	struct iovec vec = { mem, 4 * PAGE };
	struct ksm_scan scan;
	u64 frames[4];
	unsigned int i;

	pages_fill(mem, 8, 5, 0);
	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &vec, 1, 0), 4 * PAGE);
	for (i = 0; i < 4; i++)
		frames[i] = pfn_of(page_at(mem, i));
	scan = ksm_scan(fd);
	CHECK_EQ(scan.pages_merged, 3);
	CHECK_EQ(scan.pages_skipped, 4);
	for (i = 0; i < 4; i++)
		CHECK_EQ(pfn_of(page_at(mem, i)), frames[i]);
	CHECK_EQ(count_frames(mem, 8), 5);
	CHECK_EQ(read(pipe_fd[0], buf, 4 * PAGE), 4 * PAGE);
	pages_check(buf, 4, 5, 0);
	scan = ksm_scan_force(fd);
	CHECK_EQ(scan.pages_merged, 4);
	CHECK_EQ(scan.pages_skipped, 0);
	CHECK_EQ(count_frames(mem, 8), 1);
	pages_check(mem, 8, 5, 0);
}

static void test_vmsplice_zero(void)
{
	int fd = ksm_open_private(), pipe_fd[2];
	char *mem = map_area(fd, 8), *buf = map_anon(4);
	struct iovec vec = { mem, 4 * PAGE };
	struct ksm_scan scan;

	pages_fill(mem, 8, 5, 0);
	pages_fill(mem, 8, 0, 0);
	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &vec, 1, 0), 4 * PAGE);
	scan = ksm_scan(fd);
	CHECK_EQ(scan.pages_zero, 4);
	CHECK_EQ(scan.pages_skipped, 4);
	CHECK_EQ(read(pipe_fd[0], buf, 4 * PAGE), 4 * PAGE);
	CHECK_EQ(ksm_scan_force(fd).pages_zero, 4);
	pages_check(mem, 8, 0, 0);
}

/*
 * A page in a pipe that shares its frame already: the frame stays as it is,
 * whatever happens to the area.
 */
static void test_vmsplice_merged(void)
{
	int fd = ksm_open_private(), pipe_fd[2];
	char *mem = map_area(fd, 8), *buf = map_anon(4);
	struct iovec vec = { mem, 4 * PAGE };

	pages_fill(mem, 8, 5, 0);
	ksm_scan(fd);
	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &vec, 1, 0), 4 * PAGE);
	pages_fill(mem, 2, 6, 0);
	ksm_range_do(fd, KSM_DISCARD, page_at(mem, 2), 1);
	ksm_range_do(fd, KSM_UNMERGE, page_at(mem, 3), 5);
	pages_fill(page_at(mem, 3), 5, 7, 0);
	ksm_scan_force(fd);
	MUST(munmap(mem, 8 * PAGE));
	close(fd);
	CHECK_EQ(read(pipe_fd[0], buf, 4 * PAGE), 4 * PAGE);
	pages_check(buf, 4, 5, 0);
}

static void test_vmsplice_discarded(void)
{
	int fd = ksm_open_private(), pipe_fd[2];
	char *mem = map_area(fd, 8), *buf = map_anon(8);
	struct iovec vec = { mem, 8 * PAGE };

	pages_fill(mem, 8, 5, 1);
	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &vec, 1, 0), 8 * PAGE);
	ksm_range_do(fd, KSM_DISCARD, mem, 4);
	pages_check(mem, 4, 0, 0);
	pages_fill(mem, 4, 6, 1);
	MUST(munmap(mem, 8 * PAGE));
	close(fd);
	CHECK_EQ(read(pipe_fd[0], buf, 8 * PAGE), 8 * PAGE);
	pages_check(buf, 8, 5, 1);
}

static void test_vmsplice_unmerge(void)
{
	int fd = ksm_open_private(), pipe_fd[2];
	char *mem = map_area(fd, 8);
	struct iovec vec = { mem, 4 * PAGE };
	u64 frame;

	pages_fill(mem, 8, 5, 1);
	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &vec, 1, 0), 4 * PAGE);
	frame = pfn_of(mem);
	ksm_set("run", "2");
	ksm_set("run", "0");
	CHECK_EQ(pfn_of(mem), frame);
	pages_check(mem, 8, 5, 1);
}

/* ---- long-term pins ---- */

/* Kernels from 6.8 on refuse them; an older one must keep the pages apart. */
static void test_io_uring_buffers(void)
{
	struct io_uring_params params = { .flags = 0 };
	int fd = ksm_open_private(), ring;
	char *mem = map_area(fd, 8);
	struct iovec vec = { mem, 4 * PAGE };

	ring = syscall(SYS_io_uring_setup, 4, &params);
	if (ring < 0)
		tap_skip("the kernel has no io_uring");
	pages_fill(mem, 8, 5, 0);
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &vec, 1)) {
		CHECK(errno == EFAULT || errno == EOPNOTSUPP);
		CHECK_EQ(ksm_scan(fd).pages_merged, 7);
		return;
	}
	CHECK_EQ(ksm_scan(fd).pages_merged, 3);
	CHECK_EQ(ksm_scan_force(fd).pages_skipped, 4);
	CHECK_EQ(count_frames(mem, 8), 5);
	MUST(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS,
		     NULL, 0));
	close(ring);
	CHECK_SOON(ksm_scan_force(fd).pages_merged + 1 &&
		   ksm_stats(fd).pages_merged == 8);
	pages_check(mem, 8, 5, 0);
}

/* ---- writes through a pin, against a scanner at full speed ---- */

static bool scanner_stop;

static void *scanner_run(void *arg)
{
	int fd = *(int *)arg;

	while (!__atomic_load_n(&scanner_stop, __ATOMIC_RELAXED))
		ksm_scan_force(fd);
	return NULL;
}

static pthread_t scanner_start(int *fd)
{
	pthread_t thread;

	scanner_stop = false;
	ksm_set("advisor_max_cpu", "6400");
	ksm_set("sleep_millisecs", "0");
	ksm_set("rest_millisecs", "0");
	ksm_set("scan_threads", "2");
	ksm_set("run", "1");
	CHECK_EQ(pthread_create(&thread, NULL, scanner_run, fd), 0);
	return thread;
}

static void scanner_end(pthread_t thread)
{
	__atomic_store_n(&scanner_stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ksm_set("run", "0");
}

/* Many pages in one call, merged before: each is pinned, then written. */
static void test_process_vm_writev(void)
{
	const unsigned long pages = 256;
	int fd = ksm_open_private();
	char *mem = map_area(fd, pages), *buf = map_anon(pages);
	struct iovec local = { buf, pages * PAGE }, remote = { mem, pages * PAGE };
	pthread_t scanner = scanner_start(&fd);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		pages_fill(mem, pages, 5, 0);
		if (i & 1)
			CHECK_SOON(ksm_stats(fd).pages_merged);
		pages_fill(buf, pages, 1000 * i + 10, i & 2 ? 1 : 0);
		CHECK_EQ(process_vm_writev(getpid(), &local, 1, &remote, 1, 0),
			 pages * PAGE);
		pages_check(mem, pages, 1000 * i + 10, i & 2 ? 1 : 0);
	}
	scanner_end(scanner);
	pages_check(mem, pages, 1000 * 19 + 10, 1);
}

/* A disk to read from: each block holds the number of its page. */
static int disk_open(unsigned long pages)
{
	int disk = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	char *buf = map_anon(pages);

	if (disk < 0)
		tap_skip("no scratch disk " DISK);
	pages_fill(buf, pages, 777, 1);
	CHECK_EQ(pwrite(disk, buf, pages * PAGE, 0), pages * PAGE);
	MUST(munmap(buf, pages * PAGE));
	return disk;
}

/* DMA into pages that were merged, and that equal each other until it ends. */
static void test_direct_read(void)
{
	const unsigned long pages = 64;
	int fd = ksm_open_private(), disk = disk_open(pages);
	char *mem = map_area(fd, pages);
	pthread_t scanner = scanner_start(&fd);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		pages_fill(mem, pages, 5, 0);
		if (i & 1)
			CHECK_SOON(ksm_stats(fd).pages_merged);
		CHECK_EQ(pread(disk, mem, pages * PAGE, 0), pages * PAGE);
		pages_check(mem, pages, 777, 1);
	}
	scanner_end(scanner);
	pages_check(mem, pages, 777, 1);
}

static void test_direct_write(void)
{
	const unsigned long pages = 64;
	int fd = ksm_open_private(), disk = disk_open(pages);
	char *mem = map_area(fd, pages), *buf = map_anon(pages);
	pthread_t scanner = scanner_start(&fd);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		pages_fill(mem, pages, 10 + i, 0);
		CHECK_EQ(pwrite(disk, mem, pages * PAGE, 0), pages * PAGE);
		CHECK_EQ(pread(disk, buf, pages * PAGE, 0), pages * PAGE);
		pages_check(buf, pages, 10 + i, 0);
	}
	scanner_end(scanner);
}

/* DMA into memory that is registered while it runs. */
#define DMA_PAGES	(8 * CHUNK_PAGES)

struct registrar {
	pthread_t thread;
	pthread_t smaps;
	int fd;
	char *mem;
	unsigned long pages;
	unsigned int delay;		/* us */
	bool done;
};

/* Again and again from where a pinned page stopped it. */
static void *register_run(void *arg)
{
	struct registrar *r = arg;
	struct ksm_range range = { .addr = (u64)r->mem,
				   .len = r->pages * PAGE };

	usleep(r->delay);
	while (ioctl(r->fd, KSM_REGISTER, &range)) {
		CHECK_EQ(errno, EBUSY);
		range.addr += range.done;
		range.len -= range.done;
		range.done = 0;
	}
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool registrar_done(struct registrar *r)
{
	return __atomic_load_n(&r->done, __ATOMIC_ACQUIRE);
}

/*
 * Reads smaps, which holds the lock of the address space for milliseconds at
 * this mapping: so long KSM_REGISTER takes from its last look at the pages to
 * the end of their mapping, and pages that are mapped can be pinned meanwhile.
 */
static void *smaps_run(void *arg)
{
	struct registrar *r = arg;
	static char buf[65536];
	int smaps = MUST(open("/proc/self/smaps", O_RDONLY | O_CLOEXEC));

	while (!registrar_done(r))
		if (!read(smaps, buf, sizeof(buf)))
			lseek(smaps, 0, SEEK_SET);
	close(smaps);
	return NULL;
}

static void map_for_smaps(void)
{
	const unsigned long size = 64 * CHUNK_PAGES * PAGE;
	static char *mem;

	if (mem)
		return;
	mem = (char *)MUST(mmap(NULL, size, PROT_READ,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	madvise(mem, size, MADV_NOHUGEPAGE);
	MUST(madvise(mem, size, MADV_POPULATE_READ));
}

static void registrar_start(struct registrar *r)
{
	r->done = false;
	map_for_smaps();
	CHECK_EQ(pthread_create(&r->smaps, NULL, smaps_run, r), 0);
	CHECK_EQ(pthread_create(&r->thread, NULL, register_run, r), 0);
}

static void registrar_end(struct registrar *r)
{
	pthread_join(r->thread, NULL);
	pthread_join(r->smaps, NULL);
}

/* Anonymous memory from a multiple of 2 MiB on, of huge pages or without. */
static char *map_chunks(unsigned long pages, bool huge)
{
	unsigned long size = CHUNK_PAGES * PAGE;
	char *mem = map_anon(pages + CHUNK_PAGES);
	char *start = (char *)(((unsigned long)mem + size - 1) & -size);

	if (start > mem)
		MUST(munmap(mem, start - mem));
	if (start < mem + size)
		MUST(munmap(start + pages * PAGE, mem + size - start));
	madvise(start, pages * PAGE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return start;
}

static void test_direct_read_while_registering(void)
{
	struct registrar r = { .fd = ksm_open_private(), .pages = DMA_PAGES };
	int disk = disk_open(DMA_PAGES);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		r.mem = map_chunks(DMA_PAGES, i & 1);
		pages_fill(r.mem, DMA_PAGES, 5, 0);
		registrar_start(&r);
		usleep(200 * (i % 5));
		CHECK_EQ(pread(disk, r.mem, DMA_PAGES * PAGE, 0),
			 DMA_PAGES * PAGE);
		registrar_end(&r);
		pages_check(r.mem, DMA_PAGES, 777, 1);
		MUST(munmap(r.mem, DMA_PAGES * PAGE));
	}
}

/*
 * One chunk, read again and again, so that its mapping is replaced while a call
 * has pinned some of its pages and comes to the others.  What was read last
 * must be there; with a part for each page, a call takes long to pin them all.
 */
static void check_direct_readv(bool huge, unsigned int rounds)
{
	struct registrar r = { .fd = ksm_open_private(), .pages = CHUNK_PAGES };
	int disk = disk_open(2 * CHUNK_PAGES);
	struct iovec vec[CHUNK_PAGES];
	unsigned long i, from;

	while (rounds--) {
		r.mem = map_chunks(CHUNK_PAGES, huge);
		pages_fill(r.mem, CHUNK_PAGES, 5, 0);
		for (i = 0; i < CHUNK_PAGES; i++)
			vec[i] = (struct iovec){ page_at(r.mem, i), PAGE };
		registrar_start(&r);
		from = 0;
		r.delay = 5000 + rounds * 700;
		do {
			from ^= CHUNK_PAGES;
			usleep(200);
			CHECK_EQ(preadv(disk, vec, CHUNK_PAGES, from * PAGE),
				 CHUNK_PAGES * PAGE);
		} while (!registrar_done(&r));
		registrar_end(&r);
		pages_check(r.mem, CHUNK_PAGES, 777 + from, 1);
		MUST(munmap(r.mem, CHUNK_PAGES * PAGE));
	}
}

static void test_direct_readv_while_registering(void)
{
	check_direct_readv(false, 20);
}

static void test_direct_readv_while_registering_huge(void)
{
	check_direct_readv(true, 20);
}

/* ---- pages that stay in use while their mapping is replaced ---- */

#define LATE_FIRST	100UL
#define LATE_PAGES	8UL

/* Pages in a pipe: in use for as long as the test wants, and unchanged. */
struct late {
	struct registrar r;
	int pipe_fd[2];
	char *pages;
	s64 pins;
};

static u64 ms_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* How many pages the kernel has pinned for anybody. */
static s64 pins_now(void)
{
	CHECK_EQ(file_write("/proc/sys/vm/stat_refresh", "1"), 0);
	return file_value("/proc/vmstat", "nr_foll_pin_acquired") -
	       file_value("/proc/vmstat", "nr_foll_pin_released");
}

static void late_empty_pipe(struct late *late)
{
	static char buf[LATE_PAGES * PAGE];

	CHECK_EQ(read(late->pipe_fd[0], buf, sizeof(buf)), sizeof(buf));
	pages_check(buf, LATE_PAGES, 5 + LATE_FIRST, 1);
}

/*
 * Take the pages into the pipe for a moment.  True if their mapping went
 * meanwhile: they came in between the registrar's last look and that.
 */
static bool late_take(struct late *late)
{
	struct iovec vec = { late->pages, LATE_PAGES * PAGE };
	u64 end = ms_now() + 2;

	CHECK_EQ(vmsplice(late->pipe_fd[1], &vec, 1, 0), LATE_PAGES * PAGE);
	do {
		if (!pfn_of_pid(getpid(), late->pages))
			return true;
	} while (ms_now() < end);
	late_empty_pipe(late);
	return false;
}

static void late_map(struct late *late, bool huge)
{
	late->r.mem = map_chunks(CHUNK_PAGES, huge);
	late->pages = page_at(late->r.mem, LATE_FIRST);
	pages_fill(late->r.mem, CHUNK_PAGES, 5, 1);
	registrar_start(&late->r);
}

/* In static memory, as threads look at it for as long as the test runs. */
static struct late *late_start(bool huge)
{
	static struct late late;
	u64 end = ms_now() + 8000;

	late = (struct late){ .r.fd = ksm_open_private(),
			      .r.pages = CHUNK_PAGES, .pins = pins_now() };
	MUST(pipe(late.pipe_fd));
	late_map(&late, huge);
	while (!late_take(&late)) {
		if (ms_now() > end)
			tap_skip("the pages were never taken in time");
		if (!registrar_done(&late.r))
			continue;
		registrar_end(&late.r);
		MUST(munmap(late.r.mem, CHUNK_PAGES * PAGE));
		late_map(&late, huge);
	}
	return &late;
}

static void late_check_pending(struct late *late, unsigned int pages)
{
	CHECK_EQ(ksm_stats(late->r.fd).pages_pending, pages);
	CHECK_EQ(pins_now(), late->pins + pages);
}

/*
 * The call succeeds though some pages have to stay behind.  Each thing that
 * can happen to them gives them up, and the rest is moved when it is free.
 */
static void test_late(void)
{
	struct late *late = late_start(false);
	int fd = late->r.fd;

	registrar_end(&late->r);
	late_check_pending(late, LATE_PAGES);
	CHECK_EQ(count_vmas(late->r.mem, CHUNK_PAGES), 1);
	CHECK_EQ(ksm_scan_force(fd).pages_skipped, LATE_PAGES);
	ksm_range_do(fd, KSM_UNMERGE, late->r.mem, CHUNK_PAGES);
	ksm_range_do(fd, KSM_MERGE, late->r.mem, CHUNK_PAGES);
	late_check_pending(late, LATE_PAGES);
	ksm_range_do(fd, KSM_DISCARD, late->pages, 1);
	late_check_pending(late, LATE_PAGES - 1);
	pages_check(late->pages, 1, 0, 0);
	MUST(munmap(page_at(late->pages, LATE_PAGES - 1), PAGE));
	CHECK_SOON(ksm_stats(fd).pages_pending == LATE_PAGES - 2);
	late_check_pending(late, LATE_PAGES - 2);
	pages_check(page_at(late->pages, 1), 1, 6 + LATE_FIRST, 1);
	late_check_pending(late, LATE_PAGES - 3);
	late_empty_pipe(late);
	ksm_scan_force(fd);
	late_check_pending(late, 0);
	CHECK_EQ(ksm_stats(fd).pages_private, CHUNK_PAGES - 2);
	pages_check(late->r.mem, LATE_FIRST, 5, 1);
	pages_check(page_at(late->pages, 1), LATE_PAGES - 2, 6 + LATE_FIRST, 1);
	pages_fill(late->r.mem, LATE_FIRST + LATE_PAGES - 1, 6, 0);
	CHECK_EQ(ksm_scan_force(fd).pages_merged, LATE_FIRST + LATE_PAGES - 2);
	pages_check(late->r.mem, LATE_FIRST + LATE_PAGES - 1, 6, 0);
}

/*
 * Who has pages of a huge page and comes to others of it waits for itself, as
 * a read with O_DIRECT may.  That is over soon, for all pages together, and
 * nothing is copied that he might have.
 */
static void test_late_huge(void)
{
	struct late *late = late_start(true);
	struct iovec vec = { page_at(late->r.mem, 300), LATE_PAGES * PAGE };
	char *buf = map_anon(LATE_PAGES);
	u64 start = ms_now();
	int pipe_fd[2];

	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &vec, 1, 0), LATE_PAGES * PAGE);
	CHECK(ms_now() - start < 5000);
	CHECK_EQ(ksm_stats(late->r.fd).pages_pending, CHUNK_PAGES - LATE_PAGES);
	late_empty_pipe(late);
	registrar_end(&late->r);
	late_check_pending(late, 0);
	pages_check(late->r.mem, CHUNK_PAGES, 5, 1);
	CHECK_EQ(read(pipe_fd[0], buf, LATE_PAGES * PAGE), LATE_PAGES * PAGE);
	pages_check(buf, LATE_PAGES, 305, 1);
}

static bool late_written;

static void *late_write_run(void *arg)
{
	page_fill(arg, 9);
	__atomic_store_n(&late_written, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Who uses the page may write to it: who touches it waits, and nobody else. */
static void test_late_waited_for(void)
{
	struct late *late = late_start(false);
	unsigned long behind = LATE_FIRST + LATE_PAGES;
	pthread_t writer;

	CHECK_EQ(pthread_create(&writer, NULL, late_write_run, late->pages), 0);
	sleep_ms(300);
	CHECK(!__atomic_load_n(&late_written, __ATOMIC_ACQUIRE));
	pages_check(late->r.mem, LATE_FIRST, 5, 1);
	MUST(munmap(map_anon(1), PAGE));
	CHECK(!__atomic_load_n(&late_written, __ATOMIC_ACQUIRE));
	late_empty_pipe(late);
	pthread_join(writer, NULL);
	registrar_end(&late->r);
	late_check_pending(late, 0);
	pages_check(late->pages, 1, 9, 0);
	pages_check(page_at(late->pages, 1), LATE_PAGES - 1, 6 + LATE_FIRST, 1);
	pages_check(page_at(late->r.mem, behind), CHUNK_PAGES - behind,
		    5 + behind, 1);
}

static void *late_read_run(void *arg)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)!read(zero, arg, 8);
	return NULL;
}

static void *late_splice_run(void *arg)
{
	struct iovec vec = { arg, PAGE };
	int pipe_fd[2];

	MUST(pipe(pipe_fd));
	vmsplice(pipe_fd[1], &vec, 1, 0);
	return NULL;
}

/* Mapped before somebody waits with the lock of mappings. */
static char *late_other;
static int late_fd;

/* Two more calls of the descriptor, which wait for nobody; @arg is not needed. */
static void *late_register_run(void *arg)
{
	struct ksm_range range = { .addr = (unsigned long)late_other,
				   .len = 8 * PAGE };

	ioctl(late_fd, KSM_REGISTER, &range);
	return arg;
}

static void *late_domain_run(void *arg)
{
	struct ksm_set_domain domain = { .flags = KSM_DOMAIN_PRIVATE, .fd = -1 };

	ioctl(late_fd, KSM_SET_DOMAIN, &domain);
	return arg;
}

static void *(*const late_waiters[])(void *arg) = {
	late_write_run, late_read_run, late_splice_run, late_register_run,
	late_domain_run,
};

/* One waits in KSM_REGISTER, others in an access and in system calls. */
static void late_wait_all(struct turn *ready)
{
	struct late *late;
	pthread_t thread;
	unsigned int i;

	late_other = map_anon(8);
	late = late_start(false);
	late_fd = late->r.fd;
	for (i = 0; i < ARRAY_SIZE(late_waiters); i++)
		CHECK_EQ(pthread_create(&thread, NULL, late_waiters[i],
					late->pages), 0);
	sleep_ms(200);
	turn_pass(ready);
	pause();
}

static void test_late_killed(void)
{
	struct turn ready = turn_make();
	s64 pins = pins_now();
	pid_t pid = tap_fork();
	u64 start;

	if (!pid)
		late_wait_all(&ready);
	turn_wait(&ready);
	start = ms_now();
	MUST(kill(pid, SIGKILL));
	CHECK_EQ(tap_wait(pid), SIGKILL);
	CHECK(ms_now() - start < 3000);
	CHECK_SOON(pins_now() == pins);
}

/* The same file as @fd of process @pid. */
static int fd_of(pid_t pid, int fd)
{
	int process = MUST(syscall(SYS_pidfd_open, pid, 0));

	return MUST(syscall(SYS_pidfd_getfd, process, fd, 0));
}

static void late_other_process(struct turn *turn, pid_t parent)
{
	struct ksm_range range = { .len = 8 * PAGE };
	char *mem = map_anon(8);
	int fd;

	pages_fill(mem, 8, 5, 1);
	range.addr = (unsigned long)mem;
	turn_receive(turn, &fd, sizeof(fd));
	MUST(ioctl(fd_of(parent, fd), KSM_REGISTER, &range));
	pages_check(mem, 8, 5, 1);
	_exit(0);
}

/* Two processes register memory with one descriptor: none waits for the other. */
static void test_late_other(void)
{
	struct turn turn = turn_make();
	pid_t parent = getpid(), pid = tap_fork();
	struct late *late;

	if (!pid)
		late_other_process(&turn, parent);
	late = late_start(false);
	turn_send(&turn, &late->r.fd, sizeof(late->r.fd));
	tap_join(pid);
	CHECK(!registrar_done(&late->r));
	late_empty_pipe(late);
	registrar_end(&late->r);
	late_check_pending(late, 0);
}

/* ---- a read that has pinned a page and is held up before the others ---- */

#define HELD_PARTS	3

struct held {
	struct registrar r;
	int disk, uffd;
	unsigned int delay;		/* us */
	struct iovec vec[HELD_PARTS];	/* a page, the wall, a page behind */
	pthread_t reader;
};

/*
 * Begins some time after the registrar noted the pages, soon after its last
 * look at them if all goes well, and stops at the wall.
 */
static void *held_read_run(void *arg)
{
	struct held *held = arg;

	while (!ksm_stats(held->r.fd).pages_pending && !registrar_done(&held->r))
		;
	if (held->delay)
		usleep(held->delay);
	CHECK_EQ(preadv(held->disk, held->vec, HELD_PARTS, 0),
		 HELD_PARTS * PAGE);
	return NULL;
}

/* A page whose first use waits until held_release(). */
static char *held_wall(struct held *held)
{
	char *wall = map_anon(1);
	struct uffdio_register watch = {
		.range = { (unsigned long)wall, PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	MUST(ioctl(held->uffd, UFFDIO_REGISTER, &watch));
	return wall;
}

static void held_wait_wall(struct held *held)
{
	struct uffd_msg msg;

	CHECK_EQ(read(held->uffd, &msg, sizeof(msg)), sizeof(msg));
	CHECK_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
}

static void held_release(struct held *held)
{
	struct uffdio_zeropage page = {
		.range = { (unsigned long)held->vec[1].iov_base, PAGE },
	};

	MUST(ioctl(held->uffd, UFFDIO_ZEROPAGE, &page));
	pthread_join(held->reader, NULL);
}

/* True if the first page was pinned through the mapping that then went. */
static bool held_begin(struct held *held, bool huge)
{
	char *wall = held_wall(held);

	held->r.mem = map_chunks(CHUNK_PAGES, huge);
	pages_fill(held->r.mem, CHUNK_PAGES, 5, 1);
	held->vec[0] = (struct iovec){ page_at(held->r.mem, 10), PAGE };
	held->vec[1] = (struct iovec){ wall, PAGE };
	held->vec[2] = (struct iovec){ page_at(held->r.mem, 300), PAGE };
	held->r.done = false;
	CHECK_EQ(pthread_create(&held->reader, NULL, held_read_run, held), 0);
	registrar_start(&held->r);
	held_wait_wall(held);
	return !pfn_of_pid(getpid(), held->vec[0].iov_base);
}

static void held_check(struct held *held)
{
	char *mem = held->r.mem;

	CHECK_EQ(ksm_stats(held->r.fd).pages_pending, 0);
	pages_check(held->vec[0].iov_base, 1, 777, 0);
	pages_check(held->vec[1].iov_base, 1, 778, 0);
	pages_check(held->vec[2].iov_base, 1, 779, 0);
	pages_check(mem, 10, 5, 1);
	pages_check(page_at(mem, 11), 289, 16, 1);
	pages_check(page_at(mem, 301), CHUNK_PAGES - 301, 306, 1);
}

static void held_end(struct held *held)
{
	held_release(held);
	registrar_end(&held->r);
	held_check(held);
	MUST(munmap(held->r.mem, CHUNK_PAGES * PAGE));
	MUST(munmap(held->vec[1].iov_base, PAGE));
}

static struct held *held_start(bool huge)
{
	struct uffdio_api api = { .api = UFFD_API };
	static struct held held;
	u64 end = ms_now() + 30000;

	held = (struct held){ .r.fd = ksm_open_private(), .r.delay = 5000,
			      .r.pages = CHUNK_PAGES,
			      .disk = disk_open(HELD_PARTS) };
	held.uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (held.uffd < 0)
		tap_skip("the kernel has no userfaultfd");
	MUST(ioctl(held.uffd, UFFDIO_API, &api));
	while (!held_begin(&held, huge)) {
		if (ms_now() > end)
			tap_skip("the page was never pinned in time");
		held_end(&held);
		held.delay = (held.delay + 170) % 2000;
	}
	return &held;
}

/* The call leaves the page behind; it is moved after it was read. */
static void test_held(void)
{
	struct held *held = held_start(false);

	registrar_end(&held->r);
	CHECK_EQ(ksm_stats(held->r.fd).pages_pending, 1);
	held_release(held);
	ksm_scan_force(held->r.fd);
	held_check(held);
}

/*
 * The read comes to another page of the huge one that it has pinned itself: it
 * waits for itself, but not for long, and the call copies nothing before.
 */
static void test_held_huge(void)
{
	struct held *held = held_start(true);
	u64 start = ms_now();

	sleep_ms(100);
	held_end(held);
	CHECK(ms_now() - start < 5000);
}

static const struct tap_test tests[] = {
	{ "vmsplice: pages in a pipe merge when they leave it", test_vmsplice },
	{ "vmsplice: so do pages of zeroes", test_vmsplice_zero },
	{ "vmsplice: a shared frame in a pipe never changes",
	  test_vmsplice_merged },
	{ "vmsplice: discarded pages stay in the pipe", test_vmsplice_discarded },
	{ "vmsplice: run 2 leaves pinned pages in place", test_vmsplice_unmerge },
	{ "io_uring fixed buffers fail or are kept apart", test_io_uring_buffers },
	{ "process_vm_writev: 20 of 20 survive", test_process_vm_writev },
	{ "O_DIRECT read: 20 of 20 survive", test_direct_read },
	{ "O_DIRECT write: 20 of 20 survive", test_direct_write },
	{ "O_DIRECT read during KSM_REGISTER: 20 of 20 survive",
	  test_direct_read_while_registering },
	{ "O_DIRECT readv of a chunk during KSM_REGISTER: 20 of 20 survive",
	  test_direct_readv_while_registering },
	{ "O_DIRECT readv of a huge page during KSM_REGISTER: 20 of 20 survive",
	  test_direct_readv_while_registering_huge },
	{ "pages in use for long stay behind, and nothing is lost", test_late },
	{ "a huge page in use is not waited for page by page", test_late_huge },
	{ "a fault waits for a page in use, and nobody for the fault",
	  test_late_waited_for },
	{ "who waits for a page in use can be killed", test_late_killed },
	{ "nobody waits for KSM_REGISTER of another process", test_late_other },
	{ "O_DIRECT read held up for long in KSM_REGISTER", test_held },
	{ "O_DIRECT read held up in a huge page in KSM_REGISTER",
	  test_held_huge },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
