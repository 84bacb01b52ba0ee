/* SPDX-License-Identifier: GPL-2.0 */
/* Exits, and ends of KVM_RUN, that are nobody's in particular (api.rst, 5). */
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

/* And with an @event whose delivery touched what is not memory: it cannot be emulated. */
int kvml_delivery_error(struct kvml_vcpu *vcpu, u32 event, u32 reason, u64 info, u64 gpa);

/* The host's, taken when its interrupts came on; or run.c has seen to it.  Return 1. */
int kvml_exit_interrupt(struct kvml_vcpu *vcpu);
int kvml_exit_nothing(struct kvml_vcpu *vcpu);

/* KVM_EXIT_SHUTDOWN; returns 0. */
int kvml_exit_shutdown(struct kvml_vcpu *vcpu);

/* KVM_EXIT_HLT, unless going past HLT, which returned @done, has another end. */
int kvml_exit_hlt(struct kvml_vcpu *vcpu, int done);

/* Returns @ret; if that is -EINTR, with KVM_EXIT_INTR: a signal. */
int kvml_tell_signal(struct kvml_vcpu *vcpu, int ret);

/* What the manual asks of an entry. */
struct kvml_entry_rule {
	bool broken;
	const char *text;
};

/* A line in the log for each of the @n that is broken; false: none is. */
bool kvml_entry_broken(const struct kvml_vcpu *vcpu, const char *manual,
		       const struct kvml_entry_rule *rules, unsigned int n);

/*
 * KVM_EXIT_FAIL_ENTRY with @reason.  If the log has room, @explain says there why, if it
 * knows (true), and the guest's state follows.
 */
void kvml_entry_failed(struct kvml_vcpu *vcpu, u64 reason,
		       bool (*explain)(struct kvml_vcpu *vcpu));

#endif /* _KVMLITE_ERROR_H */
