/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc tells of a process. */
#ifndef FLEET_PROCFS_H
#define FLEET_PROCFS_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * struct ram_range - where a VMM has memory of its guest
 * @start:	address
 * @end:	address behind it
 */
struct ram_range {
	unsigned long start;
	unsigned long end;
};

#define MAX_RANGES	64

/**
 * struct ram_map - all of it
 * @range:	the ranges
 * @count:	how many
 * @rss:	bytes that are mapped of them, if asked for
 */
struct ram_map {
	struct ram_range range[MAX_RANGES];
	int count;
	long long rss;
};

/* Whole process, bytes; false when it is gone. */
bool procfs_memory(pid_t pid, long long *rss, long long *pss);

/*
 * The mappings of a device, or without one (0) the largest private anonymous
 * one, which is the RAM.  False when there is none.
 */
bool procfs_ram(pid_t pid, dev_t device, struct ram_map *map);

/* A number behind a name in a file of @pid (0: of /proc itself), or -1. */
long long procfs_value(pid_t pid, const char *file, const char *name);

/* CPU time of a thread, ns, or -1. */
long long procfs_cpu_ns(pid_t pid);

/* The kernel thread of that name, or 0. */
pid_t procfs_find(const char *comm);

#endif /* FLEET_PROCFS_H */
