/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One lock for all that the library knows.
 *
 * Signals stay blocked while it is held: a handler may call madvise() or
 * munmap() too, and must not find the lock held by the thread it interrupts.
 * fork() takes the lock in its prepare handler and releases it in parent and
 * child, so that the child finds everything in order.
 */
#ifndef KSMRUN_LOCK_H
#define KSMRUN_LOCK_H

void lock_take(void);
void lock_drop(void);

#endif /* KSMRUN_LOCK_H */
