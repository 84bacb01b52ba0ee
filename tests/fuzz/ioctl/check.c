// SPDX-License-Identifier: GPL-2.0
/*
 * Checks: see check.h.  Programs may have given up the rights that a look needs: what
 * cannot be asked is not checked.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/ksmdev.h>

#include "call.h"
#include "check.h"

#define FOUND_SIZE	256
#define PAGES_BEHIND	8	/* that are looked at */

static char *found;

bool check_open(void)
{
	found = mmap(NULL, FOUND_SIZE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return found != MAP_FAILED;
}

void check_clear(void)
{
	found[0] = '\0';
}

const char *check_found(void)
{
	return found[0] ? found : NULL;
}

/* ---- nothing can be read behind the end of a file ---- */

static bool is_readable(unsigned long addr)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { (void *)addr, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

/* A mapping, which begins at page @pgoff of its file. */
static void check_end(unsigned long start, unsigned long end, unsigned long pgoff)
{
	unsigned long pages, page, last;
	struct statfs fs;
	struct stat file;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", start, end);
	if (statfs(path, &fs) || fs.f_type != KSMFS_MAGIC || stat(path, &file))
		return;
	pages = (file.st_size + PAGE - 1) / PAGE;
	page = pages > pgoff ? pages : pgoff;
	last = pgoff + (end - start) / PAGE;
	if (last > page + PAGES_BEHIND)
		last = page + PAGES_BEHIND;
	for (; page < last && !found[0]; page++)
		if (is_readable(start + (page - pgoff) * PAGE))
			snprintf(found, FOUND_SIZE,
				 "page %lu of a file that has %lu can be read, behind the end of the file",
				 page, pages);
}

static void check_ends(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, offset;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3)
			check_end(start, end, offset / PAGE);
	if (maps)
		fclose(maps);
}

/* ---- a descriptor's file is in its domain ---- */

static bool domain_of(int fd, u64 *domain)
{
	struct ksm_stats stats = { 0 };

	if (ioctl(fd, KSM_GET_STATS, &stats))
		return false;
	*domain = stats.domain;
	return true;
}

static void check_domain(int device)
{
	int file = ioctl(device, KSM_GET_FILE, 0);
	u64 of_device, of_file;

	if (file < 0)
		return;
	if (domain_of(device, &of_device) && domain_of(file, &of_file) &&
	    of_device != of_file)
		snprintf(found, FOUND_SIZE,
			 "the file of /dev/ksm is not in its domain, which is %llu, but in %llu",
			 (unsigned long long)of_device, (unsigned long long)of_file);
	close(file);
}

void check_run(void)
{
	unsigned int i;

	check_ends();
	for (i = 0; i < CHILD_FDS; i++)
		if (child_fd(i) >= 0)
			check_domain(child_fd(i));
}
