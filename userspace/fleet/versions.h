/* SPDX-License-Identifier: GPL-2.0 */
/* What took part in an experiment: versions.json, also within the summary. */
#ifndef FLEET_VERSIONS_H
#define FLEET_VERSIONS_H

#include <json-c/json.h>

#include "description.h"

struct json_object *versions_get(const struct description *d);

/* An exit status, after a word. */
int versions_write(struct json_object *versions, const char *folder);

#endif /* FLEET_VERSIONS_H */
