/* SPDX-License-Identifier: GPL-2.0 */
/* ksmctl: watch and control /dev/ksm. */
#ifndef KSMCTL_H
#define KSMCTL_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

#include "report.h"

/* Other folders can be given to the compiler to try the tool without module. */
#ifndef KSM_SYSFS
#define KSM_SYSFS	"/sys/class/misc/ksm"
#endif
#ifndef KERNEL_KSM_SYSFS
#define KERNEL_KSM_SYSFS "/sys/kernel/mm/ksm"
#endif
#ifndef DEBUGFS
#define DEBUGFS		"/sys/kernel/debug"
#endif
#define KSM_DEVICE	"/dev/ksm"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * struct command - a sub-command
 * @name:	as typed
 * @run:	main() of it: argv[0] is "ksmctl NAME"; returns the exit status
 */
struct command {
	const char *name;
	int (*run)(int argc, char **argv);
};

/* --json may stand before and behind the sub-command. */
extern bool json_wanted;
extern const struct argp_child json_child[];

int cmd_status(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_areas(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_scan(int argc, char **argv);
int cmd_run(int argc, char **argv);

/* Prints the object, on one line or several, and frees it. */
void json_print(struct json_object *object, bool one_line);

/*
 * Opens /dev/ksm and checks that the module speaks our version; a descriptor,
 * or -1 after saying why not.
 */
int device_open(void);

#endif /* KSMCTL_H */
