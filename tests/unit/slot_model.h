/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What memory slots must do (api.rst, KVM_SET_USER_MEMORY_REGION), said as simply
 * as possible: a table by number, looked at page by page.  For tests in the kernel
 * and in userspace.
 */
#ifndef _UNIT_SLOT_MODEL_H
#define _UNIT_SLOT_MODEL_H

/* Numbers and pages that the model knows; requests beyond are not for it. */
#define MODEL_SLOTS	8
#define MODEL_PAGES	64

struct slot_model {
	struct kvm_userspace_memory_region slot[MODEL_SLOTS];
};

static inline u64 model_first(const struct kvm_userspace_memory_region *r)
{
	return r->guest_phys_addr / PAGE_SIZE;
}

static inline u64 model_pages(const struct kvm_userspace_memory_region *r)
{
	return r->memory_size / PAGE_SIZE;
}

/* The number of the slot that has the page @gfn, or -1. */
static inline int slot_model_owner(const struct slot_model *m, u64 gfn)
{
	int i;

	for (i = 0; i < MODEL_SLOTS; i++) {
		const struct kvm_userspace_memory_region *r = &m->slot[i];

		if (gfn >= model_first(r) &&
		    gfn < model_first(r) + model_pages(r))
			return i;
	}
	return -1;
}

static inline bool model_overlaps(const struct slot_model *m,
				  const struct kvm_userspace_memory_region *r)
{
	u64 gfn;
	int owner;

	for (gfn = model_first(r); gfn < model_first(r) + model_pages(r); gfn++) {
		owner = slot_model_owner(m, gfn);
		if (owner >= 0 && owner != (int)r->slot)
			return true;
	}
	return false;
}

/* What the call must return; changes the model if that is 0. */
static inline int slot_model_set(struct slot_model *m,
				 const struct kvm_userspace_memory_region *r)
{
	struct kvm_userspace_memory_region *old = &m->slot[r->slot];

	if (!r->memory_size) {
		if (!old->memory_size)
			return -EINVAL;
		memset(old, 0, sizeof(*old));
		return 0;
	}
	if (old->memory_size &&
	    (old->memory_size != r->memory_size ||
	     old->userspace_addr != r->userspace_addr ||
	     (old->flags ^ r->flags) & KVM_MEM_READONLY))
		return -EINVAL;
	if (model_overlaps(m, r))
		return -EEXIST;
	*old = *r;
	return 0;
}

/* A request out of 8 bytes that say nothing about each other. */
static inline struct kvm_userspace_memory_region
slot_model_request(const u8 *bytes)
{
	struct kvm_userspace_memory_region r = {
		.slot = bytes[0] % MODEL_SLOTS,
		.flags = bytes[1] % 4,
		.guest_phys_addr = (bytes[2] % MODEL_PAGES) * PAGE_SIZE,
		.memory_size = (bytes[3] % 4 ? bytes[4] % 16 : 0) * PAGE_SIZE,
		.userspace_addr = 0x10000000 + bytes[5] % 4 * PAGE_SIZE,
	};

	/* Mostly the same again, or slots would hardly ever be changed. */
	if (bytes[6] % 4) {
		r.memory_size = r.memory_size ? (r.slot + 1) * PAGE_SIZE : 0;
		r.userspace_addr = 0x20000000 * (r.slot + 1ul);
		r.flags &= ~KVM_MEM_READONLY;
	}
	return r;
}

#endif /* _UNIT_SLOT_MODEL_H */
