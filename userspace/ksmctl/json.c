// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "ksmctl.h"

void json_print(struct json_object *object, bool one_line)
{
	int flags = JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;

	if (!one_line)
		flags |= JSON_C_TO_STRING_PRETTY;
	puts(json_object_to_json_string_ext(object, flags));
	json_object_put(object);
}
