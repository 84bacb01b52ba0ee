// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ksmctl.h"

const char *argp_program_version = "ksmctl 0.1";

bool json_wanted;

static const struct command commands[] = {
	{ "status", cmd_status },
	{ "top", cmd_top },
	{ "areas", cmd_areas },
	{ "set", cmd_set },
	{ "scan", cmd_scan },
	{ "run", cmd_run },
};

static const char doc[] =
	"Watch and control /dev/ksm, which merges equal pages of memory.\vCommands:\n"
	"  status             what is shared and saved, and the settings\n"
	"  top                the same, live\n"
	"  areas              the open areas, a line each (root)\n"
	"  set KEY=VALUE...   change settings (root)\n"
	"  scan               run one full pass now over memory of your domain\n"
	"  run -- CMD...      run a program and merge what it marks with\n"
	"                     madvise(MADV_MERGEABLE)\n"
	"\n"
	"ksmctl COMMAND --help tells more; so does ksmctl(1).";

static const struct argp_option json_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 }
};

static error_t parse_json(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	(void)state;
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	json_wanted = true;
	return 0;
}

static const struct argp json_argp = {
	.options = json_options,
	.parser = parse_json,
};

const struct argp_child json_child[] = {
	{ &json_argp, 0, NULL, 0 },
	{ 0 }
};

/**
 * struct rest - the sub-command and its arguments
 * @argc:	how many
 * @argv:	of which the first is its name
 */
struct rest {
	int argc;
	char **argv;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct rest *rest = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_ARGS:
		rest->argc = state->argc - state->next;
		rest->argv = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "COMMAND [ARGUMENT...]",
	.doc = doc,
	.children = json_child,
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct rest rest;
	char name[64];
	int status;

	argp_err_exit_status = STATUS_USAGE;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &rest);
	command = find_command(rest.argv[0]);
	if (!command)
		return report_usage("no such command: %s (ksmctl --help lists them)",
				    rest.argv[0]);
	snprintf(name, sizeof(name), "ksmctl %s", command->name);
	rest.argv[0] = name;
	status = command->run(rest.argc, rest.argv);
	if (fflush(stdout) || ferror(stdout))
		return report_failure("cannot write the output");
	return status;
}
