// SPDX-License-Identifier: GPL-2.0
/*
 * A page of the guest that is on a slow disk: while KVM_RUN waits for it, the VMM's
 * other threads can change its mappings, as beside a page fault of its own.
 *
 * Needs a disk to swap to that takes its time, and keeps what it is given:
 * modprobe null_blk memory_backed=1 irqmode=2 completion_nsec=2000000000
 */
#define _GNU_SOURCE
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>

#include "kvm_exec.h"

#define DISK	"/dev/nullb0"
#define AREA	0x8000000UL

GUEST(load, "mov (%rdi), %rax\n\t" GUEST_OUT)

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* What mkswap writes: the kernel's union swap_header, version 1. */
static void swap_on(void)
{
	u32 header[PAGE / 4] = { 0 };
	int fd = MUST(open(DISK, O_RDWR | O_CLOEXEC));

	header[1024 / 4] = 1;
	header[1024 / 4 + 1] = 1023;
	memcpy((char *)header + PAGE - 10, "SWAPSPACE2", 10);
	CHECK_EQ(pwrite(fd, header, sizeof(header), 0), (long)sizeof(header));
	MUST(fsync(fd));
	close(fd);
	MUST(swapon(DISK, 0));
}

static bool is_on_disk(const char *page)
{
	int fd = MUST(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	u64 entry;

	CHECK_EQ(pread(fd, &entry, 8, (u64)page / PAGE * 8), 8);
	close(fd);
	return entry >> 62 == 1;	/* swapped, not present */
}

/* ---- a group of its own, so that memory can be taken from it ---- */

#define GROUPS	"/tmp/kvm_swap"
#define GROUP	GROUPS "/test"

static int try_write_file(const char *path, const char *text)
{
	int fd = MUST(open(path, O_WRONLY | O_CLOEXEC));
	int ret = write(fd, text, strlen(text));

	close(fd);
	return ret;
}

static void enter_group(void)
{
	char pid[16];

	mkdir(GROUPS, 0755);
	MUST(mount("none", GROUPS, "cgroup2", 0, NULL));
	MUST(try_write_file(GROUPS "/cgroup.subtree_control", "+memory"));
	MUST(mkdir(GROUP, 0755));
	snprintf(pid, sizeof(pid), "%d", getpid());
	MUST(try_write_file(GROUP "/cgroup.procs", pid));
}

static void leave_group(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	MUST(try_write_file(GROUPS "/cgroup.procs", pid));
	MUST(rmdir(GROUP));
	MUST(umount(GROUPS));
}

static long swap_cached(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "SwapCached: %ld kB", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

/* Once it has been written it stays in the cache until somebody wants memory. */
static bool is_cached(void)
{
	try_write_file(GROUP "/memory.reclaim", "4096");
	/* CPUs keep what they have counted to themselves for a while. */
	try_write_file("/proc/sys/vm/stat_refresh", "1");
	return swap_cached();
}

static void put_page_on_disk(const struct machine *m)
{
	char *page = map_memory(PAGE);

	memcpy(page, "\x78\x56\x34\x12", 4);
	set_slot(m, 1, 0, AREA, page, PAGE);
	MUST(madvise(page, PAGE, MADV_PAGEOUT));
	CHECK_SOON(is_on_disk(page) && !is_cached());
}

static void test_mmap(void)
{
	struct machine m = vm_make();
	double start, longest = 0;
	struct runner r;
	void *other;
	int i;

	swap_on();
	enter_group();
	put_page_on_disk(&m);
	guest_start(&m, guest_load, AREA, 0, 0);
	start = seconds();
	runner_start(&r, &m);
	for (i = 0; i < 10; i++) {
		double before = seconds();

		other = map_memory(PAGE);
		MUST(munmap(other, PAGE));
		if (seconds() - before > longest)
			longest = seconds() - before;
		sleep_ms(50);
	}
	/* Else it was no test. */
	CHECK_EQ(READ_ONCE(r.io), 0);
	CHECK_RUNNER_SOON(&r, READ_ONCE(r.io));
	tap_note("KVM_RUN waited for %.1f s, mmap() and munmap() for %.1f s at most",
		 seconds() - start, longest);
	runner_stop(&r);
	CHECK_EQ(vcpu_regs(&m).rax, 0x12345678);
	MUST(swapoff(DISK));
	leave_group();
	CHECK(longest < 1);
}

static const struct tap_test tests[] = {
	{ "mmap() while a page comes from disk", test_mmap },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
