// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "console.h"
#include "fleet.h"
#include "guest/workload.h"

static void hear_sum(struct vm *vm, const struct description *d)
{
	const struct workload w = {
		.kind = d->workload, .seed = d->seed, .vm = vm->number,
		.pages = description_pages(d),
	};

	vm->expected = workload_sum(&w, vm->writes);
	if (vm->bad_pages)
		vm_break(vm, "its memory is wrong: %llu of %lld pages do not hold what it wrote",
			 vm->bad_pages, description_pages(d));
	else if (vm->sum != vm->expected)
		vm_break(vm, "its memory is wrong: checksum %016llx, expected %016llx",
			 (unsigned long long)vm->sum,
			 (unsigned long long)vm->expected);
	else if (vm->state == VM_STOPPING)
		vm->state = VM_SUMMED;
}

static void hear_ready(struct vm *vm, const struct description *d,
		       unsigned long long pages)
{
	if (pages != (unsigned long long)description_pages(d))
		vm_break(vm, "it filled %llu pages, not %lld: is its initrd of another version?",
			 pages, description_pages(d));
	else if (vm->state == VM_BOOTING)
		vm->state = VM_READY;
}

static void hear_alive(struct vm *vm)
{
	vm->pinged = false;
	vm->alive.last = vm->writes;
	vm->alive.last_time = vm->heard;
	if (vm->alive.first_time < 0) {
		vm->alive.first = vm->writes;
		vm->alive.first_time = vm->heard;
	}
}

static void hear(struct vm *vm, const struct description *d, const char *message)
{
	unsigned long long pages, sum;

	if (!strncmp(message, "error ", 6)) {
		vm_break(vm, "it says: %s", message + 6);
	} else if (sscanf(message, "ready pages=%llu", &pages) == 1) {
		hear_ready(vm, d, pages);
	} else if (sscanf(message, "sum writes=%llu bad=%llu sum=%llx", &vm->writes,
			  &vm->bad_pages, &sum) == 3) {
		vm->sum = sum;
		hear_sum(vm, d);
	} else if (sscanf(message, "alive writes=%llu", &vm->writes) == 1) {
		hear_alive(vm);
	}
}

/* What comes behind a panic says nothing of its reason. */
static void keep_line(struct vm *vm)
{
	if (*vm->line && !strstr(vm->last_line, "Kernel panic"))
		memcpy(vm->last_line, vm->line, sizeof(vm->line));
}

static void end_line(struct vm *vm, const struct description *d)
{
	const char *message;

	vm->line[vm->length] = '\0';
	vm->line[strcspn(vm->line, "\r")] = '\0';
	vm->length = 0;
	/* The guest's kernel may have begun the line: it writes to the same port. */
	message = strstr(vm->line, "FLEET ");
	if (message)
		hear(vm, d, message + 6);
	else
		keep_line(vm);
}

int console_read(struct vm *vm, const struct description *d, double now)
{
	char data[4096];
	ssize_t length, i;

	length = read(vm->output, data, sizeof(data));
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (length <= 0) {
		close(vm->output);
		vm->output = -1;
		return 0;
	}
	vm->heard = now;
	/* A write that is cut short has no errno of its own. */
	errno = ENOSPC;
	if (write(vm->log, data, length) != length)
		return report_failure("cannot write %s: %s", vm->log_path,
				      strerror(errno));
	for (i = 0; i < length; i++)
		if (data[i] == '\n')
			end_line(vm, d);
		else if (vm->length < sizeof(vm->line) - 1)
			vm->line[vm->length++] = data[i];
	return 0;
}

/* More than a pipe holds, in case that somebody still writes to it. */
int console_drain(struct vm *vm, const struct description *d, double now)
{
	int status = 0, i;

	for (i = 0; !status && vm->output >= 0 && i < 32; i++)
		status = console_read(vm, d, now);
	return status;
}

void console_say(struct vm *vm, const char *text)
{
	char line[32];
	int length = snprintf(line, sizeof(line), "%s\n", text);

	if (vm->input >= 0 && write(vm->input, line, length) != length) {
		close(vm->input);
		vm->input = -1;
	}
}
