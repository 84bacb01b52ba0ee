// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <sys/resource.h>

#include <linux/ksmdev.h>

#include "area.h"
#include "maps.h"
#include "note.h"
#include "sys.h"

#define DEVICE		"/dev/ksm"

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

static int choose_domain(int fd)
{
	if (!private_domain || !set_domain(fd, KSM_DOMAIN_JOIN, domain_fd))
		return 0;
	note("the descriptor of the private domain is gone, or another user's: this process gets one of its own");
	return set_domain(fd, KSM_DOMAIN_PRIVATE, -1);
}

/*
 * How mappings of unnamed files look.  A descriptor of its own is asked: the
 * one of the area would have a file then that nobody needs.
 */
static int learn_device(void)
{
	int fd, file, err;
	struct stat st;

	fd = sys_open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = sys_ioctl(fd, KSM_GET_FILE, NULL);
	sys_close(fd);
	if (file < 0)
		return file;
	err = sys_fstat(file, &st);
	sys_close(file);
	if (!err)
		maps_set_area(st.st_dev);
	return err;
}

static int prepare(int fd, struct stat *st)
{
	int err;

	if (sys_ioctl(fd, KSM_GET_API_VERSION, NULL) != KSM_API_VERSION)
		return -ENOTTY;
	err = choose_domain(fd);
	if (!err)
		err = sys_fstat(fd, st);
	return err ? err : learn_device();
}

static int area_open(struct area *area)
{
	struct stat st;
	int fd, err;

	fd = sys_open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	err = prepare(fd, &st);
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

struct area *area_get(int *error)
{
	if (is_open(&current))
		return &current;
	if (current.number)
		note("the program closed the descriptor of its area: opening another");
	*error = area_open(&current);
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
