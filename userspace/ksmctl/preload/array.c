// SPDX-License-Identifier: GPL-2.0
#include "array.h"
#include "sys.h"

int array_reserve(struct array *array, size_t count, size_t size)
{
	size_t bytes = array->bytes ? array->bytes : PAGE;
	long addr;

	if (count * size <= array->bytes)
		return 0;
	while (bytes < count * size)
		bytes *= 2;
	if (array->bytes)
		addr = sys_mremap((uintptr_t)array->entries, array->bytes,
				  bytes, MREMAP_MAYMOVE, 0);
	else
		addr = sys_mmap(0, bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(addr))
		return -ENOMEM;
	array->entries = (void *)addr;
	array->bytes = bytes;
	return 0;
}

void array_free(struct array *array)
{
	if (array->bytes)
		sys_munmap((uintptr_t)array->entries, array->bytes);
	array->entries = NULL;
	array->bytes = 0;
}
