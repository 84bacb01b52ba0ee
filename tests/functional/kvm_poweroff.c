// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that run while the machine goes down: they are left running here, and
 * the host is powered off without ending them.  What there is to see the lab
 * sees on the host's console.
 */
#define _GNU_SOURCE
#include "kvm_guest.h"

#define GUESTS	2
#define ENOUGH	100	/* exits: it is running */

GUEST(out, GUEST_OUT)

/* Whatever KVM_RUN says; a reboot takes the hardware away. */
__attribute__((noreturn))
static void run_for_ever(u64 *exits)
{
	struct machine m = machine_make();

	guest_start(&m, guest_out, 0, 0, 0);
	for (;;)
		if (!vcpu_run(&m))
			WRITE_ONCE(*exits, *exits + 1);
}

static void start_guest(u64 *exits)
{
	pid_t child = MUST(fork());

	if (child)
		return;
	MUST(setsid());
	close(STDOUT_FILENO);
	run_for_ever(exits);
}

int main(void)
{
	u64 *exits = (void *)MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	unsigned int i;

	for (i = 0; i < GUESTS; i++)
		start_guest(&exits[i]);
	for (i = 0; i < GUESTS; i++)
		while (READ_ONCE(exits[i]) < ENOUGH)
			if (waitpid(-1, NULL, WNOHANG) > 0)
				tap_fail("a guest ended");
	printf("ok 1 - guests run when the machine is powered off\n1..1\n");
	return 0;
}
