// SPDX-License-Identifier: GPL-2.0
#include <argz.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fleet.h"
#include "options.h"
#include "vmm.h"

/* Options that are keys of a description begin here. */
#define KEY_FIRST	0x1000
#define KEY_OUTPUT	'o'
#define KEY_SET		's'
#define KEY_NO_PLOTS	0x100

static const struct argp_option options[] = {
	{ "vms", 0x1000, "N", 0, "How many guests (3)", 1 },
	{ "mem", 0x1001, "MIB", 0, "Memory of each (128)", 1 },
	{ "workload", 0x1002, "NAME", 0, "What they do (idle); fleet workloads lists them", 1 },
	{ "backend", 0x1003, "NAME", 0, "Who merges: ksmdev, ksm, none (ksmdev); run only", 1 },
	{ "device", 0x1004, "NAME", 0, "Who runs them: kvmlite, kvm, tcg (kvmlite)", 1 },
	{ "kernel", 0x1005, "FILE", 0, "Their kernel (the one that runs here)", 1 },
	{ "initrd", 0x1006, "FILE", 0, "Their initramfs (the tool's own)", 1 },
	{ "stagger", 0x1007, "SECONDS", 0, "Time between two starts (0)", 1 },
	{ "duration", 0x1008, "SECONDS", 0, "Time from when all are ready (60)", 1 },
	{ "set", KEY_SET, "KEY=VALUE", 0, "Any key of a description", 2 },
	{ "output", KEY_OUTPUT, "FOLDER", 0, "The result folder (NAME-DATE-TIME)", 2 },
	{ "no-plots", KEY_NO_PLOTS, NULL, 0, "Do not draw the result", 2 },
	{ 0 }
};

static error_t add_setting(struct options *o, const char *name, const char *value)
{
	error_t error = ENOMEM;
	char *setting;

	if (asprintf(&setting, "%s=%s", name, value) >= 0) {
		error = argz_add(&o->settings, &o->length, setting);
		free(setting);
	}
	return error;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case KEY_SET:
		return argz_add(&o->settings, &o->length, arg);
	case KEY_OUTPUT:
		o->output = arg;
		return 0;
	case KEY_NO_PLOTS:
		o->no_plots = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "only one description, please: %s", arg);
		o->file = arg;
		return 0;
	}
	if (key < KEY_FIRST || key >= KEY_FIRST + 9)
		return ARGP_ERR_UNKNOWN;
	return add_setting(o, options[key - KEY_FIRST].name, arg);
}

const struct argp options_argp = {
	.options = options,
	.parser = parse,
};

void options_free(struct options *o)
{
	free(o->settings);
	o->settings = NULL;
	o->length = 0;
}

int options_describe(const struct options *o, struct description *d)
{
	const char *setting = NULL;
	int status = 0;

	description_init(d);
	if (o->file)
		status = description_read(d, o->file);
	while (!status && (setting = argz_next(o->settings, o->length, setting)))
		status = description_assign(d, "command line", setting);
	return status ? status : vmm_resolve(d);
}
