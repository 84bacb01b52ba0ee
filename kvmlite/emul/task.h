/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Task switches, which a CPU in a guest does not do by itself: JMP and CALL to a TSS or
 * a task gate, IRET with RFLAGS.NT, and events by a task gate in the IDT (SDM volume 3,
 * chapter 8).  There are none in 64-bit mode.
 */
#ifndef _KVMLITE_TASK_H
#define _KVMLITE_TASK_H

#include <linux/types.h>

struct kvml_vcpu;

/* As VT-x numbers them. */
enum kvml_task_why {
	KVML_TASK_CALL, KVML_TASK_IRET, KVML_TASK_JMP, KVML_TASK_GATE
};

/**
 * struct kvml_task - what an exit tells of it
 * @why:	KVML_TASK_GATE: an event
 * @selector:	of the new TSS
 * @soft:	vector of INT; -1: it is none
 * @insn:	an instruction asked for it: the old task goes on behind that
 * @has_error:	the event has an error code, for the new task's stack
 * @error:	that one
 */
struct kvml_task {
	enum kvml_task_why why;
	u16 selector;
	int soft;
	bool insn;
	bool has_error;
	u32 error;
};

/*
 * RIP is at the instruction; an event that was being delivered is injected again, if
 * nothing is done.  As ops->handle_exit.
 */
int kvml_task_switch(struct kvml_vcpu *vcpu, const struct kvml_task *task);

#endif /* _KVMLITE_TASK_H */
