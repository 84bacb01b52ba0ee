// SPDX-License-Identifier: GPL-2.0
#include "fleet.h"

const char *argp_program_version = "fleet " VERSION;

static const struct command commands[] = {
	{ "run", cmd_run, true },
	{ "compare", cmd_compare, true },
	{ "plot", cmd_plot, false },
	{ "workloads", cmd_workloads, false },
	{ 0 }
};

static const struct tool tool = {
	.name = "fleet",
	.doc = "Start guests from one description and see their memory shrink.\vCommands:\n"
	       "  run [FILE]         run a fleet, write what it used\n"
	       "  compare [FILE]     the same fleet on several back ends, one table\n"
	       "  plot FOLDER        draw the results of a folder\n"
	       "  workloads          what guests can do\n"
	       "\n"
	       "fleet COMMAND --help tells more; so does fleet(1).",
	.commands = commands,
};

int main(int argc, char **argv)
{
	return command_main(&tool, argc, argv);
}
