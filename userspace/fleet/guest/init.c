// SPDX-License-Identifier: GPL-2.0
/*
 * The only process of a fleet's guest: fills memory as its workload wants, says
 * so on the console, and obeys the fleet.  The kernel hands what it does not
 * know of its command line to us as environment:
 *
 *   fleet_workload, fleet_pages, fleet_seed, fleet_vm, fleet_rate
 *
 * We say                           when
 *   FLEET ready pages=N            memory is filled
 *   FLEET alive writes=N           the fleet said "ping"
 *   FLEET sum writes=N bad=N sum=X the fleet said "stop", and memory was verified
 *   FLEET done                     after the sum; the guest ends
 *   FLEET error TEXT               it cannot go on; the guest ends
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

#define CONSOLE		"/dev/ttyS0"
#define FILE_PAGES	256		/* of a file of common data */
#define TICK_MS		20		/* between two batches of writes */
#define BATCH		64		/* pages written between looks at the console */

/* Pages that stay free for the kernel. */
#define RESERVE_PAGES	1024

/**
 * struct guest - this guest
 * @workload:	what its memory holds
 * @rate:	pages to write in a second; 0: as many as go
 * @data:	the memory, a pointer for each page
 * @writes:	done so far
 * @first:	of the pages that are written
 * @count:	how many are; 0: none
 * @start:	when writing began, in seconds
 */
struct guest {
	struct workload workload;
	unsigned long rate;
	uint64_t **data;
	uint64_t writes;
	size_t first;
	size_t count;
	double start;
};

static void say(const char *format, ...)
{
	char line[256];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (write(STDOUT_FILENO, line, length) != length)
		reboot(RB_AUTOBOOT);
}

/* Of a machine without ACPI only a restart ends; the VMM makes it an end. */
static void end(void)
{
	tcdrain(STDOUT_FILENO);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void die(const char *what)
{
	say("FLEET error %s: %s\n", what, strerror(errno));
	end();
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void console_open(void)
{
	struct termios terminal;
	int fd = open(CONSOLE, O_RDWR);

	if (fd < 0)
		end();
	if (!tcgetattr(fd, &terminal)) {
		terminal.c_lflag &= ~(ECHO | ISIG);
		terminal.c_oflag &= ~OPOST;
		tcsetattr(fd, TCSANOW, &terminal);
	}
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
}

static unsigned long long number(const char *name)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : 0;
}

static void configure(struct guest *guest)
{
	struct workload *w = &guest->workload;
	const char *name = getenv("fleet_workload");
	int kind = workload_find(name ? name : "idle");

	errno = EINVAL;
	if (kind < 0)
		die("fleet_workload");
	w->kind = kind;
	w->seed = number("fleet_seed");
	w->vm = number("fleet_vm");
	w->pages = kind == WORKLOAD_IDLE ? 0 : number("fleet_pages");
	guest->rate = number("fleet_rate");
	workload_written(w, &guest->first, &guest->count);
}

static char *map(int fd, size_t pages)
{
	char *data = mmap(NULL, pages * WORKLOAD_PAGE, PROT_READ | PROT_WRITE,
			  fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (data == MAP_FAILED)
		die("mmap");
	return data;
}

/* Of the initramfs, which they would lie in else, half of the RAM is the limit. */
static void mount_files(void)
{
	mkdir("/files", 0755);
	if (mount("files", "/files", "tmpfs", 0, "size=100%"))
		die("mount /files");
}

/* Common data lies in files, as it would in guests of one distribution. */
static char *map_file(size_t number_of_file, size_t pages)
{
	char name[64];
	char *data;
	int fd;

	snprintf(name, sizeof(name), "/files/%zu", number_of_file);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, pages * WORKLOAD_PAGE))
		die(name);
	data = map(fd, pages);
	close(fd);
	return data;
}

/* Consecutive pages of the same kind get their memory at a time. */
static void allocate(struct guest *guest)
{
	const struct workload *w = &guest->workload;
	size_t page, part, i;
	char *data;

	guest->data = calloc(w->pages + 1, sizeof(*guest->data));
	if (!guest->data)
		die("memory");
	for (page = 0; page < w->pages; page += part) {
		for (part = 1; part < FILE_PAGES && page + part < w->pages; part++)
			if (workload_kind_of(w, page + part) != workload_kind_of(w, page))
				break;
		data = workload_kind_of(w, page) == WORKLOAD_COMMON ?
		       map_file(page, part) : map(-1, part);
		for (i = 0; i < part; i++)
			guest->data[page + i] = (uint64_t *)(data + i * WORKLOAD_PAGE);
	}
}

static void check_size(const struct guest *guest)
{
	long available = sysconf(_SC_AVPHYS_PAGES);

	if ((long)guest->workload.pages + RESERVE_PAGES <= available)
		return;
	say("FLEET error workload_mib does not fit, %ld MiB are free of %ld: raise mem\n",
	    available * WORKLOAD_PAGE >> 20,
	    sysconf(_SC_PHYS_PAGES) * WORKLOAD_PAGE >> 20);
	end();
}

static void fill(struct guest *guest)
{
	const struct workload *w = &guest->workload;
	struct workload used = *w;
	size_t page;

	check_size(guest);
	allocate(guest);
	used.kind = WORKLOAD_UNIQUE;
	for (page = 0; page < w->pages; page++) {
		/* Zeroes stand where data was before. */
		if (workload_kind_of(w, page) == WORKLOAD_ZERO)
			workload_fill(&used, page, 0, guest->data[page]);
		workload_fill(w, page, 0, guest->data[page]);
	}
	guest->start = now();
}

static void verify(const struct guest *guest)
{
	uint64_t expected[WORKLOAD_WORDS], sum = 0;
	unsigned long bad = 0;
	size_t page;

	for (page = 0; page < guest->workload.pages; page++) {
		workload_fill(&guest->workload, page, guest->writes, expected);
		if (memcmp(expected, guest->data[page], WORKLOAD_PAGE))
			bad++;
		sum = workload_sum_add(sum, guest->data[page]);
	}
	say("FLEET sum writes=%llu bad=%lu sum=%016llx\n",
	    (unsigned long long)guest->writes, bad, (unsigned long long)sum);
}

/* Writes a batch, or what is due by now; whether more is due. */
static bool write_pages(struct guest *guest)
{
	uint64_t end_of_batch = guest->writes + BATCH;
	uint64_t due = (now() - guest->start) * guest->rate;

	if (!guest->rate)
		due = end_of_batch + 1;
	while (guest->writes < due && guest->writes < end_of_batch) {
		guest->data[guest->first + guest->writes % guest->count][0]++;
		guest->writes++;
	}
	return guest->writes < due;
}

static void obey(const struct guest *guest, const char *command)
{
	if (!strcmp(command, "ping")) {
		say("FLEET alive writes=%llu\n", (unsigned long long)guest->writes);
	} else if (!strcmp(command, "stop")) {
		verify(guest);
		say("FLEET done\n");
		end();
	}
}

/* The terminal hands out lines. */
static void read_command(const struct guest *guest)
{
	char line[128];
	ssize_t length = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (length <= 0)
		return;
	line[length] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	obey(guest, line);
}

int main(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct guest guest = { };
	int timeout = -1;

	mkdir("/dev", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	console_open();
	mount_files();
	configure(&guest);
	fill(&guest);
	say("FLEET ready pages=%zu\n", guest.workload.pages);
	for (;;) {
		if (guest.count)
			timeout = write_pages(&guest) ? 0 : TICK_MS;
		if (poll(&input, 1, timeout) > 0)
			read_command(&guest);
	}
}
