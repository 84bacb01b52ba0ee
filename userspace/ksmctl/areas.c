// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "areas.h"
#include "ksmctl.h"

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static struct json_object *field_to_json(const char *field)
{
	if (is_number(field))
		return json_object_new_int64(strtoll(field, NULL, 10));
	return json_object_new_string(field);
}

static void add_json_line(struct json_object *list,
			  const struct area_line *names,
			  const struct area_line *line)
{
	struct json_object *area = json_object_new_object(), *value;
	int i;

	for (i = 0; i < line->count; i++) {
		/* A command may look like a number. */
		value = i + 1 == names->count ?
			json_object_new_string(line->field[i]) :
			field_to_json(line->field[i]);
		json_object_object_add(area, names->field[i], value);
	}
	json_object_array_add(list, area);
}

static void print_text_line(const struct area_line *line, int columns)
{
	int i;

	for (i = 0; i < line->count; i++)
		if (i + 1 == columns)
			printf(" %s", line->field[i]);
		else
			printf("%*s", i < 4 ? 7 : 11, line->field[i]);
	putchar('\n');
}

static int print_areas(FILE *file)
{
	struct area_line names, line;
	char header[512], text[512];
	struct json_object *list;

	if (!fgets(header, sizeof(header), file))
		return report_failure("%s is empty", AREAS_FILE);
	list = json_object_new_array();
	areas_split(header, AREA_COLUMNS, &names);
	if (!json_wanted)
		print_text_line(&names, names.count);
	while (fgets(text, sizeof(text), file)) {
		areas_split(text, names.count, &line);
		if (json_wanted)
			add_json_line(list, &names, &line);
		else
			print_text_line(&line, names.count);
	}
	if (json_wanted)
		json_print(list, false);
	else
		json_object_put(list);
	return 0;
}

static const struct argp argp = {
	.doc = "The files whose pages may merge, a line each; sizes are in pages.",
	.children = json_child,
};

int cmd_areas(int argc, char **argv)
{
	int status;
	FILE *file;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	file = areas_open();
	if (!file)
		return areas_report_open_error(errno);
	status = print_areas(file);
	fclose(file);
	return status;
}
