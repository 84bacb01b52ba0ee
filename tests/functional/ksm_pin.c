// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that the kernel or a device is using through their frames: they are
 * not merged as long as that lasts, and what is written that way is not lost.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
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
	int fd;
	char *mem;
};

/* Again and again from where a pinned page stopped it. */
static void *register_run(void *arg)
{
	struct registrar *r = arg;
	struct ksm_range range = { .addr = (u64)r->mem,
				   .len = DMA_PAGES * PAGE };

	while (ioctl(r->fd, KSM_REGISTER, &range)) {
		CHECK_EQ(errno, EBUSY);
		range.addr += range.done;
		range.len -= range.done;
		range.done = 0;
	}
	return NULL;
}

static void test_direct_read_while_registering(void)
{
	struct registrar r = { .fd = ksm_open_private() };
	int disk = disk_open(DMA_PAGES);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		pthread_t thread;

		r.mem = map_anon(DMA_PAGES);
		pages_fill(r.mem, DMA_PAGES, 5, 0);
		CHECK_EQ(pthread_create(&thread, NULL, register_run, &r), 0);
		usleep(200 * (i % 5));
		CHECK_EQ(pread(disk, r.mem, DMA_PAGES * PAGE, 0),
			 DMA_PAGES * PAGE);
		pthread_join(thread, NULL);
		pages_check(r.mem, DMA_PAGES, 777, 1);
		MUST(munmap(r.mem, DMA_PAGES * PAGE));
	}
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
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
