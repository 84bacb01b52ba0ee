/* SPDX-License-Identifier: GPL-2.0 */
/* What cannot be virtualized: KVM_EXIT_INTERNAL_ERROR (api.rst, 5). */
#ifndef _KVMLITE_ERROR_H
#define _KVMLITE_ERROR_H

struct kvml_vcpu;

/*
 * Ends KVM_RUN with KVM_EXIT_INTERNAL_ERROR, suberror @suberror and @ndata
 * words of @data; returns 0.
 */
int kvml_internal_error(struct kvml_vcpu *vcpu, u32 suberror,
			unsigned int ndata, const u64 *data);

#endif /* _KVMLITE_ERROR_H */
