// SPDX-License-Identifier: GPL-2.0
/* See hardware.h. */
#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/syscore_ops.h>
#include <asm/mce.h>

#include "../../include/compat/emergency.h"

#include "base/hardware.h"
#include "base/ops.h"
#include "base/tsc.h"

static bool kdump;
module_param(kdump, bool, 0444);
MODULE_PARM_DESC(kdump,
		 "while VMs exist, switch virtualization off when the host crashes, so that a crash kernel gets all CPUs; not beside KVM, which has the kernel's only slot for that (default: no)");

/* users, kvml_hardware_gone. Taken after cpus_read_lock(), as hotplug does. */
static DEFINE_MUTEX(lock);
static unsigned int users;
bool kvml_hardware_gone;

/* Written with interrupts off, on that CPU. */
DEFINE_PER_CPU(bool, kvml_hardware_on);

static atomic_t failures;
static int failure;

static int enable_here(void)
{
	int err;

	if (kvml_hardware_here())
		return 0;
	err = kvml_ops->hw_enable();
	if (!err)
		this_cpu_write(kvml_hardware_on, true);
	return err;
}

static void disable_here(void *unused)
{
	if (!kvml_hardware_here())
		return;
	kvml_ops->hw_disable();
	this_cpu_write(kvml_hardware_on, false);
}

static void enable_on_each(void *unused)
{
	int err = enable_here();

	if (err && atomic_inc_return(&failures) == 1)
		WRITE_ONCE(failure, err);
}

/* Must hold lock and the CPUs. */
static int enable_all(void)
{
	int err = 0;

	atomic_set(&failures, 0);
	on_each_cpu(enable_on_each, NULL, 1);
	if (atomic_read(&failures)) {
		err = failure;
		on_each_cpu(disable_here, NULL, 1);
	}
	if (err == -EBUSY)
		pr_err("kvmlite: %s is in use by another hypervisor, probably kvm: end its VMs or unload it (modprobe -r kvm_intel, or kvm_amd)\n",
		       kvml_ops->name);
	else if (err)
		pr_err("kvmlite: %s cannot be switched on (%d)\n",
		       kvml_ops->name, err);
	return err;
}

/* ---- machine checks ---- */

/*
 * The address of the instruction is the guest's: it is not told.  A kernel without
 * CONFIG_X86_MCE leaves CR4.MCE clear, in guests too: the machine shuts down.
 */
void kvml_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = {
		.cs = __USER_CS,
		.ss = __USER_DS,
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}

/* ---- a crash ---- */

/*
 * An NMI on a CPU that stops in it for good, or the CPU that crashes, with
 * interrupts off.  What either has interrupted stays half done.
 */
static void emergency(void)
{
	WRITE_ONCE(kvml_hardware_gone, true);
	kvml_ops->hw_emergency();
}

/* Must hold lock. */
static void expect_crash(bool on)
{
	if (!kdump || !kvml_ops->hw_emergency)
		return;
	if (on)
		compat_emergency_register(emergency);
	else
		compat_emergency_unregister(emergency);
}

/* ---- VMs ---- */

int kvml_hardware_get(void)
{
	int err = 0;

	cpus_read_lock();
	mutex_lock(&lock);
	if (kvml_hardware_gone)
		err = -ESHUTDOWN;
	else if (!users)
		err = enable_all();
	if (!err && !users++)
		expect_crash(true);
	mutex_unlock(&lock);
	cpus_read_unlock();
	return err;
}

void kvml_hardware_put(void)
{
	cpus_read_lock();
	mutex_lock(&lock);
	if (!--users) {
		expect_crash(false);
		on_each_cpu(disable_here, NULL, 1);
	}
	mutex_unlock(&lock);
	cpus_read_unlock();
}

/* ---- CPUs that come and go ---- */

static int hardware_online(unsigned int cpu)
{
	unsigned long flags;
	int err = 0;

	mutex_lock(&lock);
	if (users && !kvml_hardware_gone) {
		local_irq_save(flags);
		err = enable_here();
		local_irq_restore(flags);
	}
	mutex_unlock(&lock);
	if (err)
		pr_err("kvmlite: CPU %u stays offline while VMs exist: %s cannot be switched on (%d)\n",
		       cpu, kvml_ops->name, err);
	return err;
}

static int hardware_offline(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	disable_here(NULL);
	local_irq_restore(flags);
	return 0;
}

/* ---- sleep, reboot ---- */

/* Interrupts off, one CPU left. */
static int hardware_suspend(void *unused)
{
	disable_here(NULL);
	kvml_tsc_suspend();
	return 0;
}

static void hardware_resume(void *unused)
{
	kvml_tsc_resume();
	if (!users || !enable_here())
		return;
	WRITE_ONCE(kvml_hardware_gone, true);
	pr_err("kvmlite: %s cannot be switched on after sleep\n",
	       kvml_ops->name);
}

COMPAT_SYSCORE(hardware_ops, hardware_suspend, hardware_resume);

/* An INIT signal would be blocked in VMX operation: leave it first. */
static int hardware_reboot(struct notifier_block *nb, unsigned long event, void *unused)
{
	mutex_lock(&lock);
	/* Before the first CPU is off. */
	WRITE_ONCE(kvml_hardware_gone, true);
	on_each_cpu(disable_here, NULL, 1);
	mutex_unlock(&lock);
	return NOTIFY_OK;
}

static struct notifier_block reboot_notifier = {
	.notifier_call = hardware_reboot,
};

static int hotplug_state;

int __init kvml_hardware_init(void)
{
	hotplug_state = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN,
						  "kvmlite:online",
						  hardware_online, hardware_offline);
	if (hotplug_state < 0)
		return hotplug_state;
	register_reboot_notifier(&reboot_notifier);
	compat_register_syscore(&hardware_ops);
	return 0;
}

void kvml_hardware_exit(void)
{
	compat_unregister_syscore(&hardware_ops);
	unregister_reboot_notifier(&reboot_notifier);
	cpuhp_remove_state_nocalls(hotplug_state);
}
