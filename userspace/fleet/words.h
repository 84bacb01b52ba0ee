/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Command templates.  A template is split at blanks first, quotes and
 * backslashes keeping words together; then its %{NAME} fields are filled in.  So
 * a value with blanks stays one argument, unless its field stands for words.
 */
#ifndef FLEET_WORDS_H
#define FLEET_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct field - what a %{NAME} stands for
 * @name:	without the braces
 * @value:	the text
 * @words:	the text is split again: it takes the place of a whole word
 */
struct field {
	const char *name;
	const char *value;
	bool words;
};

/**
 * struct words - an argument vector
 * @argv:	NULL behind
 * @argc:	how many
 */
struct words {
	char **argv;
	size_t argc;
};

/*
 * Fills @words from the template; the fields end with a NULL name.  An exit
 * status, after saying what is wrong with the template.
 */
int words_expand(const char *template, const struct field *fields,
		 struct words *words);
void words_free(struct words *words);

#endif /* FLEET_WORDS_H */
