/* SPDX-License-Identifier: GPL-2.0 */
/*
 * samples.csv: for each sample a line with vm = "all", and one for each guest.
 * A field is empty where nobody knows the number.
 */
#ifndef FLEET_CSV_H
#define FLEET_CSV_H

#include "result.h"
#include "sample.h"

#define CSV_NAME	"samples.csv"

void csv_header(FILE *file);
void csv_write(FILE *file, const struct sample *s, int vms);

#endif /* FLEET_CSV_H */
