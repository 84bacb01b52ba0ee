/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arrays that grow in memory of their own: the library runs inside the
 * program's malloc() and free() and must not call them.
 */
#ifndef KSMRUN_ARRAY_H
#define KSMRUN_ARRAY_H

#include <stddef.h>

struct array {
	void *entries;
	size_t bytes;		/* of the memory behind @entries */
};

/* Makes room for @count entries of @size bytes; 0 or -ENOMEM. */
int array_reserve(struct array *array, size_t count, size_t size);

void array_free(struct array *array);

#endif /* KSMRUN_ARRAY_H */
