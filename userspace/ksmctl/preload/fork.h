/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fork(): handed-over memory is a shared mapping, which a child does not
 * inherit; the program means private memory, of which the child has a copy.
 *
 * So before the fork the parent copies the memory into other files of its area,
 * whose mappings the child does inherit.  Afterwards the parent unmaps the
 * copy, and the child moves it to where the program expects it.  Nobody waits
 * for anybody, the kernel's permission to look into another process is not
 * needed, and a child that dies at once does no harm.  The scanner merges the
 * copy with the original.
 *
 * What fork() itself does differently:
 *   - It copies at one moment; here, other threads of the parent that write to
 *     handed-over memory during fork() can be copied half way.
 *   - It copies lazily; here the time grows with the memory.  Programs that
 *     fork only to exec should use vfork() or posix_spawn(), which need
 *     nothing of this, or madvise(MADV_DONTFORK).
 *   - The child has the memory when its first handler of pthread_atfork()
 *     runs, but not before, nor after a raw clone() or _Fork().
 */
#ifndef KSMRUN_FORK_H
#define KSMRUN_FORK_H

void fork_init(void);

#endif /* KSMRUN_FORK_H */
