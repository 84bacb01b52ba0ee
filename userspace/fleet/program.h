/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that are found as a shell finds them. */
#ifndef FLEET_PROGRAM_H
#define FLEET_PROGRAM_H

#include <stdbool.h>

bool program_exists(const char *name);

#endif /* FLEET_PROGRAM_H */
