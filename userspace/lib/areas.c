// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/ksmdev.h>
#include <linux/magic.h>

#include "areas.h"
#include "report.h"
#include "values.h"

FILE *areas_open(void)
{
	return fopen(AREAS_FILE, "re");
}

void areas_split(char *line, int columns, struct area_line *out)
{
	out->count = 0;
	line[strcspn(line, "\n")] = '\0';
	while (out->count < columns) {
		line += strspn(line, " \t");
		if (!*line)
			break;
		out->field[out->count++] = line;
		if (out->count == columns)
			break;
		line += strcspn(line, " \t");
		if (*line)
			*line++ = '\0';
	}
}

int areas_device(dev_t *device)
{
	int fd = open("/dev/ksm", O_RDWR | O_CLOEXEC), file, error;
	struct stat st = { 0 };

	file = fd < 0 ? -1 : ioctl(fd, KSM_GET_FILE, 0);
	if (file < 0 || fstat(file, &st)) {
		error = errno;
		close(file);
		close(fd);
		errno = error;
		return -1;
	}
	close(file);
	close(fd);
	*device = st.st_dev;
	return 0;
}

int areas_report_open_error(int error)
{
	struct statfs fs;

	if (error == EACCES || error == EPERM)
		return report_failure("only root may see the areas of all users: run this as root");
	if (error != ENOENT)
		return report_failure("cannot open %s: %s", AREAS_FILE,
				      strerror(error));
	if (access(KSM_SYSFS, F_OK))
		return report_failure("the module is not loaded (no %s): modprobe ksmdev",
				      KSM_SYSFS);
	if (statfs(DEBUGFS, &fs) || fs.f_type != DEBUGFS_MAGIC)
		return report_failure("debugfs is not mounted: mount -t debugfs none %s",
				      DEBUGFS);
	return report_failure("the module made no %s (is debugfs switched off on this kernel?)",
			      AREAS_FILE);
}
