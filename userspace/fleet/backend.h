/* SPDX-License-Identifier: GPL-2.0 */
/* Who merges the guests' memory, and what it says of that. */
#ifndef FLEET_BACKEND_H
#define FLEET_BACKEND_H

#include <sys/types.h>

#include "description.h"
#include "sample.h"

/**
 * struct backend - one of them
 * @ram_device:	device number that mappings of RAM have, with 0 for success;
 *		NULL: RAM is anonymous memory
 * @check:	is it there, and may we use it; an exit status
 * @start:	changes the settings as described; an exit status
 * @hold:	the scanner stops until @go; an exit status
 * @go:		the scanner goes on
 * @read:	fills in what a sample has of it, absolute numbers; exit status
 */
struct backend {
	int (*ram_device)(dev_t *device);
	int (*check)(void);
	int (*start)(const struct description *d);
	int (*hold)(void);
	int (*go)(void);
	int (*read)(struct sample *s, const struct vm *vms, int count);
};

extern const struct backend backend_ksmdev;
extern const struct backend backend_ksm;
extern const struct backend backend_none;

const struct backend *backend_of(const struct description *d);

#endif /* FLEET_BACKEND_H */
