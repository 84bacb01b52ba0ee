/* SPDX-License-Identifier: GPL-2.0 */
/* Who has the CPUs' virtualization now: one hypervisor at a time can. */
#ifndef KVMLITECTL_HOLDER_H
#define KVMLITECTL_HOLDER_H

#include <stdbool.h>

/**
 * struct holder - who has it
 * @name:	"kvmlite", a module of stock KVM, ...; NULL: nobody
 * @blocks:	kvmlite cannot make a VM
 * @text:	who it is and what to do
 */
struct holder {
	const char *name;
	bool blocks;
	char text[512];
};

void holder_find(struct holder *holder);

#endif /* KVMLITECTL_HOLDER_H */
