// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "devkvm.h"
#include "kvmlitectl.h"

/* As env(1) and others that run a command. */
#define STATUS_CANNOT_RUN	126
#define STATUS_NOT_FOUND	127

/**
 * struct run - one run of the command
 * @sudo_user:	as the one who called sudo
 * @argv:	the program and its arguments, NULL behind
 */
struct run {
	bool sudo_user;
	char **argv;
};

/* With the groups, and what programs look for in the environment. */
static int become_sudo_user(void)
{
	const char *text = getenv("SUDO_UID");
	const struct passwd *user = NULL;
	unsigned long uid;
	char *rest;

	if (text && isdigit((unsigned char)*text) && !geteuid()) {
		uid = strtoul(text, &rest, 10);
		user = !*rest && uid == (uid_t)uid ? getpwuid(uid) : NULL;
	}
	if (!user)
		return report_failure("--user is for a run by sudo, which says who called it");
	if (initgroups(user->pw_name, user->pw_gid) ||
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid))
		return report_failure("cannot become %s: %s", user->pw_name,
				      strerror(errno));
	setenv("HOME", user->pw_dir, 1);
	setenv("USER", user->pw_name, 1);
	setenv("LOGNAME", user->pw_name, 1);
	if (access(KVM_DEVICE, R_OK | W_OK))
		return report_failure("%s may not open %s: put him into its group",
				      user->pw_name, KVMLITE_DEVICE);
	return 0;
}

/* The program would say less clearly what is wrong. */
static int try_device(void)
{
	char text[560];
	int fd, err;

	fd = device_open();
	if (fd < 0)
		return STATUS_FAILURE;
	err = device_try(fd);
	close(fd);
	if (!err)
		return 0;
	device_explain(-err, text, sizeof(text));
	return report_failure("%s", text);
}

static int run_program(char **argv)
{
	int error;

	execvp(argv[0], argv);
	error = errno;
	report_failure("cannot run %s: %s", argv[0], strerror(error));
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

static const struct argp_option options[] = {
	{ "user", 'u', NULL, 0,
	  "Started by sudo: run the program as the user who called it", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;

	(void)arg;
	switch (key) {
	case 'u':
		run->sudo_user = true;
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
	.doc = "Run a program that finds /dev/kvmlite as /dev/kvm; nobody else sees a change. Ends with the status of the program; 127 if it is not found, 126 if it cannot run.",
};

int cmd_exec(int argc, char **argv)
{
	struct run run = { 0 };
	int status;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &run);
	status = try_device();
	if (!status)
		status = devkvm_replace(KVMLITE_DEVICE);
	if (!status && run.sudo_user)
		status = become_sudo_user();
	return status ? status : run_program(run.argv);
}
