// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "fleet.h"
#include "settings.h"
#include "sysfs.h"

#define MAX_SAVED	16

/**
 * struct saved - what a file said before it was changed
 * @folder:	of the file; not copied
 * @name:	of the file; not copied
 * @value:	what it said
 */
struct saved {
	const char *folder;
	const char *name;
	char value[128];
};

static struct saved all[MAX_SAVED];
static int count;

/*
 * The folder of all that was changed, locked: two fleets at a time would take
 * each other's values for what there was before.
 */
static int locked = -1;

static int lock(const char *folder)
{
	if (locked >= 0)
		return 0;
	locked = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (locked < 0)
		return report_failure("cannot open %s: %s", folder, strerror(errno));
	if (!flock(locked, LOCK_EX | LOCK_NB))
		return 0;
	close(locked);
	locked = -1;
	return report_failure("another fleet has changed settings in %s: wait until it has ended",
			      folder);
}

/* "[none] scan-time": what is written back is the one in brackets. */
static void choose_active(char *text)
{
	char *open = strchr(text, '['), *close = strchr(text, ']');

	if (open && close > open) {
		*close = '\0';
		memmove(text, open + 1, close - open);
	}
}

static int save(const char *folder, const char *name)
{
	struct saved *saved;
	int i, err;

	for (i = 0; i < count; i++)
		if (!strcmp(all[i].folder, folder) && !strcmp(all[i].name, name))
			return 0;
	if (lock(folder))
		return STATUS_FAILURE;
	saved = &all[count];
	saved->folder = folder;
	saved->name = name;
	err = sysfs_read_string(folder, name, saved->value, sizeof(saved->value));
	if (err)
		return report_failure("cannot read %s/%s: %s", folder, name, strerror(-err));
	choose_active(saved->value);
	count++;
	return 0;
}

int settings_set(const char *folder, const char *name, const char *value)
{
	int status = save(folder, name), err;

	if (status)
		return status;
	err = sysfs_write_string(folder, name, value);
	if (err)
		return report_failure("cannot set %s/%s to %s: %s%s", folder, name, value,
				      strerror(-err), err == -EACCES ?
				      " (only root may change settings)" : "");
	return 0;
}

int settings_set_number(const char *folder, const char *name, long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", value);
	return settings_set(folder, name, text);
}

void settings_restore(void)
{
	int err;

	while (count--) {
		err = sysfs_write_string(all[count].folder, all[count].name,
					 all[count].value);
		if (err)
			report_warning("cannot set %s/%s back to %s: %s", all[count].folder,
				       all[count].name, all[count].value, strerror(-err));
	}
	count = 0;
	/* Closed by us, it might still be locked by a VMM that has just been forked. */
	if (locked >= 0) {
		flock(locked, LOCK_UN);
		close(locked);
	}
	locked = -1;
}
