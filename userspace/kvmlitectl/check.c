// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cpu.h"
#include "device.h"
#include "holder.h"
#include "kvmlitectl.h"
#include "module.h"
#include "signing.h"

/* A note is worth knowing and stops nothing. */
enum state {
	OK,
	NOTE,
	PROBLEM,
};

static const char * const state_names[] = { "ok", "note", "problem" };

/**
 * struct machine - what several checks look at
 * @cpu:	of it
 * @library:	of modules
 * @problems:	found so far
 */
struct machine {
	struct cpu cpu;
	struct kmod_ctx *library;
	int problems;
};

/**
 * struct finding - what a check found
 * @state:	how bad it is
 * @text:	what it is, and what to do
 */
struct finding {
	enum state state;
	char text[600];
};

static void __attribute__((format(printf, 3, 4)))
found(struct finding *finding, enum state state, const char *format, ...)
{
	va_list args;

	finding->state = state;
	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
}

/* ---- the checks ---- */

static void check_cpu(const struct machine *machine, struct finding *finding)
{
	found(finding, OK, "%s%s", machine->cpu.model,
	      machine->cpu.is_virtual ? ", in a virtual machine" : "");
}

static void check_extension(const struct machine *machine,
			    struct finding *finding)
{
	const char *problem = cpu_extension_problem(&machine->cpu);

	found(finding, problem ? PROBLEM : OK, "%s", problem ? problem :
	      cpu_extension_name(&machine->cpu));
}

/* What hides behind virtualization that is not there. */
static bool check_hidden(const struct machine *machine,
			 struct finding *finding)
{
	if (!cpu_extension_problem(&machine->cpu))
		return false;
	found(finding, NOTE, "not known before virtualization is there");
	return true;
}

static void check_paging(const struct machine *machine,
			 struct finding *finding)
{
	const char *problem = cpu_paging_problem(&machine->cpu);

	if (check_hidden(machine, finding))
		return;
	found(finding, problem ? PROBLEM : OK, "%s", problem ? problem :
	      machine->cpu.vendor == CPU_AMD ? "NPT" : "EPT");
}

static void check_guest(const struct machine *machine, struct finding *finding)
{
	const char *problem = cpu_guest_problem(&machine->cpu);

	if (check_hidden(machine, finding))
		return;
	if (problem)
		found(finding, PROBLEM, "%s", problem);
	else if (machine->cpu.vendor == CPU_AMD)
		found(finding, OK, "always, with AMD-V");
	else
		found(finding, OK, "unrestricted guest, VPID (by %s)",
		      machine->cpu.asked ? "its MSRs" : "/proc/cpuinfo");
}

static void check_kernel(const struct machine *machine,
			 struct finding *finding)
{
	int major = 0, minor = 0, version;
	struct utsname name;

	(void)machine;
	uname(&name);
	if (sscanf(name.release, "%d.%d", &major, &minor) != 2)
		major = 0;
	version = major * 1000 + minor;
	if (version < 6001)
		found(finding, PROBLEM, "%s is too old: 6.1 or newer is needed",
		      name.release);
	else if (version == 6001 || version == 6012)
		found(finding, OK, "%s", name.release);
	else
		found(finding, NOTE, "%s is not one that is tested (6.1, 6.12)",
		      name.release);
}

static void check_lockdown(const struct machine *machine,
			   struct finding *finding)
{
	char lockdown[32], signer[128];
	struct kmod_module *file;
	bool has_signer = false;

	signing_lockdown(lockdown, sizeof(lockdown));
	if (!signing_is_needed()) {
		found(finding, OK, "unsigned modules may be loaded (lockdown %s)",
		      lockdown);
		return;
	}
	file = machine->library ? module_find(machine->library, "kvmlite") :
				  NULL;
	if (file) {
		has_signer = module_info(file, "signer", "", signer,
					 sizeof(signer));
		kmod_module_unref(file);
	}
	if (module_is_loaded("kvmlite"))
		found(finding, OK, "lockdown %s; the module is loaded",
		      lockdown);
	else if (has_signer)
		found(finding, NOTE, "lockdown %s: the kernel must know the key of %s (mokutil --list-enrolled)",
		      lockdown, signer);
	else
		found(finding, PROBLEM, "signed modules only (lockdown %s): sign them with a key that mokutil --import enrolled, or switch Secure Boot off",
		      lockdown);
}

static void check_secure_boot(const struct machine *machine,
			      struct finding *finding)
{
	static const char * const texts[] = {
		"not known, or not started by EFI", "off", "on"
	};

	(void)machine;
	found(finding, signing_secure_boot() == 1 ? NOTE : OK, "%s",
	      texts[signing_secure_boot() + 1]);
}

/* @missing: how bad it is when there is none. */
static void check_module(const struct machine *machine, const char *name,
			 enum state missing, struct finding *finding)
{
	struct kmod_module *file = NULL;
	struct utsname kernel;

	uname(&kernel);
	if (module_is_loaded(name)) {
		found(finding, OK, "loaded");
		return;
	}
	if (machine->library)
		file = module_find(machine->library, name);
	if (file)
		found(finding, OK, "there, not loaded: kvmlitectl load %s",
		      name);
	else
		found(finding, missing, "not built for %s: make && sudo make install",
		      kernel.release);
	kmod_module_unref(file);
}

static void check_kvmlite(const struct machine *machine,
			  struct finding *finding)
{
	check_module(machine, "kvmlite", PROBLEM, finding);
}

/* Each is useful alone. */
static void check_ksmdev(const struct machine *machine,
			 struct finding *finding)
{
	check_module(machine, "ksmdev", NOTE, finding);
}

static void check_holder(const struct machine *machine,
			 struct finding *finding)
{
	struct holder holder;
	enum state state = OK;

	(void)machine;
	holder_find(&holder);
	if (holder.blocks)
		state = PROBLEM;
	else if (holder.name && strcmp(holder.name, "kvmlite"))
		state = NOTE;
	found(finding, state, "%s", holder.text);
}

static void check_device(const struct machine *machine,
			 struct finding *finding)
{
	struct device device;

	(void)machine;
	device_look(KVMLITE_DEVICE, &device);
	if (!device.present)
		found(finding, module_is_loaded("kvmlite") ? PROBLEM : NOTE,
		      "no %s%s", KVMLITE_DEVICE,
		      module_is_loaded("kvmlite") ?
		      ": unload the module and load it again" :
		      " before the module is loaded");
	else
		found(finding, device.usable ? OK : PROBLEM,
		      "%s is %s:%s's, mode %s%s", KVMLITE_DEVICE, device.owner,
		      device.group, device.mode, device.usable ? "" :
		      ": be one of the group, or use sudo");
}

/* The proof; only if nothing speaks against it, as a failure goes to the log. */
static void check_vm(const struct machine *machine, struct finding *finding)
{
	struct device device;
	char text[560];
	int fd, err;

	device_look(KVMLITE_DEVICE, &device);
	if (machine->problems || !device.usable) {
		found(finding, NOTE, "not tried");
		return;
	}
	fd = device_open();
	if (fd < 0) {
		found(finding, PROBLEM, "%s cannot be used", KVMLITE_DEVICE);
		return;
	}
	err = device_try(fd);
	close(fd);
	if (err)
		device_explain(-err, text, sizeof(text));
	found(finding, err ? PROBLEM : OK, "%s", err ? text : "made one");
}

/* ---- all of them ---- */

static const struct {
	const char *name;
	void (*run)(const struct machine *machine, struct finding *finding);
} checks[] = {
	{ "CPU", check_cpu },
	{ "Virtualization", check_extension },
	{ "Nested paging", check_paging },
	{ "Guest modes", check_guest },
	{ "Kernel", check_kernel },
	{ "Module signing", check_lockdown },
	{ "Secure Boot", check_secure_boot },
	{ "kvmlite", check_kvmlite },
	{ "ksmdev", check_ksmdev },
	{ "Availability", check_holder },
	{ "Device", check_device },
	{ "VM", check_vm },
};

static void add_json(struct json_object *list, const char *name,
		     const struct finding *finding)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "check", json_object_new_string(name));
	json_object_object_add(object, "state",
			       json_object_new_string(state_names[finding->state]));
	json_object_object_add(object, "text",
			       json_object_new_string(finding->text));
	json_object_array_add(list, object);
}

static void run_checks(struct machine *machine, struct json_object *list)
{
	struct finding finding;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		checks[i].run(machine, &finding);
		machine->problems += finding.state == PROBLEM;
		add_json(list, checks[i].name, &finding);
		if (!json_wanted)
			printf("%-8s %-15s %s\n", state_names[finding.state],
			       checks[i].name, finding.text);
	}
}

static void print_json(struct json_object *list, int problems)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "can_run",
			       json_object_new_boolean(!problems));
	json_object_object_add(object, "problems",
			       json_object_new_int(problems));
	json_object_object_add(object, "checks", list);
	json_print(object, false);
}

static const struct argp argp = {
	.doc = "Say whether kvmlite can run here, and if not, what to do. Ends with status 0 if it can.",
	.children = json_child,
};

int cmd_check(int argc, char **argv)
{
	struct json_object *list = json_object_new_array();
	struct machine machine = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	cpu_read(&machine.cpu);
	machine.library = module_library();
	run_checks(&machine, list);
	kmod_unref(machine.library);
	if (json_wanted) {
		print_json(list, machine.problems);
		return machine.problems ? STATUS_FAILURE : 0;
	}
	json_object_put(list);
	if (machine.problems)
		return report_failure("kvmlite cannot run here: %d problem%s",
				      machine.problems,
				      machine.problems == 1 ? "" : "s");
	puts("kvmlite can run here.");
	return 0;
}
