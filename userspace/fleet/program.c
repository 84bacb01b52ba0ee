// SPDX-License-Identifier: GPL-2.0
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

bool program_exists(const char *name)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];
	int length;

	if (strchr(name, '/'))
		return !access(name, X_OK);
	for (; path && *path; path += length + (path[length] == ':')) {
		length = strcspn(path, ":");
		snprintf(file, sizeof(file), "%.*s/%s", length, path, name);
		if (!access(file, X_OK))
			return true;
	}
	return false;
}
