// SPDX-License-Identifier: GPL-2.0
/* See mce.h. */
#include <asm/mce.h>

#include "base/mce.h"

#ifdef CONFIG_X86_MCE
/* The address of the instruction is the guest's: it is not told. */
void kvml_machine_check(void)
{
	struct pt_regs regs = {
		.cs = __USER_CS,
		.ss = __USER_DS,
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
}
#else
/* Such a kernel leaves CR4.MCE clear, in guests too: the machine shuts down. */
void kvml_machine_check(void)
{
}
#endif
