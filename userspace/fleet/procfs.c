// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "procfs.h"

static FILE *open_file(pid_t pid, const char *file)
{
	char path[64];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	else
		snprintf(path, sizeof(path), "/proc/%s", file);
	return fopen(path, "re");
}

/* "Rss:   123 kB", "cow_ksm 5", or the number alone with an empty name. */
static bool parse_value(const char *line, const char *name, long long *value)
{
	size_t length = strlen(name);

	if (strncmp(line, name, length))
		return false;
	line += length;
	if (*line == ':')
		line++;
	return (!length || isspace((unsigned char)*line)) &&
	       sscanf(line, "%lld", value) == 1;
}

long long procfs_value(pid_t pid, const char *file, const char *name)
{
	FILE *stream = open_file(pid, file);
	long long value = -1;
	char line[256];

	if (!stream)
		return -1;
	while (fgets(line, sizeof(line), stream))
		if (parse_value(line, name, &value))
			break;
	fclose(stream);
	return value;
}

bool procfs_memory(pid_t pid, long long *rss, long long *pss)
{
	FILE *stream = open_file(pid, "smaps_rollup");
	long long kib, found = 0;
	char line[256];

	if (!stream)
		return false;
	while (fgets(line, sizeof(line), stream)) {
		if (parse_value(line, "Rss", &kib)) {
			*rss = kib << 10;
			found++;
		} else if (parse_value(line, "Pss", &kib)) {
			*pss = kib << 10;
			found++;
		}
	}
	fclose(stream);
	return found == 2;
}

/*
 * Takes the mapping of a line of smaps if it is of a file on the device, or
 * larger than the last one.
 */
static bool take_range(struct ram_map *map, const char *line, dev_t device)
{
	unsigned int device_major, device_minor;
	char access[5], name[16] = "";
	struct ram_range range;
	unsigned long inode;

	if (sscanf(line, "%lx-%lx %4s %*x %x:%x %lu %15s", &range.start, &range.end, access,
		   &device_major, &device_minor, &inode, name) < 6)
		return false;
	if (device) {
		if (makedev(device_major, device_minor) != device ||
		    map->count == MAX_RANGES)
			return false;
		map->range[map->count++] = range;
		return true;
	}
	if (inode || *name == '[' || strcmp(access, "rw-p") ||
	    (map->count && range.end - range.start <=
	     map->range[0].end - map->range[0].start))
		return false;
	map->range[0] = range;
	map->count = 1;
	map->rss = 0;
	return true;
}

bool procfs_ram(pid_t pid, dev_t device, struct ram_map *map)
{
	FILE *stream = open_file(pid, "smaps");
	bool taken = false;
	char line[512];
	long long kib;

	map->count = 0;
	map->rss = 0;
	if (!stream)
		return false;
	while (fgets(line, sizeof(line), stream)) {
		/* A mapping begins with its address, its values with a capital. */
		if (!isupper((unsigned char)*line))
			taken = take_range(map, line, device);
		else if (taken && parse_value(line, "Rss", &kib))
			map->rss += kib << 10;
	}
	fclose(stream);
	return map->count > 0;
}

long long procfs_cpu_ns(pid_t pid)
{
	return procfs_value(pid, "schedstat", "");
}

static bool is_named(pid_t pid, const char *comm)
{
	FILE *stream = open_file(pid, "comm");
	char line[64] = "";

	if (!stream)
		return false;
	if (fgets(line, sizeof(line), stream))
		line[strcspn(line, "\n")] = '\0';
	fclose(stream);
	return !strcmp(line, comm);
}

pid_t procfs_find(const char *comm)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0, pid;

	if (!dir)
		return 0;
	while (!found && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid > 0 && is_named(pid, comm))
			found = pid;
	}
	closedir(dir);
	return found;
}
