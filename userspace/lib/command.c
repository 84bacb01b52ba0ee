// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "report.h"

bool json_wanted;

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

const struct argp json_argp = {
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

static const struct command *find_command(const struct tool *tool,
					  const char *name)
{
	const struct command *command;

	for (command = tool->commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

int command_main(const struct tool *tool, int argc, char **argv)
{
	const struct argp argp = {
		.parser = parse,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = tool->doc,
		.children = json_child,
	};
	const struct command *command;
	struct rest rest;
	char name[64];
	int status;

	argp_err_exit_status = STATUS_USAGE;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &rest);
	command = find_command(tool, rest.argv[0]);
	if (!command)
		return report_usage("no such command: %s (%s --help lists them)",
				    rest.argv[0], tool->name);
	if (json_wanted && !command->json)
		return report_usage("%s has no --json", command->name);
	snprintf(name, sizeof(name), "%s %s", tool->name, command->name);
	rest.argv[0] = name;
	status = command->run(rest.argc, rest.argv);
	if (fflush(stdout) || ferror(stdout))
		return report_failure("cannot write the output");
	return status;
}

void json_print(struct json_object *object, bool one_line)
{
	int flags = JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;

	if (!one_line)
		flags |= JSON_C_TO_STRING_PRETTY;
	puts(json_object_to_json_string_ext(object, flags));
	json_object_put(object);
}
