// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <sys/resource.h>

#include <linux/ksmdev.h>

#include "area.h"
#include "note.h"
#include "sys.h"

/* Above what programs use, and what select() can, yet below usual limits. */
#define HIGH_FD		1000

static struct area current = { .fd = -1 };
static unsigned int last_number;

static bool private_domain;
static int domain_fd = -1;

void area_init(const char *fd)
{
	if (!fd || !*fd)
		return;
	private_domain = true;
	domain_fd = atoi(fd);
}

bool area_is_private(void)
{
	return private_domain;
}

static int move_high(int fd)
{
	struct rlimit limit;
	int floor = HIGH_FD, high;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur <= HIGH_FD)
		floor = limit.rlim_cur / 4 * 3;
	high = sys_dup_above(fd, floor);
	if (high < 0)
		return fd;
	sys_close(fd);
	return high;
}

static int set_domain(int fd, unsigned int flags, int other)
{
	struct ksm_set_domain domain = { .flags = flags, .fd = other };

	return sys_ioctl(fd, KSM_SET_DOMAIN, &domain);
}

static int choose_domain(int fd, int join)
{
	if (join >= 0)
		return set_domain(fd, KSM_DOMAIN_JOIN, join);
	if (!private_domain)
		return 0;
	if (!set_domain(fd, KSM_DOMAIN_JOIN, domain_fd))
		return 0;
	note("the descriptor of the private domain is gone: this process gets one of its own");
	return set_domain(fd, KSM_DOMAIN_PRIVATE, -1);
}

/* @join: descriptor of an area whose domain to join, or -1. */
static int area_open(struct area *area, int join)
{
	struct stat st;
	int fd, err;

	fd = sys_open("/dev/ksm", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	err = choose_domain(fd, join);
	if (!err)
		err = sys_fstat(fd, &st);
	if (err) {
		sys_close(fd);
		return err;
	}
	*area = (struct area){
		.number = ++last_number,
		.fd = move_high(fd),
		.device = st.st_dev,
		.inode = st.st_ino,
		.rdev = st.st_rdev,
	};
	return 0;
}

/* Does the descriptor still lead to /dev/ksm? */
static bool is_open(const struct area *area)
{
	struct stat st;

	return area->number && !sys_fstat(area->fd, &st) &&
	       st.st_rdev == area->rdev && st.st_ino == area->inode &&
	       st.st_dev == area->device;
}

bool area_is_open(void)
{
	return is_open(&current);
}

struct area *area_get(int *error)
{
	if (is_open(&current))
		return &current;
	if (current.number)
		note("the program closed the descriptor of its area: opening another");
	*error = area_open(&current, -1);
	return *error ? NULL : &current;
}

struct area *area_find(unsigned int number)
{
	return number == current.number && is_open(&current) ? &current : NULL;
}

long area_call(const struct area *area, unsigned long request, uintptr_t addr,
	       size_t len, size_t *done)
{
	struct ksm_range range = { .addr = addr, .len = len };
	long err = sys_ioctl(area->fd, request, &range);

	if (done)
		*done = range.done;
	return err;
}

long area_map(struct area *area, uintptr_t addr, size_t len, int prot,
	      int fixed)
{
	uint64_t offset = area->next + (addr & (CHUNK - 1));
	long result;

	result = sys_mmap(addr, len, prot, MAP_SHARED | fixed, area->fd,
			  offset);
	if (!sys_failed(result))
		area->next = align_up(offset + len, CHUNK);
	return result;
}

int area_clone(struct area *clone)
{
	return area_open(clone, is_open(&current) ? current.fd : -1);
}

void area_close(struct area *area)
{
	if (is_open(area))
		sys_close(area->fd);
	area->number = 0;
	area->fd = -1;
}

void area_adopt(struct area *clone)
{
	area_close(&current);
	current = *clone;
	clone->number = 0;
	clone->fd = -1;
}
