/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What people see while a fleet runs: on a terminal a table that is drawn over,
 * elsewhere a line now and then, with --json nothing.
 */
#ifndef FLEET_TABLE_H
#define FLEET_TABLE_H

#include "experiment.h"

void table_enter(const struct experiment *e);
void table_show(const struct experiment *e);
void table_leave(void);

#endif /* FLEET_TABLE_H */
