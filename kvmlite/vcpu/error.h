/* SPDX-License-Identifier: GPL-2.0 */
/* Ends of KVM_RUN that are nobody's in particular (api.rst, 5). */
#ifndef _KVMLITE_ERROR_H
#define _KVMLITE_ERROR_H

struct kvml_vcpu;

/*
 * Ends KVM_RUN with KVM_EXIT_INTERNAL_ERROR, suberror @suberror and @ndata
 * words of @data; returns 0.
 */
int kvml_internal_error(struct kvml_vcpu *vcpu, u32 suberror,
			unsigned int ndata, const u64 *data);

/* The same with an exit that no handler is for, and the guest's state in the log. */
int kvml_exit_unexpected(struct kvml_vcpu *vcpu, u32 reason);

/* KVM_EXIT_SHUTDOWN; returns 0. */
int kvml_exit_shutdown(struct kvml_vcpu *vcpu);

/* KVM_EXIT_HLT, unless going past HLT, which returned @done, has another end. */
int kvml_exit_hlt(struct kvml_vcpu *vcpu, int done);

/* Returns @ret; if that is -EINTR, with KVM_EXIT_INTR: a signal. */
int kvml_tell_signal(struct kvml_vcpu *vcpu, int ret);

#endif /* _KVMLITE_ERROR_H */
