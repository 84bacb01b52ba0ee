// SPDX-License-Identifier: GPL-2.0
/*
 * Is it JSON, and does it have what we look for?  For shells that cannot tell.
 *
 *   json_check KEY[=VALUE]... <FILE
 *
 * Reads one value or several, one behind the other.  KEY is a member of the
 * last one (of its first element if that is an array); a dot leads into an
 * object.  "KEY" alone must be there, "KEY=VALUE" must print as VALUE.
 * Prints the number of values; status 1 if something is missing.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

/* A member may be null, for which libjson-c has NULL. */
static bool find(struct json_object *object, char *path,
		 struct json_object **found)
{
	char *part;

	if (json_object_is_type(object, json_type_array))
		object = json_object_array_get_idx(object, 0);
	for (part = strtok(path, "."); part; part = strtok(NULL, "."))
		if (!json_object_object_get_ex(object, part, &object))
			return false;
	*found = object;
	return true;
}

static int check(struct json_object *object, char *wanted)
{
	char *value = strchr(wanted, '=');
	struct json_object *found;
	const char *text;

	if (value)
		*value++ = '\0';
	if (!find(object, wanted, &found)) {
		fprintf(stderr, "# expected a member %s, got none\n", wanted);
		return 1;
	}
	text = found ? json_object_get_string(found) : "null";
	if (!value || !strcmp(text, value))
		return 0;
	fprintf(stderr, "# expected %s=%s, got %s\n", wanted, value, text);
	return 1;
}

/* The last of the values in the text; NULL if one of them is none. */
static struct json_object *parse(const char *text, size_t length, int *count)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *last = NULL;
	size_t at = 0;

	while (at + strspn(text + at, " \t\n") < length) {
		json_object_put(last);
		last = json_tokener_parse_ex(tokener, text + at, length - at);
		if (json_tokener_get_error(tokener) != json_tokener_success) {
			fprintf(stderr, "# no JSON: %s\n", text + at);
			last = NULL;
			break;
		}
		at += json_tokener_get_parse_end(tokener);
		++*count;
	}
	json_tokener_free(tokener);
	return last;
}

int main(int argc, char **argv)
{
	static char text[1 << 20];
	size_t length = fread(text, 1, sizeof(text) - 1, stdin);
	int count = 0, status = 0, i;
	struct json_object *object;

	object = parse(text, length, &count);
	if (!count || (!object && length))
		return 1;
	for (i = 1; i < argc; i++)
		status |= check(object, argv[i]);
	printf("%d\n", count);
	json_object_put(object);
	return status;
}
