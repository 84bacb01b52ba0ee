/* SPDX-License-Identifier: GPL-2.0 */
/* Our two modules, by way of libkmod. */
#ifndef KVMLITECTL_MODULE_H
#define KVMLITECTL_MODULE_H

#include <stdbool.h>

#include <libkmod.h>

/**
 * struct module - one of ours
 * @name:	of it
 * @node:	of its device
 */
struct module {
	const char *name;
	const char *node;
};

enum module_id {
	KVMLITE,
	KSMDEV,
	NR_MODULES
};

extern const struct module modules[NR_MODULES];

/* The one of the name of this length, or NULL. */
const struct module *module_by_name(const char *name, size_t length);

bool module_is_loaded(const char *name);

/* How many hold it: open descriptors and VMs; -1 if it is not loaded. */
int module_users(const char *name);

/* libkmod, or NULL after saying why not; kmod_unref() ends it. */
struct kmod_ctx *module_library(void);

/* The file of this kernel, or NULL; kmod_module_unref() ends it. */
struct kmod_module *module_find(struct kmod_ctx *library, const char *name);

/*
 * An item of the file's information, for parameters ("parm") the one that
 * starts with @start; false: there is none.
 */
bool module_info(struct kmod_module *file, const char *key, const char *start,
		 char *text, size_t size);

#endif /* KVMLITECTL_MODULE_H */
