/* SPDX-License-Identifier: GPL-2.0 */
/* fleet: starts guests from one description and shows their memory shrinking. */
#ifndef FLEET_H
#define FLEET_H

#include <stddef.h>

#include "array.h"
#include "command.h"
#include "report.h"

int cmd_run(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_workloads(int argc, char **argv);

#endif /* FLEET_H */
