/* SPDX-License-Identifier: GPL-2.0 */
/* What came out of an experiment: summary.json and summary.txt. */
#ifndef FLEET_SUMMARY_H
#define FLEET_SUMMARY_H

#include <stdio.h>

#include <json-c/json.h>

#include "experiment.h"

/* The summary, or NULL if there is not one sample. */
struct json_object *summary_make(const struct experiment *e);

/* Bytes saved in the end. */
long long summary_saved(const struct experiment *e);

/* Adds when 90% of @saved bytes were saved, and what that took of the scanner. */
void summary_add_same(struct json_object *summary, const struct experiment *e, long long saved);

/* The summary as people read it. */
void summary_print(struct json_object *summary, FILE *file);

/* Writes both files; an exit status, after a word. */
int summary_write(struct json_object *summary, const char *folder);

#endif /* FLEET_SUMMARY_H */
