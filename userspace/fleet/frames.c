// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/kernel-page-flags.h>

#include "fleet.h"
#include "frames.h"
#include "procfs.h"

#define PRESENT		(1ULL << 63)
#define PFN_MASK	((1ULL << 55) - 1)
#define BATCH		512

/**
 * struct frames - the frames found
 * @pfn:	their numbers
 * @count:	how many
 * @room:	for how many there is
 */
struct frames {
	uint64_t *pfn;
	size_t count;
	size_t room;
};

/**
 * struct flags - a window of /proc/kpageflags
 * @fd:		of the file
 * @first:	frame in the window
 * @count:	frames in it
 * @value:	what their flags are
 */
struct flags {
	int fd;
	uint64_t first;
	size_t count;
	uint64_t value[64];
};

static int add(struct frames *frames, uint64_t pfn)
{
	size_t room = frames->room ? 2 * frames->room : 1 << 16;
	uint64_t *larger;

	if (frames->count == frames->room) {
		larger = realloc(frames->pfn, room * sizeof(*larger));
		if (!larger)
			return report_no_memory();
		frames->pfn = larger;
		frames->room = room;
	}
	frames->pfn[frames->count++] = pfn;
	return 0;
}

/* Maps a batch of pages by reading a byte of each. */
static int touch(pid_t pid, unsigned long address, size_t pages)
{
	long page = sysconf(_SC_PAGESIZE);
	struct iovec remote[BATCH], local;
	char data[BATCH];
	size_t i;

	for (i = 0; i < pages; i++) {
		remote[i].iov_base = (void *)(address + i * page);
		remote[i].iov_len = 1;
	}
	local.iov_base = data;
	local.iov_len = pages;
	if (process_vm_readv(pid, &local, 1, remote, pages, 0) == (ssize_t)pages)
		return 0;
	return report_failure("cannot count frames: reading the memory of process %d: %s",
			      pid, strerror(errno));
}

static int read_entries(int fd, pid_t pid, unsigned long address, size_t pages,
			struct frames *frames)
{
	uint64_t entry[BATCH];
	size_t bytes = pages * sizeof(*entry), i;
	off_t offset = address / sysconf(_SC_PAGESIZE) * sizeof(*entry);

	if (pread(fd, entry, bytes, offset) != (ssize_t)bytes)
		return report_failure("cannot count frames: reading the page tables of process %d failed",
				      pid);
	for (i = 0; i < pages; i++) {
		if (!(entry[i] & PRESENT))
			continue;
		if (!(entry[i] & PFN_MASK))
			return report_failure("cannot count frames: the kernel hides their numbers (CAP_SYS_ADMIN is missing)");
		if (add(frames, entry[i] & PFN_MASK))
			return STATUS_FAILURE;
	}
	return 0;
}

static int collect_range(int fd, pid_t pid, const struct ram_range *range, bool unmapped,
			 struct frames *frames)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned long address;
	size_t pages;
	int status = 0;

	for (address = range->start; !status && address < range->end;
	     address += pages * page) {
		pages = (range->end - address) / page;
		if (pages > BATCH)
			pages = BATCH;
		if (unmapped)
			status = touch(pid, address, pages);
		if (!status)
			status = read_entries(fd, pid, address, pages, frames);
	}
	return status;
}

static int collect(const struct vm *vm, dev_t ram_device, struct frames *frames)
{
	struct ram_map map;
	int fd, i, status = 0;
	char path[64];

	if (!vm_runs(vm) || !procfs_ram(vm->pid, ram_device, &map))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", vm->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return report_failure("cannot count frames: %s: %s", path, strerror(errno));
	for (i = 0; !status && i < map.count; i++)
		status = collect_range(fd, vm->pid, &map.range[i], ram_device, frames);
	close(fd);
	return status;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The kernel's page of zeroes, which may be a huge one, is no frame of anybody. */
static bool is_zero_page(struct flags *flags, uint64_t pfn)
{
	ssize_t length;

	if (pfn - flags->first >= flags->count) {
		length = pread(flags->fd, flags->value, sizeof(flags->value),
			       pfn * sizeof(*flags->value));
		flags->first = pfn;
		flags->count = length > 0 ? length / sizeof(*flags->value) : 0;
	}
	return pfn - flags->first < flags->count &&
	       flags->value[pfn - flags->first] & 1ULL << KPF_ZERO_PAGE;
}

/*
 * Leaves each of the frames from @first on once, in order; how many these are.
 * With @flags, those of zeroes are left out.
 */
static long long sort_out(struct frames *frames, size_t first, struct flags *flags)
{
	uint64_t *pfn = frames->pfn;
	size_t i, kept = first;

	if (frames->count > first)
		qsort(pfn + first, frames->count - first, sizeof(*pfn), compare);
	for (i = first; i < frames->count; i++) {
		if (kept > first && pfn[i] == pfn[kept - 1])
			continue;
		if (!flags || !is_zero_page(flags, pfn[i]))
			pfn[kept++] = pfn[i];
	}
	frames->count = kept;
	return kept - first;
}

int frames_count(const struct vm *vms, int count, dev_t ram_device, struct sample *s)
{
	struct flags flags = { .fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC) };
	struct frames frames = { };
	int status = 0, i;
	size_t first;

	for (i = 0; !status && i < count; i++) {
		first = frames.count;
		status = collect(&vms[i], ram_device, &frames);
		if (!status && vm_runs(&vms[i]))
			s->vms[i].counted_frames = sort_out(&frames, first, &flags);
	}
	if (!status)
		s->counted_frames = sort_out(&frames, 0, NULL);
	if (flags.fd >= 0)
		close(flags.fd);
	free(frames.pfn);
	return status;
}
