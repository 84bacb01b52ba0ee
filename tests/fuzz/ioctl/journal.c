// SPDX-License-Identifier: GPL-2.0
/* The journal: see journal.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "journal.h"

#define SECTOR		4096

static int disk = -1;
static u64 number;

int journal_open(const char *path)
{
	disk = open(path, O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC);
	/* A file in a tmpfs, say: for trying it. */
	if (disk < 0 && errno == EINVAL)
		disk = open(path, O_WRONLY | O_DSYNC | O_CLOEXEC);
	return disk < 0 ? -1 : 0;
}

void journal_write(const struct program *program)
{
	static char slot[JOURNAL_SIZE] __attribute__((aligned(SECTOR)));
	static char text[PROGRAM_TEXT];
	size_t len, head;

	if (disk < 0)
		return;
	len = program_print(program, text);
	number++;
	head = snprintf(slot, SECTOR, "ioctl_fuzz %llu %zu\n",
			(unsigned long long)number, len);
	if (len > JOURNAL_SIZE - head)
		len = JOURNAL_SIZE - head;
	memcpy(slot + head, text, len);
	len = (head + len + SECTOR - 1) / SECTOR * SECTOR;
	if (pwrite(disk, slot, len, number % JOURNAL_SLOTS * JOURNAL_SIZE) < 0)
		perror("# journal");
}
