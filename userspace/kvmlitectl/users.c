// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sysfs.h"
#include "users.h"

/* A line stays a line. */
#define MAX_NAMED	4

void users_command(pid_t pid, char *text, size_t size)
{
	char folder[32];

	snprintf(folder, sizeof(folder), "/proc/%d", pid);
	if (sysfs_read_string(folder, "comm", text, size))
		snprintf(text, size, "?");
}

static bool is_device(const char *path, dev_t device)
{
	struct stat st;

	return !stat(path, &st) && S_ISCHR(st.st_mode) && st.st_rdev == device;
}

static bool has_open(const char *pid, dev_t device)
{
	char path[300];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid,
			 entry->d_name);
		found = is_device(path, device);
	}
	closedir(dir);
	return found;
}

/* Mappings outlive descriptors; each line that has a path names the file. */
static bool has_mapped(const char *pid, dev_t device)
{
	char name[300], *line = NULL, *path;
	bool found = false;
	size_t size = 0;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%s/maps", pid);
	file = fopen(name, "re");
	if (!file)
		return false;
	while (!found && getline(&line, &size, file) > 0) {
		path = strstr(line, " /dev/");
		if (!path)
			continue;
		path[strcspn(path, "\n")] = '\0';
		found = is_device(path + 1, device);
	}
	free(line);
	fclose(file);
	return found;
}

static void add_user(const char *pid, int number, char *text, size_t size)
{
	size_t used = strlen(text);
	char command[64];

	users_command(atoi(pid), command, sizeof(command));
	snprintf(text + used, size - used, "%s%s (%s)", number ? ", " : "",
		 command, pid);
}

void users_of_device(dev_t device, char *text, size_t size)
{
	struct dirent *entry;
	int count = 0;
	size_t used;
	DIR *dir;

	text[0] = '\0';
	dir = opendir("/proc");
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!isdigit(entry->d_name[0]) ||
		    (!has_open(entry->d_name, device) &&
		     !has_mapped(entry->d_name, device)))
			continue;
		if (count < MAX_NAMED)
			add_user(entry->d_name, count, text, size);
		count++;
	}
	closedir(dir);
	used = strlen(text);
	if (count > MAX_NAMED)
		snprintf(text + used, size - used, " and %d more",
			 count - MAX_NAMED);
}

void users_of_node(const char *node, char *text, size_t size)
{
	struct stat st;

	text[0] = '\0';
	if (!stat(node, &st) && S_ISCHR(st.st_mode))
		users_of_device(st.st_rdev, text, size);
}
