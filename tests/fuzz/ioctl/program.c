// SPDX-License-Identifier: GPL-2.0
/* Programs and their text: see program.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "program.h"

struct call call_default(const struct call_type *type)
{
	struct call call = { .type = type };
	unsigned int i;

	for (i = 0; i < CALL_ARGS; i++)
		call.arg[i] = type->arg[i].min;
	return call;
}

bool program_has(const struct program *program, const char *name)
{
	unsigned int i;

	for (i = 0; i < program->count; i++)
		if (!strcmp(program->call[i].type->name, name))
			return true;
	return false;
}

/* ---- to text ---- */

static void print_number(FILE *out, const char *name, u64 value)
{
	fprintf(out, value < 10 ? " %s=%llu" : " %s=%#llx", name,
		(unsigned long long)value);
}

static void print_call(FILE *out, const struct call *call)
{
	struct call plain = call_default(call->type);
	unsigned int i;

	fprintf(out, "%s%s", call->aside ? "& " : "", call->type->name);
	for (i = 0; i < CALL_ARGS; i++)
		if (call->arg[i] != plain.arg[i])
			print_number(out, call->type->arg[i].name, call->arg[i]);
	if (call->nbytes)
		fprintf(out, " bytes=");
	for (i = 0; i < call->nbytes; i++)
		fprintf(out, "%02x", call->bytes[i]);
	fprintf(out, "\n");
}

size_t program_print(const struct program *program, char *text)
{
	FILE *out = fmemopen(text, PROGRAM_TEXT, "w");
	unsigned int i;
	size_t len;

	if (!out)
		return 0;
	for (i = 0; i < program->count; i++)
		print_call(out, &program->call[i]);
	fflush(out);
	len = ftell(out);
	fclose(out);
	return len;
}

/* ---- from text ---- */

static bool parse_bytes(struct call *call, const char *hex)
{
	char digits[3] = "";
	char *end;

	for (call->nbytes = 0; hex[0]; hex += 2) {
		if (!hex[1] || call->nbytes == CALL_BYTES)
			return false;
		memcpy(digits, hex, 2);
		call->bytes[call->nbytes++] = strtoul(digits, &end, 16);
		if (*end)
			return false;
	}
	return true;
}

static bool parse_arg(struct call *call, char *word)
{
	char *value = strchr(word, '=');
	unsigned int i;
	char *end;

	if (!value)
		return false;
	*value++ = '\0';
	if (call->type->bytes && !strcmp(word, "bytes"))
		return parse_bytes(call, value);
	for (i = 0; i < CALL_ARGS && call->type->arg[i].name; i++) {
		if (strcmp(call->type->arg[i].name, word))
			continue;
		call->arg[i] = strtoull(value, &end, 0);
		return *value && !*end;
	}
	return false;
}

/* Leaves @call without a type if the line has none. */
static const char *parse_line(struct call *call, char *line)
{
	const struct call_type *type;
	bool aside = false;
	char *word, *rest;

	line[strcspn(line, "#\r")] = '\0';
	call->type = NULL;
	word = strtok_r(line, " \t", &rest);
	if (word && !strcmp(word, "&")) {
		aside = true;
		word = strtok_r(NULL, " \t", &rest);
	}
	if (!word)
		return aside ? "& without a call" : NULL;
	type = call_find(word);
	if (!type)
		return "no such call";
	*call = call_default(type);
	call->aside = aside;
	while ((word = strtok_r(NULL, " \t", &rest)))
		if (!parse_arg(call, word))
			return "no such argument, or not a number";
	return NULL;
}

const char *program_parse(struct program *program, char *text)
{
	const char *error;
	struct call call;
	char *line, *next;

	program->count = 0;
	for (line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		error = parse_line(&call, line);
		if (error)
			return error;
		if (!call.type)
			continue;
		if (program->count == PROGRAM_CALLS)
			return "too many calls";
		program->call[program->count++] = call;
	}
	return program->count ? NULL : "no call";
}

/* ---- files ---- */

const char *program_read(struct program *program, const char *path)
{
	char text[PROGRAM_TEXT];
	FILE *in = fopen(path, "re");
	size_t len;

	if (!in)
		return strerror(errno);
	len = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[len] = '\0';
	return program_parse(program, text);
}

int program_write(const struct program *program, const char *path)
{
	char text[PROGRAM_TEXT];
	size_t len = program_print(program, text);
	FILE *out = fopen(path, "we");

	if (!out)
		return -1;
	fwrite(text, 1, len, out);
	return fclose(out);
}
