/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One lock for all that the library knows.
 *
 * Signals stay blocked while it is held: a handler may call madvise() or
 * munmap() too, and must not find the lock held by the thread it interrupts.
 * Cancellation is disabled, for a thread that ends here would leave the lock
 * held for ever.  For the same reason nothing may fault meanwhile: the
 * program's memory is not touched (another thread may free it), and system
 * calls are made without functions of libc that the program or another
 * preloaded library may replace, and that may allocate memory.
 * fork() takes the lock in its prepare handler and releases it in parent and
 * child, so that the child finds everything in order.
 */
#ifndef KSMRUN_LOCK_H
#define KSMRUN_LOCK_H

void lock_take(void);
void lock_drop(void);

#endif /* KSMRUN_LOCK_H */
