// SPDX-License-Identifier: GPL-2.0
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/ksmdev.h>

#include "ksmctl.h"

#define LIBRARY		"libksmrun.so"

/* As env(1) and others that run a command. */
#define STATUS_CANNOT_RUN	126
#define STATUS_NOT_FOUND	127

/* Above what programs use, below what they may use. */
#define DOMAIN_FD	900

/**
 * struct run - one run of the command
 * @private_domain:	merge only with processes that the program starts
 * @debug:		the library tells what it does
 * @argv:		the program and its arguments, NULL behind
 */
struct run {
	bool private_domain;
	bool debug;
	char **argv;
};

static bool try_library(const char *folder, const char *below, char *path)
{
	if (snprintf(path, PATH_MAX, "%s%s/%s", folder, below, LIBRARY) >=
	    PATH_MAX)
		return false;
	return !access(path, R_OK);
}

/* Beside ksmctl in its build folder, or where make install puts it. */
static bool find_library(char *path)
{
	char self[PATH_MAX], *folder;
	ssize_t length;

	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0)
		return false;
	self[length] = '\0';
	folder = dirname(self);
	return try_library(folder, "/../lib/kvmlite", path) ||
	       try_library(folder, "", path);
}

static int set_preload(void)
{
	char library[PATH_MAX], resolved[PATH_MAX], value[2 * PATH_MAX];
	const char *before = getenv("LD_PRELOAD");

	if (!find_library(library) || !realpath(library, resolved))
		return report_failure("cannot find %s in ../lib/kvmlite or beside ksmctl: install it again",
				      LIBRARY);
	if (strpbrk(resolved, " :"))
		return report_failure("the loader cannot take a path with a blank or colon: %s",
				      resolved);
	if (snprintf(value, sizeof(value), "%s%s%s", resolved,
		     before && *before ? ":" : "", before ? before : "") >=
	    (int)sizeof(value))
		return report_failure("LD_PRELOAD gets too long");
	setenv("LD_PRELOAD", value, 1);
	return 0;
}

/*
 * The domain lives as long as a descriptor of its directory does, so the
 * program gets one, which gives the domain and nothing else.
 */
static int pass_private_domain(int device)
{
	int fd, passed;
	char text[16];

	fd = ioctl(device, KSM_CREATE_DOMAIN, 0);
	if (fd < 0)
		return report_failure("cannot make a private domain: %s",
				      strerror(errno));
	passed = fcntl(fd, F_DUPFD, DOMAIN_FD);
	if (passed < 0)
		passed = fcntl(fd, F_DUPFD, 0);
	if (passed < 0)
		return report_failure("no free descriptor: %s",
				      strerror(errno));
	close(fd);
	snprintf(text, sizeof(text), "%d", passed);
	setenv("KSMRUN_DOMAIN_FD", text, 1);
	return 0;
}

static int prepare(const struct run *run)
{
	int fd, status;

	fd = device_open();
	if (fd < 0)
		return STATUS_FAILURE;
	status = run->private_domain ? pass_private_domain(fd) : 0;
	close(fd);
	if (status)
		return status;
	if (run->debug)
		setenv("KSMRUN_DEBUG", "1", 1);
	return set_preload();
}

/* Does the program ask for the loader, who preloads?  Scripts do: their shell. */
static bool is_static(int fd)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	int i;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	for (i = 0; i < header.e_phnum; i++) {
		if (pread(fd, &segment, sizeof(segment), header.e_phoff +
			  (off_t)i * header.e_phentsize) != sizeof(segment))
			return false;
		if (segment.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static void warn_if_out_of_reach(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (is_static(fd))
		report_warning("%s is linked statically: nothing can be preloaded, it runs without merging",
			       path);
	else if (!fstat(fd, &st) && st.st_mode & (S_ISUID | S_ISGID) &&
		 getuid())
		report_warning("%s changes its user or group id: nothing is preloaded, it runs without merging",
			       path);
	close(fd);
}

/* The path that execvp() will take; the name itself if it has a slash. */
static void find_program(const char *name, char *path)
{
	const char *folders = getenv("PATH");
	size_t length;

	snprintf(path, PATH_MAX, "%s", name);
	if (strchr(name, '/') || !folders)
		return;
	for (;; folders += length + 1) {
		length = strcspn(folders, ":");
		snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, folders,
			 length ? "/" : "", name);
		if (!access(path, X_OK) || !folders[length])
			return;
	}
}

static int run_program(const struct run *run)
{
	char path[PATH_MAX];
	int error;

	find_program(run->argv[0], path);
	warn_if_out_of_reach(path);
	execvp(run->argv[0], run->argv);
	error = errno;
	report_failure("cannot run %s: %s", run->argv[0], strerror(error));
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

static const struct argp_option options[] = {
	{ "private-domain", 'p', NULL, 0,
	  "Merge only within this program and those it starts", 0 },
	{ "debug", 'D', NULL, 0,
	  "Tell on stderr what is merged and what is not, and why", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;

	(void)arg;
	switch (key) {
	case 'p':
		run->private_domain = true;
		return 0;
	case 'D':
		run->debug = true;
		return 0;
	case ARGP_KEY_ARGS:
		run->argv = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[--] COMMAND [ARGUMENT...]",
	.doc = "Run a program and hand the memory it marks with madvise(MADV_MERGEABLE) to /dev/ksm. Ends with the status of the program; 127 if it is not found, 126 if it cannot run.",
};

int cmd_run(int argc, char **argv)
{
	struct run run = { 0 };
	int status;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &run);
	status = prepare(&run);
	return status ? status : run_program(&run);
}
