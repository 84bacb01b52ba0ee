// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stdio.h>

#include "note.h"
#include "sys.h"

static bool enabled;

/* Guarded by the lock. */
static struct {
	uint64_t taken;		/* bytes */
	uint64_t refused;	/* bytes */
	int error;		/* of the last refusal */
} total;

static const struct {
	int error;
	const char *text;
} reasons[] = {
	{ EINVAL, "it is shared, file or device memory, a stack, or wiped on fork" },
	{ EOPNOTSUPP, "it is hugetlbfs memory, or has a protection key" },
	{ EACCES, "it is not readable and writable (or no access to /dev/ksm)" },
	{ ENOMEM, "nothing is mapped there, or out of memory" },
	{ EPERM, "it is locked with mlock()" },
	{ EBUSY, "its pages are pinned by a device or watched by userfaultfd" },
	{ EAGAIN, "RLIMIT_MEMLOCK (ulimit -l) is exhausted" },
	{ EINTR, "interrupted" },
	{ ENOENT, "there is no /dev/ksm: load the module with modprobe ksmdev" },
	{ ENXIO, "/dev/ksm has no driver: load the module with modprobe ksmdev" },
	{ ENOTTY, "the module speaks another version of the API: install both from one source" },
	{ EMFILE, "no free descriptor for /dev/ksm" },
};

static const char *reason(int error)
{
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].error == error)
			return reasons[i].text;
	return "unexpected error";
}

static void print(const char *line, int length)
{
	if (length > 0)
		syscall(SYS_write, STDERR_FILENO, line, length);
}

void note_init(const char *debug)
{
	enabled = debug && *debug && *debug != '0';
}

void note(const char *text)
{
	char line[256];

	if (enabled)
		print(line, snprintf(line, sizeof(line), "ksmrun[%d]: %s\n",
				     (int)syscall(SYS_getpid), text));
}

static void note_range(const char *what, uintptr_t start, uintptr_t end,
		       const char *why)
{
	char text[200];

	if (!enabled)
		return;
	snprintf(text, sizeof(text), "%s %lx-%lx (%lu KiB)%s%s", what,
		 (unsigned long)start, (unsigned long)end,
		 (unsigned long)(end - start) / 1024, *why ? ": " : "", why);
	note(text);
}

void note_taken(uintptr_t start, uintptr_t end)
{
	total.taken += end - start;
	note_range("merging", start, end, "");
}

void note_refused(uintptr_t start, uintptr_t end, int error)
{
	total.refused += end - start;
	total.error = error;
	note_range("not merging", start, end, reason(error));
}

__attribute__((destructor)) static void note_summary(void)
{
	char text[200];

	if (!enabled || (!total.taken && !total.refused))
		return;
	snprintf(text, sizeof(text), "%lu KiB handed over, %lu KiB refused%s%s",
		 (unsigned long)total.taken / 1024,
		 (unsigned long)total.refused / 1024,
		 total.error ? ", the last as " : "",
		 total.error ? reason(total.error) : "");
	note(text);
}
