// SPDX-License-Identifier: GPL-2.0
#include "kvmlitectl.h"

const char *argp_program_version = "kvmlitectl " VERSION;

static const struct command commands[] = {
	{ "check", cmd_check, true },
	{ "load", cmd_load, true },
	{ "unload", cmd_unload, true },
	{ "status", cmd_status, true },
	{ "vms", cmd_vms, true },
	{ "stats", cmd_stats, true },
	{ "exec", cmd_exec, false },
	{ "metrics", cmd_metrics, false },
	{ 0 }
};

static const struct tool tool = {
	.name = "kvmlitectl",
	.doc = "Watch and control kvmlite, a small hypervisor that speaks the KVM API.\vCommands:\n"
	       "  check              can kvmlite run here, and if not, what to do\n"
	       "  load [NAME...]     load kvmlite and ksmdev, or the named ones (root)\n"
	       "  unload [NAME...]   unload them (root)\n"
	       "  status             modules, devices, who has virtualization\n"
	       "  vms                the VMs, a line each (root)\n"
	       "  stats              exits by reason, live (root)\n"
	       "  exec -- CMD...     run a program that finds kvmlite as /dev/kvm\n"
	       "  metrics            statistics for Prometheus (root)\n"
	       "\n"
	       "kvmlitectl COMMAND --help tells more; so does kvmlitectl(1).",
	.commands = commands,
};

int main(int argc, char **argv)
{
	return command_main(&tool, argc, argv);
}
