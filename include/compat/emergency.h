/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's one callback that switches virtualization off in a crash: see compat.h. */
#ifndef _COMPAT_EMERGENCY_H
#define _COMPAT_EMERGENCY_H

#include <linux/version.h>
#include <asm/reboot.h>

#if KERNEL_VERSION(6, 19, 0) > LINUX_VERSION_CODE && \
	(IS_ENABLED(CONFIG_KVM_INTEL) || IS_ENABLED(CONFIG_KVM_AMD))
#define compat_emergency_register(fn)	cpu_emergency_register_virt_callback(fn)
#define compat_emergency_unregister(fn)	cpu_emergency_unregister_virt_callback(fn)
#else
#define compat_emergency_register(fn)	((void)(fn))
#define compat_emergency_unregister(fn)	((void)(fn))
#endif

#endif /* _COMPAT_EMERGENCY_H */
