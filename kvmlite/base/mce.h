/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine check that came while the guest ran.  Its exit has taken the exception,
 * and the host handles it as if it had come in userspace: the kernel then goes on
 * and sends SIGBUS to the VMM where that is enough, instead of a panic.
 */
#ifndef _KVMLITE_MCE_H
#define _KVMLITE_MCE_H

/* Interrupts off, on the CPU of the exit, before anything sleeps. */
void kvml_machine_check(void);

#endif /* _KVMLITE_MCE_H */
