// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include <sys/sysmacros.h>

#include "maps.h"
#include "sys.h"

static dev_t area_device;

int maps_open(struct maps *maps)
{
	maps->error = 0;
	maps->used = 0;
	maps->length = 0;
	maps->fd = sys_open("/proc/thread-self/maps", O_RDONLY | O_CLOEXEC);
	return maps->fd < 0 ? maps->fd : 0;
}

void maps_close(struct maps *maps)
{
	sys_close(maps->fd);
}

static int next_char(struct maps *maps)
{
	long length;

	if (maps->used == maps->length) {
		do
			length = sys_result(syscall(SYS_read, maps->fd,
						    maps->buffer,
						    sizeof(maps->buffer)));
		while (length == -EINTR);
		if (length <= 0) {
			maps->error = length;
			return -1;
		}
		maps->used = 0;
		maps->length = length;
	}
	return (unsigned char)maps->buffer[maps->used++];
}

/* The start of a line; a longer one is cut, for the path does not matter. */
static bool next_line(struct maps *maps, char *line, size_t size)
{
	size_t length = 0;
	int c;

	while ((c = next_char(maps)) >= 0 && c != '\n')
		if (length + 1 < size)
			line[length++] = c;
	line[length] = '\0';
	return c >= 0;
}

/* Reads a number and the character behind it. */
static uint64_t take_number(const char **text, unsigned int base)
{
	uint64_t number = 0;

	for (;; (*text)++) {
		unsigned int digit = 16;

		if (**text >= '0' && **text <= '9')
			digit = **text - '0';
		else if (**text >= 'a' && **text <= 'f')
			digit = **text - 'a' + 10;
		if (digit >= base)
			break;
		number = number * base + digit;
	}
	if (**text)
		(*text)++;
	return number;
}

/* "7f00-7f08 rw-p 00001000 fe:01 123   /path" */
static void parse_line(const char *line, struct vma *vma)
{
	unsigned int device_major;

	vma->start = take_number(&line, 16);
	vma->end = take_number(&line, 16);
	vma->prot = (line[0] == 'r' ? PROT_READ : 0) |
		    (line[1] == 'w' ? PROT_WRITE : 0) |
		    (line[2] == 'x' ? PROT_EXEC : 0);
	vma->shared = line[3] == 's';
	line += 5;
	take_number(&line, 16);
	device_major = take_number(&line, 16);
	vma->device = makedev(device_major, take_number(&line, 16));
	vma->stack = strstr(line, "[stack]");
}

bool maps_next(struct maps *maps, uintptr_t addr, struct vma *vma)
{
	char line[128];

	while (next_line(maps, line, sizeof(line))) {
		parse_line(line, vma);
		if (vma->end > addr)
			return true;
	}
	return false;
}

bool maps_is_area(const struct vma *vma)
{
	return vma->shared && vma->device == area_device;
}

void maps_set_area(dev_t device)
{
	area_device = device;
}
