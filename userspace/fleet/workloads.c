// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "fleet.h"
#include "guest/workload.h"

static const struct argp argp = {
	.doc = "What guests can do.",
};

int cmd_workloads(int argc, char **argv)
{
	int i;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	for (i = 0; i < NR_WORKLOADS; i++)
		printf("%-8s %s\n", workload_names[i].name, workload_names[i].text);
	return 0;
}
