// SPDX-License-Identifier: GPL-2.0
#include "experiment.h"
#include "fleet.h"
#include "jsonout.h"
#include "options.h"
#include "plot.h"
#include "summary.h"

static const struct argp_child children[] = {
	{ &options_argp, 0, NULL, 0 },
	{ &json_argp, 0, NULL, 0 },
	{ NULL, 0, NULL, 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;
	return 0;
}

static const struct argp argp = {
	.parser = parse,
	.children = children,
	.args_doc = "[FILE]",
	.doc = "Run the fleet that FILE describes, and write what it used.",
};

static int finish(struct experiment *e)
{
	struct json_object *summary = summary_make(e);
	int status = 0;

	if (!summary)
		return 0;
	status = summary_write(summary, e->folder);
	if (!status && json_wanted)
		json_write(summary, stdout);
	else if (!status)
		summary_print(summary, stdout);
	json_object_put(summary);
	return status;
}

static int run(const struct description *d, const struct options *options)
{
	struct experiment e;
	char folder[PATH_MAX];
	int status, failed;

	if (result_folder(options->output, d->name, folder, sizeof(folder)))
		return STATUS_FAILURE;
	experiment_catch_signals();
	status = experiment_run(&e, d, folder);
	/* What cannot be written has been said; a guest's failure is a result. */
	failed = !status || e.broken ? finish(&e) : status;
	if (!failed && !options->no_plots && e.sampler.count)
		failed = plot_results(folder);
	if (!failed && !json_wanted)
		printf("\nResults: %s\n", folder);
	if (!status && e.interrupted)
		status = report_failure("interrupted; what there is so far is in %s", folder);
	experiment_free(&e);
	return status ? status : failed;
}

int cmd_run(int argc, char **argv)
{
	struct options options = { };
	struct description d;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	status = options_describe(&options, &d);
	if (!status)
		status = experiment_check(&d);
	if (!status)
		status = run(&d, &options);
	description_free(&d);
	options_free(&options);
	return status;
}
