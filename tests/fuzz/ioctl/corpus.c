// SPDX-License-Identifier: GPL-2.0
/* The corpus: see corpus.h. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "corpus.h"
#include "random.h"

struct program *corpus;
unsigned int corpus_count;

void corpus_add(const struct program *program)
{
	if (!(corpus_count & (corpus_count - 1))) {
		corpus = reallocarray(corpus, 2 * corpus_count + 1, sizeof(*corpus));
		if (!corpus)
			abort();
	}
	corpus[corpus_count++] = *program;
}

static bool load_file(const char *path)
{
	struct program program;
	const char *error = program_read(&program, path);

	if (error) {
		printf("# %s: %s\n", path, error);
		return false;
	}
	corpus_add(&program);
	return true;
}

bool corpus_load(const char *path)
{
	struct dirent **names;
	char file[4096];
	bool ok = true;
	struct stat st;
	int i, n;

	if (stat(path, &st)) {
		printf("# %s: %s\n", path, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode))
		return load_file(path);
	n = scandir(path, &names, NULL, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			ok &= load_file(file);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return ok;
}

const char *corpus_save(const struct program *program, const char *folder)
{
	static char path[4096];
	char text[PROGRAM_TEXT];
	size_t i, len = program_print(program, text);
	u64 hash = 0xcbf29ce484222325ULL;

	for (i = 0; i < len; i++)
		hash = (hash ^ (u8)text[i]) * 0x100000001b3ULL;
	snprintf(path, sizeof(path), "%s/%016llx", folder, (unsigned long long)hash);
	return program_write(program, path) ? NULL : path;
}

const struct program *corpus_pick(void)
{
	unsigned int recent = corpus_count / 8 + 1;

	if (one_in(2))
		return &corpus[corpus_count - 1 - random_below(recent)];
	return &corpus[random_below(corpus_count)];
}
