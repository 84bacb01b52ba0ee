/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Binary statistics of a VM or a vCPU (KVM_GET_STATS_FD; api.rst, 4.133): read the
 * descriptors once, then values by their names.
 */
#ifndef TESTS_KVM_STATS_H
#define TESTS_KVM_STATS_H

#include "kvm_guest.h"

#define STATS_MAX	256

struct stats {
	int fd;
	struct kvm_stats_header header;
	struct {
		struct kvm_stats_desc desc;
		char name[256];
	} stat[STATS_MAX];
};

/* Those of the VM or vCPU @fd. */
static inline void stats_read(struct stats *s, int fd)
{
	size_t size;
	u32 i;

	s->fd = MUST(ioctl(fd, KVM_GET_STATS_FD, 0));
	CHECK_EQ(read(s->fd, &s->header, sizeof(s->header)), sizeof(s->header));
	CHECK(s->header.num_desc >= 1 && s->header.num_desc <= STATS_MAX);
	CHECK(s->header.name_size <= sizeof(s->stat[0].name));
	size = sizeof(struct kvm_stats_desc) + s->header.name_size;
	for (i = 0; i < s->header.num_desc; i++)
		CHECK_EQ(pread(s->fd, &s->stat[i], size,
			       s->header.desc_offset + i * size), size);
}

static inline u64 stats_get(const struct stats *s, const char *name)
{
	u64 value;
	u32 i;

	for (i = 0; i < s->header.num_desc; i++)
		if (!strcmp(s->stat[i].desc.name, name))
			break;
	if (i == s->header.num_desc)
		tap_fail("no statistic is called %s", name);
	CHECK_EQ(pread(s->fd, &value, sizeof(value),
		       s->header.data_offset + s->stat[i].desc.offset),
		 sizeof(value));
	return value;
}

#endif
