// SPDX-License-Identifier: GPL-2.0
/* Nobody merges: what the others are compared with. */
#include <unistd.h>

#include "backend.h"
#include "procfs.h"

static int nothing(void)
{
	return 0;
}

static int start(const struct description *d)
{
	(void)d;
	return 0;
}

static int read_sample(struct sample *s, const struct vm *vms, int count)
{
	struct ram_map map;
	int i;

	for (i = 0; i < count; i++)
		if (s->depth < SAMPLE_MAPPED)
			s->vms[i].private_pages = UNKNOWN;
		else if (vm_runs(&vms[i]) && procfs_ram(vms[i].pid, 0, &map))
			s->vms[i].private_pages = map.rss / sysconf(_SC_PAGESIZE);
	return 0;
}

const struct backend backend_none = {
	.check = nothing,
	.start = start,
	.hold = nothing,
	.go = nothing,
	.read = read_sample,
};

const struct backend *backend_of(const struct description *d)
{
	static const struct backend * const all[NR_BACKENDS] = {
		[BACKEND_KSMDEV] = &backend_ksmdev,
		[BACKEND_KSM] = &backend_ksm,
		[BACKEND_NONE] = &backend_none,
	};

	return all[d->backend];
}
