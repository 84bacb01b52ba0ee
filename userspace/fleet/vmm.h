/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMM of a guest: a process group of its own, so that Ctrl-C reaches us and
 * not it, which dies when we do.
 */
#ifndef FLEET_VMM_H
#define FLEET_VMM_H

#include "vm.h"

/*
 * Whole paths of the guests' kernel and initramfs, also where the description
 * leaves them open, take their places in it.  An exit status, after a word.
 */
int vmm_resolve(struct description *d);

/* Looks for what all VMMs of the resolved description need; an exit status. */
int vmm_check(const struct description *d);

/* Starts the VMM of @vm; an exit status. */
int vmm_start(struct vm *vm, const struct description *d, double now);

/* It is gone, but not reaped; its last words may still be there to be read. */
bool vmm_has_ended(const struct vm *vm);

/* Takes note of its end, and ends whom it has started. */
void vmm_reap(struct vm *vm);

/* Holds it, if it runs, until vmm_continue(). */
void vmm_hold(struct vm *vm);
void vmm_continue(struct vm *vm);

/* Kills it and waits. */
void vmm_kill(struct vm *vm);

/* The first line that the VMM of this description prints about its version. */
void vmm_version(const struct description *d, char *text, size_t size);

#endif /* FLEET_VMM_H */
