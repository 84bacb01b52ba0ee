/* SPDX-License-Identifier: GPL-2.0 */
/* Devices to swap to. */
#ifndef _SWAP_H
#define _SWAP_H

#include <string.h>
#include <unistd.h>

#include "tap.h"

/* What mkswap writes on the device @fd: the kernel's union swap_header, version 1. */
static inline void swap_make(int fd)
{
	enum { UNIT = 4096 };
	unsigned int header[UNIT / 4] = { 0 };
	long size = lseek(fd, 0, SEEK_END);

	header[1024 / 4] = 1;
	header[1024 / 4 + 1] = size / UNIT - 1;
	memcpy((char *)header + UNIT - 10, "SWAPSPACE2", 10);
	CHECK_EQ(pwrite(fd, header, sizeof(header), 0), (long)sizeof(header));
}

#endif /* _SWAP_H */
