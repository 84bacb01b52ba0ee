// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fleet.h"
#include "result.h"

/* What is below it has room in a path. */
#define LONGEST_FOLDER	3700

void result_path(char *path, const char *folder, const char *name)
{
	snprintf(path, PATH_MAX, "%.3800s/%s", folder, name);
}

static bool is_empty(const char *folder)
{
	DIR *dir = opendir(folder);
	int entries = 0;

	if (!dir)
		return false;
	while (readdir(dir))
		entries++;
	closedir(dir);
	return entries == 2;
}

/* A folder that is there and empty is as good as a new one. */
static int make_folder(const char *folder)
{
	if (!mkdir(folder, 0755) || (errno == EEXIST && is_empty(folder)))
		return 0;
	if (errno == EEXIST)
		return report_failure("%s exists and has something in it: --output names another folder",
				      folder);
	return report_failure("cannot make the result folder %s: %s", folder, strerror(errno));
}

int result_folder(const char *wanted, const char *name, char *folder, size_t size)
{
	time_t now = time(NULL);
	char when[32];

	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", localtime(&now));
	if (!wanted)
		snprintf(folder, size, "%s-%s", name, when);
	else if (snprintf(folder, size, "%s", wanted) > LONGEST_FOLDER)
		return report_failure("cannot make the result folder %.64s...: its name is too long",
				      wanted);
	return make_folder(folder);
}

int result_subfolder(const char *folder, const char *name, char *path, size_t size)
{
	if (snprintf(path, size, "%s/%s", folder, name) >= (int)size)
		return report_failure("the path gets too long: %s/%s", folder, name);
	return make_folder(path);
}

/* Once is enough for a disk that is full. */
static int report_write_error(struct result_file *f, int error)
{
	if (f->failed)
		return STATUS_FAILURE;
	f->failed = true;
	return report_failure("cannot write %s: %s", f->path, strerror(error));
}

int result_open(struct result_file *f, const char *folder, const char *name)
{
	result_path(f->path, folder, name);
	snprintf(f->part, sizeof(f->part), "%.4000s.part", f->path);
	f->failed = false;
	f->file = fopen(f->part, "we");
	return f->file ? 0 : report_write_error(f, errno);
}

int result_flush(struct result_file *f)
{
	return fflush(f->file) || ferror(f->file) ? report_write_error(f, errno) : 0;
}

int result_close(struct result_file *f)
{
	int status = result_flush(f);

	if (fclose(f->file))
		status = report_write_error(f, errno);
	f->file = NULL;
	if (status)
		unlink(f->part);
	else if (rename(f->part, f->path))
		status = report_write_error(f, errno);
	return status;
}
