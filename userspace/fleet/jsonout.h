/* SPDX-License-Identifier: GPL-2.0 */
/* JSON objects: printed, and their members read. */
#ifndef FLEET_JSONOUT_H
#define FLEET_JSONOUT_H

#include <stdio.h>

#include <json-c/json.h>

static inline void json_write(struct json_object *object, FILE *file)
{
	const int flags = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			  JSON_C_TO_STRING_NOSLASHESCAPE;

	fprintf(file, "%s\n", json_object_to_json_string_ext(object, flags));
}

/* 0 for a member that is null or not there. */
static inline int64_t json_int(struct json_object *object, const char *name)
{
	return json_object_get_int64(json_object_object_get(object, name));
}

static inline const char *json_text(struct json_object *object, const char *name)
{
	return json_object_get_string(json_object_object_get(object, name));
}

#endif /* FLEET_JSONOUT_H */
