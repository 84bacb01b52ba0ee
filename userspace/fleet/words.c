// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "words.h"

static void words_add(struct words *words, char *word)
{
	words->argv = realloc(words->argv, (words->argc + 2) * sizeof(*words->argv));
	words->argv[words->argc++] = word;
	words->argv[words->argc] = NULL;
}

/* The next word of *text, without its quotes, or NULL; *text moves behind it. */
static char *next_word(const char **text, bool *closed)
{
	const char *from = *text + strspn(*text, " \t\n");
	char *word = malloc(strlen(from) + 1), *to = word;
	char quote = '\0';

	*closed = true;
	if (!*from) {
		free(word);
		return NULL;
	}
	for (; *from && (quote || !strchr(" \t\n", *from)); from++) {
		if (*from == quote)
			quote = '\0';
		else if (!quote && (*from == '\'' || *from == '"'))
			quote = *from;
		else if (*from == '\\' && quote != '\'' && from[1])
			*to++ = *++from;
		else
			*to++ = *from;
	}
	*to = '\0';
	*text = from;
	*closed = !quote;
	return word;
}

static const struct field *find_field(const struct field *fields, const char *name,
				      size_t length)
{
	for (; fields->name; fields++)
		if (strlen(fields->name) == length && !strncmp(fields->name, name, length))
			return fields;
	return NULL;
}

static int report_field(const struct field *fields, const char *word)
{
	char known[256] = "";

	for (; fields->name; fields++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known),
			 " %%{%s}", fields->name);
	return report_usage("vmm: '%s' has a field that does not exist; there are:%s",
			    word, known);
}

/* The word with its fields filled in, or NULL if there is no such field. */
static char *fill_in(const char *word, const struct field *fields)
{
	const struct field *field;
	char *out = NULL;
	const char *end;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	for (; *word; word++) {
		if (strncmp(word, "%{", 2)) {
			fputc(*word, file);
			continue;
		}
		end = strchr(word, '}');
		field = end ? find_field(fields, word + 2, end - word - 2) : NULL;
		if (!field) {
			fclose(file);
			free(out);
			return NULL;
		}
		fputs(field->value, file);
		word = end;
	}
	fclose(file);
	return out;
}

/* The field that is the whole word and stands for several. */
static const struct field *words_field(const char *word, const struct field *fields)
{
	size_t length = strlen(word);
	const struct field *field;

	if (length < 4 || strncmp(word, "%{", 2) || word[length - 1] != '}')
		return NULL;
	field = find_field(fields, word + 2, length - 3);
	return field && field->words ? field : NULL;
}

static int expand(const char *template, const struct field *fields, struct words *words)
{
	const struct field *field;
	char *word, *filled;
	int status = 0;
	bool closed;

	while (!status && (word = next_word(&template, &closed))) {
		field = words_field(word, fields);
		if (!closed) {
			status = report_usage("vmm: a quote is not closed");
		} else if (field) {
			status = expand(field->value, fields, words);
		} else {
			filled = fill_in(word, fields);
			if (filled)
				words_add(words, filled);
			else
				status = report_field(fields, word);
		}
		free(word);
	}
	return status;
}

int words_expand(const char *template, const struct field *fields, struct words *words)
{
	int status;

	words->argv = NULL;
	words->argc = 0;
	status = expand(template, fields, words);
	if (!status && !words->argc)
		status = report_usage("vmm: the command is empty");
	if (status)
		words_free(words);
	return status;
}

void words_free(struct words *words)
{
	size_t i;

	for (i = 0; i < words->argc; i++)
		free(words->argv[i]);
	free(words->argv);
	words->argv = NULL;
	words->argc = 0;
}
