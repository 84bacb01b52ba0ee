/* SPDX-License-Identifier: GPL-2.0 */
/* Tools whose first argument is a sub-command, and their option --json. */
#ifndef KVMLITE_COMMAND_H
#define KVMLITE_COMMAND_H

#include <argp.h>
#include <stdbool.h>

#include <json-c/json.h>

/**
 * struct command - a sub-command
 * @name:	as typed
 * @run:	main() of it: argv[0] is "TOOL NAME"; returns the exit status
 * @json:	it has --json
 */
struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	bool json;
};

/**
 * struct tool - a program of sub-commands
 * @name:	of the program
 * @doc:	what it is and its commands, as struct argp has it
 * @commands:	all, one without a name behind
 */
struct tool {
	const char *name;
	const char *doc;
	const struct command *commands;
};

/* --json may stand before and behind the sub-command. */
extern bool json_wanted;
extern const struct argp json_argp;
extern const struct argp_child json_child[];

/* main() of the tool. */
int command_main(const struct tool *tool, int argc, char **argv);

/* Prints the object, on one line or several, and frees it. */
void json_print(struct json_object *object, bool one_line);

#endif /* KVMLITE_COMMAND_H */
