// SPDX-License-Identifier: GPL-2.0
/* load and unload. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cpu.h"
#include "holder.h"
#include "kvmlitectl.h"
#include "module.h"
#include "signing.h"
#include "users.h"
#include "vm.h"

/**
 * struct request - what the command line wants
 * @wanted:	by enum module_id
 * @options:	"PARAMETER=VALUE ..." for each
 * @done:	what became of each, for --json
 */
struct request {
	bool wanted[NR_MODULES];
	char options[NR_MODULES][512];
	struct json_object *done;
};

static void report_done(struct request *request, enum module_id id,
			const char *what)
{
	if (json_wanted)
		json_object_object_add(request->done, modules[id].name,
				       json_object_new_string(what));
	else
		printf("%s: %s\n", modules[id].name, what);
}

/* ---- load ---- */

static int report_unsigned(const char *name)
{
	return report_failure("%s: the kernel takes signed modules only: sign it with a key that mokutil --import enrolled, or switch Secure Boot off",
			      name);
}

static int report_no_file(const char *name)
{
	struct utsname kernel;

	uname(&kernel);
	return report_failure("%s is not built for this kernel, %s: make && sudo make install",
			      name, kernel.release);
}

static int report_no_hardware(const char *name)
{
	const char *problem;
	struct cpu cpu;

	cpu_read(&cpu);
	problem = cpu_problem(&cpu);
	if (!problem)
		return report_failure("%s: the CPU lacks something: dmesg says what",
				      name);
	return report_failure("%s: %s", name, problem);
}

static int report_load_error(enum module_id id, const char *options, int error)
{
	const char *name = modules[id].name;

	switch (error) {
	case EPERM:
	case EACCES:
		if (signing_is_needed())
			return report_unsigned(name);
		return report_failure("%s: only root may load modules: run it by sudo",
				      name);
	case EKEYREJECTED:
	case ENOKEY:
	case EBADMSG:
		return report_unsigned(name);
	case ENODEV:
	case EOPNOTSUPP:
		return report_no_hardware(name);
	case ENOEXEC:
		return report_failure("%s was built for another kernel: make clean && make && sudo make install",
				      name);
	case EINVAL:
	case ERANGE:
		if (*options)
			return report_failure("%s refuses '%s' (modinfo %s tells the parameters)",
					      name, options, name);
		break;
	}
	return report_failure("%s does not load: %s (dmesg says more)", name,
			      strerror(error));
}

/* The kernel ignores parameters that it does not know. */
static int check_options(struct kmod_module *file, const char *options)
{
	char copy[512], start[520], text[256], *option, *rest;

	snprintf(copy, sizeof(copy), "%s", options);
	for (option = strtok_r(copy, " ", &rest); option;
	     option = strtok_r(NULL, " ", &rest)) {
		option[strcspn(option, "=")] = '\0';
		snprintf(start, sizeof(start), "%s:", option);
		if (!module_info(file, "parm", start, text, sizeof(text)))
			return report_failure("%s has no parameter '%s' (modinfo %s tells them)",
					      kmod_module_get_name(file),
					      option,
					      kmod_module_get_name(file));
	}
	return 0;
}

static int insert(struct request *request, struct kmod_ctx *library,
		  enum module_id id)
{
	const char *options = request->options[id];
	struct kmod_module *file;
	int err, status;

	file = module_find(library, modules[id].name);
	if (!file)
		return report_no_file(modules[id].name);
	status = check_options(file, options);
	if (!status) {
		err = kmod_module_probe_insert_module(file, 0, options, NULL,
						      NULL, NULL);
		if (err)
			status = report_load_error(id, options, -err);
		else
			report_done(request, id, "loaded");
	}
	kmod_module_unref(file);
	return status;
}

static int load(struct request *request, struct kmod_ctx *library,
		enum module_id id)
{
	struct holder holder;
	int status;

	if (module_is_loaded(modules[id].name)) {
		if (*request->options[id])
			return report_failure("%s is loaded already: kvmlitectl unload %s first, to change its parameters",
					      modules[id].name,
					      modules[id].name);
		report_done(request, id, "already loaded");
		return 0;
	}
	status = insert(request, library, id);
	if (status || id != KVMLITE)
		return status;
	/* It loads all the same, and waits. */
	holder_find(&holder);
	if (holder.blocks)
		report_warning("kvmlite is loaded, but cannot make a VM yet: virtualization is %s",
			       holder.text);
	return 0;
}

/* ---- unload ---- */

static int report_unload_error(enum module_id id, int error)
{
	const char *name = modules[id].name;
	char users[256];

	switch (error) {
	case EPERM:
	case EACCES:
		return report_failure("%s: only root may unload modules: run it by sudo",
				      name);
	case EAGAIN:
	case EBUSY:
		users_of_node(modules[id].node, users, sizeof(users));
		/* A VM outlives the descriptor of the device. */
		if (!*users && id == KVMLITE)
			vms_describe(users, sizeof(users));
		if (*users)
			return report_failure("%s is in use by %s: end that first",
					      name, users);
		return report_failure("%s is in use, by whom cannot be seen: lsof %s as root may know",
				      name, modules[id].node);
	}
	return report_failure("%s cannot be unloaded: %s", name,
			      strerror(error));
}

static int unload(struct request *request, struct kmod_ctx *library,
		  enum module_id id)
{
	struct kmod_module *module;
	int err;

	if (!module_is_loaded(modules[id].name)) {
		report_done(request, id, "not loaded");
		return 0;
	}
	err = kmod_module_new_from_name(library, modules[id].name, &module);
	if (err)
		return report_unload_error(id, -err);
	err = kmod_module_remove_module(module, 0);
	kmod_module_unref(module);
	if (err)
		return report_unload_error(id, -err);
	report_done(request, id, "unloaded");
	return 0;
}

/* ---- the command line ---- */

static void add_option(struct argp_state *state, enum module_id id,
		       const char *option)
{
	struct request *request = state->input;
	char *options = request->options[id];
	size_t used = strlen(options), size = sizeof(request->options[id]);

	if (strchr(option, ' ') || !strchr(option, '=') || *option == '=' ||
	    used + strlen(option) + 2 > size)
		argp_error(state, "not NAME.PARAMETER=VALUE: %s.%s",
			   modules[id].name, option);
	snprintf(options + used, size - used, "%s%s", used ? " " : "", option);
}

static void add_argument(struct argp_state *state, const char *arg,
			 bool options)
{
	struct request *request = state->input;
	size_t length = strcspn(arg, ".");
	const struct module *module = module_by_name(arg, length);

	if (!module)
		argp_error(state, "no such module of ours: %.*s (there are kvmlite and ksmdev)",
			   (int)length, arg);
	if (arg[length] && !options)
		argp_error(state, "not the name of a module: %s", arg);
	if (arg[length])
		add_option(state, module - modules, arg + length + 1);
	else
		request->wanted[module - modules] = true;
}

/* Parameters alone are for modules that are loaded anyway. */
static void choose_all(struct request *request)
{
	int id;

	for (id = 0; id < NR_MODULES; id++)
		if (request->wanted[id])
			return;
	for (id = 0; id < NR_MODULES; id++)
		request->wanted[id] = true;
}

static error_t parse_load(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;
	int id;

	switch (key) {
	case ARGP_KEY_ARG:
		add_argument(state, arg, true);
		return 0;
	case ARGP_KEY_END:
		choose_all(request);
		for (id = 0; id < NR_MODULES; id++)
			if (*request->options[id] && !request->wanted[id])
				argp_error(state, "parameters for %s, which is not to be loaded",
					   modules[id].name);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_unload(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		add_argument(state, arg, false);
		return 0;
	case ARGP_KEY_END:
		choose_all(state->input);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* Each for itself: one that fails does not keep the other. */
static int for_each(struct request *request,
		    int (*act)(struct request *request,
			       struct kmod_ctx *library, enum module_id id))
{
	struct kmod_ctx *library = module_library();
	int status = 0, id;

	if (!library)
		return STATUS_FAILURE;
	request->done = json_object_new_object();
	for (id = 0; id < NR_MODULES; id++)
		if (request->wanted[id] && act(request, library, id))
			status = STATUS_FAILURE;
	kmod_unref(library);
	if (json_wanted)
		json_print(request->done, false);
	else
		json_object_put(request->done);
	return status;
}

static const struct argp load_argp = {
	.parser = parse_load,
	.args_doc = "[NAME...] [NAME.PARAMETER=VALUE...]",
	.doc = "Load kvmlite and ksmdev, or the named ones. Needs root.",
	.children = json_child,
};

static const struct argp unload_argp = {
	.parser = parse_unload,
	.args_doc = "[NAME...]",
	.doc = "Unload kvmlite and ksmdev, or the named ones. Needs root.",
	.children = json_child,
};

int cmd_load(int argc, char **argv)
{
	struct request request = { 0 };

	argp_parse(&load_argp, argc, argv, 0, NULL, &request);
	return for_each(&request, load);
}

int cmd_unload(int argc, char **argv)
{
	struct request request = { 0 };

	argp_parse(&unload_argp, argc, argv, 0, NULL, &request);
	return for_each(&request, unload);
}
