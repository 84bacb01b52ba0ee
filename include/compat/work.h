/* SPDX-License-Identifier: GPL-2.0 */
/* What is to be done before a guest is entered: see compat.h. */
#ifndef _COMPAT_WORK_H
#define _COMPAT_WORK_H

#ifdef __has_include	/* which sparse has not */
#if __has_include("linux/entry-virt.h")
#define COMPAT_ENTRY_VIRT
#endif
#endif

#ifdef COMPAT_ENTRY_VIRT
#include <linux/entry-virt.h>

#define compat_handle_work()	xfer_to_guest_mode_handle_work()
#else
#include <linux/entry-kvm.h>
#include <linux/kvm_host.h>

/*
 * Before 6.18 xfer_to_guest_mode_handle_work() reports a signal in a vCPU of KVM's.
 * All of ours give it this one; what it writes is not read.
 */
static struct kvm_run compat_signal_run;
static struct kvm_vcpu compat_signal_vcpu = { .run = &compat_signal_run };

#define compat_handle_work()	xfer_to_guest_mode_handle_work(&compat_signal_vcpu)
#endif

#endif /* _COMPAT_WORK_H */
