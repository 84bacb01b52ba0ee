// SPDX-License-Identifier: GPL-2.0
#include "ksmctl.h"

const char *argp_program_version = "ksmctl " VERSION;

static const struct command commands[] = {
	{ "status", cmd_status, true },
	{ "top", cmd_top, true },
	{ "areas", cmd_areas, true },
	{ "set", cmd_set, true },
	{ "scan", cmd_scan, true },
	{ "run", cmd_run, false },
	{ "metrics", cmd_metrics, false },
	{ 0 }
};

static const struct tool tool = {
	.name = "ksmctl",
	.doc = "Watch and control ksmdev, which merges equal pages of ksmfs and /dev/ksm.\vCommands:\n"
	       "  status             what is shared and saved, and the settings\n"
	       "  top                the same, live\n"
	       "  areas              the files whose pages may merge (root)\n"
	       "  set KEY=VALUE...   change settings (root)\n"
	       "  scan [PATH]        run one full pass now over your domain, or that of PATH\n"
	       "  run -- CMD...      run a program and merge what it marks with\n"
	       "                     madvise(MADV_MERGEABLE)\n"
	       "  metrics            statistics for Prometheus\n"
	       "\n"
	       "ksmctl COMMAND --help tells more; so does ksmctl(1).",
	.commands = commands,
};

int main(int argc, char **argv)
{
	return command_main(&tool, argc, argv);
}
