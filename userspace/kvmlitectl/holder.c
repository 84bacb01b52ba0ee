// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "holder.h"
#include "kvmlitectl.h"
#include "module.h"
#include "sysfs.h"
#include "users.h"
#include "vm.h"

/* Of /dev/kvm, wherever its node is. */
#define MISC_MAJOR	10
#define KVM_MINOR	232

/* -1: we may not look. */
static int count_vms(const char *folder)
{
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	dir = opendir(folder);
	if (!dir)
		return -1;
	/* Both hypervisors name a VM's folder PID-NUMBER. */
	while ((entry = readdir(dir)))
		count += isdigit(entry->d_name[0]) &&
			 strchr(entry->d_name, '-');
	closedir(dir);
	return count;
}

/* Since 6.12 KVM takes the CPUs when it is loaded, unless told otherwise. */
static bool kvm_takes_at_load(void)
{
	char value[8];

	return !sysfs_read_string("/sys/module/kvm/parameters",
				  "enable_virt_at_load", value, sizeof(value)) &&
	       *value == 'Y';
}

static const char *kvm_module(void)
{
	if (module_users("kvm_intel") >= 0)
		return "kvm_intel";
	return module_users("kvm_amd") >= 0 ? "kvm_amd" : NULL;
}

static void find_kvm(struct holder *holder, const char *name)
{
	int vms = count_vms(DEBUGFS "/kvm");
	bool used = vms > 0 || (vms < 0 && module_users(name) > 0);
	char users[256];

	users_of_device(makedev(MISC_MAJOR, KVM_MINOR), users, sizeof(users));
	holder->name = name;
	holder->blocks = used || kvm_takes_at_load();
	if (!holder->blocks)
		snprintf(holder->text, sizeof(holder->text),
			 "free; %s is loaded and takes it with its first VM",
			 name);
	else if (used)
		snprintf(holder->text, sizeof(holder->text),
			 "held by VMs of stock KVM: end them%s%s%s, then modprobe -r %s",
			 *users ? " (" : "", users, *users ? ")" : "", name);
	else
		snprintf(holder->text, sizeof(holder->text),
			 "held by %s as long as it is loaded: modprobe -r %s, or load kvm with enable_virt_at_load=0",
			 name, name);
}

/* They take the CPUs while a VM of theirs runs, and nobody can see that. */
static const char *other_module(void)
{
	static const char * const others[] = { "vboxdrv", "vmmon" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (module_users(others[i]) >= 0)
			return others[i];
	return NULL;
}

static void find_kvmlite(struct holder *holder, int vms)
{
	char users[256];

	users_of_node(KVMLITE_DEVICE, users, sizeof(users));
	holder->name = "kvmlite";
	if (vms > 0)
		snprintf(holder->text, sizeof(holder->text),
			 "held by %d VM%s of kvmlite", vms,
			 vms == 1 ? "" : "s");
	else
		snprintf(holder->text, sizeof(holder->text),
			 "kvmlite is in use%s%s", *users ? " by " : "", users);
}

void holder_find(struct holder *holder)
{
	int ours = count_vms(VM_FOLDER);
	const char *kvm = kvm_module(), *other = other_module();

	memset(holder, 0, sizeof(*holder));
	if (ours > 0 || (ours < 0 && module_users("kvmlite") > 0)) {
		find_kvmlite(holder, ours);
	} else if (kvm) {
		find_kvm(holder, kvm);
	} else if (other) {
		holder->name = other;
		snprintf(holder->text, sizeof(holder->text),
			 "%s is loaded and takes it while a VM of it runs",
			 other);
	} else {
		snprintf(holder->text, sizeof(holder->text), "free");
	}
}
