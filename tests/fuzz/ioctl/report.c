// SPDX-License-Identifier: GPL-2.0
/* The kernel's log: see report.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program.h"
#include "report.h"

/* As the lab judges a boot: CONSOLE_BAD in tests/lab/host.sh. */
static const char *const bad[] = {
	"WARNING:", "BUG:", "BUG ", "Oops", "UBSAN:", "general protection fault",
	"blocked for more than", "rcu: INFO", "detected stall",
	"kernel BUG at", "lockdep is turned off", "refcount_t:",
	"list_add corruption", "list_del corruption", "list_add double", "ODEBUG:",
};

static int kmsg = -1;

int report_open(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		return -1;
	return lseek(kmsg, 0, SEEK_END) < 0 ? -1 : 0;
}

static bool is_bad(const char *line)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (strstr(line, bad[i]))
			return true;
	return false;
}

const char *report_find(void)
{
	static char found[256];
	char record[2048], *text;
	bool any = false;
	ssize_t len;

	/* EPIPE: what was next is overwritten already; go on with what is there. */
	while ((len = read(kmsg, record, sizeof(record) - 1)) > 0 ||
	       (len < 0 && errno == EPIPE)) {
		if (len < 0 || any)
			continue;
		record[len] = '\0';
		text = strchr(record, ';');
		if (!text || !is_bad(text))
			continue;
		text[strcspn(text, "\n")] = '\0';
		snprintf(found, sizeof(found), "%.255s", text + 1);
		any = true;
	}
	return any ? found : NULL;
}
