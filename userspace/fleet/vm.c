// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>

#include "vm.h"

void vm_break(struct vm *vm, const char *format, ...)
{
	va_list args;

	if (vm->state == VM_BROKEN)
		return;
	vm->state = VM_BROKEN;
	va_start(args, format);
	vsnprintf(vm->problem, sizeof(vm->problem), format, args);
	va_end(args);
}

const char *vm_state_name(const struct vm *vm)
{
	static const char * const names[] = {
		[VM_WAITING] = "waiting", [VM_BOOTING] = "booting",
		[VM_READY] = "ready", [VM_STOPPING] = "verifying",
		[VM_SUMMED] = "ending", [VM_ENDED] = "ended",
		[VM_BROKEN] = "broken",
	};

	return names[vm->state];
}
