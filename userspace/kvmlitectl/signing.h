/* SPDX-License-Identifier: GPL-2.0 */
/* Does the kernel load modules that nobody signed? */
#ifndef KVMLITECTL_SIGNING_H
#define KVMLITECTL_SIGNING_H

#include <stdbool.h>
#include <stddef.h>

/* "none", "integrity" or "confidentiality"; "unknown" if nobody says. */
void signing_lockdown(char *text, size_t size);

/* Only signed ones, by lockdown or by module.sig_enforce. */
bool signing_is_needed(void);

/* 1 or 0; -1: the machine was not started by EFI, or nobody says. */
int signing_secure_boot(void);

#endif /* KVMLITECTL_SIGNING_H */
