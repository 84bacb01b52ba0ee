// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "signing.h"
#include "sysfs.h"

/* UEFI specification 2.10, section 3.3: EFI_GLOBAL_VARIABLE. */
#define SECURE_BOOT \
	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* "none [integrity] confidentiality": the one in brackets. */
void signing_lockdown(char *text, size_t size)
{
	char line[128], *open, *close;

	if (sysfs_read_string("/sys/kernel/security", "lockdown", line,
			      sizeof(line))) {
		snprintf(text, size, "unknown");
		return;
	}
	open = strchr(line, '[');
	close = strchr(line, ']');
	if (open && close && close > open)
		*close = '\0';
	else
		open = NULL;
	snprintf(text, size, "%s", open ? open + 1 : "unknown");
}

bool signing_is_needed(void)
{
	char value[32];

	signing_lockdown(value, sizeof(value));
	if (strcmp(value, "none") && strcmp(value, "unknown"))
		return true;
	return !sysfs_read_string("/sys/module/module/parameters",
				  "sig_enforce", value, sizeof(value)) &&
	       *value == 'Y';
}

/* Four bytes of attributes, one of value. */
int signing_secure_boot(void)
{
	unsigned char content[5];
	int fd = open(SECURE_BOOT, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read(fd, content, sizeof(content));
	close(fd);
	return length == sizeof(content) ? content[4] == 1 : -1;
}
