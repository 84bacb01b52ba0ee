/* SPDX-License-Identifier: GPL-2.0 */
/* ksmctl: watch and control /dev/ksm. */
#ifndef KSMCTL_H
#define KSMCTL_H

#include <stddef.h>

#include "array.h"
#include "command.h"
#include "report.h"

/* Other folders can be given to the compiler to try the tool without module. */
#ifndef KERNEL_KSM_SYSFS
#define KERNEL_KSM_SYSFS "/sys/kernel/mm/ksm"
#endif
#define KSM_DEVICE	"/dev/ksm"

int cmd_status(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_areas(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_scan(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_metrics(int argc, char **argv);

/*
 * Opens /dev/ksm and checks that the module speaks our version; a descriptor,
 * or -1 after saying why not.
 */
int device_open(void);

/*
 * The same with the file @path of a ksmfs, or with a file without a name in the directory
 * @path there.
 */
int path_open(const char *path);

#endif /* KSMCTL_H */
